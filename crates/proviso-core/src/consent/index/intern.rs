//! Values that many records share, each kept once and counted.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::table::Table;

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    hash: u64,
    uses: u32,
}

#[derive(Debug)]
pub(super) struct Interner<T> {
    entries: Vec<Option<Entry<T>>>,
    free: Vec<u32>,
    table: Table,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), table: Table::default() }
    }
}

fn hash_in<T>(entries: &[Option<Entry<T>>], number: u32) -> u64 {
    let entry = entries.get(number as usize).and_then(Option::as_ref);
    entry.map_or(0, |entry| entry.hash)
}

impl<T> Interner<T> {
    pub(super) fn get(&self, number: u32) -> Option<&Arc<T>> {
        self.entries.get(number as usize)?.as_ref().map(|entry| &entry.value)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// The number of a value, which has one more use now; `None` when there are too many values.
    pub(super) fn intern(
        &mut self,
        hash: u64,
        same: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Option<u32> {
        let entries = &mut self.entries;
        let known = self.table.find(hash, |number| {
            let entry = entries.get(number as usize).and_then(Option::as_ref);
            entry.is_some_and(|entry| same(&entry.value))
        });
        if let Some(number) = known {
            let entry = entries.get_mut(number as usize)?.as_mut()?;
            entry.uses = entry.uses.checked_add(1)?;
            return Some(number);
        }
        let entry = Some(Entry { value: Arc::new(make()), hash, uses: 1 });
        let number = if let Some(number) = self.free.pop() {
            *entries.get_mut(number as usize)? = entry;
            number
        } else {
            let number = u32::try_from(entries.len()).ok().filter(|own| *own < u32::MAX - 1)?;
            entries.push(entry);
            number
        };
        self.table.insert(hash, number, |number| hash_in(entries, number));
        Some(number)
    }

    /// Gives a value one more use; says whether it is there.
    pub(super) fn use_again(&mut self, number: u32) -> bool {
        let entry = self.entries.get_mut(number as usize).and_then(Option::as_mut);
        entry.is_some_and(|entry| match entry.uses.checked_add(1) {
            Some(uses) => {
                entry.uses = uses;
                true
            }
            None => false,
        })
    }

    /// Takes one use away; a value without any is gone.
    pub(super) fn release(&mut self, number: u32) {
        let entries = &mut self.entries;
        let Some(place) = entries.get_mut(number as usize) else { return };
        let Some(entry) = place.as_mut() else { return };
        entry.uses = entry.uses.saturating_sub(1);
        if entry.uses > 0 {
            return;
        }
        let hash = entry.hash;
        self.table.remove(hash, number, |number| hash_in(entries, number));
        if let Some(place) = entries.get_mut(number as usize) {
            *place = None;
        }
        self.free.push(number);
    }
}
