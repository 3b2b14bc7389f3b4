use std::sync::Arc;

use proviso_app::audit::AuditSearch;
use proviso_app::authorize::{Answer, Decided, Step};
use proviso_app::bearer::BearerError;
use proviso_app::introspect::TokenUseError;
use proviso_app::session::NewSession;
use proviso_app::userinfo::UserInfoError;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::{Category, CategorySet};
use proviso_core::id::{ClientId, PatientId};
use proviso_oauth::claims::IdTokenClaims;
use proviso_oauth::introspect::Introspection;
use proviso_oauth::jose::{KeySet, SignatureAlgorithm};
use proviso_store::AuditQuery;

use crate::world::{
    BASE, BROWSER, REDIRECT, SECRET, VERIFIER, World, account_id, choice, everything, form,
    query_of, request, via,
};

fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    format!("Basic {text}")
}

async fn active(world: &World, token: &str) -> bool {
    world.app.authenticate_bearer(token, world.app.now()).await.is_ok()
}

#[tokio::test]
async fn the_token_response_has_what_smart_asks_for() {
    // Covers: SMART 73-89, Inferno 1.2-6, RFC 9068
    let world = World::new().await;
    let tokens = world.connected().await;
    let body = serde_json::to_value(&tokens).unwrap();
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 300);
    assert_eq!(body["patient"], "maria");
    for name in ["access_token", "refresh_token", "id_token", "scope"] {
        assert!(body[name].is_string(), "{name}");
    }
    assert!(body.get("need_patient_banner").is_none());
    let caller =
        world.app.authenticate_bearer(&tokens.access_token, world.app.now()).await.unwrap();
    assert_eq!(caller.account, Some(account_id("maria")));
    assert_eq!(caller.patient.as_ref().map(PatientId::as_str), Some("maria"));
    assert!(caller.consent.is_some());
}

#[tokio::test]
async fn the_id_token_verifies_against_the_published_keys() {
    // Covers: Inferno 1.4
    let world = World::new().await;
    let tokens = world.connected().await;
    let keys = KeySet::parse(&world.app.keys().jwks(world.app.now())).unwrap();
    let claims: IdTokenClaims = keys
        .verify(tokens.id_token.as_ref().unwrap(), &[SignatureAlgorithm::Rs256], &["jwt"])
        .unwrap();
    assert_eq!(claims.iss, BASE);
    assert_eq!(claims.aud, "glucose-coach");
    assert_eq!(claims.sub, "acc_maria");
    assert_eq!(claims.nonce.as_deref(), Some("n-1"));
    assert_eq!(claims.auth_time, Some(world.app.now().as_secs()));
    assert_eq!(claims.fhir_user.as_deref(), Some("http://127.0.0.1:8080/fhir/r4/Patient/maria"));
    let info = world.app.userinfo(&tokens.access_token, &via()).await.unwrap();
    assert_eq!((info.sub, info.fhir_user), (claims.sub, claims.fhir_user));
    // An ID token is never an access token.
    let result =
        world.app.authenticate_bearer(tokens.id_token.as_ref().unwrap(), world.app.now()).await;
    assert_eq!(result, Err(BearerError::Invalid));
}

#[tokio::test]
async fn a_code_works_once_and_reuse_ends_everything_it_gave() {
    // Covers: R9, O4
    let world = World::new().await;
    let code = world.code_for("maria", &request(&[]), everything()).await;
    let tokens = world.redeem(&code).await.unwrap();
    assert!(active(&world, &tokens.access_token).await);
    world.clock.advance_secs(1);
    let again = world.redeem(&code).await.unwrap_err().error;
    assert_eq!((again.code(), again.status()), ("invalid_grant", 400));
    assert!(!active(&world, &tokens.access_token).await);
    let refresh = world.refresh(tokens.refresh_token.as_ref().unwrap()).await.unwrap_err();
    assert_eq!(refresh.error.code(), "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_parallel_redemptions_one_succeeds() {
    // Covers: R9
    let world = Arc::new(World::new().await);
    let code = world.code_for("maria", &request(&[]), everything()).await;
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (world, code) = (Arc::clone(&world), code.clone());
            tokio::spawn(async move { world.redeem(&code).await })
        })
        .collect();
    let mut given = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(tokens) => given.push(tokens),
            Err(refusal) => assert_eq!(refusal.error.code(), "invalid_grant"),
        }
    }
    assert_eq!(given.len(), 1);
    assert!(!active(&world, &given[0].access_token).await);
}

