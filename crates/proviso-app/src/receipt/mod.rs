//! Receipts: one signed paper for each version of a consent, to keep and to check without us.
//!
//! A receipt says what was chosen (ISO/IEC TS 27560:2023), carries the version itself with the exact
//! text shown, and the evidence that this server made it ([`evidence`]). It is made when it is asked
//! for, from the immutable version, so that it also exists for versions older than receipts are.
//!
//! TRUST: a receipt for somebody who acts for the patient holds no more than that person may know
//! ([`proviso_core::consent::SeenVersion`]): neither the version nor its name, nor the statement in
//! the log that would confirm a guess at the name.

pub mod evidence;
pub mod record;
mod verify;

use std::collections::HashMap;

use proviso_core::category::SensitiveSet;
use proviso_core::consent::{Capacity, ConsentVersion, NamedConsent, Recipient, SeenVersion};
use proviso_core::id::{ConsentId, ConsentVersionId, hex};
use proviso_core::time::At;
use proviso_store::AuditQuery;
use proviso_tlog::note::ed25519_verifier_key;
use proviso_tlog::proof::TileReader;
use proviso_tlog::tile::tile_hashes;
use proviso_tlog::{SignedNote, TileId};
use serde::{Deserialize, Serialize};

use self::evidence::{EcKey, KeyEvidence, LogEvidence};
use self::record::{CONTROLLER, Event, GIVER, PRINCIPAL, Party, Processing, RECIPIENT};
pub use self::verify::{
    Anchor, Refusal, TrustedKeys, TrustedKeysError, Verified, verify_chain, verify_receipt,
};
use crate::App;
use crate::audit::{AuditError, AuditSearch, Leaf, origin_in};
use crate::consent::HistoryError;
use crate::failure::Failure;
use crate::keys::KeysError;

/// The type of the signed part (RFC 8725 §3.11).
const RECEIPT_TYPE: &str = "consent-receipt+jwt";
/// The form of the file.
const FORMAT: &str = "proviso-receipt-1";
/// LIMIT: how many entries about one patient's consents are looked through for the one that recorded
/// a version. A patient changes a choice rarely; a receipt without log evidence is still signed.
const ENTRIES_MAX: usize = 5_000;
const NOT_STATED: &str = "not stated";

/// For whom a receipt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// The patient, or somebody who may know everything of it: the whole version is in it.
    Whole,
    /// Somebody who acts for the patient: without what the patient named in confidence.
    Partial,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The server that made it.
    pub iss: String,
    /// When it was made, in seconds since 1970-01-01T00:00:00Z.
    pub iat: i64,
    /// The standard that the record follows.
    pub schema_version: String,
    /// The id of this receipt: one for each version and audience.
    pub receipt_id: String,
    /// The version that it is about.
    pub record_id: String,
    /// The patient.
    pub pii_principal_id: String,
    /// For whom it was made.
    pub audience: Audience,
    /// What was chosen.
    pub pii_processing: Processing,
    /// Who takes part.
    pub party_identification: Vec<Party>,
    /// What happened.
    pub events: Vec<Event>,
    /// How the consent stood when the receipt was made.
    pub at_issue: AtIssue,
    /// The verifier key line of the log whose key vouches for the signing key.
    pub log_key: String,
    /// The hash of the version's canonical bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<ConsentVersionId>,
    /// The version itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ConsentVersion>,
}

/// How the consent stood when a receipt was made: a receipt of an old version must not pass for what
/// is the case now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtIssue {
    /// Which version was the newest.
    pub newest_version: u32,
    /// What that one says, in the words of the Data Privacy Vocabulary.
    pub newest_state: String,
    /// Whether the consent was in force.
    pub in_force: bool,
}

/// The file that a person keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedReceipt {
    /// The form of this file.
    pub format: String,
    /// The receipt as a compact JWS.
    pub receipt: String,
    /// The key that signed it.
    pub key: KeyEvidence,
    /// Its place in the log, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogEvidence>,
}

