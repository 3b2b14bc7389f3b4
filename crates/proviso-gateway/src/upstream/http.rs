//! A FHIR R4 server behind us, by URL. It is not trusted: what it answers is checked before
//! anybody looks at it, and nothing but checked resources ever comes out of here.
//!
//! TRUST: whoever runs the upstream could answer with another patient's record, a redirect, a
//! link to a third place, or a body without end. So: requests are built from parsed values only
//! (no header of the caller travels on), redirects are not followed, links must stay under the
//! base URL, answers have a size, a type, a depth and no duplicate keys, and a read must answer
//! with the type and id that were asked for.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, LOCATION,
};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::Doc;
use proviso_fhir::label::RuleSet;

use crate::settings::HttpUpstreamSettings;

/// LIMIT: below the five seconds after which common servers close an idle connection, so that we
/// rarely write to one that is already gone.
const POOL_IDLE: Duration = Duration::from_secs(4);
/// LIMIT: generous, because the client opens new connections while it waits for pooled ones.
const POOL_PER_HOST: usize = 64;

/// The settings describe no server we could talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamSetupError {
    /// The base URL is not an absolute http(s) URL without query or fragment.
    #[error("the upstream URL is not an absolute http(s) URL without query and fragment")]
    BaseUrl,
    /// The credential cannot be sent in a header.
    #[error("the upstream credential has a character that no header can carry")]
    Credential,
    /// No cryptography for TLS.
    #[error("TLS to the upstream cannot be set up")]
    Tls,
}

/// Why no usable answer came back. None of it says what the upstream said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// Nothing there, or it broke off.
    #[error("the upstream could not be reached")]
    Down,
    /// It answered that it cannot answer.
    #[error("the upstream failed")]
    Failing,
    /// It took too long.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// It answered with something that is not what was asked for.
    #[error("the upstream's answer is not acceptable: {0}")]
    Unacceptable(&'static str),
}

/// One checked answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The body, when it had one that is a FHIR JSON document.
    pub(crate) doc: Option<Doc>,
    /// The id that a create was given, taken from `Location`.
    pub(crate) location: Option<(ResourceType, ResourceId)>,
}

/// A body to send, with its media type.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client for one upstream.
pub(crate) struct HttpUpstream {
    client: HttpClient,
    /// Base URL without trailing slash.
    base: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    answer_bytes_max: usize,
    /// By which rules what it answers is labelled.
    pub(super) labels: Arc<RuleSet>,
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpUpstream").field("base", &self.base).finish_non_exhaustive()
    }
}

