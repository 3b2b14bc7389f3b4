//! Where the organisation's policies decide record by record: from relationships to a plan, and from
//! a plan to an answer.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::plan::Ground;
use super::trace::{Check, Detail, Trace};
use super::{AccessMode, AccessRequest, Belonging, FiledRule, Labels, PatientReach, ResourceFacts};
use crate::account::{ActorKind, Relationship};
use crate::category::{CategorySet, PurposeOfUse, SensitiveSet};
use crate::category_rules::believed;
use crate::emergency::EmergencyFacts;
use crate::id::{AccountId, PatientId};
use crate::interaction::Interaction;
use crate::org::{
    Obligation, ObligationSet, OrgAction, OrgResource, OrgRules, RecordKind, Related, RuleQuestion,
    SharedRules, in_either,
};
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::time::{At, Period};

/// The place of "not related at all".
const STRANGER: u8 = 0;

/// The policies as a plan carries them, with how the one who asks is related to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRules {
    /// The policies.
    rules: SharedRules,
    /// The way of being related to each patient to whom there is one.
    standings: BTreeMap<PatientId, u8>,
    /// What holds towards some patient: what counts for entries about nobody.
    anyone: u8,
    /// The obligations that are met on this way; a permit with any other is none.
    met: ObligationSet,
}

/// What a declared emergency sees to by itself: each access is written twice, the patient is told and
/// a review opens, whether a policy asks for it or not.
const MET_BY_DECLARATION: ObligationSet = ObligationSet::EMPTY
    .with(Obligation::AuditTwice)
    .with(Obligation::NotifyPatient)
    .with(Obligation::OpenReview);

/// How somebody is related to each patient at an instant.
pub(super) fn related_at(
    account: Option<&AccountId>,
    relationships: &[Relationship],
    at: At,
) -> BTreeMap<PatientId, Related> {
    let mut related: BTreeMap<PatientId, Related> = BTreeMap::new();
    let own =
        relationships.iter().filter(|own| account == Some(&own.account) && own.period.contains(at));
    for relationship in own {
        let (relation, provenance) = relationship.relation();
        let held = related.entry(relationship.patient.clone()).or_default();
        *held = in_either(held, &Related::from([(relation, provenance)]));
    }
    related
}

fn towards_anyone<'a>(ways: impl Iterator<Item = &'a Related>) -> Related {
    ways.fold(Related::new(), |held, next| in_either(&held, next))
}

/// The ways in which somebody is related to patients at an instant, each once: what policies have to
/// tell apart for that person.
pub fn standings_among(
    account: &AccountId,
    relationships: &[Relationship],
    at: At,
) -> BTreeSet<Related> {
    let related = related_at(Some(account), relationships, at);
    let mut ways: BTreeSet<Related> = related.into_values().collect();
    ways.insert(towards_anyone(ways.iter()));
    ways
}

/// The ground of a request that policies decide record by record.
pub(super) fn by_rules(
    request: &AccessRequest<'_>,
    rules: &SharedRules,
    kind: ActorKind,
    relationships: &[Relationship],
    objections: &[(PatientId, CategorySet)],
    trace: &mut impl Trace,
) -> Ground {
    let related = related_at(request.account, relationships, request.at);
    let anyone = rules.standing(&towards_anyone(related.values()));
    // A way of being related that the policies were not asked about is as none.
    let standings: BTreeMap<PatientId, u8> = related
        .into_iter()
        .filter_map(|(patient, own)| Some((patient, rules.standing(&own)?)))
        .collect();
    let anyone = anyone.unwrap_or(STRANGER);
    // What no policy demands makes no difference, neither between two plans.
    let met = request.met.intersection(rules.demands());
    let plan = PlanRules { rules: rules.clone(), standings, anyone, met };
    plan.check_request(request, kind, trace);
    let reach = plan.reach(request.purpose);
    let within = |patient: &PatientId| match &reach {
        PatientReach::Only(patients) => patients.contains(patient),
        PatientReach::Any => true,
    };
    let objections = objections.iter().filter(|(patient, _)| within(patient)).cloned().collect();
    let service = matches!(request.mode, AccessMode::PreAuthorized);
    let lacking = plan.rules.hopeless(STRANGER, request.purpose);
    let lacking = lacking.iter().find(|own| is_of_relation(**own)).or(lacking.first()).copied();
    Ground {
        objections,
        reach,
        categories: CategorySet::all(),
        sensitive: SensitiveSet::all(),
        data_period: Period::ALWAYS,
        consent: None,
        filed: request.policy.filed,
        basis: if service { ReasonCode::PreAuthorized } else { plan.usual_basis(request.purpose) },
        lacking,
        rules: Some(plan),
    }
}

