//! Second verb: what is asked, as a value that cannot mean two things.
//!
//! The path is read by `proviso-fhir` on the bytes as sent, without decoding or normalization
//! (leaks 10, 11, 103). Here it is joined with body and headers. What is not in `Asked` is not
//! offered: refused, never passed on (leaks 74, 78).

use proviso_app::caller::Caller;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::{BundleError, IncomingBundle, IncomingEntry, IncomingKind};
use proviso_fhir::classify::{
    self, BodyKind, ClassifyError, Method, RequestLine, Target, accepts_json, format_is_json,
};
use proviso_fhir::json::{Doc, JsonError};

use crate::authenticate::Authenticated;
use crate::door::{Once, Received, Wanted};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::stop::Stopped;
use crate::trail::Trail;

/// What one request asks for. The resource type is beside it, in [`Classified`].
#[derive(Debug)]
pub(crate) enum Asked {
    Read {
        id: ResourceId,
    },
    Vread {
        id: ResourceId,
        version: String,
    },
    HistoryInstance {
        id: ResourceId,
        query: String,
    },
    HistoryType {
        query: String,
    },
    /// A search of the type, or of the type within one patient's compartment.
    Search {
        compartment: Option<ResourceId>,
        query: String,
    },
    Everything {
        id: ResourceId,
        query: String,
    },
    /// With criteria (`If-None-Exist`): only if none of what the caller sees matches them.
    Create {
        doc: Doc,
        criteria: Option<String>,
    },
    Update {
        id: ResourceId,
        doc: Doc,
        if_match: Option<String>,
    },
    Patch {
        id: ResourceId,
        patch: Doc,
        if_match: Option<String>,
    },
    Delete {
        id: ResourceId,
        if_match: Option<String>,
    },
}

/// One interaction on one resource type, asked by one caller.
#[derive(Debug)]
pub struct Classified {
    pub(crate) caller: Caller,
    pub(crate) trail: Trail,
    pub(crate) interaction: Interaction,
    pub(crate) resource_type: ResourceType,
    pub(crate) asked: Asked,
    pub(crate) conditions: Conditions,
}

/// Conditions under which a full answer is not wanted; looked at only after the decision (leak 7).
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_none_match: Option<String>,
    /// `Prefer: return=minimal`.
    pub(crate) minimal: bool,
}

/// One interaction, or a Bundle of them.
#[derive(Debug)]
pub enum Work {
    /// One interaction.
    Single(Box<Classified>),
    /// A batch: each entry on its own, or why it is not a request.
    Batch {
        /// The entries, in their order.
        entries: Vec<Result<Classified, Stopped>>,
        /// What the log will say of the Bundle itself.
        bundle: Box<Trail>,
    },
}

/// Reads the request.
pub fn classify(gateway: &Gateway, known: Authenticated) -> Result<Work, Stopped> {
    let Authenticated { received, caller, mut trail } = known;
    let (line, body, headers) = match read(&received) {
        Ok(parts) => parts,
        Err(refusal) => return Err(Stopped::new(refusal, trail)),
    };
    if line.interaction == Interaction::Batch {
        trail.interaction = Some(Interaction::Batch);
        return batch(gateway, body, &caller, trail);
    }
    let single = single(gateway, line, &received.query, body, headers, caller, trail)?;
    Ok(Work::Single(Box::new(single)))
}

/// The body, in the one form that belongs to the request.
#[derive(Debug)]
enum Body {
    None,
    Json(Doc),
    Form(String),
}

#[derive(Debug, Default)]
struct EntryHeaders {
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_none_exist: Option<String>,
    minimal: bool,
}

fn read(received: &Received) -> Result<(classify::Classified, Body, EntryHeaders), Refusal> {
    check_accept(received)?;
    let method: Method = received.method.as_str().parse().map_err(|_| Problem::NotOffered)?;
    let headers = entry_headers(&received.headers)?;
    let line = classify::classify(&RequestLine {
        method,
        path: &received.path,
        query: (!received.query.is_empty()).then_some(&received.query),
        if_none_exist: headers.if_none_exist.as_deref(),
    })
    .map_err(refuse_path)?;
    let body = body(received, line.body)?;
    Ok((line, body, headers))
}

