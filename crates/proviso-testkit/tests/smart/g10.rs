//! What the ONC (g)(10) kit adds to the launches.

use std::collections::BTreeSet;

use proviso_testkit::browser::Browser;
use proviso_testkit::smart_app::{LOOPBACK, SmartApp, Tokens, everything};

use crate::world::{
    CLINICIAN, PATIENT, World, begin_by_form, check_error, check_token_response, parameter, scopes,
    signed_in, told,
};

/// The types of `g10_smart_scopes` in the patient compartment (US Core 7).
const COMPARTMENT: &[&str] = &[
    "Patient",
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Procedure",
    "Provenance",
    "ServiceRequest",
    "Specimen",
];

/// The kit's default list of types.
const TYPES: &[&str] = &[
    "Medication",
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "Location",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Specimen",
];

fn default_scopes(launch: &str, context: &str, suffix: &str) -> String {
    let types = TYPES.iter().map(|name| format!("{context}/{name}.{suffix}"));
    let types: Vec<String> = types.collect();
    format!("{launch} openid fhirUser offline_access {}", types.join(" "))
}

/// `g10_smart_scopes`.
fn check_scopes(launch: &str, context: &str, granted: &str) {
    let granted = scopes(granted);
    for needed in [launch, "openid", "fhirUser", "offline_access"] {
        assert!(granted.contains(&needed), "{needed}");
    }
    let mut types = BTreeSet::new();
    for scope in &granted {
        let Some((of, rest)) = scope.split_once('/') else { continue };
        if of == "launch" {
            continue;
        }
        let (name, level) = rest.split_once('.').unwrap();
        assert!(level == "read" || level == "rs", "{scope}");
        if COMPARTMENT.contains(&name) {
            assert_eq!(of, context, "{scope}");
        }
        types.insert(name);
    }
    for name in COMPARTMENT {
        assert!(types.contains(name) || types.contains("*"), "{name} was not granted");
    }
}

/// `g10_unrestricted_resource_type_access`: the first US Core search of each type answers 200.
async fn check_unrestricted(world: &World, tokens: &Tokens) {
    for query in [
        "AllergyIntolerance?patient=maria",
        "CarePlan?patient=maria&category=assess-plan",
        "CareTeam?patient=maria&status=active",
        "Condition?patient=maria",
        "Coverage?patient=maria",
        "Device?patient=maria",
        "DiagnosticReport?patient=maria&category=LAB",
        "DocumentReference?patient=maria",
        "Encounter?patient=maria",
        "Goal?patient=maria",
        "Immunization?patient=maria",
        "MedicationDispense?patient=maria",
        "MedicationRequest?patient=maria&intent=order",
        "Observation?patient=maria&code=59408-5",
        "Procedure?patient=maria",
        "QuestionnaireResponse?patient=maria",
        "RelatedPerson?patient=maria",
        "ServiceRequest?patient=maria",
        "Specimen?patient=maria",
    ] {
        let answer = world.read(tokens.access(), query).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert_eq!(answer.json().unwrap()["resourceType"], "Bundle", "{query}");
    }
}

// Covers: ONC (g)(10) group 1 `g10_smart_scopes`, `g10_unauthorized_access`,
// `g10_patient_context`, `g10_unrestricted_resource_type_access`
#[tokio::test]
async fn a_patient_app_with_the_default_scopes_reads_every_type() {
    let world = World::new().await;
    let app = world.app("bill-helper", &default_scopes("launch/patient", "patient", "rs"));
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    check_scopes("launch/patient", "patient", tokens.text("scope"));
    let patient = format!("{}/Patient/maria", world.base());
    assert_eq!(world.http.get(&patient, &[]).await.unwrap().status, 401);
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 200);
    check_unrestricted(&world, &tokens).await;
}

// Covers: ONC (g)(10) group 3, for a practitioner, by POST
#[tokio::test]
async fn a_practitioner_app_with_the_default_scopes_reads_every_type() {
    let world = World::new().await;
    let app = world.app("chart-lens", &default_scopes("launch", "user", "rs"));
    let mut browser = Browser::new().unwrap();
    let (_, launch) =
        world.start_from_ehr(&mut browser, "drpatel", "chart-lens", "maria", None).await;
    let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    begin_by_form(&world, &mut browser, &launch).await;
    app.answer(&mut browser, "drpatel", &[]).await.unwrap();
    let code = app.code(&launch, &browser.url).unwrap();
    let tokens = check_token_response(&app.exchange(&launch, &code).await.unwrap());
    check_scopes("launch", "user", tokens.text("scope"));
    check_unrestricted(&world, &tokens).await;
}

