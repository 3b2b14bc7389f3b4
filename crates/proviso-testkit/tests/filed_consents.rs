//! Consents on file: a registry files, reads, changes and revokes them (IHE PCF ITI-108, HL7 FAST),
//! and from the commit on they have a say in every decision about their patient.

use std::sync::Arc;

use http::{Method, StatusCode};
use proviso_app::settings::Settings;
use proviso_core::decision::FiledRule;
use proviso_core::reason::ReasonCode;
use proviso_gateway::GatewaySettings;
use proviso_testkit::gateway_cases::{self, NARROW, everything, observation, terms};
use proviso_testkit::gateway_world::{ORIGIN, Reply, World, request};
use serde_json::{Value, json};

const FHIR: &[(&str, &str)] = &[("content-type", "application/fhir+json")];
const REGISTRY: &str = "system/Consent.crus";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// A Consent of patient `a` whose root is as given.
fn consent(provision: &Value) -> Value {
    json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": "patient-privacy"
        }]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/a"},
        "dateTime": "2026-11-01",
        "organization": [{"reference": "Organization/riverside"}],
        "policy": [{"uri": "http://example.org/policies/privacy"}],
        "provision": provision
    })
}

fn recipient(reference: &str) -> Value {
    json!({
        "role": {"coding": [{"system": ROLE, "code": "IRCP"}]},
        "reference": {"reference": reference}
    })
}

fn purpose(code: &str) -> Value {
    json!([{"system": ACT_REASON, "code": code}])
}

struct Registry {
    world: World,
    token: String,
}

impl Registry {
    async fn new() -> Self {
        Self::of(World::embedded().await.unwrap()).await
    }

    async fn of(world: World) -> Self {
        world.load(&everything()).await.unwrap();
        let token = world.service("consent-registry", REGISTRY).await.unwrap();
        Self { world, token }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        self.send_preferring(method, path, body, "return=representation").await
    }

    async fn send_preferring(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        prefer: &str,
    ) -> Reply {
        let headers = [FHIR[0], ("prefer", prefer)];
        let body = body.to_string();
        self.world.send(request(method, &self.token, path, &headers, body).unwrap()).await.unwrap()
    }

    /// Files a Consent and gives its id.
    async fn file(&self, consent: &Value) -> String {
        let reply = self.send(Method::POST, "Consent", consent).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json());
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Reply {
        self.world.get(&self.token, path).await.unwrap()
    }

    async fn revoke(&self, id: &str) -> Reply {
        let body = parameters(&[
            ("consent", json!({"resourceType": "Consent", "id": id})),
            ("patient", json!({"resourceType": "Patient", "id": "a"})),
        ]);
        self.send(Method::POST, "Consent/$revokeConsent", &body).await
    }
}

fn parameters(parts: &[(&str, Value)]) -> Value {
    let parts: Vec<Value> =
        parts.iter().map(|(name, part)| json!({"name": name, "resource": part})).collect();
    json!({"resourceType": "Parameters", "parameter": parts})
}

/// Whom the consents of a patient do not name, they do not restrict.
async fn app_of(world: &World) -> String {
    world.share("glucose-coach", &terms(NARROW)).await.unwrap().token
}

async fn sees(world: &World, token: &str, path: &str) -> bool {
    let reply = world.get(token, path).await.unwrap();
    assert!([200, 404].contains(&reply.status.as_u16()), "{path}: {}", reply.json());
    reply.status == StatusCode::OK
}

