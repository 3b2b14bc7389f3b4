//! One pass over the text, building the tape. Iterative: depth costs no stack.

use alloc::string::String;
use alloc::vec::Vec;

use super::node::Kind;
use super::scan::{self, ScanFault};
use super::{DEPTH_MAX, Doc, JsonError, JsonFault, Slot};

/// Up to this many members, comparing every pair of keys is cheaper than sorting.
const PAIRWISE_MEMBERS_MAX: usize = 24;

/// Reads the whole text.
pub(super) fn parse(bytes: Vec<u8>) -> Result<Doc, JsonError> {
    let at_top = |fault, offset| JsonError { fault, offset, path: String::new() };
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(at_top(JsonFault::ByteOrderMark, 0));
    }
    // Offsets are `u32`, and one slot is made for at least one byte.
    if u32::try_from(bytes.len()).is_err() {
        return Err(at_top(JsonFault::TooLarge, 0));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| at_top(JsonFault::InvalidUtf8, error.utf8_error().valid_up_to()))?;
    let mut parser = Parser {
        bytes: text.as_bytes(),
        at: 0,
        tape: Vec::with_capacity(text.len() / 24 + 1),
        open: [0; DEPTH_MAX],
        depth: 0,
        keys: Vec::new(),
    };
    match parser.document() {
        Ok(()) => {
            let tape = parser.tape;
            Ok(Doc { text, tape })
        }
        Err((fault, offset)) => {
            let path = parser.path();
            Err(JsonError { fault, offset, path })
        }
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    tape: Vec<Slot>,
    /// Tape indexes of the containers that are open, outermost first.
    open: [u32; DEPTH_MAX],
    depth: usize,
    /// Scratch for the keys of one large object.
    keys: Vec<&'a [u8]>,
}

/// What a value turned out to be.
enum Read {
    /// A complete value.
    Done,
    /// A container with at least one member or item, which comes next.
    Opened,
}

