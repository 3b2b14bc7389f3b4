//! One entry of the audit log in plain words: who, why, what, when, with which result.

use std::collections::HashMap;

use proviso_core::audit::{Amount, AuditEntry, AuditKind, AuditOutcome, Told};
use proviso_core::category_rules::is_directory;
use proviso_core::id::{AccountId, ClientId};
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;

use crate::frame::Fact;
use crate::text::Texts;

/// Names of those who occur in entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) apps: HashMap<ClientId, String>,
    pub(crate) people: HashMap<AccountId, String>,
    /// Who reads the page.
    pub(crate) reader: Option<AccountId>,
}

impl Names {
    fn app(&self, client: &ClientId) -> String {
        self.apps.get(client).cloned().unwrap_or_else(|| client.to_string())
    }

    fn is_reader(&self, account: &AccountId) -> bool {
        self.reader.as_ref() == Some(account)
    }

    fn person(&self, t: Texts, account: &AccountId) -> String {
        if self.is_reader(account) {
            return t.say("activity-who-you");
        }
        let name = self.people.get(account).cloned().unwrap_or_else(|| account.to_string());
        t.with("activity-who-person", &[("name", &name)])
    }

    /// Who acted: an app on its own or for a person, a person, or somebody unknown.
    pub(crate) fn who(&self, t: Texts, entry: &AuditEntry) -> String {
        // What people do themselves is theirs alone, even where an app brought them here.
        let by_person = matches!(
            entry.kind,
            AuditKind::Consent
                | AuditKind::Authorization
                | AuditKind::SignIn
                | AuditKind::SignOut
                | AuditKind::NamesShown
                | AuditKind::Emergency
                | AuditKind::Oversight
        );
        match (&entry.client, &entry.account) {
            (_, Some(account)) if by_person => self.person(t, account),
            (Some(client), Some(account)) => {
                let app = self.app(client);
                if self.is_reader(account) {
                    t.with("activity-who-app-for-you", &[("app", &app)])
                } else {
                    let name = self.person(t, account);
                    t.with("activity-who-app-for", &[("app", &app), ("name", &name)])
                }
            }
            (Some(client), None) => t.with("activity-who-app", &[("app", &self.app(client))]),
            (None, Some(account)) => self.person(t, account),
            (None, None) => nobody(t, entry),
        }
    }
}

/// Who acted when no one is named: this server by itself, or a stranger at its door.
fn nobody(t: Texts, entry: &AuditEntry) -> String {
    t.say(match entry.kind {
        AuditKind::Import
        | AuditKind::Administration
        | AuditKind::Key
        | AuditKind::Consent
        | AuditKind::Emergency
        | AuditKind::Oversight
        | AuditKind::ClientRegistration => "activity-who-server",
        AuditKind::Access
        | AuditKind::SignIn
        | AuditKind::SignOut
        | AuditKind::Authorization
        | AuditKind::Token
        | AuditKind::TokenRevocation
        | AuditKind::Introspection
        | AuditKind::Identity
        | AuditKind::Evaluation
        | AuditKind::PortalView
        | AuditKind::NamesShown => "activity-who-nobody",
    })
}

/// One entry, ready for the page.
#[derive(Debug)]
pub(crate) struct EntryView {
    pub(crate) sentence: String,
    pub(crate) instant: String,
    pub(crate) time: String,
    pub(crate) outcome: String,
    pub(crate) tone: &'static str,
    pub(crate) refused: bool,
    pub(crate) facts: Vec<Fact>,
    /// How often it happened in a row, when more than once.
    pub(crate) times: Option<String>,
    count: u64,
}

impl EntryView {
    pub(crate) fn new(t: Texts, told: &Told, names: &Names) -> Self {
        let entry = told.entry();
        let (outcome, tone) = outcome_tag(t, told);
        Self {
            sentence: sentence(t, told, names),
            instant: entry.at.to_rfc3339(),
            time: t.time_of_day(entry.at),
            outcome,
            tone,
            refused: entry.outcome == AuditOutcome::Denied,
            facts: facts(t, told, names),
            times: None,
            count: 1,
        }
    }

    /// Takes an older entry that says the same into this one, so that an app that asks again and
    /// again does not bury everything else. Whether it did is told.
    pub(crate) fn absorb(&mut self, t: Texts, older: &Self) -> bool {
        let same = |a: &Fact, b: &Fact| a.label == b.label && a.value == b.value;
        let repeats = self.sentence == older.sentence
            && self.outcome == older.outcome
            && self.facts.len() == older.facts.len()
            && self.facts.iter().zip(&older.facts).all(|(a, b)| same(a, b));
        if repeats {
            self.count += 1;
            self.times = Some(t.count("activity-times", self.count, &[]));
        }
        repeats
    }
}

pub(crate) const fn outcome_code(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Success => "success",
        AuditOutcome::Denied => "denied",
        AuditOutcome::Failure => "failure",
        AuditOutcome::Error => "error",
    }
}

