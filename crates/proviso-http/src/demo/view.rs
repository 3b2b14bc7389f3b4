//! What the demonstration apps show.

use askama::Template;
use proviso_core::time::At;

use crate::frame::{Frame, Visit};

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
    pub(super) fn new(
        visit: &Visit,
        tone: &'static str,
        role: &'static str,
        key: &str,
        answer: &str,
    ) -> Self {
        let t = visit.texts();
        let facts = [("organization", visit.organization.as_str()), ("answer", answer)];
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
    scope_text: String,
    asked: String,
    kinds: Vec<KindView>,
}

impl DemoPage {
    pub(crate) fn new(visit: &Visit, state: &DemoState) -> Self {
        let t = visit.texts();
        let organization = visit.organization.as_str();
        let message =
            |tone, role, key: &str, answer: &str| Message::new(visit, tone, role, key, answer);
        let mut page = Self {
            frame: visit.other_party_frame(t.say("demo-title")),
            tone: "plain",
            status: t.say("demo-not-connected"),
            message: None,
            connected: false,
            connect_text: t.with("demo-connect-text", &[("organization", organization)]),
            whose: String::new(),
            scope_text: String::new(),
            asked: String::new(),
            kinds: Vec::new(),
        };
        match state {
            DemoState::NotConnected => {}
            DemoState::Denied => {
                page.message = Some(message("care", "status", "demo-denied", ""));
            }
            DemoState::Failed { answer } => {
                page.message = Some(message("bad", "alert", "demo-failed", answer));
            }
            DemoState::Refused { answer } => {
                page.message = Some(message("bad", "alert", "demo-refused", answer));
            }
            DemoState::Connected { patient, scope_text, asked_at, kinds } => {
                page.tone = "good";
                page.status = t.say("demo-connected");
                page.connected = true;
                page.whose = t.with("demo-connected-for", &[("patient", patient)]);
                page.scope_text.clone_from(scope_text);
                page.asked = t.with("demo-data-when", &[("at", &t.moment(*asked_at))]);
                // What there is comes first, then what is empty, then what was refused.
                let mut ordered: Vec<&KindResult> = kinds.iter().collect();
                ordered.sort_by_key(|kind| match &kind.answer {
                    KindAnswer::Records { total, .. } => u8::from(*total == 0),
                    KindAnswer::Refused { .. } => 2,
                });
                page.kinds = ordered.into_iter().map(|kind| kind_view(visit, kind)).collect();
            }
        }
        page
    }
}

pub(super) fn kind_view(visit: &Visit, kind: &KindResult) -> KindView {
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
        KindAnswer::Refused { status } => KindView {
            title,
            tone: "plain",
            count: t.with("demo-kind-refused", &[("status", &status.to_string())]),
            lines: Vec::new(),
            more: None,
            empty,
        },
    }
}
