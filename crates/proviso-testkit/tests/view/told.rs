//! What apps are told of must be what they are told of over a store that holds only what they may
//! see: the same messages, in the same order, over as many connections.

use http::Method;
use proviso_testkit::gateway_world::{World, request};
use proviso_testkit::receiver::Receiver;
use serde_json::{Value, json};

use crate::worlds::{Caller, Draw, Drawn, search};
use crate::{fill, name, run, seen, token};

const SUBSCRIPTIONS: usize = 12;
const KINDS: [&str; 8] = [
    "Observation",
    "Observation",
    "Condition",
    "Encounter",
    "MedicationRequest",
    "DiagnosticReport",
    "Patient",
    "Provenance",
];
const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition";

/// A world with an app that waits for what is written.
struct Waiting {
    world: World,
    token: String,
    receiver: Receiver,
}

impl Waiting {
    async fn new(drawn: &Drawn) -> Self {
        let world = World::embedded().await.unwrap();
        let token = token(&world, drawn).await;
        let receiver = Receiver::start().await.unwrap();
        let client = match drawn.caller {
            Caller::App => "glucose-coach",
            Caller::Clinician | Caller::FrontDesk => "chart-lens",
            Caller::Service => "nightly",
        };
        world.redirect_to(client, &format!("{}/cb", receiver.origin)).await.unwrap();
        Self { world, token, receiver }
    }

    /// How a subscription was answered.
    async fn subscribe(&self, wanted: &Value, number: usize) -> (u16, String) {
        let mut wanted = wanted.clone();
        let endpoint = format!("{}/{number}", self.receiver.origin);
        wanted["channel"]["endpoint"] = endpoint.into();
        let json = [("content-type", "application/fhir+json")];
        let body = wanted.to_string();
        let sent = request(Method::POST, &self.token, "Subscription", &json, body).unwrap();
        let reply = self.world.send(sent).await.unwrap();
        let code = if reply.status.is_success() { String::new() } else { reply.code() };
        (reply.status.as_u16(), code)
    }

    /// What comes, in order for each subscription, without what is new in each message.
    async fn told(&self) -> (Vec<(String, String)>, usize) {
        self.world.tell().await;
        let mut got: Vec<(String, String)> = self
            .receiver
            .take()
            .into_iter()
            .map(|one| (format!("{} {}", one.method, one.path), without_names(&one.body)))
            .collect();
        got.sort_by_key(|one| number_of(&one.0));
        (got, self.receiver.connections())
    }
}

fn number_of(path: &str) -> usize {
    let digits = path.split('/').nth(1).unwrap_or_default();
    digits.parse().unwrap_or(usize::MAX)
}

/// Without the ids of subscriptions and of the entries that say how they are.
fn without_names(body: &str) -> String {
    let Ok(mut bundle) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    if bundle["type"] == "history" {
        let status = &mut bundle["entry"][0];
        status["fullUrl"] = Value::Null;
        status["request"]["url"] = Value::Null;
        status["resource"]["parameter"][0]["valueReference"] = Value::Null;
    }
    bundle.to_string()
}

fn wanted(draw: &mut Draw, names: &[&String]) -> Value {
    let kind = draw.pick(&KINDS);
    let criteria = search(draw, kind, names, false);
    let criteria = if criteria.contains('?') { criteria } else { format!("{criteria}?") };
    let mut channel = json!({"type": "rest-hook"});
    if draw.one_in(3) {
        channel["payload"] = "application/fhir+json".into();
        let content = draw.pick(&["empty", "id-only", "full-resource"]);
        channel["_payload"] = json!({"extension": [
            {"url": format!("{BACKPORT}/backport-payload-content"), "valueCode": content}]});
        let base = proviso_testkit::gateway_world::ORIGIN;
        return json!({"resourceType": "Subscription", "status": "requested", "reason": "x",
            "criteria": format!("{base}/fhir/r4/SubscriptionTopic/record-change"),
            "_criteria": {"extension": [
                {"url": format!("{BACKPORT}/backport-filter-criteria"), "valueString": criteria}]},
            "channel": channel});
    }
    if draw.one_in(2) {
        channel["payload"] = "application/fhir+json".into();
    }
    json!({"resourceType": "Subscription", "status": "requested", "reason": "x",
        "criteria": criteria, "channel": channel})
}

async fn compare(seed: u64) -> usize {
    let drawn = Drawn::of(seed);
    let (full, bare) = (Waiting::new(&drawn).await, Waiting::new(&drawn).await);
    let names: Vec<String> = drawn.resources.iter().map(name).collect();
    let names: Vec<&String> = names.iter().collect();
    let draw = &mut Draw::of(!seed);
    for number in 0..SUBSCRIPTIONS {
        let wanted = wanted(draw, &names);
        let (one, two) =
            (full.subscribe(&wanted, number).await, bare.subscribe(&wanted, number).await);
        assert_eq!(one, two, "seed {seed}: {wanted}");
    }
    fill(&full.world, &drawn, |_| true).await;
    let seen_of_all = seen(&full.world, &full.token, &drawn).await;
    fill(&bare.world, &drawn, |name| seen_of_all.contains(name)).await;
    let ((one, connections), (two, as_many)) = (full.told().await, bare.told().await);
    assert_eq!(one, two, "seed {seed}: {:?} with {:?}", drawn.caller, drawn.terms);
    assert_eq!(connections, as_many, "seed {seed}: {:?}", drawn.caller);
    one.len()
}

// Covers: design P1; leaks.md 129, 130
#[tokio::test]
async fn an_app_is_told_what_it_is_told_over_a_store_with_nothing_hidden_in_it() {
    run::law("told", run::seeds(60), SUBSCRIPTIONS, 20, compare).await;
}
