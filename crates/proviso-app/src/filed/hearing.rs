//! Hearing consents on file for one request: compiled once for each patient, asked once for each
//! record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use proviso_core::category::SensitiveSet;
use proviso_core::consent::provision::{ACTION_SYSTEM, PURPOSE_SYSTEM, RecordFacts};
use proviso_core::consent::provision::{Coding, Fact, Identities, Plan, Purpose, RequestFacts};
use proviso_core::decision::record::{RecordedMode, RecordedRequest};
use proviso_core::decision::{
    Belonging, FiledAnswer, FiledAnswers, FiledDirective, FiledRequest, FiledVersion, Labels, hear,
};
use proviso_core::id::{ConsentVersionId, PatientId};
use proviso_fhir::consent::record_facts;
use proviso_fhir::json::Node;
use proviso_fhir::label::RuleSet;

use super::{FiledConsent, FiledSettings};
use crate::App;
use crate::live::Live;

/// The consents on file as one request hears them.
///
/// Whose consents were looked for, and which were found, is remembered: before an answer leaves,
/// the same must still be in force ([`Hearing::stands`]).
#[derive(Debug)]
pub struct Hearing {
    live: Arc<Live>,
    settings: Arc<FiledSettings>,
    labels: Arc<RuleSet>,
    request: FiledRequest,
    heard: Mutex<BTreeMap<PatientId, Arc<Heard>>>,
}

/// The consents of one patient, for one request.
#[derive(Debug)]
struct Heard {
    consents: Vec<Arc<FiledConsent>>,
    /// `None` when they do not fit a plan; they are evaluated one by one then.
    plan: Option<Plan>,
}

impl Heard {
    fn of(consents: Vec<Arc<FiledConsent>>, request: &FiledRequest) -> Self {
        let directives: Vec<_> =
            enforced(&consents).map(|own| (own.recorded_at, &own.directive)).collect();
        let plan = Plan::compile(&directives, request.combination, &request.facts).ok();
        Self { consents, plan }
    }

    fn versions(&self) -> Vec<FiledVersion> {
        self.consents.iter().map(|own| own.version()).collect()
    }

    fn answer(
        &self,
        patient: &PatientId,
        request: &FiledRequest,
        record: &RecordFacts,
    ) -> FiledAnswer {
        let outcome = match &self.plan {
            Some(plan) => plan.decide(&plan.view(record)),
            None => hear(&enforced(&self.consents).collect::<Vec<_>>(), request, record),
        };
        FiledAnswer { patient: patient.clone(), outcome, heard: self.versions() }
    }
}

fn enforced(consents: &[Arc<FiledConsent>]) -> impl Iterator<Item = &FiledDirective> {
    consents.iter().filter_map(|own| own.enforced.as_ref())
}

impl App {
    /// Gets ready to hear consents on file for a request.
    pub async fn hearing_for(&self, request: &RecordedRequest) -> Arc<Hearing> {
        // While nobody has any on file, nobody asks who the one who asks is. A consent that is
        // filed meanwhile is noticed before the answer leaves.
        let asker = if self.live.has_filed() {
            self.identities_of(request).await
        } else {
            Identities::default()
        };
        let purpose = Coding::new(PURPOSE_SYSTEM, request.purpose.code());
        let action = match request.mode {
            RecordedMode::Operational { .. }
            | RecordedMode::Emergency { .. }
            | RecordedMode::OwnRecord { .. } => "access",
            RecordedMode::PatientDirected { .. } | RecordedMode::PreAuthorized => "disclose",
        };
        let settings = Arc::clone(&self.settings.filed);
        let facts = RequestFacts {
            at: request.at,
            asker,
            others: Vec::new(),
            purpose: Fact::Known(Purpose::from_coding(purpose)),
            action: Fact::Known(Coding::new(ACTION_SYSTEM, action)),
            locations: Fact::Unknown,
            understood: settings.understood.clone(),
        };
        let request = FiledRequest { facts, combination: settings.combination };
        Arc::new(Hearing {
            live: Arc::clone(&self.live),
            labels: self.labels(),
            settings,
            request,
            heard: Mutex::default(),
        })
    }
}

impl Hearing {
    /// What consents on file say of a record; `None` when no patient on it has one.
    ///
    /// `labels` are those of the decision, what the record has from elsewhere included.
    pub fn answers(
        &self,
        record: Node<'_>,
        labels: Labels,
        belonging: &Belonging,
    ) -> Option<Box<FiledAnswers>> {
        let patients = match belonging {
            Belonging::Patients(patients) => patients,
            Belonging::Directory | Belonging::Unknown => return None,
        };
        let heard: Vec<(&PatientId, Arc<Heard>)> =
            patients.iter().map(|patient| (patient, self.of(patient))).collect();
        if heard.iter().all(|(_, own)| own.consents.is_empty()) {
            return None;
        }
        let record = self.facts_of(record, labels, patients);
        let answers = heard
            .into_iter()
            .filter(|(_, own)| !own.consents.is_empty())
            .map(|(patient, own)| own.answer(patient, &self.request, &record))
            .collect();
        Some(Box::new(FiledAnswers { record, answers }))
    }

    /// The sensitive kinds that everybody who acts for these patients may know of.
    pub fn open_to_proxies(&self, belonging: &Belonging) -> SensitiveSet {
        let at = self.request.facts.at;
        match belonging {
            Belonging::Patients(patients) => {
                let all = patients.iter().map(|patient| self.live.open_to_proxies(patient, at));
                all.fold(SensitiveSet::all(), SensitiveSet::intersection)
            }
            Belonging::Directory | Belonging::Unknown => SensitiveSet::EMPTY,
        }
    }

    /// What they were told of the request.
    pub const fn request(&self) -> &FiledRequest {
        &self.request
    }

    /// Whether for every patient who was looked for the same versions are in force now.
    pub fn stands(&self) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().all(|(patient, own)| {
            let now = self.live.filed_of(patient);
            now.len() == own.consents.len()
                && now.iter().zip(&own.consents).all(|(now, then)| now.name == then.name)
        })
    }

    /// The versions in force of some patients, for what is bound to a state of them.
    pub fn names(&self, patients: &BTreeSet<PatientId>) -> Vec<ConsentVersionId> {
        let of = |patient| self.live.filed_of(patient).into_iter().map(|own| own.name.clone());
        patients.iter().flat_map(of).collect()
    }

    fn of(&self, patient: &PatientId) -> Arc<Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = heard.get(patient) {
            return Arc::clone(known);
        }
        let fresh = Arc::new(Heard::of(self.live.filed_of(patient), &self.request));
        heard.insert(patient.clone(), Arc::clone(&fresh));
        fresh
    }

    fn facts_of(
        &self,
        record: Node<'_>,
        labels: Labels,
        patients: &BTreeSet<PatientId>,
    ) -> RecordFacts {
        let FiledSettings { zone, base, organization, .. } = &*self.settings;
        let mut facts = record_facts(record, labels, &self.labels, zone, base);
        // Whom the decision takes the record to be about, it is about here as well.
        facts.patients = Fact::Known(patients.clone());
        // A record of ours that names no other holder is held by the organisation.
        if let (Fact::Unknown, Some(own)) = (&facts.custodian, organization) {
            facts.custodian = Fact::Known(Identities::exactly([own.clone()]));
        }
        facts
    }
}
