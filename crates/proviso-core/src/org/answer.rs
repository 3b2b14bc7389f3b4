//! What a policy answers.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::question::{OrgQuestion, PolicyName};
use crate::category::coded;
use crate::decision::Effect;
use crate::id::IdError;
use crate::reason::ReasonCode;

coded!(
    /// What the enforcement point must do when it permits.
    Obligation, ObligationSet, u8, "A set of obligations.", "alloc::vec::Vec<Obligation>",
    {
        /// Write a second, prominent entry for this access.
        AuditTwice = "audit-twice",
        /// Tell the patient at once.
        NotifyPatient = "notify-patient",
        /// Open a review.
        OpenReview = "open-review",
        /// Attach the notice of 42 CFR 2.32 and a copy of the consent.
        AttachPart2Notice = "attach-part2-notice",
        /// Let the token live shorter.
        ShortenToken = "shorten-token",
    }
);

/// What an answer advises: text written by the author of the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Advice {
    /// Which policy says so.
    pub policy: PolicyName,
    /// What it says.
    pub text: String,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgAnswer {
    /// Permit or deny.
    pub effect: Effect,
    /// The policies that decided: those that permit, or those that forbid. Empty when none applied.
    pub determining: BTreeSet<PolicyName>,
    /// Why, in catalogue order. Never empty.
    pub reasons: BTreeSet<ReasonCode>,
    /// What must be done on a permit.
    pub obligations: BTreeSet<Obligation>,
    /// What the authors of the determining policies add.
    pub advice: Vec<Advice>,
    /// Policies that could not be evaluated. Not empty means denied.
    pub faults: BTreeSet<PolicyName>,
}

impl OrgAnswer {
    /// A denial because a rule could not be evaluated or asked.
    pub fn fault(faults: BTreeSet<PolicyName>) -> Self {
        Self { faults, ..Self::bare(Effect::Deny, BTreeSet::from([ReasonCode::PolicyFault])) }
    }

    /// An answer with reasons and nothing else; without a reason it is a denial for want of a fact.
    pub fn bare(effect: Effect, reasons: BTreeSet<ReasonCode>) -> Self {
        let (effect, reasons) = if reasons.is_empty() {
            (Effect::Deny, BTreeSet::from([ReasonCode::FactMissing]))
        } else {
            (effect, reasons)
        };
        Self {
            effect,
            determining: BTreeSet::new(),
            reasons,
            obligations: BTreeSet::new(),
            advice: Vec::new(),
            faults: BTreeSet::new(),
        }
    }

    /// Whether it permits.
    pub const fn is_permit(&self) -> bool {
        matches!(self.effect, Effect::Permit)
    }
}

/// Something that answers questions: the set of policies that is in force, or an older rule.
pub trait OrgPolicy: fmt::Debug {
    /// Its name and version, as plans and the log carry it.
    fn version(&self) -> &str;

    /// The answer. Equal questions get equal answers for as long as the version is the same.
    fn answer(&self, question: &OrgQuestion) -> Arc<OrgAnswer>;
}
