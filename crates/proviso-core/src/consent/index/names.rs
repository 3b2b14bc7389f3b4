//! The names of versions, apart from everything else that is kept of them.
//!
//! A name is 32 random bytes, more than half of what a consent takes, and only the entry of a
//! decision in the log needs it. So it is kept by number, by whoever holds the index: in memory, or
//! on disk. An entry says what it is the name of, and one that does not fit is no name.

use alloc::vec::Vec;

use super::hash::Seeds;

/// How many bytes an entry takes.
pub const ENTRY: usize = 40;

/// What checks of entries start from; the same for everybody, since it guards against accidents.
const CHECK: Seeds = Seeds([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344]);

/// The name of a version, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionName {
    /// The digest that names it.
    pub digest: [u8; 32],
    /// Its number.
    pub number: u32,
}

impl VersionName {
    fn check(&self, slot: u32) -> u32 {
        let [a, b, c, d, ..] = CHECK.of_value(&(self.digest, self.number, slot)).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The entry for a place.
    pub fn to_entry(&self, slot: u32) -> [u8; ENTRY] {
        let mut entry = [0; ENTRY];
        let parts = self.digest.into_iter().chain(self.number.to_le_bytes());
        let all = parts.chain(self.check(slot).to_le_bytes());
        for (to, from) in entry.iter_mut().zip(all) {
            *to = from;
        }
        entry
    }

    /// Reads the entry of a place; `None` when it is not one of that place.
    pub fn from_entry(slot: u32, entry: &[u8; ENTRY]) -> Option<Self> {
        let (digest, rest) = entry.split_first_chunk::<32>()?;
        let (number, check) = rest.split_first_chunk::<4>()?;
        let name = Self { digest: *digest, number: u32::from_le_bytes(*number) };
        let check: [u8; 4] = check.try_into().ok()?;
        (u32::from_le_bytes(check) == name.check(slot)).then_some(name)
    }
}

/// Keeps names by number.
pub trait Names {
    /// Keeps a name in a place, instead of the one that is there.
    ///
    /// # Errors
    /// When it cannot be kept. What is in the place then is no name, or the one before.
    fn put(&mut self, slot: u32, name: &VersionName) -> Result<(), NotKept>;

    /// The name in a place; `None` when there is none or it cannot be read.
    fn get(&self, slot: u32) -> Option<VersionName>;
}

/// A name could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a version could not be kept")]
pub struct NotKept;

/// Names in memory.
#[derive(Debug, Default)]
pub struct MemoryNames(Vec<[u8; ENTRY]>);

impl Names for MemoryNames {
    fn put(&mut self, slot: u32, name: &VersionName) -> Result<(), NotKept> {
        let place = usize::try_from(slot).map_err(|_| NotKept)?;
        if place >= self.0.len() {
            self.0.resize(place + 1, [0; ENTRY]);
        }
        *self.0.get_mut(place).ok_or(NotKept)? = name.to_entry(slot);
        Ok(())
    }

    fn get(&self, slot: u32) -> Option<VersionName> {
        VersionName::from_entry(slot, self.0.get(usize::try_from(slot).ok()?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_the_name_of_its_own_place_and_unchanged() {
        let name = VersionName { digest: [7; 32], number: 300 };
        let entry = name.to_entry(9);
        assert_eq!(VersionName::from_entry(9, &entry), Some(name));
        assert_eq!(VersionName::from_entry(8, &entry), None);
        assert_eq!(VersionName::from_entry(0, &[0; ENTRY]), None, "a hole is no name");
        for position in 0..ENTRY {
            let mut changed = entry;
            changed[position] ^= 1;
            assert_eq!(VersionName::from_entry(9, &changed), None, "{position}");
        }
    }
}
