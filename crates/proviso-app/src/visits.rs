//! A patient's visits, for the page from which staff start apps.
//!
//! A visit is a record, and there is one way to records: the gateway. So this crate asks it through
//! a port instead of reading the store. Behind the port a visit is decided by the same function,
//! fetched from the same upstream (our own store or a FHIR server by URL), judged again and logged
//! as any FHIR request is, before anything of it comes back. What differs is who asks: a person in
//! front of our own page, who holds no token, so that the access plan is made here from their role
//! and their relationships, cut to the visits of one patient.
//!
//! Without a gateway nothing is known of any visit, and none can be put in context.

use core::fmt;
use core::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use proviso_core::account::{AccountStatus, ActorKind};
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::record::RecordedRequest;
use proviso_core::decision::{AccessMode, AccessRequest, Decision, plan};
use proviso_core::id::{AccountId, ClientId, IdError, PatientId, ResourceId};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Permissions, ResourceScope, Scope, ScopeContext, ScopeSyntax};
use proviso_core::time::At;
use proviso_oauth::record::LaunchContext;

use crate::App;
use crate::access::{AskedBy, Planned, ground_of, objections_for, with_objections};
use crate::failure::Failure;
use crate::launch::LaunchRefusal;
use crate::session::SignedIn;
use crate::via::Via;

/// The name under which the launch page itself asks.
const LAUNCH_PAGE: &str = "launch-page";

/// Who looks, and at whose visits.
#[derive(Debug, Clone, Copy)]
pub struct VisitLook<'a> {
    /// The person in front of the page.
    pub person: &'a SignedIn,
    /// Whose visits.
    pub patient: &'a PatientId,
    /// How the request came.
    pub via: &'a Via,
}

/// One visit, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The Encounter.
    pub id: ResourceId,
    /// When it began (FHIR R4 dateTime, of any precision).
    pub start: Option<String>,
    /// What kind of visit, in the words of the record.
    pub what: Option<String>,
}

/// Visits that a person may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisitList {
    /// The visits.
    pub newest_first: Vec<Visit>,
    /// Whether there are older ones that the list leaves out.
    pub cut: bool,
}

/// Why nothing can be said of visits. Nothing was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VisitsError {
    /// It could not be logged.
    #[error("the look at visits could not be logged")]
    NotLogged,
    /// Where the records are, there was no answer, or none that could be used.
    #[error("the visits could not be had")]
    NoAnswer,
    /// The person has looked at more patients within an hour than anybody needs.
    #[error("too many patients within an hour")]
    TooMany,
}

/// What an answer of the port comes as.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, VisitsError>> + Send + 'a>>;

/// The data plane as far as the launch page needs it. Whatever it answers has been decided from what
/// is in force at that moment and is in the log.
pub trait Visits: Send + Sync + fmt::Debug {
    /// The patient's visits that the person may see; `None` when they may see none of any kind.
    fn list<'a>(&'a self, look: VisitLook<'a>) -> Asking<'a, Option<VisitList>>;

    /// Whether a visit is one of the patient's that the person may see. Of another patient's, a
    /// hidden and an absent one the answer is the same.
    fn may_open<'a>(&'a self, look: VisitLook<'a>, visit: &'a ResourceId) -> Asking<'a, bool>;
}

/// Where the port is plugged in. The gateway holds the application, so it is held weakly here.
#[derive(Debug, Default)]
pub(crate) struct VisitsPort(RwLock<Option<Weak<dyn Visits>>>);

impl VisitsPort {
    fn get(&self) -> Result<Arc<dyn Visits>, VisitsError> {
        let port = self.0.read().unwrap_or_else(PoisonError::into_inner);
        port.as_ref().and_then(Weak::upgrade).ok_or(VisitsError::NoAnswer)
    }
}

impl App {
    /// From now on, visits are asked of this data plane.
    pub fn ask_visits_of(&self, visits: Weak<dyn Visits>) {
        *self.visits.0.write().unwrap_or_else(PoisonError::into_inner) = Some(visits);
    }

    /// The visits among which a person chooses before an app is started for a patient.
    ///
    /// # Errors
    /// When they cannot be had or the look cannot be logged; nothing may be shown then.
    pub async fn visits_of(
        &self,
        person: &SignedIn,
        patient: &PatientId,
        via: &Via,
    ) -> Result<Result<VisitList, LaunchRefusal>, Failure> {
        self.renew_relations(&person.account.id, self.now()).await;
        if !self.is_related(&person.account, patient) {
            return Ok(Err(LaunchRefusal::Patient));
        }
        let found = self.visits.get()?.list(VisitLook { person, patient, via }).await?;
        Ok(Ok(found.unwrap_or_default()))
    }

    /// Whether the visit in a launch context is one of its patient's that the person may see now.
    /// No particular visit always is.
    pub(crate) async fn visit_stands(
        &self,
        person: &SignedIn,
        context: &LaunchContext,
        via: &Via,
    ) -> Result<bool, Failure> {
        let Some(visit) = &context.encounter else { return Ok(true) };
        // A visit of nobody in particular could be anybody's.
        let Some(patient) = &context.patient else { return Ok(false) };
        let look = VisitLook { person, patient, via };
        Ok(self.visits.get()?.may_open(look, visit).await?)
    }

    /// The plan for a person who looks at the visits of one patient on the launch page: what the
    /// decision function makes of their role and relationships for `patient/Encounter.rs`.
    ///
    /// # Errors
    /// When the page has no name under which it may ask.
    pub fn plan_visits(
        &self,
        account: &AccountId,
        patient: &PatientId,
        network: Option<&str>,
        at: At,
    ) -> Result<Planned, IdError> {
        let facts = self.live.staff_facts(account);
        let (relationships, objections) =
            self.grounds().staff_relations(account, facts.relationships, at);
        let page = LAUNCH_PAGE.parse::<ClientId>()?;
        // `patient/` keeps the plan to the one patient, whomever else the person cares for.
        let scope = Scope::Resource(ResourceScope::new(
            ScopeContext::Patient,
            Some(ResourceType::ENCOUNTER),
            Permissions::READ_SEARCH,
            Vec::new(),
            ScopeSyntax::V2,
        ));
        let kind = facts.account.as_ref().map_or(ActorKind::System, |own| own.kind);
        let mode = AccessMode::Operational {
            // Without a person there is no kind and no rule.
            kind,
            relationships: &relationships,
            objections: &objections,
        };
        let purpose = PurposeOfUse::Treatment;
        let environment = self.grounds().environment(self.network_of(network), at);
        let asking = AskedBy { account: facts.account.as_deref(), client: &page, environment, at };
        let policy = ground_of(self.grounds(), mode, &asking);
        let everyone = objections_for(self.grounds(), &policy, mode, purpose);
        let request = AccessRequest {
            policy: &policy,
            at,
            client: &page,
            account: Some(account),
            mode: with_objections(mode, everyone.as_deref()),
            scopes: Some(&[scope]),
            patient_in_context: Some(patient),
            purpose,
            met: self.grounds().met,
        };
        let recorded = RecordedRequest::of(&request);
        if facts.account.as_ref().is_none_or(|own| own.status != AccountStatus::Active) {
            let gate = vec![ReasonCode::AccountDisabled];
            let plan = Err(Decision::deny(gate.clone()));
            return Ok(Planned { request: recorded.stopped_by(gate), plan });
        }
        Ok(Planned { request: recorded, plan: plan(&request) })
    }
}
