//! What the audit log will say of a request, gathered while the request walks its path.
//!
//! Ids, types, categories, counts and reasons; never a value from a record or a query.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use proviso_app::App;
use proviso_app::access::Planned;
use proviso_app::caller::Caller;
use proviso_app::evaluation::Asker;
use proviso_app::filed::Hearing;
use proviso_app::simulate;
use proviso_app::visits::VisitLook;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome, ProxyShare, SECOND_ENTRY};
use proviso_core::category::{CategorySet, PurposeOfUse, SensitiveSet};
use proviso_core::consent::Capacity;
use proviso_core::consent::index::IndexedConsent;
use proviso_core::decision::explain::Explanation;
use proviso_core::decision::record::DecisionRecord;
use proviso_core::decision::{AccessPlan, Belonging, Labels, ResourceFacts};
use proviso_core::id::{
    AccountId, AuditEntryId, DecisionId, EmergencyId, IdEntropy, PatientId, RequestId, ResourceId,
    SessionId,
};
use proviso_core::interaction::Interaction;
use proviso_core::org::{Obligation, ObligationSet};
use proviso_core::oversight::{AccessReview, WatchedAccess};
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use crate::door::Received;
use crate::overseen::Overseen;
use crate::view::{Judged, View, Withheld};

/// LIMIT: an entry names so many resources; counts and categories always cover all of them.
const NAMED_MAX: usize = 1000;

/// The story of one request, so far.
#[derive(Debug, Clone)]
pub struct Trail {
    pub(crate) request: RequestId,
    pub(crate) at: At,
    network: Option<String>,
    trace: Option<String>,
    caller: Option<Caller>,
    /// Whose ended token was shown; for the log only.
    former: Option<Caller>,
    /// Who stands before a page of ours, which takes no token.
    viewer: Option<Viewer>,
    plan: Option<PlanNote>,
    /// The plan under which everything of it was read or written.
    made: Option<Box<AccessPlan>>,
    /// The consents on file as they were heard.
    hearing: Option<Arc<Hearing>>,
    kind: AuditKind,
    /// What was done, when that is no FHIR interaction.
    action: Option<&'static str>,
    /// The decisions, with what they were made from.
    record: Option<DecisionRecord>,
    pub(crate) interaction: Option<Interaction>,
    pub(crate) resource_type: Option<ResourceType>,
    pub(crate) query_shape: Option<String>,
    /// The kinds of record that the request names.
    pub(crate) asked: CategorySet,
    resources: Vec<(ResourceType, ResourceId)>,
    patients: BTreeSet<PatientId>,
    categories: CategorySet,
    sensitive: SensitiveSet,
    /// The sensitive kinds of what leaves, without those of what was looked at and stays.
    disclosed: SensitiveSet,
    /// The rules by which records are shown in part.
    redaction: Option<String>,
    /// What the organisation's policies demand with what leaves.
    obliged: ObligationSet,
    /// What else they demand with what leaves.
    overseen: Overseen,
    /// The same with everything that the answer was made from.
    used: Option<Arc<Mutex<Overseen>>>,
    /// What of it those who act for the patients may know.
    for_proxies: ProxyShare,
    released: u32,
    pub(crate) withheld: u32,
    /// Why what left could leave.
    grounds: BTreeSet<ReasonCode>,
    /// Why what stayed had to stay.
    pub(crate) reasons: BTreeSet<ReasonCode>,
}

/// A person before a page of ours.
#[derive(Debug, Clone)]
struct Viewer {
    account: AccountId,
    session: SessionId,
    patient: PatientId,
    purpose: PurposeOfUse,
}

impl Viewer {
    /// Whom somebody acts for who looks for a patient.
    fn on_behalf_of(&self) -> Option<PatientId> {
        (self.purpose == PurposeOfUse::Family).then(|| self.patient.clone())
    }
}

/// What of a plan belongs in the log.
#[derive(Debug, Clone)]
struct PlanNote {
    consent: Option<(proviso_core::id::ConsentId, proviso_core::id::ConsentVersionId)>,
    emergency: Option<EmergencyId>,
    policy_version: String,
    categories: CategorySet,
    basis: ReasonCode,
}

impl Trail {
    pub(crate) fn of(received: &Received) -> Self {
        Self {
            network: received.network.clone(),
            trace: received.headers.trace.clone(),
            ..Self::new(received.request.clone(), received.at)
        }
    }

