//! Undoes what makes a word look like another to a machine and the same to a reader: character
//! references of HTML, invisible characters, full-width letters.

use alloc::borrow::Cow;
use alloc::vec::Vec;

/// LIMIT: the longest character reference that is read (`&#x000AD;`).
const REFERENCE_MAX: usize = 10;

/// The text as it reads. Characters outside ASCII stay, since they part words either way.
pub(super) fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    let is_suspect = |byte: &u8| matches!(byte, b'&' | 0xC2 | 0xE2 | 0xEF);
    if !text.iter().any(is_suspect) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let (taken, read) = match first {
            b'&' => reference(tail).map_or((1, Read::As(b'&')), |(len, read)| (len + 1, read)),
            0xC2 | 0xE2 | 0xEF => wide(rest).unwrap_or((1, Read::As(*first))),
            other => (1, Read::As(*other)),
        };
        if let Read::As(byte) = read {
            out.push(byte);
        }
        rest = rest.get(taken..).unwrap_or(&[]);
    }
    Cow::Owned(out)
}

/// What a character comes to.
#[derive(Clone, Copy)]
enum Read {
    Nothing,
    As(u8),
}

fn of_code(code: u32) -> Read {
    match code {
        // Soft hyphen; zero-width space, joiners and marks; word joiner; byte order mark.
        0xAD | 0x200B..=0x200F | 0x2060 | 0xFEFF => Read::Nothing,
        // Full-width forms of ASCII.
        0xFF01..=0xFF5E => u8::try_from(code - 0xFEE0).map_or(Read::As(b' '), Read::As),
        _ => Read::As(u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(b' ')),
    }
}

/// A character reference, behind its `&`: how long it is with its `;`, and what it comes to.
fn reference(tail: &[u8]) -> Option<(usize, Read)> {
    let end = tail.iter().take(REFERENCE_MAX).position(|byte| *byte == b';')?;
    let name = core::str::from_utf8(tail.get(..end)?).ok()?;
    let read = match name.strip_prefix('#') {
        Some(digits) => of_code(match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => digits.parse().ok()?,
        }),
        None if name == "shy" => Read::Nothing,
        None if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Read::As(b' ')
        }
        None => return None,
    };
    Some((end + 1, read))
}

/// A character that is written with two or three bytes, if it is one of those that are undone.
fn wide(rest: &[u8]) -> Option<(usize, Read)> {
    let character = match rest {
        [0xC2, second, ..] => char::from_u32(u32::from(*second)).map(|c| (2, c)),
        [first, second, third, ..] => core::str::from_utf8(&[*first, *second, *third])
            .ok()
            .and_then(|text| text.chars().next())
            .map(|c| (3, c)),
        _ => None,
    };
    let (len, character) = character?;
    match u32::from(character) {
        code @ (0xAD | 0x200B..=0x200F | 0x2060 | 0xFEFF | 0xFF01..=0xFF5E) => {
            Some((len, of_code(code)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_a_person_reads_it() {
        for (text, read) in [
            ("substance&#160;use", "substance use"),
            ("substance&nbsp;use", "substance use"),
            ("H&#73;V", "HIV"),
            ("&#x48;&#x49;V", "HIV"),
            ("de\u{ad}pression", "depression"),
            ("de&shy;pression", "depression"),
            ("schizo\u{200b}phrenia", "schizophrenia"),
            ("\u{ff28}\u{ff29}\u{ff36}", "HIV"),
            ("A & B &; &unfinished", "A & B &; &unfinished"),
            ("5 \u{2264} 7 \u{e9}", "5 \u{2264} 7 \u{e9}"),
        ] {
            assert_eq!(plain(text.as_bytes()), read.as_bytes(), "{text}");
        }
    }
}
