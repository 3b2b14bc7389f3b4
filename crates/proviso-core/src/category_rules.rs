//! Which FHIR resources each kind of record covers (catalogue: exempt from the file-length rule).
//!
//! One table drives scopes, the consent page, the classification of resources and the texts of
//! the portal. A resource counts as a category when a rule names its type alone, or names its
//! type together with a coding that its `category` element carries. A resource that matches no
//! rule counts as no category; [`covers`] says when such a resource may still be shown.
//!
//! Sources: FHIR R4 Patient compartment; US Core 6.1 `category` bindings; HL7 v2 table 0074.

use crate::category::{Category, CategorySet};
use crate::resource_type::ResourceType;

/// A coding of a resource's `category` element that decides which kind of record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryCode {
    /// The code system.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
}

/// One row: resources of this type, with this `category` coding if one is named, are this kind
/// of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryRule {
    /// The kind of record.
    pub category: Category,
    /// The type.
    pub resource_type: ResourceType,
    /// The coding that the resource's `category` must carry; `None` covers the type as a whole.
    pub code: Option<CategoryCode>,
}

const OBSERVATION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const CONDITION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const US_CORE_CONDITION_CATEGORY: &str =
    "http://hl7.org/fhir/us/core/CodeSystem/condition-category";
const US_CORE_CATEGORY: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category";
const DIAGNOSTIC_SERVICE: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";
const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";

const fn whole(category: Category, resource_type: ResourceType) -> CategoryRule {
    CategoryRule { category, resource_type, code: None }
}

const fn coded(
    category: Category,
    resource_type: ResourceType,
    system: &'static str,
    code: &'static str,
) -> CategoryRule {
    CategoryRule { category, resource_type, code: Some(CategoryCode { system, code }) }
}

const OBSERVATION: ResourceType = ResourceType::OBSERVATION;
const CONDITION: ResourceType = ResourceType::CONDITION;
const REPORT: ResourceType = ResourceType::DIAGNOSTIC_REPORT;
const ORDER: ResourceType = ResourceType::SERVICE_REQUEST;

