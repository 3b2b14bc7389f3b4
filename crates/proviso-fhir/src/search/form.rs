//! The text form of a query: `application/x-www-form-urlencoded`, then FHIR's own escapes.

use alloc::string::String;
use alloc::vec::Vec;

/// Splits a query string or form body into decoded names and values, in order.
///
/// `None` when an escape is broken or the bytes are not UTF-8.
pub(super) fn pairs(raw: &str) -> Option<Vec<(String, String)>> {
    raw.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Splits at a separator that is not escaped by a backslash; the parts keep their escapes.
///
/// FHIR R4 search.html#escaping.
pub(super) fn split_unescaped(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(text.get(start..at).unwrap_or(""));
            start = at + c.len_utf8();
        }
    }
    parts.push(text.get(start..).unwrap_or(""));
    parts
}

/// Removes the escapes; `None` when a backslash stands before anything but `,` `|` `$` `\`.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\\' {
            plain.push(rest.next().filter(|next| matches!(next, ',' | '|' | '$' | '\\'))?);
        } else {
            plain.push(c);
        }
    }
    Some(plain)
}

/// Escapes a text so that it is one value; the inverse of [`unescape`].
pub(super) fn escape(plain: &str) -> String {
    let mut text = String::with_capacity(plain.len());
    for c in plain.chars() {
        if matches!(c, ',' | '|' | '$' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn names_and_values_are_decoded_in_order() {
        let found = pairs("code=http%3A%2F%2Floinc.org%7C8867-4&&name=Jos%C3%A9+%2b&flag").unwrap();
        let expected = [("code", "http://loinc.org|8867-4"), ("name", "José +"), ("flag", "")];
        let expected: Vec<_> = expected.map(|(n, v)| (n.into(), v.into())).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for raw in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00"] {
            assert!(pairs(raw).is_none(), "{raw}");
        }
    }

    #[test]
    fn escaped_separators_do_not_split() {
        assert_eq!(split_unescaped(r"a\,b,c\\,d", ','), vec![r"a\,b", r"c\\", "d"]);
        assert_eq!(unescape(r"a\,b\|\$\\").as_deref(), Some(r"a,b|$\"));
        assert_eq!(escape(r"a,b|$\"), r"a\,b\|\$\\");
        assert_eq!(unescape(r"a\b"), None);
        assert_eq!(unescape(r"a\"), None);
    }
}
