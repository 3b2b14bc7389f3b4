//! FHIRPath Patch: operations as a Parameters resource, each at a path.
//!
//! Source: FHIR R4 fhirpatch.html. Paths are of the subset in which HL7 writes its search parameters:
//! elements, positions, `first()`, `where(element = 'text')`, `extension(url)`, `ofType(type)`.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

use super::pointer::Pointer;
use super::{Budget, Halt, OPERATIONS_MAX, OperationFault, PatchError, add, remove, replace};
use crate::json::write::string_text;
use crate::json::{Doc, Node};
use crate::search::elements_at;
use crate::spec::{self, Element, Shape};

/// LIMIT: characters of a path. They are read by a parser that goes down into brackets.
const PATH_MAX: usize = 300;

/// One operation.
#[derive(Debug, Clone)]
pub(super) struct FhirOperation<'a> {
    path: Cow<'a, str>,
    change: Change<'a>,
}

#[derive(Debug, Clone)]
enum Change<'a> {
    Add { name: Cow<'a, str>, value: Given<'a> },
    Insert { index: usize, value: Given<'a> },
    Delete,
    Replace { value: Given<'a> },
    Move { from: usize, to: usize },
}

/// A value as an operation gives it.
#[derive(Debug, Clone, Copy)]
enum Given<'a> {
    /// `value[x]`: the name of the type as the key ends in it, the value, and what is beside it.
    Typed { ends: &'a str, value: Option<Node<'a>>, beside: Option<Node<'a>> },
    /// An element that has no type of its own, by its parts.
    Parts(Node<'a>),
}

/// Reads the operations of a Parameters resource.
pub(super) fn read(root: Node<'_>) -> Result<Vec<FhirOperation<'_>>, PatchError> {
    let mut operations = Vec::new();
    for (index, node) in root.get("parameter").into_iter().flat_map(Node::items).enumerate() {
        if index == OPERATIONS_MAX {
            return Err(PatchError::TooManyOperations);
        }
        let fault = OperationFault::Malformed;
        let operation = operation(node).ok_or(PatchError::Operation { index, fault })?;
        operations.push(operation);
    }
    Ok(operations)
}

fn operation(node: Node<'_>) -> Option<FhirOperation<'_>> {
    if node.get("name")?.as_str()? != "operation" {
        return None;
    }
    let part = |name: &str| {
        let mut all = node.get("part").into_iter().flat_map(Node::items);
        all.find(|part| part.get("name").and_then(Node::as_str).as_deref() == Some(name))
    };
    let text = |name: &str, key: &str| part(name)?.get(key)?.as_str();
    let number = |name: &str| part(name)?.get("valueInteger")?.number_text()?.parse().ok();
    let value = || given(part("value")?);
    let change = match text("type", "valueCode")?.as_ref() {
        "add" => Change::Add { name: text("name", "valueString")?, value: value()? },
        "insert" => Change::Insert { index: number("index")?, value: value()? },
        "delete" => Change::Delete,
        "replace" => Change::Replace { value: value()? },
        "move" => Change::Move { from: number("source")?, to: number("destination")? },
        _ => return None,
    };
    Some(FhirOperation { path: text("path", "valueString")?, change })
}

/// The value of a parameter: exactly one of `value[x]` and `part`.
fn given(parameter: Node<'_>) -> Option<Given<'_>> {
    let typed = |prefix: &str| {
        parameter.entries().find_map(|(key, node)| Some((key.strip_prefix(prefix)?, node)))
    };
    match (typed("value"), typed("_value"), parameter.get("part")) {
        (Some((ends, value)), None, None) => {
            Some(Given::Typed { ends, value: Some(value), beside: None })
        }
        (Some((ends, value)), Some((same, beside)), None) if ends == same => {
            Some(Given::Typed { ends, value: Some(value), beside: Some(beside) })
        }
        (None, Some((ends, beside)), None) => {
            Some(Given::Typed { ends, value: None, beside: Some(beside) })
        }
        (None, None, Some(parts)) => Some(Given::Parts(parts)),
        _ => None,
    }
}

impl FhirOperation<'_> {
    /// Carries the operation out; `None` when it changes nothing.
    pub(super) fn apply(&self, doc: &Doc, budget: &mut Budget) -> Result<Option<Doc>, Halt> {
        // One path, and no union of many: each step looks through what the one before found.
        if self.path.len() > PATH_MAX || self.path.contains('|') {
            return Err(OperationFault::BadPointer.into());
        }
        for _ in self.path.split('.') {
            budget.pass(doc)?;
        }
        let found = elements_at(doc.root(), &self.path).ok_or(OperationFault::BadPointer)?;
        match &self.change {
            Change::Add { name, value } => add_to(doc, only(&found)?, name, *value, budget),
            Change::Insert { index, value } => {
                let list = list_of(&found)?;
                let shape = shape_at(list);
                let item = json_of(*value, shape)?;
                add(doc, &Pointer::of(list).then(*index), item.as_bytes(), budget).map(Some)
            }
            Change::Delete => match found.as_slice() {
                [] => Ok(None),
                _ => delete(doc, only(&found)?, budget).map(Some),
            },
            Change::Replace { value } => change(doc, only(&found)?, *value, budget).map(Some),
            Change::Move { from, to } => {
                let list = list_of(&found)?;
                let item = list.items().nth(*from).ok_or(OperationFault::NoSuchPath)?;
                if from == to {
                    return Ok(None);
                }
                let at = Pointer::of(list);
                let left = remove(doc, &at.then(*from), budget)?;
                add(&left, &at.then(*to), item.raw(), budget).map(Some)
            }
        }
    }
}

fn only<'a>(found: &[Node<'a>]) -> Result<Node<'a>, OperationFault> {
    match found {
        [one] => Ok(*one),
        [] => Err(OperationFault::NoSuchPath),
        _ => Err(OperationFault::ManyMatches),
    }
}

/// The list that all of these are items of. Values that have extensions beside them are kept in two
/// lists, which are not changed in step here.
fn list_of<'a>(items: &[Node<'a>]) -> Result<Node<'a>, OperationFault> {
    let first = items.first().ok_or(OperationFault::NoSuchPath)?;
    let list = first.parent().filter(|parent| parent.is_array());
    let list = list.ok_or(OperationFault::NoSuchPath)?;
    let all = items.iter().all(|item| item.parent().map(Node::index) == Some(list.index()));
    if !all || items.len() != list.len() {
        return Err(OperationFault::NoSuchPath);
    }
    if beside(list).is_some() { Err(OperationFault::InStep) } else { Ok(list) }
}

