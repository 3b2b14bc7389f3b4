//! Apps, launch tickets, authorization requests, codes, assertions.

use proviso_core::id::ResourceId;
use proviso_core::time::At;
use proviso_oauth::record::{
    AuthorizationCode, AuthorizationRequest, Client, LaunchTicket, TokenHash, UsedAssertion,
};

use super::super::codes::{from_json, to_json};
use super::super::tx::{OpError, Tx, require};
use super::require_presence;
use crate::batch::{Precondition, Presence};
use crate::kept::KeptAnswer;
use crate::subscription::{StoredSubscription, SubscriptionProgress};

impl Tx<'_> {
    pub(super) fn put_client(&self, client: &Client, expect: Presence) -> Result<(), OpError> {
        // Index: the primary key.
        let exists = self.exists(
            "SELECT 1 FROM client WHERE tenant = ?1 AND id = ?2",
            (self.tenant, client.id.as_str()),
        )?;
        require_presence(exists, expect)?;
        self.run_one(
            "INSERT INTO client (tenant, id, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, id) DO UPDATE SET body = excluded.body",
            (self.tenant, client.id.as_str(), to_json(client)?),
        )
    }

    pub(super) fn put_launch_ticket(&self, ticket: &LaunchTicket) -> Result<(), OpError> {
        // Index: the primary key.
        let known = self.exists(
            "SELECT 1 FROM launch_ticket WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, ticket.hash.as_bytes().as_slice()),
        )?;
        require(!known, Precondition::Exists)?;
        self.run_one(
            "INSERT INTO launch_ticket (tenant, hash, expires_at, body) VALUES (?1, ?2, ?3, ?4)",
            (
                self.tenant,
                ticket.hash.as_bytes().as_slice(),
                ticket.expires_at.as_micros(),
                to_json(ticket)?,
            ),
        )
    }

    pub(super) fn consume_launch_ticket(&self, hash: &TokenHash, at: At) -> Result<(), OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM launch_ticket WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, hash.as_bytes().as_slice()),
            |row| row.get(0),
        )?;
        let body = body.ok_or(Precondition::Missing)?;
        let mut ticket: LaunchTicket = from_json("launch_ticket", &hash.to_hex(), &body)?;
        require(ticket.consumed_at.is_none(), Precondition::AlreadyConsumed)?;
        require(at < ticket.expires_at, Precondition::Ended)?;
        ticket.consumed_at = Some(at);
        self.run_one(
            "UPDATE launch_ticket SET body = ?3 WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, hash.as_bytes().as_slice(), to_json(&ticket)?),
        )
    }

    pub(super) fn put_request(
        &self,
        request: &AuthorizationRequest,
        expect: Option<u32>,
    ) -> Result<(), OpError> {
        // Index: the primary key.
        let stored: Option<u32> = self.one(
            "SELECT revision FROM authorization_request WHERE tenant = ?1 AND id = ?2",
            (self.tenant, request.id.as_str()),
            |row| row.get(0),
        )?;
        match (stored, expect) {
            (None, None) => {}
            (Some(_), None) => return Err(Precondition::Exists.into()),
            (None, Some(_)) => return Err(Precondition::Missing.into()),
            (Some(stored), Some(revision)) => {
                require(stored == revision, Precondition::Changed)?;
                require(request.revision > revision, Precondition::Contradiction)?;
            }
        }
        self.run_one(
            "INSERT INTO authorization_request (tenant, id, revision, expires_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (tenant, id) DO UPDATE
             SET revision = excluded.revision, expires_at = excluded.expires_at,
                 body = excluded.body",
            (
                self.tenant,
                request.id.as_str(),
                request.revision,
                request.expires_at.as_micros(),
                to_json(request)?,
            ),
        )
    }

    pub(super) fn put_code(&self, code: &AuthorizationCode) -> Result<(), OpError> {
        // Index: the primary key.
        let known = self.exists(
            "SELECT 1 FROM authorization_code WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, code.hash.as_bytes().as_slice()),
        )?;
        require(!known, Precondition::Exists)?;
        self.run_one(
            "INSERT INTO authorization_code (tenant, hash, grant_id, expires_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                self.tenant,
                code.hash.as_bytes().as_slice(),
                code.grant.as_str(),
                code.expires_at.as_micros(),
                to_json(code)?,
            ),
        )
    }

    pub(super) fn consume_code(&self, hash: &TokenHash, at: At) -> Result<(), OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM authorization_code WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, hash.as_bytes().as_slice()),
            |row| row.get(0),
        )?;
        let body = body.ok_or(Precondition::Missing)?;
        let mut code: AuthorizationCode = from_json("authorization_code", &hash.to_hex(), &body)?;
        // Reuse is told first: it has consequences for the grant, whatever else is wrong.
        require(code.consumed_at.is_none(), Precondition::AlreadyConsumed)?;
        require(at < code.expires_at, Precondition::Ended)?;
        require(self.grant_is_open(&code.grant)?, Precondition::GrantEnded)?;
        code.consumed_at = Some(at);
        self.run_one(
            "UPDATE authorization_code SET body = ?3 WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, hash.as_bytes().as_slice(), to_json(&code)?),
        )
    }

    pub(super) fn keep_answer(&self, kept: &KeptAnswer) -> Result<(), OpError> {
        // Index: the primary key.
        let known = self.exists(
            "SELECT 1 FROM kept_answer WHERE tenant = ?1 AND key = ?2 AND until_at > ?3",
            (self.tenant, kept.key.as_slice(), kept.at.as_micros()),
        )?;
        require(!known, Precondition::Exists)?;
        self.run_one(
            "INSERT INTO kept_answer (tenant, key, until_at, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, key) DO UPDATE
             SET until_at = excluded.until_at, body = excluded.body",
            (self.tenant, kept.key.as_slice(), kept.until.as_micros(), to_json(&kept.done)?),
        )
    }

    pub(super) fn put_subscription(
        &self,
        own: &StoredSubscription,
        expect: Presence,
    ) -> Result<(), OpError> {
        // Index: the primary key.
        let known = self.exists(
            "SELECT 1 FROM subscription WHERE tenant = ?1 AND id = ?2",
            (self.tenant, own.id.as_str()),
        )?;
        require_presence(known, expect)?;
        self.run_one(
            "INSERT INTO subscription (tenant, id, grant_id, body, progress)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (tenant, id) DO UPDATE SET grant_id = excluded.grant_id,
                 body = excluded.body, progress = excluded.progress",
            (
                self.tenant,
                own.id.as_str(),
                own.grant.as_str(),
                own.body.as_slice(),
                to_json(&own.progress)?,
            ),
        )
    }

    pub(super) fn put_subscription_progress(
        &self,
        id: &ResourceId,
        progress: &SubscriptionProgress,
    ) -> Result<(), OpError> {
        // Index: the primary key.
        let now: Option<String> = self.one(
            "SELECT progress FROM subscription WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str()),
            |row| row.get(0),
        )?;
        let now = now.ok_or(Precondition::Missing)?;
        let now: SubscriptionProgress = from_json("subscription", id.as_str(), &now)?;
        require(now.version == progress.version, Precondition::Changed)?;
        self.run_one(
            "UPDATE subscription SET progress = ?3 WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str(), to_json(progress)?),
        )
    }

    pub(super) fn delete_subscription(&self, id: &ResourceId) -> Result<(), OpError> {
        // Index: the primary key.
        let gone = self.run(
            "DELETE FROM subscription WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str()),
        )?;
        require(gone == 1, Precondition::Missing)
    }

    pub(super) fn use_assertion(&self, used: &UsedAssertion) -> Result<(), OpError> {
        // Index: the primary key.
        let inserted = self.run(
            "INSERT INTO used_assertion (tenant, issuer, jti, expires_at)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (tenant, issuer, jti) DO NOTHING",
            (self.tenant, used.issuer.as_str(), &used.jti, used.expires_at.as_micros()),
        )?;
        require(inserted == 1, Precondition::Exists)
    }
}
