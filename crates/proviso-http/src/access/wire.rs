//! Subjects, actions and resources as AuthZEN writes them, and what they mean here.
//!
//! What is missing or of the wrong type is an error of the request; what is well formed and unknown
//! is a question whose answer is no (AuthZEN §5, fail closed).

use proviso_app::evaluation::{EvaluationError, EvaluationSubject, Question, interaction_named};
use proviso_core::category::PurposeOfUse;
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use serde_json::{Map, Value};

use crate::state::HttpState;

/// What of a question is missing or malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// The parts of a question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuple<'a> {
    pub(crate) subject: Option<&'a Value>,
    pub(crate) action: Option<&'a Value>,
    pub(crate) resource: Option<&'a Value>,
    pub(crate) context: Option<&'a Value>,
}

impl<'a> Tuple<'a> {
    pub(crate) fn of(body: &'a Value) -> Self {
        Self {
            subject: body.get("subject"),
            action: body.get("action"),
            resource: body.get("resource"),
            context: body.get("context"),
        }
    }
}

/// An entity: its type, its id if it has one, its properties.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entity<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: Option<&'a str>,
    pub(crate) properties: Option<&'a Map<String, Value>>,
}

fn object<'a>(
    value: Option<&'a Value>,
    missing: &'static str,
) -> Result<&'a Map<String, Value>, Malformed> {
    value.ok_or(Malformed(missing))?.as_object().ok_or(Malformed(missing))
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    wrong: &'static str,
) -> Result<Option<&'a str>, Malformed> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(Malformed(wrong)),
    }
}

fn properties(members: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, Malformed> {
    match members.get("properties") {
        None => Ok(None),
        Some(Value::Object(properties)) => Ok(Some(properties)),
        Some(_) => Err(Malformed("`properties` must be an object")),
    }
}

/// Reads the subject.
pub(crate) fn subject(value: Option<&Value>) -> Result<Entity<'_>, Malformed> {
    let wrong = "`subject` must be an object with a `type` and an `id`";
    let members = object(value, wrong)?;
    Ok(Entity {
        kind: text(members, "type", wrong)?.ok_or(Malformed(wrong))?,
        id: text(members, "id", wrong)?,
        properties: properties(members)?,
    })
}

/// Reads the resource.
pub(crate) fn resource(value: Option<&Value>) -> Result<Entity<'_>, Malformed> {
    let wrong = "`resource` must be an object with a `type` and an `id`";
    let members = object(value, wrong)?;
    Ok(Entity {
        kind: text(members, "type", wrong)?.ok_or(Malformed(wrong))?,
        id: text(members, "id", wrong)?,
        properties: properties(members)?,
    })
}

/// Reads the name of the action.
pub(crate) fn action(value: Option<&Value>) -> Result<&str, Malformed> {
    let wrong = "`action` must be an object with a `name`";
    let members = object(value, wrong)?;
    properties(members)?;
    text(members, "name", wrong)?.ok_or(Malformed(wrong))
}

/// The purpose of use that a context names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Unstated,
    Known(PurposeOfUse),
    /// A code that is not known; nothing fits it.
    Unknown,
}

impl Purpose {
    /// What is asked for; an error when nothing can fit it.
    pub(crate) const fn asked(self) -> Result<Option<PurposeOfUse>, NothingFits> {
        match self {
            Self::Unstated => Ok(None),
            Self::Known(purpose) => Ok(Some(purpose)),
            Self::Unknown => Err(NothingFits),
        }
    }
}

/// A question that is well formed and that nothing here fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NothingFits;

/// Reads the purpose of use.
pub(crate) fn purpose(value: Option<&Value>) -> Result<Purpose, Malformed> {
    let Some(context) = value else { return Ok(Purpose::Unstated) };
    let members = context.as_object().ok_or(Malformed("`context` must be an object"))?;
    let code = text(members, "purpose_of_use", "`purpose_of_use` must be a code")?;
    Ok(match code {
        None => Purpose::Unstated,
        Some(code) => code.parse().map_or(Purpose::Unknown, Purpose::Known),
    })
}

/// The subject that an entity stands for; `None` when there is nobody of that kind or name.
pub(crate) async fn subject_of(
    state: &HttpState,
    entity: Entity<'_>,
) -> Result<Option<EvaluationSubject>, EvaluationError> {
    let Some(id) = entity.id else { return Ok(None) };
    let account = match entity.properties.and_then(|own| own.get("account")) {
        None => None,
        Some(Value::String(name)) => Some(name.as_str()),
        Some(_) => return Ok(None),
    };
    state.app.subject_named(entity.kind, id, account).await
}

/// The question that a tuple asks; `Ok(None)` when it is well formed and nothing here fits it.
pub(crate) async fn question(
    state: &HttpState,
    tuple: Tuple<'_>,
) -> Result<Result<Option<Question>, Malformed>, EvaluationError> {
    let read = || -> Result<_, Malformed> {
        let subject = subject(tuple.subject)?;
        subject.id.ok_or(Malformed("`subject` must have an `id`"))?;
        let resource = resource(tuple.resource)?;
        let id = resource.id.ok_or(Malformed("`resource` must have an `id`"))?;
        Ok((subject, action(tuple.action)?, resource.kind, id, purpose(tuple.context)?))
    };
    let (entity, action, kind, id, purpose) = match read() {
        Ok(parts) => parts,
        Err(malformed) => return Ok(Err(malformed)),
    };
    let Some(subject) = subject_of(state, entity).await? else { return Ok(Ok(None)) };
    let known = || -> Option<Question> {
        Some(Question {
            subject,
            interaction: interaction_named(action)?,
            resource_type: kind.parse::<ResourceType>().ok()?,
            id: id.parse::<ResourceId>().ok()?,
            purpose: purpose.asked().ok()?,
        })
    };
    Ok(Ok(known()))
}
