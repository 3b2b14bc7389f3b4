//! Ids in sixteen bytes.

use alloc::string::String;

/// How an id was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// 32 lower-case hex digits: the ids that this server makes.
    Hex,
    /// A lower-case UUID with hyphens.
    Uuid,
    /// At most sixteen bytes of text, padded with zeros, which no id contains.
    Text,
    /// None of these. The text is kept beside the record.
    Other,
}

impl Form {
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::Hex => 0,
            Self::Uuid => 1,
            Self::Text => 2,
            Self::Other => 3,
        }
    }

    pub(super) const fn of_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Hex,
            1 => Self::Uuid,
            2 => Self::Text,
            _ => Self::Other,
        }
    }
}

/// An id without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) bytes: [u8; 16],
    pub(super) form: Form,
}

/// After how many bytes of a UUID a hyphen follows.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

const fn digit_of(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// Sixteen bytes as 32 hex digits.
fn hex_digits(bytes: [u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    let (pairs, _) = digits.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit_of(byte >> 4), digit_of(byte & 0x0f)];
    }
    digits
}

/// Reads sixteen bytes from hex digits; `between` is asked before each byte for what else has to be
/// there.
fn hex_bytes(text: &[u8], hyphens: &[usize]) -> Option<[u8; 16]> {
    let mut left = text.iter().copied();
    let mut bytes = [0; 16];
    for (position, byte) in bytes.iter_mut().enumerate() {
        if hyphens.contains(&position) && left.next() != Some(b'-') {
            return None;
        }
        *byte = digit(left.next()?)? << 4 | digit(left.next()?)?;
    }
    left.next().is_none().then_some(bytes)
}

impl Packed {
    /// Packs an id, without its prefix.
    pub(super) fn of(tail: &str) -> Self {
        let bytes = tail.as_bytes();
        let other = Self { bytes: [0; 16], form: Form::Other };
        match bytes.len() {
            32 => hex_bytes(bytes, &[]).map_or(other, |bytes| Self { bytes, form: Form::Hex }),
            36 => {
                hex_bytes(bytes, &HYPHENS).map_or(other, |bytes| Self { bytes, form: Form::Uuid })
            }
            1..=16 => {
                let mut padded = [0; 16];
                for (to, from) in padded.iter_mut().zip(bytes) {
                    *to = *from;
                }
                Self { bytes: padded, form: Form::Text }
            }
            _ => other,
        }
    }

    /// The text behind a prefix; `None` when it is kept elsewhere.
    pub(super) fn text(&self, prefix: &str) -> Option<String> {
        let mut whole = String::with_capacity(prefix.len() + 36);
        whole.push_str(prefix);
        match self.form {
            Form::Other => return None,
            Form::Text => {
                let text = self.bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                whole.push_str(core::str::from_utf8(text).ok()?);
            }
            Form::Hex => whole.push_str(core::str::from_utf8(&hex_digits(self.bytes)).ok()?),
            Form::Uuid => {
                let digits = hex_digits(self.bytes);
                let mut rest = core::str::from_utf8(&digits).ok()?;
                for length in [8, 4, 4, 4] {
                    let (part, after) = rest.split_at_checked(length)?;
                    whole.push_str(part);
                    whole.push('-');
                    rest = after;
                }
                whole.push_str(rest);
            }
        }
        Some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_usual_form_comes_back_as_it_was_and_any_other_is_kept_as_text() {
        let usual = [
            ("0123456789abcdef0123456789abcdef", Form::Hex),
            ("01234567-89ab-cdef-0123-456789abcdef", Form::Uuid),
            ("maria", Form::Text),
            ("0123456789.-CDEF", Form::Text),
        ];
        for (text, form) in usual {
            let packed = Packed::of(text);
            assert_eq!(
                (packed.form, packed.text("p_").unwrap()),
                (form, alloc::format!("p_{text}"))
            );
        }
        let unusual = [
            "0123456789abcdefg",
            "0123456789ABCDEF0123456789abcdef",
            "0123456-789ab-cdef-0123-456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdeF",
            "0123456789abcdef0123456789abcdef0123",
            "",
        ];
        for text in unusual {
            let packed = Packed::of(text);
            assert_eq!((packed.form, packed.text("")), (Form::Other, None), "{text}");
        }
    }
}