fn outcome_tag(t: Texts, told: &Told) -> (String, &'static str) {
    let entry = told.entry();
    // What an app asks to be told of shows it nothing yet, and is done all the same.
    let wish = entry.resource_type == Some(ResourceType::SUBSCRIPTION);
    let key = match (entry.kind, entry.outcome, told.amount()) {
        (AuditKind::Access, AuditOutcome::Success, Amount::Nothing) if !wish => {
            "activity-access-outcome-nothing".to_owned()
        }
        (AuditKind::Access, AuditOutcome::Success, _) if !wish => {
            "activity-access-outcome-success".to_owned()
        }
        _ => format!("activity-outcome-{}", outcome_code(entry.outcome)),
    };
    let tone = match (entry.outcome, key.as_str()) {
        (AuditOutcome::Success, "activity-access-outcome-nothing")
        | (AuditOutcome::Failure | AuditOutcome::Error, _) => "plain",
        (AuditOutcome::Success, _) => "good",
        (AuditOutcome::Denied, _) => "bad",
    };
    (t.say(&key), tone)
}

/// More kinds than these are not listed when they were only asked for: a long list of what could
/// have been would read as a list of what was.
const LISTED_MAX: u32 = 3;

/// What an entry was about, in words a patient knows.
fn kinds(t: Texts, told: &Told) -> Option<String> {
    let touched = told.entry().outcome == AuditOutcome::Success && told.amount() != Amount::Nothing;
    let is_access = told.entry().kind == AuditKind::Access;
    if is_access && !touched && told.kinds().len() > LISTED_MAX {
        return Some(t.say("activity-kinds-several"));
    }
    let names: Vec<String> = told.kinds().iter().map(|category| t.category(category)).collect();
    if !names.is_empty() {
        return Some(t.list(&names));
    }
    told.entry().resource_type.is_some_and(is_directory).then(|| t.say("activity-kinds-directory"))
}

/// The sentence of an entry, the app first where an app acted.
pub(crate) fn sentence(t: Texts, told: &Told, names: &Names) -> String {
    let entry = told.entry();
    let outcome = outcome_code(entry.outcome);
    let stated = kinds(t, told);
    let unnamed = stated.is_none();
    let kinds = stated.unwrap_or_else(|| t.say("activity-kinds-unknown"));
    // The sentence names the app alone; for whom it acts stands beside it under "Who".
    let actor = match (&entry.client, &entry.account) {
        (Some(client), _) => names.app(client),
        (None, Some(account)) => names.person(t, account),
        (None, None) => nobody(t, entry),
    };
    let person = entry.account.as_ref().map_or_else(|| actor.clone(), |it| names.person(t, it));
    let values = [("who", actor.as_str()), ("kinds", kinds.as_str()), ("outcome", outcome)];
    let by_person = [("who", person.as_str()), ("outcome", outcome)];
    match entry.kind {
        AuditKind::Access if unnamed && entry.outcome == AuditOutcome::Denied => {
            t.with("activity-access-stopped", &values)
        }
        AuditKind::Access if entry.resource_type == Some(ResourceType::SUBSCRIPTION) => t.with(
            "activity-subscription",
            &[("who", &actor), ("outcome", outcome), ("action", &entry.action)],
        ),
        AuditKind::Access => {
            let key = access_key(entry);
            match (entry.outcome, told.amount()) {
                (AuditOutcome::Success, Amount::Some) => t.with(&format!("{key}-some"), &values),
                (AuditOutcome::Success, Amount::Nothing)
                    if entry.reasons.contains(&ReasonCode::CategoryNotShared) =>
                {
                    t.with("activity-access-read-unshared", &values)
                }
                (_, amount) => t.count(key, count(amount), &values),
            }
        }
        AuditKind::SignIn => t.with("activity-sign-in", &by_person),
        AuditKind::SignOut => t.with("activity-sign-out", &by_person),
        AuditKind::Authorization => authorization_sentence(t, entry, names, &person),
        AuditKind::Token => t.with("activity-token", &values),
        AuditKind::TokenRevocation => t.with("activity-token-revocation", &values),
        AuditKind::Introspection => t.say("activity-introspection"),
        AuditKind::Identity => t.with("activity-identity", &values),
        AuditKind::Evaluation if entry.action == "simulate" => t.with("activity-simulate", &values),
        AuditKind::Evaluation => t.with("activity-evaluation", &values),
        AuditKind::Consent => consent_sentence(t, entry, names, &person, &kinds),
        AuditKind::ClientRegistration => t.say("activity-client-registration"),
        AuditKind::PortalView => t.with("activity-portal-view", &by_person),
        AuditKind::NamesShown => names_shown_sentence(t, entry, names, &person),
        AuditKind::Emergency => t.with(
            "activity-emergency",
            &[("who", &person), ("outcome", outcome), ("action", &entry.action)],
        ),
        AuditKind::Oversight => t.with(
            "activity-oversight",
            &[("who", &person), ("outcome", outcome), ("action", &entry.action)],
        ),
        AuditKind::Key => t.say("activity-key"),
        AuditKind::Import => t.with("activity-import", &by_person),
        AuditKind::Administration => {
            t.with("activity-administration", &[("action", &entry.action), ("kinds", &kinds)])
        }
    }
}