/// What is beside a value: the member of the same name behind an underscore.
fn beside(node: Node<'_>) -> Option<Node<'_>> {
    let mut name = String::from("_");
    name.push_str(node.key()?);
    node.parent()?.get(&name)
}

/// Puts a value into an element, under a name: as a new item where there may be several.
fn add_to(
    doc: &Doc,
    parent: Node<'_>,
    name: &str,
    value: Given<'_>,
    budget: &mut Budget,
) -> Result<Option<Doc>, Halt> {
    let shape = shape_at(parent).ok_or(OperationFault::NoSuchPath)?;
    let element = named(shape, name).ok_or(OperationFault::NoSuchPath)?;
    let key = key_of(element, value)?;
    let child = child_shape(element, &key);
    let at = Pointer::of(parent).then_name(&key);
    if element.is_many() {
        let item = json_of(value, child)?;
        return match parent.get(&key) {
            Some(list) if beside(list).is_some() => Err(OperationFault::InStep.into()),
            Some(list) => add(doc, &at.then(list.len()), item.as_bytes(), budget).map(Some),
            None => {
                let list = alloc::format!("[{item}]");
                add(doc, &at, list.as_bytes(), budget).map(Some)
            }
        };
    }
    if present(parent, element) {
        return Err(OperationFault::ThereAlready.into());
    }
    put(doc, parent, &key, value, child, budget).map(Some)
}

/// Whether an element has a value, of whatever type, or something in place of one.
fn present(parent: Node<'_>, element: &Element) -> bool {
    parent.entries().any(|(key, _)| {
        let key = key.strip_prefix('_').unwrap_or(key);
        key == element.name() || element.is_choice() && key.starts_with(element.name())
    })
}

/// Sets a member and what is beside it.
fn put(
    doc: &Doc,
    parent: Node<'_>,
    key: &str,
    value: Given<'_>,
    shape: Option<&'static Shape>,
    budget: &mut Budget,
) -> Result<Doc, Halt> {
    let at = Pointer::of(parent);
    let with_beside = |doc: &Doc, node: Node<'_>, budget: &mut Budget| {
        let mut name = String::from("_");
        name.push_str(key);
        add(doc, &at.then_name(&name), node.raw(), budget)
    };
    match value {
        Given::Typed { value: None, beside: Some(beside), .. } => with_beside(doc, beside, budget),
        Given::Typed { beside: Some(beside), .. } => {
            let json = json_of(value, shape)?;
            let next = add(doc, &at.then_name(key), json.as_bytes(), budget)?;
            with_beside(&next, beside, budget)
        }
        Given::Typed { .. } | Given::Parts(_) => {
            let json = json_of(value, shape)?;
            add(doc, &at.then_name(key), json.as_bytes(), budget)
        }
    }
}

