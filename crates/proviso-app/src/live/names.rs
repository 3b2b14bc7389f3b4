//! The names of versions on disk, in a file that nobody else can open.
//!
//! They are most of what the index would take in memory, and an entry of the log is the only one to
//! ask for them. The file is made at start in the folder of the database and has no name from then
//! on: it is gone with the process, whatever ends it. It holds what the store holds, so it is never
//! synced and never trusted more: an entry that is not that of its place is no name, and a consent
//! without one answers nothing.

use std::fs::File;
use std::io;
use std::path::Path;

use proviso_core::consent::index::{ENTRY, MemoryNames, Names, NotKept, VersionName};
use quick_cache::sync::Cache;

/// LIMIT: how many bytes wait to be written. Places are mostly given out in order.
const WAITING_MAX: usize = 64 * 1024;

/// LIMIT: how many names that were asked for lately are in memory as well, about two megabytes.
const RECENT_MAX: usize = 16 * 1024;

/// Where names are kept.
#[derive(Debug)]
pub enum KeptNames {
    /// In memory: for a store in memory, and where no file can be made.
    Memory(MemoryNames),
    /// In a file.
    File(FileNames),
}

impl KeptNames {
    /// In a file in a folder; in memory without one, or when none can be made.
    pub fn within(folder: Option<&Path>) -> Self {
        match folder.map(FileNames::within) {
            None => Self::Memory(MemoryNames::default()),
            Some(Ok(names)) => Self::File(names),
            Some(Err(error)) => {
                tracing::warn!(
                    %error,
                    "no file for the names of consent versions can be made; they take memory"
                );
                Self::Memory(MemoryNames::default())
            }
        }
    }
}

impl Names for KeptNames {
    fn put(&mut self, slot: u32, name: &VersionName) -> Result<(), NotKept> {
        match self {
            Self::Memory(names) => names.put(slot, name),
            Self::File(names) => names.put(slot, name),
        }
    }

    fn get(&self, slot: u32) -> Option<VersionName> {
        match self {
            Self::Memory(names) => names.get(slot),
            Self::File(names) => names.get(slot),
        }
    }
}

/// Names in a file.
#[derive(Debug)]
pub struct FileNames {
    file: File,
    /// Entries that were asked for lately.
    recent: Cache<u32, [u8; ENTRY]>,
    /// The place of the first entry that waits to be written.
    first: u32,
    waiting: Vec<u8>,
}

const fn offset(slot: u32) -> u64 {
    slot as u64 * ENTRY as u64
}

impl FileNames {
    fn within(folder: &Path) -> io::Result<Self> {
        let recent = Cache::new(RECENT_MAX);
        Ok(Self { file: nameless(folder)?, recent, first: 0, waiting: Vec::new() })
    }

    /// Where in what waits the entry of a place is, or would be the next.
    fn position(&self, slot: u32) -> Option<usize> {
        let position = usize::try_from(slot.checked_sub(self.first)?).ok()?.checked_mul(ENTRY)?;
        (position <= self.waiting.len()).then_some(position)
    }

    fn write_waiting(&mut self) -> Result<(), NotKept> {
        write_at(&self.file, &self.waiting, offset(self.first)).map_err(|error| {
            tracing::error!(%error, "the names of consent versions cannot be written");
            NotKept
        })?;
        self.first += u32::try_from(self.waiting.len() / ENTRY).map_err(|_| NotKept)?;
        self.waiting.clear();
        Ok(())
    }
}

impl Names for FileNames {
    fn put(&mut self, slot: u32, name: &VersionName) -> Result<(), NotKept> {
        let entry = name.to_entry(slot);
        // Whether or not it can be written: what was there before is over.
        self.recent.remove(&slot);
        if self.waiting.len() >= WAITING_MAX {
            self.write_waiting()?;
        }
        if self.waiting.is_empty() {
            self.first = slot;
        }
        match self.position(slot) {
            Some(at) if at == self.waiting.len() => self.waiting.extend_from_slice(&entry),
            Some(at) => {
                let place = self.waiting.get_mut(at..at + ENTRY).ok_or(NotKept)?;
                place.copy_from_slice(&entry);
            }
            None => write_at(&self.file, &entry, offset(slot)).map_err(|error| {
                tracing::error!(%error, "the name of a consent version cannot be written");
                NotKept
            })?,
        }
        Ok(())
    }

    fn get(&self, slot: u32) -> Option<VersionName> {
        if let Some(at) = self.position(slot)
            && let Some(entry) = self.waiting.get(at..at + ENTRY)
        {
            return VersionName::from_entry(slot, entry.try_into().ok()?);
        }
        if let Some(entry) = self.recent.get(&slot) {
            return VersionName::from_entry(slot, &entry);
        }
        let mut entry = [0; ENTRY];
        read_at(&self.file, &mut entry, offset(slot)).ok()?;
        let name = VersionName::from_entry(slot, &entry)?;
        self.recent.insert(slot, entry);
        Some(name)
    }
}

#[cfg(unix)]
fn nameless(folder: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join(format!("consent-names.{}", std::process::id()));
    // A process that ended between the two steps may have left one; this folder is ours alone.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn nameless(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> VersionName {
        let [last, ..] = number.to_le_bytes();
        VersionName { digest: [last; 32], number }
    }

    #[test]
    fn names_are_found_whether_or_not_they_were_written_yet_and_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut names = FileNames::within(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let many = 10_000;
        for slot in 0..many {
            names.put(slot, &name(slot + 1)).unwrap();
        }
        for slot in [0, 1, 5_000, many - 1] {
            assert_eq!(names.get(slot), Some(name(slot + 1)));
            names.put(slot, &name(slot + 2)).unwrap();
            assert_eq!(names.get(slot), Some(name(slot + 2)));
        }
        assert_eq!(names.get(many), None);
        names.put(many + 7, &name(7)).unwrap();
        assert_eq!((names.get(many + 7), names.get(many + 3)), (Some(name(7)), None));
        for slot in (0..many).filter(|slot| ![0, 1, 5_000, many - 1].contains(slot)) {
            assert_eq!(names.get(slot), Some(name(slot + 1)), "{slot}");
        }
    }
}
