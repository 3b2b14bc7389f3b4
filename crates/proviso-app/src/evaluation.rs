//! Decisions about others, for enforcement points that the organisation runs (AuthZEN
//! Authorization API 1.0).
//!
//! What is asked about is a record, and there is one way to records: the gateway. So this crate
//! asks it through a port, as the launch page does for visits ([`crate::visits`]): the record is
//! fetched from the same upstream, judged by the same function and logged before the answer leaves.
//! No record leaves at all; the answer is yes or no, with reasons.
//!
//! TRUST: whoever may ask learns for everybody what they may see, and that a record is there. The
//! scope `access_evaluation` that allows it is agreed with a service and never given by a person.

use core::fmt;
use core::pin::Pin;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use proviso_core::account::{Account, AccountStatus, ActorKind};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::decision::explain::{CallerTold, Explanation};
use proviso_core::decision::record::RecordedRequest;
use proviso_core::decision::{AccessMode, AccessRequest, Decision, plan};
use proviso_core::emergency::EmergencyFacts;
use proviso_core::id::{
    AccountId, ClientId, ConsentId, DecisionId, GrantId, PatientId, ResourceId,
};
use proviso_core::interaction::Interaction;
use proviso_core::org::Network;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Permissions, ResourceScope, Scope, ScopeContext, ScopeSyntax};
use proviso_core::time::At;
use proviso_oauth::record::Grant;

use crate::App;
use crate::access::{
    AskedBy, Grounds, Planned, acting, ground_of, objections_for, plan_recorded, with_objections,
};
use crate::authorize::own_patient;
use crate::bearer::BearerError;
use crate::caller::Caller;
use crate::via::Via;

/// The name under which somebody is asked about who uses no app.
const NO_APP: &str = "no-app";

/// LIMIT: so many connections of an app are looked at for one question. An app with more has to be
/// asked about for one person; what is left out counts as a no.
const WAYS_MAX: usize = 100;

/// About whom it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvaluationSubject {
    /// An app, for anybody who connected it or for one person.
    App {
        /// Which.
        client: ClientId,
        /// For whom.
        account: Option<AccountId>,
    },
    /// A person without an app: the patient or a proxy as in the portal, staff by their role.
    Account(AccountId),
    /// One connection.
    Grant(GrantId),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who would act.
    pub subject: EvaluationSubject,
    /// What would be done.
    pub interaction: Interaction,
    /// With which type.
    pub resource_type: ResourceType,
    /// With which record.
    pub id: ResourceId,
    /// What for; without it, what the connection is for, or care for staff.
    pub purpose: Option<PurposeOfUse>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The enforcement point; `None` for an operator on this machine, who has the folder and with it
    /// everything.
    pub caller: Option<&'a Caller>,
    /// How the request came.
    pub via: &'a Via,
}

/// Actions that are asked about one record.
///
/// Earlier versions can say other things than the record as it is, so nobody is told about them
/// together.
pub const ACTIONS: [(&str, Interaction); 4] = [
    ("read", Interaction::Read),
    ("update", Interaction::Update),
    ("patch", Interaction::Patch),
    ("delete", Interaction::Delete),
];

/// The interaction that the name of an action stands for.
pub fn interaction_named(name: &str) -> Option<Interaction> {
    ACTIONS.iter().find(|(known, _)| *known == name).map(|(_, interaction)| interaction.clone())
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Permit or deny, with the reasons.
    pub decision: Decision,
    /// What of the reasons the one who would act may be told.
    pub told: CallerTold,
    /// The name of the decision in the log.
    pub id: DecisionId,
    /// The digest of what it was made from.
    pub digest: Option<String>,
    /// The consent it rests on.
    pub consent: Option<ConsentId>,
    /// The tree, for officers.
    pub explanation: Option<Explanation>,
}

/// Where a list of records goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourcePage {
    /// The records.
    pub ids: Vec<ResourceId>,
    /// What to ask with for more, if there may be more.
    pub next: Option<String>,
}