#[expect(clippy::cast_possible_truncation, reason = "the text is shorter than 4 GiB")]
const fn offset(at: usize) -> u32 {
    at as u32
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), ScanFault> {
        self.skip_whitespace();
        if self.peek().is_none() {
            return Err((JsonFault::Empty, self.at));
        }
        let mut key = (0, 0);
        loop {
            if matches!(self.value(key)?, Read::Done) && self.ascend()? {
                break;
            }
            key = self.next_key()?;
        }
        self.skip_whitespace();
        if self.at < self.bytes.len() {
            return Err((JsonFault::TrailingBytes, self.at));
        }
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The fault of finding something else than the grammar asks for at this place.
    fn unexpected(&self) -> ScanFault {
        match self.peek() {
            Some(_) => (JsonFault::UnexpectedByte, self.at),
            None => (JsonFault::UnexpectedEnd, self.at),
        }
    }

    /// The container that is being read, if any.
    fn container(&self) -> Option<(usize, Slot)> {
        let index = *self.open.get(self.depth.checked_sub(1)?)? as usize;
        self.tape.get(index).map(|slot| (index, *slot))
    }

    fn in_object(&self) -> bool {
        self.container().is_some_and(|(_, slot)| slot.kind == Kind::Object)
    }

    /// In an object, reads the next member's key and colon; in an array there is none to read.
    fn next_key(&mut self) -> Result<(u32, u32), ScanFault> {
        self.skip_whitespace();
        if !self.in_object() {
            return Ok((0, 0));
        }
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let start = self.at + 1;
        let scanned = scan::string(self.bytes, start)?;
        if scanned.escaped {
            return Err((JsonFault::EscapedKey, start));
        }
        self.at = scanned.end;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        self.skip_whitespace();
        Ok((offset(start), offset(scanned.end - 1)))
    }

    fn value(&mut self, key: (u32, u32)) -> Result<Read, ScanFault> {
        let start = self.at;
        let (kind, escaped) = match self.peek() {
            Some(b'{') => return self.open_container(Kind::Object, b'}', key),
            Some(b'[') => return self.open_container(Kind::Array, b']', key),
            Some(b'"') => {
                let scanned = scan::string(self.bytes, start + 1)?;
                self.at = scanned.end;
                (Kind::String, scanned.escaped)
            }
            Some(b'-' | b'0'..=b'9') => {
                self.at = scan::number(self.bytes, start)?;
                (Kind::Number, false)
            }
            Some(b't') => (self.literal(b"true", Kind::Bool)?, false),
            Some(b'f') => (self.literal(b"false", Kind::Bool)?, false),
            Some(b'n') => (self.literal(b"null", Kind::Null)?, false),
            _ => return Err(self.unexpected()),
        };
        self.push(kind, start, key, escaped);
        Ok(Read::Done)
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<Kind, ScanFault> {
        for &expected in word {
            if self.peek() != Some(expected) {
                return Err(self.unexpected());
            }
            self.at += 1;
        }
        Ok(kind)
    }

    fn push(&mut self, kind: Kind, start: usize, key: (u32, u32), escaped: bool) {
        let parent = self.container();
        let index = self.tape.len();
        self.tape.push(Slot {
            key_start: key.0,
            key_end: key.1,
            start: offset(start),
            end: offset(self.at),
            next: offset(index + 1),
            parent: parent.map_or(0, |(at, _)| offset(at)),
            kind,
            escaped,
            member: parent.is_some_and(|(_, slot)| slot.kind == Kind::Object),
        });
    }

    fn open_container(
        &mut self,
        kind: Kind,
        close: u8,
        key: (u32, u32),
    ) -> Result<Read, ScanFault> {
        if self.depth == DEPTH_MAX {
            return Err((JsonFault::TooDeep, self.at));
        }
        let start = self.at;
        let index = offset(self.tape.len());
        self.at += 1;
        self.push(kind, start, key, false);
        self.skip_whitespace();
        if self.peek() == Some(close) {
            self.at += 1;
            if let Some(slot) = self.tape.last_mut() {
                slot.end = offset(self.at);
            }
            return Ok(Read::Done);
        }
        if let Some(place) = self.open.get_mut(self.depth) {
            *place = index;
        }
        self.depth += 1;
        Ok(Read::Opened)
    }

    /// After a complete value: closes what ends here. True when the whole document has ended,
    /// false when a comma promises one more value.
    fn ascend(&mut self) -> Result<bool, ScanFault> {
        loop {
            let Some((index, container)) = self.container() else {
                return Ok(true);
            };
            self.skip_whitespace();
            match (container.kind, self.peek()) {
                (_, Some(b',')) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Kind::Object, Some(b'}')) => self.refuse_duplicates(index)?,
                (Kind::Array, Some(b']')) => {}
                _ => return Err(self.unexpected()),
            }
            self.at += 1;
            let next = offset(self.tape.len());
            if let Some(slot) = self.tape.get_mut(index) {
                slot.end = offset(self.at);
                slot.next = next;
            }
            self.depth -= 1;
        }
    }

    /// Keys have no escapes, so equal names are equal bytes.
    fn refuse_duplicates(&mut self, object: usize) -> Result<(), ScanFault> {
        self.keys.clear();
        let mut child = object + 1;
        while let Some(slot) = self.tape.get(child) {
            let key = self.bytes.get(slot.key_start as usize..slot.key_end as usize);
            let key = key.unwrap_or_default();
            // LIMIT: FHIR objects are small. Large ones are sorted, so that an object of a
            // million members costs n log n comparisons and not n squared.
            if self.keys.len() < PAIRWISE_MEMBERS_MAX && self.keys.contains(&key) {
                return Err((JsonFault::DuplicateKey, slot.key_start as usize));
            }
            self.keys.push(key);
            child = slot.next as usize;
        }
        if self.keys.len() > PAIRWISE_MEMBERS_MAX {
            self.keys.sort_unstable();
            let twice = self.keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
            if twice {
                let start = self.tape.get(object).map_or(0, |slot| slot.start as usize);
                return Err((JsonFault::DuplicateKey, start));
            }
        }
        Ok(())
    }

    /// The path of the container in which reading stopped.
    fn path(&self) -> String {
        let text = core::str::from_utf8(self.bytes).unwrap_or_default();
        match self.container() {
            Some((index, _)) => super::node::path_of(text, &self.tape, index),
            None => String::new(),
        }
    }
}
