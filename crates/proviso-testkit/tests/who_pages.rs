//! The pages that say who could see what: what they count is what is so, and whoever acts for a
//! patient learns from them nothing that is kept from them elsewhere.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use proviso_app::via::Via;
use proviso_core::account::{
    Account, AccountStatus, ActorKind, Relationship, RelationshipKind, Session,
};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{Category, SensitiveKind, SensitiveSet};
use proviso_core::org::FactSource;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::Period;
use proviso_http::{Demonstration, HttpState};
use proviso_oauth::record::TokenHash;
use proviso_store::{Batch, Op, Presence};
use proviso_testkit::browser::{Browser, links};
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::gateway_world::{Access, NOW, Terms, World};
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::smart_app::SmartApp;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const CODES: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

fn labelled(code: &str) -> String {
    format!(r#","meta":{{"security":[{{"system":"{CODES}","code":"{code}"}}]}}"#)
}

fn observation(id: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}"{more},"status":"final",
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],
"code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4"}}],"text":"Pulse {id}"}},
"subject":{{"reference":"Patient/lily"}},"effectiveDateTime":"2026-10-01"}}"#
    )
}

/// A consent on file, filed elsewhere: no records of one day to anybody.
fn on_file() -> String {
    json!({
        "resourceType": "Consent", "id": "filed", "status": "active",
        "scope": { "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"
        }] },
        "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
        "patient": { "reference": "Patient/lily" },
        "dateTime": "2026-11-01",
        "organization": [{ "reference": "Organization/riverside" }],
        "policy": [{ "uri": "http://example.org/policies/privacy" }],
        "provision": { "type": "permit", "provision": [{
            "type": "deny",
            "data": [{ "meaning": "instance", "reference": { "reference": "Observation/pulse" } }],
            "actor": [{
                "role": { "coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                    "code": "IRCP"
                }] },
                "reference": { "reference": "Practitioner/never" }
            }]
        }, {
            "type": "deny",
            "purpose": [{
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PATRQT"
            }],
            "data": [{ "meaning": "instance", "reference": { "reference": "Observation/pulse" } }]
        }] }
    })
    .to_string()
}

/// What Lily keeps to herself: confidential visits, what she named when she chose, and who treats
/// her for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    Much,
}

struct Family {
    world: World,
    router: axum::Router,
    diary: Access,
}

impl Family {
    async fn new(kept: Kept) -> Self {
        let world = World::embedded().await.unwrap();
        // A parent may see this one; that an app sees it tells what was named in confidence.
        let open = observation("of-health", &labelled("SEX"));
        let mut records = vec![
            r#"{"resourceType":"Patient","id":"lily","name":[{"given":["Lily"],"family":"Chen"}],"birthDate":"2011-05-05"}"#.to_owned(),
            observation("pulse", ""),
            observation("older", ""),
            open,
        ];
        let mut named = SensitiveSet::EMPTY;
        let mut treated: &[&str] = &[];
        if kept == Kept::Much {
            records.extend((0..7).map(|n| observation(&format!("secret{n}"), &labelled("ADOL"))));
            named = named.with(SensitiveKind::Adolescent).with(SensitiveKind::Reproductive);
            treated = &["lily"];
            records.push(on_file());
        }
        world.load(&records).await.unwrap();
        let terms = Terms {
            patient: "lily",
            categories: [Category::Demographics, Category::Vitals].into_iter().collect(),
            sensitive: named,
            scopes: "patient/Patient.rs patient/Observation.rs",
        };
        let diary = world.share("diary", &terms).await.unwrap();
        world.clinician("drteen", treated).await.unwrap();
        let router = proviso_http::router(HttpState::new(world.app.clone(), Demonstration::Off));
        let family = Self { world, router, diary };
        family.people().await;
        family
    }

    async fn people(&self) {
        let wei = Account {
            id: "acc_wei".parse().unwrap(),
            username: "wei".to_owned(),
            display_name: "Wei Chen".to_owned(),
            kind: ActorKind::Proxy,
            roles: proviso_core::org::RoleSet::EMPTY,
            fhir_user: Some((ResourceType::RELATED_PERSON, "wei".parse().unwrap())),
            password_hash: None,
            language: None,
            status: AccountStatus::Active,
            created_at: NOW,
        };
        let proxy = Relationship {
            account: wei.id.clone(),
            patient: "lily".parse().unwrap(),
            kind: RelationshipKind::Proxy,
            period: Period { start: Some(NOW), end: Some(NOW.plus_secs(600)) },
            mandate: None,
            source: FactSource::Relationship,
        };
        let mut batch = Batch::new()
            .with(Op::PutAccount { account: wei, expect: Presence::Any })
            .with(Op::PutRelationship(proxy));
        for who in ["wei", "lily"] {
            batch.push(Op::PutSession(Session {
                id: format!("ses_{who}").parse().unwrap(),
                secret_hash: TokenHash::of(&cookie(who)).to_hex(),
                account: format!("acc_{who}").parse().unwrap(),
                authenticated_at: NOW,
                last_used_at: NOW,
                expires_at: NOW.plus_days(1),
                ended_at: None,
            }));
        }
        let app = &self.world.app;
        let kind = AuditKind::Administration;
        let entry = app.draft_entry(&Via::default(), kind, AuditOutcome::Success, "test");
        app.commit(batch, entry.unwrap()).await.unwrap();
    }

