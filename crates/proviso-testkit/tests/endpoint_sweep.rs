//! Every address is asked by somebody who should not: nobody signed in, the wrong role, another
//! patient, a bad token, the wrong method, a form that no page of ours made. An address that the
//! router knows and this sweep does not is a failure.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use proviso_core::interaction::Interaction;
use proviso_oauth::claims::AccessTokenClaims;
use proviso_testkit::browser::{Browser, links};
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::smart_app::{SmartApp, Tokens};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs";
const CHOICES: &[(&str, &str)] = &[
    ("category", "laboratory"),
    ("category", "demographics"),
    ("duration", "1-year"),
    ("offline", "yes"),
];

/// Who may come to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Everybody.
    All,
    /// Whoever has signed in.
    Members,
    /// Patients and those who act for one; the page is about one patient.
    Patients,
    /// Clinicians and nurses.
    Staff,
    /// Clinicians who may declare an emergency; none of those who come here may.
    Privileged,
    /// The browser that began the request to connect.
    OneBrowser,
    /// Apps that say who they are.
    Apps,
    /// Whoever has an access token.
    Bearers,
    /// Enforcement points that the organisation runs.
    EnforcementPoints,
}

/// One address and method, with the status that nobody-in-particular gets.
struct Row {
    path: &'static str,
    method: Method,
    whom: For,
    /// Without credentials.
    nobody: u16,
}

const fn row(path: &'static str, method: Method, whom: For, nobody: u16) -> Row {
    Row { path, method, whom, nobody }
}

/// Every address of the control plane with every method that it answers.
const CONTROL: &[Row] = &[
    row("/", Method::GET, For::All, 303),
    row("/login", Method::GET, For::All, 200),
    row("/login", Method::POST, For::All, 403),
    row("/logout", Method::POST, For::All, 403),
    row("/terms", Method::GET, For::All, 200),
    row("/oauth/authorize", Method::GET, For::All, 400),
    // The app's own form: it only becomes the GET above.
    row("/oauth/authorize", Method::POST, For::All, 303),
    row("/oauth/authorize/{request}", Method::GET, For::OneBrowser, 400),
    row("/oauth/authorize/{request}", Method::POST, For::OneBrowser, 403),
    row("/portal", Method::GET, For::Members, 303),
    row("/portal/apps", Method::GET, For::Patients, 303),
    row("/portal/apps/{consent}", Method::GET, For::Patients, 303),
    row("/portal/apps/{consent}/receipts/{version}", Method::GET, For::Patients, 303),
    row("/portal/apps/{consent}/receipts/{version}/file", Method::GET, For::Patients, 303),
    row("/portal/apps/{consent}/stop", Method::GET, For::Patients, 303),
    row("/portal/apps/{consent}/stop", Method::POST, For::Patients, 303),
    row("/portal/apps/{consent}/stopped", Method::GET, For::Patients, 303),
    row("/portal/people", Method::GET, For::Patients, 303),
    row("/portal/people/{consent}", Method::GET, For::Patients, 303),
    row("/portal/people/{consent}/receipts/{version}", Method::GET, For::Patients, 303),
    row("/portal/people/{consent}/receipts/{version}/file", Method::GET, For::Patients, 303),
    row("/portal/people/{consent}/stop", Method::GET, For::Patients, 303),
    row("/portal/people/{consent}/stop", Method::POST, For::Patients, 303),
    row("/portal/people/{consent}/stopped", Method::GET, For::Patients, 303),
    row("/portal/who", Method::GET, For::Patients, 303),
    row("/portal/who/records", Method::GET, For::Patients, 303),
    row("/portal/activity", Method::GET, For::Patients, 303),
    row("/portal/choices", Method::GET, For::Patients, 303),
    row("/launch", Method::GET, For::Staff, 303),
    row("/launch", Method::POST, For::Staff, 303),
    row("/emergency", Method::GET, For::Privileged, 303),
    row("/emergency", Method::POST, For::Privileged, 303),
    row("/emergency/{emergency}", Method::POST, For::Privileged, 303),
    row("/demo", Method::GET, For::All, 200),
    row("/demo/launch", Method::GET, For::All, 403),
    row("/demo/chart", Method::GET, For::All, 200),
    row("/demo/launch", Method::POST, For::All, 403),
    row("/demo/callback", Method::GET, For::All, 303),
    row("/demo/refresh", Method::POST, For::All, 403),
    row("/demo/forget", Method::POST, For::All, 403),
    row("/oauth/token", Method::POST, For::Apps, 400),
    row("/oauth/introspect", Method::POST, For::Apps, 401),
    row("/oauth/revoke", Method::POST, For::Apps, 401),
    row("/oauth/register", Method::POST, For::All, 415),
    row("/oauth/userinfo", Method::GET, For::Bearers, 401),
    row("/oauth/userinfo", Method::POST, For::Bearers, 401),
    row("/access/v1/evaluation", Method::POST, For::EnforcementPoints, 401),
    row("/access/v1/evaluations", Method::POST, For::EnforcementPoints, 401),
    row("/access/v1/search/subject", Method::POST, For::EnforcementPoints, 401),
    row("/access/v1/search/resource", Method::POST, For::EnforcementPoints, 401),
    row("/access/v1/search/action", Method::POST, For::EnforcementPoints, 401),
    row("/access/v1/simulate", Method::POST, For::EnforcementPoints, 401),
    row("/.well-known/authzen-configuration", Method::GET, For::All, 200),
    row("/.well-known/openid-configuration", Method::GET, For::All, 200),
    row("/.well-known/oauth-authorization-server", Method::GET, For::All, 200),
    row("/.well-known/smart-configuration", Method::GET, For::All, 200),
    row("/fhir/r4/.well-known/smart-configuration", Method::GET, For::All, 200),
    row("/oauth/jwks", Method::GET, For::All, 200),
    row("/launch/smart-style.json", Method::GET, For::All, 200),
    row("/assets/{name}", Method::GET, For::All, 404),
];

