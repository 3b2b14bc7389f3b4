//! The decision function (design §6): scope ∧ mode gate ∧ organisation rules ∧ consent ∧ labels.
//!
//! Two steps. [`plan`] looks at everything that does not depend on a resource (who asks, scopes,
//! consent in force, relationships, purpose, instant) and yields an [`AccessPlan`] or a denial;
//! [`AccessPlan::decide`] then judges one resource by its [`ResourceFacts`].
//!
//! Everything here is an intersection: a conjunct can refuse, none can widen another. A refusal
//! lists every conjunct that failed, in a fixed order. What is unknown refuses.

pub mod explain;
mod filed;
mod judge;
pub mod org_rules;
mod plan;
mod policy;
pub mod record;
mod trace;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use filed::{
    FiledAnswer, FiledAnswers, FiledAtHand, FiledDirective, FiledRequest, FiledRule, FiledVersion,
    hear,
};
pub use org_rules::OrgGround;
pub use plan::plan;
pub use policy::{PlanRules, standings_among};
pub use trace::{Check, Detail, Layer, Step};

use crate::account::{ActorKind, Relationship};
use crate::category::{CategorySet, PurposeOfUse, SensitiveSet};
use crate::consent::ConsentFacts;
use crate::emergency::EmergencyFacts;
use crate::id::{
    AccountId, ClientId, ConsentId, ConsentVersionId, EmergencyId, PatientId, ResourceId,
};
use crate::org::ObligationSet;
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::scope::{ResourceScope, Scope, ScopeFilter};
use crate::time::{At, Period};

/// Whether sensitivity labels of a resource are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Labels {
    /// Labelled: these sensitive kinds and no others.
    Known(SensitiveSet),
    /// Not labelled yet; treated as restricted until it is.
    Unclassified,
}

/// Whom a resource belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Belonging {
    /// About these patients: every patient named anywhere on it. Never empty.
    Patients(BTreeSet<PatientId>),
    /// A directory entry about no patient: Practitioner, Organization, Location, Medication ...
    Directory,
    /// Of a patient-bound type, but names no patient that could be resolved.
    Unknown,
}

/// What the decision must know about one resource version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceFacts {
    /// Its type.
    pub resource_type: ResourceType,
    /// Its id; `None` before a create.
    pub id: Option<ResourceId>,
    /// Whom it belongs to.
    pub belonging: Belonging,
    /// The kinds of record it counts as; empty means that no category covers it.
    pub categories: CategorySet,
    /// Its labels.
    pub labels: Labels,
    /// Its clinical time; `None` when it states none.
    pub clinical_period: Option<Period>,
    /// What consents on file say of it; `None` when no patient on it has one in force.
    pub filed: Option<Box<FiledAnswers>>,
}

/// Who the person behind a patient-directed or portal request is.
///
/// There is no "none" that could be mistaken for the patient: a person who is not the patient is
/// a proxy, and a proxy without a relationship on record is refused.
#[derive(Debug, Clone, Copy)]
pub enum ActingPerson<'a> {
    /// The patient.
    Patient,
    /// Someone for the patient, with the relationship on record, whatever its period.
    Proxy(Option<&'a Relationship>),
}

/// By which right someone asks.
#[derive(Debug, Clone, Copy)]
pub enum AccessMode<'a> {
    /// An app acts for a patient or proxy: a consent in force or nothing.
    PatientDirected {
        /// The latest version of the consent the grant rests on, if it still exists.
        consent: Option<ConsentFacts<'a>>,
        /// Who signed in for the app.
        person: ActingPerson<'a>,
    },
    /// The patient, or a proxy, looks at the record in the portal.
    OwnRecord {
        /// The patient whose record it is.
        patient: &'a PatientId,
        /// Who looks.
        person: ActingPerson<'a>,
    },
    /// Staff, under the organisation's rules.
    Operational {
        /// What kind of actor the person is.
        kind: ActorKind,
        /// Relationships on record, whatever their period.
        relationships: &'a [Relationship],
        /// Patients who object to operational access, with the categories they object to.
        objections: &'a [(PatientId, CategorySet)],
    },
    /// Staff who declared an emergency for one patient. It stands in for the relationship to the
    /// patient and for what the patient chose, as far as the organisation's policy says, and for
    /// nothing else: scopes hold.
    Emergency {
        /// What was declared, as it stands now; `None` when there is no such declaration.
        declared: Option<&'a EmergencyFacts>,
    },
    /// A service with pre-authorized system scopes.
    PreAuthorized,
}

