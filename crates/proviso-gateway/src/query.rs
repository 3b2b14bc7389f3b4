//! Query strings as far as the gateway itself reads them; their meaning is `proviso-fhir`'s.

/// Decoded names and values, in order; `None` when an escape is broken or the text is not UTF-8.
pub(crate) fn pairs(raw: &str) -> Option<Vec<(String, String)>> {
    raw.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name)?, decode(value)?))
        })
        .collect()
}

/// Percent-encodes one value for a query string: unreserved characters stay (RFC 3986 §2.3).
pub(crate) fn encode(value: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(HEX.get(usize::from(digit)).copied().unwrap_or(b'0')));
            }
        }
    }
}

/// The query with its values removed: what was asked about, without what was asked for.
pub(crate) fn shape(raw: &str) -> Option<String> {
    let names: Vec<String> = pairs(raw)?
        .into_iter()
        .map(|(name, _)| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
            if name.len() <= 64 && name.bytes().all(plain) { name } else { "?".to_owned() }
        })
        .collect();
    (!names.is_empty()).then(|| names.join("&"))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => (hex(rest.next()?)? << 4) | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_encoding() {
        for value in ["a b+c&d=e%", "http://loinc.org|4548-4", "é,\\,", ""] {
            let mut raw = "x=".to_owned();
            encode(value, &mut raw);
            assert_eq!(pairs(&raw), Some(vec![("x".to_owned(), value.to_owned())]));
        }
        assert_eq!(pairs("a=%zz"), None);
        assert_eq!(pairs("a=%ff"), None);
    }

    #[test]
    fn a_shape_has_no_values() {
        let shape = shape("code=4548-4&patient=Patient%2Fmaria&_sort=-date&<b>=1");
        assert_eq!(shape.as_deref(), Some("code&patient&_sort&?"));
    }
}
