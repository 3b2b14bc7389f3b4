//! What each operation does to the state in memory.

use std::sync::Arc;

use proviso_core::account::{Account, Relationship, Session};
use proviso_core::consent::ConsentVersion;
use proviso_core::id::{AccountId, ConsentId, ConsentVersionId, GrantId, ResourceId, SessionId};
use proviso_core::time::At;
use proviso_oauth::record::{
    AuthorizationRequest, Grant, GrantEnd, RefreshToken, Rotation, TokenHash, UsedAssertion,
};

use super::State;
use crate::batch::{ExpectSetting, Op, Precondition, Presence, Receipt};
use crate::choice::StoredConsent;
use crate::kept::KeptAnswer;
use crate::log::{SealedAudit, StoredAudit};
use crate::subscription::{StoredSubscription, SubscriptionProgress};

type Outcome = Result<(), Precondition>;

fn require(holds: bool, otherwise: Precondition) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn require_presence(exists: bool, expect: Presence) -> Outcome {
    match (expect, exists) {
        (Presence::Absent, true) => Err(Precondition::Exists),
        (Presence::Present, false) => Err(Precondition::Missing),
        (Presence::Absent, false) | (Presence::Present, true) | (Presence::Any, _) => Ok(()),
    }
}

impl State {
    pub(super) fn apply(&mut self, op: Op, receipt: &mut Receipt) -> Outcome {
        match op {
            Op::PutAccount { account, expect } => self.put_account(account, expect)?,
            Op::PutSession(session) => self.put_session(session)?,
            Op::TouchSession { id, at } => {
                let session = self.open_session(&id)?;
                session.last_used_at = session.last_used_at.max(at);
            }
            Op::EndSession { id, at } => self.open_session(&id)?.ended_at = Some(at),
            Op::EndSessionsOfAccount { account, at } => self.end_sessions(&account, at),
            Op::PutClient { client, expect } => {
                require_presence(self.clients.contains_key(&client.id), expect)?;
                self.clients.insert(client.id.clone(), client);
            }
            Op::PutLaunchTicket(ticket) => {
                require(!self.tickets.contains_key(&ticket.hash), Precondition::Exists)?;
                self.tickets.insert(ticket.hash, ticket);
            }
            Op::ConsumeLaunchTicket { hash, at } => self.consume_ticket(&hash, at)?,
            Op::PutAuthorizationRequest { request, expect } => {
                self.put_request(request, expect)?;
            }
            Op::PutAuthorizationCode(code) => {
                require(!self.codes.contains_key(&code.hash), Precondition::Exists)?;
                self.codes.insert(code.hash, code);
            }
            Op::ConsumeAuthorizationCode { hash, at } => self.consume_code(&hash, at)?,
            Op::UseAssertion(used) => self.use_assertion(used)?,
            Op::PutGrant(grant) => {
                require(!self.grants.contains_key(&grant.id), Precondition::Exists)?;
                self.grants.insert(grant.id.clone(), grant);
            }
            Op::AmendGrant(grant) => {
                require(grant.ended.is_none(), Precondition::Contradiction)?;
                let id = grant.id.clone();
                *self.open_grant(&id)? = grant;
            }
            Op::EndGrant { id, end } => self.open_grant(&id)?.ended = Some(end),
            Op::EndGrantsOfConsent { consent, end } => self.end_grants(&consent, end, receipt),
            Op::PutRefreshToken(token) => {
                require(!self.refresh_tokens.contains_key(&token.hash), Precondition::Exists)?;
                require(self.grant_is_open(&token.grant), Precondition::GrantEnded)?;
                self.refresh_tokens.insert(token.hash, token);
            }
            Op::RotateRefreshToken { current, next, at } => self.rotate(&current, next, at)?,
            Op::PutConsentVersion { id, version, expect } => {
                self.put_consent_version(id, version, expect.as_ref())?;
            }
            Op::PutRelationship(relationship) => self.put_relationship(relationship),
            Op::PutObjection(objection) => {
                self.objections.insert(objection.patient.clone(), objection);
            }
            Op::ProposePolicySet(set) => self.propose_policy_set(set)?,
            Op::DecidePolicySet(record) => self.decide_policy_set(record)?,
            Op::PutPoliciesInForce { now, expect } => self.put_policies_in_force(now, &expect)?,
            Op::PutEmergencyVersion(version) => self.put_emergency_version(version)?,
            Op::PutReviewVersion(version) => self.put_review_version(version)?,
            Op::PutAccessReviewVersion(version) => self.put_access_review_version(version)?,
            Op::PutKey(key) => {
                require(!self.keys.contains_key(&key.id), Precondition::Exists)?;
                self.keys.insert(key.id.clone(), key);
            }
            Op::RetireKey { id, at, publish_until } => self.retire_key(&id, at, publish_until)?,
            Op::PutSetting { key, value, expect } => self.put_setting(key, value, &expect)?,
            Op::PutRecord { record, expect } => {
                receipt.record_seqs.push(self.put_record(record, expect)?);
            }
            Op::PutLabels { seq, labels } => self.put_labels(seq, labels)?,
            Op::AppendAudit(entry) => receipt.audit_indexes.push(self.append_audit(entry)?),
            Op::KeepAnswer(kept) => self.keep_answer(kept)?,
            Op::PutSubscription { subscription: own, expect } => {
                self.put_subscription(own, expect)?;
            }
            Op::PutSubscriptionProgress { id, progress } => {
                self.move_subscription(&id, progress)?;
            }
            Op::DeleteSubscription { id } => self.delete_subscription(&id)?,
            Op::PurgeExpired { before } => self.purge(before),
        }
        Ok(())
    }