const METHODS: &[Method] = &[Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The world of the sweep: Maria shares with an app, and has begun to connect it once more.
struct Sweep {
    world: DemoWorld,
    client: HttpClient,
    tokens: Tokens,
    maria: Browser,
    james: String,
    consent: String,
    request: String,
}

impl Sweep {
    async fn new() -> Self {
        let world = DemoWorld::start().await.unwrap();
        let app = SmartApp::glucose_coach(&world.origin, SCOPE);
        let mut maria = Browser::new().unwrap();
        let tokens = app.connect(&mut maria, "maria", CHOICES).await.unwrap();
        maria.stop_at = None;
        let mut james = Browser::new().unwrap();
        let of_james = app.connect(&mut james, "james", CHOICES).await.unwrap();

        maria.go(&world.url("/portal/apps")).await.unwrap();
        let stop = links(&maria.page.text())
            .into_iter()
            .map(|(_, href)| href)
            .find(|href| href.contains("/stop"))
            .unwrap();
        let consent = stop.split('/').nth(3).unwrap().to_owned();
        maria.go(&app.launch().unwrap().url).await.unwrap();
        let request = maria.url.path().rsplit('/').next().unwrap().to_owned();
        assert!(request.starts_with("arq_"), "{}", maria.url);
        let james = of_james.text("patient").to_owned();
        Self { world, client: HttpClient::default(), tokens, maria, james, consent, request }
    }

    fn address(&self, template: &str) -> String {
        let path = template
            .replace("{request}", &self.request)
            .replace("{version}", "1")
            .replace("{consent}", &self.consent)
            .replace("{emergency}", "emg_1")
            .replace("{name}", "nothing.css");
        assert!(!path.contains('{'), "no example for {template}");
        self.world.url(&path)
    }

    async fn ask(&self, row: &Row, browser: Option<&Browser>, body: &str) -> Answer {
        let cookies = browser.map(cookies_of).unwrap_or_default();
        let mut headers = vec![("accept", "text/html"), ("cookie", cookies.as_str())];
        if row.method == Method::POST && row.path != "/oauth/register" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let url = self.address(row.path);
        self.client.send(row.method.clone(), &url, &headers, body.to_owned()).await.unwrap()
    }

    fn claims(&self) -> AccessTokenClaims {
        let keys = self.world.app.keys();
        keys.verify_access_token(self.tokens.access(), self.world.app.now()).unwrap()
    }

    fn sign(&self, claims: &AccessTokenClaims) -> String {
        self.world.app.keys().sign_access_token(claims).unwrap()
    }

    /// Tokens that are good in everything but one thing.
    fn bad_tokens(&self) -> Vec<(&'static str, String)> {
        let good = self.claims();
        let with = |change: &dyn Fn(&mut AccessTokenClaims)| {
            let mut claims = good.clone();
            change(&mut claims);
            self.sign(&claims)
        };
        let mut forged = self.tokens.access().to_owned();
        forged.truncate(forged.len() - 4);
        forged.push_str("AAAA");
        vec![
            ("wrong audience", with(&|c| "https://other.example/fhir".clone_into(&mut c.aud))),
            ("wrong issuer", with(&|c| "https://other.example".clone_into(&mut c.iss))),
            ("expired", with(&|c| c.exp = c.iat)),
            ("from the future", with(&|c| c.iat += 31)),
            ("unknown grant", with(&|c| c.grant = "grt_nobody".parse().unwrap())),
            ("another app", with(&|c| c.client_id = "bill-helper".parse().unwrap())),
            ("forged", forged),
            ("an ID token", self.tokens.text("id_token").to_owned()),
            ("a refresh token", self.tokens.refresh().to_owned()),
            ("nonsense", "nonsense".to_owned()),
        ]
    }
}

fn cookies_of(browser: &Browser) -> String {
    let pairs: Vec<_> = browser.cookies().iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join("; ")
}

/// The hidden value of the forms on the open page.
fn csrf_of(browser: &Browser) -> String {
    let form = browser.form_with("csrf").unwrap();
    form.controls.iter().find(|c| c.name() == "csrf").unwrap().value().to_owned()
}

/// What holds for every answer: an id, no sniffing, and an error in the form of its neighbours.
fn check_form(what: &str, path: &str, answer: &Answer) {
    let id = answer.header("x-request-id").unwrap_or("");
    assert!(id.starts_with("req_"), "{what}: no request id");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    if answer.status.is_success() || answer.status.is_redirection() {
        return;
    }
    let kind = answer.header("content-type").unwrap_or("");
    if path.starts_with("/fhir/") && !path.contains(".well-known") {
        assert_eq!(kind, "application/fhir+json", "{what}");
        let outcome = answer.json().unwrap();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
        let code = &outcome["issue"][0]["details"]["coding"][0]["code"];
        assert!(code.is_string(), "{what}: no stable code in {outcome}");
    } else if path.contains("/.well-known/")
        || (path.starts_with("/oauth/") && !path.starts_with("/oauth/authorize"))
        || path == "/launch/smart-style.json"
    {
        assert_eq!(kind, "application/json", "{what}");
        let error = answer.json().unwrap();
        assert!(error["error"].is_string(), "{what}: {error}");
    } else if path.starts_with("/access/") {
        assert_eq!(kind, "application/problem+json", "{what}");
        assert!(answer.json().unwrap()["code"].is_string(), "{what}");
    } else if !path.starts_with("/assets/") {
        assert!(kind.starts_with("text/html"), "{what}: {kind}");
        assert!(answer.header("content-security-policy").is_some(), "{what}");
        // A form that comes back with its mistakes marked is the page itself, not a problem page.
        let marked = answer.status == StatusCode::UNPROCESSABLE_ENTITY;
        assert!(marked || answer.text().contains(id), "{what}: the page does not name its request");
    }
}

// Covers: design §11; style §9 (endpoint sweep)
#[test]
fn every_address_of_the_router_is_in_the_sweep() {
    let swept: BTreeSet<&str> = CONTROL.iter().map(|row| row.path).collect();
    let known: BTreeSet<&str> = proviso_http::route_paths().into_iter().collect();
    assert_eq!(known, swept, "each address of the router needs its row, and each row its address");
    // They are asked below, on a listener of their own.
    assert_eq!(proviso_http::HEALTH_PATHS, ["/health/live", "/health/ready"]);
}

// Covers: design §11, §13
#[tokio::test]
async fn nobody_gets_past_the_control_plane() {
    let sweep = Sweep::new().await;
    let before = sweep.world.app.store().count_records().await.unwrap();
    for row in CONTROL {
        let what = format!("{} {} without credentials", row.method, row.path);
        let body = if row.whom == For::Apps { "token=x" } else { "" };
        let answer = sweep.ask(row, None, body).await;
        assert_eq!(answer.status, row.nobody, "{what}");
        check_form(&what, row.path, &answer);
        let location = answer.header("location").unwrap_or("");
        if matches!(row.whom, For::Members | For::Patients | For::Staff | For::Privileged) {
            assert!(location.starts_with("/login"), "{what}: sent to {location}");
        }
        // A bearer token opens no page.
        let bearer = format!("Bearer {}", sweep.tokens.access());
        if matches!(row.whom, For::Members | For::Patients | For::Staff | For::Privileged) {
            let headers = [("authorization", bearer.as_str())];
            let url = sweep.address(row.path);
            let answer = sweep.client.send(row.method.clone(), &url, &headers, "").await.unwrap();
            assert_eq!(answer.status, 303, "{what}, but with a token");
        }
    }
    assert_eq!(sweep.world.app.store().count_records().await.unwrap(), before);
}

#[tokio::test]
async fn an_address_answers_its_own_methods_only() {
    let sweep = Sweep::new().await;
    let paths: BTreeSet<&str> = CONTROL.iter().map(|row| row.path).collect();
    for path in paths {
        for method in METHODS {
            if CONTROL.iter().any(|row| row.path == path && row.method == *method) {
                continue;
            }
            let what = format!("{method} {path}");
            let url = sweep.address(path);
            let answer = sweep.client.send(method.clone(), &url, &[], "").await.unwrap();
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{what}");
            // RFC 9110 §15.5.6: the answer says which methods there are.
            let allow = answer.header("allow").unwrap_or("");
            for row in CONTROL.iter().filter(|row| row.path == path) {
                assert!(allow.contains(row.method.as_str()), "{what}: Allow is `{allow}`");
            }
            check_form(&what, path, &answer);
        }
    }
    for (path, status) in [
        ("/console", 404),
        // The registry says who is asked first, as the FHIR API does.
        ("/api/v1/consents", 401),
        ("/api/v1/consents/nothing", 401),
        ("/api/v1/nothing", 404),
        ("/access/v1/nothing", 404),
        ("/audit/log/checkpoint", 404),
        ("/oauth/nothing", 404),
        ("/.well-known/nothing", 404),
        // Health is on the admin listener only.
        ("/health/live", 404),
        ("/metrics", 404),
    ] {
        let answer = sweep.client.get(&sweep.world.url(path), &[]).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.header("x-request-id").is_some(), "{path}");
    }
}

