//! Changing a document while every other byte stays.
//!
//! Edits are collected against the original document and applied together, so positions never
//! shift under the caller. Where two edits meet, the outer one wins: nothing inside a removed or
//! replaced value is written.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::write::string_text;
use super::{Doc, JsonError, Node};

/// Why edits cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The outermost value cannot be removed, only replaced.
    #[error("the outermost value cannot be removed")]
    RemovesRoot,
    /// A member can be set only in an object.
    #[error("a member can be set only in an object")]
    NotAnObject,
    /// An item can be inserted only into an array, and not beyond its end.
    #[error("an item can be inserted only into an array and not beyond its end")]
    NotAnArrayPosition,
}

/// Edits of one document, not yet applied.
///
/// ```
/// use proviso_fhir::json::{Doc, edit::Edit};
/// let doc = Doc::parse(br#"{ "id": "a", "value": 7.20 }"#.to_vec()).unwrap();
/// let mut edit = Edit::new(&doc);
/// edit.remove(doc.root().get("id").unwrap());
/// edit.set(doc.root(), "unit", br#""mg""#);
/// assert_eq!(edit.finish().unwrap(), br#"{ "value": 7.20,"unit":"mg" }"#);
/// ```
#[derive(Debug)]
pub struct Edit<'a> {
    doc: &'a Doc,
    replaced: BTreeMap<usize, Vec<u8>>,
    removed: BTreeSet<usize>,
    /// Texts to insert, by container and by the position of the child they stand before.
    inserted: BTreeMap<usize, Vec<(usize, Vec<u8>)>>,
    fault: Option<EditError>,
}

/// Bytes `start..end` become `text`.
struct Splice {
    start: usize,
    end: usize,
    text: Vec<u8>,
}