#[tokio::test]
async fn a_code_lives_sixty_seconds_and_is_bound() {
    // Covers: R10, R11, R15, g10 invalid_token_request and invalid_pkce groups
    let world = World::new().await;
    let code = world.code_for("maria", &request(&[]), everything()).await;
    let other = "1c1d3e56-8c2b-4d5e-9f0a-000000000000-1c1d3e56-8c2b-4d5e-9f0a-000000000001";
    for (name, value, expected) in [
        ("code", "BAD_CODE", 400),
        ("client_id", "BAD_CLIENT_ID", 401),
        ("client_id", "other-app", 400),
        ("redirect_uri", "http://127.0.0.1:9123/other", 400),
        ("redirect_uri", "", 400),
        ("code_verifier", "", 400),
        ("code_verifier", other, 400),
        ("code_verifier", crate::world::CHALLENGE, 400),
        ("grant_type", "not_a_grant_type", 400),
    ] {
        let mut body = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", "glucose-coach"),
        ];
        body.retain(|(known, _)| *known != name);
        body.push((name, value));
        let refusal = world.token(&body).await.unwrap_err();
        assert_eq!(refusal.error.status(), expected, "{name}={value}");
    }
    // None of these attempts has used the code up.
    world.clock.advance_secs(59);
    world.redeem(&code).await.unwrap();
    let late = world.code_for("maria", &request(&[]), everything()).await;
    world.clock.advance_secs(60);
    assert_eq!(world.redeem(&late).await.unwrap_err().error.code(), "invalid_grant");
}

#[tokio::test]
async fn refresh_rotates_and_a_retry_gets_the_same_successor() {
    // Covers: R14, oauth-smart.md §6 "rotate idempotently"
    let world = World::new().await;
    let first = world.connected().await;
    let token = first.refresh_token.unwrap();
    world.clock.advance_secs(400);
    let second = world.refresh(&token).await.unwrap();
    let successor = second.refresh_token.clone().unwrap();
    assert_ne!(token, successor);
    assert_eq!(second.scope, first.scope);
    world.clock.advance_secs(30);
    let retry = world.refresh(&token).await.unwrap();
    assert_eq!(retry.refresh_token.as_ref(), Some(&successor));
    let third = world.refresh(&successor).await.unwrap();
    assert!(active(&world, &third.access_token).await);
    // The successor has been used, so the first one is a stolen copy or a bug: all of it ends.
    let replay = world.refresh(&token).await.unwrap_err();
    assert_eq!(replay.error.code(), "invalid_grant");
    assert!(!active(&world, &third.access_token).await);
    let ended = world.refresh(third.refresh_token.as_ref().unwrap()).await.unwrap_err();
    assert_eq!(ended.error.code(), "invalid_grant");
}

#[tokio::test]
async fn a_replaced_refresh_token_after_the_grace_ends_the_connection() {
    // Covers: R14, RFC 9700 §4.14.2
    let world = World::new().await;
    let token = world.connected().await.refresh_token.unwrap();
    let second = world.refresh(&token).await.unwrap();
    world.clock.advance_secs(60);
    assert_eq!(world.refresh(&token).await.unwrap_err().error.code(), "invalid_grant");
    assert!(!active(&world, &second.access_token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_refreshes_agree_on_one_successor() {
    let world = Arc::new(World::new().await);
    let token = world.connected().await.refresh_token.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (world, token) = (Arc::clone(&world), token.clone());
            tokio::spawn(async move { world.refresh(&token).await.unwrap().refresh_token.unwrap() })
        })
        .collect();
    let mut successors = std::collections::BTreeSet::new();
    for task in tasks {
        successors.insert(task.await.unwrap());
    }
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn refresh_is_bound_to_its_app_and_may_only_narrow() {
    // Covers: R15, R16, S4, A103, conflict table "public refresh without client_id"
    let world = World::new().await;
    let token = world.connected().await.refresh_token.unwrap();
    let stolen = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", "other-app"),
        ])
        .await;
    assert_eq!(stolen.unwrap_err().error.code(), "invalid_grant");
    let wider = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", "glucose-coach"),
            ("scope", "patient/*.cruds"),
        ])
        .await;
    assert_eq!(wider.unwrap_err().error.code(), "invalid_scope");
    // Neither attempt has used it; and a public app need not name itself.
    let nameless = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("scope", "patient/Observation.rs openid"),
        ])
        .await
        .unwrap();
    assert_eq!(nameless.scope, "patient/Observation.rs openid");
    // A later refresh may go back to what was granted.
    let back = world.refresh(nameless.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(back.scope.contains("patient/*.rs"), "{}", back.scope);
    let unknown = world
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", "3c1b7a2e-0000-4000-8000-000000000000"),
        ])
        .await
        .unwrap_err();
    assert_eq!((unknown.error.code(), unknown.error.status()), ("invalid_grant", 400));
}

