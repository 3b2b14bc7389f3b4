//! What a decision looks at, check by check.
//!
//! The same code decides and explains: each check is told to a [`Trace`]. The one that decides
//! keeps what refused and builds nothing else; the one that explains keeps everything.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{FiledAnswer, Labels};
use crate::account::{ActorKind, RelationshipKind};
use crate::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use crate::consent::ConsentStatus;
use crate::emergency::EmergencyFacts;
use crate::id::{ConsentId, ConsentVersionId, PatientId};
use crate::interaction::Interaction;
use crate::org::{OrgAction, PolicyName, Relation};
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::scope::Scope;
use crate::time::Period;

/// The conjuncts of design §6, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// What the token may ask for.
    Scope,
    /// Whether this person, app and time may use this way in at all.
    Gate,
    /// The organisation's rules.
    Organisation,
    /// The patient's choices.
    Consent,
    /// What the labels of the record demand.
    Labels,
}

impl Layer {
    /// All layers, in order.
    pub const ALL: &'static [Self] =
        &[Self::Scope, Self::Gate, Self::Organisation, Self::Consent, Self::Labels];
}

/// One thing that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The token and the grant it belongs to agree, and neither has ended.
    GrantStands,
    /// The token has scopes that count on this way in.
    ScopeCounts,
    /// The interaction exists for this type on this basis.
    InteractionOffered,
    /// A scope reaches this very record with this interaction.
    ScopeReaches,
    /// The launch is about the patient whose records are asked for.
    PatientInContext,
    /// There is a person behind the request.
    PersonKnown,
    /// The person who acts for the patient may do so now.
    ProxyInForce,
    /// The purpose is one of those named.
    PurposeNamed,
    /// The role has a rule that lets it see clinical data.
    RoleHasClinicalData,
    /// The relationship that the rule asks for is in force.
    RelationshipInForce,
    /// The person declared an emergency, and it is in force.
    EmergencyInForce,
    /// The person proved who they are just before they declared it.
    EmergencyStepUp,
    /// The organisation's policy lets somebody in who declared such an emergency.
    EmergencyRuleLets,
    /// Some policy of the organisation could let this person have some record.
    PolicyLetsAsk,
    /// The organisation's policies permit this, with this record.
    PolicyPermits,
    /// The sharing choice names this app and this person.
    ConsentNamesParties,
    /// The sharing choice is in force.
    ConsentInForce,
    /// Whom the record belongs to is known, and every patient on it is within reach.
    EveryPatientReached,
    /// No patient on the record objected.
    NoObjection,
    /// No consent on file of a patient on the record withholds it.
    FiledConsentsAllow,
    /// The kind of record is included.
    CategoryIncluded,
    /// The record is from a time that is included.
    DataPeriodCovers,
    /// Every sensitive kind of the record is named.
    SensitiveKindsNamed,
}

impl Check {
    /// All checks, in catalogue order.
    pub const ALL: &'static [Self] = &[
        Self::GrantStands,
        Self::ScopeCounts,
        Self::InteractionOffered,
        Self::ScopeReaches,
        Self::PatientInContext,
        Self::PersonKnown,
        Self::ProxyInForce,
        Self::PurposeNamed,
        Self::RoleHasClinicalData,
        Self::RelationshipInForce,
        Self::EmergencyInForce,
        Self::EmergencyStepUp,
        Self::EmergencyRuleLets,
        Self::PolicyLetsAsk,
        Self::PolicyPermits,
        Self::ConsentNamesParties,
        Self::ConsentInForce,
        Self::EveryPatientReached,
        Self::NoObjection,
        Self::FiledConsentsAllow,
        Self::CategoryIncluded,
        Self::DataPeriodCovers,
        Self::SensitiveKindsNamed,
    ];

    /// The conjunct that the check belongs to.
    pub const fn layer(self) -> Layer {
        match self {
            Self::ScopeCounts | Self::InteractionOffered | Self::ScopeReaches => Layer::Scope,
            Self::GrantStands
            | Self::PatientInContext
            | Self::PersonKnown
            | Self::ProxyInForce
            | Self::EmergencyInForce
            | Self::EmergencyStepUp => Layer::Gate,
            Self::RoleHasClinicalData
            | Self::RelationshipInForce
            | Self::EmergencyRuleLets
            | Self::PolicyLetsAsk
            | Self::PolicyPermits => Layer::Organisation,
            Self::PurposeNamed
            | Self::ConsentNamesParties
            | Self::ConsentInForce
            | Self::EveryPatientReached
            | Self::NoObjection
            | Self::FiledConsentsAllow
            | Self::CategoryIncluded
            | Self::DataPeriodCovers => Layer::Consent,
            Self::SensitiveKindsNamed => Layer::Labels,
        }
    }
}

