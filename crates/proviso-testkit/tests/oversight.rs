//! What a policy demands with a permit is carried out with the access, in the same commit: the access
//! is written twice, the patient is told, a review opens, the token lives short. Where it is not
//! carried out, nothing is opened.

use http::Method;
use proviso_app::audit::AuditSearch;
use proviso_app::emergency::{Officer, ReviewRefusal};
use proviso_app::evaluation::Asker;
use proviso_app::oversight::ReviewList;
use proviso_app::policy::{Changer, Documents, TextFile};
use proviso_app::simulate::{SubjectFilter, Viewer};
use proviso_app::via::Via;
use proviso_core::account::Account;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::SensitiveKind::Hiv;
use proviso_core::category::{Category, CategorySet, SensitiveSet};
use proviso_core::consent::Capacity;
use proviso_core::decision::{Belonging, Labels, ResourceFacts};
use proviso_core::emergency::review::{DUE_SECS, ReviewError, ReviewStanding, Verdict};
use proviso_core::interaction::Interaction;
use proviso_core::org::{Environment, Network};
use proviso_core::oversight::{AccessReview, SHORT_TOKEN_SECS};
use proviso_core::resource_type::ResourceType;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::{Answer, HttpClient};
use proviso_testkit::smart_app::{LOOPBACK, Proof, SmartApp, Tokens, everything};
use serde_json::{Value, json};

const SCOPE: &str = "launch openid online_access user/*.cruds";
/// Maria's one HIV test.
const TEST: &str = "Observation?patient=maria&code=http://loinc.org|56888-1";
/// A reading that no policy watches.
const PLAIN: &str = "Observation?patient=maria&code=http://loinc.org|4548-4&_count=1";

/// A set in which a permit for one sensitive kind comes with obligations.
fn watching(kind: &str, obligations: &str) -> Documents {
    let policy = format!(
        r#"
// Whoever treats sees these records, with an eye on it.
@id("watched")
@reason("care-relationship")
@otherwise("no-care-relationship; purpose-not-allowed; sensitive-kind-not-shared; unlabelled")
@obligations("{obligations}")
permit (principal in Role::"clinician", action in Action::"view", resource is Record)
when {{ context has care }}
when {{ [Purpose::"TREAT", Purpose::"COC"].contains(context.purpose) }}
when {{ resource.kinds.contains(SensitiveKind::"{kind}") }}
when {{ resource.labelled }};
"#
    );
    let listed: Vec<&str> = obligations.split("; ").collect();
    let scenario = format!(
        r#"
[[scenario]]
name = "Watched records come with obligations"
ask = {{ who = "clinician", related = ["care"], purpose = "TREAT", action = "read", record = "Observation", categories = ["laboratory"], kinds = ["{kind}"] }}
expect = "permit"
reasons = ["care-relationship"]
obligations = {listed:?}
"#
    );
    let file = |name: &str, text: String| TextFile { name: name.to_owned(), text };
    let mut documents = Documents::starter();
    documents.policies.push(file("80-own.cedar", policy));
    documents.tests.push(file("tests/own.toml", scenario));
    documents.tests.sort();
    documents
}

async fn account(world: &DemoWorld, username: &str) -> Account {
    world.app.store().account_by_username(username).await.unwrap().unwrap()
}

/// Puts a set into force, by two people; `None` goes back to the set of the release.
async fn in_force(world: &DemoWorld, documents: Option<Documents>) {
    let (admin, officer) = (account(world, "admin").await, account(world, "priya").await);
    let environment = Environment { network: Some(Network::Internal), ..Environment::default() };
    let via = Via::default();
    let by = |account| Changer { account, environment: &environment, via: &via };
    let id = match documents {
        None => None,
        Some(documents) => {
            let set = world.app.propose_policies(by(&admin), documents, "watching").await.unwrap();
            world.app.approve_policies(by(&officer), &set.id).await.unwrap();
            Some(set.id)
        }
    };
    world.app.activate_policies(by(&officer), id.as_ref()).await.unwrap();
}

