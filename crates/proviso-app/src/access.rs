//! From a caller to an access plan: gathers the live facts and asks the decision function.
//!
//! Nothing about consent is taken from the token. Every plan is made from what is in force now.

use std::sync::Arc;

use proviso_core::account::{Account, AccountStatus, ActorKind, Relationship, RelationshipKind};
use proviso_core::category::{CategorySet, PurposeOfUse};
use proviso_core::consent::ConsentFacts;
use proviso_core::consent::index::IndexedConsent;
use proviso_core::decision::record::RecordedRequest;
use proviso_core::decision::{
    AccessMode, AccessPlan, AccessRequest, ActingPerson, Decision, FiledRule, OrgGround, plan,
    standings_among,
};
use proviso_core::delegation::{Delegate, DelegationLink, judge};
use proviso_core::id::{AccountId, ClientId, PatientId};
use proviso_core::org::{Environment, Network, Obligation, ObligationSet};
use proviso_core::oversight::SHORT_TOKEN_SECS;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};
use proviso_oauth::record::{ClientStatus, Grant, GrantBasis};

use crate::App;
use crate::aged::Aged;
use crate::caller::Caller;
use crate::filed::FiledSettings;
use crate::live::{GrantFacts, Live};
use crate::policy::{Policies, StaffAsking};

/// The obligations of policies that this server carries out with every access: the notice leaves with
/// the records, and the log, the patient and the reviewers hear of it in the same commit.
pub const CARRIED_OUT: ObligationSet = ObligationSet::EMPTY
    .with(Obligation::AttachPart2Notice)
    .with(Obligation::AuditTwice)
    .with(Obligation::NotifyPatient)
    .with(Obligation::OpenReview);

/// The same for a token that lives no longer than [`SHORT_TOKEN_SECS`], or that could.
pub(crate) const CARRIED_OUT_SHORTLY: ObligationSet = CARRIED_OUT.with(Obligation::ShortenToken);

/// The name under which the portal itself asks.
const PORTAL: &str = "portal";

/// What plans are made from: what is in force, or what would be if something were changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grounds<'a> {
    /// Grants, consents, people.
    pub(crate) live: &'a Live,
    /// The organisation's rules.
    pub(crate) policies: &'a Policies,
    /// What the operator decided that consents on file mean.
    pub(crate) filed: &'a FiledSettings,
    /// The relations to patients that records were found to say.
    pub(crate) relations: &'a Aged<Arc<[Relationship]>>,
    /// The obligations of policies that are carried out, whatever token there is.
    pub(crate) met: ObligationSet,
}

impl Grounds<'_> {
    /// The obligations that are carried out for a caller.
    fn met_for(self, caller: &Caller) -> ObligationSet {
        if caller.token_secs <= SHORT_TOKEN_SECS { CARRIED_OUT_SHORTLY } else { self.met }
    }
}

impl App {
    /// What is in force.
    pub(crate) fn grounds(&self) -> Grounds<'_> {
        Grounds {
            live: &self.live,
            policies: &self.policies,
            filed: &self.settings.filed,
            relations: &self.relations,
            met: CARRIED_OUT,
        }
    }

    /// The plan for a caller, from what is in force at an instant.
    ///
    /// # Errors
    /// The denial, with every reason that stands in the way.
    pub fn plan_access(&self, caller: &Caller, at: At) -> Result<AccessPlan, Decision> {
        plan_access(self.grounds(), caller, at)
    }

    /// As [`App::plan_access`], with everything that the plan was made from, so that the decisions
    /// under it can be made again later.
    pub fn plan_recorded(&self, caller: &Caller, at: At) -> Planned {
        plan_recorded(self.grounds(), caller, at)
    }

    /// The plan for a person who looks at a record in the portal: the patient, or a proxy.
    ///
    /// # Errors
    /// The denial, with every reason that stands in the way.
    pub fn plan_own_record(
        &self,
        account: &AccountId,
        patient: &PatientId,
        at: At,
    ) -> Result<AccessPlan, Decision> {
        plan_own_record(self, account, patient, at)
    }

    /// Whether the caller's access still stands; asked again before anything leaves.
    pub fn still_in_force(&self, caller: &Caller, at: At) -> bool {
        self.plan_access(caller, at).is_ok()
    }

    /// Whether a plan made earlier is still the one that would be made now. Stricter than
    /// [`App::still_in_force`]: a choice that was narrowed in between is in force, but what was
    /// read under its earlier version may not leave any more.
    pub fn plan_stands(&self, caller: &Caller, made: &AccessPlan, at: At) -> bool {
        self.plan_access(caller, at).is_ok_and(|now| AccessPlan { at: made.at, ..now } == *made)
    }

    /// How an account stands to a patient's record at an instant: as the patient, or as a proxy
    /// whose relationship is in force. `None` for anyone else.
    pub fn standing_for(
        &self,
        account: &Account,
        patient: &PatientId,
        at: At,
    ) -> Option<OwnStanding> {
        standing_for(&self.live, account, patient, at)
    }
}