impl HttpUpstream {
    pub(crate) fn new(
        settings: &HttpUpstreamSettings,
        labels: Arc<RuleSet>,
    ) -> Result<Self, UpstreamSetupError> {
        let base = settings.base_url.trim_end_matches('/').to_owned();
        check_base(&base)?;
        let authorization = match &settings.authorization {
            None => None,
            Some(secret) => {
                let mut value = HeaderValue::from_str(secret.expose().trim())
                    .map_err(|_| UpstreamSetupError::Credential)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|_| UpstreamSetupError::Tls)?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        #[expect(clippy::disallowed_methods, reason = "the one client of the upstream")]
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_PER_HOST)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Self {
            client,
            base,
            authorization,
            timeout: settings.timeout,
            answer_bytes_max: settings.answer_bytes_max,
            labels,
        })
    }

    /// Fetches a path below the base. Repeated once if the connection was stale: a GET may be.
    pub(crate) async fn get(&self, tail: &str) -> Result<Answer, UpstreamError> {
        match self.exchange(Method::GET, tail, None, None).await {
            Err(UpstreamError::Down) => self.exchange(Method::GET, tail, None, None).await,
            answered => answered,
        }
    }

    /// Sends a change. Never repeated: it may have been carried out before the line broke.
    pub(crate) async fn change(
        &self,
        method: Method,
        tail: &str,
        outgoing: Option<Outgoing>,
        if_match: Option<&str>,
    ) -> Result<Answer, UpstreamError> {
        self.exchange(method, tail, outgoing, if_match).await
    }

    /// The part of a link below our base, if it is one; any other link is not followed.
    pub(crate) fn tail_of<'a>(&self, link: &'a str) -> Option<&'a str> {
        let tail = link.strip_prefix(&self.base)?;
        let below = tail.starts_with('/') || tail.starts_with('?');
        let steps_out = tail.split(['/', '?', '&']).any(|part| part == ".." || part == ".");
        (below && !steps_out && tail.bytes().all(|b| b.is_ascii_graphic())).then_some(tail)
    }

    async fn exchange(
        &self,
        method: Method,
        tail: &str,
        outgoing: Option<Outgoing>,
        if_match: Option<&str>,
    ) -> Result<Answer, UpstreamError> {
        let request = self.request(method, tail, outgoing, if_match)?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|_| UpstreamError::Down)?;
            self.checked(response).await
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(UpstreamError::TimedOut),
        }
    }

    fn request(
        &self,
        method: Method,
        tail: &str,
        outgoing: Option<Outgoing>,
        if_match: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, UpstreamError> {
        const UNSENDABLE: UpstreamError = UpstreamError::Unacceptable("the request has no URL");
        let uri: Uri = format!("{}{tail}", self.base).parse().map_err(|_| UNSENDABLE)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/fhir+json"));
        if let Some(value) = &self.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        if let Some(version) = if_match {
            headers.insert(IF_MATCH, HeaderValue::from_str(version).map_err(|_| UNSENDABLE)?);
        }
        let body = match outgoing {
            Some(outgoing) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(outgoing.content_type));
                outgoing.body
            }
            None => Bytes::new(),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn checked(&self, response: http::Response<Incoming>) -> Result<Answer, UpstreamError> {
        let (head, body) = response.into_parts();
        if head.status.is_redirection() && head.status != StatusCode::NOT_MODIFIED {
            return Err(UpstreamError::Unacceptable("a redirect"));
        }
        if head.status.is_server_error() {
            return Err(UpstreamError::Failing);
        }
        let body = Limited::new(body, self.answer_bytes_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                UpstreamError::Unacceptable("too large")
            } else {
                UpstreamError::Down
            }
        })?;
        let bytes = body.to_bytes();
        // What it says about an error is not ours to repeat: only successful bodies are read.
        let doc = if head.status.is_success() && !bytes.is_empty() {
            if !is_fhir_json(&head.headers) {
                return Err(UpstreamError::Unacceptable("not FHIR JSON"));
            }
            let doc = Doc::parse(bytes.to_vec())
                .map_err(|_| UpstreamError::Unacceptable("not well-formed JSON"))?;
            Some(doc)
        } else {
            None
        };
        let location = head
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| self.created_at(text));
        Ok(Answer { status: head.status, doc, location })
    }

    /// `[base]/Type/id/_history/version`, absolute under our base or relative.
    fn created_at(&self, location: &str) -> Option<(ResourceType, ResourceId)> {
        let tail = self.tail_of(location).unwrap_or(location);
        let mut parts = tail.trim_start_matches('/').split('/');
        let resource_type = parts.next()?.parse().ok()?;
        let id = parts.next()?.parse().ok()?;
        Some((resource_type, id))
    }
}

fn check_base(base: &str) -> Result<(), UpstreamSetupError> {
    let uri: Uri = base.parse().map_err(|_| UpstreamSetupError::BaseUrl)?;
    let plain = uri.query().is_none() && !base.contains('#');
    let absolute = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    // User information in a URL ends up in logs; credentials have their own setting.
    let anonymous = !uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if plain && absolute && anonymous { Ok(()) } else { Err(UpstreamSetupError::BaseUrl) }
}

fn is_fhir_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    matches!(media.as_str(), "application/fhir+json" | "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Arc<RuleSet> {
        Arc::new(RuleSet::shipped())
    }

    fn upstream(base: &str) -> HttpUpstream {
        HttpUpstream::new(&HttpUpstreamSettings::at(base), rules()).unwrap()
    }

    #[test]
    fn only_links_below_the_base_are_followed() {
        let upstream = upstream("https://fhir.example.org/r4");
        for (link, tail) in [
            ("https://fhir.example.org/r4/Observation?page=2", Some("/Observation?page=2")),
            ("https://fhir.example.org/r4?page=2", Some("?page=2")),
            ("https://fhir.example.org/r4x/Observation", None),
            ("https://fhir.example.org.evil.example/r4/Observation", None),
            ("https://evil.example/r4/Observation", None),
            ("https://fhir.example.org/r4/../admin", None),
            ("https://fhir.example.org/r4/Observation page", None),
        ] {
            assert_eq!(upstream.tail_of(link), tail, "{link}");
        }
    }

    #[test]
    fn a_base_url_is_absolute_and_plain() {
        for (base, ok) in [
            ("http://127.0.0.1:9000/fhir", true),
            ("https://fhir.example.org", true),
            ("ftp://fhir.example.org", false),
            ("/fhir", false),
            ("https://user:pw@fhir.example.org", false),
            ("https://fhir.example.org?x=1", false),
        ] {
            assert_eq!(
                HttpUpstream::new(&HttpUpstreamSettings::at(base), rules()).is_ok(),
                ok,
                "{base}"
            );
        }
    }
}
