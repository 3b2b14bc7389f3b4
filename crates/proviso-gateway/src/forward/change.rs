//! Changes: the resource as it is now is judged first, then as it would be, and the change is made
//! only if it is still at the version that was judged (leaks 86, 87, 93).

use proviso_app::records::{Change as RecordChange, Prepared};
use proviso_core::category::SensitiveSet;
use proviso_core::category_rules::is_directory;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::{Doc, Node};
use proviso_fhir::label::stated_kinds;
use proviso_fhir::patch::{Patch, PatchError};
use proviso_fhir::references::references;

use super::together::Siblings;
use super::{Found, before_file, look_at_file};
use crate::audit::record_intent;
use crate::classify::Which;
use crate::decide::{Parts, Permit, may_write};
use crate::gateway::Gateway;
use crate::problem::{Problem, Refusal};
use crate::upstream::{Criteria, Reading, Stored, Upstream, embedded};
use crate::view::{Judged, View, judge_before};

/// LIMIT: to so many resources a change may newly refer; each is looked at.
const REFERENCES_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    /// A conditional create found what it was about; nothing changes.
    Existing,
    Updated,
    Deleted,
}

/// A change, and how far it is.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) change: Change,
    /// What is there after the change; for a deletion, what was deleted.
    pub(crate) stored: Stored,
    pub(crate) carried: Carried,
}

/// How far a change is.
#[derive(Debug)]
pub(crate) enum Carried {
    /// Made already, by an upstream by URL.
    Out,
    /// Made when the same request came before.
    Before,
    /// Laid out for our own store, which carries it out in one transaction with its audit entry.
    Ready(Box<Prepared>),
    /// Laid out as part of a transaction.
    Together,
}

impl Written {
    /// What our own store would do; an answer without the resource that would result is none.
    pub(super) fn of(prepared: &Prepared, carried: Carried) -> Result<Self, Refusal> {
        let change = match prepared.change {
            RecordChange::Created => Change::Created,
            RecordChange::Existing => Change::Existing,
            RecordChange::Updated | RecordChange::Unchanged => Change::Updated,
            RecordChange::Deleted | RecordChange::NothingThere => Change::Deleted,
        };
        let stored = match (&prepared.after, &prepared.before) {
            (Some(after), _) => Stored {
                doc: after.clone(),
                version: Some(prepared.version.to_string()),
                at: Some(prepared.at),
                // What it newly refers to, the caller sees: `judge_ready` made sure of that.
                around: SensitiveSet::EMPTY,
                part: None,
                belongs_to: None,
            },
            (None, Some(before)) => Stored::from(before.clone()),
            (None, None) => return Err(Problem::Unavailable.into()),
        };
        Ok(Self { change, stored, carried })
    }

    /// A change that our own store has laid out by itself.
    pub(crate) fn ready(prepared: Prepared) -> Result<Self, Refusal> {
        let written = Self::of(&prepared, Carried::Together)?;
        Ok(Self { carried: Carried::Ready(Box::new(prepared)), ..written })
    }
}

fn found(written: Written) -> Found {
    Found::Written(Box::new(written))
}

/// Adds a resource; its id is never the caller's choice.
pub(super) async fn create(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    doc: Doc,
    criteria: Option<String>,
) -> Result<Found, Refusal> {
    refers_to_known(gateway, parts, permit, (None, &doc), &Siblings::default()).await?;
    if let Some(text) = criteria {
        let criteria = Criteria { text: &text, if_match: None };
        let own = gateway.upstream.own()?;
        let prepared = embedded::create_unless(own, permit, &parts.view, &doc, &criteria).await?;
        return Ok(found(Written::ready(prepared)?));
    }
    before_change(gateway, parts).await?;
    Ok(found(gateway.upstream.create(permit, &doc).await?))
}

/// Replaces a resource.
pub(super) async fn update(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    which: Which,
    doc: Doc,
    if_match: Option<String>,
) -> Result<Found, Refusal> {
    let if_match = if_match.as_deref();
    let id = match which {
        Which::Id(id) => id,
        Which::Matching(text) => {
            let criteria = Criteria { text: &text, if_match };
            let own = gateway.upstream.own()?;
            let prepared = embedded::update_matching(own, permit, parts, &doc, &criteria).await?;
            judge_ready(gateway, parts, permit, &prepared, &Siblings::default()).await?;
            return Ok(found(Written::ready(prepared)?));
        }
    };
    let before = present(gateway, parts, &gateway.upstream, permit, &id, if_match).await?;
    let known = shown(&parts.view, (&before.doc, before.around), &doc)?;
    refers_to_known(gateway, parts, permit, (known, &doc), &Siblings::default()).await?;
    replace(gateway, parts, permit, &before, &doc).await
}

