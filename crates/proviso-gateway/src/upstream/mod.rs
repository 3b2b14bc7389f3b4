//! Where the records are: our own store, or a FHIR R4 server by URL. Nothing is asked of either
//! without a [`crate::decide::Permit`].

pub(crate) mod embedded;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod probe;
pub(crate) mod remote;
pub(crate) mod scan;
mod surroundings;

use std::borrow::Cow;
use std::sync::Arc;

use proviso_app::App;
use proviso_core::category::SensitiveSet;
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::json::Doc;

use crate::cursor::Point;
use crate::decide::Permit;
use crate::forward::{Carried, Change, HistoryEntry, Written};
use crate::problem::{Problem, Refusal};
use crate::upstream::http::{HttpUpstream, UpstreamError};
use crate::upstream::scan::{Scanned, Search};
use crate::view::{Judged, View, Withheld};

/// The server that has the records.
#[derive(Debug)]
pub(crate) enum Upstream {
    Embedded(Arc<App>),
    Http(Box<HttpUpstream>),
}

/// One version of a resource as the upstream has it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) doc: Doc,
    pub(crate) version: Option<String>,
    pub(crate) at: Option<At>,
    /// The sensitive kinds it has from what it refers to.
    pub(crate) around: SensitiveSet,
    /// The resource as it is shown, where that is not the whole and was worked out.
    pub(crate) part: Option<Doc>,
    /// Of a file: the records that it belongs to, once they were looked for.
    pub(crate) belongs_to: Option<Vec<Stored>>,
}

impl Stored {
    /// The resource as it is looked at: as it is shown, where that was worked out.
    pub(crate) fn shown(&self) -> &Doc {
        self.part.as_ref().unwrap_or(&self.doc)
    }

    /// Version and instant are those that the resource itself states.
    pub(crate) fn of(doc: Doc) -> Self {
        let text = |name: &str| doc.root().string_at(&["meta", name]).map(Cow::into_owned);
        let version =
            text("versionId").filter(|v| v.parse::<proviso_core::id::ResourceId>().is_ok());
        let at = text("lastUpdated").and_then(|text| At::parse(&text));
        let (around, part) = (SensitiveSet::EMPTY, None);
        Self { doc, version, at, around, part, belongs_to: None }
    }
}

/// What a read found.
#[derive(Debug)]
pub(crate) enum Reading {
    Live(Stored),
    /// Deleted; the version before, if it can be had.
    Deleted {
        last: Option<Stored>,
    },
    Absent,
}

/// What one history wants of an upstream.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) view: &'a View,
    pub(crate) interaction: &'a Interaction,
    pub(crate) kind: ResourceType,
    pub(crate) id: Option<&'a ResourceId>,
    pub(crate) since: Option<At>,
    pub(crate) point: Point,
    pub(crate) count: usize,
    pub(crate) most: usize,
}

/// One page of versions of the view.
#[derive(Debug)]
pub(crate) struct Versions {
    pub(crate) entries: Vec<HistoryEntry>,
    pub(crate) total: Option<u64>,
    pub(crate) withheld: Withheld,
    pub(crate) next: Option<Point>,
}

/// What a conditional change asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Criteria<'a> {
    pub(crate) text: &'a str,
    /// The version it must be at.
    pub(crate) if_match: Option<&'a str>,
}

/// Why a transaction cannot be.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// The position of the entry that stands in the way, if it is one.
    pub(crate) index: Option<usize>,
    pub(crate) refusal: Refusal,
    /// For the log: the judgement on a resource that may not be changed.
    pub(crate) judged: Option<Judged>,
}

impl Obstacle {
    pub(crate) fn of(index: Option<usize>, refusal: Refusal) -> Self {
        Self { index, refusal, judged: None }
    }
}

impl From<UpstreamError> for Refusal {
    fn from(error: UpstreamError) -> Self {
        tracing::warn!(%error, "upstream");
        match error {
            UpstreamError::TimedOut => Problem::UpstreamTimeout.into(),
            UpstreamError::Down | UpstreamError::Failing | UpstreamError::Unacceptable(_) => {
                Problem::UpstreamUnavailable.into()
            }
        }
    }
}

