//! Reading everything but records and the log.

use proviso_core::account::{Account, Relationship, Session};
use proviso_core::id::{
    AccountId, AuthorizationRequestId, ClientId, ConsentId, ConsentVersionId, GrantId, PatientId,
    SessionId,
};
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetId, PolicySetRecord};
use proviso_core::time::At;
use proviso_oauth::record::{
    AuthorizationCode, AuthorizationRequest, Client, Grant, LaunchTicket, RefreshToken, SealedKey,
    TokenHash,
};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use serde::de::DeserializeOwned;

use super::codes::{bad, from_json, int, relationship_from_code, uint};
use crate::choice::{ConsentPage, ConsentScan, Objection, ScanPlace, StoredConsent};
use crate::error::{Inconsistency, ReadError};
use crate::kept::KeptRequest;
use crate::policy::StoredPolicySet;
use crate::subscription::StoredSubscription;

impl From<rusqlite::Error> for ReadError {
    fn from(why: rusqlite::Error) -> Self {
        Self::Storage(why.to_string())
    }
}

fn stored_consent(id: &str, body: &str) -> Result<StoredConsent, ReadError> {
    let version = from_json("consent_version", id, body)?;
    let named = ConsentVersionId::try_from(id.to_owned());
    let id = named.map_err(|_| bad("consent_version", "version_id", id))?;
    Ok(StoredConsent { id, version })
}

/// A read connection, and whose rows it may see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reads<'a> {
    pub(super) db: &'a Connection,
    pub(super) tenant: i64,
}

