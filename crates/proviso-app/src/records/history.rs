//! Versions over time, newest first.

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_store::{HistoryQuery, RecordMethod, StoredRecord};

use super::{Record, RecordFault, Records, View};

/// How many versions are looked at in one step.
const STEP: usize = 200;

/// Whose versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryScope {
    /// Of one resource.
    Instance(ResourceType, ResourceId),
    /// Of one type.
    Type(ResourceType),
    /// Of everything.
    System,
}

/// One version in a history.
#[derive(Debug, Clone)]
pub struct Version {
    /// The type.
    pub resource_type: ResourceType,
    /// The logical id.
    pub id: ResourceId,
    /// The version number.
    pub version: u64,
    /// When.
    pub at: At,
    /// How.
    pub method: RecordMethod,
    /// The version's body; `None` for a deletion.
    pub record: Option<Record>,
}

/// A page of a history.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    /// The versions, newest first.
    pub versions: Vec<Version>,
    /// Where the next page begins; `None` when no visible version comes after this one.
    pub next: Option<u64>,
}

impl Records {
    /// A page of versions that the view sees, of resources that it sees as they are now. A
    /// deletion is seen by whoever sees the version before it.
    ///
    /// # Errors
    /// The store cannot be read, or `most` versions within the reach of the view were looked at
    /// before it was known what the page holds and whether another follows.
    pub async fn history(
        &self,
        scope: &HistoryScope,
        since: Option<At>,
        before_seq: Option<u64>,
        count: usize,
        most: usize,
        view: &dyn View,
    ) -> Result<HistoryPage, RecordFault> {
        let (resource_type, id) = match scope {
            HistoryScope::Instance(resource_type, id) => (Some(*resource_type), Some(id.clone())),
            HistoryScope::Type(resource_type) => (Some(*resource_type), None),
            HistoryScope::System => (None, None),
        };
        // TRUST: what others have must neither cost the caller time nor count against its limit. A
        // history of everything is not narrowed, since records of some types name no patient.
        let patients = resource_type.and_then(|kind| view.patients(kind));
        let mut versions: Vec<Version> = Vec::new();
        let mut position = before_seq;
        let mut last_shown = None;
        let mut looked_at = 0;
        loop {
            let step = self
                .store
                .history(HistoryQuery {
                    resource_type,
                    id: id.clone(),
                    since,
                    before_seq: position,
                    patients: patients.clone(),
                    limit: STEP,
                })
                .await?;
            let is_last = step.len() < STEP;
            looked_at += step.len();
            for stored in step {
                let seq = stored.seq;
                position = Some(seq);
                let Some(version) = self.visible(stored, view).await? else { continue };
                // TRUST: only a version that is visible makes another page; one that is hidden
                // must not be told by a link to where it is.
                if versions.len() == count {
                    return Ok(HistoryPage { versions, next: last_shown });
                }
                last_shown = Some(seq);
                versions.push(version);
            }
            if is_last {
                return Ok(HistoryPage { versions, next: None });
            }
            if looked_at >= most {
                return Err(RecordFault::TooCostly);
            }
        }
    }

    async fn visible(
        &self,
        stored: StoredRecord,
        view: &dyn View,
    ) -> Result<Option<Version>, RecordFault> {
        let StoredRecord { resource_type, ref id, version, at, method, .. } = stored;
        let id = id.clone();
        let is_deletion = stored.body.is_none();
        let mut judged = if is_deletion {
            let Some(number) = version.checked_sub(1) else { return Ok(None) };
            match self.store.record_version(resource_type, &id, number).await? {
                Some(before) if before.body.is_some() => Record::from_stored(before)?,
                _ => return Ok(None),
            }
        } else {
            Record::from_stored(stored)?
        };
        let shown = self.shows_once(&mut judged, view).await?;
        let record = (!is_deletion).then_some(judged);
        Ok(shown.then_some(Version { resource_type, id, version, at, method, record }))
    }
}
