//! A request that ends before its answer: a refusal, and the trail up to here.

use crate::problem::Refusal;
use crate::trail::Trail;

/// Boxed, because every stage may end this way and few do.
#[derive(Debug)]
pub struct Stopped(Box<(Refusal, Trail)>);

impl Stopped {
    pub(crate) fn new(refusal: impl Into<Refusal>, mut trail: Trail) -> Self {
        let refusal = refusal.into();
        trail.reasons.extend(refusal.reasons.iter().copied());
        Self(Box::new((refusal, trail)))
    }

    /// Says in which entry of a transaction the fault is.
    pub(crate) fn in_entry(self, index: usize) -> Self {
        let (refusal, trail) = *self.0;
        Self(Box::new((refusal.in_entry(index), trail)))
    }

    pub(crate) fn into_parts(self) -> (Refusal, Trail) {
        *self.0
    }
}
