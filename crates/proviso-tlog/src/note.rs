//! Signed notes: a text and the signatures under it (C2SP signed-note).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The signature type byte of Ed25519 (C2SP signed-note "Signature types").
pub const ED25519: u8 = 0x01;

/// The four bytes that hint at which key made a signature.
pub type KeyId = [u8; 4];

/// Why a note is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a note.
    #[error("not a signed note")]
    Malformed,
    /// The key name is empty or has a space or a plus sign.
    #[error("the key name is empty or has a space or a plus sign")]
    BadName,
    /// No signature is by the wanted key.
    #[error("no signature by the wanted key")]
    NotSigned,
    /// A signature by the wanted key does not fit the text.
    #[error("a signature does not fit the text")]
    BadSignature,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// Its id.
    pub key_id: KeyId,
    /// The signature itself.
    pub signature: Vec<u8>,
}

/// A text and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The text, ending in a line end.
    pub text: String,
    /// The signatures, in order.
    pub signatures: Vec<NoteSignature>,
}

/// The id of an Ed25519 key: the first four bytes of `SHA-256(name ‖ "\n" ‖ 0x01 ‖ key)`.
pub fn ed25519_key_id(name: &str, public_key: &[u8; 32]) -> KeyId {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', ED25519]);
    hasher.update(public_key);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.finalize());
    [a, b, c, d]
}

/// The verifier key line that others configure: `name+hash+base64(0x01 ‖ key)`.
pub fn ed25519_verifier_key(name: &str, public_key: &[u8; 32]) -> String {
    let id = u32::from_be_bytes(ed25519_key_id(name, public_key));
    let mut typed = Vec::with_capacity(33);
    typed.push(ED25519);
    typed.extend_from_slice(public_key);
    format!("{name}+{id:08x}+{}", STANDARD.encode(typed))
}

/// Reads a verifier key line; `None` when it is not one of an Ed25519 key or its id does not fit.
pub fn parse_ed25519_verifier_key(line: &str) -> Option<(String, [u8; 32])> {
    // The base64 part may itself hold plus signs: only the first two separate.
    let (name, rest) = line.split_once('+')?;
    let (_, key) = rest.split_once('+')?;
    let typed = STANDARD.decode(key).ok()?;
    let (kind, key) = typed.split_first()?;
    let key = <[u8; 32]>::try_from(key).ok().filter(|_| *kind == ED25519)?;
    (is_name(name) && ed25519_verifier_key(name, &key) == line).then(|| (name.to_owned(), key))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.contains(char::is_whitespace)
}

impl SignedNote {
    /// Signs a text with an Ed25519 key that the closure holds.
    ///
    /// # Errors
    /// When the text or name cannot be part of a note. The closure's failure passes through as
    /// [`NoteError::NotSigned`].
    pub fn sign_ed25519(
        text: &str,
        name: &str,
        public_key: &[u8; 32],
        sign: impl FnOnce(&[u8]) -> Option<[u8; 64]>,
    ) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::BadName);
        }
        if !is_text(text) {
            return Err(NoteError::Malformed);
        }
        let signature = sign(text.as_bytes()).ok_or(NoteError::NotSigned)?.to_vec();
        let key_id = ed25519_key_id(name, public_key);
        let signatures = Vec::from([NoteSignature { name: name.to_owned(), key_id, signature }]);
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The note as it is stored and served.
    pub fn to_text(&self) -> String {
        let mut out = format!("{}\n", self.text);
        for line in &self.signatures {
            let mut bytes = line.key_id.to_vec();
            bytes.extend_from_slice(&line.signature);
            out.push_str("\u{2014} ");
            out.push_str(&line.name);
            out.push(' ');
            out.push_str(&STANDARD.encode(bytes));
            out.push('\n');
        }
        out
    }

    /// Reads a note; no signature is checked yet.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] when it is not one.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        // The text may hold blank lines: the last one separates.
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, rest) = note.split_at_checked(at + 1).ok_or(NoteError::Malformed)?;
        let lines = rest.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed)?;
        if !is_text(text) {
            return Err(NoteError::Malformed);
        }
        let signatures = lines.split('\n').map(parse_signature).collect::<Option<Vec<_>>>();
        Ok(Self { text: text.to_owned(), signatures: signatures.ok_or(NoteError::Malformed)? })
    }

    /// Checks that an Ed25519 key signed the text. The closure gets the text and the signature.
    ///
    /// # Errors
    /// When no signature names the key, or one that does is wrong. Signatures of unknown keys are
    /// ignored, as the format asks for.
    pub fn verify_ed25519(
        &self,
        name: &str,
        public_key: &[u8; 32],
        verify: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Result<(), NoteError> {
        let key_id = ed25519_key_id(name, public_key);
        let mut own = self
            .signatures
            .iter()
            .filter(|line| line.name == name && line.key_id == key_id)
            .peekable();
        if own.peek().is_none() {
            return Err(NoteError::NotSigned);
        }
        if own.all(|line| verify(self.text.as_bytes(), &line.signature)) {
            Ok(())
        } else {
            Err(NoteError::BadSignature)
        }
    }
}

/// C2SP signed-note: no control characters but the line end, and a line end last.
fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.chars().any(|c| c.is_ascii_control() && c != '\n')
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let (name, data) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(data).ok()?;
    let (key_id, signature) = bytes.split_first_chunk::<4>()?;
    (is_name(name) && !signature.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        key_id: *key_id,
        signature: signature.to_vec(),
    })
}
