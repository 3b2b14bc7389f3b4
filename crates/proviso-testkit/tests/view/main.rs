//! The authorized view as a law: for any store, any caller and any request, the answer is the one
//! that the same server gives over a store which holds only what this caller may see (design P1).
//!
//! What a caller may see is taken from reads of single records, by which the decision is made that
//! every other interaction must agree with.

mod changes;
mod parts;
mod upstream;
mod worlds;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use http::Method;
use proviso_testkit::gateway_world::{Reply, World, request};
use worlds::{Draw, Drawn, path};

/// How many worlds are looked at: `PROVISO_VIEW_WORLDS=25000 cargo test --release --test view`.
const WORLDS: Option<&str> = option_env!("PROVISO_VIEW_WORLDS");
const REQUESTS: usize = 40;
/// Pages that are followed of one answer.
const PAGES: usize = 8;

async fn world(drawn: &Drawn, shown: impl Fn(&str) -> bool) -> (World, String) {
    let world = World::embedded().await.unwrap();
    let resources = drawn.resources.iter().filter(|own| shown(&name(own)));
    let texts: Vec<String> = resources.map(ToString::to_string).collect();
    world.load(&texts).await.unwrap();
    let filed: Vec<String> = drawn.filed.iter().map(ToString::to_string).collect();
    world.load(&filed).await.unwrap();
    let token = if drawn.by_staff {
        world.staff("p", &["a"], "user/*.cruds").await.unwrap()
    } else {
        world.share("glucose-coach", &drawn.terms).await.unwrap().token
    };
    (world, token)
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
    match draw.below(8) {
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

/// Compares one world with the store of what is seen in it; how many answers held something.
async fn compare(seed: u64) -> usize {
    let drawn = Drawn::of(seed);
    let (full, token_full) = world(&drawn, |_| true).await;
    let seen_of_all = seen(&full, &token_full, &drawn).await;
    let (bare, token_bare) = world(&drawn, |name| seen_of_all.contains(name)).await;
    assert_eq!(
        seen(&bare, &token_bare, &drawn).await,
        seen_of_all,
        "seed {seed}: what is hidden changes whether another record is seen"
    );
    let ids: BTreeSet<String> = drawn.resources.iter().map(name).collect();
    let draw = &mut Draw::of(!seed);
    let mut full_answers = 0;
    for _ in 0..REQUESTS {
        let path = path(draw, &ids);
        let way = u64::try_from(draw.below(1 << 20)).unwrap();
        let (one, count) = pages(&full, &token_full, &mut Draw::of(way), &path).await;
        let (two, _) = pages(&bare, &token_bare, &mut Draw::of(way), &path).await;
        assert_eq!(
            one,
            two,
            "seed {seed}: {path}, asked in way {way}\nseen: {seen_of_all:?}\nterms: {:?}\n{}",
            drawn.terms,
            serde_json::to_string_pretty(&drawn.resources).unwrap()
        );
        full_answers += usize::from(count > 1 || one.contains("\"fullUrl\""));
    }
    full_answers
}

// Covers: design P1; leaks.md: the rule
#[tokio::test]
async fn an_answer_is_that_of_a_store_with_nothing_hidden_in_it() {
    let worlds: u64 = WORLDS.map_or(60, |text| text.parse().unwrap());
    let mut full = 0;
    for seed in 0..worlds {
        full += compare(seed).await;
    }
    let asked = usize::try_from(worlds).unwrap() * REQUESTS;
    eprintln!("{worlds} worlds, {asked} requests, {full} of them with something in the answer");
    assert!(full * 5 > asked, "too few answers hold anything: {full} of {asked}");
}
