//! Decisions for enforcement points: AuthZEN, one and a hundred at once, and Envoy's `ext_authz`,
//! beside a server that does nothing and a decision point by others.

use std::collections::HashMap;

use anyhow::Context as _;
use prost::Message as _;
use proviso::demo::world::ids::MISTAKE;
use proviso_testkit::bench::cerbos::Cerbos;
use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::hello::Hello;
use proviso_testkit::bench::load::Shot;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::grpc::{ENVOY_CHECK, cerbos, envoy};
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::process::Server;
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::{ASSERTION_TYPE, Proof, SmartApp};
use serde_json::{Value, json};

use crate::Bench;
use crate::maria::{Observation, observations};
use crate::served::{Connection, READING, embedded, process_of};

const HELLO: &str = "hello on the same HTTP stack";
const BATCH: usize = 100;
const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<Vec<Value>> {
    let server = embedded(bench).await?;
    let connection = Connection::of(&server.origin, "maria", READING).await?;
    let point = Point::of(bench, &server, &connection).await?;
    let peer = Cerbos::start(&bench.folder().join("cerbos")).await?;
    if let Some(peer) = &peer {
        bench.cores.place(peer.id)?;
    }
    let mut all = observations()?;
    // The demo deletes it, and what is deleted is denied.
    all.retain(|one| one.id != MISTAKE);
    point.check(&all, peer.as_ref()).await?;
    let first = all.iter().find(|one| !one.sensitive).context("an observation")?;
    let hundred: Vec<&Observation> = all.iter().cycle().take(BATCH).collect();

    let process = process_of(&server)?;
    let one = Table {
        bench,
        process,
        peer: peer.as_ref(),
        at_a_time: 64,
        title: "one decision for an enforcement point, 64 at a time",
    };
    let shots = vec![
        ("AuthZEN evaluation", point.evaluations(&[first])),
        ("ext_authz over gRPC", point.ext_authz(first)),
        ("auth_request of nginx", point.auth_request(first)),
    ];
    let mut raw = vec![one.measure(shots, &[first]).await?];
    let many = Table {
        at_a_time: 8,
        title: "a hundred decisions in one request, 8 requests at a time",
        ..one
    };
    let shots = vec![("AuthZEN evaluations", point.evaluations(&hundred))];
    raw.push(many.measure(shots, &hundred).await?);
    server.interrupt().await?;
    Ok(raw)
}

struct Table<'a> {
    bench: &'a Bench,
    process: u32,
    peer: Option<&'a Cerbos>,
    at_a_time: usize,
    title: &'a str,
}

impl Table<'_> {
    async fn measure(
        &self,
        ours: Vec<(&'static str, Shot)>,
        about: &[&Observation],
    ) -> anyhow::Result<Value> {
        let length = ours.first().context("a row")?.1.answer().await?.len();
        let hello = Hello::start(length).await?;
        self.bench.cores.place(hello.id)?;
        let greeting = Shot { url: hello.url.clone(), ..ours.first().context("a row")?.1.clone() };
        let row = |name: &str, shot: Shot, process: u32| {
            Contestant::http(name, vec![shot], self.at_a_time, &[process]).cpu_against(HELLO)
        };
        let mut rows = vec![row(HELLO, greeting, hello.id)];
        for (name, shot) in ours {
            rows.push(row(name, shot, self.process));
        }
        let mut notes = vec![
            "each decision of proviso reads the record, hears the consents of today and waits for \
             its durable entry"
                .to_owned(),
        ];
        if let Some(peer) = self.peer {
            rows.push(row("Cerbos over HTTP", over_http(peer, about), peer.id));
            rows.push(row("Cerbos over gRPC", over_grpc(peer, about), peer.id));
            notes.push(
                "not equal: Cerbos is told what is in the record and in the consent, looks nothing \
                 up and logs nothing; equal: both answer alike about every observation of Maria"
                    .to_owned(),
            );
        } else {
            notes.push(
                "Cerbos is not installed (`npm ci --prefix tests/peers`): its rows are left out"
                    .to_owned(),
            );
        }
        let told = contest(self.title, Unit::PerSecond, &notes, self.bench.pace, rows).await?;
        Ok(told.raw)
    }
}