// Covers: IHE PCF ITI-108
#[tokio::test]
async fn a_registry_files_reads_changes_and_searches_consents() {
    let registry = Registry::new().await;
    let filed = registry
        .send(
            Method::POST,
            "Consent",
            &consent(&json!({"type": "deny", "purpose": purpose("HMARKT"),
            "period": {"start": "2026-01-01", "end": "2027-12-31"},
            "actor": [recipient("Organization/other")]})),
        )
        .await;
    assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.json());
    let id = filed.json()["id"].as_str().unwrap().to_owned();
    let location = filed.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("{ORIGIN}/fhir/r4/Consent/{id}/_history/1"));
    assert_eq!(filed.headers["etag"], "W/\"1\"");

    let mut next = registry.get(&format!("Consent/{id}")).await.json();
    assert_eq!(next["meta"]["versionId"], "1");
    next["provision"]["purpose"] = purpose("HRESCH");
    let path = format!("Consent/{id}");
    let changed = registry.send(Method::PUT, &path, &next).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    assert_eq!(changed.json()["meta"]["versionId"], "2");
    let first = registry.get(&format!("Consent/{id}/_history/1")).await;
    assert_eq!(first.json()["provision"]["purpose"][0]["code"], "HMARKT", "no version is changed");
    let history = registry.get(&format!("Consent/{id}/_history")).await;
    assert_eq!(history.json()["total"].as_u64().unwrap_or(2), 2);
    assert_eq!(history.entries().len(), 2);

    let own = format!("Consent/{id}");
    for found in [
        "Consent?patient=Patient/a",
        "Consent?patient=a&status=active",
        "Consent?actor=Organization/other",
        "Consent?period=ge2027-06",
        "Consent?category=http://loinc.org|59284-0",
        "Consent?organization=Organization/riverside",
    ] {
        assert_eq!(registry.get(found).await.entries(), std::slice::from_ref(&own), "{found}");
    }
    for nothing in [
        "Consent?patient=Patient/b",
        "Consent?status=inactive",
        "Consent?actor=Organization/riverside",
        "Consent?period=gt2028",
    ] {
        assert_eq!(registry.get(nothing).await.entries(), Vec::<String>::new(), "{nothing}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let by_post =
        request(Method::POST, &registry.token, "Consent/_search", &form, "patient=a&status=active");
    let by_post = registry.world.send(by_post.unwrap()).await.unwrap();
    assert_eq!(by_post.entries(), [own]);

    // A consent ends and stays; it is never deleted, and changed only as a whole.
    for (method, body) in [(Method::DELETE, ""), (Method::PATCH, "[]")] {
        let kind = [("content-type", "application/json-patch+json")];
        let headers = if body.is_empty() { &[][..] } else { &kind[..] };
        let refused = request(method.clone(), &registry.token, &path, headers, body).unwrap();
        let refused = registry.world.send(refused).await.unwrap();
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method}");
    }
    assert_eq!(registry.get(&path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_consent_on_file_withholds_is_withheld_from_the_next_request_on() {
    let registry = Registry::new().await;
    let world = &registry.world;
    let app = app_of(world).await;
    let service = world.service("quality-study", "system/Observation.rs").await.unwrap();
    for token in [&app, &service] {
        assert!(sees(world, token, "Observation/a-lab").await);
    }
    let id = registry
        .file(&consent(&json!({"type": "deny", "class": [{
            "system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]})))
        .await;
    for token in [&app, &service] {
        assert!(!sees(world, token, "Observation/a-lab").await);
        let found = world.get(token, "Observation?patient=a").await.unwrap();
        assert_eq!(found.entries(), Vec::<String>::new());
        assert_eq!(found.json()["total"], 0);
    }
    // What it says nothing of is as it was.
    assert!(sees(world, &app, "MedicationRequest/a-med").await);
    assert!(sees(world, &app, "Patient/a").await);
    // Another patient's records are not theirs to withhold.
    assert!(sees(world, &service, "Observation/b-lab").await);

    let log = world.accesses().await.unwrap();
    let refused = log.iter().find(|entry| entry.status == Some(404)).unwrap();
    assert_eq!(refused.reasons, [ReasonCode::FiledConsentDenies]);

    let ended = registry.revoke(&id).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.json());
    for token in [&app, &service] {
        assert!(sees(world, token, "Observation/a-lab").await);
    }
}

#[tokio::test]
async fn a_consent_on_file_never_opens_what_was_closed() {
    let registry = Registry::new().await;
    let world = &registry.world;
    let app = app_of(world).await;
    registry.file(&consent(&json!({"type": "permit"}))).await;
    for closed in ["Observation/a-hiv", "Observation/a-vital", "Observation/b-lab", "Patient/b"] {
        assert!(!sees(world, &app, closed).await, "{closed}");
    }
    assert!(sees(world, &app, "Observation/a-lab").await);
}

// Covers: FHIR R4 Consent.provision.period
#[tokio::test]
async fn a_consent_withholds_inside_its_period_and_not_an_instant_longer() {
    let registry = Registry::new().await;
    let world = &registry.world;
    let app = app_of(world).await;
    // The end includes the second that it names.
    let period = json!({"start": "2026-11-22T12:00:10Z", "end": "2026-11-22T12:00:19Z"});
    registry.file(&consent(&json!({"type": "deny", "period": period}))).await;
    for (second, open) in [(9, true), (10, false), (19, false), (20, true)] {
        world.clock.set(proviso_testkit::gateway_world::NOW.plus_secs(second));
        assert_eq!(sees(world, &app, "Observation/a-lab").await, open, "second {second}");
    }
}

#[tokio::test]
async fn staff_are_met_by_their_name_their_role_their_team_and_their_group() {
    let registry = Registry::new().await;
    let world = &registry.world;
    world
        .load(&[
            json!({"resourceType": "Practitioner", "id": "drpatel",
                "identifier": [{"system": "urn:npi", "value": "17"}]})
            .to_string(),
            json!({"resourceType": "PractitionerRole", "id": "role1", "active": true,
                "practitioner": {"reference": "Practitioner/drpatel"},
                "organization": {"reference": "Organization/cardiology"}})
            .to_string(),
            json!({"resourceType": "PractitionerRole", "id": "role2", "active": false,
                "practitioner": {"reference": "Practitioner/drpatel"},
                "organization": {"reference": "Organization/former"}})
            .to_string(),
            json!({"resourceType": "CareTeam", "id": "team1", "status": "active",
                "subject": {"reference": "Patient/a"},
                "participant": [{"member": {"reference": "Practitioner/drpatel"}}]})
            .to_string(),
            json!({"resourceType": "CareTeam", "id": "team2", "status": "active",
                "period": {"end": "2020-12-31"},
                "subject": {"reference": "Patient/a"},
                "participant": [{"member": {"reference": "Practitioner/drpatel"}}]})
            .to_string(),
            json!({"resourceType": "Group", "id": "group1", "type": "practitioner", "actual": true,
                "member": [{"entity": {"reference": "Practitioner/drpatel"}}]})
            .to_string(),
        ])
        .await
        .unwrap();
    let doctor = world.staff("drpatel", &["a"], "user/*.rs").await.unwrap();
    let other = world.staff("drother", &["a"], "user/*.rs").await.unwrap();
    let withheld_from_doctor = [
        "Practitioner/drpatel",
        "PractitionerRole/role1",
        "Organization/cardiology",
        "CareTeam/team1",
        "Group/group1",
    ];
    let met_no_more = ["PractitionerRole/role2", "Organization/former", "CareTeam/team2"];
    for (actor, withheld) in withheld_from_doctor
        .map(|actor| (actor, true))
        .into_iter()
        .chain(met_no_more.map(|actor| (actor, false)))
    {
        let id =
            registry.file(&consent(&json!({"type": "deny", "actor": [recipient(actor)]}))).await;
        assert_eq!(!sees(world, &doctor, "Observation/a-lab").await, withheld, "{actor}");
        assert!(sees(world, &other, "Observation/a-lab").await, "{actor} is somebody else");
        registry.revoke(&id).await;
        assert!(sees(world, &doctor, "Observation/a-lab").await, "{actor}, revoked");
    }
    let by_number = json!({"role": {"coding": [{"system": ROLE, "code": "IRCP"}]},
        "reference": {"identifier": {"system": "urn:npi", "value": "17"}}});
    registry.file(&consent(&json!({"type": "deny", "actor": [by_number]}))).await;
    assert!(!sees(world, &doctor, "Observation/a-lab").await);
    assert!(sees(world, &other, "Observation/a-lab").await);
}

#[tokio::test]
async fn labels_and_the_purpose_are_heard() {
    let registry = Registry::new().await;
    let world = &registry.world;
    let doctor = world.staff("drpatel", &["a"], "user/*.rs").await.unwrap();
    let service = world.service("quality-study", "system/Observation.rs").await.unwrap();
    assert!(sees(world, &doctor, "Observation/a-hiv").await, "a clinician sees it");
    let label = json!([{"system": ACT_CODE, "code": "HIV"}]);
    registry.file(&consent(&json!({"type": "deny", "securityLabel": label}))).await;
    assert!(!sees(world, &doctor, "Observation/a-hiv").await);
    assert!(sees(world, &doctor, "Observation/a-lab").await);
    // The service asks for operations, the doctor for treatment.
    registry.file(&consent(&json!({"type": "deny", "purpose": purpose("HOPERAT")}))).await;
    assert!(!sees(world, &service, "Observation/a-lab").await);
    assert!(sees(world, &doctor, "Observation/a-lab").await);
}

#[tokio::test]
async fn where_a_consent_on_file_is_required_nothing_opens_without_one_that_permits() {
    let mut settings = Settings::demo(ORIGIN);
    let mut filed = (*settings.filed).clone();
    filed.services = FiledRule::Required;
    settings.filed = Arc::new(filed);
    let world = World::with(GatewaySettings::embedded(ORIGIN), settings).await.unwrap();
    let registry = Registry::of(world).await;
    let world = &registry.world;
    let app = app_of(world).await;
    let service = world.service("quality-study", "system/*.rs").await.unwrap();
    assert!(!sees(world, &service, "Observation/a-lab").await);
    assert!(sees(world, &service, "Practitioner/p").await, "the directory is about no patient");
    assert!(sees(world, &app, "Observation/a-lab").await, "the patient's own choice is one");
    let id =
        registry.file(&consent(&json!({"type": "permit", "purpose": purpose("HOPERAT")}))).await;
    assert!(sees(world, &service, "Observation/a-lab").await);
    assert!(!sees(world, &service, "Observation/b-lab").await, "of another patient");
    assert!(!sees(world, &service, "Observation/a-hiv").await, "and nothing else is widened");
    registry.revoke(&id).await;
    assert!(!sees(world, &service, "Observation/a-lab").await);
}

// Covers: consent.md 1.1, refused with a reason
#[tokio::test]
async fn a_consent_that_is_not_understood_is_refused_with_every_reason_and_files_nothing() {
    let registry = Registry::new().await;
    let before = registry.get("Consent?patient=a").await.entries();
    let mut strange = consent(&json!({"type": "deny"}));
    strange["provision"]["modifierExtension"] =
        json!([{"url": "http://example.org/not", "valueBoolean": true}]);
    let mut nobody = consent(&json!({"type": "deny"}));
    nobody["patient"] = json!({"reference": "Patient/nobody"});
    let mut elsewhere = consent(&json!({"type": "deny"}));
    elsewhere["patient"] = json!({"reference": "http://other.example/Patient/a"});
    let reversed = json!({"start": "2026-02-01", "end": "2026-01-01"});
    for (body, code, place) in [
        (strange, "consent-not-understood", "modifierExtension"),
        (
            consent(&json!({"type": "deny", "actor": [{
            "role": {"coding": [{"system": ROLE, "code": "IRCP"}]},
            "reference": {"reference": "#gone"}}]})),
            "consent-not-understood",
            "actor",
        ),
        (
            consent(&json!({"type": "deny", "purpose": [{"system": "urn:unknown", "code": "x"}]})),
            "consent-not-understood",
            "purpose",
        ),
        (consent(&json!({"type": "deny", "period": reversed})), "consent-not-understood", "period"),
        (nobody, "consent-patient-unknown", "Consent.patient"),
        (elsewhere, "consent-patient-unknown", "Consent.patient"),
    ] {
        for path in ["Consent", "Consent/$fileConsent"] {
            let sent = if path == "Consent" {
                body.clone()
            } else {
                parameters(&[("consent", body.clone())])
            };
            let refused = registry.send(Method::POST, path, &sent).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.json());
            assert_eq!(refused.code(), code, "{}", refused.json());
            let places = refused.json()["issue"].to_string();
            assert!(places.contains(place), "{places}");
        }
    }
    assert_eq!(registry.get("Consent?patient=a").await.entries(), before);
}

#[tokio::test]
async fn a_consent_keeps_its_patient_and_does_not_begin_again() {
    let registry = Registry::new().await;
    let id = registry.file(&consent(&json!({"type": "deny", "purpose": purpose("HMARKT")}))).await;
    let path = format!("Consent/{id}");
    let stored = registry.get(&path).await.json();
    let mut moved = stored.clone();
    moved["patient"] = json!({"reference": "Patient/b"});
    let refused = registry.send(Method::PUT, &path, &moved).await;
    assert_eq!(refused.code(), "consent-change-refused");

    assert_eq!(registry.revoke(&id).await.status, StatusCode::OK);
    let ended = registry.get(&path).await.json();
    assert_eq!(ended["status"], "inactive");
    assert_eq!(ended["meta"]["versionId"], "2");
    let again = registry.send(Method::PUT, &path, &stored).await;
    assert_eq!(again.code(), "consent-change-refused");
    // Revoking what has ended changes nothing, and says so without fault.
    assert_eq!(registry.revoke(&id).await.status, StatusCode::OK);
    assert_eq!(registry.get(&path).await.json()["meta"]["versionId"], "2");
    let mut wrong = ended.clone();
    wrong["status"] = json!("entered-in-error");
    let corrected = registry.send(Method::PUT, &path, &wrong).await;
    assert_eq!(corrected.status, StatusCode::OK, "{}", corrected.json());
    assert_eq!(registry.get(&format!("{path}/_history")).await.entries().len(), 3);
}

// Covers: HL7 FAST FileConsent, RevokeConsent
#[tokio::test]
async fn the_operations_of_fast_file_and_revoke_with_what_accompanies_them() {
    let world = World::embedded().await.unwrap();
    world.load(&everything()).await.unwrap();
    let scope = "system/Consent.crus system/DocumentReference.crs";
    let token = world.service("consent-registry", scope).await.unwrap();
    let registry = Registry { world, token };
    let document = json!({"resourceType": "DocumentReference", "status": "current",
        "subject": {"reference": "Patient/a"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "c2lnbmVk"}}]});
    let deny = consent(&json!({"type": "deny", "purpose": purpose("HMARKT")}));
    let body = parameters(&[("Consent", deny.clone()), ("Document", document.clone())]);
    let filed = registry.send(Method::POST, "Consent/$fileConsent", &body).await;
    assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.json());
    assert_eq!(filed.json()["resourceType"], "OperationOutcome");
    let location = filed.headers["location"].to_str().unwrap().to_owned();
    let path = location.split("/fhir/r4/").nth(1).unwrap().to_owned();
    assert_eq!(registry.get(&path).await.json()["status"], "active");
    let documents = registry.get("DocumentReference?patient=a").await.entries();
    assert_eq!(documents.len(), 1, "{documents:?}");

    // Whoever may not write the document files neither.
    let bare = registry.world.service("other-registry", REGISTRY).await.unwrap();
    let refused = request(Method::POST, &bare, "Consent/$fileConsent", FHIR, body.to_string());
    let refused = registry.world.send(refused.unwrap()).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.json());
    assert_eq!(registry.get("Consent?patient=a").await.entries().len(), 1);

    let id = path.split('/').nth(1).unwrap();
    let wrong_patient = parameters(&[
        ("consent", json!({"resourceType": "Consent", "id": id})),
        ("patient", json!({"resourceType": "Patient", "id": "b"})),
    ]);
    let refused = registry.send(Method::POST, "Consent/$revokeConsent", &wrong_patient).await;
    assert_eq!(refused.code(), "consent-change-refused", "{}", refused.json());
    let revoked = registry.revoke(id).await;
    assert_eq!(revoked.status, StatusCode::OK);
    assert_eq!(revoked.json()["resourceType"], "OperationOutcome");
    assert_eq!(registry.get(&format!("Consent/{id}")).await.json()["status"], "inactive");

    for (parts, place) in [
        (vec![], "consent"),
        (vec![("consent", deny.clone()), ("consent", deny.clone())], "consent"),
        (
            vec![("consent", deny.clone()), ("patient", json!({"resourceType": "Patient"}))],
            "patient",
        ),
        (vec![("consent", deny), ("document", json!({"resourceType": "Patient"}))], "document"),
        (vec![("other", json!({"resourceType": "Patient"}))], "other"),
    ] {
        let refused =
            registry.send(Method::POST, "Consent/$fileConsent", &parameters(&parts)).await;
        assert_eq!(refused.code(), "parameter-refused", "{place}: {}", refused.json());
    }
}

/// HL7's own conflict (consent.md 1.3, 1): the child is out of reach of its parent's label.
#[tokio::test]
async fn the_person_who_records_sees_a_case_on_which_readings_part() {
    let registry = Registry::new().await;
    let normal = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let focused = consent(&json!({
        "type": "permit",
        "securityLabel": [{"system": normal, "code": "N"}],
        "provision": [{"type": "permit", "securityLabel": [{"system": ACT_CODE, "code": "PSY"}]}]
    }));
    let filed = registry
        .send_preferring(Method::POST, "Consent", &focused, "return=OperationOutcome")
        .await;
    assert_eq!(filed.status, StatusCode::CREATED, "{}", filed.json());
    let issues = filed.json()["issue"].as_array().unwrap().clone();
    assert_eq!(issues[0]["severity"], "information");
    let warning = issues
        .iter()
        .filter(|issue| issue["details"]["coding"][0]["code"] == "readings-differ")
        .map(|issue| issue["diagnostics"].as_str().unwrap().to_owned())
        .find(|text| text.contains("PSY"))
        .expect("a case about PSY");
    assert!(warning.contains("fhir-tree") && warning.contains("ihe-pcf-advanced"), "{warning}");
    assert!(warning.contains("The example:"), "{warning}");

    let plain = consent(&json!({"type": "deny"}));
    let filed =
        registry.send_preferring(Method::POST, "Consent", &plain, "return=OperationOutcome").await;
    let texts = filed.json()["issue"].to_string();
    assert!(!texts.contains("PSY"), "{texts}");
}

#[tokio::test]
async fn nobody_else_reads_or_files_a_consent() {
    let registry = Registry::new().await;
    let world = &registry.world;
    let id = registry.file(&consent(&json!({"type": "deny", "purpose": purpose("HMARKT")}))).await;
    let app = app_of(world).await;
    let everything = world.service("quality-study", "system/*.cruds").await.unwrap();
    let reader = world.service("reader", "system/Consent.rs").await.unwrap();
    let doctor = world.staff("drpatel", &["a"], "user/*.cruds user/Consent.cruds").await.unwrap();
    let body = consent(&json!({"type": "permit"})).to_string();
    for (who, token) in [("app", &app), ("service", &everything), ("doctor", &doctor)] {
        for path in [format!("Consent/{id}"), "Consent?patient=a".to_owned()] {
            let reply = world.get(token, &path).await.unwrap();
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{who} {path}");
        }
        let include = world.get(token, "Patient?_id=a&_revinclude=Consent:patient").await.unwrap();
        assert!(!include.entries().iter().any(|entry| entry.starts_with("Consent")), "{who}");
    }
    for (who, token) in
        [("app", &app), ("service", &everything), ("doctor", &doctor), ("reader", &reader)]
    {
        let filing = request(Method::POST, token, "Consent", FHIR, body.clone()).unwrap();
        let reply = world.send(filing).await.unwrap();
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{who}");
    }
    let everything_of = world.get(&app, "Patient/a/$everything").await.unwrap();
    assert!(!everything_of.entries().iter().any(|entry| entry.starts_with("Consent")));
    // Nor in company: a transaction would go around the registry.
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [{
        "resource": consent(&json!({"type": "permit"})),
        "request": {"method": "POST", "url": "Consent"}}]});
    let together = registry.send(Method::POST, "", &bundle).await;
    assert_eq!(together.status, StatusCode::FORBIDDEN, "{}", together.json());
    // The one that was filed, and the patient's choice about the app.
    assert_eq!(registry.get("Consent?patient=a").await.entries().len(), 2);
}

/// Two worlds that differ in what a consent on file withholds, and in nothing else, give an app the
/// same bytes as a world in which the withheld was never there.
// Covers: design P1
#[tokio::test]
async fn what_is_withheld_by_a_consent_on_file_looks_like_what_never_was() {
    let hidden = || {
        vec![
            observation("a-extra", "a", gateway_cases::LAB, "2345-7", "99.98", "2026-01-04", ""),
            observation("a-extra2", "a", gateway_cases::LAB, "2345-7", "99.97", "2025-01-04", ""),
        ]
    };
    let full = Registry::new().await;
    full.world.load(&hidden()).await.unwrap();
    let named = |id: &str| json!({"meaning": "instance", "reference": {"reference": id}});
    full.file(&consent(&json!({"type": "deny",
        "data": [named("Observation/a-extra"), named("Observation/a-extra2")]})))
        .await;
    let bare = Registry::new().await;
    let (app_full, app_bare) = (app_of(&full.world).await, app_of(&bare.world).await);
    for case in gateway_cases::SAME {
        let run = async |world: &World, token: &str| {
            let request =
                request(case.method.clone(), token, case.path, case.headers, case.body).unwrap();
            world.send(request).await.unwrap()
        };
        let (one, two) = (run(&full.world, &app_full).await, run(&bare.world, &app_bare).await);
        assert_eq!(one.fingerprint(), two.fingerprint(), "leak {}: {}", case.leak, case.path);
    }
}

#[tokio::test]
async fn a_page_link_does_not_outlive_the_consents_it_was_made_under() {
    let registry = Registry::new().await;
    let app = app_of(&registry.world).await;
    let page = registry.world.get(&app, "Observation?patient=a&_count=1").await.unwrap();
    let next = page.next().expect("more than one");
    assert_eq!(registry.world.get(&app, &next).await.unwrap().status, StatusCode::OK);
    registry
        .file(&consent(&json!({"type": "deny", "data": [{"meaning": "instance",
        "reference": {"reference": "Observation/a-lab2"}}]})))
        .await;
    let stale = registry.world.get(&app, &next).await.unwrap();
    assert_eq!(stale.code(), "cursor-invalid");
}

#[tokio::test]
async fn no_log_no_filing() {
    let registry = Registry::new().await;
    let app = app_of(&registry.world).await;
    registry.world.faults.fail_commits(true);
    let body = consent(&json!({"type": "deny"}));
    let refused = registry.send(Method::POST, "Consent", &body).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    registry.world.faults.fail_commits(false);
    let left = registry.get("Consent?patient=a").await.entries();
    assert!(left.iter().all(|entry| entry.starts_with("Consent/cns-")), "{left:?}");
    assert!(sees(&registry.world, &app, "Observation/a-lab").await);
}

// Covers: design P4, one versioned object
#[tokio::test]
async fn a_choice_made_here_is_a_consent_that_a_registry_reads_and_does_not_change() {
    let registry = Registry::new().await;
    let access = registry.world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    let found = registry.get("Consent?patient=a&status=active").await;
    let named = access.consent.as_ref().unwrap();
    let id = named.version().consent.as_str().replacen('_', "-", 1);
    assert_eq!(found.entries(), [format!("Consent/{id}")]);
    let path = format!("Consent/{id}");
    let read = registry.get(&path).await.json();
    let names = read["identifier"].to_string();
    assert!(names.contains(named.id().as_str()), "its version has the name of the choice: {names}");
    assert!(sees(&registry.world, &access.token, "Observation/a-lab").await, "nothing is withheld");

    for status in ["inactive", "entered-in-error"] {
        let mut changed = read.clone();
        changed["status"] = json!(status);
        let refused = registry.send(Method::PUT, &path, &changed).await;
        assert_eq!(refused.code(), "choice-made-here", "{}", refused.json());
    }
    assert_eq!(registry.revoke(&id).await.code(), "choice-made-here");

    registry.world.stop_sharing(&access).await.unwrap();
    let stopped = registry.get(&path).await.json();
    assert_eq!(
        (&stopped["status"], &stopped["meta"]["versionId"]),
        (&json!("inactive"), &json!("2"))
    );
    assert_eq!(registry.get(&format!("{path}/_history")).await.entries().len(), 2);
    assert_eq!(
        registry.get("Consent?patient=a&status=active").await.entries(),
        Vec::<String>::new()
    );
}

/// A batch that reads and then files: the read was made before, so its answer is taken back; that the
/// consent is filed is told.
// Covers: design P2
#[tokio::test]
async fn what_was_read_before_a_consent_was_filed_does_not_leave_after_it() {
    let world = World::embedded().await.unwrap();
    world.load(&everything()).await.unwrap();
    let scope = "system/Consent.crus system/Observation.rs";
    let token = world.service("consent-registry", scope).await.unwrap();
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": "Observation/a-lab"}},
        {"request": {"method": "GET", "url": "Observation/b-lab"}},
        {"resource": consent(&json!({"type": "deny"})),
            "request": {"method": "POST", "url": "Consent"}}]});
    let sent = request(Method::POST, &token, "", FHIR, bundle.to_string()).unwrap();
    let reply = world.send(sent).await.unwrap().json();
    let status = |place: usize| {
        let text = reply["entry"][place]["response"]["status"].as_str().unwrap_or("?").to_owned();
        text.chars().take(3).collect::<String>()
    };
    assert_eq!([status(0), status(1), status(2)], ["401", "200", "201"], "{reply}");
    assert!(!reply.to_string().contains("7.20"), "{reply}");
}

