//! The order of the matches.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use super::decimal::Decimal;
use super::error::SearchError;
use super::param::{Param, ParamType};
use super::query::{Query, ResourceKey};
use super::reference::Target;
use super::text::fold;
use super::value::{SearchValue, values};
use crate::json::{Doc, Node, write};

/// One key of `_sort`.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// The parameter's name.
    pub code: String,
    /// Whether the greatest comes first.
    pub descending: bool,
    params: Vec<(ResourceType, Param)>,
}

/// What one key finds in one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// An instant, in microseconds.
    Instant(i64),
    /// A number.
    Number(Decimal),
    /// A text, folded first and as written second.
    Text(String, String),
}

/// Where a resource stands among the matches; smaller comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortRow {
    values: Vec<(Option<SortValue>, bool)>,
    key: ResourceKey,
}

impl SortKey {
    pub(super) fn parse(types: &[ResourceType], text: &str) -> Result<Self, SearchError> {
        let (descending, code) = text.strip_prefix('-').map_or((false, text), |code| (true, code));
        let unknown = || SearchError::UnknownParameter { parameter: format!("_sort={code}") };
        let mut params = Vec::new();
        for resource_type in types {
            let param = Param::find(*resource_type, code).ok_or_else(unknown)?;
            if matches!(param.kind, ParamType::Composite | ParamType::Special) {
                return Err(SearchError::Unsupported { parameter: format!("_sort={code}") });
            }
            params.push((*resource_type, param));
        }
        Ok(Self { code: code.to_owned(), descending, params })
    }

    pub(super) fn params(&self) -> impl Iterator<Item = (ResourceType, &str)> {
        self.params.iter().map(|(t, param)| (*t, param.code))
    }

    /// FHIR R4 search.html#sort: of several values the one that comes first in the asked order
    /// counts.
    fn value(&self, resource: Node<'_>, own_base: &str) -> Option<SortValue> {
        let resource_type = resource.resource_type()?;
        let (_, param) = self.params.iter().find(|(t, _)| *t == resource_type)?;
        let found = values(param, resource, own_base);
        let keys = found.iter().filter_map(sort_value);
        if self.descending { keys.max() } else { keys.min() }
    }
}

fn sort_value(value: &SearchValue<'_>) -> Option<SortValue> {
    let text = |text: &str| Some(SortValue::Text(fold(text), text.to_owned()));
    match value {
        SearchValue::Number(range) => range.low.or(range.high).map(SortValue::Number),
        SearchValue::Quantity(found) => found.range.low.or(found.range.high).map(SortValue::Number),
        SearchValue::Date(interval) => Some(SortValue::Instant(interval.low)),
        SearchValue::Text(found) | SearchValue::Uri(found) => text(found),
        SearchValue::Token(token) => match (&token.code, token.texts.first()) {
            (Some(code), _) => text(code),
            (None, Some(display)) => text(display),
            (None, None) => None,
        },
        SearchValue::Reference(reference) => match reference.target.as_ref()? {
            Target::Local { resource_type, id, .. } => text(&format!("{resource_type}/{id}")),
            Target::Url { url, .. } => text(url),
            Target::Contained(id) => text(&format!("#{id}")),
        },
        SearchValue::Composite(_) | SearchValue::Position(_) => None,
    }
}

impl Query {
    /// Where a resource stands among the matches: by the keys of `_sort`, then by type and id.
    /// Resources without a value come last, whatever the direction.
    pub fn sort_row(&self, resource: Node<'_>) -> Option<SortRow> {
        let id = resource.get("id").and_then(Node::as_str)?;
        let key = (resource.resource_type()?, ResourceId::from_str(&id).ok()?);
        let values = self
            .controls
            .sort
            .iter()
            .map(|sort| (sort.value(resource, &self.own_base), sort.descending))
            .collect();
        Some(SortRow { values, key })
    }
}

impl SortRow {
    /// The row as a text that [`Query::read_sort_row`] takes back: from where a page goes on when
    /// the resource that was there may have changed.
    pub fn to_text(&self) -> String {
        let bytes = write::object(|row| {
            row.array("k", |key| {
                key.string(self.key.0.as_str());
                key.string(self.key.1.as_str());
            });
            row.array("v", |values| {
                for (value, _) in &self.values {
                    values.object(|out| match value {
                        Some(SortValue::Instant(micros)) => out.string("i", &micros.to_string()),
                        Some(SortValue::Number(number)) => out.string("n", &number.to_text()),
                        Some(SortValue::Text(_, text)) => out.string("t", text),
                        None => {}
                    });
                }
            });
        });
        String::from_utf8(bytes).unwrap_or_default()
    }
}

impl Query {
    /// Reads the text of a row of this query; `None` when it is none.
    pub fn read_sort_row(&self, text: &str) -> Option<SortRow> {
        let doc = Doc::parse(text.as_bytes().to_vec()).ok()?;
        let mut key = doc.root().get("k")?.items_or_self().map(Node::as_str);
        let key = (
            ResourceType::from_str(&key.next()??).ok()?,
            ResourceId::from_str(&key.next()??).ok()?,
        );
        let found = doc.root().get("v").into_iter().flat_map(Node::items_or_self);
        let values: Vec<(Option<SortValue>, bool)> = found
            .zip(&self.controls.sort)
            .map(|(value, sort)| (read_value(value), sort.descending))
            .collect();
        (values.len() == self.controls.sort.len()).then_some(SortRow { values, key })
    }
}

fn read_value(value: Node<'_>) -> Option<SortValue> {
    let text = |name| value.get(name).and_then(Node::as_str);
    let instant = text("i").and_then(|text| text.parse().ok()).map(SortValue::Instant);
    let number = || text("n").and_then(|text| Decimal::parse(&text)).map(SortValue::Number);
    let words = || text("t").map(|text| SortValue::Text(fold(&text), text.into_owned()));
    instant.or_else(number).or_else(words)
}

impl Ord for SortRow {
    fn cmp(&self, other: &Self) -> Ordering {
        for ((own, descending), (theirs, _)) in self.values.iter().zip(&other.values) {
            let order = match (own, theirs) {
                (Some(own), Some(theirs)) if *descending => theirs.cmp(own),
                (Some(own), Some(theirs)) => own.cmp(theirs),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            if order.is_ne() {
                return order;
            }
        }
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for SortRow {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
