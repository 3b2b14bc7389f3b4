//! What a request asks for: method and path below the FHIR base become an [`Interaction`] with its
//! target, or are refused.
//!
//! TRUST: the decision is made for what this module understands, and an upstream acts on what it
//! understands. The two must never differ, so nothing here is normalized or forgiven: a path that
//! two parsers could read differently is refused before anything looks at it.
//!
//! Source: FHIR R4 http.html and search.html.

mod media;
#[cfg(test)]
mod tests;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use proviso_core::id::{PatientId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;

use crate::outcome::{IssueCode, OperationOutcome};
use crate::spec;

pub use media::{BodyKind, FHIR_JSON, accepts_json, format_is_json};

/// An HTTP method that FHIR knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`: as `GET`, the body is left out on the way back.
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
}

/// The method is none that FHIR knows. Methods are case-sensitive (RFC 9110 §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown method")]
pub struct UnknownMethod;

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        match name {
            "GET" => Ok(Self::Get),
            "HEAD" => Ok(Self::Head),
            "POST" => Ok(Self::Post),
            "PUT" => Ok(Self::Put),
            "PATCH" => Ok(Self::Patch),
            "DELETE" => Ok(Self::Delete),
            "OPTIONS" => Ok(Self::Options),
            _ => Err(UnknownMethod),
        }
    }
}

impl Method {
    /// Whether it only asks (RFC 9110 §9.2.1).
    pub fn is_read(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// The name as sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

/// What to classify.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: Method,
    /// The path below the FHIR base exactly as sent, still percent-encoded, with or without the
    /// slash in front.
    pub path: &'a str,
    /// The query exactly as sent, without `?`.
    pub query: Option<&'a str>,
    /// The `If-None-Exist` header, for conditional creates.
    pub if_none_exist: Option<&'a str>,
}

/// What the interaction is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The whole server.
    System,
    /// One type.
    Type(ResourceType),
    /// One resource.
    Instance(ResourceType, ResourceId),
    /// One version of one resource; the version is an opaque text of the id character set.
    Version(ResourceType, ResourceId, String),
    /// Resources of one type (all types if `None`) in a patient's compartment.
    Compartment(PatientId, Option<ResourceType>),
    /// The one resource of a type that matches a search; the text is its query, never empty. The
    /// search must refuse a query in which nothing selects.
    Conditional(ResourceType, String),
}

impl Target {
    /// The type the target is of, if it is of one.
    pub fn resource_type(&self) -> Option<ResourceType> {
        match self {
            Self::System => None,
            Self::Type(name)
            | Self::Instance(name, _)
            | Self::Version(name, _, _)
            | Self::Conditional(name, _) => Some(*name),
            Self::Compartment(_, name) => *name,
        }
    }
}

/// A request that Proviso understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// What is to be done. A `POST` to the base is [`Interaction::Batch`] until its Bundle has been
    /// read and says which of the two it is.
    pub interaction: Interaction,
    /// To what.
    pub target: Target,
    /// What kind of body belongs to it.
    pub body: BodyKind,
}

/// Why a request is refused before anything else is looked at. The answers are the same whatever
/// the path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ClassifyError {
    /// The path could be read in two ways.
    #[error("the path is not one that FHIR defines: no encoded, empty or relative segments")]
    BadPath,
    /// The first segment is no resource type of FHIR R4.
    #[error("unknown resource type")]
    UnknownType,
    /// There is nothing at that path.
    #[error("there is nothing at this path")]
    UnknownPath,
    /// The path exists, the method does not do anything there.
    #[error("this method is not possible here")]
    MethodNotAllowed,
    /// A conditional interaction without criteria.
    #[error("a conditional interaction needs search criteria")]
    CriteriaRequired,
    /// Compartments other than a patient's.
    #[error("only the Patient compartment is supported")]
    UnsupportedCompartment,
}

impl ClassifyError {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::BadPath | Self::CriteriaRequired => 400,
            Self::UnknownType | Self::UnknownPath => 404,
            Self::MethodNotAllowed => 405,
            Self::UnsupportedCompartment => 501,
        }
    }

    /// The FHIR issue type.
    pub fn issue_code(self) -> IssueCode {
        match self {
            Self::BadPath | Self::CriteriaRequired => IssueCode::Invalid,
            Self::UnknownType | Self::UnknownPath => IssueCode::NotFound,
            Self::MethodNotAllowed | Self::UnsupportedCompartment => IssueCode::NotSupported,
        }
    }

    /// Proviso's stable code.
    pub fn detail(self) -> &'static str {
        match self {
            Self::BadPath => "bad-path",
            Self::UnknownType => "unknown-type",
            Self::UnknownPath => "unknown-path",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::CriteriaRequired => "criteria-required",
            Self::UnsupportedCompartment => "unsupported-compartment",
        }
    }

    /// The body of the answer.
    pub fn outcome(self) -> OperationOutcome {
        OperationOutcome::error(self.issue_code(), alloc::format!("{self}"))
            .with_detail(self.detail())
    }
}

