//! Kinds of record to scopes and back: what people choose, and what apps are told.

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::{ResourceScope, Scope, ScopeFilter, ScopeSet};
use crate::category::CategorySet;
use crate::category_rules::{
    CategoryCode, REFERENCED_DIRECTORY_TYPES, categories_of_coding, categories_of_type,
    is_directory, is_split, rules_of_type,
};
use crate::resource_type::ResourceType;

/// The kinds of record that a request can touch: what the consent page lists.
pub fn requested_categories(scopes: &[Scope]) -> CategorySet {
    scopes
        .iter()
        .filter_map(Scope::as_resource)
        .map(categories_of_scope)
        .fold(CategorySet::EMPTY, CategorySet::union)
}

/// Cuts requested scopes down to the chosen kinds of record.
///
/// A type stays whole when every kind it can be is chosen. Otherwise it becomes one granular
/// scope for each `category` coding of the chosen kinds (SMART App Launch 2.2 "Finer-grained
/// resource constraints using search parameters"). `*` stays when everything is chosen; otherwise
/// it becomes the list of types that are left. Types about no patient stay. Types that no kind of
/// record names stay only when nothing that was asked for is left out.
///
/// Scopes that are not about resources stay as they are: whether the app may go on while the
/// person is away is a choice of its own.
///
/// INVARIANT: the result lies within `requested`.
pub fn compile(requested: &[Scope], chosen: CategorySet) -> ScopeSet {
    let asked = requested_categories(requested);
    let mut granted = ScopeSet::default();
    for scope in requested {
        match scope.as_resource() {
            None => granted.insert(scope.clone()),
            Some(own) => {
                for part in compile_one(own, chosen, asked) {
                    granted.insert(Scope::Resource(part));
                }
            }
        }
    }
    granted
}

fn categories_of_scope(scope: &ResourceScope) -> CategorySet {
    match scope.resource_type {
        None => CategorySet::all(),
        Some(resource_type) => named_by_filters(resource_type, &scope.filters)
            .unwrap_or_else(|| categories_of_type(resource_type)),
    }
}

/// The kinds of record that the `category` filters of a scope name; `None` when they name none
/// that the table knows, so that resources of every kind of the type may match.
fn named_by_filters(resource_type: ResourceType, filters: &[ScopeFilter]) -> Option<CategorySet> {
    let named = filters
        .iter()
        .filter(|filter| filter.param == "category")
        .map(|filter| categories_of_token(resource_type, &filter.value))
        .fold(CategorySet::EMPTY, CategorySet::union);
    if named.is_empty() { None } else { Some(named) }
}

/// FHIR R4 search "token": `system|code` names one coding; a bare code matches in any system.
fn categories_of_token(resource_type: ResourceType, value: &str) -> CategorySet {
    match value.split_once('|') {
        Some((system, code)) => categories_of_coding(resource_type, system, code),
        None => rules_of_type(resource_type)
            .filter(|rule| rule.code.is_some_and(|known| known.code == value))
            .map(|rule| rule.category)
            .collect(),
    }
}

fn compile_one(
    scope: &ResourceScope,
    chosen: CategorySet,
    asked: CategorySet,
) -> Vec<ResourceScope> {
    match scope.resource_type {
        Some(resource_type) => compile_type(scope, resource_type, chosen, asked),
        None if CategorySet::all().is_subset_of(chosen) => alloc::vec![scope.clone()],
        None => ResourceType::all()
            .filter(|resource_type| {
                !categories_of_type(*resource_type).is_empty()
                    || REFERENCED_DIRECTORY_TYPES.contains(resource_type)
            })
            .flat_map(|resource_type| compile_type(scope, resource_type, chosen, asked))
            .collect(),
    }
}

fn compile_type(
    scope: &ResourceScope,
    resource_type: ResourceType,
    chosen: CategorySet,
    asked: CategorySet,
) -> Vec<ResourceScope> {
    let whole = || {
        ResourceScope::new(
            scope.context,
            Some(resource_type),
            scope.permissions,
            scope.filters.clone(),
            scope.syntax,
        )
    };
    if is_directory(resource_type) {
        return alloc::vec![whole()];
    }
    let possible = categories_of_type(resource_type);
    if possible.is_empty() {
        return if asked.is_subset_of(chosen) { alloc::vec![whole()] } else { Vec::new() };
    }
    if possible.is_subset_of(chosen) {
        return alloc::vec![whole()];
    }
    if let Some(named) = named_by_filters(resource_type, &scope.filters) {
        let left = !named.intersection(chosen).is_empty();
        return if left { alloc::vec![whole()] } else { Vec::new() };
    }
    if !is_split(resource_type) {
        return Vec::new();
    }
    rules_of_type(resource_type)
        .filter(|rule| chosen.contains(rule.category))
        .filter_map(|rule| rule.code)
        .map(|code| {
            let mut filters = scope.filters.clone();
            filters.push(category_filter(code));
            ResourceScope::new(
                scope.context,
                Some(resource_type),
                scope.permissions,
                filters,
                scope.syntax,
            )
        })
        .collect()
}

