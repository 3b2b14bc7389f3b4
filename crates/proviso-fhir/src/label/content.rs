//! Reads the text inside attachments and Binary resources.

use alloc::vec::Vec;

/// Whether content of this media type is text that words can be found in.
pub(super) fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(essence.as_str(), "application/xml" | "application/json" | "application/hl7-v3")
}

/// Decodes FHIR `base64Binary` (RFC 4648 §4; white space allowed); `None` when it is none.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    let mut digits = 0_u8;
    let mut padding = 0_u8;
    for byte in text.bytes() {
        let value = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            b'=' => {
                padding += 1;
                continue;
            }
            _ if padding > 0 => return None,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        group = (group << 6) | u32::from(value);
        digits += 1;
        if digits == 4 {
            let [_, first, second, third] = group.to_be_bytes();
            out.extend_from_slice(&[first, second, third]);
            group = 0;
            digits = 0;
        }
    }
    match (digits, padding) {
        (0, 0) => {}
        (2, 2) => {
            let [_, _, _, last] = group.wrapping_shr(4).to_be_bytes();
            out.push(last);
        }
        (3, 1) => {
            let [_, _, first, second] = group.wrapping_shr(2).to_be_bytes();
            out.extend_from_slice(&[first, second]);
        }
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length_is_read() {
        for (text, plain) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\nYg==", "foob")]
        {
            assert_eq!(base64(text).as_deref(), Some(plain.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zg==Zg==", "Z*==", "===="] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn text_is_told_from_pictures() {
        assert!(is_text("text/plain; charset=utf-8"));
        assert!(is_text("application/fhir+json"));
        assert!(!is_text("application/pdf"));
        assert!(!is_text("image/png"));
    }
}
