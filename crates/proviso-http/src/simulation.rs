//! Questions to the simulator and its answers as JSON: of the endpoint for enforcement points and of
//! the command line, which speak the same.

use std::collections::{BTreeMap, BTreeSet};

use proviso_app::App;
use proviso_app::simulate::{
    Answered, NarrowerTerms, NewTerms, RECORDS_MAX, RecordKey, Simulated, SimulatedRecord,
    SimulatedSubject, Simulation, SubjectFilter, SubjectStanding, SupposedChange, Tally, Verdict,
};
use proviso_core::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{DurationChoice, OfflineAccess};
use proviso_core::decision::Labels;
use proviso_core::id::{AccountId, ConsentId};
use proviso_core::reason::{Language, ReasonCode};
use proviso_core::scope::ScopeSet;
use proviso_core::time::{At, Period};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// LIMIT: records on one page when the question does not say.
const RECORDS_DEFAULT: usize = 1000;

/// Why a question cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// It is not what a question looks like.
    #[error("{0}")]
    Malformed(String),
    /// It names somebody or something that is not here.
    #[error("{0}")]
    Unknown(String),
    /// The names could not be looked up.
    #[error("the names could not be looked up")]
    NoAnswer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    patient: Option<String>,
    change: Option<ChangeAsked>,
    subject: Option<String>,
    record: Option<String>,
    page: Option<PageAsked>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageAsked {
    token: Option<String>,
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ChangeAsked {
    Sign(Box<SignAsked>),
    Narrow(Box<NarrowAsked>),
    Stop { consent: String },
    EndProxy { account: String },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignAsked {
    app: String,
    account: String,
    categories: Vec<String>,
    #[serde(default)]
    sensitive: Vec<String>,
    purposes: Option<Vec<String>>,
    duration: String,
    #[serde(default)]
    offline: bool,
    data_period: Option<PeriodAsked>,
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NarrowAsked {
    consent: String,
    categories: Option<Vec<String>>,
    sensitive: Option<Vec<String>>,
    purposes: Option<Vec<String>>,
    offline: Option<bool>,
    data_period: Option<PeriodAsked>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeriodAsked {
    start: Option<String>,
    end: Option<String>,
}

fn malformed(what: impl Into<String>) -> QuestionError {
    QuestionError::Malformed(what.into())
}

fn read<T: core::str::FromStr>(text: &str, what: &str) -> Result<T, QuestionError> {
    text.parse().map_err(|_| malformed(format!("`{text}` is not {what}")))
}

fn set<C: core::str::FromStr, S: FromIterator<C>>(
    codes: &[String],
    what: &str,
) -> Result<S, QuestionError> {
    codes.iter().map(|code| read::<C>(code, what)).collect()
}

fn categories(codes: &[String]) -> Result<CategorySet, QuestionError> {
    set(codes, "a kind of record")
}

fn sensitive(codes: &[String]) -> Result<SensitiveSet, QuestionError> {
    set(codes, "a sensitive kind")
}

fn purposes(codes: &[String]) -> Result<PurposeSet, QuestionError> {
    let all: Vec<PurposeOfUse> =
        codes.iter().map(|code| read(code, "a purpose of use")).collect::<Result<_, _>>()?;
    Ok(all.into_iter().fold(PurposeSet::EMPTY, PurposeSet::with))
}

const fn offline(allowed: bool) -> OfflineAccess {
    if allowed { OfflineAccess::Allowed } else { OfflineAccess::Refused }
}

fn period(asked: &PeriodAsked) -> Result<Period, QuestionError> {
    let bound = |text: &Option<String>| {
        let at = text.as_deref().map(|text| {
            At::parse(text).ok_or_else(|| {
                malformed(format!("`{text}` is not an instant such as 2026-11-22T14:02:09Z"))
            })
        });
        at.transpose()
    };
    Ok(Period { start: bound(&asked.start)?, end: bound(&asked.end)? })
}

/// Reads `Type/id`.
fn record(text: &str) -> Result<RecordKey, QuestionError> {
    let (kind, id) =
        text.split_once('/').ok_or_else(|| malformed("a record is named `Type/id`"))?;
    Ok((read(kind, "a type of FHIR R4")?, read(id, "an id of FHIR")?))
}

/// Reads a question; names of people are looked up.
///
/// # Errors
/// When it is malformed, or names somebody who is not here.
pub async fn read_question(app: &App, body: &Value) -> Result<Simulation, QuestionError> {
    let asked: Asked =
        serde_json::from_value(body.clone()).map_err(|error| malformed(error.to_string()))?;
    let change = match &asked.change {
        None => None,
        Some(change) => Some(read_change(app, change).await?),
    };
    let patient = match (&asked.patient, &change) {
        (Some(patient), _) => read(patient, "the id of a patient")?,
        (None, Some(SupposedChange::Stop { consent } | SupposedChange::Narrow { consent, .. })) => {
            let unknown = || QuestionError::Unknown("there is no such sharing choice".to_owned());
            app.live().consent(consent).ok_or_else(unknown)?.facts().patient.clone()
        }
        (None, Some(SupposedChange::Sign(_) | SupposedChange::EndProxy { .. }) | None) => {
            return Err(malformed("`patient` must be the id of a patient"));
        }
    };
    let page = asked.page.unwrap_or_default();
    let after = page.token.as_deref().filter(|token| !token.is_empty()).map(record).transpose();
    let limit = page.limit.unwrap_or(RECORDS_DEFAULT);
    if limit == 0 {
        return Err(malformed("`limit` must be at least 1"));
    }
    Ok(Simulation {
        patient,
        change,
        subjects: match asked.subject {
            None => SubjectFilter::All,
            Some(key) => match key.parse::<ConsentId>() {
                Ok(consent) if key.starts_with("cns_") => SubjectFilter::OfConsent(consent),
                Ok(_) | Err(_) => SubjectFilter::Named(key),
            },
        },
        record: asked.record.as_deref().map(record).transpose()?,
        after: after?,
        limit: limit.min(RECORDS_MAX),
    })
}

async fn read_change(app: &App, change: &ChangeAsked) -> Result<SupposedChange, QuestionError> {
    let consent = |text: &str| read::<ConsentId>(text, "the id of a sharing choice");
    Ok(match change {
        ChangeAsked::Stop { consent: id } => SupposedChange::Stop { consent: consent(id)? },
        ChangeAsked::EndProxy { account } => {
            SupposedChange::EndProxy { account: person(app, account).await? }
        }
        ChangeAsked::Narrow(to) => SupposedChange::Narrow {
            consent: consent(&to.consent)?,
            to: Box::new(NarrowerTerms {
                categories: to.categories.as_deref().map(categories).transpose()?,
                sensitive: to.sensitive.as_deref().map(sensitive).transpose()?,
                purposes: to.purposes.as_deref().map(purposes).transpose()?,
                offline: to.offline.map(offline),
                data_period: to.data_period.as_ref().map(period).transpose()?,
            }),
        },
        ChangeAsked::Sign(to) => {
            let scopes = to.scope.as_deref().map(|text| {
                let parsed = ScopeSet::parse(text);
                parsed
                    .map(|parsed| parsed.known.into_vec())
                    .map_err(|_| malformed(format!("`{text}` is not a list of scopes")))
            });
            SupposedChange::Sign(Box::new(NewTerms {
                client: read(&to.app, "the id of an app")?,
                given_by: person(app, &to.account).await?,
                categories: categories(&to.categories)?,
                sensitive: sensitive(&to.sensitive)?,
                purposes: to.purposes.as_deref().map(purposes).transpose()?,
                duration: read::<DurationChoice>(
                    &to.duration,
                    "`once`, `30-days`, `1-year` or `until-stopped`",
                )?,
                offline: offline(to.offline),
                data_period: to.data_period.as_ref().map_or(Ok(Period::ALWAYS), period)?,
                scopes: scopes.transpose()?,
            }))
        }
    })
}

async fn person(app: &App, name: &str) -> Result<AccountId, QuestionError> {
    let found = app.account_named(name).await.map_err(|_| QuestionError::NoAnswer)?;
    found.ok_or_else(|| QuestionError::Unknown(format!("there is no account `{name}`")))
}

/// The answer as JSON.
pub fn answer_json(simulated: &Simulated) -> Value {
    let mut codes: BTreeSet<ReasonCode> = BTreeSet::new();
    let subjects: Vec<Value> = simulated
        .subjects
        .iter()
        .enumerate()
        .map(|(place, subject)| {
            codes.extend(subject.refused.iter().chain(&subject.refused_after));
            subject_json(simulated, place, subject)
        })
        .collect();
    let records: Vec<Value> =
        simulated.records.iter().map(|record| record_json(simulated, record, &mut codes)).collect();
    let next = simulated.next.as_ref().map_or_else(String::new, name_of);
    let words = |code: &ReasonCode| {
        let all = Language::ALL.iter();
        let texts = all.map(|one| (one.tag().to_owned(), json!(code.auditor_text(*one))));
        (code.code().to_owned(), Value::Object(texts.collect()))
    };
    json!({
        "id": simulated.decision,
        "patient": simulated.patient,
        "at": simulated.at.to_rfc3339(),
        "subjects": subjects,
        "records": records,
        "reasons": Value::Object(codes.iter().map(words).collect::<Map<_, _>>()),
        "page": { "next_token": next, "count": simulated.records.len() },
    })
}

fn name_of(key: &RecordKey) -> String {
    format!("{}/{}", key.0, key.1)
}

/// The word for by which right somebody could see records.
pub const fn standing_code(standing: SubjectStanding) -> &'static str {
    match standing {
        SubjectStanding::Patient => "patient",
        SubjectStanding::Proxy => "proxy",
        SubjectStanding::App => "app",
        SubjectStanding::Staff => "staff",
        SubjectStanding::StaffApp => "staff-app",
        SubjectStanding::Service => "service",
    }
}

fn codes_of(reasons: &[ReasonCode]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.code()).collect()
}

fn tally_json(tally: &Tally, refused: &[ReasonCode]) -> Value {
    let reasons: BTreeMap<&str, usize> =
        tally.reasons.iter().map(|(reason, count)| (reason.code(), *count)).collect();
    json!({
        "permitted": tally.permitted,
        "refused": tally.refused,
        "reasons": reasons,
        "refused_as_a_whole": codes_of(refused),
    })
}

fn subject_json(simulated: &Simulated, place: usize, subject: &SimulatedSubject) -> Value {
    let who = &subject.who;
    let (before, after) = simulated.tally(place);
    let (kind, id) = match (&who.client, &who.account) {
        (Some(client), _) => ("app", client.to_string()),
        (None, account) => {
            ("account", account.as_ref().map(ToString::to_string).unwrap_or_default())
        }
    };
    let mut json = json!({
        "key": who.key(),
        "type": kind,
        "id": id,
        "name": subject.name,
        "standing": standing_code(who.standing),
        "consents": who.consents,
        "before": tally_json(&before, &subject.refused),
    });
    let Some(members) = json.as_object_mut() else { return json };
    if let (Some(_), Some(account)) = (&who.client, &who.account) {
        members.insert("account".to_owned(), json!(account));
        members.insert("for".to_owned(), json!(subject.for_name));
    }
    if let Some(after) = after {
        members.insert("after".to_owned(), tally_json(&after, &subject.refused_after));
        let named = |which: fn(&Answered) -> bool| -> Vec<String> {
            let of = simulated.of_subject(place).filter(|(_, answered)| which(answered));
            of.map(|(record, _)| name_of(&(record.resource_type, record.id.clone()))).collect()
        };
        members.insert("appear".to_owned(), json!(named(Answered::appears)));
        members.insert("disappear".to_owned(), json!(named(Answered::disappears)));
    }
    json
}

fn record_json(
    simulated: &Simulated,
    record: &SimulatedRecord,
    codes: &mut BTreeSet<ReasonCode>,
) -> Value {
    let mut verdict = |verdict: &Verdict| {
        codes.extend(&verdict.reasons);
        json!({ "permitted": verdict.permitted, "reasons": codes_of(&verdict.reasons) })
    };
    let answers: Vec<Value> = simulated
        .subjects
        .iter()
        .zip(&record.answers)
        .filter_map(|(subject, answered)| {
            let answered = answered.as_ref()?;
            let mut json =
                json!({ "subject": subject.who.key(), "before": verdict(&answered.before) });
            if let (Some(after), Some(members)) = (&answered.after, json.as_object_mut()) {
                members.insert("after".to_owned(), verdict(after));
            }
            Some(json)
        })
        .collect();
    let sensitive = match record.labels {
        Labels::Known(kinds) => json!(kinds),
        Labels::Unclassified => Value::Null,
    };
    json!({
        "record": name_of(&(record.resource_type, record.id.clone())),
        "categories": record.categories,
        "sensitive": sensitive,
        "answers": answers,
    })
}
