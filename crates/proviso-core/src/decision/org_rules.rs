//! The organisation's rules for operational access: one small, named, versioned set.
//!
//! | actor | needs | sees | does not see |
//! |---|---|---|---|
//! | clinician | a care relationship in force | every kind of record, sensitive kinds included | psychotherapy notes, substance use, restricted |
//! | nurse | a shift in force for the patient | every kind of record | any sensitive kind |
//! | other staff, privacy officer, administrator, support agent | - | nothing about patients | - |
//!
//! The choice is the cautious one. Psychotherapy notes need an authorization of their own even
//! for treatment by others than their author (45 CFR 164.508(a)(2)); substance use records under
//! 42 CFR Part 2 need the patient's written consent (42 CFR 2.31); restricted records are those
//! that the patient asked to hold back. A privacy officer proves what happened from the log and
//! has no need to read the chart, hence sees no clinical data through FHIR either. Emergency
//! access (ETREAT, BTG) applies by name only, and no rule of this set names it.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::{FiledRule, Labels};
use crate::account::{ActorKind, RelationshipKind};
use crate::category::{PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet};
use crate::org::{OrgRules, SharedRules};
use crate::reason::ReasonCode;

/// The name and version of this set, as plans and the log carry it.
pub const VERSION: &str = "org-rules/1";

/// What one kind of actor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgRule {
    /// The relationship to the patient that is needed.
    pub relationship: RelationshipKind,
    /// The reason given when access is permitted.
    pub basis: ReasonCode,
    /// The reason given when the relationship is missing.
    pub lacking: ReasonCode,
    /// The sensitive kinds that may be seen.
    pub sensitive: SensitiveSet,
    /// The purposes for which access may be had.
    pub purposes: PurposeSet,
}

/// What the organisation's policy in force comes to for one who asks.
///
/// It is an input of the decision, made from the policy before: equal values give equal decisions,
/// whatever language the policy is written in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgGround {
    /// The name and version of the policy.
    pub version: String,
    /// What a member of staff may do; `None` for one without access to clinical data.
    pub staff: Option<OrgRule>,
    /// The purposes for which a pre-authorized service may ask.
    pub services: PurposeSet,
    /// Whether consents on file restrict what this policy permits, or are required besides.
    #[serde(skip_serializing_if = "FiledRule::is_default", default)]
    pub filed: FiledRule,
    /// The policies themselves, as they stand for the one who asks, or for the emergency that one
    /// declared. Where they are here they decide, and the summaries above are empty; records of
    /// earlier releases have the summaries alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<SharedRules>,
}

impl OrgGround {
    /// What policies come to for one who asks: the policies themselves.
    pub fn by_rules(version: String, rules: OrgRules) -> Self {
        Self {
            version,
            staff: None,
            services: PurposeSet::EMPTY,
            filed: FiledRule::default(),
            rules: Some(SharedRules::new(rules)),
        }
    }

    /// What policies come to where patients ask, or apps that they chose: nothing of the
    /// organisation's restricts it.
    pub const fn for_patients(version: String) -> Self {
        Self {
            version,
            staff: None,
            services: PurposeSet::EMPTY,
            filed: FiledRule::Restricts,
            rules: None,
        }
    }

    /// Whether records of patients to whom the one who asks is not related can be had.
    pub fn reaches_strangers(&self, purpose: PurposeOfUse) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.hopeless(0, purpose).is_empty())
    }

    /// What the fixed rules of this file come to for a kind of actor.
    pub fn fixed(kind: ActorKind) -> Self {
        Self {
            version: VERSION.to_owned(),
            staff: rule_for(kind),
            services: PRE_AUTHORIZED_PURPOSES,
            filed: FiledRule::default(),
            rules: None,
        }
    }
}

const CARE_PURPOSES: PurposeSet =
    PurposeSet::EMPTY.with(PurposeOfUse::Treatment).with(PurposeOfUse::Coordination);

/// The rule for an actor, or `None` for one without access to clinical data.
pub fn rule_for(kind: ActorKind) -> Option<OrgRule> {
    match kind {
        ActorKind::Clinician => Some(OrgRule {
            relationship: RelationshipKind::Care,
            basis: ReasonCode::CareRelationship,
            lacking: ReasonCode::NoCareRelationship,
            sensitive: SensitiveSet::all()
                .without(SensitiveKind::PsychotherapyNotes)
                .without(SensitiveKind::SubstanceUse)
                .without(SensitiveKind::Restricted),
            purposes: CARE_PURPOSES,
        }),
        ActorKind::Nurse => Some(OrgRule {
            relationship: RelationshipKind::Shift,
            basis: ReasonCode::OnShift,
            lacking: ReasonCode::NotOnShift,
            sensitive: SensitiveSet::EMPTY,
            purposes: CARE_PURPOSES,
        }),
        // A patient or proxy has a path of their own, which operational access never shares; a
        // service has scopes authorized in advance.
        ActorKind::Patient
        | ActorKind::Proxy
        | ActorKind::Staff
        | ActorKind::PrivacyOfficer
        | ActorKind::Administrator
        | ActorKind::SupportAgent
        | ActorKind::System => None,
    }
}

/// The purposes for which a pre-authorized service may ask. HRESCH is among them because a
/// service that asks for it names it; nothing implies it.
pub const PRE_AUTHORIZED_PURPOSES: PurposeSet = PurposeSet::EMPTY
    .with(PurposeOfUse::Treatment)
    .with(PurposeOfUse::Coordination)
    .with(PurposeOfUse::Payment)
    .with(PurposeOfUse::Operations)
    .with(PurposeOfUse::PublicHealth)
    .with(PurposeOfUse::Research);

/// The sensitive kinds that a person who acts for a patient may see at most.
///
/// What a teenager told a clinician in confidence stays hidden from parents (design §5), and so do
/// psychotherapy notes and what the patient restricted.
pub fn proxy_sensitive() -> SensitiveSet {
    SensitiveSet::all()
        .without(SensitiveKind::Adolescent)
        .without(SensitiveKind::PsychotherapyNotes)
        .without(SensitiveKind::Restricted)
}

/// Whether a person who acts for a patient may know of a resource with these labels.
pub fn proxy_may_know(labels: Labels) -> bool {
    match labels {
        Labels::Known(kinds) => kinds.is_subset_of(proxy_sensitive()),
        Labels::Unclassified => false,
    }
}