/// A plan, or the denial of the whole request, and what it was made from.
#[derive(Debug)]
pub struct Planned {
    /// What was asked, and on what ground.
    pub request: RecordedRequest,
    /// The plan or the denial.
    pub plan: Result<AccessPlan, Decision>,
}

/// In which role a person may act on a patient's choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnStanding {
    /// The patient.
    Patient,
    /// A proxy whose relationship is in force.
    Proxy,
}

/// Whether the account is that of the patient. Only a link to the Patient resource makes it so.
pub(crate) fn is_patient(account: &Account, patient: &PatientId) -> bool {
    account.fhir_user.as_ref().is_some_and(|(resource_type, id)| {
        *resource_type == ResourceType::PATIENT && id.as_str() == patient.as_str()
    })
}

fn proxy_of<'a>(
    relationships: &'a [Relationship],
    patient: &PatientId,
) -> Option<&'a Relationship> {
    relationships.iter().find(|own| own.kind == RelationshipKind::Proxy && own.patient == *patient)
}

pub(crate) fn acting<'a>(
    account: &Account,
    patient: &PatientId,
    relationships: &'a [Relationship],
) -> ActingPerson<'a> {
    if is_patient(account, patient) {
        ActingPerson::Patient
    } else {
        ActingPerson::Proxy(proxy_of(relationships, patient))
    }
}

pub(crate) fn standing_for(
    live: &Live,
    account: &Account,
    patient: &PatientId,
    at: At,
) -> Option<OwnStanding> {
    if is_patient(account, patient) {
        return Some(OwnStanding::Patient);
    }
    let relationships = live.relationships(&account.id);
    proxy_of(&relationships, patient)
        .is_some_and(|own| own.period.contains(at))
        .then_some(OwnStanding::Proxy)
}

pub(crate) fn plan_access(
    grounds: Grounds<'_>,
    caller: &Caller,
    at: At,
) -> Result<AccessPlan, Decision> {
    asked(grounds, caller, at, plan).unwrap_or_else(|stopped| Err(Decision::deny(stopped.gate)))
}

/// As [`plan_access`], with everything that the plan was made from.
pub(crate) fn plan_recorded(grounds: Grounds<'_>, caller: &Caller, at: At) -> Planned {
    let planned = asked(grounds, caller, at, |request| Planned {
        request: RecordedRequest::of(request),
        plan: plan(request),
    });
    planned.unwrap_or_else(|stopped| {
        let plan = Err(Decision::deny(stopped.gate.clone()));
        Planned { request: *stopped, plan }
    })
}

