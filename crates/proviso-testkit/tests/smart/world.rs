//! One demo server with its people and apps.

use std::sync::Arc;

use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::process::Server;
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::{LOOPBACK, Launch, Proof, SmartApp, Tokens, everything};
use serde_json::{Value, json};
use url::Url;

/// What the certification kit's patient app asks for, in short.
pub(crate) const PATIENT: &str = "launch/patient openid fhirUser offline_access patient/*.rs";

/// The scopes of an EHR launch for a clinician, in short.
pub(crate) const CLINICIAN: &str = "launch openid fhirUser offline_access user/*.rs";

/// A running demo server.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) http: HttpClient,
    clients: Value,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let server = Server::demo_again(&data).await.unwrap();
        let clients = std::fs::read(data.join("demo-clients.json")).unwrap();
        let clients = serde_json::from_slice(&clients).unwrap();
        Self { server, http: HttpClient::default(), clients, folder }
    }

    /// Where the server keeps what it keeps.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// The FHIR base URL.
    pub(crate) fn base(&self) -> String {
        self.url("/fhir/r4")
    }

    /// An app of the demo, with its secret or key.
    pub(crate) fn app(&self, client_id: &str, scope: &str) -> SmartApp {
        let clients = self.clients["clients"].as_array().unwrap();
        let client = clients.iter().find(|client| client["client_id"] == client_id).unwrap();
        let proof = match client["token_endpoint_auth_method"].as_str().unwrap() {
            "none" => Proof::Public,
            "private_key_jwt" => Proof::Key(Arc::new(SigningKey::of_demo_client(client).unwrap())),
            _ => Proof::Secret(client["client_secret"].as_str().unwrap().to_owned()),
        };
        SmartApp::new(&self.server.origin, client_id, proof, scope)
    }

    pub(crate) fn coach(&self) -> SmartApp {
        self.app("glucose-coach", PATIENT)
    }

    /// `glucose-coach` connected to Maria's whole record.
    pub(crate) async fn maria_connected(&self) -> (SmartApp, Tokens, Browser) {
        let app = self.coach();
        let mut browser = Browser::new().unwrap();
        let tokens = app.connect(&mut browser, "maria", &everything()).await.unwrap();
        (app, tokens, browser)
    }

    /// Registers an app by RFC 7591; members are added to, or replace, those of a public app.
    pub(crate) async fn register(&self, members: &Value) -> Answer {
        let mut metadata = json!({
            "client_name": "Registered by a test",
            "redirect_uris": [format!("{LOOPBACK}/callback")],
            "token_endpoint_auth_method": "none",
            "scope": PATIENT,
        });
        for (name, value) in members.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        let url = self.url("/oauth/register");
        let headers = [("content-type", "application/json")];
        self.http.send(http::Method::POST, &url, &headers, metadata.to_string()).await.unwrap()
    }

    /// Registers an app and gives its `client_id`.
    pub(crate) async fn registered(&self, members: &Value) -> Value {
        let answer = self.register(members).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json().unwrap()
    }

    /// GET below the FHIR base with an access token.
    pub(crate) async fn read(&self, token: &str, path: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("accept", "application/fhir+json")];
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}/{path}", self.base())
        };
        self.http.get(&url, &headers).await.unwrap()
    }

    /// Every resource of a search, all pages.
    pub(crate) async fn search(&self, token: &str, path: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = self.read(token, &path).await;
            assert_eq!(answer.status, 200, "{path}");
            let bundle = answer.json().unwrap();
            let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
            let matches = entries.into_iter().filter(|e| e["search"]["mode"] != "outcome");
            found.extend(matches.map(|entry| entry["resource"].clone()));
            next = bundle["link"].as_array().and_then(|links| {
                let link = links.iter().find(|link| link["relation"] == "next")?;
                Some(link["url"].as_str().unwrap().to_owned())
            });
        }
        found
    }

    /// Introspects as `bill-helper` would, or as any app with a proof.
    pub(crate) async fn introspect(&self, asker: &SmartApp, token: &str) -> Value {
        let url = self.url("/oauth/introspect");
        let answer = asker.post(&url, &[("token", token)]).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().unwrap()
    }

    /// Starts an app from inside the EHR and gives `iss` and `launch` as the app receives them.
    pub(crate) async fn start_from_ehr(
        &self,
        browser: &mut Browser,
        username: &str,
        client: &str,
        patient: &str,
        encounter: Option<&str>,
    ) -> (String, String) {
        browser.stop_at = Some(LOOPBACK.to_owned());
        browser.go(&self.url("/launch")).await.unwrap();
        if browser.form_with("password").is_ok() {
            browser.sign_in(username, "proviso-demo").await.unwrap();
        }
        let form = browser.form_with("app").unwrap();
        let app = format!("{client} {LOOPBACK}/launch");
        let fields =
            [("app", app.as_str()), ("patient", patient), ("encounter", encounter.unwrap_or(""))];
        browser.submit(&form, &fields).await.unwrap();
        let url = &browser.url;
        assert!(url.as_str().starts_with(&format!("{LOOPBACK}/launch")), "{}", browser.text());
        (parameter(url, "iss").unwrap(), parameter(url, "launch").unwrap())
    }

    /// An EHR launch of `chart-lens` by Dr. Patel for Maria, up to its tokens.
    pub(crate) async fn patel_launched(&self, scope: &str) -> (SmartApp, Tokens, Browser) {
        let app = self.app("chart-lens", scope);
        let mut browser = Browser::new().unwrap();
        let (_, launch) =
            self.start_from_ehr(&mut browser, "drpatel", "chart-lens", "maria", None).await;
        let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
        let tokens = app.connect_with(&launch, &mut browser, "drpatel", &[]).await.unwrap();
        (app, tokens, browser)
    }
}

