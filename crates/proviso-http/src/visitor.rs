//! Who is in front of a page: a browser, perhaps signed in, and in which language it reads.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use proviso_app::session::SignedIn;
use proviso_app::via::Via;
use proviso_core::id::RequestId;

use crate::cookie::{self, Keep};
use crate::frame::{SignedInName, Visit, menu_of, see_other};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::Language;

/// Somebody in front of a page.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) visit: Visit,
    /// The value of the browser's cookie: what requests to connect are bound to.
    pub(crate) browser: String,
    /// The value of the session cookie, when its session is alive.
    pub(crate) cookie: Option<String>,
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) via: Via,
}

impl Visitor {
    /// The visitor whom the pages' middleware found.
    pub(crate) fn of(request: &Request) -> Option<&Self> {
        request.extensions().get::<Self>()
    }
}

impl FromRequestParts<HttpState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &HttpState) -> Result<Self, Response> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// Somebody who has signed in; others are sent to the sign-in page and come back afterwards.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) visitor: Visitor,
    pub(crate) signed_in: SignedIn,
}

impl Member {
    pub(crate) const fn visit(&self) -> &Visit {
        &self.visitor.visit
    }
}

impl FromRequestParts<HttpState> for Member {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, state).await?;
        if let Some(signed_in) = visitor.signed_in.clone() {
            return Ok(Self { visitor, signed_in });
        }
        let next = if parts.method == Method::GET { &visitor.visit.address } else { "/" };
        Err(see_other(&sign_in_address(next)))
    }
}

/// The sign-in page, with where to go on afterwards.
pub(crate) fn sign_in_address(next: &str) -> String {
    crate::frame::with_query("/login", "next", next)
}

/// How a request came, for the log.
pub(crate) fn via(parts: &Parts) -> Via {
    Via {
        request: parts.extensions.get::<RequestId>().cloned(),
        network: parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip().to_string()),
        trace: trace_id(&parts.headers),
    }
}

/// The trace id of a `traceparent` header (W3C Trace Context §3.2.2).
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let id = value.split('-').nth(1)?;
    let fits = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    fits.then(|| id.to_owned())
}

/// Finds out who is in front of the page before its handler runs.
pub(crate) async fn receive(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let known = cookie::read(&parts.headers, cookie::BROWSER).filter(|value| value.len() >= 40);
    let browser = match &known {
        Some(value) => value.clone(),
        None => match state.app.new_secret() {
            Ok(secret) => secret.into_exposed(),
            Err(error) => {
                tracing::error!(%error, "no randomness for a browser cookie");
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
        },
    };
    let visitor = match visitor(&state, &parts, browser).await {
        Ok(visitor) => visitor,
        Err(response) => return response,
    };
    let chosen = chosen_language(&parts.uri);
    let browser = visitor.browser.clone();
    // A form from an app's own site comes without our cookies; that is no reason to replace them.
    let from_elsewhere = parts.method == Method::POST && parts.uri.path() == "/oauth/authorize";
    parts.extensions.insert(visitor);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if known.is_none() && !from_elsewhere {
        set_cookie(&mut response, cookie::BROWSER, &browser, Keep::WhileOpen);
    }
    if let Some(language) = chosen {
        set_cookie(&mut response, cookie::LANGUAGE, language.tag(), Keep::OneYear);
    }
    response
}

pub(crate) fn set_cookie(response: &mut Response, name: &str, value: &str, keep: Keep) {
    if let Some(value) = cookie::write(name, value, keep) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

async fn visitor(state: &HttpState, parts: &Parts, browser: String) -> Result<Visitor, Response> {
    let failed = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "a visitor could not be recognised");
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    };
    let sent = cookie::read(&parts.headers, cookie::SESSION);
    let (signed_in, broken) = match &sent {
        None => (None, false),
        Some(sent) => match state.app.signed_in(sent).await {
            Ok(signed_in) => (signed_in, false),
            Err(error) => {
                tracing::error!(%error, "sessions cannot be read");
                (None, true)
            }
        },
    };
    let cookie = sent.filter(|_| signed_in.is_some());
    let csrf = state
        .app
        .form_token(cookie.as_deref().unwrap_or(&browser))
        .map_err(|error| failed(&error))?;
    let request = parts.extensions.get::<RequestId>().cloned();
    let visit = Visit {
        language: language(parts, signed_in.as_ref()),
        address: parts.uri.path_and_query().map_or("/", |both| both.as_str()).to_owned(),
        csrf,
        request: request.ok_or_else(|| failed(&"request without id"))?,
        organization: state.app.settings().organization_name.clone(),
        world: state.world(),
        signed_in: signed_in.as_ref().map(|person| SignedInName {
            name: person.account.display_name.clone(),
            menu: menu_of(person.account.kind),
        }),
    };
    // Who is signed in cannot be known: nobody may go on as if nobody were.
    if broken {
        return Err(Problem::Unavailable.page(&visit));
    }
    Ok(Visitor { visit, browser, cookie, signed_in, via: via(parts) })
}

fn chosen_language(uri: &Uri) -> Option<Language> {
    url::form_urlencoded::parse(uri.query().unwrap_or("").as_bytes())
        .find(|(name, _)| name == "lang")
        .and_then(|(_, value)| Language::from_tag(&value))
}

/// What the person asked for on the page, then what they chose before, then what their account
/// says, then what the browser prefers.
fn language(parts: &Parts, person: Option<&SignedIn>) -> Language {
    chosen_language(&parts.uri)
        .or_else(|| {
            cookie::read(&parts.headers, cookie::LANGUAGE).and_then(|tag| Language::from_tag(&tag))
        })
        .or_else(|| {
            person
                .and_then(|person| person.account.language.as_deref())
                .and_then(Language::from_tag)
        })
        .or_else(|| {
            parts
                .headers
                .get(header::ACCEPT_LANGUAGE)
                .and_then(|value| value.to_str().ok())
                .and_then(Language::negotiate)
        })
        .unwrap_or(Language::English)
}

/// A place on this server where sign-in may lead; anything else is not followed (R4).
pub(crate) fn local_address(next: &str) -> Option<&str> {
    let local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|byte| byte > b' ' && byte < 0x7f)
        && next.len() <= 4096;
    local.then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: R4, no redirect to an address that came in a parameter
    #[test]
    fn sign_in_leads_only_to_this_server() {
        for good in ["/", "/portal", "/oauth/authorize/arq_1?lang=es"] {
            assert_eq!(local_address(good), Some(good));
        }
        for bad in [
            "",
            "portal",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a\\b",
            "/a b",
            "/a\r\nSet-Cookie: x=1",
            "javascript:alert(1)",
        ] {
            assert_eq!(local_address(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_trace_id_is_taken_only_when_well_formed() {
        let check = |value: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", value.parse().unwrap());
            assert_eq!(trace_id(&headers).as_deref(), expected, "{value}");
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        check(&format!("00-{id}-00f067aa0ba902b7-01"), Some(id));
        check("00-nonsense-x-01", None);
        check("garbage", None);
    }
}
