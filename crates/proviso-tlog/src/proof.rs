//! Inclusion and consistency proofs: made from tiles, checked from hashes alone.

use alloc::vec::Vec;

use crate::hash::{Hash, node_hash};
use crate::tile::{TILE_WIDTH, TileId, fold};

/// Why no proof could be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index or the smaller size lies outside the tree.
    #[error("outside the tree")]
    OutOfRange,
    /// A tile is missing or too short.
    #[error("a tile is missing or too short")]
    MissingTile,
}

/// Reads hashes of a tree of a fixed size out of its tiles.
#[derive(Debug)]
pub struct TileReader<F> {
    size: u64,
    read: F,
}

impl<F: FnMut(TileId) -> Option<Vec<Hash>>> TileReader<F> {
    /// A reader over the tiles of a tree of a size.
    pub const fn new(size: u64, read: F) -> Self {
        Self { size, read }
    }

    /// The root over the first `size` leaves; `size` may be smaller than the tree.
    ///
    /// # Errors
    /// When the size lies outside the tree or a tile is missing.
    pub fn root(&mut self, size: u64) -> Result<Hash, ProofError> {
        if size > self.size {
            return Err(ProofError::OutOfRange);
        }
        if size == 0 {
            return Ok(crate::hash::empty_root());
        }
        self.range(0, size)
    }

    /// The proof that leaf `index` is part of the first `size` leaves (RFC 6962 §2.1.1).
    ///
    /// # Errors
    /// When the index lies outside or a tile is missing.
    pub fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
        if index >= size || size > self.size {
            return Err(ProofError::OutOfRange);
        }
        let (mut low, mut high) = (0, size);
        let mut path = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `old` leaves is the beginning of that of `new` leaves
    /// (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// When a size lies outside or a tile is missing.
    pub fn consistency(&mut self, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
        if old == 0 || old > new || new > self.size {
            return Err(ProofError::OutOfRange);
        }
        let (mut low, mut high) = (0, new);
        let mut path = Vec::new();
        // `whole`: everything up to `old` inside this range is a subtree the verifier knows.
        let mut whole = true;
        while high != old {
            let middle = low + split(high - low);
            if old <= middle {
                path.push(self.range(middle, high)?);
                high = middle;
            } else {
                path.push(self.range(low, middle)?);
                low = middle;
                whole = false;
            }
        }
        if !whole {
            path.push(self.range(low, high)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The root over leaves `low..high`, a range that RFC 6962's splitting can produce.
    fn range(&mut self, low: u64, high: u64) -> Result<Hash, ProofError> {
        let length = high - low;
        if length.is_power_of_two() {
            return self.node(length.trailing_zeros(), low);
        }
        let middle = low + split(length);
        let left = self.range(low, middle)?;
        let right = self.range(middle, high)?;
        Ok(node_hash(&left, &right))
    }

    /// The root of the complete subtree of a height that starts at a leaf.
    fn node(&mut self, height: u32, first_leaf: u64) -> Result<Hash, ProofError> {
        let level = u8::try_from(height / 8).map_err(|_| ProofError::OutOfRange)?;
        let first = first_leaf >> (8 * u32::from(level));
        let index = first / u64::from(TILE_WIDTH);
        let tile = TileId::in_tree(level, index, self.size).ok_or(ProofError::OutOfRange)?;
        let hashes = (self.read)(tile).ok_or(ProofError::MissingTile)?;
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        let end = start.saturating_add(1_usize << (height % 8));
        let run = hashes.get(start..end).ok_or(ProofError::MissingTile)?;
        fold(run).ok_or(ProofError::MissingTile)
    }
}

/// The largest power of two below `length` (RFC 6962 §2.1: `k < n <= 2k`).
const fn split(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}

/// Checks an inclusion proof (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Checks a consistency proof (RFC 9162 §2.1.4.2). An empty tree is the beginning of any other;
/// equal sizes need equal roots and no path.
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> bool {
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return old == 0 && path.is_empty() && *old_root == crate::hash::empty_root();
    }
    let (seed, mut path) = if old.is_power_of_two() {
        (Some(old_root), path)
    } else {
        path.split_first().map_or((None, path), |(first, rest)| (Some(first), rest))
    };
    let Some(seed) = seed else { return false };
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    while let Some((hash, rest)) = path.split_first() {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(hash, &old_hash);
            new_hash = node_hash(hash, &new_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, hash);
        }
        at >>= 1;
        last >>= 1;
        path = rest;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}
