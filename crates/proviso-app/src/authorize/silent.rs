//! `prompt=none`: an answer without a page, from what was decided before or not at all (O1).

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::scope::ScopeSet;
use proviso_oauth::authorize::AuthorizeError;
use proviso_oauth::record::{AuthorizationRequest, Client, LaunchContext};
use proviso_oauth::redirect;
use proviso_store::Batch;

use super::{Access, Step};
use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

/// Whether it can be known that the answer reaches the app itself and no other program.
///
/// RFC 8252 §8.6: no request is answered without the person where the identity of the app cannot be
/// assured. A confidential client proves who it is when it redeems the code, and an `https` address
/// is its owner's; a public app on a loopback address or behind a scheme of its own has neither,
/// and any program on the same machine can ask in its name.
pub(super) fn may_be_answered_silently(client: &Client, request: &AuthorizationRequest) -> bool {
    !client.is_public() || !redirect::is_native(&request.requested.redirect_uri)
}

impl App {
    /// Uses a connection that this person has already allowed this app for this patient, when it
    /// covers everything asked for; otherwise the person must be asked.
    pub(super) async fn answer_silently(
        &self,
        request: AuthorizationRequest,
        client: &Client,
        person: &SignedIn,
        context: &LaunchContext,
        access: Access,
        via: &Via,
    ) -> Result<Step, Failure> {
        let at = self.now();
        let asked = ScopeSet::from(request.requested.scopes.clone());
        let mut earlier = None;
        for grant in self.store.grants_of_account(&person.account.id).await? {
            let fits = grant.client == client.id
                && grant.is_live(at)
                && grant.context.patient == context.patient
                && asked.is_within(&grant.scopes)
                && grant.emergency() == context.emergency.as_ref()
                && grant.consent().is_some() == (access == Access::PatientDirected);
            if fits && self.check_basis(&grant, at).is_ok() {
                earlier = Some(grant);
            }
        }
        let Some(earlier) = earlier else {
            return self.fail(request, Some(person), AuthorizeError::ConsentRequired, via).await;
        };
        let mut grant =
            self.grant_for(&request, person, context, asked.into_vec(), earlier.renewal.clone())?;
        grant.basis = earlier.basis.clone();
        grant.purpose = earlier.purpose;
        grant.expires_at = earlier.expires_at;
        let mut entry =
            self.draft_entry(via, AuditKind::Authorization, AuditOutcome::Success, "silent")?;
        entry.patients = context.patient.iter().cloned().collect();
        self.finish_with_code(request, person, grant, Batch::new(), entry).await
    }
}