/// What a service is told of the app's token, the way an enforcement point asks.
async fn introspected(registry: &Registry, asker: &str, token: &str) -> Value {
    let body = proviso_oauth::params::Params::parse(format!("token={token}").as_bytes()).unwrap();
    let bearer = format!("Bearer {asker}");
    let via = proviso_app::via::Via::default();
    let told = registry.world.app.introspect(Some(&bearer), &body, &via).await.unwrap();
    serde_json::from_str(&told.to_json()).unwrap()
}

fn with_profile(name: &str, mut consent: Value) -> Value {
    let profile = format!("https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.{name}");
    consent["meta"] = json!({ "profile": [profile] });
    consent
}

// Covers: IHE PCF 1.1 ITI-71 (`ihe_pcf` with residual rules), consent.md §1.4
#[tokio::test]
async fn an_enforcement_point_learns_what_a_consent_leaves_over_of_a_token() {
    let registry = Registry::new().await;
    let world = &registry.world;
    let app = app_of(world).await;
    let point = world.service("quality-study", "system/Observation.rs").await.unwrap();
    let residual = async || {
        let told = introspected(&registry, &point, &app).await;
        assert_eq!(told["active"], true, "{told}");
        told["extensions"]["ihe_pcf"]["residual"].clone()
    };
    assert!(introspected(&registry, &point, &app).await.get("extensions").is_none());

    let root = json!({
        "type": "permit",
        "purpose": purpose("PATRQT"),
        "actor": [{
            "role": {"coding": [{"system": ROLE, "code": "IRCP"}]},
            "reference": {"identifier": {
                "system": proviso_fhir::consent_r4::CLIENT_SYSTEM,
                "value": "glucose-coach"
            }}
        }],
        "provision": [{
            "type": "deny",
            "dataPeriod": {"start": "2022-01-01", "end": "2022-12-31"}
        }]
    });
    let filed = registry.file(&with_profile("consentIntermediate", consent(&root))).await;
    let told = introspected(&registry, &point, &app).await;
    let pcf = &told["extensions"]["ihe_pcf"];
    assert_eq!(pcf["patient_id"], format!("{ORIGIN}/fhir/r4/Patient/a"));
    assert_eq!(pcf["doc_id"], json!([format!("{ORIGIN}/fhir/r4/Consent/{filed}")]));
    let for_what = &told["extensions"]["ihe_iua"]["purpose_of_use"];
    assert_eq!(for_what[0]["code"], "PATRQT");
    assert_eq!(
        pcf["residual"],
        json!([{
            "type": "forbid",
            "dataPeriod": {
                "start": "2022-01-01T00:00:00Z",
                "end": "2022-12-31T23:59:59.999999Z"
            }
        }])
    );
    // The app itself is not told what the patient keeps from whom.
    assert!(introspected(&registry, &app, &app).await.get("extensions").is_none());

    // Two cannot be written as one list: a permit of one would override a forbid of the other.
    let other =
        registry.file(&consent(&json!({"type": "deny", "purpose": purpose("HMARKT")}))).await;
    assert_eq!(residual().await, json!([{ "type": "forbid" }]));
    assert_eq!(registry.revoke(&other).await.status, StatusCode::OK);
    assert_eq!(residual().await.as_array().map(Vec::len), Some(1));
    assert_eq!(registry.revoke(&filed).await.status, StatusCode::OK);
    assert!(introspected(&registry, &point, &app).await.get("extensions").is_none());
}