fn chart_lens(world: &DemoWorld) -> SmartApp {
    SmartApp::new(&world.origin, "chart-lens", Proof::Public, SCOPE)
}

/// Dr. Patel starts the app for a patient of hers.
async fn opened(world: &DemoWorld, patient: &str) -> Tokens {
    let mut browser = world.signed_in("drpatel").await.unwrap();
    browser.go(&world.url("/launch")).await.unwrap();
    browser.stop_at = Some(LOOPBACK.to_owned());
    let form = browser.form_with("app").unwrap();
    let app = format!("chart-lens {LOOPBACK}/launch");
    browser.submit(&form, &[("app", app.as_str()), ("patient", patient)]).await.unwrap();
    let url = browser.url.clone();
    let launch = url.query_pairs().find(|(name, _)| name == "launch").unwrap().1.into_owned();
    let app = chart_lens(world);
    let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    app.connect_with(&launch, &mut browser, "drpatel", &[]).await.unwrap()
}

async fn read(world: &DemoWorld, token: &str, path: &str) -> Answer {
    chart_lens(world).fhir(token, path).await.unwrap()
}

/// The ids of what a search finds.
async fn found(world: &DemoWorld, token: &str, path: &str) -> Vec<String> {
    let answer = read(world, token, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let bundle = answer.json().unwrap();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry["search"]["mode"] == "match")
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn log(world: &DemoWorld, kind: AuditKind) -> Vec<AuditEntry> {
    let search = AuditSearch { kinds: vec![kind], limit: 1_000, ..AuditSearch::default() };
    let page = world.app.search_audit(&search).await.unwrap();
    page.entries.into_iter().map(|logged| logged.entry).collect()
}

async fn waiting(world: &DemoWorld) -> Vec<AccessReview> {
    world.app.store().access_reviews_waiting(None, 100).await.unwrap()
}

async fn home(world: &DemoWorld, username: &str) -> String {
    let mut browser = world.signed_in(username).await.unwrap();
    browser.go(&world.url("/portal")).await.unwrap();
    assert_eq!(browser.page.status, 200);
    browser.text()
}

const TOLD: &str = "Your health organization tells you about this right away";

// Covers: design §6 (obligations); XACML 3.0 §7.18
#[tokio::test]
async fn a_watched_access_is_written_twice_told_and_reviewed_and_no_other_is() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("hiv", "audit-twice; notify-patient; open-review"))).await;
    let tokens = opened(&world, "maria").await;
    let plain = found(&world, tokens.access(), PLAIN).await;
    assert_eq!(plain.len(), 1);
    assert_eq!(read(&world, tokens.access(), "Patient/maria").await.status, 200);
    assert_eq!(log(&world, AuditKind::Oversight).await, []);
    assert_eq!(waiting(&world).await, []);
    assert!(!home(&world, "maria").await.contains(TOLD));

    let watched = found(&world, tokens.access(), TEST).await;
    assert_eq!(watched.len(), 1);
    let first = log(&world, AuditKind::Access).await.remove(0);
    assert_eq!(first.noticed, ["maria".parse().unwrap()].into());
    let second = log(&world, AuditKind::Oversight).await;
    let [second] = second.as_slice() else { panic!("{second:?}") };
    assert!(second.is_second_entry());
    assert_eq!((&second.decision, second.released), (&first.decision, 1));
    let reviews = waiting(&world).await;
    let [review] = reviews.as_slice() else { panic!("{reviews:?}") };
    assert_eq!(review.access.entry, first.id);
    assert_eq!(review.access.patients, ["maria".parse().unwrap()].into());
    assert_eq!(review.due_at, first.at.plus_secs(DUE_SECS));

    // A read of the record itself, and a page on which it is one of many.
    let path = format!("Observation/{}", watched[0]);
    assert_eq!(read(&world, tokens.access(), &path).await.status, 200);
    let all = found(&world, tokens.access(), "Observation?patient=maria&_count=500").await;
    assert!(all.contains(&watched[0]) && all.len() > 1);
    assert_eq!(
        (waiting(&world).await.len(), log(&world, AuditKind::Oversight).await.len()),
        (3, 3)
    );

    let page = home(&world, "maria").await;
    assert!(page.contains(TOLD) && page.contains("Dr. Anika Patel"), "{page}");
    // The second entry is for officers; the patient's list has each access once.
    let mut browser = world.signed_in("maria").await.unwrap();
    browser.go(&world.url("/portal/activity")).await.unwrap();
    assert!(!browser.text().contains("that it checks"), "{}", browser.text());
}

