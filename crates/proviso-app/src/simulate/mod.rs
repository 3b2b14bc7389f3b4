//! Who could see what of one patient's records now, and what that would be if something were
//! changed.
//!
//! Nothing here decides. Whoever could reach a record is looked up, and the ways in which each could
//! are made by the function that makes them for a request ([`crate::evaluation`]), from what is in
//! force and from what would be in force: the operations that a change would commit, applied to a
//! copy by the code that applies them after a commit ([`crate::live`]). The records are the
//! gateway's, so it is asked through a port, as for decisions about others. Nothing is changed; the
//! look itself is in the log before anything of it is told.
//!
//! TRUST: whoever may ask for [`Viewer::Officer`] learns which records there are of a patient, of
//! which kinds, and who reaches them. [`Viewer::Person`] learns what that person may know.

mod change;
mod subjects;

use core::fmt;
use core::pin::Pin;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use proviso_core::category::CategorySet;
use proviso_core::consent::Capacity;
use proviso_core::decision::{Labels, ResourceFacts};
use proviso_core::id::{AccountId, ClientId, ConsentId, DecisionId, PatientId, ResourceId};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};
use serde::{Deserialize, Serialize};

pub use self::change::{NarrowerTerms, NewTerms, SupposeError, Supposed, SupposedChange};
pub use self::subjects::{PossibleSubject, SubjectStanding, SubjectWays};
use crate::App;
use crate::evaluation::Asker;
use crate::session::SignedIn;
use crate::via::Via;

/// LIMIT: records looked at for one answer; more come page by page.
pub const RECORDS_MAX: usize = 5000;

/// A record, by type and id.
pub type RecordKey = (ResourceType, ResourceId);

/// Who looks.
#[derive(Debug, Clone, Copy)]
pub enum Viewer<'a> {
    /// An officer's tool, or an operator on this machine: everything, without contents.
    Officer(Asker<'a>),
    /// The patient or somebody who acts for them, before a page of the portal: what they may see
    /// themselves, with a date and a title as the records state them.
    Person {
        /// Who.
        person: &'a SignedIn,
        /// In what capacity.
        capacity: Capacity,
        /// A short stable word for the page.
        page: &'static str,
        /// How the request came.
        via: &'a Via,
    },
}

impl Viewer<'_> {
    /// In what capacity somebody reads; an officer is told what the patient is.
    pub const fn capacity(&self) -> Capacity {
        match self {
            Self::Officer(_) => Capacity::Patient,
            Self::Person { capacity, .. } => *capacity,
        }
    }
}

/// About whom it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectFilter {
    /// Everybody who could reach the patient's records.
    All,
    /// Those who act on one sharing choice.
    OfConsent(ConsentId),
    /// One of them, by [`PossibleSubject::key`].
    Named(String),
}

/// One question.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Whose records.
    pub patient: PatientId,
    /// What would be changed; `None` for how it is now.
    pub change: Option<SupposedChange>,
    /// Who is asked about.
    pub subjects: SubjectFilter,
    /// Only this record.
    pub record: Option<RecordKey>,
    /// Records after this one, in the order of types and ids.
    pub after: Option<RecordKey>,
    /// How many records at most; no more than [`RECORDS_MAX`].
    pub limit: usize,
}

impl Simulation {
    /// Who could see which of a patient's records now.
    pub const fn now(patient: PatientId) -> Self {
        Self {
            patient,
            change: None,
            subjects: SubjectFilter::All,
            record: None,
            after: None,
            limit: RECORDS_MAX,
        }
    }
}

/// Whether somebody could see a record, and why, or why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether they could.
    pub permitted: bool,
    /// The ground, or what stands in the way on the way that comes closest.
    pub reasons: Vec<ReasonCode>,
}

/// What is told of somebody and a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// How it is.
    pub before: Verdict,
    /// How it would be, if a change was asked about.
    pub after: Option<Verdict>,
}

impl Answered {
    /// Whether the record would come within reach.
    pub fn appears(&self) -> bool {
        !self.before.permitted && self.after.as_ref().is_some_and(|after| after.permitted)
    }

    /// Whether the record would go out of reach.
    pub fn disappears(&self) -> bool {
        self.before.permitted && self.after.as_ref().is_some_and(|after| !after.permitted)
    }
}

/// Somebody, in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedSubject {
    /// Who.
    pub who: PossibleSubject,
    /// The name that people know.
    pub name: String,
    /// For whom an app acts, by the name that people know.
    pub for_name: Option<String>,
    /// Why nothing at all is within reach now; empty where something may be.
    pub refused: Vec<ReasonCode>,
    /// The same after the change.
    pub refused_after: Vec<ReasonCode>,
}