// Covers: ONC (g)(10) 9.22 `g10_smart_v1_scopes_stu2_2`; S7, A126–128
#[tokio::test]
async fn an_app_of_version_one_gets_the_scopes_that_it_asked_for() {
    let world = World::new().await;
    let scope = "launch/patient openid fhirUser offline_access patient/Patient.read \
                 patient/Observation.read patient/Condition.read patient/MedicationRequest.read";
    let app = world.app("old-tracker", scope);
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    for asked in scopes(scope) {
        assert!(scopes(tokens.text("scope")).contains(&asked), "{asked}");
    }
    for query in ["Patient/maria", "Observation?patient=maria", "Condition?patient=maria"] {
        assert_eq!(world.read(tokens.access(), query).await.status, 200, "{query}");
    }
    let other = world.read(tokens.access(), "Procedure?patient=maria").await;
    assert!(matches!(other.status.as_u16(), 401 | 403), "{}", other.status);

    // The whole list of the kit, by an app that may ask for it.
    let app = world.app("bill-helper", &default_scopes("launch/patient", "patient", "read"));
    let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
    check_scopes("launch/patient", "patient", tokens.text("scope"));
    check_unrestricted(&world, &tokens).await;
}

// Covers: ONC (g)(10) group 2 `g10_limited_scope_grant`, `g10_restricted_resource_type_access`
#[tokio::test]
async fn a_limited_app_gets_exactly_the_types_that_the_patient_left() {
    let world = World::new().await;
    let app = world.app("bill-helper", &default_scopes("launch/patient", "patient", "rs"));
    let mut browser = Browser::new().unwrap();
    let choices = [
        ("category", "demographics"),
        ("category", "problems"),
        ("category", "vitals"),
        ("duration", "30-days"),
        ("offline", "yes"),
    ];
    let tokens = app.connect(&mut browser, "maria", &choices).await.unwrap();
    let granted = scopes(tokens.text("scope"));
    // As the kit decides it: by how the scope starts.
    let has = |name: &str| {
        granted.iter().any(|scope| {
            scope.starts_with(&format!("patient/{name}")) || scope.starts_with("patient/*")
        })
    };
    let expected = ["Patient", "Condition", "Observation"];
    let tested =
        COMPARTMENT.iter().filter(|name| !matches!(**name, "Provenance")).chain(&["Device"]);
    for name in tested {
        assert_eq!(has(name), expected.contains(name), "{name}: {granted:?}");
    }
    for (query, allowed) in [
        ("Patient/maria", true),
        ("Condition?patient=maria", true),
        ("Observation?patient=maria&code=59408-5", true),
        ("AllergyIntolerance?patient=maria", false),
        ("CarePlan?patient=maria&category=assess-plan", false),
        ("CareTeam?patient=maria&status=active", false),
        ("Coverage?patient=maria", false),
        ("Device?patient=maria", false),
        ("DiagnosticReport?patient=maria&category=LAB", false),
        ("DocumentReference?patient=maria", false),
        ("Encounter?patient=maria", false),
        ("Goal?patient=maria", false),
        ("Immunization?patient=maria", false),
        ("MedicationDispense?patient=maria", false),
        ("MedicationRequest?patient=maria&intent=order", false),
        ("Procedure?patient=maria", false),
        ("ServiceRequest?patient=maria", false),
    ] {
        let status = world.read(tokens.access(), query).await.status.as_u16();
        if allowed {
            assert_eq!(status, 200, "{query}");
        } else {
            assert!(matches!(status, 401 | 403), "{query}: {status}");
        }
    }
}

// Covers: ONC (g)(10) 9.26 / 9.28 `g10_smart_granular_scope_selection_stu2_2`
#[tokio::test]
async fn a_patient_picks_kinds_inside_a_type_and_gets_granular_scopes() {
    let world = World::new().await;
    let scope = "launch/patient openid fhirUser offline_access \
                 patient/Condition.rs patient/Observation.rs patient/Patient.rs";
    let app = world.app("glucose-coach", scope);
    let mut browser = Browser::new().unwrap();
    let choices = [
        ("category", "demographics"),
        ("category", "problems"),
        ("category", "laboratory"),
        ("duration", "30-days"),
        ("offline", "yes"),
    ];
    let tokens = app.connect(&mut browser, "maria", &choices).await.unwrap();
    let granted = scopes(tokens.text("scope"));
    for name in ["Condition", "Observation"] {
        let granular = format!("patient/{name}.rs?");
        assert!(granted.iter().any(|scope| scope.starts_with(&granular)), "{granted:?}");
        let whole = format!("patient/{name}.");
        let is_whole = |scope: &&str| scope.starts_with(&whole) && !scope.contains('?');
        assert!(!granted.iter().any(is_whole), "{granted:?}");
    }
    assert!(granted.contains(&"patient/Patient.rs"));
}

