//! Wrappers that keep secrets and patient data out of logs.

use core::fmt;

/// A secret: no `Display`, no serialization, a masked `Debug`, equality only in constant time.
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a secret.
    pub const fn new(inner: T) -> Self {
        Self(inner)
    }

    /// Hands the secret out; the name makes each use easy to find.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Unwraps the secret.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<T: AsRef<[u8]>> Secret<T> {
    /// Compares without telling by its time where the first difference lies; the length is not
    /// hidden.
    pub fn matches(&self, other: &[u8]) -> bool {
        let own = self.0.as_ref();
        if own.len() != other.len() {
            return false;
        }
        own.iter().zip(other).fold(0_u8, |seen, (a, b)| seen | (a ^ b)) == 0
    }
}

/// Patient data on its way past a log or an error: masked in both `Debug` and `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    /// Wraps patient data.
    pub const fn new(inner: T) -> Self {
        Self(inner)
    }

    /// Hands the data out.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phi(***)")
    }
}

impl<T> fmt::Display for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