/// The table. Types are either named whole by exactly one category, or split by `category`
/// codings; a test holds it to that.
pub const RULES: &[CategoryRule] = &[
    whole(Category::Demographics, ResourceType::PATIENT),
    whole(Category::Demographics, ResourceType::PERSON),
    whole(Category::Demographics, ResourceType::RELATED_PERSON),
    whole(Category::Allergies, ResourceType::ALLERGY_INTOLERANCE),
    whole(Category::Problems, ResourceType::ADVERSE_EVENT),
    whole(Category::Problems, ResourceType::BODY_STRUCTURE),
    whole(Category::Problems, ResourceType::FLAG),
    whole(Category::Problems, ResourceType::RISK_ASSESSMENT),
    // A diagnosis made at a visit is still what a patient calls a condition, hence it is not
    // filed under visits.
    coded(Category::Problems, CONDITION, CONDITION_CATEGORY, "problem-list-item"),
    coded(Category::Problems, CONDITION, CONDITION_CATEGORY, "encounter-diagnosis"),
    coded(Category::Problems, CONDITION, US_CORE_CONDITION_CATEGORY, "health-concern"),
    whole(Category::Medications, ResourceType::DETECTED_ISSUE),
    whole(Category::Medications, ResourceType::MEDICATION_ADMINISTRATION),
    whole(Category::Medications, ResourceType::MEDICATION_DISPENSE),
    whole(Category::Medications, ResourceType::MEDICATION_REQUEST),
    whole(Category::Medications, ResourceType::MEDICATION_STATEMENT),
    whole(Category::Laboratory, ResourceType::MOLECULAR_SEQUENCE),
    whole(Category::Laboratory, ResourceType::SPECIMEN),
    coded(Category::Laboratory, OBSERVATION, OBSERVATION_CATEGORY, "laboratory"),
    coded(Category::Laboratory, REPORT, DIAGNOSTIC_SERVICE, "LAB"),
    // LOINC part "Pathology", one of the three report categories of US Core.
    coded(Category::Laboratory, REPORT, LOINC, "LP7839-6"),
    // "Laboratory procedure".
    coded(Category::Laboratory, ORDER, SNOMED, "108252007"),
    coded(Category::Vitals, OBSERVATION, OBSERVATION_CATEGORY, "vital-signs"),
    coded(Category::Vitals, OBSERVATION, OBSERVATION_CATEGORY, "exam"),
    coded(Category::SocialHistory, OBSERVATION, OBSERVATION_CATEGORY, "social-history"),
    coded(Category::SocialHistory, OBSERVATION, OBSERVATION_CATEGORY, "activity"),
    coded(Category::SocialHistory, OBSERVATION, US_CORE_CATEGORY, "sdoh"),
    coded(Category::SocialHistory, CONDITION, US_CORE_CATEGORY, "sdoh"),
    coded(Category::SocialHistory, ORDER, US_CORE_CATEGORY, "sdoh"),
    whole(Category::Immunizations, ResourceType::IMMUNIZATION),
    whole(Category::Immunizations, ResourceType::IMMUNIZATION_EVALUATION),
    whole(Category::Immunizations, ResourceType::IMMUNIZATION_RECOMMENDATION),
    whole(Category::Procedures, ResourceType::PROCEDURE),
    coded(Category::Procedures, OBSERVATION, OBSERVATION_CATEGORY, "procedure"),
    coded(Category::Procedures, OBSERVATION, OBSERVATION_CATEGORY, "therapy"),
    // "Surgical procedure", "counselling", "education".
    coded(Category::Procedures, ORDER, SNOMED, "387713003"),
    coded(Category::Procedures, ORDER, SNOMED, "409063005"),
    coded(Category::Procedures, ORDER, SNOMED, "409073007"),
    whole(Category::Visits, ResourceType::ENCOUNTER),
    whole(Category::Visits, ResourceType::EPISODE_OF_CARE),
    whole(Category::Notes, ResourceType::BINARY),
    whole(Category::Notes, ResourceType::CLINICAL_IMPRESSION),
    whole(Category::Notes, ResourceType::COMPOSITION),
    whole(Category::Notes, ResourceType::DOCUMENT_MANIFEST),
    whole(Category::Notes, ResourceType::DOCUMENT_REFERENCE),
    // LOINC part "Cardiology", "history and physical note", "evaluation and plan note".
    coded(Category::Notes, REPORT, LOINC, "LP29708-2"),
    coded(Category::Notes, REPORT, LOINC, "34117-2"),
    coded(Category::Notes, REPORT, LOINC, "51847-2"),
    whole(Category::Imaging, ResourceType::IMAGING_STUDY),
    whole(Category::Imaging, ResourceType::MEDIA),
    coded(Category::Imaging, OBSERVATION, OBSERVATION_CATEGORY, "imaging"),
    coded(Category::Imaging, REPORT, DIAGNOSTIC_SERVICE, "RAD"),
    // LOINC part "Radiology".
    coded(Category::Imaging, REPORT, LOINC, "LP29684-5"),
    // "Imaging".
    coded(Category::Imaging, ORDER, SNOMED, "363679005"),
    whole(Category::CarePlans, ResourceType::CARE_PLAN),
    whole(Category::CarePlans, ResourceType::GOAL),
    whole(Category::CarePlans, ResourceType::NUTRITION_ORDER),
    whole(Category::CarePlans, ResourceType::REQUEST_GROUP),
    whole(Category::CarePlans, ResourceType::TASK),
    coded(Category::CarePlans, OBSERVATION, US_CORE_CATEGORY, "care-experience-preference"),
    coded(Category::CarePlans, OBSERVATION, US_CORE_CATEGORY, "treatment-intervention-preference"),
    whole(Category::CareTeam, ResourceType::CARE_TEAM),
    whole(Category::Devices, ResourceType::DEVICE),
    whole(Category::Devices, ResourceType::DEVICE_METRIC),
    whole(Category::Devices, ResourceType::DEVICE_REQUEST),
    whole(Category::Devices, ResourceType::DEVICE_USE_STATEMENT),
    whole(Category::Devices, ResourceType::SUPPLY_DELIVERY),
    whole(Category::Devices, ResourceType::SUPPLY_REQUEST),
    whole(Category::Devices, ResourceType::VISION_PRESCRIPTION),
    whole(Category::FamilyHistory, ResourceType::FAMILY_MEMBER_HISTORY),
    whole(Category::Coverage, ResourceType::COVERAGE),
    whole(Category::Coverage, ResourceType::COVERAGE_ELIGIBILITY_REQUEST),
    whole(Category::Coverage, ResourceType::COVERAGE_ELIGIBILITY_RESPONSE),
    whole(Category::Coverage, ResourceType::ENROLLMENT_REQUEST),
    whole(Category::Coverage, ResourceType::ENROLLMENT_RESPONSE),
    whole(Category::Billing, ResourceType::ACCOUNT),
    whole(Category::Billing, ResourceType::CHARGE_ITEM),
    whole(Category::Billing, ResourceType::CLAIM),
    whole(Category::Billing, ResourceType::CLAIM_RESPONSE),
    whole(Category::Billing, ResourceType::EXPLANATION_OF_BENEFIT),
    whole(Category::Billing, ResourceType::INVOICE),
    whole(Category::Appointments, ResourceType::APPOINTMENT),
    whole(Category::Appointments, ResourceType::APPOINTMENT_RESPONSE),
    whole(Category::Messages, ResourceType::COMMUNICATION),
    whole(Category::Messages, ResourceType::COMMUNICATION_REQUEST),
    whole(Category::Questionnaires, ResourceType::QUESTIONNAIRE_RESPONSE),
    coded(Category::Questionnaires, OBSERVATION, OBSERVATION_CATEGORY, "survey"),
    coded(Category::Questionnaires, OBSERVATION, US_CORE_CATEGORY, "functional-status"),
    coded(Category::Questionnaires, OBSERVATION, US_CORE_CATEGORY, "disability-status"),
    coded(Category::Questionnaires, OBSERVATION, US_CORE_CATEGORY, "cognitive-status"),
];

