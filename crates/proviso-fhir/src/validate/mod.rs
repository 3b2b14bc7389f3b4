//! Base validation on write: does a resource have the form that FHIR R4 gives it?
//!
//! Checked, for every resource type, from the tables of [`crate::spec`]: unknown elements,
//! cardinality, the JSON form and format of primitives, required bindings, choice elements,
//! extensions, the form and target types of references, contained resources, ids. Checked of R4's
//! invariants: `ele-1`, `ext-1`, `dom-2`, `dom-3`, `dom-4`, `ref-1`. The other invariants and
//! profiles are not looked at.
//!
//! TRUST: faults leave the server. They name elements, never values.

mod codes;
mod reference;
#[cfg(test)]
mod tests;
mod walk;

use alloc::string::String;
use alloc::vec::Vec;

use crate::json::Node;
use crate::outcome::{Issue, IssueCode, OperationOutcome};

/// LIMIT: how many faults are reported; a resource that has more is beyond reading.
pub const FAULTS_MAX: usize = 50;

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $variant:ident = $issue:ident, $detail:literal, $text:literal;)+) => {
        /// What is wrong with an element.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind { $($(#[$doc])* $variant,)+ }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The FHIR issue type.
            pub fn issue_code(self) -> IssueCode {
                match self { $(Self::$variant => IssueCode::$issue,)+ }
            }

            /// The stable code.
            pub fn detail(self) -> &'static str {
                match self { $(Self::$variant => $detail,)+ }
            }

            /// One sentence for developers.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

fault_kinds! {
    /// No object, or its `resourceType` is none of R4.
    NotAResource = Structure, "not-a-resource", "a resource is an object with a `resourceType` of FHIR R4";
    /// R4 does not know this element here.
    UnknownElement = Structure, "unknown-element", "unknown element";
    /// A required element is not there.
    Missing = Required, "missing-element", "required element is missing";
    /// There may be several values, so JSON needs an array.
    NotAnArray = Structure, "not-an-array", "this element is an array in JSON";
    /// There may be one value only.
    AnArray = Structure, "unexpected-array", "this element has at most one value";
    /// An array without items.
    EmptyArray = Structure, "empty-array", "an array may not be empty";
    /// An object without content (`ele-1`).
    EmptyObject = Invariant, "empty-element", "an element must have a value or children";
    /// `null` where JSON has no use for it.
    Null = Structure, "null-value", "null is allowed only beside the extensions of list items";
    /// String, number, boolean or object in the place of another.
    WrongJsonType = Structure, "wrong-json-type", "the value has the wrong JSON type";
    /// The value does not have the format of its type.
    BadFormat = Value, "bad-format", "the value does not have the format of its data type";
    /// The code is not in the value set of a required binding.
    BadCode = CodeInvalid, "bad-code", "the code is not in the required value set";
    /// More than one of the forms of a choice element.
    TwoChoices = Structure, "two-choices", "only one form of a choice element may be given";
    /// The extensions of a list of primitives do not match the list.
    UnmatchedExtensions = Structure, "unmatched-extensions", "values and their extensions must be lists of the same length";
    /// An extension has both a value and extensions, or neither (`ext-1`).
    BadExtension = Extension, "bad-extension", "an extension has either a value or extensions";
    /// The text of a reference has no form that R4 knows.
    BadReference = Value, "bad-reference", "the reference is not of a form that FHIR allows";
    /// The reference leads to a type that R4 does not allow here.
    WrongTarget = Value, "wrong-target", "the reference leads to a resource type that is not allowed here";
    /// A local reference to something that is not contained (`ref-1`).
    NotContained = Invariant, "not-contained", "the reference leads to a contained resource that does not exist";
    /// A contained resource has no id.
    ContainedWithoutId = Required, "contained-without-id", "a contained resource needs an id";
    /// Two contained resources have the same id.
    ContainedTwice = Invariant, "contained-twice", "two contained resources have the same id";
    /// A contained resource contains another (`dom-2`).
    NestedContained = Invariant, "nested-contained", "a contained resource may not contain others";
    /// Nothing refers to a contained resource (`dom-3`).
    Unreferenced = Invariant, "unreferenced", "a contained resource must be referred to";
    /// A contained resource has version fields (`dom-4`).
    ContainedVersion = Invariant, "contained-version", "a contained resource has no version of its own";
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// Which element, such as `Observation.component[0].code`.
    pub path: String,
}

impl Fault {
    /// One sentence for developers.
    pub fn text(&self) -> &'static str {
        self.kind.text()
    }

    /// The fault as an issue.
    pub fn issue(&self) -> Issue {
        Issue::error(self.kind.issue_code(), self.text())
            .with_detail(self.kind.detail())
            .at(self.path.clone())
    }
}

/// Validates a resource. An empty list means that it is valid.
pub fn validate(resource: Node<'_>) -> Vec<Fault> {
    let mut walk = walk::Walk::new(resource);
    walk.resource(resource, walk::Place::Root);
    walk.into_faults()
}

/// The body of an answer that lists the faults; that all is well if there are none.
pub fn outcome(faults: &[Fault]) -> OperationOutcome {
    OperationOutcome::from_issues(faults.iter().map(Fault::issue).collect())
}

/// The HTTP status of refusing a write with these faults: 400 when the body is not even a FHIR
/// resource, 422 when it is one that breaks R4's rules (FHIR R4 http.html#create).
pub fn status(faults: &[Fault]) -> u16 {
    let is_structure = |fault: &Fault| fault.kind.issue_code() == IssueCode::Structure;
    if faults.iter().any(is_structure) { 400 } else { 422 }
}
