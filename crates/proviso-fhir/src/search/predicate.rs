//! One value of a query, and whether a value of a resource satisfies it.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use super::canonical::{self, UriMatch, named};
use super::decimal::{Decimal, DecimalRange};
use super::form::{split_unescaped, unescape};
use super::interval::Interval;
use super::near::NearTest;
use super::param::{Param, ParamType};
use super::reference::{self, Target};
use super::text::{fold, soundex};
use super::value::{Quantity, Reference, SearchValue, Token};

/// FHIR R4 search.html#prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// Equal, to the precision that was written.
    Eq,
    /// Not equal.
    Ne,
    /// Greater.
    Gt,
    /// Less.
    Lt,
    /// Greater or equal.
    Ge,
    /// Less or equal.
    Le,
    /// Starts after.
    Sa,
    /// Ends before.
    Eb,
    /// Approximately.
    Ap,
}

/// What a modifier asks for, once it is known to fit the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// No modifier, or one that picks another kind of filter.
    Plain,
    /// `:exact`
    Exact,
    /// `:contains`
    Contains,
    /// `:text`
    Text,
    /// `:above`
    Above,
    /// `:below`
    Below,
    /// `:in`
    In,
    /// `:not-in`
    NotIn,
    /// `:of-type`
    OfType,
    /// `:identifier`
    Identifier,
    /// `:[type]`
    Type(ResourceType),
}

/// How a string is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextMatch {
    Starts,
    Ends,
    Equals,
    Exact,
    Contains,
    Sounds,
}

/// What a token's system must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SystemTest {
    Any,
    Absent,
    Equals(String),
}

/// `code`, `system|code`, `|code` or `system|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenTest {
    pub(super) system: SystemTest,
    pub(super) code: Option<String>,
    /// Case does not count, whatever the code system says.
    pub(super) any_case: bool,
}

/// Where a reference must lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReferenceTest {
    /// To this id, of any type the parameter allows.
    Id(ResourceId),
    /// To this resource, in any version unless one is named.
    Local { resource_type: ResourceType, id: ResourceId, version: Option<String> },
    /// To this address.
    Url { url: String, version: Option<String> },
    /// To a canonical URL over or under this one.
    Canonical { how: UriMatch, wanted: String, own_base: String },
}

/// A number with its prefix and the half-open range its precision stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NumberTest {
    pub(super) prefix: Prefix,
    pub(super) value: Decimal,
    pub(super) low: Decimal,
    pub(super) high: Decimal,
}

/// One alternative of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Number(NumberTest),
    Date { prefix: Prefix, interval: Interval },
    Text { how: TextMatch, text: String },
    Token(TokenTest),
    TokenText(String),
    OfType { system: String, code: String, value: String },
    Reference(ReferenceTest),
    Identifier(TokenTest),
    Quantity { number: NumberTest, system: Option<String>, code: Option<String> },
    Uri { how: UriMatch, uri: String },
    Composite(Vec<Test>),
    Near(NearTest),
}

impl Modifier {
    /// Which way `:above` and `:below` go.
    fn direction(self) -> Option<UriMatch> {
        match self {
            Self::Above => Some(UriMatch::Above),
            Self::Below => Some(UriMatch::Below),
            Self::Plain
            | Self::Exact
            | Self::Contains
            | Self::Text
            | Self::In
            | Self::NotIn
            | Self::OfType
            | Self::Identifier
            | Self::Type(_) => None,
        }
    }
}

impl Prefix {
    /// As queries write it.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::Ge => "ge",
            Self::Le => "le",
            Self::Sa => "sa",
            Self::Eb => "eb",
            Self::Ap => "ap",
        }
    }

    fn split(text: &str) -> (Self, &str) {
        let known = match text.get(..2) {
            Some("eq") => Self::Eq,
            Some("ne") => Self::Ne,
            Some("gt") => Self::Gt,
            Some("lt") => Self::Lt,
            Some("ge") => Self::Ge,
            Some("le") => Self::Le,
            Some("sa") => Self::Sa,
            Some("eb") => Self::Eb,
            Some("ap") => Self::Ap,
            _ => return (Self::Eq, text),
        };
        (known, text.get(2..).unwrap_or(""))
    }
}