// Covers: design §6: what was matched and is not shown was used all the same
#[tokio::test]
async fn a_watched_record_that_is_only_counted_or_leads_to_another_is_watched_too() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("hiv", "audit-twice; notify-patient; open-review"))).await;
    let tokens = opened(&world, "maria").await;
    let has = "Patient?_has:Observation:patient:code=http://loinc.org|56888-1";
    for path in [&format!("{TEST}&_summary=count"), &format!("{TEST}&_count=0"), has] {
        let before = waiting(&world).await.len();
        assert_eq!(read(&world, tokens.access(), path).await.status, 200);
        let reviews = waiting(&world).await;
        assert_eq!(reviews.len(), before + 1, "{path}");
        assert_eq!(log(&world, AuditKind::Oversight).await.len(), before + 1, "{path}");
    }
    // What does not match is not used.
    let before = waiting(&world).await.len();
    found(&world, tokens.access(), "Observation?patient=maria&code=http://loinc.org|0-0").await;
    found(&world, tokens.access(), PLAIN).await;
    assert_eq!(waiting(&world).await.len(), before);
}

// Covers: design P1 (a refusal tells nothing and is none of an access)
#[tokio::test]
async fn what_is_refused_is_neither_told_nor_reviewed() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("hiv", "audit-twice; notify-patient; open-review"))).await;
    let of_maria = opened(&world, "maria").await;
    let watched = found(&world, of_maria.access(), TEST).await.remove(0);
    let before = (waiting(&world).await, log(&world, AuditKind::Oversight).await);
    // An app of the patient that may not see it, and one of the doctor's that may not read such.
    let coach = SmartApp::glucose_coach(&world.origin, "launch/patient patient/*.rs");
    let mut browser = Browser::new().unwrap();
    let of_coach = coach.connect(&mut browser, "maria", &everything()).await.unwrap();
    for id in [watched.as_str(), "none"] {
        let answer = read(&world, of_coach.access(), &format!("Observation/{id}")).await;
        assert_eq!(answer.status, 404);
        let answer = read(&world, of_maria.access(), &format!("Observation/{id}/_history/9")).await;
        assert_eq!(answer.status, 404);
    }
    assert_eq!((waiting(&world).await, log(&world, AuditKind::Oversight).await), before);
}

async fn decide(
    world: &DemoWorld,
    username: &str,
    review: &AccessReview,
    verdict: Verdict,
) -> Result<ReviewStanding, ReviewRefusal> {
    let account = account(world, username).await;
    let officer = Officer { account: &account, session: None, via: &Via::default() };
    let note = "compared with the appointment".parse().unwrap();
    let decided = world.app.review_access(officer, &review.access.entry, verdict, note).await;
    decided.unwrap().map(|review| review.standing(world.app.now()))
}

