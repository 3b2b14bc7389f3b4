//! 42 CFR 2.32: what accompanies substance use records that leave by a patient's consent, and that
//! it tells of none that stay.

use http::Method;
use proviso_core::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use proviso_core::obligation::PART2_STATEMENT;
use proviso_testkit::gateway_cases::{LAB, observation, only_visible};
use proviso_testkit::gateway_world::{Access, Reply, Terms, World, request};

const SCOPES: &str = "patient/Patient.rs patient/Observation.cruds patient/MedicationRequest.rs \
                      patient/Practitioner.rs patient/Condition.rs";
const JSON: &[(&str, &str)] = &[("content-type", "application/fhir+json")];

/// Opioid use disorder, by its code.
fn substance_use(id: &str) -> String {
    format!(
        r#"{{"resourceType":"Condition","id":"{id}",
"category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"problem-list-item"}}]}}],
"clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}},
"code":{{"coding":[{{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"F11.20"}}]}},
"subject":{{"reference":"Patient/a"}}}}"#
    )
}

fn harmless(id: &str) -> String {
    substance_use(id).replace("F11.20", "E11.9")
}

async fn world(sensitive: SensitiveSet, resources: &[String]) -> (World, Access) {
    let world = World::embedded().await.unwrap();
    world.load(&only_visible()).await.unwrap();
    world.load(resources).await.unwrap();
    let categories = CategorySet::EMPTY
        .with(Category::Laboratory)
        .with(Category::Demographics)
        .with(Category::Problems);
    let terms = Terms { patient: "a", categories, sensitive, scopes: SCOPES };
    let access = world.share("glucose-coach", &terms).await.unwrap();
    (world, access)
}

fn named() -> SensitiveSet {
    SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse)
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Checks that an answer carries the notice, and gives the explanation of the scope.
fn noticed(reply: &Reply, access: &Access) -> String {
    assert!(reply.status.is_success(), "{} {}", reply.status, reply.json());
    assert_eq!(header(reply, "redisclosure-notice"), Some(PART2_STATEMENT));
    let scope = header(reply, "redisclosure-consent").unwrap().to_owned();
    let consent = access.consent.as_ref().unwrap();
    let version = format!("{} version 1", consent.version().consent);
    assert!(scope.contains(&version) && scope.contains("substance-use"), "{scope}");
    assert!(!scope.contains(consent.id().as_str()), "the version's hash leaves: {scope}");
    scope
}

fn unnoticed(reply: &Reply) {
    assert_eq!(header(reply, "redisclosure-notice"), None, "{}", reply.json());
    assert_eq!(header(reply, "redisclosure-consent"), None);
    let body = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(!body.contains("redisclosure") && !body.contains("42CFRPart2"), "{body}");
}

fn labels(bundle: &serde_json::Value) -> Vec<&str> {
    let labels = bundle["meta"]["security"].as_array();
    labels.into_iter().flatten().filter_map(|label| label["code"].as_str()).collect()
}

// Covers: 42 CFR 2.32(a)(2), (b); design §6, obligations
#[tokio::test]
async fn the_notice_and_the_scope_of_the_consent_accompany_every_disclosure() {
    let all = [substance_use("a-sud"), harmless("a-dm")];
    let (world, access) = world(named(), &all).await;
    let read = world.get(&access.token, "Condition/a-sud").await.unwrap();
    let scope = noticed(&read, &access);
    assert_eq!(read.json()["id"], "a-sud", "the record itself is untouched");
    assert!(read.json()["meta"]["security"].is_null());

    let version = world.get(&access.token, "Condition/a-sud/_history/1").await.unwrap();
    noticed(&version, &access);

    let search = world.get(&access.token, "Condition?patient=a").await.unwrap();
    noticed(&search, &access);
    let bundle = search.json();
    assert_eq!(bundle["total"], 2, "a notice is no match");
    assert_eq!(labels(&bundle), ["42CFRPart2", "NORDSCLCD"]);
    let last = bundle["entry"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["search"]["mode"], "outcome");
    assert_eq!(last["resource"]["resourceType"], "OperationOutcome");
    assert_eq!(last["resource"]["issue"][0]["severity"], "information");
    assert_eq!(last["resource"]["issue"][0]["diagnostics"], PART2_STATEMENT);
    assert_eq!(last["resource"]["issue"][1]["diagnostics"], scope.as_str());

    noticed(&world.get(&access.token, "Patient/a/$everything").await.unwrap(), &access);
    let revinclude = "Patient?_id=a&_revinclude=Condition:patient";
    noticed(&world.get(&access.token, revinclude).await.unwrap(), &access);

    let history = world.get(&access.token, "Condition/a-sud/_history").await.unwrap();
    noticed(&history, &access);
    let history = history.json();
    assert_eq!(labels(&history), ["42CFRPart2", "NORDSCLCD"]);
    let outcome = &history["entry"][0]["response"]["outcome"];
    assert_eq!(outcome["issue"][0]["diagnostics"], PART2_STATEMENT);
}