/// Types about no patient: whoever may look at anything and has the scope may read them.
///
/// TRUST: adding a type here opens it to every caller. A type belongs here only if none of its
/// elements can name a patient.
pub const DIRECTORY_TYPES: &[ResourceType] = &[
    ResourceType::ACTIVITY_DEFINITION,
    ResourceType::CHARGE_ITEM_DEFINITION,
    ResourceType::CODE_SYSTEM,
    ResourceType::CONCEPT_MAP,
    ResourceType::DEVICE_DEFINITION,
    ResourceType::ENDPOINT,
    ResourceType::HEALTHCARE_SERVICE,
    ResourceType::INSURANCE_PLAN,
    ResourceType::LIBRARY,
    ResourceType::LOCATION,
    ResourceType::MEASURE,
    ResourceType::MEDICATION,
    ResourceType::MEDICATION_KNOWLEDGE,
    ResourceType::NAMING_SYSTEM,
    ResourceType::OBSERVATION_DEFINITION,
    ResourceType::ORGANIZATION,
    ResourceType::ORGANIZATION_AFFILIATION,
    ResourceType::PLAN_DEFINITION,
    ResourceType::PRACTITIONER,
    ResourceType::PRACTITIONER_ROLE,
    ResourceType::QUESTIONNAIRE,
    ResourceType::SCHEDULE,
    ResourceType::SLOT,
    ResourceType::SPECIMEN_DEFINITION,
    ResourceType::STRUCTURE_DEFINITION,
    ResourceType::SUBSTANCE,
    ResourceType::VALUE_SET,
];

