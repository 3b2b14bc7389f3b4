//! The table of bad input (design §13), each row over real HTTP: the status, an error in the form
//! of its neighbours with a request id, nothing stored echoed, nothing stored.

use http::Method;
use proviso_gateway::Rates;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::{DemoWorld, Engine};
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::{SmartApp, Tokens};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const JSON: (&str, &str) = ("content-type", "application/fhir+json");
const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs \
                     patient/Observation.cruds";
const CHOICES: &[(&str, &str)] = &[
    ("category", "laboratory"),
    ("category", "demographics"),
    ("category", "medications"),
    ("duration", "1-year"),
];
/// Stored values that no error may repeat.
const STORED: &[&str] = &["Alvarez", "Okoro", "2026-0"];

struct Asker {
    world: DemoWorld,
    client: HttpClient,
    tokens: Tokens,
    patient: String,
}

impl Asker {
    async fn new() -> Self {
        Self::in_world(DemoWorld::start().await.unwrap()).await
    }

    async fn in_world(world: DemoWorld) -> Self {
        let app = SmartApp::glucose_coach(&world.origin, SCOPE);
        let tokens = app.connect(&mut Browser::new().unwrap(), "maria", CHOICES).await.unwrap();
        let patient = tokens.text("patient").to_owned();
        Self { world, client: HttpClient::default(), tokens, patient }
    }

    async fn fhir(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.tokens.access());
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let url = self.world.url(&format!("/fhir/r4{path}"));
        self.client.send(method, &url, &all, body).await.unwrap()
    }

    async fn create(&self, body: impl Into<bytes::Bytes>) -> Answer {
        self.fhir(Method::POST, "/Observation", &[JSON], body).await
    }

    async fn stored(&self) -> u64 {
        self.world.app.store().latest_seq().await.unwrap()
    }

    /// A laboratory result that may be stored, with something put before its end.
    fn observation(&self, more: &str) -> String {
        let patient = &self.patient;
        format!(
            r#"{{"resourceType":"Observation","status":"final","subject":{{"reference":"Patient/{patient}"}},
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}}]}}],
"code":{{"coding":[{{"system":"http://loinc.org","code":"2345-7"}}]}}{more}}}"#
        )
    }
}

fn common(what: &str, answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status.as_u16(), status, "{what}");
    let id = answer.header("x-request-id").unwrap_or("").to_owned();
    assert!(id.starts_with("req_"), "{what}: no request id");
    let text = answer.text();
    for stored in STORED {
        assert!(!text.contains(stored), "{what}: repeats `{stored}`");
    }
    id
}

/// An OperationOutcome with a stable code.
fn check_fhir(what: &str, answer: &Answer, status: u16, code: &str) {
    common(what, answer, status);
    assert_eq!(answer.header("content-type"), Some("application/fhir+json"), "{what}");
    let outcome = answer.json().unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{what}");
    assert_eq!(outcome["issue"][0]["details"]["coding"][0]["code"], code, "{what}");
}

/// JSON of RFC 6749 §5.2.
fn check_oauth(what: &str, answer: &Answer, status: u16, error: &str) {
    common(what, answer, status);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    assert_eq!(answer.json().unwrap()["error"], error, "{what}: {}", answer.text());
}

/// A page that names its request.
fn check_page(what: &str, answer: &Answer, status: u16) {
    let id = common(what, answer, status);
    assert!(answer.header("content-type").is_some_and(|t| t.starts_with("text/html")), "{what}");
    assert!(answer.text().contains(&id), "{what}: the page does not name its request");
}

