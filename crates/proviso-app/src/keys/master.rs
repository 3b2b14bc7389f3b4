//! The master key: the one secret that is not in the database.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::ports::Entropy;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    #[error("cannot use the master key file `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The file has not 32 bytes.
    #[error("the master key file `{0}` has not 32 bytes")]
    Length(PathBuf),
    /// Others may read the file.
    #[error("the master key file `{0}` can be read by others; its mode must be 0600")]
    Mode(PathBuf),
    /// There is no randomness to make one from.
    #[error("the system's random source failed")]
    Entropy,
}

/// Something could not be sealed or opened: a wrong master key, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes cannot be opened with this master key")]
pub struct SealError;

/// 32 random bytes that seal every other key (AES-256-GCM under a key derived from it).
///
/// TRUST: whoever has this file and the database has every signing key.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl core::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl MasterKey {
    /// From bytes that a key provider handed out.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads the key file, or makes it when it does not exist.
    ///
    /// # Errors
    /// When the file is not exactly a key that only its owner can read.
    pub fn load_or_create(path: &Path, entropy: &dyn Entropy) -> Result<Self, MasterKeyError> {
        match Self::load(path) {
            Err(MasterKeyError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Self::create(path, entropy)
            }
            other => other,
        }
    }

    /// Reads the key file.
    ///
    /// # Errors
    /// When there is none, or it is not exactly a key that only its owner can read.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |source| MasterKeyError::File { path: path.to_owned(), source };
        let file = fs::File::open(path).map_err(failed)?;
        if others_may_read(&file.metadata().map_err(failed)?) {
            return Err(MasterKeyError::Mode(path.to_owned()));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(33));
        file.take(33).read_to_end(&mut bytes).map_err(failed)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| MasterKeyError::Length(path.to_owned()))?;
        Ok(Self(Zeroizing::new(key)))
    }

    fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, MasterKeyError> {
        let failed = |source| MasterKeyError::File { path: path.to_owned(), source };
        let key = Zeroizing::new(entropy.secret_bytes().map_err(|_| MasterKeyError::Entropy)?);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        owner_only(&mut options);
        // CRASH: a file that is cut short is refused at the next start, never padded.
        let mut file = options.open(path).map_err(failed)?;
        file.write_all(key.as_slice()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self(key))
    }

    /// A key for one purpose.
    pub(super) fn derive(&self, label: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
        derive(&self.0, label).map_err(|()| SealError)
    }

    /// Seals bytes; what they are for is bound to them.
    pub(super) fn seal(
        &self,
        bound_to: &[u8],
        plain: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0_u8; NONCE_LEN];
        entropy.fill(&mut nonce).map_err(|_| SealError)?;
        let mut sealed = nonce.to_vec();
        let mut body = plain.to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound_to),
                &mut body,
            )
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] made for the same purpose.
    pub(super) fn open(
        &self,
        bound_to: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self
            .cipher()?
            .open_in_place(nonce, Aad::from(bound_to), body.as_mut_slice())
            .map_err(|_| SealError)?
            .len();
        body.truncate(length);
        Ok(body)
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        let key = self.derive(b"proviso seal 1")?;
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| SealError)
    }
}

/// HKDF-SHA-256 (RFC 5869) of a 32-byte key for one label.
pub(super) fn derive(key: &[u8; 32], label: &[u8]) -> Result<Zeroizing<[u8; 32]>, ()> {
    let mut out = Zeroizing::new([0_u8; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"proviso")
        .extract(key)
        .expand(&[label], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(out.as_mut_slice()))
        .map_err(|_| ())?;
    Ok(out)
}

#[cfg(unix)]
fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(unix)]
fn others_may_read(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn owner_only(_: &mut OpenOptions) {}

#[cfg(not(unix))]
fn others_may_read(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemEntropy;

    #[test]
    fn the_file_is_made_once_for_its_owner_only_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let first = MasterKey::load_or_create(&path, &SystemEntropy::default()).unwrap();
        let second = MasterKey::load_or_create(&path, &SystemEntropy::default()).unwrap();
        assert_eq!(first.0.as_slice(), second.0.as_slice());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            assert!(matches!(MasterKey::load(&path), Err(MasterKeyError::Mode(_))));
        }
    }

    #[test]
    fn a_short_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        owner_only(&mut options);
        options.open(&path).unwrap().write_all(&[1; 31]).unwrap();
        let result = MasterKey::load_or_create(&path, &SystemEntropy::default());
        assert!(matches!(result, Err(MasterKeyError::Length(_))));
    }

    #[test]
    fn sealed_bytes_open_only_with_their_key_and_purpose() {
        let entropy = SystemEntropy::default();
        let key = MasterKey::from_bytes([1; 32]);
        let sealed = key.seal(b"a", b"secret", &entropy).unwrap();
        assert_eq!(key.open(b"a", &sealed).unwrap().as_slice(), b"secret");
        assert!(key.open(b"b", &sealed).is_err());
        assert!(MasterKey::from_bytes([2; 32]).open(b"a", &sealed).is_err());
        let mut changed = sealed.clone();
        if let Some(last) = changed.last_mut() {
            *last ^= 1;
        }
        assert!(key.open(b"a", &changed).is_err());
        assert!(key.open(b"a", &[0; 5]).is_err());
    }
}