/// An enforcement point of the organization, and an app of Maria's.
#[derive(Debug)]
struct Point {
    origin: String,
    bearer: String,
    app: String,
}

impl Point {
    async fn of(bench: &Bench, server: &Server, app: &Connection) -> anyhow::Result<Self> {
        let file = bench.folder().join("embedded/data").join(proviso::demo::CLIENTS_FILE);
        let clients: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let mut listed = clients["clients"].as_array().into_iter().flatten();
        let client = listed.find(|client| client["client_id"] == "front-door");
        let key = SigningKey::of_demo_client(client.context("no service that may ask")?)?;
        let scope = "access_evaluation";
        let service = SmartApp::new(&server.origin, "front-door", Proof::Public, scope);
        let claims = SigningKey::claims("front-door", &service.token_endpoint())?;
        let assertion = key.sign(&key.header(), &claims)?;
        let fields = [
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let answer =
            HttpClient::default().post_form(&service.token_endpoint(), &[], &fields).await?;
        let token = answer.json()?["access_token"].as_str().map(str::to_owned);
        let bearer = format!("Bearer {}", token.with_context(|| answer.text())?);
        Ok(Self { origin: server.origin.clone(), bearer, app: app.bearer() })
    }

    /// Whether the app may read these for Maria.
    fn evaluations(&self, about: &[&Observation]) -> Shot {
        let subject = json!({
            "type": "app", "id": "glucose-coach", "properties": { "account": "maria" },
        });
        let resource = |one: &Observation| json!({ "type": "Observation", "id": one.id });
        let action = json!({ "name": "read" });
        let (path, body) = match about {
            [one] => {
                let body =
                    json!({ "subject": subject, "action": action, "resource": resource(one) });
                ("evaluation", body)
            }
            many => {
                let each = many.iter().map(|one| json!({ "resource": resource(one) }));
                let each: Vec<Value> = each.collect();
                let body = json!({ "subject": subject, "action": action, "evaluations": each });
                ("evaluations", body)
            }
        };
        let headers = [JSON, ("authorization", self.bearer.as_str())];
        Shot::post(format!("{}/access/v1/{path}", self.origin), &headers, body.to_string(), 200)
    }

    fn ext_authz(&self, about: &Observation) -> Shot {
        let path = format!("/fhir/r4/Observation/{}", about.id);
        let headers = HashMap::from([
            ("authorization".to_owned(), self.app.clone()),
            (":path".to_owned(), path.clone()),
        ]);
        let http = envoy::Http { method: "GET".to_owned(), headers, path, ..Default::default() };
        let request = Some(envoy::Network { http: Some(http) });
        let attributes = Some(envoy::Attributes { request, ..Default::default() });
        let message = envoy::Question { attributes }.encode_to_vec();
        Shot::grpc(format!("{}{ENVOY_CHECK}", self.origin), &message)
    }

    fn auth_request(&self, about: &Observation) -> Shot {
        let path = format!("/fhir/r4/Observation/{}", about.id);
        let headers = [
            ("authorization", self.app.as_str()),
            ("x-original-method", "GET"),
            ("x-original-uri", path.as_str()),
        ];
        Shot::get(format!("{}/access/v1/http/check", self.origin), &headers)
    }

    /// Everybody must say about each record what the records themselves say.
    async fn check(&self, all: &[Observation], peer: Option<&Cerbos>) -> anyhow::Result<()> {
        for some in all.chunks(BATCH) {
            let some: Vec<&Observation> = some.iter().collect();
            let expected: Vec<bool> = some.iter().map(|one| !one.sensitive).collect();
            let answer: Value = serde_json::from_slice(&self.evaluations(&some).answer().await?)?;
            let answers = answer["evaluations"].as_array().context("no answers")?;
            let said: Vec<bool> = answers.iter().map(|one| one["decision"] == true).collect();
            anyhow::ensure!(said == expected, "proviso says {said:?}, not {expected:?}");
            let Some(peer) = peer else { continue };
            let answer: Value = serde_json::from_slice(&over_http(peer, &some).answer().await?)?;
            let answers = answer["results"].as_array().context("no answers")?;
            let said = answers.iter().map(|one| one["actions"]["read"] == "EFFECT_ALLOW");
            let said: Vec<bool> = said.collect();
            anyhow::ensure!(said == expected, "Cerbos says {said:?}, not {expected:?}");
            let answer = over_grpc(peer, &some).answer().await?;
            let answer = cerbos::Answer::decode(answer.get(5..).context("no message")?)?;
            let said = answer.results.iter().map(|one| one.actions.get("read"));
            let said: Vec<bool> = said.map(|effect| effect == Some(&cerbos::ALLOW)).collect();
            anyhow::ensure!(said == expected, "Cerbos says {said:?}, not {expected:?}");
        }
        Ok(())
    }
}

/// Every category of Maria's observations was shared.
const CATEGORIES: [&str; 8] = [
    "laboratory",
    "vital-signs",
    "social-history",
    "survey",
    "sdoh",
    "imaging",
    "exam",
    "activity",
];
const ENDS: &str = "2099-01-01T00:00:00Z";

/// The kinds of a record as Cerbos is told them: it is the caller who has to know.
fn kinds(one: &Observation) -> Vec<String> {
    one.sensitive.then(|| "sensitive".to_owned()).into_iter().collect()
}

fn over_http(peer: &Cerbos, about: &[&Observation]) -> Shot {
    let resource = |one: &&Observation| {
        let attr = json!({
            "patient": "maria", "categories": one.categories, "sensitive": kinds(one),
        });
        let resource = json!({ "kind": "Observation", "id": one.id, "attr": attr });
        json!({ "actions": ["read"], "resource": resource })
    };
    let attr = json!({
        "patient": "maria", "types": ["Observation"], "categories": CATEGORIES,
        "sensitive": [], "ends": ENDS,
    });
    let principal = json!({ "id": "glucose-coach", "roles": ["app"], "attr": attr });
    let resources: Vec<Value> = about.iter().map(resource).collect();
    let body = json!({ "principal": principal, "resources": resources });
    Shot::post(format!("{}/api/check/resources", peer.http), &[JSON], body.to_string(), 200)
}

fn over_grpc(peer: &Cerbos, about: &[&Observation]) -> Shot {
    use cerbos::Value as Told;
    let named = |pairs: Vec<(&str, Told)>| {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    let resource = |one: &&Observation| {
        let attr = named(vec![
            ("patient", Told::text("maria")),
            ("categories", Told::list(&one.categories)),
            ("sensitive", Told::list(&kinds(one))),
        ]);
        let resource =
            cerbos::Resource { kind: "Observation".to_owned(), id: one.id.clone(), attr };
        cerbos::Entry { actions: vec!["read".to_owned()], resource: Some(resource) }
    };
    let attr = named(vec![
        ("patient", Told::text("maria")),
        ("types", Told::list(&["Observation".to_owned()])),
        ("categories", Told::list(&CATEGORIES.map(str::to_owned))),
        ("sensitive", Told::list(&[])),
        ("ends", Told::text(ENDS)),
    ]);
    let principal =
        cerbos::Principal { id: "glucose-coach".to_owned(), roles: vec!["app".to_owned()], attr };
    let resources = about.iter().map(resource).collect();
    let question = cerbos::Question { principal: Some(principal), resources };
    Shot::grpc(format!("{}{}", peer.grpc, cerbos::CHECK_RESOURCES), &question.encode_to_vec())
}