/// Takes an element out, with what is beside it. FHIR has no empty elements and lists, so what would be
/// one goes as well.
fn delete(doc: &Doc, node: Node<'_>, budget: &mut Budget) -> Result<Doc, Halt> {
    let mut gone = node;
    while let Some(parent) = gone.parent() {
        if parent.is_array() && beside(parent).is_some() {
            return Err(OperationFault::InStep.into());
        }
        let members = parent.len() - usize::from(beside(gone).is_some());
        if members > 1 || parent.parent().is_none() {
            break;
        }
        gone = parent;
    }
    take_out(doc, gone, budget)
}

/// Takes an element out, with what is beside it, and nothing else.
fn take_out(doc: &Doc, node: Node<'_>, budget: &mut Budget) -> Result<Doc, Halt> {
    let at = Pointer::of(node);
    match beside(node) {
        Some(beside) => {
            let left = remove(doc, &Pointer::of(beside), budget)?;
            remove(&left, &at, budget)
        }
        None => remove(doc, &at, budget),
    }
}

/// Puts a value in the place of an element; that of a choice may be of another type.
fn change(doc: &Doc, node: Node<'_>, value: Given<'_>, budget: &mut Budget) -> Result<Doc, Halt> {
    let parent = node.parent().ok_or(OperationFault::RemovesResource)?;
    if parent.is_array() {
        if beside(parent).is_some() {
            return Err(OperationFault::InStep.into());
        }
        let json = json_of(value, shape_at(node))?;
        return replace(doc, &Pointer::of(node), json.as_bytes(), budget);
    }
    let own = node.key().ok_or(OperationFault::NoSuchPath)?;
    let shape = shape_at(parent).ok_or(OperationFault::NoSuchPath)?;
    let element = shape.member(own).ok_or(OperationFault::NoSuchPath)?.element;
    let key = key_of(element, value)?;
    if key == own
        && beside(node).is_none()
        && !matches!(value, Given::Typed { beside: Some(_), .. })
    {
        let json = json_of(value, child_shape(element, &key))?;
        return replace(doc, &Pointer::of(node), json.as_bytes(), budget);
    }
    let left = take_out(doc, node, budget)?;
    let parent = Pointer::of(parent).find(left.root()).ok_or(OperationFault::NoSuchPath)?;
    put(&left, parent, &key, value, child_shape(element, &key), budget)
}

