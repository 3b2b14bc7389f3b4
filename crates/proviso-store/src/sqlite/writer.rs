//! The one writer: drains what is waiting into one transaction, then answers everyone.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError, RwLock};

use proviso_tlog::tile::{tile_bytes, tile_hashes};
use proviso_tlog::{Checkpoint, Hash, SignedNote, TileId, Tree};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::oneshot;

use super::apply::Pending;
use super::codes::{int, uint};
use super::side_file::SideFile;
use super::tx::{OpError, Tx};
use crate::batch::{Batch, CommitError, Op, Receipt};
use crate::error::OpenError;
use crate::log::SharedSigner;
use crate::options::Faults;

/// LIMIT: how many batches one transaction takes; more would make the first of them wait.
const BATCHES_MAX: usize = 1024;
/// LIMIT: how many operations one transaction takes before it stops taking batches.
const OPS_MAX: usize = 8192;

/// After how many operations the write-ahead log is copied back when nobody waits.
const COPY_BACK_OPS: usize = 512;

/// A batch and whom to tell how it went.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<Receipt, CommitError>>,
}

/// How a batch that fails in its middle is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undo {
    /// By running the whole group again.
    None,
    /// By going back to a savepoint before it.
    Savepoints,
}

/// What a group of batches has done inside its transaction.
#[derive(Debug)]
struct Written {
    answers: Vec<Result<Receipt, CommitError>>,
    pending: Pending,
}

#[derive(Debug)]
pub(super) struct Writer {
    db: Connection,
    tenant: i64,
    signer: Arc<RwLock<Option<SharedSigner>>>,
    faults: Faults,
    side: SideFile,
    tree: Tree,
    next_seq: u64,
    epoch: u64,
    /// Set when what is in memory may no longer be what is on disk.
    stale: bool,
}

