//! The growing edge of a tree: what must be remembered to append, and nothing else.

use alloc::vec::Vec;

use crate::hash::{Hash, empty_root, node_hash};
use crate::tile::{LEVEL_MAX, TILE_WIDTH, TileId, fold};

/// The stored tiles do not fit the stored size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {} of level {} is missing or too short", tile.index, tile.level)]
pub struct TreeError {
    /// The tile that is missing or too short.
    pub tile: TileId,
}

/// A Merkle tree to which leaves are only ever appended.
///
/// INVARIANT: `stack` holds one root for each set bit of `size`, highest first; `edges[l]` holds
/// the hashes of the unfinished tile of level `l`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    stack: Vec<(u8, Hash)>,
    edges: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree without leaves.
    pub const fn new() -> Self {
        Self { size: 0, stack: Vec::new(), edges: Vec::new() }
    }

    /// Reads back the edge of a tree of a size from its tiles.
    ///
    /// # Errors
    /// When a tile that the size asks for is missing or has another length.
    pub fn from_tiles(
        size: u64,
        mut read: impl FnMut(TileId) -> Option<Vec<Hash>>,
    ) -> Result<Self, TreeError> {
        let mut edges = Vec::new();
        for level in 0..=LEVEL_MAX {
            let hashes = size >> (8 * u32::from(level));
            if hashes == 0 {
                break;
            }
            let Some(tile) = TileId::in_tree(level, hashes / u64::from(TILE_WIDTH), size) else {
                edges.push(Vec::new());
                continue;
            };
            let edge = read(tile).filter(|edge| edge.len() == usize::from(tile.width));
            edges.push(edge.ok_or(TreeError { tile })?);
        }
        let mut stack = Vec::new();
        for level in (0..=LEVEL_MAX).rev() {
            let Some(edge) = edges.get(usize::from(level)) else { continue };
            let mut rest = edge.as_slice();
            for bit in (0..8_u8).rev() {
                let run = 1_usize << bit;
                if edge.len() & run == 0 {
                    continue;
                }
                let Some((head, tail)) = rest.split_at_checked(run) else { break };
                stack.extend(fold(head).map(|root| (level * 8 + bit, root)));
                rest = tail;
            }
        }
        Ok(Self { size, stack, edges })
    }

    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root hash over all leaves.
    pub fn root(&self) -> Hash {
        let mut roots = self.stack.iter().rev().map(|(_, root)| *root);
        let Some(last) = roots.next() else { return empty_root() };
        roots.fold(last, |right, left| node_hash(&left, &right))
    }

    /// Appends one leaf by its hash. Each tile that becomes full is handed to `full`, once.
    pub fn append(&mut self, leaf: Hash, mut full: impl FnMut(TileId, &[Hash])) {
        let index = self.size;
        self.size += 1;
        self.extend_edge(0, index, leaf, &mut full);
        let (mut height, mut hash) = (0_u8, leaf);
        while self.stack.last().is_some_and(|(top, _)| *top == height) {
            let Some((_, left)) = self.stack.pop() else { break };
            hash = node_hash(&left, &hash);
            height += 1;
            if height.is_multiple_of(8) {
                self.extend_edge(height / 8, index >> u32::from(height), hash, &mut full);
            }
        }
        self.stack.push((height, hash));
    }

    /// The unfinished tiles: one for each level that has any.
    pub fn partials(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        (0_u8..).zip(&self.edges).filter_map(|(level, edge)| {
            let width = u16::try_from(edge.len()).ok().filter(|width| *width > 0)?;
            let index = (self.size >> (8 * u32::from(level))) / u64::from(TILE_WIDTH);
            Some((TileId { level, index, width }, edge.as_slice()))
        })
    }

    fn extend_edge(
        &mut self,
        level: u8,
        index: u64,
        hash: Hash,
        full: &mut impl FnMut(TileId, &[Hash]),
    ) {
        let slot = usize::from(level);
        while self.edges.len() <= slot {
            self.edges.push(Vec::new());
        }
        let Some(edge) = self.edges.get_mut(slot) else { return };
        edge.push(hash);
        if edge.len() == usize::from(TILE_WIDTH) {
            let tile = TileId { level, index: index / u64::from(TILE_WIDTH), width: TILE_WIDTH };
            full(tile, edge);
            edge.clear();
        }
    }
}
