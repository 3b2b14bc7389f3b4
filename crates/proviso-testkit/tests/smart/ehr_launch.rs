//! EHR launch: a clinician starts an app for a patient from the launch page.

use proviso_testkit::browser::Browser;

use crate::world::{CLINICIAN, World, check_token_response, parameter, scopes, told};

// Covers: SMART App Launch 2.2 §EHR launch; Inferno `smart_ehr_launch_stu2_2`, `smart_app_launch`,
// `smart_launch_received`; g10 group 3
#[tokio::test]
async fn a_clinician_starts_an_app_for_a_patient_and_it_gets_the_context() {
    let world = World::new().await;
    let app = world.app("chart-lens", CLINICIAN);
    let mut browser = Browser::new().unwrap();
    let visits = {
        let (_, tokens, _) = world.patel_launched(CLINICIAN).await;
        world.search(tokens.access(), "Encounter?patient=maria").await
    };
    let visit = visits.first().unwrap()["id"].as_str().unwrap();
    let (iss, launch) =
        world.start_from_ehr(&mut browser, "drpatel", "chart-lens", "maria", Some(visit)).await;
    assert_eq!(iss, world.base());
    assert!(!launch.is_empty());

    let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    let code = app.code_for(&launch, &mut browser, "drpatel", &[]).await.unwrap();
    let tokens = check_token_response(&app.exchange(&launch, &code).await.unwrap());
    assert_eq!(tokens.text("patient"), "maria");
    assert_eq!(tokens.text("encounter"), visit);
    // A173: a boolean, present after an EHR launch.
    assert!(tokens.body["need_patient_banner"].is_boolean());
    assert!(tokens.body["tenant"].is_string());
    for scope in ["launch", "openid", "fhirUser", "offline_access"] {
        assert!(scopes(tokens.text("scope")).contains(&scope), "{scope}");
    }
    // g10_patient_context, g10_encounter_context.
    for path in ["Patient/maria".to_owned(), format!("Encounter/{visit}")] {
        assert_eq!(world.read(tokens.access(), &path).await.status, 200, "{path}");
    }
    // A171: the visit stays in context after a refresh.
    let refreshed = check_token_response(&app.refresh(tokens.refresh()).await.unwrap());
    assert_eq!(refreshed.text("encounter"), visit);
}

// Covers: SMART App Launch 2.2 §context-style (A175); g10 `g10_smart_style_url`
#[tokio::test]
async fn the_style_of_an_ehr_launch_is_served_as_json() {
    let world = World::new().await;
    let (_, tokens, _) = world.patel_launched(CLINICIAN).await;
    let url = tokens.text("smart_style_url");
    let style = world.http.get(url, &[("origin", "https://anybody.example")]).await.unwrap();
    assert_eq!(style.status, 200);
    let style = style.json().unwrap();
    for name in ["color_background", "color_text", "dim_font_size", "font_family_body"] {
        assert!(style[name].is_string(), "{name}");
    }
}

// Covers: SMART App Launch 2.2 §permission-user (A140): what the user may see, and no more
#[tokio::test]
async fn user_scopes_reach_what_the_clinician_may_see_and_nothing_else() {
    let world = World::new().await;
    let (_, tokens, _) = world.patel_launched(CLINICIAN).await;
    // Her patients are Maria and Lily.
    assert_eq!(world.read(tokens.access(), "Patient/lily").await.status, 200);
    let stranger = world.read(tokens.access(), "Patient/james").await;
    let nobody = world.read(tokens.access(), "Patient/nobody-of-this-name").await;
    assert_eq!(stranger.status, nobody.status);
    assert_ne!(stranger.status, 200);
    let everybody = world.search(tokens.access(), "Patient").await;
    let ids: Vec<&str> = everybody.iter().filter_map(|patient| patient["id"].as_str()).collect();
    assert!(!ids.contains(&"james"), "{ids:?}");
}

// Covers: g10 9.19 `g10_ehr_patient_launch_stu2_2`
#[tokio::test]
async fn an_ehr_launch_may_ask_for_the_patient_alone() {
    let world = World::new().await;
    let scope = "launch openid fhirUser offline_access patient/Patient.rs";
    let (_, tokens, _) = world.patel_launched(scope).await;
    let granted = scopes(tokens.text("scope"));
    // Both patterns of the kit, `patient/Patient.r?s` and `patient/Patient.rs?`.
    assert!(granted.contains(&"patient/Patient.rs"), "{granted:?}");
    assert_eq!(world.read(tokens.access(), "Patient/maria").await.status, 200);
    // A136: one patient, even where the clinician has more.
    assert_ne!(world.read(tokens.access(), "Patient/lily").await.status, 200);
    let other = world.read(tokens.access(), "Observation?patient=maria").await;
    assert!(matches!(other.status.as_u16(), 401 | 403), "{}", other.status);
}

// Covers: SMART App Launch 2.2 §EHR launch: `launch` is opaque, short-lived and the app's own
#[tokio::test]
async fn a_launch_is_good_once_and_for_its_own_app_only() {
    let world = World::new().await;
    let app = world.app("chart-lens", CLINICIAN);
    let mut browser = Browser::new().unwrap();
    let (_, launch) =
        world.start_from_ehr(&mut browser, "drpatel", "chart-lens", "maria", None).await;

    let other = world.app("glucose-coach", CLINICIAN);
    let stolen = other.launch_with(&[("launch", Some(&launch))]).unwrap();
    let url = told(&mut browser, &stolen).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{url}");
    assert_eq!(parameter(&url, "code"), None);

    let first = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    app.code_for(&first, &mut browser, "drpatel", &[]).await.unwrap();
    let second = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    let url = told(&mut browser, &second).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{url}");

    let made_up = app.launch_with(&[("launch", Some("made-up"))]).unwrap();
    let url = told(&mut browser, &made_up).await;
    assert_eq!(parameter(&url, "error").as_deref(), Some("invalid_request"), "{url}");
}

// Covers: SMART App Launch 2.2 §scopes for requesting context data (A168, A169)
#[tokio::test]
async fn without_a_launch_the_scope_gives_no_context() {
    let world = World::new().await;
    let app = world.app("chart-lens", CLINICIAN);
    let mut browser = Browser::new().unwrap();
    let tokens = app.connect(&mut browser, "drpatel", &[]).await.unwrap();
    assert!(!scopes(tokens.text("scope")).contains(&"launch"), "{}", tokens.text("scope"));
    for name in ["patient", "encounter", "need_patient_banner", "smart_style_url"] {
        assert!(tokens.body.get(name).is_none(), "{name}");
    }
}