impl Test {
    /// Reads one alternative, escapes still in it.
    ///
    /// # Errors
    /// What the value should have been.
    pub(super) fn parse(
        param: &Param,
        modifier: Modifier,
        text: &str,
        own_base: &str,
        at: At,
    ) -> Result<Self, &'static str> {
        const ESCAPES: &str = "a text whose escapes are complete";
        if text.is_empty() {
            return Err("given");
        }
        match param.kind {
            ParamType::Number => NumberTest::parse(text).map(Self::Number).ok_or("a number"),
            ParamType::Date => {
                let (prefix, date) = Prefix::split(text);
                // An unescaped `+` of a time zone arrives as a space; no date has one otherwise.
                let date = date.replace(' ', "+");
                let exact = Interval::parse(&date).ok_or("a date or time")?;
                let interval = if prefix == Prefix::Ap { exact.approximately(at) } else { exact };
                Ok(Self::Date { prefix, interval })
            }
            ParamType::String => {
                let plain = unescape(text).ok_or(ESCAPES)?;
                Self::string(param, modifier, plain)
            }
            ParamType::Token => Self::token(modifier, text).ok_or(ESCAPES)?,
            ParamType::Reference => {
                if modifier == Modifier::Identifier {
                    return TokenTest::parse(text).map(Self::Identifier).ok_or(ESCAPES);
                }
                // Only `,` and `$` separate in a reference; a `|` starts the canonical version.
                let plain = unescape(text).ok_or(ESCAPES)?;
                ReferenceTest::parse(modifier, &plain, own_base).map(Self::Reference)
            }
            ParamType::Quantity => Self::quantity(text).ok_or("a quantity"),
            ParamType::Uri => {
                let uri = unescape(text).ok_or(ESCAPES)?;
                Ok(Self::Uri { how: modifier.direction().unwrap_or(UriMatch::Equal), uri })
            }
            ParamType::Composite => {
                let parts = split_unescaped(text, '$');
                if parts.len() != param.components.len() {
                    return Err("one value for each component, parted by `$`");
                }
                parts
                    .iter()
                    .zip(&param.components)
                    .map(|(part, component)| {
                        Self::parse(component, Modifier::Plain, part, own_base, at)
                    })
                    .collect::<Result<_, _>>()
                    .map(Self::Composite)
            }
            ParamType::Special => NearTest::parse(text).map(Self::Near),
        }
    }

    fn string(param: &Param, modifier: Modifier, plain: String) -> Result<Self, &'static str> {
        let (how, text) = if modifier == Modifier::Exact {
            (TextMatch::Exact, plain)
        } else if modifier == Modifier::Contains {
            (TextMatch::Contains, fold(&plain))
        } else if param.is_phonetic() {
            let codes: Vec<String> = plain.split_whitespace().filter_map(soundex).collect();
            (TextMatch::Sounds, codes.join(" "))
        } else {
            (TextMatch::Starts, fold(&plain))
        };
        // White space alone, or no letter to hear, would match everything.
        if text.is_empty() { Err("a text") } else { Ok(Self::Text { how, text }) }
    }

    fn token(modifier: Modifier, text: &str) -> Option<Result<Self, &'static str>> {
        if modifier == Modifier::Text {
            let text = fold(&unescape(text)?);
            return Some(if text.is_empty() { Err("a text") } else { Ok(Self::TokenText(text)) });
        }
        if modifier != Modifier::OfType {
            return Some(Ok(Self::Token(TokenTest::parse(text)?)));
        }
        let parts = split_unescaped(text, '|');
        let [system, code, value] = parts.as_slice() else {
            return Some(Err("`system|code|value` of an identifier"));
        };
        let (system, code, value) = (unescape(system)?, unescape(code)?, unescape(value)?);
        if system.is_empty() || code.is_empty() || value.is_empty() {
            return Some(Err("`system|code|value` of an identifier"));
        }
        Some(Ok(Self::OfType { system, code, value }))
    }

    fn quantity(text: &str) -> Option<Self> {
        let parts = split_unescaped(text, '|');
        let mut parts = parts.iter();
        let number = NumberTest::parse(parts.next()?)?;
        let mut next = || match parts.next() {
            Some(part) if !part.is_empty() => unescape(part).map(Some),
            _ => Some(None),
        };
        let (system, code) = (next()?, next()?);
        if parts.next().is_some() { None } else { Some(Self::Quantity { number, system, code }) }
    }

    /// Whether a value of a resource satisfies this alternative.
    pub(super) fn accepts(&self, param: &Param, value: &SearchValue<'_>) -> bool {
        match (self, value) {
            (Self::Number(test), SearchValue::Number(range)) => test.accepts(range),
            (Self::Date { prefix, interval }, SearchValue::Date(found)) => {
                compare_dates(*prefix, interval, found)
            }
            (Self::Text { how, text }, SearchValue::Text(found)) => text_accepts(*how, text, found),
            (Self::Token(test), SearchValue::Token(token)) => test.accepts(token),
            (Self::TokenText(text), SearchValue::Token(token)) => {
                token.texts.iter().any(|found| fold(found).starts_with(text.as_str()))
            }
            (Self::OfType { system, code, value }, SearchValue::Token(token)) => {
                token.code.as_deref() == Some(value)
                    && token.kinds.iter().any(|(s, c)| s == system && c == code)
            }
            (Self::Reference(test), SearchValue::Reference(found)) => test.accepts(param, found),
            (Self::Identifier(test), SearchValue::Reference(found)) => {
                found.identifier.as_ref().is_some_and(|token| test.accepts(token))
            }
            (Self::Quantity { number, system, code }, SearchValue::Quantity(found)) => {
                number.accepts(&found.range)
                    && unit_accepts(system.as_deref(), code.as_deref(), found)
            }
            (Self::Uri { how, uri }, SearchValue::Uri(found)) => {
                canonical::accepts(*how, named(uri), named(found))
            }
            (Self::Near(test), SearchValue::Position(found)) => test.accepts(*found),
            (Self::Composite(tests), SearchValue::Composite(parts)) => {
                tests.iter().zip(parts).zip(&param.components).all(|((test, found), component)| {
                    found.iter().any(|value| test.accepts(component, value))
                })
            }
            _ => false,
        }
    }
}

