//! Places in the log that a reader can hand back and not read.
//!
//! A place counts the entries of everybody, also those that its reader may not know of; two places
//! would tell how many lie between them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proviso_core::id::{AccountId, PatientId};

use super::{AuditError, SealError};
use crate::App;

impl App {
    /// A place as text for one reader of one patient's list; every place has the same length.
    ///
    /// # Errors
    /// When there is no key or no randomness.
    pub fn seal_place(
        &self,
        index: u64,
        reader: &AccountId,
        patient: &PatientId,
    ) -> Result<String, AuditError> {
        let mut nonce = [0_u8; NONCE_LEN];
        self.entropy.fill(&mut nonce)?;
        let mut sealed = index.to_be_bytes().to_vec();
        self.place_key()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                bound_to(reader, patient),
                &mut sealed,
            )
            .map_err(|_| SealError)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The place that a text stands for, if it was given to this reader for this patient.
    pub fn open_place(&self, text: &str, reader: &AccountId, patient: &PatientId) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let key = self.place_key().ok()?;
        let plain = key.open_in_place(nonce, bound_to(reader, patient), &mut sealed).ok()?;
        Some(u64::from_be_bytes(plain.try_into().ok()?))
    }

    fn place_key(&self) -> Result<LessSafeKey, SealError> {
        let key = self.keys.derive(b"audit place 1").map_err(|_| SealError)?;
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).map_err(|_| SealError)?))
    }
}

/// Ids hold no zero byte, so the two cannot run into one another.
fn bound_to(reader: &AccountId, patient: &PatientId) -> Aad<Vec<u8>> {
    Aad::from([reader.as_str().as_bytes(), &[0], patient.as_str().as_bytes()].concat())
}
