//! The door: what is checked before anybody asks who is there. Sizes, and how often.
//!
//! What passes is a [`Received`] request in parsed parts. No header that is not named here goes
//! any further, so nothing a caller invents (`X-Forwarded-*`, `X-Original-URL`, method overrides,
//! markers of internal calls) can change what is decided or forwarded (leaks 12, 13).

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, OriginalUri};
use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName,
    IF_MATCH, IF_NONE_MATCH, ORIGIN, RANGE, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use proviso_core::id::RequestId;
use proviso_core::secret::Secret;
use proviso_core::time::At;

use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::rate::TooOften;
use crate::settings::Limits;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that came in within the limits; nobody knows yet from whom.
#[derive(Debug)]
pub struct Received {
    pub(crate) request: RequestId,
    pub(crate) at: At,
    pub(crate) method: Method,
    /// Below the FHIR base, starting with `/`, exactly as sent.
    pub(crate) path: String,
    /// Without the question mark, exactly as sent.
    pub(crate) query: String,
    pub(crate) headers: Wanted,
    pub(crate) body: Bytes,
    /// The peer's address, without port.
    pub(crate) network: Option<String>,
    /// Whether the peer asks for somebody else, whose address is not known.
    pub(crate) asked_for: AskedFor,
}

/// For whom a peer asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AskedFor {
    /// For itself: its address is that of whoever asks.
    #[default]
    Itself,
    /// For another, as a proxy in front of another server does.
    Another,
}

/// The only headers that mean anything here. A header sent twice is kept as [`Once::Twice`], so
/// that nobody picks one of the two.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) authorization: Once<Secret<String>>,
    pub(crate) accept: Option<String>,
    pub(crate) content_type: Once<String>,
    pub(crate) encoded: bool,
    pub(crate) if_match: Once<String>,
    pub(crate) if_none_match: Once<String>,
    pub(crate) if_none_exist: Once<String>,
    pub(crate) idempotency_key: Once<String>,
    pub(crate) prefer: Option<String>,
    pub(crate) range: Once<String>,
    pub(crate) origin: Option<String>,
    /// W3C trace id.
    pub(crate) trace: Option<String>,
}

/// A header that may come at most once.
#[derive(Debug, Default)]
pub(crate) enum Once<T> {
    #[default]
    Absent,
    One(T),
    Twice,
}

impl<T> Once<T> {
    /// The value, if there is exactly one; a refusal if there are more.
    pub(crate) fn single(&self) -> Result<Option<&T>, Refusal> {
        match self {
            Self::Absent => Ok(None),
            Self::One(value) => Ok(Some(value)),
            Self::Twice => Err(Problem::HeaderMalformed.into()),
        }
    }
}

/// Lets a request in, or says which limit it breaks.
pub(crate) async fn receive(
    gateway: &Gateway,
    request: Request<Body>,
    id: RequestId,
    at: At,
) -> Result<Received, Refusal> {
    let (head, body) = request.into_parts();
    let limits = &gateway.settings.limits;
    let address = head
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(address)| address.ip().to_canonical().to_string());
    if let Some(address) = &address {
        gateway.rates.check_address(address).map_err(too_often)?;
    }
    let path = as_sent(&head);
    let query = head.uri.query().unwrap_or("");
    check_sizes(&path, query, &head.headers, limits)?;
    // RFC 9112 §6.1: both at once is how one request is smuggled inside another.
    if head.headers.contains_key(TRANSFER_ENCODING) && head.headers.contains_key(CONTENT_LENGTH) {
        return Err(Problem::BodyMalformed.into());
    }
    let body = Limited::new(body, limits.body_bytes_max)
        .collect()
        .await
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                Refusal::from(Problem::BodyTooLarge)
            } else {
                Refusal::from(Problem::BodyMalformed)
            }
        })?
        .to_bytes();
    Ok(Received {
        request: id,
        at,
        query: query.to_owned(),
        path,
        headers: wanted(&head.headers),
        method: head.method,
        body,
        network: address,
        asked_for: head.extensions.get::<AskedFor>().copied().unwrap_or_default(),
    })
}

