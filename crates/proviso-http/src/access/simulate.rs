//! `POST /access/v1/simulate`: who could see which records of a patient, now and after a change.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use proviso_app::simulate::{SimulationError, SupposeError, Viewer};
use proviso_app::via::Via;

use super::{Asked, answer};
use crate::answer::problem_json;
use crate::simulation::{QuestionError, answer_json, read_question};
use crate::state::HttpState;

pub(crate) async fn simulate(State(state): State<HttpState>, request: Request) -> Response {
    let asked = match Asked::read(&state, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let question = match read_question(&state.app, &asked.body).await {
        Ok(question) => question,
        Err(error @ (QuestionError::Malformed(_) | QuestionError::Unknown(_))) => {
            return asked.bad(&error.to_string());
        }
        Err(QuestionError::NoAnswer) => return refused(&SimulationError::NoAnswer, &asked.via),
    };
    let simulations = match state.app.simulations() {
        Ok(simulations) => simulations,
        Err(error) => return refused(&error, &asked.via),
    };
    match simulations.simulate(Viewer::Officer(asked.by()), &question).await {
        Ok(simulated) => answer(&answer_json(&simulated)),
        Err(error) => refused(&error, &asked.via),
    }
}

fn refused(error: &SimulationError, via: &Via) -> Response {
    let words = error.to_string();
    let (status, code, title) = match error {
        SimulationError::Change(SupposeError::Failure(_) | SupposeError::Unknown)
        | SimulationError::NotLogged
        | SimulationError::NoAnswer => {
            tracing::error!(error = error as &dyn std::error::Error, "a simulation got no answer");
            let title = "the server cannot answer just now";
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable", title)
        }
        SimulationError::Change(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "change-impossible", words.as_str())
        }
        SimulationError::NoRecord => (StatusCode::NOT_FOUND, "not-found", words.as_str()),
        SimulationError::TooMany => (StatusCode::UNPROCESSABLE_ENTITY, "too-many", words.as_str()),
        SimulationError::Refused => {
            let title = "the token was not given for asking for decisions";
            (StatusCode::FORBIDDEN, "scope-missing", title)
        }
    };
    problem_json(status, code, title, via.request.as_ref())
}