/// The directory types that clinical records refer to: a wildcard scope that is narrowed to some
/// categories keeps these, so that names of clinicians, places and medicines can be resolved.
pub const REFERENCED_DIRECTORY_TYPES: &[ResourceType] = &[
    ResourceType::LOCATION,
    ResourceType::MEDICATION,
    ResourceType::ORGANIZATION,
    ResourceType::PRACTITIONER,
    ResourceType::PRACTITIONER_ROLE,
];

/// Whether the type is about no patient.
pub fn is_directory(resource_type: ResourceType) -> bool {
    DIRECTORY_TYPES.binary_search(&resource_type).is_ok()
}

/// The rows of one kind of record.
pub fn rules_of(category: Category) -> impl Iterator<Item = &'static CategoryRule> {
    RULES.iter().filter(move |rule| rule.category == category)
}

/// The rows of one type.
pub fn rules_of_type(resource_type: ResourceType) -> impl Iterator<Item = &'static CategoryRule> {
    RULES.iter().filter(move |rule| rule.resource_type == resource_type)
}

/// Every kind of record that resources of this type can be.
pub fn categories_of_type(resource_type: ResourceType) -> CategorySet {
    POSSIBLE.get(resource_type.index()).copied().unwrap_or(CategorySet::EMPTY)
}

/// The table by type, since each decision on a resource asks for it.
static POSSIBLE: [CategorySet; ResourceType::COUNT] = possible_by_type();

#[expect(clippy::indexing_slicing, reason = "computed at build time, where a miss does not build")]
const fn possible_by_type() -> [CategorySet; ResourceType::COUNT] {
    let mut possible = [CategorySet::EMPTY; ResourceType::COUNT];
    let mut row = 0;
    while row < RULES.len() {
        let index = RULES[row].resource_type.index();
        possible[index] = possible[index].with(RULES[row].category);
        row += 1;
    }
    possible
}

/// Whether the kind of record of this type depends on the resource's `category` element.
pub fn is_split(resource_type: ResourceType) -> bool {
    rules_of_type(resource_type).any(|rule| rule.code.is_some())
}

/// The kinds of record that a `category` coding of this type stands for; empty when the table
/// does not know it. A coding without a system is never known.
pub fn categories_of_coding(resource_type: ResourceType, system: &str, code: &str) -> CategorySet {
    rules_of_type(resource_type)
        .filter(|rule| rule.code.is_some_and(|known| known.system == system && known.code == code))
        .map(|rule| rule.category)
        .collect()
}

/// The kinds of record that a search of this type names by its `category` parameter, whose tokens
/// come as `(system, code)`; a token without a system means any. Without a token that the table
/// knows, the search is about every kind that the type can be.
pub fn categories_asked<'a>(
    resource_type: ResourceType,
    tokens: impl IntoIterator<Item = (Option<&'a str>, &'a str)>,
) -> CategorySet {
    let mut named = CategorySet::EMPTY;
    for (system, code) in tokens {
        let rules = rules_of_type(resource_type).filter(|rule| {
            rule.code.is_some_and(|known| {
                known.code == code && system.is_none_or(|system| known.system == system)
            })
        });
        named = named.union(rules.map(|rule| rule.category).collect());
    }
    if named.is_empty() { categories_of_type(resource_type) } else { named }
}

/// The kinds of record that a resource of this type is, given the codings of its `category`
/// element as `(system, code)`. Empty when no rule matches.
pub fn categories_of_resource<'a>(
    resource_type: ResourceType,
    codings: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> CategorySet {
    let whole: CategorySet = rules_of_type(resource_type)
        .filter(|rule| rule.code.is_none())
        .map(|rule| rule.category)
        .collect();
    codings.into_iter().fold(whole, |found, (system, code)| {
        found.union(categories_of_coding(resource_type, system, code))
    })
}

/// The kinds that a resource is said to be, without those that the table does not give to its
/// type: a claim that contradicts the table is as good as none.
pub fn believed(resource_type: ResourceType, kinds: CategorySet) -> CategorySet {
    let possible = categories_of_type(resource_type);
    if possible.is_empty() { kinds } else { kinds.intersection(possible) }
}

