//! Search parameters as HL7 defines them; the search module compiles their expressions.

use proviso_core::resource_type::ResourceType;

/// FHIR R4 `search-param-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SearchParamType {
    /// A number.
    Number,
    /// A date, dateTime, instant, Period or Timing.
    Date,
    /// Text that is matched by its beginning.
    String,
    /// A coded value or identifier.
    Token,
    /// A reference to a resource.
    Reference,
    /// Several parameters of the same element.
    Composite,
    /// A quantity with its unit.
    Quantity,
    /// A URI that is matched as a whole.
    Uri,
    /// With rules of its own (`near`).
    Special,
}

impl SearchParamType {
    /// The code of the FHIR value set.
    pub fn code(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }
}

/// One part of a composite parameter.
#[derive(Debug, Clone, Copy)]
pub struct Component {
    /// The parameter whose type and rules apply.
    pub code: &'static str,
    /// Where its value is, from what the composite's own expression yields.
    pub expression: &'static str,
}

impl Component {
    pub(super) const fn new(code: &'static str, expression: &'static str) -> Self {
        Self { code, expression }
    }
}

/// One search parameter of one type.
#[derive(Debug, Clone, Copy)]
pub struct SearchParam {
    /// The name used in queries.
    pub code: &'static str,
    /// How values are compared.
    pub param_type: SearchParamType,
    /// FHIRPath from the resource; of a definition that spans several types only the alternatives
    /// for this one. Empty for `_text`, `_content` and `_query`, which R4 leaves to servers.
    pub expression: &'static str,
    /// For references: the types they may point to.
    pub targets: &'static [ResourceType],
    /// For composites: the parts, in order.
    pub components: &'static [Component],
    /// Whether it is US Core's rather than R4's or HL7 FAST's.
    pub us_core: bool,
}

impl SearchParam {
    pub(super) const fn new(
        (code, param_type, expression, targets, components, us_core): (
            &'static str,
            SearchParamType,
            &'static str,
            &'static [ResourceType],
            &'static [Component],
            bool,
        ),
    ) -> Self {
        Self { code, param_type, expression, targets, components, us_core }
    }
}
