//! `POST /access/v1/search/{subject,resource,action}` (AuthZEN §8 to §10).
//!
//! Each result was decided one by one and is in the log; a page may therefore be short, or even
//! empty, while `next_token` says that there is more to be looked at.

use axum::extract::{Request, State};
use axum::response::Response;
use proviso_app::evaluation::{
    ACTIONS, Question, ResourceQuestion, SubjectKind, interaction_named,
};
use proviso_core::decision::Decision;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use serde_json::{Value, json};

use super::wire::{self, Malformed, Tuple};
use super::{Asked, answer, no_answer};
use crate::state::HttpState;

/// LIMIT: so many people or apps are decided about for one page.
const SUBJECTS_MAX: usize = 100;
/// LIMIT: so many records are listed on one page.
const RESOURCES_MAX: usize = 100;

/// Where a page begins and how long it may be.
struct Page {
    token: Option<String>,
    limit: usize,
}

impl Page {
    fn of(body: &Value, most: usize) -> Result<Self, Malformed> {
        let Some(page) = body.get("page") else { return Ok(Self { token: None, limit: most }) };
        let wrong = Malformed("`page` must be an object with a `token` and a `limit`");
        let members = page.as_object().ok_or(wrong)?;
        let token = match members.get("token").or_else(|| members.get("next_token")) {
            None => None,
            Some(Value::String(token)) => Some(token.clone()).filter(|token| !token.is_empty()),
            Some(_) => return Err(wrong),
        };
        let limit = match members.get("limit") {
            None => most,
            Some(limit) => {
                let limit = limit.as_u64().filter(|limit| *limit > 0).ok_or(wrong)?;
                usize::try_from(limit).unwrap_or(most).min(most)
            }
        };
        Ok(Self { token, limit })
    }
}

fn results(results: &[Value], next: Option<&str>) -> Response {
    let page = json!({ "next_token": next.unwrap_or_default(), "count": results.len() });
    answer(&json!({ "results": results, "page": page }))
}

fn nothing() -> Response {
    results(&[], None)
}