    fn put_account(&mut self, account: Account, expect: Presence) -> Outcome {
        require_presence(self.accounts.contains_key(&account.id), expect)?;
        let username = account.username.to_lowercase();
        let taken = self
            .accounts
            .values()
            .any(|other| other.id != account.id && other.username.to_lowercase() == username);
        require(!taken, Precondition::UsernameTaken)?;
        self.accounts.insert(account.id.clone(), account);
        Ok(())
    }

    fn consume_ticket(&mut self, hash: &TokenHash, at: At) -> Outcome {
        let ticket = self.tickets.get_mut(hash).ok_or(Precondition::Missing)?;
        require(ticket.consumed_at.is_none(), Precondition::AlreadyConsumed)?;
        require(at < ticket.expires_at, Precondition::Ended)?;
        ticket.consumed_at = Some(at);
        Ok(())
    }

    fn put_subscription(&mut self, own: StoredSubscription, expect: Presence) -> Outcome {
        require_presence(self.subscriptions.contains_key(&own.id), expect)?;
        self.subscriptions.insert(own.id.clone(), own);
        Ok(())
    }

    fn move_subscription(&mut self, id: &ResourceId, progress: SubscriptionProgress) -> Outcome {
        let own = self.subscriptions.get_mut(id).ok_or(Precondition::Missing)?;
        require(own.progress.version == progress.version, Precondition::Changed)?;
        own.progress = progress;
        Ok(())
    }

    fn delete_subscription(&mut self, id: &ResourceId) -> Outcome {
        self.subscriptions.remove(id).map(drop).ok_or(Precondition::Missing)
    }

    fn use_assertion(&mut self, used: UsedAssertion) -> Outcome {
        let key = (used.issuer.clone(), used.jti.clone());
        require(!self.assertions.contains_key(&key), Precondition::Exists)?;
        self.assertions.insert(key, used);
        Ok(())
    }

    fn keep_answer(&mut self, kept: KeptAnswer) -> Outcome {
        let known = self.kept.get(&kept.key).is_some_and(|own| own.until > kept.at);
        require(!known, Precondition::Exists)?;
        self.kept.insert(kept.key, kept);
        Ok(())
    }

    fn put_session(&mut self, session: Session) -> Outcome {
        let known = self
            .sessions
            .values()
            .any(|other| other.id == session.id || other.secret_hash == session.secret_hash);
        require(!known, Precondition::Exists)?;
        self.sessions.insert(session.id.clone(), session);
        Ok(())
    }

    fn open_session(&mut self, id: &SessionId) -> Result<&mut Session, Precondition> {
        let session = self.sessions.get_mut(id).ok_or(Precondition::Missing)?;
        require(session.ended_at.is_none(), Precondition::Ended)?;
        Ok(session)
    }

    fn end_sessions(&mut self, account: &AccountId, at: At) {
        for session in self.sessions.values_mut() {
            if session.account == *account && session.ended_at.is_none() {
                session.ended_at = Some(at);
            }
        }
    }

    fn put_request(&mut self, request: AuthorizationRequest, expect: Option<u32>) -> Outcome {
        let stored = self.requests.get(&request.id);
        match (stored, expect) {
            (None, None) => {}
            (Some(_), None) => return Err(Precondition::Exists),
            (None, Some(_)) => return Err(Precondition::Missing),
            (Some(stored), Some(revision)) => {
                require(stored.revision == revision, Precondition::Changed)?;
                require(request.revision > revision, Precondition::Contradiction)?;
            }
        }
        self.requests.insert(request.id.clone(), request);
        Ok(())
    }

    fn consume_code(&mut self, hash: &TokenHash, at: At) -> Outcome {
        let code = self.codes.get(hash).ok_or(Precondition::Missing)?;
        require(code.consumed_at.is_none(), Precondition::AlreadyConsumed)?;
        require(at < code.expires_at, Precondition::Ended)?;
        require(self.grant_is_open(&code.grant), Precondition::GrantEnded)?;
        self.codes.get_mut(hash).ok_or(Precondition::Missing)?.consumed_at = Some(at);
        Ok(())
    }

    fn grant_is_open(&self, id: &GrantId) -> bool {
        self.grants.get(id).is_some_and(|grant| grant.ended.is_none())
    }

    fn open_grant(&mut self, id: &GrantId) -> Result<&mut Grant, Precondition> {
        let grant = self.grants.get_mut(id).ok_or(Precondition::Missing)?;
        require(grant.ended.is_none(), Precondition::Ended)?;
        Ok(grant)
    }

