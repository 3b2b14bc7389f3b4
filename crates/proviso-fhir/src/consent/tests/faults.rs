//! Each reason for a refusal, on both sides.

use super::*;

fn r4(extra: &str, provision: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","status":"active","scope":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},"patient":{{"reference":"Patient/p"}}{extra},"provision":{provision}}}"#
    )
}

fn r5(extra: &str, provision: &str) -> String {
    format!(
        r#"{{"resourceType":"Consent","status":"active","subject":{{"reference":"Patient/p"}},"decision":"permit"{extra},"provision":[{provision}]}}"#
    )
}

fn check(json: &str, version: Version, expected: &[&str]) {
    assert_eq!(shown(read_doc(&parse(json), version)), expected, "{json}");
}

/// The provision is read without the fault, and refused with it.
fn both(sound: &str, faulty: &str, expected: &[&str]) {
    check(&r4("", &with_type(sound)), Version::R4, &[]);
    let expected: Vec<String> =
        expected.iter().map(|one| one.replace("{p}", "Consent.provision")).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(&r4("", &with_type(faulty)), Version::R4, &expected);
}

fn both_r5(sound: &str, faulty: &str, expected: &[&str]) {
    check(&r5("", &format!("{{{sound}}}")), Version::R5, &[]);
    check(&r5("", &format!("{{{faulty}}}")), Version::R5, expected);
}

