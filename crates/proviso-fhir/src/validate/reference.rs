//! The form of references (FHIR R4 references.html).

use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use super::FaultKind;
use crate::json::Node;
use crate::spec::Primitive;

/// What the text of a reference says about its target.
enum Form<'t> {
    /// A contained resource, or the container itself if empty.
    Local(&'t str),
    /// A resource of this type.
    Of(ResourceType),
    /// A URL or URN that does not say.
    Opaque,
}

/// Checks the literal part of a `Reference` against the types that its element allows (none: any).
pub(super) fn check(
    node: Node<'_>,
    container: Node<'_>,
    targets: &[ResourceType],
) -> Result<(), FaultKind> {
    let stated =
        node.get("type").and_then(Node::as_str).and_then(|name| ResourceType::from_str(&name).ok());
    let literal = match node.get("reference").and_then(Node::as_str) {
        Some(text) => match form(&text).ok_or(FaultKind::BadReference)? {
            Form::Local(local) => Some(contained(container, local)?),
            Form::Of(name) => Some(name),
            Form::Opaque => None,
        },
        None => None,
    };
    if let (Some(stated), Some(literal)) = (stated, literal)
        && stated != literal
    {
        return Err(FaultKind::WrongTarget);
    }
    let allowed = |name: ResourceType| targets.is_empty() || targets.contains(&name);
    if literal.or(stated).is_none_or(allowed) { Ok(()) } else { Err(FaultKind::WrongTarget) }
}

/// The type of a contained resource.
fn contained(container: Node<'_>, local: &str) -> Result<ResourceType, FaultKind> {
    if local.is_empty() {
        return container.resource_type().ok_or(FaultKind::NotContained);
    }
    container
        .at(&["contained"])
        .find(|inner| inner.get("id").and_then(Node::as_str).is_some_and(|id| id == local))
        .and_then(Node::resource_type)
        .ok_or(FaultKind::NotContained)
}

fn form(text: &str) -> Option<Form<'_>> {
    if let Some(local) = text.strip_prefix('#') {
        let fits = local.is_empty() || ResourceId::from_str(local).is_ok();
        return fits.then_some(Form::Local(local));
    }
    if text.starts_with("urn:") {
        let known = Primitive::Uuid.accepts(text) || Primitive::Oid.accepts(text);
        return known.then_some(Form::Opaque);
    }
    // A conditional reference, which a transaction resolves and Bulk Data files keep
    // (FHIR R4 http.html#trules).
    if let Some((name, query)) = text.split_once('?') {
        let name = ResourceType::from_str(name).ok()?;
        let plain =
            !query.is_empty() && !query.chars().any(|c| c.is_whitespace() || c.is_control());
        return plain.then_some(Form::Of(name));
    }
    let absolute = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match absolute {
        Some(rest) if Primitive::Url.accepts(rest) => {
            Some(type_at_the_end(rest).map_or(Form::Opaque, Form::Of))
        }
        Some(_) => None,
        None => {
            let segments = text.split('/').count();
            let versioned = text.contains("/_history/");
            let fits = segments == if versioned { 4 } else { 2 };
            type_at_the_end(text).filter(|_| fits).map(Form::Of)
        }
    }
}

/// The type in `…/Type/id` or `…/Type/id/_history/version`.
fn type_at_the_end(path: &str) -> Option<ResourceType> {
    let (path, version) = match path.split_once("/_history/") {
        Some((path, version)) => (path, Some(version)),
        None => (path, None),
    };
    if version.is_some_and(|version| ResourceId::from_str(version).is_err()) {
        return None;
    }
    let mut parts = path.rsplit('/');
    ResourceId::from_str(parts.next()?).ok()?;
    ResourceType::from_str(parts.next()?).ok()
}

/// R4 `dom-3`: whether something in the container points to a contained resource, or the contained
/// resource points to its container.
pub(super) fn is_referred_to(container: Node<'_>, inner: Node<'_>, id: &str) -> bool {
    let points_at = |node: Node<'_>, wanted: &str| {
        let text = node.as_str();
        text.is_some_and(|text| text.strip_prefix('#').is_some_and(|local| local == wanted))
    };
    let (first, after) = (inner.index(), inner.index() + inner.descendants().count());
    container.descendants().any(|node| {
        let inside = (first..after).contains(&node.index());
        if inside { points_at(node, "") } else { points_at(node, id) }
    })
}
