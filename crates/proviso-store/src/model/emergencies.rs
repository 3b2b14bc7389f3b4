//! Emergency access and its reviews in memory, and what one version must fit to follow another.

use proviso_core::emergency::review::{Review, Stage as ReviewStage};
use proviso_core::emergency::{Emergency, Stage};
use proviso_core::id::EmergencyId;

use super::State;
use crate::batch::Precondition;

type Outcome = Result<(), Precondition>;

/// Whether a version of an emergency can be written after the latest one.
pub(crate) fn emergency_fits(latest: Option<&Emergency>, next: &Emergency) -> Outcome {
    match latest {
        None if next.number == 1 && matches!(next.stage, Stage::Declared) => Ok(()),
        None if next.number == 1 => Err(Precondition::Contradiction),
        None => Err(Precondition::Missing),
        Some(_) if next.number == 1 => Err(Precondition::Exists),
        Some(latest) if next.number <= latest.number => Err(Precondition::Changed),
        Some(latest) if next.follows(latest) => Ok(()),
        Some(_) => Err(Precondition::Contradiction),
    }
}

/// Whether a version of a review can be written after the latest one.
pub(crate) fn review_fits(
    emergency: &Emergency,
    latest: Option<&Review>,
    next: &Review,
) -> Outcome {
    match latest {
        None if next.number == 1 && *next == Review::open(emergency) => Ok(()),
        None if next.number == 1 => Err(Precondition::Contradiction),
        None => Err(Precondition::Missing),
        Some(_) if next.number == 1 => Err(Precondition::Exists),
        Some(latest) if next.number <= latest.number => Err(Precondition::Changed),
        // INVARIANT: nobody decides on what they declared, whoever writes here.
        Some(latest) if next.follows(latest, &emergency.declaration.by) => Ok(()),
        Some(latest) if matches!(latest.stage, ReviewStage::Decided(_)) => Err(Precondition::Ended),
        Some(_) => Err(Precondition::Contradiction),
    }
}

impl State {
    pub(super) fn put_emergency_version(&mut self, next: Emergency) -> Outcome {
        let latest = self.emergencies.get(&next.declaration.id).and_then(|all| all.last());
        emergency_fits(latest, &next)?;
        self.emergencies.entry(next.declaration.id.clone()).or_default().push(next);
        Ok(())
    }

    pub(super) fn put_review_version(&mut self, next: Review) -> Outcome {
        let emergency = self.emergencies.get(&next.emergency).and_then(|all| all.last());
        let emergency = emergency.ok_or(Precondition::Missing)?;
        let latest = self.reviews.get(&next.emergency).and_then(|all| all.last());
        review_fits(emergency, latest, &next)?;
        self.reviews.entry(next.emergency.clone()).or_default().push(next);
        Ok(())
    }

    pub(crate) fn emergency(&self, id: &EmergencyId) -> Option<Emergency> {
        self.emergencies.get(id).and_then(|all| all.last()).cloned()
    }

    pub(crate) fn emergencies(&self, wanted: impl Fn(&Emergency) -> bool) -> Vec<Emergency> {
        let latest = self.emergencies.values().filter_map(|all| all.last());
        latest.filter(|own| wanted(own)).cloned().collect()
    }

    pub(crate) fn reviews(&self) -> Vec<Review> {
        self.reviews.values().filter_map(|all| all.last()).cloned().collect()
    }

    pub(crate) fn review_versions(&self, id: &EmergencyId) -> Vec<Review> {
        self.reviews.get(id).cloned().unwrap_or_default()
    }
}
