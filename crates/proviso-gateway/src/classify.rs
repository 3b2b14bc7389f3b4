//! Second verb: what is asked, as a value that cannot mean two things.
//!
//! The path is read by `proviso-fhir` on the bytes as sent, without decoding or normalization
//! (leaks 10, 11, 103). Here it is joined with body and headers. What is not in `Asked` is not
//! offered: refused, never passed on (leaks 74, 78).

use proviso_app::caller::Caller;
use proviso_core::category::CategorySet;
use proviso_core::category_rules::{categories_asked, categories_of_type};
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::classify::{
    self, BodyKind, ClassifyError, Method, RequestLine, Target, accepts_json, format_is_json,
};
use proviso_fhir::json::{Doc, JsonError};

use crate::authenticate::Authenticated;
use crate::door::{Once, Received, Wanted};
use crate::file::OwnForm;
use crate::gateway::Gateway;
use crate::kept::{Kept, RequestKey};
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::stop::Stopped;
use crate::subscriptions::{self, SubscriptionAsk};
use crate::trail::Trail;

mod bundle;
mod filing;
mod parameters;
mod validate;

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
    /// `$docref` of DocumentReference.
    DocRef {
        query: String,
    },
    /// `$lastn` of Observation.
    LastN {
        query: String,
    },
    /// With criteria (`If-None-Exist`): only if none of what the caller sees matches them.
    Create {
        doc: Doc,
        criteria: Option<String>,
    },
    Update {
        which: Which,
        doc: Doc,
        if_match: Option<String>,
    },
    Patch {
        which: Which,
        patch: Doc,
        if_match: Option<String>,
    },
    Delete {
        which: Which,
        if_match: Option<String>,
    },
    /// A Consent for the registry, with what accompanies it.
    File {
        doc: Doc,
        documents: Vec<Doc>,
    },
    /// The next version of a Consent of the registry.
    Refile {
        id: ResourceId,
        doc: Doc,
        if_match: Option<String>,
    },
    /// The end of a Consent of the registry.
    Revoke {
        id: ResourceId,
        patient: PatientId,
        documents: Vec<Doc>,
    },
    /// `$validate`: the caller's own resource against the base rules; nothing stored is looked at.
    Validate {
        doc: Doc,
    },
    /// About the caller's own subscriptions.
    Subscription(SubscriptionAsk),
}

/// Which resource is to be changed.
#[derive(Debug)]
pub(crate) enum Which {
    /// The one with this id.
    Id(ResourceId),
    /// The one that the caller sees and that matches these criteria (FHIR R4 http.html#cond-update).
    Matching(String),
}

impl Asked {
    /// The criteria of a conditional interaction.
    pub(crate) fn criteria(&self) -> Option<&str> {
        match self {
            Self::Create { criteria, .. } => criteria.as_deref(),
            Self::Update { which, .. } | Self::Patch { which, .. } | Self::Delete { which, .. } => {
                match which {
                    Which::Matching(criteria) => Some(criteria),
                    Which::Id(_) => None,
                }
            }
            Self::Read { .. }
            | Self::Vread { .. }
            | Self::HistoryInstance { .. }
            | Self::HistoryType { .. }
            | Self::Search { .. }
            | Self::Everything { .. }
            | Self::DocRef { .. }
            | Self::LastN { .. }
            | Self::File { .. }
            | Self::Refile { .. }
            | Self::Revoke { .. }
            | Self::Validate { .. }
            | Self::Subscription(_) => None,
        }
    }

    /// Whether it is for the registry of consents, which keeps them by rules of its own.
    pub(crate) const fn is_for_registry(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Refile { .. } | Self::Revoke { .. })
    }

    /// Whether it is about what this server keeps by rules of its own: consents, subscriptions.
    pub(crate) const fn is_by_own_rules(&self) -> bool {
        self.is_for_registry() || matches!(self, Self::Subscription(_))
    }

    /// What the decision takes it for: filing is a create, revoking an update, an operation that
    /// searches a search.
    fn interaction(&self, stated: Interaction) -> Interaction {
        match self {
            Self::File { .. } => Interaction::Create,
            Self::Refile { .. } | Self::Revoke { .. } => Interaction::Update,
            Self::DocRef { .. } | Self::LastN { .. } => Interaction::Search,
            Self::Read { .. }
            | Self::Vread { .. }
            | Self::HistoryInstance { .. }
            | Self::HistoryType { .. }
            | Self::Search { .. }
            | Self::Everything { .. }
            | Self::Create { .. }
            | Self::Update { .. }
            | Self::Patch { .. }
            | Self::Delete { .. }
            | Self::Validate { .. }
            | Self::Subscription(_) => stated,
        }
    }
}

