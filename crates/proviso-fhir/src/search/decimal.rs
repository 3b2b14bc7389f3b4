//! Decimal numbers as FHIR search compares them: by value, with the precision that was written.

use alloc::format;
use alloc::string::String;
use core::cmp::Ordering;

/// LIMIT: digits kept of a number; more are cut off towards zero. It leaves room in an `i128` to
/// align two numbers of the same magnitude and to multiply by eleven.
const DIGITS_MAX: u32 = 30;
/// LIMIT: exponents beyond this are no measurement that anyone could have made.
const EXPONENT_MAX: i32 = 4_000;

/// `mantissa × 10^exponent`.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// The closed range of values that a number stands for, either side possibly unbounded.
#[derive(Debug, Clone, Copy)]
pub struct DecimalRange {
    /// The smallest value, or unbounded.
    pub low: Option<Decimal>,
    /// The greatest value, or unbounded.
    pub high: Option<Decimal>,
}

impl Decimal {
    /// Reads a JSON number or the number of a search value; leading zeros and `+` are refused.
    pub fn parse(text: &str) -> Option<Self> {
        Parsed::read(text).map(|parsed| parsed.value)
    }

    /// Reads the number of a search value, with the half-open range `[low, high)` that its
    /// written precision stands for.
    ///
    /// FHIR R4 search.html#number: `100` means `[99.5, 100.5)`, `100.00` means
    /// `[99.995, 100.005)`; `1e2` means `[95, 105)`.
    pub fn parse_with_precision(text: &str) -> Option<(Self, Self, Self)> {
        let parsed = Parsed::read(text)?;
        let last_digit = if parsed.has_exponent && !parsed.has_fraction {
            parsed.written_exponent.checked_sub(1)?
        } else {
            parsed.written_exponent
        };
        let half = Self { mantissa: 5, exponent: last_digit.checked_sub(1)? };
        Some((parsed.value, parsed.value.plus(half.negated()), parsed.value.plus(half)))
    }

    /// The value within ten percent, as `ap` reads it.
    pub fn within_tenth(self) -> DecimalRange {
        let nine = Self { mantissa: self.mantissa.saturating_mul(9), exponent: self.exponent - 1 };
        let eleven =
            Self { mantissa: self.mantissa.saturating_mul(11), exponent: self.exponent - 1 };
        if self.mantissa < 0 {
            DecimalRange { low: Some(eleven), high: Some(nine) }
        } else {
            DecimalRange { low: Some(nine), high: Some(eleven) }
        }
    }

    /// A key whose integer order never contradicts the order of the values: equal or greater
    /// values have equal or greater keys.
    pub fn order_key(self) -> i64 {
        // Rounding to the nearest double is monotonic, and so is the bit pattern with the
        // negative half mirrored.
        let double: f64 = self.to_text().parse().unwrap_or(f64::INFINITY);
        let bits = i64::from_ne_bytes(double.to_bits().to_ne_bytes());
        if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
    }

    /// The number as a text that [`Decimal::parse`] takes back.
    pub(super) fn to_text(self) -> String {
        format!("{}e{}", self.mantissa, self.exponent)
    }

    fn negated(self) -> Self {
        Self { mantissa: -self.mantissa, exponent: self.exponent }
    }

    /// Adds, exactly when the magnitudes are close enough for the result to matter.
    fn plus(self, other: Self) -> Self {
        let (fine, coarse) =
            if self.exponent <= other.exponent { (self, other) } else { (other, self) };
        let shift = u32::try_from(coarse.exponent - fine.exponent).unwrap_or(u32::MAX);
        let sum = 10_i128
            .checked_pow(shift)
            .and_then(|power| coarse.mantissa.checked_mul(power))
            .and_then(|aligned| aligned.checked_add(fine.mantissa));
        match sum {
            Some(mantissa) => Self { mantissa, exponent: fine.exponent },
            None => coarse,
        }
    }

