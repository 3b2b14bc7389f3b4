//! JSON Pointer (RFC 6901).

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::json::{Kind, Node};

/// A path of member names and positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads `/a/0/b`; the empty text is the whole document.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/')?.split('/').map(unescape);
        steps.collect::<Option<Vec<_>>>().map(Self)
    }

    /// Where a value is.
    pub(super) fn of(node: Node<'_>) -> Self {
        let Some(parent) = node.parent() else { return Self(Vec::new()) };
        let path = Self::of(parent);
        if let Some(key) = node.key() {
            return path.then_name(key);
        }
        let place = parent.items().position(|item| item.index() == node.index());
        path.then(place.unwrap_or(usize::MAX))
    }

    /// One step further, to an item.
    pub(super) fn then(&self, position: usize) -> Self {
        self.then_name(&position.to_string())
    }

    /// One step further, to a member.
    pub(super) fn then_name(&self, name: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(name.to_owned());
        Self(steps)
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the other path is this one or leads through it.
    pub(super) fn is_prefix_of(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The path of the container and the last step; `None` for the root.
    pub(super) fn split_last(&self) -> Option<(Self, &str)> {
        let (last, parents) = self.0.split_last()?;
        Some((Self(parents.to_vec()), last))
    }

    /// The value at this path.
    pub(super) fn find<'a>(&self, root: Node<'a>) -> Option<Node<'a>> {
        self.0.iter().try_fold(root, |node, step| match node.kind() {
            Kind::Object => node.get(step),
            Kind::Array => node.items().nth(index(step)?),
            Kind::String | Kind::Number | Kind::Bool | Kind::Null => None,
        })
    }
}

/// RFC 6901 §4: digits without a leading zero.
pub(super) fn index(step: &str) -> Option<usize> {
    let plain = step == "0" || !step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit());
    if plain { step.parse().ok() } else { None }
}

/// RFC 6901 §3: `~1` is a slash, `~0` a tilde, any other tilde is an error.
fn unescape(step: &str) -> Option<String> {
    let mut out = String::with_capacity(step.len());
    let mut chars = step.chars();
    while let Some(char) = chars.next() {
        match char {
            '~' => match chars.next() {
                Some('0') => out.push('~'),
                Some('1') => out.push('/'),
                Some(_) | None => return None,
            },
            other => out.push(other),
        }
    }
    Some(out)
}