/// What the answer to a change holds (`Prefer: return=…`, FHIR R4 http.html#ops).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Return {
    /// The resource.
    #[default]
    Representation,
    /// Nothing.
    Minimal,
    /// An OperationOutcome, with what is to be said about the change.
    Outcome,
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
    /// What is known of it by its own key.
    pub(crate) kept: Kept,
}

/// Conditions under which a full answer is not wanted; looked at only after the decision (leak 7).
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) if_none_match: Option<String>,
    /// What the answer to a change holds.
    pub(crate) wanted: Return,
    /// A file is wanted in its own form.
    pub(crate) own_form: Option<OwnForm>,
    /// Of a read, only what the resource says of itself is wanted (`$meta`).
    pub(crate) meta: Meta,
}

/// What of a resource is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Meta {
    /// All of it.
    #[default]
    WithTheRest,
    Alone,
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
    /// A transaction: all of it, or nothing.
    Transaction(Box<Together>),
}

/// The entries of a transaction.
#[derive(Debug)]
pub struct Together {
    /// In their order. The resources in them are not final yet: they may refer to one another.
    pub(crate) entries: Vec<Classified>,
    /// The Bundle as it came.
    pub(crate) doc: Doc,
    pub(crate) bundle: Trail,
    /// What is known of it by its own key.
    pub(crate) kept: Kept,
}

/// Reads the request, and the key that it names.
pub fn classify(
    gateway: &Gateway,
    known: Authenticated,
) -> Result<(Work, Option<RequestKey>), Stopped> {
    let Authenticated { received, caller, mut trail } = known;
    let key = match RequestKey::of(gateway, &received, &caller) {
        Ok(key) => key,
        Err(refusal) => return Err(Stopped::new(refusal, trail)),
    };
    let (line, body, headers) = match read(&received) {
        Ok(parts) => parts,
        Err(refusal) => return Err(Stopped::new(refusal, trail)),
    };
    if line.interaction == Interaction::Batch {
        trail.interaction = Some(Interaction::Batch);
        return Ok((bundle::several(gateway, body, &caller, trail)?, key));
    }
    let single = single(gateway, line, &received.query, body, headers, caller, trail)?;
    Ok((Work::Single(Box::new(single)), key))
}

/// The body, in the one form that belongs to the request.
#[derive(Debug)]
pub(crate) enum Body {
    None,
    Json(Doc),
    Form(String),
}

#[derive(Debug, Default)]
struct EntryHeaders {
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_none_exist: Option<String>,
    wanted: Return,
    own_form: Option<OwnForm>,
}

fn read(received: &Received) -> Result<(classify::Classified, Body, EntryHeaders), Refusal> {
    let own_form = match check_accept(received) {
        Ok(()) => None,
        Err(refusal) => Some(own_form(received).ok_or(refusal)?),
    };
    let method: Method = received.method.as_str().parse().map_err(|_| Problem::NotOffered)?;
    let headers = EntryHeaders { own_form, ..entry_headers(&received.headers)? };
    let line = classify::classify(&RequestLine {
        method,
        path: &received.path,
        query: (!received.query.is_empty()).then_some(&received.query),
        if_none_exist: headers.if_none_exist.as_deref(),
    })
    .map_err(refuse_path)?;
    let is_read = matches!(line.interaction, Interaction::Read | Interaction::Vread);
    if headers.own_form.is_some() && !is_read {
        return Err(Problem::NotAcceptable.into());
    }
    let body = body(received, line.body)?;
    Ok((line, body, headers))
}