/// Which records are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceQuestion {
    /// Who would act.
    pub subject: EvaluationSubject,
    /// What would be done.
    pub interaction: Interaction,
    /// With which type.
    pub resource_type: ResourceType,
    /// What for.
    pub purpose: Option<PurposeOfUse>,
    /// Where the list goes on.
    pub token: Option<String>,
    /// How many at most.
    pub limit: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// It could not be logged.
    #[error("the decision could not be logged")]
    NotLogged,
    /// Where the records are, there was no answer, or none that could be used.
    #[error("the record could not be had")]
    NoAnswer,
    /// The page token is not one of ours, for this question, or too old.
    #[error("the page token is not valid")]
    Token,
}

/// What an answer of the port comes as.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, EvaluationError>> + Send + 'a>>;

/// The data plane as far as decisions about others need it.
pub trait Evaluations: Send + Sync + fmt::Debug {
    /// Decides each question until `stop` says that no more are needed. All answers are in the log
    /// before any of them is told.
    fn evaluate<'a>(
        &'a self,
        asker: Asker<'a>,
        questions: &'a [Question],
        stop: fn(&Decision) -> bool,
    ) -> Asking<'a, Vec<Evaluated>>;

    /// Which records of a type could be acted on.
    fn find<'a>(
        &'a self,
        asker: Asker<'a>,
        question: &'a ResourceQuestion,
    ) -> Asking<'a, ResourcePage>;
}

/// Where the port is plugged in. The gateway holds the application, so it is held weakly here.
#[derive(Debug, Default)]
pub(crate) struct EvaluationsPort(RwLock<Option<Weak<dyn Evaluations>>>);

impl App {
    /// From now on, decisions about others are asked of this data plane.
    pub fn ask_evaluations_of(&self, evaluations: Weak<dyn Evaluations>) {
        let mut port = self.evaluations.0.write().unwrap_or_else(PoisonError::into_inner);
        *port = Some(evaluations);
    }

    /// The data plane that decides.
    ///
    /// # Errors
    /// When there is none.
    pub fn evaluations(&self) -> Result<Arc<dyn Evaluations>, EvaluationError> {
        let port = self.evaluations.0.read().unwrap_or_else(PoisonError::into_inner);
        port.as_ref().and_then(Weak::upgrade).ok_or(EvaluationError::NoAnswer)
    }

    /// The enforcement point behind a bearer token; `None` when the token is good but was not given
    /// for asking.
    ///
    /// # Errors
    /// When the token opens nothing.
    pub async fn enforcement_point(
        &self,
        token: &str,
        at: At,
    ) -> Result<Option<Caller>, BearerError> {
        let caller = self.authenticate_bearer(token, at).await?;
        Ok(Some(caller).filter(may_evaluate))
    }

    /// Whether who asks may still ask; looked at again before an answer leaves.
    pub fn may_still_evaluate(&self, asker: Asker<'_>, at: At) -> bool {
        let Some(caller) = asker.caller else { return true };
        self.live.grant(&caller.grant).is_some_and(|grant| {
            grant.is_live(at)
                && self.check_basis(&grant, at).is_ok()
                && grant.scopes.contains(&Scope::AccessEvaluation)
        })
    }

    /// Reads anew what records say of the people who could act as a subject.
    pub async fn renew_subject(&self, subject: &EvaluationSubject, at: At) {
        let person = |grant: Option<Arc<Grant>>| grant.and_then(|own| own.account.clone());
        let people: BTreeSet<AccountId> = match subject {
            EvaluationSubject::Account(account) => BTreeSet::from([account.clone()]),
            EvaluationSubject::Grant(id) => person(self.live.grant(id)).into_iter().collect(),
            EvaluationSubject::App { client, account } => {
                let mut grants = self.live.grants_of_client(client);
                grants.retain(|grant| account.is_none() || grant.account == *account);
                grants.truncate(WAYS_MAX);
                grants.into_iter().filter_map(|grant| person(Some(grant))).collect()
            }
        };
        for account in people {
            self.renew_relations(&account, at).await;
        }
    }

    /// Every way in which the subject could act now, each as a plan or a denial. A record is within
    /// reach when one of them permits it. `patients` are those that the record names.
    pub fn ways_in(
        &self,
        subject: &EvaluationSubject,
        purpose: Option<PurposeOfUse>,
        patients: &BTreeSet<PatientId>,
        at: At,
    ) -> Vec<Planned> {
        self.grounds().ways_in(subject, purpose, patients, at)
    }

