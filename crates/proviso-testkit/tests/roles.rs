//! Roles and relations decide: who may do what with which kind of record, at which instant, on the
//! word of which record.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::{Method, StatusCode};
use proviso_app::relations::{DUTY_SYSTEM, RelationSource, RelationSources};
use proviso_app::settings::Settings;
use proviso_app::staff::{RoleChange, RoleKeeper};
use proviso_app::via::Via;
use proviso_core::account::{ActorKind, RelationshipKind};
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::FiledAtHand;
use proviso_core::org::Role;
use proviso_core::reason::ReasonCode;
use proviso_core::time::{At, Period};
use proviso_gateway::GatewaySettings;
use proviso_testkit::gateway_world::{NOW, ORIGIN, World, request};
use serde_json::{Value, json};

const FHIR: &[(&str, &str)] = &[("content-type", "application/fhir+json")];
const INSIDE: &str = "127.0.0.1";
const OUTSIDE: &str = "203.0.113.9";

fn at(text: &str) -> At {
    At::parse(text).unwrap()
}

/// Two patients with one result each, and something of every kind that the roles tell apart.
fn records() -> Vec<Value> {
    let of = |kind: &str, id: &str, rest: Value| {
        let mut record = json!({"resourceType": kind, "id": id});
        record.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        record
    };
    let result = |id: &str, patient: &str| {
        of(
            "Observation",
            id,
            json!({
                "status": "final",
                "category": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                    "code": "laboratory"
                }]}],
                "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
                "subject": {"reference": format!("Patient/{patient}")}
            }),
        )
    };
    vec![
        of("Patient", "a", json!({"name": [{"family": "A"}]})),
        of("Patient", "b", json!({"name": [{"family": "B"}]})),
        of("Practitioner", "kim", json!({"name": [{"family": "Kim"}]})),
        of("Practitioner", "lee", json!({"name": [{"family": "Lee"}]})),
        of("Location", "ward", json!({"status": "active", "name": "Ward"})),
        result("ra", "a"),
        result("rb", "b"),
        of(
            "Coverage",
            "ca",
            json!({
                "status": "active", "beneficiary": {"reference": "Patient/a"},
                "payor": [{"display": "Insurer"}]
            }),
        ),
        of(
            "Claim",
            "cl",
            json!({
                "status": "active", "use": "claim", "created": "2026-11-01",
                "type": {"coding": [{"code": "professional"}]},
                "patient": {"reference": "Patient/a"},
                "provider": {"reference": "Practitioner/kim"},
                "priority": {"coding": [{"code": "normal"}]},
                "insurance": [{
                    "sequence": 1, "focal": true, "coverage": {"reference": "Coverage/ca"}
                }]
            }),
        ),
        appointment("pa", "a", "kim", "2026-12-24T09:00:00Z"),
    ]
}

fn appointment(id: &str, patient: &str, who: &str, start: &str) -> Value {
    json!({
        "resourceType": "Appointment", "id": id, "status": "booked",
        "start": start, "end": start,
        "participant": [
            {"actor": {"reference": format!("Patient/{patient}")}, "status": "accepted"},
            {"actor": {"reference": format!("Practitioner/{who}")}, "status": "accepted"}
        ]
    })
}

async fn load(world: &World, records: &[Value]) {
    let texts: Vec<String> = records.iter().map(Value::to_string).collect();
    world.load(&texts).await.unwrap();
}

async fn world(sources: Option<&[RelationSource]>) -> World {
    let mut settings = Settings::demo(ORIGIN);
    if let Some(sources) = sources {
        settings.relations = sources.iter().copied().collect();
    }
    let world = World::with(GatewaySettings::embedded(ORIGIN), settings).await.unwrap();
    load(&world, &records()).await;
    world
}

