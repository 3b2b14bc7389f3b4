//! What a server says about itself: SMART configuration, CapabilityStatement, OpenID discovery.

use serde_json::Value;
use url::Url;

use crate::world::World;

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

async fn smart_configuration(world: &World, accept: &str) -> Value {
    let url = format!("{}/.well-known/smart-configuration", world.base());
    let answer = world.http.get(&url, &[("accept", accept)]).await.unwrap();
    assert_eq!(answer.status, 200, "{accept}");
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{accept}");
    answer.json().unwrap()
}

// Covers: SMART App Launch 2.2 §conformance; Inferno `well_known_endpoint`,
// `well_known_capabilities_stu2`; SHALL 374
#[tokio::test]
async fn the_smart_configuration_is_json_for_every_accept_header_and_complete() {
    let world = World::new().await;
    let document = smart_configuration(&world, "application/json").await;
    for accept in ["*/*", "text/html", "application/fhir+json"] {
        assert_eq!(smart_configuration(&world, accept).await, document);
    }
    for name in ["authorization_endpoint", "token_endpoint", "issuer", "jwks_uri"] {
        assert!(document[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
    assert!(texts(&document["grant_types_supported"]).contains(&"authorization_code"));
    assert!(texts(&document["grant_types_supported"]).contains(&"client_credentials"));
    // A14, A15, R8.
    assert_eq!(texts(&document["code_challenge_methods_supported"]), ["S256"]);
    assert_eq!(texts(&document["response_types_supported"]), ["code"]);
    assert!(texts(&document["token_endpoint_auth_methods_supported"]).contains(&"private_key_jwt"));
    let algorithms = texts(&document["token_endpoint_auth_signing_alg_values_supported"]);
    assert!(algorithms.contains(&"RS384") && algorithms.contains(&"ES384"));
    for weak in ["none", "HS256", "HS384", "HS512"] {
        assert!(!algorithms.contains(&weak), "{weak}");
    }
}

// Covers: SMART App Launch 2.2 §conformance (SHALL 378)
#[tokio::test]
async fn every_address_in_discovery_is_absolute_and_answers() {
    let world = World::new().await;
    let document = smart_configuration(&world, "application/json").await;
    let mut seen = 0;
    for (name, value) in document.as_object().unwrap() {
        if !(name.ends_with("_endpoint") || name.ends_with("_uri")) {
            continue;
        }
        let address = Url::parse(value.as_str().unwrap()).unwrap();
        assert_eq!(address.origin().ascii_serialization(), world.server.origin, "{name}");
        let answer = world.http.get(address.as_str(), &[]).await.unwrap();
        // Whatever it says to a bare GET, it is there.
        assert_ne!(answer.status, 404, "{name}");
        seen += 1;
    }
    assert!(seen >= 7, "only {seen} addresses");
    for name in ["management_endpoint", "introspection_endpoint", "revocation_endpoint"] {
        assert!(document[name].is_string(), "{name}");
    }
}

// Covers: ONC (g)(10) `g10_smart_well_known_capabilities` (standalone and EHR)
#[tokio::test]
async fn the_capabilities_are_those_that_certification_needs() {
    let world = World::new().await;
    let document = smart_configuration(&world, "application/json").await;
    let capabilities = texts(&document["capabilities"]);
    for needed in [
        "launch-standalone",
        "launch-ehr",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-standalone-patient",
        "context-ehr-patient",
        "context-ehr-encounter",
        "context-banner",
        "context-style",
        "permission-offline",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
        "authorize-post",
    ] {
        assert!(capabilities.contains(&needed), "{needed}");
    }
}

// Covers: US Core 7.0 `us_core_smart_well_known_capabilities`
#[tokio::test]
async fn the_configuration_names_scopes_and_introspection_as_us_core_asks() {
    let world = World::new().await;
    let document = smart_configuration(&world, "application/json").await;
    let resource_scope = |scope: &&str| {
        let (context, rest) = scope.split_once('/').unwrap_or_default();
        let (name, letters) = rest.split_once('.').unwrap_or_default();
        matches!(context, "patient" | "user" | "system")
            && !name.is_empty()
            && !letters.is_empty()
            && letters.chars().all(|letter| "cruds".contains(letter))
    };
    assert!(texts(&document["scopes_supported"]).iter().any(resource_scope));
    assert!(document["introspection_endpoint"].is_string());
}

// Covers: SMART App Launch 2.2 §CORS (A16); Inferno `smart_cors_well_known_endpoint`,
// `smart_cors_metadata_request`
#[tokio::test]
async fn discovery_and_metadata_may_be_read_from_every_origin() {
    let world = World::new().await;
    for path in [
        "/fhir/r4/.well-known/smart-configuration",
        "/fhir/r4/metadata",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/oauth/jwks",
    ] {
        let origin = "https://anybody.example";
        let answer = world.http.get(&world.url(path), &[("origin", origin)]).await.unwrap();
        assert_eq!(answer.status, 200, "{path}");
        let allowed = answer.header("access-control-allow-origin").unwrap_or("");
        assert!(allowed == origin || allowed == "*", "{path}: `{allowed}`");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
    }
}

// Covers: SMART App Launch 1 `smart_discovery`; SMART 2.2 §CapabilityStatement
#[tokio::test]
async fn the_capability_statement_names_the_same_endpoints_as_the_configuration() {
    let world = World::new().await;
    let document = smart_configuration(&world, "application/json").await;
    let metadata = world.http.get(&format!("{}/metadata", world.base()), &[]).await.unwrap();
    assert_eq!(metadata.status, 200);
    let metadata = metadata.json().unwrap();
    let security = &metadata["rest"][0]["security"];
    let services = security["service"].to_string();
    assert!(services.contains("SMART-on-FHIR"), "{services}");
    let uris = security["extension"].as_array().unwrap().iter().find(|extension| {
        extension["url"] == "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    });
    let named = uris.unwrap()["extension"].as_array().unwrap();
    for (short, long) in [
        ("authorize", "authorization_endpoint"),
        ("token", "token_endpoint"),
        ("introspect", "introspection_endpoint"),
        ("manage", "management_endpoint"),
        ("register", "registration_endpoint"),
        ("revoke", "revocation_endpoint"),
    ] {
        let found = named.iter().find(|extension| extension["url"] == short);
        let value = found.map_or(&Value::Null, |extension| &extension["valueUri"]);
        assert_eq!(value, document.get(long).unwrap_or(&Value::Null), "{short}");
    }
}

// Covers: oauth-smart.md §6 "discovery at base path vs origin root"; RFC 8414 §3; OIDC Discovery §4
#[tokio::test]
async fn the_documents_of_one_server_agree() {
    let world = World::new().await;
    let document = smart_configuration(&world, "application/json").await;
    for path in [
        "/.well-known/smart-configuration",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        let other = world.http.get(&world.url(path), &[]).await.unwrap().json().unwrap();
        for name in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert_eq!(other[name], document[name], "{path}: {name}");
        }
        // R26: RFC 9207 is advertised wherever a client looks.
        assert_eq!(other["authorization_response_iss_parameter_supported"], true, "{path}");
    }
}