impl<'a> Edit<'a> {
    /// No edits yet.
    pub fn new(doc: &'a Doc) -> Self {
        Self {
            doc,
            replaced: BTreeMap::new(),
            removed: BTreeSet::new(),
            inserted: BTreeMap::new(),
            fault: None,
        }
    }

    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty()
            && self.removed.is_empty()
            && self.inserted.is_empty()
            && self.fault.is_none()
    }

    /// Replaces a value; the key of a member stays. The last replacement of a value counts.
    pub fn replace(&mut self, node: Node<'_>, json: &[u8]) {
        self.replaced.insert(node.index(), json.to_vec());
    }

    /// Removes a member with its key, or an item, and the comma it no longer needs.
    pub fn remove(&mut self, node: Node<'_>) {
        if node.index() == 0 {
            self.fault = Some(EditError::RemovesRoot);
        } else {
            self.removed.insert(node.index());
        }
    }

    /// Whether a member or item is to be removed.
    pub fn removes(&self, node: Node<'_>) -> bool {
        self.removed.contains(&node.index())
    }

    /// Replaces the member of that name, or adds it after the last one.
    pub fn set(&mut self, object: Node<'_>, key: &str, json: &[u8]) {
        if let Some(member) = object.get(key) {
            self.removed.remove(&member.index());
            self.replace(member, json);
            return;
        }
        // Set twice: the text put in first gives way.
        let name = [string_text(key).as_str(), ":"].concat();
        if let Some(texts) = self.inserted.get_mut(&object.index()) {
            texts.retain(|(_, text)| !text.starts_with(name.as_bytes()));
        }
        self.insert_member(object, object.len(), key, json);
    }

    /// Adds a member before the one that is now at `position`, at most after the last. The caller
    /// knows that there is no member of that name.
    pub fn insert_member(&mut self, object: Node<'_>, position: usize, key: &str, json: &[u8]) {
        if !object.is_object() {
            self.fault = Some(EditError::NotAnObject);
            return;
        }
        let mut text = string_text(key).into_bytes();
        text.push(b':');
        text.extend_from_slice(json);
        let position = position.min(object.len());
        self.inserted.entry(object.index()).or_default().push((position, text));
    }

    /// Adds an item before the one that is now at `position`; at the length, after the last.
    pub fn insert_item(&mut self, array: Node<'_>, position: usize, json: &[u8]) {
        if !array.is_array() || position > array.len() {
            self.fault = Some(EditError::NotAnArrayPosition);
            return;
        }
        self.inserted.entry(array.index()).or_default().push((position, json.to_vec()));
    }

    /// Applies everything and returns the new bytes.
    ///
    /// # Errors
    /// When an edit did not fit the value it was made for; nothing is applied then.
    pub fn finish(self) -> Result<Vec<u8>, EditError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut splices = self.splices();
        // Stable, so that texts inserted at one place keep their order and precede a removal
        // that starts there.
        splices.sort_by_key(|splice| splice.start);
        let source = self.doc.bytes();
        let added: usize = splices.iter().map(|splice| splice.text.len()).sum();
        let mut out = Vec::with_capacity(source.len() + added);
        let mut copied = 0;
        for splice in splices {
            // Inside something that an outer edit has already dealt with.
            if splice.start < copied {
                continue;
            }
            out.extend_from_slice(source.get(copied..splice.start).unwrap_or_default());
            out.extend_from_slice(&splice.text);
            copied = splice.end;
        }
        out.extend_from_slice(source.get(copied..).unwrap_or_default());
        Ok(out)
    }

    /// Applies everything and parses the result.
    ///
    /// # Errors
    /// [`EditedError::Edit`] as [`Edit::finish`]; [`EditedError::Json`] when a text that was put
    /// in is not acceptable JSON where it stands.
    pub fn finish_doc(self) -> Result<Doc, EditedError> {
        Ok(Doc::parse(self.finish()?)?)
    }

    fn splices(&self) -> Vec<Splice> {
        let mut splices = Vec::new();
        let mut containers: BTreeSet<usize> = self.inserted.keys().copied().collect();
        for &index in &self.removed {
            if let Some(parent) = Node::new(self.doc, index).parent() {
                containers.insert(parent.index());
            }
        }
        for container in containers {
            self.splice_container(Node::new(self.doc, container), &mut splices);
        }
        for (&index, text) in &self.replaced {
            if !self.removed.contains(&index) {
                let (start, end) = Node::new(self.doc, index).span();
                splices.push(Splice { start, end, text: text.clone() });
            }
        }
        splices
    }

    /// Rewrites the commas of one container whose children come and go.
    ///
    /// The gap before a child (comma and whitespace) goes with the child, except that the first
    /// child written never has a comma before it.
    fn splice_container(&self, container: Node<'_>, splices: &mut Vec<Splice>) {
        let children: Vec<Node<'_>> =
            container.entries().map(|(_, node)| node).chain(container.items()).collect();
        let insertions = self.inserted.get(&container.index()).map_or(&[][..], Vec::as_slice);
        let insert = |position: usize, at: usize, written: &mut bool, out: &mut Vec<Splice>| {
            for (_, text) in insertions.iter().filter(|(before, _)| *before == position) {
                let mut text = text.clone();
                if *written {
                    text.insert(0, b',');
                }
                *written = true;
                out.push(Splice { start: at, end: at, text });
            }
        };
        let mut written = false;
        let mut gap_start = None;
        for (position, child) in children.iter().enumerate() {
            let (start, end) = child.member_span();
            let gap = gap_start.unwrap_or(start);
            insert(position, gap, &mut written, splices);
            if self.removed.contains(&child.index()) {
                splices.push(Splice { start: gap, end, text: Vec::new() });
            } else {
                if !written {
                    splices.push(Splice { start: gap, end: start, text: Vec::new() });
                } else if gap_start.is_none() {
                    splices.push(Splice { start, end: start, text: b",".to_vec() });
                }
                written = true;
            }
            gap_start = Some(end);
        }
        let end = gap_start.unwrap_or(container.span().0 + 1);
        insert(children.len(), end, &mut written, splices);
    }
}

/// Why an edited document cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditedError {
    /// An edit did not fit.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The result is not acceptable JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
}
