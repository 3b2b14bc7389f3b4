//! Fetches the public keys of apps that registered a JWKS URL (SMART App Launch "asymmetric").

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proviso_app::clients::{FetchedKeys, KeyFetch, KeyFetchError};

/// A token request waits no longer than this for somebody else's server.
const TIMEOUT: Duration = Duration::from_secs(5);
// LIMIT: a JWK set of a few keys has a few KiB.
const BYTES_MAX: usize = 64 * 1024;

/// Fetches over HTTPS; over plain HTTP only from this machine, and only when this server itself is
/// reached there.
///
/// TRUST: the URL was registered by the app. Where registration is open, a stranger can make this
/// server send a bodiless GET to a URL of their choice and learns only whether it was a JWK set;
/// redirects are not followed.
#[derive(Debug)]
pub struct HttpKeyFetch {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    plain_loopback: PlainLoopback,
}

/// Whether plain HTTP to this machine is acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlainLoopback {
    Allowed,
    Refused,
}

impl HttpKeyFetch {
    /// For a server that is reached under a URL.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(public_url: &str) -> anyhow::Result<Self> {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
            .context("cannot set up TLS for fetching keys of apps")?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        let own: Option<Uri> = public_url.parse().ok();
        let plain_loopback = if own.is_some_and(|uri| is_plain_loopback(&uri)) {
            PlainLoopback::Allowed
        } else {
            PlainLoopback::Refused
        };
        #[expect(clippy::disallowed_methods, reason = "the one client that fetches keys of apps")]
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, plain_loopback })
    }

    async fn get(&self, url: &str) -> Result<FetchedKeys, KeyFetchError> {
        let uri: Uri = url.parse().map_err(|_| KeyFetchError)?;
        let fine = uri.scheme_str() == Some("https")
            || (self.plain_loopback == PlainLoopback::Allowed && is_plain_loopback(&uri));
        if !fine {
            return Err(KeyFetchError);
        }
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.client.request(request).await.map_err(|_| KeyFetchError)?;
        if response.status() != StatusCode::OK {
            return Err(KeyFetchError);
        }
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, BYTES_MAX).collect().await.map_err(|_| KeyFetchError)?.to_bytes();
        let body = String::from_utf8(body.to_vec()).map_err(|_| KeyFetchError)?;
        Ok(FetchedKeys { body, max_age_secs: max_age(&head.headers) })
    }
}

impl KeyFetch for HttpKeyFetch {
    fn fetch<'a>(
        &'a self,
        url: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<FetchedKeys, KeyFetchError>> + Send + 'a>> {
        Box::pin(async move {
            match tokio::time::timeout(TIMEOUT, self.get(url)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(KeyFetchError),
            }
        })
    }
}

fn is_plain_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && loopback
}

/// RFC 9111 §5.2.2: how long the answer may be kept; `None` when it does not say.
fn max_age(headers: &HeaderMap) -> Option<i64> {
    let directives: Vec<String> = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(0);
    }
    directives
        .iter()
        .filter_map(|directive| directive.strip_prefix("max-age="))
        .filter_map(|secs| secs.trim_matches('"').parse().ok())
        .min()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[test]
    fn cache_control_is_read_strictly() {
        // Covers: SMART 341
        for (value, expected) in [
            ("max-age=1", Some(1)),
            ("public, Max-Age=60", Some(60)),
            ("no-store", Some(0)),
            ("max-age=60, no-cache", Some(0)),
            ("private", None),
            ("max-age=x", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
            assert_eq!(max_age(&headers), expected, "{value}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }

    async fn answer_once(answer: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = vec![0; 4096];
            let read = stream.read(&mut seen).await.unwrap();
            assert!(seen[..read].starts_with(b"GET /jwks "));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        format!("http://{address}/jwks")
    }

    #[tokio::test]
    async fn keys_are_fetched_by_plain_get_and_redirects_are_not_followed() {
        // Covers: SMART 339, 341
        let fetch = HttpKeyFetch::new("http://127.0.0.1:8080").unwrap();
        let url = answer_once(
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nCache-Control: max-age=1\r\n\r\n{\"keys\":[]}",
        )
        .await;
        let fetched = fetch.fetch(&url).await.unwrap();
        assert_eq!((fetched.body.as_str(), fetched.max_age_secs), ("{\"keys\":[]}", Some(1)));
        let url = answer_once(
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        assert!(fetch.fetch(&url).await.is_err());
    }

    #[tokio::test]
    async fn plain_http_is_refused_off_loopback() {
        let public = HttpKeyFetch::new("https://ehr.example").unwrap();
        assert!(public.fetch("http://127.0.0.1:1/jwks").await.is_err());
        let local = HttpKeyFetch::new("http://127.0.0.1:8080").unwrap();
        for url in ["http://10.0.0.1/jwks", "file:///etc/passwd", "jwks", ""] {
            assert!(local.fetch(url).await.is_err(), "{url}");
        }
    }
}
