//! Dates of any precision as half-open ranges of microseconds.
//!
//! A FHIR date is not an instant: `2015` is the whole year. Where a date has no time zone it is
//! read as UTC, in the resource as in the query, so that the two agree.

use proviso_core::time::At;

/// `[low, high)` in microseconds since the epoch; the extremes of `i64` stand for "unbounded".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// First microsecond inside.
    pub low: i64,
    /// First microsecond after it.
    pub high: i64,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;

impl Interval {
    /// Everything.
    pub const UNBOUNDED: Self = Self { low: i64::MIN, high: i64::MAX };

    /// From two bounds in any order; never empty, so that evaluation and index agree about
    /// periods that end before they start.
    pub const fn between(low: i64, high: i64) -> Self {
        if low < high { Self { low, high } } else { Self { low, high: low.saturating_add(1) } }
    }

    /// Whether all of `other` lies inside.
    pub const fn contains(&self, other: &Self) -> bool {
        self.low <= other.low && other.high <= self.high
    }

    /// Whether the two have an instant in common.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.low < other.high && other.low < self.high
    }

    /// The smallest interval that has both inside.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// Widened by a tenth of the distance to `at`, as FHIR R4 suggests for `ap`.
    #[must_use]
    pub fn approximately(self, at: At) -> Self {
        let middle = self.low.midpoint(self.high);
        let margin = at.as_micros().saturating_sub(middle).unsigned_abs() / 10;
        let margin = i64::try_from(margin).unwrap_or(i64::MAX);
        Self { low: self.low.saturating_sub(margin), high: self.high.saturating_add(margin) }
    }

    /// Reads a FHIR `date`, `dateTime` or `instant`; minutes without seconds and times without a
    /// zone are accepted, as FHIR R4 search.html#date asks for queries.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = digits(parts.next()?, 4).filter(|year| *year >= 1)?;
        let month = parts.next().map(|part| digits(part, 2)).map_or(Some(None), |m| m.map(Some))?;
        let day = parts.next().map(|part| digits(part, 2)).map_or(Some(None), |d| d.map(Some))?;
        if parts.next().is_some() || month.is_some_and(|month| !(1..=12).contains(&month)) {
            return None;
        }
        match (month, day, time) {
            (None, None, None) => Some(Self::between(
                days_from_civil(year, 1, 1) * DAY,
                days_from_civil(year + 1, 1, 1) * DAY,
            )),
            (Some(month), None, None) => {
                let (next_year, next_month) =
                    if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Some(Self::between(
                    days_from_civil(year, month, 1) * DAY,
                    days_from_civil(next_year, next_month, 1) * DAY,
                ))
            }
            (Some(month), Some(day), time) => {
                if !(1..=days_in_month(year, month)).contains(&day) {
                    return None;
                }
                let midnight = days_from_civil(year, month, day) * DAY;
                match time {
                    None => Some(Self::between(midnight, midnight + DAY)),
                    Some(time) => {
                        let (offset, unit) = time_of_day(time)?;
                        Some(Self::between(midnight + offset, midnight + offset + unit))
                    }
                }
            }
            _ => None,
        }
    }
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let fits = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// Microseconds after midnight UTC, and how long the written precision lasts.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let (clock, zone) = match text.find(['Z', '+', '-']) {
        Some(at) => text.split_at_checked(at)?,
        None => (text, "Z"),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 2).filter(|minute| *minute < 60)?;
    let (seconds, unit) = match parts.next() {
        None => (0, MINUTE),
        Some(text) => seconds_of(text)?,
    };
    if parts.next().is_some() {
        return None;
    }
    Some((hour * 60 * MINUTE + minute * MINUTE + seconds - zone_offset(zone)?, unit))
}

fn seconds_of(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    // A leap second is allowed by FHIR; it is read as the first instant of the next minute.
    let whole = digits(whole, 2).filter(|second| *second <= 60)? * SECOND;
    let Some(fraction) = fraction else { return Some((whole, SECOND)) };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut micros = 0;
    let mut unit = SECOND;
    for digit in fraction.bytes().take(6) {
        unit /= 10;
        micros += i64::from(digit - b'0') * unit;
    }
    Some((whole + micros, unit))
}

fn zone_offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours <= 14)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * (hours * 60 + minutes) * MINUTE)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counted in years that
/// begin in March so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(text: &str) -> Interval {
        Interval::parse(text).unwrap()
    }

    #[test]
    fn instants_agree_with_a_calendar_library() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-22T05:36:35.123456Z",
            "2000-02-29T23:59:59+13:45",
            "1899-12-31T12:00:00-05:00",
            "0001-01-01T00:00:00Z",
            "9998-12-31T23:59:59Z",
        ] {
            assert_eq!(interval(text).low, At::parse(text).unwrap().as_micros(), "{text}");
        }
    }

    // Covers: FHIR R4 search.html date
    #[test]
    fn a_partial_date_is_the_whole_of_its_unit() {
        for (text, low, high) in [
            ("2015", "2015-01-01T00:00:00Z", "2016-01-01T00:00:00Z"),
            ("2015-12", "2015-12-01T00:00:00Z", "2016-01-01T00:00:00Z"),
            ("2016-02-29", "2016-02-29T00:00:00Z", "2016-03-01T00:00:00Z"),
            ("2015-02-07T13:28", "2015-02-07T13:28:00Z", "2015-02-07T13:29:00Z"),
            ("2015-02-07T13:28:17Z", "2015-02-07T13:28:17Z", "2015-02-07T13:28:18Z"),
            ("2015-02-07T13:28:17.5+01:00", "2015-02-07T12:28:17.5Z", "2015-02-07T12:28:17.6Z"),
        ] {
            let expected = (At::parse(low).unwrap(), At::parse(high).unwrap());
            let found = interval(text);
            assert_eq!(
                (found.low, found.high),
                (expected.0.as_micros(), expected.1.as_micros()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "15",
            "2015-13",
            "2015-02-29",
            "2015-1-1",
            "2015T10:00",
            "2015-02-07T24:00",
            "2015-02-07T10",
            "2015-02-07T10:00:00+1",
            "2015-02-07T10:00:00.",
            "0000",
            "2015-02-07T",
        ] {
            assert!(Interval::parse(text).is_none(), "{text}");
        }
    }
}