// Covers: design §13 (body, header block, URL)
#[tokio::test]
async fn what_is_too_large_is_refused_everywhere() {
    let asker = Asker::new().await;
    let (client, url) = (&asker.client, |path: &str| asker.world.url(path));
    let before = asker.stored().await;

    // One byte more than 4 MiB; and exactly 4 MiB, which is read (and found to be no JSON).
    let large = vec![b' '; 4 * 1024 * 1024 + 1];
    check_fhir("FHIR body", &asker.create(large.clone()).await, 413, "body-too-large");
    let fits = vec![b' '; 4 * 1024 * 1024];
    check_fhir("FHIR body that fits", &asker.create(fits).await, 400, "body-malformed");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer =
        client.send(Method::POST, &url("/oauth/token"), &form, large.clone()).await.unwrap();
    check_oauth("token body", &answer, 413, "invalid_request");
    let json = [("content-type", "application/json")];
    let answer = client.send(Method::POST, &url("/oauth/register"), &json, large.clone()).await;
    check_oauth("registration body", &answer.unwrap(), 413, "invalid_request");
    let answer = client.send(Method::POST, &url("/login"), &form, large.clone()).await.unwrap();
    check_page("page body", &answer, 413);
    let answer = client.send(Method::POST, &url("/oauth/authorize"), &form, large).await.unwrap();
    check_page("authorize body", &answer, 413);

    let block = "v".repeat(16 * 1024);
    let long = [("x-long", block.as_str())];
    check_fhir(
        "FHIR headers",
        &asker.fhir(Method::GET, "/metadata", &long, "").await,
        431,
        "headers-too-large",
    );
    let answer = client.get(&url("/oauth/userinfo"), &long).await.unwrap();
    check_oauth("OAuth headers", &answer, 431, "invalid_request");
    check_page("page headers", &client.get(&url("/login"), &long).await.unwrap(), 431);

    let query = format!("?x={}", "v".repeat(8 * 1024));
    check_fhir(
        "FHIR URL",
        &asker.fhir(Method::GET, &format!("/Patient{query}"), &[], "").await,
        414,
        "url-too-long",
    );
    // Path below the base and query: exactly 8 KiB are read, and one more is not.
    for (length, status, code) in
        [(8 * 1024, 400, "search-refused"), (8 * 1024 + 1, 414, "url-too-long")]
    {
        let path = format!("/Patient?x={}", "v".repeat(length - "/Patient".len() - "x=".len()));
        check_fhir("FHIR URL", &asker.fhir(Method::GET, &path, &[], "").await, status, code);
    }
    let fits = "v".repeat(12 * 1024);
    let answer = asker.fhir(Method::GET, "/metadata", &[("x-long", fits.as_str())], "").await;
    assert_eq!(answer.status, 200, "headers that fit");
    let answer = client.get(&url(&format!("/oauth/userinfo{query}")), &[]).await.unwrap();
    check_oauth("OAuth URL", &answer, 414, "invalid_request");
    check_page("page URL", &client.get(&url(&format!("/login{query}")), &[]).await.unwrap(), 414);
    assert_eq!(asker.stored().await, before, "something was stored");
}