/// Who could act on a record.
pub(crate) async fn subjects(State(state): State<HttpState>, request: Request) -> Response {
    let asked = match Asked::read(&state, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let tuple = Tuple::of(&asked.body);
    let read = || -> Result<_, Malformed> {
        let subject = wire::subject(tuple.subject)?;
        let resource = wire::resource(tuple.resource)?;
        let id = resource.id.ok_or(Malformed("`resource` must have an `id`"))?;
        let action = wire::action(tuple.action)?;
        let purpose = wire::purpose(tuple.context)?;
        Ok((subject.kind, action, resource.kind, id, purpose, Page::of(&asked.body, SUBJECTS_MAX)?))
    };
    let (kind, action, resource_kind, id, purpose, page) = match read() {
        Ok(parts) => parts,
        Err(Malformed(title)) => return asked.bad(title),
    };
    let subject_kind = match kind {
        "account" => SubjectKind::Account,
        "app" => SubjectKind::App,
        _ => return nothing(),
    };
    let known = || -> Option<(Interaction, ResourceType, ResourceId)> {
        Some((interaction_named(action)?, resource_kind.parse().ok()?, id.parse().ok()?))
    };
    let (Some((interaction, resource_type, id)), Ok(purpose)) = (known(), purpose.asked()) else {
        return nothing();
    };
    let found = state.app.subjects_of_kind(subject_kind, page.token.as_deref(), page.limit);
    let questions: Vec<Question> = found
        .iter()
        .map(|(_, subject)| Question {
            subject: subject.clone(),
            interaction: interaction.clone(),
            resource_type,
            id: id.clone(),
            purpose,
        })
        .collect();
    let decided = match decide(&state, &asked, &questions).await {
        Ok(decided) => decided,
        Err(response) => return response,
    };
    let permitted: Vec<Value> = found
        .iter()
        .zip(&decided)
        .filter(|(_, permits)| **permits)
        .map(|((id, _), _)| json!({ "type": kind, "id": id }))
        .collect();
    let full = found.len() == page.limit;
    results(&permitted, found.last().filter(|_| full).map(|(id, _)| id.as_str()))
}

/// What could be done with a record.
pub(crate) async fn actions(State(state): State<HttpState>, request: Request) -> Response {
    let asked = match Asked::read(&state, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let any = json!({ "name": "read" });
    let tuple = Tuple { action: Some(&any), ..Tuple::of(&asked.body) };
    if let Err(Malformed(title)) = Page::of(&asked.body, ACTIONS.len()) {
        return asked.bad(title);
    }
    let question = match wire::question(&state, tuple).await {
        Ok(Ok(Some(question))) => question,
        Ok(Ok(None)) => return nothing(),
        Ok(Err(Malformed(title))) => return asked.bad(title),
        Err(error) => return no_answer(error, &asked.via),
    };
    let questions: Vec<Question> = ACTIONS
        .iter()
        .map(|(_, interaction)| Question { interaction: interaction.clone(), ..question.clone() })
        .collect();
    match decide(&state, &asked, &questions).await {
        Ok(decided) => {
            let permitted = ACTIONS.iter().zip(&decided).filter(|(_, permits)| **permits);
            let names: Vec<Value> =
                permitted.map(|((name, _), _)| json!({ "name": name })).collect();
            results(&names, None)
        }
        Err(response) => response,
    }
}

/// Which records could be acted on.
pub(crate) async fn resources(State(state): State<HttpState>, request: Request) -> Response {
    let asked = match Asked::read(&state, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let tuple = Tuple::of(&asked.body);
    let read = || -> Result<_, Malformed> {
        let subject = wire::subject(tuple.subject)?;
        subject.id.ok_or(Malformed("`subject` must have an `id`"))?;
        let resource = wire::resource(tuple.resource)?;
        let action = wire::action(tuple.action)?;
        let purpose = wire::purpose(tuple.context)?;
        Ok((subject, action, resource.kind, purpose, Page::of(&asked.body, RESOURCES_MAX)?))
    };
    let (entity, action, kind, purpose, page) = match read() {
        Ok(parts) => parts,
        Err(Malformed(title)) => return asked.bad(title),
    };
    let subject = match wire::subject_of(&state, entity).await {
        Ok(Some(subject)) => subject,
        Ok(None) => return nothing(),
        Err(error) => return no_answer(error, &asked.via),
    };
    let known = || -> Option<(Interaction, ResourceType)> {
        Some((interaction_named(action)?, kind.parse().ok()?))
    };
    let (Some((interaction, resource_type)), Ok(purpose)) = (known(), purpose.asked()) else {
        return nothing();
    };
    let question = ResourceQuestion {
        subject,
        interaction,
        resource_type,
        purpose,
        token: page.token,
        limit: page.limit,
    };
    let evaluations = match state.app.evaluations() {
        Ok(evaluations) => evaluations,
        Err(error) => return no_answer(error, &asked.via),
    };
    match evaluations.find(asked.by(), &question).await {
        Ok(found) => {
            let listed: Vec<Value> =
                found.ids.iter().map(|id| json!({ "type": kind, "id": id })).collect();
            results(&listed, found.next.as_deref())
        }
        Err(error) => no_answer(error, &asked.via),
    }
}

async fn decide(
    state: &HttpState,
    asked: &Asked,
    questions: &[Question],
) -> Result<Vec<bool>, Response> {
    let failed = |error| no_answer(error, &asked.via);
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let evaluations = state.app.evaluations().map_err(failed)?;
    let all: fn(&Decision) -> bool = |_| false;
    let decided = evaluations.evaluate(asked.by(), questions, all).await.map_err(failed)?;
    Ok(decided.iter().map(|one| one.decision.is_permit()).collect())
}
