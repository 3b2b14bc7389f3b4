//! Services that act for themselves (RFC 6749 §4.4, SMART Backend Services).

use proviso_core::id::GrantId;
use proviso_core::time::At;
use proviso_oauth::record::{Client, Grant, GrantBasis, LaunchContext, Renewal};
use proviso_oauth::token::{self, TokenError};
use proviso_store::{Batch, Op};

use super::{Answer, Issue};
use crate::App;
use crate::clients::Believed;
use crate::failure::Failure;
use crate::via::Via;

impl App {
    pub(super) async fn issue_to_service(
        &self,
        believed: &Believed,
        scope: &str,
        via: &Via,
    ) -> Answer {
        let at = self.now();
        let client = &believed.client;
        let scopes = match token::service_scopes(client, scope) {
            Ok(scopes) => scopes,
            Err(error) => return Ok(Err((error, None))),
        };
        // One grant stands for the agreement; it is made anew when it was ended or changed.
        let existing = self.store.grants_of_client(&client.id).await?.into_iter().find(|grant| {
            grant.basis == GrantBasis::PreAuthorized
                && grant.is_live(at)
                && grant.scopes == client.scopes
                && grant.purpose == client.purpose
        });
        let mut batch = Batch::new();
        let grant = if let Some(grant) = existing {
            grant
        } else {
            let grant = self.service_grant(client, at)?;
            batch.push(Op::PutGrant(grant.clone()));
            grant
        };
        let issue = Issue {
            believed,
            grant: &grant,
            scopes,
            refresh_token: None,
            action: "client-credentials",
            with_id_token: false,
        };
        match self.issue(issue, batch, via).await {
            Ok(response) => Ok(Ok(response)),
            Err(failure) => match failure.precondition() {
                Some(_) => Ok(Err((TokenError::AssertionReplayed, Some(grant.id)))),
                None => Err(failure),
            },
        }
    }

    fn service_grant(&self, client: &Client, at: At) -> Result<Grant, Failure> {
        Ok(Grant {
            id: GrantId::generate(at, self.entropy.for_id()?),
            client: client.id.clone(),
            account: None,
            basis: GrantBasis::PreAuthorized,
            scopes: client.scopes.clone(),
            context: LaunchContext::default(),
            purpose: client.purpose,
            renewal: Renewal::None,
            fhir_user: None,
            authenticated_at: None,
            nonce: None,
            created_at: at,
            expires_at: None,
            ended: None,
        })
    }
}
