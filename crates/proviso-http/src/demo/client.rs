//! The demonstration apps' side of OAuth and FHIR: plain HTTP to the server's public address.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use proviso_app::ports::Entropy;
use proviso_core::secret::Secret;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::records::{Kind, read_answer};
use super::view::{KindAnswer, KindResult};

// LIMIT: the apps ask for a score of entries a page; anything larger is not an answer to that.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Why the app did not get what it asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AppError {
    #[error("access_denied")]
    Denied,
    /// The server no longer accepts the app's access; its own word for it.
    #[error("{0}")]
    Refused(String),
    #[error("no refresh token")]
    NothingToRenew,
    #[error("the answer did not belong to the request")]
    StateMismatch,
    #[error("{0}")]
    Authorization(String),
    #[error("the server could not be reached")]
    Unreachable,
    #[error("the answer could not be read")]
    Unreadable,
}

/// What an app is registered as, what it asks for and what it shows.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) client_id: &'static str,
    pub(crate) scopes: &'static str,
    pub(crate) kinds: &'static [Kind],
}

/// One request for access under way.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    pub(crate) state: String,
    pub(crate) verifier: String,
    /// The `launch` that the EHR gave, when it started the app.
    pub(crate) handle: Option<String>,
}

impl Launch {
    /// A request with values of its own; none when there is no randomness.
    pub(crate) fn new(entropy: &dyn Entropy, handle: Option<String>) -> Option<Self> {
        Some(Self { state: random_text(entropy)?, verifier: random_text(entropy)?, handle })
    }
}

/// An unguessable value that fits a cookie or an address; none when there is no randomness.
pub(crate) fn random_text(entropy: &dyn Entropy) -> Option<String> {
    entropy.secret_bytes().ok().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// What the app may do, as the token endpoint told it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    token: Secret<String>,
    refresh: Option<Secret<String>>,
    pub(crate) patient: String,
    pub(crate) scope: String,
}

/// Where the server said its endpoints are.
#[derive(Debug)]
struct Endpoints {
    authorization: String,
    token: String,
    revocation: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Result<Value, AppError> {
        serde_json::from_slice(&self.body).map_err(|_| AppError::Unreadable)
    }

    /// The server's word for a refusal, with its status.
    fn word(&self) -> String {
        let code = self
            .json()
            .ok()
            .and_then(|body| body.get("error").and_then(Value::as_str).map(str::to_owned));
        match code {
            Some(code) => format!("{} {code}", self.status),
            None => self.status.to_string(),
        }
    }
}

/// A public SMART app, started by its user or from inside the EHR.
#[derive(Debug)]
pub(crate) struct SmartApp {
    registered: &'static Registered,
    http: Client<HttpConnector, Full<Bytes>>,
    pub(crate) fhir_base: String,
    redirect_uri: String,
}

impl SmartApp {
    #[expect(clippy::disallowed_methods, reason = "the demo app's one client, of this very server")]
    pub(crate) fn new(registered: &'static Registered, public_url: &str) -> Self {
        Self {
            registered,
            http: Client::builder(TokioExecutor::new()).build_http(),
            fhir_base: format!("{public_url}/fhir/r4"),
            redirect_uri: format!("{public_url}/demo/callback"),
        }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, AppError> {
        let exchange = async {
            let response = self.http.request(request).await.map_err(|_| AppError::Unreachable)?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|_| AppError::Unreadable)?
                .to_bytes();
            Ok(Answer { status, body })
        };
        tokio::time::timeout(ANSWER_TIME, exchange).await.unwrap_or(Err(AppError::Unreachable))
    }