/// Everything [`plan`] needs.
#[derive(Debug, Clone, Copy)]
pub struct AccessRequest<'a> {
    /// The instant of the decision.
    pub at: At,
    /// Which app.
    pub client: &'a ClientId,
    /// Which person, if any.
    pub account: Option<&'a AccountId>,
    /// By which right.
    pub mode: AccessMode<'a>,
    /// The scopes of the token; `None` in the portal, where no token is involved.
    pub scopes: Option<&'a [Scope]>,
    /// The patient in context, if the launch fixed one.
    pub patient_in_context: Option<&'a PatientId>,
    /// What for.
    pub purpose: PurposeOfUse,
    /// What the organisation's policy in force comes to.
    pub policy: &'a OrgGround,
    /// The obligations that are carried out for whoever asks like this. A permit of a policy that
    /// demands another is none.
    pub met: ObligationSet,
}

/// Which patients' records a plan reaches at all; used to narrow a search before it is forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PatientReach {
    /// Only these.
    Only(BTreeSet<PatientId>),
    /// Any patient (services, subject to the rest of the plan).
    Any,
}

/// By which of the ways to data that never meet somebody asks: an [`AccessMode`] without its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// An app that a patient or proxy connected.
    App,
    /// The pages of the patient or proxy.
    Portal,
    /// Staff.
    Staff,
    /// Staff in a declared emergency.
    Emergency,
    /// A service.
    Service,
}

impl AccessMode<'_> {
    const fn way(&self) -> Way {
        match self {
            Self::PatientDirected { .. } => Way::App,
            Self::OwnRecord { .. } => Way::Portal,
            Self::Operational { .. } => Way::Staff,
            Self::Emergency { .. } => Way::Emergency,
            Self::PreAuthorized => Way::Service,
        }
    }
}

/// A compiled right to look: cheap to apply to many resources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPlan {
    /// The instant the plan was made for.
    pub at: At,
    /// What for.
    pub purpose: PurposeOfUse,
    /// Which patients.
    pub reach: PatientReach,
    /// Which kinds of record.
    pub categories: CategorySet,
    /// Which sensitive kinds, named.
    pub sensitive: SensitiveSet,
    /// Which clinical time.
    pub data_period: Period,
    /// What the token may do; `None` where no token is involved.
    pub scopes: Option<Vec<ResourceScope>>,
    /// The patient in context: the only one that `patient/` scopes reach.
    pub patient_in_context: Option<PatientId>,
    /// The consent it rests on.
    pub consent: Option<(ConsentId, ConsentVersionId)>,
    /// Patients who object, with the categories they object to.
    pub objections: Vec<(PatientId, CategorySet)>,
    /// Whether consents on file have a say.
    pub filed: FiledRule,
    /// By which of the ways that never meet.
    pub way: Way,
    /// Why the plan exists.
    pub basis: ReasonCode,
    /// Why a patient is out of its reach; `None` where another patient is simply another one.
    pub lacking: Option<ReasonCode>,
    /// The organisation rule set, by name and version.
    pub policy_version: String,
    /// The emergency it rests on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub emergency: Option<EmergencyId>,
    /// The organisation's policies, where they are asked about each record.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<PlanRules>,
}

/// Permit or deny, as the enforcement point sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// May be released.
    Permit,
    /// Must be withheld.
    Deny,
}

/// The judgement on one resource, or on a whole request when no plan could be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Permit or deny.
    pub effect: Effect,
    /// Why: the basis for a permit, every failing conjunct for a deny. Never empty.
    pub reasons: Vec<ReasonCode>,
}

/// What a granular scope filter says of a resource; evaluated outside, over the resource.
pub type FilterMatch<'a> = dyn Fn(&ScopeFilter) -> bool + 'a;

impl Decision {
    /// A denial; without a reason it is still one, for want of a fact.
    pub fn deny(mut reasons: Vec<ReasonCode>) -> Self {
        if reasons.is_empty() {
            reasons.push(ReasonCode::FactMissing);
        }
        Self { effect: Effect::Deny, reasons }
    }

    /// A permit with its basis.
    pub fn permit(basis: ReasonCode) -> Self {
        Self { effect: Effect::Permit, reasons: alloc::vec![basis] }
    }

    /// Whether the resource may be released.
    pub const fn is_permit(&self) -> bool {
        matches!(self.effect, Effect::Permit)
    }
}

#[cfg(test)]
mod emergency_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
