//! Pages on which staff choose: a patient, and a visit of the patient.

use proviso_app::audit::AuditSearch;
use proviso_core::audit::{AuditEntry, AuditKind};
use proviso_core::id::{ClientId, PatientId};
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::smart_app::{Proof, SmartApp};

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