#[tokio::test]
async fn a_confidential_apps_refresh_needs_its_secret() {
    let world = World::new().await;
    let asked = request(&[("client_id", "bill-helper")]);
    let code = world.code_for("maria", &asked, everything()).await;
    let header = basic("bill-helper", SECRET);
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]);
    let wrong = basic("bill-helper", "wrong");
    let refusal = world.app.token(Some(&wrong), &body, &via()).await.unwrap_err();
    assert_eq!(refusal.error.status(), 401);
    assert!(refusal.challenge_basic);
    let tokens = world.app.token(Some(&header), &body, &via()).await.unwrap();
    let token = tokens.refresh_token.unwrap();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    assert!(world.token(&refresh).await.is_err());
    assert!(world.app.token(Some(&header), &form(&refresh), &via()).await.is_ok());
}

#[tokio::test]
async fn refresh_tokens_slide_for_more_than_three_months_up_to_the_choice() {
    // Covers: g10 attestation (>= 3 months, renewed on each use), R17
    let world = World::new().await;
    let mut token = world.connected().await.refresh_token.unwrap();
    for _ in 0..3 {
        world.clock.advance_secs(95 * 86_400);
        token = world.refresh(&token).await.unwrap().refresh_token.unwrap();
    }
    world.clock.advance_secs(95 * 86_400);
    // The person chose one year.
    assert_eq!(world.refresh(&token).await.unwrap_err().error.code(), "invalid_grant");
    let idle = World::new().await;
    let token = idle.connected().await.refresh_token.unwrap();
    idle.clock.advance_secs(101 * 86_400);
    assert_eq!(idle.refresh(&token).await.unwrap_err().error.code(), "invalid_grant");
}

#[tokio::test]
async fn access_tokens_end_on_time_and_are_for_this_server() {
    // Covers: S2, A77, R18
    let world = World::new().await;
    let tokens = world.connected().await;
    world.clock.advance_secs(299);
    assert!(active(&world, &tokens.access_token).await);
    world.clock.advance_secs(1);
    let result = world.app.authenticate_bearer(&tokens.access_token, world.app.now()).await;
    assert_eq!(result, Err(BearerError::Expired));
    for token in ["", "x", "a.b.c", tokens.refresh_token.as_deref().unwrap()] {
        let result = world.app.authenticate_bearer(token, world.app.now()).await;
        assert_eq!(result, Err(BearerError::Invalid), "{token}");
    }
    let other = World::new().await;
    let foreign = other.connected().await;
    let result = world.app.authenticate_bearer(&foreign.access_token, other.app.now()).await;
    assert_eq!(result, Err(BearerError::Invalid));
}

