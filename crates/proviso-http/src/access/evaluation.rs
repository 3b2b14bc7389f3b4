//! `POST /access/v1/evaluation` and `/access/v1/evaluations` (AuthZEN §6, §7).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::evaluation::{Evaluated, Question};
use proviso_core::decision::Decision;
use proviso_core::decision::explain::CallerTold;
use proviso_core::reason::{Language, ReasonCode};
use serde_json::{Map, Value, json};

use super::wire::{Malformed, Tuple, question};
use super::{Asked, answer, no_answer};
use crate::answer::problem_json;
use crate::state::HttpState;

/// LIMIT: design §13, a batch has so many entries at most.
const EVALUATIONS_MAX: usize = 200;

/// When a batch may stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

impl Semantic {
    fn of(body: &Value) -> Result<Self, Malformed> {
        let wrong = "`evaluations_semantic` must be `execute_all`, `deny_on_first_deny` or \
                     `permit_on_first_permit`";
        match body.get("options").and_then(|options| options.get("evaluations_semantic")) {
            None => Ok(Self::ExecuteAll),
            Some(Value::String(name)) => match name.as_str() {
                "execute_all" => Ok(Self::ExecuteAll),
                "deny_on_first_deny" => Ok(Self::DenyOnFirstDeny),
                "permit_on_first_permit" => Ok(Self::PermitOnFirstPermit),
                _ => Err(Malformed(wrong)),
            },
            Some(_) => Err(Malformed(wrong)),
        }
    }

    const fn stop(self) -> fn(&Decision) -> bool {
        match self {
            Self::ExecuteAll => |_| false,
            Self::DenyOnFirstDeny => |decision| !decision.is_permit(),
            Self::PermitOnFirstPermit => Decision::is_permit,
        }
    }
}

/// One question.
pub(crate) async fn one(State(state): State<HttpState>, request: Request) -> Response {
    match Asked::read(&state, request).await {
        Ok(asked) => evaluate_one(&state, &asked).await,
        Err(refusal) => refusal,
    }
}

