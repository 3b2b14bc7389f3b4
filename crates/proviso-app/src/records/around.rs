//! What is around a record and decides with it: what it refers to, and what became of it.
//!
//! A reference tells of its target. A Provenance that lists a withheld diagnosis, a prescription
//! whose medicine stands in the directory, a visit to a recovery program: each says by its edge
//! what its target says in words. So a record has, besides its own labels, those of everything it
//! refers to, one step far (design §6).
//!
//! An old version of a record is seen only by whoever sees the newest: what a patient restricted,
//! or what turned out to be another's, is not left open in the past.

use proviso_core::category::SensitiveSet;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::label::{label_for_referrers, takes_labels};
use proviso_fhir::references::references;
use proviso_fhir::search::ResourceKey;
use quick_cache::sync::Cache;

use super::{Reading, Record, RecordFault, Records, View};

/// LIMIT: a record that refers to more is treated as if each kind were among them.
const REFERENCES_MAX: usize = 1000;

/// Which state of the store a read looks at. Pages after the first look at the state of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Now,
    Past,
}

/// What records give to those that refer to them, and at which state of the store that was so.
#[derive(Debug)]
pub(crate) struct Around(Cache<ResourceKey, (u64, SensitiveSet)>);

impl Default for Around {
    fn default() -> Self {
        // LIMIT: about 100 bytes each.
        Self(Cache::new(50_000))
    }
}

impl Records {
    /// Looks at what a record refers to and notes the sensitive kinds it has from there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn look_around(&self, record: &mut Record) -> Result<(), RecordFault> {
        if !takes_labels(record.resource_type) {
            return Ok(());
        }
        let edges = references(record.doc.root(), &self.base);
        if edges.is_empty() {
            return Ok(());
        }
        if edges.len() > REFERENCES_MAX {
            record.around = SensitiveSet::all();
            return Ok(());
        }
        let now = self.store.latest_seq().await?;
        for key in edges {
            record.around = record.around.union(self.given_by(key, now).await?);
        }
        Ok(())
    }

    /// What a record gives to those that refer to it; one that was deleted still gives what it
    /// last gave, since those that refer to it still do.
    async fn given_by(&self, key: ResourceKey, now: u64) -> Result<SensitiveSet, RecordFault> {
        if let Some((seq, kinds)) = self.around.0.get(&key)
            && seq == now
        {
            return Ok(kinds);
        }
        let kinds = match self.read(key.0, &key.1).await? {
            Reading::Live(record) | Reading::Deleted { last: Some(record), .. } => {
                label_for_referrers(record.doc.root())
            }
            Reading::Deleted { last: None, .. } | Reading::Absent => SensitiveSet::EMPTY,
        };
        self.around.0.insert(key, (now, kinds));
        Ok(kinds)
    }

    /// Whether the view sees a record together with what it refers to.
    pub(super) async fn shows(
        &self,
        record: &mut Record,
        view: &dyn View,
    ) -> Result<bool, RecordFault> {
        if !view.sees(record) {
            return Ok(false);
        }
        if !view.is_limited() {
            return Ok(true);
        }
        self.look_around(record).await?;
        Ok(record.around.is_empty() || view.sees(record))
    }

    /// Whether a record, with what it refers to, may be changed in this way.
    pub(super) async fn lets_change(
        &self,
        record: &mut Record,
        interaction: &Interaction,
        view: &dyn View,
    ) -> Result<bool, RecordFault> {
        if view.is_limited() {
            self.look_around(record).await?;
        }
        Ok(view.may_change(record, interaction))
    }

    /// As [`Self::shows`] for the state now, as [`Self::shows_once`] for one that is past.
    pub(super) async fn shows_at(
        &self,
        record: &mut Record,
        state: State,
        view: &dyn View,
    ) -> Result<bool, RecordFault> {
        match state {
            State::Now => self.shows(record, view).await,
            State::Past => self.shows_once(record, view).await,
        }
    }

    /// Whether a state of the store is the one now.
    pub(super) async fn state(&self, as_of: u64) -> Result<State, RecordFault> {
        let now = self.store.latest_seq().await?;
        Ok(if as_of >= now { State::Now } else { State::Past })
    }

    /// Whether the view sees a record as it was once, and as it is now or last was.
    pub(super) async fn shows_once(
        &self,
        record: &mut Record,
        view: &dyn View,
    ) -> Result<bool, RecordFault> {
        Ok(self.shows(record, view).await?
            && self.shows_newest(record.resource_type, &record.id, record.version, view).await?)
    }

    async fn shows_newest(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        version: u64,
        view: &dyn View,
    ) -> Result<bool, RecordFault> {
        if !view.is_limited() {
            return Ok(true);
        }
        match self.read(resource_type, id).await? {
            Reading::Live(newest) if newest.version == version => Ok(true),
            Reading::Live(mut newest) | Reading::Deleted { last: Some(mut newest), .. } => {
                self.shows(&mut newest, view).await
            }
            Reading::Deleted { last: None, .. } | Reading::Absent => Ok(false),
        }
    }
}
