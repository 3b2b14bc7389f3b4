//! What the demonstration apps show.

use askama::Template;
use proviso_core::scope::{ScopeSet, requested_categories};
use proviso_core::time::At;

use crate::frame::{Frame, Visit};
use crate::text::Texts;

/// One line of data: what it is and its value or date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// What the app got for one kind of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KindResult {
    /// Key of the kind's name.
    pub(crate) key: &'static str,
    pub(crate) answer: KindAnswer,
}

/// The FHIR server's answer for one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KindAnswer {
    /// Lines, and how many matched in all.
    Records { lines: Vec<Line>, total: u64 },
    /// The status of the refusal.
    Refused { status: u16 },
}

/// How the app stands.
#[derive(Debug, Clone)]
pub(crate) enum DemoState {
    NotConnected,
    /// The person chose not to share.
    Denied,
    /// Connecting went wrong; the error code of the answer.
    Failed {
        answer: String,
    },
    /// Access was there and is no more.
    Refused {
        answer: String,
    },
    Connected {
        patient: String,
        scope_text: String,
        asked_at: At,
        kinds: Vec<KindResult>,
    },
}

/// A notice above the rest.
#[derive(Debug)]
pub(crate) struct Message {
    pub(super) tone: &'static str,
    pub(super) role: &'static str,
    pub(super) title: String,
    pub(super) text: String,
}

impl Message {
    pub(super) fn new(visit: &Visit, tone: &'static str, role: &'static str, key: &str) -> Self {
        let t = visit.texts();
        let facts = [("organization", visit.organization.as_str())];
        Self { tone, role, title: t.say(key), text: t.with(&format!("{key}-text"), &facts) }
    }
}

/// One kind of record on the page.
#[derive(Debug)]
pub(crate) struct KindView {
    pub(super) title: String,
    pub(super) tone: &'static str,
    pub(super) count: String,
    pub(super) lines: Vec<Line>,
    pub(super) more: Option<String>,
    pub(super) empty: String,
}

#[derive(Debug, Template)]
#[template(path = "demo.html")]
pub(crate) struct DemoPage {
    frame: Frame,
    tone: &'static str,
    status: String,
    message: Option<Message>,
    connected: bool,
    connect_text: String,
    whose: String,
    allowed: String,
    /// What developers want to know, in technical words.
    technical: Vec<String>,
    asked: String,
    kinds: Vec<KindView>,
}

impl DemoPage {
    pub(crate) fn new(visit: &Visit, state: &DemoState) -> Self {
        let t = visit.texts();
        let organization = visit.organization.as_str();
        let message = |tone, role, key: &str| Message::new(visit, tone, role, key);
        let mut page = Self {
            frame: visit.other_party_frame(t.say("demo-title")),
            tone: "plain",
            status: t.say("demo-not-connected"),
            message: None,
            connected: false,
            connect_text: t.with("demo-connect-text", &[("organization", organization)]),
            whose: String::new(),
            allowed: String::new(),
            technical: Vec::new(),
            asked: String::new(),
            kinds: Vec::new(),
        };
        match state {
            DemoState::NotConnected => {}
            DemoState::Denied => {
                page.message = Some(message("care", "status", "demo-denied"));
            }
            DemoState::Failed { answer } => {
                page.message = Some(message("bad", "alert", "demo-failed"));
                page.technical = vec![answer.clone()];
            }
            DemoState::Refused { answer } => {
                page.message = Some(message("bad", "alert", "demo-refused"));
                page.technical = vec![answer.clone()];
            }
            DemoState::Connected { patient, scope_text, asked_at, kinds } => {
                page.tone = "good";
                page.status = t.say("demo-connected");
                page.connected = true;
                page.whose = match name_of_patient(kinds) {
                    Some(name) => t.with("demo-connected-for", &[("patient", name)]),
                    None => t.say("demo-connected-for-somebody"),
                };
                page.allowed = t.with("demo-allowed-kinds", &[("kinds", &allowed(t, scope_text))]);
                page.technical = technical(patient, scope_text, kinds);
                page.asked = t.with("demo-data-when", &[("at", &t.moment(*asked_at))]);
                // What there is comes first, then what is empty, then what was refused.
                let mut ordered: Vec<&KindResult> = kinds.iter().collect();
                ordered.sort_by_key(|kind| match &kind.answer {
                    KindAnswer::Records { total, .. } => u8::from(*total == 0),
                    KindAnswer::Refused { .. } => 2,
                });
                let kinds = ordered.into_iter();
                page.kinds =
                    kinds.map(|kind| kind_view(visit, kind, "demo-kind-refused")).collect();
            }
        }
        page
    }
}

/// The name on the record of the person, when the app got that record.
pub(super) fn name_of_patient(kinds: &[KindResult]) -> Option<&str> {
    kinds.iter().find_map(|kind| match (&kind.answer, kind.key) {
        (KindAnswer::Records { lines, .. }, "demo-kind-patient") => {
            Some(lines.first()?.name.as_str())
        }
        _ => None,
    })
}

/// The kinds of record that the granted scopes stand for.
fn allowed(t: Texts, scope_text: &str) -> String {
    let scopes = ScopeSet::parse(scope_text).map(|set| set.known.into_vec()).unwrap_or_default();
    let kinds: Vec<String> = requested_categories(&scopes).iter().map(|c| t.category(c)).collect();
    t.list(&kinds)
}

fn technical(patient: &str, scope_text: &str, kinds: &[KindResult]) -> Vec<String> {
    let mut lines = vec![format!("patient: {patient}"), format!("scope: {scope_text}")];
    lines.extend(kinds.iter().filter_map(|kind| match kind.answer {
        KindAnswer::Records { .. } => None,
        KindAnswer::Refused { status } => {
            Some(format!("{}: {status}", kind.key.trim_start_matches("demo-kind-")))
        }
    }));
    lines
}

pub(super) fn kind_view(visit: &Visit, kind: &KindResult, refused: &str) -> KindView {
    let t = visit.texts();
    let title = t.say(kind.key);
    let empty = t.say("demo-kind-none");
    match &kind.answer {
        KindAnswer::Records { lines, total } => {
            let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
            let more = total.saturating_sub(shown);
            KindView {
                title,
                tone: if *total > 0 { "good" } else { "plain" },
                count: t.count("demo-count", *total, &[]),
                lines: lines.clone(),
                more: (more > 0).then(|| t.count("demo-more", more, &[])),
                empty,
            }
        }
        KindAnswer::Refused { .. } => KindView {
            title,
            tone: "plain",
            count: t.say(refused),
            lines: Vec::new(),
            more: None,
            empty,
        },
    }
}