    async fn ask(&self, who: &str, path: &str) -> (StatusCode, String) {
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header("cookie", format!("__Host-proviso-session={}", cookie(who)))
            .body(Body::empty())
            .unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn page(&self, who: &str, path: &str) -> String {
        let (status, page) = self.ask(who, path).await;
        assert_eq!(status, StatusCode::OK, "{who} {path}");
        let consent = self.consent();
        mask(&page.replace(&consent, "CONSENT"), "name=\"csrf\" value=\"")
    }

    fn consent(&self) -> String {
        self.diary.consent.as_ref().unwrap().version().consent.to_string()
    }

    /// Every page about who could see what that somebody who acts for Lily can ask for.
    fn addresses(&self) -> Vec<String> {
        let consent = self.consent();
        let mut all = vec![
            "/portal/who?patient=lily".to_owned(),
            format!("/portal/apps/{consent}?patient=lily"),
            format!("/portal/apps/{consent}/stop?patient=lily"),
        ];
        for who in ["app:diary:acc_lily", "account:acc_lily", "account:acc_wei"] {
            all.push(format!("/portal/who/records?patient=lily&who={who}"));
        }
        all.extend(all.clone().into_iter().map(|address| format!("{address}&lang=es")));
        all
    }
}

fn cookie(who: &str) -> String {
    format!("{who:-<48}")
}

fn mask(text: &str, marker: &str) -> String {
    let mut parts = text.split(marker);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let cut = part.find('"').unwrap_or(part.len());
        out.push_str(&format!("{marker}***{}", &part[cut..]));
    }
    out
}

