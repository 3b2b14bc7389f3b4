//! The parameters of an operation that searches: in the URL, in a Parameters resource, or both (FHIR
//! R4 operations.html#request).

use std::borrow::Cow;

use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::{Doc, Node};

use super::{Body, check_type};
use crate::problem::{Problem, Refusal};
use crate::query::encode;

/// All parameters as those of a URL.
pub(super) fn joined(query: String, body: Body) -> Result<String, Refusal> {
    match body {
        Body::None => Ok(query),
        Body::Json(doc) => {
            check_type(&doc, ResourceType::PARAMETERS)?;
            let mut all = query;
            add(&doc, &mut all)?;
            Ok(all)
        }
        Body::Form(_) => Err(Problem::MediaTypeUnsupported.into()),
    }
}

fn add(doc: &Doc, query: &mut String) -> Result<(), Refusal> {
    for parameter in doc.root().get("parameter").into_iter().flat_map(Node::items) {
        let name = parameter.string_at(&["name"]).ok_or(Problem::ParameterRefused)?;
        let value = value_of(parameter);
        let value = value.ok_or_else(|| Refusal::from(Problem::ParameterRefused).at(&name))?;
        if !query.is_empty() {
            query.push('&');
        }
        encode(&name, query);
        query.push('=');
        encode(&value, query);
    }
    Ok(())
}

/// A value that a URL can hold: a text, a number, a truth value, a reference, or a code in its system.
fn value_of(parameter: Node<'_>) -> Option<String> {
    let (name, value) = parameter.entries().find(|(name, _)| name.starts_with("value"))?;
    match name {
        "valueCoding" => token(value),
        "valueCodeableConcept" => {
            let tokens: Option<Vec<String>> = value.get("coding")?.items().map(token).collect();
            tokens.filter(|tokens| !tokens.is_empty()).map(|tokens| tokens.join(","))
        }
        "valueReference" => Some(value.string_at(&["reference"])?.into_owned()),
        _ => {
            let text = value.as_str().map(Cow::into_owned);
            text.or_else(|| value.number_text().map(str::to_owned))
                .or_else(|| value.as_bool().map(|own| own.to_string()))
        }
    }
}

/// `system|code`, with what separates values in a URL taken as part of them.
fn token(coding: Node<'_>) -> Option<String> {
    let plain = |text: &str| {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            if matches!(c, '\\' | ',' | '|' | '$') {
                out.push('\\');
            }
            out.push(c);
        }
        out
    };
    let code = plain(&coding.string_at(&["code"])?);
    Some(match coding.string_at(&["system"]) {
        Some(system) => format!("{}|{code}", plain(&system)),
        None => code,
    })
}
