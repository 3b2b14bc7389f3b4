//! Distance over the surface of the Earth, for `Location?near`.
//!
//! FHIR R4 location.html, search parameter `near`: `[latitude]|[longitude]|[distance]|[units]`.
//! Positions are WGS 84 degrees; the Earth is taken as a sphere, which is right to half a percent.
//! There is no key for a position: `near` looks at every Location of the view.

use super::decimal::Decimal;
use super::form::{split_unescaped, unescape};
use crate::json::Node;

/// The mean radius of the Earth (IUGG), in meters.
const EARTH_RADIUS: f64 = 6_371_008.8;
/// Meters that count as near when the query names no distance; R4 leaves it to the server.
const DISTANCE_DEFAULT: f64 = 50_000.0;
const KILOMETER: f64 = 1_000.0;
const MILE: f64 = 1_609.344;
/// UCUM `[mi_us]`, the US survey mile.
const SURVEY_MILE: f64 = 6_336_000.0 / 3_937.0;

/// A place on Earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// North is positive.
    pub latitude: f64,
    /// East is positive.
    pub longitude: f64,
}

/// Within a distance of a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NearTest {
    pub(super) center: Position,
    pub(super) meters: f64,
}

fn number(text: &str) -> Option<f64> {
    // `f64` also reads words such as `inf`; a decimal of FHIR has digits only.
    Decimal::parse(text)?;
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

impl Position {
    fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_on_earth = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_on_earth.then_some(Self { latitude, longitude })
    }

    /// Reads a `Location.position`; `None` where it is no place on Earth.
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        let degrees = |name| number(node.get(name)?.number_text()?);
        Self::new(degrees("latitude")?, degrees("longitude")?)
    }

    /// The length of the great circle between two places, in meters (haversine formula).
    pub fn distance(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half_sine_squared = |angle: f64| {
            let sine = libm::sin(angle / 2.0);
            sine * sine
        };
        let along = half_sine_squared((other.longitude - self.longitude).to_radians());
        let chord = half_sine_squared(to - from) + libm::cos(from) * libm::cos(to) * along;
        // Rounding can lift the chord of opposite places a little over one.
        2.0 * EARTH_RADIUS * libm::asin(libm::sqrt(chord.min(1.0)))
    }
}

impl NearTest {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "`latitude|longitude|distance|units`, with degrees on Earth and \
                                units of `km`, `m`, `mi`, `[mi_us]` or `[mi_i]`";
        let parts = split_unescaped(text, '|');
        let mut parts = parts.iter();
        let mut next = || match parts.next() {
            Some(part) => unescape(part).ok_or(EXPECTED),
            None => Ok(alloc::string::String::new()),
        };
        let (latitude, longitude, distance, units) = (next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(EXPECTED);
        }
        let center = number(&latitude)
            .zip(number(&longitude))
            .and_then(|(latitude, longitude)| Position::new(latitude, longitude))
            .ok_or(EXPECTED)?;
        let meters_in_unit = match units.as_str() {
            "" | "km" => KILOMETER,
            "m" => 1.0,
            "mi" | "[mi_i]" => MILE,
            "[mi_us]" => SURVEY_MILE,
            _ => return Err(EXPECTED),
        };
        let meters = match distance.as_str() {
            "" => DISTANCE_DEFAULT,
            given => {
                let given = number(given).filter(|given| *given >= 0.0).ok_or(EXPECTED)?;
                given * meters_in_unit
            }
        };
        Ok(Self { center, meters })
    }

    pub(super) fn accepts(&self, found: Position) -> bool {
        self.center.distance(found) <= self.meters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, longitude).unwrap()
    }

    #[test]
    fn distances_agree_with_known_ones() {
        for (from, to, kilometers) in [
            // A degree of latitude, and one of longitude at the equator and at 60 degrees north.
            (at(0.0, 0.0), at(1.0, 0.0), 111.195),
            (at(0.0, 0.0), at(0.0, 1.0), 111.195),
            (at(60.0, 0.0), at(60.0, 1.0), 55.597),
            // Paris and New York; over the date line; opposite places.
            (at(48.8566, 2.3522), at(40.7128, -74.006), 5_837.2),
            (at(0.0, 179.5), at(0.0, -179.5), 111.195),
            (at(0.0, 0.0), at(0.0, 180.0), 20_015.1),
            (at(90.0, 0.0), at(-90.0, 77.0), 20_015.1),
            (at(5.0, 5.0), at(5.0, 5.0), 0.0),
        ] {
            let found = from.distance(to) / KILOMETER;
            assert!((found - kilometers).abs() <= 0.1, "{from:?} {to:?} {found}");
        }
    }

    #[test]
    fn distances_and_units_are_optional() {
        for (text, meters) in [
            ("1|2", 50_000.0),
            ("1|2||", 50_000.0),
            ("1|2||mi", 50_000.0),
            ("1|2|3", 3_000.0),
            ("1|2|3|km", 3_000.0),
            ("1|2|3|m", 3.0),
            ("1|2|1e1|mi", 16_093.44),
            ("1|2|3937|[mi_us]", 6_336_000.0),
            ("-1.5|-180|0", 0.0),
        ] {
            let found = NearTest::parse(text).unwrap().meters;
            assert!((found - meters).abs() < 1e-6, "{text} {found}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "1",
            "|",
            "1|",
            "|2",
            "a|b",
            "91|0",
            "0|181",
            "nan|0",
            "inf|0",
            "1|2|-1",
            "1|2|x",
            "1|2|3|ft",
            "1|2|3|km|",
            "1|2|1e999",
            "1\\x|2",
            "+1|2",
            " 1|2",
        ] {
            assert!(NearTest::parse(text).is_err(), "{text}");
        }
    }
}
