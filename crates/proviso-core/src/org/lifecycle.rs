//! How a set of policies comes into force: one person proposes it, another approves it.
//!
//! ```text
//! Proposed ──approve(another)──▶ Approved
//!     └──────reject(another)───▶ Rejected
//! ```
//!
//! Only an approved set can be live or shadow. Going back to an earlier set is making it live
//! again; its approval stands, since its content cannot have changed: its id is its content.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, IdError, hex};
use crate::time::At;

/// The content hash that names one set of policies: 64 lower-case hex digits of SHA-256 over its
/// schema, policies and tests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicySetId(String);

impl PolicySetId {
    /// Names a set by the SHA-256 digest of its canonical bytes.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(hex(digest))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl core::str::FromStr for PolicySetId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError::Malformed) }
    }
}

impl TryFrom<String> for PolicySetId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<PolicySetId> for String {
    fn from(id: PolicySetId) -> String {
        id.0
    }
}

impl fmt::Display for PolicySetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PolicySetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who did something to a set, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Who.
    pub by: AccountId,
    /// When.
    pub at: At,
}

/// How far a set has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetStage {
    /// Waits for another person.
    Proposed,
    /// Another person approved it.
    Approved(Signature),
    /// Another person rejected it; it can never be in force.
    Rejected(Signature),
}

/// One set of policies on record, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySetRecord {
    /// Its content hash.
    pub id: PolicySetId,
    /// Why it is proposed, in the words of the one who proposes it.
    pub note: String,
    /// Who proposed it.
    pub proposed: Signature,
    /// How far it has come.
    pub stage: SetStage,
}

/// Why a step is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyStepError {
    /// The one who proposed a set may not decide on it.
    #[error("the person who proposed a set cannot decide on it")]
    SamePerson,
    /// It was decided before.
    #[error("the set was decided on before")]
    AlreadyDecided,
    /// It was not approved.
    #[error("the set has not been approved")]
    NotApproved,
    /// It is what is in force already.
    #[error("the set is in force already")]
    NothingChanges,
}

impl PolicySetRecord {
    /// A proposal.
    pub const fn propose(id: PolicySetId, note: String, by: AccountId, at: At) -> Self {
        Self { id, note, proposed: Signature { by, at }, stage: SetStage::Proposed }
    }

    /// Approves it.
    ///
    /// # Errors
    /// When the same person proposed it or it was decided before.
    pub fn approve(self, by: AccountId, at: At) -> Result<Self, PolicyStepError> {
        let signature = self.decidable(by, at)?;
        Ok(Self { stage: SetStage::Approved(signature), ..self })
    }

    /// Rejects it.
    ///
    /// # Errors
    /// When the same person proposed it or it was decided before.
    pub fn reject(self, by: AccountId, at: At) -> Result<Self, PolicyStepError> {
        let signature = self.decidable(by, at)?;
        Ok(Self { stage: SetStage::Rejected(signature), ..self })
    }

    fn decidable(&self, by: AccountId, at: At) -> Result<Signature, PolicyStepError> {
        match self.stage {
            SetStage::Proposed if self.proposed.by == by => Err(PolicyStepError::SamePerson),
            SetStage::Proposed => Ok(Signature { by, at }),
            SetStage::Approved(_) | SetStage::Rejected(_) => Err(PolicyStepError::AlreadyDecided),
        }
    }

    /// Whether another person approved it.
    pub const fn is_approved(&self) -> bool {
        matches!(self.stage, SetStage::Approved(_))
    }
}

/// What is in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PoliciesInForce {
    /// The set that decides; `None` is the set that comes with this release.
    pub live: Option<PolicySetId>,
    /// The set that is evaluated beside it and decides nothing.
    pub shadow: Option<PolicySetId>,
}

impl PoliciesInForce {
    /// Makes an approved set the live one. A set that was the shadow stops being it.
    ///
    /// # Errors
    /// When it is not approved or is live already.
    pub fn activate(self, set: &PolicySetRecord) -> Result<Self, PolicyStepError> {
        if !set.is_approved() {
            return Err(PolicyStepError::NotApproved);
        }
        if self.live.as_ref() == Some(&set.id) {
            return Err(PolicyStepError::NothingChanges);
        }
        let shadow = self.shadow.filter(|own| *own != set.id);
        Ok(Self { live: Some(set.id.clone()), shadow })
    }

    /// Goes back to the set that comes with this release.
    ///
    /// # Errors
    /// When that is the live one.
    pub fn activate_shipped(self) -> Result<Self, PolicyStepError> {
        if self.live.is_none() {
            return Err(PolicyStepError::NothingChanges);
        }
        Ok(Self { live: None, shadow: self.shadow })
    }

    /// Evaluates an approved set beside the live one, or stops doing so.
    ///
    /// # Errors
    /// When it is not approved, or nothing would change.
    pub fn shadow(self, set: Option<&PolicySetRecord>) -> Result<Self, PolicyStepError> {
        if set.is_some_and(|set| !set.is_approved()) {
            return Err(PolicyStepError::NotApproved);
        }
        let shadow = set.map(|set| set.id.clone());
        if shadow == self.shadow || (shadow.is_some() && shadow == self.live) {
            return Err(PolicyStepError::NothingChanges);
        }
        Ok(Self { live: self.live, shadow })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str) -> AccountId {
        alloc::format!("acc_{name}").parse().unwrap()
    }

    fn proposal(digit: u8) -> PolicySetRecord {
        let id = PolicySetId::from_digest(&[digit; 32]);
        PolicySetRecord::propose(id, "why".to_owned(), person("a"), At::from_secs(1))
    }

    #[test]
    fn nobody_approves_or_rejects_what_they_proposed() {
        let at = At::from_secs(2);
        for decide in [PolicySetRecord::approve, PolicySetRecord::reject] {
            assert_eq!(decide(proposal(1), person("a"), at), Err(PolicyStepError::SamePerson));
            let decided = decide(proposal(1), person("b"), at).unwrap();
            for again in [PolicySetRecord::approve, PolicySetRecord::reject] {
                let twice = again(decided.clone(), person("c"), at);
                assert_eq!(twice, Err(PolicyStepError::AlreadyDecided));
            }
        }
    }

    #[test]
    fn only_an_approved_set_comes_into_force_and_any_approved_one_can_come_back() {
        let at = At::from_secs(2);
        let none = PoliciesInForce::default();
        let rejected = proposal(1).reject(person("b"), at).unwrap();
        for set in [&proposal(1), &rejected] {
            assert_eq!(none.clone().activate(set), Err(PolicyStepError::NotApproved));
            assert_eq!(none.clone().shadow(Some(set)), Err(PolicyStepError::NotApproved));
        }
        let first = proposal(1).approve(person("b"), at).unwrap();
        let second = proposal(2).approve(person("b"), at).unwrap();
        let live = none.activate(&first).unwrap().shadow(Some(&second)).unwrap();
        assert_eq!(live.clone().activate(&first), Err(PolicyStepError::NothingChanges));
        let live = live.activate(&second).unwrap();
        assert_eq!((&live.live, &live.shadow), (&Some(second.id), &None));
        let back = live.activate(&first).unwrap();
        assert_eq!(back.live, Some(first.id));
        assert_eq!(back.activate_shipped().unwrap(), PoliciesInForce::default());
        let shipped = PoliciesInForce::default();
        assert_eq!(shipped.activate_shipped(), Err(PolicyStepError::NothingChanges));
    }
}