async fn from(
    world: &World,
    address: Option<&str>,
    token: &str,
    (method, path): (Method, &str),
    body: &str,
) -> StatusCode {
    let mut asked = request(method, token, path, FHIR, body.to_owned()).unwrap();
    if let Some(address) = address {
        let peer = SocketAddr::new(address.parse().unwrap(), 9);
        asked.extensions_mut().insert(ConnectInfo(peer));
    }
    world.send(asked).await.unwrap().status
}

async fn reads(world: &World, token: &str, path: &str) -> bool {
    from(world, Some(INSIDE), token, (Method::GET, path), "").await == StatusCode::OK
}

async fn clinician(world: &World, name: &str) -> String {
    let who = (ActorKind::Clinician, &[][..]);
    world.colleague(name, who, PurposeOfUse::Treatment, "user/*.cruds").await.unwrap()
}

/// At each instant the relation that the records state is there or not, and there for nobody else.
async fn holds(source: RelationSource, said: &[Value], instants: &[(&str, bool)]) {
    let world = world(Some(&[source])).await;
    let token = match source {
        RelationSource::Schedule => {
            let nurse = (ActorKind::Nurse, &[][..]);
            world.colleague("kim", nurse, PurposeOfUse::Treatment, "user/*.cruds").await.unwrap()
        }
        _ => clinician(&world, "kim").await,
    };
    load(&world, said).await;
    for (instant, holds) in instants {
        world.clock.set(at(instant));
        assert_eq!(reads(&world, &token, "Observation/ra").await, *holds, "{source:?} {instant}");
        assert!(!reads(&world, &token, "Observation/rb").await, "{source:?} {instant}");
    }
}

const PERIOD: [(&str, bool); 4] = [
    ("2026-11-22T12:09:59Z", false),
    ("2026-11-22T12:10:00Z", true),
    ("2026-11-22T13:00:00Z", true),
    ("2026-11-22T13:00:01Z", false),
];

fn period() -> Value {
    json!({"start": "2026-11-22T12:10:00Z", "end": "2026-11-22T13:00:00Z"})
}

fn team() -> Value {
    json!({
        "resourceType": "CareTeam", "id": "team", "status": "active",
        "subject": {"reference": "Patient/a"},
        "participant": [{"member": {"reference": "Practitioner/kim"}, "period": period()}]
    })
}

#[tokio::test]
async fn a_member_of_the_care_team_treats_for_as_long_as_the_team_says() {
    holds(RelationSource::CareTeam, &[team()], &PERIOD).await;
    let mut ended = team();
    ended["status"] = json!("inactive");
    holds(RelationSource::CareTeam, &[ended], &[("2026-11-22T12:30:00Z", false)]).await;
    // FHIR R4 Period: a day that is named as the end belongs to it.
    let mut by_day = team();
    by_day["participant"][0]["period"] = json!({"end": "2026-11-22"});
    let midnight = [("2026-11-22T23:59:59Z", true), ("2026-11-23T00:00:00Z", false)];
    holds(RelationSource::CareTeam, &[by_day], &midnight).await;
}

fn visit(status: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": "visit", "status": status,
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/a"},
        "participant": [{"individual": {"reference": "Practitioner/kim"}}],
        "location": [{"location": {"reference": "Location/ward"}}],
        "period": period()
    })
}

#[tokio::test]
async fn who_takes_part_in_a_visit_treats_while_it_goes_on() {
    holds(RelationSource::Encounter, &[visit("in-progress")], &PERIOD).await;
    for over in ["planned", "finished", "cancelled"] {
        let said = [visit(over)];
        holds(RelationSource::Encounter, &said, &[("2026-11-22T12:30:00Z", false)]).await;
    }
    let mut undated = visit("in-progress");
    undated.as_object_mut().unwrap().remove("period");
    holds(RelationSource::Encounter, &[undated], &[("2026-11-22T12:30:00Z", false)]).await;
}

