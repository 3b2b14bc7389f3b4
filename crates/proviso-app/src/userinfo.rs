//! Who the person behind an access token is (OIDC Core §5.3): told only once the log knows of it.

use std::sync::Arc;

use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::reason::ReasonCode;
use proviso_core::scope::Scope;
use proviso_core::time::At;
use proviso_oauth::claims::{UserInfo, fhir_user_url};
use proviso_oauth::record::Grant;

use crate::App;
use crate::authorize::own_patient;
use crate::bearer::BearerError;
use crate::failure::Failure;
use crate::token::describe;
use crate::via::Via;

/// Why nobody is told who somebody is.
#[derive(Debug, thiserror::Error)]
pub enum UserInfoError {
    /// The token opens nothing, or was not given with `openid`.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// Something inside failed, the log for one; nothing may be told.
    #[error("the server cannot answer just now")]
    Unavailable(#[from] Failure),
}

/// The person, and the grant by which an app may know of them.
struct Known {
    grant: Arc<Grant>,
    info: UserInfo,
}

impl App {
    /// Says who the person behind a token is, once the entry about it is durable.
    ///
    /// # Errors
    /// When the token opens nothing (which is logged too), or something inside fails.
    pub async fn userinfo(&self, token: &str, via: &Via) -> Result<UserInfo, UserInfoError> {
        let Known { grant, .. } = match self.person_behind(token, self.now()) {
            Ok(known) => known,
            Err(error) => return self.refuse_userinfo(token, error, via).await,
        };
        let mut entry = self.identity_entry(AuditOutcome::Success, via)?;
        describe(&mut entry, &grant);
        self.add_own_patient(&mut entry);
        self.append_audit(entry).await.map_err(Failure::from)?;
        // Writing the log takes time, and the connection may end meanwhile: asked once more, last.
        match self.person_behind(token, self.now()) {
            Ok(known) => Ok(known.info),
            Err(error) => self.refuse_userinfo(token, error, via).await,
        }
    }

    fn person_behind(&self, token: &str, at: At) -> Result<Known, BearerError> {
        let claims = self.verified_claims(token, at)?;
        let grant = self.live_grant(&claims, at)?;
        let scopes = self.scopes_now(&claims.scope, &grant).into_vec();
        let Some(account) = grant.account.as_ref().filter(|_| scopes.contains(&Scope::OpenId))
        else {
            return Err(BearerError::Invalid);
        };
        let fhir_user = fhir_user_url(&grant, &scopes, &self.urls());
        let info = UserInfo {
            sub: account.as_str().to_owned(),
            profile: fhir_user.clone().filter(|_| scopes.contains(&Scope::Profile)),
            fhir_user: fhir_user.filter(|_| scopes.contains(&Scope::FhirUser)),
        };
        Ok(Known { grant, info })
    }

    /// Logs a refusal and passes it on; whose connection has ended sees that the app still tried.
    async fn refuse_userinfo(
        &self,
        token: &str,
        error: BearerError,
        via: &Via,
    ) -> Result<UserInfo, UserInfoError> {
        let (outcome, reason) = match error {
            BearerError::Invalid | BearerError::Expired | BearerError::Audience => {
                (AuditOutcome::Failure, None)
            }
            BearerError::GrantEnded => (AuditOutcome::Denied, Some(ReasonCode::ConsentNotInForce)),
            BearerError::ConsentEnded => (AuditOutcome::Denied, Some(ReasonCode::ConsentRevoked)),
            BearerError::Disabled => (AuditOutcome::Denied, Some(ReasonCode::AccountDisabled)),
        };
        let mut entry = self.identity_entry(outcome, via)?;
        entry.reasons.extend(reason);
        if let Some(holder) = self.holder_of_ended(token, self.now()).await {
            entry.client = Some(holder.caller.client);
            entry.account = holder.caller.account;
            entry.grant = Some(holder.caller.grant);
            entry.purpose = Some(holder.caller.purpose);
            entry.patients = holder.caller.patient.into_iter().collect();
            self.add_own_patient(&mut entry);
            if holder.revoked {
                entry.reasons = vec![ReasonCode::ConsentRevoked];
            }
        }
        self.append_audit(entry).await.map_err(Failure::from)?;
        Err(error.into())
    }

    fn identity_entry(&self, outcome: AuditOutcome, via: &Via) -> Result<AuditEntry, Failure> {
        Ok(self.draft_entry(via, AuditKind::Identity, outcome, "userinfo")?)
    }

    /// The connection may be about somebody for whom the person acts; what is told is about the
    /// person, who may be a patient here too.
    fn add_own_patient(&self, entry: &mut AuditEntry) {
        let account = entry.account.as_ref().and_then(|id| self.live.account(id));
        let own = account.and_then(|account| own_patient(&account));
        if let Some(own) = own.filter(|own| !entry.patients.contains(own)) {
            entry.patients.push(own);
        }
    }
}