// Covers: R8; design §11 (every form carries a hidden `csrf`)
#[tokio::test]
async fn a_form_that_no_page_of_ours_made_does_nothing() {
    let sweep = Sweep::new().await;
    let foreign = Browser::open(&sweep.world.url("/login")).await.unwrap();
    let foreign = csrf_of(&foreign);
    let browser = &sweep.maria;
    let log = sweep.world.log_size().await.unwrap();
    for row in CONTROL.iter().filter(|row| row.method == Method::POST) {
        let by_form = matches!(
            row.whom,
            For::All | For::OneBrowser | For::Patients | For::Staff | For::Privileged
        );
        if !by_form || matches!(row.path, "/oauth/authorize" | "/oauth/register") {
            continue;
        }
        for body in ["", "decision=allow", &format!("csrf={foreign}&decision=deny"), "csrf="] {
            let what = format!("{} with a foreign form", row.path);
            let answer = sweep.ask(row, Some(browser), body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
            check_form(&what, row.path, &answer);
        }
    }
    assert_eq!(sweep.world.log_size().await.unwrap(), log, "something was done");
    // The choice still stands, and the session too.
    let app = SmartApp::glucose_coach(&sweep.world.origin, SCOPE);
    let path = format!("Patient/{}", sweep.tokens.text("patient"));
    assert_eq!(app.fhir(sweep.tokens.access(), &path).await.unwrap().status, 200);
}

// Covers: R8
#[tokio::test]
async fn a_form_from_another_site_does_nothing_even_with_the_right_value() {
    let sweep = Sweep::new().await;
    let csrf = csrf_of(&sweep.maria);
    let cookies = cookies_of(&sweep.maria);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", cookies.as_str()),
        ("sec-fetch-site", "cross-site"),
    ];
    let url = sweep.address("/portal/apps/{consent}/stop");
    let body = format!("csrf={csrf}");
    let answer = sweep.client.send(Method::POST, &url, &headers, body).await.unwrap();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

/// What somebody gets who has signed in, but not as Maria; `None` where nobody signs in.
fn expected_of(row: &Row, username: &str) -> Option<&'static [u16]> {
    // A list of records is about somebody, and nobody is named here.
    let own = !row.path.contains('{') && row.path != "/portal/who/records";
    let patient = matches!(username, "james" | "wei");
    Some(match row.whom {
        For::Members => &[200],
        For::Patients if patient && own => &[200],
        // Whether there is such a choice is not for this person to know.
        For::Patients if patient => &[404],
        For::Staff if username == "drpatel" && row.method == Method::GET => &[200],
        // The form was empty: nothing is started.
        For::Staff if username == "drpatel" => &[422],
        For::Patients | For::Staff | For::Privileged => &[403],
        For::OneBrowser => &[400, 403],
        For::All | For::Apps | For::Bearers | For::EnforcementPoints => return None,
    })
}

