//! The walk over a whole log that names the first entry that does not fit.

use alloc::vec::Vec;

use crate::hash::{Hash, leaf_hash};
use crate::tile::{TILE_WIDTH, TileId};
use crate::tree::Tree;

/// Why a log is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum FaultKind {
    /// The entry is not there.
    #[error("the entry is missing")]
    Missing,
    /// An entry came a second time, or out of its place.
    #[error("the entry is out of place")]
    OutOfPlace,
    /// The entry's leaf does not hash to what its tile says.
    #[error("the leaf does not match its tile")]
    LeafMismatch,
    /// A tile is missing, too short, or holds a hash that does not follow from the leaves.
    #[error("a tile above the entry is missing or does not match")]
    TileMismatch,
    /// The root over the entries is not the one that was signed; the entry named is the first
    /// after the last checkpoint that does match.
    #[error("the root does not match the signed checkpoint")]
    RootMismatch,
}

/// The first entry that does not fit, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entry {index}: {kind}")]
pub struct Fault {
    /// The index of the entry.
    pub index: u64,
    /// Why.
    pub kind: FaultKind,
}

/// Rebuilds the tree leaf by leaf and compares it with the stored tiles and checkpoints.
#[derive(Debug)]
pub struct Walk<F> {
    size: u64,
    read: F,
    tree: Tree,
    leaves: Vec<Hash>,
    trusted: u64,
}

impl<F: FnMut(TileId) -> Option<Vec<Hash>>> Walk<F> {
    /// A walk over a log that should have `size` entries, with its stored tiles.
    pub const fn new(size: u64, read: F) -> Self {
        Self { size, read, tree: Tree::new(), leaves: Vec::new(), trusted: 0 }
    }

    /// The index that must come next.
    pub const fn next_index(&self) -> u64 {
        self.tree.size()
    }

    /// The root over what was walked.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Takes the next leaf.
    ///
    /// # Errors
    /// When it is not the next one, or does not fit its tiles.
    pub fn leaf(&mut self, index: u64, leaf: &[u8]) -> Result<(), Fault> {
        let expected = self.tree.size();
        if index > expected {
            return Err(Fault { index: expected, kind: FaultKind::Missing });
        }
        if index < expected || index >= self.size {
            return Err(Fault { index, kind: FaultKind::OutOfPlace });
        }
        let hash = leaf_hash(leaf);
        let offset = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        if offset == 0 {
            self.leaves = self.leaves(index)?;
        }
        match self.leaves.get(offset) {
            None => return Err(Fault { index, kind: FaultKind::TileMismatch }),
            Some(stored) if *stored != hash => {
                return Err(Fault { index, kind: FaultKind::LeafMismatch });
            }
            Some(_) => {}
        }
        let mut full = Vec::new();
        self.tree.append(hash, |tile, hashes| full.push((tile, hashes.to_vec())));
        for (tile, hashes) in full {
            self.compare(tile, &hashes)?;
        }
        Ok(())
    }

    /// Compares a checkpoint that covers exactly what was walked so far.
    ///
    /// # Errors
    /// When its root is another one.
    pub fn checkpoint(&mut self, root: &Hash) -> Result<(), Fault> {
        if self.tree.root() == *root {
            self.trusted = self.tree.size();
            return Ok(());
        }
        Err(Fault { index: self.trusted, kind: FaultKind::RootMismatch })
    }

    /// Ends the walk: every entry must have come, and the unfinished tiles must fit too.
    ///
    /// # Errors
    /// When entries are missing or a tile does not fit.
    pub fn finish(mut self) -> Result<Hash, Fault> {
        if self.tree.size() < self.size {
            return Err(Fault { index: self.tree.size(), kind: FaultKind::Missing });
        }
        let partials: Vec<_> =
            self.tree.partials().map(|(tile, hashes)| (tile, hashes.to_vec())).collect();
        for (tile, hashes) in partials {
            self.compare(tile, &hashes)?;
        }
        Ok(self.tree.root())
    }

    fn compare(&mut self, tile: TileId, computed: &[Hash]) -> Result<(), Fault> {
        let shift = 8 * u32::from(tile.level);
        let first = (tile.index * u64::from(TILE_WIDTH)) << shift;
        let stored = self.tile(tile.level, tile.index, first)?;
        for (offset, (stored, computed)) in (0_u64..).zip(stored.iter().zip(computed)) {
            if stored != computed {
                let index = first + (offset << shift);
                return Err(Fault { index, kind: FaultKind::TileMismatch });
            }
        }
        Ok(())
    }

    /// The stored hashes of the leaves from one that begins a tile. A tile that is too short still
    /// speaks for the leaves it has, so that the first one it lacks can be named.
    fn leaves(&mut self, first: u64) -> Result<Vec<Hash>, Fault> {
        let fault = Fault { index: first, kind: FaultKind::TileMismatch };
        let wanted = TileId::in_tree(0, first / u64::from(TILE_WIDTH), self.size).ok_or(fault)?;
        (1..=wanted.width)
            .rev()
            .find_map(|width| {
                let hashes = (self.read)(TileId { width, ..wanted })?;
                (hashes.len() == usize::from(width)).then_some(hashes)
            })
            .ok_or(fault)
    }

    fn tile(&mut self, level: u8, index: u64, first: u64) -> Result<Vec<Hash>, Fault> {
        let fault = Fault { index: first, kind: FaultKind::TileMismatch };
        let tile = TileId::in_tree(level, index, self.size).ok_or(fault)?;
        (self.read)(tile).filter(|hashes| hashes.len() == usize::from(tile.width)).ok_or(fault)
    }
}