#[tokio::test]
async fn who_has_an_appointment_treats_on_its_day() {
    let tomorrow = [appointment("p1", "a", "kim", "2026-11-23T09:00:00Z")];
    let begins = [("2026-11-22T23:59:59Z", false), ("2026-11-23T00:00:00Z", true)];
    holds(RelationSource::Appointment, &tomorrow, &begins).await;
    let today = [appointment("p1", "a", "kim", "2026-11-22T09:00:00Z")];
    let ends = [("2026-11-22T23:59:59Z", true), ("2026-11-23T00:00:00Z", false)];
    holds(RelationSource::Appointment, &today, &ends).await;
    let mut declined = appointment("p1", "a", "kim", "2026-11-22T09:00:00Z");
    declined["participant"][1]["status"] = json!("declined");
    holds(RelationSource::Appointment, &[declined], &[("2026-11-22T12:30:00Z", false)]).await;
    let mut cancelled = appointment("p1", "a", "kim", "2026-11-22T09:00:00Z");
    cancelled["status"] = json!("cancelled");
    holds(RelationSource::Appointment, &[cancelled], &[("2026-11-22T12:30:00Z", false)]).await;
}

fn referral(intent: &str) -> Value {
    json!({
        "resourceType": "ServiceRequest", "id": "ask", "status": "active", "intent": intent,
        "subject": {"reference": "Patient/a"},
        "performer": [{"reference": "Practitioner/kim"}],
        "authoredOn": "2026-11-22T12:10:00Z",
        "occurrencePeriod": {"end": "2026-11-22T13:00:00Z"}
    })
}

#[tokio::test]
async fn who_is_asked_by_referral_reads_from_the_asking_until_it_is_over() {
    holds(RelationSource::Referral, &[referral("order")], &PERIOD).await;
    let proposed = [referral("proposal")];
    holds(RelationSource::Referral, &proposed, &[("2026-11-22T12:30:00Z", false)]).await;
    // A consultant reads, and writes nothing into the chart.
    let world = world(Some(&[RelationSource::Referral])).await;
    let token = clinician(&world, "kim").await;
    load(&world, &[referral("order")]).await;
    world.clock.set(at("2026-11-22T12:30:00Z"));
    assert!(reads(&world, &token, "Observation/ra").await);
    let deleted = from(&world, Some(INSIDE), &token, (Method::DELETE, "Observation/ra"), "").await;
    assert_eq!(deleted, StatusCode::NOT_FOUND);
    let entry = world.accesses().await.unwrap().into_iter().next().unwrap();
    assert!(entry.reasons.contains(&ReasonCode::NoCareRelationship), "{:?}", entry.reasons);
}

fn duty(code: &str, actors: &[&str]) -> Value {
    let actors: Vec<Value> = actors.iter().map(|own| json!({"reference": own})).collect();
    json!({
        "resourceType": "Schedule", "id": "duty", "active": true, "actor": actors,
        "serviceType": [{"coding": [{"system": DUTY_SYSTEM, "code": code}]}],
        "planningHorizon": period()
    })
}

#[tokio::test]
async fn a_shift_opens_the_charts_of_those_who_are_on_the_ward() {
    let shift = duty("shift", &["Practitioner/kim", "Location/ward"]);
    let mut going = visit("in-progress");
    going["period"] = json!({"start": "2026-11-20"});
    holds(RelationSource::Schedule, &[shift.clone(), going.clone()], &PERIOD).await;
    let noon = [("2026-11-22T12:30:00Z", false)];
    let mut elsewhere = going.clone();
    elsewhere["location"][0]["period"] = json!({"end": "2026-11-21"});
    holds(RelationSource::Schedule, &[shift.clone(), elsewhere], &noon).await;
    let mut endless = shift.clone();
    endless["planningHorizon"] = json!({"start": "2026-11-22"});
    holds(RelationSource::Schedule, &[endless, going.clone()], &noon).await;
    let mut inactive = shift;
    inactive["active"] = json!(false);
    holds(RelationSource::Schedule, &[inactive, going.clone()], &noon).await;
    let of_another = duty("shift", &["Practitioner/lee", "Location/ward"]);
    holds(RelationSource::Schedule, &[of_another, going], &noon).await;
}

