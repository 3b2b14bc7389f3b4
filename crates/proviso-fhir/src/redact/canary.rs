//! The value canary: what was taken out must not stand anywhere else (design §7).
//!
//! A name that is taken out of `Patient.name` may stand in a `display`, an extension or a contained
//! resource. So the texts that go are compared with those that stay, as whole words and without
//! regard to case, and what holds one of them goes too. Numbers and truth values are not compared,
//! nor what says which words there are to choose from (codes of a required binding, code systems).

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::Node;
use crate::search::fold;
use crate::spec::{Element, Shape};

use super::walk::each_text;

/// LIMIT: shorter texts are found everywhere.
const SHORT: usize = 3;
/// LIMIT: longer ones are documents, of which no part is known to be a secret.
const LONG: usize = 400;

/// Texts that were taken out.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(BTreeSet<String>);

/// Whether a text of this element can tell something: not which system a code is of, where a
/// resource is, or one of a closed list of words.
fn tells(shape: &Shape, element: &Element) -> bool {
    let is_address = matches!(element.name(), "system" | "reference" | "url" | "id" | "div");
    let is_type = shape.name() == "Reference" && element.name() == "type";
    !is_address && !is_type && element.codes().is_none()
}

impl Secrets {
    /// Adds every text under a node, which may be one itself.
    pub(super) fn add(
        &mut self,
        node: Node<'_>,
        of: (&'static Shape, &'static Element),
        under: Option<&'static Shape>,
    ) {
        for item in node.items_or_self() {
            match item.as_str() {
                Some(text) if tells(of.0, of.1) => self.add_text(&text),
                Some(_) => {}
                None => {
                    if let Some(shape) = under {
                        each_text(item, shape, &mut |text, shape, element, _| {
                            if tells(shape, element)
                                && let Some(text) = text.as_str()
                            {
                                self.add_text(&text);
                            }
                        });
                    }
                }
            }
        }
    }

    fn add_text(&mut self, text: &str) {
        let text = text.trim();
        if (SHORT..=LONG).contains(&text.chars().count()) {
            self.0.insert(fold(text));
        }
    }

    fn is_told_by(&self, text: &str) -> bool {
        let text = fold(text);
        self.0.iter().any(|secret| holds(&text, secret))
    }

    /// The texts of a resource that tell a secret, apart from what goes already.
    pub(super) fn told<'a>(
        &self,
        root: Node<'a>,
        shape: &'static Shape,
        goes: &dyn Fn(Node<'a>) -> bool,
    ) -> Vec<Node<'a>> {
        let mut told = Vec::new();
        if self.0.is_empty() {
            return told;
        }
        each_text(root, shape, &mut |text, shape, element, _| {
            let may_tell = tells(shape, element) || element.name() == "div";
            if may_tell && !goes(text) && text.as_str().is_some_and(|own| self.is_told_by(&own)) {
                told.push(text);
            }
        });
        told
    }
}

/// Whether a text has another as whole words in it. A date stands in an instant of that day too.
fn holds(text: &str, secret: &str) -> bool {
    let is_date = secret.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.match_indices(secret).any(|(start, found)| {
        let before = text.get(..start).and_then(|head| head.chars().next_back());
        let after = text.get(start + found.len()..).and_then(|tail| tail.chars().next());
        let ends = |sign: Option<char>| sign.is_none_or(|sign| !sign.is_alphanumeric());
        ends(before) && (ends(after) || is_date && after == Some('t'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_as_whole_words_only() {
        for (text, secret, found) in [
            ("maria alvarez", "alvarez", true),
            ("alvarez", "alvarez", true),
            ("alvarezia", "alvarez", false),
            ("(alvarez)", "alvarez", true),
            ("1980-04-02t10:00:00z", "1980-04-02", true),
            ("1980-04-021", "1980-04-02", false),
            ("mr. josé núñez", "josé núñez", true),
            ("a", "alvarez", false),
        ] {
            assert_eq!(holds(text, secret), found, "{text} {secret}");
        }
    }
}
