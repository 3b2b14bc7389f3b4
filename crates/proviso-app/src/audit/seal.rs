//! Sealing entries: encryption, commitment, pseudonyms.

use core::fmt;

use aws_lc_rs::hmac;
use proviso_core::audit::AuditEntry;
use proviso_core::id::{AccountId, AuditEntryId, ClientId, PatientId};
use proviso_store::{SealedAudit, SubjectKey};

use super::AuditError;
use super::leaf::Leaf;
use crate::envelope::{Envelope, SealError};
use crate::keys::{Keys, KeysError};
use crate::ports::Entropy;

/// Holds the keys of the log's contents. Without it, the log still proves that nothing was changed,
/// but says nothing about anybody.
pub struct Sealer {
    body: Envelope,
    pseudonym: hmac::Key,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// A sealer with the keys of this server.
    ///
    /// # Errors
    /// When a key cannot be derived.
    pub fn new(keys: &Keys) -> Result<Self, KeysError> {
        let body = keys.derive(b"audit body 1")?;
        let pseudonym = keys.derive(b"audit pseudonym 1")?;
        Self::from_keys(&body, &pseudonym).map_err(|_| KeysError::Seal(crate::keys::SealError))
    }

    /// A sealer with given keys.
    ///
    /// # Errors
    /// When the crypto library refuses a key.
    pub fn from_keys(body: &[u8; 32], pseudonym: &[u8; 32]) -> Result<Self, SealError> {
        Ok(Self {
            body: Envelope::new(body)?,
            pseudonym: hmac::Key::new(hmac::HMAC_SHA256, pseudonym),
        })
    }

    /// Seals an entry. Nonce and salt are random, so the same entry never looks the same twice.
    ///
    /// LIMIT: random nonces of one key are safe up to 2^32 entries (NIST SP 800-38D §8.3).
    ///
    /// # Errors
    /// When there is no randomness or the crypto library fails.
    pub fn seal(
        &self,
        entry: &AuditEntry,
        entropy: &dyn Entropy,
    ) -> Result<SealedAudit, AuditError> {
        let salt = entropy.secret_bytes()?;
        let plain = serde_json::to_vec(entry).map_err(|_| SealError)?;
        let body = self.body.seal(plain, &bound_to(&entry.id), entropy)?;
        let leaf = Leaf::of(entry, &salt, &body).to_bytes().map_err(|_| SealError)?;
        Ok(SealedAudit {
            id: entry.id.clone(),
            at: entry.at,
            kind: entry.kind,
            outcome: entry.outcome,
            leaf,
            body,
            salt,
            subjects: self.subjects(entry),
        })
    }

    /// Opens the body of the entry with an id.
    ///
    /// # Errors
    /// When it was sealed with another key, for another id, or has been changed.
    pub fn open(&self, id: &AuditEntryId, body: &[u8]) -> Result<AuditEntry, SealError> {
        let plain = self.body.open(body, &bound_to(id))?;
        let entry: AuditEntry = serde_json::from_slice(&plain).map_err(|_| SealError)?;
        if entry.id == *id { Ok(entry) } else { Err(SealError) }
    }

    /// The pseudonyms under which an entry is found, sorted.
    pub(super) fn subjects(&self, entry: &AuditEntry) -> Vec<SubjectKey> {
        let patients = entry.patients.iter().chain(&entry.on_behalf_of);
        let mut all: Vec<SubjectKey> = patients
            .map(|patient| self.patient(patient))
            .chain(entry.noticed.iter().map(|patient| self.notices(patient)))
            .chain(entry.account.iter().map(|account| self.account(account)))
            .chain(entry.client.iter().map(|client| self.client(client)))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn patient(&self, patient: &PatientId) -> SubjectKey {
        self.pseudonym("patient", patient.as_str())
    }

    /// Under which the entries are found that a policy tells a patient of at once.
    pub(super) fn notices(&self, patient: &PatientId) -> SubjectKey {
        self.pseudonym("notices", patient.as_str())
    }

    pub(super) fn account(&self, account: &AccountId) -> SubjectKey {
        self.pseudonym("account", account.as_str())
    }

    pub(super) fn client(&self, client: &ClientId) -> SubjectKey {
        self.pseudonym("client", client.as_str())
    }

    fn pseudonym(&self, what: &str, id: &str) -> SubjectKey {
        let mut context = hmac::Context::with_key(&self.pseudonym);
        // Ids hold no zero byte, so kind and id cannot run into one another.
        context.update(what.as_bytes());
        context.update(&[0]);
        context.update(id.as_bytes());
        let mut key = [0_u8; 32];
        for (slot, byte) in key.iter_mut().zip(context.sign().as_ref()) {
            *slot = *byte;
        }
        key
    }
}

/// The id is bound to the body, so that two bodies cannot be exchanged.
fn bound_to(id: &AuditEntryId) -> Vec<u8> {
    [b"proviso audit body 1\0".as_slice(), id.as_str().as_bytes()].concat()
}