    /// The people and apps of a kind, in the order of their ids, from after `after`.
    pub fn subjects_of_kind(
        &self,
        kind: SubjectKind,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(String, EvaluationSubject)> {
        let mut all: Vec<(String, EvaluationSubject)> = match kind {
            SubjectKind::Account => {
                let ids = self.live.account_ids().into_iter();
                ids.map(|id| (id.as_str().to_owned(), EvaluationSubject::Account(id))).collect()
            }
            SubjectKind::App => {
                let ids = self.live.client_ids().into_iter();
                ids.map(|id| {
                    let name = id.as_str().to_owned();
                    (name, EvaluationSubject::App { client: id, account: None })
                })
                .collect()
            }
        };
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all.into_iter()
            .filter(|(id, _)| after.is_none_or(|after| id.as_str() > after))
            .take(limit)
            .collect()
    }

    /// Logs a question that could not be asked: about nobody, nothing or no action that is known.
    ///
    /// # Errors
    /// When it cannot be logged; no answer may be given then.
    pub async fn log_unanswerable(&self, asker: Asker<'_>) -> Result<(), EvaluationError> {
        let Asker { caller, via } = asker;
        let drafted =
            self.draft_entry(via, AuditKind::Evaluation, AuditOutcome::Failure, "evaluate");
        let mut entry = drafted.map_err(|_| EvaluationError::NotLogged)?;
        entry.client = caller.map(|caller| caller.client.clone());
        entry.grant = caller.map(|caller| caller.grant.clone());
        entry.token = caller.map(|caller| caller.token.clone());
        entry.purpose = caller.map(|caller| caller.purpose);
        self.append_audit(entry).await.map_err(|_| EvaluationError::NotLogged)?;
        Ok(())
    }

    /// The account that has an id, or signs in under a name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn account_named(&self, text: &str) -> Result<Option<AccountId>, EvaluationError> {
        let by_id = text.parse::<AccountId>().ok().filter(|id| self.live.account(id).is_some());
        if by_id.is_some() {
            return Ok(by_id);
        }
        let named = self.store.account_by_username(text).await;
        named.map(|found| found.map(|own| own.id)).map_err(|_| EvaluationError::NoAnswer)
    }

    /// The subject that a kind and a name stand for: `account`, `app` (for one person, if named) or
    /// `grant`; `None` when there is nobody of that kind or name. A name that cannot be one of ours
    /// is nobody's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn subject_named(
        &self,
        kind: &str,
        id: &str,
        account: Option<&str>,
    ) -> Result<Option<EvaluationSubject>, EvaluationError> {
        match kind {
            "account" => Ok(self.account_named(id).await?.map(EvaluationSubject::Account)),
            "grant" => Ok(id.parse().ok().map(EvaluationSubject::Grant)),
            "app" => {
                let Ok(client) = id.parse() else { return Ok(None) };
                let Some(name) = account else {
                    return Ok(Some(EvaluationSubject::App { client, account: None }));
                };
                let account = self.account_named(name).await?;
                Ok(account.map(|id| EvaluationSubject::App { client, account: Some(id) }))
            }
            _ => Ok(None),
        }
    }

    /// The patients of whom a person may see records in the portal: their own, and those they act
    /// for. Whether they may at this instant is for the decision to say.
    pub fn patients_of_account(&self, account: &AccountId) -> BTreeSet<PatientId> {
        let own = self.live.account(account).and_then(|own| own_patient(&own));
        let others = self.live.relationships(account).into_iter().map(|own| own.patient);
        own.into_iter().chain(others).collect()
    }
}