fn refuse_path(error: ClassifyError) -> Refusal {
    match error {
        ClassifyError::BadPath => Problem::PathRefused,
        ClassifyError::UnknownType => Problem::TypeUnknown,
        ClassifyError::UnknownPath => Problem::PathUnknown,
        ClassifyError::CriteriaRequired => Problem::CriteriaMissing,
        ClassifyError::MethodNotAllowed | ClassifyError::UnsupportedCompartment => {
            Problem::NotOffered
        }
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

/// A read of a file by somebody who does not want FHIR. Whether it has the wanted form is looked at
/// when it is known that it may be seen.
fn own_form(received: &Received) -> Option<OwnForm> {
    let is_read = received.method == http::Method::GET || received.method == http::Method::HEAD;
    let is_file = received.path.starts_with("/Binary/");
    let formats = query::pairs(&received.query)?;
    let accept = received.headers.accept.clone()?;
    let range = received.headers.range.single().ok().flatten().cloned();
    let is_own = is_read && is_file && formats.iter().all(|(name, _)| name != "_format");
    is_own.then_some(OwnForm { accept, range })
}

fn body(received: &Received, kind: BodyKind) -> Result<Body, Refusal> {
    let empty = received.body.is_empty();
    match kind {
        // A search form may be empty; a resource or patch may not.
        BodyKind::None | BodyKind::Form if empty => return Ok(Body::None),
        BodyKind::None => return Err(Problem::BodyMisplaced.into()),
        BodyKind::Resource | BodyKind::Patch | BodyKind::Form => {}
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
        wanted: headers.prefer.as_deref().map_or(Return::default(), preferred),
        own_form: None,
    })
}

fn preferred(text: &str) -> Return {
    let mut parts = text.split([',', ';']).map(str::trim);
    parts
        .find_map(|part| match part {
            "return=minimal" => Some(Return::Minimal),
            "return=OperationOutcome" => Some(Return::Outcome),
            "return=representation" => Some(Return::Representation),
            _ => None,
        })
        .unwrap_or_default()
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
    trail.asked = trail.resource_type.map_or(CategorySet::EMPTY, categories_of_type);
    let stated = line.interaction.clone();
    let is_operation = matches!(stated, Interaction::Operation(_));
    let (resource_type, asked) = match asked(line, query, body, &headers) {
        Ok(asked) => asked,
        Err(refusal) => return Err(Stopped::new(refusal, trail)),
    };
    // A file is come by through what refers to it: to look for one would be another way to it.
    let looks = matches!(asked, Asked::Search { .. } | Asked::HistoryType { .. });
    if resource_type == ResourceType::BINARY && (looks || asked.criteria().is_some()) {
        return Err(Stopped::new(Problem::NotOffered, trail));
    }
    // `$meta` of a resource is a part of a read.
    let is_meta = matches!(&stated, Interaction::Operation(name) if name == "meta");
    let (stated, meta) =
        if is_meta { (Interaction::Read, Meta::Alone) } else { (stated, Meta::WithTheRest) };
    let interaction = asked.interaction(stated);
    trail.interaction = Some(interaction.clone());
    trail.asked = kinds_asked(resource_type, &asked);
    if let Some(raw) = asked_query(&asked) {
        trail.query_shape = query::shape(raw);
        let most = gateway.settings.limits.parameters_max;
        if query::pairs(raw).is_none_or(|pairs| pairs.len() > most) {
            return Err(Stopped::new(Problem::SearchTooLarge, trail));
        }
    }
    // The operations of the registry answer with an outcome (HL7 FAST).
    let wanted =
        if is_operation && asked.is_for_registry() { Return::Outcome } else { headers.wanted };
    let EntryHeaders { if_none_match, own_form, .. } = headers;
    let conditions = Conditions { if_none_match, wanted, own_form, meta };
    let kept = Kept::default();
    Ok(Classified { caller, trail, interaction, resource_type, asked, conditions, kept })
}

/// Whitelist: each offered combination has its line, everything else is refused.
fn asked(
    line: classify::Classified,
    query: &str,
    body: Body,
    headers: &EntryHeaders,
) -> Result<(ResourceType, Asked), Refusal> {
    only_offered_conditions(&line, headers)?;
    let own = query.to_owned();
    let if_match = weak_version(headers.if_match.as_deref())?;
    let kind = line.target.resource_type();
    if kind == Some(ResourceType::SUBSCRIPTION)
        && !matches!(line.interaction, Interaction::Operation(_))
    {
        let asked = subscriptions::asked(&line, query, body, if_match)?;
        return Ok((ResourceType::SUBSCRIPTION, asked));
    }
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
        (Interaction::Operation(name), target, body) => operation(&name, target, body, own)?,
        (Interaction::Create, Target::Type(kind), Body::Json(doc)) => {
            only_format(query)?;
            check_type(&doc, kind)?;
            if kind == ResourceType::CONSENT {
                return Ok((kind, Asked::File { doc, documents: Vec::new() }));
            }
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
            if kind == ResourceType::CONSENT {
                return Ok((kind, Asked::Refile { id, doc, if_match }));
            }
            (kind, Asked::Update { which: Which::Id(id), doc, if_match })
        }
        (Interaction::Update, Target::Conditional(kind, criteria), Body::Json(doc)) => {
            check_type(&doc, kind)?;
            (kind, Asked::Update { which: Which::Matching(criteria), doc, if_match })
        }
        (Interaction::Patch, Target::Instance(kind, id), Body::Json(patch)) => {
            only_format(query)?;
            (kind, Asked::Patch { which: Which::Id(id), patch, if_match })
        }
        (Interaction::Patch, Target::Conditional(kind, criteria), Body::Json(patch)) => {
            (kind, Asked::Patch { which: Which::Matching(criteria), patch, if_match })
        }
        (Interaction::Delete, Target::Instance(kind, id), _) => {
            only_format(query)?;
            (kind, Asked::Delete { which: Which::Id(id), if_match })
        }
        (Interaction::Delete, Target::Conditional(kind, criteria), _) => {
            (kind, Asked::Delete { which: Which::Matching(criteria), if_match })
        }
        _ => return Err(Problem::NotOffered.into()),
    };
    Ok(asked)
}

