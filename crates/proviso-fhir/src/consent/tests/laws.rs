//! Laws of reading and writing, on random consents.

use super::random::{self, Random};
use super::*;
use crate::json::Node;
use crate::json::edit::Edit;
use alloc::vec;
use proptest::prelude::*;
use proviso_core::consent::provision::{
    ActorClause, ActorRole, Coding, Identifier, Outcome, Provision, RecordFacts, RequestFacts,
    Rule, Unreadable, Who, evaluate,
};
use proviso_core::time::{At, Period};

fn outcome(consent: &ReadConsent, request: &RequestFacts, record: &RecordFacts) -> Outcome {
    evaluate(consent.directive(), request, record).outcome(&record.labels)
}

/// Both consents give the same answers to some random requests.
fn answer_alike(one: &ReadConsent, other: &ReadConsent, random: &mut Random) {
    for _ in 0..12 {
        let (request, record) = (random::request(random), random::record(random));
        assert_eq!(outcome(one, &request, &record), outcome(other, &request, &record));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn what_is_written_as_r4_is_read_back(seed: u64) {
        let consent = random::r4(&mut Random(seed));
        let bytes = write_r4(&consent).unwrap();
        prop_assert_eq!(read_bytes(&bytes, Version::R4).unwrap(), consent);
    }

    #[test]
    fn what_is_written_as_r5_is_read_back(seed: u64) {
        let consent = random::r5(&mut Random(seed), true);
        let bytes = write_r5(&consent).unwrap();
        prop_assert_eq!(read_bytes(&bytes, Version::R5).unwrap(), consent);
    }

    // Covers: design §7.4 of the book: `fhir-tree` on R4 is `fhir-tree` on its R5 translation
    #[test]
    fn a_consent_means_the_same_in_r5(seed: u64) {
        let mut random = Random(seed);
        let consent = random::r4(&mut random);
        match write_r5(&consent) {
            Ok(bytes) => {
                let translated = read_bytes(&bytes, Version::R5).unwrap();
                answer_alike(&consent, &translated, &mut random);
                prop_assert_eq!(translated.canonical(), consent.canonical());
            }
            Err(refusal) => prop_assert!(!refusal.faults.is_empty()),
        }
    }

    #[test]
    fn a_consent_means_the_same_in_r4(seed: u64) {
        let mut random = Random(seed);
        let consent = random::r5(&mut random, false);
        match write_r4(&consent) {
            Ok(bytes) => {
                let translated = read_bytes(&bytes, Version::R4).unwrap();
                answer_alike(&consent, &translated, &mut random);
                prop_assert_eq!(translated.canonical(), consent.canonical());
            }
            Err(refusal) => {
                // R5's own status, and its decision under a flat reading; everything else that is
                // made here R4 can say.
                let expected = [WriteFaultCode::StatusUnknown, WriteFaultCode::DecisionOutsideTree];
                prop_assert!(refusal.faults.iter().all(|fault| expected.contains(&fault.code)));
            }
        }
    }

    #[test]
    fn the_canonical_form_means_the_same(seed: u64) {
        let mut random = Random(seed);
        let consent = random::r5(&mut random, true);
        let canonical = consent.clone().canonical();
        answer_alike(&consent, &canonical, &mut random);
        prop_assert_eq!(canonical.clone().canonical(), canonical);
    }

    #[test]
    fn a_projection_satisfies_its_profile_and_means_the_same(seed: u64) {
        let mut random = Random(seed);
        let consent = random::profiled(&mut random);
        for profile in Profile::ALL {
            let Ok(bytes) = project(&consent, *profile) else { continue };
            let doc = Doc::parse(bytes).unwrap();
            prop_assert_eq!(check_profile(doc.root(), *profile), []);
            let projected = read_doc(&doc, Version::R4).unwrap();
            prop_assert_eq!(projected.directive().dialect(), profile.dialect());
            answer_alike(&consent, &projected, &mut random);
        }
    }
}

/// The document with a member more in one of its objects.
fn with_member(doc: &Doc, object: Node<'_>, key: &str) -> Doc {
    let mut edit = Edit::new(doc);
    edit.insert_member(object, 0, key, b"[{\"url\":\"http://x\"}]");
    Doc::parse(edit.finish().unwrap()).unwrap()
}

#[test]
fn nothing_is_passed_over_wherever_it_stands() {
    let mut objects = 0;
    for seed in 0..24 {
        let mut random = Random(seed);
        for (version, consent) in
            [(Version::R4, random::r4(&mut random)), (Version::R5, random::r5(&mut random, true))]
        {
            let doc = Doc::parse(written(&consent, version).unwrap()).unwrap();
            for object in doc.root().descendants().filter(|node| node.is_object()) {
                objects += 1;
                let at = object.path();
                let modified = read_doc(&with_member(&doc, object, "modifierExtension"), version);
                assert!(modified.is_err(), "{at}");
                let unheard = read_doc(&with_member(&doc, object, "unheardOf"), version);
                match unheard {
                    Err(refusal) => assert!(!refusal.faults.is_empty()),
                    // In what restricts nothing it is kept, and changes nothing.
                    Ok(read) => {
                        assert!(!at.contains("provision"), "{at}");
                        assert_eq!(read.directive(), consent.directive(), "{at}");
                        let bytes = written(&read, version).unwrap();
                        let text = core::str::from_utf8(&bytes).unwrap();
                        assert!(text.contains("unheardOf"), "{at}");
                    }
                }
            }
        }
    }
    assert!(objects > 1000, "{objects}");
}

#[test]
fn random_consents_often_have_a_form_in_a_profile() {
    let mut possible = [[0; 2]; 4];
    for seed in 0..400 {
        let consent = random::profiled(&mut Random(seed));
        for (index, profile) in Profile::ALL.iter().enumerate() {
            possible[index][usize::from(project(&consent, *profile).is_ok())] += 1;
        }
    }
    assert!(possible.iter().flatten().all(|count| *count >= 20), "{possible:?}");
}

/// How much of the random consents the laws above really look at.
#[test]
fn random_consents_are_often_sayable_in_the_other_version() {
    let mut sayable = 0;
    for seed in 0..400 {
        sayable += usize::from(write_r5(&random::r4(&mut Random(seed))).is_ok());
    }
    assert!((20..380).contains(&sayable), "{sayable} of 400");
}

fn check(directive: Directive, version: Version, expected: &[&str]) {
    let header = Header::new(Status::Active, Reference::to(Who::reference("Patient/p")));
    assert_eq!(write_faults(&ReadConsent::new(header, directive), version), expected);
}

fn tree(base: Option<Rule>, provisions: Vec<Provision>) -> Directive {
    random::directive(base, provisions, Dialect::FhirTree)
}

#[test]
fn a_tree_that_a_version_cannot_say_is_refused() {
    let permit = Provision::new(Rule::Permit);
    let with = |children: Vec<Provision>| Provision { children, ..permit.clone() };
    let limited = Provision {
        labels: vec![proviso_core::consent::provision::Label::from_coding(Coding::new(
            "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "HIV",
        ))],
        ..permit.clone()
    };
    for version in [Version::R4, Version::R5] {
        check(tree(None, vec![permit.clone()]), version, &[]);
        check(tree(Some(Rule::Deny), vec![permit.clone(), permit.clone()]), version, &[]);
        let at = if version == Version::R4 { "Consent.provision" } else { "Consent" };
        check(tree(None, vec![]), version, &[&format!("no-provision at {at}")]);
        check(
            tree(None, vec![permit.clone(), permit.clone()]),
            version,
            &[&format!("several-roots at {at}")],
        );
    }
    check(tree(None, vec![limited.clone()]), Version::R4, &[]);
    check(tree(None, vec![limited]), Version::R5, &["root-restricts at Consent.provision"]);
    let same = tree(None, vec![with(vec![permit.clone()])]);
    check(same.clone(), Version::R4, &[]);
    check(same, Version::R5, &["rule-not-opposite at Consent.provision[0]"]);
    let flat = |base, provisions| random::directive(base, provisions, Dialect::Joint);
    check(flat(None, vec![permit.clone()]), Version::R4, &[]);
    check(flat(None, vec![permit]), Version::R5, &["root-outside-tree at Consent"]);
    check(flat(Some(Rule::Deny), vec![]), Version::R5, &[]);
    check(
        flat(Some(Rule::Deny), vec![]),
        Version::R4,
        &["decision-outside-tree at Consent.provision"],
    );
}

#[test]
fn values_that_fhir_cannot_write_are_refused() {
    let permit = Provision::new(Rule::Permit);
    let root = |root: Provision| tree(None, vec![root]);
    let far = Period { start: None, end: Some(At::from_micros(i64::MAX)) };
    check(
        root(Provision { period: Some(far), ..permit.clone() }),
        Version::R4,
        &["date-out-of-range at Consent.provision.period"],
    );
    check(
        root(Provision { period: Some(far), ..permit.clone() }),
        Version::R5,
        &["date-out-of-range at Consent.period"],
    );
    let nobody = Who::Identifier(Identifier { system: String::new(), value: "7".into() });
    let actor = |who| vec![ActorClause { role: ActorRole::Recipient, who }];
    check(
        root(Provision { actors: actor(Some(nobody)), ..permit.clone() }),
        Version::R4,
        &["identifier-without-system at Consent.provision"],
    );
    check(
        root(Provision { actors: actor(None), ..permit.clone() }),
        Version::R4,
        &["actor-without-reference at Consent.provision.actor"],
    );
    check(
        root(Provision { codes: vec![Coding::new("", "x")], ..permit.clone() }),
        Version::R4,
        &["code-without-system at Consent.provision"],
    );
    let unreadable = vec![Unreadable::Element("expression".into())];
    check(
        root(Provision { unreadable, ..permit }),
        Version::R4,
        &["unreadable at Consent.provision"],
    );
}

#[test]
fn a_header_that_a_version_cannot_say_is_refused() {
    let check = |change: &dyn Fn(&mut Header), version, expected: &[&str]| {
        let mut header = Header::new(Status::Active, Reference::to(Who::reference("Patient/p")));
        change(&mut header);
        let directive = tree(None, vec![Provision::new(Rule::Permit)]);
        assert_eq!(write_faults(&ReadConsent::new(header, directive), version), expected);
    };
    let party = || Reference::to(Who::reference("Practitioner/p"));
    check(&|it| it.status = Status::Proposed, Version::R4, &[]);
    check(&|it| it.status = Status::Proposed, Version::R5, &["status-unknown at Consent.status"]);
    check(&|it| it.status = Status::NotDone, Version::R5, &[]);
    check(&|it| it.status = Status::NotDone, Version::R4, &["status-unknown at Consent.status"]);
    let sources =
        |it: &mut Header| it.sources = vec![Source::Reference(party()), Source::Reference(party())];
    check(&sources, Version::R5, &[]);
    check(&sources, Version::R4, &["several-sources at Consent.source"]);
    let rules = |it: &mut Header| it.policy_rules = vec![Concept::of(Coding::new("a", "b")); 2];
    check(&rules, Version::R5, &[]);
    check(&rules, Version::R4, &["several-policy-rules at Consent.policyRule"]);
    let policies =
        |it: &mut Header| it.policies = vec![Policy::at("http://a"), Policy::at("http://b")];
    check(&policies, Version::R4, &[]);
    check(&policies, Version::R5, &["several-policies at Consent.policyBasis"]);
    check(&|it| it.policy_reference = Some(party()), Version::R5, &[]);
    check(
        &|it| it.policy_reference = Some(party()),
        Version::R4,
        &["policy-reference at Consent.policy"],
    );
    let verified = |it: &mut Header| {
        it.verifications = vec![Verification { by: Some(party()), ..Verification::default() }];
    };
    check(&verified, Version::R5, &[]);
    check(&verified, Version::R4, &["verification at Consent.verification"]);
    let profile =
        |it: &mut Header| it.profiles = vec![dialect_profile(Dialect::Fast).unwrap().into()];
    check(&profile, Version::R4, &["dialect-unnamed at Consent.meta.profile"]);
}

#[test]
fn contained_resources_and_what_is_kept_of_a_root_stay_in_their_version() {
    let json = r#"{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"patient":{"reference":"Patient/p"},"contained":[{"resourceType":"Organization","id":"o","identifier":[{"system":"x","value":"1"}]}],"provision":{"id":"kept","type":"permit"}}"#;
    let consent = read_doc(&parse(json), Version::R4).unwrap();
    assert!(write_r4(&consent).is_ok());
    assert_eq!(
        write_faults(&consent, Version::R5),
        ["contained-resources at Consent.contained", "no-place at Consent.provision",]
    );
}
