//! What the organisation's policies demand with the records that an answer was made from: those that
//! leave, and those that were matched, counted or led to others.

use std::collections::BTreeSet;

use proviso_core::id::PatientId;
use proviso_core::org::{Obligation, ObligationSet};

/// Demands, and the patients whose records they are about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overseen {
    demanded: ObligationSet,
    noticed: BTreeSet<PatientId>,
    reviewed: BTreeSet<PatientId>,
}

impl Overseen {
    /// Adds what is demanded with a record about these patients.
    pub(crate) fn add<'a>(
        &mut self,
        demanded: ObligationSet,
        patients: impl Iterator<Item = &'a PatientId> + Clone,
    ) {
        self.demanded = self.demanded.union(demanded);
        if demanded.contains(Obligation::NotifyPatient) {
            self.noticed.extend(patients.clone().cloned());
        }
        if demanded.contains(Obligation::OpenReview) {
            self.reviewed.extend(patients.cloned());
        }
    }

    /// Both together.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.demanded = self.demanded.union(other.demanded);
        self.noticed.extend(other.noticed.iter().cloned());
        self.reviewed.extend(other.reviewed.iter().cloned());
        self
    }

    /// Whether this is demanded with some record.
    pub(crate) const fn demands(&self, obligation: Obligation) -> bool {
        self.demanded.contains(obligation)
    }

    /// Who is told at once.
    pub(crate) const fn noticed(&self) -> &BTreeSet<PatientId> {
        &self.noticed
    }

    /// Whose records somebody looks after.
    pub(crate) const fn reviewed(&self) -> &BTreeSet<PatientId> {
        &self.reviewed
    }
}
