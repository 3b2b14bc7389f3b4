//! Questions and tests as text: a scenario in, a decision and its reasons out.

use std::collections::BTreeSet;

use proviso_core::account::ActorKind;
use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::decision::{Effect, Labels};
use proviso_core::org::{
    Age, AuthLevel, Department, Device, Emergency, EmergencyReason, Environment, FactSource,
    Governance, Mode, Network, Obligation, OrgAction, OrgQuestion, OrgResource, PatientMatch,
    Place as Where, PolicyName, Provenance, RecordKind, Relation, Role, Sourced, TenantMatch,
    TokenReach, kind_from_code,
};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use serde::Deserialize;

use super::documents::TextFile;
use super::finding::{Finding, FindingCode, Place};

/// One test of a set.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it shows, as a sentence.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What is asked.
    pub question: OrgQuestion,
    /// What must be decided.
    pub expect: Effect,
    /// The reasons that must be given, exactly these.
    pub reasons: BTreeSet<ReasonCode>,
    /// The policies that must decide; `None` when the test leaves them open.
    pub by: Option<BTreeSet<PolicyName>>,
    /// The obligations that must be given; `None` when the test leaves them open.
    pub obligations: Option<BTreeSet<Obligation>>,
}

/// Why a question cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not TOML, or has a key that means nothing.
    #[error("{0}")]
    Toml(String),
    /// A value is none of those that its key knows.
    #[error("`{key}` does not know `{value}`")]
    Unknown {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
    },
    /// It names no resource, or several.
    #[error("names one of `record`, `directory` and `governance`")]
    Resource,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    scenario: Vec<toml::Spanned<Written>>,
}

/// How a question is written. Everything that is left out is absent, or the least.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    who: String,
    roles: Option<Vec<String>>,
    roles_age: Option<String>,
    departments: Option<Vec<String>>,
    #[serde(default)]
    related: Vec<String>,
    mode: Option<String>,
    purpose: String,
    action: String,
    record: Option<String>,
    directory: Option<String>,
    governance: Option<String>,
    #[serde(default)]
    categories: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
    labelled: Option<bool>,
    #[serde(default)]
    named: Vec<String>,
    other_tenant: Option<bool>,
    token_lacks: Option<bool>,
    network: Option<String>,
    place: Option<String>,
    device: Option<String>,
    device_age: Option<String>,
    acr: Option<String>,
    hour: Option<u8>,
    weekday: Option<u8>,
    emergency: Option<AskedEmergency>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedEmergency {
    reason: Option<String>,
    minutes: u8,
    other_patient: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    ask: Asked,
    expect: String,
    reasons: Vec<String>,
    by: Option<Vec<String>>,
    obligations: Option<Vec<String>>,
}

/// Reads one question (`proviso policy explain`).
///
/// # Errors
/// When it is not TOML or says something that is not known.
pub fn read_question(text: &str) -> Result<OrgQuestion, ScenarioError> {
    let asked: Asked = toml::from_str(text).map_err(|why| ScenarioError::Toml(why.to_string()))?;
    question(&asked)
}

/// The tests in a file.
pub(super) fn read_scenarios(file: &TextFile, findings: &mut Vec<Finding>) -> Vec<Scenario> {
    let whole = Place { file: file.name.clone(), line: 1, name: None };
    let parsed: File = match toml::from_str(&file.text) {
        Ok(parsed) => parsed,
        Err(why) => {
            let line = why.span().map_or(1, |span| line_of(&file.text, span.start));
            let place = Place { line, ..whole };
            let text = format!("cannot be read: {}", why.message());
            findings.push(Finding::new(FindingCode::TestSyntax, Some(&place), text));
            return Vec::new();
        }
    };
    let mut scenarios = Vec::new();
    for spanned in parsed.scenario {
        let line = line_of(&file.text, spanned.span().start);
        let written = spanned.into_inner();
        let place = Place { line, name: Some(written.name.clone()), ..whole.clone() };
        match scenario(written, place.clone()) {
            Ok(scenario) => scenarios.push(scenario),
            Err(why) => {
                let text = format!("cannot be read: {why}");
                findings.push(Finding::new(FindingCode::TestSyntax, Some(&place), text));
            }
        }
    }
    scenarios
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1)
}

fn scenario(written: Written, place: Place) -> Result<Scenario, ScenarioError> {
    let expect = match written.expect.as_str() {
        "permit" => Effect::Permit,
        "deny" => Effect::Deny,
        _ => return Err(unknown("expect", &written.expect)),
    };
    Ok(Scenario {
        question: question(&written.ask)?,
        expect,
        reasons: codes("reasons", &written.reasons)?,
        by: written.by.as_deref().map(|by| codes("by", by)).transpose()?,
        obligations: written
            .obligations
            .as_deref()
            .map(|own| codes("obligations", own))
            .transpose()?,
        name: written.name,
        place,
    })
}

fn unknown(key: &'static str, value: &str) -> ScenarioError {
    ScenarioError::Unknown { key, value: value.to_owned() }
}

fn code<T: std::str::FromStr>(key: &'static str, value: &str) -> Result<T, ScenarioError> {
    value.parse().map_err(|_| unknown(key, value))
}

