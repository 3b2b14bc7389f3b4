//! The law for requests that no client would send: the questions of the catalogue of leaks, cut up,
//! mixed and filled with what parsers stumble over. Whatever comes of it, it is no failure of the
//! server, it says nothing that is hidden, and it is the same where nothing is hidden.

use std::path::Path;

use http::{HeaderName, HeaderValue, Method, Request};
use proviso_core::category::{CategorySet, SensitiveSet};
use proviso_gateway::{GatewaySettings, Rates};
use proviso_testkit::gateway_cases::NARROW;
use proviso_testkit::gateway_world::{ORIGIN, Terms, World};
use proviso_testkit::leaks::Catalogue;

use crate::run;
use crate::worlds::Draw;

/// Requests of one seed.
const REQUESTS: usize = 100;

/// What parsers stumble over, and what leads to hidden records.
const PIECES: &[&str] = &[
    "%00",
    "%2e%2e",
    "%2F",
    "%",
    "%zz",
    "%ff",
    "&",
    "&&",
    "=",
    "?",
    "#",
    ";",
    "/",
    "//",
    "/../",
    "$",
    "|",
    ",",
    "\\,",
    "\\",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ":",
    ":not",
    ":missing=true",
    ":exact",
    ":above",
    ":below",
    ":in",
    ":identifier",
    ":Patient",
    ".",
    "_has:Observation:patient:code",
    "_id",
    "_list",
    "_filter=",
    "_filter=not+(",
    "+eq+",
    "+and+",
    "+or+not+(",
    ")",
    "+pr+true",
    "_include=*",
    "_include:iterate=",
    "_revinclude=*",
    "_sort=-",
    "_count=0",
    "_count=99999999999",
    "_summary=count",
    "_elements=",
    "_total=accurate",
    "_cursor=AAAA",
    "_format=xml",
    "_lastUpdated=gt",
    "_security:not=",
    "code-value-quantity=",
    "near=1|2|3|km",
    "$everything",
    "$lastn",
    "$meta",
    "$docref",
    "$validate",
    "_history",
    "_search",
    "metadata",
    "Observation",
    "Patient",
    "Binary",
    "Consent",
    "AuditEvent",
    "pat-ash",
    "pat-bluebird",
    "bluebird-lab",
    "ash-hiv",
    "ash-therapy-file",
    "gt99.98",
    "1955-05-05",
    "9e99999",
    "-0",
    "é",
    "\u{202e}",
    "\u{0}",
    "\r\n",
    "null",
    "true",
    "1e400",
    "\\u0000",
    "\\ud800",
    "{\"resourceType\":\"Bundle\"",
    "\"reference\":\"Patient/pat-bluebird\"",
];

