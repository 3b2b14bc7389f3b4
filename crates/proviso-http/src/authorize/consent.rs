//! The page on which a person decides what an app may see, and the exact text it showed.

use askama::Template;
use proviso_core::category::{Category, CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::consent::{Part2Parties, part2_statements};
use proviso_core::reason::Language;
use proviso_core::time::At;
use sha2::{Digest as _, Sha256};

use crate::frame::{Choice, Fact, Frame, Problem, Section, Visit, with_query};
use crate::portal::who::Losing;
use crate::text::{DURATIONS, Texts, duration_code};

/// What an app says about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppFacts {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) site: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) terms: Option<String>,
    pub(crate) contacts: Vec<String>,
    /// Host of the redirect URI.
    pub(crate) returns_to: String,
}

/// Whether a request wants something beside looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Yes,
    No,
}

impl From<bool> for Asked {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decider {
    /// The patient.
    Patient,
    /// Somebody who acts for the patient.
    Proxy,
}

/// Everything the page is made from.
#[derive(Debug, Clone)]
pub(crate) struct ConsentRequest {
    pub(crate) app: AppFacts,
    pub(crate) patient_name: String,
    pub(crate) decider: Decider,
    pub(crate) purpose: PurposeOfUse,
    pub(crate) categories: CategorySet,
    pub(crate) sensitive: SensitiveSet,
    pub(crate) write: Asked,
    pub(crate) delete: Asked,
    pub(crate) identity: Asked,
    pub(crate) offline: Asked,
    pub(crate) scope_text: String,
    pub(crate) terms_uri: String,
    pub(crate) action: String,
    pub(crate) at: At,
}

/// What is ticked when the page is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ticked {
    pub(crate) categories: CategorySet,
    pub(crate) sensitive: SensitiveSet,
    pub(crate) duration: Option<&'static str>,
    pub(crate) offline: bool,
}

#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage {
    frame: Frame,
    acting: Option<String>,
    intro: String,
    problems: Vec<Problem>,
    who: Vec<Fact>,
    more_who: Vec<Fact>,
    unchecked: String,
    purpose: String,
    whose: String,
    action: String,
    shown: String,
    see_title: String,
    everything: Option<String>,
    tick_all: String,
    tick_none: String,
    categories: Vec<Choice>,
    extent: Vec<String>,
    sensitive: Vec<Choice>,
    sensitive_summary: String,
    sensitive_hint: String,
    /// What the law has a written consent to substance use records say (42 CFR 2.31).
    part2: Vec<String>,
    /// Whether the list of sensitive kinds is open: something in it is ticked.
    sensitive_open: bool,
    not_seen: Vec<String>,
    not_asked_summary: String,
    /// Each kind of record that the app did not ask for, with examples.
    not_asked: Vec<Fact>,
    durations: Vec<Choice>,
    /// What the app could see by what is ticked; not part of the text that is kept.
    pub(crate) preview: Option<Losing>,
    offline: Option<Choice>,
    after: Vec<String>,
    scope_text: String,
    terms: String,
}

/// The text that a page showed, as plain lines, and its SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownText {
    pub(crate) text: String,
    pub(crate) hash: String,
}

impl ConsentPage {
    pub(crate) fn new(
        visit: &Visit,
        request: &ConsentRequest,
        ticked: &Ticked,
        problems: Vec<Problem>,
    ) -> Self {
        let t = visit.texts();
        let voice = Voice::of(t, request);
        let app = request.app.name.as_str();
        let patient = request.patient_name.as_str();
        let title = match request.decider {
            Decider::Patient => t.with("consent-title", &[("app", app)]),
            Decider::Proxy => t.with("consent-title-proxy", &[("app", app), ("patient", patient)]),
        };
        let mut page = Self {
            frame: visit.frame(title, Section::None),
            acting: (request.decider == Decider::Proxy)
                .then(|| t.with("consent-acting", &[("patient", patient)])),
            intro: voice.say("consent-intro", &[]),
            problems,
            who: who_asks(t, &request.app).drain(..2).collect(),
            more_who: who_asks(t, &request.app).drain(2..).collect(),
            unchecked: t.with("consent-who-unchecked", &[("organization", &visit.organization)]),
            purpose: t.with("consent-why-text", &[("purpose", &voice.purpose(request.purpose))]),
            whose: request.patient_name.clone(),
            action: request.action.clone(),
            shown: String::new(),
            see_title: t.with("consent-see", &[("app", app)]),
            everything: (request.categories == CategorySet::all())
                .then(|| voice.say("consent-see-everything", &[])),
            tick_all: with_query(&request.action, "tick", "all"),
            tick_none: with_query(&request.action, "tick", "none"),
            categories: request
                .categories
                .iter()
                .map(|category| category_choice(t, category, ticked.categories))
                .collect(),
            extent: extent(t, request),
            sensitive: request
                .sensitive
                .iter()
                .map(|kind| sensitive_choice(t, kind, ticked.sensitive))
                .collect(),
            sensitive_summary: t.count(
                "consent-sensitive-summary",
                request.sensitive.len().into(),
                &[],
            ),
            sensitive_hint: voice.say("consent-sensitive-hint", &[]),
            part2: part2(visit, request),
            sensitive_open: !ticked.sensitive.is_empty(),
            not_seen: not_seen(t, request),
            not_asked_summary: t.count("consent-not-asked", not_asked(request).len().into(), &[]),
            not_asked: not_asked(request)
                .iter()
                .map(|category| Fact::new(t.category(category), examples(t, category)))
                .collect(),
            preview: None,
            durations: durations(t, request.at, ticked.duration),
            offline: (request.offline == Asked::Yes).then(|| Choice {
                id: "offline".to_owned(),
                value: "yes".to_owned(),
                label: t.with("consent-offline-label", &[("app", app)]),
                about: t.say("consent-offline-hint"),
                ticked: ticked.offline,
            }),
            after: [
                "consent-after-share",
                "consent-after-see",
                "consent-after-receipt",
                "consent-after-stop",
                "consent-after-copies",
                "consent-after-deny",
            ]
            .iter()
            .map(|key| voice.say(key, &[("app", app)]))
            .collect(),
            scope_text: request.scope_text.clone(),
            terms: t.with("consent-terms", &[("uri", &request.terms_uri)]),
        };
        page.shown = page.shown_text().hash;
        page
    }

