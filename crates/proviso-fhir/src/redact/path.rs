//! Names of elements that can be taken out of a resource.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use proviso_core::resource_type::ResourceType;

use crate::spec::{self, Shape};

/// Elements of the resource itself that stay: without them it could not be told what it is, or what
/// it means would change.
const FIXED: &[&str] = &["id", "meta", "implicitRules", "language", "contained"];

/// Data types of which every element can be taken out, wherever it stands.
const TYPES: &[&str] = &[
    "Address",
    "Annotation",
    "Attachment",
    "ContactPoint",
    "HumanName",
    "Identifier",
    "Narrative",
    "SampledData",
    "Signature",
    "base64Binary",
    "markdown",
];

/// The name of a data type of which every element can be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataType(&'static str);

impl DataType {
    /// Reads a name.
    ///
    /// # Errors
    /// When it is none of a data type that can be taken out.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let known = TYPES.iter().find(|name| **name == text);
        known.copied().map(Self).ok_or_else(|| PathError::DataType(text.to_owned()))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().copied().map(Self)
    }

    /// The name.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Why a name is none of an element that can be taken out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is no such element.
    #[error("there is no element `{path}` in {resource_type}")]
    Unknown {
        /// The type.
        resource_type: ResourceType,
        /// The name.
        path: String,
    },
    /// It says what the rest means, so that the rest would say something else without it.
    #[error("`{path}` of {resource_type} changes what the rest means, and stays")]
    Modifier {
        /// The type.
        resource_type: ResourceType,
        /// The name.
        path: String,
    },
    /// It is none of a data type that is taken out as a whole.
    #[error("`{0}` is no data type that can be taken out; those are {known}", known = TYPES.join(", "))]
    DataType(String),
    /// It names the resource or describes it.
    #[error("`{path}` belongs to every resource, and stays")]
    Fixed {
        /// The name.
        path: String,
    },
}

/// An element by the names that lead to it, such as `contact.name`; a choice without its type
/// (`value` is `valueQuantity` as well).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ElementPath(Vec<String>);

impl ElementPath {
    /// Reads a name as one of an element of a type.
    ///
    /// # Errors
    /// When the type has no such element, or it has to stay.
    pub fn parse(resource_type: ResourceType, text: &str) -> Result<Self, PathError> {
        let path = || text.to_owned();
        let unknown = || PathError::Unknown { resource_type, path: path() };
        let mut shapes: Vec<&'static Shape> = spec::shape_of(resource_type).into_iter().collect();
        let mut names = Vec::new();
        for name in text.split('.') {
            let name = name.strip_suffix("[x]").unwrap_or(name);
            let names_extension =
                name == "url" && shapes.iter().any(|shape| shape.name() == "Extension");
            if names.is_empty() && FIXED.contains(&name) || names_extension {
                return Err(PathError::Fixed { path: path() });
            }
            let elements: Vec<_> = shapes
                .iter()
                .filter_map(|shape| shape.elements().find(|element| element.name() == name))
                .collect();
            if elements.is_empty() {
                return Err(unknown());
            }
            if elements.iter().any(|element| element.is_modifier()) {
                return Err(PathError::Modifier { resource_type, path: path() });
            }
            shapes = elements
                .iter()
                .flat_map(|element| element.types().iter().filter_map(|one| one.shape()))
                .collect();
            names.push(name.to_owned());
        }
        Ok(Self(names))
    }

    /// The names, outermost first; never empty.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether one of both is inside the other, or they are the same.
    pub(super) fn overlaps(&self, names: &[String]) -> bool {
        self.0.iter().zip(names).all(|(own, other)| own == other)
    }
}

impl fmt::Display for ElementPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
