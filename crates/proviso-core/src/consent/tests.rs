use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::*;
use crate::category::{Category, PurposeOfUse, SensitiveKind};

pub(crate) const NOON: At = At::from_secs(1_795_000_000);

pub(crate) fn terms() -> ConsentTerms {
    ConsentTerms {
        patient: "maria".parse().unwrap(),
        given_by: "acc_maria".parse().unwrap(),
        capacity: Capacity::Patient,
        recipient: Recipient::App("glucose-coach".parse().unwrap()),
        categories: [Category::Medications, Category::Laboratory].into_iter().collect(),
        sensitive: SensitiveSet::EMPTY,
        purposes: [PurposeOfUse::PatientRequest].into_iter().collect(),
        period: DurationChoice::ThirtyDays.period_from(NOON),
        data_period: Period::ALWAYS,
        duration: DurationChoice::ThirtyDays,
        offline: OfflineAccess::Refused,
        granted_scopes: vec!["patient/MedicationRequest.rs".parse().unwrap()],
        legal_basis: "patient-choice".to_string(),
        policy_uri: "https://example.org/terms".to_string(),
        language: "en".to_string(),
        shown_text: "Share medications and laboratory results.".to_string(),
    }
}

fn recorded() -> ConsentVersion {
    ConsentVersion::record("cns_1".parse().unwrap(), terms(), NOON).unwrap()
}

#[test]
fn what_a_patient_named_is_not_for_those_who_act_for_them() {
    let named = SensitiveSet::EMPTY.with(SensitiveKind::Hiv).with(SensitiveKind::Adolescent);
    let mut own = recorded();
    own.sensitive = named;
    assert_eq!(own.sensitive_known_to(Capacity::Patient), Some(named));
    assert_eq!(own.sensitive_known_to(Capacity::Proxy), None);
    own.sensitive = SensitiveSet::EMPTY;
    assert_eq!(own.sensitive_known_to(Capacity::Proxy), None, "nor that it is none");
    let by_proxy = ConsentVersion { capacity: Capacity::Proxy, sensitive: named, ..own };
    assert_eq!(by_proxy.sensitive_known_to(Capacity::Patient), Some(named));
    let open = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    assert_eq!(by_proxy.sensitive_known_to(Capacity::Proxy), Some(open));
}

#[test]
fn the_diagram_shows_the_transition_table() {
    let mut drawn = String::from("//! ```text\n");
    for (before, verb, after) in TRANSITIONS {
        let before = before.map_or("(none)", ConsentStatus::code);
        let verb = verb.code().replace('-', " ");
        writeln!(drawn, "//! {before:<8} --{verb:-<13}-> {}", after.code()).unwrap();
    }
    drawn.push_str("//! ```\n");
    assert!(include_str!("lifecycle.rs").contains(&drawn), "the diagram should read:\n{drawn}");
}

#[test]
fn a_recorded_consent_is_in_force_from_its_first_to_before_its_last_instant() {
    let consent = recorded();
    let end = consent.period.end.unwrap();
    assert!(!consent.in_force(At::from_micros(NOON.as_micros() - 1)));
    assert!(consent.in_force(NOON));
    assert!(consent.in_force(At::from_micros(end.as_micros() - 1)));
    assert!(!consent.in_force(end));
    assert_eq!(consent.standing(end), Standing::NotInForce);
}

#[test]
fn every_change_is_a_new_version_that_names_the_one_before() {
    let first = recorded();
    let mut narrower = first.terms();
    narrower.categories = [Category::Medications].into_iter().collect();
    let second = first.amend(narrower, NOON.plus_secs(60), Some("less".to_string())).unwrap();
    assert_eq!(second.number, 2);
    assert_eq!(second.predecessor.as_ref(), Some(&first.version_id()));
    assert_eq!(second.status, ConsentStatus::Active);
    let third = second.revoke(NOON.plus_secs(120), None).unwrap();
    assert_eq!(third.number, 3);
    assert_eq!(third.predecessor.as_ref(), Some(&second.version_id()));
    assert_eq!(third.categories, second.categories);
    assert_eq!(third.standing(NOON.plus_secs(120)), Standing::Revoked);
    assert!(!third.in_force(NOON.plus_secs(120)));
    assert_eq!(first, recorded(), "the first version did not change");
}

#[test]
fn an_ended_consent_cannot_come_back() {
    let ended = recorded().revoke(NOON, None).unwrap();
    let refused = |verb| ConsentError::NoTransition { from: ConsentStatus::Inactive, verb };
    assert_eq!(ended.amend(terms(), NOON, None), Err(refused(ConsentVerb::Amend)));
    assert_eq!(ended.revoke(NOON, None), Err(refused(ConsentVerb::Revoke)));
    let wrong = ended.mark_in_error(NOON, "wrong person".to_string()).unwrap();
    assert_eq!(wrong.status, ConsentStatus::EnteredInError);
    assert_eq!(wrong.standing(NOON), Standing::NotInForce);
    assert!(wrong.mark_in_error(NOON, "again".to_string()).is_err());
}

