//! `_include` and `_revinclude`: edges of the resource graph.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::resource_type::ResourceType;

use super::DEPTH_MAX;
use super::error::SearchError;
use super::param::{Param, ParamType};
use super::query::{ResourceKey, local_key};
use super::value::values;
use crate::json::Node;

/// One directive: follow these reference parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    /// The reference parameters to follow, each for the type it starts from.
    pub links: Vec<(ResourceType, Param)>,
    /// Only to this type.
    pub target: Option<ResourceType>,
    /// Whether it applies to what was included as well.
    pub iterate: bool,
    /// Whether it follows whatever there is, as against one parameter by name.
    pub(super) wildcard: bool,
}

impl Include {
    /// Reads `Type:parameter`, `Type:parameter:Target`, `Type:*`, `*:*` or `*`.
    pub(super) fn parse(
        name: &str,
        text: &str,
        types: &[ResourceType],
        iterate: bool,
        reverse: bool,
    ) -> Result<Self, SearchError> {
        let bad = || SearchError::BadValue {
            parameter: name.to_owned(),
            expected: "`Type:parameter`, `Type:parameter:Target` or a wildcard",
        };
        let mut parts = text.split(':');
        let source = parts.next().unwrap_or("");
        let code = parts.next();
        let target = match parts.next() {
            Some(target) => Some(ResourceType::from_str(target).map_err(|_| bad())?),
            None => None,
        };
        if parts.next().is_some() {
            return Err(bad());
        }
        let sources: Vec<ResourceType> = match (source, reverse || iterate) {
            ("*", true) => ResourceType::all().collect(),
            ("*", false) => types.to_vec(),
            (source, _) => Vec::from([ResourceType::from_str(source).map_err(|_| bad())?]),
        };
        let links = match code {
            Some("*") => every_link(&sources, types, reverse),
            None if source == "*" => every_link(&sources, types, reverse),
            None => return Err(bad()),
            Some(code) => {
                let unknown = || SearchError::UnknownParameter { parameter: text.to_owned() };
                let mut links = Vec::new();
                for source in sources {
                    let param = Param::find(source, code).ok_or_else(unknown)?;
                    if param.kind != ParamType::Reference
                        || target.is_some_and(|target| !param.may_target(target))
                    {
                        return Err(unknown());
                    }
                    links.push((source, param));
                }
                links
            }
        };
        let wildcard = code.is_none_or(|code| code == "*");
        Ok(Self { links, target, iterate, wildcard })
    }

    /// Whether it follows whatever there is.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The resources of this server that a resource leads to by this directive.
    pub fn edges(&self, resource: Node<'_>, own_base: &str) -> BTreeSet<ResourceKey> {
        let Some(resource_type) = resource.resource_type() else { return BTreeSet::new() };
        self.links
            .iter()
            .filter(|(source, _)| *source == resource_type)
            .flat_map(|(_, param)| values(param, resource, own_base))
            .filter_map(|value| local_key(&value))
            .filter(|(found, _)| self.target.is_none_or(|target| target == *found))
            .collect()
    }

    /// What it reads, by type and parameter.
    pub(super) fn reads(&self) -> impl Iterator<Item = (ResourceType, String)> {
        self.links.iter().map(|(source, param)| (*source, param.code.to_owned()))
    }

    fn may_follow(&self, earlier: &Self) -> bool {
        self.iterate
            && self.links.iter().any(|(source, _)| {
                earlier.target.is_none_or(|target| target == *source)
                    && earlier.links.iter().any(|(_, param)| param.may_target(*source))
            })
    }
}

fn every_link(
    sources: &[ResourceType],
    found: &[ResourceType],
    reverse: bool,
) -> Vec<(ResourceType, Param)> {
    let mut links = Vec::new();
    for source in sources {
        for param in Param::all(*source) {
            let leads_back = !reverse || found.iter().any(|own| param.may_target(*own));
            if param.kind == ParamType::Reference && leads_back {
                links.push((*source, param));
            }
        }
    }
    links
}

/// Refuses directives that build on each other in more than [`DEPTH_MAX`] steps. One that may
/// follow itself is bounded when it is carried out.
pub(super) fn check_depth(directives: &[Include], name: &str) -> Result<(), SearchError> {
    // The longest line of different directives, each of which can start where the one before
    // ends. LIMIT: lines longer than the limit are not followed further.
    fn longest(directives: &[Include], line: &mut Vec<usize>) -> usize {
        let mut best = line.len();
        if best > DEPTH_MAX {
            return best;
        }
        for (at, next) in directives.iter().enumerate() {
            let follows = match line.last().and_then(|last| directives.get(*last)) {
                Some(last) => next.may_follow(last),
                None => true,
            };
            if follows && !line.contains(&at) {
                line.push(at);
                best = best.max(longest(directives, line));
                line.pop();
            }
        }
        best
    }
    if longest(directives, &mut Vec::new()) > DEPTH_MAX {
        return Err(SearchError::TooDeep { parameter: name.to_owned() });
    }
    Ok(())
}
