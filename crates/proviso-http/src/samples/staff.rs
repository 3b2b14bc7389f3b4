//! Samples of the pages of staff, of choosing a patient, and of the demonstration apps.

use askama::Template;
use proviso_app::visits::{Visit as PatientVisit, VisitList};

use super::*;
use crate::authorize::operational::{OperationalPage, OperationalRequest};
use crate::authorize::picker::{PickablePatient, PickerPage, PickerState, Relation};
use crate::demo::chart::{Chart, ChartPage};
use crate::demo::view::{DemoPage, DemoState, KindAnswer, KindResult, Line};
use crate::emergency::{EmergencyFacts, EmergencyPage, OpenEmergency, Typed};
use crate::launch::{
    AppAt, LaunchChoice, LaunchPage, LaunchVisitPage, LaunchableApp, LaunchablePatient, VisitOf,
};
use crate::portal::home::EmergencyLine;
use proviso_core::emergency::{Emergency, Minutes, Terms};
use proviso_core::org::EmergencyReason;

pub(super) fn picker(visit: &Visit) -> PickerPage {
    let patients = [
        PickablePatient {
            patient: "james".to_owned(),
            name: "James Okoro".to_owned(),
            relation: Relation::ActingFor,
        },
        PickablePatient {
            patient: "grace".to_owned(),
            name: "Grace Okoro".to_owned(),
            relation: Relation::You,
        },
    ];
    let action = "/oauth/authorize/arq_1".to_owned();
    PickerPage::new(visit, "Glucose Coach", action, &patients, PickerState::NothingChosen)
}

pub(super) fn operational(visit: &Visit) -> OperationalPage {
    OperationalPage::new(
        visit,
        &OperationalRequest {
            app: AppFacts {
                name: "Chart Lens".to_owned(),
                returns_to: "127.0.0.1:9123".to_owned(),
                ..AppFacts::default()
            },
            patient_name: Some("Maria Alvarez".to_owned()),
            encounter: None,
            emergency_until: Some(noon()),
            view: CategorySet::EMPTY.with(Category::Laboratory).with(Category::Vitals),
            write: CategorySet::EMPTY,
            scope_text: "launch openid fhirUser user/Observation.rs".to_owned(),
            action: "/oauth/authorize/arq_1".to_owned(),
        },
    )
}

pub(super) fn identity(visit: &Visit) -> OperationalPage {
    OperationalPage::new(
        visit,
        &OperationalRequest {
            app: glucose_coach(),
            patient_name: None,
            encounter: None,
            emergency_until: None,
            view: CategorySet::EMPTY,
            write: CategorySet::EMPTY,
            scope_text: "openid fhirUser".to_owned(),
            action: "/oauth/authorize/arq_1".to_owned(),
        },
    )
}

pub(super) fn launch(visit: &Visit) -> LaunchPage {
    let apps = [LaunchableApp {
        id: "chart-lens".to_owned(),
        name: "Chart Lens".to_owned(),
        description: "Draws a patient's chart as one timeline for the clinician.".to_owned(),
        launch_uris: vec![
            "http://127.0.0.1:8080/demo/launch".to_owned(),
            "http://127.0.0.1:9123/launch".to_owned(),
        ],
    }];
    let patients =
        [LaunchablePatient { id: "maria".parse().unwrap(), name: "Maria Alvarez".to_owned() }];
    let problems =
        vec![FieldProblem { href: "#patient", text: visit.texts().say("launch-missing-patient") }];
    let chosen = LaunchChoice::default();
    LaunchPage::new(visit, &apps, &patients, &chosen, Some("/emergency"), problems)
}

/// One emergency that is open, and a declaration that was sent back.
pub(super) fn emergency(visit: &Visit) -> EmergencyPage {
    let facts = EmergencyFacts {
        open: vec![OpenEmergency {
            id: "emg_1".parse().unwrap(),
            patient_name: "Maria <Alvarez>".to_owned(),
            until: noon(),
        }],
        apps: vec![LaunchableApp {
            id: "chart-lens".to_owned(),
            name: "Chart Lens".to_owned(),
            description: "Draws a patient's chart as one timeline for the clinician.".to_owned(),
            launch_uris: vec!["http://127.0.0.1:9123/launch".to_owned()],
        }],
        reasons: EmergencyReason::ALL.to_vec(),
    };
    let typed = Typed {
        patient: "james".to_owned(),
        reason: "life-threat".to_owned(),
        why: "<collapsed> at the bus stop".to_owned(),
        minutes: Some("61".to_owned()),
    };
    let text = visit.texts().say("emergency-missing-minutes");
    EmergencyPage::new(visit, &facts, &typed, vec![FieldProblem { href: "#minutes", text }])
}