    fn end_grants(&mut self, consent: &ConsentId, end: GrantEnd, receipt: &mut Receipt) {
        for grant in self.grants.values_mut() {
            if grant.consent() == Some(consent) && grant.ended.is_none() {
                grant.ended = Some(end);
                receipt.ended_grants.push(grant.id.clone());
            }
        }
    }

    fn rotate(&mut self, current: &TokenHash, next: RefreshToken, at: At) -> Outcome {
        let token = self.refresh_tokens.get(current).ok_or(Precondition::Missing)?;
        require(token.rotated.is_none(), Precondition::AlreadyConsumed)?;
        let ended = at >= token.expires_at || at >= token.absolute_expires_at;
        require(!ended, Precondition::Ended)?;
        require(self.grant_is_open(&token.grant), Precondition::GrantEnded)?;
        require(next.grant == token.grant, Precondition::Contradiction)?;
        require(!self.refresh_tokens.contains_key(&next.hash), Precondition::Exists)?;
        let token = self.refresh_tokens.get_mut(current).ok_or(Precondition::Missing)?;
        token.rotated = Some(Rotation { to: next.hash, at });
        self.refresh_tokens.insert(next.hash, next);
        Ok(())
    }

    fn put_consent_version(
        &mut self,
        id: ConsentVersionId,
        version: ConsentVersion,
        expect: Option<&ConsentVersionId>,
    ) -> Outcome {
        let latest = self.consents.get(&version.consent).and_then(|versions| versions.last());
        match (latest, expect) {
            (None, None) => {}
            (Some(_), None) => return Err(Precondition::Exists),
            (None, Some(_)) => return Err(Precondition::Missing),
            (Some(latest), Some(expected)) => {
                require(latest.id == *expected, Precondition::Changed)?;
            }
        }
        // INVARIANT: a consent is about one patient in all its versions.
        let follows = version.predecessor.as_ref() == expect
            && version.number == latest.map_or(1, |latest| latest.version.number + 1)
            && latest.is_none_or(|latest| latest.version.patient == version.patient);
        require(follows, Precondition::Contradiction)?;
        let known = self.consents.values().flatten().any(|stored| stored.id == id);
        require(!known, Precondition::Exists)?;
        let versions = self.consents.entry(version.consent.clone()).or_default();
        // The batch that this belongs to raises the epoch by one when it is through.
        self.consent_epochs.insert(id.clone(), self.epoch + 1);
        versions.push(Arc::new(StoredConsent { id, version }));
        Ok(())
    }

    fn put_relationship(&mut self, relationship: Relationship) {
        let (account, patient) = (relationship.account.clone(), relationship.patient.clone());
        self.relationships.insert((account, patient, relationship.kind), relationship);
    }

    fn retire_key(&mut self, id: &str, at: At, publish_until: Option<At>) -> Outcome {
        let key = self.keys.get_mut(id).ok_or(Precondition::Missing)?;
        require(key.retired_at.is_none(), Precondition::Ended)?;
        key.retired_at = Some(at);
        key.publish_until = publish_until;
        Ok(())
    }

    fn put_setting(&mut self, key: String, value: String, expect: &ExpectSetting) -> Outcome {
        match (self.settings.get(&key), expect) {
            (Some(_), ExpectSetting::Absent) => return Err(Precondition::Exists),
            (None, ExpectSetting::Is(_)) => return Err(Precondition::Missing),
            (Some(stored), ExpectSetting::Is(expected)) => {
                require(stored == expected, Precondition::Changed)?;
            }
            (_, ExpectSetting::Any) | (None, ExpectSetting::Absent) => {}
        }
        self.settings.insert(key, value);
        Ok(())
    }

    fn append_audit(&mut self, mut entry: SealedAudit) -> Result<u64, Precondition> {
        require(self.log.iter().all(|old| old.entry.id != entry.id), Precondition::Exists)?;
        entry.subjects.sort_unstable();
        entry.subjects.dedup();
        let index = self.tree.size();
        let tiles = &mut self.tiles;
        self.tree.append(proviso_tlog::leaf_hash(&entry.leaf), |tile, hashes| {
            tiles.insert((tile.level, tile.index), hashes.to_vec());
        });
        self.log.push(Arc::new(StoredAudit { index, entry }));
        Ok(index)
    }

    fn purge(&mut self, before: At) {
        self.sessions.retain(|_, session| {
            session.expires_at >= before && session.ended_at.is_none_or(|ended| ended >= before)
        });
        self.tickets.retain(|_, ticket| ticket.expires_at >= before);
        self.requests.retain(|_, request| request.expires_at >= before);
        self.assertions.retain(|_, used| used.expires_at >= before);
        self.kept.retain(|_, kept| kept.until >= before);
        // A code of a live grant stays: its second use must be noticed (RFC 6749 §4.1.2).
        let grants = &self.grants;
        self.codes.retain(|_, code| {
            let open = grants.get(&code.grant).is_some_and(|grant| grant.ended.is_none());
            open || code.expires_at >= before
        });
    }
}
