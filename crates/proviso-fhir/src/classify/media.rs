//! Media types: JSON and nothing else (leaks: another format is another way past a filter).

/// The media type of FHIR JSON.
pub const FHIR_JSON: &str = "application/fhir+json";

/// What kind of body belongs to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BodyKind {
    /// None; a body that comes is refused by its length.
    None,
    /// A FHIR resource in JSON.
    Resource,
    /// Search parameters as a form (`application/x-www-form-urlencoded`).
    Form,
    /// A JSON Patch (RFC 6902), or a FHIRPath Patch as a Parameters resource.
    Patch,
}

impl BodyKind {
    /// Whether a `Content-Type` is right for this kind of body; a missing one never is.
    pub fn fits(self, content_type: Option<&str>) -> bool {
        let Some(content_type) = content_type else { return self == Self::None };
        let (essence, parameters) = split(content_type);
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let media = match self {
            Self::None => true,
            Self::Resource => is(FHIR_JSON) || is("application/json"),
            Self::Form => is("application/x-www-form-urlencoded"),
            Self::Patch => is("application/json-patch+json") || is(FHIR_JSON),
        };
        media && parameters_fit(parameters)
    }
}

fn split(value: &str) -> (&str, &str) {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    (essence.trim(), parameters)
}

/// UTF-8 and R4 only (FHIR R4 http.html#version-parameter).
fn parameters_fit(parameters: &str) -> bool {
    parameters.split(';').map(str::trim).filter(|one| !one.is_empty()).all(|one| {
        let (name, value) = one.split_once('=').unwrap_or((one, ""));
        let value = value.trim_matches('"');
        if name.eq_ignore_ascii_case("charset") {
            value.eq_ignore_ascii_case("utf-8")
        } else if name.eq_ignore_ascii_case("fhirVersion") {
            value == "4.0" || value == "4.0.1"
        } else {
            true
        }
    })
}

/// Whether an `Accept` header allows FHIR JSON. No header, or an empty one, allows everything.
pub fn accepts_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept.filter(|text| !text.trim().is_empty()) else { return true };
    accept.split(',').any(|range| {
        let (essence, parameters) = split(range);
        let known = [FHIR_JSON, "application/json", "application/*", "*/*"];
        let refused = parameters.split(';').map(str::trim).any(|one| {
            let quality = one.strip_prefix("q=").or_else(|| one.strip_prefix("Q="));
            // A weight that is no number is worth nothing.
            quality.is_some_and(|q| !q.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        });
        known.iter().any(|name| essence.eq_ignore_ascii_case(name))
            && !refused
            && parameters_fit(parameters)
    })
}

/// Whether a `_format` value, decoded, asks for JSON (FHIR R4 http.html#mime-type). It overrides
/// `Accept`.
pub fn format_is_json(format: &str) -> bool {
    let (essence, parameters) = split(format);
    // A `+` that was not encoded arrives as a space.
    let known = ["json", "text/json", "application/json", FHIR_JSON, "application/fhir json"];
    known.iter().any(|name| essence.eq_ignore_ascii_case(name)) && parameters_fit(parameters)
}
