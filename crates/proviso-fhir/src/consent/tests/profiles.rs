//! The clauses of IHE PCF and HL7 FAST, and projections between them.

use super::*;

fn violations(doc: &Doc, profile: Profile) -> Vec<String> {
    check_profile(doc.root(), profile).iter().map(ToString::to_string).collect()
}

fn level(name: &str) -> Profile {
    match name.split('-').next().unwrap() {
        "advanced" => Profile::PcfAdvanced,
        "intermediate" | "dissent" => Profile::PcfIntermediate,
        _ => Profile::PcfBasic,
    }
}

// Covers: IHE PCF 1.1, profiles of Consent
#[test]
fn the_examples_of_ihe_pcf_conform_to_their_profiles() {
    let path = format!("{}/tests/consent/pcf", env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let doc = Doc::parse(std::fs::read(&path).unwrap()).unwrap();
        let found = violations(&doc, level(&name));
        // Research is no purpose of the basic profile, though its example says so.
        let expected: &[&str] = match name.as_str() {
            "basic-research" => &["purpose-outside-value-set at Consent.provision.purpose[0]"],
            _ => &[],
        };
        assert_eq!(found, expected, "{name}");
        // None of them is in the words of FAST.
        assert!(!violations(&doc, Profile::Fast).is_empty());
        count += 1;
    }
    assert_eq!(count, 23);
}

/// A Consent that conforms to the profile, and violates the clauses once changed.
fn check(name: &str, profile: Profile, from: &str, to: &str, expected: &[&str]) {
    let doc = fixture(name);
    let text = doc.text().replace(['\n', ' '], "");
    assert!(text.contains(from), "{from} in {text}");
    assert_eq!(violations(&parse(&text.replacen(from, to, 1)), profile), expected, "{from} {to}");
}

