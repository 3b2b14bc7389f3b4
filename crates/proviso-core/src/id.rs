//! One type per identifier, so that two kinds of id can never be exchanged by accident.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::At;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text does not start with the prefix of its kind.
    #[error("identifier does not start with `{expected}_`")]
    WrongPrefix {
        /// The prefix that was expected, without the underscore.
        expected: &'static str,
    },
    /// The text is empty, too long, or has a character that is not allowed.
    #[error("identifier is empty, too long or has a character that is not allowed")]
    Malformed,
}

/// Ten bytes of entropy, handed in by the caller.
pub type IdEntropy = [u8; 10];

/// Writes a time-ordered 128-bit value (RFC 9562 §5.7 layout, UUIDv7) as 32 hex digits.
fn time_ordered_hex(at: At, entropy: IdEntropy) -> String {
    let millis = u64::try_from(at.as_micros() / 1000).unwrap_or(0) & 0xffff_ffff_ffff;
    let [e0, e1, e2, e3, e4, e5, e6, e7, e8, e9] = entropy;
    let high = (millis << 16) | 0x7000 | (u64::from(e0 & 0x0f) << 8) | u64::from(e1);
    let low = u64::from_be_bytes([0x80 | (e2 & 0x3f), e3, e4, e5, e6, e7, e8, e9]);
    format!("{high:016x}{low:016x}")
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            fn check(text: &str) -> Result<(), IdError> {
                let tail = text
                    .strip_prefix(concat!($prefix, "_"))
                    .ok_or(IdError::WrongPrefix { expected: $prefix })?;
                let fits = (1..=64).contains(&tail.len())
                    && tail.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                if fits { Ok(()) } else { Err(IdError::Malformed) }
            }

            /// Makes a new, time-ordered identifier from an instant and entropy.
            pub fn generate(at: At, entropy: IdEntropy) -> Self {
                Self(format!(concat!($prefix, "_{}"), time_ordered_hex(at, entropy)))
            }

            /// The text form, prefix included.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

prefixed_id!(
    /// A person's or service's login on this server.
    AccountId, "acc"
);
prefixed_id!(
    /// One sharing choice of a patient, across all its versions.
    ConsentId, "cns"
);
prefixed_id!(
    /// One OAuth authorization grant (RFC 6749 §1.3), from request to end.
    GrantId, "grt"
);
prefixed_id!(
    /// One decision of the decision function.
    DecisionId, "dec"
);
prefixed_id!(
    /// One signed-in browser session.
    SessionId, "ses"
);
prefixed_id!(
    /// One issued token (the JWT `jti`); never the token itself.
    TokenId, "tok"
);
prefixed_id!(
    /// One HTTP request, as echoed in `X-Request-Id`.
    RequestId, "req"
);
prefixed_id!(
    /// One entry of the audit log.
    AuditEntryId, "aud"
);
prefixed_id!(
    /// One pending authorization request (RFC 6749 §4.1.1) while its user decides.
    AuthorizationRequestId, "arq"
);
prefixed_id!(
    /// One declared emergency access, with everything that came of it.
    EmergencyId, "emg"
);

macro_rules! plain_id {
    ($(#[$doc:meta])* $name:ident, $max:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            fn check(text: &str) -> Result<(), IdError> {
                let fits = (1..=$max).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || $extra.contains(&b));
                if fits { Ok(()) } else { Err(IdError::Malformed) }
            }

            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

plain_id!(
    /// The `client_id` of a registered app (RFC 6749 §2.2).
    ClientId, 128, b"-._~"
);
plain_id!(
    /// A FHIR logical id (FHIR R4 datatypes, `id`: `[A-Za-z0-9\-\.]{1,64}`).
    ResourceId, 64, b"-."
);
plain_id!(
    /// The logical id of a Patient resource: whom the data is about.
    PatientId, 64, b"-."
);
plain_id!(
    /// One tenant; a single one named `default` unless configured otherwise.
    TenantId, 64, b"-"
);

impl TenantId {
    /// The tenant of an installation that has only one.
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }
}

impl From<PatientId> for ResourceId {
    fn from(id: PatientId) -> Self {
        Self(id.0)
    }
}

impl ResourceId {
    /// Reads this logical id as the id of a Patient; the caller knows the resource type.
    pub fn into_patient(self) -> PatientId {
        PatientId(self.0)
    }
}

/// The content hash that names one immutable version of a consent: 64 lower-case hex digits of
/// SHA-256.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConsentVersionId(String);

impl ConsentVersionId {
    /// Names a version by the SHA-256 digest of its canonical bytes.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(hex(digest))
    }

    /// The digest.
    pub fn digest(&self) -> [u8; 32] {
        let (pairs, _) = self.0.as_bytes().as_chunks::<2>();
        let mut digest = [0; 32];
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = nibble_of(*high) << 4 | nibble_of(*low);
        }
        digest
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ConsentVersionId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        let fits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text)) } else { Err(IdError::Malformed) }
    }
}

impl From<ConsentVersionId> for String {
    fn from(id: ConsentVersionId) -> String {
        id.0
    }
}

impl fmt::Display for ConsentVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConsentVersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lower-case hex of any bytes.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    let mut digits = [0_u8; 64];
    for some in bytes.chunks(32) {
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(some) {
            *pair = [nibble(byte >> 4), nibble(byte & 0x0f)];
        }
        // Hex digits are text.
        let written = digits.get(..2 * some.len()).and_then(|own| core::str::from_utf8(own).ok());
        out.push_str(written.unwrap_or_default());
    }
    out
}

const fn nibble(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}

/// The value of a lower-case hex digit; any other byte never comes here.
const fn nibble_of(digit: u8) -> u8 {
    if digit.is_ascii_digit() {
        digit - b'0'
    } else {
        digit.wrapping_sub(b'a').wrapping_add(10) & 0x0f
    }
}