/// What a patient reads on their first page.
pub(super) fn emergency_lines(language: Language) -> Vec<String> {
    let terms = Terms {
        by: "acc_drstone".parse().unwrap(),
        patient: "maria".parse().unwrap(),
        reason: EmergencyReason::Unresponsive,
        why: "found <unresponsive> at the bus stop".parse().unwrap(),
        minutes: Minutes::try_from(30).unwrap(),
        authenticated_at: noon(),
    };
    let own = Emergency::declare("emg_1".parse().unwrap(), terms, noon()).unwrap();
    let line = EmergencyLine { own, who: "Dr. Eli Stone".to_owned() };
    let t = language.texts();
    vec![
        line.text(t, noon(), Capacity::Patient),
        line.text(t, noon().plus_days(1), Capacity::Proxy),
    ]
}

pub(super) fn visits() -> VisitList {
    let visit = |id: &str, start: Option<&str>, what: Option<&str>| PatientVisit {
        id: id.parse().unwrap(),
        start: start.map(str::to_owned),
        what: what.map(str::to_owned),
    };
    VisitList {
        newest_first: vec![
            visit("enc-3", Some("2026-11-02T15:30:00+01:00"), Some("Follow-up <visit>")),
            visit("enc-2", Some("2024-05"), None),
            visit("enc-1", None, Some("Check-up")),
        ],
        cut: true,
    }
}

pub(super) fn launch_visit(
    visit: &Visit,
    list: &VisitList,
    problems: Vec<FieldProblem>,
) -> LaunchVisitPage {
    let app = AppAt {
        value: "chart-lens http://127.0.0.1:9123/launch".to_owned(),
        name: "Chart Lens".to_owned(),
        launch_uri: "http://127.0.0.1:9123/launch".to_owned(),
    };
    let patient = "maria".parse().unwrap();
    let of = VisitOf { app: &app, patient: &patient, patient_name: "Maria Alvarez" };
    LaunchVisitPage::new(visit, &of, list, problems)
}

pub(super) fn wrong_visit(visit: &Visit) -> LaunchVisitPage {
    let problem = FieldProblem { href: "#visit", text: visit.texts().say("launch-wrong-visit") };
    launch_visit(visit, &VisitList::default(), vec![problem])
}

pub(super) fn chart_pages(language: Language) -> Vec<(&'static str, String)> {
    let visit = visit(language, "/demo/chart", None);
    let line = |name: &str, value: &str| Line { name: name.to_owned(), value: value.to_owned() };
    let records = |key, lines: Vec<Line>, total| KindResult {
        key,
        answer: KindAnswer::Records { lines, total },
    };
    let open = Chart::Open {
        patient: "maria".to_owned(),
        asked_at: noon(),
        kinds: vec![
            records("demo-kind-patient", vec![line("Maria Alvarez", "1980-03-14")], 1),
            records("demo-kind-problems", vec![line("Type 2 diabetes", "2017-05-02")], 1),
            records("demo-kind-allergies", Vec::new(), 0),
            KindResult { key: "demo-kind-laboratory", answer: KindAnswer::Refused { status: 403 } },
        ],
    };
    let failed = Chart::Failed { answer: "invalid_request".to_owned() };
    let render = |chart: &Chart| ChartPage::new(&visit, chart).render().unwrap();
    vec![
        ("chart", render(&open)),
        ("chart_closed", render(&Chart::Closed)),
        ("chart_denied", render(&Chart::Denied)),
        ("chart_failed", render(&failed)),
    ]
}

pub(super) fn demo_pages(language: Language) -> Vec<(&'static str, String)> {
    let visit = visit(language, "/demo", None);
    let line = Line { name: "Metformin 500 mg".to_owned(), value: "2026-10-02".to_owned() };
    let connected = DemoState::Connected {
        patient: "maria".to_owned(),
        scope_text: "launch/patient patient/MedicationRequest.rs".to_owned(),
        asked_at: noon(),
        kinds: vec![
            KindResult {
                key: "demo-kind-medications",
                answer: KindAnswer::Records { lines: vec![line], total: 3 },
            },
            KindResult {
                key: "demo-kind-laboratory",
                answer: KindAnswer::Records { lines: Vec::new(), total: 0 },
            },
            KindResult { key: "demo-kind-vitals", answer: KindAnswer::Refused { status: 403 } },
        ],
    };
    let refused = DemoState::Refused { answer: "invalid_token".to_owned() };
    let render = |state: &DemoState| DemoPage::new(&visit, state).render().unwrap();
    vec![
        ("demo", render(&DemoState::NotConnected)),
        ("demo_denied", render(&DemoState::Denied)),
        ("demo_connected", render(&connected)),
        ("demo_refused", render(&refused)),
    ]
}
