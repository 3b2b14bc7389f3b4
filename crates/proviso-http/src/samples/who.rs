//! Samples of the pages that say who could see what.

use askama::Template;
use proviso_app::simulate::{
    Answered, PossibleSubject, Simulated, SimulatedRecord, SimulatedSubject, SubjectStanding,
    Verdict,
};
use proviso_core::decision::Labels;
use proviso_core::id::DecisionId;
use proviso_core::resource_type::ResourceType;

use super::*;
use crate::portal::who::{Losing, WhoPage, WhoRecordsPage};

fn subject(standing: SubjectStanding, client: &str, account: &str, name: &str) -> SimulatedSubject {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    SimulatedSubject {
        who: PossibleSubject {
            standing,
            client: some(client).map(|id| id.parse().unwrap()),
            account: some(account).map(|id| id.parse().unwrap()),
            consents: Vec::new(),
            in_confidence: standing == SubjectStanding::App,
        },
        name: name.to_owned(),
        for_name: (standing == SubjectStanding::App).then(|| "Maria Alvarez".to_owned()),
        refused: Vec::new(),
        refused_after: Vec::new(),
    }
}

fn answered(before: bool, after: bool) -> Answered {
    let verdict = |permitted| Verdict { permitted, reasons: vec![ReasonCode::ConsentInForce] };
    Answered { before: verdict(before), after: Some(verdict(after)) }
}

fn record(
    id: &str,
    title: Option<&str>,
    day: Option<&str>,
    kind: Option<Category>,
) -> SimulatedRecord {
    let start = day.map(|day| at(&format!("{day}T08:00:00Z")));
    SimulatedRecord {
        resource_type: ResourceType::OBSERVATION,
        id: id.parse().unwrap(),
        categories: kind.into_iter().collect(),
        labels: Labels::Known(SensitiveSet::EMPTY),
        period: start.map(|start| Period { start: Some(start), end: None }),
        title: title.map(str::to_owned),
        answers: vec![
            Some(answered(true, false)),
            Some(answered(true, true)),
            Some(answered(true, true)),
            Some(answered(false, false)),
        ],
    }
}

/// An app that reaches two records, a person who acts, somebody who gives care, and a service that
/// reaches nothing.
pub(super) fn seen() -> Simulated {
    let mut hidden = record("o3", None, None, None);
    hidden.answers = vec![
        None,
        Some(answered(true, true)),
        Some(answered(false, false)),
        Some(answered(false, false)),
    ];
    Simulated {
        patient: "maria".parse().unwrap(),
        at: noon(),
        decision: DecisionId::generate(noon(), [3; 10]),
        subjects: vec![
            subject(SubjectStanding::App, "glucose-coach", "acc_maria", "Glucose Coach"),
            subject(SubjectStanding::Proxy, "", "acc_wei", "Wei Chen"),
            subject(SubjectStanding::Staff, "", "acc_patel", "Dr. Anika Patel"),
            subject(SubjectStanding::Service, "quality-study", "", "Quality Study"),
        ],
        records: vec![
            record("o1", Some("Hemoglobin A1c"), Some("2026-10-02"), Some(Category::Laboratory)),
            record("o2", Some("Metformin 500 mg"), Some("2026-11-02"), Some(Category::Medications)),
            hidden,
        ],
        next: Some((ResourceType::OBSERVATION, "o3".parse().unwrap())),
    }
}

pub(super) fn lost(
    language: Language,
    person: &Person,
    reader: Capacity,
    simulated: Option<&Simulated>,
) -> Losing {
    Losing::new(language.texts(), person, reader, "Glucose Coach", simulated)
}

pub(super) fn pages(language: Language) -> Vec<(&'static str, String)> {
    let visit_to = |address: &str| visit(language, address, Some(Menu::Portal));
    let (own, proxy) = (person(Standing::Own), person(Standing::Proxy));
    let (patient, for_proxy) = (Capacity::Patient, Capacity::Proxy);
    let seen = seen();
    let nobody = Simulated { subjects: Vec::new(), next: None, ..seen.clone() };
    let (to, of_lily) = (visit_to("/portal/who"), visit_to("/portal/who?patient=lily"));
    let page = |view: WhoPage| view.render().unwrap();
    let list = visit_to("/portal/who/records?who=app:glucose-coach:acc_maria");
    let records = WhoRecordsPage::new(&list, &own, patient, &seen, (0, 0)).unwrap();
    let second = WhoRecordsPage::new(&of_lily, &proxy, for_proxy, &seen, (0, 1)).unwrap();
    let asked = consent_request(Decider::Patient);
    let at_page = visit_to("/oauth/authorize/arq_1");
    let mut consent = ConsentPage::new(&at_page, &asked, &Ticked::default(), Vec::new());
    consent.preview =
        Some(Losing::preview(language.texts(), patient, "Glucose Coach", Some(&seen)));
    vec![
        ("consent_preview", consent.render().unwrap()),
        ("who", page(WhoPage::new(&to, &own, (patient, "acc_maria"), &seen))),
        ("who_by_proxy", page(WhoPage::new(&of_lily, &proxy, (for_proxy, "acc_wei"), &seen))),
        ("who_none", page(WhoPage::new(&to, &own, (patient, "acc_maria"), &nobody))),
        ("who_records", records.render().unwrap()),
        ("who_records_by_proxy", second.render().unwrap()),
    ]
}
