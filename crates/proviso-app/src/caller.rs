//! Who is behind a request, once its token has been verified against the live grant.

use proviso_core::account::ActorKind;
use proviso_core::category::PurposeOfUse;
use proviso_core::id::{AccountId, ClientId, ConsentId, GrantId, PatientId, ResourceId, TokenId};
use proviso_core::org::Network;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::At;
use proviso_oauth::record::Grant;

use crate::bearer::scopes_now;
use crate::live::Live;

/// The authenticated identity of one request: an app, and the person it acts for, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Which app.
    pub client: ClientId,
    /// Which person signed in when the grant was made.
    pub account: Option<AccountId>,
    /// What kind of actor that person is; `System` for a service.
    pub kind: ActorKind,
    /// The OAuth grant behind the token.
    pub grant: GrantId,
    /// The token's `jti`.
    pub token: TokenId,
    /// What the token carries, already cut down to what the live grant allows.
    pub scopes: Vec<Scope>,
    /// The patient in context, if the launch fixed one.
    pub patient: Option<PatientId>,
    /// The consent the grant rests on, for patient-directed access.
    pub consent: Option<ConsentId>,
    /// What for.
    pub purpose: PurposeOfUse,
    /// The FHIR resource that is the person.
    pub fhir_user: Option<(ResourceType, ResourceId)>,
    /// From which network the request came; `None` when that is not known.
    pub network: Option<Network>,
    /// When the token ends.
    pub expires_at: At,
    /// For so many seconds the token lives in all; the most there can be, where no token takes part.
    pub token_secs: i64,
}

impl Caller {
    /// Who acts by a grant with a scope, for as long as the grant lasts; nobody when the person who
    /// gave it is not known any more.
    pub(crate) fn of_grant(
        live: &Live,
        grant: &Grant,
        scope: &str,
        token: TokenId,
    ) -> Option<Self> {
        let kind = match &grant.account {
            None => ActorKind::System,
            Some(id) => live.account(id)?.kind,
        };
        Some(Self {
            client: grant.client.clone(),
            account: grant.account.clone(),
            kind,
            grant: grant.id.clone(),
            token,
            scopes: scopes_now(live, scope, grant).into_vec(),
            patient: grant.context.patient.clone(),
            consent: grant.consent().cloned(),
            purpose: grant.purpose,
            fhir_user: grant.fhir_user.clone(),
            network: None,
            expires_at: grant.expires_at.unwrap_or(At::from_micros(i64::MAX)),
            token_secs: i64::MAX,
        })
    }
}
