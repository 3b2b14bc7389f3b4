//! A SMART app (public client, standalone launch) that talks plain HTTP.

use aws_lc_rs::rand::SecureRandom as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::browser::Browser;
use crate::http_client::{Answer, HttpClient};

/// What an app is registered as.
#[derive(Debug, Clone)]
pub struct SmartApp {
    /// The server's origin.
    pub origin: String,
    /// Its `client_id`.
    pub client_id: String,
    /// One of its registered redirect URIs.
    pub redirect_uri: String,
    /// What it asks for.
    pub scope: String,
    client: HttpClient,
}

/// One launch on its way.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Where the browser is sent.
    pub url: String,
    /// The PKCE verifier.
    pub verifier: String,
    /// The `state`.
    pub state: String,
}

/// What the token endpoint gave.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The whole answer.
    pub body: serde_json::Value,
}

impl Tokens {
    /// A text member, empty when absent.
    pub fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(serde_json::Value::as_str).unwrap_or("")
    }

    /// The access token.
    pub fn access(&self) -> &str {
        self.text("access_token")
    }

    /// The refresh token.
    pub fn refresh(&self) -> &str {
        self.text("refresh_token")
    }
}

impl SmartApp {
    /// `glucose-coach` as the demo world registers it, with the redirect of outside tools.
    pub fn glucose_coach(origin: &str, scope: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            client_id: "glucose-coach".to_owned(),
            redirect_uri: "http://127.0.0.1:9123/callback".to_owned(),
            scope: scope.to_owned(),
            client: HttpClient::default(),
        }
    }

    /// The FHIR base URL.
    pub fn base(&self) -> String {
        format!("{}/fhir/r4", self.origin)
    }

    /// Makes a standalone launch.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn launch(&self) -> anyhow::Result<Launch> {
        let verifier = random_text()?;
        let state = random_text()?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let base = self.base();
        let mut url = Url::parse(&format!("{}/oauth/authorize", self.origin))?;
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &state),
            ("aud", &base),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(Launch { url: url.to_string(), verifier, state })
    }

    /// Takes the `code` out of the address the browser was sent back to, checking `state` and
    /// `iss` (RFC 9207).
    ///
    /// # Errors
    /// When the address carries an error or a foreign `state` or `iss`.
    pub fn code(&self, launch: &Launch, returned: &Url) -> anyhow::Result<String> {
        let get = |name: &str| {
            returned.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        anyhow::ensure!(returned.as_str().starts_with(&self.redirect_uri), "sent to {returned}");
        anyhow::ensure!(get("state").as_deref() == Some(&launch.state), "state differs");
        anyhow::ensure!(get("iss").as_deref() == Some(&self.origin), "iss differs: {returned}");
        get("code").ok_or_else(|| anyhow::anyhow!("no code: {returned}"))
    }

    /// Exchanges a code.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn exchange(&self, launch: &Launch, code: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/oauth/token", self.origin);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("client_id", &self.client_id),
            ("code_verifier", &launch.verifier),
        ];
        self.client.post_form(&url, &[], &fields).await
    }

    /// Uses a refresh token.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn refresh(&self, refresh_token: &str) -> anyhow::Result<Answer> {
        let url = format!("{}/oauth/token", self.origin);
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("client_id", &self.client_id),
        ];
        self.client.post_form(&url, &[], &fields).await
    }

    /// Reads from the FHIR API.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn fhir(&self, token: &str, path: &str) -> anyhow::Result<Answer> {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
        self.client.get(&format!("{}/{path}", self.base()), &headers).await
    }

    /// The whole flow of a patient: sign in, choose, come back with tokens.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn connect(
        &self,
        browser: &mut Browser,
        username: &str,
        choices: &[(&str, &str)],
    ) -> anyhow::Result<Tokens> {
        let launch = self.launch()?;
        browser.stop_at = Some(self.redirect_uri.clone());
        browser.go(&launch.url).await?;
        if browser.form_with("password").is_ok() {
            browser.sign_in(username, "proviso-demo").await?;
        }
        let form = browser.form_with("decision")?;
        let mut fields: Vec<(&str, &str)> = choices.to_vec();
        fields.push(("decision", "allow"));
        browser.submit(&form, &fields).await?;
        let code = self.code(&launch, &browser.url)?;
        let answer = self.exchange(&launch, &code).await?;
        anyhow::ensure!(answer.status == 200, "token: {} {}", answer.status, answer.text());
        Ok(Tokens { body: answer.json()? })
    }
}

/// The secret of a confidential app, from `demo-clients.json`.
pub fn client_secret(clients: &serde_json::Value, client_id: &str) -> Option<String> {
    fn find(value: &serde_json::Value, client_id: &str) -> Option<String> {
        match value {
            serde_json::Value::Array(items) => items.iter().find_map(|item| find(item, client_id)),
            serde_json::Value::Object(members) => {
                let own = members.get("client_id").and_then(serde_json::Value::as_str);
                let secret = members.get("client_secret").and_then(serde_json::Value::as_str);
                match (own, secret) {
                    (Some(own), Some(secret)) if own == client_id => Some(secret.to_owned()),
                    _ => members.values().find_map(|member| find(member, client_id)),
                }
            }
            _ => None,
        }
    }
    find(clients, client_id)
}

fn random_text() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
