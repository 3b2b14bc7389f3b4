//! One process for one data folder.
//!
//! Revocation is in force at once because a single process holds the live state; a second one would
//! go on permitting what the first has stopped. The lock is the operating system's, so it ends with
//! the process however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::Context as _;

/// Held as long as the folder is in use.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held for its lock, never read")] File);

impl FolderLock {
    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process has it, or the lock file cannot be made.
    pub fn take(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open `{}`", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                anyhow::bail!("another proviso process uses `{}`; stop it first", folder.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock `{}`", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_used_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let second = FolderLock::take(folder.path()).unwrap_err();
        assert!(second.to_string().starts_with("another proviso process uses"), "{second}");
        drop(first);
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
