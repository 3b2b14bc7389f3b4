//! Last verb: bytes. Nothing is decided here any more.

use axum::body::Body;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW,
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, VARY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use proviso_core::obligation::PART2_STATEMENT;
use proviso_core::time::At;

use crate::audit::Audited;
use crate::file::FileHead;
use crate::gateway::Gateway;
use crate::notice::Notice;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// 42 CFR 2.32(a): the statement that accompanies each disclosure.
pub(crate) const NOTICE: HeaderName = HeaderName::from_static("redisclosure-notice");
/// 42 CFR 2.32(b): an explanation of the scope of the consent.
const NOTICE_CONSENT: HeaderName = HeaderName::from_static("redisclosure-consent");

/// Turns an audited answer into a response.
pub fn respond(gateway: &Gateway, audited: Audited) -> Response<Body> {
    let (answer, request, allowed_origin) = audited.into_parts();
    let mut headers = HeaderMap::new();
    put(&mut headers, X_REQUEST_ID, request.as_str());
    // Patient data is in no cache but the app's own (RFC 9111 §5.2.2.5).
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(version) = &answer.version {
        put(&mut headers, ETAG, &format!("W/\"{version}\""));
    }
    if let Some(at) = answer.last_modified {
        put(&mut headers, LAST_MODIFIED, &http_date(at));
    }
    if let Some(location) = &answer.location {
        put(&mut headers, LOCATION, &format!("{}/{location}", gateway.base));
    }
    if let Some(challenge) = &answer.challenge {
        put(&mut headers, WWW_AUTHENTICATE, challenge);
    }
    if let Some(allow) = answer.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(secs) = answer.retry_after_secs {
        headers.insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    if let Some(notice) = &answer.notice {
        accompany(&mut headers, notice);
    }
    if let Some(origin) = allowed_origin {
        put(&mut headers, ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "Accept-Ranges, Content-Range, ETag, Last-Modified, Location, \
                 Redisclosure-Consent, Redisclosure-Notice, WWW-Authenticate, X-Request-Id",
            ),
        );
    }
    match &answer.file {
        Some(file) => own_form(&mut headers, file),
        None if answer.body.is_empty() => {}
        None => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
        }
    }
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = headers;
    response
}

/// What must accompany the records of a message.
pub(crate) fn accompany(headers: &mut HeaderMap, notice: &Notice) {
    put(headers, NOTICE, PART2_STATEMENT);
    put(headers, NOTICE_CONSENT, &notice.scope);
}

/// A file in its own form: a browser saves it, shows nothing of it in place, and runs nothing.
fn own_form(headers: &mut HeaderMap, file: &FileHead) {
    put(headers, CONTENT_TYPE, &file.content_type);
    if let Some(range) = &file.content_range {
        put(headers, CONTENT_RANGE, range);
    }
    for (name, value) in [
        (ACCEPT_RANGES, "bytes"),
        (CONTENT_DISPOSITION, "attachment"),
        (CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (VARY, "Origin, Accept"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The answer when not even a request id can be made.
pub(crate) fn nothing_at_all() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// Values are ours or were checked; one that no header can carry is left out.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// RFC 9110 §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(at: At) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // `2026-11-22T05:36:33…Z`, always in UTC and with a four-digit year in our range.
    let text = at.to_rfc3339();
    let mut parts = text.split(['-', 'T', ':', '.', 'Z']);
    let mut next = || parts.next().unwrap_or("00");
    let (year, month, day) = (next(), next(), next());
    let (hour, minute, second) = (next(), next(), next());
    let weekday = at.as_secs().div_euclid(86_400).rem_euclid(7);
    let name = |list: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| list.get(index)).copied().unwrap_or("")
    };
    let weekday = name(&DAYS, weekday);
    let month = name(&MONTHS, month.parse::<i64>().unwrap_or(1) - 1);
    format!("{weekday}, {day} {month} {year} {hour}:{minute}:{second} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        for (at, text) in [
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("2026-11-22T05:36:33.123456Z", "Sun, 22 Nov 2026 05:36:33 GMT"),
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            assert_eq!(http_date(At::parse(at).unwrap()), text);
        }
    }
}
