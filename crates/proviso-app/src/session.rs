//! Signed-in browsers: a 256-bit secret in a cookie, only its hash in the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proviso_core::account::{Account, AccountStatus, Session};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::id::SessionId;
use proviso_core::secret::Secret;
use proviso_core::time::At;
use proviso_oauth::record::TokenHash;
use proviso_store::{Batch, Op, Precondition};

use crate::App;
use crate::failure::Failure;
use crate::ports::EntropyError;
use crate::via::Via;

/// How often a used session is noted in the store; between notes the idle limit is that much
/// stricter, never looser.
const TOUCH_EVERY_SECS: i64 = 60;

/// A person behind a browser.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The person.
    pub account: Account,
}

/// A session that has just begun, with the secret for its cookie.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Who signed in.
    pub signed_in: SignedIn,
    /// The value of the session cookie; it cannot be had again.
    pub cookie: Secret<String>,
}

impl App {
    /// A new secret of 256 bits as base64url: cookies, codes, refresh tokens, launch values.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new_secret(&self) -> Result<Secret<String>, EntropyError> {
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(self.entropy.secret_bytes()?)))
    }

    /// The token that forms carry so that no other site can post them (R23). It belongs to one
    /// cookie: the session cookie, or before sign-in the cookie of the browser.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn form_token(&self, cookie: &str) -> Result<String, Failure> {
        let tag = self.keys.hmac(b"proviso form token 1", cookie.as_bytes())?;
        Ok(URL_SAFE_NO_PAD.encode(tag))
    }

    /// Whether a form's token belongs to the cookie.
    pub fn form_token_matches(&self, cookie: &str, token: &str) -> bool {
        self.form_token(cookie).is_ok_and(|own| Secret::new(own).matches(token.as_bytes()))
    }

    /// The person behind a session cookie, if the session is alive.
    ///
    /// # Errors
    /// When the store fails; nobody counts as signed in then.
    pub async fn signed_in(&self, cookie: &str) -> Result<Option<SignedIn>, Failure> {
        let at = self.now();
        let hash = TokenHash::of(cookie).to_hex();
        let Some(session) = self.store.session_by_secret(&hash).await? else { return Ok(None) };
        if !self.session_is_alive(&session, at) {
            return Ok(None);
        }
        let account = self.store.account(&session.account).await?;
        let Some(account) = account.filter(|account| account.status == AccountStatus::Active)
        else {
            return Ok(None);
        };
        if session.last_used_at.plus_secs(TOUCH_EVERY_SECS) <= at {
            let touch = Op::TouchSession { id: session.id.clone(), at };
            match self.store.commit(Batch::new().with(touch)).await {
                Ok(_) => {}
                // It was ended between our read and now.
                Err(error) if error.precondition().is_some() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(SignedIn { session, account }))
    }

    /// Whether a session goes on at an instant: nobody signed out, and neither the absolute nor the
    /// idle limit is reached. The browser and every token that lives as long as the session ask the
    /// same question, so that neither outlasts the other.
    pub(crate) fn session_is_alive(&self, session: &Session, at: At) -> bool {
        let idle_until = session.last_used_at.plus_secs(self.settings.session_idle_secs);
        session.ended_at.is_none() && at < session.expires_at && at < idle_until
    }

    /// A session value for an account; the caller stores it together with its audit entry.
    pub(crate) fn new_session(&self, account: Account) -> Result<NewSession, Failure> {
        let at = self.now();
        let cookie = self.new_secret()?;
        let session = Session {
            id: SessionId::generate(at, self.entropy.for_id()?),
            secret_hash: TokenHash::of(cookie.expose()).to_hex(),
            account: account.id.clone(),
            authenticated_at: at,
            last_used_at: at,
            expires_at: at.plus_secs(self.settings.session_absolute_secs),
            ended_at: None,
        };
        Ok(NewSession { signed_in: SignedIn { session, account }, cookie })
    }

    /// Forgets sessions, launches, requests, codes and assertions that ended a day ago or earlier.
    /// To be called now and then; nothing that could still be used or must be noticed is touched.
    ///
    /// # Errors
    /// When the store fails; it may be tried again.
    pub async fn purge_expired(&self) -> Result<(), Failure> {
        let before = self.now().plus_days(-1);
        self.store.commit(Batch::new().with(Op::PurgeExpired { before })).await?;
        Ok(())
    }

    /// Ends the session of a cookie. Signing out twice is no error.
    ///
    /// # Errors
    /// When the store fails; the session may still be alive then.
    pub async fn sign_out(&self, cookie: &str, via: &Via) -> Result<(), Failure> {
        let hash = TokenHash::of(cookie).to_hex();
        let Some(session) = self.store.session_by_secret(&hash).await? else { return Ok(()) };
        if session.ended_at.is_some() {
            return Ok(());
        }
        let mut entry =
            self.draft_entry(via, AuditKind::SignOut, AuditOutcome::Success, "sign-out")?;
        entry.account = Some(session.account.clone());
        entry.session = Some(session.id.clone());
        let end = Op::EndSession { id: session.id, at: entry.at };
        match self.commit(Batch::new().with(end), entry).await {
            Ok(_) => Ok(()),
            Err(error) if error.precondition() == Some(&Precondition::Ended) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
