//! Pages on which staff choose: a patient, and a visit of the patient.

use std::collections::BTreeSet;

use proviso_app::audit::AuditSearch;
use proviso_app::records::Match;
use proviso_app::via::Via;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::id::{ClientId, PatientId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_oauth::record::TokenHash;
use proviso_store::Batch;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::smart_app::{LOOPBACK, Proof, SmartApp, everything};
use url::Url;

const CHART_LENS: (&str, &str) = ("app", "chart-lens http://127.0.0.1:9123/launch");

async fn logged(world: &DemoWorld, kind: AuditKind) -> Vec<AuditEntry> {
    let search = AuditSearch { kinds: vec![kind], limit: 1000, ..AuditSearch::default() };
    let page = world.app.search_audit(&search).await.unwrap();
    page.entries.into_iter().map(|logged| logged.entry).collect()
}

/// What somebody reads on the list of what happened to their records.
async fn activity_of(world: &DemoWorld, username: &str, language: &str) -> String {
    let mut browser = world.signed_in(username).await.unwrap();
    browser.go(&world.url(&format!("/portal/activity?lang={language}"))).await.unwrap();
    browser.text()
}

// Covers: design §9: who saw what, for which app, in the patient's own list and words
#[tokio::test]
async fn patients_see_who_saw_their_names_and_for_which_app() {
    let world = DemoWorld::start().await.unwrap();
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    doctor.go(&world.url("/launch")).await.unwrap();
    let entries = logged(&world, AuditKind::NamesShown).await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    let patients: Vec<&str> = entry.patients.iter().map(PatientId::as_str).collect();
    assert_eq!(patients, ["lily", "maria"]);
    assert_eq!((entry.action.as_str(), &entry.client), ("launch", &None));
    assert!(entry.account.is_some() && entry.session.is_some() && entry.request.is_some());
    let plain = "Dr. Anika Patel saw your name in a list of patients.";
    assert!(activity_of(&world, "maria", "en").await.contains(plain));
    let in_spanish = "Su nombre estaba en una lista de pacientes que vio Dr. Anika Patel.";
    assert!(activity_of(&world, "maria", "es").await.contains(in_spanish));

    let scope = "launch/patient openid patient/*.rs";
    let app = SmartApp::new(&world.origin, "chart-lens", Proof::Public, scope);
    doctor.go(&app.launch().unwrap().url).await.unwrap();
    assert!(doctor.form_with("patient").is_ok(), "{}", doctor.text());
    let entries = logged(&world, AuditKind::NamesShown).await;
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].client.as_ref().map(ClientId::as_str), Some("chart-lens"));
    let for_app =
        "Dr. Anika Patel saw your name in a list of patients, to choose one for Chart Lens.";
    assert!(activity_of(&world, "maria", "en").await.contains(for_app));
    // Whose names were not on it reads nothing of it.
    assert!(!activity_of(&world, "james", "en").await.contains("in a list of patients"));
}

/// The ids of every visit of a patient, those of sensitive kinds too: what the patient's app sees.
async fn visits_of(world: &DemoWorld, username: &str) -> BTreeSet<String> {
    let app = SmartApp::glucose_coach(&world.origin, "launch/patient patient/*.rs");
    let mut browser = Browser::new().unwrap();
    let mut choices = everything();
    // Confidential teen care is offered to nobody of full age.
    let kinds = SensitiveSet::all().iter().filter(|kind| *kind != SensitiveKind::Adolescent);
    choices.extend(kinds.map(|kind| ("sensitive", kind.code())));
    let tokens = app.connect(&mut browser, username, &choices).await.unwrap();
    let path = format!("Encounter?patient={}&_count=1000", tokens.text("patient"));
    let bundle = app.fhir(tokens.access(), &path).await.unwrap().json().unwrap();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let id = |entry: &serde_json::Value| entry["resource"]["id"].as_str().unwrap().to_owned();
    // A notice may accompany the records; it is none of them.
    entries.iter().filter(|entry| entry["search"]["mode"] != "outcome").map(id).collect()
}

/// Opens the list of a patient's visits in the browser of somebody who has signed in.
async fn choose_visit(world: &DemoWorld, browser: &mut Browser, patient: &str) {
    browser.stop_at = Some(LOOPBACK.to_owned());
    browser.go(&world.url("/launch")).await.unwrap();
    let form = browser.form_with("app").unwrap();
    let fields = [CHART_LENS, ("patient", patient), ("step", "visit")];
    browser.submit(&form, &fields).await.unwrap();
}

/// The visits that the page offers.
fn offered(browser: &Browser) -> BTreeSet<String> {
    let form = browser.form_with("encounter").unwrap();
    let radios = form.controls.iter().filter(|control| control.name() == "encounter");
    radios.map(|control| control.value().to_owned()).filter(|id| !id.is_empty()).collect()
}

fn launch_in(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "launch").unwrap().1.into_owned()
}

/// Which visit a launch is about, as it is stored.
async fn visit_of_launch(world: &DemoWorld, url: &Url) -> Option<String> {
    let hash = TokenHash::of(&launch_in(url));
    let ticket = world.app.store().launch_ticket(&hash).await.unwrap().unwrap();
    assert_eq!(ticket.context.patient.as_ref().map(PatientId::as_str), Some("maria"));
    ticket.context.encounter.map(|id| id.to_string())
}