    /// The trail of a look from a page of ours; the entropy is for a request that came without id.
    pub(crate) fn of_page(look: VisitLook<'_>, at: At, entropy: IdEntropy) -> Self {
        let VisitLook { person, patient, via } = look;
        let request = via.request.clone();
        Self {
            network: via.network.clone(),
            trace: via.trace.clone(),
            viewer: Some(Viewer {
                account: person.account.id.clone(),
                session: person.session.id.clone(),
                patient: patient.clone(),
                purpose: PurposeOfUse::Treatment,
            }),
            ..Self::new(request.unwrap_or_else(|| RequestId::generate(at, entropy)), at)
        }
    }

    /// The trail of a decision that an enforcement point asked for.
    pub(crate) fn of_evaluation(
        asker: Asker<'_>,
        action: &'static str,
        at: At,
        entropy: IdEntropy,
    ) -> Self {
        let Asker { caller, via } = asker;
        let request = via.request.clone();
        Self {
            network: via.network.clone(),
            trace: via.trace.clone(),
            kind: AuditKind::Evaluation,
            action: Some(action),
            caller: caller.cloned(),
            ..Self::new(request.unwrap_or_else(|| RequestId::generate(at, entropy)), at)
        }
    }

    /// The trail of a look at who could see a patient's records.
    pub(crate) fn of_simulation(
        viewer: simulate::Viewer<'_>,
        patient: &PatientId,
        at: At,
        entropy: IdEntropy,
    ) -> Self {
        let (person, capacity, page, via) = match viewer {
            simulate::Viewer::Officer(asker) => {
                let patients = BTreeSet::from([patient.clone()]);
                return Self { patients, ..Self::of_evaluation(asker, "simulate", at, entropy) };
            }
            simulate::Viewer::Person { person, capacity, page, via } => {
                (person, capacity, page, via)
            }
        };
        let purpose = match capacity {
            Capacity::Patient => PurposeOfUse::PatientRequest,
            Capacity::Proxy | Capacity::LegalAuthority => PurposeOfUse::Family,
        };
        let mut trail = Self::of_page(VisitLook { person, patient, via }, at, entropy);
        trail.kind = AuditKind::PortalView;
        trail.action = Some(page);
        if let Some(viewer) = &mut trail.viewer {
            viewer.purpose = purpose;
        }
        trail
    }

    /// The trail of what an app is told by a subscription of its own.
    pub(crate) fn of_notification(caller: &Caller, request: RequestId, at: At) -> Self {
        Self { caller: Some(caller.clone()), action: Some("notify"), ..Self::new(request, at) }
    }

    fn new(request: RequestId, at: At) -> Self {
        Self {
            request,
            at,
            network: None,
            trace: None,
            caller: None,
            former: None,
            viewer: None,
            plan: None,
            made: None,
            hearing: None,
            kind: AuditKind::Access,
            action: None,
            record: None,
            interaction: None,
            resource_type: None,
            query_shape: None,
            asked: CategorySet::EMPTY,
            resources: Vec::new(),
            patients: BTreeSet::new(),
            categories: CategorySet::EMPTY,
            sensitive: SensitiveSet::EMPTY,
            disclosed: SensitiveSet::EMPTY,
            redaction: None,
            obliged: ObligationSet::EMPTY,
            overseen: Overseen::default(),
            used: None,
            for_proxies: ProxyShare::default(),
            released: 0,
            withheld: 0,
            grounds: BTreeSet::new(),
            reasons: BTreeSet::new(),
        }
    }

    pub(crate) fn caller_is(&mut self, caller: &Caller) {
        self.caller = Some(caller.clone());
    }

    /// Notes who showed a token that has ended. It is nobody's identity any more.
    pub(crate) fn was_held_by(&mut self, former: Caller) {
        self.former = Some(former);
    }

    /// Whether somebody was refused whose access had ended.
    pub(crate) const fn is_of_former_caller(&self) -> bool {
        self.former.is_some()
    }

    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The plan under which it was carried out, once there was one.
    pub(crate) fn made(&self) -> Option<&AccessPlan> {
        self.made.as_deref()
    }

    /// The consents on file by which it was carried out.
    pub(crate) fn hearing(&self) -> Option<&Arc<Hearing>> {
        self.hearing.as_ref()
    }