#[test]
fn a_consent_expires_at_the_end_of_its_period_and_not_before() {
    let consent = recorded();
    let end = consent.period.end.unwrap();
    assert_eq!(consent.expire(At::from_micros(end.as_micros() - 1)), Err(ConsentError::NotOver));
    let expired = consent.expire(end).unwrap();
    assert_eq!(expired.status, ConsentStatus::Inactive);
    assert_eq!(expired.standing(end), Standing::NotInForce, "nobody revoked it");
}

#[test]
fn a_clock_set_back_does_not_keep_anyone_from_stopping() {
    let consent = recorded();
    let stopped = consent.revoke(At::from_micros(0), None).unwrap();
    assert_eq!(stopped.recorded_at, consent.recorded_at);
}

#[test]
fn incomplete_or_contradictory_terms_are_refused() {
    type Change = fn(&mut ConsentTerms);
    let cases: Vec<(Change, ConsentError)> = vec![
        (|t| t.categories = CategorySet::EMPTY, ConsentError::NoCategory),
        (|t| t.purposes = PurposeSet::EMPTY, ConsentError::NoPurpose),
        (|t| t.period.end = t.period.start, ConsentError::EmptyPeriod),
        (|t| t.period = Period { start: None, end: Some(NOON) }, ConsentError::AlreadyOver),
        (
            |t| t.data_period = Period { start: Some(NOON), end: Some(NOON) },
            ConsentError::EmptyDataPeriod,
        ),
        (|t| t.shown_text.clear(), ConsentError::NoShownText),
        (|t| t.language.clear(), ConsentError::NoLegalContext),
        (|t| t.policy_uri.clear(), ConsentError::NoLegalContext),
        (|t| t.legal_basis.clear(), ConsentError::NoLegalContext),
        (|t| t.granted_scopes.push(Scope::OfflineAccess), ConsentError::OfflineNotChosen),
    ];
    for (change, expected) in cases {
        let mut changed = terms();
        change(&mut changed);
        let refused = ConsentVersion::record("cns_1".parse().unwrap(), changed, NOON);
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn a_change_cannot_move_a_choice_to_someone_else() {
    let consent = recorded();
    let mut other = consent.terms();
    other.patient = "james".parse().unwrap();
    assert_eq!(consent.amend(other, NOON, None), Err(ConsentError::OtherParties));
    let mut other = consent.terms();
    other.recipient = Recipient::App("old-tracker".parse().unwrap());
    assert_eq!(consent.amend(other, NOON, None), Err(ConsentError::OtherParties));
}

#[test]
fn every_field_is_part_of_the_name() {
    type Change = fn(&mut ConsentVersion);
    let changes: Vec<Change> = vec![
        |v| v.consent = "cns_2".parse().unwrap(),
        |v| v.number = 2,
        |v| v.predecessor = Some(v.version_id()),
        |v| v.status = ConsentStatus::Inactive,
        |v| v.patient = "james".parse().unwrap(),
        |v| v.given_by = "acc_grace".parse().unwrap(),
        |v| v.capacity = Capacity::Proxy,
        |v| v.recipient = Recipient::Person("acc_grace".parse().unwrap()),
        |v| v.categories = v.categories.with(Category::Notes),
        |v| v.sensitive = v.sensitive.with(SensitiveKind::Hiv),
        |v| v.purposes = v.purposes.with(PurposeOfUse::Treatment),
        |v| v.period.start = None,
        |v| v.period.end = None,
        |v| v.data_period.start = Some(NOON),
        |v| v.data_period.end = Some(NOON),
        |v| v.duration = DurationChoice::OneYear,
        |v| v.offline = OfflineAccess::Allowed,
        |v| v.granted_scopes.clear(),
        |v| v.legal_basis.push('x'),
        |v| v.policy_uri.push('x'),
        |v| v.language.push('x'),
        |v| v.shown_text.push('x'),
        |v| v.shown_text_hash.push('x'),
        |v| v.recorded_at = v.recorded_at.plus_secs(1),
        |v| v.change_reason = Some(String::new()),
    ];
    let mut names = vec![recorded().version_id()];
    for change in changes {
        let mut version = recorded();
        change(&mut version);
        names.push(version.version_id());
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn fields_cannot_borrow_bytes_from_each_other() {
    let mut left = recorded();
    left.legal_basis = "ab".to_string();
    left.policy_uri = "c".to_string();
    let mut right = recorded();
    right.legal_basis = "a".to_string();
    right.policy_uri = "bc".to_string();
    assert_ne!(left.canonical_bytes(), right.canonical_bytes());
}

#[test]
fn a_name_survives_storage() {
    let named = NamedConsent::new(recorded());
    let json = serde_json::to_string(&named).unwrap();
    let back: NamedConsent = serde_json::from_str(&json).unwrap();
    assert_eq!(back, named);
    assert_eq!(back.id(), &back.version().version_id());
}

#[test]
fn durations_are_the_codes_of_the_form() {
    for choice in DurationChoice::ALL {
        assert_eq!(choice.code().parse::<DurationChoice>(), Ok(*choice));
        assert_eq!(serde_json::to_value(choice).unwrap(), choice.code());
    }
    assert!("forever".parse::<DurationChoice>().is_err());
    assert_eq!(DurationChoice::UntilStopped.period_from(NOON).end, None);
    assert_eq!(DurationChoice::Once.period_from(NOON).end, Some(NOON.plus_secs(3600)));
}