// Covers: design §6: a review is decided by another person, whom the policy lets, before a deadline
#[tokio::test]
async fn a_review_is_decided_once_by_an_officer() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("hiv", "open-review"))).await;
    let tokens = opened(&world, "maria").await;
    found(&world, tokens.access(), TEST).await;
    // Without `audit-twice` and `notify-patient` there is neither.
    assert_eq!(log(&world, AuditKind::Oversight).await, []);
    assert!(!home(&world, "maria").await.contains(TOLD));
    let review = waiting(&world).await.remove(0);
    for name in ["drpatel", "nurseruiz", "admin", "sol", "maria"] {
        let decided = decide(&world, name, &review, Verdict::Justified).await;
        assert_eq!(decided, Err(ReviewRefusal::NotAllowed), "{name}");
    }
    let found = decide(&world, "priya", &review, Verdict::NeedsFollowUp).await;
    assert_eq!(found, Ok(ReviewStanding::FollowUp));
    assert_eq!(waiting(&world).await.len(), 1);
    let found = decide(&world, "priya", &review, Verdict::NotJustified).await;
    assert_eq!(found, Ok(ReviewStanding::NotJustified));
    assert_eq!(waiting(&world).await, []);
    let again = decide(&world, "priya", &review, Verdict::Justified).await;
    assert_eq!(again, Err(ReviewRefusal::Step(ReviewError::AlreadyDecided)));
    let officer = account(&world, "priya").await;
    let officer = Officer { account: &officer, session: None, via: &Via::default() };
    let all = world.app.access_reviews(officer, &ReviewList::All(None), 10).await.unwrap().unwrap();
    assert_eq!((all.reviews.len(), all.next), (1, None));
    // The patient sees that it was checked.
    let mut browser = world.signed_in("maria").await.unwrap();
    browser.go(&world.url("/portal/activity")).await.unwrap();
    let text = browser.text();
    assert!(text.contains("It was checked if an access to your records was right"), "{text}");
    let denied = log(&world, AuditKind::Oversight).await;
    let denied = denied.iter().filter(|entry| entry.outcome == AuditOutcome::Denied).count();
    assert_eq!(denied, 6);
}

// Covers: design §5 (a teenager's confidential kinds are hidden from parents)
#[tokio::test]
async fn a_notice_tells_a_parent_nothing_that_is_confidential() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("adolescent", "notify-patient"))).await;
    let tokens = opened(&world, "lily").await;
    found(&world, tokens.access(), "Observation?patient=lily&_count=500").await;
    let first = log(&world, AuditKind::Access).await.remove(0);
    assert_eq!(first.noticed, ["lily".parse().unwrap()].into());
    let own = home(&world, "lily").await;
    assert!(own.contains(TOLD), "{own}");
    let tokens = opened(&world, "lily").await;
    let all = found(&world, tokens.access(), "Encounter?patient=lily&_count=500").await;
    let mut confidential = 0;
    for id in all {
        read(&world, tokens.access(), &format!("Encounter/{id}")).await;
        let last = log(&world, AuditKind::Access).await.remove(0);
        confidential += usize::from(!last.noticed.is_empty());
    }
    assert!(confidential > 0);
    // Of a page with other records the parent knows; of a confidential one alone nothing.
    let notices = |reader| {
        let patient = "lily".parse().unwrap();
        let from = world.app.now().plus_days(-1);
        let app = world.app.clone();
        async move { app.notices(&patient, reader, from, 100).await.unwrap() }
    };
    let own = notices(Capacity::Patient).await;
    let parents = notices(Capacity::Proxy).await;
    assert_eq!(own.len() - parents.len(), confidential);
}

