use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proviso_core::category::{
    Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet,
};
use proviso_core::consent::{
    Capacity, ConsentTerms, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess, Recipient,
};
use proviso_core::decision::{Belonging, Labels};
use proviso_core::time::{At, Period};

use super::{base64, consent_id, provision, resource_id, to_fhir};
use crate::compartment::belonging;
use crate::json::Doc;
use crate::label::RuleSet;
use crate::validate::validate;

const NOW: At = At::from_secs(1_700_000_000);

fn terms() -> ConsentTerms {
    ConsentTerms {
        patient: "maria".parse().unwrap(),
        given_by: "acc_1".parse().unwrap(),
        capacity: Capacity::Patient,
        recipient: Recipient::App("glucose-coach".parse().unwrap()),
        categories: CategorySet::EMPTY.with(Category::Medications).with(Category::Laboratory),
        sensitive: SensitiveSet::EMPTY.with(SensitiveKind::Hiv),
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: Period { start: Some(NOW), end: Some(NOW.plus_days(30)) },
        data_period: Period { start: Some(At::from_secs(0)), end: None },
        duration: DurationChoice::ThirtyDays,
        offline: OfflineAccess::Allowed,
        granted_scopes: vec!["patient/Observation.rs?category=laboratory".parse().unwrap()],
        legal_basis: "hipaa-authorization".to_owned(),
        policy_uri: "https://example.org/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: "Share my \"medications\"\nand lab results: él".to_owned(),
    }
}

/// A consent as recorded here, for tests elsewhere.
pub(crate) fn example() -> NamedConsent {
    NamedConsent::new(version(terms()))
}

fn version(terms: ConsentTerms) -> ConsentVersion {
    ConsentVersion::record("cns_0123abcd".parse().unwrap(), terms, NOW).unwrap()
}

fn written(version: ConsentVersion) -> Doc {
    Doc::parse(to_fhir(&NamedConsent::new(version))).unwrap()
}

#[test]
fn every_version_of_a_consent_is_valid_fhir() {
    let first = version(terms());
    let revoked = first.revoke(NOW.plus_secs(5), Some("no longer needed".to_owned())).unwrap();
    let proxy = ConsentTerms {
        capacity: Capacity::Proxy,
        recipient: Recipient::Person("acc_2".parse().unwrap()),
        categories: CategorySet::all(),
        sensitive: SensitiveKind::ALL.iter().copied().collect(),
        data_period: Period::ALWAYS,
        ..terms()
    };
    let team = ConsentTerms { recipient: Recipient::CareTeam("t1".parse().unwrap()), ..terms() };
    let hospital =
        ConsentTerms { recipient: Recipient::Organization("o1".parse().unwrap()), ..terms() };
    for version in [first, revoked, version(proxy), version(team), version(hospital)] {
        let doc = written(version);
        assert_eq!(validate(doc.root()), [], "{}", doc.text());
        let maria = [["maria".parse().unwrap()].into_iter().collect()].map(Belonging::Patients);
        assert_eq!([belonging(doc.root())], maria);
    }
}

#[test]
fn the_tree_permits_what_was_chosen_and_nothing_else() {
    let doc = written(version(terms()));
    let root = doc.root().get("provision").unwrap();
    assert_eq!(root.string_at(&["type"]).unwrap(), "deny");
    assert_eq!(
        root.string_at(&["actor", "reference", "identifier", "value"]).unwrap(),
        "glucose-coach"
    );
    assert_eq!(root.string_at(&["purpose", "code"]).unwrap(), "PATRQT");
    assert_eq!(root.string_at(&["period", "end"]).unwrap(), "2023-12-14T22:13:19Z");
    let mut shared: Vec<String> = Vec::new();
    for permit in root.at(&["provision"]) {
        assert_eq!(permit.string_at(&["type"]).unwrap(), "permit");
        assert_eq!(permit.string_at(&["dataPeriod", "start"]).unwrap(), "1970-01-01T00:00:00Z");
        let codes: Vec<_> =
            permit.at(&["code", "coding", "code"]).filter_map(crate::json::Node::as_str).collect();
        for class in permit.at(&["class", "code"]).filter_map(crate::json::Node::as_str) {
            shared.push(alloc::format!("{class} {}", codes.join(",")));
        }
        // HIV was named, the other nine were not.
        let denied: Vec<_> = permit.at(&["provision", "securityLabel", "code"]).collect();
        assert_eq!(denied.len(), SensitiveKind::ALL.len() - 1);
        assert!(denied.iter().all(|label| label.as_str().unwrap() != "HIV"));
    }
    assert!(shared.contains(&"MedicationRequest ".to_owned()), "{shared:?}");
    assert!(shared.contains(&"Observation laboratory".to_owned()), "{shared:?}");
    assert!(!shared.iter().any(|one| one.starts_with("Condition")), "{shared:?}");
}

#[test]
fn the_text_shown_and_its_hash_are_kept() {
    let version = version(terms());
    let doc = written(version.clone());
    let attachment = doc.root().get("sourceAttachment").unwrap();
    assert_eq!(
        attachment.string_at(&["data"]).unwrap(),
        "U2hhcmUgbXkgIm1lZGljYXRpb25zIgphbmQgbGFiIHJlc3VsdHM6IMOpbA=="
    );
    assert_eq!(
        attachment.string_at(&["extension", "valueString"]).unwrap(),
        version.shown_text_hash
    );
    assert_eq!(doc.root().string_at(&["policy", "uri"]).unwrap(), "https://example.org/terms");
}

#[test]
fn a_later_version_names_the_one_before() {
    let first = NamedConsent::new(version(terms()));
    let second = first.version().revoke(NOW.plus_secs(1), None).unwrap();
    let doc = written(second);
    assert_eq!(doc.root().string_at(&["status"]).unwrap(), "inactive");
    assert_eq!(doc.root().string_at(&["meta", "versionId"]).unwrap(), "2");
    assert!(doc.text().contains(first.id().as_str()));
}

#[test]
fn ids_survive_the_way_to_fhir_and_back() {
    let id = "cns_0123abcd-4".parse().unwrap();
    let resource = resource_id(&id).unwrap();
    assert_eq!(resource.as_str(), "cns-0123abcd-4");
    assert_eq!(consent_id(&resource), Some(id));
    assert_eq!(consent_id(&"other".parse().unwrap()), None);
}

#[test]
fn the_label_of_each_kind_is_read_back_as_that_kind() {
    for kind in SensitiveKind::ALL {
        let text = alloc::format!(
            r#"{{"resourceType":"Observation","meta":{{"security":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{}"}}]}}}}"#,
            provision::label_code(*kind)
        );
        let doc = Doc::parse(text.into_bytes()).unwrap();
        let Labels::Known(kinds) = RuleSet::shipped().label(doc.root()) else { panic!("{kind}") };
        assert!(kinds.contains(*kind), "{kind}");
    }
}

#[test]
fn base64_is_that_of_the_rfc() {
    for (plain, encoded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(plain.as_bytes()), encoded);
    }
    assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
}
