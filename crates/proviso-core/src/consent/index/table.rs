//! A hash table of the numbers of places, in four bytes and a little for each.
//!
//! Extendible hashing: the first bits of a hash choose a page, and only a page that is full grows or
//! splits. So no insertion ever moves more than one page of entries, and the table is as full at
//! every size. An entry is the number of a place with as many further bits of its hash as are left
//! over; those spare looking at nearly every record that is not the one.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// LIMIT: entries of one page; what one insertion moves at most, unless hashes are alike.
const PAGE_MAX: usize = 1024;
/// Entries of the first page.
const PAGE_MIN: usize = 16;
/// LIMIT: how many bits choose a page. A page is never split beyond it and grows instead.
const DEPTH_MAX: u8 = 24;
/// How many bits the number of a place has at least.
const WIDTH_MIN: u8 = 8;

#[derive(Debug)]
struct Page {
    /// Zero is an empty entry.
    entries: Box<[u32]>,
    used: u32,
    /// How many bits of the hash all entries share.
    depth: u8,
    /// How many bits the numbers take.
    width: u8,
}

#[derive(Debug)]
pub(super) struct Table {
    directory: Vec<u32>,
    depth: u8,
    pages: Vec<Page>,
}

const fn low_bits(count: u8) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

/// How many bits the stored form of a number needs.
fn width_of(slot: u32) -> u8 {
    let bits = 32 - slot.saturating_add(1).leading_zeros();
    u8::try_from(bits).unwrap_or(32).max(WIDTH_MIN)
}

const fn tag_of(hash: u64, width: u8) -> u32 {
    ((hash >> 32) as u32) & low_bits(32_u8.saturating_sub(width))
}

fn entry_of(hash: u64, slot: u32, width: u8) -> u32 {
    let tag = u64::from(tag_of(hash, width)) << width;
    u32::try_from(tag & 0xffff_ffff).unwrap_or(0) | slot.saturating_add(1)
}

impl Page {
    fn new(capacity: usize, depth: u8, width: u8) -> Self {
        Self { entries: vec![0; capacity].into_boxed_slice(), used: 0, depth, width }
    }

    fn capacity(&self) -> usize {
        self.entries.len()
    }

    fn home(&self, hash: u64) -> usize {
        let scaled = (hash & 0xffff_ffff) * self.capacity() as u64;
        usize::try_from(scaled >> 32).unwrap_or(0)
    }

    fn next(&self, at: usize) -> usize {
        if at + 1 < self.capacity() { at + 1 } else { 0 }
    }

    fn slot_at(&self, at: usize) -> Option<u32> {
        (self.entries.get(at)? & low_bits(self.width)).checked_sub(1)
    }

    fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<(usize, u32)> {
        let tag = tag_of(hash, self.width);
        let mut at = self.home(hash);
        for _ in 0..self.capacity() {
            let entry = *self.entries.get(at)?;
            let slot = (entry & low_bits(self.width)).checked_sub(1)?;
            if u64::from(entry) >> self.width == u64::from(tag) && is_it(slot) {
                return Some((at, slot));
            }
            at = self.next(at);
        }
        None
    }

    /// Puts an entry into the first empty place; there is one.
    fn place(&mut self, hash: u64, slot: u32) {
        let mut at = self.home(hash);
        for _ in 0..self.capacity() {
            let after = self.next(at);
            if let Some(entry) = self.entries.get_mut(at)
                && *entry == 0
            {
                *entry = entry_of(hash, slot, self.width);
                self.used += 1;
                return;
            }
            at = after;
        }
    }

    const fn is_full(&self) -> bool {
        // Beyond seven eighths, a search for what is not there takes long.
        (self.used as usize + 1) * 8 > self.entries.len() * 7
    }

    fn slots(&self) -> impl Iterator<Item = u32> {
        let mask = low_bits(self.width);
        self.entries.iter().filter_map(move |entry| (entry & mask).checked_sub(1))
    }

