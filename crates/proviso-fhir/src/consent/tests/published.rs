//! Every published example is read, or refused for the reason that stands here.

use super::*;
use proviso_core::consent::provision::Dialect;

fn check(name: &str, version: Version, expected: &[&str]) {
    assert_eq!(shown(read_doc(&fixture(name), version)), expected, "{name}");
}

const PCF: [(&str, Dialect); 23] = [
    ("basic-treat", Dialect::PcfBasic),
    ("basic-treat-infant", Dialect::PcfBasic),
    ("basic-ink", Dialect::PcfBasic),
    ("basic-reject", Dialect::PcfBasic),
    ("basic-research", Dialect::PcfBasic),
    ("expired-treat", Dialect::PcfBasic),
    ("intermediate-timeframe", Dialect::PcfIntermediate),
    ("intermediate-not-timeframe", Dialect::PcfIntermediate),
    ("intermediate-authoredby", Dialect::PcfIntermediate),
    ("intermediate-not-authoredby", Dialect::PcfIntermediate),
    ("intermediate-encounter", Dialect::PcfIntermediate),
    ("intermediate-not-encounter", Dialect::PcfIntermediate),
    ("intermediate-data", Dialect::PcfIntermediate),
    ("intermediate-not-data", Dialect::PcfIntermediate),
    ("intermediate-purpose", Dialect::PcfIntermediate),
    ("dissent-break-glass", Dialect::PcfIntermediate),
    ("advanced-normal", Dialect::PcfAdvanced),
    ("advanced-normal-restricted", Dialect::PcfAdvanced),
    ("advanced-normal-not-restricted", Dialect::PcfAdvanced),
    ("advanced-normal-focused-restricted", Dialect::PcfAdvanced),
    ("advanced-normal-focused-psy", Dialect::PcfAdvanced),
    ("advanced-normal-focused-psy-or-sdv", Dialect::PcfAdvanced),
    ("advanced-normal-break-glass-restricted", Dialect::PcfAdvanced),
];

// Covers: IHE PCF 1.1, examples of Consent
#[test]
fn every_example_of_ihe_pcf_is_read_under_the_profile_it_names() {
    for (name, dialect) in PCF {
        let path = format!("pcf/{name}");
        check(&path, Version::R4, &[]);
        let consent = read_doc(&fixture(&path), Version::R4).unwrap();
        assert_eq!(consent.directive().dialect(), dialect, "{name}");
        assert_eq!(consent.header().patient_id().unwrap().as_str(), "ex-patient");
    }
}

// Covers: AB 352 examples (SHIFT)
#[test]
fn every_nested_example_is_read_with_the_place_of_the_recipient() {
    for (name, depth) in [("depth", 3), ("breadth", 2), ("four-deep", 4), ("allow-all", 1)] {
        let path = format!("ab352/{name}");
        check(&path, Version::R4, &[]);
        let consent = read_doc(&fixture(&path), Version::R4).unwrap();
        let mut level: Vec<_> = consent.directive().provisions().iter().collect();
        let (mut levels, mut located) = (0, 0);
        while !level.is_empty() {
            levels += 1;
            located += level.iter().filter(|one| !one.locations.is_empty()).count();
            level = level.into_iter().flat_map(|one| &one.children).collect();
        }
        assert_eq!((levels, located), (depth, usize::from(depth > 1)), "{name}");
    }
}

#[test]
fn a_sites_own_labels_are_refused_where_the_site_does_not_assign_them() {
    let nothing = BTreeSet::new();
    let context = Context { own_base: OWN_BASE, understood: &nothing, policies: &[] };
    let refused = read(&fixture("ab352/breadth"), Version::R4, &Zone::UTC, &context);
    let faults = shown(refused);
    assert_eq!(faults.len(), 6);
    assert_eq!(faults[5], "unknown-label at Consent.provision.provision[1].securityLabel[2]");
}