fn count(amount: Amount) -> u64 {
    match amount {
        Amount::Nothing => 0,
        // How many is not said; that it is more than one is what most readers assume.
        Amount::Some => 2,
        Amount::Exactly(count) => count.into(),
    }
}

fn authorization_sentence(t: Texts, entry: &AuditEntry, names: &Names, person: &str) -> String {
    let app = entry.client.as_ref().map(|client| names.app(client));
    let app = app.unwrap_or_else(|| t.say("activity-some-app"));
    let outcome = outcome_code(entry.outcome);
    t.with(
        "activity-authorization",
        &[("who", person), ("app", &app), ("outcome", outcome), ("action", entry.action.as_str())],
    )
}

fn names_shown_sentence(t: Texts, entry: &AuditEntry, names: &Names, person: &str) -> String {
    match &entry.client {
        Some(client) => {
            let app = names.app(client);
            t.with("activity-names-shown-for", &[("who", person), ("app", &app)])
        }
        None => t.with("activity-names-shown", &[("who", person)]),
    }
}

fn consent_sentence(
    t: Texts,
    entry: &AuditEntry,
    names: &Names,
    person: &str,
    kinds: &str,
) -> String {
    let values = [("who", person), ("kinds", kinds), ("action", entry.action.as_str())];
    match &entry.client {
        Some(client) => {
            let app = names.app(client);
            let [who, what, action] = values;
            t.with("activity-consent-with", &[who, what, action, ("app", &app)])
        }
        None => t.with("activity-consent", &values),
    }
}

fn access_key(entry: &AuditEntry) -> &'static str {
    match &entry.interaction {
        // The app did not ask; it is told, because it has asked for that before.
        _ if entry.action == "notify" => "activity-access-notify",
        Some(Interaction::Create | Interaction::Update | Interaction::Patch) => {
            "activity-access-write"
        }
        Some(Interaction::Delete) => "activity-access-delete",
        Some(
            Interaction::Read
            | Interaction::Vread
            | Interaction::HistoryInstance
            | Interaction::HistoryType
            | Interaction::HistorySystem
            | Interaction::Search
            | Interaction::SearchSystem
            | Interaction::Batch
            | Interaction::Transaction
            | Interaction::Capabilities
            | Interaction::Operation(_),
        )
        | None => "activity-access-read",
    }
}

/// What the sentence does not say yet.
fn facts(t: Texts, told: &Told, names: &Names) -> Vec<Fact> {
    let entry = told.entry();
    let mut facts = Vec::new();
    // The sentence names the app; for whom it acted is news when it was not the reader.
    let by_app = matches!(
        entry.kind,
        AuditKind::Access
            | AuditKind::Token
            | AuditKind::TokenRevocation
            | AuditKind::Introspection
    );
    if let (Some(_), Some(account)) = (&entry.client, &entry.account)
        && by_app
        && !names.is_reader(account)
    {
        facts.push(Fact::new(t.say("activity-who"), names.who(t, entry)));
    }
    if let Some(purpose) = entry.purpose {
        let why = t.with("activity-why-purpose", &[("purpose", &t.purpose(purpose))]);
        facts.push(Fact::new(t.say("activity-why"), why));
    }
    let sensitive: Vec<String> = entry.sensitive.iter().map(|kind| t.sensitive(kind)).collect();
    if entry.kind == AuditKind::Access && told.amount() != Amount::Nothing && !sensitive.is_empty()
    {
        facts.push(Fact::new(t.say("activity-sensitive"), t.list(&sensitive)));
    }
    let language = proviso_core::reason::Language::from_tag(t.language().tag());
    let reasons: Vec<&str> = entry
        .reasons
        .iter()
        .filter(|reason| is_news(**reason, entry.outcome))
        .map(|reason| reason.patient_text(language))
        .collect();
    if !reasons.is_empty() {
        facts.push(Fact::new(t.say("activity-result"), reasons.join(" ")));
    }
    facts
}

/// Whether a reason tells more than the sentence: a permit of the patient's own making does not,
/// and that something is not shared has been said.
fn is_news(reason: ReasonCode, outcome: AuditOutcome) -> bool {
    match outcome {
        AuditOutcome::Success => matches!(
            reason,
            ReasonCode::CareRelationship
                | ReasonCode::OnShift
                | ReasonCode::PreAuthorized
                | ReasonCode::EmergencyAccess
        ),
        AuditOutcome::Denied | AuditOutcome::Failure | AuditOutcome::Error => true,
    }
}
