//! Grants and refresh tokens.

use proviso_core::id::{AccountId, ConsentId, GrantId};
use proviso_core::time::At;
use proviso_oauth::record::{Grant, GrantEnd, RefreshToken, Rotation, TokenHash};

use super::super::codes::{from_json, to_json};
use super::super::tx::{OpError, Tx, require};
use crate::batch::{Precondition, Receipt};

impl Tx<'_> {
    fn grant(&self, id: &GrantId) -> Result<Option<Grant>, OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM oauth_grant WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str()),
            |row| row.get(0),
        )?;
        let grant = body.map(|body| from_json("oauth_grant", id.as_str(), &body));
        Ok(grant.transpose()?)
    }

    fn open_grant(&self, id: &GrantId) -> Result<Grant, OpError> {
        let grant = self.grant(id)?.ok_or(Precondition::Missing)?;
        require(grant.ended.is_none(), Precondition::Ended)?;
        Ok(grant)
    }

    pub(super) fn grant_is_open(&self, id: &GrantId) -> Result<bool, OpError> {
        Ok(self.grant(id)?.is_some_and(|grant| grant.ended.is_none()))
    }

    fn save_grant(&self, grant: &Grant) -> Result<(), OpError> {
        // Index: the primary key.
        self.run_one(
            "INSERT INTO oauth_grant (tenant, id, client, account, consent, ended_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (tenant, id) DO UPDATE
             SET client = excluded.client, account = excluded.account,
                 consent = excluded.consent, ended_at = excluded.ended_at, body = excluded.body",
            (
                self.tenant,
                grant.id.as_str(),
                grant.client.as_str(),
                grant.account.as_ref().map(AccountId::as_str),
                grant.consent().map(ConsentId::as_str),
                grant.ended.map(|end| end.at.as_micros()),
                to_json(grant)?,
            ),
        )
    }

    pub(super) fn put_grant(&self, grant: &Grant) -> Result<(), OpError> {
        require(self.grant(&grant.id)?.is_none(), Precondition::Exists)?;
        self.save_grant(grant)
    }

    pub(super) fn amend_grant(&self, grant: &Grant) -> Result<(), OpError> {
        require(grant.ended.is_none(), Precondition::Contradiction)?;
        self.open_grant(&grant.id)?;
        self.save_grant(grant)
    }

    pub(super) fn end_grant(&self, id: &GrantId, end: GrantEnd) -> Result<(), OpError> {
        let mut grant = self.open_grant(id)?;
        grant.ended = Some(end);
        self.save_grant(&grant)
    }

    pub(super) fn end_grants_of_consent(
        &self,
        consent: &ConsentId,
        end: GrantEnd,
        receipt: &mut Receipt,
    ) -> Result<(), OpError> {
        // Index: oauth_grant_consent.
        let sql = "SELECT body FROM oauth_grant
                   WHERE tenant = ?1 AND consent = ?2 AND ended_at IS NULL ORDER BY id";
        let bodies: Vec<String> = self
            .db
            .prepare_cached(sql)?
            .query_map((self.tenant, consent.as_str()), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for body in bodies {
            let mut grant: Grant = from_json("oauth_grant", consent.as_str(), &body)?;
            grant.ended = Some(end);
            self.save_grant(&grant)?;
            receipt.ended_grants.push(grant.id);
        }
        Ok(())
    }

    fn refresh_token(&self, hash: &TokenHash) -> Result<Option<RefreshToken>, OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM refresh_token WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, hash.as_bytes().as_slice()),
            |row| row.get(0),
        )?;
        let token = body.map(|body| from_json("refresh_token", &hash.to_hex(), &body));
        Ok(token.transpose()?)
    }

    fn insert_refresh_token(&self, token: &RefreshToken) -> Result<(), OpError> {
        self.run_one(
            "INSERT INTO refresh_token (tenant, hash, grant_id, body) VALUES (?1, ?2, ?3, ?4)",
            (self.tenant, token.hash.as_bytes().as_slice(), token.grant.as_str(), to_json(token)?),
        )
    }

    pub(super) fn put_refresh_token(&self, token: &RefreshToken) -> Result<(), OpError> {
        require(self.refresh_token(&token.hash)?.is_none(), Precondition::Exists)?;
        require(self.grant_is_open(&token.grant)?, Precondition::GrantEnded)?;
        self.insert_refresh_token(token)
    }

    pub(super) fn rotate_refresh_token(
        &self,
        current: &TokenHash,
        next: &RefreshToken,
        at: At,
    ) -> Result<(), OpError> {
        let mut token = self.refresh_token(current)?.ok_or(Precondition::Missing)?;
        // Reuse is told first: it ends the whole family (RFC 9700 §4.14.2).
        require(token.rotated.is_none(), Precondition::AlreadyConsumed)?;
        let ended = at >= token.expires_at || at >= token.absolute_expires_at;
        require(!ended, Precondition::Ended)?;
        require(self.grant_is_open(&token.grant)?, Precondition::GrantEnded)?;
        require(next.grant == token.grant, Precondition::Contradiction)?;
        require(self.refresh_token(&next.hash)?.is_none(), Precondition::Exists)?;
        token.rotated = Some(Rotation { to: next.hash, at });
        // Index: the primary key.
        self.run_one(
            "UPDATE refresh_token SET body = ?3 WHERE tenant = ?1 AND hash = ?2",
            (self.tenant, current.as_bytes().as_slice(), to_json(&token)?),
        )?;
        self.insert_refresh_token(next)
    }
}