/// Several questions, or one in the form of one.
pub(crate) async fn many(State(state): State<HttpState>, request: Request) -> Response {
    let asked = match Asked::read(&state, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    match asked.body.get("evaluations") {
        None => evaluate_one(&state, &asked).await,
        Some(Value::Array(list)) if list.is_empty() => evaluate_one(&state, &asked).await,
        Some(Value::Array(list)) if list.len() > EVALUATIONS_MAX => {
            let title = "more evaluations than this server decides at once";
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            problem_json(status, "too-many", title, asked.via.request.as_ref())
        }
        Some(Value::Array(list)) => evaluate_many(&state, &asked, list).await,
        Some(_) => asked.bad("`evaluations` must be a list"),
    }
}

async fn evaluate_one(state: &HttpState, asked: &Asked) -> Response {
    let question = match question(state, Tuple::of(&asked.body)).await {
        Ok(Ok(question)) => question,
        Ok(Err(Malformed(title))) => return asked.bad(title),
        Err(error) => return no_answer(error, &asked.via),
    };
    let items = [question.ok_or(NOTHING_FITS)];
    match evaluate(state, asked, &items, Semantic::ExecuteAll).await {
        Ok(mut answers) => answer(&answers.pop().unwrap_or_else(|| refused(NOTHING_FITS))),
        Err(response) => response,
    }
}

async fn evaluate_many(state: &HttpState, asked: &Asked, list: &[Value]) -> Response {
    let semantic = match Semantic::of(&asked.body) {
        Ok(semantic) => semantic,
        Err(Malformed(title)) => return asked.bad(title),
    };
    let mut items = Vec::with_capacity(list.len());
    for own in list {
        let merged = with_defaults(own, &asked.body);
        items.push(match question(state, Tuple::of(&merged)).await {
            Ok(Ok(question)) => question.ok_or(NOTHING_FITS),
            Ok(Err(malformed)) => Err(malformed),
            Err(error) => return no_answer(error, &asked.via),
        });
    }
    match evaluate(state, asked, &items, semantic).await {
        Ok(answers) => answer(&json!({ "evaluations": answers })),
        Err(response) => response,
    }
}

/// A question that is well formed and about nobody, nothing or no action that is known here.
const NOTHING_FITS: Malformed = Malformed("subject, action, resource or purpose is not known");

/// One question with what stands in front of all of them (AuthZEN §7.1.1): a whole part replaces a
/// whole part, but a `type`, `id` or `name` that the own part leaves out comes from the other.
fn with_defaults(own: &Value, all: &Value) -> Value {
    let mut merged = Map::new();
    for name in ["subject", "action", "resource", "context"] {
        let mut part = match (own.get(name), all.get(name)) {
            (None, None) => continue,
            (None, Some(default)) => default.clone(),
            (Some(part), _) => part.clone(),
        };
        if name != "context"
            && let (Some(members), Some(defaults)) =
                (part.as_object_mut(), all.get(name).and_then(Value::as_object))
        {
            for key in ["type", "id", "name"] {
                if let Some(value) = defaults.get(key) {
                    members.entry(key).or_insert_with(|| value.clone());
                }
            }
        }
        merged.insert(name.to_owned(), part);
    }
    Value::Object(merged)
}

/// Decides in order, as far as the semantic wants it. A question that cannot be asked is a denial of
/// its own place and stops what a denial stops.
async fn evaluate(
    state: &HttpState,
    asked: &Asked,
    items: &[Result<Question, Malformed>],
    semantic: Semantic,
) -> Result<Vec<Value>, Response> {
    let failed = |error| no_answer(error, &asked.via);
    let evaluations = state.app.evaluations().map_err(failed)?;
    let mut answers = Vec::with_capacity(items.len());
    let mut rest = items;
    while !rest.is_empty() {
        let good = rest.iter().take_while(|item| item.is_ok()).count();
        let (now, later) = rest.split_at(good);
        let questions: Vec<Question> = now.iter().filter_map(|item| item.clone().ok()).collect();
        if !questions.is_empty() {
            let decided = evaluations
                .evaluate(asked.by(), &questions, semantic.stop())
                .await
                .map_err(failed)?;
            let enough = decided.iter().any(|one| semantic.stop()(&one.decision));
            answers.extend(decided.iter().map(told));
            if enough {
                return Ok(answers);
            }
        }
        rest = later;
        if let Some((Err(malformed), after)) = later.split_first() {
            state.app.log_unanswerable(asked.by()).await.map_err(failed)?;
            answers.push(refused(*malformed));
            if semantic == Semantic::DenyOnFirstDeny {
                return Ok(answers);
            }
            rest = after;
        }
    }
    Ok(answers)
}

/// A question that could not be asked.
fn refused(Malformed(why): Malformed) -> Value {
    json!({ "decision": false, "context": { "error": { "status": 400, "message": why } } })
}

/// The answer to one question (AuthZEN §6.2): reasons for the administrator, and words for the one
/// who would act, in which nothing tells of what is hidden.
fn told(evaluated: &Evaluated) -> Value {
    let decision = &evaluated.decision;
    let codes: Vec<&str> = decision.reasons.iter().map(|reason| reason.code()).collect();
    let mut context = json!({
        "id": evaluated.id,
        "reasons": codes,
        "reason_admin": texts(|language| for_officer(&decision.reasons, language)),
        "reason_user": texts(|language| for_caller(evaluated.told, language)),
    });
    if let Some(members) = context.as_object_mut() {
        if let Some(digest) = &evaluated.digest {
            members.insert("digest".to_owned(), json!(digest));
        }
        if let Some(consent) = &evaluated.consent {
            members.insert("consent".to_owned(), json!(consent));
        }
    }
    json!({ "decision": decision.is_permit(), "context": context })
}

fn texts(text: impl Fn(Language) -> String) -> Value {
    let all = Language::ALL.iter();
    Value::Object(all.map(|one| (one.tag().to_owned(), json!(text(*one)))).collect())
}

fn for_officer(reasons: &[ReasonCode], language: Language) -> String {
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.auditor_text(language)).collect();
    texts.join(" ")
}

fn for_caller(told: CallerTold, language: Language) -> String {
    told.text(language).to_owned()
}