    fn digits(self) -> i32 {
        i32::try_from(self.mantissa.unsigned_abs().checked_ilog10().unwrap_or(0)).unwrap_or(0)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_sign = self.mantissa.signum().cmp(&other.mantissa.signum());
        if by_sign.is_ne() || self.mantissa == 0 {
            return by_sign;
        }
        let own = self.digits() + self.exponent;
        let theirs = other.digits() + other.exponent;
        if own != theirs {
            let by_size = own.cmp(&theirs);
            return if self.mantissa > 0 { by_size } else { by_size.reverse() };
        }
        let least = self.exponent.min(other.exponent);
        aligned(*self, least).cmp(&aligned(*other, least))
    }
}

/// The mantissa at a smaller exponent; both numbers have the same magnitude here, so that this
/// cannot overflow: at most 32 digits.
fn aligned(value: Decimal, exponent: i32) -> i128 {
    let shift = u32::try_from(value.exponent - exponent).unwrap_or(0);
    10_i128
        .checked_pow(shift)
        .and_then(|power| value.mantissa.checked_mul(power))
        .unwrap_or(if value.mantissa < 0 { i128::MIN } else { i128::MAX })
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

struct Parsed {
    value: Decimal,
    written_exponent: i32,
    has_exponent: bool,
    has_fraction: bool,
}

impl Parsed {
    fn read(text: &str) -> Option<Self> {
        let (negative, rest) =
            text.strip_prefix('-').map_or((false, text), |unsigned| (true, unsigned));
        let (number, exponent) = match rest.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, Some(exponent)),
            None => (rest, None),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (number, None),
        };
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        if !all_digits(whole) || leading_zero || fraction.is_some_and(|part| !all_digits(part)) {
            return None;
        }
        let power = match exponent {
            Some(text) => read_exponent(text)?,
            None => 0,
        };
        let fraction_digits = i32::try_from(fraction.map_or(0, str::len)).ok()?;
        let written_exponent = power.checked_sub(fraction_digits)?;
        let mut mantissa = 0_i128;
        let mut dropped = 0_i32;
        let limit = 10_i128.pow(DIGITS_MAX);
        for digit in whole.bytes().chain(fraction.unwrap_or("").bytes()) {
            if mantissa >= limit / 10 {
                dropped = dropped.checked_add(1)?;
            } else {
                mantissa = mantissa * 10 + i128::from(digit - b'0');
            }
        }
        let value = Decimal {
            mantissa: if negative { -mantissa } else { mantissa },
            exponent: written_exponent.checked_add(dropped)?,
        };
        Some(Self {
            value,
            written_exponent,
            has_exponent: exponent.is_some(),
            has_fraction: fraction.is_some(),
        })
    }
}

fn read_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let size: i32 = digits.parse().ok().filter(|size| *size <= EXPONENT_MAX)?;
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn equal_values_are_equal_however_they_are_written() {
        for (a, b) in [("100", "1e2"), ("7.20", "7.2"), ("0", "-0.00"), ("0.001", "1E-3")] {
            assert_eq!(number(a), number(b), "{a} {b}");
        }
    }

    #[test]
    fn order_follows_the_value_and_the_key_follows_the_order() {
        let ordered = ["-1e300", "-12", "-11.99", "-0.001", "0", "1e-20", "0.5", "7.2", "7.21"];
        for pair in ordered.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
            assert!(number(pair[0]).order_key() < number(pair[1]).order_key(), "{pair:?}");
        }
    }

    // Covers: FHIR R4 search.html number
    #[test]
    fn precision_is_that_of_the_text() {
        for (text, low, high) in
            [("100", "99.5", "100.5"), ("100.00", "99.995", "100.005"), ("1e2", "95", "105")]
        {
            let (_, from, to) = Decimal::parse_with_precision(text).unwrap();
            assert_eq!((from, to), (number(low), number(high)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e99999", "0x1", "NaN", "1 "] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_hundred_digits_do_not_overflow() {
        let long = "9".repeat(100);
        assert!(number(&long) > number("1e99"));
        assert!(number(&long) <= number("1e100"));
    }
}