    /// The statements of the page in the order in which it shows them, one per line. What a person
    /// ticked is not part of it: that is recorded as the choice itself.
    pub(crate) fn shown_text(&self) -> ShownText {
        let t = self.frame.t;
        let mut lines = vec![self.frame.title.clone()];
        lines.extend(self.acting.clone());
        lines.push(self.intro.clone());
        lines.push(t.say("consent-who"));
        lines.extend(fact_lines(&self.who));
        lines.push(t.say("consent-who-more"));
        lines.extend(fact_lines(&self.more_who));
        lines.push(self.unchecked.clone());
        lines.extend([t.say("consent-why"), self.purpose.clone()]);
        lines.extend([t.say("consent-whose"), self.whose.clone()]);
        lines.extend([self.see_title.clone(), t.say("consent-see-hint")]);
        lines.extend(self.everything.clone());
        lines.extend(choice_lines(&self.categories));
        lines.extend(self.extent.iter().cloned());
        if !self.sensitive.is_empty() {
            lines.extend([t.say("consent-sensitive"), self.sensitive_hint.clone()]);
            lines.push(self.sensitive_summary.clone());
            lines.extend(choice_lines(&self.sensitive));
            lines.extend(self.part2.iter().cloned());
        }
        lines.push(t.say("consent-not"));
        lines.extend(self.not_seen.iter().cloned());
        if !self.not_asked.is_empty() {
            lines.push(self.not_asked_summary.clone());
            lines.extend(fact_lines(&self.not_asked));
        }
        lines.extend([t.say("consent-long"), t.say("consent-long-hint")]);
        lines.extend(choice_lines(&self.durations));
        if let Some(offline) = &self.offline {
            lines.push(t.say("consent-offline"));
            lines.extend([offline.label.clone(), offline.about.clone()]);
        }
        lines.push(t.say("consent-after"));
        lines.extend(self.after.iter().cloned());
        lines.extend([t.say("consent-technical"), self.scope_text.clone(), self.terms.clone()]);
        lines.extend([t.say("consent-decide"), t.say("consent-preview")]);
        lines.extend([t.say("consent-deny"), t.say("consent-share")]);
        let text = lines.join("\n");
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        ShownText { hash: proviso_core::id::hex(&digest), text }
    }
}

fn fact_lines(facts: &[Fact]) -> impl Iterator<Item = String> + '_ {
    facts.iter().flat_map(|fact| [fact.label.clone(), fact.value.clone()])
}

fn choice_lines(choices: &[Choice]) -> impl Iterator<Item = String> + '_ {
    choices.iter().flat_map(|choice| [choice.label.clone(), choice.about.clone()])
}

/// What an app says about itself, with honest blanks for what it does not say.
pub(crate) fn who_asks(t: Texts, app: &AppFacts) -> Vec<Fact> {
    let or_none =
        |value: &Option<String>| value.clone().unwrap_or_else(|| t.say("consent-who-none"));
    let contacts = (!app.contacts.is_empty()).then(|| app.contacts.join(", "));
    let mut facts = vec![
        Fact::new(t.say("consent-who-app"), app.name.as_str()),
        Fact::new(t.say("consent-who-says"), or_none(&app.description)),
        Fact::new(t.say("consent-who-site"), or_none(&app.site)),
        Fact::new(t.say("consent-who-policy"), or_none(&app.policy)),
    ];
    if app.terms.is_some() {
        facts.push(Fact::new(t.say("consent-who-terms"), or_none(&app.terms)));
    }
    facts.push(Fact::new(t.say("consent-who-contact"), or_none(&contacts)));
    facts.push(Fact::new(t.say("consent-who-returns"), app.returns_to.as_str()));
    facts
}

