//! What must be true of the demo world.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proviso_core::category::{CategorySet, SensitiveKind, SensitiveSet};
use proviso_core::decision::{Belonging, Labels, ResourceFacts};
use proviso_core::id::PatientId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::facts::resource_facts;
use proviso_fhir::json::Doc;
use proviso_fhir::label::RuleSet;
use proviso_fhir::validate::validate;

use super::*;

fn world() -> Vec<Record> {
    parts(SEED, 40).flatten().collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    assert_eq!(world(), world());
    let other: Vec<Record> = parts(SEED + 1, 40).flatten().collect();
    assert_ne!(world(), other);
}

#[test]
fn more_patients_do_not_change_those_before() {
    let few: Vec<Record> = parts(SEED, 3).flatten().collect();
    let more: Vec<Record> = parts(SEED, 4).flatten().collect();
    assert_eq!(few, more[..few.len()]);
}

#[test]
fn every_id_is_used_once_and_fits() {
    let mut seen = BTreeSet::new();
    for record in world() {
        assert!(record.id.len() <= 64, "{}", record.id);
        assert!(seen.insert((record.resource_type, record.id.clone())), "{}", record.id);
    }
}

#[test]
fn further_patients_have_sixty_to_two_hundred_records() {
    for chart in parts(SEED, 200).skip(PARTS_BEFORE) {
        assert!((60..=200).contains(&chart.len()), "{} has {}", chart[0].id, chart.len());
    }
}

#[test]
fn every_record_passes_base_validation() {
    for record in world() {
        let doc = Doc::parse(record.body.clone()).unwrap();
        let faults = validate(doc.root());
        let text = String::from_utf8_lossy(&record.body);
        assert!(faults.is_empty(), "{}/{}: {faults:?}\n{text}", record.resource_type, record.id);
    }
}

fn facts() -> Vec<ResourceFacts> {
    let rules = RuleSet::shipped();
    world()
        .into_iter()
        .map(|record| resource_facts(Doc::parse(record.body).unwrap().root(), &rules).unwrap())
        .collect()
}

#[test]
fn every_sensitive_kind_and_every_kind_of_record_occurs() {
    let mut kinds = SensitiveSet::EMPTY;
    let mut categories = CategorySet::EMPTY;
    for facts in facts() {
        let Labels::Known(found) = facts.labels else { panic!("{:?} is not labelled", facts.id) };
        kinds = kinds.union(found);
        categories = categories.union(facts.categories);
    }
    assert_eq!(kinds, SensitiveSet::all());
    assert_eq!(categories, CategorySet::all());
}

fn sensitive_of(patient: &str) -> Vec<(String, SensitiveSet)> {
    let patient: PatientId = patient.parse().unwrap();
    facts()
        .into_iter()
        .filter(|facts| {
            matches!(&facts.belonging, Belonging::Patients(patients) if patients.contains(&patient))
        })
        .filter_map(|facts| match facts.labels {
            Labels::Known(kinds) if kinds.is_empty() => None,
            Labels::Known(kinds) => Some((facts.id.unwrap().as_str().to_owned(), kinds)),
            Labels::Unclassified => panic!("{:?}", facts.id),
        })
        .collect()
}

#[test]
fn the_sensitive_records_of_the_three_patients_are_these() {
    let mut text = String::new();
    for patient in [people::MARIA_PATIENT, people::JAMES_PATIENT, people::LILY_PATIENT] {
        for (id, kinds) in sensitive_of(patient) {
            let kinds: Vec<_> = kinds.iter().map(SensitiveKind::code).collect();
            let _written = writeln!(text, "{id}: {}", kinds.join(", "));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn every_record_belongs_to_somebody_or_to_the_directory() {
    for facts in facts() {
        assert_ne!(facts.belonging, Belonging::Unknown, "{:?}", facts.id);
    }
}

#[test]
fn one_observation_is_about_another_patient_and_the_group_has_two() {
    let both: BTreeSet<PatientId> = [people::MARIA_PATIENT, people::JAMES_PATIENT]
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    let shared: Vec<_> = facts()
        .into_iter()
        .filter(|facts| facts.belonging == Belonging::Patients(both.clone()))
        .map(|facts| facts.resource_type)
        .collect();
    assert_eq!(shared, [ResourceType::OBSERVATION, ResourceType::GROUP]);
}

#[test]
fn observations_have_no_one_or_two_categories() {
    let mut counts = BTreeSet::new();
    for facts in facts() {
        if facts.resource_type == ResourceType::OBSERVATION {
            counts.insert(facts.categories.len());
        }
    }
    assert_eq!(counts, BTreeSet::from([0, 1, 2]));
}

#[test]
fn every_reference_inside_the_world_leads_somewhere() {
    let records = world();
    let known: BTreeSet<String> =
        records.iter().map(|record| format!("{}/{}", record.resource_type, record.id)).collect();
    for record in &records {
        let doc = Doc::parse(record.body.clone()).unwrap();
        for node in doc.root().descendants() {
            if node.key() == Some("reference") {
                let target = node.as_str().unwrap();
                assert!(known.contains(target.as_ref()), "{} refers to {target}", record.id);
            }
        }
    }
}
