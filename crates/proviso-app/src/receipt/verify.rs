//! Checking a receipt from its bytes alone, with nothing but keys that somebody kept.

use proviso_core::consent::{ChainError, NamedConsent, follows};
use proviso_oauth::jose::{JwsError, KeySet, SignatureAlgorithm, jwks_document, peek_document_kid};

use super::evidence::{EcKey, LogFault, LogKey};
use super::record::{Event, Processing};
use super::{Audience, FORMAT, RECEIPT_TYPE, Receipt, SignedReceipt};

/// LIMIT: a receipt holds one text that a person read and some hundred short members.
const RECEIPT_BYTES_MAX: usize = 1024 * 1024;

/// Why a receipt is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is too long, no JSON, or not of the form of a receipt.
    #[error("the file is not a receipt")]
    Form,
    /// The file says the same as a receipt and is written otherwise, so it was changed.
    #[error("the file is not spelled as a receipt is")]
    Spelling,
    /// The signature is wrong, or of another kind than receipts have.
    #[error("the signature does not fit: {0}")]
    Signature(JwsError),
    /// The log's key does not vouch for the key that signed.
    #[error("the log's key does not vouch for the key that signed")]
    KeyNote,
    /// None of the keys that were given is the server's.
    #[error("none of the keys given signed this receipt or vouches for its key")]
    NotTrusted,
    /// The text shown is not the one whose hash the version holds.
    #[error("the text shown does not fit its hash")]
    TextHash,
    /// The version's name is not the hash of its content.
    #[error("the version id is not the hash of the version")]
    VersionId,
    /// The record says something else than the version, or there is a version where none may be.
    #[error("the record does not say what the version says")]
    Record,
    /// The log does not show that the version was recorded.
    #[error("{0}")]
    Log(LogFault),
}

/// Why the key that signed is held to be the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// It is one of the keys that were given.
    SigningKey,
    /// A log key that was given vouches for it.
    LogKey,
    /// No keys were given: the receipt fits together, and who made it is not shown.
    Nothing,
}

/// A receipt that fits together.
#[derive(Debug, Clone)]
pub struct Verified {
    /// What it says.
    pub receipt: Receipt,
    /// The version with its name, where the receipt holds it.
    pub version: Option<NamedConsent>,
    /// Why the key that signed is held to be the server's.
    pub anchor: Anchor,
    /// The thumbprint of the key that signed (RFC 7638).
    pub thumbprint: String,
    /// The place of the version in the log and the size that its checkpoint states.
    pub logged: Option<(u64, u64)>,
}

/// Keys that somebody holds to be the server's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    thumbprints: Vec<String>,
    logs: Vec<LogKey>,
}

/// The file has no key in it that a receipt could be checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a JWK set with a P-256 key nor a verifier key of a log")]
pub struct TrustedKeysError;

impl TrustedKeys {
    /// Reads a JWK set as the server publishes it, with or without the member `log_keys`, or
    /// verifier key lines of logs.
    ///
    /// # Errors
    /// When there is no usable key in it.
    pub fn parse(text: &str) -> Result<Self, TrustedKeysError> {
        let mut keys = Self::default();
        if let Ok(set) = serde_json::from_str::<serde_json::Value>(text) {
            let listed = |name: &str| {
                let list = set.get(name).and_then(serde_json::Value::as_array);
                list.cloned().unwrap_or_default()
            };
            keys.thumbprints.extend(listed("keys").iter().filter_map(EcKey::thumbprint_of));
            let lines = listed("log_keys");
            keys.logs
                .extend(lines.iter().filter_map(|line| line.as_str()).filter_map(LogKey::parse));
        } else {
            keys.logs.extend(text.lines().map(str::trim).filter_map(LogKey::parse));
        }
        let empty = keys.thumbprints.is_empty() && keys.logs.is_empty();
        if empty { Err(TrustedKeysError) } else { Ok(keys) }
    }

    fn anchor(&self, thumbprint: &str, log: &LogKey) -> Option<Anchor> {
        if self.logs.contains(log) {
            Some(Anchor::LogKey)
        } else if self.thumbprints.iter().any(|own| own == thumbprint) {
            Some(Anchor::SigningKey)
        } else {
            None
        }
    }
}