/// What a check compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// Nothing more than the check says.
    Nothing,
    /// The scopes that count.
    Scopes(Vec<Scope>),
    /// What was to be done, with which type.
    Interaction(Interaction, ResourceType),
    /// The patient in context, and the one asked for.
    Context {
        /// The patient of the launch.
        launched: Option<PatientId>,
        /// The patient whose records the basis is about.
        about: Option<PatientId>,
    },
    /// What consents on file say, patient by patient.
    Filed(Vec<FiledAnswer>),
    /// The purpose asked for, and those named.
    Purpose {
        /// What for.
        asked: PurposeOfUse,
        /// What may be asked for.
        named: PurposeSet,
    },
    /// The role.
    Role(ActorKind),
    /// The relationship that is needed.
    Relationship(RelationshipKind),
    /// What was declared, if anything was.
    Emergency(Option<EmergencyFacts>),
    /// How the person is related to the patients, and what was to be done.
    Related(Vec<Relation>),
    /// What the policies were asked, and those that decided.
    Policy {
        /// How the person is related to every patient on the record.
        related: Vec<Relation>,
        /// What was to be done.
        action: Option<OrgAction>,
        /// The kinds of record.
        categories: CategorySet,
        /// Its labels.
        labels: Labels,
        /// The policies that permitted or forbade it; none when no permit applied.
        by: BTreeSet<PolicyName>,
    },
    /// The version of the sharing choice, how it stands, and when it holds.
    Consent {
        /// The choice.
        consent: ConsentId,
        /// Its version.
        version: ConsentVersionId,
        /// Its status.
        status: ConsentStatus,
        /// Its period.
        period: Period,
    },
    /// The patients on the record, and those of them within reach.
    Patients {
        /// Every patient named.
        named: BTreeSet<PatientId>,
        /// Those within reach.
        reached: BTreeSet<PatientId>,
    },
    /// The kinds of record.
    Categories {
        /// What the record counts as.
        record: CategorySet,
        /// What is included.
        included: CategorySet,
    },
    /// The clinical time.
    DataPeriod {
        /// That of the record, if it states one.
        record: Option<Period>,
        /// What is included.
        included: Period,
    },
    /// The sensitive kinds.
    SensitiveKinds {
        /// The labels of the record.
        record: Labels,
        /// What is named.
        named: SensitiveSet,
    },
}

/// A check with what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was looked at.
    pub check: Check,
    /// Why it refused; `None` when it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refused: Option<ReasonCode>,
    /// What was compared.
    pub detail: Detail,
}

/// Is told of every check.
pub(super) trait Trace {
    /// Takes a check, why it refused if it did, and how to learn what was compared.
    fn check(&mut self, check: Check, refused: Option<ReasonCode>, detail: impl FnOnce() -> Detail);
}

/// Keeps the reasons of refusals, in order.
impl Trace for Vec<ReasonCode> {
    #[inline]
    fn check(
        &mut self,
        _check: Check,
        refused: Option<ReasonCode>,
        _detail: impl FnOnce() -> Detail,
    ) {
        if let Some(reason) = refused {
            self.push(reason);
        }
    }
}

/// Keeps everything.
impl Trace for Vec<Step> {
    fn check(
        &mut self,
        check: Check,
        refused: Option<ReasonCode>,
        detail: impl FnOnce() -> Detail,
    ) {
        self.push(Step { check, refused, detail: detail() });
    }
}