// Covers: SMART App Launch 2.2 §EHR launch; design §11 (pages work without JavaScript)
#[tokio::test]
async fn a_clinician_chooses_one_of_the_patients_visits_or_none() {
    let world = DemoWorld::start().await.unwrap();
    let all = visits_of(&world, "maria").await;
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    choose_visit(&world, &mut doctor, "maria").await;
    assert_eq!(doctor.page.status, 200, "{}", doctor.text());
    assert!(doctor.text().contains("Which visit of Maria Alvarez?"), "{}", doctor.text());
    let offered = offered(&doctor);
    assert!(!offered.is_empty() && offered.is_subset(&all), "{offered:?}");
    // Treatment for substance use is not shown to her primary care physician.
    assert_ne!(offered, all);

    let form = doctor.form_with("encounter").unwrap();
    doctor.submit(&form, &[]).await.unwrap();
    assert_eq!(visit_of_launch(&world, &doctor.url).await, None);
    choose_visit(&world, &mut doctor, "maria").await;
    let visit = offered.first().unwrap();
    doctor.submit(&form, &[("encounter", visit)]).await.unwrap();
    assert_eq!(visit_of_launch(&world, &doctor.url).await.as_ref(), Some(visit));
}

// Covers: design §9: a look at visits is a read like any other
#[tokio::test]
async fn a_look_at_visits_is_in_the_patients_log() {
    let world = DemoWorld::start().await.unwrap();
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    choose_visit(&world, &mut doctor, "maria").await;
    let offered = offered(&doctor);
    let entries = logged(&world, AuditKind::Access).await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.interaction, Some(Interaction::Search));
    assert_eq!(entry.resource_type, Some(ResourceType::ENCOUNTER));
    assert_eq!(usize::try_from(entry.released).unwrap(), offered.len());
    let named: BTreeSet<String> = entry.resources.iter().map(|(_, id)| id.to_string()).collect();
    assert_eq!(named, offered);
    assert!(entry.withheld > 0 && entry.decision.is_some() && entry.policy_version.is_some());
    assert!(entry.client.is_none() && entry.account.is_some() && entry.session.is_some());
    let activity = activity_of(&world, "maria", "en").await;
    assert!(activity.contains("Dr. Anika Patel saw"), "{activity}");
    assert!(activity.contains("A clinician who treats you looked at this."), "{activity}");
}

// Covers: design §7: hidden, foreign and absent records are refused alike
#[tokio::test]
async fn a_visit_that_is_not_to_be_had_is_refused_in_one_way() {
    let world = DemoWorld::start().await.unwrap();
    let all = visits_of(&world, "maria").await;
    let of_james = visits_of(&world, "james").await;
    let of_lily = visits_of(&world, "lily").await;
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    choose_visit(&world, &mut doctor, "maria").await;
    let seen = offered(&doctor);
    let hidden = all.difference(&seen).next().unwrap();
    let form = doctor.form_with("encounter").unwrap();
    let mut answers = BTreeSet::new();
    for visit in [
        hidden.as_str(),
        of_james.first().unwrap(),
        of_lily.first().unwrap(),
        "nothing-of-this-name",
        "no id at all",
    ] {
        doctor.submit(&form, &[("encounter", visit)]).await.unwrap();
        assert_eq!(doctor.page.status, 422, "{visit}: {}", doctor.text());
        let wrong = "This is not one of this patient’s visits that you may open.";
        assert!(doctor.text().contains(wrong), "{visit}: {}", doctor.text());
        answers.insert(doctor.text());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Not her patient at all: no list, no launch.
    for fields in [
        vec![("patient", "james"), ("step", "visit")],
        vec![("patient", "james"), ("encounter", of_james.first().unwrap().as_str())],
        vec![("patient", "nobody"), ("step", "visit")],
    ] {
        doctor.submit(&form, &fields).await.unwrap();
        assert_eq!(doctor.page.status, 403, "{fields:?}: {}", doctor.text());
    }
}

// Covers: SMART App Launch 2.2 §EHR launch: checked again when the launch is redeemed
#[tokio::test]
async fn a_visit_that_is_gone_since_the_launch_is_given_to_no_app() {
    let world = DemoWorld::start().await.unwrap();
    let mut doctor = world.signed_in("drpatel").await.unwrap();
    choose_visit(&world, &mut doctor, "maria").await;
    let offered: Vec<String> = offered(&doctor).into_iter().collect();
    let [stays, goes, ..] = offered.as_slice() else { panic!("{offered:?}") };
    let form = doctor.form_with("encounter").unwrap();
    let app = SmartApp::new(&world.origin, "chart-lens", Proof::Public, "launch patient/*.rs");
    for (visit, error) in [(stays, None), (goes, Some("access_denied"))] {
        doctor.submit(&form, &[("encounter", visit)]).await.unwrap();
        let launch = launch_in(&doctor.url);
        if error.is_some() {
            let id: ResourceId = visit.parse().unwrap();
            let records = world.app.records();
            let deletion = records.delete(ResourceType::ENCOUNTER, &id, Match::Any).await;
            let kind = AuditKind::Import;
            let entry = world.app.draft_entry(&Via::default(), kind, AuditOutcome::Success, "test");
            let ops = deletion.unwrap().take_ops();
            world.app.commit(Batch::from(ops), entry.unwrap()).await.unwrap();
        }
        let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
        doctor.go(&launch.url).await.unwrap();
        let told = doctor.url.query_pairs().find(|(name, _)| name == "error");
        assert_eq!(told.as_ref().map(|(_, code)| code.as_ref()), error, "{}", doctor.url);
        if error.is_none() {
            assert!(doctor.form_with("decision").is_ok(), "{}", doctor.text());
        }
    }
}
