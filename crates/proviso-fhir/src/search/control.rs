//! Parameters that lay out the answer: paging, sorting, includes, totals, summaries.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use super::COUNT_MAX;
use super::error::SearchError;
use super::include::Include;
use super::sort::SortKey;

/// FHIR R4 search.html#total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Total {
    /// Nothing was asked for.
    #[default]
    Unspecified,
    /// No total.
    None,
    /// An estimate will do.
    Estimate,
    /// The exact number.
    Accurate,
}

/// FHIR R4 search.html#summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Summary {
    /// Whole resources.
    #[default]
    False,
    /// Elements that R4 marks as summary.
    True,
    /// Narrative, id, meta and mandatory elements.
    Text,
    /// Everything but the narrative.
    Data,
    /// Only the total.
    Count,
}

/// How the answer is laid out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Controls {
    /// Entries on a page, already cut down to the limit; `Some(0)` asks for the total only.
    pub count: Option<u32>,
    /// In which order; ids break ties.
    pub sort: Vec<SortKey>,
    /// What to add that matches lead to.
    pub includes: Vec<Include>,
    /// What to add that leads to matches.
    pub revincludes: Vec<Include>,
    /// Whether a total is wanted.
    pub total: Total,
    /// Which part of each resource.
    pub summary: Summary,
    /// Which elements of each match; empty for all.
    pub elements: Vec<String>,
}

impl Controls {
    /// Takes a parameter that is a control; tells whether it was one.
    pub(super) fn take(
        &mut self,
        types: &[ResourceType],
        name: &str,
        value: &str,
    ) -> Result<bool, SearchError> {
        let parameter = || name.to_owned();
        let bad = |expected| SearchError::BadValue { parameter: parameter(), expected };
        let once = |fresh: bool| {
            if fresh { Ok(()) } else { Err(SearchError::Repeated { parameter: parameter() }) }
        };
        match name {
            "_count" => {
                once(self.count.is_none())?;
                let digits = value.bytes().all(|b| b.is_ascii_digit());
                if !digits || value.is_empty() || value.len() > 18 {
                    return Err(bad("a whole number"));
                }
                let asked: u64 = value.parse().map_err(|_| bad("a whole number"))?;
                self.count = Some(u32::try_from(asked).unwrap_or(COUNT_MAX).min(COUNT_MAX));
            }
            "_sort" => {
                once(self.sort.is_empty())?;
                self.sort = value
                    .split(',')
                    .map(|key| SortKey::parse(types, key))
                    .collect::<Result<_, _>>()?;
            }
            "_total" => {
                once(self.total == Total::Unspecified)?;
                self.total = match value {
                    "none" => Total::None,
                    "estimate" => Total::Estimate,
                    "accurate" => Total::Accurate,
                    _ => return Err(bad("`none`, `estimate` or `accurate`")),
                };
            }
            "_summary" => {
                once(self.summary == Summary::False)?;
                self.summary = match value {
                    "true" => Summary::True,
                    "text" => Summary::Text,
                    "data" => Summary::Data,
                    "count" => Summary::Count,
                    "false" => Summary::False,
                    _ => return Err(bad("`true`, `text`, `data`, `count` or `false`")),
                };
            }
            "_elements" => {
                let mut names = value.split(',').map(str::trim);
                if !names
                    .all(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
                {
                    return Err(bad("a list of element names"));
                }
                self.elements.extend(value.split(',').map(|name| name.trim().to_owned()));
            }
            // How the answer is written down is negotiated before the search.
            "_format" | "_pretty" => {}
            _ => return self.take_include(types, name, value),
        }
        Ok(true)
    }

    fn take_include(
        &mut self,
        types: &[ResourceType],
        name: &str,
        value: &str,
    ) -> Result<bool, SearchError> {
        let (base, suffix) = match name.split_once(':') {
            Some((base, suffix)) => (base, Some(suffix)),
            None => (name, None),
        };
        let list = match base {
            "_include" => &mut self.includes,
            "_revinclude" => &mut self.revincludes,
            _ => return Ok(false),
        };
        let iterate = match suffix {
            None => false,
            // `:recurse` was the name of `:iterate` before R4.
            Some("iterate" | "recurse") => true,
            Some(other) => {
                return Err(SearchError::UnknownModifier {
                    parameter: base.to_owned(),
                    modifier: other.to_owned(),
                });
            }
        };
        let reverse = base == "_revinclude";
        for part in value.split(',') {
            list.push(Include::parse(name, part, types, iterate, reverse)?);
        }
        Ok(true)
    }

    /// Checks what only the whole set of controls can tell.
    pub(super) fn check(&self) -> Result<(), SearchError> {
        let includes = !self.includes.is_empty() || !self.revincludes.is_empty();
        // FHIR R4 search.html#summary: `text` does not go with includes; two ways of choosing
        // elements at once have no defined meaning.
        if includes && self.summary == Summary::Text {
            return Err(SearchError::Unsupported { parameter: "_summary=text".to_owned() });
        }
        if !self.elements.is_empty() && self.summary != Summary::False {
            return Err(SearchError::Unsupported { parameter: "_elements".to_owned() });
        }
        super::include::check_depth(&self.includes, "_include")?;
        super::include::check_depth(&self.revincludes, "_revinclude")
    }

    pub(super) fn collect_reads(&self, reads: &mut BTreeSet<(ResourceType, String)>) {
        for key in &self.sort {
            reads.extend(key.params().map(|(t, code)| (t, code.to_owned())));
        }
        for include in self.includes.iter().chain(&self.revincludes) {
            reads.extend(include.reads());
        }
    }
}
