//! `Patient/[id]/$everything` as a search of the patient's compartment.
//!
//! Source: FHIR R4 patient-operation-everything.html.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use super::error::SearchError;
use super::form::pairs;
use super::interval::Interval;
use super::predicate::{Prefix, compare_dates};
use super::query::{Context, Query, SearchScope};
use crate::facts::care_period;
use crate::json::Node;

/// What the operation leaves out, of what it finds and of what that leads to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Within {
    /// Only these types, where any are named.
    types: Option<Vec<ResourceType>>,
    /// Only what was written in this interval or later.
    since: Option<Interval>,
    /// Care that was not over before this instant.
    from: Option<At>,
    /// Care that began before this instant.
    until: Option<At>,
}

impl Within {
    fn admits(&self, resource: Node<'_>) -> bool {
        let wanted = |kind| self.types.as_ref().is_none_or(|types| types.contains(&kind));
        resource.resource_type().is_some_and(wanted)
            && self.since.is_none_or(|since| is_since(resource, &since))
            && self.is_in_range(resource)
    }

    /// What has no date of care belongs to no range and so to each: the patient, allergies whose
    /// onset nobody knows, devices, directory entries.
    fn is_in_range(&self, resource: Node<'_>) -> bool {
        if self.from.is_none() && self.until.is_none() {
            return true;
        }
        let Some(care) = care_period(resource) else { return true };
        let began = care.start.zip(self.until).is_none_or(|(start, until)| start < until);
        let lasted = care.end.zip(self.from).is_none_or(|(end, from)| end > from);
        began && lasted
    }

    /// The range has a day in it.
    pub(super) fn check(&self) -> Result<(), SearchError> {
        if self.from.zip(self.until).is_some_and(|(from, until)| from >= until) {
            let expected = "a date that is not before `start`";
            return Err(SearchError::BadValue { parameter: "end".to_owned(), expected });
        }
        Ok(())
    }

    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<(), SearchError> {
        let parameter = || name.to_owned();
        let bad = |expected| SearchError::BadValue { parameter: parameter(), expected };
        let once = |fresh: bool| {
            if fresh { Ok(()) } else { Err(SearchError::Repeated { parameter: parameter() }) }
        };
        match name {
            "_since" => {
                once(self.since.is_none())?;
                // An unescaped `+` of a time zone arrives as a space.
                let text = value.replace(' ', "+");
                self.since = Some(Interval::parse(&text).ok_or_else(|| bad("an instant"))?);
            }
            "start" => {
                once(self.from.is_none())?;
                let day = day(value).ok_or_else(|| bad("a date"))?;
                self.from = Some(At::from_micros(day.low));
            }
            "end" => {
                once(self.until.is_none())?;
                let day = day(value).ok_or_else(|| bad("a date"))?;
                self.until = Some(At::from_micros(day.high));
            }
            "_type" => {
                let types = self.types.get_or_insert_default();
                for name in value.split(',') {
                    let kind = ResourceType::from_str(name);
                    types.push(kind.map_err(|_| bad("a list of resource types"))?);
                }
            }
            _ => return Err(SearchError::Unsupported { parameter: parameter() }),
        }
        Ok(())
    }
}

/// A FHIR `date`: a year, a month or a day.
fn day(text: &str) -> Option<Interval> {
    Interval::parse(text).filter(|_| !text.contains('T'))
}

fn is_since(resource: Node<'_>, since: &Interval) -> bool {
    let written = resource.string_at(&["meta", "lastUpdated"]);
    let written = written.and_then(|text| Interval::parse(&text));
    written.is_some_and(|written| compare_dates(Prefix::Ge, since, &written))
}

impl Query {
    /// The search that answers `$everything`: the compartment, and one step beyond it to whom and
    /// what it refers. Its pages are those of any search.
    ///
    /// `raw` holds the operation's own parameters. `start` and `end` go by when the thing recorded
    /// happened ([`care_period`]); both days are inside. `_type` may come several times.
    ///
    /// # Errors
    /// A parameter that is unknown, not supported or malformed, by name.
    pub fn everything(
        context: &Context<'_>,
        patient: &ResourceId,
        raw: &str,
    ) -> Result<Self, SearchError> {
        let scope = SearchScope::Compartment {
            owner_type: ResourceType::PATIENT,
            owner: patient.clone(),
            resource_type: None,
        };
        let mut within = Within::default();
        let mut asked: Vec<(String, String)> = Vec::from([("_include".into(), "*".into())]);
        for (name, value) in pairs(raw).ok_or(SearchError::Encoding)? {
            match name.as_str() {
                "_count" | "_format" | "_pretty" => asked.push((name, value)),
                "_since" => {
                    within.take(&name, &value)?;
                    // The same again, in the form by which a store narrows its candidates.
                    asked.push(("_lastUpdated".to_owned(), format!("ge{value}")));
                }
                _ => within.take(&name, &value)?,
            }
        }
        within.check()?;
        if let Some(types) = &within.types {
            let names: Vec<&str> = types.iter().map(|kind| kind.as_str()).collect();
            asked.push(("_type".to_owned(), names.join(",")));
        }
        let mut query = Self::of_pairs(context, scope, &asked)?;
        query.within = Some(within);
        Ok(query)
    }

    /// Whether a resource that was included may be part of the answer.
    pub fn admits(&self, resource: Node<'_>) -> bool {
        self.within.as_ref().is_none_or(|within| within.admits(resource))
    }
}