fn refuse_path(error: ClassifyError) -> Refusal {
    match error {
        ClassifyError::BadPath => Problem::PathRefused,
        ClassifyError::UnknownType => Problem::TypeUnknown,
        ClassifyError::UnknownPath => Problem::PathUnknown,
        ClassifyError::MethodNotAllowed
        | ClassifyError::CriteriaRequired
        | ClassifyError::UnsupportedCompartment => Problem::NotOffered,
    }
    .into()
}

/// `_format` beats `Accept` (FHIR R4 http.html#mime-type); another form of the answer would be
/// another way past the filter (leak 9).
pub(crate) fn check_accept(received: &Received) -> Result<(), Refusal> {
    let pairs = query::pairs(&received.query).ok_or(Problem::SearchRefused)?;
    let formats: Vec<&str> =
        pairs.iter().filter(|(name, _)| name == "_format").map(|(_, v)| v.as_str()).collect();
    let accepted = match formats.as_slice() {
        [] => accepts_json(received.headers.accept.as_deref()),
        formats => formats.iter().all(|format| format_is_json(format)),
    };
    if accepted { Ok(()) } else { Err(Problem::NotAcceptable.into()) }
}

fn body(received: &Received, kind: BodyKind) -> Result<Body, Refusal> {
    let empty = received.body.is_empty();
    match kind {
        // A search form may be empty; a resource or patch may not.
        BodyKind::None | BodyKind::Form if empty => return Ok(Body::None),
        BodyKind::None => return Err(Problem::BodyMisplaced.into()),
        BodyKind::Resource | BodyKind::JsonPatch | BodyKind::Form => {}
    }
    let content_type = received.headers.content_type.single()?.map(String::as_str);
    if received.headers.encoded || !kind.fits(content_type) {
        return Err(Problem::MediaTypeUnsupported.into());
    }
    let bytes = received.body.to_vec();
    if kind == BodyKind::Form {
        return String::from_utf8(bytes).map(Body::Form).map_err(|_| Problem::SearchRefused.into());
    }
    Doc::parse(bytes).map(Body::Json).map_err(|error| refuse_json(&error))
}

/// Names the fault and its place; never what stands there.
fn refuse_json(error: &JsonError) -> Refusal {
    let mut refusal = Refusal::from(Problem::BodyMalformed);
    refusal.faults = vec![(error.path.clone(), error.to_string())];
    refusal
}

fn entry_headers(headers: &Wanted) -> Result<EntryHeaders, Refusal> {
    let one = |header: &Once<String>| header.single().map(Option::<&String>::cloned);
    Ok(EntryHeaders {
        if_match: one(&headers.if_match)?,
        if_none_match: one(&headers.if_none_match)?,
        if_none_exist: one(&headers.if_none_exist)?,
        minimal: headers
            .prefer
            .as_deref()
            .is_some_and(|text| text.split([',', ';']).any(|part| part.trim() == "return=minimal")),
    })
}

fn single(
    gateway: &Gateway,
    line: classify::Classified,
    query: &str,
    body: Body,
    headers: EntryHeaders,
    caller: Caller,
    mut trail: Trail,
) -> Result<Classified, Stopped> {
    trail.interaction = Some(line.interaction.clone());
    trail.resource_type = line.target.resource_type();
    let interaction = line.interaction.clone();
    let (resource_type, asked) = match asked(line, query, body, &headers) {
        Ok(asked) => asked,
        Err(refusal) => return Err(Stopped::new(refusal, trail)),
    };
    if let Some(raw) = asked_query(&asked) {
        trail.query_shape = query::shape(raw);
        let most = gateway.settings.limits.parameters_max;
        if query::pairs(raw).is_none_or(|pairs| pairs.len() > most) {
            return Err(Stopped::new(Problem::SearchTooLarge, trail));
        }
    }
    let conditions = Conditions { if_none_match: headers.if_none_match, minimal: headers.minimal };
    Ok(Classified { caller, trail, interaction, resource_type, asked, conditions })
}

