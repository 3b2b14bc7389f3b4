//! JSON Patch (RFC 6902) and FHIRPath Patch, applied to a resource whose other bytes stay.
//!
//! Operations work one after the other, all or nothing. What FHIR adds: the result must still be
//! the same resource (same type, same id), and it is for the caller to validate it.

mod fhir;
mod pointer;
#[cfg(test)]
mod tests;

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use fhir::FhirOperation;
use pointer::Pointer;
use proviso_core::resource_type::ResourceType;

use crate::json::edit::{Edit, EditedError};
use crate::json::write::string_text;
use crate::json::{Doc, JsonError, Kind, Node};
use crate::outcome::{Issue, IssueCode, OperationOutcome};

/// LIMIT: operations in one patch. Each one costs a pass over the resource.
pub const OPERATIONS_MAX: usize = 100;

/// LIMIT: bytes of the resource after each operation: 4 MiB, as much as a body may have. A few
/// operations that each copy what the last one made would otherwise double it until memory ends.
/// A resource that is larger already may stay so, but no operation makes it larger still.
pub const RESULT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// LIMIT: bytes that all operations together pass over: 32 MiB. Each operation reads or rebuilds
/// the whole resource, so a short patch of a large resource is work out of all proportion. This
/// is enough for [`OPERATIONS_MAX`] operations on 300 KiB, or for eight on the largest resource.
pub const WORK_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why an operation fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationFault {
    /// `op`, `path`, `from` or `value` is missing or of the wrong kind.
    Malformed,
    /// `path` or `from` is no JSON Pointer (RFC 6901), or no path of the subset of FHIRPath.
    BadPointer,
    /// There is nothing at `path` or `from`.
    NoSuchPath,
    /// A `test` did not hold.
    TestFailed,
    /// A value would be moved into itself.
    IntoItself,
    /// The resource as a whole would be removed.
    RemovesResource,
    /// A path of a FHIRPath Patch leads to several elements.
    ManyMatches,
    /// A FHIRPath Patch adds what is there and may be there once.
    ThereAlready,
    /// A list whose values have extensions beside them is not changed in step.
    InStep,
    /// The result is not acceptable JSON, for example because it is too deep.
    BadResult(JsonError),
}

/// Why a patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The body is no list of operations.
    #[error("a JSON Patch is a list of operations, a FHIRPath Patch a Parameters resource")]
    NotAPatch,
    /// There are more operations than the limit.
    #[error("the patch has more than {OPERATIONS_MAX} operations")]
    TooManyOperations,
    /// One operation fails.
    #[error("operation {index}: {fault}")]
    Operation {
        /// Which, counting from 0.
        index: usize,
        /// Why.
        fault: OperationFault,
    },
    /// An operation would make the resource larger than the limit.
    #[error("the patch would make the resource larger than {RESULT_BYTES_MAX} bytes")]
    TooLarge,
    /// The operations together are more work than the limit.
    #[error("the patch has too many operations for a resource of this size")]
    TooCostly,
    /// `resourceType` or `id` would change.
    #[error("a patch may not change `resourceType` or `id`")]
    ChangesIdentity,
}

impl fmt::Display for OperationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "`op`, `path`, `from` or `value` is missing or malformed",
            Self::BadPointer => "not a JSON Pointer, or not a FHIRPath that is offered here",
            Self::NoSuchPath => "there is nothing at this path",
            Self::TestFailed => "the test did not hold",
            Self::IntoItself => "a value cannot be moved into itself",
            Self::RemovesResource => "the resource cannot be removed by a patch",
            Self::ManyMatches => "the path leads to more than one element",
            Self::ThereAlready => "there is something at this path already",
            Self::InStep => "the list has extensions beside its values; use a JSON Patch",
            Self::BadResult(_) => "the result is not acceptable JSON",
        })
    }
}

