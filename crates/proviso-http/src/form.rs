//! Forms: read once, with their CSRF value checked before anything in them is looked at.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use proviso_core::secret::Secret;

use crate::problem::Problem;
use crate::state::HttpState;
use crate::visitor::Visitor;

// LIMIT: design §13, the largest body accepted anywhere.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

// LIMIT: the consent page has about forty fields.
const FIELDS_MAX: usize = 256;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    TooLarge,
    Broken,
}

/// Reads a whole body, up to the limit.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, BodyError> {
    match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_) => Err(BodyError::Broken),
    }
}

/// Whether the body claims to be `application/x-www-form-urlencoded`.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// The fields of a form that came from a page of ours.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(body).into_owned().take(FIELDS_MAX + 1).collect();
        (fields.len() <= FIELDS_MAX).then_some(Self(fields))
    }

    /// A field that may occur once; `None` when it is absent or occurs more often.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut values =
            self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// A field that may occur any number of times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<HttpState> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, _: &HttpState) -> Result<Self, Response> {
        let Some(visitor) = Visitor::of(&request) else {
            return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response());
        };
        let visit = visitor.visit.clone();
        if !is_form(request.headers()) {
            return Err(Problem::MediaType.page(&visit));
        }
        // Defence in depth beside the CSRF value: browsers say where a form came from.
        let cross_site = request.headers().get("sec-fetch-site").is_some_and(|v| v == "cross-site");
        let body = read_body(request).await.map_err(|error| match error {
            BodyError::TooLarge => Problem::TooLarge.page(&visit),
            BodyError::Broken => Problem::Form.page(&visit),
        })?;
        let form = Self::parse(&body).ok_or_else(|| Problem::Form.page(&visit))?;
        let sent = form.one("csrf").unwrap_or("");
        let genuine = Secret::new(visit.csrf.clone()).matches(sent.as_bytes());
        if genuine && !cross_site { Ok(form) } else { Err(Problem::Csrf.page(&visit)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_sent_twice_is_no_single_field() {
        let form = Form::parse(b"a=1&a=2&b=3&c=%20x").unwrap();
        assert_eq!(form.one("a"), None);
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.one("b"), Some("3"));
        assert_eq!(form.one("c"), Some(" x"));
        assert_eq!(form.one("d"), None);
    }

    #[test]
    fn too_many_fields_are_refused() {
        let body = "a=1&".repeat(FIELDS_MAX + 1);
        assert!(Form::parse(body.as_bytes()).is_none());
        assert!(Form::parse("a=1&".repeat(FIELDS_MAX).as_bytes()).is_some());
    }
}
