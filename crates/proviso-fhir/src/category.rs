//! Which kind of record a resource is.
//!
//! The table is `proviso_core::category_rules`; this module only reads the codings of the resource
//! that the table asks about. A resource that matches no row has no category, and core's rule for
//! such resources applies: it is shared only when everything it might be is shared.

use alloc::borrow::Cow;

use proviso_core::category::CategorySet;
use proviso_core::category_rules::{categories_of_coding, categories_of_resource};

use crate::json::Node;

/// The kinds of record that a resource is; empty when no rule knows it.
///
/// ```
/// # use proviso_fhir::{category::categories, json::Doc};
/// # use proviso_core::category::{Category, CategorySet};
/// let doc = Doc::parse(br#"{"resourceType":"Observation","category":[{"coding":[{
///     "system":"http://terminology.hl7.org/CodeSystem/observation-category",
///     "code":"laboratory"}]}]}"#.to_vec()).unwrap();
/// assert_eq!(categories(doc.root()), CategorySet::EMPTY.with(Category::Laboratory));
/// ```
pub fn categories(resource: Node<'_>) -> CategorySet {
    let Some(resource_type) = resource.resource_type() else { return CategorySet::EMPTY };
    let whole = categories_of_resource(resource_type, []);
    resource.at(&["category", "coding"]).fold(whole, |found, coding| {
        let member = |key| coding.get(key).and_then(Node::as_str).unwrap_or(Cow::Borrowed(""));
        found.union(categories_of_coding(resource_type, &member("system"), &member("code")))
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proviso_core::category::Category;

    use super::*;
    use crate::json::Doc;

    fn check(json: &str, expected: &[Category]) {
        let doc = Doc::parse(json.as_bytes().to_vec()).unwrap();
        assert_eq!(categories(doc.root()), expected.iter().copied().collect(), "{json}");
    }

    fn coded(resource_type: &str, system: &str, code: &str) -> alloc::string::String {
        format!(
            r#"{{"resourceType":"{resource_type}","category":[{{"coding":[{{"system":"{system}","code":"{code}"}}]}}]}}"#
        )
    }

    const OBSERVATION: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

    #[test]
    fn types_that_are_one_kind_need_no_code() {
        check(r#"{"resourceType":"MedicationRequest"}"#, &[Category::Medications]);
        check(r#"{"resourceType":"Patient"}"#, &[Category::Demographics]);
        check(&coded("Encounter", OBSERVATION, "laboratory"), &[Category::Visits]);
    }

    #[test]
    fn observations_go_by_their_category() {
        check(&coded("Observation", OBSERVATION, "laboratory"), &[Category::Laboratory]);
        check(&coded("Observation", OBSERVATION, "vital-signs"), &[Category::Vitals]);
        check(&coded("Observation", OBSERVATION, "social-history"), &[Category::SocialHistory]);
        check(&coded("Observation", OBSERVATION, "survey"), &[Category::Questionnaires]);
        check(&coded("Observation", OBSERVATION, "unheard-of"), &[]);
        check(&coded("Observation", "http://example.org", "laboratory"), &[]);
        check(r#"{"resourceType":"Observation"}"#, &[]);
        check(
            r#"{"resourceType":"Observation","category":[{"coding":[{"code":"laboratory"}]}]}"#,
            &[],
        );
    }

    #[test]
    fn two_codes_make_two_kinds() {
        check(
            &format!(
                r#"{{"resourceType":"Observation","category":[{{"coding":[{{"system":"{OBSERVATION}","code":"survey"}}]}},{{"coding":[{{"system":"http://hl7.org/fhir/us/core/CodeSystem/us-core-category","code":"sdoh"}}]}}]}}"#
            ),
            &[Category::SocialHistory, Category::Questionnaires],
        );
    }

    #[test]
    fn reports_go_by_their_service() {
        let service = "http://terminology.hl7.org/CodeSystem/v2-0074";
        check(&coded("DiagnosticReport", service, "LAB"), &[Category::Laboratory]);
        check(&coded("DiagnosticReport", service, "RAD"), &[Category::Imaging]);
        check(r#"{"resourceType":"DiagnosticReport"}"#, &[]);
    }

    #[test]
    fn what_is_no_resource_is_of_no_kind() {
        check("{}", &[]);
        check(r#"{"resourceType":"Nonsense"}"#, &[]);
    }
}