/// Hands the request, as the decision function takes it, to `then`; or says what stopped it before
/// there was anything to decide.
fn asked<T>(
    grounds: Grounds<'_>,
    caller: &Caller,
    at: At,
    then: impl FnOnce(&AccessRequest<'_>) -> T,
) -> Result<T, Box<RecordedRequest>> {
    let facts = match grounds.live.facts_of(&caller.grant) {
        Some(facts) if facts.grant.is_live(at) => with_relations(grounds, facts, at),
        // The grant has ended: a consent that ended with it says more than that.
        Some(_) | None => return Err(Box::new(ended(grounds, caller, at))),
    };
    let mut refusals = mismatches(&facts, caller);
    let GrantFacts { grant, account, consent, relationships, objections, .. } = &facts;
    let consent = consent.as_ref().map(IndexedConsent::facts);
    if let (Some(account), Some(consent), true) = (account, &consent, refusals.is_empty())
        && !chain_stands(account, consent, relationships, caller, at)
    {
        refusals.push(ReasonCode::ProxyNotInForce);
    }
    let declared = facts.emergency.as_ref().map(|own| own.facts());
    let mode = match &grant.basis {
        GrantBasis::Consent { .. } => AccessMode::PatientDirected {
            consent,
            person: match (account, consent) {
                (Some(account), Some(consent)) => acting(account, consent.patient, relationships),
                (None, _) | (_, None) => ActingPerson::Proxy(None),
            },
        },
        GrantBasis::Operational => AccessMode::Operational {
            // A grant of staff access without a person is refused below: no kind, no rule.
            kind: account.as_ref().map_or(ActorKind::System, |account| account.kind),
            relationships,
            objections,
        },
        // A declaration that is not there any more is none.
        GrantBasis::Emergency { .. } => AccessMode::Emergency { declared: declared.as_ref() },
        GrantBasis::PreAuthorized => AccessMode::PreAuthorized,
    };
    let asking = AskedBy::of_caller(grounds, caller, account.as_deref(), at);
    let policy = match (&declared, account) {
        (Some(declared), Some(account)) => {
            let environment = asking.environment.clone();
            grounds.policies.ground_of_emergency(account, environment, declared, at)
        }
        (Some(_) | None, _) => ground_of(grounds, mode, &asking),
    };
    let everyone = objections_for(grounds, &policy, mode, caller.purpose);
    let mode = with_objections(mode, everyone.as_deref());
    let request = AccessRequest {
        policy: &policy,
        at,
        client: &caller.client,
        account: grant.account.as_ref(),
        mode,
        scopes: Some(&caller.scopes),
        patient_in_context: grant.context.patient.as_ref(),
        purpose: caller.purpose,
        met: grounds.met_for(caller),
    };
    if refusals.is_empty() {
        Ok(then(&request))
    } else {
        Err(Box::new(RecordedRequest::of(&request).stopped_by(refusals)))
    }
}

/// Whether a policy that could apply to the holder of a grant lets tokens live shorter. The
/// patients' own way has no such policy.
pub(crate) fn demands_short_tokens(
    grounds: Grounds<'_>,
    grant: &Grant,
    network: Option<Network>,
    at: At,
) -> bool {
    let account = grant.account.as_ref().and_then(|id| grounds.live.account(id));
    let environment = grounds.environment(network, at);
    let policy = match (&grant.basis, &account) {
        (GrantBasis::Emergency { emergency }, Some(account)) => {
            let Some(declared) = grounds.live.emergency(emergency) else { return false };
            let facts = declared.facts();
            grounds.policies.ground_of_emergency(account, environment, &facts, at)
        }
        (GrantBasis::Operational, Some(account)) => {
            let on_file = grounds.live.relationships(&account.id);
            let (relationships, objections) = grounds.staff_relations(&account.id, on_file, at);
            let mode = AccessMode::Operational {
                kind: account.kind,
                relationships: &relationships,
                objections: &objections,
            };
            let client = &grant.client;
            let asking = AskedBy { account: Some(account), client, environment, at };
            ground_of(grounds, mode, &asking)
        }
        (GrantBasis::PreAuthorized, _) => grounds.policies.ground_of_service(&grant.client),
        (
            GrantBasis::Consent { .. } | GrantBasis::Emergency { .. } | GrantBasis::Operational,
            _,
        ) => return false,
    };
    let rules = policy.rules.as_ref();
    rules.is_some_and(|rules| rules.demands().contains(Obligation::ShortenToken))
}

/// The facts of a grant of staff, with the relations that records were found to say.
fn with_relations(grounds: Grounds<'_>, facts: GrantFacts, at: At) -> GrantFacts {
    match (&facts.grant.basis, &facts.grant.account) {
        (GrantBasis::Operational, Some(account)) => {
            let (relationships, objections) =
                grounds.staff_relations(account, facts.relationships, at);
            GrantFacts { relationships, objections, ..facts }
        }
        (GrantBasis::Operational, None)
        | (
            GrantBasis::Consent { .. } | GrantBasis::Emergency { .. } | GrantBasis::PreAuthorized,
            _,
        ) => facts,
    }
}

/// A request whose grant has ended, with what its token says.
fn ended(grounds: Grounds<'_>, caller: &Caller, at: At) -> RecordedRequest {
    let consent = caller.consent.as_ref().and_then(|id| grounds.live.consent(id));
    let mode = match (&caller.consent, caller.kind) {
        (Some(_), _) => AccessMode::PatientDirected {
            consent: consent.as_ref().map(IndexedConsent::facts),
            person: ActingPerson::Proxy(None),
        },
        (None, _) if caller.purpose == PurposeOfUse::BreakGlass => {
            AccessMode::Emergency { declared: None }
        }
        (None, ActorKind::System) => AccessMode::PreAuthorized,
        (
            None,
            kind @ (ActorKind::Patient
            | ActorKind::Proxy
            | ActorKind::Clinician
            | ActorKind::Nurse
            | ActorKind::Staff
            | ActorKind::PrivacyOfficer
            | ActorKind::Administrator
            | ActorKind::SupportAgent),
        ) => AccessMode::Operational { kind, relationships: &[], objections: &[] },
    };
    let account = caller.account.as_ref().and_then(|id| grounds.live.account(id));
    let asking = AskedBy::of_caller(grounds, caller, account.as_deref(), at);
    let policy = ground_of(grounds, mode, &asking);
    let request = AccessRequest {
        policy: &policy,
        at,
        client: &caller.client,
        account: caller.account.as_ref(),
        mode,
        scopes: Some(&caller.scopes),
        patient_in_context: caller.patient.as_ref(),
        purpose: caller.purpose,
        met: grounds.met_for(caller),
    };
    RecordedRequest::of(&request).stopped_by(why_ended(grounds.live, caller, at))
}

/// Whether every link from the patient to the app stands: patient to proxy, proxy to app (RFC 8693
/// §4.1). The patient's own act is one link, which the plan judges with more to say.
fn chain_stands(
    account: &Account,
    consent: &ConsentFacts<'_>,
    relationships: &[Relationship],
    caller: &Caller,
    at: At,
) -> bool {
    if is_patient(account, consent.patient) {
        return true;
    }
    let Some(mandate) = proxy_of(relationships, consent.patient) else { return false };
    let person = Delegate::Person(account.id.clone());
    let links = [
        DelegationLink {
            by: Delegate::Patient(consent.patient.clone()),
            to: person.clone(),
            period: mandate.period,
            categories: mandate.proxy_categories(),
            sensitive: mandate.proxy_sensitive_at(at),
        },
        DelegationLink {
            by: person,
            to: Delegate::App(caller.client.clone()),
            // The consent's own period has reasons of its own in the plan.
            period: Period::ALWAYS,
            categories: consent.categories,
            sensitive: consent.sensitive,
        },
    ];
    judge(consent.patient, &links, at).is_ok()
}

/// Who asks the organisation's policy, from where and when.
pub(crate) struct AskedBy<'a> {
    /// The person, if any.
    pub(crate) account: Option<&'a Account>,
    /// The app.
    pub(crate) client: &'a ClientId,
    /// From where.
    pub(crate) environment: Environment,
    /// When.
    pub(crate) at: At,
}

