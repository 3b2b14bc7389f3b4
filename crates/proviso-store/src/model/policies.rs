//! Sets of policies in memory.

use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetRecord, SetStage};

use super::State;
use crate::batch::Precondition;
use crate::policy::StoredPolicySet;

type Outcome = Result<(), Precondition>;

/// Whether a decision fits the set that it is about: nothing but the stage differs, and nobody
/// decides on what they proposed.
pub(crate) fn decision_fits(
    stored: &PolicySetRecord,
    decided: &PolicySetRecord,
) -> Result<(), Precondition> {
    if !matches!(stored.stage, SetStage::Proposed) {
        return Err(Precondition::Changed);
    }
    let by = match &decided.stage {
        SetStage::Proposed => return Err(Precondition::Contradiction),
        SetStage::Approved(signature) | SetStage::Rejected(signature) => &signature.by,
    };
    let same = PolicySetRecord { stage: SetStage::Proposed, ..decided.clone() } == *stored;
    if same && *by != stored.proposed.by { Ok(()) } else { Err(Precondition::Contradiction) }
}

impl State {
    pub(super) fn propose_policy_set(&mut self, set: StoredPolicySet) -> Outcome {
        if !matches!(set.record.stage, SetStage::Proposed) {
            return Err(Precondition::Contradiction);
        }
        if self.policy_sets.contains_key(&set.record.id) {
            return Err(Precondition::Exists);
        }
        self.policy_sets.insert(set.record.id.clone(), set);
        Ok(())
    }

    pub(super) fn decide_policy_set(&mut self, record: PolicySetRecord) -> Outcome {
        let stored = self.policy_sets.get_mut(&record.id).ok_or(Precondition::Missing)?;
        decision_fits(&stored.record, &record)?;
        stored.record = record;
        Ok(())
    }

    pub(super) fn put_policies_in_force(
        &mut self,
        now: PoliciesInForce,
        expect: &PoliciesInForce,
    ) -> Outcome {
        if self.policies_in_force != *expect {
            return Err(Precondition::Changed);
        }
        for id in now.live.iter().chain(&now.shadow) {
            let set = self.policy_sets.get(id).ok_or(Precondition::Missing)?;
            if !set.record.is_approved() {
                return Err(Precondition::Contradiction);
            }
        }
        self.policies_in_force = now;
        Ok(())
    }
}
