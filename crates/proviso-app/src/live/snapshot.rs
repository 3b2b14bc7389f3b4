//! The consents in memory as a file, so that a start need not read them all from the store.
//!
//! The file is a sequence of chunks, each with a MAC under a key of the installation over the file's
//! own random value, the chunk's position and its bytes: a header, the index piece by piece, and a
//! trailer. A file that is cut, spliced, changed or of another installation is refused at the chunk
//! where that shows, and everything is read from the store instead.
//!
//! A snapshot is never trusted more than the store. The header says for which epoch it stands; what
//! was written later is read from the store before anything is decided. The trailer has the size and
//! root of the audit log when the last piece was made; a store whose log never had that root is of
//! another history, as one that was put back from a copy is.
//!
//! TRUST: whoever can make a valid file has the installation's keys, that is its database and its
//! master key, and can change the database itself. Whoever can only write the folder can put an
//! earlier snapshot back; it says so itself, by its epoch.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use proviso_core::consent::index::{ConsentIndex, Dump, DumpError, Loader};
use serde::{Deserialize, Serialize};

use super::names::KeptNames;
use super::{Live, seeds};
use crate::keys::{Keys, KeysError};
use crate::ports::{Entropy, EntropyError};
use proviso_store::{ReadError, Store, StoredCheckpoint};

/// What the key of the MACs is derived for. Also names the format: another one is another key.
const KEY_LABEL: &[u8] = b"proviso consent snapshot 1";
const MAGIC: &[u8; 8] = b"PRVSNAP1";
/// How large a chunk grows before it is written.
const CHUNK: usize = 256 * 1024;
/// LIMIT: a longer chunk is none of ours. One piece more than `CHUNK` fits.
const CHUNK_MAX: usize = 64 * 1024 * 1024;
/// How many patients are written in one go; nothing can change meanwhile, so they are few.
const PATIENTS_AT_ONCE: u32 = 64;
/// LIMIT: below so many consents no file is written, since reading them from the store takes no time
/// that anybody would notice.
pub(crate) const CONSENTS_MIN: usize = 10_000;

const HEADER: u8 = 0;
const PIECE: u8 = 1;
const TRAILER: u8 = 2;

/// What a snapshot stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    /// Everything up to this epoch is in it.
    epoch: u64,
    /// How many consents there were at first, to make room for as many.
    consents: u64,
    patients: u64,
}

/// Of which history it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    log_size: u64,
    log_root: [u8; 32],
}

/// Why a snapshot was not written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be written.
    #[error("the snapshot cannot be written")]
    Io(#[from] io::Error),
    /// The store cannot be read.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
    /// The consents in memory cannot be written: one of them answers nothing.
    #[error("the consents in memory are not whole")]
    Dump(#[from] DumpError),
    /// The key cannot be derived.
    #[error("the key of the snapshot cannot be derived")]
    Keys(#[from] KeysError),
    /// The random source failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The header cannot be encoded, or a request ended in the middle of a change.
    #[error("what is in memory cannot be read")]
    Unreadable,
}

/// Why a snapshot is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("it is not a snapshot of this version")]
    Format,
    #[error("a part of it was changed, or it is of another installation")]
    Mac,
    #[error("it is cut short, or goes on after its end")]
    Incomplete,
    #[error(transparent)]
    Content(#[from] DumpError),
    #[error("it is newer than the store")]
    Newer,
    #[error("the store has another history")]
    History,
    #[error("the store cannot be read")]
    Read(#[from] ReadError),
    #[error("its key cannot be derived")]
    Keys(#[from] KeysError),
}

/// A snapshot that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotWritten {
    /// For which epoch it stands.
    pub epoch: u64,
    /// How many consents are in it.
    pub consents: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// The MACs of one file.
struct Macs {
    key: hmac::Key,
    file: [u8; 16],
    next: u64,
}

impl Macs {
    fn new(keys: &Keys, file: [u8; 16]) -> Result<Self, KeysError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &keys.derive(KEY_LABEL)?);
        Ok(Self { key, file, next: 0 })
    }

    fn of_next(&mut self, kind: u8, bytes: &[u8]) -> hmac::Tag {
        let mut mac = hmac::Context::with_key(&self.key);
        mac.update(&self.file);
        mac.update(&self.next.to_be_bytes());
        mac.update(&[kind]);
        mac.update(bytes);
        self.next += 1;
        mac.sign()
    }
}

struct SnapshotWriter<W> {
    out: W,
    macs: Macs,
    bytes: u64,
}

impl<W: Write> SnapshotWriter<W> {
    fn begin(mut out: W, macs: Macs) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        out.write_all(&macs.file)?;
        Ok(Self { out, macs, bytes: 24 })
    }

    fn chunk(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&[kind])?;
        self.out.write_all(bytes)?;
        self.out.write_all(self.macs.of_next(kind, bytes).as_ref())?;
        self.bytes += u64::from(length) + 37;
        Ok(())
    }
}

