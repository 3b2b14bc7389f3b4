//! What somebody who acts for a patient is shown: two worlds that differ only in what is hidden
//! from them have the same pages, byte for byte. The patient sees everything in both.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use proviso_app::via::Via;
use proviso_core::account::{
    Account, AccountStatus, ActorKind, Relationship, RelationshipKind, Session,
};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{Category, SensitiveKind, SensitiveSet};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::Period;
use proviso_http::{Demonstration, HttpState};
use proviso_oauth::record::TokenHash;
use proviso_store::{Batch, Op, Presence};
use proviso_testkit::browser::links;
use proviso_testkit::gateway_world::{Access, NOW, Terms, World, request};
use tower::ServiceExt as _;

const CONFIDENTIAL: &str = r#","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"ADOL"}]}"#;

fn visit(id: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Encounter","id":"{id}"{more},"status":"finished",
"class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}},
"subject":{{"reference":"Patient/lily"}},"period":{{"start":"2026-10-01T09:00:00Z"}},
"participant":[{{"individual":{{"reference":"Practitioner/p"}}}}]}}"#
    )
}

fn observation(id: &str, category: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}"{more},"status":"final",
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{category}"}}]}}],
"code":{{"coding":[{{"system":"http://loinc.org","code":"8867-4"}}]}},
"subject":{{"reference":"Patient/lily"}},"effectiveDateTime":"2026-10-01"}}"#
    )
}

/// What is hidden from Lily's father differs; nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Nothing,
    Much,
}

struct Family {
    world: World,
    router: axum::Router,
    consent: String,
}

const SCOPES: &str = "patient/Patient.rs patient/Encounter.cruds patient/Observation.cruds \
                      patient/Practitioner.rs";

/// Everything that the apps do, in both worlds alike.
const ASKED: &[&str] = &[
    "Patient/lily",
    "Encounter?patient=lily",
    "Encounter?patient=lily&_include=Encounter:participant",
    "Encounter?_id=secret",
    "Encounter/secret",
    "Encounter/secret/_history",
    "Encounter/secret/_history/1",
    "Encounter/open1",
    "Observation?patient=lily",
    "Observation?patient=lily&category=laboratory",
    "Observation?patient=lily&category=vital-signs",
    "Observation/secret-lab",
    "Observation/pulse",
    "Observation?nonsense=1",
    "Condition?patient=lily",
    "Patient/lily/$everything",
    "Patient/lily/Observation",
];

impl Family {
    async fn new(hidden: Hidden) -> Self {
        let world = World::embedded().await.unwrap();
        let mut records = vec![
            r#"{"resourceType":"Patient","id":"lily","name":[{"given":["Lily"],"family":"Chen"}],"birthDate":"2011-05-05"}"#.to_owned(),
            r#"{"resourceType":"Practitioner","id":"p","name":[{"family":"Patel"}]}"#.to_owned(),
            visit("open1", ""),
            visit("open2", ""),
            observation("pulse", "vital-signs", ""),
        ];
        if hidden == Hidden::Much {
            records.push(visit("secret", CONFIDENTIAL));
            records.push(observation("secret-lab", "laboratory", CONFIDENTIAL));
        }
        world.load(&records).await.unwrap();
        let named = match hidden {
            Hidden::Nothing => SensitiveSet::EMPTY,
            Hidden::Much => SensitiveSet::EMPTY
                .with(SensitiveKind::Adolescent)
                .with(SensitiveKind::Reproductive),
        };
        let terms = |sensitive| Terms {
            patient: "lily",
            categories: [
                Category::Demographics,
                Category::Visits,
                Category::Vitals,
                Category::Laboratory,
            ]
            .into_iter()
            .collect(),
            sensitive,
            scopes: SCOPES,
        };
        let diary = world.share("diary", &terms(named)).await.unwrap();
        // Two choices of the same instant are listed in the order of their random ids.
        world.clock.advance_secs(1);
        let plain = world.share("plain", &terms(SensitiveSet::EMPTY)).await.unwrap();
        let router = proviso_http::router(HttpState::new(world.app.clone(), Demonstration::Off));
        let consent = diary.consent.as_ref().unwrap().version().consent.to_string();
        let family = Self { world, router, consent };
        family.wei_acts_for_lily().await;
        family.apps_ask(&[&diary, &plain]).await;
        if hidden == Hidden::Much {
            // More than a page of it, so that pages and their ends would move.
            for _ in 0..30 {
                family.world.get(&diary.token, "Encounter/secret").await.unwrap();
            }
            let change = visit("secret", &format!("{CONFIDENTIAL},\"language\":\"en\""));
            let headers = [("content-type", "application/fhir+json")];
            let put = request(Method::PUT, &diary.token, "Encounter/secret", &headers, change);
            assert_eq!(family.world.send(put.unwrap()).await.unwrap().status, 200);
        }
        family
    }

    async fn apps_ask(&self, apps: &[&Access]) {
        for app in apps {
            for path in ASKED {
                self.world.clock.advance_secs(1);
                self.world.get(&app.token, path).await.unwrap();
            }
        }
    }

    async fn wei_acts_for_lily(&self) {
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
            period: Period { start: Some(NOW), end: Some(NOW.plus_days(900)) },
            mandate: None,
            source: proviso_core::org::FactSource::Relationship,
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

    async fn send(
        &self,
        who: &str,
        method: Method,
        path: &str,
        body: String,
    ) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", format!("__Host-proviso-session={}", cookie(who)))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let mut text = String::from_utf8_lossy(&body).into_owned();
        if let Some(place) = head.headers.get("location") {
            text.push_str(place.to_str().unwrap());
        }
        (head.status, text)
    }

