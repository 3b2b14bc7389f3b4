//! Reads the data types that stand in a Consent: references, codes, periods, lists.
//!
//! Knows the shape of each and what it names here. Lists every fault it meets.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proviso_core::consent::provision::{Coding, Identifier, Who};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};

use super::fault::FAULTS_MAX;
use super::header::{BusinessId, Concept, ConsentDate, Reference};
use super::{Context, Fault, FaultCode, Version, Zone, zone};
use crate::code_systems;
use crate::json::Node;
use crate::search::{Target, conditional_identifier, read_reference};

/// The extension by which a reference carries further identifiers.
const ADDITIONAL_IDENTIFIER: &str = "http://hl7.org/fhir/StructureDefinition/additionalIdentifier";

/// A walk over one Consent.
pub(super) struct Reader<'a> {
    pub(super) root: Node<'a>,
    pub(super) version: Version,
    pub(super) zone: &'a Zone,
    pub(super) context: &'a Context<'a>,
    pub(super) faults: Vec<Fault<FaultCode>>,
}

impl<'a> Reader<'a> {
    pub(super) fn fault(&mut self, code: FaultCode, node: Node<'a>) {
        if self.faults.len() < FAULTS_MAX {
            let path = node.path();
            let dot = if path.is_empty() { "" } else { "." };
            self.faults.push(Fault { code, at: ["Consent", dot, &path].concat() });
        }
    }

    /// A fault of an element that is not there.
    pub(super) fn missing(&mut self, code: FaultCode, holder: Node<'a>, key: &str) {
        if self.faults.len() < FAULTS_MAX {
            let path = holder.path();
            let dot = if path.is_empty() { "" } else { "." };
            self.faults.push(Fault { code, at: ["Consent", dot, &path, ".", key].concat() });
        }
    }

