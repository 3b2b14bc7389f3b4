use proviso_app::settings::Registration;
use proviso_app::sign_in::SignInOutcome;
use proviso_core::account::AccountStatus;
use proviso_core::secret::Secret;
use proviso_oauth::register::RegistrationError;
use proviso_store::{Batch, Op, Presence};

use crate::world::{World, account_id, via};

async fn attempt(world: &World, username: &str, password: &str) -> SignInOutcome {
    let password = Secret::new(password.to_owned());
    world.app.sign_in(username, password, None, &via()).await.unwrap()
}

#[tokio::test]
async fn unknown_wrong_and_disabled_get_the_same_answer() {
    // Covers: R29
    let world = World::new().await;
    let mut lily = world.app.store().account(&account_id("lily")).await.unwrap().unwrap();
    lily.status = AccountStatus::Disabled;
    let put = Op::PutAccount { account: lily, expect: Presence::Present };
    world.app.store().commit(Batch::new().with(put)).await.unwrap();
    for (username, password) in
        [("nobody", "proviso-demo"), ("maria", "wrong"), ("lily", "proviso-demo"), ("", "")]
    {
        let outcome = attempt(&world, username, password).await;
        assert!(matches!(outcome, SignInOutcome::Wrong), "{username}");
    }
    assert!(matches!(attempt(&world, " MARIA ", "proviso-demo").await, SignInOutcome::SignedIn(_)));
}

#[tokio::test]
async fn guessing_is_slowed_down_even_for_the_right_password() {
    // Covers: R29
    let world = World::new().await;
    for _ in 0..4 {
        attempt(&world, "maria", "wrong").await;
    }
    let outcome = attempt(&world, "maria", "proviso-demo").await;
    let SignInOutcome::Throttled { wait_secs } = outcome else { panic!("{outcome:?}") };
    world.clock.advance_secs(wait_secs);
    assert!(matches!(attempt(&world, "maria", "proviso-demo").await, SignInOutcome::SignedIn(_)));
}

#[tokio::test]
async fn a_session_ends_by_idleness_by_age_and_by_sign_out() {
    let world = World::new().await;
    let new = world.sign_in("maria").await;
    let cookie = new.cookie.expose().clone();
    world.clock.advance_secs(29 * 60);
    assert!(world.app.signed_in(&cookie).await.unwrap().is_some());
    world.clock.advance_secs(29 * 60);
    assert!(world.app.signed_in(&cookie).await.unwrap().is_some());
    world.clock.advance_secs(30 * 60);
    assert!(world.app.signed_in(&cookie).await.unwrap().is_none());

    let new = world.sign_in("maria").await;
    let cookie = new.cookie.expose().clone();
    for _ in 0..47 {
        world.clock.advance_secs(15 * 60);
        assert!(world.app.signed_in(&cookie).await.unwrap().is_some());
    }
    world.clock.advance_secs(15 * 60);
    assert!(world.app.signed_in(&cookie).await.unwrap().is_none());

    let new = world.sign_in("maria").await;
    let cookie = new.cookie.expose().clone();
    world.app.sign_out(&cookie, &via()).await.unwrap();
    world.app.sign_out(&cookie, &via()).await.unwrap();
    assert!(world.app.signed_in(&cookie).await.unwrap().is_none());
    assert!(world.app.signed_in("never-issued").await.unwrap().is_none());
}

#[tokio::test]
async fn signing_in_again_ends_the_session_that_the_browser_had() {
    // Covers: R23 (session id rotates at login)
    let world = World::new().await;
    let first = world.sign_in("maria").await;
    let password = Secret::new("proviso-demo".to_owned());
    let outcome =
        world.app.sign_in("maria", password, Some(first.cookie.expose()), &via()).await.unwrap();
    let SignInOutcome::SignedIn(second) = outcome else { panic!("{outcome:?}") };
    assert_ne!(first.cookie.expose(), second.cookie.expose());
    assert!(world.app.signed_in(first.cookie.expose()).await.unwrap().is_none());
    assert!(world.app.signed_in(second.cookie.expose()).await.unwrap().is_some());
}

#[tokio::test]
async fn form_tokens_belong_to_one_cookie() {
    // Covers: R23
    let world = World::new().await;
    let token = world.app.form_token("cookie-a").unwrap();
    assert!(world.app.form_token_matches("cookie-a", &token));
    assert!(!world.app.form_token_matches("cookie-b", &token));
    assert!(!world.app.form_token_matches("cookie-a", ""));
}

#[tokio::test]
async fn apps_register_themselves_where_that_is_open() {
    let world = World::new().await;
    assert_eq!(world.app.settings().registration, Registration::Open);
    let body =
        br#"{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"none"}"#;
    let answer = world.app.register_client(body, &via()).await.unwrap().unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    let id = answer["client_id"].as_str().unwrap();
    assert!(id.starts_with("app-"));
    assert!(world.app.live().client(&id.parse().unwrap()).is_some());
    assert!(world.app.is_registered_origin("https://app.example").await.unwrap());
    assert!(!world.app.is_registered_origin("https://evil.example").await.unwrap());
    let bad = world.app.register_client(b"[]", &via()).await.unwrap();
    assert_eq!(bad.unwrap_err(), RegistrationError::Malformed);
}
