//! Sets of policies.

use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetId, PolicySetRecord, SetStage};

use super::super::codes::{from_json, to_json};
use super::super::tx::{OpError, Tx, require};
use crate::batch::Precondition;
use crate::model::policies::decision_fits;
use crate::policy::StoredPolicySet;

impl Tx<'_> {
    fn policy_set(&self, id: &PolicySetId) -> Result<Option<PolicySetRecord>, OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM policy_set WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str()),
            |row| row.get(0),
        )?;
        Ok(body.map(|body| from_json("policy_set", id.as_str(), &body)).transpose()?)
    }

    pub(super) fn propose_policy_set(&self, set: &StoredPolicySet) -> Result<(), OpError> {
        let waits = matches!(set.record.stage, SetStage::Proposed);
        require(waits, Precondition::Contradiction)?;
        require(self.policy_set(&set.record.id)?.is_none(), Precondition::Exists)?;
        self.run_one(
            "INSERT INTO policy_set (tenant, id, documents, body) VALUES (?1, ?2, ?3, ?4)",
            (self.tenant, set.record.id.as_str(), &set.documents, to_json(&set.record)?),
        )
    }

    pub(super) fn decide_policy_set(&self, record: &PolicySetRecord) -> Result<(), OpError> {
        let Some(stored) = self.policy_set(&record.id)? else {
            return Err(Precondition::Missing.into());
        };
        decision_fits(&stored, record)?;
        // Index: the primary key.
        self.run_one(
            "UPDATE policy_set SET body = ?3 WHERE tenant = ?1 AND id = ?2",
            (self.tenant, record.id.as_str(), to_json(record)?),
        )
    }

    pub(super) fn put_policies_in_force(
        &self,
        now: &PoliciesInForce,
        expect: &PoliciesInForce,
    ) -> Result<(), OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM policy_in_force WHERE tenant = ?1",
            (self.tenant,),
            |row| row.get(0),
        )?;
        let stored: PoliciesInForce = body
            .map(|body| from_json("policy_in_force", "", &body))
            .transpose()?
            .unwrap_or_default();
        require(stored == *expect, Precondition::Changed)?;
        for id in now.live.iter().chain(&now.shadow) {
            let Some(set) = self.policy_set(id)? else {
                return Err(Precondition::Missing.into());
            };
            require(set.is_approved(), Precondition::Contradiction)?;
        }
        self.run_one(
            "INSERT INTO policy_in_force (tenant, body) VALUES (?1, ?2)
             ON CONFLICT (tenant) DO UPDATE SET body = excluded.body",
            (self.tenant, to_json(now)?),
        )
    }
}
