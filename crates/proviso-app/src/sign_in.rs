//! Signing in with username and password.

use proviso_core::account::AccountStatus;
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::reason::ReasonCode;
use proviso_core::secret::Secret;
use proviso_oauth::record::TokenHash;
use proviso_store::{Batch, Op};

use crate::App;
use crate::failure::Failure;
use crate::password::PasswordError;
use crate::session::NewSession;
use crate::via::Via;

/// How a try to sign in ended.
#[derive(Debug)]
pub enum SignInOutcome {
    /// Signed in, in a new session; the one before it, if any, has ended.
    SignedIn(Box<NewSession>),
    /// Unknown username, wrong password, or an account that may not sign in: one answer (R29).
    Wrong,
    /// Too many wrong answers, or too many people at once; nothing was checked.
    Throttled {
        /// When to try again.
        wait_secs: i64,
    },
}

impl App {
    /// Signs a person in and begins a new session; a session that the browser had before ends, so
    /// that nobody can plant one (R23).
    ///
    /// # Errors
    /// When the store or the audit log fails; nobody is signed in then.
    pub async fn sign_in(
        &self,
        username: &str,
        password: Secret<String>,
        previous_cookie: Option<&str>,
        via: &Via,
    ) -> Result<SignInOutcome, Failure> {
        let address = via.network.as_deref().unwrap_or("unknown");
        let username = username.trim();
        if let Some(wait_secs) = self.auth.throttle.wait_secs(username, address, self.now()) {
            return Ok(SignInOutcome::Throttled { wait_secs });
        }
        self.auth.throttle.tried(username, address, self.now());
        let account = if username.is_empty() || username.len() > 256 {
            None
        } else {
            self.store.account_by_username(username).await?
        };
        // A disabled account's password is checked too: the time must not tell it apart.
        let hash = account.as_ref().and_then(|account| account.password_hash.clone());
        let right = match self.auth.passwords.check(hash, password).await {
            Ok(right) => right,
            Err(PasswordError::Busy) => return Ok(SignInOutcome::Throttled { wait_secs: 2 }),
            Err(PasswordError::Hash) => false,
        };
        match account {
            Some(account) if right && account.status == AccountStatus::Active => {
                self.auth.throttle.succeeded(username, address);
                self.begin_session(account, previous_cookie, via).await
            }
            account => {
                let mut entry =
                    self.draft_entry(via, AuditKind::SignIn, AuditOutcome::Failure, "password")?;
                // What was typed is not kept: people type passwords into the wrong field.
                if right {
                    entry.reasons = vec![ReasonCode::AccountDisabled];
                }
                entry.account = account.map(|account| account.id);
                self.commit(Batch::new(), entry).await?;
                Ok(SignInOutcome::Wrong)
            }
        }
    }

    async fn begin_session(
        &self,
        account: proviso_core::account::Account,
        previous_cookie: Option<&str>,
        via: &Via,
    ) -> Result<SignInOutcome, Failure> {
        let new = self.new_session(account)?;
        let mut batch = Batch::new();
        if let Some(cookie) = previous_cookie {
            let hash = TokenHash::of(cookie).to_hex();
            let previous = self.store.session_by_secret(&hash).await?;
            if let Some(previous) = previous.filter(|session| session.ended_at.is_none()) {
                batch.push(Op::EndSession { id: previous.id, at: self.now() });
            }
        }
        batch.push(Op::PutSession(new.signed_in.session.clone()));
        let mut entry =
            self.draft_entry(via, AuditKind::SignIn, AuditOutcome::Success, "password")?;
        entry.account = Some(new.signed_in.account.id.clone());
        entry.session = Some(new.signed_in.session.id.clone());
        self.commit(batch, entry).await?;
        Ok(SignInOutcome::SignedIn(Box::new(new)))
    }
}