/// Checks a receipt: its form, its signature, the key that made it, the hash of the text shown, the
/// name of the version, the record made from it, and its place in the log.
///
/// # Errors
/// When any of it does not fit, with what.
pub fn verify_receipt(text: &str, trusted: Option<&TrustedKeys>) -> Result<Verified, Refusal> {
    if text.len() > RECEIPT_BYTES_MAX {
        return Err(Refusal::Form);
    }
    let file: SignedReceipt = serde_json::from_str(text).map_err(|_| Refusal::Form)?;
    if file.format != FORMAT {
        return Err(Refusal::Form);
    }
    // Whatever else the bytes were, they would be another file that says the same.
    if file.to_text().map_err(|_| Refusal::Form)? != text {
        return Err(Refusal::Spelling);
    }
    let receipt = signed_part(&file)?;
    let log = LogKey::parse(&receipt.log_key).ok_or(Refusal::KeyNote)?;
    if !log.vouches_for(&file.key) {
        return Err(Refusal::KeyNote);
    }
    let thumbprint = file.key.jwk.thumbprint();
    let anchor = match trusted {
        None => Anchor::Nothing,
        Some(trusted) => trusted.anchor(&thumbprint, &log).ok_or(Refusal::NotTrusted)?,
    };
    let version = version_of(&receipt)?;
    let logged = match (&file.log, &version) {
        (Some(evidence), Some(named)) => {
            let size = evidence.check(&log, named.id()).map_err(Refusal::Log)?;
            Some((evidence.index, size))
        }
        // A statement in the log is about a version by its name.
        (Some(_), None) => return Err(Refusal::Log(LogFault::Statement)),
        (None, _) => None,
    };
    Ok(Verified { receipt, version, anchor, thumbprint, logged })
}

fn signed_part(file: &SignedReceipt) -> Result<Receipt, Refusal> {
    let jwk = serde_json::to_value(&file.key.jwk).map_err(|_| Refusal::Form)?;
    let keys = KeySet::parse(&jwks_document(&[jwk]))
        .map_err(|_| Refusal::Signature(JwsError::UnknownKey))?;
    // A key set finds its key by name; a signature that names none would fit the only one.
    let kid = peek_document_kid(&file.receipt, RECEIPT_BYTES_MAX).map_err(Refusal::Signature)?;
    if kid.as_deref() != Some(file.key.jwk.kid.as_str()) {
        return Err(Refusal::Signature(JwsError::UnknownKey));
    }
    let accepted = &[SignatureAlgorithm::Es256];
    keys.verify_document(&file.receipt, accepted, &[RECEIPT_TYPE], RECEIPT_BYTES_MAX)
        .map_err(Refusal::Signature)
}

/// The version in a receipt, once everything that depends on it has been made again and compared.
fn version_of(receipt: &Receipt) -> Result<Option<NamedConsent>, Refusal> {
    let (version, id) = match (&receipt.version, &receipt.version_id, receipt.audience) {
        (Some(version), Some(id), Audience::Whole) => (version.clone(), id),
        (None, None, Audience::Partial) => return Ok(None),
        (Some(_) | None, Some(_) | None, Audience::Whole | Audience::Partial) => {
            return Err(Refusal::Record);
        }
    };
    if !version.text_fits_hash() {
        return Err(Refusal::TextHash);
    }
    let named = NamedConsent::new(version);
    if named.id() != id {
        return Err(Refusal::VersionId);
    }
    let version = named.version();
    let fits = receipt.pii_processing
        == Processing::of(version, Some(version.sensitive), &receipt.iss)
        && receipt.events == [Event::of(version)]
        && receipt.pii_principal_id == version.patient.as_str()
        && receipt.record_id == format!("{}/{}", version.consent, version.number)
        && receipt.at_issue.newest_version >= version.number;
    if fits { Ok(Some(named)) } else { Err(Refusal::Record) }
}

/// Checks that verified receipts are of consecutive versions of one consent, each naming the one
/// before it; in any order.
///
/// # Errors
/// When one is missing, twice, of another consent, or holds no version.
pub fn verify_chain(receipts: &[Verified]) -> Result<(), ChainError> {
    let mut versions: Vec<&NamedConsent> = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        versions.push(receipt.version.as_ref().ok_or(ChainError::Empty)?);
    }
    versions.sort_by_key(|named| named.version().number);
    versions.windows(2).try_for_each(|pair| match pair {
        [before, next] => follows(before, next),
        _ => Ok(()),
    })
}