/// One record, in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedRecord {
    /// The type.
    pub resource_type: ResourceType,
    /// The id.
    pub id: ResourceId,
    /// The kinds of record that it counts as.
    pub categories: CategorySet,
    /// What it is labelled.
    pub labels: Labels,
    /// When what it records happened.
    pub period: Option<Period>,
    /// Its title in its own words; for people who may see the record alone.
    pub title: Option<String>,
    /// For each subject, in their order; `None` where who looks may not know.
    pub answers: Vec<Option<Answered>>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulated {
    /// Whose records.
    pub patient: PatientId,
    /// The instant for which it was decided.
    pub at: At,
    /// The name of the look in the log.
    pub decision: DecisionId,
    /// Everybody.
    pub subjects: Vec<SimulatedSubject>,
    /// The records, in the order of types and ids.
    pub records: Vec<SimulatedRecord>,
    /// The last record of this page, if there are more.
    pub next: Option<RecordKey>,
}

/// How many records somebody reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How many.
    pub permitted: usize,
    /// How many not.
    pub refused: usize,
    /// How often what stood in the way.
    pub reasons: BTreeMap<ReasonCode, usize>,
}

impl Tally {
    fn count(&mut self, verdict: &Verdict) {
        if verdict.permitted {
            self.permitted += 1;
            return;
        }
        self.refused += 1;
        for reason in &verdict.reasons {
            *self.reasons.entry(*reason).or_default() += 1;
        }
    }
}

impl Simulated {
    /// The records with what is told of one subject.
    pub fn of_subject(&self, place: usize) -> impl Iterator<Item = (&SimulatedRecord, &Answered)> {
        self.records.iter().filter_map(move |record| {
            let answered = record.answers.get(place)?.as_ref()?;
            Some((record, answered))
        })
    }

    /// How many records a subject reaches now, and after the change if there is one.
    pub fn tally(&self, place: usize) -> (Tally, Option<Tally>) {
        let (mut before, mut after) = (Tally::default(), None);
        for (_, answered) in self.of_subject(place) {
            before.count(&answered.before);
            if let Some(verdict) = &answered.after {
                after.get_or_insert_with(Tally::default).count(verdict);
            }
        }
        (before, after)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// Who looks may not, or not any more.
    #[error("this may not be looked at")]
    Refused,
    /// The change cannot be made, so there is nothing to suppose.
    #[error("the change cannot be made: {0}")]
    Change(#[from] SupposeError),
    /// There is no such record of this patient, or who looks may not see it.
    #[error("there is no such record")]
    NoRecord,
    /// One kind of record has more records than are looked at for one answer.
    #[error("there are more records of one type than are looked at for one answer")]
    TooMany,
    /// It could not be logged.
    #[error("the look could not be logged")]
    NotLogged,
    /// Where the records are there was no answer, or what is in force changed while it was looked at.
    #[error("there is no answer just now")]
    NoAnswer,
}

/// What an answer of the port comes as.
pub type Simulating<'a> =
    Pin<Box<dyn Future<Output = Result<Simulated, SimulationError>> + Send + 'a>>;

/// The data plane as far as simulation needs it.
pub trait Simulations: Send + Sync + fmt::Debug {
    /// Decides for everybody asked about and each record of the page. It is in the log, and what it
    /// rests on still stands, when it comes back.
    fn simulate<'a>(&'a self, viewer: Viewer<'a>, question: &'a Simulation) -> Simulating<'a>;
}

/// Where the port is plugged in. The gateway holds the application, so it is held weakly here.
#[derive(Debug, Default)]
pub(crate) struct SimulationsPort(RwLock<Option<Weak<dyn Simulations>>>);

impl App {
    /// From now on, simulations are asked of this data plane.
    pub fn ask_simulations_of(&self, simulations: Weak<dyn Simulations>) {
        let mut port = self.simulations.0.write().unwrap_or_else(PoisonError::into_inner);
        *port = Some(simulations);
    }

    /// The data plane that simulates.
    ///
    /// # Errors
    /// When there is none.
    pub fn simulations(&self) -> Result<Arc<dyn Simulations>, SimulationError> {
        let port = self.simulations.0.read().unwrap_or_else(PoisonError::into_inner);
        port.as_ref().and_then(Weak::upgrade).ok_or(SimulationError::NoAnswer)
    }

    /// The name of an account or app that people know.
    pub fn name_of_account(&self, id: &AccountId) -> String {
        self.live.account(id).map_or_else(|| id.to_string(), |own| own.display_name.clone())
    }

    /// The name of an app that people know.
    pub fn name_of_app(&self, id: &ClientId) -> String {
        self.live.client(id).map_or_else(|| id.to_string(), |own| own.name.clone())
    }
}

/// Whether a person may be told what somebody who acts on these choices could do with a record.
///
/// What a patient named in confidence shows in which sensitive records an app reaches, and which it
/// does not. So whoever may not know what was named is told of no record that is of such a kind.
pub fn may_be_told(who: &PossibleSubject, reader: Capacity, facts: &ResourceFacts) -> bool {
    match reader {
        Capacity::Patient => true,
        Capacity::Proxy | Capacity::LegalAuthority => {
            !who.in_confidence || matches!(facts.labels, Labels::Known(kinds) if kinds.is_empty())
        }
    }
}
