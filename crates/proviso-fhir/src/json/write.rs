//! Writing JSON text member by member. Bytes of stored resources are embedded as they are.
//!
//! ```
//! use proviso_fhir::json::write;
//! let bytes = write::object(|o| {
//!     o.string("resourceType", "OperationOutcome");
//!     o.array("issue", |a| a.object(|o| o.string("code", "not-found")));
//! });
//! assert_eq!(bytes, br#"{"resourceType":"OperationOutcome","issue":[{"code":"not-found"}]}"#);
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Writes one object and returns its bytes.
pub fn object(fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_object(&mut out, fill);
    out
}

/// Writes one array and returns its bytes.
pub fn array(fill: impl FnOnce(&mut ArrayWriter<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_array(&mut out, fill);
    out
}

/// The text of one JSON string, quoted and escaped.
pub fn string_text(value: &str) -> String {
    let mut out = Vec::with_capacity(value.len() + 2);
    write_string(&mut out, value);
    // What was written is the input with ASCII added, so it is UTF-8.
    String::from_utf8(out).unwrap_or_default()
}

fn write_object(out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.push(b'{');
    let mut writer = ObjectWriter { out, empty: true };
    fill(&mut writer);
    out.push(b'}');
}

fn write_array(out: &mut Vec<u8>, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
    out.push(b'[');
    let mut writer = ArrayWriter { out, empty: true };
    fill(&mut writer);
    out.push(b']');
}

fn write_string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    for &byte in value.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                for nibble in [byte >> 4, byte & 15] {
                    out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
                }
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Adds members to an object that is being written.
#[derive(Debug)]
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl ObjectWriter<'_> {
    fn key(&mut self, key: &str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        write_string(self.out, key);
        self.out.push(b':');
    }

    /// A string member.
    pub fn string(&mut self, key: &str, value: &str) {
        self.key(key);
        write_string(self.out, value);
    }

    /// A string member, if there is a value.
    pub fn string_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.string(key, value);
        }
    }

    /// A whole-number member.
    pub fn integer(&mut self, key: &str, value: u64) {
        self.key(key);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    /// A boolean member.
    pub fn boolean(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A member whose value is JSON text already, such as the bytes of a stored resource.
    ///
    /// TRUST: nothing is checked; hand in only bytes that [`super::Doc::parse`] has accepted or
    /// that this module has written.
    pub fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(json);
    }

    /// An object member.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.key(key);
        write_object(self.out, fill);
    }

    /// An array member.
    pub fn array(&mut self, key: &str, fill: impl FnOnce(&mut ArrayWriter<'_>)) {
        self.key(key);
        write_array(self.out, fill);
    }
}

/// Adds items to an array that is being written.
#[derive(Debug)]
pub struct ArrayWriter<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl ArrayWriter<'_> {
    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }

    /// A string item.
    pub fn string(&mut self, value: &str) {
        self.separate();
        write_string(self.out, value);
    }

    /// An item that is JSON text already; see [`ObjectWriter::raw`].
    pub fn raw(&mut self, json: &[u8]) {
        self.separate();
        self.out.extend_from_slice(json);
    }

    /// An object item.
    pub fn object(&mut self, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        self.separate();
        write_object(self.out, fill);
    }
}