    /// The items of a list; an element that is no list, or an empty one, is a fault.
    pub(super) fn list(&mut self, holder: Node<'a>, key: &str) -> Vec<Node<'a>> {
        let Some(list) = holder.get(key) else { return Vec::new() };
        if !list.is_array() {
            self.fault(FaultCode::WrongShape, list);
            return Vec::new();
        }
        if list.is_empty() {
            self.fault(FaultCode::EmptyList, list);
        }
        list.items().filter(|item| self.is_object(*item)).collect()
    }

    /// Whether the value is an object; a fault if not.
    pub(super) fn is_object(&mut self, node: Node<'a>) -> bool {
        if !node.is_object() {
            self.fault(FaultCode::WrongShape, node);
        }
        node.is_object()
    }

    pub(super) fn object(&mut self, holder: Node<'a>, key: &str) -> Option<Node<'a>> {
        let node = holder.get(key)?;
        self.is_object(node).then_some(node)
    }

    /// The text of a member; a fault when it is none, or an empty one.
    pub(super) fn text(&mut self, holder: Node<'a>, key: &str) -> Option<Cow<'a, str>> {
        let node = holder.get(key)?;
        let text = node.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.fault(FaultCode::WrongShape, node);
        }
        text
    }

    /// Refuses every member that is not one of these.
    pub(super) fn only(&mut self, object: Node<'a>, known: &[&str]) {
        for (key, node) in object.entries() {
            if !known.contains(&key) && !matches!(key, "id" | "extension") {
                self.fault(FaultCode::UnknownElement, node);
            }
        }
    }

    /// Reads a FHIR Period as a half-open one.
    pub(super) fn period(&mut self, node: Node<'a>) -> Option<Period> {
        if !self.is_object(node) {
            return None;
        }
        self.only(node, &["start", "end", "_start", "_end"]);
        let start = self.bound(node, "start", "_start");
        let end = self.bound(node, "end", "_end");
        let period = match (start, end) {
            (Bound::Faulty, _) | (_, Bound::Faulty) => return None,
            (Bound::Open, Bound::Open) => {
                self.fault(FaultCode::PeriodEmpty, node);
                return None;
            }
            (start, end) => Period { start: start.first(), end: end.after() },
        };
        if matches!((period.start, period.end), (Some(start), Some(end)) if start >= end) {
            self.fault(FaultCode::PeriodReversed, node);
            return None;
        }
        Some(period)
    }

    fn bound(&mut self, period: Node<'a>, key: &str, extension: &str) -> Bound {
        let Some(node) = period.get(key) else {
            // Extensions without a value say that there is a bound which is not told.
            let Some(untold) = period.get(extension) else { return Bound::Open };
            self.fault(FaultCode::DateMalformed, untold);
            return Bound::Faulty;
        };
        let Some((first, after)) = node.as_str().and_then(|text| zone::span(&text, self.zone))
        else {
            self.fault(FaultCode::DateMalformed, node);
            return Bound::Faulty;
        };
        Bound::Named(first, after)
    }

    pub(super) fn date(&mut self, holder: Node<'a>, key: &str) -> Option<ConsentDate> {
        let node = holder.get(key)?;
        let date = node.as_str().and_then(|text| ConsentDate::parse(&text, self.zone));
        if date.is_none() {
            self.fault(FaultCode::DateMalformed, node);
        }
        date
    }

    /// A Coding that restricts: with its system and its code.
    pub(super) fn coding(&mut self, node: Node<'a>) -> Option<Coding> {
        self.only(node, &CODING);
        let coding = code_systems::coding(node)
            .filter(|coding| !coding.system.is_empty() && !coding.code.is_empty());
        if coding.is_none() {
            self.fault(FaultCode::CodeMissing, node);
        }
        coding
    }

    /// The codings of a CodeableConcept that restricts: at least one.
    pub(super) fn concept(&mut self, node: Node<'a>) -> Vec<Coding> {
        self.only(node, &["coding", "text", "_text"]);
        if node.get("coding").is_none() {
            self.fault(FaultCode::CodeMissing, node);
        }
        let codings = self.list(node, "coding");
        codings.into_iter().filter_map(|coding| self.coding(coding)).collect()
    }

    /// A CodeableConcept of the header, which restricts nothing.
    pub(super) fn plain_concept(&mut self, node: Node<'a>) -> Option<Concept> {
        self.is_object(node).then(|| Concept {
            codings: node.at(&["coding"]).filter_map(code_systems::coding).collect(),
            json: node.raw_text().into(),
        })
    }

    pub(super) fn plain_concepts(&mut self, holder: Node<'a>, key: &str) -> Vec<Concept> {
        let list = self.list(holder, key);
        list.into_iter().filter_map(|node| self.plain_concept(node)).collect()
    }

    pub(super) fn identifiers(&mut self, holder: Node<'a>) -> Vec<BusinessId> {
        let list = self.list(holder, "identifier");
        list.into_iter()
            .map(|node| BusinessId { id: identifier(node), json: node.raw_text().into() })
            .collect()
    }

    /// A Reference of the header, which may lead nowhere.
    pub(super) fn plain_reference(&mut self, node: Node<'a>) -> Option<Reference> {
        self.is_object(node)
            .then(|| Reference { who: self.named_by(node), json: node.raw_text().into() })
    }

    pub(super) fn references(&mut self, holder: Node<'a>, key: &str) -> Vec<Reference> {
        let list = self.list(holder, key);
        list.into_iter().filter_map(|node| self.plain_reference(node)).collect()
    }

    /// Everyone that a Reference in a restricting place names; a fault when it is nobody.
    pub(super) fn who(&mut self, node: Node<'a>, code: FaultCode) -> Vec<Who> {
        if !self.is_object(node) {
            return Vec::new();
        }
        self.only(node, &REFERENCE);
        if let Some(identifier) = node.get("identifier") {
            self.only(identifier, &IDENTIFIER);
        }
        let who = self.named_by(node);
        if who.is_empty() {
            self.fault(code, node);
        }
        who
    }

    /// Everyone that a Reference names: by address, by identifier, by further identifiers.
    ///
    /// An address that leads nowhere is not made up for by an identifier beside it: the two may
    /// not be the same.
    pub(super) fn named_by(&self, node: Node<'a>) -> Vec<Who> {
        let mut who = Vec::new();
        if let Some(address) = node.get("reference") {
            let found = address.as_str().map(|text| self.addressed(&text)).unwrap_or_default();
            if found.is_empty() {
                return Vec::new();
            }
            who = found;
        }
        let further = node
            .at(&["extension"])
            .filter(|one| one.string_at(&["url"]).is_some_and(|url| url == ADDITIONAL_IDENTIFIER))
            .flat_map(Node::descendants)
            .filter(|node| matches!(node.key(), Some("valueIdentifier" | "identifier")));
        for one in node.get("identifier").into_iter().chain(further).filter_map(identifier) {
            let one = Who::Identifier(one);
            if !who.contains(&one) {
                who.push(one);
            }
        }
        who
    }

    /// What a literal reference leads to.
    fn addressed(&self, text: &str) -> Vec<Who> {
        if let Some((Some(system), value)) = conditional_identifier(text) {
            return Vec::from([Who::Identifier(Identifier { system, value })]);
        }
        match read_reference(Cow::Borrowed(text), self.context.own_base) {
            Some(Target::Local { resource_type, id, .. }) => {
                Vec::from([Who::reference([resource_type.as_str(), "/", id.as_str()].concat())])
            }
            Some(Target::Contained(id)) => self.contained(&id),
            // A search is no address, wherever it leads.
            Some(Target::Url { .. }) if text.contains(['?', '#']) => Vec::new(),
            Some(Target::Url { .. })
                if text.starts_with("http://") || text.starts_with("https://") =>
            {
                let address = text.split_once("/_history/").map_or(text, |(address, _)| address);
                Vec::from([Who::reference(address)])
            }
            // `urn:uuid:` is an address inside of a Bundle only.
            Some(Target::Url { .. }) | None => Vec::new(),
        }
    }

    /// A contained resource is known by its identifiers: it has no address of its own. What it
    /// refers to is not followed, so contained resources may refer to each other in circles; one
    /// that only stands for others (a group, a team, a role) leads nowhere.
    fn contained(&self, id: &str) -> Vec<Who> {
        self.root
            .at(&["contained"])
            .find(|inner| inner.string_at(&["id"]).is_some_and(|found| found == id))
            .filter(|inner| stands_for_itself(*inner))
            .into_iter()
            .filter_map(|inner| inner.get("identifier"))
            .flat_map(Node::items_or_self)
            .filter_map(identifier)
            .map(Who::Identifier)
            .collect()
    }
}

/// One side of a period.
#[derive(Clone, Copy)]
enum Bound {
    /// It has none.
    Open,
    /// The first instant of the date that it names, and the first one after it.
    Named(At, Option<At>),
    /// It cannot be read.
    Faulty,
}

impl Bound {
    const fn first(self) -> Option<At> {
        match self {
            Self::Named(first, _) => Some(first),
            Self::Open | Self::Faulty => None,
        }
    }

    const fn after(self) -> Option<At> {
        match self {
            Self::Named(_, after) => after,
            Self::Open | Self::Faulty => None,
        }
    }
}

const CODING: [&str; 10] = [
    "system",
    "version",
    "code",
    "display",
    "userSelected",
    "_system",
    "_version",
    "_code",
    "_display",
    "_userSelected",
];
const IDENTIFIER: [&str; 9] =
    ["use", "type", "system", "value", "period", "assigner", "_use", "_system", "_value"];
const REFERENCE: [&str; 7] =
    ["reference", "type", "identifier", "display", "_reference", "_type", "_display"];

/// Whether a contained resource is somebody or some place, and not a list of others: who is in a
/// group of which nobody else knows cannot be looked up.
fn stands_for_itself(resource: Node<'_>) -> bool {
    resource.resource_type().is_some_and(|name| {
        [
            ResourceType::DEVICE,
            ResourceType::LOCATION,
            ResourceType::ORGANIZATION,
            ResourceType::PATIENT,
            ResourceType::PRACTITIONER,
            ResourceType::RELATED_PERSON,
        ]
        .contains(&name)
    })
}

/// An identifier that names somebody: with its system.
pub(super) fn identifier(node: Node<'_>) -> Option<Identifier> {
    let member = |key| node.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
    Some(Identifier { system: member("system")?.to_string(), value: member("value")?.to_string() })
}

/// The members of an object that are not among these, as they came.
pub(super) fn others(object: Node<'_>, known: &[&str]) -> Vec<(String, String)> {
    object
        .entries()
        .filter(|(key, _)| !known.contains(key))
        .map(|(key, node)| (key.into(), node.raw_text().into()))
        .collect()
}
