//! What a query has to look up in other resources before it can be matched: the codes of a value
//! set, the hierarchy of a code system, the places that are part of a place.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use super::codes::{CodeSet, Direction, ValueSetName};
use super::error::SearchError;
use super::form::{split_unescaped, unescape};
use super::param::{Param, ParamType};
use super::predicate::Modifier;
use super::query::{ResourceKey, local_key};
use super::reference::{self, Target};
use super::value::SearchValue;

/// A question that the caller answers over the view of the query, from stored resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The parameter as asked.
    pub name: String,
    /// What is looked up.
    pub kind: LookupKind,
}

/// What is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupKind {
    /// `:in` and `:not-in`: the codes of a value set.
    ValueSet(ValueSetName),
    /// `:above` and `:below` of a token: a code with what is over or under it.
    Concept {
        /// The code system.
        system: String,
        /// The code to start from.
        code: String,
        /// Which way.
        direction: Direction,
    },
    /// `:above` and `:below` of a reference: a resource with those it is a part of, or those that
    /// are parts of it, by [`part_of`].
    PartOf {
        /// The resource to start from.
        start: ResourceKey,
        /// Which way.
        direction: Direction,
    },
}

/// The answer to one lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Of a value set or a concept.
    Codes(CodeSet),
    /// Of a hierarchy of resources.
    Resources(BTreeSet<ResourceKey>),
}

/// Types whose resources are parts of others of the same type, and the reference parameter that
/// says of which.
const PART_OF: [(ResourceType, &str); 9] = [
    (ResourceType::CARE_PLAN, "part-of"),
    (ResourceType::COMMUNICATION, "part-of"),
    (ResourceType::ENCOUNTER, "part-of"),
    (ResourceType::LOCATION, "partof"),
    (ResourceType::MEDICATION_STATEMENT, "part-of"),
    (ResourceType::ORGANIZATION, "partof"),
    (ResourceType::PROCEDURE, "part-of"),
    (ResourceType::RESEARCH_STUDY, "partof"),
    (ResourceType::TASK, "part-of"),
];

/// The reference parameter that makes a hierarchy of resources of this type.
pub fn part_of(resource_type: ResourceType) -> Option<&'static str> {
    PART_OF.iter().find(|(kind, _)| *kind == resource_type).map(|(_, code)| *code)
}

impl Lookup {
    /// Why a query cannot be answered whose lookup has no answer in the view: whether it is
    /// unknown, hidden or cannot be worked out is not told.
    pub fn refusal(&self) -> SearchError {
        let expected = match self.kind {
            LookupKind::ValueSet(_) => "a value set that can be expanded here",
            LookupKind::Concept { .. } => "a code of a code system whose hierarchy is known here",
            LookupKind::PartOf { .. } => "a resource whose hierarchy is known here",
        };
        SearchError::BadValue { parameter: self.name.clone(), expected }
    }

    pub(super) fn reads(&self) -> Vec<(ResourceType, &'static str)> {
        match &self.kind {
            LookupKind::ValueSet(_) => {
                Vec::from([(ResourceType::VALUE_SET, "_id"), (ResourceType::VALUE_SET, "url")])
            }
            LookupKind::Concept { .. } => Vec::from([(ResourceType::CODE_SYSTEM, "url")]),
            LookupKind::PartOf { start, .. } => {
                part_of(start.0).map(|code| (start.0, code)).into_iter().collect()
            }
        }
    }
}

impl LookupKind {
    /// Whether the modifier needs lookups at all.
    pub(super) fn is_asked(param: &Param, modifier: Modifier) -> bool {
        match modifier {
            Modifier::In | Modifier::NotIn => true,
            Modifier::Above | Modifier::Below => {
                param.kind != ParamType::Uri && !param.is_canonical
            }
            Modifier::Plain
            | Modifier::Exact
            | Modifier::Contains
            | Modifier::Text
            | Modifier::OfType
            | Modifier::Identifier
            | Modifier::Type(_) => false,
        }
    }

    /// Reads one alternative, escapes still in it: usually one lookup, several where an id may be
    /// of several types.
    ///
    /// # Errors
    /// What the value should have been.
    pub(super) fn parse(
        param: &Param,
        modifier: Modifier,
        text: &str,
        own_base: &str,
    ) -> Result<Vec<Self>, &'static str> {
        let direction =
            if modifier == Modifier::Above { Direction::Above } else { Direction::Below };
        if matches!(modifier, Modifier::In | Modifier::NotIn) {
            return unescape(text)
                .and_then(|name| ValueSetName::parse(&name, own_base))
                .map(|name| Vec::from([Self::ValueSet(name)]))
                .ok_or("the URL of a value set or `ValueSet/id`");
        }
        if param.kind == ParamType::Token {
            return concept(text, direction)
                .map(|concept| Vec::from([concept]))
                .ok_or("`system|code`");
        }
        let starts = unescape(text).and_then(|text| starts(param, &text, own_base));
        let part_of = |start| Self::PartOf { start, direction };
        starts
            .map(|starts| starts.into_iter().map(part_of).collect())
            .ok_or("the id or `Type/id` of a resource that can be part of another")
    }
}

fn concept(text: &str, direction: Direction) -> Option<LookupKind> {
    let parts = split_unescaped(text, '|');
    let [system, code] = parts.as_slice() else { return None };
    let (system, code) = (unescape(system)?, unescape(code)?);
    if system.is_empty() || code.is_empty() {
        return None;
    }
    Some(LookupKind::Concept { system, code, direction })
}

/// The types of a reference parameter that have a hierarchy.
pub(super) fn hierarchical(param: &Param) -> impl Iterator<Item = ResourceType> {
    PART_OF.into_iter().map(|(kind, _)| kind).filter(|kind| param.may_target(*kind))
}

fn starts(param: &Param, text: &str, own_base: &str) -> Option<Vec<ResourceKey>> {
    if let Ok(id) = ResourceId::from_str(text) {
        return Some(hierarchical(param).map(|kind| (kind, id.clone())).collect());
    }
    match reference::read(text.into(), own_base)? {
        Target::Local { resource_type, id, version: None }
            if hierarchical(param).any(|kind| kind == resource_type) =>
        {
            Some(Vec::from([(resource_type, id)]))
        }
        Target::Local { .. } | Target::Url { .. } | Target::Contained(_) => None,
    }
}

impl Found {
    /// Whether a value of a resource is among what was found.
    pub(super) fn has(&self, value: &SearchValue<'_>) -> bool {
        match (self, value) {
            (Self::Codes(set), SearchValue::Token(token)) => {
                let system = token.system.as_deref().or(token.implied_system);
                system
                    .zip(token.code.as_deref())
                    .is_some_and(|(system, code)| set.contains(system, code))
            }
            (Self::Resources(set), value) => local_key(value).is_some_and(|key| set.contains(&key)),
            (Self::Codes(_), _) => false,
        }
    }
}
