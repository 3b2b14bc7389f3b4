//! Labels: which sensitive kinds a resource carries, and by which rule.
//!
//! Three sources, and their union is the answer; nothing subtracts. (1) Labels the resource already
//! has. (2) Codes anywhere inside it: `code`, `reasonCode`, contained resources, components, line
//! items ... (3) Words in every text inside it: displays, titles, narratives, notes and the text of
//! inline attachments. The module knows one resource at a time; whoever has the others at hand
//! adds what each of them gives to its referrers ([`label_for_referrers`]).

mod content;
mod plain;
pub mod rules;
mod security;
mod words;

use alloc::borrow::Cow;
use alloc::vec::Vec;

use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::category_rules::is_directory;
use proviso_core::decision::Labels;
use proviso_core::resource_type::ResourceType;

use self::rules::{CODE_RULES, CodeRule, CodeSystem, Codes};
use self::security::Meaning;
use crate::json::Node;

/// One sensitive kind found, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The kind.
    pub kind: SensitiveKind,
    /// The id of the rule: one of [`rules::CODE_RULES`], of [`rules::WORD_RULES`], or
    /// [`SECURITY_LABEL`].
    pub rule: &'static str,
}

/// The rule id of a kind that the resource's own security labels state.
pub const SECURITY_LABEL: &str = "security-label";

/// Names the rule set; labels computed under another one are stale. Counts up with every change
/// of a rule.
pub const RULES_VERSION: u32 = 2;

/// Computes the labels of a resource.
///
/// ```
/// # use proviso_fhir::{json::Doc, label::label};
/// # use proviso_core::{category::{SensitiveKind, SensitiveSet}, decision::Labels};
/// let doc = Doc::parse(br#"{"resourceType":"Condition","code":{"coding":[
///     {"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"B20"}]}}"#.to_vec()).unwrap();
/// assert_eq!(label(doc.root()), Labels::Known(SensitiveSet::EMPTY.with(SensitiveKind::Hiv)));
/// ```
pub fn label(resource: Node<'_>) -> Labels {
    let mut kinds = SensitiveSet::EMPTY;
    match walk(resource, &mut |finding: Finding| kinds = kinds.with(finding.kind)) {
        Legibility::Read => Labels::Known(kinds),
        Legibility::Unreadable => Labels::Unclassified,
    }
}

/// The kinds that a resource gives to whatever refers to it: its own labels, and for an entry of
/// the directory what it says of itself. A program for recovery is an entry like any other until
/// somebody's visit leads to it.
///
/// What cannot be read gives nothing; it is withheld by itself.
pub fn label_for_referrers(resource: Node<'_>) -> SensitiveSet {
    let is_person =
        matches!(resource.resource_type(), Some(ResourceType::PATIENT | ResourceType::PERSON));
    let mut kinds = SensitiveSet::EMPTY;
    let (Legibility::Read | Legibility::Unreadable) =
        walk_content(resource, !is_person, &mut |finding: Finding| {
            kinds = kinds.with(finding.kind);
        });
    kinds
}

/// Whether a resource takes on the labels of what it refers to. People and the directory do not:
/// a patient's record would vanish behind the specialty of one of its clinicians.
pub fn takes_labels(resource_type: ResourceType) -> bool {
    has_content(resource_type)
}

/// Lists every kind with the rules that found it, sorted, each once.
pub fn findings(resource: Node<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    // An unreadable part hides further findings; those made stand.
    let (Legibility::Read | Legibility::Unreadable) =
        walk(resource, &mut |finding| found.push(finding));
    found.sort_unstable();
    found.dedup();
    found
}

/// The kinds that the content of a resource gives it, apart from the labels that it states: for
/// whoever takes those word for word.
pub(crate) fn kinds_of_content(resource: Node<'_>) -> SensitiveSet {
    let mut kinds = SensitiveSet::EMPTY;
    if !resource.resource_type().is_some_and(has_content) {
        return kinds;
    }
    let mut found = |finding: Finding| kinds = kinds.with(finding.kind);
    for node in resource.descendants() {
        if node.is_object() {
            if !is_security_label(node) {
                coding(node, &mut found);
                // What cannot be read leaves the resource unclassified, which `label` says.
                let (Legibility::Read | Legibility::Unreadable) = attachment(node, &mut found);
            }
        } else if may_hold_words(node) && !node.parent().is_some_and(is_security_label) {
            text(node, &mut found);
        }
    }
    kinds
}

/// Whether everything that matters could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Legibility {
    Read,
    Unreadable,
}

fn walk(resource: Node<'_>, found: &mut dyn FnMut(Finding)) -> Legibility {
    let Some(resource_type) = resource.resource_type() else { return Legibility::Unreadable };
    walk_content(resource, has_content(resource_type), found)
}

fn walk_content(
    resource: Node<'_>,
    by_content: bool,
    found: &mut dyn FnMut(Finding),
) -> Legibility {
    let mut stated = Stated::Nothing;
    let mut legibility = Legibility::Read;
    for node in resource.descendants() {
        if node.is_object() {
            if is_security_label(node) {
                security_label(node, &mut stated, found);
            } else if by_content {
                coding(node, found);
                if let Legibility::Unreadable = attachment(node, found) {
                    legibility = Legibility::Unreadable;
                }
            }
        } else if by_content && may_hold_words(node) {
            text(node, found);
        }
    }
    if stated == Stated::Confidentiality {
        // The source has labelled it, so content that we cannot read is classified all the same.
        return Legibility::Read;
    }
    legibility
}

/// Whether a resource of this type is labelled by what it says, or only by labels it carries.
///
/// People and the directory say names and addresses; a match in them would be chance, and it would
/// hide the person's whole record or a colleague from the directory.
fn has_content(resource_type: ResourceType) -> bool {
    resource_type != ResourceType::PATIENT
        && resource_type != ResourceType::PERSON
        && !is_directory(resource_type)
}