    async fn get(&self, url: &str, token: Option<&str>) -> Result<Answer, AppError> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .header(header::ACCEPT, "application/fhir+json, application/json");
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| AppError::Unreadable)?;
            request = request.header(header::AUTHORIZATION, value);
        }
        self.send(request.body(Full::default()).map_err(|_| AppError::Unreadable)?).await
    }

    async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer, AppError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields.iter().copied())
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Full::from(body))
            .map_err(|_| AppError::Unreadable)?;
        self.send(request).await
    }

    async fn endpoints(&self) -> Result<Endpoints, AppError> {
        let url = format!("{}/.well-known/smart-configuration", self.fhir_base);
        let document = self.get(&url, None).await?.json()?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Endpoints {
            authorization: text("authorization_endpoint").ok_or(AppError::Unreadable)?,
            token: text("token_endpoint").ok_or(AppError::Unreadable)?,
            revocation: text("revocation_endpoint"),
        })
    }

    /// Where to send the browser to ask for access.
    pub(crate) async fn authorization_url(&self, launch: &Launch) -> Result<String, AppError> {
        let endpoint = self.endpoints().await?.authorization;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(launch.verifier.as_bytes()));
        let mut url = url::Url::parse(&endpoint).map_err(|_| AppError::Unreadable)?;
        if let Some(handle) = &launch.handle {
            url.query_pairs_mut().append_pair("launch", handle);
        }
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", self.registered.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", self.registered.scopes)
            .append_pair("state", &launch.state)
            .append_pair("aud", &self.fhir_base)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Turns the answer that the browser brought into access.
    pub(crate) async fn redeem(&self, launch: &Launch, query: &str) -> Result<Access, AppError> {
        let mut code = None;
        let mut state = None;
        let mut error = None;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
            match name.as_str() {
                "code" => code = Some(value),
                "state" => state = Some(value),
                "error" => error = Some(value),
                _ => {}
            }
        }
        if state.as_deref() != Some(launch.state.as_str()) {
            return Err(AppError::StateMismatch);
        }
        match error {
            Some(error) if error == "access_denied" => return Err(AppError::Denied),
            Some(error) => return Err(AppError::Authorization(error)),
            None => {}
        }
        let code = code.ok_or(AppError::Unreadable)?;
        let endpoint = self.endpoints().await?.token;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("client_id", self.registered.client_id),
            ("code_verifier", launch.verifier.as_str()),
        ];
        let answer = self.post(&endpoint, &fields).await?;
        if answer.status != 200 {
            return Err(AppError::Authorization(answer.word()));
        }
        access_of(&answer.json()?, None)
    }

    /// Renews access with the refresh token.
    pub(crate) async fn renew(&self, access: &Access) -> Result<Access, AppError> {
        let refresh = access.refresh.as_ref().ok_or(AppError::NothingToRenew)?;
        let endpoint = self.endpoints().await?.token;
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose().as_str()),
            ("client_id", self.registered.client_id),
        ];
        let answer = self.post(&endpoint, &fields).await?;
        if answer.status != 200 {
            return Err(AppError::Refused(answer.word()));
        }
        access_of(&answer.json()?, Some(access))
    }

    /// Gives access back (RFC 7009); the app forgets it whatever the answer.
    pub(crate) async fn give_back(&self, access: &Access) {
        let Ok(Endpoints { revocation: Some(endpoint), .. }) = self.endpoints().await else {
            return;
        };
        let token = access.refresh.as_ref().unwrap_or(&access.token).expose().as_str();
        let fields = [("token", token), ("client_id", self.registered.client_id)];
        if let Err(error) = self.post(&endpoint, &fields).await {
            tracing::debug!(%error, "the demonstration app could not give its access back");
        }
    }

    /// Asks for every kind of record that the app shows. One refusal of the token ends it; a kind
    /// that is refused by itself is shown as such.
    pub(crate) async fn fetch_all(&self, access: &Access) -> Result<Vec<KindResult>, AppError> {
        let kinds = self.registered.kinds;
        let mut results = Vec::with_capacity(kinds.len());
        for kind in kinds {
            results.push(KindResult { key: kind.key, answer: self.fetch(kind, access).await? });
        }
        Ok(results)
    }

    async fn fetch(&self, kind: &Kind, access: &Access) -> Result<KindAnswer, AppError> {
        let path = kind.path.replace("{patient}", &access.patient);
        let url = format!("{}/{path}", self.fhir_base);
        let answer = self.get(&url, Some(access.token.expose())).await?;
        match answer.status {
            200 => Ok(read_answer(&answer.json()?)),
            401 => Err(AppError::Refused("401 invalid_token".to_owned())),
            status => Ok(KindAnswer::Refused { status }),
        }
    }
}

fn access_of(body: &Value, before: Option<&Access>) -> Result<Access, AppError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let earlier = |pick: fn(&Access) -> String| before.map(pick);
    Ok(Access {
        token: Secret::new(text("access_token").ok_or(AppError::Unreadable)?),
        // RFC 6749 §6: without a new one, the old one goes on.
        refresh: text("refresh_token")
            .map(Secret::new)
            .or_else(|| before.and_then(|access| access.refresh.clone())),
        patient: text("patient")
            .or_else(|| earlier(|access| access.patient.clone()))
            .ok_or(AppError::Unreadable)?,
        scope: text("scope").or_else(|| earlier(|access| access.scope.clone())).unwrap_or_default(),
    })
}
