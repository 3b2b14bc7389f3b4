//! What is around a record and decides with it: what it refers to, and what became of it.
//!
//! A reference tells of its target. A Provenance that lists a withheld diagnosis, a prescription
//! whose medicine stands in the directory, a visit to a recovery program: each says by its edge
//! what its target says in words. So a record has, besides its own labels, those of everything it
//! refers to, as far as the rules over references lead (design §6).
//!
//! An old version of a record is seen only by whoever sees the newest: what a patient restricted,
//! or what turned out to be another's, is not left open in the past.

use std::sync::Arc;

use proviso_core::category::SensitiveSet;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::label::{Walk, takes_labels};
use proviso_fhir::search::ResourceKey;
use quick_cache::sync::Cache;

use super::{Reading, Record, RecordFault, Records, View};

/// LIMIT: a record that leads to more is treated as if each kind were among them.
pub(super) const REFERENCES_MAX: usize = 1000;

/// Which state of the store a read looks at. Pages after the first look at the state of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Now,
    Past,
}

/// What records give to those that refer to them, and at which state of the store that was so.
#[derive(Debug)]
pub(crate) struct Around(Cache<ResourceKey, (u64, Given)>);

/// What one record gives to those that refer to it.
#[derive(Debug, Clone)]
struct Given {
    kinds: SensitiveSet,
    /// Where labels may come from beyond it, each with the greatest step at which it counts.
    beyond: Arc<[(ResourceKey, u8)]>,
}

impl Default for Around {
    fn default() -> Self {
        // LIMIT: about 200 bytes each.
        Self(Cache::new(50_000))
    }
}

impl Around {
    /// Forgets what records give, when they are labelled anew.
    pub(super) fn forget(&self) {
        self.0.clear();
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
        let mut walk = Walk::new(Some(record.key()), REFERENCES_MAX);
        walk.go(None, self.labels.reach(record.doc.root(), &self.base));
        let mut ring = walk.next_ring();
        if ring.is_empty() {
            return Ok(());
        }
        let now = self.store.latest_seq().await?;
        while !ring.is_empty() && !walk.is_cut() {
            for key in ring {
                let given = self.given_by(&key, now).await?;
                record.around = record.around.union(given.kinds);
                walk.go(Some(&key), given.beyond.iter().cloned());
            }
            ring = walk.next_ring();
        }
        if walk.is_cut() {
            record.around = SensitiveSet::all();
        }
        Ok(())
    }

    /// What a record gives to those that refer to it; one that was deleted still gives what it
    /// last gave, since those that refer to it still do.
    async fn given_by(&self, key: &ResourceKey, now: u64) -> Result<Given, RecordFault> {
        if let Some((seq, given)) = self.around.0.get(key)
            && seq == now
        {
            return Ok(given);
        }
        let given = match self.read(key.0, &key.1).await? {
            Reading::Live(record) | Reading::Deleted { last: Some(record), .. } => {
                let root = record.doc.root();
                let beyond = self.labels.reach(root, &self.base);
                Given {
                    kinds: self.labels.label_for_referrers(root).union(record.given),
                    // The first step is in the record that is labelled, never in this one.
                    beyond: beyond.into_iter().filter(|(_, steps)| *steps > 1).collect(),
                }
            }
            Reading::Deleted { last: None, .. } | Reading::Absent => {
                Given { kinds: SensitiveSet::EMPTY, beyond: Arc::default() }
            }
        };
        self.around.0.insert(key.clone(), (now, given.clone()));
        Ok(given)
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