impl TokenTest {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts = split_unescaped(text, '|');
        let (system, code) = match parts.as_slice() {
            [code] => (SystemTest::Any, unescape(code)?),
            ["", code] => (SystemTest::Absent, unescape(code)?),
            [system, code] => (SystemTest::Equals(unescape(system)?), unescape(code)?),
            // Some identifiers have bars in their value; FHIR wants those escaped.
            _ => return None,
        };
        let code = if code.is_empty() { None } else { Some(code) };
        if code.is_none() && !matches!(system, SystemTest::Equals(_)) {
            return None;
        }
        Some(Self { system, code, any_case: false })
    }

    pub(super) fn in_any_case(self) -> Self {
        Self { any_case: true, ..self }
    }

    fn accepts(&self, token: &Token<'_>) -> bool {
        let system_fits = match &self.system {
            SystemTest::Any => true,
            SystemTest::Absent => token.system.is_none(),
            SystemTest::Equals(wanted) => {
                token.system.as_deref().or(token.implied_system) == Some(wanted)
            }
        };
        let code_fits = match (&self.code, token.folded_code()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(found)) if token.any_case || self.any_case => {
                fold(wanted) == fold(&found)
            }
            (Some(wanted), Some(found)) => *wanted == found,
        };
        system_fits && code_fits
    }
}

impl ReferenceTest {
    fn parse(modifier: Modifier, text: &str, own_base: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "an id, `Type/id` or an absolute URL";
        if let Some(how) = modifier.direction() {
            if !text.contains(':') {
                return Err("a canonical URL");
            }
            let (wanted, own_base) = (text.to_owned(), own_base.to_owned());
            return Ok(Self::Canonical { how, wanted, own_base });
        }
        if let Ok(id) = ResourceId::from_str(text) {
            return Ok(if let Modifier::Type(resource_type) = modifier {
                Self::Local { resource_type, id, version: None }
            } else {
                Self::Id(id)
            });
        }
        match reference::read(Cow::Borrowed(text), own_base) {
            Some(Target::Local { resource_type, id, version }) => {
                if matches!(modifier, Modifier::Type(wanted) if wanted != resource_type) {
                    return Err("a reference to the type that the modifier names");
                }
                let version = version.map(Cow::into_owned);
                Ok(Self::Local { resource_type, id, version })
            }
            Some(Target::Url { url, version }) if url.contains(':') => {
                if matches!(modifier, Modifier::Type(_)) {
                    return Err("an id or `Type/id`");
                }
                Ok(Self::Url { url: url.into_owned(), version: version.map(Cow::into_owned) })
            }
            _ => Err(EXPECTED),
        }
    }