#[tokio::test]
async fn the_wrong_person_sees_no_page_of_somebody_else() {
    let sweep = Sweep::new().await;
    let people = ["james", "drpatel", "priya", "admin", "sol", "wei"];
    for username in people {
        let browser = sweep.world.signed_in(username).await.unwrap();
        let csrf = csrf_of(&browser);
        for row in CONTROL {
            let what = format!("{} {} as {username}", row.method, row.path);
            let body = format!("csrf={csrf}");
            let Some(expected) = expected_of(row, username) else { continue };
            let answer = sweep.ask(row, Some(&browser), &body).await;
            let status = answer.status.as_u16();
            assert!(expected.contains(&status), "{what}: {status}");
            check_form(&what, row.path, &answer);
            let text = answer.text();
            assert!(!text.contains("Alvarez") || username == "drpatel", "{what}: names Maria");
        }
    }
    // Maria asks for James's pages by his id.
    let cookies = cookies_of(&sweep.maria);
    for path in ["/portal", "/portal/apps", "/portal/who", "/portal/activity"] {
        let headers = [("cookie", cookies.as_str())];
        let url = sweep.world.url(&format!("{path}?patient={}", sweep.james));
        let there = sweep.client.get(&url, &headers).await.unwrap();
        let url = sweep.world.url(&format!("{path}?patient=nobody-at-all"));
        let nowhere = sweep.client.get(&url, &headers).await.unwrap();
        assert_eq!((there.status, nowhere.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    }
}

/// A request for each interaction that FHIR R4 has, about Maria's records unless James's are
/// named. The match has no fallback: a new interaction does not compile until it is swept.
fn request_of(interaction: &Interaction, patient: &str) -> (Method, String, &'static str) {
    let json = "application/fhir+json";
    let patch = "application/json-patch+json";
    let path = |path: &str| path.replace("{p}", patient);
    match interaction {
        Interaction::Read => (Method::GET, path("/Patient/{p}"), ""),
        Interaction::Vread => (Method::GET, path("/Patient/{p}/_history/1"), ""),
        Interaction::HistoryInstance => (Method::GET, path("/Patient/{p}/_history"), ""),
        Interaction::HistoryType => (Method::GET, path("/Observation/_history"), ""),
        Interaction::HistorySystem => (Method::GET, path("/_history"), ""),
        Interaction::Search => (Method::GET, path("/Observation?patient={p}"), ""),
        Interaction::SearchSystem => (Method::GET, path("/?_type=Observation"), ""),
        Interaction::Create => (Method::POST, path("/Observation"), json),
        Interaction::Update => (Method::PUT, path("/Patient/{p}"), json),
        Interaction::Patch => (Method::PATCH, path("/Patient/{p}"), patch),
        Interaction::Delete => (Method::DELETE, path("/Patient/{p}"), ""),
        Interaction::Batch | Interaction::Transaction => (Method::POST, "/".to_owned(), json),
        Interaction::Capabilities => (Method::GET, "/metadata".to_owned(), ""),
        Interaction::Operation(name) => (Method::GET, path(&format!("/Patient/{{p}}/${name}")), ""),
    }
}

fn interactions() -> Vec<Interaction> {
    vec![
        Interaction::Read,
        Interaction::Vread,
        Interaction::HistoryInstance,
        Interaction::HistoryType,
        Interaction::HistorySystem,
        Interaction::Search,
        Interaction::SearchSystem,
        Interaction::Create,
        Interaction::Update,
        Interaction::Patch,
        Interaction::Delete,
        Interaction::Batch,
        Interaction::Transaction,
        Interaction::Operation("everything".to_owned()),
        Interaction::Operation("validate".to_owned()),
    ]
}

fn body_of(interaction: &Interaction, patient: &str) -> String {
    let subject = format!(r#""subject":{{"reference":"Patient/{patient}"}}"#);
    match interaction {
        Interaction::Create => format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},{subject}}}"#
        ),
        Interaction::Update => format!(r#"{{"resourceType":"Patient","id":"{patient}"}}"#),
        Interaction::Patch => r#"[{"op":"remove","path":"/name"}]"#.to_owned(),
        Interaction::Batch | Interaction::Transaction => format!(
            r#"{{"resourceType":"Bundle","type":"{}","entry":[
                {{"request":{{"method":"GET","url":"Patient/{patient}"}}}},
                {{"request":{{"method":"DELETE","url":"Patient/{patient}"}}}}]}}"#,
            interaction.code()
        ),
        Interaction::Read
        | Interaction::Vread
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem
        | Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Delete
        | Interaction::Capabilities
        | Interaction::Operation(_) => String::new(),
    }
}