impl Grounds<'_> {
    /// As [`App::ways_in`].
    pub(crate) fn ways_in(
        self,
        subject: &EvaluationSubject,
        purpose: Option<PurposeOfUse>,
        patients: &BTreeSet<PatientId>,
        at: At,
    ) -> Vec<Planned> {
        let grants = match subject {
            EvaluationSubject::Account(account) => {
                let account = self.live.account(account);
                return account
                    .map(|account| self.ways_of_person(&account, purpose, patients, at))
                    .unwrap_or_default();
            }
            EvaluationSubject::Grant(id) => self.live.grant(id).into_iter().collect(),
            EvaluationSubject::App { client, account } => {
                let mut grants = self.live.grants_of_client(client);
                grants.retain(|grant| account.is_none() || grant.account == *account);
                grants.truncate(WAYS_MAX);
                grants
            }
        };
        grants
            .iter()
            .filter(|grant| purpose.is_none_or(|purpose| grant.purpose == purpose))
            .filter_map(|grant| Some(plan_recorded(self, &self.caller_of(grant)?, at)))
            .collect()
    }

    /// A caller as a token of the grant with all its scopes would make it.
    fn caller_of(self, grant: &Grant) -> Option<Caller> {
        let scope: Vec<String> = grant.scopes.iter().map(ToString::to_string).collect();
        // No token takes part; the name is that of no token that was ever issued.
        let token = proviso_core::id::TokenId::generate(At::from_micros(0), [0; 10]);
        Caller::of_grant(self.live, grant, &scope.join(" "), token)
    }

    fn ways_of_person(
        self,
        account: &Account,
        purpose: Option<PurposeOfUse>,
        patients: &BTreeSet<PatientId>,
        at: At,
    ) -> Vec<Planned> {
        let Ok(client) = NO_APP.parse::<ClientId>() else { return Vec::new() };
        match account.kind {
            ActorKind::Patient | ActorKind::Proxy => patients
                .iter()
                .map(|patient| self.own_way(account, &client, patient, purpose, at))
                .collect(),
            ActorKind::Clinician
            | ActorKind::Nurse
            | ActorKind::Staff
            | ActorKind::PrivacyOfficer
            | ActorKind::Administrator
            | ActorKind::SupportAgent
            // Whoever asks about a person does not say from where that person would ask.
            | ActorKind::System => {
                let mut ways = vec![self.staff_way(account, &client, purpose, None, at)];
                // Asked for by name: what they declared for these patients counts as well.
                if purpose == Some(PurposeOfUse::BreakGlass) {
                    let declared = |patient| self.way_of_emergency(&account.id, patient, None, at);
                    ways.extend(patients.iter().filter_map(declared));
                }
                ways
            }
        }
    }

    /// The way in of the patient, or of somebody who acts for them, if there is such an account.
    pub(crate) fn way_of_own(
        self,
        account: &AccountId,
        patient: &PatientId,
        at: At,
    ) -> Option<Planned> {
        let client = NO_APP.parse::<ClientId>().ok()?;
        let account = self.live.account(account)?;
        Some(self.own_way(&account, &client, patient, None, at))
    }

    /// The ways in of somebody by their roles, from the organisation's own network: one for each
    /// purpose for which they have any, or else the one for treatment.
    pub(crate) fn ways_of_staff(self, account: &AccountId, at: At) -> Vec<Planned> {
        let inside = Some(Network::Internal);
        let (Ok(client), Some(account)) = (NO_APP.parse::<ClientId>(), self.live.account(account))
        else {
            return Vec::new();
        };
        let way = |purpose| self.staff_way(&account, &client, Some(purpose), inside, at);
        let ways = PurposeOfUse::ALL.iter().map(|purpose| way(*purpose));
        let mut ways: Vec<Planned> = ways.filter(|way| way.plan.is_ok()).collect();
        if ways.is_empty() {
            ways.push(way(PurposeOfUse::Treatment));
        }
        ways
    }

    /// Those whose roles alone open something of every patient, asked from inside.
    pub(crate) fn staff_by_role(self, at: At) -> Vec<AccountId> {
        let Ok(client) = NO_APP.parse::<ClientId>() else { return Vec::new() };
        let reaches = |account: &AccountId| {
            let Some(account) = self.live.account(account) else { return false };
            let kind = account.kind;
            let mode = AccessMode::Operational { kind, relationships: &[], objections: &[] };
            let environment = self.environment(Some(Network::Internal), at);
            let asking = AskedBy { account: Some(&account), client: &client, environment, at };
            let policy = ground_of(self, mode, &asking);
            kind.takes_roles()
                && PurposeOfUse::ALL.iter().any(|purpose| policy.reaches_strangers(*purpose))
        };
        self.live.account_ids().into_iter().filter(reaches).collect()
    }

    /// The way in of somebody by the emergency access they declared for a patient, while it is open.
    pub(crate) fn way_of_emergency(
        self,
        account: &AccountId,
        patient: &PatientId,
        network: Option<Network>,
        at: At,
    ) -> Option<Planned> {
        let client = NO_APP.parse::<ClientId>().ok()?;
        let account = self.live.account(account)?;
        let declared = self.live.emergency_of(&account.id, patient, at)?;
        Some(self.emergency_way(&account, &client, &declared.facts(), network, at))
    }

    fn own_way(
        self,
        account: &Account,
        client: &ClientId,
        patient: &PatientId,
        purpose: Option<PurposeOfUse>,
        at: At,
    ) -> Planned {
        let relationships = self.live.relationships(&account.id);
        let person = acting(account, patient, &relationships);
        let usual = match person {
            proviso_core::decision::ActingPerson::Patient => PurposeOfUse::PatientRequest,
            proviso_core::decision::ActingPerson::Proxy(_) => PurposeOfUse::Family,
        };
        let policy = self.policies.ground_of_patient();
        planned(
            &AccessRequest {
                policy: &policy,
                at,
                client,
                account: Some(&account.id),
                mode: AccessMode::OwnRecord { patient, person },
                scopes: None,
                patient_in_context: Some(patient),
                purpose: purpose.unwrap_or(usual),
                met: self.met,
            },
            account,
        )
    }

    fn emergency_way(
        self,
        account: &Account,
        client: &ClientId,
        declared: &EmergencyFacts,
        network: Option<Network>,
        at: At,
    ) -> Planned {
        let environment = self.environment(network, at);
        let policy = self.policies.ground_of_emergency(account, environment, declared, at);
        let request = AccessRequest {
            policy: &policy,
            at,
            client,
            account: Some(&account.id),
            mode: AccessMode::Emergency { declared: Some(declared) },
            scopes: Some(&[everything()]),
            patient_in_context: Some(&declared.patient),
            purpose: PurposeOfUse::BreakGlass,
            met: self.met,
        };
        planned(&request, account)
    }

    fn staff_way(
        self,
        account: &Account,
        client: &ClientId,
        purpose: Option<PurposeOfUse>,
        network: Option<Network>,
        at: At,
    ) -> Planned {
        let on_file = self.live.relationships(&account.id);
        let (relationships, objections) = self.staff_relations(&account.id, on_file, at);
        let mode = AccessMode::Operational {
            kind: account.kind,
            relationships: &relationships,
            objections: &objections,
        };
        let purpose = purpose.unwrap_or(PurposeOfUse::Treatment);
        let environment = self.environment(network, at);
        let asking = AskedBy { account: Some(account), client, environment, at };
        let policy = ground_of(self, mode, &asking);
        let everyone = objections_for(self, &policy, mode, purpose);
        planned(
            &AccessRequest {
                policy: &policy,
                at,
                client,
                account: Some(&account.id),
                mode: with_objections(mode, everyone.as_deref()),
                // What their role lets them do, whatever an app would ask for.
                scopes: Some(&[everything()]),
                patient_in_context: None,
                purpose,
                met: self.met,
            },
            account,
        )
    }
}

/// What a role lets somebody do, whatever an app would ask for.
fn everything() -> Scope {
    Scope::Resource(ResourceScope::new(
        ScopeContext::User,
        None,
        Permissions::ALL,
        Vec::new(),
        ScopeSyntax::V2,
    ))
}

/// What is listed by a search for subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// People.
    Account,
    /// Apps.
    App,
}

/// Whether a caller was given the right to ask.
fn may_evaluate(caller: &Caller) -> bool {
    caller.scopes.contains(&Scope::AccessEvaluation)
}

fn planned(request: &AccessRequest<'_>, account: &Account) -> Planned {
    let recorded = RecordedRequest::of(request);
    match account.status {
        AccountStatus::Active => Planned { request: recorded, plan: plan(request) },
        AccountStatus::Disabled => {
            let gate = vec![ReasonCode::AccountDisabled];
            let plan = Err(Decision::deny(gate.clone()));
            Planned { request: recorded.stopped_by(gate), plan }
        }
    }
}
