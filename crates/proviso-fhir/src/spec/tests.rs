use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use super::{ElementType, Primitive, SearchParamType, search_param, shape_named, shape_of};

#[test]
fn every_resource_type_has_a_shape() {
    for resource_type in ResourceType::all() {
        let shape = shape_of(resource_type).unwrap();
        assert_eq!(shape.name(), resource_type.as_str());
        for name in ["id", "meta", "language", "implicitRules"] {
            assert!(shape.member(name).is_some(), "{resource_type}.{name}");
        }
    }
}

#[test]
fn every_element_has_types_that_exist() {
    for shape in &super::elements::SHAPES {
        for element in shape.elements() {
            assert!(!element.types().is_empty(), "{}.{}", shape.name(), element.name());
            for one in element.types() {
                assert!(!one.name().is_empty());
            }
        }
    }
}

#[test]
fn keys_mean_what_the_specification_says() {
    let observation = shape_of(ResourceType::OBSERVATION).unwrap();
    let member = observation.member("valueQuantity").unwrap();
    assert!(member.element.is_choice());
    assert_eq!(member.element_type.name(), "Quantity");
    assert!(observation.member("value").is_none());
    assert!(observation.member("valueMoney").is_none());
    assert!(observation.member("valuequantity").is_none());
    assert_eq!(observation.member("status").unwrap().element.min(), 1);
    assert!(observation.member("category").unwrap().element.is_many());
    let subject = observation.member("subject").unwrap().element_type;
    assert!(subject.targets().contains(&ResourceType::PATIENT));
    assert!(!subject.targets().contains(&ResourceType::PRACTITIONER));
    assert!(observation.member("focus").unwrap().element_type.targets().is_empty());
    let component = observation.member("component").unwrap().element_type.shape().unwrap();
    assert_eq!(component.name(), "Observation.component");
    assert!(component.member("modifierExtension").is_some());
    assert_eq!(
        component.member("referenceRange").unwrap().element_type.shape().unwrap().name(),
        "Observation.referenceRange"
    );
    assert_eq!(observation.member("contained").unwrap().element_type, ElementType::Inline);
}

#[test]
fn elements_that_are_not_r4_are_not_known() {
    assert!(shape_of(ResourceType::BINARY).unwrap().member("url").is_none());
    assert!(shape_named("Meta").unwrap().member("project").is_none());
    assert!(shape_of(ResourceType::RESEARCH_STUDY).unwrap().member("label").is_none());
}

#[test]
fn required_codes_are_listed() {
    let patient = shape_of(ResourceType::PATIENT).unwrap();
    let gender = patient.member("gender").unwrap().element.codes().unwrap();
    assert!(gender.has_code("female"));
    assert!(!gender.has_code("Female"));
    let condition = shape_of(ResourceType::CONDITION).unwrap();
    let status = condition.member("clinicalStatus").unwrap().element.codes().unwrap();
    assert!(status.has("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"));
    assert!(!status.has("http://example.org", "active"));
    // Nested concepts count too: `remission` is below `inactive`.
    assert!(status.has_code("remission"));
}

#[test]
fn a_definition_over_many_types_is_split_by_type() {
    let patient = |r| search_param(r, "patient").unwrap().expression;
    assert_eq!(
        patient(ResourceType::OBSERVATION),
        "Observation.subject.where(resolve() is Patient)"
    );
    assert_eq!(patient(ResourceType::IMMUNIZATION), "Immunization.patient");
    let code = search_param(ResourceType::ALLERGY_INTOLERANCE, "code").unwrap();
    assert_eq!(code.expression, "AllergyIntolerance.code | AllergyIntolerance.reaction.substance");
    let name = search_param(ResourceType::INSURANCE_PLAN, "name").unwrap();
    assert_eq!(name.expression, "InsurancePlan.name | InsurancePlan.alias");
    assert!(search_param(ResourceType::PATIENT, "_id").is_some());
    assert!(search_param(ResourceType::CONDITION, "asserted-date").unwrap().us_core);
}

#[test]
fn every_search_parameter_says_where_to_look() {
    for resource_type in ResourceType::all() {
        let params = super::search_params_for(resource_type);
        assert!(params.is_sorted_by(|a, b| a.code < b.code), "{resource_type}");
        for param in params {
            assert!(!param.expression.is_empty(), "{resource_type} {}", param.code);
            let composite = param.param_type == SearchParamType::Composite;
            assert_eq!(composite, !param.components.is_empty());
            for part in param.components {
                assert!(search_param(resource_type, part.code).is_some(), "{}", part.code);
            }
        }
    }
}