fn with_type(members: &str) -> String {
    format!(r#"{{"type":"deny",{members}}}"#)
}

const IRCP: &str = r#""role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]}"#;

#[test]
fn a_modifier_extension_is_refused_wherever_it_stands() {
    let modifier = r#""modifierExtension":[{"url":"http://x","valueBoolean":true}]"#;
    check(
        &r4(&format!(",{modifier}"), r#"{"type":"permit"}"#),
        Version::R4,
        &["modifier-extension at Consent.modifierExtension"],
    );
    both(
        r#""extension":[{"url":"http://x","valueBoolean":true}]"#,
        modifier,
        &["modifier-extension at {p}.modifierExtension"],
    );
    let actor = format!(r#""actor":[{{{IRCP},"reference":{{"reference":"Group/g"}}}}]"#);
    let with_it = actor.replace(r#""reference":{"#, &format!(r#"{modifier},"reference":{{"#));
    both(&actor, &with_it, &["modifier-extension at {p}.actor[0].modifierExtension"]);
    let inside =
        r#","contained":[{"resourceType":"Group","id":"g","modifierExtension":[{"url":"u"}]}]"#;
    check(
        &r4(inside, r#"{"type":"permit"}"#),
        Version::R4,
        &["modifier-extension at Consent.contained[0].modifierExtension"],
    );
}

#[test]
fn rules_that_are_stated_elsewhere_are_refused() {
    let rules = r#","implicitRules":"http://x/rules""#;
    check(
        &r4(rules, r#"{"type":"permit"}"#),
        Version::R4,
        &["implicit-rules at Consent.implicitRules"],
    );
    check(&r4("", r#"{"type":"permit"}"#), Version::R4, &[]);
}

#[test]
fn the_type_of_every_provision_must_be_said_in_r4() {
    both(
        r#""provision":[{"type":"permit"}]"#,
        r#""provision":[{"id":"x"}]"#,
        &["type-missing at {p}.provision[0].type"],
    );
    check(&r4("", "{}"), Version::R4, &["type-missing at Consent.provision.type"]);
    check(&r4("", r#"{"type":"maybe"}"#), Version::R4, &["unknown-type at Consent.provision.type"]);
    let without = r4("", "{}").replace(r#","provision":{}"#, "");
    check(&without, Version::R4, &["provision-missing at Consent.provision"]);
    let without = r5("", "{}").replace(r#""decision":"permit","#, "");
    check(&without, Version::R5, &["decision-missing at Consent.decision"]);
    let other = r5("", "{}").replace("permit", "perhaps");
    check(&other, Version::R5, &["unknown-decision at Consent.decision"]);
}

#[test]
fn an_actor_must_lead_to_somebody() {
    let actor = |reference: &str| format!(r#""actor":[{{{IRCP},"reference":{reference}}}]"#);
    let at = "actor-unresolvable at {p}.actor[0].reference";
    let sound = actor(r#"{"reference":"Practitioner/p"}"#);
    for faulty in [
        r##"{"reference":"#nobody"}"##,
        r##"{"reference":"#"}"##,
        r#"{"display":"Dr. Who"}"#,
        r#"{"identifier":{"value":"7"}}"#,
        r#"{"identifier":{"system":"http://x"}}"#,
        r#"{"reference":"urn:uuid:7b4a1e2c-0000-4000-8000-000000000000"}"#,
        r#"{"reference":"Nonsense/1"}"#,
        r#"{"reference":"https://x.example/fhir/Practitioner?identifier=x|1"}"#,
        r##"{"reference":"#nobody","identifier":{"system":"http://x","value":"7"}}"##,
    ] {
        both(&sound, &actor(faulty), &[at]);
    }
    both(&sound, &format!(r#""actor":[{{{IRCP}}}]"#), &["actor-missing at {p}.actor[0].reference"]);
    both(
        &sound,
        r#""actor":[{"reference":{"reference":"Group/g"}}]"#,
        &["role-missing at {p}.actor[0].role"],
    );
    // R5 lets an actor be anybody in a role, or somebody in any.
    both_r5(
        &format!(r#""actor":[{{{IRCP}}}]"#),
        r#""actor":[{"id":"x"}]"#,
        &["actor-missing at Consent.provision[0].actor[0].reference"],
    );
}

#[test]
fn everyone_that_an_actor_is_known_as_is_matched() {
    let contained = r#","contained":[{"resourceType":"Practitioner","id":"c","identifier":[{"system":"http://npi","value":"1"},{"system":"http://npi","value":"2"}]}]"#;
    let reference = r##"{"type":"deny","actor":[{ROLE,"reference":{"reference":"#c"}},
        {ROLE,"reference":{"reference":"https://us.example/fhir/Group/g/_history/3","identifier":{"system":"http://g","value":"9"}}},
        {ROLE,"reference":{"reference":"Organization?identifier=http://npi|5"}},
        {ROLE,"reference":{"reference":"https://other.example/fhir/Group/g/_history/3"}}]}"##
        .replace("ROLE", IRCP);
    let consent = read_doc(&parse(&r4(contained, &reference)), Version::R4).unwrap();
    let actors = &consent.directive().provisions()[0].actors;
    let who: Vec<String> =
        actors.iter().map(|actor| format!("{:?}", actor.who.as_ref().unwrap())).collect();
    assert_eq!(who.len(), 6);
    assert!(who[0].contains("\"1\"") && who[1].contains("\"2\""));
    assert_eq!(who[2], r#"Reference("Group/g")"#);
    assert!(who[3].contains("\"9\"") && who[4].contains("\"5\""));
    assert_eq!(who[5], r#"Reference("https://other.example/fhir/Group/g")"#);
}

#[test]
fn a_contained_list_of_others_leads_nowhere() {
    let with = |kind: &str| {
        r4(
            &format!(
                r#","contained":[{{"resourceType":"{kind}","id":"c","identifier":[{{"system":"http://x","value":"1"}}]}}]"#
            ),
            &format!(
                r##"{{"type":"deny","actor":[{{{IRCP},"reference":{{"reference":"#c"}}}}]}}"##
            ),
        )
    };
    for kind in ["Practitioner", "Organization", "RelatedPerson", "Device", "Patient"] {
        check(&with(kind), Version::R4, &[]);
    }
    for kind in ["Group", "CareTeam", "PractitionerRole", "Nonsense"] {
        check(
            &with(kind),
            Version::R4,
            &["actor-unresolvable at Consent.provision.actor[0].reference"],
        );
    }
}

#[test]
fn only_an_active_consent_about_sharing_is_enforced() {
    let sound = r4("", r#"{"type":"permit"}"#);
    for (from, to, enforced) in [
        ("active", "active", true),
        ("patient-privacy", "research", true),
        ("active", "inactive", false),
        ("active", "proposed", false),
        ("patient-privacy", "treatment", false),
        ("patient-privacy", "adr", false),
    ] {
        let consent = read_doc(&parse(&sound.replace(from, to)), Version::R4).unwrap();
        assert_eq!(consent.enforced().is_some(), enforced, "{to}");
    }
}

#[test]
fn the_codings_of_a_role_must_agree() {
    let role = |other: &str| {
        format!(
            r#""actor":[{{"role":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}},{{"system":"http://hl7.org/fhir/v3/ParticipationType","code":"{other}"}}]}},"reference":{{"reference":"Group/g"}}}}]"#
        )
    };
    both(&role("PRCP"), &role("CST"), &["codes-disagree at {p}.actor[0].role"]);
}

#[test]
fn a_code_that_restricts_must_be_understood() {
    let coding = |key: &str, system: &str, code: &str| {
        format!(r#""{key}":[{{"system":"{system}","code":"{code}"}}]"#)
    };
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    both(
        &coding("securityLabel", act, "HIV"),
        &coding("securityLabel", act, "HIVV"),
        &["unknown-label at {p}.securityLabel[0]"],
    );
    both(
        &coding("securityLabel", "http://ours.example/codes", "X"),
        &coding("securityLabel", "http://theirs.example/codes", "X"),
        &["unknown-label at {p}.securityLabel[0]"],
    );
    // How to handle a record is no restriction that could be missed.
    both(
        &coding("securityLabel", act, "NORDSCLCD"),
        &coding("securityLabel", "", "HIV"),
        &["code-missing at {p}.securityLabel[0]"],
    );
    both(
        &coding("purpose", reason, "TREAT"),
        &coding("purpose", reason, "TREATED"),
        &["unknown-purpose at {p}.purpose[0]"],
    );
    both(
        &coding("purpose", "http://hl7.org/fhir/v3/ActReason", "BTG"),
        &coding("purpose", "http://theirs.example/codes", "BTG"),
        &["unknown-purpose at {p}.purpose[0]"],
    );
    let action = |code: &str| {
        format!(
            r#""action":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"{code}"}}]}}]"#
        )
    };
    both(&action("access"), &action("read"), &["unknown-action at {p}.action[0]"]);
    both(
        &action("access"),
        r#""action":[{"text":"look at it"}]"#,
        &["code-missing at {p}.action[0]"],
    );
    both(
        &coding("class", "http://hl7.org/fhir/resource-types", "Observation"),
        r#""class":[{"code":"Observation"}]"#,
        &["code-missing at {p}.class[0]"],
    );
}

#[test]
fn dates_must_be_of_the_calendar_and_in_order() {
    let period = |inner: &str| format!(r#""period":{{{inner}}}"#);
    both(
        &period(r#""start":"2022","end":"2022""#),
        &period(r#""start":"2023","end":"2022""#),
        &["period-reversed at {p}.period"],
    );
    both(
        &period(r#""start":"2022-02-28""#),
        &period(r#""start":"2022-02-29""#),
        &["date-malformed at {p}.period.start"],
    );
    both(
        &period(r#""end":"2022-01-01T10:00:00Z""#),
        &period(r#""end":"2022-01-01T10:00:00""#),
        &["date-malformed at {p}.period.end"],
    );
    both(&period(r#""start":"2022""#), r#""period":{"id":"x"}"#, &["period-empty at {p}.period"]);
    both(
        &period(r#""start":"2022""#),
        &period(r#""start":"2022","_end":{"extension":[{"url":"http://x","valueCode":"masked"}]}"#),
        &["date-malformed at {p}.period._end"],
    );
    both(
        r#""dataPeriod":{"end":"9999-12-31"}"#,
        r#""dataPeriod":{"start":7}"#,
        &["date-malformed at {p}.dataPeriod.start"],
    );
}

#[test]
fn a_record_must_be_named_and_the_meaning_known() {
    let data = |meaning: &str, reference: &str| {
        format!(r#""data":[{{"meaning":"{meaning}","reference":{reference}}}]"#)
    };
    let there = r#"{"reference":"Encounter/e"}"#;
    both(
        &data("related", there),
        &data("similar", there),
        &["unknown-meaning at {p}.data[0].meaning"],
    );
    both(
        &data("instance", there),
        &data("instance", r#"{"display":"that"}"#),
        &["data-unresolvable at {p}.data[0].reference"],
    );
    both(
        &data("instance", there),
        r#""data":[{"meaning":"instance"}]"#,
        &["data-missing at {p}.data[0].reference"],
    );
    both(
        &data("instance", there),
        &format!(r#""data":[{{"reference":{there}}}]"#),
        &["data-missing at {p}.data[0].meaning"],
    );
}

#[test]
fn the_place_of_a_recipient_is_read_in_provisions_only() {
    let location = |value: &str| {
        format!(
            r#""extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/consent-location",{value}}}]"#
        )
    };
    let there = r#""valueReference":{"reference":"Location/ca"}"#;
    both(
        &location(there),
        &location(r#""valueString":"California""#),
        &["location-unresolvable at {p}.extension[0]"],
    );
    both(
        &location(there),
        &location(r#""valueReference":{"display":"California"}"#),
        &["location-unresolvable at {p}.extension[0].valueReference"],
    );
    // Lost on an actor, it would let the actor in from anywhere.
    let actor = |extension: &str| {
        format!(r#""actor":[{{{extension}{IRCP},"reference":{{"reference":"Group/g"}}}}]"#)
    };
    both(
        &actor(""),
        &actor(&format!("{},", location(there))),
        &["location-misplaced at {p}.actor[0].extension[0]"],
    );
    let misplaced = format!(",{}", location(there));
    check(
        &r4(&misplaced, r#"{"type":"permit"}"#),
        Version::R4,
        &["location-misplaced at Consent.extension[0]"],
    );
}

#[test]
fn what_r5_alone_can_say_is_held_or_refused() {
    let types =
        r#""resourceType":[{"system":"http://hl7.org/fhir/fhir-types","code":"Observation"}]"#;
    let documents = r#""documentType":[{"system":"urn:ietf:bcp:13","code":"text/plain"}]"#;
    both_r5(types, &format!("{types},{documents}"), &["classes-combined at Consent.provision[0]"]);
    both_r5(
        documents,
        r#""expression":{"language":"text/fhirpath","expression":"true"}"#,
        &["expression-unsupported at Consent.provision[0].expression"],
    );
    both_r5(documents, r#""type":"permit""#, &["unknown-element at Consent.provision[0].type"]);
}

#[test]
fn an_element_of_another_version_is_refused_as_an_extension_too() {
    let of = |name: &str, value: &str| {
        format!(
            r#","extension":[{{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.{name}",{value}}}]"#
        )
    };
    let permit = r#"{"type":"permit"}"#;
    check(&r4(&of("manager", r#""valueReference":{"display":"x"}"#), permit), Version::R4, &[]);
    check(
        &r4(&of("decision", r#""valueCode":"deny""#), permit),
        Version::R4,
        &["meaning-in-extension at Consent.extension[0]"],
    );
    let period = of("period", r#""valuePeriod":{"start":"2022"}"#);
    let consent = read_doc(&parse(&r4(&period, permit)), Version::R4).unwrap();
    assert!(consent.directive().provisions()[0].period.is_some(), "the period narrows");
    check(
        &r4(&period, r#"{"type":"permit","period":{"start":"2021"}}"#),
        Version::R4,
        &["period-twice at Consent.extension[0].valuePeriod"],
    );
    both(
        r#""purpose":[{"system":"http://ours.example/codes","code":"X"}]"#,
        r#""purpose":[{"system":"http://ours.example/codes","code":"X","extension":[{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.provision.purpose"}]}]"#,
        &["meaning-in-extension at {p}.purpose[0].extension[0]"],
    );
    both(
        r#""extension":[{"url":"http://x"}]"#,
        r#""extension":[{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.provision.expression"}]"#,
        &["meaning-in-extension at {p}.extension[0]"],
    );
}

#[test]
fn the_period_of_a_whole_consent_limits_a_root() {
    let dated = |profile: &str| {
        r5(&format!(r#","meta":{{"profile":["{profile}"]}},"period":{{"start":"2022"}}"#), "{}")
    };
    let joint = dialect_profile(Dialect::Joint).unwrap();
    check(&dated("http://x"), Version::R5, &[]);
    check(&dated(joint), Version::R5, &["period-outside-tree at Consent.period"]);
    let consent = read_doc(&parse(&dated("http://x")), Version::R5).unwrap();
    assert_eq!(consent.directive().base(), None, "outside of its period it says nothing");
    assert!(consent.directive().provisions()[0].period.is_some());
}

#[test]
fn the_time_of_a_consent_is_of_its_day() {
    let dated = |day: &str, value: &str| {
        r5(
            &format!(
                r#","date":"{day}","extension":[{{"url":"http://hl7.org/fhir/4.0/StructureDefinition/extension-Consent.dateTime"{value}}}]"#
            ),
            "{}",
        )
    };
    let time = r#","valueDateTime":"2022-06-13T10:00:00Z""#;
    check(&dated("2022-06-13", time), Version::R5, &[]);
    for faulty in [dated("2022-06-12", time), dated("2022-06-13", "")] {
        check(&faulty, Version::R5, &["meaning-in-extension at Consent.extension[0]"]);
    }
}

#[test]
fn the_header_must_say_whose_consent_it_is_and_whether_it_stands() {
    let sound = r4("", r#"{"type":"permit"}"#);
    check(&sound, Version::R4, &[]);
    for (from, to, expected) in [
        (r#""status":"active","#, "", "status-missing at Consent.status"),
        (r#""active""#, r#""not-done""#, "unknown-status at Consent.status"),
        ("patient-privacy", "privacy", "unknown-scope at Consent.scope"),
        (r#""patient":{"reference":"Patient/p"},"#, "", "patient-missing at Consent.patient"),
        ("Patient/p", "Group/p", "patient-unresolvable at Consent.patient"),
        (
            r#"{"reference":"Patient/p"}"#,
            r#"{"display":"p"}"#,
            "patient-unresolvable at Consent.patient",
        ),
        (r#""Consent""#, r#""Contract""#, "not-a-consent at Consent"),
    ] {
        check(&sound.replace(from, to), Version::R4, &[expected]);
    }
    let (before, rest) = sound.split_once(r#""scope""#).unwrap();
    let (_, after) = rest.split_once(r#""patient":"#).unwrap();
    let without = [before, r#""patient":"#, after].concat();
    check(&without, Version::R4, &["scope-missing at Consent.scope"]);
    check(
        &r4(r#","dateTime":"yesterday""#, r#"{"type":"permit"}"#),
        Version::R4,
        &["date-malformed at Consent.dateTime"],
    );
    check(
        &r5("", "{}").replace("active", "unknown"),
        Version::R5,
        &["unknown-status at Consent.status"],
    );
}

#[test]
fn a_reading_is_named_once() {
    let profile = |one: &str, other: &str| {
        r4(&format!(r#","meta":{{"profile":["{one}","{other}"]}}"#), r#"{"type":"permit"}"#)
    };
    let (basic, fast) =
        (dialect_profile(Dialect::PcfBasic).unwrap(), dialect_profile(Dialect::Fast).unwrap());
    check(&profile(basic, "http://x"), Version::R4, &[]);
    let versioned = format!("{basic}|1.1.0");
    check(&profile(&versioned, basic), Version::R4, &[]);
    check(&profile(basic, fast), Version::R4, &["dialects-disagree at Consent.meta.profile"]);
    let by_policy =
        r4(r#","policy":[{"uri":"https://law.example/latest"}]"#, r#"{"type":"permit"}"#);
    let nothing = BTreeSet::new();
    let policies = [("https://law.example/latest", Dialect::LatestWins)];
    let context = Context { own_base: OWN_BASE, understood: &nothing, policies: &policies };
    let consent = read(&parse(&by_policy), Version::R4, &Zone::UTC, &context).unwrap();
    assert_eq!(consent.directive().dialect(), Dialect::LatestWins);
    let consent = read_doc(&parse(&by_policy), Version::R4).unwrap();
    assert_eq!(consent.directive().dialect(), Dialect::FhirTree);
}

#[test]
fn shapes_and_unknown_elements_are_refused() {
    both(
        r#""purpose":[{"system":"http://ours.example/codes","code":"X"}]"#,
        r#""purpose":[]"#,
        &["empty-list at {p}.purpose"],
    );
    both(r#""id":"x""#, r#""purpose":{}"#, &["wrong-shape at {p}.purpose"]);
    both(r#""id":"x""#, r#""except":[{}]"#, &["unknown-element at {p}.except"]);
    both(r#""id":"x""#, r#""actor":["me"]"#, &["wrong-shape at {p}.actor[0]"]);
    let permit = r#"{"type":"permit"}"#;
    check(&r4(r#","text":{"status":"empty"}"#, permit), Version::R4, &[]);
    check(&r4(r#","except":[{}]"#, permit), Version::R4, &["unknown-element at Consent.except"]);
    check(&r4("", &format!("[{permit}]")), Version::R4, &["wrong-shape at Consent.provision"]);
}

#[test]
fn every_fault_is_listed_and_not_the_first() {
    let json = r4(
        r#","implicitRules":"x""#,
        r#"{"type":"deny","purpose":[{"system":"x","code":"y"}],"period":{"start":"?"},"provision":[{"action":[]}]}"#,
    );
    check(
        &json,
        Version::R4,
        &[
            "implicit-rules at Consent.implicitRules",
            "date-malformed at Consent.provision.period.start",
            "unknown-purpose at Consent.provision.purpose[0]",
            "type-missing at Consent.provision.provision[0].type",
            "empty-list at Consent.provision.provision[0].action",
        ],
    );
}

#[test]
fn a_refusal_is_told_as_an_operation_outcome() {
    let refusal = read_doc(&parse(&r4("", "{}")), Version::R4).unwrap_err();
    let issues = refusal.issues();
    assert_eq!(issues.len(), 1);
    assert_eq!(issues[0].detail, Some("type-missing"));
    assert_eq!(issues[0].expression.as_deref(), Some("Consent.provision.type"));
    let outcome = crate::outcome::OperationOutcome::from_issues(issues);
    assert_ne!(outcome, crate::outcome::OperationOutcome::all_ok());
}

#[test]
fn what_means_nothing_is_kept() {
    let json = r4(
        r#","text":{"status":"generated","div":"<div>x</div>"},"extension":[{"url":"http://x","valueString":"1.0"}],"language":"en""#,
        r#"{"id":"root","type":"deny","extension":[{"url":"http://y","valueDecimal":7.20}],"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT","display":"Care"}]}"#,
    );
    let consent = read_doc(&parse(&json), Version::R4).unwrap();
    let bytes = write_r4(&consent).unwrap();
    let text = core::str::from_utf8(&bytes).unwrap();
    for kept in ["<div>x</div>", "\"1.0\"", "7.20", "\"Care\"", "\"root\""] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
}

#[test]
fn every_reason_has_a_code_of_its_own_and_a_sentence() {
    let mut codes: Vec<&str> = FaultCode::ALL.iter().map(|one| one.code()).collect();
    codes.extend(WriteFaultCode::ALL.iter().map(|one| one.code()));
    codes.extend(Clause::ALL.iter().map(|one| one.code()));
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    assert!(FaultCode::ALL.iter().all(|one| one.sentence().ends_with('.')));
}

/// The reference page lists every reason; `missing-` ones would be found by nobody.
#[test]
fn the_reference_page_names_every_reason() {
    let path = format!("{}/../../docs/src/reference/consent.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(path).unwrap();
    let reasons = FaultCode::ALL.iter().map(|one| (one.code(), one.sentence()));
    let reasons = reasons.chain(WriteFaultCode::ALL.iter().map(|one| (one.code(), one.sentence())));
    let reasons = reasons.chain(Clause::ALL.iter().map(|one| (one.code(), one.sentence())));
    for (code, sentence) in reasons {
        let row = format!("| `{code}` | {sentence} |");
        assert!(page.contains(&row), "{row}");
    }
}