// Covers: ONC (g)(10) 9.4 `g10_smart_invalid_aud`; SMART App Launch 2.2 §aud
#[tokio::test]
async fn no_code_for_another_servers_audience() {
    let world = World::new().await;
    let app = world.coach();
    for aud in [Some("https://inferno.healthit.gov/invalid_aud"), Some(""), None] {
        let launch = app.launch_with(&[("aud", aud)]).unwrap();
        // R24: nobody signed in, so the person is told by a page.
        let mut stranger = Browser::new().unwrap();
        let url = told(&mut stranger, &launch).await;
        assert!(!url.as_str().starts_with(LOOPBACK), "{aud:?}: {url}");
        let mut maria = signed_in(&world, "maria").await;
        let url = told(&mut maria, &launch).await;
        assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{aud:?}: {url}");
        assert_eq!(parameter(&url, "code"), None);
        assert_eq!(parameter(&url, "state"), Some(launch.state.clone()));
    }
}

// Covers: ONC (g)(10) 9.17 `g10_smart_invalid_token_request_stu2_2`
#[tokio::test]
async fn a_bad_code_is_400_and_a_bad_client_is_refused() {
    let world = World::new().await;
    let app = world.coach();
    let launch = app.launch().unwrap();
    check_error(&app.exchange(&launch, "BAD_CODE").await.unwrap(), 400, "invalid_grant");
    let mut browser = Browser::new().unwrap();
    let code = app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
    let bad = SmartApp { client_id: "BAD_CLIENT_ID".to_owned(), ..app.clone() };
    let answer = bad.exchange(&launch, &code).await.unwrap();
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{}", answer.text());
    // R15's twin for codes: a stranger's attempt does not use the code up.
    check_token_response(&app.exchange(&launch, &code).await.unwrap());
}

// Covers: ONC (g)(10) 9.18 `g10_smart_invalid_pkce_code_verifier_group_stu2_2`; A31; RFC 7636 §4.6
#[tokio::test]
async fn four_ways_to_get_the_verifier_wrong_are_refused() {
    let world = World::new().await;
    let app = world.coach();
    let mut browser = signed_in(&world, "maria").await;
    let random = "1c1d3e56-8c2b-4d5e-9f0a-000000000000-1c1d3e56-8c2b-4d5e-9f0a-000000000001";
    for what in ["none", "empty", "random", "the challenge itself"] {
        let launch = app.launch().unwrap();
        let code = app.code_for(&launch, &mut browser, "maria", &everything()).await.unwrap();
        let challenge = {
            let url = url::Url::parse(&launch.url).unwrap();
            parameter(&url, "code_challenge").unwrap()
        };
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", app.redirect_uri.as_str()),
        ];
        match what {
            "none" => {}
            "empty" => fields.push(("code_verifier", "")),
            "random" => fields.push(("code_verifier", random)),
            _ => fields.push(("code_verifier", &challenge)),
        }
        let answer = app.token(&fields).await.unwrap();
        check_error(&answer, 400, "invalid_grant");
    }
}

// Covers: ONC (g)(10) 9.3 `g10_token_revocation`: by the patient, at once
#[tokio::test]
async fn a_patient_stops_an_app_and_its_tokens_are_dead() {
    let world = World::new().await;
    let (app, tokens, mut browser) = world.maria_connected().await;
    browser.stop_at = None;
    browser.go(&world.url("/portal/apps")).await.unwrap();
    browser.follow("Stop sharing").await.unwrap();
    let stop = browser
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action.ends_with("/stop")));
    browser.submit(&stop.unwrap(), &[]).await.unwrap();
    assert_eq!(browser.page.status, 200);
    let read = world.read(tokens.access(), "Patient/maria").await;
    assert_eq!(read.status, 401);
    check_error(&app.refresh(tokens.refresh()).await.unwrap(), 400, "invalid_grant");
}

// Covers: ONC (g)(10) attestation AUT-PAT-11: the patient sees and decides on access while away
#[tokio::test]
async fn the_consent_page_says_what_offline_access_means_and_lets_the_patient_leave_it_out() {
    let world = World::new().await;
    let app = world.app("glucose-coach", PATIENT);
    let mut browser = Browser::new().unwrap();
    browser.go(&app.launch().unwrap().url).await.unwrap();
    browser.sign_in("maria", "proviso-demo").await.unwrap();
    let form = browser.form_with("decision").unwrap();
    let offline = form.controls.iter().find(|control| control.name() == "offline").unwrap();
    assert!(!offline.checked(), "nothing is ticked beforehand");
    let mut choices = everything();
    choices.retain(|(name, _)| *name != "offline");
    let tokens = app.connect(&mut browser, "maria", &choices).await.unwrap();
    assert!(tokens.body.get("refresh_token").is_none());
    assert!(!scopes(tokens.text("scope")).contains(&"offline_access"));
}

// Covers: ONC (g)(10) group 1, encounter context is the EHR's to give
#[tokio::test]
async fn staff_and_patients_are_told_apart() {
    let world = World::new().await;
    // An officer and an administrator see no clinical data, whatever the app asks for.
    let app = world.app("chart-lens", CLINICIAN);
    for username in ["priya", "admin", "sol"] {
        let mut browser = signed_in(&world, username).await;
        let url = told(&mut browser, &app.launch().unwrap()).await;
        assert_eq!(parameter(&url, "error").as_deref(), Some("access_denied"), "{username}: {url}");
    }
}