impl SignedReceipt {
    /// The file's only spelling.
    ///
    /// # Errors
    /// Never for a receipt that was made here.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// There is no such consent, or the reader sees no such version of it.
    #[error("no such version of a consent")]
    NotFound,
    /// The history is damaged: nothing is attested that does not hang together.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Something inside failed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<KeysError> for ReceiptError {
    fn from(error: KeysError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<AuditError> for ReceiptError {
    fn from(error: AuditError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<proviso_store::ReadError> for ReceiptError {
    fn from(error: proviso_store::ReadError) -> Self {
        Self::Failure(error.into())
    }
}

/// A receipt that has just been made: what it says, and the file.
#[derive(Debug, Clone)]
pub struct IssuedReceipt {
    /// What it says.
    pub receipt: Receipt,
    /// The file.
    pub file: SignedReceipt,
    /// The version, without what the reader may not know.
    pub version: ConsentVersion,
    /// The sensitive kinds it names; `None` when the reader may not know whether there are any.
    pub sensitive: Option<SensitiveSet>,
}

impl IssuedReceipt {
    /// Whether the version was the newest when the receipt was made.
    pub const fn is_newest(&self) -> bool {
        self.version.number == self.receipt.at_issue.newest_version
    }
}

impl App {
    /// Makes the receipt of a version: the one at a place, counted from 1, among those that the
    /// reader may know of. Whether the reader has a say in the consent is for the caller to check.
    ///
    /// # Errors
    /// When there is no such version, the history is damaged, or a key or the log cannot be used.
    pub async fn receipt(
        &self,
        consent: &ConsentId,
        place: u32,
        reader: Capacity,
    ) -> Result<IssuedReceipt, ReceiptError> {
        let line = self.consent_timeline(consent).await?.ok_or(ReceiptError::NotFound)?;
        let seen = line.seen_by(reader);
        let own = seen.iter().find(|version| version.place == place);
        let (own, newest) = own.zip(seen.last()).ok_or(ReceiptError::NotFound)?;
        let at = self.now();
        let origin = origin_in(&self.store).await?.unwrap_or_default();
        let log_key = ed25519_verifier_key(&origin, &self.keys.checkpoint_public_key());
        let receipt = self.describe(own, newest, at, log_key).await?;
        let (signed, jwk) = self.keys.sign_receipt(RECEIPT_TYPE, &receipt, at)?;
        let missing = || KeysError::Missing(proviso_oauth::record::KeyUse::SignEs256);
        let jwk: EcKey = serde_json::from_value(jwk).map_err(|_| missing())?;
        let note = SignedNote::sign_ed25519(
            &jwk.note_text(&origin),
            &origin,
            &self.keys.checkpoint_public_key(),
            |text| self.keys.sign_checkpoint(text),
        )
        .map_err(|_| KeysError::Missing(proviso_oauth::record::KeyUse::Checkpoint))?;
        let log = match own.whole() {
            Some(named) => self.log_evidence(named).await?,
            None => None,
        };
        let key = KeyEvidence { jwk, note: note.to_text() };
        let file = SignedReceipt { format: FORMAT.to_owned(), receipt: signed, key, log };
        Ok(IssuedReceipt { receipt, file, version: own.partial(), sensitive: own.sensitive })
    }

    async fn describe(
        &self,
        own: &SeenVersion<'_>,
        newest: &SeenVersion<'_>,
        at: At,
        log_key: String,
    ) -> Result<Receipt, ReceiptError> {
        let issuer = self.settings.issuer();
        let version = own.partial();
        let newest_version = newest.partial();
        let audience = if own.whole().is_some() { Audience::Whole } else { Audience::Partial };
        let record_id = format!("{}/{}", version.consent, version.number);
        let kind = match audience {
            Audience::Whole => "whole",
            Audience::Partial => "partial",
        };
        Ok(Receipt {
            iss: issuer.to_owned(),
            iat: at.as_secs(),
            schema_version: record::SCHEMA_VERSION.to_owned(),
            receipt_id: format!("{record_id}/{kind}"),
            record_id,
            pii_principal_id: version.patient.to_string(),
            audience,
            pii_processing: Processing::of(&version, own.sensitive, issuer),
            party_identification: self.parties(&version).await?,
            events: vec![Event::of(&version)],
            at_issue: AtIssue {
                newest_version: newest_version.number,
                newest_state: record::state_of(&newest_version).to_owned(),
                in_force: newest_version.in_force(at),
            },
            log_key,
            version_id: own.whole().map(|named| named.id().clone()),
            version: own.whole().map(|named| named.version().clone()),
        })
    }

    async fn parties(&self, version: &ConsentVersion) -> Result<Vec<Party>, ReceiptError> {
        let party = |id: &str, name: String, role: &str, kind: &str, contact: String| Party {
            party_id: id.to_owned(),
            party_name: name,
            party_role: role.to_owned(),
            party_type: kind.to_owned(),
            party_address: NOT_STATED.to_owned(),
            party_contact: contact,
        };
        let issuer = self.settings.issuer().to_owned();
        let organization = self.settings.organization_name.clone();
        let patient = self.patient_name(&version.patient).await?;
        let unknown = || NOT_STATED.to_owned();
        let mut parties = vec![
            party(CONTROLLER, organization, "pii_controller", "organization", issuer),
            party(PRINCIPAL, patient, "pii_principal", "person", unknown()),
        ];
        if record::giver_id(version) == GIVER {
            let account = self.live.account(&version.given_by);
            let name = account
                .map_or_else(|| version.given_by.to_string(), |own| own.display_name.clone());
            parties.push(party(GIVER, name, "giver", "person", unknown()));
        }
        let (name, kind, contact) = match &version.recipient {
            Recipient::App(id) => {
                let client = self.live.client(id);
                let name = client.as_ref().map_or_else(|| id.to_string(), |app| app.name.clone());
                let contacts = client.map(|app| app.contacts.join(", "));
                let contact = contacts.filter(|text| !text.is_empty()).unwrap_or_else(unknown);
                (name, "application", contact)
            }
            Recipient::Person(id) => {
                let account = self.live.account(id);
                let name = account.map_or_else(|| id.to_string(), |own| own.display_name.clone());
                (name, "person", unknown())
            }
            Recipient::Organization(id) => (id.to_string(), "organization", unknown()),
            Recipient::CareTeam(id) => (id.to_string(), "care-team", unknown()),
        };
        parties.push(party(RECIPIENT, name, "recipient", kind, contact));
        Ok(parties)
    }

    /// The proof that the log holds the entry that recorded a version; `None` for versions recorded
    /// before entries made statements.
    async fn log_evidence(
        &self,
        named: &NamedConsent,
    ) -> Result<Option<LogEvidence>, ReceiptError> {
        let Some(index) = self.entry_of(named).await? else { return Ok(None) };
        let query = AuditQuery { before: Some(index + 1), limit: 1, ..AuditQuery::default() };
        let stored = self.store.audit_page(query).await?.into_iter().next();
        let Some(entry) = stored.filter(|own| own.index == index).map(|own| own.entry) else {
            return Ok(None);
        };
        let salt = Leaf::statement_salt(&entry.salt);
        let stated = Leaf::parse(&entry.leaf).ok().and_then(|leaf| leaf.statement);
        let leaf = String::from_utf8(entry.leaf).ok();
        let (Some(leaf), Some(checkpoint)) = (leaf, self.store.checkpoint().await?) else {
            return Ok(None);
        };
        if stated != Some(Leaf::statement_about(&salt, named.id())) {
            return Ok(None);
        }
        let path = self.inclusion(index, checkpoint.size).await?;
        Ok(path.map(|path| LogEvidence {
            index,
            leaf,
            salt: hex(&salt),
            checkpoint: checkpoint.note,
            path: path.iter().map(evidence::encode_hash).collect(),
        }))
    }

    /// The place of the entry that recorded a version.
    async fn entry_of(&self, named: &NamedConsent) -> Result<Option<u64>, ReceiptError> {
        let version = named.version();
        let wanted = Some((version.consent.clone(), named.id().clone()));
        let mut search = AuditSearch {
            patient: Some(version.patient.clone()),
            kinds: vec![proviso_core::audit::AuditKind::Consent],
            outcome: Some(proviso_core::audit::AuditOutcome::Success),
            limit: 100,
            ..AuditSearch::default()
        };
        let mut looked = 0;
        loop {
            let page = self.search_audit(&search).await?;
            if let Some(found) = page.entries.iter().find(|own| own.entry.consent == wanted) {
                return Ok(Some(found.index));
            }
            looked += page.entries.len();
            search.before = page.next_before;
            if search.before.is_none() || looked >= ENTRIES_MAX {
                return Ok(None);
            }
        }
    }

    /// The inclusion proof of a leaf, with the few tiles it needs fetched one after the other.
    async fn inclusion(
        &self,
        index: u64,
        size: u64,
    ) -> Result<Option<Vec<proviso_tlog::Hash>>, ReceiptError> {
        let mut tiles: HashMap<TileId, Vec<proviso_tlog::Hash>> = HashMap::new();
        loop {
            let mut missing = None;
            let mut reader = TileReader::new(size, |tile| {
                let found = tiles.get(&tile).cloned();
                if found.is_none() {
                    missing = Some(tile);
                }
                found
            });
            if let Ok(path) = reader.inclusion(index, size) {
                return Ok(Some(path));
            }
            let Some(tile) = missing else { return Ok(None) };
            let bytes = self.store.tile(tile).await?;
            let Some(hashes) = bytes.and_then(|bytes| tile_hashes(&bytes)) else {
                return Ok(None);
            };
            tiles.insert(tile, hashes);
        }
    }
}
