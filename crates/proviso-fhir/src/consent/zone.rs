//! Dates of a Consent as instants: which zone they are in, and what a partial one covers.
//!
//! A text without an offset means nothing until somebody says where; so the zone is always an
//! argument. Knows no clock and no database of zones: rules of summer time come as a POSIX text.

use alloc::string::{String, ToString};

use jiff::tz::{Offset, TimeZone};
use proviso_core::time::{At, Period};

use crate::facts::days;
use crate::spec::Primitive;

/// The time zone in which dates without an offset are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Reads `Z`, an offset such as `-05:00`, or a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    ///
    /// ```
    /// use proviso_fhir::consent::Zone;
    /// assert_eq!(Zone::parse("Z"), Some(Zone::UTC));
    /// assert!(Zone::parse("EST5EDT,M3.2.0,M11.1.0").is_some());
    /// assert!(Zone::parse("somewhere").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        if text == "Z" {
            return Some(Self::UTC);
        }
        if let Some(seconds) = offset_seconds(text) {
            return Offset::from_seconds(seconds).ok().map(|offset| Self(TimeZone::fixed(offset)));
        }
        TimeZone::posix(text).ok().map(Self)
    }

    /// The hour (0 to 23) and the day of the week (Monday is 1, Sunday is 7) at an instant; `None`
    /// for an instant that no calendar has.
    pub fn hour_and_weekday(&self, at: At) -> Option<(u8, u8)> {
        let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
        let here = stamp.to_zoned(self.0.clone());
        let hour = u8::try_from(here.hour()).ok()?;
        let weekday = u8::try_from(here.weekday().to_monday_one_offset()).ok()?;
        Some((hour, weekday))
    }

    /// The day that an instant is in: from its first instant until before that of the next.
    pub fn day(&self, at: At) -> Option<Period> {
        let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
        let day = stamp.to_zoned(self.0.clone()).date();
        let next = day.tomorrow().ok()?;
        Some(Period { start: Some(self.midnight(day)?), end: Some(self.midnight(next)?) })
    }

    /// The first instant here of the day that an instant is in by universal time.
    pub fn start_of_utc_day(&self, at: At) -> Option<At> {
        let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
        self.midnight(stamp.to_zoned(TimeZone::UTC).date())
    }

    pub(crate) fn midnight(&self, date: jiff::civil::Date) -> Option<At> {
        // Where the clock jumps over midnight, the day starts with the first instant it has.
        let stamp = date.to_zoned(self.0.clone()).ok()?.timestamp();
        Some(At::from_micros(stamp.as_microsecond()))
    }
}

