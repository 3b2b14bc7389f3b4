//! How strings are folded for comparison, and how search keys are hashed.

use alloc::string::String;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;

/// Lengths, in characters, of the prefixes under which a string is indexed.
pub(super) const PREFIX_LENGTHS: [usize; 3] = [2, 4, 8];

/// Folds case, accents and runs of white space away.
///
/// FHIR R4 search.html#string: case and accents do not count; what else to ignore is left to the
/// server.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return collapse(text.chars().map(|c| c.to_ascii_lowercase()));
    }
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd();
    collapse(
        decomposed
            .normalize_iter(text.chars())
            .filter(|c| classes.get_u8(*c) == 0)
            .flat_map(char::to_lowercase),
    )
}

fn collapse(chars: impl Iterator<Item = char>) -> String {
    let mut folded = String::new();
    let mut gap = false;
    for c in chars {
        if c.is_whitespace() {
            gap = !folded.is_empty();
        } else {
            if gap {
                folded.push(' ');
                gap = false;
            }
            folded.push(c);
        }
    }
    folded
}

/// The American Soundex code of a word, or nothing where it has no Latin letter.
pub(super) fn soundex(word: &str) -> Option<String> {
    let folded = fold(word);
    let mut letters = folded.chars().filter(char::is_ascii_lowercase);
    let first = letters.next()?;
    let mut code = String::from(first.to_ascii_uppercase());
    let mut last = soundex_digit(first);
    for letter in letters {
        let digit = soundex_digit(letter);
        // `h` and `w` do not part two letters of the same group; vowels do.
        if matches!(letter, 'h' | 'w') {
            continue;
        }
        if let Some(digit) = digit
            && Some(digit) != last
        {
            code.push(digit);
        }
        last = digit;
        if code.len() == 4 {
            break;
        }
    }
    while code.len() < 4 {
        code.push('0');
    }
    Some(code)
}

fn soundex_digit(letter: char) -> Option<char> {
    match letter {
        'b' | 'f' | 'p' | 'v' => Some('1'),
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => Some('2'),
        'd' | 't' => Some('3'),
        'l' => Some('4'),
        'm' | 'n' => Some('5'),
        'r' => Some('6'),
        _ => None,
    }
}

/// A stable 64-bit hash over parts, each closed by a byte that no UTF-8 text contains.
///
/// FNV-1a with a final mix. It is part of the stored format: a change needs a re-index. A
/// collision only widens the candidates of a search, which are all matched again exactly.
pub(super) fn key_hash(parts: &[&str]) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    for part in parts {
        part.bytes().for_each(&mut eat);
        eat(0xff);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    i64::from_ne_bytes((hash ^ (hash >> 33)).to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_spaces_do_not_count() {
        for (text, folded) in [
            ("José  Álvarez ", "jose alvarez"),
            ("MÜLLER", "muller"),
            ("Nguyễn", "nguyen"),
            ("O'Brien-Smith", "o'brien-smith"),
            ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn soundex_agrees_with_its_published_examples() {
        for (word, code) in [
            ("Robert", "R163"),
            ("Rupert", "R163"),
            ("Ashcraft", "A261"),
            ("Tymczak", "T522"),
            ("Pfister", "P236"),
            ("Honeyman", "H555"),
        ] {
            assert_eq!(soundex(word).as_deref(), Some(code));
        }
        assert_eq!(soundex("42"), None);
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        assert_ne!(key_hash(&["ab", "c"]), key_hash(&["a", "bc"]));
        assert_eq!(key_hash(&["code", "8867-4"]), key_hash(&["code", "8867-4"]));
    }
}