struct SnapshotReader<R> {
    from: R,
    macs: Macs,
}

impl<R: Read> SnapshotReader<R> {
    fn begin(mut from: R, keys: &Keys) -> Result<Self, Refusal> {
        let (mut magic, mut file) = ([0; 8], [0; 16]);
        read_whole(&mut from, &mut magic)?;
        if magic != *MAGIC {
            return Err(Refusal::Format);
        }
        read_whole(&mut from, &mut file)?;
        Ok(Self { from, macs: Macs::new(keys, file)? })
    }

    /// Reads the next chunk into `bytes` and says of what kind it is.
    fn chunk(&mut self, bytes: &mut Vec<u8>) -> Result<u8, Refusal> {
        let (mut length, mut kind, mut mac) = ([0; 4], [0; 1], [0; 32]);
        read_whole(&mut self.from, &mut length)?;
        read_whole(&mut self.from, &mut kind)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > CHUNK_MAX {
            return Err(Refusal::Format);
        }
        bytes.clear();
        // No more is allotted than the file has, whatever its length says.
        let read = (&mut self.from).take(length as u64).read_to_end(bytes)?;
        read_whole(&mut self.from, &mut mac)?;
        let [kind] = kind;
        let own = self.macs.of_next(kind, bytes);
        let same = subtle::ConstantTimeEq::ct_eq(own.as_ref(), mac.as_slice());
        if read == length && bool::from(same) { Ok(kind) } else { Err(Refusal::Mac) }
    }

    fn ends(&mut self) -> Result<(), Refusal> {
        match self.from.read(&mut [0; 1])? {
            0 => Ok(()),
            _ => Err(Refusal::Incomplete),
        }
    }
}

fn read_whole(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), Refusal> {
    from.read_exact(bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Refusal::Incomplete
        } else {
            Refusal::Io(error)
        }
    })
}

/// What was read of a snapshot, before the store has been asked about it.
struct ReadSnapshot {
    index: ConsentIndex<KeptNames>,
    header: Header,
    trailer: Trailer,
}

/// Reads a snapshot that the store agrees with, and the epoch for which it stands; `None` when there
/// is none.
pub(super) async fn load(
    store: &Store,
    keys: &std::sync::Arc<Keys>,
) -> Result<Option<(ConsentIndex<KeptNames>, u64)>, Refusal> {
    let Some(path) = path_in(store) else { return Ok(None) };
    let keys = std::sync::Arc::clone(keys);
    let read = tokio::task::spawn_blocking(move || read(&path, &keys)).await;
    let read = read.map_err(io::Error::other)?;
    let Some(ReadSnapshot { index, header, trailer }) = read? else { return Ok(None) };
    if header.epoch > store.epoch().await? {
        return Err(Refusal::Newer);
    }
    match store.log_root(trailer.log_size).await? {
        None => Err(Refusal::Newer),
        Some(root) if root != trailer.log_root => Err(Refusal::History),
        Some(_) => Ok(Some((index, header.epoch))),
    }
}

fn path_in(store: &Store) -> Option<PathBuf> {
    store.beside("consents", "snapshot")
}