impl Upstream {
    pub(crate) async fn read(
        &self,
        permit: &Permit,
        kind: ResourceType,
        id: &ResourceId,
    ) -> Result<Reading, Refusal> {
        match self {
            Self::Embedded(app) => embedded::read(app, permit, kind, id).await,
            Self::Http(http) => Ok(http.read(permit, kind, id).await?),
        }
    }

    pub(crate) async fn vread(
        &self,
        permit: &Permit,
        kind: ResourceType,
        id: &ResourceId,
        version: &str,
    ) -> Result<Reading, Refusal> {
        match self {
            Self::Embedded(app) => embedded::vread(app, permit, kind, id, version).await,
            Self::Http(http) => Ok(http.vread(permit, kind, id, version).await?),
        }
    }

    /// Versions of one resource or of one type, newest first.
    pub(crate) async fn history(
        &self,
        permit: &Permit,
        ask: &History<'_>,
    ) -> Result<Versions, Refusal> {
        match (self, ask.id) {
            (Self::Embedded(app), _) => embedded::history(app, permit, ask).await,
            (Self::Http(http), Some(id)) => http.versions(permit, ask, id).await,
            // Servers differ in what the history of a type holds; nothing sound can be made of it.
            (Self::Http(_), None) => Err(Problem::NotOffered.into()),
        }
    }

    pub(crate) async fn search(&self, search: &Search<'_>) -> Result<Scanned, Refusal> {
        match self {
            Self::Embedded(app) => embedded::search(app, search).await,
            Self::Http(http) => http.search(search).await,
        }
    }

    /// All records of a type that name a patient, in the order of their ids, each with what it has
    /// from what it refers to. `most` is how many may be looked at.
    pub(crate) async fn about(
        &self,
        permit: &Permit,
        patient: &PatientId,
        kind: ResourceType,
        most: usize,
    ) -> Result<Vec<Stored>, Refusal> {
        match self {
            Self::Embedded(app) => embedded::about(app, permit, patient, kind, most).await,
            Self::Http(http) => http.about(permit, patient, kind, most).await,
        }
    }

    /// Adds a resource; its id is never the caller's choice.
    pub(crate) async fn create(&self, permit: &Permit, doc: &Doc) -> Result<Written, Refusal> {
        match self {
            Self::Embedded(app) => embedded::create(app, permit, doc),
            Self::Http(http) => Ok(made(Change::Created, http.create(permit, doc).await?)),
        }
    }

    /// Our own store, for what looks records up before it changes them. An upstream by URL would
    /// match criteria over records that the caller does not see, and two requests at once could
    /// both find nothing and both create; there it is not offered.
    pub(crate) fn own(&self) -> Result<&App, Refusal> {
        match self {
            Self::Embedded(app) => Ok(app),
            Self::Http(_) => Err(Problem::NotOffered.into()),
        }
    }

    /// Replaces exactly the version that was judged.
    pub(crate) async fn update(
        &self,
        permit: &Permit,
        doc: &Doc,
        before: &Stored,
    ) -> Result<Written, Refusal> {
        match self {
            Self::Embedded(app) => embedded::update(app, permit, doc, before).await,
            Self::Http(http) => {
                let stored = http.update(permit, doc, before.version.as_deref()).await?;
                Ok(made(Change::Updated, stored))
            }
        }
    }

    /// Deletes exactly the version that was judged.
    pub(crate) async fn delete(
        &self,
        permit: &Permit,
        kind: ResourceType,
        id: &ResourceId,
        before: Stored,
    ) -> Result<Written, Refusal> {
        match self {
            Self::Embedded(app) => embedded::delete(app, permit, kind, id, before).await,
            Self::Http(http) => {
                http.delete(permit, kind, id, before.version.as_deref()).await?;
                Ok(made(Change::Deleted, before))
            }
        }
    }
}

fn made(change: Change, stored: Stored) -> Written {
    Written { change, stored, carried: Carried::Out }
}
