//! Keys that an app keeps at an address of its own (SMART App Launch 2.2 "asymmetric").

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use proviso_testkit::signing::SigningKey;
use proviso_testkit::smart_app::ASSERTION_TYPE;
use serde_json::json;

use crate::world::World;

/// An app's own web server with its key set.
#[derive(Debug, Clone)]
struct KeySet {
    url: String,
    served: Arc<Mutex<(String, &'static str)>>,
    fetched: Arc<AtomicUsize>,
}

impl KeySet {
    async fn serve(keys: &[&SigningKey], cache_control: &'static str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let set = Self {
            url,
            served: Arc::new(Mutex::new((String::new(), cache_control))),
            fetched: Arc::new(AtomicUsize::new(0)),
        };
        set.put(keys);
        let shared = set.clone();
        let answer = get(async move || {
            shared.fetched.fetch_add(1, Ordering::SeqCst);
            let (body, cache_control) = shared.served.lock().unwrap().clone();
            ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, cache_control)], body)
        });
        let router = Router::new().route("/jwks.json", answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        set
    }

    fn put(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public_jwk().unwrap()).collect();
        self.served.lock().unwrap().0 = json!({ "keys": keys }).to_string();
    }

    fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

async fn register(world: &World, jwks_uri: &str) -> String {
    let registered = world
        .registered(&json!({
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": jwks_uri,
        }))
        .await;
    registered["client_id"].as_str().unwrap().to_owned()
}

/// Whether the server believes an assertion: it answers a question that only a proven app may ask.
async fn is_believed(world: &World, assertion: &str) -> bool {
    let fields = [
        ("token", "unknown"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    let url = world.url("/oauth/introspect");
    let answer = world.http.post_form(&url, &[], &fields).await.unwrap();
    match answer.status.as_u16() {
        200 => true,
        401 => {
            assert_eq!(answer.json().unwrap()["error"], "invalid_client");
            false
        }
        other => panic!("{other}: {}", answer.text()),
    }
}

// Covers: SMART App Launch 2.2 §asymmetric (A297, A338, A339, A341): `no-store` means each time
#[tokio::test]
async fn keys_at_an_address_are_fetched_each_time_when_they_may_not_be_kept() {
    let world = World::new().await;
    let (first, second) =
        (SigningKey::es384("first").unwrap(), SigningKey::rs384("second").unwrap());
    let set = KeySet::serve(&[&first, &second], "no-store").await;
    let id = register(&world, &set.url).await;
    let endpoint = world.url("/oauth/token");
    for (number, key) in [&first, &second].into_iter().enumerate() {
        assert!(is_believed(&world, &key.assertion(&id, &endpoint).unwrap()).await);
        assert_eq!(set.fetched(), number + 1);
    }
    // A key that is taken back is worth nothing at once.
    set.put(&[&second]);
    assert!(!is_believed(&world, &first.assertion(&id, &endpoint).unwrap()).await);
    assert!(is_believed(&world, &second.assertion(&id, &endpoint).unwrap()).await);
}

// Covers: SMART App Launch 2.2 §asymmetric (A341): `max-age` is how long they may be kept
#[tokio::test]
async fn keys_at_an_address_are_kept_while_they_may_be() {
    let world = World::new().await;
    let key = SigningKey::es384("only").unwrap();
    let set = KeySet::serve(&[&key], "max-age=3600").await;
    let id = register(&world, &set.url).await;
    let endpoint = world.url("/oauth/token");
    for _ in 0..3 {
        assert!(is_believed(&world, &key.assertion(&id, &endpoint).unwrap()).await);
    }
    assert_eq!(set.fetched(), 1);
}

// Covers: SMART App Launch 2.2 §asymmetric (A338): `jku` counts only where it is registered
#[tokio::test]
async fn an_address_in_a_header_is_not_followed() {
    let world = World::new().await;
    let (own, stranger) = (SigningKey::es384("k").unwrap(), SigningKey::es384("k").unwrap());
    let own_set = KeySet::serve(&[&own], "no-store").await;
    let foreign_set = KeySet::serve(&[&stranger], "no-store").await;
    let id = register(&world, &own_set.url).await;
    let claims = || SigningKey::claims(&id, &world.url("/oauth/token")).unwrap();
    let mut header = stranger.header();
    header["jku"] = json!(foreign_set.url);
    assert!(!is_believed(&world, &stranger.sign(&header, &claims()).unwrap()).await);
    assert_eq!(foreign_set.fetched(), 0);
    // SHOULD 326: without a `jku`, or with the registered one, the registered address is used.
    let mut header = own.header();
    header["jku"] = json!(own_set.url);
    assert!(is_believed(&world, &own.sign(&header, &claims()).unwrap()).await);
    assert!(is_believed(&world, &own.sign(&own.header(), &claims()).unwrap()).await);
}

// Covers: SMART App Launch 2.2 §asymmetric (A338, A340): keys that cannot be had open nothing
#[tokio::test]
async fn keys_that_cannot_be_fetched_or_read_open_nothing() {
    let world = World::new().await;
    let key = SigningKey::es384("k").unwrap();
    let endpoint = world.url("/oauth/token");
    let closed = proviso_testkit::process::free_port().unwrap();
    let id = register(&world, &format!("http://127.0.0.1:{closed}/jwks.json")).await;
    assert!(!is_believed(&world, &key.assertion(&id, &endpoint).unwrap()).await);

    let set = KeySet::serve(&[&key], "no-store").await;
    let id = register(&world, &set.url).await;
    for broken in ["", "[]", "{\"keys\":\"none\"}", "<html>"] {
        broken.clone_into(&mut set.served.lock().unwrap().0);
        assert!(!is_believed(&world, &key.assertion(&id, &endpoint).unwrap()).await, "{broken}");
    }
    // The address may name no key set at registration already.
    let answer = world.register(&json!({ "token_endpoint_auth_method": "private_key_jwt" })).await;
    assert_eq!(answer.status, 400, "neither `jwks` nor `jwks_uri`");
}
