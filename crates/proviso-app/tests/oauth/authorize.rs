use proviso_app::authorize::{Answer, ChoiceProblem, Decided, PageRefusal, Step};
use proviso_app::failure::Failure;
use proviso_app::launch::{LaunchOrder, LaunchRefusal};
use proviso_app::sign_in::SignInOutcome;
use proviso_app::visits::VisitsError;
use proviso_core::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use proviso_core::consent::{Capacity, ConsentStatus, DurationChoice, OfflineAccess};
use proviso_core::decision::org_rules::proxy_sensitive;
use proviso_core::id::PatientId;
use proviso_core::secret::Secret;
use proviso_oauth::authorize::PageError;
use proviso_oauth::record::ClientAuthentication;
use proviso_store::Presence;

use crate::world::{
    BASE, BROWSER, REDIRECT, World, choice, client, everything, query_of, request, via,
};

fn refused(step: &Step) -> Option<PageRefusal> {
    if let Step::Refused { why, .. } = step { Some(*why) } else { None }
}

fn error_of(step: &Step) -> Option<String> {
    let Step::Return { url } = step else { return None };
    query_of(url).text("error").map(str::to_owned)
}

#[tokio::test]
async fn a_patient_narrows_and_gets_exactly_that_granted() {
    // Covers: SMART 53, 59, 164; P4
    let world = World::new().await;
    let some: CategorySet = [Category::Medications, Category::Laboratory].into_iter().collect();
    let code = world.code_for("maria", &request(&[]), choice(some)).await;
    let tokens = world.redeem(&code).await.unwrap();
    assert!(tokens.scope.contains("patient/MedicationRequest.rs"), "{}", tokens.scope);
    assert!(!tokens.scope.contains("patient/*"), "{}", tokens.scope);
    assert!(!tokens.scope.contains("Condition"), "{}", tokens.scope);
    assert_eq!(tokens.context.patient.as_deref(), Some("maria"));
    let consents = world.app.store().consents().await.unwrap();
    let version = &consents[0].version;
    assert_eq!(version.status, ConsentStatus::Active);
    assert_eq!(version.categories, some);
    assert_eq!(version.capacity, Capacity::Patient);
    assert_eq!(version.shown_text_hash.len(), 64);
    assert!(world.app.now() < version.period.end.unwrap());
}

#[tokio::test]
async fn nothing_is_ticked_beforehand_and_sensitive_kinds_are_apart() {
    let world = World::new().await;
    let session = world.sign_in("maria").await;
    let Step::Consent(model) = world.begin(&request(&[]), Some(&session.signed_in)).await else {
        panic!("no consent page")
    };
    assert!(model.preselected.is_empty());
    assert_eq!(model.categories, CategorySet::all());
    assert!(model.sensitive.contains(SensitiveKind::SubstanceUse));
    assert_eq!(model.offline, OfflineAccess::Allowed);
    assert_eq!(model.patient_name, "MARIA");
    assert_eq!(model.returns_to, "127.0.0.1:9123");
    assert!(!model.writes && model.identity);
}