#[tokio::test]
async fn a_service_signs_and_gets_five_minutes_and_no_refresh_token() {
    // Covers: Inferno 1.6, S2, S12, SMART 248, 257, 336
    let world = World::new().await;
    let tokens = world.service_token("system/Patient.rs", "j1").await.unwrap();
    assert_eq!((tokens.expires_in, tokens.scope.as_str()), (300, "system/Patient.rs"));
    assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none());
    let caller =
        world.app.authenticate_bearer(&tokens.access_token, world.app.now()).await.unwrap();
    assert_eq!((caller.account, caller.purpose.code()), (None, "HRESCH"));
    let replay = world.service_token("system/Patient.rs", "j1").await.unwrap_err();
    assert_eq!((replay.error.code(), replay.error.status()), ("invalid_client", 401));
    let more = world.service_token("system/Condition.rs", "j2").await.unwrap_err();
    assert_eq!(more.error.code(), "invalid_scope");
    // A refused request has used its assertion up too.
    let again = world.service_token("system/Patient.rs", "j2").await.unwrap_err();
    assert_eq!(again.error.code(), "invalid_client");
    let public = world
        .token(&[
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("client_id", "glucose-coach"),
        ])
        .await
        .unwrap_err();
    assert_eq!(public.error.code(), "unauthorized_client");
    let wrong_type = world
        .token(&[
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("client_assertion_type", "not_an_assertion_type"),
            ("client_assertion", &world.assertion("j3")),
        ])
        .await
        .unwrap_err();
    assert_eq!(wrong_type.error.status(), 401);
    assert_eq!(world.app.store().grants_of_client(&caller.client).await.unwrap().len(), 1);
}

#[tokio::test]
async fn stopping_ends_bearer_refresh_code_and_introspection_at_once() {
    // Covers: P2, g10_token_revocation
    let world = World::new().await;
    let tokens = world.connected().await;
    let pending = world.code_for("maria", &request(&[]), everything()).await;
    let consent = world.app.store().consents().await.unwrap().remove(0);
    let by = world.app.store().account(&account_id("maria")).await.unwrap().unwrap();
    world.app.revoke_consent(&by, &consent.version.consent, None, &via()).await.unwrap();
    assert!(!active(&world, &tokens.access_token).await);
    let refresh = world.refresh(tokens.refresh_token.as_ref().unwrap()).await.unwrap_err();
    assert_eq!((refresh.error.code(), refresh.error.status()), ("invalid_grant", 400));
    let code = world.redeem(&pending).await.unwrap_err();
    assert_eq!(code.error.code(), "invalid_grant");
    assert!(world.app.userinfo(&tokens.access_token, &via()).await.is_err());
}

#[tokio::test]
async fn introspection_repeats_the_token_response_for_its_own_app_only() {
    // Covers: Inferno 1.7, SMART 277, 282, RFC 7662 §2.2
    let world = World::new().await;
    let asked = request(&[("client_id", "bill-helper")]);
    let code = world.code_for("maria", &asked, everything()).await;
    let header = basic("bill-helper", SECRET);
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]);
    let tokens = world.app.token(Some(&header), &body, &via()).await.unwrap();
    let ask = form(&[("token", &tokens.access_token), ("extra", "1")]);
    let Introspection::Active(found) =
        world.app.introspect(Some(&header), &ask, &via()).await.unwrap()
    else {
        panic!("inactive")
    };
    assert_eq!(found.scope, tokens.scope);
    assert_eq!(found.client_id, "bill-helper");
    assert_eq!(found.exp, found.iat + tokens.expires_in);
    assert_eq!(found.context, tokens.context);
    assert_eq!((found.iss.as_str(), found.sub.as_str()), (BASE, "acc_maria"));
    // A service may ask about any app's tokens; another app's token is unknown to an app.
    let service = world.service_token("system/Patient.rs", "j1").await.unwrap();
    let bearer = format!("Bearer {}", service.access_token);
    let by_service = world.app.introspect(Some(&bearer), &ask, &via()).await.unwrap();
    assert!(matches!(by_service, Introspection::Active(_)));
    let other = world.connected().await;
    let foreign = form(&[("token", &other.access_token)]);
    let hidden = world.app.introspect(Some(&header), &foreign, &via()).await.unwrap();
    assert_eq!(hidden, Introspection::Inactive);
    let invalid = form(&[("token", "invalid_token_value")]);
    let unknown = world.app.introspect(Some(&header), &invalid, &via()).await.unwrap();
    assert_eq!(unknown.to_json(), r#"{"active":false}"#);
    // Never anonymous, never by name alone.
    assert!(matches!(
        world.app.introspect(None, &ask, &via()).await,
        Err(TokenUseError::Client(_))
    ));
    let named = form(&[("token", &other.access_token), ("client_id", "glucose-coach")]);
    let refused = world.app.introspect(None, &named, &via()).await.unwrap_err();
    assert_eq!(refused.status(), 401);
}