impl<'a> AskedBy<'a> {
    fn of_caller(
        grounds: Grounds<'_>,
        caller: &'a Caller,
        account: Option<&'a Account>,
        at: At,
    ) -> Self {
        let environment = grounds.environment(caller.network, at);
        Self { account, client: &caller.client, environment, at }
    }
}

/// What the organisation's policy in force comes to for a way of asking, and what the operator
/// decided that consents on file mean for it.
pub(crate) fn ground_of(
    grounds: Grounds<'_>,
    mode: AccessMode<'_>,
    asking: &AskedBy<'_>,
) -> Arc<OrgGround> {
    let (ground, filed) = match (mode, asking.account) {
        (AccessMode::Operational { kind, relationships, .. }, Some(account)) => {
            let staff = StaffAsking {
                account: account.id.clone(),
                kind,
                roles: account.all_roles(),
                environment: asking.environment.clone(),
                ways: standings_among(&account.id, relationships, asking.at),
            };
            (grounds.policies.ground_of_staff(staff), grounds.filed.staff)
        }
        (AccessMode::PreAuthorized, _) => {
            (grounds.policies.ground_of_service(asking.client), grounds.filed.services)
        }
        // Staff access without a person has no rule, nor has an emergency that nobody declared;
        // the patients' own way needs none.
        (AccessMode::Operational { .. }, None)
        | (
            AccessMode::Emergency { .. }
            | AccessMode::PatientDirected { .. }
            | AccessMode::OwnRecord { .. },
            _,
        ) => (grounds.policies.ground_of_patient(), FiledRule::default()),
    };
    if ground.filed == filed {
        return ground;
    }
    Arc::new(OrgGround { filed, ..OrgGround::clone(&ground) })
}

