//! What people see when something cannot be done: what it means, what was not done, what to do.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::frame::{FormTargets, Frame, Section, Visit, page};

/// Everything that can go wrong on a page, each with a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    NotFound,
    Method,
    TooLarge,
    AddressTooLong,
    MediaType,
    Form,
    Csrf,
    Forbidden,
    RequestGone,
    Authorize,
    Launch,
    HeadersTooLong,
    TooMany,
    Unavailable,
}

impl Problem {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 14] = [
        Self::NotFound,
        Self::Method,
        Self::TooLarge,
        Self::AddressTooLong,
        Self::MediaType,
        Self::Form,
        Self::Csrf,
        Self::Forbidden,
        Self::RequestGone,
        Self::Authorize,
        Self::Launch,
        Self::HeadersTooLong,
        Self::TooMany,
        Self::Unavailable,
    ];

    /// The stable code, which is also the key of its texts.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Method => "method",
            Self::TooLarge => "too-large",
            Self::AddressTooLong => "address-too-long",
            Self::MediaType => "media-type",
            Self::Form => "form",
            Self::Csrf => "csrf",
            Self::Forbidden => "forbidden",
            Self::RequestGone => "request-gone",
            Self::Authorize => "authorize",
            Self::Launch => "launch",
            Self::HeadersTooLong => "headers-too-long",
            Self::TooMany => "too-many",
            Self::Unavailable => "unavailable",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::AddressTooLong => StatusCode::URI_TOO_LONG,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Form | Self::RequestGone | Self::Authorize => StatusCode::BAD_REQUEST,
            Self::Csrf | Self::Forbidden | Self::Launch => StatusCode::FORBIDDEN,
            Self::HeadersTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The page, without details.
    pub(crate) fn page(self, visit: &Visit) -> Response {
        self.page_with(visit, None)
    }

    /// The page, with one line for whoever has to repair the cause; never an internal.
    pub(crate) fn page_with(self, visit: &Visit, detail: Option<String>) -> Response {
        self.page_with_return(visit, detail, None)
    }

    /// The same, with a way back to the app that the person may take by their own click.
    pub(crate) fn page_with_return(
        self,
        visit: &Visit,
        detail: Option<String>,
        return_link: Option<String>,
    ) -> Response {
        let mut view = ProblemPage::new(visit, self, detail);
        view.return_link = return_link;
        page(self.status(), &view, &FormTargets::Own)
    }
}

#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    frame: Frame,
    what: String,
    detail: Option<String>,
    return_link: Option<String>,
    code: &'static str,
    request: String,
}

impl ProblemPage {
    pub(crate) fn new(visit: &Visit, problem: Problem, detail: Option<String>) -> Self {
        let t = visit.texts();
        let key = format!("error-{}", problem.code());
        Self {
            frame: visit.frame(t.say(&key), Section::None),
            what: t.say(&format!("{key}.what")),
            detail,
            return_link: None,
            code: problem.code(),
            request: visit.request.to_string(),
        }
    }
}
