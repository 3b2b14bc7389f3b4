//! Reading the tape.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use proviso_core::resource_type::ResourceType;

use super::{Doc, Slot, scan};

/// The kind of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number, as text.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

/// One value of a [`Doc`]. A copy costs two words.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    doc: &'a Doc,
    index: usize,
}

const EMPTY: Slot = Slot {
    key_start: 0,
    key_end: 0,
    start: 0,
    end: 0,
    next: 0,
    parent: 0,
    kind: Kind::Null,
    escaped: false,
    member: false,
};

impl<'a> Node<'a> {
    pub(super) fn new(doc: &'a Doc, index: usize) -> Self {
        Self { doc, index }
    }

    fn slot(self) -> &'a Slot {
        // INVARIANT: nodes are made from indexes of their own tape, so the fallback is never used.
        self.doc.tape.get(self.index).unwrap_or(&EMPTY)
    }

    fn text_of(self, start: u32, end: u32) -> &'a str {
        self.doc.text.get(start as usize..end as usize).unwrap_or("")
    }

    /// What kind of value this is.
    pub fn kind(self) -> Kind {
        self.slot().kind
    }

    /// Whether this is an object.
    pub fn is_object(self) -> bool {
        self.kind() == Kind::Object
    }

    /// Whether this is an array.
    pub fn is_array(self) -> bool {
        self.kind() == Kind::Array
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The document this value is in.
    pub fn doc(self) -> &'a Doc {
        self.doc
    }

    /// A number that names this value within its document; grows in reading order.
    pub fn index(self) -> usize {
        self.index
    }

    /// The object or array this value is in; `None` for the root.
    pub fn parent(self) -> Option<Node<'a>> {
        (self.index != 0).then(|| Self::new(self.doc, self.slot().parent as usize))
    }

    /// The name of the member this is the value of; `None` for array items and the root.
    pub fn key(self) -> Option<&'a str> {
        let slot = self.slot();
        slot.member.then(|| self.text_of(slot.key_start, slot.key_end))
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        self.entries().find(|(name, _)| *name == key).map(|(_, node)| node)
    }

    /// The members in order; none if this is not an object.
    pub fn entries(self) -> Entries<'a> {
        Entries(self.children_of(Kind::Object))
    }

    /// The items in order; none if this is not an array.
    pub fn items(self) -> Items<'a> {
        self.children_of(Kind::Array)
    }

    /// The items of an array; a value that is no array yields itself once.
    pub fn items_or_self(self) -> Items<'a> {
        if self.is_array() {
            self.items()
        } else {
            Items { doc: self.doc, at: self.index, end: self.slot().next as usize }
        }
    }

    fn children_of(self, kind: Kind) -> Items<'a> {
        let slot = self.slot();
        let end = if slot.kind == kind { slot.next as usize } else { 0 };
        Items { doc: self.doc, at: self.index + 1, end }
    }

    /// How many members or items there are; none for anything but an object or array.
    pub fn len(self) -> usize {
        match self.kind() {
            Kind::Object => self.entries().count(),
            Kind::Array => self.items().count(),
            Kind::String | Kind::Number | Kind::Bool | Kind::Null => 0,
        }
    }

    /// Whether there are no members or items.
    pub fn is_empty(self) -> bool {
        self.slot().next as usize <= self.index + 1
    }

    /// The string with its escapes resolved, if this is one.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let slot = self.slot();
        if slot.kind != Kind::String {
            return None;
        }
        let inner = self.text_of(slot.start + 1, slot.end - 1);
        Some(if slot.escaped { Cow::Owned(scan::unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// The number exactly as written, if this is one.
    pub fn number_text(self) -> Option<&'a str> {
        let slot = self.slot();
        (slot.kind == Kind::Number).then(|| self.text_of(slot.start, slot.end))
    }

    /// The boolean, if this is one.
    pub fn as_bool(self) -> Option<bool> {
        let slot = self.slot();
        (slot.kind == Kind::Bool).then(|| self.text_of(slot.start, slot.end) == "true")
    }

    /// The bytes of this value as they came.
    pub fn raw(self) -> &'a [u8] {
        self.raw_text().as_bytes()
    }

    /// The text of this value as it came.
    pub fn raw_text(self) -> &'a str {
        let slot = self.slot();
        self.text_of(slot.start, slot.end)
    }

    /// First byte of this value and first byte after it, within the document.
    pub fn span(self) -> (usize, usize) {
        let slot = self.slot();
        (slot.start as usize, slot.end as usize)
    }

    /// Like [`Node::span`], starting at the opening quote of the key where there is one.
    pub fn member_span(self) -> (usize, usize) {
        let slot = self.slot();
        let start = if slot.member { slot.key_start - 1 } else { slot.start };
        (start as usize, slot.end as usize)
    }

    /// Every value reached by following the names, looking into each item of every array on the
    /// way and at the end.
    ///
    /// ```
    /// # use proviso_fhir::json::Doc;
    /// let doc = Doc::parse(br#"{"code":{"coding":[{"code":"a"},{"code":"b"}]}}"#.to_vec()).unwrap();
    /// assert_eq!(doc.root().at(&["code", "coding", "code"]).count(), 2);
    /// ```
    pub fn at<'p>(self, path: &'p [&'p str]) -> Found<'a, 'p> {
        Found { path, current: Some((self, 0)), pending: Vec::new() }
    }

    /// The first value of [`Node::at`].
    pub fn first(self, path: &[&str]) -> Option<Node<'a>> {
        self.at(path).next()
    }

    /// The first string of [`Node::at`].
    pub fn string_at(self, path: &[&str]) -> Option<Cow<'a, str>> {
        self.at(path).find_map(Node::as_str)
    }

    /// The `resourceType` of this object, if it is one of FHIR R4.
    pub fn resource_type(self) -> Option<ResourceType> {
        self.get("resourceType")?.as_str()?.parse().ok()
    }

    /// This value and everything inside it, in reading order.
    pub fn descendants(self) -> impl Iterator<Item = Node<'a>> {
        let doc = self.doc;
        (self.index..self.slot().next as usize).map(move |index| Node::new(doc, index))
    }

    /// Where this value is, such as `name[0].family`; empty for the root.
    pub fn path(self) -> String {
        path_of(&self.doc.text, &self.doc.tape, self.index)
    }
}