fn operation(
    name: &str,
    target: Target,
    body: Body,
    query: String,
) -> Result<(ResourceType, Asked), Refusal> {
    let asked = match (name, target, body) {
        ("everything", Target::Instance(kind @ ResourceType::PATIENT, id), Body::None) => {
            (kind, Asked::Everything { id, query })
        }
        ("docref", Target::Type(kind @ ResourceType::DOCUMENT_REFERENCE), body) => {
            (kind, Asked::DocRef { query: parameters::joined(query, body)? })
        }
        ("lastn", Target::Type(kind @ ResourceType::OBSERVATION), body) => {
            (kind, Asked::LastN { query: parameters::joined(query, body)? })
        }
        ("validate", Target::Type(kind), Body::Json(doc)) => {
            only_format(&query)?;
            (kind, Asked::Validate { doc: validate::resource_of(doc, kind)? })
        }
        ("status", Target::Instance(kind @ ResourceType::SUBSCRIPTION, id), Body::None) => {
            only_format(&query)?;
            (kind, Asked::Subscription(SubscriptionAsk::Status(id)))
        }
        ("meta", Target::Instance(kind, id), Body::None) => {
            only_format(&query)?;
            (kind, Asked::Read { id })
        }
        ("fileConsent", Target::Type(kind @ ResourceType::CONSENT), Body::Json(doc)) => {
            only_format(&query)?;
            (kind, filing::to_file(&doc)?)
        }
        ("revokeConsent", Target::Type(kind @ ResourceType::CONSENT), Body::Json(doc)) => {
            only_format(&query)?;
            (kind, filing::to_revoke(&doc)?)
        }
        _ => return Err(Problem::OperationNotOffered.into()),
    };
    Ok(asked)
}

/// Conditions that are not offered are refused, never ignored. `If-Modified-Since` may be ignored: a
/// whole answer is always right (RFC 9110 §13.1.3).
fn only_offered_conditions(
    line: &classify::Classified,
    headers: &EntryHeaders,
) -> Result<(), Refusal> {
    let is_get = line.body == BodyKind::None && line.interaction != Interaction::Delete;
    let creates_only = headers.if_none_match.is_some() && !is_get;
    let misplaced = headers.if_none_exist.is_some() && line.interaction != Interaction::Create;
    if misplaced || creates_only { Err(Problem::NotOffered.into()) } else { Ok(()) }
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

pub(crate) fn check_type(doc: &Doc, kind: ResourceType) -> Result<(), Refusal> {
    if doc.resource_type() == Some(kind) {
        Ok(())
    } else {
        Err(Refusal::from(Problem::BodyMismatch).at("resourceType"))
    }
}

/// A read has no parameters but the form of its answer; whatever else came is refused, because
/// ignoring it would answer another question than the one asked.
pub(crate) fn only_format(raw: &str) -> Result<(), Refusal> {
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
        | Asked::Everything { query, .. }
        | Asked::DocRef { query }
        | Asked::LastN { query } => Some(query),
        Asked::Create { .. }
        | Asked::Update { .. }
        | Asked::Patch { .. }
        | Asked::Delete { .. } => asked.criteria(),
        Asked::Read { .. }
        | Asked::Vread { .. }
        | Asked::File { .. }
        | Asked::Refile { .. }
        | Asked::Revoke { .. }
        | Asked::Validate { .. }
        | Asked::Subscription(_) => None,
    }
}

/// The kinds of record that a request names. Codes of the catalogue come out of it, never a value
/// from the query.
fn kinds_asked(resource_type: ResourceType, asked: &Asked) -> CategorySet {
    if let Asked::Everything { .. } = asked {
        return CategorySet::all();
    }
    let pairs = match asked {
        Asked::Search { query, .. } | Asked::LastN { query } => {
            query::pairs(query).unwrap_or_default()
        }
        Asked::Read { .. }
        | Asked::Vread { .. }
        | Asked::HistoryInstance { .. }
        | Asked::HistoryType { .. }
        | Asked::Everything { .. }
        | Asked::DocRef { .. }
        | Asked::Create { .. }
        | Asked::Update { .. }
        | Asked::Patch { .. }
        | Asked::Delete { .. }
        | Asked::File { .. }
        | Asked::Refile { .. }
        | Asked::Revoke { .. }
        | Asked::Validate { .. }
        | Asked::Subscription(_) => Vec::new(),
    };
    let tokens = pairs
        .iter()
        .filter(|(name, _)| name == "category")
        .flat_map(|(_, values)| values.split(','))
        .map(|token| match token.split_once('|') {
            Some((system, code)) => (Some(system), code),
            None => (None, token),
        });
    categories_asked(resource_type, tokens)
}

#[cfg(test)]
mod tests;