#[test]
fn each_clause_of_ihe_pcf_is_checked() {
    let basic = |from: &str, to: &str, expected: &[&str]| {
        check("pcf/basic-treat", Profile::PcfBasic, from, to, expected);
    };
    basic(r#""status":"active","#, "", &["status-required at Consent.status"]);
    basic("patient-privacy", "research", &["scope-privacy at Consent.scope"]);
    basic(
        r#""category":[{"coding":[{"system":"http://loinc.org","code":"59284-0","display":"Consent"}]}],"#,
        "",
        &["category-required at Consent.category"],
    );
    basic(r#""dateTime":"2022-06-13","#, "", &["date-required at Consent.dateTime"]);
    basic(
        r#""performer":[{"reference":"Patient/ex-patient"}],"#,
        "",
        &["performer-required at Consent.performer"],
    );
    basic(
        r#""organization":[{"reference":"Organization/ex-organization"}],"#,
        "",
        &["organization-required at Consent.organization"],
    );
    basic(
        r#""sourceReference":{"reference":"DocumentReference/ex-documentreference"},"#,
        "",
        &["source-required at Consent.source"],
    );
    basic(
        r#""uri""#,
        r#""authority""#,
        &[
            "policy-uri-required at Consent.policy[0].uri",
            "policy-authority-forbidden at Consent.policy[0].authority",
        ],
    );
    basic(
        r#""policy":[{"uri":"http://example.org/policies/basePrivacyConsentPolicy.txt"}],"#,
        "",
        &["policy-uri-required at Consent.policy"],
    );
    basic(
        r#""provision":{"#,
        r#""policyRule":{},"verification":[{}],"provision":{"#,
        &[
            "policy-rule-forbidden at Consent.policyRule",
            "verification-forbidden at Consent.verification",
        ],
    );
    basic(r#""type":"permit","#, "", &["type-required at Consent.provision.type"]);
    basic(
        r#""type":"permit","#,
        r#""type":"permit","action":[],"class":[],"code":[],"#,
        &[
            "action-forbidden at Consent.provision.action",
            "class-forbidden at Consent.provision.class",
            "code-forbidden at Consent.provision.code",
        ],
    );
    basic(
        r#""type":"permit","#,
        r#""type":"permit","securityLabel":[],"dataPeriod":{},"data":[],"provision":[{"type":"deny"}],"#,
        &[
            "label-forbidden at Consent.provision.securityLabel",
            "data-period-forbidden at Consent.provision.dataPeriod",
            "data-forbidden at Consent.provision.data",
            "exception-forbidden at Consent.provision.provision",
        ],
    );
    basic(
        r#""type":"permit","#,
        r#""type":"permit","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"PRCP"}]}}],"#,
        &["role-recipient at Consent.provision.actor[0]"],
    );
    basic("TREAT", "ETREAT", &["purpose-outside-value-set at Consent.provision.purpose[0]"]);
}

#[test]
fn each_clause_of_the_higher_profiles_is_checked() {
    let middle = |from: &str, to: &str, expected: &[&str]| {
        check("pcf/intermediate-not-data", Profile::PcfIntermediate, from, to, expected);
    };
    middle(
        r#""instance""#,
        r#""dependents""#,
        &["data-meaning at Consent.provision.provision[0].data[0]"],
    );
    middle(
        r#""instance""#,
        r#""related""#,
        &["data-target at Consent.provision.provision[0].data[0]"],
    );
    middle(
        r#""data":["#,
        r#""data":[{"meaning":"instance","reference":{"reference":"Claim/c"}},"#,
        &["data-once at Consent.provision.provision[0].data[1]"],
    );
    middle(
        r#""type":"deny","#,
        r#""type":"deny","provision":[{}],"#,
        &["depth at Consent.provision.provision[0].provision"],
    );
    middle(
        r#""type":"deny","#,
        r#""type":"deny","securityLabel":[{}],"#,
        &["label-forbidden at Consent.provision.provision[0].securityLabel"],
    );
    check(
        "pcf/advanced-normal",
        Profile::PcfAdvanced,
        r#""code":"N""#,
        r#""code":"V""#,
        &["label-outside-value-set at Consent.provision.securityLabel[0]"],
    );
}

// Covers: HL7 FAST, FASTConsent, FASTReference, FASTConsentStatuses
#[test]
fn each_clause_of_fast_is_checked() {
    let fast = |from: &str, to: &str, expected: &[&str]| {
        check("fast/consent-example", Profile::Fast, from, to, expected);
    };
    fast("active", "active", &[]);
    fast("active", "inactive", &[]);
    fast("active", "proposed", &["status-active-or-inactive at Consent.status"]);
    fast(
        r#""identifier":[{"system":"http://example.org/consent","value":"33445522"}],"#,
        "",
        &["identifier-required at Consent.identifier"],
    );
    fast(
        r#""performer":[{"identifier""#,
        r#""performer":[{"display""#,
        &["reference-identifier at Consent.performer[0].identifier"],
    );
    fast(
        r#""status""#,
        r#""organization":[{}],"status""#,
        &["organization-forbidden at Consent.organization"],
    );
    fast(
        r#""sourceReference""#,
        r#""sourceAttachment""#,
        &["source-by-reference at Consent.sourceAttachment"],
    );
    fast(
        r#""policyRule""#,
        r#""policy":[{}],"policyRule""#,
        &["policy-uri-required at Consent.policy[0].uri"],
    );
    fast(
        r#""period""#,
        r#""provision":[{"type":"deny","provision":[{}]}],"period""#,
        &["depth at Consent.provision.provision[0].provision"],
    );
    fast("IRCP", "CST", &["role-recipient at Consent.provision.actor[0]"]);
    let gone = fixture("fast/consent-example").text().replace(r#""provision": {"#, r#""rule": {"#);
    assert_eq!(
        violations(&parse(&gone), Profile::Fast),
        ["provision-required at Consent.provision"]
    );
    // The first draft asked for an organization; the present one forbids it.
    assert_eq!(
        violations(&fixture("fast/consent-example-first-draft"), Profile::Fast),
        [
            "identifier-required at Consent.identifier",
            "organization-forbidden at Consent.organization",
            "reference-identifier at Consent.patient.identifier",
            "reference-identifier at Consent.performer[0].identifier",
        ]
    );
}

#[test]
fn one_consent_is_written_in_the_words_of_each_profile() {
    let text = fixture("pcf/basic-treat")
        .text()
        .replace(r#""reference": "Patient/ex-patient""#, r#""reference": "Patient/ex-patient", "identifier": {"system": "http://m", "value": "1"}"#)
        .replace(r#""status": "active""#, r#""identifier": [{"system": "http://c", "value": "1"}], "status": "active""#);
    let consent = read_doc(&parse(&text), Version::R4).unwrap();
    let fast = Doc::parse(project(&consent, Profile::Fast).unwrap()).unwrap();
    assert!(fast.root().get("organization").is_none());
    let read = read_doc(&fast, Version::R4).unwrap();
    assert_eq!(read.header().controllers.len(), 1);
    assert_eq!(read.header().organizations, []);
    let back = Doc::parse(project(&read, Profile::PcfBasic).unwrap()).unwrap();
    assert!(violations(&back, Profile::PcfBasic).is_empty());
    let again = read_doc(&back, Version::R4).unwrap();
    assert_eq!(again.header().enforced_by(), consent.header().enforced_by());
    assert_eq!(again.directive(), consent.directive());
}

#[test]
fn a_projection_that_would_change_the_answer_is_refused() {
    let consent = read_doc(&fixture("pcf/intermediate-timeframe"), Version::R4).unwrap();
    assert!(project(&consent, Profile::PcfIntermediate).is_ok());
    assert!(project(&consent, Profile::PcfAdvanced).is_ok());
    let Err(ProjectionRefusal::Profile(faults)) = project(&consent, Profile::Fast) else {
        panic!()
    };
    assert_eq!(faults[0].code, Clause::ReadingDiffers);
    let Err(ProjectionRefusal::Profile(faults)) = project(&consent, Profile::PcfBasic) else {
        panic!()
    };
    assert_eq!(faults[0].code, Clause::DataPeriodForbidden);
}

#[test]
fn a_consent_outside_of_its_own_profile_has_no_form_in_another() {
    let text = fixture("pcf/advanced-normal").text().replace("consentAdvanced", "consentBasic");
    let consent = read_doc(&parse(&text), Version::R4).unwrap();
    let Err(ProjectionRefusal::Profile(faults)) = project(&consent, Profile::PcfAdvanced) else {
        panic!()
    };
    assert_eq!(faults[0].code, Clause::ReadingDiffers);
}

#[test]
fn the_other_name_of_the_recipient_becomes_the_one_that_profiles_ask_for() {
    let consent = read_doc(&fixture("hl7-r4/No-Emergency"), Version::R4).unwrap();
    let Err(ProjectionRefusal::Profile(faults)) = project(&consent, Profile::PcfBasic) else {
        panic!()
    };
    let codes: Vec<Clause> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(
        codes,
        [Clause::PerformerRequired, Clause::OrganizationRequired, Clause::PurposeOutsideValueSet,]
    );
}