fn category_filter(code: CategoryCode) -> ScopeFilter {
    ScopeFilter { param: "category".to_string(), value: format!("{}|{}", code.system, code.code) }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString as _};

    use super::*;
    use crate::category::Category;

    fn scopes(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap().known
    }

    fn compiled(requested: &str, chosen: &[Category]) -> String {
        compile(scopes(requested).as_slice(), chosen.iter().copied().collect()).to_string()
    }

    const OBSERVATION_LAB: &str = "patient/Observation.rs?category=\
        http://terminology.hl7.org/CodeSystem/observation-category|laboratory";

    #[test]
    fn a_wildcard_narrowed_to_medications_and_laboratory_names_only_those() {
        // Covers: SMART App Launch 2.2 "Finer-grained resource constraints".
        let granted = compiled(
            "openid launch/patient patient/*.rs",
            &[Category::Medications, Category::Laboratory],
        );
        let expected = "openid launch/patient \
            patient/DetectedIssue.rs \
            patient/DiagnosticReport.rs?category=http://terminology.hl7.org/CodeSystem/v2-0074|LAB \
            patient/DiagnosticReport.rs?category=http://loinc.org|LP7839-6 \
            patient/Location.rs patient/Medication.rs \
            patient/MedicationAdministration.rs patient/MedicationDispense.rs \
            patient/MedicationRequest.rs patient/MedicationStatement.rs \
            patient/MolecularSequence.rs \
            patient/Observation.rs?category=\
            http://terminology.hl7.org/CodeSystem/observation-category|laboratory \
            patient/Organization.rs patient/Practitioner.rs patient/PractitionerRole.rs \
            patient/ServiceRequest.rs?category=http://snomed.info/sct|108252007 \
            patient/Specimen.rs";
        assert_eq!(granted, expected);
    }

    #[test]
    fn everything_chosen_leaves_the_wildcard() {
        assert_eq!(compiled("patient/*.rs", Category::ALL), "patient/*.rs");
        assert_eq!(compiled("patient/*.read", Category::ALL), "patient/*.read");
    }

    #[test]
    fn a_person_can_pick_sub_resource_scopes() {
        // Covers: g10 9.26 (granular scope selection).
        let granted = compiled(
            "patient/Condition.rs patient/Observation.rs patient/Patient.rs",
            &[Category::Demographics, Category::Problems, Category::Laboratory],
        );
        let granted: Vec<&str> = granted.split(' ').collect();
        assert!(granted.contains(&"patient/Patient.rs"));
        assert!(granted.contains(&OBSERVATION_LAB));
        assert!(granted.iter().any(|scope| scope.starts_with("patient/Condition.rs?category=")));
        assert!(!granted.contains(&"patient/Condition.rs"));
        assert!(!granted.contains(&"patient/Observation.rs"));
    }

    #[test]
    fn a_limited_app_gets_whole_types_for_what_is_left() {
        // Covers: g10 group 2 (limited app): the person leaves a type out.
        let granted = compiled(
            "patient/AllergyIntolerance.rs patient/Patient.rs patient/Provenance.rs",
            &[Category::Demographics],
        );
        assert_eq!(granted, "patient/Patient.rs");
        let granted = compiled(
            "patient/AllergyIntolerance.rs patient/Patient.rs patient/Provenance.rs",
            &[Category::Demographics, Category::Allergies],
        );
        assert_eq!(
            granted,
            "patient/AllergyIntolerance.rs patient/Patient.rs patient/Provenance.rs"
        );
    }

    #[test]
    fn v1_that_stays_whole_is_told_in_v1_and_else_in_v2() {
        assert_eq!(
            compiled(
                "patient/Observation.read patient/Patient.read",
                &[Category::Demographics, Category::Laboratory]
            ),
            alloc::format!("{OBSERVATION_LAB} patient/Patient.read")
        );
    }

    #[test]
    fn a_granular_scope_stays_when_its_kind_is_chosen_and_goes_when_not() {
        assert_eq!(compiled(OBSERVATION_LAB, &[Category::Laboratory]), OBSERVATION_LAB);
        assert_eq!(compiled(OBSERVATION_LAB, &[Category::Vitals]), "");
        assert_eq!(
            compiled("patient/Observation.rs?category=laboratory", &[Category::Laboratory]),
            "patient/Observation.rs?category=laboratory"
        );
    }

    #[test]
    fn a_filter_that_names_no_kind_is_joined_with_the_chosen_ones() {
        assert_eq!(
            compiled("patient/Observation.rs?status=final", &[Category::Laboratory]),
            "patient/Observation.rs?status=final&category=\
             http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
        );
    }

    #[test]
    fn requested_categories_are_those_a_request_can_touch() {
        let touched = |text| requested_categories(scopes(text).as_slice());
        assert_eq!(touched("openid patient/*.rs"), CategorySet::all());
        assert_eq!(touched(OBSERVATION_LAB), CategorySet::EMPTY.with(Category::Laboratory));
        assert_eq!(
            touched("patient/Patient.rs patient/Practitioner.rs openid"),
            CategorySet::EMPTY.with(Category::Demographics)
        );
        assert_eq!(
            touched("patient/Observation.rs?code=123"),
            categories_of_type(ResourceType::OBSERVATION)
        );
    }
}
