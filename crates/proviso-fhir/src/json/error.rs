//! Why a text is not JSON that Proviso accepts.

use alloc::string::String;
use core::fmt;

/// What is wrong with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonFault {
    /// There is nothing but whitespace.
    Empty,
    /// The text has 4 GiB or more.
    TooLarge,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// The text starts with a byte order mark (RFC 8259 §8.1 forbids it).
    ByteOrderMark,
    /// The text ends in the middle of a value.
    UnexpectedEnd,
    /// A byte stands where the grammar does not allow it.
    UnexpectedByte,
    /// A string holds a control character that is not escaped.
    ControlCharacter,
    /// An escape is not one of RFC 8259 §7.
    BadEscape,
    /// An escape names half of a surrogate pair.
    LoneSurrogate,
    /// A member's key contains an escape. FHIR element names never need one.
    EscapedKey,
    /// An object has two members of the same name.
    DuplicateKey,
    /// A number is not one of RFC 8259 §6, or is absurdly long.
    BadNumber,
    /// More than 64 containers are open at once.
    TooDeep,
    /// Something follows the value.
    TrailingBytes,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the body is empty",
            Self::TooLarge => "the JSON text is too large",
            Self::InvalidUtf8 => "the JSON text is not valid UTF-8",
            Self::ByteOrderMark => "the JSON text starts with a byte order mark",
            Self::UnexpectedEnd => "the JSON text ends too early",
            Self::UnexpectedByte => "unexpected character",
            Self::ControlCharacter => "unescaped control character in a string",
            Self::BadEscape => "unknown escape in a string",
            Self::LoneSurrogate => "unpaired surrogate in a string",
            Self::EscapedKey => "escape in an element name",
            Self::DuplicateKey => "duplicate element name",
            Self::BadNumber => "malformed number",
            Self::TooDeep => "nesting is deeper than 64 levels",
            Self::TrailingBytes => "unexpected characters after the JSON value",
        })
    }
}

/// A fault and where it is. The texts quote element names only, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Offset of the offending byte from the start of the text.
    pub offset: usize,
    /// The value it is in, such as `entry[2].resource`; empty at the top.
    pub path: String,
}
