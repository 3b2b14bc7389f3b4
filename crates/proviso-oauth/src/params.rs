//! Parameters of a query string or form body (`application/x-www-form-urlencoded`).
//!
//! Values stay bytes until someone needs text: `state` must come back exactly as it was sent, even
//! if it is not UTF-8.

/// Why a query string or form body is not acceptable as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A parameter name occurs twice (RFC 6749 §3.1, §3.2).
    #[error("a parameter is repeated")]
    Repeated,
    /// More parameters than any request needs.
    #[error("too many parameters")]
    TooMany,
}

// LIMIT: no OAuth request needs more than about 20 parameters; quadratic look-ups stay cheap.
const PARAMETERS_MAX: usize = 64;

/// The parameters of one request, in order.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, Vec<u8>)>);

impl core::fmt::Debug for Params {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Values may be codes, tokens or secrets: only names are printed.
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Params {
    /// Reads a query string or form body in which every name may occur once.
    ///
    /// # Errors
    /// When a name is repeated or there are too many. Unknown names are kept; nobody asks for them.
    pub fn parse(encoded: &[u8]) -> Result<Self, ParamsError> {
        let params = Self::parse_with_repeats(encoded)?;
        params.check_unique()?;
        Ok(params)
    }

    /// Reads a query string or form body; repeats are found later, by [`Params::check_unique`],
    /// once it is known who may be told.
    ///
    /// # Errors
    /// When there are too many.
    pub fn parse_with_repeats(encoded: &[u8]) -> Result<Self, ParamsError> {
        let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
        for piece in encoded.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
            if pairs.len() >= PARAMETERS_MAX {
                return Err(ParamsError::TooMany);
            }
            let mut halves = piece.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default());
            let value = decode(halves.next().unwrap_or_default());
            // A name that is not UTF-8 is nobody's parameter; lossy text keeps it so.
            pairs.push((String::from_utf8_lossy(&name).into_owned(), value));
        }
        Ok(Self(pairs))
    }

    /// Whether a name occurs more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.0.iter().filter(|(known, _)| known == name).count() > 1
    }

    /// Refuses repeated names (RFC 6749 §3.1, §3.2).
    ///
    /// # Errors
    /// When a name occurs more than once.
    pub fn check_unique(&self) -> Result<(), ParamsError> {
        if self.0.iter().any(|(name, _)| self.is_repeated(name)) {
            Err(ParamsError::Repeated)
        } else {
            Ok(())
        }
    }

    /// The parameters of a request that has them in the query and in the body.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The bytes of a parameter that is present and not empty (RFC 6749 §3.1: a parameter without
    /// a value counts as omitted).
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_slice())
    }

    /// The text of a parameter; `None` too when it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|bytes| core::str::from_utf8(bytes).ok())
    }

    /// Whether a parameter was sent, even if empty.
    pub fn was_sent(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Params {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect())
    }
}

/// Undoes form encoding; a stray `%` stays as it is, as browsers read it.
fn decode(encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (*first, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => {
                    out.push((high << 4) | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            (byte, _) => out.push(byte),
        }
    }
    out
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Undoes percent-encoding with `+` as space, for one value.
pub fn decode_component(encoded: &str) -> Option<String> {
    String::from_utf8(decode(encoded.as_bytes())).ok()
}

/// Appends `name=value` to a query, encoded so that any bytes come back as they were.
pub fn append(query: &mut String, name: &str, value: &[u8]) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    for byte in value {
        match byte {
            // RFC 3986 §2.3 unreserved; everything else is encoded, `+` and space included.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                query.push(char::from(*byte));
            }
            other => {
                query.push('%');
                query.push_str(&proviso_core::id::hex(&[*other]).to_ascii_uppercase());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repeated_parameters_are_refused() {
        // Covers: RFC 6749 §3.1, R27
        assert_eq!(Params::parse(b"a=1&b=2&a=1").err(), Some(ParamsError::Repeated));
        assert_eq!(Params::parse(b"a=1&%61=1").err(), Some(ParamsError::Repeated));
    }

    #[test]
    fn an_empty_value_counts_as_absent() {
        let params = Params::parse(b"code_verifier=&x=1").unwrap();
        assert_eq!(params.text("code_verifier"), None);
        assert!(params.was_sent("code_verifier"));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_as_they_were(value in proptest::collection::vec(any::<u8>(), 1..200)) {
            // Covers: SMART 59 (`state` byte for byte)
            let mut query = String::new();
            append(&mut query, "state", &value);
            let params = Params::parse(query.as_bytes()).unwrap();
            prop_assert_eq!(params.bytes("state"), Some(value.as_slice()));
        }

        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(Params::parse(&bytes));
        }
    }
}