    /// Takes an entry out and closes the gap.
    fn take_out(&mut self, mut gap: usize, hash_of: impl Fn(u32) -> u64) {
        let capacity = self.capacity();
        let distance = |from: usize, to: usize| (to + capacity - from) % capacity;
        let mut at = self.next(gap);
        while let Some(slot) = self.slot_at(at) {
            if distance(self.home(hash_of(slot)), at) >= distance(gap, at) {
                let moved = self.entries.get(at).copied().unwrap_or(0);
                if let Some(entry) = self.entries.get_mut(gap) {
                    *entry = moved;
                }
                gap = at;
            }
            at = self.next(at);
        }
        if let Some(entry) = self.entries.get_mut(gap) {
            *entry = 0;
        }
        self.used -= 1;
    }
}

impl Default for Table {
    fn default() -> Self {
        Self { directory: vec![0], depth: 0, pages: vec![Page::new(PAGE_MIN, 0, WIDTH_MIN)] }
    }
}

impl Table {
    /// A table in which so many entries have room without growing.
    pub(super) fn for_entries(entries: usize) -> Self {
        let mut depth = 0;
        while depth < DEPTH_MAX && (entries >> depth) > PAGE_MAX * 3 / 4 {
            depth += 1;
        }
        let pages = 1_u32 << depth;
        let each = entries >> depth;
        let width = width_of(u32::try_from(entries).unwrap_or(u32::MAX));
        let capacity = (each + each / 4).max(PAGE_MIN);
        Self {
            directory: (0..pages).collect(),
            depth,
            pages: (0..pages).map(|_| Page::new(capacity, depth, width)).collect(),
        }
    }

    fn position(&self, hash: u64) -> usize {
        let shifted = hash.checked_shr(64 - u32::from(self.depth)).unwrap_or(0);
        usize::try_from(shifted).unwrap_or(0)
    }

    fn page_number(&self, hash: u64) -> usize {
        self.directory.get(self.position(hash)).map_or(0, |number| *number as usize)
    }

    /// The number under a hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let page = self.pages.get(self.page_number(hash))?;
        page.find(hash, is_it).map(|(_, slot)| slot)
    }

    /// Adds a number that is not in the table. `hash_of` gives the hash of any number in it.
    pub(super) fn insert(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let width = width_of(slot);
        // Each turn splits a page, so that it ends after as many as there are bits.
        for _ in 0..=DEPTH_MAX {
            let number = self.page_number(hash);
            let Some(page) = self.pages.get_mut(number) else { return };
            if width > page.width {
                widen(page, width);
            }
            if !page.is_full() {
                page.place(hash, slot);
                return;
            }
            self.make_room(number, hash, &hash_of);
        }
        let number = self.page_number(hash);
        if let Some(page) = self.pages.get_mut(number) {
            page.place(hash, slot);
        }
    }

    /// Removes a number.
    pub(super) fn remove(&mut self, hash: u64, slot: u32, hash_of: impl Fn(u32) -> u64) {
        let number = self.page_number(hash);
        let Some(page) = self.pages.get_mut(number) else { return };
        if let Some((at, _)) = page.find(hash, |other| other == slot) {
            page.take_out(at, hash_of);
        }
    }

    /// Makes a full page larger, or splits it when it is as large as pages get.
    fn make_room(&mut self, number: usize, hash: u64, hash_of: &impl Fn(u32) -> u64) {
        let Some(page) = self.pages.get(number) else { return };
        let all: Vec<(u64, u32)> = page.slots().map(|slot| (hash_of(slot), slot)).collect();
        let (depth, width) = (page.depth, page.width);
        if page.capacity() < PAGE_MAX || depth >= DEPTH_MAX {
            let capacity = page.capacity() + page.capacity() / 5 + 8;
            self.put_page(number, filled(capacity, depth, width, &all));
            return;
        }
        if depth == self.depth {
            self.directory = self.directory.iter().flat_map(|page| [*page, *page]).collect();
            self.depth += 1;
        }
        let bit = 1_u64 << (63 - depth);
        let (ones, zeros): (Vec<_>, Vec<_>) = all.into_iter().partition(|(own, _)| own & bit != 0);
        let room = |entries: &[_]| (entries.len() + entries.len() / 4).max(PAGE_MIN);
        self.put_page(number, filled(room(&zeros), depth + 1, width, &zeros));
        let Ok(added) = u32::try_from(self.pages.len()) else { return };
        self.pages.push(filled(room(&ones), depth + 1, width, &ones));
        let covered = 1_usize << (self.depth - depth);
        let first = self.position(hash) & !(covered - 1);
        let second_half = self.directory.iter_mut().skip(first + covered / 2).take(covered / 2);
        second_half.for_each(|page| *page = added);
    }

    fn put_page(&mut self, number: usize, page: Page) {
        if let Some(own) = self.pages.get_mut(number) {
            *own = page;
        }
    }
}

