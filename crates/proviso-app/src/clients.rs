//! Registered apps: finding them, believing them, registering them.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{Hash as _, Hasher as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::id::{ClientId, PatientId, hex};
use proviso_core::time::At;
use proviso_oauth::client_auth::{self, Authenticated, ClientAuthError, Presented};
use proviso_oauth::jose::KeySet;
use proviso_oauth::record::UsedAssertion;
use proviso_oauth::register::{Issued, Metadata, Registered, RegistrationError};
use proviso_oauth::server::ServerUrls;
use proviso_store::{Batch, Op, Presence};

// What `save_client` takes: callers that know no protocol need the words for an app.
pub use proviso_oauth::record::{
    Client, ClientAuthentication, ClientKeys, ClientProfile, ClientStatus, GrantType,
    IdTokenAlgorithm, TokenHash, TokenLifetimes,
};
use proviso_oauth::record::{SELF_REGISTERED_BYTES, SELF_REGISTERED_PREFIX};

use crate::App;
use crate::failure::Failure;
use crate::password::PasswordChecks;
use crate::settings::Registration;
use crate::throttle::Throttle;
use crate::via::Via;

/// A JWK set fetched from an app's registered URL.
#[derive(Debug, Clone)]
pub struct FetchedKeys {
    /// The body.
    pub body: String,
    /// How long `Cache-Control` allows keeping it; `None` when it says nothing, zero for `no-store`.
    pub max_age_secs: Option<i64>,
}

/// The keys could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the app's keys could not be fetched")]
pub struct KeyFetchError;

/// Fetches JWK sets of apps by plain GET (SMART 339); the network side is someone else's.
pub trait KeyFetch: Send + Sync + core::fmt::Debug {
    /// Fetches a JWK set. Redirects to other hosts and bodies over 64 KiB are failures.
    fn fetch<'a>(
        &'a self,
        url: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<FetchedKeys, KeyFetchError>> + Send + 'a>>;
}

/// Without `Cache-Control`, keys are kept this long.
const KEYS_KEPT_SECS: i64 = 60;
/// No `Cache-Control` keeps keys longer than this.
const KEYS_KEPT_SECS_MAX: i64 = 3600;

/// A parsed JWK set and until when it may be used.
type CachedKeys = (KeySet, At);

/// What signing in and issuing tokens remember between requests, in memory only.
#[derive(Debug)]
pub(crate) struct AuthMemory {
    pub(crate) throttle: Throttle,
    app_throttle: Throttle,
    pub(crate) passwords: PasswordChecks,
    pub(crate) choices: ChoiceTurns,
    registrations: Registrations,
    pub(crate) verified: crate::bearer::VerifiedTokens,
    key_fetch: OnceLock<Arc<dyn KeyFetch>>,
    fetched_keys: Mutex<HashMap<String, CachedKeys>>,
}

impl AuthMemory {
    pub(crate) fn new() -> Self {
        Self {
            throttle: Throttle::of_passwords(),
            app_throttle: Throttle::of_app_secrets(),
            passwords: PasswordChecks::new(),
            choices: ChoiceTurns::default(),
            registrations: Registrations::default(),
            verified: crate::bearer::VerifiedTokens::new(),
            key_fetch: OnceLock::new(),
            fetched_keys: Mutex::default(),
        }
    }
}

/// Lets choices about one patient be recorded one after the other: whether there is an earlier
/// choice for the same app must still be true when the new one is written.
#[derive(Debug)]
pub(crate) struct ChoiceTurns(Vec<Arc<tokio::sync::Mutex<()>>>);

// LIMIT: patients who share a turn wait a few milliseconds for one another.
const CHOICE_TURNS: u64 = 64;

impl Default for ChoiceTurns {
    fn default() -> Self {
        Self((0..CHOICE_TURNS).map(|_| Arc::default()).collect())
    }
}

impl ChoiceTurns {
    /// Waits for the turn of a patient; it is over when the answer is dropped.
    pub(crate) async fn turn_of(
        &self,
        patient: &PatientId,
    ) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        let mut hasher = std::hash::DefaultHasher::new();
        patient.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % CHOICE_TURNS).ok()?;
        Some(Arc::clone(self.0.get(place)?).lock_owned().await)
    }
}