// Covers: design §13 (JSON); RFC 8259
#[tokio::test]
async fn json_that_could_mean_two_things_is_refused_and_not_stored() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    // The resource and its list of extensions are two levels, each extension and its list two more.
    let nested = |levels: usize, inmost: &str| {
        let open = r#"{"url":"http://x.example","extension":["#.repeat(levels);
        let close = "]}".repeat(levels);
        asker.observation(&format!(
            r#","extension":[{open}{{"url":"http://x.example",{inmost}}}{close}]"#
        ))
    };
    let sixty_four = nested(30, r#""valueCoding":{"code":"x"}"#);
    let sixty_five = nested(31, r#""valueBoolean":true"#);
    let mut invalid_utf8 = asker.observation(r#","note":[{"text":"?"}]"#).into_bytes();
    let at = invalid_utf8.iter().position(|byte| *byte == b'?').unwrap();
    invalid_utf8[at] = 0xff;
    let mut with_bom = b"\xef\xbb\xbf".to_vec();
    with_bom.extend_from_slice(asker.observation("").as_bytes());
    for (what, body) in [
        ("depth 65", sixty_five.into_bytes()),
        ("duplicate key", asker.observation(r#","status":"amended""#).into_bytes()),
        ("escaped key", asker.observation(r#","\u0069ssued":"2026-01-01T00:00:00Z""#).into_bytes()),
        ("invalid UTF-8", invalid_utf8),
        ("byte order mark", with_bom),
        ("trailing bytes", format!("{} x", asker.observation("")).into_bytes()),
        ("two documents", format!("{0}{0}", asker.observation("")).into_bytes()),
        ("lone surrogate", asker.observation(r#","note":[{"text":"\ud800"}]"#).into_bytes()),
        ("cut short", b"{\"resourceType\":\"Observation\"".to_vec()),
        ("NaN", asker.observation(r#","valueQuantity":{"value":NaN}"#).into_bytes()),
        ("comment", asker.observation("/* x */").into_bytes()),
        ("no document", b"null".to_vec()),
        ("a list", b"[]".to_vec()),
    ] {
        let answer = asker.create(body).await;
        let is_no_resource = matches!(what, "no document" | "a list");
        let code = if is_no_resource { "body-mismatch" } else { "body-malformed" };
        check_fhir(what, &answer, 400, code);
    }
    assert_eq!(asker.stored().await, before, "something was stored");
    for (what, good) in [("plain", asker.observation("")), ("depth 64", sixty_four)] {
        let answer = asker.create(good).await;
        assert_eq!(answer.status, 201, "the good one is refused: {what}: {}", answer.text());
    }
    assert_eq!(asker.stored().await, before + 2);
}

// Covers: design §13 (media types)
#[tokio::test]
async fn only_the_offered_media_types_are_taken_and_given() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    let good = asker.observation("");
    for kind in ["application/fhir+xml", "text/plain", "application/x-www-form-urlencoded", "json"]
    {
        let headers = [("content-type", kind)];
        let answer = asker.fhir(Method::POST, "/Observation", &headers, good.clone()).await;
        check_fhir(kind, &answer, 415, "media-type-unsupported");
    }
    let answer = asker.fhir(Method::POST, "/Observation", &[], good.clone()).await;
    check_fhir("no Content-Type", &answer, 415, "media-type-unsupported");
    let headers = [JSON, ("content-encoding", "gzip")];
    let answer = asker.fhir(Method::POST, "/Observation", &headers, good).await;
    check_fhir("encoded", &answer, 415, "media-type-unsupported");
    let path = format!("/Patient/{}", asker.patient);
    for accept in ["application/fhir+xml", "text/turtle", "application/fhir+json;fhirVersion=3.0"] {
        let answer = asker.fhir(Method::GET, &path, &[("accept", accept)], "").await;
        check_fhir(accept, &answer, 406, "not-acceptable");
    }
    let answer = asker.fhir(Method::GET, &format!("{path}?_format=xml"), &[], "").await;
    check_fhir("_format", &answer, 406, "not-acceptable");

    let client = &asker.client;
    let json = [("content-type", "application/json")];
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let url = asker.world.url(path);
        let answer = client.send(Method::POST, &url, &json, "{}").await.unwrap();
        check_oauth(path, &answer, 415, "invalid_request");
    }
    for path in ["/login", "/logout", "/oauth/authorize"] {
        let url = asker.world.url(path);
        let answer = client.send(Method::POST, &url, &json, "{}").await.unwrap();
        check_page(path, &answer, 415);
    }
    assert_eq!(asker.stored().await, before, "something was stored");
}

// Covers: design §13 (unknown type, element, id)
#[tokio::test]
async fn what_fhir_does_not_know_is_refused_without_telling_what_is_stored() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    let get = async |path: &str| asker.fhir(Method::GET, path, &[], "").await;
    check_fhir("unknown type", &get("/Nonsense/1").await, 404, "type-unknown");
    check_fhir("lower case", &get("/patient/1").await, 404, "type-unknown");
    for id in ["a_b", &"a".repeat(65), "a%20b", "%00", "..%2fx"] {
        let answer = get(&format!("/Patient/{id}")).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 400 | 404), "id {id}: {status}");
        common(id, &answer, status);
    }
    let unknown = asker.observation(r#","nonsense":"Alvarez-sent""#);
    let answer = asker.create(unknown).await;
    assert!(matches!(answer.status.as_u16(), 400 | 422), "{}", answer.status);
    let text = answer.text();
    assert!(text.contains("Observation.nonsense"), "the element is not named: {text}");
    assert!(!text.contains("Alvarez-sent"), "the value is repeated");
    for (what, more) in [
        ("wrong primitive", r#","issued":"yesterday""#),
        ("wrong cardinality", r#","method":[{"text":"a"}]"#),
        ("two values", r#","valueString":"a","valueBoolean":true"#),
        ("unknown code", r#","bodySite":{"coding":[{"userSelected":"maybe"}]}"#),
    ] {
        let answer = asker.create(asker.observation(more)).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{what}: {}", answer.status);
        assert!(answer.text().contains("Observation."), "{what}: no path");
    }
    let wrong_type = r#"{"resourceType":"Patient"}"#;
    check_fhir("another type", &asker.create(wrong_type).await, 400, "body-mismatch");
    let other = format!(r#"{{"resourceType":"Patient","id":"x{}"}}"#, asker.patient);
    let path = format!("/Observation/{}", asker.patient);
    let answer = asker.fhir(Method::PUT, &path, &[JSON], other).await;
    check_fhir("another id", &answer, 400, "body-mismatch");
    assert_eq!(asker.stored().await, before, "something was stored");
}

// Covers: design §13 (search)
#[tokio::test]
async fn searches_are_bounded() {
    let asker = Asker::new().await;
    let get = async |path: &str| asker.fhir(Method::GET, path, &[], "").await;

    let answer = get("/Observation?_count=100000").await;
    assert_eq!(answer.status, 200);
    let link = answer.json().unwrap()["link"].to_string();
    assert!(link.contains("_count=1000\""), "_count is not capped: {link}");

    let many = |count: usize| {
        let parts: Vec<String> = (0..count).map(|n| format!("code=x{n}")).collect();
        format!("/Observation?{}", parts.join("&"))
    };
    assert_eq!(get(&many(50)).await.status, 200);
    check_fhir("51 parameters", &get(&many(51)).await, 400, "search-too-large");
    let body: Vec<String> = (0..51).map(|n| format!("code=x{n}")).collect();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = asker.fhir(Method::POST, "/Observation/_search", &form, body.join("&")).await;
    check_fhir("51 parameters in a form", &answer, 400, "search-too-large");

    let alternatives = |count: usize| {
        let values: Vec<String> = (0..count).map(|n| format!("x{n}")).collect();
        format!("/Observation?code={}", values.join(","))
    };
    assert_eq!(get(&alternatives(200)).await.status, 200);
    check_fhir("201 values", &get(&alternatives(201)).await, 400, "search-too-large");

    let chain = |steps: usize| format!("/Organization?{}name=x", "partof.".repeat(steps));
    let has = |steps: usize| {
        format!("/Observation?{}code=x", "_has:Observation:has-member:".repeat(steps))
    };
    let include = |steps: usize| {
        let all = [
            "_include=Observation:encounter",
            "_include:iterate=Encounter:location",
            "_include:iterate=Location:organization",
            "_include:iterate=Organization:endpoint",
        ];
        format!("/Observation?{}", all[..steps].join("&"))
    };
    for (what, three, four) in [
        ("chain", chain(3), chain(4)),
        ("has", has(3), has(4)),
        ("include", include(3), include(4)),
    ] {
        assert_eq!(get(&three).await.status, 200, "{what}");
        check_fhir(what, &get(&four).await, 400, "search-too-large");
    }
    for query in
        ["nonsense=1", "code:nonsense=1", "date=xx2020", "_sort=nonsense", "_filter=x", "_query=x"]
    {
        let answer = get(&format!("/Observation?{query}")).await;
        check_fhir(query, &answer, 400, "search-refused");
        // FHIR R4 http.html: lenient handling never loosens a restriction here.
        let headers = [("prefer", "handling=lenient")];
        let answer = asker.fhir(Method::GET, &format!("/Observation?{query}"), &headers, "").await;
        check_fhir(query, &answer, 400, "search-refused");
    }
}

// Covers: design §13 (batch)
#[tokio::test]
async fn a_batch_has_at_most_two_hundred_entries() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    let batch = |count: usize| {
        let entry = json!({ "request": { "method": "GET", "url": "Observation/nobody" } });
        json!({ "resourceType": "Bundle", "type": "batch", "entry": vec![entry; count] })
            .to_string()
    };
    let answer = asker.fhir(Method::POST, "/", &[JSON], batch(200)).await;
    assert_eq!(answer.status, 200);
    let answer = asker.fhir(Method::POST, "/", &[JSON], batch(201)).await;
    check_fhir("201 entries", &answer, 413, "batch-too-large");
    for url in ["http://other.example/Patient/1", "//Patient/1", "../Patient/1", "/etc/passwd"] {
        let entry = json!({ "request": { "method": "GET", "url": url } });
        let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [entry] });
        let answer = asker.fhir(Method::POST, "/", &[JSON], batch.to_string()).await;
        if answer.status == 200 {
            let status = answer.json().unwrap()["entry"][0]["response"]["status"].to_string();
            assert!(status.starts_with("\"4"), "{url}: {status}");
        } else {
            check_fhir(url, &answer, 400, "entry-malformed");
        }
    }
    assert_eq!(asker.stored().await, before, "something was stored");
}

fn rates(change: impl FnOnce(&mut Rates)) -> Rates {
    let mut rates = Rates::default();
    change(&mut rates);
    rates
}

const fn per_sec(number: u32) -> core::num::NonZeroU32 {
    core::num::NonZeroU32::new(number).unwrap()
}

// Covers: design §13 (rates)
#[tokio::test]
async fn too_many_requests_are_told_when_to_come_back() {
    for (what, rates) in [
        ("client", rates(|r| (r.client_per_sec, r.burst_secs) = (per_sec(3), per_sec(1)))),
        ("account", rates(|r| (r.account_per_sec, r.burst_secs) = (per_sec(3), per_sec(1)))),
        ("address", rates(|r| (r.address_per_sec, r.burst_secs) = (per_sec(3), per_sec(1)))),
    ] {
        let asker = Asker::in_world(DemoWorld::with(Engine::Model, rates).await.unwrap()).await;
        let path = format!("/Patient/{}", asker.patient);
        // The clock stands still: three pass, the fourth does not.
        for _ in 0..3 {
            assert_eq!(asker.fhir(Method::GET, &path, &[], "").await.status, 200, "{what}");
        }
        let answer = asker.fhir(Method::GET, &path, &[], "").await;
        check_fhir(what, &answer, 429, "rate-limited");
        let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&wait), "{what}: {wait}");
        asker.world.clock.advance_secs(wait);
        assert_eq!(asker.fhir(Method::GET, &path, &[], "").await.status, 200, "{what}");
    }
}

// Covers: design §13 (distinct patients); leak 136
#[tokio::test]
async fn a_clinician_is_shown_so_many_patients_in_an_hour() {
    let world = DemoWorld::with(Engine::Model, rates(|r| r.patients_per_hour = 1)).await.unwrap();
    let mut app = SmartApp::glucose_coach(&world.origin, "openid fhirUser user/*.rs");
    app.client_id = "chart-lens".to_owned();
    let launch = app.launch().unwrap();
    let mut browser = Browser::new().unwrap();
    browser.stop_at = Some(app.redirect_uri.clone());
    browser.go(&launch.url).await.unwrap();
    browser.sign_in("drpatel", "proviso-demo").await.unwrap();
    let form = browser.form_with("decision").unwrap();
    browser.submit(&form, &[("decision", "allow")]).await.unwrap();
    let code = app.code(&launch, &browser.url).unwrap();
    let tokens = app.exchange(&launch, &code).await.unwrap().json().unwrap();
    let token = tokens["access_token"].as_str().unwrap().to_owned();

    let answer = app.fhir(&token, "Patient").await.unwrap();
    check_fhir("all at once", &answer, 429, "patient-budget");
    assert!(answer.header("retry-after").is_some());
    let one = app.fhir(&token, "Patient?name=Alvarez").await.unwrap();
    assert_eq!(one.status, 200, "{}", one.text());
    let answer = app.fhir(&token, "Patient?name=Chen").await.unwrap();
    check_fhir("the second", &answer, 429, "patient-budget");
    let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    // The first is still known; the hour over, another may be seen.
    assert_eq!(app.fhir(&token, "Patient?name=Alvarez").await.unwrap().status, 200);
}

// Covers: design §13 (clock skew); RFC 7523 §3
#[tokio::test]
async fn assertions_are_judged_with_thirty_seconds_of_skew_and_the_claim_is_named() {
    let world = DemoWorld::start().await.unwrap();
    let clients = world.clients().unwrap();
    let client = clients["clients"]
        .as_array()
        .unwrap()
        .iter()
        .find(|client| client["client_id"] == "quality-study")
        .unwrap();
    let key = SigningKey::of_demo_client(client).unwrap();
    let url = world.url("/oauth/token");
    let now = world.app.now().as_secs();
    let mut number = 0;
    let mut ask = async |change: Value| {
        number += 1;
        let mut claims = json!({
            "iss": "quality-study", "sub": "quality-study", "aud": url,
            "exp": now + 240, "jti": format!("jti-{number}"),
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let assertion = key.sign(&key.header(), &claims).unwrap();
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", "system/Observation.rs"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        HttpClient::default().post_form(&url, &[], &fields).await.unwrap()
    };
    for good in [
        json!({}),
        json!({ "exp": now - 29 }),
        json!({ "iat": now + 29 }),
        json!({ "nbf": now + 29 }),
    ] {
        let answer = ask(good.clone()).await;
        assert_eq!(answer.status, 200, "{good}: {}", answer.text());
    }
    for (claim, bad) in [
        ("exp", json!({ "exp": now - 31 })),
        ("exp", json!({ "exp": now + 3600 })),
        ("iat", json!({ "iat": now + 31 })),
        ("nbf", json!({ "nbf": now + 31 })),
        ("aud", json!({ "aud": "https://other.example/token" })),
        ("iss", json!({ "iss": "somebody-else" })),
    ] {
        let answer = ask(bad.clone()).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 400 | 401), "{bad}: {status}");
        check_oauth(&bad.to_string(), &answer, status, "invalid_client");
        if claim != "iss" {
            let text = answer.text();
            assert!(text.contains(&format!("`{claim}`")), "{bad}: the claim is not named: {text}");
        }
    }
    // The same assertion twice.
    let answer = ask(json!({ "jti": "jti-1" })).await;
    assert!(answer.status.is_client_error(), "a replay is taken");
}

/// Sends bytes as they are and reads until the server closes or says no more.
async fn raw(world: &DemoWorld, bytes: &[u8]) -> String {
    let address = world.origin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(std::time::Duration::from_secs(5), read)
        .await
        .expect("the server kept the connection open")
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<u16> {
    answer
        .split("HTTP/1.1 ")
        .skip(1)
        .filter_map(|rest| rest.get(..3).and_then(|code| code.parse().ok()))
        .collect()
}

// Covers: RFC 9112 §6.1, §7.1 (request smuggling)
#[tokio::test]
async fn no_request_hides_inside_another() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    let hidden = "GET /fhir/r4/metadata HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let head = format!(
        "POST /fhir/r4/Observation HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/fhir+json\r\n",
        asker.tokens.access()
    );
    for (what, rest) in [
        (
            "both lengths",
            format!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "both, the other way",
            format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: 4\r\n\r\n{hidden}")),
        ("list of lengths", format!("Content-Length: 0, 4\r\n\r\n{hidden}")),
        ("signed length", format!("Content-Length: +0\r\n\r\n{hidden}")),
        (
            "chunked is not last",
            format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        ("unknown coding", format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("bad chunk size", format!("Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n{hidden}")),
        (
            "huge chunk size",
            format!("Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{hidden}"),
        ),
        ("space before colon", format!("Content-Length : 0\r\n\r\n{hidden}")),
        (
            "folded header",
            format!("X-A: 1\r\n Content-Length: 9\r\nContent-Length: 0\r\n\u{0}\r\n{hidden}"),
        ),
    ] {
        let answer = raw(&asker.world, format!("{head}{rest}").as_bytes()).await;
        let statuses = statuses(&answer);
        assert!(!answer.contains("CapabilityStatement"), "{what}: the hidden request was answered");
        assert_eq!(statuses.len(), 1, "{what}: {statuses:?}");
        assert!((400..500).contains(&statuses[0]), "{what}: {statuses:?}");
    }
    assert_eq!(asker.stored().await, before, "something was stored");
}

// Covers: leaks 10, 11, 12, 13
#[tokio::test]
async fn targets_and_headers_that_lie_change_nothing() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    let bearer = format!("Authorization: Bearer {}\r\n", asker.tokens.access());
    let host = asker.world.origin.strip_prefix("http://").unwrap();
    let ask = async |line: &str, headers: &str| {
        let request =
            format!("{line} HTTP/1.1\r\nHost: {host}\r\n{headers}Connection: close\r\n\r\n");
        raw(&asker.world, request.as_bytes()).await
    };
    let patient = &asker.patient;
    for (line, expected) in [
        ("GET //".to_owned(), &[404][..]),
        (format!("GET //fhir/r4/Patient/{patient}"), &[404]),
        (format!("GET /fhir//r4/Patient/{patient}"), &[404]),
        (format!("GET /fhir/r4//Patient/{patient}"), &[400]),
        (format!("GET /fhir/r4/Patient//{patient}"), &[400]),
        (format!("GET /fhir/r4/Patient/../Patient/{patient}"), &[400]),
        (format!("GET /fhir/r4/./Patient/{patient}"), &[400]),
        (format!("GET /fhir/r4/Patient/{patient}/"), &[400]),
        (format!("GET /fhir/r4/%50atient/{patient}"), &[400]),
        (format!("GET /fhir/r4/Patient/{patient}%2f_history"), &[400]),
        (format!("GET /fhir/r4/../../fhir/r4/Patient/{patient}"), &[400]),
        ("GET /portal/../fhir/r4/metadata".to_owned(), &[404]),
        (format!("GET /fhir/r4;x=1/Patient/{patient}"), &[404]),
        (format!("GET /fhir/r4/Patient;x=1/{patient}"), &[400, 404]),
        ("GET *".to_owned(), &[400, 404]),
        ("CONNECT other.example:443".to_owned(), &[400, 404, 405]),
    ] {
        let answer = ask(&line, &bearer).await;
        let statuses = statuses(&answer);
        assert_eq!(statuses.len(), 1, "{line}: {statuses:?}");
        assert!(expected.contains(&statuses[0]), "{line}: {statuses:?}");
        assert!(!answer.contains("Alvarez"), "{line}: told something");
    }
    // RFC 9112 §3.2.2: the absolute form means its path; whatever host it names, links are ours.
    let line = format!("GET http://evil.example/fhir/r4/Observation?patient={patient}&_count=1");
    let answer = ask(&line, &bearer).await;
    assert_eq!(statuses(&answer), [200]);
    assert!(!answer.contains("evil.example"), "links name a host that the caller chose");
    let line = "GET /.well-known/openid-configuration";
    let lies = "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: \
                host=evil.example;for=10.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Original-URL: \
                /portal\r\nX-Rewrite-URL: /portal\r\n";
    let answer = ask(line, lies).await;
    assert_eq!(statuses(&answer), [200]);
    assert!(!answer.contains("evil.example"), "the issuer is one that the caller chose");
    let request = "GET /.well-known/openid-configuration HTTP/1.1\r\nHost: evil.example\r\n\
                   Connection: close\r\n\r\n";
    assert!(!raw(&asker.world, request.as_bytes()).await.contains("evil.example"));

    // A method is what the request line says.
    for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let headers = format!("{bearer}{header}: DELETE\r\n");
        let answer = ask(&format!("GET /fhir/r4/Patient/{patient}"), &headers).await;
        assert_eq!(statuses(&answer), [200], "{header}");
    }
    let answer = ask(&format!("GET /fhir/r4/Patient/{patient}?_method=DELETE"), &bearer).await;
    assert_eq!(statuses(&answer), [400]);
    // The log names the peer that was really there.
    let search = proviso_app::audit::AuditSearch { limit: 20, ..Default::default() };
    let found = asker.world.app.search_audit(&search).await.unwrap();
    let networks: Vec<_> =
        found.entries.iter().filter_map(|found| found.entry.network.clone()).collect();
    assert!(!networks.is_empty() && networks.iter().all(|n| n == "127.0.0.1"), "{networks:?}");
    assert_eq!(asker.stored().await, before, "something was stored");
}

// Covers: design §13 (what is too long even to be read)
#[tokio::test]
async fn heads_without_end_are_cut_off() {
    let asker = Asker::new().await;
    let long = "v".repeat(64 * 1024);
    for (what, head, expected) in [
        ("one header", format!("GET / HTTP/1.1\r\nHost: x\r\nX-A: {long}"), 431),
        ("many headers", format!("GET / HTTP/1.1\r\n{}", "X-A: 1\r\n".repeat(5000)), 431),
        ("target", format!("GET /{long}"), 414),
    ] {
        let answer = raw(&asker.world, head.as_bytes()).await;
        let statuses = statuses(&answer);
        assert!(statuses == [expected] || statuses == [431], "{what}: {statuses:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let asker = Asker::new().await;
    let before = asker.stored().await;
    let token = asker.tokens.access();
    // A length that is announced and never sent; and chunks without an end.
    let fhir = format!(
        "POST /fhir/r4/Observation HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{{"
    );
    let token = "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: \
                 application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    let page = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: \
                application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ncsrf=";
    let (fhir, token, page) = tokio::join!(
        raw(&asker.world, fhir.as_bytes()),
        raw(&asker.world, token.as_bytes()),
        raw(&asker.world, page.as_bytes()),
    );
    for answer in [&fhir, &token, &page] {
        assert_eq!(statuses(answer), [400], "{answer}");
    }
    assert!(fhir.contains("OperationOutcome") && token.contains("invalid_request"));
    assert_eq!(asker.stored().await, before, "something was stored");
}

// Covers: RFC 9112 §3.2
#[tokio::test]
async fn a_request_names_its_host_exactly_once() {
    let asker = Asker::new().await;
    for (hosts, expected) in [
        ("", 400),
        ("Host: a\r\nHost: a\r\n", 400),
        ("Host: a\r\nHost: b\r\n", 400),
        ("Host: a\r\n", 200),
    ] {
        for path in ["/login", "/oauth/jwks", "/fhir/r4/metadata"] {
            let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            let answer = raw(&asker.world, request.as_bytes()).await;
            assert_eq!(statuses(&answer), [expected], "{path} with `{hosts}`");
        }
    }
}

#[tokio::test]
async fn two_credentials_are_none() {
    let asker = Asker::new().await;
    let token = asker.tokens.access();
    let path = format!("/fhir/r4/Patient/{}", asker.patient);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(statuses(&raw(&asker.world, request.as_bytes()).await), [400]);
    let url = asker.world.url(&format!("{path}?access_token={token}"));
    let answer = asker.client.get(&url, &[]).await.unwrap();
    assert!(matches!(answer.status.as_u16(), 400 | 401), "{}", answer.status);
    assert!(!answer.text().contains(token), "the token is repeated");
    // RFC 6749 §3.2: a parameter that comes twice is an error.
    let body = "grant_type=refresh_token&grant_type=refresh_token&refresh_token=x";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let url = asker.world.url("/oauth/token");
    let answer = asker.client.send(Method::POST, &url, &form, body).await.unwrap();
    check_oauth("twice", &answer, 400, "invalid_request");
}
