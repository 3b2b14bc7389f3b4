//! Tiles: runs of up to 256 hashes of one level, the unit in which a log is stored and served.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::hash::{Hash, node_hash};

/// How many hashes a full tile has (C2SP tlog-tiles: height 8).
pub const TILE_WIDTH: u16 = 256;

/// The highest tile level that a tree of 2^64 leaves could need.
pub const LEVEL_MAX: u8 = 7;

/// Which tile: its level, its place in the level, and how many of its hashes are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 holds leaf hashes; each level above holds the roots of full tiles of the level below.
    pub level: u8,
    /// Counting from 0 in its level.
    pub index: u64,
    /// 1 to 256; less than 256 makes it a partial tile.
    pub width: u16,
}

impl TileId {
    /// How many hashes a tile has in a tree of a size; `None` when it has none.
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        if level > LEVEL_MAX {
            return None;
        }
        let hashes = size >> (8 * u32::from(level));
        let start = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = hashes.checked_sub(start)?.min(u64::from(TILE_WIDTH));
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, index, width })
    }

    /// The path under the log's prefix, such as `tile/0/x001/x234/067` or `tile/0/000.p/5`.
    pub fn path(&self) -> String {
        let mut groups = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups = format!("x{:03}/{groups}", rest % 1000);
            rest /= 1000;
        }
        if self.width < TILE_WIDTH {
            format!("tile/{}/{groups}.p/{}", self.level, self.width)
        } else {
            format!("tile/{}/{groups}", self.level)
        }
    }

    /// Reads a path in the only spelling that [`TileId::path`] would write.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("tile/")?;
        let (level, rest) = rest.split_once('/')?;
        let level = level.parse::<u8>().ok().filter(|level| *level <= LEVEL_MAX)?;
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => (groups, width.parse::<u16>().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index = 0_u64;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            index = index.checked_mul(1000)?.checked_add(digits.parse::<u64>().ok()?)?;
        }
        let tile = Self { level, index, width };
        let allowed = (1..=TILE_WIDTH).contains(&width);
        // One tile, one path: anything that does not come back the same is refused.
        (allowed && tile.path() == path).then_some(tile)
    }
}

/// The hashes as the bytes of a tile resource.
pub fn tile_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flatten().copied().collect()
}

/// The hashes in the bytes of a tile; `None` when a hash is cut.
pub fn tile_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    bytes
        .len()
        .is_multiple_of(32)
        .then(|| bytes.chunks_exact(32).filter_map(|chunk| Hash::try_from(chunk).ok()).collect())
}

/// The leaves as the bytes of an entry bundle: each after its length as two bytes, big-endian;
/// `None` when a leaf is longer than that can say.
pub fn bundle_bytes<L: AsRef<[u8]>>(leaves: &[L]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for leaf in leaves {
        let leaf = leaf.as_ref();
        bytes.extend_from_slice(&u16::try_from(leaf.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(leaf);
    }
    Some(bytes)
}

/// The hash above a run of hashes whose length is a power of two.
pub(crate) fn fold(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        many => {
            let (left, right) = many.split_at_checked(many.len() / 2)?;
            Some(node_hash(&fold(left)?, &fold(right)?))
        }
    }
}