/// `+hh:mm` or `-hh:mm`.
fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, text.strip_prefix('+')?),
        b'-' => (-1, text.strip_prefix('-')?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |part: &str| -> Option<i32> {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse().ok())?
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// What a FHIR `dateTime` covers: its first instant, and the first one after it.
///
/// A year is a whole year, a second a whole second, a fraction as much as its last digit says. The
/// second value is `None` for the year 9999, after which no date can be written: texts use it to
/// say that there is no end. `None` in all when the text is no date of the calendar.
///
/// Source: FHIR R4 datatypes, `Period`: the end includes any time that it names.
pub(crate) fn span(text: &str, zone: &Zone) -> Option<(At, Option<At>)> {
    if !Primitive::DateTime.accepts(text) {
        return None;
    }
    if text.contains('T') {
        let start = At::parse(text)?;
        return Some((start, Some(At::from_micros(start.as_micros().checked_add(width(text))?))));
    }
    let (first, after) = days(text)?;
    if first.year() == 9999 {
        // The first day of it, less a day in case the zone is west of us.
        let start = first.checked_sub(jiff::Span::new().days(2)).ok()?;
        return Some((zone.midnight(start)?, None));
    }
    Some((zone.midnight(first)?, after.and_then(|after| zone.midnight(after))))
}

/// How many microseconds a time of day with seconds covers.
fn width(text: &str) -> i64 {
    let digits = text
        .split_once('.')
        .map_or(0, |(_, tail)| tail.bytes().take_while(u8::is_ascii_digit).count());
    let mut width = 1_000_000;
    for _ in 0..digits.min(6) {
        width /= 10;
    }
    width
}

/// The text of an instant; `None` outside the years that FHIR can write.
pub(crate) fn start_text(at: At) -> Option<String> {
    let text = at.to_rfc3339();
    let parsed = At::parse(&text)? == at;
    let first = text.as_bytes().first()?.is_ascii_digit();
    (parsed && first && !text.starts_with("0000")).then_some(text)
}

/// The text of the end of a half-open period: FHIR's ends are inclusive, so it names the last
/// second, or the last microsecond, inside.
pub(crate) fn end_text(end: At) -> Option<String> {
    if end.as_micros() % 1_000_000 == 0 {
        return start_text(end.plus_secs(-1));
    }
    let last = At::from_micros(end.as_micros().checked_sub(1)?);
    let whole = start_text(At::from_secs(last.as_secs()))?;
    let mut fraction = last.as_micros().rem_euclid(1_000_000).to_string();
    while fraction.len() < 6 {
        fraction.insert(0, '0');
    }
    Some([whole.strip_suffix('Z')?, ".", &fraction, "Z"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: &str, expected: Option<(&str, Option<&str>)>) {
        let at = |text: &str| At::parse(text).unwrap();
        let expected = expected.map(|(start, end)| (at(start), end.map(at)));
        assert_eq!(span(text, &Zone::parse(zone).unwrap()), expected, "{text} in {zone}");
    }

    // Covers: FHIR R4 datatypes §Period, §dateTime
    #[test]
    fn a_partial_date_covers_all_it_names_in_the_zone_given() {
        check("2022", "Z", Some(("2022-01-01T00:00:00Z", Some("2023-01-01T00:00:00Z"))));
        check("2022-12", "+02:00", Some(("2022-11-30T22:00:00Z", Some("2022-12-31T22:00:00Z"))));
        // New York, the day on which clocks go forward: 23 hours.
        let eastern = "EST5EDT,M3.2.0,M11.1.0";
        check("2022-03-13", eastern, Some(("2022-03-13T05:00:00Z", Some("2022-03-14T04:00:00Z"))));
        check(
            "2022-01-01T10:00:00-07:00",
            eastern,
            Some(("2022-01-01T17:00:00Z", Some("2022-01-01T17:00:01Z"))),
        );
        check(
            "2022-01-01T10:00:00.25Z",
            "Z",
            Some(("2022-01-01T10:00:00.25Z", Some("2022-01-01T10:00:00.26Z"))),
        );
    }

    #[test]
    fn the_last_year_that_can_be_written_has_no_end() {
        assert_eq!(span("9999-12-31", &Zone::UTC).unwrap().1, None);
        assert_eq!(span("9999", &Zone::UTC).unwrap().1, None);
        assert!(span("9998-12-30", &Zone::UTC).unwrap().1.is_some());
    }

    #[test]
    fn what_is_no_date_of_the_calendar_is_none() {
        for text in ["2022-02-29", "2022-13", "22", "2022-1", "2022-01-01T10:00Z", "soon", ""] {
            assert_eq!(span(text, &Zone::UTC), None, "{text}");
        }
        assert_eq!(span("2022-01-01T10:00:00", &Zone::UTC), None, "a time needs an offset");
    }

    #[test]
    fn an_end_that_is_written_is_read_back() {
        for micros in [0, 1, 999_999, 1_000_000, 1_700_000_000_000_000, 1_700_000_000_123_456] {
            let end = At::from_micros(micros);
            let text = end_text(end).unwrap();
            assert_eq!(span(&text, &Zone::UTC).unwrap().1, Some(end), "{text}");
        }
        assert_eq!(start_text(At::from_secs(i64::MIN / 1_000_000)), None);
        assert_eq!(start_text(At::from_secs(-62_200_000_000)), None, "before the year 1");
    }
}
