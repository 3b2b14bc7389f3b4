//! Whose records the portal shows: one's own, or those of somebody one acts for.

use proviso_core::id::PatientId;

use crate::frame::with_query;
use crate::text::Texts;

/// One patient whose pages the signed-in person may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) patient: PatientId,
    pub(crate) name: String,
    pub(crate) standing: Standing,
}

/// In what capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Own,
    Proxy,
}

impl Person {
    pub(crate) fn label(&self, t: Texts) -> String {
        let key = match self.standing {
            Standing::Own => "picker-you",
            Standing::Proxy => "picker-acting",
        };
        t.with(key, &[("name", &self.name)])
    }

    /// The patient's name, when it is not the signed-in person.
    pub(crate) fn acting_for(&self) -> Option<&str> {
        (self.standing == Standing::Proxy).then_some(self.name.as_str())
    }

    /// An address of the portal that keeps to this person.
    pub(crate) fn address(&self, path: &str) -> String {
        match self.standing {
            Standing::Own => path.to_owned(),
            Standing::Proxy => with_query(path, "patient", self.patient.as_str()),
        }
    }
}
