//! Cookies: read from a request, written with the one set of attributes we use.

use axum::http::{HeaderMap, HeaderValue, header};

/// Names a browser: CSRF values and requests to connect are bound to it. Not a sign-in.
pub(crate) const BROWSER: &str = "__Host-proviso-browser";
/// The secret of a signed-in session.
pub(crate) const SESSION: &str = "__Host-proviso-session";
/// The language chosen on a page.
pub(crate) const LANGUAGE: &str = "__Host-proviso-language";

/// The value of a cookie; none if it occurs twice, since one of them is not ours.
pub(crate) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        let Ok(line) = line.to_str() else { continue };
        for pair in line.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if key == name && found.replace(value.to_owned()).is_some() {
                return None;
            }
        }
    }
    found.filter(|value| !value.is_empty() && value.len() <= 256)
}

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Until the browser is closed.
    WhileOpen,
    /// For a year.
    OneYear,
    /// Not at all: it is removed.
    Remove,
}

/// A `Set-Cookie` value. `__Host-` makes browsers insist on `Secure`, on the path `/` and on no
/// domain; loopback counts as secure, as browsers treat it.
pub(crate) fn write(name: &str, value: &str, keep: Keep) -> Option<HeaderValue> {
    let age = match keep {
        Keep::WhileOpen => "",
        Keep::OneYear => "; Max-Age=31536000",
        Keep::Remove => "; Max-Age=0",
    };
    HeaderValue::try_from(format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::try_from(*line).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = headers(&["a=1; __Host-proviso-session=abc", "b=2"]);
        assert_eq!(read(&headers, SESSION).as_deref(), Some("abc"));
        assert_eq!(read(&headers, BROWSER), None);
    }

    #[test]
    fn a_cookie_that_occurs_twice_is_none() {
        let headers = headers(&["__Host-proviso-session=a; __Host-proviso-session=b"]);
        assert_eq!(read(&headers, SESSION), None);
    }

    #[test]
    fn cookies_are_host_bound_secure_and_hidden_from_scripts() {
        let value = write(SESSION, "abc", Keep::WhileOpen).unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "__Host-proviso-session=abc; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
    }
}