/// The objections of all patients, where somebody can reach patients to whom they are not related.
pub(crate) fn objections_for(
    grounds: Grounds<'_>,
    policy: &OrgGround,
    mode: AccessMode<'_>,
    purpose: PurposeOfUse,
) -> Option<Vec<(PatientId, CategorySet)>> {
    let staff = matches!(mode, AccessMode::Operational { .. });
    (staff && policy.reaches_strangers(purpose)).then(|| grounds.live.objections())
}

/// A way of asking with the objections of all patients in the place of those of some.
pub(crate) fn with_objections<'a>(
    mode: AccessMode<'a>,
    everyone: Option<&'a [(PatientId, CategorySet)]>,
) -> AccessMode<'a> {
    match (mode, everyone) {
        (AccessMode::Operational { kind, relationships, .. }, Some(objections)) => {
            AccessMode::Operational { kind, relationships, objections }
        }
        (
            AccessMode::Operational { .. }
            | AccessMode::Emergency { .. }
            | AccessMode::PatientDirected { .. }
            | AccessMode::OwnRecord { .. }
            | AccessMode::PreAuthorized,
            _,
        ) => mode,
    }
}

fn why_ended(live: &Live, caller: &Caller, at: At) -> Vec<ReasonCode> {
    use proviso_core::consent::Standing;
    let consent = caller.consent.as_ref().map(|id| live.consent(id));
    match consent {
        Some(Some(indexed)) => match indexed.facts().standing(at) {
            Standing::Revoked => vec![ReasonCode::ConsentRevoked],
            Standing::NotInForce => vec![ReasonCode::ConsentNotInForce],
            Standing::InForce => vec![ReasonCode::NoConsent],
        },
        Some(None) => vec![ReasonCode::NoConsent],
        None if caller.purpose == PurposeOfUse::BreakGlass => vec![ReasonCode::EmergencyNotOpen],
        None => vec![ReasonCode::ScopeMissing],
    }
}

/// What the caller's token and the live grant disagree on, and who is switched off.
fn mismatches(facts: &GrantFacts, caller: &Caller) -> Vec<ReasonCode> {
    let mut refusals = Vec::new();
    let client_active =
        facts.client.as_ref().is_some_and(|client| client.status == ClientStatus::Active);
    let account_active = match (&facts.grant.account, &facts.account) {
        (None, _) => true,
        (Some(_), account) => {
            account.as_ref().is_some_and(|account| account.status == AccountStatus::Active)
        }
    };
    if !client_active || !account_active {
        refusals.push(ReasonCode::AccountDisabled);
    }
    if facts.grant.client != caller.client || facts.grant.account != caller.account {
        refusals.push(ReasonCode::NoConsent);
    }
    if facts.grant.purpose != caller.purpose {
        refusals.push(ReasonCode::PurposeNotAllowed);
    }
    if facts.grant.context.patient != caller.patient {
        refusals.push(ReasonCode::OutsidePatientContext);
    }
    refusals
}

pub(crate) fn plan_own_record(
    app: &App,
    account: &AccountId,
    patient: &PatientId,
    at: At,
) -> Result<AccessPlan, Decision> {
    let person = app.live.account(account).filter(|own| own.status == AccountStatus::Active);
    let Some(person) = person else {
        return Err(Decision::deny(vec![ReasonCode::AccountDisabled]));
    };
    let Ok(portal) = PORTAL.parse::<ClientId>() else {
        return Err(Decision::deny(vec![ReasonCode::FactMissing]));
    };
    let relationships = app.live.relationships(account);
    let person = acting(&person, patient, &relationships);
    let policy = app.policies.ground_of_patient();
    plan(&AccessRequest {
        policy: &policy,
        at,
        client: &portal,
        account: Some(account),
        mode: AccessMode::OwnRecord { patient, person },
        scopes: None,
        patient_in_context: Some(patient),
        // FAMRQT applies by name only; a proxy who opens the page of another person asks for it.
        purpose: match person {
            ActingPerson::Patient => PurposeOfUse::PatientRequest,
            ActingPerson::Proxy(_) => PurposeOfUse::Family,
        },
        met: CARRIED_OUT,
    })
}