#[tokio::test]
async fn no_is_told_to_the_app_with_state_and_issuer() {
    // Covers: SMART 54, F13, R26
    let world = World::new().await;
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    let Step::Consent(model) = world.begin(&request(&[]), person).await else {
        panic!("no consent page")
    };
    let decided = world
        .app
        .decide_authorization(&model.request, BROWSER, person, Answer::Deny, &via())
        .await
        .unwrap();
    let Decided::Step(Step::Return { url }) = decided else { panic!("{decided:?}") };
    let query = query_of(&url);
    assert_eq!(query.text("error"), Some("access_denied"));
    assert_eq!(query.text("state"), Some("xyz +&="));
    assert_eq!(query.text("iss"), Some(BASE));
    assert_eq!(query.text("code"), None);
    // The request is answered; nobody can go on with it.
    let again = world.app.continue_authorization(&model.request, BROWSER, person, &via()).await;
    assert_eq!(refused(&again.unwrap()), Some(PageRefusal::Ended));
    assert!(world.app.store().consents().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_choice_that_was_not_offered_is_a_problem_and_records_nothing() {
    let world = World::new().await;
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    let asked = request(&[("scope", "launch/patient patient/MedicationRequest.rs")]);
    let Step::Consent(model) = world.begin(&asked, person).await else { panic!("no page") };
    for (categories, expected) in [
        (CategorySet::EMPTY, ChoiceProblem::NothingChosen),
        (CategorySet::all(), ChoiceProblem::NotOffered),
    ] {
        let answer = Answer::Share(Box::new(choice(categories)));
        let decided = world
            .app
            .decide_authorization(&model.request, BROWSER, person, answer, &via())
            .await
            .unwrap();
        assert!(matches!(decided, Decided::Problem(problem) if problem == expected), "{decided:?}");
    }
    // Once, and on and on: both are offered, together they mean nothing.
    let mut once = choice([Category::Medications].into_iter().collect());
    once.duration = DurationChoice::Once;
    let more = request(&[("scope", "launch/patient offline_access patient/MedicationRequest.rs")]);
    let Step::Consent(away) = world.begin(&more, person).await else { panic!("no page") };
    let answer = Answer::Share(Box::new(once));
    let decided =
        world.app.decide_authorization(&away.request, BROWSER, person, answer, &via()).await;
    assert!(matches!(decided.unwrap(), Decided::Problem(ChoiceProblem::OnceAndAway)));
    let mut silent = choice([Category::Medications].into_iter().collect());
    silent.shown_text.clear();
    let answer = Answer::Share(Box::new(silent));
    let decided =
        world.app.decide_authorization(&model.request, BROWSER, person, answer, &via()).await;
    assert!(matches!(decided.unwrap(), Decided::Problem(ChoiceProblem::NoShownText)));
    assert!(world.app.store().consents().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_second_choice_for_the_same_app_is_the_next_version() {
    let world = World::new().await;
    let first = world.connected().await;
    let less: CategorySet = [Category::Medications].into_iter().collect();
    let code = world.code_for("maria", &request(&[]), choice(less)).await;
    world.redeem(&code).await.unwrap();
    let consents = world.app.store().consents().await.unwrap();
    assert_eq!(consents.len(), 1);
    assert_eq!(consents[0].version.number, 2);
    // P4: the token of the first grant is narrowed at once.
    let caller = world.app.authenticate_bearer(&first.access_token, world.app.now()).await.unwrap();
    let text = proviso_oauth::token::scope_text(&caller.scopes);
    assert!(!text.contains("patient/*") && text.contains("MedicationRequest"), "{text}");
}

#[tokio::test]
async fn a_proxy_picks_the_patient_and_only_one_of_theirs() {
    let world = World::new().await;
    let session = world.sign_in("wei").await;
    let person = Some(&session.signed_in);
    let step = world.begin(&request(&[]), person).await;
    let Step::PickPatient { request: id, candidates, .. } = step else { panic!("{step:?}") };
    let ids: Vec<_> = candidates.iter().map(|candidate| candidate.patient.as_str()).collect();
    assert_eq!(ids, ["lily", "ming"]);
    assert_eq!(candidates[0].name, "LILY");
    let foreign = "maria".parse().unwrap();
    let step = world.app.pick_patient(&id, BROWSER, person, &foreign, &via()).await.unwrap();
    assert!(matches!(step, Step::PickPatient { .. }), "{step:?}");
    let lily = "lily".parse().unwrap();
    let step = world.app.pick_patient(&id, BROWSER, person, &lily, &via()).await.unwrap();
    let Step::Consent(model) = step else { panic!("{step:?}") };
    assert_eq!(model.capacity, Capacity::Proxy);
    // What can never take effect for a proxy is not offered, and not recorded when it is sent.
    assert_eq!(model.sensitive, proxy_sensitive());
    for kind in SensitiveSet::all().minus(proxy_sensitive()).iter() {
        let mut beyond = everything();
        beyond.sensitive = SensitiveSet::EMPTY.with(kind);
        let answer = Answer::Share(Box::new(beyond));
        let decided =
            world.app.decide_authorization(&model.request, BROWSER, person, answer, &via()).await;
        let problem = matches!(decided.unwrap(), Decided::Problem(ChoiceProblem::NotOffered));
        assert!(problem, "{kind}");
    }
    assert!(world.app.store().consents().await.unwrap().is_empty());
    // The proxy's time ends between the page and the answer.
    world.clock.advance_secs(31 * 86_400);
    let answer = Answer::Share(Box::new(everything()));
    let decided =
        world.app.decide_authorization(&model.request, BROWSER, person, answer, &via()).await;
    assert!(matches!(decided.unwrap(), Decided::Step(Step::Refused { .. })));
}

#[tokio::test]
async fn another_browser_cannot_go_on_with_a_request() {
    // Covers: RFC 9700 §4.7 (session fixation), R23
    let world = World::new().await;
    let step = world.begin(&request(&[]), None).await;
    let Step::SignIn { request: id, .. } = step else { panic!("{step:?}") };
    let victim = world.sign_in("maria").await;
    let step = world
        .app
        .continue_authorization(&id, "another-browser", Some(&victim.signed_in), &via())
        .await
        .unwrap();
    assert_eq!(refused(&step), Some(PageRefusal::OtherBrowser));
    world.clock.advance_secs(1801);
    let step = world.app.continue_authorization(&id, BROWSER, None, &via()).await.unwrap();
    assert_eq!(refused(&step), Some(PageRefusal::Ended));
}

#[tokio::test]
async fn a_stranger_is_never_sent_to_an_app_by_an_error() {
    // Covers: R24, R2, g10 invalid_aud
    let world = World::new().await;
    let bad = request(&[("aud", "https://inferno.healthit.gov/invalid_aud")]);
    let step = world.begin(&bad, None).await;
    let Step::Refused { why: PageRefusal::App(_), return_link: Some(link) } = &step else {
        panic!("{step:?}")
    };
    assert!(link.contains("error=invalid_request"));
    let session = world.sign_in("maria").await;
    let step = world.begin(&bad, Some(&session.signed_in)).await;
    assert_eq!(error_of(&step).as_deref(), Some("invalid_request"));
    let unknown = world.begin(&request(&[("client_id", "nobody")]), None).await;
    assert_eq!(refused(&unknown), Some(PageRefusal::Request(PageError::UnknownClient)));
    let foreign = request(&[("redirect_uri", "https://evil.example/")]);
    let step = world.begin(&foreign, Some(&session.signed_in)).await;
    assert_eq!(refused(&step), Some(PageRefusal::Request(PageError::RedirectUri)));
}

#[tokio::test]
async fn prompt_and_max_age_are_kept() {
    // Covers: O1
    let world = World::new().await;
    let silent = request(&[("prompt", "none")]);
    assert_eq!(error_of(&world.begin(&silent, None).await).as_deref(), Some("login_required"));
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    world.clock.advance_secs(10);
    let again = world.begin(&request(&[("prompt", "login")]), person).await;
    assert!(matches!(again, Step::SignIn { .. }), "{again:?}");
    let old = world.begin(&request(&[("max_age", "5")]), person).await;
    assert!(matches!(old, Step::SignIn { .. }), "{old:?}");
    let young = world.begin(&request(&[("max_age", "10000")]), person).await;
    assert!(matches!(young, Step::Consent(_)), "{young:?}");
}

#[tokio::test]
async fn an_app_that_can_be_known_is_answered_silently_within_what_was_chosen() {
    // Covers: O1, RFC 8252 §8.6: a secret, or an address that is the app's own
    let world = World::new().await;
    let mut on_the_web = client("web-app", ClientAuthentication::None, "patient/*.cruds openid");
    on_the_web.redirect_uris = vec!["https://app.example/callback".to_owned()];
    world.app.save_client(on_the_web, Presence::Absent, "register", &via()).await.unwrap();
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    for (id, redirect) in [("bill-helper", REDIRECT), ("web-app", "https://app.example/callback")] {
        let app = [("client_id", id), ("redirect_uri", redirect), ("scope", "patient/*.rs")];
        let silent = request(&[&app[..], &[("prompt", "none")]].concat());
        let step = world.begin(&silent, person).await;
        assert_eq!(error_of(&step).as_deref(), Some("consent_required"), "{id}");
        world.code_for("maria", &request(&app), everything()).await;
        let step = world.begin(&silent, person).await;
        let Step::Return { url } = &step else { panic!("{step:?}") };
        assert!(query_of(url).text("code").is_some(), "{id}: {url}");
        let more = [("scope", "patient/*.cruds"), ("prompt", "none")];
        let step = world.begin(&request(&[&app[..], &more].concat()), person).await;
        assert_ne!(error_of(&step), None, "{id} gets more than was chosen");
    }
}

#[tokio::test]
async fn a_public_app_on_the_persons_machine_is_never_answered_silently() {
    // Covers: RFC 8252 §8.6
    let world = World::new().await;
    let mut native = client("native-app", ClientAuthentication::None, "patient/*.rs openid");
    native.redirect_uris = vec!["com.example.app:/callback".to_owned()];
    world.app.save_client(native, Presence::Absent, "register", &via()).await.unwrap();
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    for (id, redirect) in [
        ("glucose-coach", REDIRECT),
        ("glucose-coach", "http://127.0.0.1:50123/callback"),
        ("native-app", "com.example.app:/callback"),
    ] {
        let app = [("client_id", id), ("redirect_uri", redirect), ("scope", "patient/*.rs")];
        let silent = request(&[&app[..], &[("prompt", "none")]].concat());
        for connected in [false, true] {
            if connected {
                world.code_for("maria", &request(&app), everything()).await;
            }
            // The same answer before and after: it does not tell what was chosen.
            let step = world.begin(&silent, person).await;
            let error = error_of(&step);
            assert_eq!(error.as_deref(), Some("consent_required"), "{redirect}, {connected}");
        }
        // With the person in front of the page it goes on as ever.
        let step = world.begin(&request(&app), person).await;
        assert!(matches!(step, Step::Consent(_)), "{step:?}");
    }
}

#[tokio::test]
async fn administrators_see_no_records_and_staff_need_no_patient_consent() {
    let world = World::new().await;
    let admin = world.sign_in("admin").await;
    let step = world.begin(&request(&[]), Some(&admin.signed_in)).await;
    assert_eq!(error_of(&step).as_deref(), Some("access_denied"));
    let doctor = world.sign_in("drpatel").await;
    let step = world.begin(&request(&[]), Some(&doctor.signed_in)).await;
    assert!(matches!(step, Step::PickPatient { .. }), "{step:?}");
}

#[tokio::test]
async fn an_ehr_launch_carries_its_context_once_to_its_app_and_person() {
    // Covers: Inferno 1.3, g10 EHR launch, A18, S13
    let world = World::new().await;
    let doctor = world.sign_in("drpatel").await;
    let person = &doctor.signed_in;
    let order = LaunchOrder {
        client: "glucose-coach".parse().unwrap(),
        launch_uri: "http://127.0.0.1:9123/launch".to_owned(),
        patient: Some("maria".parse().unwrap()),
        encounter: Some("enc-1".parse().unwrap()),
        intent: Some("reconcile-medications".to_owned()),
        emergency: None,
    };
    world.visits.0.lock().unwrap().push(("maria", "enc-1"));
    let foreign = LaunchOrder { patient: Some("ming".parse().unwrap()), ..order.clone() };
    let refusal = world.app.start_launch(person, foreign, &via()).await.unwrap();
    assert_eq!(refusal, Err(LaunchRefusal::Patient));
    let unknown = LaunchOrder { launch_uri: "https://evil.example/".to_owned(), ..order.clone() };
    let refusal = world.app.start_launch(person, unknown, &via()).await.unwrap();
    assert_eq!(refusal, Err(LaunchRefusal::App));

    let url = world.app.start_launch(person, order, &via()).await.unwrap().unwrap();
    let query = query_of(&url);
    assert_eq!(query.text("iss"), Some("http://127.0.0.1:8080/fhir/r4"));
    let launch: &'static str = query.text("launch").unwrap().to_owned().leak();
    let scope = "launch openid fhirUser offline_access user/*.rs";
    let asked = request(&[("scope", scope), ("launch", launch)]);
    // Another app cannot use it, nor another person.
    let stolen = request(&[("scope", scope), ("launch", launch), ("client_id", "other-app")]);
    let step = world.begin(&stolen, Some(person)).await;
    assert_eq!(error_of(&step).as_deref(), Some("invalid_request"));
    let maria = world.sign_in("maria").await;
    let step = world.begin(&asked, Some(&maria.signed_in)).await;
    assert_eq!(error_of(&step).as_deref(), Some("invalid_request"));

    let Step::Operational(model) = world.begin(&asked, Some(person)).await else {
        panic!("no page for staff")
    };
    assert_eq!(model.patient.as_ref().map(PatientId::as_str), Some("maria"));
    let answer = Answer::ActWithinRole;
    let decided = world
        .app
        .decide_authorization(&model.request, BROWSER, Some(person), answer, &via())
        .await
        .unwrap();
    let Decided::Step(Step::Return { url }) = decided else { panic!("{decided:?}") };
    let tokens = world.redeem(query_of(&url).text("code").unwrap()).await.unwrap();
    let body = serde_json::to_value(&tokens).unwrap();
    assert_eq!(body["patient"], "maria");
    assert_eq!(body["encounter"], "enc-1");
    assert_eq!(body["intent"], "reconcile-medications");
    assert_eq!(body["need_patient_banner"], true);
    assert_eq!(body["smart_style_url"], "http://127.0.0.1:8080/launch/smart-style.json");
    assert!(body["id_token"].is_string());
    assert!(world.app.store().consents().await.unwrap().is_empty());
    // Once only.
    let step = world.begin(&asked, Some(person)).await;
    assert_eq!(error_of(&step).as_deref(), Some("invalid_request"));
}

fn order(patient: Option<&str>, visit: Option<&str>) -> LaunchOrder {
    LaunchOrder {
        client: "glucose-coach".parse().unwrap(),
        launch_uri: "http://127.0.0.1:9123/launch".to_owned(),
        patient: patient.map(|id| id.parse().unwrap()),
        encounter: visit.map(|id| id.parse().unwrap()),
        intent: None,
        emergency: None,
    }
}

#[tokio::test]
async fn an_app_is_started_with_a_visit_of_its_patient_or_with_none() {
    // Covers: SMART App Launch 2.2 §EHR launch: the context is one that the person may open
    let world = World::new().await;
    let doctor = world.sign_in("drpatel").await;
    let person = &doctor.signed_in;
    world.visits.0.lock().unwrap().extend([("maria", "enc-1"), ("lily", "enc-2")]);
    for (patient, visit, expected) in [
        (Some("maria"), Some("enc-1"), None),
        (Some("lily"), Some("enc-2"), None),
        (Some("maria"), None, None),
        (None, None, None),
        // Another patient's, nobody's, and one of no patient in particular.
        (Some("maria"), Some("enc-2"), Some(LaunchRefusal::Visit)),
        (Some("maria"), Some("enc-9"), Some(LaunchRefusal::Visit)),
        (None, Some("enc-1"), Some(LaunchRefusal::Visit)),
        (Some("ming"), Some("enc-1"), Some(LaunchRefusal::Patient)),
    ] {
        let result = world.app.start_launch(person, order(patient, visit), &via()).await.unwrap();
        assert_eq!(result.err(), expected, "{patient:?} {visit:?}");
    }
    let maria = "maria".parse().unwrap();
    let list = world.app.visits_of(person, &maria, &via()).await.unwrap().unwrap();
    assert_eq!(list.newest_first.len(), 1);
    let ming = "ming".parse().unwrap();
    let list = world.app.visits_of(person, &ming, &via()).await.unwrap();
    assert_eq!(list, Err(LaunchRefusal::Patient));
}

#[tokio::test]
async fn a_visit_that_was_closed_since_the_launch_is_given_to_no_app() {
    // Covers: SMART App Launch 2.2 §EHR launch: checked again when the launch is redeemed
    let world = World::new().await;
    let doctor = world.sign_in("drpatel").await;
    let person = Some(&doctor.signed_in);
    let set = |visits: &[(&'static str, &'static str)]| {
        *world.visits.0.lock().unwrap() = visits.to_vec();
    };
    let redeemed = async || {
        set(&[("maria", "enc-1")]);
        let order = order(Some("maria"), Some("enc-1"));
        let started = world.app.start_launch(&doctor.signed_in, order, &via()).await;
        let launch: &'static str =
            query_of(&started.unwrap().unwrap()).text("launch").unwrap().to_owned().leak();
        request(&[("scope", "launch patient/*.rs"), ("launch", launch)])
    };
    // Closed before the app comes with the launch.
    let asked = redeemed().await;
    set(&[]);
    let step = world.begin(&asked, person).await;
    assert_eq!(error_of(&step).as_deref(), Some("access_denied"), "{step:?}");
    // Closed while the page is open, or not.
    for still_open in [true, false] {
        let asked = redeemed().await;
        let step = world.begin(&asked, person).await;
        let Step::Operational(model) = step else { panic!("{step:?}") };
        if !still_open {
            set(&[]);
        }
        let answer = Answer::ActWithinRole;
        let decided =
            world.app.decide_authorization(&model.request, BROWSER, person, answer, &via()).await;
        let Decided::Step(step) = decided.unwrap() else { panic!("no step") };
        let expected = (!still_open).then_some("access_denied");
        assert_eq!(error_of(&step).as_deref(), expected, "{step:?}");
    }
}

#[tokio::test]
async fn without_a_data_plane_no_visit_is_put_in_context() {
    let World { app, visits, .. } = World::new().await;
    let via = via();
    let password = Secret::new("proviso-demo".to_owned());
    let signed_in = app.sign_in("drpatel", password, None, &via).await.unwrap();
    let SignInOutcome::SignedIn(doctor) = signed_in else { panic!("{signed_in:?}") };
    drop(visits);
    let visit = order(Some("maria"), Some("enc-1"));
    let result = app.start_launch(&doctor.signed_in, visit, &via).await;
    assert!(matches!(result, Err(Failure::Visits(VisitsError::NoAnswer))), "{result:?}");
    let none = order(Some("maria"), None);
    assert!(app.start_launch(&doctor.signed_in, none, &via).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_launch_without_a_patient_lets_staff_pick_one_and_keeps_its_context() {
    // Covers: S5, A164
    let world = World::new().await;
    let doctor = world.sign_in("drpatel").await;
    let person = &doctor.signed_in;
    let order = LaunchOrder {
        client: "glucose-coach".parse().unwrap(),
        launch_uri: "http://127.0.0.1:9123/launch".to_owned(),
        patient: None,
        encounter: None,
        intent: Some("look-up".to_owned()),
        emergency: None,
    };
    let url = world.app.start_launch(person, order, &via()).await.unwrap().unwrap();
    let launch: &'static str = query_of(&url).text("launch").unwrap().to_owned().leak();
    let asked = request(&[("scope", "launch patient/*.rs"), ("launch", launch)]);
    let step = world.begin(&asked, Some(person)).await;
    let Step::PickPatient { request: id, .. } = step else { panic!("{step:?}") };
    let lily = "lily".parse().unwrap();
    let step = world.app.pick_patient(&id, BROWSER, Some(person), &lily, &via()).await.unwrap();
    let Step::Operational(model) = step else { panic!("{step:?}") };
    assert_eq!(model.patient, Some(lily));
    let answer = Answer::ActWithinRole;
    let decided =
        world.app.decide_authorization(&model.request, BROWSER, Some(person), answer, &via()).await;
    let Decided::Step(Step::Return { url }) = decided.unwrap() else { panic!("no code") };
    let tokens = world.redeem(query_of(&url).text("code").unwrap()).await.unwrap();
    assert_eq!(tokens.context.patient.as_deref(), Some("lily"));
    assert_eq!(tokens.context.intent.as_deref(), Some("look-up"));
}

#[tokio::test]
async fn once_means_one_hour_and_no_refresh_token() {
    let world = World::new().await;
    let mut once = everything();
    once.duration = DurationChoice::Once;
    once.offline = OfflineAccess::Refused;
    let code = world.code_for("maria", &request(&[]), once).await;
    let tokens = world.redeem(&code).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    assert!(!tokens.scope.contains("offline_access"));
    let consents = world.app.store().consents().await.unwrap();
    assert_eq!(consents[0].version.period.end, Some(world.app.now().plus_secs(3600)));
}

#[tokio::test]
async fn nothing_is_given_when_the_log_cannot_be_written() {
    // Covers: P3
    let world = World::new().await;
    let session = world.sign_in("maria").await;
    let person = Some(&session.signed_in);
    let Step::Consent(model) = world.begin(&request(&[]), person).await else { panic!("page") };
    world.faults.fail_commits(true);
    let answer = Answer::Share(Box::new(everything()));
    let decided = world
        .app
        .decide_authorization(&model.request, BROWSER, person, answer.clone(), &via())
        .await;
    assert!(decided.is_err());
    assert!(world.app.store().consents().await.unwrap().is_empty());
    world.faults.fail_commits(false);
    let decided =
        world.app.decide_authorization(&model.request, BROWSER, person, answer, &via()).await;
    assert!(matches!(decided.unwrap(), Decided::Step(Step::Return { .. })));
}