// TRUST: a value of a resource is patient data, so it never prints itself.
impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("kind", &self.kind())
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// Items of an array; see [`Node::items`].
#[derive(Debug, Clone)]
pub struct Items<'a> {
    doc: &'a Doc,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        if self.at >= self.end {
            return None;
        }
        let node = Node::new(self.doc, self.at);
        // `max`: whatever the tape says, this ends.
        self.at = (node.slot().next as usize).max(self.at + 1);
        Some(node)
    }
}

/// Members of an object; see [`Node::entries`].
#[derive(Debug, Clone)]
pub struct Entries<'a>(Items<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.0.next()?;
        Some((node.key().unwrap_or(""), node))
    }
}

/// Values reached by a path; see [`Node::at`].
#[derive(Debug)]
pub struct Found<'a, 'p> {
    path: &'p [&'p str],
    /// The value to look at next and how many names of the path lie behind it.
    current: Option<(Node<'a>, usize)>,
    /// Items still to be visited of the arrays met on the way, innermost last.
    pending: Vec<(Items<'a>, usize)>,
}

impl<'a> Found<'a, '_> {
    fn resume(&mut self) -> Option<(Node<'a>, usize)> {
        while let Some((items, done)) = self.pending.last_mut() {
            if let Some(item) = items.next() {
                return Some((item, *done));
            }
            self.pending.pop();
        }
        None
    }
}

impl<'a> Iterator for Found<'a, '_> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        loop {
            let (node, done) = match self.current.take() {
                Some(current) => current,
                None => self.resume()?,
            };
            if node.is_array() {
                self.pending.push((node.items(), done));
                continue;
            }
            match self.path.get(done) {
                None => return Some(node),
                Some(name) => self.current = node.get(name).map(|member| (member, done + 1)),
            }
        }
    }
}

/// Where the value of a slot is. Names that do not look like element names are shown as `?`, so
/// that a path can be sent back and logged.
pub(super) fn path_of(text: &str, tape: &[Slot], index: usize) -> String {
    let mut steps: Vec<String> = Vec::new();
    let mut at = index;
    while at != 0 {
        let Some(slot) = tape.get(at) else { break };
        let parent = slot.parent as usize;
        if slot.member {
            let key = text.get(slot.key_start as usize..slot.key_end as usize).unwrap_or("");
            let fits =
                key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let dot = if parent == 0 { "" } else { "." };
            steps.push([dot, if fits { key } else { "?" }].concat());
        } else {
            let mut position = 0_usize;
            let mut sibling = parent + 1;
            while sibling < at {
                position += 1;
                sibling = tape.get(sibling).map_or(at, |slot| slot.next as usize);
            }
            steps.push(["[", &position.to_string(), "]"].concat());
        }
        at = parent;
    }
    steps.reverse();
    steps.concat()
}
