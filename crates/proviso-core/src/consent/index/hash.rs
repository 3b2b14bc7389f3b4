//! The hash of the index: keyed, so that nobody who chooses ids can choose where they fall.

use core::hash::{Hash, Hasher};

use super::packed::{Form, Packed};

/// An odd constant without structure.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Two random words, handed in by the caller.
#[derive(Clone, Copy)]
pub(super) struct Seeds(pub(super) [u64; 2]);

impl core::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seeds(***)")
    }
}

/// The lower and the upper half.
#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is meant")]
const fn halves(wide: u128) -> (u64, u64) {
    (wide as u64, (wide >> 64) as u64)
}

/// Both halves of a product, folded into one word.
const fn fold(one: u64, other: u64) -> u64 {
    let (low, high) = halves((one as u128).wrapping_mul(other as u128));
    low ^ high
}

impl Seeds {
    /// The hash of an id: of its packed bytes, or of its text where it has no packed form.
    pub(super) fn of_id(self, packed: &Packed, text: &str) -> u64 {
        match packed.form {
            Form::Hex | Form::Uuid | Form::Text => self.of_bytes(packed.bytes),
            Form::Other => self.of_value(text),
        }
    }

    const fn of_bytes(self, bytes: [u8; 16]) -> u64 {
        let Self([first, second]) = self;
        let (low, high) = halves(u128::from_le_bytes(bytes));
        let once = fold(low ^ first, high ^ second ^ MIX);
        fold(once ^ second, first | 1)
    }

    /// The hash of any value.
    pub(super) fn of_value<T: Hash + ?Sized>(self, value: &T) -> u64 {
        let mut hasher = Folding { state: MIX, seeds: self };
        value.hash(&mut hasher);
        hasher.finish()
    }
}

struct Folding {
    state: u64,
    seeds: Seeds,
}

impl Folding {
    const fn word(&mut self, word: u64) {
        let Seeds([first, second]) = self.seeds;
        self.state = fold(self.state ^ word ^ first, second | 1).rotate_left(23) ^ word;
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.word(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
    }

    fn write_u64(&mut self, word: u64) {
        self.word(word);
    }

    fn finish(&self) -> u64 {
        let Seeds([first, second]) = self.seeds;
        fold(fold(self.state ^ first, MIX) ^ second, first | 1)
    }
}