impl Writer {
    pub(super) fn new(
        db: Connection,
        tenant: i64,
        signer: Arc<RwLock<Option<SharedSigner>>>,
        faults: Faults,
        side: SideFile,
    ) -> Result<Self, OpenError> {
        let mut writer = Self {
            db,
            tenant,
            signer,
            faults,
            side,
            tree: Tree::new(),
            next_seq: 1,
            epoch: 0,
            stale: false,
        };
        writer.reload()?;
        writer.compare_with_side_file()?;
        Ok(writer)
    }

    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut uncopied = 0;
        loop {
            let first = match commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    // Copying the write-ahead log back is what makes a commit slow: it is done
                    // while nobody waits.
                    if uncopied >= COPY_BACK_OPS {
                        self.copy_back("PRAGMA wal_checkpoint(PASSIVE)");
                        uncopied = 0;
                    }
                    let Ok(command) = commands.recv() else { break };
                    command
                }
            };
            uncopied += self.run_group(first, commands);
        }
        // The database is one file when nobody uses it.
        self.copy_back("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Commits a batch and those that wait behind it, tells everyone, and says how many operations
    /// that were.
    fn run_group(&mut self, first: Command, commands: &Receiver<Command>) -> usize {
        let mut ops = first.batch.ops.len();
        let mut group = vec![first];
        while group.len() < BATCHES_MAX && ops < OPS_MAX {
            let Ok(command) = commands.try_recv() else { break };
            ops += command.batch.ops.len();
            group.push(command);
        }
        let (batches, replies): (Vec<_>, Vec<_>) =
            group.into_iter().map(|command| (command.batch, command.reply)).unzip();
        let answers = self.commit(&batches).unwrap_or_else(|why| {
            tracing::error!(reason = %why, "a commit failed; nothing was released");
            vec![Err(why); batches.len()]
        });
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Nobody waits any more when the request was dropped; the batch is durable anyway.
            drop(reply.send(answer));
        }
        ops
    }

    fn copy_back(&self, statement: &str) {
        if let Err(why) = self.db.execute_batch(statement) {
            tracing::warn!(reason = %why, "the write-ahead log could not be copied back");
        }
    }

    /// Runs a group of batches in one transaction. The outer error is that of everyone.
    fn commit(
        &mut self,
        batches: &[Batch],
    ) -> Result<Vec<Result<Receipt, CommitError>>, CommitError> {
        if self.stale {
            self.reload().map_err(|why| CommitError::Storage(why.to_string()))?;
        }
        let answers = self.write_group(batches);
        if answers.is_err() {
            // CRASH: an error while committing leaves open what is on disk. Nobody is told that it
            // went well, and the state is read again before anything else is written.
            self.stale = true;
            if !self.db.is_autocommit()
                && let Err(why) = self.db.execute_batch("ROLLBACK")
            {
                tracing::error!(reason = %why, "a failed transaction could not be rolled back");
            }
        }
        answers
    }

    fn write_group(
        &mut self,
        batches: &[Batch],
    ) -> Result<Vec<Result<Receipt, CommitError>>, CommitError> {
        let signer = self.signer.read().unwrap_or_else(PoisonError::into_inner).clone();
        // Savepoints are kept for the case that a batch fails in its middle: while one is open,
        // SQLite copies every page that is touched.
        self.sql("BEGIN IMMEDIATE")?;
        let mut written = self.write_batches(batches, signer.is_some(), Undo::None)?;
        if written.is_none() {
            self.sql("ROLLBACK")?;
            self.sql("BEGIN IMMEDIATE")?;
            written = self.write_batches(batches, signer.is_some(), Undo::Savepoints)?;
        }
        let Written { answers, pending } = written
            .ok_or_else(|| CommitError::Storage("a batch could not be undone".to_owned()))?;
        let mut tree = self.tree.clone();
        let note = match signer.filter(|_| !pending.leaves.is_empty()) {
            Some(signer) => Some(self.extend_log(&mut tree, &pending.leaves, &signer)?),
            None => None,
        };
        if pending.epoch != self.epoch {
            self.save_epoch(pending.epoch)?;
        }
        if self.faults.commits_fail() {
            return Err(CommitError::Storage("a test made this commit fail".to_owned()));
        }
        self.sql("COMMIT")?;
        self.tree = tree;
        self.next_seq = pending.next_seq;
        self.epoch = pending.epoch;
        if let Some(note) = note
            && let Err(why) = self.side.write(&note)
        {
            // The entries are durable; only the evidence against a cut log lags behind.
            tracing::error!(reason = %why, "the checkpoint beside the database was not written");
        }
        Ok(answers)
    }

    /// Runs batches inside the transaction. `None` when one failed in its middle and there is no
    /// savepoint to go back to. The error fails the whole transaction.
    fn write_batches(
        &self,
        batches: &[Batch],
        can_sign: bool,
        undo: Undo,
    ) -> Result<Option<Written>, CommitError> {
        let mut pending = Pending {
            next_seq: self.next_seq,
            next_index: self.tree.size(),
            leaves: Vec::new(),
            epoch: self.epoch,
        };
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            let appends = batch.ops.iter().any(|op| matches!(op, Op::AppendAudit(_)));
            if appends && !can_sign {
                answers.push(Err(CommitError::NoSigner));
                continue;
            }
            match self.write_batch(batch, &mut pending, undo)? {
                Some(answer) => answers.push(answer),
                None => return Ok(None),
            }
        }
        Ok(Some(Written { answers, pending }))
    }

    /// Runs one batch. `None` and errors as in [`Writer::write_batches`].
    fn write_batch(
        &self,
        batch: &Batch,
        pending: &mut Pending,
        undo: Undo,
    ) -> Result<Option<Result<Receipt, CommitError>>, CommitError> {
        let before = (pending.next_seq, pending.next_index, pending.leaves.len(), pending.epoch);
        let tx = Tx { db: &self.db, tenant: self.tenant };
        let mut receipt = Receipt::default();
        if undo == Undo::Savepoints {
            self.sql("SAVEPOINT batch")?;
        }
        for (op, operation) in batch.ops.iter().enumerate() {
            let failure = match tx.apply(operation, pending, &mut receipt) {
                Ok(()) => continue,
                Err(OpError::Storage(why)) => return Err(CommitError::Storage(why)),
                Err(OpError::Precondition(which)) => CommitError::Precondition { op, which },
                Err(OpError::Batch(why)) => why,
            };
            match undo {
                Undo::Savepoints => {
                    self.sql("ROLLBACK TO batch")?;
                    self.sql("RELEASE batch")?;
                }
                // Preconditions are checked before anything is written.
                Undo::None if op == 0 && failure.precondition().is_some() => {}
                Undo::None => return Ok(None),
            }
            (pending.next_seq, pending.next_index, _, pending.epoch) = before;
            pending.leaves.truncate(before.2);
            return Ok(Some(Err(failure)));
        }
        if undo == Undo::Savepoints {
            self.sql("RELEASE batch")?;
        }
        pending.epoch += u64::from(batch.ops.iter().any(Op::alters_decisions));
        receipt.epoch = pending.epoch;
        Ok(Some(Ok(receipt)))
    }

    /// Appends leaves to the tree, writes the tiles that changed and a checkpoint over all.
    fn extend_log(
        &self,
        tree: &mut Tree,
        leaves: &[Hash],
        signer: &SharedSigner,
    ) -> Result<String, CommitError> {
        let old_size = tree.size();
        let mut full = Vec::new();
        for leaf in leaves {
            tree.append(*leaf, |tile, hashes| full.push((tile, tile_bytes(hashes))));
        }
        for (tile, hashes) in &full {
            self.save_tile(*tile, hashes)?;
        }
        for (tile, hashes) in tree.partials() {
            let shift = 8 * u32::from(tile.level);
            if tree.size() >> shift != old_size >> shift {
                self.save_tile(tile, &tile_bytes(hashes))?;
            }
        }
        let (size, root) = (tree.size(), tree.root());
        let note = signer.sign(size, &root).map_err(|why| CommitError::Storage(why.to_string()))?;
        self.save_checkpoint(size, &root, &note)?;
        Ok(note)
    }

    fn sql(&self, statement: &str) -> Result<(), CommitError> {
        let run = || self.db.prepare_cached(statement)?.execute([]);
        run().map(|_| ()).map_err(|why| CommitError::Storage(why.to_string()))
    }

    fn save_tile(&self, tile: TileId, hashes: &[u8]) -> Result<(), CommitError> {
        let tx = Tx { db: &self.db, tenant: self.tenant };
        // Index: log_tile_idx.
        let saved = tx.run_one(
            "INSERT INTO log_tile (tenant, level, idx, hashes) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (tenant, level, idx) DO UPDATE SET hashes = excluded.hashes",
            (self.tenant, tile.level, int(tile.index), hashes),
        );
        saved.map_err(storage)
    }

    fn save_checkpoint(&self, size: u64, root: &Hash, note: &str) -> Result<(), CommitError> {
        let tx = Tx { db: &self.db, tenant: self.tenant };
        // Index: the primary key.
        let saved = tx.run_one(
            "INSERT INTO log_checkpoint (tenant, slot, size, root, note)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (tenant, slot) DO UPDATE
             SET size = excluded.size, root = excluded.root, note = excluded.note",
            (self.tenant, int(size.saturating_sub(1) / 256), int(size), root.as_slice(), note),
        );
        saved.map_err(storage)
    }

    fn save_epoch(&self, epoch: u64) -> Result<(), CommitError> {
        let tx = Tx { db: &self.db, tenant: self.tenant };
        // Index: the primary key.
        tx.run_one("UPDATE tenant SET epoch = ?2 WHERE no = ?1", (self.tenant, int(epoch)))
            .map_err(storage)
    }

    /// Reads from disk what the writer keeps in memory, and checks that the log fits itself.
    fn reload(&mut self) -> Result<(), OpenError> {
        let failed = |why: rusqlite::Error| OpenError::Storage(why.to_string());
        let damaged = |what: &str| OpenError::LogDamaged(what.to_owned());
        let number = |sql: &str| self.db.query_row(sql, [self.tenant], |row| row.get(0).map(uint));
        // Indexes: the primary keys and audit_entry_idx, from their ends. Sequence numbers count
        // over all tenants.
        let next_seq: i64 = self
            .db
            .query_row("SELECT coalesce(max(seq), 0) + 1 FROM record_version", [], |row| row.get(0))
            .map_err(failed)?;
        let epoch = number("SELECT epoch FROM tenant WHERE no = ?1").map_err(failed)?;
        let size = number("SELECT coalesce(max(idx), -1) + 1 FROM audit_entry WHERE tenant = ?1")
            .map_err(failed)?;
        let tree = Tree::from_tiles(size, |tile| self.stored_tile(tile))
            .map_err(|why| damaged(&why.to_string()))?;
        let checkpoint: Option<(i64, Vec<u8>)> = self
            .db
            .query_row(
                "SELECT size, root FROM log_checkpoint WHERE tenant = ?1
                 ORDER BY slot DESC LIMIT 1",
                [self.tenant],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(failed)?;
        let signed = checkpoint
            .map_or((0, proviso_tlog::hash::empty_root().to_vec()), |(s, r)| (uint(s), r));
        if signed != (size, tree.root().to_vec()) {
            return Err(damaged("the tiles do not match the latest checkpoint"));
        }
        (self.tree, self.next_seq, self.epoch) = (tree, uint(next_seq), epoch);
        self.stale = false;
        Ok(())
    }

    fn stored_tile(&self, tile: TileId) -> Option<Vec<Hash>> {
        // Index: log_tile_idx.
        let sql = "SELECT hashes FROM log_tile WHERE tenant = ?1 AND level = ?2 AND idx = ?3";
        let params = (self.tenant, tile.level, int(tile.index));
        let bytes: Option<Vec<u8>> =
            self.db.query_row(sql, params, |row| row.get(0)).optional().ok()?;
        let mut hashes = tile_hashes(&bytes?)?;
        (hashes.len() >= usize::from(tile.width)).then(|| {
            hashes.truncate(usize::from(tile.width));
            hashes
        })
    }

    /// Refuses to go on with a log that is shorter than, or not a continuation of, what the file
    /// beside the database says was acknowledged: writing on would fork it.
    fn compare_with_side_file(&self) -> Result<(), OpenError> {
        let Some(note) = self.side.read()? else { return Ok(()) };
        let unreadable =
            || OpenError::LogDamaged("the checkpoint beside the database is unreadable".to_owned());
        let note = SignedNote::parse(&note).map_err(|_| unreadable())?;
        let kept = Checkpoint::parse(&note.text).map_err(|_| unreadable())?;
        let found = self.tree.size();
        if kept.size > found {
            return Err(OpenError::LogTruncated { found, acknowledged: kept.size });
        }
        let mut tiles = proviso_tlog::proof::TileReader::new(found, |tile| self.stored_tile(tile));
        let root = tiles.root(kept.size).map_err(|why| OpenError::LogDamaged(why.to_string()))?;
        if root != kept.root {
            return Err(OpenError::LogDamaged(
                "the log is not a continuation of the checkpoint beside the database".to_owned(),
            ));
        }
        Ok(())
    }
}

fn storage(why: OpError) -> CommitError {
    match why {
        OpError::Storage(why) => CommitError::Storage(why),
        OpError::Batch(why) => why,
        OpError::Precondition(which) => CommitError::Storage(which.to_string()),
    }
}
