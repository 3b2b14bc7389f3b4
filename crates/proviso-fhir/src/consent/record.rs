//! What a directive is read against: the facts of one record, as far as the record itself says.
//!
//! Knows which elements name the authors, the classes, the codes and the custodian of each R4 type.
//! Does not know other records: who refers to this one, what else an author is and which labels come
//! from elsewhere is added by whoever has them at hand. What a record does not say is unknown, and
//! an unknown fact never permits.

use alloc::collections::BTreeSet;

use proviso_core::category::SensitiveSet;
use proviso_core::consent::provision::{
    Coding, Fact, Identities, Label, LabelSet, RecordFacts, Who, WhoKind,
};
use proviso_core::decision::{Belonging, Labels};
use proviso_core::resource_type::ResourceType;

use super::Zone;
use super::read_value::identifier;
use crate::code_systems::{self, MEDIA_TYPES, RESOURCE_TYPES, URIS};
use crate::compartment::{belonging, leads_to_parties_only};
use crate::facts::clinical_period_in;
use crate::json::Node;
use crate::label::RuleSet;
use crate::search::{Target, conditional_identifier, read_reference};

type Paths = &'static [&'static [&'static str]];

/// Who wrote a record, by type. A type that is not listed names nobody as its author.
const AUTHORS: &[(ResourceType, Paths)] = &[
    (ResourceType::ADVERSE_EVENT, &[&["recorder"], &["contributor"]]),
    (ResourceType::ALLERGY_INTOLERANCE, &[&["recorder"], &["asserter"]]),
    (ResourceType::AUDIT_EVENT, &[&["agent", "who"]]),
    (ResourceType::CARE_PLAN, &[&["author"], &["contributor"]]),
    (ResourceType::CHARGE_ITEM, &[&["enterer"], &["performer", "actor"]]),
    (ResourceType::CLAIM, &[&["enterer"], &["provider"]]),
    (ResourceType::CLINICAL_IMPRESSION, &[&["assessor"]]),
    (ResourceType::COMMUNICATION, &[&["sender"]]),
    (ResourceType::COMMUNICATION_REQUEST, &[&["requester"], &["sender"]]),
    (ResourceType::COMPOSITION, &[&["author"]]),
    (ResourceType::CONDITION, &[&["recorder"], &["asserter"]]),
    (ResourceType::CONSENT, &[&["performer"]]),
    (ResourceType::CONTRACT, &[&["author"]]),
    (ResourceType::DETECTED_ISSUE, &[&["author"]]),
    (ResourceType::DEVICE_REQUEST, &[&["requester"]]),
    (ResourceType::DEVICE_USE_STATEMENT, &[&["source"]]),
    (ResourceType::DIAGNOSTIC_REPORT, &[&["performer"], &["resultsInterpreter"]]),
    (ResourceType::DOCUMENT_MANIFEST, &[&["author"]]),
    (ResourceType::DOCUMENT_REFERENCE, &[&["author"]]),
    (ResourceType::EXPLANATION_OF_BENEFIT, &[&["enterer"], &["provider"]]),
    (ResourceType::FLAG, &[&["author"]]),
    (ResourceType::GOAL, &[&["expressedBy"]]),
    (ResourceType::GUIDANCE_RESPONSE, &[&["performer"]]),
    (ResourceType::IMAGING_STUDY, &[&["interpreter"], &["series", "performer", "actor"]]),
    (ResourceType::IMMUNIZATION, &[&["performer", "actor"]]),
    (ResourceType::LIST, &[&["source"]]),
    (ResourceType::MEDIA, &[&["operator"]]),
    (ResourceType::MEDICATION_ADMINISTRATION, &[&["performer", "actor"]]),
    (ResourceType::MEDICATION_DISPENSE, &[&["performer", "actor"]]),
    (ResourceType::MEDICATION_REQUEST, &[&["requester"], &["recorder"]]),
    (ResourceType::MEDICATION_STATEMENT, &[&["informationSource"]]),
    (ResourceType::MESSAGE_HEADER, &[&["author"], &["sender"]]),
    (ResourceType::NUTRITION_ORDER, &[&["orderer"]]),
    (ResourceType::OBSERVATION, &[&["performer"]]),
    (ResourceType::PROCEDURE, &[&["recorder"], &["asserter"], &["performer", "actor"]]),
    (ResourceType::PROVENANCE, &[&["agent", "who"]]),
    (ResourceType::QUESTIONNAIRE_RESPONSE, &[&["author"], &["source"]]),
    (ResourceType::REQUEST_GROUP, &[&["author"]]),
    (ResourceType::RISK_ASSESSMENT, &[&["performer"]]),
    (ResourceType::SERVICE_REQUEST, &[&["requester"]]),
    (ResourceType::SPECIMEN, &[&["collection", "collector"]]),
    (ResourceType::SUPPLY_DELIVERY, &[&["supplier"]]),
    (ResourceType::SUPPLY_REQUEST, &[&["requester"]]),
    (ResourceType::TASK, &[&["requester"]]),
    (ResourceType::VISION_PRESCRIPTION, &[&["prescriber"]]),
];

/// Who holds a record, where it says so.
const CUSTODIANS: &[(ResourceType, Paths)] = &[
    (ResourceType::COMPOSITION, &[&["custodian"]]),
    (ResourceType::DOCUMENT_REFERENCE, &[&["custodian"]]),
];

/// Where a record says of what class it is, beside its type and its profiles.
const CLASSES: Paths = &[
    &["category"],
    &["category", "coding"],
    &["class"],
    &["class", "coding"],
    &["type"],
    &["type", "coding"],
    &["content", "format"],
];

/// Reads the facts of an R4 record.
///
/// `labels` are those stored for it, propagated ones included; `zone` is where dates without an
/// offset are, the same as for the consents it is compared with; `own_base` is our FHIR base without
/// a slash at the end. Who refers to the record stays unknown.
///
/// ```
/// use proviso_core::consent::provision::{Fact, Who};
/// use proviso_fhir::{consent::{Zone, record_facts}, json::Doc, label::RuleSet};
/// let doc = Doc::parse(br#"{"resourceType":"Observation","id":"o","subject":{"reference":"Patient/p"},
///     "performer":[{"reference":"Practitioner/d"}]}"#.to_vec()).unwrap();
/// let (root, rules) = (doc.root(), RuleSet::shipped());
/// let facts = record_facts(root, rules.label(root), &rules, &Zone::UTC, "https://us.example/fhir");
/// assert!(facts.authors.known().unwrap().known.contains(&Who::reference("Practitioner/d")));
/// assert_eq!(facts.clinical, Fact::Unknown);
/// ```
pub fn record_facts(
    resource: Node<'_>,
    labels: Labels,
    rules: &RuleSet,
    zone: &Zone,
    own_base: &str,
) -> RecordFacts {
    let Some(resource_type) = resource.resource_type() else { return RecordFacts::UNKNOWN };
    let id = resource.get("id").and_then(Node::as_str).filter(|id| !id.is_empty());
    let instance = id.map(|id| Who::reference([resource_type.as_str(), "/", &id].concat()));
    RecordFacts {
        instance: instance.map_or(Fact::Unknown, Fact::Known),
        labels: label_set(resource, labels, rules),
        clinical: clinical_period_in(resource, zone).map_or(Fact::Unknown, Fact::Known),
        authors: identities(resource, resource_type, AUTHORS, own_base),
        custodian: identities(resource, resource_type, CUSTODIANS, own_base),
        refers_to: refers_to(resource, own_base),
        referred_by: Fact::Unknown,
        classes: Fact::Known(classes(resource, resource_type)),
        codes: codes(resource),
        patients: match belonging(resource) {
            Belonging::Patients(patients) => Fact::Known(patients),
            Belonging::Directory => Fact::Known(BTreeSet::new()),
            Belonging::Unknown => Fact::Unknown,
        },
    }
}

/// The labels of a record, as codes: those that it states itself, word for word, and one code for
/// each kind that was found in its content or in what it refers to.
///
/// A stated label is not repeated as the kind it belongs to: `OPIOIDUD` would become `SUD`, which
/// a permit of `OPIOIDUD` does not cover.
fn label_set(resource: Node<'_>, labels: Labels, rules: &RuleSet) -> Fact<LabelSet> {
    let Labels::Known(kinds) = labels else { return Fact::Unknown };
    let content = rules.kinds_of_content(resource);
    let own = match rules.label(resource) {
        Labels::Known(own) => own,
        Labels::Unclassified => SensitiveSet::EMPTY,
    };
    let propagated: SensitiveSet = kinds.iter().filter(|kind| !own.contains(*kind)).collect();
    let mut set = LabelSet::from(content.union(propagated));
    for coding in resource.descendants().filter(|node| is_stated_label(*node)) {
        match code_systems::coding(coding) {
            Some(coding) => set = set.with(Label::from_coding(coding)),
            // A label without a code means something that nobody can say.
            None => return Fact::Unknown,
        }
    }
    Fact::Known(set)
}

fn is_stated_label(node: Node<'_>) -> bool {
    node.is_object() && crate::label::is_security_label(node)
}

/// Everyone named at some elements of a type. A record that names nobody there has an author all
/// the same, who is not known.
fn identities(
    resource: Node<'_>,
    resource_type: ResourceType,
    table: &[(ResourceType, Paths)],
    own_base: &str,
) -> Fact<Identities> {
    let paths = table.iter().find(|(listed, _)| *listed == resource_type);
    let Some((_, paths)) = paths else { return Fact::Unknown };
    let mut identities = Identities::default();
    let mut any = false;
    for reference in paths.iter().flat_map(|path| resource.at(path)) {
        any = true;
        add_identity(reference, own_base, &mut identities);
    }
    if any { Fact::Known(identities) } else { Fact::Unknown }
}

const KINDS: [WhoKind; 10] = [
    WhoKind::Patient,
    WhoKind::Practitioner,
    WhoKind::PractitionerRole,
    WhoKind::Organization,
    WhoKind::Group,
    WhoKind::CareTeam,
    WhoKind::RelatedPerson,
    WhoKind::Device,
    WhoKind::Identifier,
    WhoKind::Other,
];

/// Adds who a reference names, and as what they could be known besides.
fn add_identity(reference: Node<'_>, own_base: &str, identities: &mut Identities) {
    let named = named(reference, own_base);
    for kind in KINDS {
        // A person is one Practitioner and nobody's Patient; what they belong to and how they are
        // numbered elsewhere, one record does not tell. Anything else may stand for a person.
        let settled = named.as_ref().is_some_and(|named| {
            named.iter().any(|who| match who.kind() {
                WhoKind::Practitioner => matches!(
                    kind,
                    WhoKind::Practitioner
                        | WhoKind::Patient
                        | WhoKind::RelatedPerson
                        | WhoKind::Device
                ),
                WhoKind::Patient => matches!(
                    kind,
                    WhoKind::Patient
                        | WhoKind::Practitioner
                        | WhoKind::PractitionerRole
                        | WhoKind::Device
                ),
                WhoKind::PractitionerRole
                | WhoKind::Organization
                | WhoKind::Group
                | WhoKind::CareTeam
                | WhoKind::RelatedPerson
                | WhoKind::Device
                | WhoKind::Identifier
                | WhoKind::Other => false,
            })
        });
        if !settled {
            identities.unresolved.insert(kind);
        }
    }
    identities.known.extend(named.into_iter().flatten());
}

/// Who a Reference of a record names; `None` when nobody can be found by it.
fn named(reference: Node<'_>, own_base: &str) -> Option<alloc::vec::Vec<Who>> {
    let mut who = alloc::vec::Vec::new();
    if let Some(address) = reference.get("reference").and_then(Node::as_str) {
        if let Some((Some(system), value)) = conditional_identifier(&address) {
            let id = proviso_core::consent::provision::Identifier { system, value };
            who.push(Who::Identifier(id));
        } else {
            match read_reference(address, own_base)? {
                Target::Local { resource_type, id, .. } => {
                    who.push(Who::reference([resource_type.as_str(), "/", id.as_str()].concat()));
                }
                Target::Url { url, .. } if url.starts_with("http") => {
                    let url = url.split_once("/_history/").map_or(&*url, |(url, _)| url);
                    who.push(Who::reference(url));
                }
                Target::Url { .. } | Target::Contained(_) => {}
            }
        }
    }
    who.extend(reference.get("identifier").and_then(identifier).map(Who::Identifier));
    (!who.is_empty()).then_some(who)
}

/// Everything that the record refers to, at any depth. Unknown where a reference may lead to some
/// record and cannot be followed.
fn refers_to(resource: Node<'_>, own_base: &str) -> Fact<BTreeSet<Who>> {
    let mut found = BTreeSet::new();
    for node in resource.descendants().filter(|node| is_reference(*node)) {
        let named = named(node, own_base);
        let by_address = named.iter().flatten().any(|who| matches!(who, Who::Reference(_)));
        let contained =
            node.string_at(&["reference"]).is_some_and(|address| address.starts_with('#'));
        // A contained resource is a part of this one; what it refers to is met by itself.
        if !by_address && !contained && !leads_to_parties_only(node) {
            return Fact::Unknown;
        }
        found.extend(named.into_iter().flatten());
    }
    Fact::Known(found)
}

fn is_reference(node: Node<'_>) -> bool {
    let is_text = |key| node.get(key).is_some_and(|it: Node<'_>| it.as_str().is_some());
    node.is_object()
        && (is_text("reference")
            || (node.get("identifier").is_some_and(Node::is_object)
                && node.entries().all(|(key, _)| {
                    matches!(key, "identifier" | "type" | "display" | "id" | "extension")
                })))
}

fn classes(resource: Node<'_>, resource_type: ResourceType) -> BTreeSet<Coding> {
    let mut classes = BTreeSet::from([Coding::new(RESOURCE_TYPES, resource_type.as_str())]);
    let profiles = resource.at(&["meta", "profile"]).filter_map(Node::as_str);
    classes.extend(profiles.map(|profile| Coding::new(URIS, profile)));
    classes
        .extend(CLASSES.iter().flat_map(|path| resource.at(path)).filter_map(code_systems::coding));
    let media = [&["content", "attachment", "contentType"] as &[&str], &["contentType"]];
    let media = media.iter().flat_map(|path| resource.at(path)).filter_map(Node::as_str);
    classes.extend(media.map(|name| Coding::new(MEDIA_TYPES, name)));
    classes
}

/// Every code in the record but its labels. Unknown when the concept that says what the record is
/// about has words and no code.
fn codes(resource: Node<'_>) -> Fact<BTreeSet<Coding>> {
    const ABOUT: [&str; 4] = ["code", "medicationCodeableConcept", "vaccineCode", "type"];
    let words_only = ABOUT.iter().filter_map(|key| resource.get(key)).any(|concept| {
        concept.items_or_self().any(|it| it.get("text").is_some() && it.get("coding").is_none())
    });
    // A code of a system that is not told may be the one that is asked for.
    let unplaced = ABOUT.iter().filter_map(|key| resource.get(key)).any(|concept| {
        let mut codings = concept.at(&["coding"]).filter_map(code_systems::coding);
        codings.any(|coding| coding.system.is_empty())
    });
    if words_only || unplaced {
        return Fact::Unknown;
    }
    let mut codes = BTreeSet::new();
    for node in resource.descendants().filter(|node| node.is_object()) {
        let quantity = node.get("value").is_some();
        if !quantity && !crate::label::is_security_label(node) {
            codes.extend(code_systems::coding(node).filter(|coding| !coding.system.is_empty()));
        }
    }
    Fact::Known(codes)
}

/// Every row of the tables, for a test that compares them with R4.
#[cfg(test)]
pub(super) fn tables() -> impl Iterator<Item = (ResourceType, Paths)> {
    AUTHORS.iter().chain(CUSTODIANS).copied()
}
