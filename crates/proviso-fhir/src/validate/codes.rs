//! Required bindings of coded elements (FHIR R4 terminologies.html#required).

use crate::json::Node;
use crate::spec::CodeSet;

/// Whether a coded value satisfies a required binding. A `CodeableConcept` does when one of its
/// codings is in the set; its other codings are translations.
pub(super) fn fits(node: Node<'_>, type_name: &str, codes: CodeSet) -> bool {
    match type_name {
        "Coding" => coding_fits(node, codes),
        "CodeableConcept" => {
            let codings = node.at(&["coding"]).collect::<alloc::vec::Vec<_>>();
            // Only an extension, such as the reason why there is no code, may stand in for one.
            let excused = codings.is_empty() && node.get("extension").is_some();
            excused || codings.into_iter().any(|coding| coding_fits(coding, codes))
        }
        // The bindings of other types (a Quantity's unit) are about systems that are not HL7's.
        _ => true,
    }
}

fn coding_fits(coding: Node<'_>, codes: CodeSet) -> bool {
    let text = |key: &str| coding.get(key).and_then(Node::as_str);
    // A code without its system names nothing.
    text("system").zip(text("code")).is_some_and(|(system, code)| codes.has(&system, &code))
}
