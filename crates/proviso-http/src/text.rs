//! Every word that people read, from one catalogue per language.
//!
//! A key that is missing in any language fails a test, so that no page can lose a sentence. At run
//! time a missing key shows as the key itself: a visible fault, never silence on a consent page.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::consent::DurationChoice;
use proviso_core::time::At;

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Spanish,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// The BCP 47 tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language's name in that language.
    pub(crate) const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::English => include_str!("../locales/en.ftl"),
            Self::Spanish => include_str!("../locales/es.ftl"),
        }
    }

    /// Reads a BCP 47 tag by its primary subtag (RFC 4647 §3.4, lookup).
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or(tag);
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }

    /// Picks from an `Accept-Language` value (RFC 9110 §12.5.4): highest quality first.
    pub(crate) fn negotiate(accept: &str) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for part in accept.split(',').take(32) {
            let mut fields = part.split(';');
            let Some(language) = fields.next().map(str::trim).and_then(Self::from_tag) else {
                continue;
            };
            let quality = fields
                .find_map(|field| field.trim().strip_prefix("q="))
                .map_or(Some(1000), thousandths)
                .unwrap_or(0);
            if quality > 0 && best.is_none_or(|(seen, _)| quality > seen) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    pub(crate) const fn texts(self) -> Texts {
        Texts { language: self }
    }
}

/// Reads a `qvalue`, such as `0.8`, as thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(whole.parse::<u32>().ok()?.min(1) * 1000 + digits.parse::<u32>().ok()?)
        .map(|q| q.min(1000))
}

static BUNDLES: LazyLock<Vec<FluentBundle<FluentResource>>> = LazyLock::new(|| {
    Language::ALL
        .into_iter()
        .map(|language| {
            let id = language.tag().parse().unwrap_or_default();
            let mut bundle = FluentBundle::new_concurrent(vec![id]);
            // Both languages run left to right; isolation marks would only end up in the consent
            // text whose hash is kept.
            bundle.set_use_isolating(false);
            let resource = match FluentResource::try_new(language.source().to_owned()) {
                Ok(resource) => resource,
                Err((resource, errors)) => {
                    tracing::error!(?errors, language = language.tag(), "catalogue has errors");
                    resource
                }
            };
            if let Err(errors) = bundle.add_resource(resource) {
                tracing::error!(?errors, language = language.tag(), "catalogue repeats keys");
            }
            bundle
        })
        .collect()
});

/// The catalogue in one language; cheap to copy into every page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Texts {
    language: Language,
}

impl Texts {
    pub(crate) const fn language(self) -> Language {
        self.language
    }

    /// The text of a key, `message` or `message.attribute`.
    pub(crate) fn say(self, key: &str) -> String {
        self.format(key, None)
    }

    /// The text of a key with named texts filled in.
    pub(crate) fn with(self, key: &str, values: &[(&'static str, &str)]) -> String {
        let mut args = FluentArgs::with_capacity(values.len());
        for (name, value) in values {
            args.set(*name, FluentValue::from(*value));
        }
        self.format(key, Some(&args))
    }

    /// The text of a key that counts something: the number is `$count`.
    pub(crate) fn count(self, key: &str, count: u64, values: &[(&'static str, &str)]) -> String {
        let mut args = FluentArgs::with_capacity(values.len() + 1);
        args.set("count", FluentValue::from(count));
        for (name, value) in values {
            args.set(*name, FluentValue::from(*value));
        }
        self.format(key, Some(&args))
    }

    fn format(self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        self.find(key, args).unwrap_or_else(|| {
            tracing::error!(key, language = self.language.tag(), "text is missing");
            key.to_owned()
        })
    }

    fn find(self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = BUNDLES.get(match self.language {
            Language::English => 0,
            Language::Spanish => 1,
        })?;
        let (message, attribute) = match key.split_once('.') {
            Some((message, attribute)) => (message, Some(attribute)),
            None => (key, None),
        };
        let message = bundle.get_message(message)?;
        let pattern = match attribute {
            Some(name) => message.get_attribute(name)?.value(),
            None => message.value()?,
        };
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, args, &mut errors).into_owned();
        if errors.is_empty() {
            Some(text)
        } else {
            tracing::error!(?errors, key, "text cannot be filled in");
            None
        }
    }

    pub(crate) fn category(self, category: Category) -> String {
        self.say(&format!("category-{}", category.code()))
    }

    pub(crate) fn sensitive(self, kind: SensitiveKind) -> String {
        self.say(&format!("sensitive-{}", kind.code()))
    }

    pub(crate) fn purpose(self, purpose: PurposeOfUse) -> String {
        self.say(&format!("purpose-{}", purpose.code().to_ascii_lowercase()))
    }

    pub(crate) fn duration(self, duration: DurationChoice) -> String {
        self.say(&format!("duration-{}", duration_code(duration)))
    }

    /// The month and year of an instant.
    pub(crate) fn month(self, at: At) -> String {
        let Some(stamp) = civil(at) else { return at.to_rfc3339() };
        let month = self.say(&format!("month-{}", stamp.month()));
        self.with("date-month", &[("month", &month), ("year", &stamp.year().to_string())])
    }

    /// A day in words, such as `22 November 2026`; UTC, like every date on the pages.
    pub(crate) fn day(self, at: At) -> String {
        let Some(stamp) = civil(at) else { return at.to_rfc3339() };
        let month = self.say(&format!("month-{}", stamp.month()));
        self.with(
            "date-day",
            &[
                ("day", &stamp.day().to_string()),
                ("month", &month),
                ("year", &stamp.year().to_string()),
            ],
        )
    }

    /// A time of day, such as `14:02 UTC`.
    pub(crate) fn time_of_day(self, at: At) -> String {
        let Some(stamp) = civil(at) else { return at.to_rfc3339() };
        let time = format!("{:02}:{:02}", stamp.hour(), stamp.minute());
        self.with("date-time-of-day", &[("time", &time)])
    }

    /// A day and a time of day.
    pub(crate) fn moment(self, at: At) -> String {
        let day = self.day(at);
        let time = self.time_of_day(at);
        self.with("date-moment", &[("day", &day), ("time", &time)])
    }

    /// Joins names as prose does: `a, b and c`.
    pub(crate) fn list(self, names: &[String]) -> String {
        match names {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => {
                self.with("list-and", &[("first", &first.join(", ")), ("last", last)])
            }
        }
    }
}

/// The code of a duration in the consent form (design §11).
pub(crate) const fn duration_code(duration: DurationChoice) -> &'static str {
    match duration {
        DurationChoice::Once => "once",
        DurationChoice::ThirtyDays => "30-days",
        DurationChoice::OneYear => "1-year",
        DurationChoice::UntilStopped => "until-stopped",
    }
}

pub(crate) const DURATIONS: [DurationChoice; 4] = [
    DurationChoice::Once,
    DurationChoice::ThirtyDays,
    DurationChoice::OneYear,
    DurationChoice::UntilStopped,
];

fn civil(at: At) -> Option<jiff::civil::DateTime> {
    let stamp = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(stamp))
}

#[cfg(test)]
mod tests;