/// The ground of a request under a declared emergency: the policies, asked about each record as the
/// declaration has it. Nobody counts as related by one. Nothing, where they open no record at all.
pub(super) fn in_emergency(
    request: &AccessRequest<'_>,
    rules: &SharedRules,
    declared: &EmergencyFacts,
    trace: &mut impl Trace,
) -> Option<Ground> {
    let missing = rules.records_shut(STRANGER, request.purpose);
    for reason in &missing {
        trace.check(Check::EmergencyRuleLets, Some(*reason), || Detail::Nothing);
    }
    if !missing.is_empty() {
        return None;
    }
    trace.check(Check::EmergencyRuleLets, None, || Detail::Nothing);
    let plan = PlanRules {
        rules: rules.clone(),
        standings: BTreeMap::new(),
        anyone: STRANGER,
        met: request.met.union(MET_BY_DECLARATION).intersection(rules.demands()),
    };
    Some(Ground {
        reach: PatientReach::Only(BTreeSet::from([declared.patient.clone()])),
        categories: CategorySet::all(),
        sensitive: SensitiveSet::all(),
        data_period: Period::ALWAYS,
        consent: None,
        objections: Vec::new(),
        // Asked for BTG: a consent on file that denies that is not overridden, and one that says
        // nothing of it is not required.
        filed: FiledRule::Restricts,
        basis: plan.usual_basis(request.purpose),
        lacking: Some(ReasonCode::EmergencyNotOpen),
        rules: Some(plan),
    })
}

/// Whether a reason says that a relation to the patient is missing.
const fn is_of_relation(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::NoCareRelationship
            | ReasonCode::NotOnShift
            | ReasonCode::NoProtocol
            | ReasonCode::ProxyNotInForce
    )
}

impl PlanRules {
    fn standing_of(&self, patient: &PatientId) -> u8 {
        self.standings.get(patient).copied().unwrap_or(STRANGER)
    }

    /// Why nothing can be had at all, for the patient in context or else for whoever is closest.
    fn hopeless(&self, request: &AccessRequest<'_>) -> BTreeSet<ReasonCode> {
        if let Some(patient) = request.patient_in_context {
            return self.rules.hopeless(self.standing_of(patient), request.purpose);
        }
        let mut standings: BTreeSet<u8> = self.standings.values().copied().collect();
        standings.insert(STRANGER);
        let mut closest: Option<BTreeSet<ReasonCode>> = None;
        for standing in standings {
            let missing = self.rules.hopeless(standing, request.purpose);
            if closest.as_ref().is_none_or(|own| missing.len() < own.len()) {
                closest = Some(missing);
            }
        }
        closest.unwrap_or_default()
    }

    fn check_request(&self, request: &AccessRequest<'_>, kind: ActorKind, trace: &mut impl Trace) {
        let missing = self.hopeless(request);
        let only = |reason: ReasonCode| missing.contains(&reason).then_some(reason);
        let role = only(ReasonCode::RoleWithoutClinicalData);
        trace.check(Check::RoleHasClinicalData, role, || Detail::Role(kind));
        if matches!(request.mode, AccessMode::Operational { .. }) {
            let unrelated = missing.iter().copied().find(|own| is_of_relation(*own));
            trace.check(Check::RelationshipInForce, unrelated, || {
                let standing =
                    request.patient_in_context.map_or(self.anyone, |own| self.standing_of(own));
                Detail::Related(self.relations(standing))
            });
            let in_context = request.patient_in_context;
            let outside = in_context.filter(|_| unrelated.is_some());
            let outside = outside.map(|_| ReasonCode::OutsidePatientContext);
            trace.check(Check::PatientInContext, outside, || Detail::Context {
                launched: in_context.cloned(),
                about: in_context.filter(|_| unrelated.is_none()).cloned(),
            });
        }
        let purpose = only(ReasonCode::PurposeNotAllowed);
        trace.check(Check::PurposeNamed, purpose, || Detail::Purpose {
            asked: request.purpose,
            named: self.rules.purposes(),
        });
        let told = |own: &ReasonCode| {
            is_of_relation(*own)
                || matches!(
                    own,
                    ReasonCode::RoleWithoutClinicalData | ReasonCode::PurposeNotAllowed
                )
        };
        let others: Vec<ReasonCode> = missing.iter().filter(|own| !told(own)).copied().collect();
        if others.is_empty() {
            trace.check(Check::PolicyLetsAsk, None, || Detail::Nothing);
        }
        for reason in others {
            trace.check(Check::PolicyLetsAsk, Some(reason), || Detail::Nothing);
        }
    }