impl PatchError {
    /// HTTP status and body. A patch that is well formed but does not fit the resource is 422
    /// (RFC 5789 §2.2).
    pub fn to_response(&self) -> (u16, OperationOutcome) {
        let malformed = matches!(self, Self::Operation { fault, .. } if matches!(fault, OperationFault::Malformed | OperationFault::BadPointer));
        let (status, code, detail) = match self {
            Self::NotAPatch => (400, IssueCode::Structure, "not-a-patch"),
            Self::TooManyOperations => (413, IssueCode::TooLong, "too-many-operations"),
            Self::TooLarge => (413, IssueCode::TooLong, "result-too-large"),
            Self::TooCostly => (413, IssueCode::TooCostly, "patch-too-costly"),
            Self::Operation { .. } if malformed => (400, IssueCode::Invalid, "bad-operation"),
            Self::Operation { .. } => (422, IssueCode::Processing, "patch-failed"),
            Self::ChangesIdentity => (422, IssueCode::BusinessRule, "changes-identity"),
        };
        let issue = Issue::error(code, alloc::format!("{self}")).with_detail(detail);
        (status, issue.into())
    }
}

/// Why an operation is not carried out.
enum Halt {
    Fault(OperationFault),
    TooLarge,
    TooCostly,
}

impl From<OperationFault> for Halt {
    fn from(fault: OperationFault) -> Self {
        Self::Fault(fault)
    }
}

impl Halt {
    fn at(self, index: usize) -> PatchError {
        match self {
            Self::Fault(fault) => PatchError::Operation { index, fault },
            Self::TooLarge => PatchError::TooLarge,
            Self::TooCostly => PatchError::TooCostly,
        }
    }
}

/// What the operations may still cost.
struct Budget {
    /// The resource may have so many bytes after the operation at hand.
    bytes_max: usize,
    /// Bytes that may still be passed over.
    work_left: usize,
}

impl Budget {
    /// Takes the cost of a pass over a document, before it is made.
    fn pass(&mut self, doc: &Doc) -> Result<(), Halt> {
        self.work_left = self.work_left.checked_sub(doc.bytes().len()).ok_or(Halt::TooCostly)?;
        Ok(())
    }

    /// Takes the cost of a document that has `removed` bytes less and `added` bytes more, before
    /// any of it is built.
    fn build(&mut self, doc: &Doc, removed: usize, added: usize) -> Result<(), Halt> {
        let before = doc.bytes().len();
        let after = before.saturating_sub(removed).saturating_add(added);
        if after > self.bytes_max {
            return Err(Halt::TooLarge);
        }
        self.work_left = self.work_left.checked_sub(before.max(after)).ok_or(Halt::TooCostly)?;
        Ok(())
    }
}

