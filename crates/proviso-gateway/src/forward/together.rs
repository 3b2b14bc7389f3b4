//! A transaction in our own store: laid out as a whole, judged entry by entry, made in one commit.
//!
//! An upstream by URL would match criteria and references over records the caller does not see, so
//! there it is not offered.

use std::collections::BTreeSet;

use proviso_app::records::{Change, KeptChange, PreparedEntry, PreparedTransaction};
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::{IncomingBundle, IncomingEntry};
use proviso_fhir::json::Doc;
use proviso_fhir::search::ResourceKey;

use super::change::{Carried, Written, judge_ready};
use super::{Forwarded, Found};
use crate::classify::Asked;
use crate::decide::{Parts, Permit, Permitted, PermittedTogether, TogetherParts};
use crate::gateway::Gateway;
use crate::kept::{self, RequestKey};
use crate::problem::{Problem, Refusal};
use crate::stop::Stopped;
use crate::trail::Trail;
use crate::upstream::{Obstacle, embedded};

/// A transaction, laid out, with everything needed to judge it.
#[derive(Debug)]
pub struct ForwardedTogether(ForwardedParts);

/// The parts of a transaction that is laid out.
#[derive(Debug)]
pub(crate) struct ForwardedParts {
    /// By their position in the Bundle.
    pub(crate) changes: Vec<(usize, Forwarded)>,
    /// To be carried out once the changes have been made.
    pub(crate) reads: Vec<(usize, Permitted)>,
    /// The changes as one; `None` where there are none.
    pub(crate) prepared: Option<PreparedTransaction>,
    pub(crate) bundle: Trail,
    /// The key under which what is done is to be kept.
    pub(crate) keep: Option<RequestKey>,
}

impl ForwardedTogether {
    pub(crate) fn into_parts(self) -> ForwardedParts {
        self.0
    }
}

/// One change of a transaction.
struct Entry {
    index: usize,
    parts: Parts,
    permit: Permit,
}

/// Lays out the changes of a permitted transaction.
pub async fn forward_together(
    gateway: &Gateway,
    together: PermittedTogether,
) -> Result<ForwardedTogether, Stopped> {
    let TogetherParts { changes, reads, doc, bundle, kept } = together.into_parts();
    let mut entries: Vec<Entry> = Vec::with_capacity(changes.len());
    let mut of_file = None;
    for (index, permitted) in changes {
        let (parts, asked, permit) = permitted.into_parts();
        // What a file belongs to is looked for one by one. It would come too late here: a patch has
        // been tried on what is there by then.
        let is_fresh = matches!(asked, Asked::Create { criteria: None, .. });
        if parts.resource_type == ResourceType::BINARY && !is_fresh {
            of_file = of_file.or(Some(index));
        }
        entries.push(Entry { index, parts, permit });
    }
    if of_file.is_some() {
        let obstacle = Obstacle::of(of_file, Problem::NotOffered.into());
        return Err(stopped(entries, obstacle, bundle));
    }
    let laid_out = match kept.before() {
        Some(made) => done_before(gateway, &mut entries, made).await,
        None => lay_out(gateway, &mut entries, &doc).await,
    };
    let (prepared, found) = match laid_out {
        Ok(laid_out) => laid_out,
        Err(obstacle) => return Err(stopped(entries, obstacle, bundle)),
    };
    let changes = entries
        .into_iter()
        .zip(found)
        .map(|(Entry { index, parts, .. }, found)| (index, Forwarded { parts, found }))
        .collect();
    let keep = kept.first();
    Ok(ForwardedTogether(ForwardedParts { changes, reads, prepared, bundle, keep }))
}

/// The log gets the story of the entry that stood in the way.
fn stopped(entries: Vec<Entry>, obstacle: Obstacle, bundle: Trail) -> Stopped {
    let Obstacle { index, refusal, judged } = obstacle;
    let Some(index) = index else { return Stopped::new(refusal, bundle) };
    let own = entries.into_iter().find(|entry| entry.index == index);
    let mut trail = own.map_or(bundle, |entry| entry.parts.trail);
    if let Some(judged) = judged {
        trail.keep_back(&judged);
    }
    Stopped::new(refusal.in_entry(index), trail)
}

/// The changes of a transaction that came before, as they were made then.
async fn done_before(
    gateway: &Gateway,
    entries: &mut [Entry],
    made: &[KeptChange],
) -> Result<(Option<PreparedTransaction>, Vec<Found>), Obstacle> {
    let mut found = Vec::with_capacity(entries.len());
    for Entry { index, parts, permit } in entries {
        let again = kept::again(gateway, parts, permit, (made, *index)).await;
        found.push(again.map_err(|refusal| Obstacle::of(Some(*index), refusal))?);
    }
    Ok((None, found))
}

async fn lay_out(
    gateway: &Gateway,
    entries: &mut [Entry],
    doc: &Doc,
) -> Result<(Option<PreparedTransaction>, Vec<Found>), Obstacle> {
    let Ok(incoming) = IncomingBundle::read(doc) else {
        return Err(Obstacle::of(None, Problem::EntryMalformed.into()));
    };
    let changes: Vec<IncomingEntry<'_>> = incoming
        .entries
        .into_iter()
        .filter(|entry| entries.iter().any(|own| own.index == entry.index))
        .collect();
    // One caller at one instant: the entries have the same view.
    let Some(Entry { parts, permit, .. }) = entries.first() else { return Ok((None, Vec::new())) };
    let own = gateway.upstream.own().map_err(|refusal| Obstacle::of(None, refusal))?;
    let prepared = embedded::transaction(own, permit, &parts.view, &changes).await?;
    let siblings = Siblings::of(&prepared);
    let mut found = Vec::with_capacity(entries.len());
    for (entry, ready) in entries.iter_mut().zip(&prepared.entries) {
        let judged = judge(gateway, entry, ready, &siblings).await;
        found.push(judged.map_err(|refusal| Obstacle::of(Some(entry.index), refusal))?);
    }
    Ok((Some(prepared), found))
}

async fn judge(
    gateway: &Gateway,
    entry: &mut Entry,
    ready: &PreparedEntry,
    siblings: &Siblings,
) -> Result<Found, Refusal> {
    match ready {
        PreparedEntry::Write(prepared) => {
            judge_ready(gateway, &mut entry.parts, &entry.permit, prepared, siblings).await?;
            Ok(Found::Written(Box::new(Written::of(prepared, Carried::Together)?)))
        }
        PreparedEntry::NothingFound => Ok(Found::NothingToDelete),
        // Reads are kept apart since they were decided.
        PreparedEntry::Read(_) => Err(Problem::NotOffered.into()),
    }
}

/// What the same transaction does to other resources.
#[derive(Debug, Default)]
pub(super) struct Siblings {
    /// What it puts there, so that its writer knows of it.
    pub(super) made: BTreeSet<ResourceKey>,
    /// What it takes away, so that nothing may refer to it any more.
    pub(super) gone: BTreeSet<ResourceKey>,
}

impl Siblings {
    fn of(prepared: &PreparedTransaction) -> Self {
        let mut siblings = Self::default();
        for entry in &prepared.entries {
            let PreparedEntry::Write(write) = entry else { continue };
            let key = (write.resource_type, write.id.clone());
            match write.change {
                Change::Created | Change::Updated | Change::Unchanged => siblings.made.insert(key),
                Change::Deleted => siblings.gone.insert(key),
                Change::Existing | Change::NothingThere => continue,
            };
        }
        siblings
    }
}