impl Sweep {
    async fn fhir(&self, interaction: &Interaction, patient: &str, token: &str) -> Answer {
        let (method, path, kind) = request_of(interaction, patient);
        let bearer = format!("Bearer {token}");
        let mut headers = Vec::new();
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        if !kind.is_empty() {
            headers.push(("content-type", kind));
        }
        let url = self.world.url(&format!("/fhir/r4{path}"));
        let body = body_of(interaction, patient);
        self.client.send(method, &url, &headers, body).await.unwrap()
    }
}

// Covers: RFC 6750 §3; RFC 9068 §4; design P2
#[tokio::test]
async fn no_bad_token_reads_or_writes_anything() {
    let sweep = Sweep::new().await;
    let maria = sweep.tokens.text("patient").to_owned();
    let latest = sweep.world.app.store().latest_seq().await.unwrap();
    for interaction in interactions() {
        let what = format!("{interaction:?} without a token");
        let answer = sweep.fhir(&interaction, &maria, "").await;
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"fhir\""), "{what}");
        check_form(&what, "/fhir/r4", &answer);
        for (fault, token) in sweep.bad_tokens() {
            let what = format!("{interaction:?} with a token that is {fault}");
            let answer = sweep.fhir(&interaction, &maria, &token).await;
            assert_eq!(answer.status, 401, "{what}");
            let challenge = answer.header("www-authenticate").unwrap_or("");
            assert!(challenge.contains("invalid_token"), "{what}: {challenge}");
            check_form(&what, "/fhir/r4", &answer);
            assert!(!answer.text().contains("Alvarez"), "{what}: says more than it may");
        }
    }
    // Bad tokens ask for no decision, and neither does a good one that was given to an app.
    let own_name = "an app's own token";
    let own = (own_name, sweep.tokens.access().to_owned());
    for (fault, token) in sweep.bad_tokens().into_iter().chain([own]) {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        for row in CONTROL.iter().filter(|row| row.whom == For::EnforcementPoints) {
            let what = format!("{} with {fault}", row.path);
            let url = sweep.address(row.path);
            let body = r#"{"subject":{"type":"account","id":"maria"},"action":{"name":"read"},
                "resource":{"type":"Patient","id":"maria"}}"#;
            let answer = sweep.client.send(Method::POST, &url, &headers, body).await.unwrap();
            let expected = if fault == own_name { 403 } else { 401 };
            assert_eq!(answer.status, expected, "{what}");
            assert!(answer.json().unwrap().get("decision").is_none(), "{what}");
            check_form(&what, row.path, &answer);
        }
    }
    for (fault, token) in sweep.bad_tokens() {
        for method in [Method::GET, Method::POST] {
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str())];
            let url = sweep.world.url("/oauth/userinfo");
            let answer = sweep.client.send(method, &url, &headers, "").await.unwrap();
            assert_eq!(answer.status, 401, "userinfo with a token that is {fault}");
            check_form(fault, "/oauth/userinfo", &answer);
        }
    }
    // A session of the portal is not a token.
    let cookies = cookies_of(&sweep.maria);
    let url = sweep.world.url(&format!("/fhir/r4/Patient/{maria}"));
    let answer = sweep.client.get(&url, &[("cookie", &cookies)]).await.unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(sweep.world.app.store().latest_seq().await.unwrap(), latest, "something was stored");
}