// Covers: FHIR R5 Consent, examples
#[test]
fn the_examples_of_fhir_r5_are_read_or_refused_for_a_reason() {
    let read = [
        "Emergency",
        "Out",
        "OrgToOrg",
        "basic",
        "grantor",
        "notAuthor",
        "notLabs",
        "notOrg",
        "notThem",
        "notThis",
        "notTime",
        "smartonfhir",
    ];
    for name in read {
        check(&format!("hl7-r5/{name}"), Version::R5, &[]);
    }
    // The example names a value set where a code system belongs.
    check(
        "hl7-r5/notSecLabel",
        Version::R5,
        &["unknown-label at Consent.provision[0].securityLabel[0]"],
    );
    // The draft at hand has `type`s and no decision.
    check("hl7-r5/signature", Version::R5, &["decision-missing at Consent.decision"]);
}

// Covers: FHIR R4 Consent, examples
#[test]
fn the_examples_of_fhir_r4_are_read_or_refused_for_a_reason() {
    for name in ["Emergency", "No-Emergency", "ips-01", "notThis", "pkb-typed"] {
        check(&format!("hl7-r4/{name}"), Version::R4, &[]);
    }
    check("hl7-r4/notTime", Version::R4, &["type-missing at Consent.provision.provision[0].type"]);
    check("hl7-r4/grantor-without-type", Version::R4, &["type-missing at Consent.provision.type"]);
    check(
        "hl7-r4/notSecLabel",
        Version::R4,
        &["unknown-label at Consent.provision.provision[0].securityLabel[0]"],
    );
    // Two of its exceptions state no type.
    check(
        "hl7-r4/pkb",
        Version::R4,
        &[
            "type-missing at Consent.provision.provision[0].provision[8].type",
            "type-missing at Consent.provision.provision[0].provision[9].type",
        ],
    );
    // The record is named by an identifier without a value, and by a display.
    check(
        "hl7-r4/ips-02",
        Version::R4,
        &["data-unresolvable at Consent.provision.data[0].reference"],
    );
}

// Covers: HL7 FAST, example of FASTConsent
#[test]
fn the_example_of_fast_is_read_with_its_back_ported_manager() {
    check("fast/consent-example", Version::R4, &[]);
    let consent = read_doc(&fixture("fast/consent-example"), Version::R4).unwrap();
    assert_eq!(consent.directive().dialect(), Dialect::Fast);
    assert_eq!(consent.header().managers.len(), 1);
    check("fast/consent-example-first-draft", Version::R4, &[]);
}

#[test]
fn the_wrong_version_is_refused() {
    let refused = shown(read_doc(&fixture("hl7-r5/notTime"), Version::R4));
    assert!(refused.contains(&"unknown-element at Consent.decision".to_string()), "{refused:?}");
    assert!(refused.contains(&"patient-missing at Consent.patient".to_string()), "{refused:?}");
    let refused = shown(read_doc(&fixture("hl7-r4/notThis"), Version::R5));
    assert!(refused.contains(&"unknown-element at Consent.scope".to_string()), "{refused:?}");
}

#[test]
fn every_example_that_is_read_is_written_back_word_for_word() {
    for (folder, version) in [
        ("pcf", Version::R4),
        ("ab352", Version::R4),
        ("fast", Version::R4),
        ("hl7-r4", Version::R4),
        ("hl7-r5", Version::R5),
    ] {
        let path = format!("{}/tests/consent/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(path).unwrap() {
            let doc = Doc::parse(std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
            let Ok(consent) = read_doc(&doc, version) else { continue };
            let bytes = written(&consent, version).unwrap();
            let value =
                |bytes: &[u8]| -> serde_json::Value { serde_json::from_slice(bytes).unwrap() };
            assert_eq!(value(&bytes), value(doc.bytes()));
            assert_eq!(read_bytes(&bytes, version).unwrap(), consent);
        }
    }
}

#[test]
fn our_own_consents_are_read() {
    use crate::consent_r4::to_fhir;
    let bytes = to_fhir(&crate::consent_r4::example());
    let consent = read_bytes(&bytes, Version::R4).unwrap();
    let root = &consent.directive().provisions()[0];
    assert_eq!(root.actors.len(), 1);
    assert!(!root.children.is_empty());
    assert!(root.children.iter().all(|permit| permit.children.len() == 1));
    assert_eq!(root.period, Some(crate::consent_r4::example().version().period));
    let again = written(&consent, Version::R4).unwrap();
    assert_eq!(read_bytes(&again, Version::R4).unwrap(), consent);
}