    async fn get(&self, who: &str, path: &str) -> String {
        let (status, page) = self.send(who, Method::GET, path, String::new()).await;
        assert!(status.is_success() || status.is_redirection(), "{who} {path}: {status}");
        format!("{status}\n{page}")
    }

    /// A page with what differs between any two visits taken out.
    fn plain(&self, page: &str) -> String {
        let page = page.replace(&self.consent, "CONSENT");
        mask(&mask(&mask(&page, "name=\"csrf\" value=\""), "before="), "cns_")
    }
}

fn cookie(who: &str) -> String {
    format!("{who:-<48}")
}

fn mask(text: &str, marker: &str) -> String {
    let mut parts = text.split(marker);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let cut = part.find(|c| !plain(c)).unwrap_or(part.len());
        // Its length stays: it must say nothing either.
        out.push_str(&format!("{marker}{}{}", "*".repeat(cut), &part[cut..]));
    }
    out
}

/// Every address that Lily's father can ask for, each filter by itself and with others.
fn addresses() -> Vec<String> {
    let mut all = vec!["/portal?patient=lily".to_owned(), "/portal/apps?patient=lily".to_owned()];
    all.push("/portal/people?patient=lily".to_owned());
    let activity = "/portal/activity?patient=lily";
    all.push(activity.to_owned());
    all.extend(Category::ALL.iter().map(|kind| format!("{activity}&kind={kind}")));
    for outcome in ["success", "denied", "failure", "error"] {
        all.push(format!("{activity}&outcome={outcome}"));
        all.push(format!("{activity}&outcome={outcome}&kind=visits&app=diary"));
    }
    for app in ["diary", "plain", "other"] {
        all.push(format!("{activity}&app={app}"));
    }
    all.push(format!("{activity}&from=2026-11-22&to=2026-11-22"));
    all.extend(all.clone().into_iter().map(|address| format!("{address}&lang=es")));
    all
}

fn same(bare: &str, full: &str, what: &str) {
    for (bare, full) in bare.lines().zip(full.lines()) {
        assert_eq!(bare, full, "{what}");
    }
    assert_eq!(bare, full, "{what}");
}

// Covers: design §5, a teenager's confidential kinds are hidden from parents; P1
#[tokio::test]
async fn what_a_parent_may_not_see_changes_no_byte_of_their_pages() {
    let bare = Family::new(Hidden::Nothing).await;
    let full = Family::new(Hidden::Much).await;
    for address in addresses() {
        let mut next = [address.clone(), address.clone()];
        // Page by page to the end: the number of pages must not tell either.
        loop {
            let pages = [bare.get("wei", &next[0]).await, full.get("wei", &next[1]).await];
            let plain = [bare.plain(&pages[0]), full.plain(&pages[1])];
            same(&plain[0], &plain[1], &address);
            for word in ["onfidential", "eproductive", "secret"] {
                assert!(!pages[1].contains(word), "{address}: {word}");
            }
            let older = pages.map(|page| {
                links(&page).into_iter().find(|(words, _)| words == "Older").map(|(_, href)| href)
            });
            let [Some(bare), Some(full)] = older else { break };
            next = [bare, full].map(|href| href.replace("&amp;", "&").replace("&#38;", "&"));
        }
    }
    // Stopping what Lily chose tells nothing, before or after.
    let form = |page: &str| {
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        format!("csrf={}", csrf.split('"').next().unwrap())
    };
    let mut seen: Vec<Vec<String>> = Vec::new();
    for family in [&bare, &full] {
        let path = |end: &str| format!("/portal/apps/{}/{end}?patient=lily", family.consent);
        let mut pages = vec![family.get("wei", &path("stop")).await];
        let form = form(&pages[0]);
        let (status, place) = family.send("wei", Method::POST, &path("stop"), form).await;
        pages.push(format!("{status} {place}"));
        pages.push(family.get("wei", &path("stopped")).await);
        for address in ["/portal?patient=lily", "/portal/apps?patient=lily"] {
            pages.push(family.get("wei", address).await);
        }
        pages.push(family.get("wei", "/portal/activity?patient=lily").await);
        seen.push(pages.iter().map(|page| family.plain(page)).collect());
    }
    let full_pages = seen.pop().unwrap();
    for (bare, full) in seen[0].iter().zip(&full_pages) {
        same(bare, full, "stopping");
    }
}

#[tokio::test]
async fn the_patient_herself_is_shown_everything() {
    let full = Family::new(Hidden::Much).await;
    let apps = full.get("lily", "/portal/apps").await;
    assert!(apps.contains("Sexual and reproductive health and Confidential teen care"), "{apps}");
    let visits = full.get("lily", "/portal/activity?kind=visits&app=diary").await;
    assert!(visits.contains("Confidential teen care"), "{visits}");
    let labs = full.get("lily", "/portal/activity?kind=laboratory&outcome=success").await;
    assert!(labs.contains("Laboratory results"), "{labs}");
    // One hidden record, read again and again, is on her list.
    assert!(visits.contains("one record: Visits"), "{visits}");
}

#[tokio::test]
async fn a_parent_still_sees_what_apps_do_with_what_a_parent_may_see() {
    let full = Family::new(Hidden::Much).await;
    let visits = full.get("wei", "/portal/activity?patient=lily&kind=visits").await;
    assert!(visits.contains("diary looked at records: Visits."), "{visits}");
    let apps = full.get("wei", "/portal/apps?patient=lily").await;
    assert!(apps.contains("diary") && apps.contains("Only the patient sees which"), "{apps}");
}
