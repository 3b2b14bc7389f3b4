//! Texts made to confuse or exhaust a reader.

use super::*;
use crate::json::JsonFault;

const HEAD: &str = r#""resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"patient":{"reference":"Patient/p"}"#;

fn consent(provision: &str) -> Doc {
    parse(&format!("{{{HEAD},\"provision\":{provision}}}"))
}

fn nested(levels: usize) -> String {
    let mut text = r#"{"type":"permit"}"#.to_string();
    for _ in 1..levels {
        text = format!(r#"{{"type":"permit","provision":[{text}]}}"#);
    }
    text
}

#[test]
fn depth_is_bounded_and_both_sides_of_the_bound_answer() {
    assert_eq!(shown(read_doc(&consent(&nested(16)), Version::R4)), Vec::<String>::new());
    assert_eq!(
        shown(read_doc(&consent(&nested(17)), Version::R4)),
        ["too-deep at Consent.provision"]
    );
    assert_eq!(
        shown(read_doc(&consent(&nested(30)), Version::R4)),
        ["too-deep at Consent.provision"]
    );
    let deeper = format!("{{{HEAD},\"provision\":{}}}", nested(40));
    assert_eq!(Doc::parse(deeper.into_bytes()).unwrap_err().fault, JsonFault::TooDeep);
}

#[test]
fn the_number_of_provisions_is_bounded() {
    let many = |count: usize| {
        let list = alloc::vec![r#"{"type":"deny"}"#; count].join(",");
        consent(&format!(r#"{{"type":"permit","provision":[{list}]}}"#))
    };
    assert!(read_doc(&many(511), Version::R4).is_ok());
    assert_eq!(
        shown(read_doc(&many(512), Version::R4)),
        ["too-many-provisions at Consent.provision"]
    );
    // More than an index can count.
    let refused = shown(read_doc(&many(70_000), Version::R4));
    assert_eq!(refused[0], "too-many-provisions at Consent.provision.provision");
}

#[test]
fn the_number_of_values_is_bounded() {
    let many = |count: usize| {
        let purpose =
            r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}"#;
        let list = alloc::vec![purpose; count].join(",");
        consent(&format!(r#"{{"type":"permit","purpose":[{list}]}}"#))
    };
    assert!(read_doc(&many(4096), Version::R4).is_ok());
    assert_eq!(shown(read_doc(&many(4097), Version::R4)), ["too-many-values at Consent.provision"]);
}

#[test]
fn the_list_of_faults_is_bounded() {
    let list = alloc::vec![r#"{"code":"x"}"#; 1000].join(",");
    let refused =
        read_doc(&consent(&format!(r#"{{"type":"permit","purpose":[{list}]}}"#)), Version::R4);
    assert_eq!(refused.unwrap_err().faults.len(), 200);
}

#[test]
fn a_key_given_twice_is_no_json() {
    let twice = format!(r#"{{{HEAD},"provision":{{"type":"deny","type":"permit"}}}}"#);
    assert_eq!(Doc::parse(twice.into_bytes()).unwrap_err().fault, JsonFault::DuplicateKey);
}

#[test]
fn contained_resources_may_refer_to_each_other_in_circles() {
    let role = r#""role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]}"#;
    let with = |identifier: &str| {
        parse(&format!(
            r##"{{{HEAD},"contained":[{{"resourceType":"Organization","id":"a"{identifier},"partOf":{{"reference":"#b"}}}},{{"resourceType":"Organization","id":"b","partOf":{{"reference":"#a"}}}}],
            "provision":{{"type":"deny","actor":[{{{role},"reference":{{"reference":"#a"}}}}]}}}}"##
        ))
    };
    assert!(read_doc(&with(r#","identifier":[{"system":"x","value":"1"}]"#), Version::R4).is_ok());
    assert_eq!(
        shown(read_doc(&with(""), Version::R4)),
        ["actor-unresolvable at Consent.provision.actor[0].reference",]
    );
}

const VALUES: [&str; 12] = [
    "null",
    "true",
    "7",
    "-1e9",
    r#""""#,
    r#""permit""#,
    "[]",
    "[[]]",
    "{}",
    "[{}]",
    "[null]",
    r#"[{"a":1}]"#,
];

#[test]
fn nothing_that_json_can_say_makes_the_reader_panic() {
    let values = VALUES;
    let keys = [
        "type",
        "period",
        "actor",
        "action",
        "securityLabel",
        "purpose",
        "class",
        "code",
        "dataPeriod",
        "data",
        "provision",
        "extension",
        "expression",
        "documentType",
        "resourceType",
        "modifierExtension",
    ];
    for key in keys {
        for value in values {
            for version in [Version::R4, Version::R5] {
                let json =
                    format!("{{{HEAD},\"decision\":\"deny\",\"provision\":{{\"{key}\":{value}}}}}");
                let _ = shown(read_doc(&parse(&json), version));
                let json = format!(
                    r#"{{"resourceType":"Consent","status":"active","subject":{{"reference":"Patient/p"}},"decision":"permit","provision":[{{"{key}":{value}}}]}}"#
                );
                let _ = shown(read_doc(&parse(&json), version));
            }
        }
    }
}

#[test]
fn no_header_that_json_can_say_makes_the_reader_panic() {
    let values = VALUES;
    let heads = [
        "id",
        "meta",
        "language",
        "text",
        "contained",
        "identifier",
        "status",
        "scope",
        "category",
        "patient",
        "dateTime",
        "performer",
        "organization",
        "sourceAttachment",
        "policy",
        "policyRule",
        "verification",
        "subject",
        "date",
        "grantor",
        "controller",
        "policyBasis",
        "regulatoryBasis",
    ];
    for key in heads {
        for value in values {
            let json = format!(r#"{{"resourceType":"Consent","{key}":{value}}}"#);
            for version in [Version::R4, Version::R5] {
                assert!(!shown(read_doc(&parse(&json), version)).is_empty());
            }
        }
    }
    for text in values {
        assert_eq!(shown(read_doc(&parse(text), Version::R4)), ["not-a-consent at Consent"]);
    }
}