/// The element of a shape, by its name without a type.
fn named(shape: &'static Shape, name: &str) -> Option<&'static Element> {
    shape.elements().find(|element| element.name() == name)
}

/// The key under which JSON has a value of an element.
fn key_of(element: &Element, value: Given<'_>) -> Result<String, OperationFault> {
    let mut key = element.name().to_owned();
    match value {
        Given::Typed { ends, .. } if element.is_choice() => key.push_str(ends),
        Given::Parts(_) if element.is_choice() => return Err(OperationFault::Malformed),
        Given::Typed { .. } | Given::Parts(_) => {}
    }
    Ok(key)
}

fn child_shape(element: &'static Element, key: &str) -> Option<&'static Shape> {
    if element.is_choice() {
        return None;
    }
    debug_assert_eq!(element.name(), key);
    element.types().first()?.shape()
}

/// What a value looks like in JSON.
fn json_of(value: Given<'_>, shape: Option<&'static Shape>) -> Result<String, OperationFault> {
    match value {
        Given::Typed { value: Some(value), .. } => Ok(value.raw_text().to_owned()),
        Given::Typed { value: None, .. } => Err(OperationFault::Malformed),
        Given::Parts(parts) => object(parts, shape.ok_or(OperationFault::Malformed)?),
    }
}

/// An element by its parts, each under the name of a child.
fn object(parts: Node<'_>, shape: &'static Shape) -> Result<String, OperationFault> {
    let mut members: Vec<(String, bool, Vec<String>)> = Vec::new();
    for part in parts.items() {
        let name = part.get("name").and_then(Node::as_str).ok_or(OperationFault::Malformed)?;
        let value = given(part).ok_or(OperationFault::Malformed)?;
        let element = named(shape, &name).ok_or(OperationFault::Malformed)?;
        let key = key_of(element, value)?;
        let json = json_of(value, child_shape(element, &key))?;
        match members.iter_mut().find(|(known, ..)| *known == key) {
            Some((_, true, values)) => values.push(json),
            Some((_, false, _)) => return Err(OperationFault::Malformed),
            None => members.push((key, element.is_many(), Vec::from([json]))),
        }
    }
    let members: Vec<String> = members
        .into_iter()
        .map(|(key, many, values)| {
            let value = values.join(",");
            let value = if many { alloc::format!("[{value}]") } else { value };
            alloc::format!("{}:{value}", string_text(&key))
        })
        .collect();
    Ok(alloc::format!("{{{}}}", members.join(",")))
}

/// The shape of an object, or of the items of a list.
fn shape_at(node: Node<'_>) -> Option<&'static Shape> {
    if let Some(resource_type) = node.resource_type() {
        return spec::shape_of(resource_type);
    }
    let parent = node.parent()?;
    if parent.is_array() {
        return shape_at(parent);
    }
    shape_at(parent)?.member(node.key()?)?.element_type.shape()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::super::Patch;
    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"use":"official","family":"Ash","given":["Ann","Bea"]},{"use":"usual","given":["Annie"]}],"birthDate":"1980-01-01","_birthDate":{"extension":[{"url":"u","valueString":"x"}]},"contact":[{"gender":"female"}],"deceasedBoolean":false,"telecom":[{"system":"phone","value":"1"}]}"#;

    fn part(name: &str, value: &str) -> String {
        alloc::format!(r#"{{"name":"{name}",{value}}}"#)
    }

    /// An operation by its type, path and other parts.
    type Line<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

    fn patched(resource: &str, operations: &[Line<'_>]) -> Result<String, String> {
        let all: Vec<String> = operations
            .iter()
            .map(|(kind, path, more)| {
                let mut parts = Vec::from([
                    part("type", &alloc::format!(r#""valueCode":"{kind}""#)),
                    part("path", &alloc::format!(r#""valueString":{}"#, string_text(path))),
                ]);
                parts.extend(more.iter().map(|(name, value)| part(name, value)));
                alloc::format!(r#"{{"name":"operation","part":[{}]}}"#, parts.join(","))
            })
            .collect();
        let text =
            alloc::format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, all.join(","));
        let patch = Doc::parse(text.into_bytes()).unwrap();
        let resource = Doc::parse(resource.as_bytes().to_vec()).unwrap();
        Patch::read(&patch)
            .and_then(|patch| patch.apply(&resource))
            .map(|doc| doc.text().to_owned())
            .map_err(|error| error.to_string())
    }

    fn one(kind: &str, path: &str, more: &[(&str, &str)]) -> Result<String, String> {
        patched(PATIENT, &[(kind, path, more)])
    }

    /// What becomes of the patient: the text that is replaced, and by what.
    #[expect(clippy::needless_pass_by_value, reason = "each is looked at once")]
    fn becomes(done: Result<String, String>, before: &str, after: &str) {
        assert!(PATIENT.contains(before), "{before}");
        assert_eq!(done.as_deref(), Ok(PATIENT.replacen(before, after, 1).as_str()));
    }

    // Covers: FHIR R4 fhirpatch.html: add
    #[test]
    fn something_is_added_as_a_new_item_or_where_nothing_is() {
        let text = (r"value", r#""valueString":"Cleo""#);
        let name = |name: &'static str| ("name", name);
        becomes(
            one("add", "Patient.name[0]", &[name(r#""valueString":"given""#), text]),
            r#""Bea"]"#,
            r#""Bea","Cleo"]"#,
        );
        becomes(
            one(
                "add",
                "Patient.name.where(use = 'usual')",
                &[name(r#""valueString":"suffix""#), text],
            ),
            r#"["Annie"]}"#,
            r#"["Annie"],"suffix":["Cleo"]}"#,
        );
        becomes(
            one(
                "add",
                "Patient",
                &[name(r#""valueString":"gender""#), ("value", r#""valueCode":"female""#)],
            ),
            r#""value":"1"}]}"#,
            r#""value":"1"}],"gender":"female"}"#,
        );
        becomes(
            one(
                "add",
                "Patient",
                &[
                    name(r#""valueString":"contact""#),
                    (
                        "value",
                        r#""part":[
                {"name":"name","valueHumanName":{"text":"Kin"}},
                {"name":"relationship","valueCodeableConcept":{"text":"a"}},
                {"name":"relationship","valueCodeableConcept":{"text":"b"}}]"#,
                    ),
                ],
            ),
            r#"{"gender":"female"}]"#,
            r#"{"gender":"female"},{"name":{"text":"Kin"},"relationship":[{"text":"a"},{"text":"b"}]}]"#,
        );
        becomes(
            one(
                "add",
                "Patient",
                &[
                    name(r#""valueString":"extension""#),
                    ("value", r#""valueExtension":{"url":"v","valueCode":"c"}"#),
                ],
            ),
            r#""value":"1"}]}"#,
            r#""value":"1"}],"extension":[{"url":"v","valueCode":"c"}]}"#,
        );
    }

    #[test]
    fn nothing_is_added_where_it_does_not_belong_or_something_is() {
        for (path, name, value, told) in [
            (
                "Patient",
                r#""valueString":"active""#,
                r#""valueBoolean":true"#,
                "there is something",
            ),
            (
                "Patient",
                r#""valueString":"deceased""#,
                r#""valueBoolean":true"#,
                "there is something",
            ),
            (
                "Patient",
                r#""valueString":"nothing""#,
                r#""valueBoolean":true"#,
                "nothing at this path",
            ),
            (
                "Patient.photo",
                r#""valueString":"url""#,
                r#""valueUrl":"u""#,
                "nothing at this path",
            ),
            ("Patient.name", r#""valueString":"text""#, r#""valueString":"t""#, "more than one"),
        ] {
            let refused = one("add", path, &[("name", name), ("value", value)]).unwrap_err();
            assert!(refused.contains(told), "{path} {name}: {refused}");
        }
    }

    // Covers: FHIR R4 fhirpatch.html: insert, move
    #[test]
    fn items_are_inserted_and_moved_within_their_list() {
        let value = ("value", r#""valueString":"Cleo""#);
        for (index, after) in [
            (r#""valueInteger":0"#, r#"["Cleo","Ann","Bea"]"#),
            (r#""valueInteger":1"#, r#"["Ann","Cleo","Bea"]"#),
            (r#""valueInteger":2"#, r#"["Ann","Bea","Cleo"]"#),
        ] {
            let done = one("insert", "Patient.name[0].given", &[("index", index), value]);
            becomes(done, r#"["Ann","Bea"]"#, after);
        }
        let ends = [("source", r#""valueInteger":0"#), ("destination", r#""valueInteger":1"#)];
        becomes(
            one("move", "Patient.name[0].given", &ends),
            r#"["Ann","Bea"]"#,
            r#"["Bea","Ann"]"#,
        );
        let nowhere = [("source", r#""valueInteger":1"#), ("destination", r#""valueInteger":1"#)];
        becomes(one("move", "Patient.name[0].given", &nowhere), "Ann", "Ann");
        for (kind, more) in [
            ("insert", [("index", r#""valueInteger":3"#), value]),
            ("move", [("source", r#""valueInteger":2"#), ("destination", r#""valueInteger":0"#)]),
            ("move", [("source", r#""valueInteger":0"#), ("destination", r#""valueInteger":2"#)]),
        ] {
            let refused = one(kind, "Patient.name[0].given", &more).unwrap_err();
            assert!(refused.contains("nothing at this path"), "{kind}: {refused}");
        }
        // A place among some of the items only would be another place among all of them.
        let some = one(
            "insert",
            "Patient.name.where(use = 'usual')",
            &[("index", r#""valueInteger":0"#), ("value", r#""valueHumanName":{"text":"x"}"#)],
        );
        assert!(some.is_err());
    }

    // Covers: FHIR R4 fhirpatch.html: delete
    #[test]
    fn what_is_deleted_takes_along_what_is_beside_it_and_leaves_no_empty_list() {
        becomes(one("delete", "Patient.active", &[]), r#""active":true,"#, "");
        becomes(
            one("delete", "Patient.birthDate", &[]),
            r#""birthDate":"1980-01-01","_birthDate":{"extension":[{"url":"u","valueString":"x"}]},"#,
            "",
        );
        becomes(one("delete", "Patient.contact", &[]), r#""contact":[{"gender":"female"}],"#, "");
        becomes(one("delete", "Patient.name[0].given[1]", &[]), r#","Bea""#, "");
        becomes(one("delete", "Patient.deceased", &[]), r#""deceasedBoolean":false,"#, "");
        becomes(one("delete", "Patient.photo", &[]), "", "");
        let many = one("delete", "Patient.name", &[]).unwrap_err();
        assert!(many.contains("more than one"), "{many}");
        for path in ["Patient", "Patient.id", "Patient.resourceType"] {
            assert!(one("delete", path, &[]).is_err(), "{path}");
        }
    }

    // Covers: FHIR R4 fhirpatch.html: replace
    #[test]
    fn one_value_is_replaced_by_another_of_the_same_or_another_type() {
        let value = |text: &'static str| [("value", text)];
        becomes(
            one("replace", "Patient.active", &value(r#""valueBoolean":false"#)),
            "true",
            "false",
        );
        becomes(
            one("replace", "Patient.name[1].given[0]", &value(r#""valueString":"Nan""#)),
            "Annie",
            "Nan",
        );
        becomes(
            one(
                "replace",
                "Patient.telecom.where(system = 'phone').value",
                &value(r#""valueString":"2""#),
            ),
            r#""value":"1""#,
            r#""value":"2""#,
        );
        becomes(
            one("replace", "Patient.deceased", &value(r#""valueDateTime":"2026""#)),
            r#""deceasedBoolean":false,"telecom":[{"system":"phone","value":"1"}]"#,
            r#""telecom":[{"system":"phone","value":"1"}],"deceasedDateTime":"2026""#,
        );
        // What was said beside the old value is not said of the new one.
        becomes(
            one("replace", "Patient.birthDate", &value(r#""valueDate":"1981-02-02""#)),
            r#""birthDate":"1980-01-01","_birthDate":{"extension":[{"url":"u","valueString":"x"}]},"contact":[{"gender":"female"}],"deceasedBoolean":false,"telecom":[{"system":"phone","value":"1"}]"#,
            r#""contact":[{"gender":"female"}],"deceasedBoolean":false,"telecom":[{"system":"phone","value":"1"}],"birthDate":"1981-02-02""#,
        );
        for (path, value) in [
            ("Patient.photo", r#""valueAttachment":{}"#),
            ("Patient.name", r#""valueHumanName":{}"#),
            ("Patient", r#""valueString":"x""#),
            ("Patient.id", r#""valueId":"b""#),
        ] {
            assert!(one("replace", path, &[("value", value)]).is_err(), "{path}");
        }
    }

    /// Lists by their letters, and the moves within them.
    // Covers: FHIR/fhir-test-cases r4/patch/fhir-path-tests.xml, "Reorder List" 1 to 6
    #[test]
    fn lists_are_reordered_as_hl7_reorders_them() {
        let list = |letters: &str| {
            let names: Vec<String> =
                letters.chars().map(|letter| alloc::format!(r#"{{"text":"{letter}"}}"#)).collect();
            alloc::format!(r#"{{"resourceType":"Patient","name":[{}]}}"#, names.join(","))
        };
        for (moves, becomes) in [
            (&[(3, 1)][..], "adbc"),
            (&[(3, 0)], "dabc"),
            (&[(3, 2)], "abdc"),
            (&[(0, 3)], "bcda"),
            (&[(1, 0), (2, 1)], "bcad"),
            (&[(3, 0), (3, 1), (3, 2)], "dcba"),
        ] {
            let ends: Vec<[(&str, String); 2]> = moves
                .iter()
                .map(|(from, to)| {
                    let place = |number: &i32| alloc::format!(r#""valueInteger":{number}"#);
                    [("source", place(from)), ("destination", place(to))]
                })
                .collect();
            let parts: Vec<[(&str, &str); 2]> = ends
                .iter()
                .map(|[(one, from), (two, to)]| [(*one, from.as_str()), (*two, to.as_str())])
                .collect();
            let lines: Vec<Line<'_>> =
                parts.iter().map(|ends| ("move", "Patient.name", &ends[..])).collect();
            assert_eq!(patched(&list("abcd"), &lines), Ok(list(becomes)), "{moves:?}");
        }
    }

    // Covers: as above, "Delete Nested Primitive" 1 and 2, "Operation on missing element" 1
    #[test]
    fn what_is_left_empty_goes_as_well() {
        let patient =
            r#"{"resourceType":"Patient","contact":[{"name":{"text":"a name"},"gender":"male"}]}"#;
        let delete = |path| patched(patient, &[("delete", path, &[])]);
        assert_eq!(
            delete("Patient.contact[0].gender").as_deref(),
            Ok(r#"{"resourceType":"Patient","contact":[{"name":{"text":"a name"}}]}"#)
        );
        assert_eq!(
            delete("Patient.contact[0].name.text").as_deref(),
            Ok(r#"{"resourceType":"Patient","contact":[{"gender":"male"}]}"#)
        );
        let alone =
            r#"{"resourceType":"Patient","contact":[{"gender":"male","_gender":{"id":"x"}}]}"#;
        let value = [("value", r#""valueCode":"female""#)];
        let done = patched(alone, &[("replace", "Patient.contact.gender", &value)]);
        let female = r#"{"resourceType":"Patient","contact":[{"gender":"female"}]}"#;
        assert_eq!(done.as_deref(), Ok(female), "what is replaced leaves nothing empty");
        let lonely = r#"{"resourceType":"Patient","contact":[{"name":{"text":"a name","_text":{"id":"x"}}}]}"#;
        let done = patched(lonely, &[("delete", "Patient.contact.name.text", &[])]);
        assert_eq!(done.as_deref(), Ok(r#"{"resourceType":"Patient"}"#));
        let end = [("name", r#""valueString":"end""#), ("value", r#""valueDate":"2021-12-01""#)];
        let missing = one("add", "Patient.name.where(use = 'official').period", &end);
        assert!(missing.unwrap_err().contains("nothing at this path"));
    }

    /// Paths come from whoever sends them, so none may cost more than it is worth.
    #[test]
    fn no_path_is_deeper_longer_or_wider_than_it_may_be() {
        let value = [("value", r#""valueBoolean":false"#)];
        for path in [
            "(".repeat(PATH_MAX),
            alloc::format!("{}Patient.active{}", "(".repeat(140), ")".repeat(140)),
            alloc::format!("Patient.active{}", " ".repeat(PATH_MAX)),
            "Patient.active | Patient.active".to_owned(),
            "Patient.where(".repeat(20),
        ] {
            let refused = one("replace", &path, &value);
            assert!(
                refused.is_err() || path.starts_with("((") && path.contains("active"),
                "{path}"
            );
        }
        let long = alloc::format!("Patient{}", ".name".repeat(58));
        let many: Vec<Line<'_>> =
            (0..OPERATIONS_MAX).map(|_| ("delete", long.as_str(), &[][..])).collect();
        let large = PATIENT.replacen("Ash", &"x".repeat(100_000), 1);
        let refused = patched(&large, &many).unwrap_err();
        assert!(refused.contains("too many operations"), "{refused}");
        let over: Vec<Line<'_>> =
            (0..=OPERATIONS_MAX).map(|_| ("delete", "Patient.photo", &[][..])).collect();
        assert!(patched(PATIENT, &over).unwrap_err().contains("more than"));
    }

    #[test]
    fn operations_work_one_after_the_other_and_all_or_none() {
        let active = ("value", r#""valueBoolean":true"#);
        let done = patched(
            PATIENT,
            &[
                ("delete", "Patient.active", &[]),
                ("add", "Patient", &[("name", r#""valueString":"active""#), active]),
            ],
        );
        let moved = PATIENT.replacen(r#""active":true,"#, "", 1);
        let moved = moved.replacen(r#""value":"1"}]}"#, r#""value":"1"}],"active":true}"#, 1);
        assert_eq!(done, Ok(moved));
        let half = patched(
            PATIENT,
            &[
                ("delete", "Patient.active", &[]),
                ("replace", "Patient.photo", &[("value", r#""valueAttachment":{}"#)]),
            ],
        );
        assert!(half.unwrap_err().starts_with("operation 1:"));
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        let value = ("value", r#""valueBoolean":true"#);
        for (kind, path, more) in [
            ("append", "Patient.active", &[value][..]),
            ("replace", "Patient.active", &[][..]),
            ("replace", "Patient.active.iif(true)", &[value][..]),
            ("replace", "Patient..active", &[value][..]),
            ("replace", "Observation.status", &[value][..]),
            ("replace", "Patient.active", &[("value", r#""valueBoolean":true,"part":[]"#)][..]),
            ("insert", "Patient.name", &[value][..]),
            ("insert", "Patient.name", &[("index", r#""valueInteger":-1"#), value][..]),
        ] {
            assert!(one(kind, path, more).is_err(), "{kind} {path}");
        }
        let lists =
            r#"{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"id":"x"}]}]}"#;
        for (kind, more) in [
            ("insert", &[("index", r#""valueInteger":0"#), ("value", r#""valueString":"C""#)][..]),
            (
                "move",
                &[("source", r#""valueInteger":0"#), ("destination", r#""valueInteger":1"#)][..],
            ),
        ] {
            let refused = patched(lists, &[(kind, "Patient.name.given", more)]).unwrap_err();
            assert!(refused.contains("beside"), "{kind}: {refused}");
        }
    }
}
