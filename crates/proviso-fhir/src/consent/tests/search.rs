//! Which searches find a Consent, and which do not.

use super::*;
use crate::search::{Context as SearchContext, Joined, Query, SearchScope};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

fn finds(doc: &Doc, query: &str) -> bool {
    let at = At::parse("2026-01-01T00:00:00Z").unwrap();
    let context = SearchContext { own_base: OWN_BASE, at };
    let scope = SearchScope::Type(ResourceType::CONSENT);
    let query = Query::parse(&context, scope, &[query]).unwrap();
    query.matches(doc.root(), &Joined::default())
}

fn check(doc: &Doc, found: &[&str], missed: &[&str]) {
    for query in found {
        assert!(finds(doc, query), "{query} finds it");
    }
    for query in missed {
        assert!(!finds(doc, query), "{query} does not find it");
    }
}

// Covers: IHE ITI-108 search parameters
#[test]
fn a_consent_of_ihe_pcf_is_found_by_what_iti_108_asks_for() {
    check(
        &fixture("pcf/intermediate-purpose"),
        &[
            "patient=Patient/ex-patient",
            "patient=ex-patient&status=active",
            "status=active,draft",
            "actor=Organization/ex-org-researcher",
            "category=http://loinc.org|59284-0",
            "date=2022-06",
            "date=ge2022-06-13",
            "scope=patient-privacy",
            "organization=Organization/ex-organization",
            "consentor=Patient/ex-patient",
            "purpose=FooBar",
        ],
        &[
            "patient=Patient/other",
            "status=inactive",
            "actor=Practitioner/ex-practitioner",
            "category=64292-6",
            "date=2021",
            "scope=research",
        ],
    );
    check(&fixture("pcf/expired-treat"), &["period=ge2022-12-30"], &["period=gt2022-12-31"]);
    let by_number =
        r#"{"resourceType":"Consent","patient":{"identifier":{"system":"http://m","value":"1"}}}"#;
    check(
        &parse(by_number),
        &["patient:identifier=http://m|1"],
        &["patient:identifier=http://m|2"],
    );
}

// Covers: HL7 FAST search parameters of Consent
#[test]
fn a_consent_of_fast_is_found_by_its_manager_and_controller() {
    let text = fixture("fast/consent-example").text().replace(
        r#""extension": ["#,
        r#""extension": [{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.controller",
            "valueReference":{"reference":"Organization/o"}},"#,
    );
    check(
        &parse(&text),
        &[
            "controller=Organization/o",
            "controller=o",
            "manager:identifier=http://hl7.org/fhir/sid/us-npi|1234567893",
            "actor:identifier=http://hl7.org/fhir/sid/us-npi|1234567893",
            "identifier=33445522",
        ],
        &["manager=Organization/o", "controller=Organization/p", "grantee=Organization/o"],
    );
}

#[test]
fn our_own_consents_are_found_by_patient_status_date_and_period() {
    let doc = Doc::parse(crate::consent_r4::to_fhir(&crate::consent_r4::example())).unwrap();
    check(
        &doc,
        &[
            "patient=Patient/maria",
            "status=active",
            "date=2023-11-14",
            "period=ge2023-12-01",
            "period=lt2023-12-01",
            "scope=patient-privacy",
            "category=59284-0",
            "actor:identifier=urn:proviso:client|glucose-coach",
        ],
        &["patient=Patient/james", "status=inactive", "period=gt2023-12-14"],
    );
}
