//! An organisation's own policies in emergencies: they decide each record, live and in shadow.

use proviso_app::policy::{Changer, Documents, TextFile};
use proviso_core::org::lifecycle::PolicySetId;
use proviso_core::org::{Environment, Network};

use super::*;

const OWN: &str = r#"
// Laboratory results and vital signs are not for emergencies.
@id("no-observations-in-emergencies")
@reason("kind-not-for-role")
forbid (principal, action, resource is Record)
when { context has emergency }
when { resource.type == Type::"Observation" };
"#;

const TESTED: &str = r#"
[[scenario]]
name = "Observations stay shut in an emergency"
ask = { who = "clinician", roles = ["clinician", "emergency-clinician"], purpose = "BTG", action = "read", record = "Observation", categories = ["laboratory"], acr = "step-up", emergency = { reason = "unreachable", minutes = 1 } }
expect = "deny"
reasons = ["kind-not-for-role"]
"#;

fn own_set() -> Documents {
    let mut documents = Documents::starter();
    let file = |name: &str, text: &str| TextFile { name: name.to_owned(), text: text.to_owned() };
    documents.policies.push(file("80-own.cedar", OWN));
    documents.tests.push(file("tests/own.toml", TESTED));
    documents.tests.sort();
    documents
}

/// The set, proposed by one and approved by another.
async fn approved(world: &DemoWorld) -> PolicySetId {
    let (admin, officer) = (account(world, "admin").await, account(world, "priya").await);
    let environment = Environment { network: Some(Network::Internal), ..Environment::default() };
    let via = Via::default();
    let by = |account| Changer { account, environment: &environment, via: &via };
    let set = world.app.propose_policies(by(&admin), own_set(), "results").await.unwrap();
    world.app.approve_policies(by(&officer), &set.id).await.unwrap();
    set.id
}

async fn found(world: &DemoWorld, tokens: &Tokens, of_type: &str) -> usize {
    let answer = read(world, tokens, &format!("{of_type}?patient=maria&_count=200")).await;
    assert_eq!(answer.status, 200);
    let bundle = answer.json().unwrap();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().filter(|one| one["search"]["mode"] == "match").count()
}

// Covers: design §6 (break-glass never widens what the organisation's policies permit)
#[tokio::test]
async fn what_the_organisation_keeps_shut_in_emergencies_stays_shut() {
    let world = DemoWorld::start().await.unwrap();
    let set = approved(&world).await;
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    let observations = found(&world, &tokens, "Observation").await;
    let conditions = found(&world, &tokens, "Condition").await;
    assert!(observations > 0 && conditions > 0, "{observations} {conditions}");

    let officer = account(&world, "priya").await;
    let environment = Environment { network: Some(Network::Internal), ..Environment::default() };
    let by = Changer { account: &officer, environment: &environment, via: &Via::default() };
    world.app.activate_policies(by, Some(&set)).await.unwrap();
    // The same emergency and the same token: in force from now on.
    assert_eq!(found(&world, &tokens, "Observation").await, 0);
    assert_eq!(found(&world, &tokens, "Condition").await, conditions);
    world.app.activate_policies(by, None).await.unwrap();
    assert_eq!(found(&world, &tokens, "Observation").await, observations);
}

// Covers: design §6 (shadow mode tells of emergencies, and influences nothing)
#[tokio::test]
async fn a_shadow_says_what_it_would_have_kept_shut_in_an_emergency() {
    let world = DemoWorld::start().await.unwrap();
    let set = approved(&world).await;
    let officer = account(&world, "priya").await;
    let environment = Environment { network: Some(Network::Internal), ..Environment::default() };
    let by = Changer { account: &officer, environment: &environment, via: &Via::default() };
    world.app.shadow_policies(by, Some(&set)).await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    assert!(found(&world, &tokens, "Condition").await > 0);
    let report = world.app.policies().shadow_report().unwrap();
    assert!(report.asked > 0);
    assert_eq!(report.different, 0, "{:?}", report.differences);
    let observations = found(&world, &tokens, "Observation").await;
    assert!(observations > 0);
    let report = world.app.policies().shadow_report().unwrap();
    assert!(report.different > 0);
    for one in &report.differences {
        assert!(one.question.contains("of Observation"), "{one:?}");
        assert!(one.question.contains("emergency open for this patient"), "{one:?}");
    }
}