/// Classifies a request.
///
/// ```
/// use proviso_fhir::classify::{Method, RequestLine, classify};
/// let line = RequestLine {
///     method: Method::Get, path: "/Patient/a", query: None, if_none_exist: None,
/// };
/// assert_eq!(classify(&line).unwrap().interaction.code(), "read");
/// ```
///
/// # Errors
/// When the path is not one of FHIR R4, or the method does nothing there.
pub fn classify(line: &RequestLine<'_>) -> Result<Classified, ClassifyError> {
    if line.method == Method::Options {
        return Err(ClassifyError::MethodNotAllowed);
    }
    let segments = segments(line.path)?;
    match *segments.as_slice() {
        [] => at_base(line.method),
        ["metadata"] => read_only(line.method, Interaction::Capabilities, Target::System),
        ["_history"] => read_only(line.method, Interaction::HistorySystem, Target::System),
        ["_search"] => posted_search(line.method, Interaction::SearchSystem, Target::System),
        [name] if name.starts_with('$') => operation(line.method, name, Target::System),
        [name, ref rest @ ..] => {
            let resource_type = name.parse().map_err(|_| ClassifyError::UnknownType)?;
            at_type(line, resource_type, rest)
        }
    }
}

/// Classifies the `request` of a batch or transaction entry.
///
/// # Errors
/// As [`classify`]; also when the URL is absolute or starts with a slash, because then it does not
/// name something below this FHIR base (FHIR R4 http.html#transaction).
pub fn classify_entry(
    method: Method,
    url: &str,
    if_none_exist: Option<&str>,
) -> Result<Classified, ClassifyError> {
    if url.starts_with('/') || url.contains(['#', ':']) && !colon_is_in_query(url) {
        return Err(ClassifyError::BadPath);
    }
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let classified = classify(&RequestLine { method, path, query, if_none_exist })?;
    if classified.interaction == Interaction::Batch {
        // A batch inside a batch could hide requests from the decision.
        return Err(ClassifyError::MethodNotAllowed);
    }
    Ok(classified)
}

/// Whether the colons of a URL are all behind its `?`, as in `subject:Patient=1`, and no `#` is.
fn colon_is_in_query(url: &str) -> bool {
    !url.contains('#') && url.split('?').next().is_some_and(|path| !path.contains(':'))
}

/// Splits a path after refusing everything that two parsers could read differently.
fn segments(path: &str) -> Result<Vec<&str>, ClassifyError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Vec::new());
    }
    if path.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b';' | b'\\' | b'?' | b'#')) {
        return Err(ClassifyError::BadPath);
    }
    refuse_encoded_syntax(path)?;
    let segments: Vec<&str> = path.split('/').collect();
    let tricky = |segment: &&str| segment.is_empty() || segment.ends_with('.');
    if segments.iter().any(tricky) {
        return Err(ClassifyError::BadPath);
    }
    Ok(segments)
}

/// Nothing that FHIR puts into a path needs percent-encoding. What decodes to a character with a
/// meaning of its own is a trick; what decodes to any other (`%20`) cannot name anything, and the
/// rules for types and ids refuse it as such.
fn refuse_encoded_syntax(path: &str) -> Result<(), ClassifyError> {
    for encoded in path.split('%').skip(1) {
        let byte = encoded.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            // `%+1` parses as a number, but a sign is no hex digit.
            Some(_) if encoded.starts_with(['+', '-']) => return Err(ClassifyError::BadPath),
            Some(
                b'.' | b'/' | b'\\' | b'%' | b';' | b'?' | b'#' | b'$' | b'_' | 0..0x20 | 0x7f..,
            ) => {
                return Err(ClassifyError::BadPath);
            }
            Some(byte) if byte.is_ascii_alphanumeric() => return Err(ClassifyError::BadPath),
            Some(_) => {}
            None => return Err(ClassifyError::BadPath),
        }
    }
    Ok(())
}

fn done(interaction: Interaction, target: Target) -> Classified {
    Classified { interaction, target, body: BodyKind::None }
}

fn with_body(interaction: Interaction, target: Target, body: BodyKind) -> Classified {
    Classified { interaction, target, body }
}

fn read_only(
    method: Method,
    interaction: Interaction,
    target: Target,
) -> Result<Classified, ClassifyError> {
    if method.is_read() {
        Ok(done(interaction, target))
    } else {
        Err(ClassifyError::MethodNotAllowed)
    }
}

fn posted_search(
    method: Method,
    interaction: Interaction,
    target: Target,
) -> Result<Classified, ClassifyError> {
    if method == Method::Post {
        Ok(with_body(interaction, target, BodyKind::Form))
    } else {
        Err(ClassifyError::MethodNotAllowed)
    }
}

fn at_base(method: Method) -> Result<Classified, ClassifyError> {
    if method == Method::Post {
        Ok(with_body(Interaction::Batch, Target::System, BodyKind::Resource))
    } else {
        read_only(method, Interaction::SearchSystem, Target::System)
    }
}

