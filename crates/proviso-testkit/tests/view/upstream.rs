//! The same law in front of a FHIR server that others wrote.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proviso_gateway::{GatewaySettings, HttpUpstreamSettings};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_world::{ORIGIN, World};

use crate::worlds::{Draw, Drawn, path};
use crate::{PAGES, name, run, seen};

const REQUESTS: usize = 60;

struct Fronted {
    _server: FhirServer,
    world: World,
    token: String,
}

async fn fronted(drawn: &Drawn, shown: impl Fn(&str) -> bool) -> Fronted {
    let server = FhirServer::start().await.unwrap();
    let resources = drawn.resources.iter().filter(|own| shown(&name(own)));
    let texts: Vec<String> = resources.map(ToString::to_string).collect();
    server.load(&texts).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let world = World::new(GatewaySettings::in_front_of(ORIGIN, upstream)).await.unwrap();
    let access = world.share("glucose-coach", &drawn.terms).await.unwrap();
    Fronted { _server: server, world, token: access.token }
}

async fn pages(fronted: &Fronted, path: &str) -> (String, usize) {
    let mut told = String::new();
    let mut next = Some(path.to_owned());
    let mut count = 0;
    while let (Some(path), true) = (next, count < PAGES) {
        let reply = fronted.world.get(&fronted.token, &path).await.unwrap();
        count += 1;
        writeln!(told, "page {count}\n{}", reply.fingerprint_without_versions()).unwrap();
        next = reply.next();
    }
    (told, count)
}

/// Compares one world with that of what is seen in it; how many answers held something.
async fn compare(seed: u64) -> usize {
    let drawn = Drawn::of(seed ^ 0x5eed);
    let full = fronted(&drawn, |_| true).await;
    let seen_of_all = seen(&full.world, &full.token, &drawn).await;
    let bare = fronted(&drawn, |name| seen_of_all.contains(name)).await;
    assert_eq!(seen(&bare.world, &bare.token, &drawn).await, seen_of_all, "seed {seed}");
    let ids: BTreeSet<String> = drawn.resources.iter().map(name).collect();
    let draw = &mut Draw::of(!seed);
    let mut full_answers = 0;
    for _ in 0..REQUESTS {
        let path = path(draw, &ids);
        // Each server writes at times of its own.
        if path.contains("_lastUpdated") {
            continue;
        }
        let (one, count) = pages(&full, &path).await;
        let (two, _) = pages(&bare, &path).await;
        assert_eq!(
            one,
            two,
            "seed {seed}: GET {path}\nseen: {seen_of_all:?}\nterms: {:?}\n{}",
            drawn.terms,
            serde_json::to_string_pretty(&drawn.resources).unwrap()
        );
        full_answers += usize::from(count > 1 || one.contains("\"fullUrl\""));
    }
    full_answers
}

// Covers: design P1 in front of any server; leaks.md: the rule
#[tokio::test]
async fn an_answer_in_front_of_another_server_is_that_of_one_with_nothing_hidden_in_it() {
    run::law("upstream", run::seeds(5), REQUESTS, 8, compare).await;
}