// Covers: design §5, a teenager's confidential kinds are hidden from parents; P1
#[tokio::test]
async fn what_a_parent_may_not_know_changes_no_byte_of_who_could_see_what() {
    let (bare, full) = (Family::new(Kept::Nothing).await, Family::new(Kept::Much).await);
    for (one, other) in bare.addresses().into_iter().zip(full.addresses()) {
        let pages = [bare.page("wei", &one).await, full.page("wei", &other).await];
        assert_eq!(pages[0], pages[1], "{one}");
        for word in ["secret", "drteen", "onfidential", "eproductive"] {
            assert!(!pages[1].contains(word), "{other}: {word}");
        }
    }
    // The page is not empty for it: he sees what he may, and that there is more to it.
    let page = full.page("wei", "/portal/who?patient=lily").await;
    assert!(page.contains("Can see 3 of the 3 records here."), "{page}");
    assert!(page.contains("Whether it can see sensitive records, only the patient is told."));
    let stop = format!("/portal/apps/{}/stop?patient=lily", full.consent());
    let stop = full.page("wei", &stop).await;
    assert!(stop.contains("3 records go out of its sight."), "{stop}");
    assert!(stop.contains("Sensitive records may be among them."));
    // Who treats her cannot be asked for by name either.
    let hidden = full.ask("wei", "/portal/who/records?patient=lily&who=account:acc_drteen").await;
    assert_eq!(hidden.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_patient_is_told_everything() {
    let full = Family::new(Kept::Much).await;
    let page = full.page("lily", "/portal/who").await;
    assert!(page.contains("drteen") && page.contains("Wei Chen"), "{page}");
    assert!(page.contains("Can see 11 of the 11 records here."), "who treats her: {page}");
    assert!(page.contains("Can see 10 of the 11 records here."), "the app: {page}");
    assert!(page.contains("Can see 4 of the 11 records here."), "her father: {page}");
    let list = full.page("lily", "/portal/who/records?who=account:acc_drteen").await;
    assert!(list.contains("Pulse secret0") && list.contains("1 October 2026"), "{list}");
    let stop = full.page("lily", &format!("/portal/apps/{}/stop", full.consent())).await;
    assert!(stop.contains("10 records go out of its sight.") && stop.contains("Pulse secret3"));
    assert!(!stop.contains("Pulse pulse"), "a consent on file holds it back already");
}

#[tokio::test]
async fn somebody_who_acts_no_longer_is_told_nothing() {
    let full = Family::new(Kept::Nothing).await;
    full.world.clock.advance_secs(599);
    for address in full.addresses() {
        assert_eq!(full.ask("wei", &address).await.0, StatusCode::OK, "{address}");
    }
    full.world.clock.advance_secs(1);
    for address in full.addresses() {
        let (status, page) = full.ask("wei", &address).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
        assert!(!page.contains("Pulse") && !page.contains("Lily"), "{address}");
    }
}

// Covers: design P3, no log, no data; a failing list keeps nobody from stopping
#[tokio::test]
async fn a_list_that_cannot_be_had_does_not_keep_the_stop_button_away() {
    let family = Family::new(Kept::Nothing).await;
    let stop = format!("/portal/apps/{}/stop", family.consent());
    family.world.faults.fail_commits(true);
    let page = family.page("lily", &stop).await;
    assert!(page.contains("The list cannot be shown right now."), "{page}");
    assert!(page.contains("type=\"submit\">Stop sharing"), "{page}");
    assert!(!page.contains("Pulse"));
    assert_eq!(family.ask("lily", "/portal/who").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_look_is_in_the_log_with_every_record_that_was_named() {
    let family = Family::new(Kept::Much).await;
    for (who, path, records) in
        [("lily", "/portal/who", 11), ("wei", "/portal/who?patient=lily", 4)]
    {
        family.page(who, path).await;
        let search = proviso_app::audit::AuditSearch {
            kinds: vec![AuditKind::PortalView],
            limit: 1,
            ..Default::default()
        };
        let logged = family.world.app.search_audit(&search).await.unwrap().entries;
        let entry = &logged[0].entry;
        assert_eq!(entry.action, "who");
        assert_eq!(entry.resources.len(), records);
        assert_eq!(entry.account, Some(format!("acc_{who}").parse().unwrap()));
        assert_eq!(entry.on_behalf_of.is_some(), who == "wei");
    }
    // What Lily was shown is not told to her father by the entry about it.
    let told = family.page("wei", "/portal/activity?patient=lily").await;
    assert!(!told.contains("onfidential"), "{told}");
}

const CHOICES: &[(&str, &str)] =
    &[("category", "laboratory"), ("category", "medications"), ("duration", "1-year")];

struct Stage {
    world: DemoWorld,
    maria: Browser,
}

impl Stage {
    async fn new() -> Self {
        let world = DemoWorld::start().await.unwrap();
        let app = SmartApp::glucose_coach(&world.origin, "launch/patient patient/*.rs");
        let mut maria = Browser::new().unwrap();
        app.connect(&mut maria, "maria", CHOICES).await.unwrap();
        maria.stop_at = None;
        Self { world, maria }
    }

    async fn page(&mut self, path: &str) -> String {
        self.maria.go(&self.world.url(path)).await.unwrap();
        assert_eq!(self.maria.page.status, 200, "{path}");
        self.maria.page.text()
    }
}

#[tokio::test]
async fn from_the_first_page_a_patient_comes_to_the_records_one_by_one() {
    let mut stage = Stage::new().await;
    let home = stage.page("/portal").await;
    assert!(links(&home).iter().any(|(_, href)| href == "/portal/who"), "{home}");
    let who = stage.page("/portal/who").await;
    assert!(who.contains("Glucose Coach") && who.contains("Patel"), "{who}");
    let to = |page: &str, part: &str| {
        let found = links(page).into_iter().find(|(words, _)| words.contains(part));
        found.map(|(_, href)| href.replace("&#38;", "&"))
    };
    let mut next = to(&who, "records Glucose Coach can see");
    let (mut listed, mut pages) = (String::new(), 0);
    while let Some(address) = next {
        let list = stage.page(&address).await;
        assert!(list.contains("What Glucose Coach can see"), "{list}");
        next = to(&list, "Older records");
        listed.push_str(&list);
        pages += 1;
    }
    assert!(pages > 1 && listed.contains("· Medications") && listed.contains("Hemoglobin A1c"));
    let said = listed.split("Can see ").nth(1).unwrap().split(' ').next().unwrap();
    assert_eq!(listed.matches("<dt>").count().to_string(), said, "each once");
    let spanish = stage.page("/portal/who?lang=es").await;
    assert!(spanish.contains("Quién puede ver qué"), "{spanish}");
}

// Covers: consent.md §7.7, "if I sign this"; nothing is recorded by looking first
#[tokio::test]
async fn what_is_shown_before_sharing_is_what_the_app_gets_afterwards() {
    let world = DemoWorld::start().await.unwrap();
    let app = SmartApp::glucose_coach(&world.origin, "launch/patient patient/*.rs");
    let launch = app.launch().unwrap();
    let mut maria = Browser::new().unwrap();
    maria.stop_at = Some(app.redirect_uri.clone());
    maria.go(&launch.url).await.unwrap();
    maria.sign_in("maria", "proviso-demo").await.unwrap();
    let preview = async |maria: &mut Browser, fields: &[(&str, &str)]| {
        let form = maria.form_with("decision").unwrap();
        maria.submit(&form, &[fields, &[("decision", "preview")]].concat()).await.unwrap();
        (maria.page.status.as_u16(), maria.page.text())
    };
    let (status, page) = preview(&mut maria, &[]).await;
    assert_eq!(status, 422, "nothing is ticked");
    assert!(page.contains("Tick at least one kind"), "{page}");

    let medicines = [("category", "medications"), ("category", "demographics")];
    let (status, page) = preview(&mut maria, &medicines).await;
    assert_eq!(status, 200, "no duration is needed to look");
    assert!(page.contains("If you share this, Glucose Coach can see"), "{page}");
    let listed = page.split("id=\"losing\"").nth(1).unwrap().split("</section>").next().unwrap();
    let said = listed.split("<p>").nth(1).unwrap().split(' ').next().unwrap();
    let said: usize = said.parse().unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(listed.matches("<dt>").count(), said);
    let ticked = page.split("value=\"medications\"").nth(1).unwrap().split('>').next().unwrap();
    assert!(ticked.contains("checked"), "what was ticked stays ticked");
    let patient = "maria".parse().unwrap();
    let choices = world.app.sharing_choices(&patient, world.app.now()).await.unwrap();
    assert!(choices.is_empty(), "nothing is recorded");

    let form = maria.form_with("decision").unwrap();
    let share = [medicines[0], medicines[1], ("duration", "1-year"), ("decision", "allow")];
    maria.submit(&form, &share).await.unwrap();
    let code = app.code(&launch, &maria.url).unwrap();
    let tokens: Value = app.exchange(&launch, &code).await.unwrap().json().unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let mut got = 0;
    let mut next = Some("Patient/maria/$everything?_count=1000".to_owned());
    while let Some(path) = next {
        let bundle: Value = app.fhir(token, &path).await.unwrap().json().unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        let own = |entry: &&Value| {
            let kind = entry["resource"]["resourceType"].as_str().unwrap();
            !["Practitioner", "Organization", "Location", "Medication"].contains(&kind)
        };
        got += entries.iter().filter(own).count();
        let links = bundle["link"].as_array().unwrap();
        next = links.iter().find(|link| link["relation"] == "next").map(|link| {
            let url = link["url"].as_str().unwrap();
            url.strip_prefix(&format!("{}/", app.base())).unwrap().to_owned()
        });
    }
    assert_eq!(got, said);
}

#[tokio::test]
async fn nobody_looks_at_who_could_see_somebody_elses_records() {
    let mut stage = Stage::new().await;
    for path in ["/portal/who?patient=james", "/portal/who/records?patient=james&who=app:x"] {
        stage.maria.go(&stage.world.url(path)).await.unwrap();
        assert_eq!(stage.maria.page.status, 404, "{path}");
    }
    for who in ["", "&who=", "&who=app:never-was", "&who=app:glucose-coach:acc_x&page=-1"] {
        let path = format!("/portal/who/records?patient=maria{who}");
        stage.maria.go(&stage.world.url(&path)).await.unwrap();
        assert_eq!(stage.maria.page.status, 404, "{path}");
    }
    let mut priya = stage.world.signed_in("priya").await.unwrap();
    priya.go(&stage.world.url("/portal/who")).await.unwrap();
    assert_eq!(priya.page.status, 403);
}

struct Point {
    world: DemoWorld,
    http: HttpClient,
}

impl Point {
    async fn token(&self, client: &str, scope: &str) -> String {
        self.world.service_token(client, scope).await.unwrap()
    }

    async fn post(&self, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("content-type", "application/json")];
        if !token.is_empty() {
            headers.push(("authorization", bearer.as_str()));
        }
        let url = self.world.url("/access/v1/simulate");
        self.http.send(Method::POST, &url, &headers, body.to_owned()).await.unwrap()
    }
}

// Covers: the bearer rule of the endpoints for enforcement points
#[tokio::test]
async fn the_endpoint_answers_enforcement_points_and_nobody_else() {
    let stage = Stage::new().await;
    let point = Point { world: stage.world, http: HttpClient::default() };
    let token = point.token("front-door", "access_evaluation").await;
    let other = point.token("quality-study", "system/*.rs").await;
    let body = json!({ "patient": "maria" }).to_string();
    for (token, status, code) in
        [("", 401, "token-missing"), ("x", 401, "token-invalid"), (&other, 403, "scope-missing")]
    {
        let answer = point.post(token, &body).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json().unwrap()["code"], code);
    }
    let answer = point.post(&token, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let all: Value = answer.json().unwrap();
    let coach = subject(&all, "app:glucose-coach");
    let (permitted, refused) = (&coach["before"]["permitted"], &coach["before"]["refused"]);
    let sum = permitted.as_u64().unwrap() + refused.as_u64().unwrap();
    assert_eq!(sum, all["records"].as_array().unwrap().len() as u64);
    assert!(coach["before"]["reasons"]["category-not-shared"].as_u64().unwrap() > 0, "{coach}");
    assert!(all["reasons"]["category-not-shared"]["es"].is_string());
    assert!(coach.get("after").is_none() && coach.get("appear").is_none());
    assert!(!answer.text().contains("Metformin"), "no content");

    let consent = coach["consents"][0].as_str().unwrap();
    let stop = json!({ "change": { "stop": { "consent": consent } }, "subject": consent });
    let stopped: Value = point.post(&token, &stop.to_string()).await.json().unwrap();
    let coach = subject(&stopped, "app:glucose-coach");
    assert_eq!(coach["after"]["permitted"], 0);
    assert_eq!(coach["after"]["refused_as_a_whole"], json!(["consent-revoked"]));
    assert_eq!(coach["disappear"].as_array().unwrap().len() as u64, permitted.as_u64().unwrap());
    assert_eq!(coach["appear"], json!([]));
}

fn subject(answer: &Value, key: &str) -> Value {
    let all = answer["subjects"].as_array().unwrap();
    let own = all.iter().find(|one| one["key"].as_str().unwrap().starts_with(key));
    own.unwrap_or_else(|| panic!("{key}: {answer}")).clone()
}

#[tokio::test]
async fn a_question_that_is_none_gets_a_problem_that_says_why() {
    let stage = Stage::new().await;
    let point = Point { world: stage.world, http: HttpClient::default() };
    let token = point.token("front-door", "access_evaluation").await;
    let check = async |body: &str, status: u16, code: &str, words: &str| {
        let answer = point.post(&token, body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{body}");
        let problem = answer.json().unwrap();
        assert_eq!(problem["code"], code, "{body}");
        assert!(problem["title"].as_str().unwrap().contains(words), "{problem}");
    };
    check("{", 400, "malformed", "not JSON").await;
    check("[]", 400, "malformed", "object").await;
    check("{}", 400, "malformed", "`patient`").await;
    check(r#"{"patient":7}"#, 400, "malformed", "string").await;
    check(r#"{"patient":"a b"}"#, 400, "malformed", "`a b` is not the id of a patient").await;
    check(r#"{"patient":"maria","chnage":{}}"#, 400, "malformed", "chnage").await;
    check(r#"{"patient":"maria","change":{"burn":{}}}"#, 400, "malformed", "burn").await;
    check(r#"{"patient":"maria","record":"Nothing/1"}"#, 400, "malformed", "FHIR").await;
    check(r#"{"patient":"maria","record":"maria"}"#, 400, "malformed", "Type/id").await;
    check(r#"{"patient":"maria","page":{"limit":0}}"#, 400, "malformed", "limit").await;
    let narrow = |more: &str| {
        format!(r#"{{"patient":"maria","change":{{"narrow":{{"consent":"cns_x",{more}}}}}}}"#)
    };
    check(&narrow(r#""categories":["lab"]"#), 400, "malformed", "`lab` is not a kind").await;
    check(&narrow(r#""purposes":["FUN"]"#), 400, "malformed", "`FUN` is not a purpose").await;
    let period = r#""data_period":{"start":"monday"}"#;
    check(&narrow(period), 400, "malformed", "`monday` is not an instant").await;
    let end = r#"{"patient":"maria","change":{"end_proxy":{"account":"nobody"}}}"#;
    check(end, 400, "malformed", "there is no account `nobody`").await;
    let end = r#"{"patient":"maria","change":{"end_proxy":{"account":"wei"}}}"#;
    check(end, 422, "change-impossible", "does not act").await;
    let absent = r#"{"patient":"maria","record":"Observation/never-was"}"#;
    check(absent, 404, "not-found", "no such record").await;
}