    fn accepts(&self, param: &Param, found: &Reference<'_>) -> bool {
        match (self, &found.target) {
            (Self::Id(wanted), Some(Target::Local { resource_type, id, .. })) => {
                wanted == id && param.may_target(*resource_type)
            }
            (
                Self::Local { resource_type, id, version },
                Some(Target::Local { resource_type: found_type, id: found_id, version: stored }),
            ) => {
                resource_type == found_type
                    && id == found_id
                    && (version.is_none() || version.as_deref() == stored.as_deref())
            }
            (
                Self::Url { url, version },
                Some(Target::Url { url: found_url, version: found_version }),
            ) => {
                url.as_str() == found_url.as_ref()
                    && (version.is_none() || version.as_deref() == found_version.as_deref())
            }
            (Self::Canonical { how, wanted, .. }, Some(Target::Url { url, version })) => {
                canonical::accepts(*how, named(wanted), (url, version.as_deref()))
            }
            // A canonical URL may be that of a resource of this server.
            (
                Self::Canonical { how, wanted, own_base },
                Some(Target::Local { resource_type, id, version: None }),
            ) => {
                let url = alloc::format!("{own_base}/{resource_type}/{id}");
                canonical::accepts(*how, named(wanted), (&url, None))
            }
            _ => false,
        }
    }
}

impl NumberTest {
    fn parse(text: &str) -> Option<Self> {
        let (prefix, number) = Prefix::split(text);
        let (value, low, high) = Decimal::parse_with_precision(number)?;
        Some(Self { prefix, value, low, high })
    }

    /// FHIR R4 search.html#number: precision counts for `eq` and `ne` only; for the other
    /// prefixes the number is exact. What a resource holds is always exact.
    fn accepts(&self, found: &DecimalRange) -> bool {
        let above = |low: Option<Decimal>, limit| low.is_some_and(|low| low > limit);
        let below = |high: Option<Decimal>, limit| high.is_some_and(|high| high < limit);
        let equal = found.low.is_some_and(|low| low >= self.low)
            && found.high.is_some_and(|high| high < self.high);
        match self.prefix {
            Prefix::Eq => equal,
            Prefix::Ne => !equal,
            Prefix::Gt => found.high.is_none_or(|high| high > self.value),
            Prefix::Lt => found.low.is_none_or(|low| low < self.value),
            Prefix::Ge => found.high.is_none_or(|high| high >= self.value),
            Prefix::Le => found.low.is_none_or(|low| low <= self.value),
            Prefix::Sa => above(found.low, self.value),
            Prefix::Eb => below(found.high, self.value),
            Prefix::Ap => {
                let near = self.value.within_tenth();
                !near.high.is_some_and(|limit| above(found.low, limit))
                    && !near.low.is_some_and(|limit| below(found.high, limit))
            }
        }
    }
}

/// FHIR R4 search.html#date and #prefix: both sides are ranges.
pub(super) fn compare_dates(prefix: Prefix, wanted: &Interval, found: &Interval) -> bool {
    match prefix {
        Prefix::Eq => wanted.contains(found),
        Prefix::Ne => !wanted.contains(found),
        Prefix::Gt => found.high > wanted.high,
        Prefix::Lt => found.low < wanted.low,
        Prefix::Ge => found.high > wanted.high || wanted.contains(found),
        Prefix::Le => found.low < wanted.low || wanted.contains(found),
        Prefix::Sa => found.low >= wanted.high,
        Prefix::Eb => found.high <= wanted.low,
        Prefix::Ap => wanted.overlaps(found),
    }
}

fn text_accepts(how: TextMatch, wanted: &str, found: &str) -> bool {
    match how {
        TextMatch::Exact => found == wanted,
        TextMatch::Starts => fold(found).starts_with(wanted),
        TextMatch::Ends => fold(found).ends_with(wanted),
        TextMatch::Equals => fold(found) == wanted,
        TextMatch::Contains => fold(found).contains(wanted),
        // Every word asked for sounds like some word that is there.
        TextMatch::Sounds => {
            let codes: Vec<String> = found.split_whitespace().filter_map(soundex).collect();
            wanted.split(' ').all(|code| codes.iter().any(|found| found == code))
        }
    }
}

/// FHIR R4 search.html#quantity: with a system the coded unit counts, without one the coded unit
/// or the one that people read.
fn unit_accepts(system: Option<&str>, code: Option<&str>, found: &Quantity<'_>) -> bool {
    match (system, code) {
        (None, None) => true,
        (Some(system), None) => found.system.as_deref() == Some(system),
        (Some(system), Some(code)) => {
            found.system.as_deref() == Some(system) && found.code.as_deref() == Some(code)
        }
        (None, Some(code)) => {
            found.code.as_deref() == Some(code) || found.unit.as_deref() == Some(code)
        }
    }
}