/// Changes parts of a resource.
pub(super) async fn patch(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    which: Which,
    patch: Doc,
    if_match: Option<String>,
) -> Result<Found, Refusal> {
    let if_match = if_match.as_deref();
    let id = match which {
        Which::Id(id) => id,
        Which::Matching(text) => {
            let criteria = Criteria { text: &text, if_match };
            let own = gateway.upstream.own()?;
            let prepared = embedded::patch_matching(own, permit, parts, &patch, &criteria).await?;
            judge_ready(gateway, parts, permit, &prepared, &Siblings::default()).await?;
            return Ok(found(Written::ready(prepared)?));
        }
    };
    let before = present(gateway, parts, &gateway.upstream, permit, &id, if_match).await?;
    let after = patched(parts, &before, &patch)?;
    refers_to_known(gateway, parts, permit, (Some(&before.doc), &after), &Siblings::default())
        .await?;
    replace(gateway, parts, permit, &before, &after).await
}

/// Deletes a resource.
pub(super) async fn delete(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    which: Which,
    if_match: Option<String>,
) -> Result<Found, Refusal> {
    let if_match = if_match.as_deref();
    let id = match which {
        Which::Id(id) => id,
        Which::Matching(text) => {
            let criteria = Criteria { text: &text, if_match };
            let own = gateway.upstream.own()?;
            return match embedded::delete_matching(own, permit, parts, &criteria).await? {
                Some(prepared) => Ok(found(Written::ready(prepared)?)),
                None => Ok(Found::NothingToDelete),
            };
        }
    };
    let before = present(gateway, parts, &gateway.upstream, permit, &id, if_match).await?;
    before_change(gateway, parts).await?;
    let written = gateway.upstream.delete(permit, parts.resource_type, &id, before).await?;
    Ok(found(written))
}

/// Judges a change that our own store has laid out: what would be there, what it would refer to,
/// and that nothing becomes less protected. What was there has been judged where it was found.
pub(super) async fn judge_ready(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    prepared: &Prepared,
    siblings: &Siblings,
) -> Result<(), Refusal> {
    let interaction = match prepared.change {
        RecordChange::Created => Interaction::Create,
        RecordChange::Updated | RecordChange::Unchanged => parts.interaction.clone(),
        // Found by a search of the view; whether it is shown is judged in `filter`.
        RecordChange::Existing | RecordChange::Deleted | RecordChange::NothingThere => {
            return Ok(());
        }
    };
    let after = prepared.after.as_ref().ok_or(Problem::Unavailable)?;
    may_write(&parts.view, &interaction, after, &mut parts.trail)?;
    let before = prepared.before.as_ref().map(|record| &record.doc);
    if before.is_some_and(|before| !keeps_labels(before.root(), after.root())) {
        return Err(Refusal::from(Problem::WriteRefused).at("meta.security"));
    }
    let known = match &prepared.before {
        Some(before) => shown(&parts.view, (&before.doc, before.around), after)?,
        None => None,
    };
    refers_to_known(gateway, parts, permit, (known, after), siblings).await
}

/// What was there, if the caller may read it. What it may not read stays so: no change makes a
/// hidden resource readable, and which references it had already is not told either.
fn shown<'a>(
    view: &View,
    (before, around): (&'a Doc, SensitiveSet),
    after: &Doc,
) -> Result<Option<&'a Doc>, Refusal> {
    if view.judge_with(&Interaction::Read, before.root(), around).permits() {
        return Ok(Some(before));
    }
    if view.judge(&Interaction::Read, after.root()).permits() {
        return Err(Problem::WriteRefused.into());
    }
    Ok(None)
}

/// An upstream by URL cannot change its records and our log in one transaction. So the permitted
/// change is recorded before it is asked for, and what came of it afterwards: a change that was
/// made is never missing from the log. CRASH: in between, the log has the first entry alone.
async fn before_change(gateway: &Gateway, parts: &Parts) -> Result<(), Refusal> {
    match &gateway.upstream {
        Upstream::Embedded(_) => Ok(()),
        Upstream::Http(_) => record_intent(gateway, &parts.trail).await,
    }
}