fn filled(capacity: usize, depth: u8, width: u8, entries: &[(u64, u32)]) -> Page {
    let mut page = Page::new(capacity, depth, width);
    for (hash, slot) in entries {
        page.place(*hash, *slot);
    }
    page
}

/// Gives numbers more bits, and what was known of the hashes fewer.
fn widen(page: &mut Page, width: u8) {
    let mask = low_bits(page.width);
    for entry in page.entries.iter_mut().filter(|entry| **entry != 0) {
        let tag =
            (u64::from(*entry) >> page.width) & u64::from(low_bits(32_u8.saturating_sub(width)));
        *entry = u32::try_from((tag << width) & 0xffff_ffff).unwrap_or(0) | (*entry & mask);
    }
    page.width = width;
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Hashes that fall onto few places, so that everything collides.
    const fn poor(slot: u32) -> u64 {
        (slot as u64 % 7).wrapping_mul(0x1234_5678_0000_0001) << 40
    }

    const fn good(slot: u32) -> u64 {
        let a = (slot as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (a ^ (a >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn check(steps: &[(bool, u32)], hash: fn(u32) -> u64) {
        let (mut table, mut naive) = (Table::default(), BTreeSet::new());
        for (add, slot) in steps {
            let known = table.find(hash(*slot), |other| other == *slot);
            assert_eq!(known.is_some(), naive.contains(slot));
            if *add && naive.insert(*slot) {
                table.insert(hash(*slot), *slot, hash);
            } else if !*add && naive.remove(slot) {
                table.remove(hash(*slot), *slot, hash);
            }
        }
        for (_, slot) in steps {
            let known = table.find(hash(*slot), |other| other == *slot);
            assert_eq!(known, naive.contains(slot).then_some(*slot));
        }
    }

    proptest! {
        #[test]
        fn the_table_has_what_was_put_in_and_not_taken_out(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..400), 0..800),
        ) {
            check(&steps, good);
            check(&steps, poor);
        }
    }

    #[test]
    fn numbers_of_any_size_are_found_and_pages_stay_small() {
        let mut table = Table::default();
        let slots = (0..40_000).chain([70_000, 1 << 20, u32::MAX - 2]);
        for slot in slots.clone() {
            table.insert(good(slot), slot, good);
        }
        for slot in slots {
            assert_eq!(table.find(good(slot), |other| other == slot), Some(slot));
        }
        assert_eq!(table.find(good(40_001), |other| other == 40_001), None);
        let largest = table.pages.iter().map(Page::capacity).max().unwrap();
        assert!(largest <= PAGE_MAX + PAGE_MAX / 4, "{largest}");
        let entries: usize = table.pages.iter().map(Page::capacity).sum();
        assert!(entries < 40_003 * 3 / 2, "{entries}");
    }

    #[test]
    fn a_table_made_for_so_many_need_not_grow() {
        let mut table = Table::for_entries(100_000);
        let pages = table.pages.len();
        for slot in 0..100_000 {
            table.insert(good(slot), slot, good);
        }
        assert_eq!(table.pages.len(), pages);
        assert!((0..100_000).all(|slot| table.find(good(slot), |o| o == slot) == Some(slot)));
    }
}