fn category_choice(t: Texts, category: Category, ticked: CategorySet) -> Choice {
    let key = format!("category-{}", category.code());
    Choice {
        id: key.clone(),
        value: category.code().to_owned(),
        label: t.category(category),
        about: examples(t, category),
        ticked: ticked.contains(category),
    }
}

/// A few examples stand for a kind of record: short enough for a phone, and plain.
fn examples(t: Texts, category: Category) -> String {
    t.say(&format!("category-{}.examples", category.code()))
}

fn sensitive_choice(t: Texts, kind: SensitiveKind, ticked: SensitiveSet) -> Choice {
    let key = format!("sensitive-{}", kind.code());
    Choice {
        id: key.clone(),
        value: kind.code().to_owned(),
        label: t.sensitive(kind),
        about: about(t, &key),
        ticked: ticked.contains(kind),
    }
}

fn about(t: Texts, key: &str) -> String {
    let what = t.say(&format!("{key}.what"));
    let examples = t.say(&format!("{key}.examples"));
    format!("{what} {}.", t.with("consent-examples", &[("examples", &examples)]))
}

fn extent(t: Texts, request: &ConsentRequest) -> Vec<String> {
    let mut lines = Vec::new();
    if request.write == Asked::Yes {
        lines.push(t.say("consent-write"));
    }
    if request.delete == Asked::Yes {
        lines.push(t.say("consent-delete"));
    }
    if request.identity == Asked::Yes {
        lines.push(t.say(match request.decider {
            Decider::Patient => "consent-identity",
            Decider::Proxy => "consent-identity-proxy",
        }));
    }
    lines
}

/// The sentences that make the choice a written consent under 42 CFR Part 2, where the app asks for
/// such records. They come from the core, which looks for them in the text that is recorded.
fn part2(visit: &Visit, request: &ConsentRequest) -> Vec<String> {
    if !request.sensitive.contains(SensitiveKind::SubstanceUse) {
        return Vec::new();
    }
    let parties = Part2Parties {
        patient: &request.patient_name,
        discloser: &visit.organization,
        recipient: &request.app.name,
    };
    part2_statements(Language::from_tag(visit.language.tag()), parties).into()
}

fn not_seen(t: Texts, request: &ConsentRequest) -> Vec<String> {
    let mut lines = vec![t.say("consent-not-unticked")];
    if !request.sensitive.is_empty() {
        lines.push(t.say("consent-not-sensitive"));
    }
    if request.decider == Decider::Proxy {
        lines.push(t.say("consent-not-for-proxy"));
    }
    lines.push(t.say("consent-not-people"));
    lines
}

fn not_asked(request: &ConsentRequest) -> CategorySet {
    CategorySet::all().minus(request.categories)
}

/// To whom the page speaks, and about whom: a patient about themselves, or a proxy about the
/// patient, by first name.
struct Voice<'a> {
    t: Texts,
    decider: &'a Decider,
    name: &'a str,
}

impl<'a> Voice<'a> {
    fn of(t: Texts, request: &'a ConsentRequest) -> Self {
        let whole = request.patient_name.as_str();
        let name = whole.split_whitespace().next().unwrap_or(whole);
        Self { t, decider: &request.decider, name }
    }

    /// A text that names the patient, where another one speaks to the patient.
    fn say(&self, key: &str, values: &[(&'static str, &str)]) -> String {
        match self.decider {
            Decider::Patient => self.t.with(key, values),
            Decider::Proxy => {
                let mut values = values.to_vec();
                values.push(("name", self.name));
                self.t.with(&format!("{key}.proxy"), &values)
            }
        }
    }

    fn purpose(&self, purpose: PurposeOfUse) -> String {
        self.say(&format!("purpose-{}", purpose.code().to_ascii_lowercase()), &[])
    }
}

/// When a choice of duration ends, counted from the moment the page is shown.
fn durations(t: Texts, at: At, ticked: Option<&'static str>) -> Vec<Choice> {
    DURATIONS
        .into_iter()
        .map(|duration| {
            let code = duration_code(duration);
            let days = if code == "1-year" { 365 } else { 30 };
            let until = t.day(at.plus_days(days));
            let key = format!("duration-{code}");
            Choice {
                value: code.to_owned(),
                label: t.duration(duration),
                about: t.with(&format!("{key}.what"), &[("until", &until)]),
                ticked: ticked == Some(code),
                id: key,
            }
        })
        .collect()
}
