//! Redirect URIs: which may be registered, and when a request's URI is the registered one.

use url::{Host, Url};

/// Why a redirect URI cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// It is not an absolute URI.
    #[error("a redirect URI is not an absolute URI")]
    NotAbsolute,
    /// It has a fragment (RFC 6749 §3.1.2).
    #[error("a redirect URI has a fragment")]
    Fragment,
    /// It has a wildcard, a user name or a password.
    #[error("a redirect URI has a wildcard or credentials")]
    Ambiguous,
    /// It uses `http` off loopback.
    #[error("a redirect URI uses `http` for a host that is not loopback")]
    PlainHttp,
    /// It uses a scheme that a browser would run or that no app can own.
    #[error("a redirect URI uses a scheme that is not allowed")]
    Scheme,
    /// It is too long, or has characters that no URI or no host name has.
    #[error("a redirect URI is too long or has characters that do not belong there")]
    Characters,
}

// LIMIT: it is sent back in a header together with a code and a state.
const URI_BYTES_MAX: usize = 2048;

/// Whether a text has only characters that RFC 3986 §2 gives a URI. What parsers would strip or
/// rewrite is refused: the text is compared, shown and sent as it is.
fn has_uri_characters(uri: &str) -> bool {
    uri.len() <= URI_BYTES_MAX
        && uri.bytes().all(|byte| {
            byte.is_ascii_graphic()
                && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        })
}

/// Whether a host is an address or a DNS name. Its origin becomes part of a security header, where
/// `;` and `,` would end what they stand in.
fn has_host_characters(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Domain(name)) => {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => true,
    }
}

/// Whether a host is the machine itself: `127.0.0.0/8`, `::1` or `localhost`.
fn is_loopback(uri: &Url) -> bool {
    match uri.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Checks a URI at registration (RFC 9700 §2.1, R3).
///
/// # Errors
/// When the URI could send a code to someone else than the app.
pub fn check_registration(uri: &str) -> Result<(), RedirectUriError> {
    let parsed = Url::parse(uri).map_err(|_| RedirectUriError::NotAbsolute)?;
    if uri.contains('#') {
        return Err(RedirectUriError::Fragment);
    }
    if uri.contains('*') || !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(RedirectUriError::Ambiguous);
    }
    if !has_uri_characters(uri) || !has_host_characters(&parsed) {
        return Err(RedirectUriError::Characters);
    }
    match parsed.scheme() {
        "https" if parsed.host().is_some() => Ok(()),
        "http" if is_loopback(&parsed) => Ok(()),
        "http" => Err(RedirectUriError::PlainHttp),
        // RFC 8252 §7.1: private-use schemes are reverse domain names, so they have a dot.
        scheme if scheme.contains('.') => Ok(()),
        _ => Err(RedirectUriError::Scheme),
    }
}

/// Whether a URI leads to an app on the person's own machine, where any other program may take the
/// app's place: a loopback address, or a scheme of the app's own (RFC 8252 §7.1, §7.3). An `https`
/// address of some other host is held by whoever holds the host (§7.2). What cannot be read is not
/// held by anybody.
pub fn is_native(uri: &str) -> bool {
    Url::parse(uri).map_or(true, |uri| uri.scheme() != "https" || is_loopback(&uri))
}

/// Whether a requested URI is a registered one: the same characters, except that the port of a
/// loopback URI may vary (RFC 9700 §4.1.3, RFC 8252 §7.3; R1).
pub fn matches(registered: &str, requested: &str) -> bool {
    registered == requested
        || matches!(
            (loopback_without_port(registered), loopback_without_port(requested)),
            (Some(own), Some(theirs)) if own == theirs
        )
}

/// A loopback `http` URI as the texts before and after its port; `None` for any other URI.
///
/// Works on the text, not on a normalized URL: everything but the port must be the same characters.
fn loopback_without_port(uri: &str) -> Option<(&str, &str)> {
    let parsed = Url::parse(uri).ok()?;
    if parsed.scheme() != "http" || !is_loopback(&parsed) || uri.contains('#') {
        return None;
    }
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end)?;
    if authority.contains('@') {
        return None;
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        // An IPv6 literal without a port.
        Some(_) if authority.starts_with('[') && authority.ends_with(']') => authority,
        Some(_) => return None,
        None => authority,
    };
    Some((host, tail))
}

