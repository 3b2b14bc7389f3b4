//! What one entry of the audit log says. No payloads, no secrets, no tokens (design §9).

mod told;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::category::{CategorySet, PurposeOfUse, SensitiveSet};
use crate::decision::record::DecisionRecord;
use crate::id::{
    AccountId, AuditEntryId, ClientId, ConsentId, ConsentVersionId, DecisionId, EmergencyId,
    GrantId, PatientId, RequestId, ResourceId, SessionId, TokenId,
};
use crate::interaction::Interaction;
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::time::At;

pub use told::{Amount, Told};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// A FHIR request was decided.
    Access,
    /// Someone signed in, or tried to.
    SignIn,
    /// A session ended.
    SignOut,
    /// An app asked a person for access and got an answer.
    Authorization,
    /// A token was issued or refused.
    Token,
    /// A token or grant was revoked.
    TokenRevocation,
    /// A token was introspected.
    Introspection,
    /// An app asked who the person behind its token is.
    Identity,
    /// A consent was recorded, amended, revoked, expired or marked in error.
    Consent,
    /// An app was registered or changed.
    ClientRegistration,
    /// A person looked at their activity or records in the portal.
    PortalView,
    /// An enforcement point asked for a decision; no record was shown.
    Evaluation,
    /// A person saw the names of patients in a list, to choose one of them.
    NamesShown,
    /// Emergency access was declared, used, ended or reviewed, or one of these was refused.
    Emergency,
    /// An access that a policy of the organisation watches was made, or its review was looked at or
    /// decided.
    Oversight,
    /// A key was made, rotated or retired.
    Key,
    /// Records were loaded from a file.
    Import,
    /// The server started, stopped, or an administrator changed something.
    Administration,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// Permitted, or done.
    Success,
    /// Refused by a decision.
    Denied,
    /// The request was bad or a credential was wrong.
    Failure,
    /// Something inside failed; nothing was released.
    Error,
}

/// One entry of the audit log, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The stable id.
    pub id: AuditEntryId,
    /// When.
    pub at: At,
    /// What happened.
    pub kind: AuditKind,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// A short stable word for what was done within the kind, such as `record` or `refresh`.
    pub action: String,
    /// Which app.
    pub client: Option<ClientId>,
    /// Which person.
    pub account: Option<AccountId>,
    /// For whom that person acted, when not for themselves.
    pub on_behalf_of: Option<PatientId>,
    /// Every patient whose data or choice this is about.
    pub patients: Vec<PatientId>,
    /// The FHIR interaction, for access entries.
    pub interaction: Option<Interaction>,
    /// The resource type asked for.
    pub resource_type: Option<ResourceType>,
    /// What was released or changed, by type and id; never content.
    pub resources: Vec<(ResourceType, ResourceId)>,
    /// The kinds of record that the request names, by its type and its `category`; what is stored
    /// has no part in it.
    #[serde(default)]
    pub asked: CategorySet,
    /// The kinds of record released or asked for.
    pub categories: CategorySet,
    /// The sensitive kinds among what was released.
    pub sensitive: SensitiveSet,
    /// How many resources were released.
    pub released: u32,
    /// What of it those who act for the patients may know; `None` where that is not known.
    #[serde(default)]
    pub for_proxies: Option<ProxyShare>,
    /// How many matched but were withheld; only officers see it.
    pub withheld: u32,
    /// What for.
    pub purpose: Option<PurposeOfUse>,
    /// The consent the decision rests on.
    pub consent: Option<(ConsentId, ConsentVersionId)>,
    /// The organisation rule set in force, by name and version.
    pub policy_version: Option<String>,
    /// The decision.
    pub decision: Option<DecisionId>,
    /// Its reasons.
    pub reasons: Vec<ReasonCode>,
    /// The declared emergency that it rests on or is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub emergency: Option<EmergencyId>,
    /// The OAuth grant.
    pub grant: Option<GrantId>,
    /// The token presented or issued, by `jti`.
    pub token: Option<TokenId>,
    /// The browser session.
    pub session: Option<SessionId>,
    /// The HTTP request.
    pub request: Option<RequestId>,
    /// The W3C trace id.
    pub trace: Option<String>,
    /// The peer's address, without port.
    pub network: Option<String>,
    /// The HTTP status that left, for access entries.
    pub status: Option<u16>,
    /// The query as asked, with values removed, for searches.
    pub query_shape: Option<String>,
    /// The SHA-256 of the record of the decisions, hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// The rules by which what left was shown in part, by the SHA-256 of their text; `None` where
    /// records are shown whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub redaction: Option<String>,
    /// The patients whom a policy of the organisation has told of it at once.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub noticed: BTreeSet<PatientId>,
    /// The account that was changed, where an administrator changed one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<AccountId>,
    /// The decisions with what they were made from, so that they can be made again. Names what was
    /// withheld as well, hence is for officers alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<DecisionRecord>,
}

/// The action of the second entry that some accesses leave.
pub const SECOND_ENTRY: &str = "use";

impl AuditEntry {
    /// Whether this is the second of the two entries that an access under emergency access leaves,
    /// or one that a policy has written twice (design §6). It is for officers; to the patient the
    /// first one says the same.
    pub fn is_second_entry(&self) -> bool {
        matches!(self.kind, AuditKind::Emergency | AuditKind::Oversight)
            && self.action == SECOND_ENTRY
    }
}

/// The part of an access that would have been the same without anything that is hidden from those
/// who act for a patient ([`crate::decision::org_rules::proxy_sensitive`]).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProxyShare {
    /// Whose records it touched.
    pub patients: BTreeSet<PatientId>,
    /// Of which kinds.
    pub categories: CategorySet,
    /// How many were released.
    pub released: u32,
}
