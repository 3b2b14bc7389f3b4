//! Shapes (types and groups) and their elements.

use proviso_core::resource_type::ResourceType;

use super::primitive::Primitive;
use super::{codes, elements};

pub(super) const CHOICE: u8 = 1;
pub(super) const MANY: u8 = 2;
pub(super) const SUMMARY: u8 = 4;
pub(super) const MODIFIER: u8 = 8;

/// A shape that inherits from nothing.
pub(super) const NO_SHAPE: u16 = u16::MAX;

/// One type that an element's value may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// A primitive.
    Primitive(Primitive),
    /// A data type or group, by its place in the table; see [`ElementType::shape`].
    Complex(u16),
    /// A `Reference`, by the place of its target types; see [`ElementType::targets`].
    Reference(u16),
    /// A whole resource, as in `contained` and `Bundle.entry.resource`.
    Inline,
}

impl ElementType {
    /// The name of the type, as it ends the key of a choice element: `valueQuantity`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Primitive(primitive) => primitive.name(),
            Self::Complex(_) => self.shape().map_or("", Shape::name),
            Self::Reference(_) => "Reference",
            Self::Inline => "Resource",
        }
    }

    /// The shape of a complex value; that of `Reference` for references.
    pub fn shape(self) -> Option<&'static Shape> {
        match self {
            Self::Complex(index) => elements::SHAPES.get(usize::from(index)),
            Self::Reference(_) => elements::SHAPES.get(usize::from(elements::REFERENCE)),
            Self::Primitive(_) | Self::Inline => None,
        }
    }

    /// The resource types a reference may point to; empty means any.
    pub fn targets(self) -> &'static [ResourceType] {
        match self {
            Self::Reference(index) => {
                elements::TARGETS.get(usize::from(index)).copied().unwrap_or_default()
            }
            Self::Primitive(_) | Self::Complex(_) | Self::Inline => &[],
        }
    }
}

/// One element of a shape.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    name: &'static str,
    min: u8,
    flags: u8,
    first_type: u16,
    types: u8,
    codes: u16,
}

impl Element {
    pub(super) const fn new(
        name: &'static str,
        min: u8,
        flags: u8,
        first_type: u16,
        types: u8,
        codes: u16,
    ) -> Self {
        Self { name, min, flags, first_type, types, codes }
    }

    /// The name, without `[x]`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many values there must be.
    pub fn min(&self) -> usize {
        usize::from(self.min)
    }

    /// Whether the key ends with the name of the type: `value[x]`.
    pub fn is_choice(&self) -> bool {
        self.flags & CHOICE != 0
    }

    /// Whether there may be more than one value, so that JSON has an array.
    pub fn is_many(&self) -> bool {
        self.flags & MANY != 0
    }

    /// Whether `_summary=true` keeps it.
    pub fn is_summary(&self) -> bool {
        self.flags & SUMMARY != 0
    }

    /// Whether it changes the meaning of what is around it.
    pub fn is_modifier(&self) -> bool {
        self.flags & MODIFIER != 0
    }

    /// The types its value may have.
    pub fn types(&self) -> &'static [ElementType] {
        let first = usize::from(self.first_type);
        elements::TYPES.get(first..first + usize::from(self.types)).unwrap_or_default()
    }

    /// The codes of its required binding; `None` when there is none, or when the code system is
    /// not HL7's to list (media types, units, currencies).
    pub fn codes(&self) -> Option<CodeSet> {
        let groups = codes::SETS.get(usize::from(self.codes)).copied().unwrap_or_default();
        (!groups.is_empty()).then_some(CodeSet { groups })
    }
}

/// The codes that a required binding allows.
#[derive(Debug, Clone, Copy)]
pub struct CodeSet {
    groups: &'static [(&'static str, u16)],
}

impl CodeSet {
    /// The code systems with their allowed codes, sorted.
    pub fn systems(self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        self.groups.iter().map(|(system, list)| {
            (*system, codes::CODES.get(usize::from(*list)).copied().unwrap_or_default())
        })
    }

    /// Whether a `code` is allowed; its system is implied.
    pub fn has_code(self, code: &str) -> bool {
        self.systems().any(|(_, codes)| codes.binary_search(&code).is_ok())
    }

    /// Whether a code of that system is allowed.
    pub fn has(self, system: &str, code: &str) -> bool {
        self.systems().any(|(name, codes)| name == system && codes.binary_search(&code).is_ok())
    }
}

/// A resource type, data type or group of elements.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    name: &'static str,
    first: u16,
    count: u16,
    base: u16,
}

/// What a JSON key means in a shape.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// The element.
    pub element: &'static Element,
    /// The type of its value: for a choice the one that the key names.
    pub element_type: ElementType,
}

impl Shape {
    pub(super) const fn new(name: &'static str, first: u16, count: u16, base: u16) -> Self {
        Self { name, first, count, base }
    }

    /// The name: `Patient`, `HumanName`, `Observation.component`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The elements that are defined here, without inherited ones.
    pub fn own_elements(&self) -> &'static [Element] {
        let first = usize::from(self.first);
        elements::ELEMENTS.get(first..first + usize::from(self.count)).unwrap_or_default()
    }

    fn base(&self) -> Option<&'static Self> {
        elements::SHAPES.get(usize::from(self.base))
    }

    /// All elements, inherited ones last.
    pub fn elements(&self) -> impl Iterator<Item = &'static Element> {
        let base = self.base();
        let grand_base = base.and_then(Self::base);
        let inherited = [base, grand_base].into_iter().flatten().flat_map(Self::own_elements);
        self.own_elements().iter().chain(inherited)
    }

    /// What a key means here. The key is that of the value: without the underscore that marks the
    /// extensions of a primitive.
    pub fn member(&self, key: &str) -> Option<Member> {
        self.elements().find_map(|element| {
            let tail = key.strip_prefix(element.name())?;
            let mut types = element.types().iter().copied();
            let element_type = if element.is_choice() {
                types.find(|one| names_type(tail, one.name()))?
            } else {
                types.next().filter(|_| tail.is_empty())?
            };
            Some(Member { element, element_type })
        })
    }
}

/// Whether the tail of a choice key is this type's name with a capital.
fn names_type(tail: &str, name: &str) -> bool {
    let mut tail = tail.bytes();
    let mut name = name.bytes();
    match (tail.next(), name.next()) {
        (Some(first), Some(expected)) => first == expected.to_ascii_uppercase() && tail.eq(name),
        _ => false,
    }
}