    pub(crate) fn planned(&mut self, view: &View) {
        let plan = view.plan();
        self.hearing = Some(Arc::clone(view.hearing()));
        self.used = Some(Arc::clone(view.overseen()));
        self.redaction = view.redaction().map(ToOwned::to_owned);
        self.made = Some(Box::new(plan.clone()));
        self.plan = Some(PlanNote {
            consent: plan.consent.clone(),
            emergency: plan.emergency.clone(),
            policy_version: plan.policy_version.clone(),
            categories: plan.categories,
            basis: plan.basis,
        });
    }

    /// What was to be filed is filed: it is no change that happened meanwhile.
    pub(crate) fn has_filed(&mut self) {
        if self.resource_type == Some(ResourceType::CONSENT) {
            self.hearing = None;
        }
    }

    /// Notes what a plan or a denial was made from.
    pub(crate) fn asked_of(&mut self, planned: &Planned) {
        let mut record = DecisionRecord::new(planned.request.clone());
        if let Err(denial) = &planned.plan {
            record.deny(denial);
        }
        self.record = Some(record);
    }

    /// Notes what a request is about that is no record.
    pub(crate) fn about(&mut self, kind: ResourceType, id: &ResourceId) {
        if !self.resources.iter().any(|own| own.0 == kind && own.1 == *id) {
            self.resources.push((kind, id.clone()));
        }
    }

    /// Notes that the plan offers nothing of this kind.
    pub(crate) fn not_offered(&mut self, interaction: &Interaction, resource_type: ResourceType) {
        if let Some(record) = &mut self.record {
            record.not_offered(interaction.clone(), resource_type);
        }
    }

    /// The tree of the last decision. The consent is the one that is in force now, by which it was
    /// made.
    pub(crate) fn explanation(&self, app: &App) -> Option<Explanation> {
        let record = self.record.as_ref()?;
        let consent = self.plan.as_ref().and_then(|plan| plan.consent.as_ref());
        let consent = consent.and_then(|(id, _)| app.live().consent(id));
        record.explain(consent.as_ref().map(IndexedConsent::facts)).pop()
    }

    fn judged(&mut self, judged: &Judged) {
        if let (Some(record), Some((interaction, resource))) =
            (&mut self.record, judged.for_record())
        {
            if resource.facts.filed.is_some()
                && let Some(hearing) = &self.hearing
            {
                record.heard(hearing.request());
            }
            record.judge(interaction, resource);
        }
    }

    /// Notes what a search came across and does not show. It is not what the request was about, so
    /// only the record of decisions names it.
    pub(crate) fn withhold_found(&mut self, withheld: &Withheld) {
        self.withheld = self.withheld.saturating_add(withheld.count());
        for judged in withheld.judged() {
            self.judged(judged);
        }
    }

    /// Notes a resource that leaves, or was changed.
    pub(crate) fn release(&mut self, judged: &Judged) {
        self.released = self.released.saturating_add(1);
        self.note(judged);
        if let Some(Labels::Known(kinds)) = judged.facts.as_ref().map(|facts| facts.labels) {
            self.disclosed = self.disclosed.union(kinds);
        }
        self.oblige(judged);
        if judged.is_open_to_proxies() {
            self.for_proxies.released = self.for_proxies.released.saturating_add(1);
        }
        self.grounds.extend(&judged.decision.reasons);
    }

    /// Notes what the organisation's policies demand for a permit.
    pub(crate) fn oblige(&mut self, judged: &Judged) {
        let (Some(plan), Some((interaction, resource))) = (&self.made, judged.for_record()) else {
            return;
        };
        let demanded = plan.obligations(interaction, resource.facts);
        self.obliged = self.obliged.union(demanded);
        let patients = match &resource.facts.belonging {
            Belonging::Patients(patients) => Some(patients),
            Belonging::Directory | Belonging::Unknown => None,
        };
        self.overseen.add(demanded, patients.into_iter().flatten());
    }