/// Adds parameters to a redirect URI, keeping the query it was registered with.
pub fn with_query(redirect_uri: &str, query: &str) -> String {
    let joint = match redirect_uri.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, existing)) if existing.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{redirect_uri}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_is_by_character() {
        // Covers: R1
        let own = "https://app.example/cb";
        assert!(matches(own, own));
        for other in [
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://app.example:443/cb",
            "https://app.example/cb?x=1",
            "https://APP.example/cb",
            "https://app.example/a/../cb",
            "https://app.example.evil.example/cb",
            "http://app.example/cb",
        ] {
            assert!(!matches(own, other), "{other}");
        }
    }

    #[test]
    fn only_an_https_address_of_another_host_belongs_to_one_app() {
        // Covers: RFC 8252 §8.6
        for native in [
            "http://127.0.0.1:9123/callback",
            "http://[::1]/callback",
            "http://localhost/callback",
            "https://localhost:8443/callback",
            "https://127.0.0.2/callback",
            "com.example.app:/callback",
            "com.example.app://host/callback",
            "not a uri",
        ] {
            assert!(is_native(native), "{native}");
        }
        for held in ["https://app.example/callback", "https://localhost.example/callback"] {
            assert!(!is_native(held), "{held}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_uri_may_vary() {
        // Covers: R1, RFC 8252 §7.3
        let own = "http://127.0.0.1:9123/callback";
        assert!(matches(own, "http://127.0.0.1:51004/callback"));
        assert!(matches(own, "http://127.0.0.1/callback"));
        assert!(matches("http://[::1]/cb", "http://[::1]:7/cb"));
        for other in [
            "http://127.0.0.1:9123/callback2",
            "http://127.0.0.1:9123@evil.example/callback",
            "http://127.0.0.1.evil.example:9123/callback",
            "http://localhost:9123/callback",
            "https://127.0.0.1:9123/callback",
            "http://127.0.0.1:9123/callback#x",
            "http://127.0.0.1:x/callback",
        ] {
            assert!(!matches(own, other), "{other}");
        }
        assert!(!matches("https://app.example:1/cb", "https://app.example:2/cb"));
    }

    #[test]
    fn uris_that_could_leak_a_code_cannot_be_registered() {
        // Covers: R3
        for (uri, expected) in [
            ("https://app.example/cb#f", RedirectUriError::Fragment),
            ("http://app.example/cb", RedirectUriError::PlainHttp),
            ("https://*.app.example/cb", RedirectUriError::Ambiguous),
            ("https://u:p@app.example/cb", RedirectUriError::Ambiguous),
            ("javascript:alert(1)", RedirectUriError::Scheme),
            ("data:text/html,x", RedirectUriError::Scheme),
            ("/cb", RedirectUriError::NotAbsolute),
            ("https://app.example/\ncb", RedirectUriError::Characters),
            ("https://app.example/c b", RedirectUriError::Characters),
            ("https://app.example\\@evil.example/", RedirectUriError::Characters),
            ("https://app.example/\u{202e}", RedirectUriError::Characters),
            ("https://evil.example;sandbox/cb", RedirectUriError::Characters),
            ("https://evil.example,script-src/cb", RedirectUriError::Characters),
        ] {
            assert_eq!(check_registration(uri), Err(expected), "{uri}");
        }
        for uri in ["https://app.example/cb?x=1", "http://127.0.0.1:9123/cb", "com.example.app:/cb"]
        {
            assert_eq!(check_registration(uri), Ok(()), "{uri}");
        }
        let long = format!("https://app.example/{}", "a".repeat(URI_BYTES_MAX));
        assert_eq!(check_registration(&long), Err(RedirectUriError::Characters));
    }

    #[test]
    fn the_registered_query_is_kept() {
        assert_eq!(with_query("https://a/cb", "code=1"), "https://a/cb?code=1");
        assert_eq!(with_query("https://a/cb?x=1", "code=1"), "https://a/cb?x=1&code=1");
    }
}
