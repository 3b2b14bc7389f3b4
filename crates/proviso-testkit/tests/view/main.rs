//! The authorized view as a law: for any store, any caller and any request, the answer is the one
//! that the same server gives over a store which holds only what this caller may see (design P1).
//!
//! What a caller may see is taken from reads of single records, by which the decision is made that
//! every other interaction must agree with.

mod changes;
mod mangled;
mod parts;
mod run;
mod told;
mod upstream;
mod worlds;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use http::Method;
use proviso_core::account::ActorKind;
use proviso_core::category::PurposeOfUse;
use proviso_core::org::Role;
use proviso_testkit::gateway_world::{Reply, World, request};
use worlds::{Caller, Draw, Drawn, path};

const REQUESTS: usize = 40;
/// Pages that are followed of one answer.
const PAGES: usize = 8;

async fn world(drawn: &Drawn, shown: impl Fn(&str) -> bool) -> (World, String) {
    let world = World::embedded().await.unwrap();
    fill(&world, drawn, shown).await;
    let token = token(&world, drawn).await;
    (world, token)
}

/// Puts what is drawn into a world, as far as it is to be there.
async fn fill(world: &World, drawn: &Drawn, shown: impl Fn(&str) -> bool) {
    let resources = drawn.resources.iter().filter(|own| shown(&name(own)));
    let texts: Vec<String> = resources.map(ToString::to_string).collect();
    world.load(&texts).await.unwrap();
    let filed: Vec<String> = drawn.filed.iter().map(ToString::to_string).collect();
    world.load(&filed).await.unwrap();
}

/// The token of whoever asks.
async fn token(world: &World, drawn: &Drawn) -> String {
    match drawn.caller {
        Caller::App => world.share("glucose-coach", &drawn.terms).await.unwrap().token,
        Caller::Clinician => world.staff("p", &["a"], "user/*.cruds").await.unwrap(),
        Caller::FrontDesk => {
            let roles = (ActorKind::Staff, &[Role::FrontDesk][..]);
            let purpose = PurposeOfUse::Operations;
            world.colleague("p", roles, purpose, "user/*.cruds").await.unwrap()
        }
        Caller::Service => world.service("nightly", "system/*.cruds").await.unwrap(),
    }
}

fn name(resource: &serde_json::Value) -> String {
    let text = |name: &str| resource[name].as_str().unwrap();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// The names of the records that a read shows.
async fn seen(world: &World, token: &str, drawn: &Drawn) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for name in drawn.resources.iter().map(name) {
        if world.get(token, &name).await.unwrap().status == 200 {
            seen.insert(name);
        }
    }
    seen
}

/// A request in one of the ways in which it can be made; its further pages are plain reads.
fn first(
    draw: &mut Draw,
    path: &str,
) -> (Method, String, Vec<(&'static str, &'static str)>, String) {
    let (below, query) = path.split_once('?').unwrap_or((path, ""));
    let own = path.to_owned();
    if path.starts_with("Binary/") && draw.one_in(2) {
        let form = [("accept", "text/plain"), ("range", "bytes=0-0")];
        let headers = form.into_iter().take(1 + draw.below(2)).collect();
        return (Method::GET, own, headers, String::new());
    }
    match draw.below(9) {
        0 => (Method::HEAD, own, Vec::new(), String::new()),
        1 => (Method::GET, own, vec![("if-none-match", "W/\"1\"")], String::new()),
        2 => {
            let since = ("if-modified-since", "Sun, 22 Nov 2026 12:00:00 GMT");
            (Method::GET, own, vec![since], String::new())
        }
        3 if !below.contains('/') => {
            let form = ("content-type", "application/x-www-form-urlencoded");
            (Method::POST, format!("{below}/_search"), vec![form], query.to_owned())
        }
        4 => (Method::GET, own, vec![("prefer", "handling=lenient")], String::new()),
        5 => {
            let entry = serde_json::json!({"request": {"method": "GET", "url": path}});
            let batch =
                serde_json::json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
            let json = ("content-type", "application/fhir+json");
            (Method::POST, "/fhir/r4".to_owned(), vec![json], batch.to_string())
        }
        _ => (Method::GET, own, Vec::new(), String::new()),
    }
}

