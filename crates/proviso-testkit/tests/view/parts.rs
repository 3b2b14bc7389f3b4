//! The law for records that are shown in part: two stores that differ in nothing but what is not
//! shown give the same answers, whatever is asked (design P1, noninterference).

use std::collections::BTreeSet;

use proviso_core::category::PurposeOfUse;
use proviso_testkit::gateway_world::World;
use serde_json::{Value, json};

use super::worlds::{Draw, Drawn, path};
use super::{REQUESTS, name, pages, run};

/// Words that stand nowhere else. What is hidden and stands elsewhere too would take that along.
const WORDS: [&str; 6] = ["Quimby", "Zelda", "Ruthven", "Orso", "Vashti", "Blomqvist"];

fn words(draw: &mut Draw) -> String {
    let many = 1 + draw.below(3);
    let all: Vec<String> =
        (0..many).map(|_| format!("{}{}", draw.pick(&WORDS), draw.below(90))).collect();
    all.join(" ")
}

/// Puts something else, or nothing, in every place that is not shown for research.
fn with_hidden(resource: &Value, draw: &mut Draw) -> Value {
    let mut resource = resource.clone();
    let kind = resource["resourceType"].as_str().unwrap().to_owned();
    let own = resource.as_object_mut().unwrap();
    if kind == "Binary" {
        own.insert("data".to_owned(), json!(draw.pick(&["QQ==", "QkI=", "Q0ND"])));
        return resource;
    }
    let mut hidden = Vec::new();
    let div = format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>", words(draw));
    hidden.push(("text", json!({"status": "generated", "div": div})));
    if kind != "Provenance" {
        let value = json!([{"system": "urn:own", "value": words(draw)}]);
        hidden.push(("identifier", value));
    }
    if matches!(
        kind.as_str(),
        "Observation" | "Condition" | "MedicationRequest" | "Procedure" | "List"
    ) {
        hidden.push(("note", json!([{"text": words(draw), "authorString": words(draw)}])));
    }
    if kind == "Patient" {
        hidden.push(("name", json!([{"family": words(draw), "given": [words(draw)]}])));
        hidden.push(("telecom", json!([{"system": "phone", "value": words(draw)}])));
        hidden.push(("address", json!([{"line": [words(draw)]}])));
        hidden.push(("photo", json!([{"title": words(draw)}])));
    }
    for (name, value) in hidden {
        own.shift_remove(name);
        if !draw.one_in(3) {
            own.insert(name.to_owned(), value);
        }
    }
    if let Some(subject) = own.get_mut("subject")
        && draw.one_in(2)
    {
        subject["display"] = json!(words(draw));
    }
    if let Some(content) = own.get_mut("content") {
        *content = json!([{"attachment": {"contentType": "text/plain", "title": words(draw)}}]);
    }
    own.sort_keys();
    resource
}

/// Requests that look for what is not shown.
fn probe(draw: &mut Draw) -> String {
    let word = draw.pick(&WORDS);
    let template = draw.pick(&[
        "Patient?name={word}",
        "Patient?name:missing=true",
        "Patient?family:contains={word}",
        "Patient?_sort=family&_count=1",
        "Patient?_sort=-given",
        "Patient?identifier:missing=false",
        "Patient?identifier:not=urn:own|{word}1",
        "Patient?phone:missing=true",
        "Patient?address={word}",
        "Patient?address:missing=false",
        "Patient?_has:Observation:patient:identifier:missing=true",
        "Observation?patient.name={word}",
        "Observation?patient.name:missing=true",
        "Observation?patient.identifier:missing=false&_count=2",
        "Observation?identifier:missing=true",
        "Observation?_sort=patient",
        "Patient?_filter=family+ne+{word}+and+not+(name+pr+true)",
        "Patient?_filter=birthdate+pr+true+or+not+(address+co+{word})",
        "Observation?_filter=not+(patient.name+co+{word})",
        "Observation?_filter=code+pr+true+and+identifier+pr+true",
        "Observation?has-member.identifier:missing=false",
        "Observation?subject:identifier=urn:own|{word}1",
        "Condition?_has:MedicationRequest:reason-reference:identifier:missing=true",
        "Condition?identifier:missing=false&_sort=code",
        "Patient/a/Condition?identifier:missing=true",
        "Encounter?_lastUpdated=gt2020&_sort=-_lastUpdated",
        "Patient/a/$everything?_since=2020-01-01T00:00:00Z",
        "DocumentReference?_include=*&identifier:missing=true",
    ]);
    template.replace("{word}", word)
}

async fn world(drawn: &Drawn, draw: &mut Draw) -> (World, String) {
    let world = World::embedded().await.unwrap();
    let records: Vec<String> =
        drawn.resources.iter().map(|own| with_hidden(own, draw).to_string()).collect();
    world.load(&records).await.unwrap();
    let scope = "system/*.cruds";
    let token = world.service_for("study", PurposeOfUse::Research, scope).await.unwrap();
    (world, token)
}

/// Compares two stores; how many answers held something.
async fn compare(seed: u64) -> usize {
    let drawn = Drawn::of(seed);
    let (one, token_one) = world(&drawn, &mut Draw::of(seed + 1_000_003)).await;
    let (two, token_two) = world(&drawn, &mut Draw::of(seed + 2_000_003)).await;
    let ids: BTreeSet<String> = drawn.resources.iter().map(name).collect();
    let draw = &mut Draw::of(!seed);
    let mut full = 0;
    for _ in 0..REQUESTS {
        let path = if draw.one_in(3) { probe(draw) } else { path(draw, &ids) };
        let way = u64::try_from(draw.below(1 << 20)).unwrap();
        let (from_one, count) = pages(&one, &token_one, &mut Draw::of(way), &path).await;
        let (from_two, _) = pages(&two, &token_two, &mut Draw::of(way), &path).await;
        assert_eq!(from_one, from_two, "seed {seed}: {path}, asked in way {way}");
        let told = WORDS.iter().find(|word| from_one.contains(**word) && !path.contains(**word));
        assert_eq!(told, None, "seed {seed}: {path}, asked in way {way}");
        full += usize::from(count > 1 || from_one.contains("\"fullUrl\""));
    }
    full
}

// Covers: design P1, §7 (redaction); leaks 25, 26, 47, 54, 107, 115
#[tokio::test]
async fn what_is_not_shown_of_a_record_changes_no_byte_of_any_answer() {
    run::law("parts", run::seeds(24), REQUESTS, 8, compare).await;
}
