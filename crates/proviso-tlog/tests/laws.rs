//! Laws of the tree, compared with the recursive definitions of RFC 6962 on random sizes.
#![expect(clippy::indexing_slicing, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proviso_tlog::hash::{empty_root, leaf_hash, node_hash};
use proviso_tlog::proof::{TileReader, verify_consistency, verify_inclusion};
use proviso_tlog::{FaultKind, Hash, TileId, Tree, Walk};

/// MTH of RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let k = many.len().next_power_of_two() / 2;
            node_hash(&naive_root(&many[..k]), &naive_root(&many[k..]))
        }
    }
}

fn leaf(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// A tree with everything that a store would keep.
struct Log {
    tree: Tree,
    tiles: BTreeMap<(u8, u64), Vec<Hash>>,
    leaves: Vec<Hash>,
}

impl Log {
    fn of(size: u64) -> Self {
        let mut log = Self { tree: Tree::new(), tiles: BTreeMap::new(), leaves: Vec::new() };
        for index in 0..size {
            let hash = leaf_hash(&leaf(index));
            log.leaves.push(hash);
            let tiles = &mut log.tiles;
            log.tree.append(hash, |tile, hashes| {
                let before = tiles.insert((tile.level, tile.index), hashes.to_vec());
                assert!(before.is_none(), "a full tile is handed out once");
            });
        }
        for (tile, hashes) in log.tree.partials() {
            log.tiles.insert((tile.level, tile.index), hashes.to_vec());
        }
        log
    }

    fn read(&self, tile: TileId) -> Option<Vec<Hash>> {
        let hashes = self.tiles.get(&(tile.level, tile.index))?;
        Some(hashes.get(..usize::from(tile.width))?.to_vec())
    }

    fn walk(
        &self,
        size: u64,
        leaves: impl Iterator<Item = (u64, Vec<u8>)>,
    ) -> Result<Hash, (u64, FaultKind)> {
        let mut walk = Walk::new(size, |tile| self.read(tile));
        let told = |fault: proviso_tlog::Fault| (fault.index, fault.kind);
        for (index, leaf) in leaves {
            walk.leaf(index, &leaf).map_err(told)?;
        }
        walk.finish().map_err(told)
    }
}

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..20, 250_u64..262, 500_u64..530, 0_u64..1200, Just(65_536_u64), Just(65_793)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_incremental_root_is_the_recursive_one(size in sizes()) {
        let log = Log::of(size);
        prop_assert_eq!(log.tree.root(), naive_root(&log.leaves));
    }

    #[test]
    fn a_tree_read_back_from_tiles_is_the_tree_that_wrote_them(size in sizes(), more in 0_u64..300) {
        let log = Log::of(size);
        let mut back = Tree::from_tiles(size, |tile| log.read(tile)).unwrap();
        prop_assert_eq!(&back, &log.tree);
        for index in size..size + more {
            back.append(leaf_hash(&leaf(index)), |_, _| ());
        }
        prop_assert_eq!(back.root(), Log::of(size + more).tree.root());
    }

    #[test]
    fn every_leaf_is_provably_included_and_no_other(size in sizes(), at in any::<u64>()) {
        prop_assume!(size > 0);
        let log = Log::of(size);
        let index = at % size;
        let mut reader = TileReader::new(size, |tile| log.read(tile));
        let path = reader.inclusion(index, size).unwrap();
        let (own, root) = (log.leaves[usize::try_from(index).unwrap()], log.tree.root());
        prop_assert!(verify_inclusion(&own, index, size, &path, &root));
        prop_assert!(!verify_inclusion(&leaf_hash(b"foreign"), index, size, &path, &root));
        prop_assert!(!verify_inclusion(&own, index, size, &path, &empty_root()));
        prop_assert!(!verify_inclusion(&own, size, size, &path, &root));
        if size > 1 {
            prop_assert!(!verify_inclusion(&own, (index + 1) % size, size, &path, &root));
            let cut = path.get(1..).unwrap_or_default();
            prop_assert!(!verify_inclusion(&own, index, size, cut, &root));
        }
        prop_assert!(reader.inclusion(size, size).is_err());
        prop_assert!(reader.inclusion(0, size + 1).is_err());
    }

    #[test]
    fn a_log_is_consistent_with_each_of_its_beginnings(size in sizes(), at in any::<u64>()) {
        prop_assume!(size > 0);
        let log = Log::of(size);
        let old = at % size + 1;
        let mut reader = TileReader::new(size, |tile| log.read(tile));
        let old_root = reader.root(old).unwrap();
        prop_assert_eq!(old_root, naive_root(&log.leaves[..usize::try_from(old).unwrap()]));
        let path = reader.consistency(old, size).unwrap();
        let root = log.tree.root();
        prop_assert!(verify_consistency(old, size, &path, &old_root, &root));
        prop_assert!(!verify_consistency(old, size, &path, &leaf_hash(b"x"), &root));
        if old < size {
            prop_assert!(!verify_consistency(old, size, &path, &old_root, &leaf_hash(b"x")));
            prop_assert!(!verify_consistency(size, old, &path, &root, &old_root));
        }
    }

    #[test]
    fn a_walk_over_the_whole_log_ends_at_its_root(size in sizes()) {
        let log = Log::of(size);
        let leaves = (0..size).map(|index| (index, leaf(index)));
        prop_assert_eq!(log.walk(size, leaves), Ok(log.tree.root()));
    }

    #[test]
    fn the_first_changed_leaf_is_named(size in 1_u64..700, at in any::<u64>()) {
        let log = Log::of(size);
        let bad = at % size;
        let changed = |index| if index >= bad { b"changed".to_vec() } else { leaf(index) };
        let leaves = (0..size).map(|index| (index, changed(index)));
        prop_assert_eq!(log.walk(size, leaves), Err((bad, FaultKind::LeafMismatch)));
        let dropped = (0..size).filter(|index| *index != bad).map(|index| (index, leaf(index)));
        prop_assert_eq!(log.walk(size, dropped), Err((bad, FaultKind::Missing)));
    }

    #[test]
    fn a_changed_tile_is_noticed_at_the_first_entry_under_it(size in 1_u64..700, at in any::<usize>()) {
        let mut log = Log::of(size);
        let places: Vec<_> = log
            .tiles
            .iter()
            .flat_map(|(key, hashes)| (0..hashes.len()).map(|offset| (*key, offset)))
            .collect();
        let ((level, index), offset) = places[at % places.len()];
        log.tiles.get_mut(&(level, index)).unwrap()[offset][7] ^= 1;
        let first = (index * 256 + offset as u64) << (8 * u32::from(level));
        let kind = if level == 0 { FaultKind::LeafMismatch } else { FaultKind::TileMismatch };
        let leaves = (0..size).map(|index| (index, leaf(index)));
        prop_assert_eq!(log.walk(size, leaves), Err((first, kind)));
    }
}