    fn reach(&self, purpose: PurposeOfUse) -> PatientReach {
        if self.rules.hopeless(STRANGER, purpose).is_empty() {
            return PatientReach::Any;
        }
        let mut open: BTreeMap<u8, bool> = BTreeMap::new();
        let mut reached = BTreeSet::new();
        for (patient, standing) in &self.standings {
            let lets = open
                .entry(*standing)
                .or_insert_with(|| self.rules.hopeless(*standing, purpose).is_empty());
            if *lets {
                reached.insert(patient.clone());
            }
        }
        PatientReach::Only(reached)
    }

    /// The ground on which a plain record is most often read: the first that any way of being
    /// related gives. What a permit really rests on is said for each record.
    fn usual_basis(&self, purpose: PurposeOfUse) -> ReasonCode {
        let mut standings: BTreeSet<u8> = self.standings.values().copied().collect();
        standings.insert(STRANGER);
        let rules = &self.rules;
        standings
            .into_iter()
            .filter_map(|standing| rules.first_basis(standing, purpose))
            .min()
            .unwrap_or(ReasonCode::PolicyForbids)
    }

    fn relations(&self, standing: u8) -> Vec<crate::org::Relation> {
        let related = self.rules.standings.get(usize::from(standing));
        related.into_iter().flat_map(|own| own.keys().copied()).collect()
    }

    /// The question about a record; `None` where it cannot be put.
    fn question(
        &self,
        purpose: PurposeOfUse,
        interaction: &Interaction,
        facts: &ResourceFacts,
    ) -> Option<RuleQuestion> {
        let action = OrgAction::of(interaction)?;
        let (standing, resource) = match &facts.belonging {
            Belonging::Unknown => return None,
            Belonging::Directory => (self.anyone, OrgResource::Directory(facts.resource_type)),
            Belonging::Patients(patients) => {
                let standings = patients.iter().map(|patient| self.standing_of(patient));
                // TRUST: a consent that names a sensitive kind tells of it, and whoever keeps the
                // registry has to see it; so the policies are asked as for one that names none.
                let labels = if facts.resource_type == ResourceType::CONSENT {
                    Labels::Known(SensitiveSet::EMPTY)
                } else {
                    facts.labels
                };
                let record = RecordKind {
                    resource_type: facts.resource_type,
                    categories: believed(facts.resource_type, facts.categories),
                    labels,
                };
                (self.rules.common(standings)?, OrgResource::Record(record))
            }
        };
        Some(RuleQuestion { standing, purpose, action, resource })
    }

    /// The ground on which this may be done with a record; `None` when it may not.
    pub(super) fn basis(
        &self,
        purpose: PurposeOfUse,
        interaction: &Interaction,
        facts: &ResourceFacts,
    ) -> Option<ReasonCode> {
        self.rules.basis(&self.question(purpose, interaction, facts)?, self.met)
    }

    /// What has to be done when it is permitted.
    pub(super) fn obligations(
        &self,
        purpose: PurposeOfUse,
        interaction: &Interaction,
        facts: &ResourceFacts,
    ) -> ObligationSet {
        let question = self.question(purpose, interaction, facts);
        question.map_or(ObligationSet::EMPTY, |own| self.rules.obligations(&own))
    }

    /// Why it may not be done.
    pub(super) fn refusals(
        &self,
        purpose: PurposeOfUse,
        interaction: &Interaction,
        facts: &ResourceFacts,
    ) -> BTreeSet<ReasonCode> {
        match self.question(purpose, interaction, facts) {
            Some(question) => self.rules.refusals(&question, self.met),
            None => BTreeSet::from([ReasonCode::FactMissing]),
        }
    }

    /// What was asked, for an explanation.
    pub(super) fn detail(
        &self,
        purpose: PurposeOfUse,
        interaction: &Interaction,
        facts: &ResourceFacts,
    ) -> Detail {
        let question = self.question(purpose, interaction, facts);
        Detail::Policy {
            related: question.map_or_else(Vec::new, |own| self.relations(own.standing)),
            action: question.map(|own| own.action),
            categories: believed(facts.resource_type, facts.categories),
            labels: facts.labels,
            by: question.map_or_else(BTreeSet::new, |own| self.rules.answer(&own).determining),
        }
    }

    /// The policies.
    pub const fn rules(&self) -> &SharedRules {
        &self.rules
    }

    /// The policies and how they were asked, for whoever compares them with others.
    pub fn asked(
        &self,
        purpose: PurposeOfUse,
        interaction: &Interaction,
        facts: &ResourceFacts,
    ) -> Option<(RuleQuestion, &OrgRules)> {
        Some((self.question(purpose, interaction, facts)?, &self.rules))
    }
}
