//! SQLite: one file, one writer thread with group commit, many readers.

mod apply;
mod candidates;
mod codes;
mod connection;
mod health;
mod inspect;
mod migrate;
mod read;
mod read_access_reviews;
mod read_emergencies;
mod read_log;
mod read_records;
mod side_file;
#[cfg(test)]
mod tests;
mod tx;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use proviso_core::id::TenantId;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::coop::consume_budget;

use crate::batch::{Batch, CommitError, Receipt};
use crate::error::{OpenError, ReadError};
use crate::log::SharedSigner;
use crate::options::OpenOptions;

pub use health::{SchemaHealth, StoreHealth, store_health, stored_label_counts};
pub use inspect::{AuditLogReader, RawAuditEntry, RawCheckpoint};
pub(crate) use read::Reads;

/// The store in a SQLite file. Clones share it; the file is closed when the last one is gone.
#[derive(Debug, Clone)]
pub struct SqliteStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    tenant: i64,
    tenant_id: TenantId,
    queue: Mutex<Option<std::sync::mpsc::Sender<writer::Command>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    signer: Arc<RwLock<Option<SharedSigner>>>,
    idle: Mutex<Vec<Connection>>,
    readers: Arc<Semaphore>,
    // Held as long as the store is open: a second writer would fork the log.
    _lock: File,
}

impl SqliteStore {
    pub(crate) fn open(path: &Path, options: OpenOptions) -> Result<Self, OpenError> {
        let OpenOptions { tenant: tenant_id, signer, readers_max, faults } = options;
        connection::check_library()?;
        let lock = lock_file(path)?;
        let mut db = connection::open_writer(path)?;
        migrate::migrate(&mut db)?;
        let tenant = migrate::tenant_number(&db, &tenant_id)?;
        let signer = Arc::new(RwLock::new(signer));
        let side = side_file::SideFile::beside(path, &tenant_id);
        let writer = writer::Writer::new(db, tenant, Arc::clone(&signer), faults, side)?;
        let (queue, commands) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&commands))?;
        Ok(Self(Arc::new(Shared {
            path: path.to_owned(),
            tenant,
            tenant_id,
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(thread)),
            signer,
            idle: Mutex::new(Vec::new()),
            readers: Arc::new(Semaphore::new(readers_max.max(1))),
            _lock: lock,
        })))
    }

    pub(crate) fn beside(&self, stem: &str, extension: &str) -> PathBuf {
        side_file::beside(&self.0.path, &self.0.tenant_id, stem, extension)
    }

    pub(crate) fn install_signer(&self, signer: SharedSigner) {
        *self.0.signer.write().unwrap_or_else(PoisonError::into_inner) = Some(signer);
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue
            .ok_or(CommitError::Closed)?
            .send(writer::Command { batch, reply })
            .map_err(|_| CommitError::Closed)?;
        answer.await.map_err(|_| CommitError::Closed)?
    }

    /// Runs a read that may take long on a connection of its own, off the async threads.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        query: impl FnOnce(Reads<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let readers = Arc::clone(&self.0.readers);
        let permit =
            readers.acquire_owned().await.map_err(|why| ReadError::Storage(why.to_string()))?;
        let shared = Arc::clone(&self.0);
        let run = move || {
            let _permit = permit;
            shared.run(query)
        };
        tokio::task::spawn_blocking(run).await.map_err(|why| ReadError::Storage(why.to_string()))?
    }

    /// Runs a look-up of one row by its key where it is asked: it takes less time than another
    /// thread takes to wake up (`bench --only questions`). It waits for nobody's long read: there
    /// are never more of them at once than threads. Who looks up a lot at once lets others have
    /// their turn in between.
    pub(crate) async fn look_up<T>(
        &self,
        query: impl FnOnce(Reads<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        consume_budget().await;
        self.0.run(query)
    }
}

impl Shared {
    fn run<T>(
        &self,
        query: impl FnOnce(Reads<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match idle {
            Some(db) => db,
            None => connection::open_reader(&self.path)?,
        };
        let answer = query(Reads { db: &db, tenant: self.tenant });
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        answer
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The writer finishes what is queued, then ends because no sender is left.
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the storage writer ended abnormally");
        }
    }
}

fn lock_file(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options().create(true).truncate(false).write(true).open(name)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(std::fs::TryLockError::Error(why)) => Err(OpenError::Io(why)),
    }
}