fn codes<T, C>(key: &'static str, values: &[String]) -> Result<C, ScenarioError>
where
    T: std::str::FromStr,
    C: FromIterator<T>,
{
    values.iter().map(|value| code(key, value)).collect()
}

fn optional<T: std::str::FromStr>(
    key: &'static str,
    value: Option<&String>,
) -> Result<Option<T>, ScenarioError> {
    value.map(|value| code(key, value)).transpose()
}

fn age(key: &'static str, value: Option<&String>) -> Result<Age, ScenarioError> {
    Ok(optional(key, value)?.unwrap_or(Age::Now))
}

fn question(asked: &Asked) -> Result<OrgQuestion, ScenarioError> {
    let kind = kind_from_code(&asked.who).map_err(|_| unknown("who", &asked.who))?;
    let mut question = subject(kind, optional("mode", asked.mode.as_ref())?)?;
    if let Some(roles) = &asked.roles
        && let Some(own) = &mut question.roles
    {
        own.value = codes::<Role, _>("roles", roles)?;
    }
    question.roles = match asked.roles_age.as_deref() {
        Some("unknown") => None,
        _ => question
            .roles
            .map(|own| {
                let age = age("roles_age", asked.roles_age.as_ref())?;
                let provenance = Provenance { age, ..own.provenance };
                Ok::<_, ScenarioError>(Sourced { provenance, ..own })
            })
            .transpose()?,
    };
    if let Some(departments) = &asked.departments {
        question.departments = Some(Sourced {
            value: codes::<Department, _>("departments", departments)?,
            provenance: Provenance::now(FactSource::Scim),
        });
    }
    for related in &asked.related {
        let (relation, step) = related.split_once(':').unwrap_or((related, "now"));
        let age: Age = code("related", step)?;
        let provenance = Provenance { source: FactSource::Relationship, age };
        question.related.insert(code::<Relation>("related", relation)?, provenance);
    }
    question.purpose = code::<PurposeOfUse>("purpose", &asked.purpose)?;
    question.action = code::<OrgAction>("action", &asked.action)?;
    question.resource = resource(asked)?;
    question.named = codes::<SensitiveKind, _>("named", &asked.named)?;
    if asked.other_tenant == Some(true) {
        question.tenant = TenantMatch::Other;
    }
    if asked.token_lacks == Some(true) {
        question.token = TokenReach::Lacks;
    }
    question.environment = environment(asked)?;
    question.emergency = asked.emergency.as_ref().map(emergency).transpose()?;
    Ok(question)
}

fn subject(kind: ActorKind, mode: Option<Mode>) -> Result<OrgQuestion, ScenarioError> {
    let usual = match kind {
        ActorKind::Patient | ActorKind::Proxy => Mode::OwnRecord,
        ActorKind::System => Mode::PreAuthorized,
        ActorKind::Clinician
        | ActorKind::Nurse
        | ActorKind::Staff
        | ActorKind::PrivacyOfficer
        | ActorKind::Administrator
        | ActorKind::SupportAgent => Mode::Operational,
    };
    let mode = mode.unwrap_or(usual);
    if kind == ActorKind::System {
        let question = OrgQuestion::of_service(code("who", "some-service")?);
        return Ok(OrgQuestion { mode, ..question });
    }
    Ok(OrgQuestion::of_account(code("who", "acc_somebody")?, kind, mode))
}

fn resource(asked: &Asked) -> Result<OrgResource, ScenarioError> {
    match (&asked.record, &asked.directory, &asked.governance) {
        (Some(record), None, None) => Ok(OrgResource::Record(RecordKind {
            resource_type: code::<ResourceType>("record", record)?,
            categories: codes::<Category, _>("categories", &asked.categories)?,
            labels: if asked.labelled == Some(false) {
                Labels::Unclassified
            } else {
                Labels::Known(codes::<SensitiveKind, _>("kinds", &asked.kinds)?)
            },
        })),
        (None, Some(directory), None) => Ok(OrgResource::Directory(code("directory", directory)?)),
        (None, None, Some(kind)) => {
            Ok(OrgResource::Governance(code::<Governance>("governance", kind)?))
        }
        (_, _, _) => Err(ScenarioError::Resource),
    }
}

fn environment(asked: &Asked) -> Result<Environment, ScenarioError> {
    let device_age = age("device_age", asked.device_age.as_ref())?;
    let session = |age| Provenance { source: FactSource::Session, age };
    Ok(Environment {
        network: optional::<Network>("network", asked.network.as_ref())?,
        place: optional::<Where>("place", asked.place.as_ref())?
            .map(|value| Sourced { value, provenance: session(Age::Now) }),
        device: optional::<Device>("device", asked.device.as_ref())?
            .map(|value| Sourced { value, provenance: session(device_age) }),
        acr: optional::<AuthLevel>("acr", asked.acr.as_ref())?,
        hour: asked.hour,
        weekday: asked.weekday,
    })
}

fn emergency(asked: &AskedEmergency) -> Result<Emergency, ScenarioError> {
    Ok(Emergency {
        reason: optional::<EmergencyReason>("reason", asked.reason.as_ref())?,
        minutes: asked.minutes,
        for_patient: match asked.other_patient {
            Some(true) => PatientMatch::Other,
            Some(false) | None => PatientMatch::Same,
        },
    })
}