/// The resource as it is now, if the caller may change it. Whether it is hidden or was never
/// there is not told apart, so a guessed id teaches nothing; nor is one made here (leak 87).
pub(super) async fn present(
    gateway: &Gateway,
    parts: &mut Parts,
    upstream: &Upstream,
    permit: &Permit,
    id: &ResourceId,
    if_match: Option<&str>,
) -> Result<Stored, Refusal> {
    let Reading::Live(mut stored) = upstream.read(permit, parts.resource_type, id).await? else {
        return Err(Problem::NotFound.into());
    };
    look_at_file(gateway, parts, permit, &mut stored).await?;
    let judge = |interaction: &Interaction| parts.view.judge_stored(interaction, &stored);
    let judged = judge_before(&parts.interaction, if_match, judge);
    if !judged.permits() {
        parts.trail.keep_back(&judged);
        return Err(Problem::NotFound.into());
    }
    if if_match.is_some() && if_match != stored.version.as_deref() {
        return Err(Problem::VersionMismatch.into());
    }
    Ok(stored)
}

/// What is written may newly refer only to what its writer sees. A resource that leads to a
/// withheld one is withheld with it, so whether the reference holds would tell whether the target
/// is there; hence hidden and absent targets are refused alike (leak 91). The directory is no
/// secret, and whose record it is was judged already.
async fn refers_to_known(
    gateway: &Gateway,
    parts: &mut Parts,
    permit: &Permit,
    (before, after): (Option<&Doc>, &Doc),
    siblings: &Siblings,
) -> Result<(), Refusal> {
    let known = before.map(|doc| references(doc.root(), &gateway.base)).unwrap_or_default();
    let fresh: Vec<(ResourceType, ResourceId)> = references(after.root(), &gateway.base)
        .into_iter()
        .filter(|edge| !is_directory(edge.0) && !known.contains(edge))
        // Judged as a change of the same transaction, by the same view.
        .filter(|edge| !siblings.made.contains(edge))
        .collect();
    if fresh.len() > REFERENCES_MAX {
        return Err(Problem::ReferenceRefused.into());
    }
    if fresh.iter().any(|edge| siblings.gone.contains(edge)) {
        return Err(Problem::ReferenceRefused.into());
    }
    if fresh.iter().any(|(kind, _)| *kind == ResourceType::BINARY) {
        before_file(gateway, parts, permit).await?;
    }
    for (kind, id) in fresh {
        let mut found = gateway.upstream.read(permit, kind, &id).await?;
        if let Reading::Live(target) = &mut found {
            look_at_file(gateway, parts, permit, target).await?;
        }
        let judged = match &found {
            Reading::Live(target) => Some(parts.view.judge_stored(&Interaction::Read, target)),
            Reading::Deleted { .. } | Reading::Absent => None,
        };
        if !judged.as_ref().is_some_and(Judged::permits) {
            if let Some(judged) = judged {
                parts.trail.withhold(&judged.decision.reasons);
            }
            return Err(Problem::ReferenceRefused.into());
        }
    }
    Ok(())
}

async fn replace(
    gateway: &Gateway,
    parts: &Parts,
    permit: &Permit,
    before: &Stored,
    after: &Doc,
) -> Result<Found, Refusal> {
    if !keeps_labels(before.doc.root(), after.root()) {
        return Err(Refusal::from(Problem::WriteRefused).at("meta.security"));
    }
    before_change(gateway, parts).await?;
    let written = gateway.upstream.update(permit, after, before).await?;
    Ok(found(written))
}

/// Applies a patch to what is there and judges what would be (leak 86).
fn patched(parts: &mut Parts, before: &Stored, patch: &Doc) -> Result<Doc, Refusal> {
    let after = Patch::read(patch)
        .and_then(|patch| patch.apply(&before.doc))
        .map_err(|error| refuse_patch(&error))?;
    may_write(&parts.view, &Interaction::Patch, &after, &mut parts.trail)?;
    Ok(after)
}

/// What is too large or too much is told apart from what does not fit: it may be sent otherwise.
pub(crate) fn refuse_patch(error: &PatchError) -> Refusal {
    let problem = match error {
        PatchError::TooLarge => Problem::BodyTooLarge,
        PatchError::TooManyOperations | PatchError::TooCostly => Problem::PatchTooCostly,
        PatchError::NotAPatch | PatchError::Operation { .. } | PatchError::ChangesIdentity => {
            Problem::PatchInvalid
        }
    };
    problem.into()
}

/// Whether every security label that was there is still there: taking one away would make a
/// resource less protected, and that needs a right of its own (leak 80).
pub(super) fn keeps_labels(before: Node<'_>, after: Node<'_>) -> bool {
    let labels = |root: Node<'_>| -> Vec<(String, String)> {
        root.at(&["meta", "security"])
            .map(|label| {
                let text = |name| label.string_at(&[name]).unwrap_or_default().into_owned();
                (text("system"), text("code"))
            })
            .collect()
    };
    // What is labelled inside (contained resources, single elements) keeps its kinds as well.
    let kept = labels(after);
    labels(before).iter().all(|label| kept.contains(label))
        && stated_kinds(before).is_subset_of(stated_kinds(after))
}