fn read(path: &Path, keys: &Keys) -> Result<Option<ReadSnapshot>, Refusal> {
    match File::open(path) {
        Ok(file) => {
            let from = BufReader::with_capacity(CHUNK, file);
            read_from(from, keys, KeptNames::within(path.parent())).map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn read_from(from: impl Read, keys: &Keys, names: KeptNames) -> Result<ReadSnapshot, Refusal> {
    let mut from = SnapshotReader::begin(from, keys)?;
    let mut bytes = Vec::new();
    if from.chunk(&mut bytes)? != HEADER {
        return Err(Refusal::Format);
    }
    let header: Header = serde_json::from_slice(&bytes).map_err(|_| Refusal::Format)?;
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (consents, patients) = (count(header.consents), count(header.patients));
    let index = ConsentIndex::for_consents(seeds(), names, consents, patients);
    let mut loader = Loader::new(index);
    loop {
        match from.chunk(&mut bytes)? {
            PIECE => loader.take(&bytes)?,
            TRAILER => break,
            _ => return Err(Refusal::Format),
        }
    }
    let trailer: Trailer = serde_json::from_slice(&bytes).map_err(|_| Refusal::Format)?;
    from.ends()?;
    Ok(ReadSnapshot { index: loader.finish()?, header, trailer })
}

impl Live {
    /// Writes a snapshot of the consents in memory beside the database; `None` when the store has no
    /// folder.
    ///
    /// Requests go on meanwhile: a few patients are written at a time. What changes after the first
    /// of them may be in the file or not; it was written after the epoch that the file stands for.
    ///
    /// CRASH: the file is written under another name and synced before it takes the place of the one
    /// before, so that there is the one or the other.
    ///
    /// # Errors
    /// When it cannot be written. The one before stays.
    pub(crate) async fn write_snapshot(
        self: &std::sync::Arc<Self>,
        store: &Store,
        keys: &std::sync::Arc<Keys>,
        entropy: &dyn Entropy,
    ) -> Result<Option<SnapshotWritten>, SnapshotError> {
        let _only_one = self.writing.lock().await;
        let holding = self.holding().ok_or(SnapshotError::Unreadable)?;
        let Some(path) = path_in(store) else { return Ok(None) };
        let mut file = [0; 16];
        entropy.fill(&mut file)?;
        let macs = Macs::new(keys, file)?;
        // Read before the first piece: whatever is later than this is read from the store at start.
        let header = Header {
            epoch: self.horizon.whole(),
            consents: holding.consents as u64,
            patients: holding.patients as u64,
        };
        let epoch = header.epoch;
        let unfinished = path.with_extension("snapshot.new");
        let (live, to) = (std::sync::Arc::clone(self), unfinished.clone());
        let pieces = tokio::task::spawn_blocking(move || live.write_pieces(&to, macs, &header));
        let (mut out, consents) = pieces.await.map_err(io::Error::other)??;
        // Read after the last piece: every version in the file has its entry in this log.
        let checkpoint = store.checkpoint().await?;
        let finish = move || {
            out.chunk(TRAILER, &trailer_of(checkpoint)?)?;
            let bytes = out.bytes;
            let file = out.out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            sync_folder(&path)?;
            Ok(Some(SnapshotWritten { epoch, consents, bytes }))
        };
        tokio::task::spawn_blocking(finish).await.map_err(io::Error::other)?
    }

    fn write_pieces(
        &self,
        path: &Path,
        macs: Macs,
        header: &Header,
    ) -> Result<(SnapshotWriter<BufWriter<File>>, u64), SnapshotError> {
        let out = BufWriter::with_capacity(CHUNK, private(path)?);
        let mut out = SnapshotWriter::begin(out, macs)?;
        let header = serde_json::to_vec(header).map_err(|_| SnapshotError::Unreadable)?;
        out.chunk(HEADER, &header)?;
        let (mut dump, mut piece) = (Dump::default(), Vec::with_capacity(2 * CHUNK));
        loop {
            let last = self.state.read().map_err(|_| SnapshotError::Unreadable)?.consents.dump(
                &mut dump,
                PATIENTS_AT_ONCE,
                &mut piece,
            )?;
            if last || piece.len() >= CHUNK {
                out.chunk(PIECE, &piece)?;
                piece.clear();
            }
            if last {
                let (consents, _) = dump.written();
                return Ok((out, consents));
            }
        }
    }
}

fn trailer_of(checkpoint: Option<StoredCheckpoint>) -> Result<Vec<u8>, SnapshotError> {
    let (log_size, log_root) = checkpoint
        .map_or_else(|| (0, proviso_tlog::hash::empty_root()), |latest| (latest.size, latest.root));
    serde_json::to_vec(&Trailer { log_size, log_root }).map_err(|_| SnapshotError::Unreadable)
}

/// A new file for its owner only. One that was left unfinished is not ours to go on with.
fn private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Makes a renaming durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