/// Whether a choice of categories covers a resource of this type that is of these kinds.
///
/// One chosen kind is enough, as values of one attribute are alternatives. A resource of no known
/// kind might be of any kind its type can have, so it is covered only when all of those are
/// chosen; for a type that the table does not mention at all, only when everything is.
pub fn covers(chosen: CategorySet, resource_type: ResourceType, kinds: CategorySet) -> bool {
    let kinds = believed(resource_type, kinds);
    if !kinds.is_empty() {
        return !chosen.intersection(kinds).is_empty();
    }
    let possible = categories_of_type(resource_type);
    let needed = if possible.is_empty() { CategorySet::all() } else { possible };
    needed.is_subset_of(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_covers_something() {
        for category in Category::ALL {
            assert!(rules_of(*category).next().is_some(), "{category} covers nothing");
        }
    }

    #[test]
    fn a_type_is_whole_for_one_category_or_split_by_codes() {
        for resource_type in ResourceType::all() {
            let whole = rules_of_type(resource_type).filter(|rule| rule.code.is_none()).count();
            let split = rules_of_type(resource_type).filter(|rule| rule.code.is_some()).count();
            assert!(whole <= 1, "{resource_type} is named whole by {whole} categories");
            assert!(whole == 0 || split == 0, "{resource_type} is both whole and split");
        }
    }

    #[test]
    fn a_coding_stands_for_one_category_of_a_type() {
        for rule in RULES {
            if let Some(code) = rule.code {
                let found = categories_of_coding(rule.resource_type, code.system, code.code);
                assert_eq!(found.len(), 1, "{rule:?}");
            }
        }
    }

    #[test]
    fn a_search_is_about_the_kinds_it_names_else_about_all_of_its_type() {
        let check = |tokens: &[(Option<&str>, &str)], expected: CategorySet| {
            let asked = categories_asked(ResourceType::OBSERVATION, tokens.iter().copied());
            assert_eq!(asked, expected, "{tokens:?}");
        };
        let vitals = CategorySet::EMPTY.with(Category::Vitals);
        let all = categories_of_type(ResourceType::OBSERVATION);
        check(&[(None, "vital-signs")], vitals);
        check(&[(Some(OBSERVATION_CATEGORY), "vital-signs")], vitals);
        check(&[(None, "vital-signs"), (None, "laboratory")], vitals.with(Category::Laboratory));
        check(&[(Some("http://other.example"), "vital-signs")], all);
        check(&[], all);
        let visits = categories_asked(ResourceType::ENCOUNTER, [(None, "vital-signs")]);
        assert_eq!(visits, CategorySet::EMPTY.with(Category::Visits));
    }

    #[test]
    fn directory_types_are_sorted_and_no_category_names_them() {
        assert!(DIRECTORY_TYPES.is_sorted());
        for resource_type in DIRECTORY_TYPES {
            assert!(is_directory(*resource_type));
            assert!(categories_of_type(*resource_type).is_empty(), "{resource_type}");
        }
        for resource_type in REFERENCED_DIRECTORY_TYPES {
            assert!(is_directory(*resource_type));
        }
        assert!(!is_directory(ResourceType::PATIENT));
        assert!(!is_directory(ResourceType::GROUP));
    }

    #[test]
    fn a_record_of_no_known_kind_needs_every_kind_its_type_can_have() {
        let labs = CategorySet::EMPTY.with(Category::Laboratory);
        let observation = ResourceType::OBSERVATION;
        assert!(covers(labs, observation, labs));
        assert!(!covers(labs, observation, CategorySet::EMPTY));
        assert!(!covers(labs, ResourceType::MEDICATION_REQUEST, labs));
        assert!(covers(categories_of_type(observation), observation, CategorySet::EMPTY));
        let all_but_messages = CategorySet::all().without(Category::Messages);
        assert!(!covers(all_but_messages, ResourceType::BASIC, CategorySet::EMPTY));
        assert!(covers(CategorySet::all(), ResourceType::BASIC, CategorySet::EMPTY));
    }
}