// Covers: design §6 (shorten token); RFC 6749 §5.1 (`expires_in`)
#[tokio::test]
async fn a_token_that_lives_too_long_opens_nothing_that_asks_for_a_short_one() {
    let world = DemoWorld::start().await.unwrap();
    let long = opened(&world, "maria").await;
    let expires_in = |tokens: &Value| tokens["expires_in"].as_i64().unwrap();
    assert_eq!(found(&world, long.access(), TEST).await.len(), 1);
    in_force(&world, Some(watching("hiv", "shorten-token"))).await;
    // Issued before: it opens the rest of the record, and this as if it were not there.
    assert_eq!(found(&world, long.access(), TEST).await.len(), 0);
    assert_eq!(found(&world, long.access(), PLAIN).await.len(), 1);
    let refreshed = chart_lens(&world).refresh(long.refresh()).await.unwrap().json().unwrap();
    assert_eq!(expires_in(&refreshed), SHORT_TOKEN_SECS);
    let short = refreshed["access_token"].as_str().unwrap();
    assert_eq!(found(&world, short, TEST).await.len(), 1);
    // Whoever cannot be permitted anything of the kind has tokens as ever.
    let service = world.service_token("quality-study", "system/*.rs").await.unwrap();
    assert!(!service.is_empty());
    in_force(&world, None).await;
    let token = refreshed["refresh_token"].as_str().unwrap();
    let again = chart_lens(&world).refresh(token).await.unwrap().json().unwrap();
    assert!(expires_in(&again) > SHORT_TOKEN_SECS);
}

// Covers: AuthZEN §6; design §6: an enforcement point that is permitted is an access
#[tokio::test]
async fn a_decision_that_an_enforcement_point_asks_for_is_watched_as_an_access() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("hiv", "audit-twice; notify-patient; open-review"))).await;
    let tokens = opened(&world, "maria").await;
    let watched = found(&world, tokens.access(), TEST).await.remove(0);
    let before = waiting(&world).await.len();
    let point = world.service_token("front-door", "access_evaluation").await.unwrap();
    let bearer = format!("Bearer {point}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let url = world.url("/access/v1/evaluation");
    let decided = async |name: &str| {
        let body = json!({
            "subject": { "type": "account", "id": name },
            "action": { "name": "read" },
            "resource": { "type": "Observation", "id": watched },
        });
        let http = HttpClient::default();
        let answer = http.send(Method::POST, &url, &headers, body.to_string()).await.unwrap();
        answer.json().unwrap()["decision"].clone()
    };
    assert_eq!(decided("nurseruiz").await, false);
    assert_eq!(waiting(&world).await.len(), before);
    assert_eq!(decided("drpatel").await, true);
    let reviews = waiting(&world).await;
    assert_eq!(reviews.len(), before + 1);
    let named = |own: &AccessReview| own.access.account.clone().unwrap().to_string();
    assert!(reviews.iter().all(|own| named(own) == "acc_drpatel"));
    // No token of ours is involved, so that none can be made to live shorter.
    in_force(&world, Some(watching("hiv", "shorten-token"))).await;
    assert_eq!(decided("drpatel").await, false);
}

// Covers: design §6: the simulator says what would be, obligations included
#[tokio::test]
async fn who_could_see_a_record_counts_those_who_can_have_a_short_token() {
    let world = DemoWorld::start().await.unwrap();
    in_force(&world, Some(watching("hiv", "shorten-token"))).await;
    let patient = "maria".parse().unwrap();
    let officer = Viewer::Officer(Asker { caller: None, via: &Via::default() });
    let at = world.app.now();
    let ways = world.app.ways_to(officer, &patient, &SubjectFilter::All, None, at).unwrap();
    let doctor = ways.iter().filter(|own| own.who.account == Some("acc_drpatel".parse().unwrap()));
    let plans = doctor.flat_map(|own| &own.before).filter_map(|way| way.plan.as_ref().ok());
    let sees = plans.filter(|plan| {
        let facts = ResourceFacts {
            resource_type: ResourceType::OBSERVATION,
            id: None,
            belonging: Belonging::Patients([patient.clone()].into()),
            categories: CategorySet::EMPTY.with(Category::Laboratory),
            labels: Labels::Known(SensitiveSet::EMPTY.with(Hiv)),
            clinical_period: None,
            filed: None,
        };
        plan.decide(&Interaction::Read, &facts, &|_| true).is_permit()
    });
    assert!(sees.count() > 0);
}
