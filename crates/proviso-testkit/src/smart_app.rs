//! A SMART app that talks plain HTTP and does what the public conformance suites do.

use std::sync::Arc;

use aws_lc_rs::rand::SecureRandom as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::browser::Browser;
use crate::http_client::{Answer, HttpClient};
use crate::signing::SigningKey;

/// Where every app of the demo may be reached from outside.
pub const LOOPBACK: &str = "http://127.0.0.1:9123";

/// How an app proves who it is.
#[derive(Debug, Clone)]
pub enum Proof {
    /// It cannot: it only names itself.
    Public,
    /// By its secret, in the `Authorization` header.
    Secret(String),
    /// By a signed assertion.
    Key(Arc<SigningKey>),
}

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
    /// How it proves who it is.
    pub proof: Proof,
    /// What it sends with.
    pub client: HttpClient,
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
    /// An app with the redirect URI of outside tools.
    pub fn new(origin: &str, client_id: &str, proof: Proof, scope: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            client_id: client_id.to_owned(),
            redirect_uri: format!("{LOOPBACK}/callback"),
            scope: scope.to_owned(),
            proof,
            client: HttpClient::default(),
        }
    }

    /// `glucose-coach` as the demo world registers it, with the redirect of outside tools.
    pub fn glucose_coach(origin: &str, scope: &str) -> Self {
        Self::new(origin, "glucose-coach", Proof::Public, scope)
    }

    /// The FHIR base URL.
    pub fn base(&self) -> String {
        format!("{}/fhir/r4", self.origin)
    }

    /// The token endpoint.
    pub fn token_endpoint(&self) -> String {
        format!("{}/oauth/token", self.origin)
    }

    /// Makes a standalone launch.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn launch(&self) -> anyhow::Result<Launch> {
        self.launch_with(&[])
    }

    /// Makes a launch in which parameters are added, replaced, or (`None`) left out.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn launch_with(&self, changes: &[(&str, Option<&str>)]) -> anyhow::Result<Launch> {
        let verifier = random_text()?;
        let state = random_text()?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let base = self.base();
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &state),
            ("aud", &base),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut url = Url::parse(&format!("{}/oauth/authorize", self.origin))?;
        let changed = |name: &str| changes.iter().any(|(other, _)| *other == name);
        url.query_pairs_mut()
            .extend_pairs(usual.iter().filter(|(name, _)| !changed(name)))
            .extend_pairs(changes.iter().filter_map(|(name, value)| value.map(|v| (name, v))));
        let sent = |name: &str| {
            changes.iter().find(|(other, _)| *other == name).map(|(_, value)| value.unwrap_or(""))
        };
        Ok(Launch {
            url: url.to_string(),
            verifier,
            state: sent("state").map_or(state.clone(), str::to_owned),
        })
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
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &launch.verifier),
        ])
        .await
    }

    /// Uses a refresh token.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn refresh(&self, refresh_token: &str) -> anyhow::Result<Answer> {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// Posts to the token endpoint, proving who it is.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn token(&self, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.post(&self.token_endpoint(), fields).await
    }

    /// Posts a form to an endpoint of the authorization server, proving who it is as the
    /// certification kit does: a public app sends `client_id` and its origin, one with a secret
    /// uses the header and nothing else, one with a key sends no `client_id`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> anyhow::Result<Answer> {
        let mut fields = fields.to_vec();
        match &self.proof {
            Proof::Public => {
                fields.push(("client_id", &self.client_id));
                self.client.post_form(url, &[("origin", LOOPBACK)], &fields).await
            }
            Proof::Secret(secret) => {
                let header = basic(&self.client_id, secret);
                self.client.post_form(url, &[("authorization", &header)], &fields).await
            }
            Proof::Key(key) => {
                let assertion = key.assertion(&self.client_id, &self.token_endpoint())?;
                fields.push(("client_assertion_type", ASSERTION_TYPE));
                fields.push(("client_assertion", &assertion));
                self.client.post_form(url, &[], &fields).await
            }
        }
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

    /// The whole flow of a person: sign in, choose, come back with tokens.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn connect(
        &self,
        browser: &mut Browser,
        username: &str,
        choices: &[(&str, &str)],
    ) -> anyhow::Result<Tokens> {
        self.connect_with(&self.launch()?, browser, username, choices).await
    }

    /// The same for a launch that was made before.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn connect_with(
        &self,
        launch: &Launch,
        browser: &mut Browser,
        username: &str,
        choices: &[(&str, &str)],
    ) -> anyhow::Result<Tokens> {
        let code = self.code_for(launch, browser, username, choices).await?;
        let answer = self.exchange(launch, &code).await?;
        anyhow::ensure!(answer.status == 200, "token: {} {}", answer.status, answer.text());
        Ok(Tokens { body: answer.json()? })
    }

    /// The flow up to the code.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn code_for(
        &self,
        launch: &Launch,
        browser: &mut Browser,
        username: &str,
        choices: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        browser.stop_at = Some(self.redirect_uri.clone());
        browser.go(&launch.url).await?;
        self.answer(browser, username, choices).await?;
        self.code(launch, &browser.url)
    }

    /// Answers what the server asks after a launch: sign-in, which patient (`patient` of the
    /// choices), what to share.
    ///
    /// # Errors
    /// When any step fails.
    pub async fn answer(
        &self,
        browser: &mut Browser,
        username: &str,
        choices: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        if browser.form_with("password").is_ok() {
            browser.sign_in(username, "proviso-demo").await?;
        }
        if let Ok(form) = browser.form_with("patient") {
            let patient = choices.iter().find(|(name, _)| *name == "patient");
            let (_, patient) = patient.ok_or_else(|| anyhow::anyhow!("asked for the patient"))?;
            browser.submit(&form, &[("patient", patient), ("decision", "continue")]).await?;
        }
        let form = browser.form_with("decision")?;
        let offered = form.controls.iter().filter(|control| control.name() == "category");
        let mut fields: Vec<(&str, &str)> = Vec::new();
        for choice in choices {
            match choice {
                ("patient", _) => {}
                &EVERY_KIND => fields.extend(offered.clone().map(|c| ("category", c.value()))),
                other => fields.push(*other),
            }
        }
        fields.push(("decision", "allow"));
        browser.submit(&form, &fields).await?;
        Ok(())
    }
}

/// The one type of assertion (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A Basic header, the parts not form-encoded first, as many apps send it.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The choice of every kind of record that the page offers.
const EVERY_KIND: (&str, &str) = ("category", "*");

/// Every kind of record that the page offers, for a year, also while away; no sensitive kinds.
pub fn everything() -> Vec<(&'static str, &'static str)> {
    vec![EVERY_KIND, ("duration", "1-year"), ("offline", "yes")]
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
