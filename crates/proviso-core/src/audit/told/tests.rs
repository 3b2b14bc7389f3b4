use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::audit::AuditOutcome;
use crate::category::SensitiveKind;
use crate::id::AuditEntryId;
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::time::At;

fn lily() -> PatientId {
    "lily".parse().unwrap()
}

fn share(categories: &[Category], released: u32) -> ProxyShare {
    ProxyShare {
        patients: BTreeSet::from([lily()]),
        categories: categories.iter().copied().collect(),
        released,
    }
}

/// An app's access to Lily's records in which everything could be seen by everybody.
fn access(interaction: Interaction, categories: &[Category], released: u32) -> AuditEntry {
    let at = At::from_secs(0);
    AuditEntry {
        id: AuditEntryId::generate(at, [0; 10]),
        at,
        kind: AuditKind::Access,
        outcome: AuditOutcome::Success,
        action: interaction.code().into(),
        client: Some("glucose-coach".parse().unwrap()),
        account: Some("acc_lily".parse().unwrap()),
        on_behalf_of: None,
        patients: vec![lily()],
        interaction: Some(interaction),
        resource_type: Some(ResourceType::OBSERVATION),
        resources: Vec::new(),
        asked: categories_of_type(ResourceType::OBSERVATION),
        categories: categories.iter().copied().collect(),
        sensitive: SensitiveSet::EMPTY,
        released,
        for_proxies: Some(share(categories, released)),
        withheld: 0,
        purpose: None,
        emergency: None,
        consent: None,
        policy_version: Some("rules".into()),
        decision: None,
        reasons: vec![ReasonCode::ConsentInForce],
        grant: None,
        token: None,
        session: None,
        request: None,
        trace: None,
        network: None,
        status: Some(200),
        query_shape: None,
        digest: None,
        redaction: None,
        noticed: BTreeSet::new(),
        about: None,
        record: None,
    }
}

/// The same access in the world in which it also touched confidential laboratory results.
fn with_hidden(mut entry: AuditEntry, more: u32) -> AuditEntry {
    entry.categories = entry.categories.with(Category::Laboratory);
    entry.sensitive = entry.sensitive.with(SensitiveKind::Adolescent);
    entry.released += more;
    entry
}

const VITALS: &[Category] = &[Category::Vitals];

#[test]
fn a_proxy_is_told_the_same_with_and_without_hidden_records() {
    for (visible, released) in [(VITALS, 11), (&[][..], 0)] {
        for interaction in [Interaction::Search, Interaction::Operation("everything".into())] {
            let without = access(interaction, visible, released);
            let with = with_hidden(without.clone(), 1);
            assert_eq!(Told::to_proxy(with, &lily()), Told::to_proxy(without, &lily()));
        }
    }
    let mut with = with_hidden(access(Interaction::Search, VITALS, 11), 1);
    with.reasons.push(ReasonCode::PublicDirectory);
    let without = access(Interaction::Search, VITALS, 11);
    assert_eq!(Told::to_proxy(with, &lily()), Told::to_proxy(without, &lily()));
}

#[test]
fn a_proxy_is_told_kinds_but_no_counts_and_no_sensitive_kinds() {
    let told = Told::to_proxy(with_hidden(access(Interaction::Search, VITALS, 11), 1), &lily());
    let told = told.unwrap();
    assert_eq!(told.amount(), Amount::Some);
    assert_eq!(told.kinds(), VITALS.iter().copied().collect());
    assert!(!told.is_about(Category::Laboratory));
    assert_eq!((told.entry().released, told.entry().sensitive), (0, SensitiveSet::EMPTY));
}

#[test]
fn one_hidden_record_by_its_id_leaves_no_trace_as_if_it_were_not_there() {
    for interaction in [
        Interaction::Read,
        Interaction::Vread,
        Interaction::HistoryInstance,
        Interaction::Create,
        Interaction::Update,
        Interaction::Patch,
        Interaction::Delete,
    ] {
        let mut missing = access(interaction.clone(), &[], 0);
        missing.outcome = AuditOutcome::Failure;
        assert_eq!(Told::to_proxy(missing.clone(), &lily()), None);
        assert_eq!(Told::to_proxy(with_hidden(missing.clone(), 1), &lily()), None);
        missing.outcome = AuditOutcome::Denied;
        assert_eq!(Told::to_proxy(with_hidden(missing, 0), &lily()), None);
        assert!(Told::to_proxy(access(interaction, VITALS, 1), &lily()).is_some());
    }
    let mut stopped = access(Interaction::Read, &[], 0);
    (stopped.outcome, stopped.policy_version) = (AuditOutcome::Denied, None);
    assert!(Told::to_proxy(stopped, &lily()).is_some(), "refused whatever there is");
}

#[test]
fn what_cannot_be_known_to_be_open_is_not_told_to_a_proxy() {
    let mut unknown = access(Interaction::Search, VITALS, 1);
    unknown.for_proxies = None;
    assert_eq!(Told::to_proxy(unknown, &lily()), None);
    for kind in [AuditKind::Import, AuditKind::Administration] {
        let mut entry = access(Interaction::Search, VITALS, 1);
        entry.kind = kind;
        assert_eq!(Told::to_proxy(entry, &lily()), None);
    }
    let other = "james".parse().unwrap();
    assert_eq!(Told::to_proxy(access(Interaction::Search, VITALS, 1), &other), None);
}

#[test]
fn the_patient_is_told_everything_about_themselves() {
    let told = Told::to_patient(with_hidden(access(Interaction::Search, VITALS, 11), 1));
    assert_eq!(told.amount(), Amount::Exactly(12));
    assert!(told.is_about(Category::Laboratory) && told.is_about(Category::Vitals));
    assert!(told.entry().sensitive.contains(SensitiveKind::Adolescent));
}

#[test]
fn nobody_is_told_what_may_be_another_patients() {
    let mut of_two = with_hidden(access(Interaction::Search, VITALS, 11), 1);
    of_two.patients.push("james".parse().unwrap());
    of_two.asked = VITALS.iter().copied().collect();
    let told = Told::to_patient(of_two);
    assert_eq!(told.amount(), Amount::Some);
    assert_eq!(told.kinds(), VITALS.iter().copied().collect());
    assert!(told.entry().sensitive.is_empty());
}

#[test]
fn what_was_asked_for_in_vain_is_found_by_its_kind() {
    let mut nothing = access(Interaction::Search, &[], 0);
    nothing.asked = VITALS.iter().copied().collect();
    let told = Told::to_patient(nothing);
    assert!(told.is_about(Category::Vitals) && !told.is_about(Category::Laboratory));
}