#[tokio::test]
async fn who_covers_for_a_colleague_sees_what_the_colleague_treats_while_the_cover_lasts() {
    let world = world(None).await;
    let covering = clinician(&world, "kim").await;
    let treating = clinician(&world, "lee").await;
    let ends = Period { start: None, end: Some(at("2026-11-22T12:50:00Z")) };
    world.relate("lee", "a", RelationshipKind::Care, ends).await.unwrap();
    load(&world, &[duty("cover", &["Practitioner/kim", "Practitioner/lee"])]).await;
    for (instant, covers) in [
        ("2026-11-22T12:09:59Z", false),
        ("2026-11-22T12:10:00Z", true),
        // Nobody covers longer than the colleague treats.
        ("2026-11-22T12:49:59Z", true),
        ("2026-11-22T12:50:00Z", false),
    ] {
        world.clock.set(at(instant));
        assert_eq!(reads(&world, &covering, "Observation/ra").await, covers, "{instant}");
        assert!(!reads(&world, &covering, "Observation/rb").await, "{instant}");
    }
    // Whoever is covered gains nothing by it.
    world.clock.set(at("2026-11-22T12:20:00Z"));
    world.relate("kim", "b", RelationshipKind::Care, Period::ALWAYS).await.unwrap();
    assert!(!reads(&world, &treating, "Observation/rb").await);
}

#[tokio::test]
async fn no_part_of_a_chart_says_who_may_see_it_unless_the_operator_says_so() {
    assert_eq!(RelationSources::default(), [RelationSource::Schedule].into_iter().collect());
    let world = world(None).await;
    let token = clinician(&world, "kim").await;
    let today = appointment("p1", "a", "kim", "2026-11-22T09:00:00Z");
    load(&world, &[team(), visit("in-progress"), referral("order"), today]).await;
    world.clock.set(at("2026-11-22T12:30:00Z"));
    assert!(!reads(&world, &token, "Observation/ra").await);
}

#[tokio::test]
async fn who_is_taken_off_a_team_is_out_within_a_minute() {
    let world = world(Some(&[RelationSource::CareTeam])).await;
    let token = clinician(&world, "kim").await;
    load(&world, &[team()]).await;
    let read = at("2026-11-22T12:30:00Z");
    world.clock.set(read);
    assert!(reads(&world, &token, "Observation/ra").await);
    world.remove("CareTeam", "team").await.unwrap();
    world.clock.set(read.plus_secs(60));
    assert!(!reads(&world, &token, "Observation/ra").await);
}