// Covers: design P1
#[tokio::test]
async fn another_patients_records_are_as_absent() {
    let sweep = Sweep::new().await;
    let latest = sweep.world.app.store().latest_seq().await.unwrap();
    let token = sweep.tokens.access();
    for interaction in interactions() {
        let there = sweep.fhir(&interaction, &sweep.james, token).await;
        let nowhere = sweep.fhir(&interaction, "nobody-at-all", token).await;
        let what = format!("{interaction:?} about another patient");
        assert_eq!(there.status, nowhere.status, "{what}");
        check_form(&what, "/fhir/r4", &there);
        let text = there.text();
        assert!(!text.contains("Okoro"), "{what}: names James");
        match interaction {
            Interaction::Search => {
                assert_eq!(there.json().unwrap()["total"], nowhere.json().unwrap()["total"]);
                assert!(there.json().unwrap()["entry"].is_null(), "{what}: found something");
            }
            // Their own history, whoever's id was meant; or a batch whose entries were refused.
            Interaction::HistoryType | Interaction::Batch => {}
            _ => assert!(there.status.is_client_error(), "{what}: {}", there.status),
        }
    }
    assert_eq!(sweep.world.app.store().latest_seq().await.unwrap(), latest, "something was stored");
}

#[tokio::test]
async fn what_fhir_does_not_define_is_refused_in_fhirs_form() {
    let sweep = Sweep::new().await;
    let maria = sweep.tokens.text("patient").to_owned();
    let bearer = format!("Bearer {}", sweep.tokens.access());
    for (method, path, expected) in [
        (Method::PUT, "/Patient".to_owned(), 400),
        (Method::PATCH, "/Patient".to_owned(), 400),
        (Method::DELETE, "/Patient".to_owned(), 400),
        (Method::POST, format!("/Patient/{maria}"), 405),
        (Method::POST, "/metadata".to_owned(), 405),
        (Method::DELETE, format!("/Patient/{maria}/_history"), 405),
        (Method::TRACE, "/Patient".to_owned(), 405),
        (Method::from_bytes(b"PROPFIND").unwrap(), "/Patient".to_owned(), 405),
        (Method::GET, "/Nonsense/1".to_owned(), 404),
        (Method::GET, "/Patient/1/nonsense/2/3".to_owned(), 404),
        (Method::GET, format!("/Patient/{maria}/$nonsense"), 404),
    ] {
        let headers = [("authorization", bearer.as_str())];
        let url = sweep.world.url(&format!("/fhir/r4{path}"));
        let answer = sweep.client.send(method.clone(), &url, &headers, "").await.unwrap();
        let what = format!("{method} {path}");
        assert_eq!(answer.status.as_u16(), expected, "{what}");
        check_form(&what, "/fhir/r4", &answer);
    }
}

#[tokio::test]
async fn health_tells_nothing_but_health() {
    let sweep = Sweep::new().await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let listener =
        proviso::listener::Listener::bind(([127, 0, 0, 1], 0).into(), None).await.unwrap();
    let address = listener.address().unwrap();
    let router = proviso_http::health_router(std::sync::Arc::clone(&sweep.world.app));
    let server = tokio::spawn(listener.serve(router, stopped));
    for (path, word) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let url = format!("http://{address}{path}");
        let answer = sweep.client.get(&url, &[]).await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.json().unwrap()["status"].as_str()),
            (200, Some(word))
        );
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let answer = sweep.client.send(method, &url, &[], "").await.unwrap();
            assert_eq!(answer.status, 405, "{path}");
        }
    }
    for path in ["/", "/portal", "/fhir/r4/metadata", "/metrics"] {
        let answer = sweep.client.get(&format!("http://{address}{path}"), &[]).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
    }
    drop(sweep);
    stop.send_replace(true);
    server.await.unwrap();
}