#[tokio::test]
async fn an_app_can_give_its_access_back_and_nobody_elses() {
    // Covers: RFC 7009
    let world = World::new().await;
    let tokens = world.connected().await;
    let token = tokens.refresh_token.as_deref().unwrap();
    let by_other = form(&[("token", token), ("client_id", "other-app")]);
    world.app.revoke_token(None, &by_other, &via()).await.unwrap();
    assert!(active(&world, &tokens.access_token).await);
    let unknown = form(&[("token", "nonsense"), ("client_id", "glucose-coach")]);
    world.app.revoke_token(None, &unknown, &via()).await.unwrap();
    let own = form(&[("token", token), ("client_id", "glucose-coach")]);
    world.app.revoke_token(None, &own, &via()).await.unwrap();
    assert!(!active(&world, &tokens.access_token).await);
    assert!(world.refresh(token).await.is_err());
}

#[tokio::test]
async fn rotating_keys_breaks_no_token_that_is_out() {
    // Covers: O6
    let world = World::new().await;
    let tokens = world.connected().await;
    let before = world.app.keys().jwks(world.app.now());
    let signing = world.app.keys().active_ids(world.app.now());
    let next = world.app.rotate_keys(&via()).await.unwrap();
    assert!(active(&world, &tokens.access_token).await);
    // The successors are published before they sign, for those who keep our keys a while.
    assert_eq!(world.app.keys().active_ids(world.app.now()), signing);
    assert_eq!(world.app.keys().active_ids(world.app.now().plus_secs(600)), next);
    let after = world.app.keys().jwks(world.app.now());
    let ids = |jwks: &str| {
        let value: serde_json::Value = serde_json::from_str(jwks).unwrap();
        let keys = value["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (before, after) = (ids(&before), ids(&after));
    assert_eq!(after.len(), 6);
    assert!(before.iter().all(|kid| after.contains(kid)));
    let renewed = world.refresh(tokens.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(active(&world, &renewed.access_token).await);
    world.clock.advance_secs(600);
    let by_next = world.refresh(renewed.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(active(&world, &by_next.access_token).await);
    world.clock.advance_secs(2 * 3600);
    assert_eq!(ids(&world.app.keys().jwks(world.app.now())).len(), 3);
}

#[tokio::test]
async fn a_disabled_app_or_account_opens_nothing() {
    let world = World::new().await;
    let tokens = world.connected().await;
    let store = world.app.store();
    let mut client = store.client(&"glucose-coach".parse().unwrap()).await.unwrap().unwrap();
    client.status = proviso_oauth::record::ClientStatus::Disabled;
    let present = proviso_store::Presence::Present;
    world.app.save_client(client, present, "disable", &via()).await.unwrap();
    let result = world.app.authenticate_bearer(&tokens.access_token, world.app.now()).await;
    assert_eq!(result, Err(BearerError::Disabled));
    let refresh = world.refresh(tokens.refresh_token.as_ref().unwrap()).await.unwrap_err();
    assert_eq!(refresh.error.code(), "invalid_client");
}

#[tokio::test]
async fn no_token_leaves_when_it_cannot_be_logged_and_refusals_are_logged() {
    // Covers: P3
    let world = World::new().await;
    let code = world.code_for("maria", &request(&[]), everything()).await;
    world.faults.fail_commits(true);
    let refusal = world.redeem(&code).await.unwrap_err();
    assert_eq!(refusal.error.status(), 503);
    world.faults.fail_commits(false);
    world.redeem(&code).await.unwrap();
    world.token(&[("grant_type", "password")]).await.unwrap_err();
    let query = AuditQuery { kinds: vec![AuditKind::Token], limit: 10, ..AuditQuery::default() };
    let entries = world.app.store().audit_page(query).await.unwrap();
    let outcomes: Vec<_> = entries.iter().map(|stored| stored.entry.outcome).collect();
    assert_eq!(outcomes, [AuditOutcome::Failure, AuditOutcome::Success]);
}

/// The newest entries about who somebody is, newest first.
async fn identity_entries(world: &World) -> Vec<AuditEntry> {
    let search =
        AuditSearch { kinds: vec![AuditKind::Identity], limit: 10, ..AuditSearch::default() };
    let page = world.app.search_audit(&search).await.unwrap();
    page.entries.into_iter().map(|logged| logged.entry).collect()
}

#[tokio::test]
async fn who_somebody_is_is_told_only_when_it_is_logged() {
    // Covers: P3, OIDC Core §5.3
    let world = World::new().await;
    let tokens = world.connected().await;
    let access = tokens.access_token.as_str();
    world.faults.fail_commits(true);
    let told = world.app.userinfo(access, &via()).await;
    assert!(matches!(told, Err(UserInfoError::Unavailable(_))), "{told:?}");
    let told = world.app.userinfo("nonsense", &via()).await;
    assert!(matches!(told, Err(UserInfoError::Unavailable(_))), "{told:?}");
    world.faults.fail_commits(false);
    assert_eq!(identity_entries(&world).await, []);

    assert_eq!(world.app.userinfo(access, &via()).await.unwrap().sub, "acc_maria");
    let entries = identity_entries(&world).await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.outcome, AuditOutcome::Success);
    assert_eq!(entry.client.as_ref().map(ClientId::as_str), Some("glucose-coach"));
    assert_eq!(entry.account, Some(account_id("maria")));
    assert_eq!(entry.patients, ["maria".parse().unwrap()]);
    assert_eq!(entry.network.as_deref(), Some("10.0.0.1"));

    // A token of a connection that has ended tells nothing, and that it was tried is seen.
    let body = [("token", access), ("client_id", "glucose-coach")];
    world.app.revoke_token(None, &form(&body), &via()).await.unwrap();
    let told = world.app.userinfo(access, &via()).await;
    assert!(matches!(told, Err(UserInfoError::Bearer(BearerError::GrantEnded))), "{told:?}");
    let entries = identity_entries(&world).await;
    assert_eq!(entries[0].outcome, AuditOutcome::Denied);
    assert_eq!(entries[0].patients, ["maria".parse().unwrap()]);
    let told = world.app.userinfo("nonsense", &via()).await;
    assert!(matches!(told, Err(UserInfoError::Bearer(BearerError::Invalid))), "{told:?}");
    let entries = identity_entries(&world).await;
    assert_eq!((entries[0].outcome, &entries[0].account), (AuditOutcome::Failure, &None));
}

#[tokio::test]
async fn who_acts_for_a_patient_is_told_of_in_the_patients_log() {
    // Covers: OIDC Core §5.3
    let world = World::new().await;
    let session = world.sign_in("wei").await;
    let person = Some(&session.signed_in);
    let step = world.begin(&request(&[]), person).await;
    let Step::PickPatient { request: id, .. } = step else { panic!("{step:?}") };
    let lily: PatientId = "lily".parse().unwrap();
    let step = world.app.pick_patient(&id, BROWSER, person, &lily, &via()).await.unwrap();
    assert!(matches!(step, Step::Consent(_)), "{step:?}");
    let answer = Answer::Share(Box::new(everything()));
    let decided = world.app.decide_authorization(&id, BROWSER, person, answer, &via()).await;
    let Decided::Step(Step::Return { url }) = decided.unwrap() else { panic!("no code") };
    let tokens = world.redeem(query_of(&url).text("code").unwrap()).await.unwrap();
    assert_eq!(world.app.userinfo(&tokens.access_token, &via()).await.unwrap().sub, "acc_wei");
    let entries = identity_entries(&world).await;
    assert_eq!(entries[0].patients, [lily]);
}

/// Maria's connection with `online_access`, up to its first refresh token.
async fn online(world: &World, session: &NewSession) -> String {
    let person = Some(&session.signed_in);
    let asked = request(&[("scope", "launch/patient online_access patient/*.rs")]);
    let Step::Consent(model) = world.begin(&asked, person).await else { panic!("no page") };
    let answer = Answer::Share(Box::new(everything()));
    let decided =
        world.app.decide_authorization(&model.request, BROWSER, person, answer, &via()).await;
    let Decided::Step(Step::Return { url }) = decided.unwrap() else { panic!("no code") };
    let tokens = world.redeem(query_of(&url).text("code").unwrap()).await.unwrap();
    tokens.refresh_token.unwrap()
}

/// Whether introspection, asked as a resource server would, calls a token active.
async fn introspected(world: &World, token: &str) -> bool {
    let jti = world.app.new_secret().unwrap().into_exposed();
    let service = world.service_token("system/Patient.rs", &jti).await;
    let bearer = format!("Bearer {}", service.unwrap().access_token);
    let answer = world.app.introspect(Some(&bearer), &form(&[("token", token)]), &via()).await;
    matches!(answer.unwrap(), Introspection::Active(_))
}

#[tokio::test]
async fn online_access_ends_when_the_person_signs_out() {
    // Covers: A100
    let world = World::new().await;
    let session = world.sign_in("maria").await;
    let renewed = world.refresh(&online(&world, &session).await).await.unwrap();
    let token = renewed.refresh_token.unwrap();
    assert!(introspected(&world, &token).await);
    world.app.sign_out(session.cookie.expose(), &via()).await.unwrap();
    assert!(!introspected(&world, &token).await);
    let over = world.refresh(&token).await.unwrap_err();
    assert_eq!(over.error.code(), "invalid_grant");
}

#[tokio::test]
async fn online_access_ends_at_the_idle_end_of_the_session_and_renewing_does_not_put_it_off() {
    // Covers: A100
    let world = World::new().await;
    let idle_secs = world.app.settings().session_idle_secs;
    let session = world.sign_in("maria").await;
    let token = online(&world, &session).await;
    world.clock.advance_secs(idle_secs - 1);
    assert!(introspected(&world, &token).await);
    let token = world.refresh(&token).await.unwrap().refresh_token.unwrap();
    world.clock.advance_secs(1);
    assert!(!introspected(&world, &token).await);
    let over = world.refresh(&token).await.unwrap_err();
    assert_eq!(over.error.code(), "invalid_grant");
    // The browser says the same at the same instant.
    assert!(world.app.signed_in(session.cookie.expose()).await.unwrap().is_none());
}

#[tokio::test]
async fn online_access_goes_on_while_the_person_does_and_ends_at_the_absolute_end() {
    // Covers: A100
    let world = World::new().await;
    let (step_secs, whole_secs) = (20 * 60, world.app.settings().session_absolute_secs);
    let session = world.sign_in("maria").await;
    let mut token = online(&world, &session).await;
    for _ in 1..whole_secs / step_secs {
        world.clock.advance_secs(step_secs);
        assert!(world.app.signed_in(session.cookie.expose()).await.unwrap().is_some());
        token = world.refresh(&token).await.unwrap().refresh_token.unwrap();
    }
    world.clock.advance_secs(step_secs - 1);
    token = world.refresh(&token).await.unwrap().refresh_token.unwrap();
    world.clock.advance_secs(1);
    let over = world.refresh(&token).await.unwrap_err();
    assert_eq!(over.error.code(), "invalid_grant");
}

#[tokio::test]
async fn the_largest_granular_choice_still_fits_a_header() {
    // Covers: S14
    let world = World::new().await;
    let all_but_one = CategorySet::all().without(Category::Laboratory);
    let code = world.code_for("maria", &request(&[]), choice(all_but_one)).await;
    let tokens = world.redeem(&code).await.unwrap();
    assert!(tokens.access_token.len() < 8 * 1024, "{} bytes", tokens.access_token.len());
}

#[tokio::test]
async fn a_leaked_signing_key_is_withdrawn_at_once() {
    let world = World::new().await;
    let tokens = world.connected().await;
    world.app.withdraw_keys(&via()).await.unwrap();
    assert!(!active(&world, &tokens.access_token).await);
    let renewed = world.refresh(tokens.refresh_token.as_ref().unwrap()).await.unwrap();
    assert!(active(&world, &renewed.access_token).await);
}
