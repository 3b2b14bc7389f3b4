//! What FHIR R4 says about its types: elements, bindings, search parameters, compartments.
//!
//! The tables are written by `tools/spec-gen` from HL7's published definitions; nothing in them is
//! picked by hand. They are plain `static` data: no parsing, no allocation, no start-up cost.

#[rustfmt::skip]
mod codes;
#[rustfmt::skip]
mod compartment_params;
mod element;
#[rustfmt::skip]
mod elements;
mod primitive;
mod search_param;
#[rustfmt::skip]
mod search_params;
#[cfg(test)]
mod tests;

use proviso_core::resource_type::ResourceType;

pub use element::{CodeSet, Element, ElementType, Member, Shape};
pub use primitive::{Primitive, Written};
pub use search_param::{Component, SearchParam, SearchParamType};

/// The shape of a resource type.
pub fn shape_of(resource_type: ResourceType) -> Option<&'static Shape> {
    let row = elements::RESOURCES.binary_search_by_key(&resource_type, |(name, _)| *name).ok()?;
    let (_, shape) = elements::RESOURCES.get(row)?;
    elements::SHAPES.get(usize::from(*shape))
}

/// The shape of a data type such as `HumanName`, or of a group such as `Observation.component`.
pub fn shape_named(name: &str) -> Option<&'static Shape> {
    elements::SHAPES.iter().find(|shape| shape.name() == name)
}

/// The shape of what stands beside a primitive under its underscored key: id and extensions.
pub fn primitive_extension_shape() -> Option<&'static Shape> {
    elements::SHAPES.get(usize::from(elements::ELEMENT))
}

/// The search parameters that are defined on this type itself, sorted by code. The ones that all
/// types share are in [`common_search_params`].
pub fn search_params_for(resource_type: ResourceType) -> &'static [SearchParam] {
    search_params::RANGES
        .binary_search_by_key(&resource_type, |(name, _, _)| *name)
        .ok()
        .and_then(|row| search_params::RANGES.get(row))
        .and_then(|(_, from, to)| search_params::PARAMS.get(usize::from(*from)..usize::from(*to)))
        .unwrap_or_default()
}

/// The search parameters of `Resource` and `DomainResource`, such as `_id`; sorted by code.
pub fn common_search_params() -> &'static [SearchParam] {
    &search_params::COMMON
}

/// The search parameter of that name on a type, shared ones included.
pub fn search_param(resource_type: ResourceType, code: &str) -> Option<&'static SearchParam> {
    let own = search_params_for(resource_type);
    own.iter().chain(common_search_params()).find(|param| param.code == code)
}

/// The search parameters through which resources of this type are in a patient's compartment;
/// none if they never are.
pub fn patient_compartment_params(resource_type: ResourceType) -> &'static [&'static str] {
    compartment_params::PATIENT
        .binary_search_by_key(&resource_type, |(name, _)| *name)
        .ok()
        .and_then(|row| compartment_params::PATIENT.get(row))
        .map(|(_, params)| *params)
        .unwrap_or_default()
}

/// The types that can be in a patient's compartment, `Patient` itself included.
pub fn patient_compartment_types() -> impl Iterator<Item = ResourceType> {
    compartment_params::PATIENT.iter().map(|(name, _)| *name)
}