/// Whitelist: each offered combination has its line, everything else is refused.
fn asked(
    line: classify::Classified,
    query: &str,
    body: Body,
    headers: &EntryHeaders,
) -> Result<(ResourceType, Asked), Refusal> {
    // Conditions that are not offered are refused, never ignored. `If-Modified-Since` may be
    // ignored: a whole answer is always right (RFC 9110 §13.1.3).
    let is_get = line.body == BodyKind::None && line.interaction != Interaction::Delete;
    let creates_only = headers.if_none_match.is_some() && !is_get;
    let misplaced = headers.if_none_exist.is_some() && line.interaction != Interaction::Create;
    if misplaced || creates_only {
        return Err(Problem::NotOffered.into());
    }
    let own = query.to_owned();
    let if_match = weak_version(headers.if_match.as_deref())?;
    let asked = match (line.interaction, line.target, body) {
        (Interaction::Read, Target::Instance(kind, id), _) => {
            only_format(query)?;
            (kind, Asked::Read { id })
        }
        (Interaction::Vread, Target::Version(kind, id, version), _) => {
            only_format(query)?;
            (kind, Asked::Vread { id, version })
        }
        (Interaction::HistoryInstance, Target::Instance(kind, id), _) => {
            (kind, Asked::HistoryInstance { id, query: own })
        }
        (Interaction::HistoryType, Target::Type(kind), _) => {
            (kind, Asked::HistoryType { query: own })
        }
        (Interaction::Search, Target::Type(kind), body) => {
            (kind, Asked::Search { compartment: None, query: union(own, body)? })
        }
        (Interaction::Search, Target::Compartment(patient, Some(kind)), body) => {
            let compartment = Some(patient.into());
            (kind, Asked::Search { compartment, query: union(own, body)? })
        }
        (Interaction::Operation(name), Target::Instance(ResourceType::PATIENT, id), Body::None)
            if name == "everything" =>
        {
            (ResourceType::PATIENT, Asked::Everything { id, query: own })
        }
        (Interaction::Operation(_), _, _) => return Err(Problem::OperationNotOffered.into()),
        (Interaction::Create, Target::Type(kind), Body::Json(doc)) => {
            only_format(query)?;
            check_type(&doc, kind)?;
            (kind, Asked::Create { doc, criteria: None })
        }
        (Interaction::Create, Target::Conditional(kind, criteria), Body::Json(doc)) => {
            only_format(query)?;
            check_type(&doc, kind)?;
            (kind, Asked::Create { doc, criteria: Some(criteria) })
        }
        (Interaction::Update, Target::Instance(kind, id), Body::Json(doc)) => {
            only_format(query)?;
            check_type(&doc, kind)?;
            if doc.id().as_ref() != Some(&id) {
                return Err(Refusal::from(Problem::BodyMismatch).at("id"));
            }
            (kind, Asked::Update { id, doc, if_match })
        }
        (Interaction::Patch, Target::Instance(kind, id), Body::Json(patch)) => {
            only_format(query)?;
            (kind, Asked::Patch { id, patch, if_match })
        }
        (Interaction::Delete, Target::Instance(kind, id), _) => {
            only_format(query)?;
            (kind, Asked::Delete { id, if_match })
        }
        _ => return Err(Problem::NotOffered.into()),
    };
    Ok(asked)
}

/// FHIR R4 http.html#search-post: parameters of URL and form together; all must hold (leak 50).
fn union(mut query: String, body: Body) -> Result<String, Refusal> {
    match body {
        Body::None => {}
        Body::Form(form) => {
            let pairs = query::pairs(&form).ok_or(Problem::SearchRefused)?;
            if pairs.iter().any(|(name, _)| name == "access_token") {
                return Err(Problem::TokenMisplaced.into());
            }
            if !query.is_empty() && !form.is_empty() {
                query.push('&');
            }
            query.push_str(&form);
        }
        Body::Json(_) => return Err(Problem::MediaTypeUnsupported.into()),
    }
    Ok(query)
}

fn check_type(doc: &Doc, kind: ResourceType) -> Result<(), Refusal> {
    if doc.resource_type() == Some(kind) {
        Ok(())
    } else {
        Err(Refusal::from(Problem::BodyMismatch).at("resourceType"))
    }
}

/// A read has no parameters but the form of its answer; whatever else came is refused, because
/// ignoring it would answer another question than the one asked.
fn only_format(raw: &str) -> Result<(), Refusal> {
    let pairs = query::pairs(raw).ok_or(Problem::SearchRefused)?;
    match pairs.iter().find(|(name, _)| name != "_format" && name != "_pretty") {
        None => Ok(()),
        Some((name, _)) => Err(Refusal::from(Problem::SearchRefused).at(name)),
    }
}

