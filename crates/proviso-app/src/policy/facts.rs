//! What this server knows about the one who asks: their roles from the account, and how they are
//! related to patients from the relationships on record.
//!
//! Both are read from what is in force for this very decision, so they are of now. Facts of other
//! sources (a directory by SCIM, FHIR CareTeam, Appointment, Schedule) come with an age of their
//! own and are added by whoever has read them.

use std::collections::BTreeSet;

use proviso_core::account::{Account, Relationship};
use proviso_core::id::PatientId;
use proviso_core::org::{FactSource, Provenance, Related, Relation};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

/// How an account is related to a resource that names these patients: what holds for every one of
/// them at this instant. A resource that names nobody is nobody's, so nothing holds.
pub fn related_to_all(
    account: &Account,
    relationships: &[Relationship],
    patients: &BTreeSet<PatientId>,
    at: At,
) -> Related {
    let mut each = patients.iter().map(|patient| related(account, relationships, patient, at));
    let Some(first) = each.next() else { return Related::new() };
    each.fold(first, |held, next| {
        held.into_iter().filter(|(relation, _)| next.contains_key(relation)).collect()
    })
}

/// How an account is related to any patient at this instant: what counts for entries about nobody.
pub fn related_to_any(account: &Account, relationships: &[Relationship], at: At) -> Related {
    let mut held = Related::new();
    for own in relationships {
        held.extend(related(account, relationships, &own.patient, at));
    }
    if let Some(patient) = own_patient(account) {
        held.extend(related(account, relationships, &patient, at));
    }
    held
}

fn own_patient(account: &Account) -> Option<PatientId> {
    let (resource_type, id) = account.fhir_user.as_ref()?;
    (*resource_type == ResourceType::PATIENT).then(|| id.clone().into_patient())
}

fn related(
    account: &Account,
    relationships: &[Relationship],
    patient: &PatientId,
    at: At,
) -> Related {
    let mut held: Related = relationships
        .iter()
        .filter(|own| own.account == account.id && own.patient == *patient)
        .filter(|own| own.period.contains(at))
        .map(|own| (Relation::of(own.kind), Provenance::now(FactSource::Relationship)))
        .collect();
    if own_patient(account).as_ref() == Some(patient) {
        held.insert(Relation::Self_, Provenance::now(FactSource::Account));
    }
    held
}

#[cfg(test)]
mod tests {
    use proviso_core::account::{AccountStatus, ActorKind, RelationshipKind};
    use proviso_core::time::Period;

    use super::*;

    fn account(fhir_user: Option<&str>) -> Account {
        Account {
            id: "acc_one".parse().unwrap(),
            username: "one".to_owned(),
            display_name: "One".to_owned(),
            kind: ActorKind::Clinician,
            roles: proviso_core::org::RoleSet::EMPTY,
            fhir_user: fhir_user.map(|id| (ResourceType::PATIENT, id.parse().unwrap())),
            password_hash: None,
            language: None,
            status: AccountStatus::Active,
            created_at: At::from_secs(0),
        }
    }

    fn relationship(patient: &str, kind: RelationshipKind) -> Relationship {
        Relationship {
            account: "acc_one".parse().unwrap(),
            patient: patient.parse().unwrap(),
            kind,
            period: Period { start: Some(At::from_secs(10)), end: Some(At::from_secs(20)) },
            mandate: None,
            source: proviso_core::org::FactSource::Relationship,
        }
    }

    fn patients(names: &[&str]) -> BTreeSet<PatientId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn relations(related: &Related) -> Vec<Relation> {
        related.keys().copied().collect()
    }

    #[test]
    fn a_relationship_counts_from_its_start_until_before_its_end() {
        let own = [relationship("maria", RelationshipKind::Care)];
        for (secs, counts) in [(9, false), (10, true), (19, true), (20, false)] {
            let at = At::from_secs(secs);
            let held = related_to_all(&account(None), &own, &patients(&["maria"]), at);
            assert_eq!(held.contains_key(&Relation::Care), counts, "{secs}");
        }
    }

    #[test]
    fn of_several_patients_only_what_holds_for_each_counts() {
        let at = At::from_secs(15);
        let own = [
            relationship("maria", RelationshipKind::Care),
            relationship("maria", RelationshipKind::Shift),
            relationship("james", RelationshipKind::Shift),
        ];
        let of = |names: &[&str]| related_to_all(&account(None), &own, &patients(names), at);
        assert_eq!(relations(&of(&["maria"])), [Relation::Care, Relation::Shift]);
        assert_eq!(relations(&of(&["maria", "james"])), [Relation::Shift]);
        assert_eq!(relations(&of(&["maria", "james", "lily"])), []);
        assert_eq!(relations(&of(&[])), []);
        let any = related_to_any(&account(None), &own, at);
        assert_eq!(relations(&any), [Relation::Care, Relation::Shift]);
    }

    #[test]
    fn only_a_link_to_the_patient_resource_makes_a_patient() {
        let at = At::from_secs(15);
        let held = related_to_all(&account(Some("maria")), &[], &patients(&["maria"]), at);
        assert_eq!(relations(&held), [Relation::Self_]);
        let other = related_to_all(&account(Some("maria")), &[], &patients(&["james"]), at);
        assert_eq!(relations(&other), []);
        assert_eq!(relations(&related_to_any(&account(Some("maria")), &[], at)), [Relation::Self_]);
        // Somebody else's relationships are not this person's.
        let mut other = relationship("maria", RelationshipKind::Care);
        other.account = "acc_two".parse().unwrap();
        let held = related_to_all(&account(None), &[other], &patients(&["maria"]), at);
        assert_eq!(relations(&held), []);
    }
}