/// One operation.
#[derive(Debug, Clone)]
enum Operation<'a> {
    Add(Pointer, Node<'a>),
    Remove(Pointer),
    Replace(Pointer, Node<'a>),
    Move { from: Pointer, path: Pointer },
    Copy { from: Pointer, path: Pointer },
    Test(Pointer, Node<'a>),
    Fhir(FhirOperation<'a>),
}

/// A patch that has been read.
#[derive(Debug, Clone)]
pub struct Patch<'a> {
    operations: Vec<Operation<'a>>,
}

impl<'a> Patch<'a> {
    /// Reads a patch.
    ///
    /// # Errors
    /// When it is no list of operations, or one of them is malformed.
    pub fn read(doc: &'a Doc) -> Result<Self, PatchError> {
        if doc.resource_type() == Some(ResourceType::PARAMETERS) {
            let operations = fhir::read(doc.root())?.into_iter().map(Operation::Fhir).collect();
            return Ok(Self { operations });
        }
        if !doc.root().is_array() {
            return Err(PatchError::NotAPatch);
        }
        let mut operations = Vec::new();
        for (index, node) in doc.root().items().enumerate() {
            if index == OPERATIONS_MAX {
                return Err(PatchError::TooManyOperations);
            }
            let operation =
                read_operation(node).map_err(|fault| PatchError::Operation { index, fault })?;
            operations.push(operation);
        }
        Ok(Self { operations })
    }

    /// Applies all operations, or none.
    ///
    /// # Errors
    /// The first operation that fails, a change of the resource's identity, or more bytes or work
    /// than the limits.
    pub fn apply(&self, resource: &Doc) -> Result<Doc, PatchError> {
        let mut current = Cow::Borrowed(resource);
        let mut budget = Budget { bytes_max: 0, work_left: WORK_BYTES_MAX };
        for (index, operation) in self.operations.iter().enumerate() {
            budget.bytes_max = RESULT_BYTES_MAX.max(current.bytes().len());
            let next = apply(operation, &current, &mut budget).map_err(|halt| halt.at(index))?;
            if let Some(next) = next {
                current = Cow::Owned(next);
            }
        }
        let identity = |doc: &Doc| (doc.resource_type(), doc.id());
        if identity(&current) == identity(resource) {
            Ok(current.into_owned())
        } else {
            Err(PatchError::ChangesIdentity)
        }
    }
}

fn read_operation(node: Node<'_>) -> Result<Operation<'_>, OperationFault> {
    let pointer = |key: &str| {
        let text = node.get(key).and_then(Node::as_str).ok_or(OperationFault::Malformed)?;
        Pointer::parse(&text).ok_or(OperationFault::BadPointer)
    };
    let value = || node.get("value").ok_or(OperationFault::Malformed);
    let name = node.get("op").and_then(Node::as_str).ok_or(OperationFault::Malformed)?;
    Ok(match name.as_ref() {
        "add" => Operation::Add(pointer("path")?, value()?),
        "remove" => Operation::Remove(pointer("path")?),
        "replace" => Operation::Replace(pointer("path")?, value()?),
        "move" => Operation::Move { from: pointer("from")?, path: pointer("path")? },
        "copy" => Operation::Copy { from: pointer("from")?, path: pointer("path")? },
        "test" => Operation::Test(pointer("path")?, value()?),
        _ => return Err(OperationFault::Malformed),
    })
}

/// Applies one operation; `None` when it changes nothing.
fn apply(operation: &Operation<'_>, doc: &Doc, budget: &mut Budget) -> Result<Option<Doc>, Halt> {
    let at = |pointer: &Pointer| pointer.find(doc.root()).ok_or(OperationFault::NoSuchPath);
    match operation {
        Operation::Add(path, value) => add(doc, path, value.raw(), budget).map(Some),
        Operation::Remove(path) => remove(doc, path, budget).map(Some),
        Operation::Replace(path, value) => replace(doc, path, value.raw(), budget).map(Some),
        Operation::Move { from, path } => {
            let value = at(from)?.raw();
            if path == from {
                return budget.pass(doc).map(|()| None);
            }
            if from.is_prefix_of(path) {
                return Err(OperationFault::IntoItself.into());
            }
            // RFC 6902 §4.4: as a remove, followed by an add of what was removed.
            add(&remove(doc, from, budget)?, path, value, budget).map(Some)
        }
        Operation::Copy { from, path } => add(doc, path, at(from)?.raw(), budget).map(Some),
        Operation::Test(path, value) => {
            budget.pass(doc)?;
            if equal(at(path)?, *value) { Ok(None) } else { Err(OperationFault::TestFailed.into()) }
        }
        Operation::Fhir(operation) => operation.apply(doc, budget),
    }
}

fn finish(edit: Edit<'_>) -> Result<Doc, Halt> {
    edit.finish_doc().map_err(|error| match error {
        EditedError::Edit(_) => OperationFault::NoSuchPath.into(),
        EditedError::Json(error) => OperationFault::BadResult(error).into(),
    })
}

fn replace(doc: &Doc, path: &Pointer, json: &[u8], budget: &mut Budget) -> Result<Doc, Halt> {
    let replaced = path.find(doc.root()).ok_or(OperationFault::NoSuchPath)?;
    budget.build(doc, replaced.raw().len(), json.len())?;
    let mut edit = Edit::new(doc);
    edit.replace(replaced, json);
    finish(edit)
}

fn remove(doc: &Doc, path: &Pointer, budget: &mut Budget) -> Result<Doc, Halt> {
    if path.is_root() {
        return Err(OperationFault::RemovesResource.into());
    }
    budget.pass(doc)?;
    let mut edit = Edit::new(doc);
    edit.remove(path.find(doc.root()).ok_or(OperationFault::NoSuchPath)?);
    finish(edit)
}

/// RFC 6902 §4.1.
fn add(doc: &Doc, path: &Pointer, json: &[u8], budget: &mut Budget) -> Result<Doc, Halt> {
    let mut edit = Edit::new(doc);
    let Some((parent, last)) = path.split_last() else {
        budget.build(doc, doc.root().raw().len(), json.len())?;
        edit.replace(doc.root(), json);
        return finish(edit);
    };
    let parent = parent.find(doc.root()).ok_or(OperationFault::NoSuchPath)?;
    let comma = usize::from(!parent.is_empty());
    match parent.kind() {
        Kind::Object => {
            let (removed, added) = match parent.get(last) {
                Some(member) => (member.raw().len(), json.len()),
                None => (0, comma + string_text(last).len() + ":".len() + json.len()),
            };
            budget.build(doc, removed, added)?;
            edit.set(parent, last, json);
        }
        Kind::Array => {
            let position = match last {
                "-" => Some(parent.len()),
                _ => pointer::index(last).filter(|position| *position <= parent.len()),
            };
            let position = position.ok_or(OperationFault::NoSuchPath)?;
            budget.build(doc, 0, comma + json.len())?;
            edit.insert_item(parent, position, json);
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => {
            return Err(OperationFault::NoSuchPath.into());
        }
    }
    finish(edit)
}

/// RFC 6902 §4.6: members in any order, numbers by their numeric value.
fn equal(one: Node<'_>, other: Node<'_>) -> bool {
    match (one.kind(), other.kind()) {
        (Kind::Object, Kind::Object) => {
            // Looked up in a map: one by one, two objects of many members would take for ever.
            let others: BTreeMap<_, _> = other.entries().collect();
            one.len() == other.len()
                && one.entries().all(|(key, value)| {
                    others.get(key).is_some_and(|counterpart| equal(value, *counterpart))
                })
        }
        (Kind::Array, Kind::Array) => {
            one.len() == other.len() && one.items().zip(other.items()).all(|(a, b)| equal(a, b))
        }
        (Kind::String, Kind::String) => one.as_str() == other.as_str(),
        (Kind::Number, Kind::Number) => {
            one.number_text().map(numeric) == other.number_text().map(numeric)
        }
        (Kind::Bool, Kind::Bool) => one.as_bool() == other.as_bool(),
        (Kind::Null, Kind::Null) => true,
        _ => false,
    }
}

/// A number as sign, digits without zeros at either end, and the power of ten of the last digit.
fn numeric(text: &str) -> (bool, Vec<u8>, i128) {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let fraction = i128::try_from(fraction.len()).unwrap_or(0);
    // The reader bounds the length of numbers, so an exponent fits by far or is saturated alike.
    let mut power = exponent
        .parse::<i128>()
        .unwrap_or(if exponent.starts_with('-') { i128::MIN / 2 } else { i128::MAX / 2 })
        .saturating_sub(fraction);
    while digits.last() == Some(&b'0') {
        digits.pop();
        power = power.saturating_add(1);
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..zeros);
    if digits.is_empty() { (false, digits, 0) } else { (negative, digits, power) }
}