/// How many apps one address may register within an hour.
const REGISTRATIONS_PER_ADDRESS: u32 = 60;
/// How many may be registered within an hour in all: each is kept for good, and everybody's lists
/// of apps grow with it.
const REGISTRATIONS_IN_ALL: u32 = 600;
const HOUR_SECS: i64 = 3600;

/// The registrations of the current hour, in memory; a restart forgets them.
#[derive(Debug, Default)]
struct Registrations(Mutex<Option<RegistrationHour>>);

#[derive(Debug)]
struct RegistrationHour {
    began: At,
    in_all: u32,
    by_address: HashMap<String, u32>,
}

impl Registrations {
    /// Counts a try; whether it may be made. Tries that fail count too: reading them is work.
    fn admit(&self, address: &str, at: At) -> bool {
        let mut hour = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = hour.take().filter(|hour| at < hour.began.plus_secs(HOUR_SECS));
        let current = hour.insert(current.unwrap_or_else(|| RegistrationHour {
            began: at,
            in_all: 0,
            by_address: HashMap::new(),
        }));
        if current.in_all >= REGISTRATIONS_IN_ALL {
            return false;
        }
        let own = current.by_address.entry(address.to_owned()).or_default();
        if *own >= REGISTRATIONS_PER_ADDRESS {
            return false;
        }
        *own += 1;
        current.in_all += 1;
        true
    }
}

/// A name as people tell names apart: neither case nor spaces nor signs make another one.
fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// An app that was believed.
#[derive(Debug, Clone)]
pub(crate) struct Believed {
    pub(crate) client: Arc<Client>,
    /// The assertion that proved it, to be recorded in the same commit as its effect.
    pub(crate) assertion: Option<UsedAssertion>,
}

impl App {
    /// The addresses under which this server is known.
    pub fn urls(&self) -> ServerUrls {
        ServerUrls::new(self.settings.public_url.as_str())
    }

    /// Sets how keys of apps are fetched. Until then apps that registered a JWKS URL are refused.
    pub fn install_key_fetch(&self, fetch: Arc<dyn KeyFetch>) {
        if self.auth.key_fetch.set(fetch).is_err() {
            tracing::warn!("the key fetcher was set before and stays");
        }
    }

