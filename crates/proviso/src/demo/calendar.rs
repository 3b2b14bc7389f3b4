//! Days and times of the demo world: one clinic, one fixed offset, no wall clock.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, date};

/// The day on which the world was written down. Nothing in it lies later, except what is planned.
pub(super) const TODAY: Date = date(2026, 11, 1);

/// Riverside lies in Arizona, which keeps one offset all year.
const OFFSET: &str = "-07:00";

/// A FHIR `dateTime` or `instant`.
pub(super) fn stamp(at: DateTime) -> String {
    format!("{}{OFFSET}", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// A FHIR `date`.
pub(super) fn day(on: Date) -> String {
    on.to_string()
}

/// A time on a day.
pub(super) fn at(on: Date, hour: i8, minute: i8) -> DateTime {
    on.at(hour.clamp(0, 23), minute.clamp(0, 59), 0, 0)
}

/// Moves by days; stays where it is at the edge of the calendar, which no chart reaches.
pub(super) fn plus_days(on: Date, days: i64) -> Date {
    on.checked_add(days.days()).unwrap_or(on)
}

/// Moves by minutes.
pub(super) fn plus_minutes(on: DateTime, minutes: i64) -> DateTime {
    on.checked_add(minutes.minutes()).unwrap_or(on)
}

/// Whole years from a birth date to a day.
pub(super) fn age(birth: Date, on: Date) -> i64 {
    let years = i64::from(on.year()) - i64::from(birth.year());
    let before_birthday = (on.month(), on.day()) < (birth.month(), birth.day());
    years - i64::from(before_birthday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_fhir() {
        assert_eq!(stamp(at(date(2026, 3, 9), 8, 5)), "2026-03-09T08:05:00-07:00");
        assert_eq!(day(date(2026, 3, 9)), "2026-03-09");
    }

    #[test]
    fn ages_turn_on_the_birthday() {
        let birth = date(1980, 6, 15);
        assert_eq!(age(birth, date(2026, 6, 14)), 45);
        assert_eq!(age(birth, date(2026, 6, 15)), 46);
    }
}
