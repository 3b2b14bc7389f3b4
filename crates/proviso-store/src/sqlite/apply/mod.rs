//! What each operation does to the tables.

mod access_reviews;
mod choices;
mod emergencies;
mod grants;
mod people;
mod policies;
mod records;
mod requests;

use proviso_tlog::Hash;

use super::codes::{int, kind_code, outcome_code};
use super::tx::{OpError, Tx, require};
use crate::batch::{Op, Precondition, Presence, Receipt};
use crate::log::SealedAudit;

/// What a transaction has given out so far. Copied before each batch, so that a batch that fails
/// takes nothing with it.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    /// The sequence number of the next record version.
    pub(super) next_seq: u64,
    /// The log index of the next entry.
    pub(super) next_index: u64,
    /// The hashes of the leaves appended by this transaction.
    pub(super) leaves: Vec<Hash>,
    /// The epoch so far.
    pub(super) epoch: u64,
}

fn require_presence(exists: bool, expect: Presence) -> Result<(), OpError> {
    match (expect, exists) {
        (Presence::Absent, true) => Err(Precondition::Exists.into()),
        (Presence::Present, false) => Err(Precondition::Missing.into()),
        (Presence::Absent, false) | (Presence::Present, true) | (Presence::Any, _) => Ok(()),
    }
}

impl Tx<'_> {
    /// Does one operation. Every operation checks all its preconditions before it writes anything:
    /// the writer relies on a precondition of the first operation of a batch leaving no trace.
    pub(super) fn apply(
        &self,
        op: &Op,
        pending: &mut Pending,
        receipt: &mut Receipt,
    ) -> Result<(), OpError> {
        match op {
            Op::PutAccount { account, expect } => self.put_account(account, *expect),
            Op::PutSession(session) => self.put_session(session),
            Op::TouchSession { id, at } => self.touch_session(id, *at),
            Op::EndSession { id, at } => self.end_session(id, *at),
            Op::EndSessionsOfAccount { account, at } => self.end_sessions(account, *at),
            Op::PutClient { client, expect } => self.put_client(client, *expect),
            Op::PutLaunchTicket(ticket) => self.put_launch_ticket(ticket),
            Op::ConsumeLaunchTicket { hash, at } => self.consume_launch_ticket(hash, *at),
            Op::PutAuthorizationRequest { request, expect } => self.put_request(request, *expect),
            Op::PutAuthorizationCode(code) => self.put_code(code),
            Op::ConsumeAuthorizationCode { hash, at } => self.consume_code(hash, *at),
            Op::UseAssertion(used) => self.use_assertion(used),
            Op::PutGrant(grant) => self.put_grant(grant),
            Op::AmendGrant(grant) => self.amend_grant(grant),
            Op::EndGrant { id, end } => self.end_grant(id, *end),
            Op::EndGrantsOfConsent { consent, end } => {
                self.end_grants_of_consent(consent, *end, receipt)
            }
            Op::PutRefreshToken(token) => self.put_refresh_token(token),
            Op::RotateRefreshToken { current, next, at } => {
                self.rotate_refresh_token(current, next, *at)
            }
            Op::PutConsentVersion { id, version, expect } => {
                // The batch that this belongs to raises the epoch by one when it is through.
                self.put_consent_version(id, version, expect.as_ref(), pending.epoch + 1)
            }
            Op::PutRelationship(relationship) => self.put_relationship(relationship),
            Op::PutObjection(objection) => self.put_objection(objection),
            Op::ProposePolicySet(set) => self.propose_policy_set(set),
            Op::DecidePolicySet(record) => self.decide_policy_set(record),
            Op::PutPoliciesInForce { now, expect } => self.put_policies_in_force(now, expect),
            Op::PutEmergencyVersion(version) => self.put_emergency_version(version),
            Op::PutReviewVersion(version) => self.put_review_version(version),
            Op::PutAccessReviewVersion(version) => self.put_access_review_version(version),
            Op::PutKey(key) => self.put_key(key),
            Op::RetireKey { id, at, publish_until } => self.retire_key(id, *at, *publish_until),
            Op::PutSetting { key, value, expect } => self.put_setting(key, value, expect),
            Op::PutRecord { record, expect } => {
                let seq = pending.next_seq;
                self.put_record(record, *expect, seq)?;
                pending.next_seq += 1;
                receipt.record_seqs.push(seq);
                Ok(())
            }
            Op::PutLabels { seq, labels } => self.put_labels(*seq, labels),
            Op::AppendAudit(entry) => {
                let index = pending.next_index;
                self.append_audit(entry, index)?;
                pending.next_index += 1;
                pending.leaves.push(proviso_tlog::leaf_hash(&entry.leaf));
                receipt.audit_indexes.push(index);
                Ok(())
            }
            Op::KeepAnswer(kept) => self.keep_answer(kept),
            Op::PutSubscription { subscription, expect } => {
                self.put_subscription(subscription, *expect)
            }
            Op::PutSubscriptionProgress { id, progress } => {
                self.put_subscription_progress(id, progress)
            }
            Op::DeleteSubscription { id } => self.delete_subscription(id),
            Op::PurgeExpired { before } => self.purge(*before),
        }
    }

    fn append_audit(&self, entry: &SealedAudit, index: u64) -> Result<(), OpError> {
        // Index: audit_entry_id.
        let known = self.exists(
            "SELECT 1 FROM audit_entry WHERE tenant = ?1 AND id = ?2",
            (self.tenant, entry.id.as_str()),
        )?;
        require(!known, Precondition::Exists)?;
        let mut subjects = entry.subjects.clone();
        subjects.sort_unstable();
        subjects.dedup();
        self.run_one(
            "INSERT INTO audit_entry
                 (tenant, idx, id, at, kind, outcome, leaf, salt, subjects, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            rusqlite::params![
                self.tenant,
                int(index),
                entry.id.as_str(),
                entry.at.as_micros(),
                kind_code(entry.kind),
                outcome_code(entry.outcome),
                entry.leaf,
                entry.salt.as_slice(),
                subjects.as_flattened(),
                entry.body,
            ],
        )?;
        for subject in &subjects {
            self.run_one(
                "INSERT INTO audit_subject (tenant, subject, idx) VALUES (?1, ?2, ?3)",
                (self.tenant, subject.as_slice(), int(index)),
            )?;
        }
        Ok(())
    }
}