/// A request as bytes that may not even be one.
#[derive(Debug, Clone)]
struct Mangled {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn corpus(catalogue: &Catalogue) -> Vec<Mangled> {
    let mut all = Vec::new();
    for case in &catalogue.cases {
        let values: Vec<&str> = match case.each.as_slice() {
            [] => vec![""],
            some => some.iter().map(String::as_str).collect(),
        };
        for step in &case.step {
            for value in &values {
                let filled = |text: &str| text.replace("{}", value);
                let (method, target) = step.send.split_once(' ').unwrap();
                let named = |(name, text): (&String, &String)| (name.clone(), filled(text));
                all.push(Mangled {
                    method: method.to_owned(),
                    target: filled(target),
                    headers: step.headers.iter().map(named).collect(),
                    body: filled(&step.body),
                });
            }
        }
    }
    all
}

/// A place between two characters.
fn place(draw: &mut Draw, text: &str) -> usize {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    places[draw.below(places.len())]
}

fn mangle(draw: &mut Draw, text: &mut String, other: &str) {
    let (one, two) = (place(draw, text), place(draw, text));
    let (from, to) = (one.min(two), one.max(two));
    match draw.below(6) {
        0 => text.replace_range(from..to, ""),
        1 => {
            let again = text[from..to].to_owned();
            text.insert_str(from, &again);
        }
        2 => {
            let start = place(draw, other);
            text.replace_range(from.., &other[start..]);
        }
        3 => {
            let end = place(draw, other);
            text.insert_str(from, &other[..end]);
        }
        _ => text.insert_str(from, draw.pick(PIECES)),
    }
    while text.len() > 4096 {
        text.pop();
    }
}

fn request(draw: &mut Draw, corpus: &[Mangled]) -> Mangled {
    let mut own = corpus[draw.below(corpus.len())].clone();
    let other = corpus[draw.below(corpus.len())].clone();
    for _ in 0..=draw.below(3) {
        match draw.below(8) {
            0 if !own.body.is_empty() => mangle(draw, &mut own.body, &other.body),
            1 => own.method.clone_from(&other.method),
            2 => own.headers.extend(other.headers.clone()),
            3 => own.body.clone_from(&other.body),
            4 if !own.headers.is_empty() => {
                let number = draw.below(own.headers.len());
                mangle(draw, &mut own.headers[number].1, &other.target);
            }
            _ => mangle(draw, &mut own.target, &other.target),
        }
    }
    own
}

impl Mangled {
    /// The request, if HTTP can carry it.
    fn build(&self, token: &str) -> Option<Request<axum::body::Body>> {
        let method = Method::from_bytes(self.method.as_bytes()).ok()?;
        let uri = match self.target.as_str() {
            query if query.is_empty() || query.starts_with('?') => format!("/fhir/r4{query}"),
            tail => format!("/fhir/r4/{tail}"),
        };
        let mut builder = Request::builder().method(method).uri(uri);
        builder = builder.header("authorization", format!("Bearer {token}"));
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            builder = builder.header(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        builder.body(axum::body::Body::from(self.body.clone())).ok()
    }

    fn says(&self, text: &str) -> bool {
        let decoded = percent_decoded(&self.target);
        let headers = self.headers.iter().any(|(_, value)| value.contains(text));
        self.target.contains(text) || decoded.contains(text) || self.body.contains(text) || headers
    }
}

fn percent_decoded(text: &str) -> String {
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

async fn world(records: &[&[String]]) -> (World, String) {
    let many = std::num::NonZeroU32::new(4_000_000_000).unwrap();
    let rates = Rates {
        address_per_sec: many,
        client_per_sec: many,
        account_per_sec: many,
        ..Rates::default()
    };
    let settings = GatewaySettings { rates, ..GatewaySettings::embedded(ORIGIN) };
    let world = World::new(settings).await.unwrap();
    for records in records {
        world.load(records).await.unwrap();
    }
    // Nothing is changed, so that one pair of worlds serves for all requests.
    let terms = Terms {
        patient: "pat-ash",
        categories: NARROW.iter().copied().collect::<CategorySet>(),
        sensitive: SensitiveSet::EMPTY,
        scopes: "patient/*.rs",
    };
    let token = world.share("glucose-coach", &terms).await.unwrap().token;
    (world, token)
}

// Covers: design P1; leaks.md: the rule; design §13 (bad input)
#[tokio::test]
async fn what_no_client_would_send_tells_nothing_either() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/leaks");
    let catalogue = Catalogue::read(&folder).unwrap();
    let corpus = corpus(&catalogue);
    let (full, token_full) = world(&[&catalogue.visible, &catalogue.hidden]).await;
    let (bare, token_bare) = world(&[&catalogue.visible]).await;
    let compare = async |seed: u64| {
        let draw = &mut Draw::of(seed ^ 0x000d_ecaf);
        let mut answered = 0;
        for number in 0..REQUESTS {
            let own = request(draw, &corpus);
            let (Some(one), Some(two)) = (own.build(&token_full), own.build(&token_bare)) else {
                continue;
            };
            let (one, two) = (full.send(one).await.unwrap(), bare.send(two).await.unwrap());
            let what = format!("seed {seed}, request {number}: {own:?}");
            assert!(one.status.as_u16() < 500, "{what}: {}", one.text());
            assert_eq!(one.fingerprint(), two.fingerprint(), "{what}");
            let told = one.fingerprint();
            let canary = catalogue.canaries.iter().find(|text| told.contains(text.as_str()));
            assert!(canary.is_none_or(|text| own.says(text)), "{what}: {canary:?} in {told}");
            answered += usize::from(one.status.is_success());
        }
        answered
    };
    run::law("mangled", run::seeds(40), REQUESTS, 20, compare).await;
}