fn operation(method: Method, segment: &str, target: Target) -> Result<Classified, ClassifyError> {
    let name = segment.strip_prefix('$').ok_or(ClassifyError::UnknownPath)?;
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits {
        return Err(ClassifyError::UnknownPath);
    }
    let interaction = Interaction::Operation(name.to_owned());
    if method == Method::Post {
        Ok(with_body(interaction, target, BodyKind::Resource))
    } else {
        read_only(method, interaction, target)
    }
}

fn at_type(
    line: &RequestLine<'_>,
    resource_type: ResourceType,
    rest: &[&str],
) -> Result<Classified, ClassifyError> {
    let of_type = Target::Type(resource_type);
    match *rest {
        [] => whole_type(line, resource_type),
        ["_history"] => read_only(line.method, Interaction::HistoryType, of_type),
        ["_search"] => posted_search(line.method, Interaction::Search, of_type),
        [name] if name.starts_with('$') => operation(line.method, name, of_type),
        [id, ref rest @ ..] => {
            let id: ResourceId = id.parse().map_err(|_| ClassifyError::UnknownPath)?;
            at_instance(line, resource_type, id, rest)
        }
    }
}

/// `[type]` and nothing behind it.
fn whole_type(
    line: &RequestLine<'_>,
    resource_type: ResourceType,
) -> Result<Classified, ClassifyError> {
    let criteria = |text: Option<&str>| match text {
        Some(text) if !text.is_empty() => Ok(Target::Conditional(resource_type, text.to_owned())),
        Some(_) | None => Err(ClassifyError::CriteriaRequired),
    };
    Ok(match line.method {
        Method::Get | Method::Head => done(Interaction::Search, Target::Type(resource_type)),
        Method::Post => {
            let target = match line.if_none_exist {
                Some(text) => criteria(Some(text))?,
                None => Target::Type(resource_type),
            };
            with_body(Interaction::Create, target, BodyKind::Resource)
        }
        Method::Put => with_body(Interaction::Update, criteria(line.query)?, BodyKind::Resource),
        Method::Patch => with_body(Interaction::Patch, criteria(line.query)?, BodyKind::Patch),
        Method::Delete => done(Interaction::Delete, criteria(line.query)?),
        Method::Options => return Err(ClassifyError::MethodNotAllowed),
    })
}

fn at_instance(
    line: &RequestLine<'_>,
    resource_type: ResourceType,
    id: ResourceId,
    rest: &[&str],
) -> Result<Classified, ClassifyError> {
    let method = line.method;
    match *rest {
        [] => {
            let target = Target::Instance(resource_type, id);
            Ok(match method {
                Method::Get | Method::Head => done(Interaction::Read, target),
                Method::Put => with_body(Interaction::Update, target, BodyKind::Resource),
                Method::Patch => with_body(Interaction::Patch, target, BodyKind::Patch),
                Method::Delete => done(Interaction::Delete, target),
                Method::Post | Method::Options => return Err(ClassifyError::MethodNotAllowed),
            })
        }
        ["_history"] => {
            read_only(method, Interaction::HistoryInstance, Target::Instance(resource_type, id))
        }
        ["_history", version] => {
            // FHIR R4 http.html#vread: a version id has the shape of a logical id.
            let version: ResourceId = version.parse().map_err(|_| ClassifyError::UnknownPath)?;
            let target = Target::Version(resource_type, id, version.into());
            read_only(method, Interaction::Vread, target)
        }
        [name] if name.starts_with('$') => {
            operation(method, name, Target::Instance(resource_type, id))
        }
        [name] => {
            let (interaction, target) = compartment(resource_type, id, name)?;
            read_only(method, interaction, target)
        }
        [name, "_search"] => {
            let (interaction, target) = compartment(resource_type, id, name)?;
            posted_search(method, interaction, target)
        }
        _ => Err(ClassifyError::UnknownPath),
    }
}

/// `[compartment]/[id]/[type]` (FHIR R4 search.html#2.21.1.2).
fn compartment(
    owner: ResourceType,
    id: ResourceId,
    name: &str,
) -> Result<(Interaction, Target), ClassifyError> {
    let member: Option<ResourceType> = match name {
        "*" => None,
        _ => Some(name.parse().map_err(|_| ClassifyError::UnknownPath)?),
    };
    match owner {
        ResourceType::PATIENT => {}
        ResourceType::ENCOUNTER
        | ResourceType::RELATED_PERSON
        | ResourceType::PRACTITIONER
        | ResourceType::DEVICE => return Err(ClassifyError::UnsupportedCompartment),
        _ => return Err(ClassifyError::UnknownPath),
    }
    let inside = |name| !spec::patient_compartment_params(name).is_empty();
    if member.is_some_and(|name| !inside(name)) {
        return Err(ClassifyError::UnknownPath);
    }
    let interaction =
        if member.is_some() { Interaction::Search } else { Interaction::SearchSystem };
    Ok((interaction, Target::Compartment(id.into_patient(), member)))
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
