//! Values of one size in numbered places that never move.
//!
//! Growing takes another segment and copies nothing, so no request waits for it. A place that was
//! given up is the next to be taken.

use alloc::vec::Vec;

/// How many places a segment has.
const SEGMENT: usize = 4096;

#[derive(Debug)]
pub(super) struct Arena<T> {
    segments: Vec<Vec<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { segments: Vec::new(), free: Vec::new() }
    }
}

const fn place(slot: u32) -> (usize, usize) {
    (slot as usize / SEGMENT, slot as usize % SEGMENT)
}

impl<T> Arena<T> {
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let (segment, position) = place(slot);
        self.segments.get(segment)?.get(position)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let (segment, position) = place(slot);
        self.segments.get_mut(segment)?.get_mut(position)
    }

    /// How many places there are, given up ones included.
    pub(super) fn places(&self) -> u32 {
        let Some(last) = self.segments.last() else { return 0 };
        let places = (self.segments.len() - 1) * SEGMENT + last.len();
        u32::try_from(places).unwrap_or(u32::MAX)
    }

    /// How many places are taken.
    pub(super) fn taken(&self) -> usize {
        self.places() as usize - self.free.len()
    }

    /// Puts a value into a place; `None` when there is none left.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(slot) = self.free.pop() {
            *self.get_mut(slot)? = value;
            return Some(slot);
        }
        // LIMIT: the largest number is kept free, since tables store numbers plus one.
        let slot = Some(self.places()).filter(|slot| *slot < u32::MAX - 1)?;
        match self.segments.last_mut() {
            Some(last) if last.len() < SEGMENT => last.push(value),
            Some(_) | None => {
                let mut segment = Vec::with_capacity(SEGMENT);
                segment.push(value);
                self.segments.push(segment);
            }
        }
        Some(slot)
    }

    /// Gives a place up. The caller has marked the value as gone.
    pub(super) fn give_up(&mut self, slot: u32) {
        self.free.push(slot);
    }
}