/// The path below the FHIR base. The router that mounts us drops an empty segment behind the base;
/// it is put back, so that the path is judged as it was sent (leak 10).
fn as_sent(head: &Parts) -> String {
    let below = head.uri.path();
    let swallowed = head
        .extensions
        .get::<OriginalUri>()
        .and_then(|OriginalUri(whole)| whole.path().strip_suffix(below))
        .is_some_and(|base| base.ends_with('/'));
    if swallowed { format!("/{below}") } else { below.to_owned() }
}

pub(crate) fn too_often(wait: TooOften) -> Refusal {
    Refusal::from(Problem::RateLimited).retry_after(wait.retry_after_secs)
}

fn check_sizes(
    path: &str,
    query: &str,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<(), Refusal> {
    if path.len() + query.len() > limits.url_bytes_max {
        return Err(Problem::UrlTooLong.into());
    }
    // Name, colon, space, value, line end: as it came over the wire.
    let block: usize = headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 4).sum();
    if block > limits.header_bytes_max {
        return Err(Problem::HeadersTooLarge.into());
    }
    // Said before the body is sent, where the client announces its length.
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    let most = u64::try_from(limits.body_bytes_max).unwrap_or(u64::MAX);
    if announced.is_some_and(|length| length > most) {
        return Err(Problem::BodyTooLarge.into());
    }
    Ok(())
}

fn wanted(headers: &HeaderMap) -> Wanted {
    let authorization = match once(headers, &AUTHORIZATION) {
        Once::Absent => Once::Absent,
        Once::One(value) => Once::One(Secret::new(value)),
        Once::Twice => Once::Twice,
    };
    Wanted {
        authorization,
        accept: joined(headers, &ACCEPT),
        content_type: once(headers, &CONTENT_TYPE),
        encoded: headers.contains_key(CONTENT_ENCODING),
        if_match: once(headers, &IF_MATCH),
        if_none_match: once(headers, &IF_NONE_MATCH),
        if_none_exist: once(headers, &IF_NONE_EXIST),
        idempotency_key: once(headers, &IDEMPOTENCY_KEY),
        prefer: joined(headers, &PREFER),
        range: once(headers, &RANGE),
        origin: joined(headers, &ORIGIN),
        trace: joined(headers, &TRACEPARENT).and_then(|text| trace_id(&text)),
    }
}

/// Text that is not visible ASCII counts as sent twice: no meaning can be given to it safely.
fn once(headers: &HeaderMap, name: &HeaderName) -> Once<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Once::Absent,
        (Some(value), None) => {
            value.to_str().map_or(Once::Twice, |text| Once::One(text.to_owned()))
        }
        (Some(_), Some(_)) => Once::Twice,
    }
}

/// Lists may come in several lines (RFC 9110 §5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let texts: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// W3C Trace Context §3.2.2.3: 32 lower-case hex digits, not all zero.
fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    let hex = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (hex && id.bytes().any(|b| b != b'0')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_header_sent_twice_has_no_value() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        assert!(matches!(wanted(&headers).authorization, Once::One(_)));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert!(matches!(wanted(&headers).authorization, Once::Twice));
    }

    // Covers: design §13
    #[test]
    fn urls_and_header_blocks_are_bounded() {
        let limits = Limits::default();
        let none = HeaderMap::new();
        let check = |path: &str, headers: &HeaderMap| {
            check_sizes(path, "", headers, &limits).err().map(|refusal| refusal.problem)
        };
        assert_eq!(check(&"a".repeat(limits.url_bytes_max), &none), None);
        let longer = "a".repeat(limits.url_bytes_max + 1);
        assert_eq!(check(&longer, &none), Some(Problem::UrlTooLong));
        let mut headers = HeaderMap::new();
        let value = "v".repeat(limits.header_bytes_max);
        headers.insert("x-a", HeaderValue::from_str(&value).unwrap());
        assert_eq!(check("/", &headers), Some(Problem::HeadersTooLarge));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("4194305"));
        assert_eq!(check("/", &headers), Some(Problem::BodyTooLarge));
    }

    #[test]
    fn only_a_well_formed_trace_id_is_kept() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_id(good).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(trace_id("00-00000000000000000000000000000000-1-01"), None);
        assert_eq!(trace_id("00-<script>-1-01"), None);
    }
}