#[test]
fn the_patient_compartment_is_r4s() {
    let params = super::patient_compartment_params;
    assert_eq!(params(ResourceType::OBSERVATION), ["subject", "performer"]);
    assert!(params(ResourceType::PRACTITIONER).is_empty());
    assert_eq!(params(ResourceType::PATIENT), ["link"]);
    assert_eq!(super::patient_compartment_types().count(), 67);
    for resource_type in super::patient_compartment_types() {
        for param in params(resource_type) {
            assert!(search_param(resource_type, param).is_some(), "{resource_type} {param}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn primitive_formats_have_two_sides() {
    use Primitive as P;
    let cases: &[(Primitive, &[&str], &[&str])] = &[
        (
            P::Id,
            &["a", "A-1.b", "0123456789012345678901234567890123456789012345678901234567890123"],
            &[
                "",
                "a b",
                "a_b",
                "a/b",
                "é",
                "01234567890123456789012345678901234567890123456789012345678901234",
            ],
        ),
        (P::Code, &["a", "a b", "a-b"], &["", " a", "a ", "a  b", "a\tb", "a\nb"]),
        (P::Uri, &["http://x/y", "urn:oid:1.2", "x"], &["", "a b", "a\n"]),
        (
            P::Oid,
            &["urn:oid:1.2.840", "urn:oid:2.16"],
            &["urn:oid:3.1", "1.2", "urn:oid:1", "urn:oid:1.02"],
        ),
        (
            P::Uuid,
            &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
            &["c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:x"],
        ),
        (
            P::Date,
            &["2024", "2024-02", "2024-02-29", "1900-01-01"],
            &[
                "",
                "24",
                "2023-02-29",
                "1900-02-29",
                "2024-13",
                "2024-00",
                "2024-1-1",
                "2024-01-32",
                "0000",
                "2024-01-01T00:00:00Z",
                "2024-",
            ],
        ),
        (
            P::DateTime,
            &[
                "2024",
                "2024-02-29",
                "2024-02-29T23:59:59Z",
                "2024-02-29T23:59:59.123+14:00",
                "2024-06-30T23:59:60-05:00",
            ],
            &[
                "2024-02-29T23:59Z",
                "2024-02-29T24:00:00Z",
                "2024-02-29T23:59:59",
                "2024-02T00:00:00Z",
                "2024-02-29T23:59:59+14:01",
                "2024-02-29T23:59:59.Z",
                "2024-02-29 23:59:59Z",
            ],
        ),
        (P::Instant, &["2024-02-29T23:59:59Z"], &["2024-02-29", "2024", "2024-02-29T23:59:59"]),
        (
            P::Time,
            &["00:00:00", "23:59:59.5"],
            &["24:00:00", "00:00", "00:00:00Z", "0:00:00", "00:00:00."],
        ),
        (
            P::Integer,
            &["0", "-1", "2147483647", "-2147483648"],
            &["2147483648", "1.0", "1e1", "01", "-"],
        ),
        (P::PositiveInt, &["1"], &["0", "-1"]),
        (P::UnsignedInt, &["0"], &["-1"]),
        (P::Decimal, &["0", "7.20", "1e10"], &["1e9999", "1e99999999999"]),
        (P::String, &["a", " a\tb\r\n"], &["", " ", "\u{0}", "a\u{1}"]),
        (
            P::Base64Binary,
            &["YQ==", "YWI=", "YWJj", "YW Jj\n"],
            &["", "YQ", "Y===", "YQ==YQ==", "Y-_="],
        ),
        (
            P::Xhtml,
            &[
                "<div xmlns=\"http://www.w3.org/1999/xhtml\">a<p class=\"on\">on = b</p><!-- x --></div>",
                "<div/>",
            ],
            &[
                "",
                "a",
                "<p>a</p>",
                "<div><script>x</script></div>",
                "<div onclick=\"x\">a</div>",
                "<div><a href='JavaScript:x'>a</a></div>",
                "<!DOCTYPE x><div>a</div>",
                "<divx>a</divx>",
            ],
        ),
    ];
    for (primitive, good, bad) in cases {
        for text in *good {
            assert!(primitive.accepts(text), "{} {text}", primitive.name());
        }
        for text in *bad {
            assert!(!primitive.accepts(text), "{} {text}", primitive.name());
        }
    }
}

#[test]
fn the_tables_list_what_r4_lists() {
    let counted: Vec<usize> = ["Patient", "Observation", "HumanName", "Extension"]
        .iter()
        .map(|name| shape_named(name).unwrap().elements().count())
        .collect();
    // Patient: 16 own and 8 inherited, and so on; counted on the published pages.
    assert_eq!(counted, [24, 32, 9, 4]);
}