/// What the resource's own labels amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    Nothing,
    Confidentiality,
}

/// An item of `meta.security`, of the resource or of one inside it, or an inline label.
pub(crate) fn is_security_label(node: Node<'_>) -> bool {
    let in_meta = || {
        let holder = match node.key() {
            Some(_) => node,
            None => node.parent()?,
        };
        (holder.key()? == "security" && holder.parent()?.key()? == "meta").then_some(())
    };
    let inline = || {
        (node.key()? == "valueCoding").then_some(())?;
        (node.parent()?.string_at(&["url"])? == security::INLINE_LABEL).then_some(())
    };
    in_meta().is_some() || inline().is_some()
}

fn security_label(node: Node<'_>, stated: &mut Stated, found: &mut dyn FnMut(Finding)) {
    let member = |key| node.get(key).and_then(Node::as_str).unwrap_or(Cow::Borrowed(""));
    match security::meaning(&member("system"), &member("code")) {
        Meaning::Kinds(kinds) => {
            *stated = Stated::Confidentiality;
            for kind in kinds.iter() {
                found(Finding { kind, rule: SECURITY_LABEL });
            }
        }
        Meaning::Ordinary => *stated = Stated::Confidentiality,
        Meaning::Handling => {}
    }
}

/// Judges an object that has `code` as a Coding. Quantities look alike and match no rule, because
/// the system of their units is none of ours.
fn coding(node: Node<'_>, found: &mut dyn FnMut(Finding)) {
    let Some(code) = node.get("code").and_then(Node::as_str) else { return };
    // Neither white space nor case of a code means anything in these systems.
    let code = code.trim();
    let uri = node.get("system").and_then(Node::as_str);
    let system = match uri {
        Some(uri) => match CodeSystem::from_uri(&uri) {
            Some(system) => Some(system),
            None => return,
        },
        None => None,
    };
    for rule in CODE_RULES {
        if rule_applies(rule, system) && matches_code(&rule.codes, code) {
            found(Finding { kind: rule.kind, rule: rule.id });
        }
    }
}

/// A code without a system is tried in the systems whose codes cannot be mistaken for others'.
fn rule_applies(rule: &CodeRule, system: Option<CodeSystem>) -> bool {
    match system {
        Some(system) => rule.system == system,
        None => matches!(rule.system, CodeSystem::Icd10 | CodeSystem::Loinc | CodeSystem::Snomed),
    }
}

fn matches_code(codes: &Codes, code: &str) -> bool {
    match codes {
        Codes::Exact(list) => list.iter().any(|known| known.eq_ignore_ascii_case(code)),
        Codes::Under(stems) => stems.iter().any(|stem| starts_with_undotted(code, stem)),
        Codes::Between(ranges) => {
            let mut category = [0_u8; 3];
            let letters = code.bytes().filter(|byte| *byte != b'.').map(|b| b.to_ascii_uppercase());
            let mut filled = 0;
            for (slot, letter) in category.iter_mut().zip(letters) {
                *slot = letter;
                filled += 1;
            }
            filled == 3
                && ranges.iter().any(|(first, last)| {
                    category.as_slice() >= first.as_bytes()
                        && category.as_slice() <= last.as_bytes()
                })
        }
    }
}

/// Whether a code begins with a stem, dots left out and case ignored.
fn starts_with_undotted(code: &str, stem: &str) -> bool {
    let mut letters = code.bytes().filter(|byte| *byte != b'.');
    stem.bytes().all(|wanted| letters.next().is_some_and(|got| got.eq_ignore_ascii_case(&wanted)))
}

/// Reads the text of an Attachment or Binary with inline data.
fn attachment(node: Node<'_>, found: &mut dyn FnMut(Finding)) -> Legibility {
    let Some(data) = node.get("data").and_then(Node::as_str) else { return Legibility::Read };
    let Some(content_type) = node.get("contentType").and_then(Node::as_str) else {
        // `data` is also a member of SampledData and Consent.provision, where it is no content;
        // only a Binary is nothing but its content.
        let is_binary = node.resource_type() == Some(ResourceType::BINARY);
        return if is_binary { Legibility::Unreadable } else { Legibility::Read };
    };
    if !content::is_text(&content_type) {
        return Legibility::Unreadable;
    }
    let Some(bytes) = content::base64(&data) else { return Legibility::Unreadable };
    scan_words(&bytes, found);
    Legibility::Read
}

/// Members whose strings are no words of a clinical statement: identifiers, pointers, names of
/// people and places. Every other string is looked at, so that an element we have not thought of
/// is on the safe side.
const WORDLESS: &[&str] = &[
    "id",
    "resourceType",
    "versionId",
    "lastUpdated",
    "system",
    "reference",
    "data",
    "hash",
    "family",
    "given",
    "line",
    "city",
    "district",
    "state",
    "country",
    "postalCode",
    "value",
];

fn may_hold_words(node: Node<'_>) -> bool {
    let holder = if node.key().is_some() { Some(node) } else { node.parent() };
    holder.and_then(Node::key).is_none_or(|key| !WORDLESS.contains(&key))
}

fn text(node: Node<'_>, found: &mut dyn FnMut(Finding)) {
    if let Some(text) = node.as_str() {
        scan_words(text.as_bytes(), found);
    }
}

fn scan_words(text: &[u8], found: &mut dyn FnMut(Finding)) {
    words::scan(&plain::plain(text), &mut |hit: words::Hit| {
        found(Finding { kind: hit.kind, rule: hit.rule });
    });
}

#[cfg(test)]
mod tests;