    /// What policies demand with everything that the answer was made from.
    fn overseen(&self) -> Overseen {
        match &self.used {
            None => self.overseen.clone(),
            Some(used) => {
                self.overseen.clone().and(&used.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// Notes a resource that matched and stays.
    pub(crate) fn withhold(&mut self, reasons: &[ReasonCode]) {
        self.withheld = self.withheld.saturating_add(1);
        self.reasons.extend(reasons);
    }

    /// Notes a resource that was asked for by name and stays.
    pub(crate) fn keep_back(&mut self, judged: &Judged) {
        self.note(judged);
        self.withhold(&judged.decision.reasons);
    }

    /// Notes whom and what a refused request was about.
    pub(crate) fn note(&mut self, judged: &Judged) {
        self.judged(judged);
        let Some(facts) = &judged.facts else { return };
        if let Some(id) = &facts.id
            && self.resources.len() < NAMED_MAX
        {
            self.resources.push((facts.resource_type, id.clone()));
        }
        if let Belonging::Patients(patients) = &facts.belonging {
            self.patients.extend(patients.iter().cloned());
        }
        self.categories = self.categories.union(facts.categories);
        if let Labels::Known(kinds) = facts.labels {
            self.sensitive = self.sensitive.union(kinds);
        }
        if let Belonging::Patients(patients) = &facts.belonging
            && judged.is_open_to_proxies()
        {
            self.for_proxies.patients.extend(patients.iter().cloned());
            self.for_proxies.categories = self.for_proxies.categories.union(facts.categories);
        }
    }

    /// Notes a record about which somebody is told who could see it. An officer's tool learns its
    /// kinds; on a page of the portal it stands with its title, and of what kinds records are is
    /// not for everybody who reads the list of looks.
    pub(crate) fn looked_through(&mut self, facts: &ResourceFacts) {
        if let Some(id) = &facts.id
            && self.resources.len() < NAMED_MAX
        {
            self.resources.push((facts.resource_type, id.clone()));
        }
        if self.viewer.is_some() {
            self.released = self.released.saturating_add(1);
            return;
        }
        self.categories = self.categories.union(facts.categories);
        if let Labels::Known(kinds) = facts.labels {
            self.sensitive = self.sensitive.union(kinds);
        }
    }

    /// Nothing leaves after all: the counts say so, the names stay as what was asked for.
    pub(crate) fn release_nothing(&mut self) {
        self.withheld = self.withheld.saturating_add(self.released);
        self.released = 0;
        self.disclosed = SensitiveSet::EMPTY;
        self.obliged = ObligationSet::EMPTY;
        self.overseen = Overseen::default();
        self.for_proxies.released = 0;
    }

    /// The sensitive kinds of what leaves.
    pub(crate) const fn disclosed(&self) -> SensitiveSet {
        self.disclosed
    }

    /// What the organisation's policies demand with what leaves.
    pub(crate) const fn obliged(&self) -> ObligationSet {
        self.obliged
    }

    pub(crate) fn patients(&self) -> &BTreeSet<PatientId> {
        &self.patients
    }

    /// The kinds of record that left, or for a refusal those that were asked for.
    fn kinds(&self, outcome: AuditOutcome) -> CategorySet {
        if self.categories.is_empty() && outcome != AuditOutcome::Success {
            self.asked
        } else {
            self.categories
        }
    }

    /// Whom a policy tells of it at once. A declared emergency tells by itself.
    fn noticed(&self, outcome: AuditOutcome) -> BTreeSet<PatientId> {
        if outcome == AuditOutcome::Success && !self.is_of_emergency() {
            self.overseen().noticed().clone()
        } else {
            BTreeSet::new()
        }
    }

    fn is_of_emergency(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.emergency.is_some())
    }

    /// The second entry that an access leaves under emergency access, or where a policy demands it
    /// (design §6), written in the same commit as the first. `None` for any other entry.
    ///
    /// It names the same decision and does not repeat what that was made from.
    pub(crate) fn second_entry(&self, first: &AuditEntry, id: AuditEntryId) -> Option<AuditEntry> {
        let kind = if self.is_of_emergency() {
            (first.kind == AuditKind::Access).then_some(AuditKind::Emergency)
        } else {
            let demanded = self.overseen().demands(Obligation::AuditTwice);
            (demanded && first.outcome == AuditOutcome::Success).then_some(AuditKind::Oversight)
        };
        Some(AuditEntry {
            id,
            kind: kind?,
            action: SECOND_ENTRY.to_owned(),
            digest: None,
            record: None,
            noticed: BTreeSet::new(),
            ..first.clone()
        })
    }

    /// The review that an access opens where a policy demands it. A declared emergency opens its own.
    pub(crate) fn review(&self, first: &AuditEntry) -> Option<AccessReview> {
        let overseen = self.overseen();
        let demanded = overseen.demands(Obligation::OpenReview)
            && first.outcome == AuditOutcome::Success
            && !self.is_of_emergency();
        demanded.then(|| AccessReview::open(WatchedAccess::of(first, overseen.reviewed().clone())))
    }

    /// The entry for the log.
    ///
    /// # Errors
    /// When the record of the decisions cannot be written.
    pub(crate) fn entry(
        &self,
        id: AuditEntryId,
        decision: DecisionId,
        outcome: AuditOutcome,
        status: u16,
    ) -> Result<AuditEntry, serde_json::Error> {
        let record = self.record.clone().map(|mut record| {
            record.trim();
            record
        });
        let digest = record.as_ref().map(DecisionRecord::digest).transpose()?;
        let caller = self.caller.as_ref().or(self.former.as_ref());
        let viewer = self.viewer.as_ref();
        let mut patients = self.patients.clone();
        let mut for_proxies = self.for_proxies.clone();
        // A refusal about nobody in particular still concerns the patient in context.
        for touched in [&mut patients, &mut for_proxies.patients] {
            if touched.is_empty() {
                touched.extend(caller.and_then(|caller| caller.patient.clone()));
                touched.extend(viewer.map(|viewer| viewer.patient.clone()));
            }
        }
        // A permit names its basis, a refusal what stood in the way.
        let mut reasons: Vec<ReasonCode> = match outcome {
            AuditOutcome::Success => self.grounds.iter().copied().collect(),
            AuditOutcome::Denied | AuditOutcome::Failure | AuditOutcome::Error => {
                self.reasons.iter().copied().collect()
            }
        };
        if reasons.is_empty()
            && outcome == AuditOutcome::Success
            && let Some(plan) = &self.plan
        {
            reasons.push(plan.basis);
            // Permitted to ask, with an answer that could only be empty: that is not sharing.
            let unshared = self.asked.intersection(plan.categories).is_empty();
            if unshared && !self.asked.is_empty() {
                reasons.push(ReasonCode::CategoryNotShared);
            }
        }
        Ok(AuditEntry {
            id,
            at: self.at,
            kind: self.kind,
            outcome,
            action: self
                .action
                .or(self.interaction.as_ref().map(Interaction::code))
                .unwrap_or("unread")
                .to_owned(),
            client: caller.map(|caller| caller.client.clone()),
            account: caller
                .and_then(|caller| caller.account.clone())
                .or_else(|| viewer.map(|viewer| viewer.account.clone())),
            on_behalf_of: caller
                .and_then(on_behalf_of)
                .or_else(|| viewer.and_then(Viewer::on_behalf_of)),
            patients: patients.into_iter().collect(),
            interaction: self.interaction.clone(),
            resource_type: self.resource_type,
            resources: self.resources.clone(),
            asked: self.asked,
            categories: self.kinds(outcome),
            sensitive: self.sensitive,
            released: self.released,
            for_proxies: Some(for_proxies),
            withheld: self.withheld,
            purpose: caller
                .map(|caller| caller.purpose)
                .or_else(|| viewer.map(|viewer| viewer.purpose)),
            consent: self.plan.as_ref().and_then(|plan| plan.consent.clone()),
            policy_version: self.plan.as_ref().map(|plan| plan.policy_version.clone()),
            decision: Some(decision),
            reasons,
            emergency: self.plan.as_ref().and_then(|plan| plan.emergency.clone()),
            grant: caller.map(|caller| caller.grant.clone()),
            token: caller.map(|caller| caller.token.clone()),
            session: viewer.map(|viewer| viewer.session.clone()),
            request: Some(self.request.clone()),
            trace: self.trace.clone(),
            network: self.network.clone(),
            status: Some(status),
            query_shape: self.query_shape.clone(),
            digest,
            redaction: self.redaction.clone().filter(|_| outcome == AuditOutcome::Success),
            noticed: self.noticed(outcome),
            about: None,
            record,
        })
    }
}

/// Whom a person acts for, when the patient in context is somebody else.
fn on_behalf_of(caller: &Caller) -> Option<PatientId> {
    let patient = caller.patient.clone()?;
    let is_self = caller.fhir_user.as_ref().is_some_and(|(kind, id)| {
        *kind == ResourceType::PATIENT && id.as_str() == patient.as_str()
    });
    (!is_self && caller.kind == proviso_core::account::ActorKind::Proxy).then_some(patient)
}
