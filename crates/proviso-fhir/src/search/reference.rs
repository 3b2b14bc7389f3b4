//! References: where they lead, whatever way they are written.

use alloc::borrow::Cow;
use alloc::string::String;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use super::form::{pairs, split_unescaped, unescape};
use crate::json::{Kind, Node};

/// Where a literal reference leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target<'a> {
    /// A resource of this server.
    Local {
        /// Its type.
        resource_type: ResourceType,
        /// Its id.
        id: ResourceId,
        /// One version of it, where the reference names one.
        version: Option<Cow<'a, str>>,
    },
    /// Anything else that has an address: other servers, URNs, canonical URLs.
    Url {
        /// The address without a canonical version.
        url: Cow<'a, str>,
        /// The part after `|`, if any.
        version: Option<Cow<'a, str>>,
    },
    /// A resource contained in the same resource, by its local id.
    Contained(Cow<'a, str>),
}

/// Reads a reference text: relative, absolute (with our own base stripped), versioned, a
/// fragment, a URN or a canonical URL.
pub fn read<'a>(text: Cow<'a, str>, own_base: &str) -> Option<Target<'a>> {
    if text.is_empty() {
        return None;
    }
    if let Some(fragment) = text.strip_prefix('#') {
        return Some(Target::Contained(Cow::Owned(fragment.into())));
    }
    let relative = text.strip_prefix(own_base).filter(|_| !own_base.is_empty());
    let local = match relative.and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => local(rest),
        None => local(&text),
    };
    if let Some((resource_type, id, version)) = local {
        let version = version.map(|version| Cow::Owned(version.into()));
        return Some(Target::Local { resource_type, id, version });
    }
    match text.split_once('|') {
        Some((url, version)) => Some(Target::Url {
            url: Cow::Owned(url.into()),
            version: Some(Cow::Owned(version.into())),
        }),
        None => Some(Target::Url { url: text, version: None }),
    }
}

/// Reads `Type/id` or `Type/id/_history/version`.
pub fn local(text: &str) -> Option<(ResourceType, ResourceId, Option<&str>)> {
    let mut parts = text.split('/');
    let resource_type = ResourceType::from_str(parts.next()?).ok()?;
    let id = ResourceId::from_str(parts.next()?).ok()?;
    let version = match parts.next() {
        None => None,
        Some("_history") => Some(parts.next().filter(|version| !version.is_empty())?),
        Some(_) => return None,
    };
    if parts.next().is_some() { None } else { Some((resource_type, id, version)) }
}

/// The literal text of a reference: of a `Reference`, or of a `canonical` or `uri`.
pub(super) fn text_of(node: Node<'_>) -> Option<Cow<'_, str>> {
    match node.kind() {
        Kind::String => node.as_str(),
        Kind::Object => node.get("reference").and_then(Node::as_str),
        Kind::Array | Kind::Number | Kind::Bool | Kind::Null => None,
    }
}

/// The type a reference leads to, as far as the resource itself says: what `resolve() is` asks.
pub(super) fn target_type(node: Node<'_>, resource: Node<'_>) -> Option<ResourceType> {
    if let Some(text) = text_of(node) {
        if let Some(fragment) = text.strip_prefix('#') {
            return resource
                .get("contained")
                .into_iter()
                .flat_map(Node::items_or_self)
                .find(|item| item.string_at(&["id"]).is_some_and(|id| id == fragment))
                .and_then(Node::resource_type);
        }
        if let Some(found) = type_in(&text) {
            return Some(found);
        }
    }
    node.get("type").and_then(Node::as_str).and_then(|name| ResourceType::from_str(&name).ok())
}

/// The system and value in a conditional reference by identifier,
/// `Practitioner?identifier=system|value`.
pub(crate) fn by_identifier(text: &str) -> Option<(Option<String>, String)> {
    let (name, criteria) = text.split_once('?')?;
    ResourceType::from_str(name).ok()?;
    let [(parameter, token)] = <[_; 1]>::try_from(pairs(criteria)?).ok()?;
    if parameter != "identifier" {
        return None;
    }
    match split_unescaped(&token, '|').as_slice() {
        [value] => Some((None, unescape(value)?)),
        [system, value] => Some((Some(unescape(system)?), unescape(value)?)),
        _ => None,
    }
}

/// The type in a relative or absolute RESTful address, or in a conditional reference.
fn type_in(text: &str) -> Option<ResourceType> {
    if let Some((resource_type, ..)) = local(text) {
        return Some(resource_type);
    }
    if let Some((name, _)) = text.split_once('?') {
        return ResourceType::from_str(name).ok();
    }
    let path = text.split_once("://").map(|(_, path)| path)?;
    let path = path.split_once("/_history/").map_or(path, |(path, _)| path);
    let mut parts = path.rsplit('/');
    ResourceId::from_str(parts.next()?).ok()?;
    ResourceType::from_str(parts.next()?).ok()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn shown(text: &str) -> String {
        match read(Cow::Borrowed(text), "https://fhir.example/r4") {
            Some(Target::Local { resource_type, id, version }) => {
                alloc::format!("{resource_type} {id} {}", version.unwrap_or_default())
            }
            Some(Target::Url { url, version }) => {
                alloc::format!("url {url} {}", version.unwrap_or_default())
            }
            Some(Target::Contained(id)) => alloc::format!("contained {id}"),
            None => "nothing".to_string(),
        }
    }

    #[test]
    fn every_way_of_writing_is_read() {
        for (text, expected) in [
            ("Patient/1", "Patient 1 "),
            ("Patient/1/_history/2", "Patient 1 2"),
            ("https://fhir.example/r4/Patient/1", "Patient 1 "),
            ("https://fhir.example/r4x/Patient/1", "url https://fhir.example/r4x/Patient/1 "),
            ("https://other.example/Patient/1", "url https://other.example/Patient/1 "),
            ("http://x/PlanDefinition/p|2.0", "url http://x/PlanDefinition/p 2.0"),
            ("urn:uuid:1", "url urn:uuid:1 "),
            ("#c", "contained c"),
            ("Patient/1/name", "url Patient/1/name "),
            ("", "nothing"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