    /// Whether a browser origin may call the token endpoint and the FHIR API (A17): it belongs to
    /// an app that is in use.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_registered_origin(&self, origin: &str) -> Result<bool, Failure> {
        let clients = self.store.clients().await?;
        Ok(clients.iter().any(|client| {
            client.status == ClientStatus::Active
                && client.origins.iter().any(|registered| registered == origin)
        }))
    }

    /// Believes the app behind a request, or says why not. Nothing is recorded yet.
    ///
    /// R29: guessing a secret is slowed down as guessing a password is. An app that signs has
    /// nothing to be guessed, and a public one nothing to guess.
    pub(crate) async fn believe(
        &self,
        presented: &Presented,
        via: &Via,
    ) -> Result<Result<Believed, ClientAuthError>, Failure> {
        let guessed = match presented {
            Presented::Secret { candidates, .. } => candidates.first().map(|(id, _)| id.as_str()),
            Presented::Id(_) | Presented::Assertion { .. } | Presented::Nothing => None,
        };
        let Some(id) = guessed else { return self.believe_shown(presented).await };
        let throttle = &self.auth.app_throttle;
        let address = via.network.as_deref().unwrap_or("unknown");
        if let Some(wait) = throttle.wait_secs(id, address, self.now()) {
            let wait_secs = u32::try_from(wait).unwrap_or(u32::MAX);
            return Ok(Err(ClientAuthError::Throttled { wait_secs }));
        }
        let believed = self.believe_shown(presented).await?;
        // Counted afterwards: a busy app with the right secret asks many times at once.
        if believed.is_err() {
            throttle.tried(id, address, self.now());
        }
        Ok(believed)
    }

    async fn believe_shown(
        &self,
        presented: &Presented,
    ) -> Result<Result<Believed, ClientAuthError>, Failure> {
        let urls = self.urls();
        let mut last = match presented {
            Presented::Nothing => ClientAuthError::Missing,
            Presented::Id(_) | Presented::Secret { .. } | Presented::Assertion { .. } => {
                ClientAuthError::Failed
            }
        };
        for id in presented.claimed_clients() {
            let Some(client) = self.live.client(id) else { continue };
            let keys = self.keys_of(&client, presented).await;
            let at = self.now();
            match client_auth::authenticate(&client, presented, keys.as_ref(), &urls, at) {
                Ok(Authenticated::Public | Authenticated::BySecret) => {
                    return Ok(Ok(Believed { client, assertion: None }));
                }
                Ok(Authenticated::ByAssertion(used)) => {
                    return Ok(Ok(Believed { client, assertion: Some(used) }));
                }
                Err(error) => last = error,
            }
        }
        Ok(Err(last))
    }

    /// The public keys of an app, when the request needs them and they can be had.
    async fn keys_of(&self, client: &Client, presented: &Presented) -> Option<KeySet> {
        if !matches!(presented, Presented::Assertion { .. }) {
            return None;
        }
        match &client.authentication {
            ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Inline(text) } => {
                KeySet::parse(text).ok()
            }
            ClientAuthentication::PrivateKeyJwt { keys: ClientKeys::Uri(uri) } => {
                self.fetched_keys(uri).await
            }
            ClientAuthentication::None | ClientAuthentication::ClientSecret { .. } => None,
        }
    }

    /// Keys from a URL, kept only as long as their `Cache-Control` allows (SMART 341).
    async fn fetched_keys(&self, uri: &str) -> Option<KeySet> {
        let at = self.now();
        {
            let cache = self.auth.fetched_keys.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((keys, until)) = cache.get(uri)
                && at < *until
            {
                return Some(keys.clone());
            }
        }
        let fetch = self.auth.key_fetch.get()?;
        let fetched = fetch.fetch(uri).await.ok()?;
        let keys = KeySet::parse(&fetched.body).ok()?;
        let kept = fetched.max_age_secs.unwrap_or(KEYS_KEPT_SECS).clamp(0, KEYS_KEPT_SECS_MAX);
        let mut cache = self.auth.fetched_keys.lock().unwrap_or_else(PoisonError::into_inner);
        // LIMIT: one entry per registered app with a URL; ended entries make room.
        cache.retain(|_, (_, until)| at < *until);
        if kept > 0 {
            cache.insert(uri.to_owned(), (keys.clone(), at.plus_secs(kept)));
        }
        Some(keys)
    }

    /// Registers an app that describes itself (RFC 7591), where that is open.
    ///
    /// # Errors
    /// When something inside fails; nothing was registered then.
    pub async fn register_client(
        &self,
        body: &[u8],
        via: &Via,
    ) -> Result<Result<Registered, RegistrationError>, Failure> {
        if self.settings.registration != Registration::Open {
            return Ok(Err(RegistrationError::Closed));
        }
        let address = via.network.as_deref().unwrap_or("unknown");
        if !self.auth.registrations.admit(address, self.now()) {
            return Ok(Err(RegistrationError::TooMany));
        }
        let mut random = [0_u8; SELF_REGISTERED_BYTES];
        self.entropy.fill(&mut random)?;
        let id = format!("{SELF_REGISTERED_PREFIX}{}", hex(&random));
        let Ok(id) = id.parse::<ClientId>() else {
            return Ok(Err(RegistrationError::Malformed));
        };
        let issued = Issued { id, secret: self.new_secret()? };
        let client = match Metadata::parse(body)
            .and_then(|metadata| metadata.into_client(&issued, self.now()))
        {
            Ok(client) => client,
            Err(error) => return Ok(Err(error)),
        };
        // Nobody takes the name of an app that the organisation has agreed to.
        let own = folded(&client.name);
        let clients = self.store.clients().await?;
        if clients.iter().any(|known| !known.registered_itself() && folded(&known.name) == own) {
            return Ok(Err(RegistrationError::Member("client_name")));
        }
        let answer = Registered::of(&client, &issued);
        self.save_client(client, Presence::Absent, "register", via).await?;
        Ok(Ok(answer))
    }

    /// Saves an app, new or changed, with its audit entry.
    ///
    /// # Errors
    /// When it cannot be written, or is there when it should not be, or the other way.
    pub async fn save_client(
        &self,
        client: Client,
        expect: Presence,
        action: &str,
        via: &Via,
    ) -> Result<(), Failure> {
        let mut entry =
            self.draft_entry(via, AuditKind::ClientRegistration, AuditOutcome::Success, action)?;
        entry.client = Some(client.id.clone());
        self.commit(Batch::new().with(Op::PutClient { client, expect }), entry).await?;
        Ok(())
    }
}
