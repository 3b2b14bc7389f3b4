//! `/terms`: the terms that the consent page refers to, and where to find help.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::frame::{FormTargets, Frame, Section, Visit, page};
use crate::visitor::Visitor;

/// One part of the page.
#[derive(Debug)]
pub(crate) struct Part {
    title: String,
    text: String,
}

#[derive(Debug, Template)]
#[template(path = "terms.html")]
pub(crate) struct TermsPage {
    frame: Frame,
    parts: Vec<Part>,
}

impl TermsPage {
    pub(crate) fn new(visit: &Visit) -> Self {
        let t = visit.texts();
        let parts = ["terms-choose", "terms-stop", "terms-see", "terms-staff", "terms-help"]
            .into_iter()
            .map(|key| Part {
                title: t.say(key),
                text: t.with(&format!("{key}-text"), &[("organization", &visit.organization)]),
            })
            .collect();
        Self { frame: visit.frame(t.say("terms-title"), Section::None), parts }
    }
}

/// `GET /terms`
pub(crate) async fn show(visitor: Visitor) -> Response {
    page(StatusCode::OK, &TermsPage::new(&visitor.visit), &FormTargets::Own)
}
