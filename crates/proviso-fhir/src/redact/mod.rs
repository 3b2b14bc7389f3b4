//! Redaction (v3-ActCode `REDACT`): elements taken out of a resource, so that what is left says
//! nothing of them.
//!
//! The rules are names of elements of a type, each for every record of it or for those with one of
//! some sensitive kinds. What a caller sees is a function of the rules and the record; whether there
//! was anything to take out cannot be told from it: the narrative, the version and the instant of the
//! last change go from every record of a type that has rules, and the tag that says so is put on every
//! one. What FHIR demands stays as "masked" (data-absent-reason), so that the result still validates.
//!
//! Knows nothing of who asks. A search must not look at what is taken out; [`Redactions::hides`] says
//! which parameters would.

mod canary;
#[cfg(test)]
mod edges;
mod marks;
mod path;
#[cfg(test)]
mod tests;
mod walk;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::category::SensitiveSet;
use proviso_core::decision::Labels;
use proviso_core::resource_type::ResourceType;

use self::canary::Secrets;
use self::marks::{Marks, tag};
use crate::json::Doc;
use crate::json::edit::{Edit, EditedError};
use crate::search::Param;
use crate::spec::{self, Element, Shape};

pub use path::{DataType, ElementPath, PathError};

/// Which elements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Elements {
    /// The one in a place.
    At(ElementPath),
    /// All of a data type, wherever they stand, in extensions too.
    OfType(DataType),
}

/// One rule: elements, and for which records of the type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ElementRule {
    /// Which elements.
    pub elements: Elements,
    /// Only of records with one of these kinds, or that nobody has labelled; `None` for all.
    pub kinds: Option<SensitiveSet>,
}

/// The elements that are taken out, by type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redactions(BTreeMap<ResourceType, Vec<ElementRule>>);

/// A record could not be redacted; nothing of it may leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactError {
    /// It is no resource of FHIR R4.
    #[error("this is no resource of FHIR R4")]
    NoResource,
    /// What is left cannot be written.
    #[error(transparent)]
    Edit(#[from] EditedError),
}

impl FromIterator<(ResourceType, ElementRule)> for Redactions {
    fn from_iter<I: IntoIterator<Item = (ResourceType, ElementRule)>>(all: I) -> Self {
        let mut rules: BTreeMap<ResourceType, Vec<ElementRule>> = BTreeMap::new();
        for (resource_type, rule) in all {
            let own = rules.entry(resource_type).or_default();
            if !own.contains(&rule) {
                own.push(rule);
            }
        }
        Self(rules)
    }
}

impl Redactions {
    /// Whether nothing is taken out of anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether records of a type are not shown as they are stored. A record that holds others is
    /// one of them where those are.
    pub fn covers(&self, resource_type: ResourceType) -> bool {
        self.0.contains_key(&resource_type)
    }

    /// The types whose records are not shown as they are stored.
    pub fn types(&self) -> impl Iterator<Item = ResourceType> {
        self.0.keys().copied()
    }

    /// Whether a search parameter of a type looks at something that is taken out, so that its answer
    /// would tell of it. What is not known to look at something else does.
    pub fn hides(&self, resource_type: ResourceType, code: &str) -> bool {
        let Some(rules) = self.0.get(&resource_type) else { return false };
        match code {
            "_id" | "_type" => return false,
            // When a record changed tells that something hidden did.
            "_lastUpdated" => return true,
            _ => {}
        }
        let Some(param) = Param::find(resource_type, code) else { return true };
        let looked_at = param.element_paths();
        looked_at.is_empty()
            || looked_at.iter().any(|names| {
                rules.iter().any(|rule| match &rule.elements {
                    Elements::At(path) => path.overlaps(names),
                    Elements::OfType(hidden) => leads_through(resource_type, names, *hidden),
                })
            })
    }

    /// Whether identifiers in references could tell what is taken out (`:identifier`).
    pub fn hides_identifiers(&self) -> bool {
        self.0.values().flatten().any(|rule| match &rule.elements {
            Elements::At(path) => path.names().iter().any(|own| own == "identifier"),
            Elements::OfType(hidden) => hidden.name() == "Identifier",
        })
    }

    fn hides_element(&self, resource_type: ResourceType, name: &str) -> bool {
        self.0.get(&resource_type).is_some_and(|rules| {
            rules.iter().any(|rule| match &rule.elements {
                Elements::At(path) => path.names().first().is_some_and(|own| own == name),
                Elements::OfType(hidden) => {
                    let names = [String::from(name)];
                    leads_through(resource_type, &names, *hidden)
                }
            })
        })
    }

    /// A record as it may be seen; `None` where that is as it is stored.
    ///
    /// # Errors
    /// When it cannot be redacted; nothing of it may be shown then.
    pub fn apply(&self, doc: &Doc, labels: Labels) -> Result<Option<Doc>, RedactError> {
        if self.is_empty() {
            return Ok(None);
        }
        let root = doc.root();
        let resource_type = root.resource_type().ok_or(RedactError::NoResource)?;
        let shape = spec::shape_of(resource_type).ok_or(RedactError::NoResource)?;
        let mut marks = Marks::new(self, labels);
        let mut secrets = Secrets::default();
        marks.resource(root, shape, &mut secrets);
        if !marks.is_any() {
            return Ok(None);
        }
        let narrow = marks.is_narrow();
        let told = secrets.told(root, shape, &|node| marks.is_gone(node));
        for text in told {
            marks.take_text(text);
        }
        marks.take_orphans(root);
        let mut edit = Edit::new(doc);
        marks.settle(&mut edit, root, shape);
        // Where records are shown as they are, but for a name in a reference, a tag would tell that
        // there was one.
        if narrow {
            tag(&mut edit, root);
        }
        Ok(Some(edit.finish_doc()?))
    }
}

/// Whether one of the elements on the way to something can be of a data type. What an extension
/// holds is looked at by codes alone, which are none of those that can be taken out.
fn leads_through(resource_type: ResourceType, names: &[String], hidden: DataType) -> bool {
    let mut shapes: Vec<&'static Shape> = spec::shape_of(resource_type).into_iter().collect();
    for name in names {
        let found: Vec<&'static Element> = shapes
            .iter()
            .filter_map(|shape| shape.elements().find(|element| element.name() == name))
            .collect();
        let types = || found.iter().flat_map(|element| element.types());
        if types().any(|own| own.name() == hidden.name()) {
            return true;
        }
        shapes = types().filter_map(|own| own.shape()).collect();
    }
    false
}
