//! Character-level scanning: strings, escapes and numbers.

use alloc::string::String;

use super::{JsonFault, NUMBER_BYTES_MAX};

/// A fault and the offset at which it stands.
pub(super) type ScanFault = (JsonFault, usize);

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// A word whose high bits mark bytes of `word` that are `"`, `\` or a control character. Bytes
/// after the first marked one may be marked falsely, never before it; the caller uses the first.
const fn special_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let slash = word ^ (ONES * 0x5c);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_slash = slash.wrapping_sub(ONES) & !slash;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_quote | is_slash | is_control) & HIGHS
}

/// Skips bytes that need no attention inside a string; returns the offset of the first that does.
fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let marks = special_bytes(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return at;
        }
        at += 1;
    }
    at
}

/// Where a string ends and whether it has an escape.
pub(super) struct StringEnd {
    /// Offset just after the closing quote.
    pub(super) end: usize,
    /// Whether the text between the quotes contains an escape.
    pub(super) escaped: bool,
}

/// Scans a string whose first byte after the opening quote is at `at`.
pub(super) fn string(bytes: &[u8], mut at: usize) -> Result<StringEnd, ScanFault> {
    let mut escaped = false;
    loop {
        at = skip_plain(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(StringEnd { end: at + 1, escaped }),
            Some(b'\\') => {
                escaped = true;
                at = escape(bytes, at)?;
            }
            Some(_) => return Err((JsonFault::ControlCharacter, at)),
            None => return Err((JsonFault::UnexpectedEnd, at)),
        }
    }
}

/// Checks the escape whose backslash is at `at`; returns the offset after it.
fn escape(bytes: &[u8], at: usize) -> Result<usize, ScanFault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let unit = code_unit(bytes, at)?;
            if (0xdc00..=0xdfff).contains(&unit) {
                return Err((JsonFault::LoneSurrogate, at));
            }
            if !(0xd800..=0xdbff).contains(&unit) {
                return Ok(at + 6);
            }
            // RFC 8259 §8.2: a high surrogate means something only before a low one.
            let paired = bytes.get(at + 6) == Some(&b'\\') && bytes.get(at + 7) == Some(&b'u');
            let low = if paired { code_unit(bytes, at + 6)? } else { 0 };
            if (0xdc00..=0xdfff).contains(&low) {
                Ok(at + 12)
            } else {
                Err((JsonFault::LoneSurrogate, at))
            }
        }
        Some(_) => Err((JsonFault::BadEscape, at)),
        None => Err((JsonFault::UnexpectedEnd, at + 1)),
    }
}

/// Reads the four hex digits of a `\u` escape whose backslash is at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Result<u32, ScanFault> {
    let mut unit = 0;
    for offset in at + 2..at + 6 {
        let digit = match bytes.get(offset) {
            Some(&byte) => char::from(byte).to_digit(16).ok_or((JsonFault::BadEscape, at))?,
            None => return Err((JsonFault::UnexpectedEnd, offset)),
        };
        unit = unit * 16 + digit;
    }
    Ok(unit)
}

/// Scans a number that starts at `start` (RFC 8259 §6); returns the offset after it.
pub(super) fn number(bytes: &[u8], start: usize) -> Result<usize, ScanFault> {
    let bad = |at: usize| match bytes.get(at) {
        Some(_) => (JsonFault::BadNumber, at),
        None => (JsonFault::UnexpectedEnd, at),
    };
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits(bytes, at),
        _ => return Err(bad(at)),
    };
    if bytes.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(bytes, fraction);
        if at == fraction {
            return Err(bad(at));
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let mut exponent = at + 1;
        if let Some(b'+' | b'-') = bytes.get(exponent) {
            exponent += 1;
        }
        at = digits(bytes, exponent);
        if at == exponent {
            return Err(bad(at));
        }
    }
    // `01`, `1.2.3`, `1x`: a number ends only where a value may end.
    if let Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') = bytes.get(at) {
        return Err((JsonFault::BadNumber, at));
    }
    if at - start > NUMBER_BYTES_MAX { Err((JsonFault::BadNumber, start)) } else { Ok(at) }
}

fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// Resolves the escapes of a string that the parser has accepted.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, tail)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => out.push(unescape_unicode(&mut chars)),
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out
}

/// Reads what follows `\u`, and the second half where there is one.
fn unescape_unicode(chars: &mut core::str::Chars<'_>) -> char {
    let high = hex4(chars);
    let code = if (0xd800..=0xdbff).contains(&high) {
        // The parser has seen that `\u` and a low surrogate follow.
        chars.next();
        chars.next();
        0x1_0000 + ((high - 0xd800) << 10) + hex4(chars).wrapping_sub(0xdc00)
    } else {
        high
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn hex4(chars: &mut core::str::Chars<'_>) -> u32 {
    chars.by_ref().take(4).fold(0, |unit, digit| unit * 16 + digit.to_digit(16).unwrap_or(0))
}
