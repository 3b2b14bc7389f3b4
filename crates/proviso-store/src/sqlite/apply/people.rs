//! Accounts, sessions, relationships, keys, settings.

use proviso_core::account::{Account, Relationship, Session};
use proviso_core::id::{AccountId, SessionId};
use proviso_core::time::At;
use proviso_oauth::record::SealedKey;

use super::super::codes::{from_json, relationship_code, to_json};
use super::super::tx::{OpError, Tx, require};
use super::require_presence;
use crate::batch::{ExpectSetting, Precondition, Presence};

impl Tx<'_> {
    pub(super) fn put_account(&self, account: &Account, expect: Presence) -> Result<(), OpError> {
        // Index: the primary key.
        let exists = self.exists(
            "SELECT 1 FROM account WHERE tenant = ?1 AND id = ?2",
            (self.tenant, account.id.as_str()),
        )?;
        require_presence(exists, expect)?;
        let username_key = account.username.to_lowercase();
        // Index: account_username.
        let taken = self.exists(
            "SELECT 1 FROM account WHERE tenant = ?1 AND username_key = ?2 AND id <> ?3",
            (self.tenant, &username_key, account.id.as_str()),
        )?;
        require(!taken, Precondition::UsernameTaken)?;
        self.run_one(
            "INSERT INTO account (tenant, id, username_key, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, id) DO UPDATE
             SET username_key = excluded.username_key, body = excluded.body",
            (self.tenant, account.id.as_str(), &username_key, to_json(account)?),
        )
    }

    pub(super) fn put_session(&self, session: &Session) -> Result<(), OpError> {
        // Indexes: the primary key, session_secret.
        let known = self.exists(
            "SELECT 1 FROM session WHERE tenant = ?1 AND id = ?2
             UNION ALL SELECT 1 FROM session WHERE tenant = ?1 AND secret_hash = ?3",
            (self.tenant, session.id.as_str(), &session.secret_hash),
        )?;
        require(!known, Precondition::Exists)?;
        self.run_one(
            "INSERT INTO session (tenant, id, secret_hash, account, authenticated_at,
                                  last_used_at, expires_at, ended_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            rusqlite::params![
                self.tenant,
                session.id.as_str(),
                session.secret_hash,
                session.account.as_str(),
                session.authenticated_at.as_micros(),
                session.last_used_at.as_micros(),
                session.expires_at.as_micros(),
                session.ended_at.map(At::as_micros),
            ],
        )
    }

    fn require_open_session(&self, id: &SessionId) -> Result<(), OpError> {
        // Index: the primary key.
        let ended = self.one(
            "SELECT ended_at FROM session WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str()),
            |row| row.get::<_, Option<i64>>(0),
        )?;
        match ended {
            None => Err(Precondition::Missing.into()),
            Some(Some(_)) => Err(Precondition::Ended.into()),
            Some(None) => Ok(()),
        }
    }

    pub(super) fn touch_session(&self, id: &SessionId, at: At) -> Result<(), OpError> {
        self.require_open_session(id)?;
        // Index: the primary key.
        self.run_one(
            "UPDATE session SET last_used_at = max(last_used_at, ?3)
             WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str(), at.as_micros()),
        )
    }

    pub(super) fn end_session(&self, id: &SessionId, at: At) -> Result<(), OpError> {
        self.require_open_session(id)?;
        // Index: the primary key.
        self.run_one(
            "UPDATE session SET ended_at = ?3 WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id.as_str(), at.as_micros()),
        )
    }

    pub(super) fn end_sessions(&self, account: &AccountId, at: At) -> Result<(), OpError> {
        // Index: session_account. Any number of rows may change.
        self.run(
            "UPDATE session SET ended_at = ?3
             WHERE tenant = ?1 AND account = ?2 AND ended_at IS NULL",
            (self.tenant, account.as_str(), at.as_micros()),
        )?;
        Ok(())
    }

    pub(super) fn put_relationship(&self, relationship: &Relationship) -> Result<(), OpError> {
        // Index: the primary key.
        self.run_one(
            "INSERT INTO relationship (tenant, account, patient, kind, body)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (tenant, account, patient, kind) DO UPDATE SET body = excluded.body",
            (
                self.tenant,
                relationship.account.as_str(),
                relationship.patient.as_str(),
                relationship_code(relationship.kind),
                to_json(relationship)?,
            ),
        )
    }

    pub(super) fn put_key(&self, key: &SealedKey) -> Result<(), OpError> {
        // Index: the primary key.
        let known = self.exists(
            "SELECT 1 FROM server_key WHERE tenant = ?1 AND id = ?2",
            (self.tenant, &key.id),
        )?;
        require(!known, Precondition::Exists)?;
        self.run_one(
            "INSERT INTO server_key (tenant, id, body) VALUES (?1, ?2, ?3)",
            (self.tenant, &key.id, to_json(key)?),
        )
    }

    pub(super) fn retire_key(
        &self,
        id: &str,
        at: At,
        publish_until: Option<At>,
    ) -> Result<(), OpError> {
        // Index: the primary key.
        let body: Option<String> = self.one(
            "SELECT body FROM server_key WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id),
            |row| row.get(0),
        )?;
        let body = body.ok_or(Precondition::Missing)?;
        let mut key: SealedKey = from_json("server_key", id, &body)?;
        require(key.retired_at.is_none(), Precondition::Ended)?;
        key.retired_at = Some(at);
        key.publish_until = publish_until;
        self.run_one(
            "UPDATE server_key SET body = ?3 WHERE tenant = ?1 AND id = ?2",
            (self.tenant, id, to_json(&key)?),
        )
    }

    pub(super) fn put_setting(
        &self,
        name: &str,
        value: &str,
        expect: &ExpectSetting,
    ) -> Result<(), OpError> {
        // Index: the primary key.
        let stored: Option<String> = self.one(
            "SELECT value FROM setting WHERE tenant = ?1 AND name = ?2",
            (self.tenant, name),
            |row| row.get(0),
        )?;
        match (stored, expect) {
            (Some(_), ExpectSetting::Absent) => return Err(Precondition::Exists.into()),
            (None, ExpectSetting::Is(_)) => return Err(Precondition::Missing.into()),
            (Some(stored), ExpectSetting::Is(expected)) => {
                require(stored == *expected, Precondition::Changed)?;
            }
            (_, ExpectSetting::Any) | (None, ExpectSetting::Absent) => {}
        }
        self.run_one(
            "INSERT INTO setting (tenant, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value",
            (self.tenant, name, value),
        )
    }

    pub(super) fn purge(&self, before: At) -> Result<(), OpError> {
        // Scans, rarely: none of these tables keeps what has ended.
        for sql in [
            "DELETE FROM session WHERE tenant = ?1 AND (expires_at < ?2 OR ended_at < ?2)",
            "DELETE FROM launch_ticket WHERE tenant = ?1 AND expires_at < ?2",
            "DELETE FROM authorization_request WHERE tenant = ?1 AND expires_at < ?2",
            "DELETE FROM used_assertion WHERE tenant = ?1 AND expires_at < ?2",
            "DELETE FROM kept_answer WHERE tenant = ?1 AND until_at < ?2",
            // A code of a live grant stays: its second use must be noticed (RFC 6749 §4.1.2).
            "DELETE FROM authorization_code WHERE tenant = ?1 AND expires_at < ?2
             AND NOT EXISTS (SELECT 1 FROM oauth_grant g
                             WHERE g.tenant = ?1 AND g.id = authorization_code.grant_id
                               AND g.ended_at IS NULL)",
        ] {
            self.run(sql, (self.tenant, before.as_micros()))?;
        }
        Ok(())
    }
}
