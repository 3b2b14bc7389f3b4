//! Search parameters of one type, compiled from HL7's definitions.

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use super::path::{Expression, PathError, Step};
pub use crate::spec::SearchParamType as ParamType;
use crate::spec::{self, ElementType, SearchParam};

/// A search parameter, ready to be evaluated over resources of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name in queries.
    pub code: &'static str,
    /// How its values are compared.
    pub kind: ParamType,
    /// The types a reference parameter may lead to; empty for any.
    pub targets: &'static [ResourceType],
    pub(super) expression: Expression,
    /// Of a composite: each component, under the code of the parameter it is compared as.
    pub(super) components: Vec<Param>,
    pub(super) implied_system: Option<&'static str>,
    pub(super) is_contact: bool,
    pub(super) is_canonical: bool,
}

impl Param {
    /// The parameter of that name for a type; `None` when R4 and US Core define none or define it
    /// without an expression.
    pub fn find(resource_type: ResourceType, code: &str) -> Option<Self> {
        let definition = spec::search_param(resource_type, code)?;
        Self::compile(resource_type, definition).ok().flatten()
    }

    /// Every parameter of a type that can be evaluated.
    pub fn all(resource_type: ResourceType) -> Vec<Self> {
        spec::search_params_for(resource_type)
            .iter()
            .chain(spec::common_search_params())
            .filter_map(|definition| Self::compile(resource_type, definition).ok().flatten())
            .collect()
    }

    /// Compiles a definition; `None` for the parameters that have no expression.
    ///
    /// # Errors
    /// The expression is outside the subset of FHIRPath that search parameters use.
    pub fn compile(
        resource_type: ResourceType,
        definition: &'static SearchParam,
    ) -> Result<Option<Self>, PathError> {
        if definition.expression.is_empty() {
            return Ok(None);
        }
        let mut components = Vec::new();
        for part in definition.components {
            // A component is compared as the parameter it names; its own expression starts at
            // the place of the composite.
            let Some(named) = spec::search_param(resource_type, part.code) else {
                return Ok(None);
            };
            let place = component_expression(definition, part, named);
            let expression = Expression::compile(place, resource_type)?;
            components.push(Self::assemble(resource_type, named, expression, Vec::new()));
        }
        let expression = Expression::compile(definition.expression, resource_type)?;
        Ok(Some(Self::assemble(resource_type, definition, expression, components)))
    }

    fn assemble(
        resource_type: ResourceType,
        definition: &'static SearchParam,
        expression: Expression,
        components: Vec<Self>,
    ) -> Self {
        let is_contact = expression.paths().iter().any(|p| p.last_field() == Some("telecom"));
        let is_canonical = definition.param_type == ParamType::Reference
            && holds_canonicals(resource_type, &expression);
        let is_token = definition.param_type == ParamType::Token;
        let implied_system =
            if is_token { implied_system(resource_type, &expression) } else { None };
        Self {
            code: definition.code,
            kind: definition.param_type,
            targets: definition.targets,
            expression,
            components,
            implied_system,
            is_contact,
            is_canonical,
        }
    }

    /// Whether the reference parameter may lead to that type.
    pub fn may_target(&self, resource_type: ResourceType) -> bool {
        self.kind == ParamType::Reference
            && (self.targets.is_empty() || self.targets.contains(&resource_type))
    }

    /// Whether every server that knows the parameter finds the same by this token: not where case
    /// does not count (contacts), and not by a system that only the binding of the code tells.
    pub fn is_plain_token(&self, has_system: bool) -> bool {
        self.kind == ParamType::Token
            && !self.is_contact
            && !(has_system && self.implied_system.is_some())
    }

    /// Every element that it looks at, as the names that lead to it from the resource.
    pub fn element_paths(&self) -> Vec<Vec<String>> {
        self.expression.element_paths()
    }

    /// Whether the parameter compares by sound.
    pub(super) fn is_phonetic(&self) -> bool {
        self.code == "phonetic"
    }
}

/// Where a component's values are.
///
/// R4's `DocumentReference` parameter `relationship` has the expressions of its two components
/// exchanged: each fits the parameter that the other names.
fn component_expression(
    definition: &SearchParam,
    part: &'static spec::Component,
    named: &SearchParam,
) -> &'static str {
    let fits = |expression: &str| {
        named.expression.rsplit('.').next().is_some_and(|last| last == expression)
    };
    let swapped = definition.components.iter().find(|other| fits(other.expression));
    match swapped {
        Some(other) if definition.code == "relationship" && !fits(part.expression) => {
            other.expression
        }
        _ => part.expression,
    }
}

/// Whether what the expression finds are canonical URLs, which refer to no resource by themselves.
fn holds_canonicals(resource_type: ResourceType, expression: &Expression) -> bool {
    let is_text = |one: &ElementType| matches!(one, ElementType::Primitive(_));
    expression.paths().iter().any(|path| {
        if let Some(Step::As(chosen)) = path.steps.last() {
            return chosen == "canonical" || chosen == "uri";
        }
        let mut shape = spec::shape_of(resource_type);
        let mut types: &[ElementType] = &[];
        for field in path.fields() {
            let found = shape.and_then(|shape| shape.elements().find(|one| one.name() == field));
            let Some(element) = found else { return false };
            types = element.types();
            shape = types.first().and_then(|one| one.shape());
        }
        !types.is_empty() && types.iter().all(is_text)
    })
}

/// FHIR R4 search.html#token: the system of a `code` element is the one that its binding implies.
fn implied_system(resource_type: ResourceType, expression: &Expression) -> Option<&'static str> {
    let [path] = expression.paths() else { return None };
    let mut shape = spec::shape_of(resource_type);
    let mut system = None;
    for field in path.fields() {
        let member = shape?.member(field)?;
        system = match member.element_type {
            ElementType::Primitive(_) => member.element.codes().and_then(|codes| {
                let mut systems = codes.systems().map(|(system, _)| system);
                // With several systems the code alone does not tell which one is meant.
                systems.next().filter(|_| systems.next().is_none())
            }),
            ElementType::Complex(_) | ElementType::Reference(_) | ElementType::Inline => None,
        };
        shape = member.element_type.shape();
    }
    system
}