#[tokio::test]
async fn the_front_desk_books_and_sees_no_result() {
    let world = world(None).await;
    let desk = (ActorKind::Staff, &[Role::FrontDesk][..]);
    let token =
        world.colleague("dana", desk, PurposeOfUse::Operations, "user/*.cruds").await.unwrap();
    let ask = async |address, method, path: &str, body: &str| {
        from(&world, address, &token, (method, path), body).await
    };
    for (path, sees) in [
        ("Patient/a", true),
        ("Patient/b", true),
        ("Appointment/pa", true),
        ("Coverage/ca", true),
        ("Practitioner/kim", true),
        ("Observation/ra", false),
        ("Claim/cl", false),
    ] {
        let status = ask(Some(INSIDE), Method::GET, path, "").await;
        assert_eq!(status == StatusCode::OK, sees, "{path} {status}");
    }
    let booked = appointment("new", "b", "lee", "2026-12-01T09:00:00Z").to_string();
    let status = ask(Some(INSIDE), Method::POST, "Appointment", &booked).await;
    assert_eq!(status, StatusCode::CREATED);
    let result = records()[5].to_string();
    let status = ask(Some(INSIDE), Method::POST, "Observation", &result).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let status = ask(Some(INSIDE), Method::DELETE, "Appointment/pa", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // Not from elsewhere, and not from where nobody knows.
    for address in [Some(OUTSIDE), None] {
        let status = ask(address, Method::GET, "Appointment/pa", "").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{address:?}");
    }
}

#[tokio::test]
async fn the_billing_office_sees_claims_for_payment_alone() {
    let world = world(None).await;
    let office = (ActorKind::Staff, &[Role::Billing][..]);
    let token = world.colleague("bo", office, PurposeOfUse::Payment, "user/*.cruds").await.unwrap();
    assert!(reads(&world, &token, "Claim/cl").await);
    assert!(!reads(&world, &token, "Observation/ra").await);
    // What is seen in part cannot be changed, whatever is there.
    for path in ["Claim/cl", "Claim/none"] {
        let status = from(&world, Some(INSIDE), &token, (Method::DELETE, path), "").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    let other = world.colleague("bob", office, PurposeOfUse::Treatment, "user/*.rs").await.unwrap();
    assert!(!reads(&world, &other, "Claim/cl").await);
}

#[tokio::test]
async fn a_researcher_sees_who_is_enrolled_for_as_long_as_the_protocol_runs() {
    let world = world(None).await;
    let researcher = (ActorKind::Staff, &[Role::Researcher][..]);
    let token =
        world.colleague("rae", researcher, PurposeOfUse::Research, "user/*.rs").await.unwrap();
    let until = NOW.plus_secs(600);
    let period = Period { start: None, end: Some(until) };
    world.relate("rae", "a", RelationshipKind::Protocol, period).await.unwrap();
    assert!(reads(&world, &token, "Observation/ra").await);
    assert!(!reads(&world, &token, "Patient/a").await, "names are not for research");
    assert!(!reads(&world, &token, "Observation/rb").await);
    world.clock.set(At::from_micros(until.as_micros() - 1));
    assert!(reads(&world, &token, "Observation/ra").await);
    world.clock.set(until);
    assert!(!reads(&world, &token, "Observation/ra").await);
}

#[tokio::test]
async fn a_role_that_is_taken_opens_nothing_from_the_next_request_on() {
    let world = world(None).await;
    let nobody = (ActorKind::Staff, &[][..]);
    let token =
        world.colleague("dana", nobody, PurposeOfUse::Operations, "user/*.rs").await.unwrap();
    let account = "acc_dana".parse().unwrap();
    let via = Via::default();
    let change = async |change| {
        let keeper = RoleKeeper::Operator(&via);
        world.app.change_role(keeper, &account, change, Role::FrontDesk).await.unwrap();
    };
    assert!(!reads(&world, &token, "Appointment/pa").await);
    change(RoleChange::Give).await;
    assert!(reads(&world, &token, "Appointment/pa").await);
    change(RoleChange::Take).await;
    assert!(!reads(&world, &token, "Appointment/pa").await);
}

#[tokio::test]
async fn every_decision_by_policies_comes_out_again_from_the_few_rules_that_the_log_keeps() {
    let world = world(None).await;
    let desk = (ActorKind::Staff, &[Role::FrontDesk, Role::Billing][..]);
    let token =
        world.colleague("dana", desk, PurposeOfUse::Operations, "user/*.cruds").await.unwrap();
    for path in ["Appointment/pa", "Observation/ra", "Observation", "Patient", "Practitioner/kim"] {
        reads(&world, &token, path).await;
    }
    from(&world, Some(OUTSIDE), &token, (Method::GET, "Appointment/pa"), "").await;
    let entries = world.accesses().await.unwrap();
    assert_eq!(entries.len(), 6);
    for entry in entries {
        let record = entry.record.unwrap();
        let rules = record.request.policy.rules.as_ref().unwrap();
        assert!(rules.rules.len() <= 3, "{:?}", rules.rules);
        let again = record.replay(None, &FiledAtHand::default()).unwrap();
        assert_eq!(again, record);
        assert_eq!(Some(again.digest().unwrap()), entry.digest);
        for tree in record.explain(None) {
            assert_eq!(tree.policy_version, record.request.policy.version);
        }
    }
}