/// `W/"3"`: the version a change starts from (FHIR R4 http.html#concurrency).
fn weak_version(header: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(text) = header else { return Ok(None) };
    let tag = text.trim();
    let version = tag
        .strip_prefix("W/")
        .unwrap_or(tag)
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|version| version.parse::<ResourceId>().is_ok())
        .ok_or(Problem::HeaderMalformed)?;
    Ok(Some(version.to_owned()))
}

fn asked_query(asked: &Asked) -> Option<&str> {
    match asked {
        Asked::HistoryInstance { query, .. }
        | Asked::HistoryType { query }
        | Asked::Search { query, .. }
        | Asked::Everything { query, .. } => Some(query),
        Asked::Read { .. }
        | Asked::Vread { .. }
        | Asked::Create { .. }
        | Asked::Update { .. }
        | Asked::Patch { .. }
        | Asked::Delete { .. } => None,
    }
}

fn batch(
    gateway: &Gateway,
    body: Body,
    caller: &Caller,
    mut trail: Trail,
) -> Result<Work, Stopped> {
    let Body::Json(doc) = body else {
        return Err(Stopped::new(Problem::EntryMalformed, trail));
    };
    let bundle = match IncomingBundle::read(&doc) {
        Ok(bundle) => bundle,
        Err(error) => return Err(Stopped::new(refuse_bundle(&error), trail)),
    };
    if bundle.kind == IncomingKind::Transaction {
        // All or nothing needs every reference inside the Bundle resolved before the first entry
        // is decided; until that is enforced in full it is refused.
        trail.interaction = Some(Interaction::Transaction);
        return Err(Stopped::new(Problem::NotOffered, trail));
    }
    if bundle.entries.len() > gateway.settings.limits.batch_entries_max {
        return Err(Stopped::new(Problem::BatchTooLarge, trail));
    }
    let entries = bundle
        .entries
        .iter()
        .map(|entry| {
            let mut own = trail.clone();
            own.interaction = None;
            match entry_parts(entry) {
                Ok((line, query, body, headers)) => {
                    single(gateway, line, &query, body, headers, caller.clone(), own)
                }
                Err(refusal) => Err(Stopped::new(refusal, own)),
            }
        })
        .collect();
    Ok(Work::Batch { entries, bundle: Box::new(trail) })
}

fn refuse_bundle(error: &BundleError) -> Refusal {
    match error {
        BundleError::NotABundle | BundleError::WrongType => Problem::EntryMalformed.into(),
        BundleError::TooManyEntries => Problem::BatchTooLarge.into(),
        BundleError::Entry { index, fault } => {
            let mut refusal = Refusal::from(Problem::EntryMalformed);
            refusal.faults = vec![(format!("Bundle.entry[{index}]"), fault.to_string())];
            refusal
        }
    }
}

type EntryParts = (classify::Classified, String, Body, EntryHeaders);

/// One entry of a batch: only what a request by itself may be (leaks 98, 102, 103).
fn entry_parts(entry: &IncomingEntry<'_>) -> Result<EntryParts, Refusal> {
    let request = &entry.request;
    let line =
        classify::classify_entry(request.method, &request.url, request.if_none_exist.as_deref())
            .map_err(refuse_path)?;
    // A patch in a batch hides inside a Binary or Parameters; conditional creates take turns, and
    // two in one batch would wait for each other. Neither is offered here.
    let conditional = matches!(line.target, Target::Conditional(..));
    if line.interaction == Interaction::Patch || conditional {
        return Err(Problem::NotOffered.into());
    }
    let body = match entry.resource {
        None => Body::None,
        Some(resource) => {
            Body::Json(Doc::parse(resource.raw().to_vec()).map_err(|e| refuse_json(&e))?)
        }
    };
    let query = request.url.split_once('?').map_or("", |(_, query)| query).to_owned();
    let headers = EntryHeaders {
        if_match: request.if_match.clone(),
        if_none_match: request.if_none_match.clone(),
        if_none_exist: request.if_none_exist.clone(),
        minimal: false,
    };
    Ok((line, query, body, headers))
}

#[cfg(test)]
mod tests;