// Covers: 42 CFR 2.32, pages and batches: the notice is on the part that carries such a record
#[tokio::test]
async fn pages_and_batches_carry_it_exactly_where_such_a_record_is() {
    let all = [harmless("a-1"), harmless("a-2"), substance_use("a-3")];
    let (world, access) = world(named(), &all).await;
    let first = world.get(&access.token, "Condition?patient=a&_count=2&_sort=_id").await.unwrap();
    unnoticed(&first);
    let next = first.next().unwrap();
    let next = next.strip_prefix("/fhir/r4/").unwrap();
    noticed(&world.get(&access.token, next).await.unwrap(), &access);
    unnoticed(&world.get(&access.token, "Condition?patient=a&_summary=count").await.unwrap());

    let entry = |url: &str| serde_json::json!({ "request": { "method": "GET", "url": url } });
    let bundle = serde_json::json!({
        "resourceType": "Bundle", "type": "batch",
        "entry": [entry("Condition/a-1"), entry("Condition/a-3"), entry("Condition/none")],
    });
    let asked = request(Method::POST, &access.token, "", JSON, bundle.to_string()).unwrap();
    let batch = world.send(asked).await.unwrap();
    noticed(&batch, &access);
    let batch = batch.json();
    assert_eq!(labels(&batch), ["42CFRPart2", "NORDSCLCD"]);
    let outcome = |place: usize| batch["entry"][place]["response"]["outcome"].clone();
    assert!(outcome(0).is_null());
    assert_eq!(outcome(1)["issue"][0]["diagnostics"], PART2_STATEMENT);
    assert_ne!(outcome(2)["issue"][0]["diagnostics"], PART2_STATEMENT);
}

/// The notice is a function of what leaves: two worlds, one with a hidden record of the kind.
// Covers: design P1; a notice tells of no record that stays
#[tokio::test]
async fn a_notice_tells_of_no_record_that_stays() {
    let mut seen: Option<Vec<String>> = None;
    for hidden in [vec![], vec![substance_use("a-sud")]] {
        let mut all = vec![harmless("a-dm")];
        all.extend(hidden);
        let (world, access) = world(SensitiveSet::EMPTY, &all).await;
        let mut answers = Vec::new();
        for path in [
            "Condition/a-sud",
            "Condition/a-dm",
            "Condition?patient=a",
            "Condition?patient=a&_count=1",
            "Patient/a/$everything",
            "Condition/a-dm/_history",
            "Condition?patient=a&_summary=count",
        ] {
            let reply = world.get(&access.token, path).await.unwrap();
            unnoticed(&reply);
            answers.push(reply.fingerprint());
        }
        assert_eq!(*seen.get_or_insert_with(|| answers.clone()), answers);
    }
}

#[tokio::test]
async fn an_answer_without_a_record_carries_no_notice() {
    let (world, access) = world(named(), &[substance_use("a-sud")]).await;
    let headers = &[("if-none-match", "W/\"1\"")];
    let asked = request(Method::GET, &access.token, "Condition/a-sud", headers, "").unwrap();
    let same = world.send(asked).await.unwrap();
    assert_eq!(same.status, 304);
    unnoticed(&same);
    unnoticed(&world.get(&access.token, "Condition/none").await.unwrap());
    let body = observation("x", "a", LAB, "4548-4", "5.0", "2026-01-01", "");
    let asked = request(Method::POST, &access.token, "Observation", JSON, body).unwrap();
    let made = world.send(asked).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.json());
    unnoticed(&made);
}
