//! A question of the operator on this machine to the simulator: who could see what, and after a
//! change.

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::evaluation::Asker;
use proviso_app::simulate::{Simulated, Viewer};
use proviso_app::via::Via;
use proviso_http::simulation::read_question;
use serde_json::Value;

/// Answers one page of a question, in the words of the HTTP endpoint, and logs that it was asked.
///
/// # Errors
/// When a word of the question is not known, or there is no answer.
pub async fn simulate(app: &App, question: &Value) -> anyhow::Result<Simulated> {
    let question = read_question(app, question).await?;
    let via = Via::default();
    let viewer = Viewer::Officer(Asker { caller: None, via: &via });
    let simulated = app.simulations()?.simulate(viewer, &question).await;
    simulated.context("no answer")
}
