//! Answers that are a no: to the app when it is safe to go there, else to the person.

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_oauth::authorize::{AuthorizeError, Refusal, ReturnAddress};
use proviso_oauth::record::{AuthorizationRequest, AuthorizationStage, Client};
use proviso_store::{Batch, Op, Precondition};

use super::{PageRefusal, Step};
use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

impl App {
    /// Answers a stored request with an error, for good.
    pub(super) async fn fail(
        &self,
        request: AuthorizationRequest,
        person: Option<&SignedIn>,
        error: AuthorizeError,
        via: &Via,
    ) -> Result<Step, Failure> {
        let outcome = if error == AuthorizeError::AccessDenied {
            AuditOutcome::Denied
        } else {
            AuditOutcome::Failure
        };
        let mut entry = self.draft_entry(via, AuditKind::Authorization, outcome, error.code())?;
        entry.client = Some(request.requested.client.clone());
        entry.account = person.map(|person| person.account.id.clone());
        entry.session = person.map(|person| person.session.id.clone());
        let url = ReturnAddress::of(&request).with_error(error, self.urls().issuer());
        let expect = Some(request.revision);
        let mut request = request;
        request.revision += 1;
        request.stage = match person {
            Some(person) => AuthorizationStage::Decided {
                account: person.account.id.clone(),
                at: entry.at,
                grant: None,
            },
            // Nobody answered it; it simply may not be used again.
            None => request.stage,
        };
        if person.is_none() {
            request.expires_at = entry.at;
        }
        let put = Op::PutAuthorizationRequest { request, expect };
        match self.commit(Batch::new().with(put), entry).await {
            Ok(_) => Ok(Step::Return { url }),
            Err(error) if error.precondition() == Some(&Precondition::Changed) => {
                Ok(Step::Refused { why: PageRefusal::ChangedElsewhere, return_link: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Refuses a request that never was one.
    pub(super) async fn refuse(
        &self,
        refusal: Refusal,
        client: Option<&Client>,
        signed_in: Option<&SignedIn>,
        via: &Via,
    ) -> Result<Step, Failure> {
        let action = match &refusal {
            Refusal::Page(error) => error.code(),
            Refusal::Return { error, .. } => error.code(),
        };
        let mut entry =
            self.draft_entry(via, AuditKind::Authorization, AuditOutcome::Failure, action)?;
        entry.client = client.map(|client| client.id.clone());
        entry.account = signed_in.map(|person| person.account.id.clone());
        entry.session = signed_in.map(|person| person.session.id.clone());
        self.commit(Batch::new(), entry).await?;
        Ok(match refusal {
            Refusal::Page(error) => Step::Refused { why: error.into(), return_link: None },
            Refusal::Return { to, error, silent } => {
                let url = to.with_error(error, self.urls().issuer());
                // R24: a browser in which nobody is signed in is not sent anywhere by a link that
                // a stranger may have made; the person may go by their own click. Silent requests
                // are the exception that RFC 9700 §4.11.2 names.
                if silent || signed_in.is_some() {
                    Step::Return { url }
                } else {
                    Step::Refused { why: PageRefusal::App(error), return_link: Some(url) }
                }
            }
        })
    }
}
