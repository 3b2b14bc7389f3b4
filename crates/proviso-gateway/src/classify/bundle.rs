//! Bundles of requests: each entry is read as the request it would be by itself, by the same code
//! (leaks 98, 102, 103).

use proviso_app::caller::Caller;
use proviso_app::records::patch_of;
use proviso_core::interaction::Interaction;
use proviso_fhir::bundle::{BundleError, IncomingBundle, IncomingEntry, IncomingKind};
use proviso_fhir::classify::classify_entry;
use proviso_fhir::json::Doc;

use super::{
    Body, Classified, EntryHeaders, Return, Together, Work, refuse_json, refuse_path, single,
};
use crate::gateway::Gateway;
use crate::kept::Kept;
use crate::problem::{Problem, Refusal};
use crate::stop::Stopped;
use crate::trail::Trail;

/// Reads a batch or a transaction.
pub(super) fn several(
    gateway: &Gateway,
    body: Body,
    caller: &Caller,
    mut trail: Trail,
) -> Result<Work, Stopped> {
    let Body::Json(doc) = body else {
        return Err(Stopped::new(Problem::EntryMalformed, trail));
    };
    let incoming = match IncomingBundle::read(&doc) {
        Ok(incoming) => incoming,
        Err(error) => return Err(Stopped::new(refuse_bundle(&error), trail)),
    };
    if incoming.entries.len() > gateway.settings.limits.batch_entries_max {
        return Err(Stopped::new(Problem::BatchTooLarge, trail));
    }
    let kind = incoming.kind;
    if kind == IncomingKind::Transaction {
        trail.interaction = Some(Interaction::Transaction);
    }
    let entries =
        incoming.entries.iter().map(|entry| read_entry(gateway, entry, kind, caller, &trail));
    Ok(match kind {
        IncomingKind::Batch => Work::Batch { entries: entries.collect(), bundle: Box::new(trail) },
        IncomingKind::Transaction => {
            let entries = entries.collect::<Result<Vec<Classified>, Stopped>>()?;
            let kept = Kept::default();
            Work::Transaction(Box::new(Together { entries, doc, bundle: trail, kept }))
        }
    })
}

fn read_entry(
    gateway: &Gateway,
    entry: &IncomingEntry<'_>,
    kind: IncomingKind,
    caller: &Caller,
    trail: &Trail,
) -> Result<Classified, Stopped> {
    let mut own = trail.clone();
    own.interaction = None;
    let read = match entry_parts(entry) {
        Ok((line, query, body, headers)) => {
            single(gateway, line, &query, body, headers, caller.clone(), own)
        }
        Err(refusal) => Err(Stopped::new(refusal, own)),
    };
    match kind {
        IncomingKind::Batch => read,
        // One answer for all of them: it names the entry.
        IncomingKind::Transaction => read.map_err(|stopped| stopped.in_entry(entry.index)),
    }
}

pub(super) fn refuse_bundle(error: &BundleError) -> Refusal {
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

pub(super) type EntryParts = (proviso_fhir::classify::Classified, String, Body, EntryHeaders);

pub(super) fn entry_parts(entry: &IncomingEntry<'_>) -> Result<EntryParts, Refusal> {
    let request = &entry.request;
    let line = classify_entry(request.method, &request.url, request.if_none_exist.as_deref())
        .map_err(refuse_path)?;
    let body = match entry.resource {
        None => Body::None,
        Some(_) if line.interaction == Interaction::Patch => {
            Body::Json(patch_of(entry).map_err(|_| Problem::PatchInvalid)?)
        }
        Some(resource) => {
            Body::Json(Doc::parse(resource.raw().to_vec()).map_err(|e| refuse_json(&e))?)
        }
    };
    let query = request.url.split_once('?').map_or("", |(_, query)| query).to_owned();
    let headers = EntryHeaders {
        if_match: request.if_match.clone(),
        if_none_match: request.if_none_match.clone(),
        if_none_exist: request.if_none_exist.clone(),
        wanted: Return::default(),
        own_form: None,
    };
    Ok((line, query, body, headers))
}