impl Reads<'_> {
    /// The value of the only row of a query with columns `key, body`, if there is one.
    pub(super) fn value<T: DeserializeOwned>(
        &self,
        table: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<Option<T>, ReadError> {
        let row: Option<(String, String)> = self
            .db
            .prepare_cached(sql)?
            .query_row(params, |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let value = row.map(|(key, body)| from_json(table, &key, &body));
        Ok(value.transpose()?)
    }

    /// The values of all rows of a query with columns `key, body`.
    pub(super) fn values<T: DeserializeOwned>(
        &self,
        table: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<T>, ReadError> {
        self.rows(sql, params, |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
            .into_iter()
            .map(|(key, body)| from_json(table, &key, &body).map_err(ReadError::from))
            .collect()
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReadError> {
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<rusqlite::Result<Vec<T>>>()?)
    }

    pub(crate) fn account(&self, id: &AccountId) -> Result<Option<Account>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT id, body FROM account WHERE tenant = ?1 AND id = ?2";
        self.value("account", sql, (self.tenant, id.as_str()))
    }

    pub(crate) fn account_by_username(&self, name: &str) -> Result<Option<Account>, ReadError> {
        // Index: account_username.
        let sql = "SELECT id, body FROM account WHERE tenant = ?1 AND username_key = ?2";
        self.value("account", sql, (self.tenant, name.to_lowercase()))
    }

    pub(crate) fn accounts(&self) -> Result<Vec<Account>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT id, body FROM account WHERE tenant = ?1 ORDER BY id";
        self.values("account", sql, (self.tenant,))
    }

    pub(crate) fn session(&self, id: &SessionId) -> Result<Option<Session>, ReadError> {
        // Index: the primary key.
        self.session_where(
            "SELECT id, secret_hash, account, authenticated_at, last_used_at, expires_at, ended_at
             FROM session WHERE tenant = ?1 AND id = ?2",
            id.as_str(),
        )
    }

    pub(crate) fn session_by_secret(&self, hash: &str) -> Result<Option<Session>, ReadError> {
        // Index: session_secret.
        self.session_where(
            "SELECT id, secret_hash, account, authenticated_at, last_used_at, expires_at, ended_at
             FROM session WHERE tenant = ?1 AND secret_hash = ?2",
            hash,
        )
    }

    fn session_where(&self, sql: &str, key: &str) -> Result<Option<Session>, ReadError> {
        let read = |row: &Row<'_>| {
            let (id, account): (String, String) = (row.get(0)?, row.get(2)?);
            let at = |column| row.get(column).map(At::from_micros);
            let ended: Option<i64> = row.get(6)?;
            let session = (row.get(1)?, at(3)?, at(4)?, at(5)?, ended.map(At::from_micros));
            Ok((id, account, session))
        };
        let mut statement = self.db.prepare_cached(sql)?;
        let row = statement.query_row((self.tenant, key), read).optional()?;
        let Some((id, account, rest)) = row else { return Ok(None) };
        let account = account.parse().map_err(|_| bad("session", "account", &id))?;
        let id = id.parse().map_err(|_| bad("session", "id", &id))?;
        let (secret_hash, authenticated_at, last_used_at, expires_at, ended_at) = rest;
        Ok(Some(Session {
            id,
            secret_hash,
            account,
            authenticated_at,
            last_used_at,
            expires_at,
            ended_at,
        }))
    }

    pub(crate) fn relationships(&self) -> Result<Vec<Relationship>, ReadError> {
        // Index: the primary key, in order; kinds are few and sorted afterwards.
        let rows = self.rows(
            "SELECT account, kind, body FROM relationship WHERE tenant = ?1
             ORDER BY account, patient",
            (self.tenant,),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let read = |(account, kind, body): (String, String, String)| {
            let relationship: Relationship = from_json("relationship", &account, &body)?;
            // A relationship filed under another kind would be replaced at the wrong moment.
            if relationship_from_code(&kind) == Some(relationship.kind) {
                Ok(relationship)
            } else {
                Err(bad("relationship", "kind", &account))
            }
        };
        let mut all = rows.into_iter().map(read).collect::<Result<Vec<_>, Inconsistency>>()?;
        all.sort_by(|a, b| (&a.account, &a.patient, a.kind).cmp(&(&b.account, &b.patient, b.kind)));
        Ok(all)
    }

    pub(crate) fn client(&self, id: &ClientId) -> Result<Option<Client>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT id, body FROM client WHERE tenant = ?1 AND id = ?2";
        self.value("client", sql, (self.tenant, id.as_str()))
    }

    pub(crate) fn clients(&self) -> Result<Vec<Client>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT id, body FROM client WHERE tenant = ?1 ORDER BY id";
        self.values("client", sql, (self.tenant,))
    }

    pub(crate) fn launch_ticket(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<LaunchTicket>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT hex(hash), body FROM launch_ticket WHERE tenant = ?1 AND hash = ?2";
        self.value("launch_ticket", sql, (self.tenant, hash.as_bytes().as_slice()))
    }

    pub(crate) fn authorization_request(
        &self,
        id: &AuthorizationRequestId,
    ) -> Result<Option<AuthorizationRequest>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT id, body FROM authorization_request WHERE tenant = ?1 AND id = ?2";
        self.value("authorization_request", sql, (self.tenant, id.as_str()))
    }

    pub(crate) fn authorization_code(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<AuthorizationCode>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT hex(hash), body FROM authorization_code WHERE tenant = ?1 AND hash = ?2";
        self.value("authorization_code", sql, (self.tenant, hash.as_bytes().as_slice()))
    }

    pub(crate) fn grant(&self, id: &GrantId) -> Result<Option<Grant>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT id, body FROM oauth_grant WHERE tenant = ?1 AND id = ?2";
        self.value("oauth_grant", sql, (self.tenant, id.as_str()))
    }

    pub(crate) fn active_grants(&self) -> Result<Vec<Grant>, ReadError> {
        // Index: oauth_grant_open, in order.
        let sql = "SELECT id, body FROM oauth_grant WHERE tenant = ?1 AND ended_at IS NULL
                   ORDER BY id";
        self.values("oauth_grant", sql, (self.tenant,))
    }

    pub(crate) fn grants_of_account(&self, account: &AccountId) -> Result<Vec<Grant>, ReadError> {
        // Index: oauth_grant_account.
        let sql = "SELECT id, body FROM oauth_grant WHERE tenant = ?1 AND account = ?2 ORDER BY id";
        self.values("oauth_grant", sql, (self.tenant, account.as_str()))
    }

    pub(crate) fn grants_of_client(&self, client: &ClientId) -> Result<Vec<Grant>, ReadError> {
        // Index: oauth_grant_client.
        let sql = "SELECT id, body FROM oauth_grant WHERE tenant = ?1 AND client = ?2 ORDER BY id";
        self.values("oauth_grant", sql, (self.tenant, client.as_str()))
    }

    pub(crate) fn grants_of_consent(&self, consent: &ConsentId) -> Result<Vec<Grant>, ReadError> {
        // Index: oauth_grant_consent.
        let sql = "SELECT id, body FROM oauth_grant WHERE tenant = ?1 AND consent = ?2 ORDER BY id";
        self.values("oauth_grant", sql, (self.tenant, consent.as_str()))
    }

    pub(crate) fn refresh_token(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<RefreshToken>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT hex(hash), body FROM refresh_token WHERE tenant = ?1 AND hash = ?2";
        self.value("refresh_token", sql, (self.tenant, hash.as_bytes().as_slice()))
    }

    fn consents_where(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<StoredConsent>, ReadError> {
        let rows = self.rows(sql, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let read = |(id, body): (String, String)| stored_consent(&id, &body);
        rows.into_iter().map(read).collect()
    }

    pub(crate) fn kept_answer(
        &self,
        key: &[u8; 32],
        at: At,
    ) -> Result<Option<KeptRequest>, ReadError> {
        // Index: the primary key.
        self.value(
            "kept_answer",
            "SELECT hex(key), body FROM kept_answer
             WHERE tenant = ?1 AND key = ?2 AND until_at > ?3",
            (self.tenant, key.as_slice(), at.as_micros()),
        )
    }

    pub(crate) fn subscriptions(&self) -> Result<Vec<StoredSubscription>, ReadError> {
        // A scan: they are few, and read at the start.
        let rows = self.rows(
            "SELECT id, grant_id, body, progress FROM subscription WHERE tenant = ?1 ORDER BY id",
            [self.tenant],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?;
        let read = |(id, grant, body, progress): (String, String, Vec<u8>, String)| {
            Ok(StoredSubscription {
                grant: grant.parse().map_err(|_| bad("subscription", "grant_id", &id))?,
                progress: from_json("subscription", &id, &progress)?,
                id: id.parse().map_err(|_| bad("subscription", "id", &id))?,
                body,
            })
        };
        rows.into_iter().map(read).collect()
    }

    pub(crate) fn consent_versions(&self, id: &ConsentId) -> Result<Vec<StoredConsent>, ReadError> {
        // Index: consent_version_number, in order.
        self.consents_where(
            "SELECT version_id, body FROM consent_version
             WHERE tenant = ?1 AND consent = ?2 ORDER BY number",
            (self.tenant, id.as_str()),
        )
    }

    pub(crate) fn consent(&self, id: &ConsentId) -> Result<Option<StoredConsent>, ReadError> {
        // Index: consent_version_number, from its end.
        let latest = self.consents_where(
            "SELECT version_id, body FROM consent_version
             WHERE tenant = ?1 AND consent = ?2 ORDER BY number DESC LIMIT 1",
            (self.tenant, id.as_str()),
        )?;
        Ok(latest.into_iter().next())
    }

    pub(crate) fn consent_version(
        &self,
        id: &ConsentVersionId,
    ) -> Result<Option<StoredConsent>, ReadError> {
        // Index: consent_version_id.
        let named = self.consents_where(
            "SELECT version_id, body FROM consent_version WHERE tenant = ?1 AND version_id = ?2",
            (self.tenant, id.as_str()),
        )?;
        Ok(named.into_iter().next())
    }

    pub(crate) fn consents_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<StoredConsent>, ReadError> {
        // Indexes: consent_version_patient, then consent_version_number for newer versions. A
        // consent is about one patient in all its versions.
        self.consents_where(
            "SELECT v.version_id, v.body FROM consent_version v
             WHERE v.tenant = ?1 AND v.patient = ?2
               AND NOT EXISTS (SELECT 1 FROM consent_version newer
                               WHERE newer.tenant = ?1 AND newer.consent = v.consent
                                 AND newer.number > v.number)
             ORDER BY v.consent",
            (self.tenant, patient.as_str()),
        )
    }

    pub(crate) fn consent_versions_of_patient(
        &self,
        patient: &PatientId,
    ) -> Result<Vec<StoredConsent>, ReadError> {
        // Index: consent_version_patient, in order.
        self.consents_where(
            "SELECT version_id, body FROM consent_version
             WHERE tenant = ?1 AND patient = ?2 ORDER BY consent, number",
            (self.tenant, patient.as_str()),
        )
    }

    pub(crate) fn consents(&self) -> Result<Vec<StoredConsent>, ReadError> {
        // Index: consent_version_number, in order and for newer versions.
        self.consents_where(
            "SELECT v.version_id, v.body FROM consent_version v
             WHERE v.tenant = ?1
               AND NOT EXISTS (SELECT 1 FROM consent_version newer
                               WHERE newer.tenant = ?1 AND newer.consent = v.consent
                                 AND newer.number > v.number)
             ORDER BY v.consent",
            (self.tenant,),
        )
    }

    pub(crate) fn consents_from(&self, query: &ConsentScan) -> Result<ConsentPage, ReadError> {
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let rows = match query.written_after {
            // Index: consent_version_number, in order.
            None => self.consent_rows(
                "SELECT consent, number, epoch, version_id, body FROM consent_version
                 WHERE tenant = ?1 AND (consent, number) > (?2, ?3)
                 ORDER BY consent, number LIMIT ?4",
                (self.tenant, query.place.consent(), query.place.number(), limit),
            ),
            // Index: consent_version_epoch, in order.
            Some(epoch) => self.consent_rows(
                "SELECT consent, number, epoch, version_id, body FROM consent_version
                 WHERE tenant = ?1 AND epoch > ?2 AND (epoch, consent, number) > (?3, ?4, ?5)
                 ORDER BY epoch, consent, number LIMIT ?6",
                (
                    self.tenant,
                    int(epoch),
                    int(query.place.epoch()),
                    query.place.consent(),
                    query.place.number(),
                    limit,
                ),
            ),
        }?;
        let whole = rows.len() >= query.limit;
        let next = rows.last().filter(|_| whole).map(|(place, ..)| place.clone());
        let mut consents = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter().peekable();
        while let Some((place, id, body)) = rows.next() {
            // A version whose successor follows is not worth reading.
            let superseded =
                rows.peek().is_some_and(|(following, ..)| following.consent() == place.consent());
            if !superseded {
                consents.push(stored_consent(&id, &body)?);
            }
        }
        Ok(ConsentPage { consents, next })
    }

    fn consent_rows(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<(ScanPlace, String, String)>, ReadError> {
        self.rows(sql, params, |row| {
            let place = ScanPlace::at(uint(row.get(2)?), row.get(0)?, row.get(1)?);
            Ok((place, row.get(3)?, row.get(4)?))
        })
    }

    pub(crate) fn objections(&self) -> Result<Vec<Objection>, ReadError> {
        // Index: the primary key, in order.
        let rows = self.rows(
            "SELECT patient, categories, recorded_at FROM objection WHERE tenant = ?1
             ORDER BY patient",
            (self.tenant,),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let read = |(patient, categories, at): (String, String, i64)| {
            let unreadable = |column| -> Inconsistency { bad("objection", column, &patient) };
            Ok(Objection {
                categories: serde_json::from_str(&categories)
                    .map_err(|_| unreadable("categories"))?,
                recorded_at: At::from_micros(at),
                patient: patient.parse().map_err(|_| unreadable("patient"))?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    pub(crate) fn policy_set(
        &self,
        id: &PolicySetId,
    ) -> Result<Option<StoredPolicySet>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT documents, body FROM policy_set WHERE tenant = ?1 AND id = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let row: Option<(String, String)> = statement
            .query_row((self.tenant, id.as_str()), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let read = |(documents, body): (String, String)| {
            let record = from_json("policy_set", id.as_str(), &body)?;
            Ok::<_, ReadError>(StoredPolicySet { record, documents })
        };
        row.map(read).transpose()
    }

    pub(crate) fn policy_sets(&self) -> Result<Vec<PolicySetRecord>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT id, body FROM policy_set WHERE tenant = ?1 ORDER BY id";
        self.values("policy_set", sql, (self.tenant,))
    }

    pub(crate) fn policies_in_force(&self) -> Result<PoliciesInForce, ReadError> {
        // Index: the primary key.
        let sql = "SELECT body FROM policy_in_force WHERE tenant = ?1";
        let mut statement = self.db.prepare_cached(sql)?;
        let body: Option<String> =
            statement.query_row((self.tenant,), |row| row.get(0)).optional()?;
        let read = |body: String| from_json("policy_in_force", "", &body);
        Ok(body.map(read).transpose()?.unwrap_or_default())
    }

    pub(crate) fn keys(&self) -> Result<Vec<SealedKey>, ReadError> {
        // Index: the primary key, in order.
        let sql = "SELECT id, body FROM server_key WHERE tenant = ?1 ORDER BY id";
        self.values("server_key", sql, (self.tenant,))
    }

    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, ReadError> {
        // Index: the primary key.
        let sql = "SELECT value FROM setting WHERE tenant = ?1 AND name = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        Ok(statement.query_row((self.tenant, name), |row| row.get(0)).optional()?)
    }

    pub(crate) fn epoch(&self) -> Result<u64, ReadError> {
        // Index: the primary key.
        let mut statement = self.db.prepare_cached("SELECT epoch FROM tenant WHERE no = ?1")?;
        Ok(statement.query_row((self.tenant,), |row| row.get(0).map(uint))?)
    }
}