/// All pages of an answer, each as it left, and how long each was: a place in a list must not be
/// told by the length of a cursor either.
async fn pages(world: &World, token: &str, draw: &mut Draw, path: &str) -> (String, usize) {
    let mut told = String::new();
    let mut asked = Some(first(draw, path));
    let mut count = 0;
    while let (Some((method, path, headers, body)), true) = (asked, count < PAGES) {
        let sent = request(method, token, &path, &headers, body).unwrap();
        let reply: Reply = world.send(sent).await.unwrap();
        count += 1;
        let length = reply.body.len();
        writeln!(told, "page {count}, {length} bytes\n{}", reply.fingerprint()).unwrap();
        asked = reply.next().map(|next| (Method::GET, next, Vec::new(), String::new()));
    }
    (told, count)
}

/// One question about a world: which way of asking is drawn from a number.
struct Question {
    path: String,
    way: u64,
}

/// What two stores answer, and what of the first one's records is seen.
struct Compared {
    one: String,
    two: String,
    pages: usize,
}

async fn both(
    (full, token_full): &(World, String),
    (bare, token_bare): &(World, String),
    question: &Question,
) -> Compared {
    let Question { path, way } = question;
    let (one, pages_one) = pages(full, token_full, &mut Draw::of(*way), path).await;
    let (two, _) = pages(bare, token_bare, &mut Draw::of(*way), path).await;
    Compared { one, two, pages: pages_one }
}

/// Whether a world answers a question otherwise than the store of what is seen in it.
async fn differs(drawn: &Drawn, question: &Question) -> bool {
    let full = world(drawn, |_| true).await;
    let seen_of_all = seen(&full.0, &full.1, drawn).await;
    let bare = world(drawn, |name| seen_of_all.contains(name)).await;
    let Compared { one, two, .. } = both(&full, &bare, question).await;
    one != two
}

/// The fewest records with which the answers still differ: each is left out that can be.
async fn shrunk(mut drawn: Drawn, question: &Question) -> Drawn {
    let mut at = 0;
    while at < drawn.resources.len() {
        let left_out = drawn.resources.remove(at);
        if !differs(&drawn, question).await {
            drawn.resources.insert(at, left_out);
            at += 1;
        }
    }
    drawn
}

/// Compares one world with the store of what is seen in it; how many answers held something.
async fn compare(seed: u64) -> usize {
    let drawn = Drawn::of(seed);
    let full = world(&drawn, |_| true).await;
    let seen_of_all = seen(&full.0, &full.1, &drawn).await;
    let bare = world(&drawn, |name| seen_of_all.contains(name)).await;
    assert_eq!(
        seen(&bare.0, &bare.1, &drawn).await,
        seen_of_all,
        "seed {seed}: what is hidden changes whether another record is seen"
    );
    let ids: BTreeSet<String> = drawn.resources.iter().map(name).collect();
    let draw = &mut Draw::of(!seed);
    let mut full_answers = 0;
    for _ in 0..REQUESTS {
        let path = path(draw, &ids);
        let question = Question { path, way: u64::try_from(draw.below(1 << 20)).unwrap() };
        let Compared { one, two, pages } = both(&full, &bare, &question).await;
        if one != two {
            let least = shrunk(drawn, &question).await;
            panic!(
                "seed {seed}: {}, asked in way {} by {:?} with {:?}\n{}\n{one}\n{two}",
                question.path,
                question.way,
                least.caller,
                least.terms,
                serde_json::to_string_pretty(&least.resources).unwrap()
            );
        }
        full_answers += usize::from(pages > 1 || one.contains("\"fullUrl\""));
    }
    full_answers
}

// Covers: design P1; leaks.md: the rule
#[tokio::test]
async fn an_answer_is_that_of_a_store_with_nothing_hidden_in_it() {
    run::law("view", run::seeds(60), REQUESTS, 5, compare).await;
}