/// A query parameter of an address.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Goes to the authorization endpoint as a signed-in Maria and gives what the app is told.
pub(crate) async fn told(browser: &mut Browser, launch: &Launch) -> Url {
    browser.stop_at = Some(LOOPBACK.to_owned());
    browser.go(&launch.url).await.unwrap();
    browser.url.clone()
}

/// Brings an authorization request by a form of the app, as the kit's `POST` method does.
pub(crate) async fn begin_by_form(world: &World, browser: &mut Browser, launch: &Launch) {
    let url = Url::parse(&launch.url).unwrap();
    let fields: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(&world.url("/oauth/authorize"), &fields).await.unwrap();
}

/// A browser in which somebody is signed in.
pub(crate) async fn signed_in(world: &World, username: &str) -> Browser {
    let mut browser = Browser::open(&world.url("/login")).await.unwrap();
    browser.sign_in(username, "proviso-demo").await.unwrap();
    assert!(browser.url.path().starts_with("/portal") || browser.page.status.is_success());
    browser
}

/// Checks an OAuth error: JSON, never cached, the expected status and code.
#[track_caller]
pub(crate) fn check_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json().unwrap();
    assert_eq!(body["error"], code, "{body}");
    assert!(body["error_description"].is_string(), "{body}");
    check_not_cached(answer);
}

/// RFC 6749 §5.1.
#[track_caller]
pub(crate) fn check_not_cached(answer: &Answer) {
    assert!(answer.header("cache-control").unwrap_or("").contains("no-store"));
    assert!(answer.header("pragma").unwrap_or("").contains("no-cache"));
}

/// `smart_token_response_body_stu2_2` and `smart_token_response_headers`.
#[track_caller]
pub(crate) fn check_token_response(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.header("content-type").unwrap_or("").starts_with("application/json"));
    check_not_cached(answer);
    let body = answer.json().unwrap();
    for name in ["access_token", "token_type", "scope"] {
        assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert!(body["token_type"].as_str().unwrap().eq_ignore_ascii_case("bearer"));
    assert!(body["expires_in"].as_i64().is_some_and(|secs| (1..=3600).contains(&secs)));
    assert!(body.get("refresh_token").is_none_or(Value::is_string));
    Tokens { body }
}

/// The scopes of an answer.
pub(crate) fn scopes(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}
