//! From a plan and the facts of one resource to permit or deny.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::trace::{Check, Detail, Trace};
use super::{
    AccessPlan, Belonging, Decision, FiledRule, FilterMatch, Labels, PatientReach, ResourceFacts,
    Way,
};
use crate::category::SensitiveKind;
use crate::category_rules::{believed, categories_of_type, covers, is_directory};
use crate::consent::provision::Outcome;
use crate::id::PatientId;
use crate::interaction::Interaction;
use crate::org::ObligationSet;
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::scope::{Permissions, ResourceScope, Scope, ScopeContext, ScopeFilter};

/// Types that the server itself keeps: they record what was allowed and done, so nobody writes
/// them through the data path (design §7). Consents have a rule of their own below.
const GOVERNANCE_TYPES: [ResourceType; 2] = [ResourceType::AUDIT_EVENT, ResourceType::PROVENANCE];

/// Whether a scope speaks of a type. No scope for everything reaches a Consent: it tells what a
/// patient keeps from whom, so only a scope that names it does.
fn speaks_of(scope: &ResourceScope, resource_type: ResourceType) -> bool {
    scope.reaches_type(resource_type)
        && (resource_type != ResourceType::CONSENT || scope.resource_type.is_some())
}

impl AccessPlan {
    /// Whether the plan could permit this interaction on this type for any resource at all.
    ///
    /// INVARIANT: where [`Self::decide`] permits, this is true.
    pub fn offers(&self, interaction: &Interaction, resource_type: ResourceType) -> bool {
        let Some(needed) = self.needed(interaction, resource_type) else { return false };
        let scoped = self.scopes.as_deref().is_none_or(|scopes| {
            needed.singles().all(|single| {
                scopes.iter().any(|scope| {
                    single.is_subset_of(scope.permissions) && speaks_of(scope, resource_type)
                })
            })
        });
        let possible = categories_of_type(resource_type);
        scoped
            && (is_directory(resource_type)
                || possible.is_empty()
                || !possible.intersection(self.categories).is_empty())
    }

    /// The filters of all granular scopes, which somebody who has the resource must match.
    pub fn scope_filters(&self) -> impl Iterator<Item = &ScopeFilter> {
        self.scopes.as_deref().unwrap_or_default().iter().flat_map(|scope| &scope.filters)
    }

    /// Judges one resource version for one interaction.
    ///
    /// A permit names its basis. A denial lists every conjunct that failed, in the order in which
    /// the design names them: interaction, scope, patients, organisation, consent, labels.
    pub fn decide(
        &self,
        interaction: &Interaction,
        facts: &ResourceFacts,
        filter_matches: &FilterMatch<'_>,
    ) -> Decision {
        let mut refusals: Vec<ReasonCode> = Vec::new();
        self.traced(interaction, facts, filter_matches, &mut refusals);
        if refusals.is_empty() {
            Decision::permit(self.basis_for(interaction, facts))
        } else {
            Decision::deny(refusals)
        }
    }

    /// What has to be done when this is permitted, beside what the consent says.
    pub fn obligations(&self, interaction: &Interaction, facts: &ResourceFacts) -> ObligationSet {
        let rules = self.rules.as_ref();
        rules.map_or(ObligationSet::EMPTY, |own| own.obligations(self.purpose, interaction, facts))
    }

    /// The ground of a permit for a resource.
    pub(super) fn basis_for(&self, interaction: &Interaction, facts: &ResourceFacts) -> ReasonCode {
        if let Some(rules) = &self.rules {
            return rules.basis(self.purpose, interaction, facts).unwrap_or(self.basis);
        }
        match facts.belonging {
            Belonging::Directory => ReasonCode::PublicDirectory,
            Belonging::Patients(_) | Belonging::Unknown => self.basis,
        }
    }

    /// As [`Self::decide`], telling of every check. Nothing refused is a permit.
    pub(super) fn traced(
        &self,
        interaction: &Interaction,
        facts: &ResourceFacts,
        filter_matches: &FilterMatch<'_>,
        trace: &mut impl Trace,
    ) {
        let needed = self.needed(interaction, facts.resource_type);
        let offered = if needed.is_none() { Some(ReasonCode::InteractionNotOffered) } else { None };
        trace.check(Check::InteractionOffered, offered, || {
            Detail::Interaction(interaction.clone(), facts.resource_type)
        });
        if let Some(needed) = needed {
            let refused = self.scope_gate(needed, facts, filter_matches).err();
            trace.check(Check::ScopeReaches, refused, || {
                Detail::Scopes(self.scopes_for(facts.resource_type))
            });
        }
        match &facts.belonging {
            Belonging::Directory => {
                let known = is_directory(facts.resource_type);
                let refused = if known { None } else { Some(ReasonCode::FactMissing) };
                trace.check(Check::EveryPatientReached, refused, || Detail::Nothing);
                if known {
                    self.judge_policy(interaction, facts, None, trace);
                } else {
                    self.judge_content(facts, trace);
                }
            }
            Belonging::Unknown => {
                let refused = Some(ReasonCode::FactMissing);
                trace.check(Check::EveryPatientReached, refused, || Detail::Nothing);
                self.judge_content(facts, trace);
            }
            // TRUST: a consent that names a sensitive kind tells of it, and whoever keeps the
            // registry has to see it. What it withholds does not withhold the consent itself.
            Belonging::Patients(patients) if facts.resource_type == ResourceType::CONSENT => {
                let reach = self.judge_reach(patients, trace);
                self.judge_policy(interaction, facts, reach, trace);
            }
            Belonging::Patients(patients) => {
                let reach = self.judge_reach(patients, trace);
                self.judge_policy(interaction, facts, reach, trace);
                self.judge_objections(patients, facts, trace);
                self.judge_filed(patients, facts, trace);
                self.judge_content(facts, trace);
            }
        }
    }

    fn scopes_for(&self, resource_type: ResourceType) -> Vec<Scope> {
        let scopes = self.scopes.as_deref().unwrap_or_default();
        let reaching = scopes.iter().filter(|scope| speaks_of(scope, resource_type));
        reaching.cloned().map(Scope::Resource).collect()
    }

    /// The permissions that an interaction needs, or `None` if it is not offered on this type on
    /// this basis.
    fn needed(
        &self,
        interaction: &Interaction,
        resource_type: ResourceType,
    ) -> Option<Permissions> {
        let needed = Permissions::needed_for(interaction)?;
        if resource_type == ResourceType::CONSENT {
            return self.is_for_registries(interaction).then_some(needed);
        }
        if needed.intersection(Permissions::WRITE).is_empty() {
            return Some(needed);
        }
        // A directory entry is shared by all, so only a service that keeps it may change it; the
        // portal's own pages change no records at all.
        let by_service = self.way == Way::Service;
        // An emergency opens records to be read; who treats the patient afterwards writes as such.
        let writable = !matches!(self.way, Way::Portal | Way::Emergency)
            && !GOVERNANCE_TYPES.contains(&resource_type)
            && (by_service || !is_directory(resource_type));
        writable.then_some(needed)
    }

    /// What may be done with consents, and by whom: a registry reads and files them (IHE PCF, HL7
    /// FAST). They are never deleted, and a change is a new version as a whole. Patients and those
    /// whom they chose read choices elsewhere, in words.
    fn is_for_registries(&self, interaction: &Interaction) -> bool {
        self.way == Way::Service
            && match interaction {
                Interaction::Read
                | Interaction::Vread
                | Interaction::HistoryInstance
                | Interaction::HistoryType
                | Interaction::Search
                | Interaction::Create
                | Interaction::Update => true,
                Interaction::HistorySystem
                | Interaction::SearchSystem
                | Interaction::Patch
                | Interaction::Delete
                | Interaction::Batch
                | Interaction::Transaction
                | Interaction::Capabilities
                | Interaction::Operation(_) => false,
            }
    }

    /// Every permission must be given by some scope that reaches this very resource. Scopes are
    /// alternatives; the filters inside one are all required.
    fn scope_gate(
        &self,
        needed: Permissions,
        facts: &ResourceFacts,
        filter_matches: &FilterMatch<'_>,
    ) -> Result<(), ReasonCode> {
        let Some(scopes) = self.scopes.as_deref() else { return Ok(()) };
        for single in needed.singles() {
            // How close the closest scope came decides which reason is given.
            let mut closest = ReasonCode::ScopeMissing;
            let reached = scopes.iter().any(|scope| {
                if !single.is_subset_of(scope.permissions) || !speaks_of(scope, facts.resource_type)
                {
                    return false;
                }
                if !self.in_class(scope, facts) {
                    if closest == ReasonCode::ScopeMissing {
                        closest = ReasonCode::OutsidePatientContext;
                    }
                    return false;
                }
                closest = ReasonCode::ScopeFilterNotMatched;
                scope.filters.iter().all(filter_matches)
            });
            if !reached {
                return Err(closest);
            }
        }
        Ok(())
    }

    /// SMART App Launch 2.2: `patient/` reaches one patient's records, and what is about nobody.
    fn in_class(&self, scope: &ResourceScope, facts: &ResourceFacts) -> bool {
        match scope.context {
            ScopeContext::User | ScopeContext::System => true,
            ScopeContext::Patient => match &facts.belonging {
                Belonging::Directory => true,
                Belonging::Unknown => false,
                Belonging::Patients(patients) => {
                    self.patient_in_context.is_some()
                        && patients.iter().all(|own| Some(own) == self.patient_in_context.as_ref())
                }
            },
        }
    }

    fn judge_reach(
        &self,
        patients: &BTreeSet<PatientId>,
        trace: &mut impl Trace,
    ) -> Option<ReasonCode> {
        let refused = if patients.is_empty() {
            Some(ReasonCode::FactMissing)
        } else {
            match &self.reach {
                PatientReach::Only(reached) if !patients.is_subset(reached) => {
                    let none_reached = patients.is_disjoint(reached);
                    Some(if none_reached {
                        self.unreached()
                    } else {
                        ReasonCode::OtherPatientNamed
                    })
                }
                PatientReach::Only(_) | PatientReach::Any => None,
            }
        };
        trace.check(Check::EveryPatientReached, refused, || Detail::Patients {
            named: patients.clone(),
            reached: match &self.reach {
                PatientReach::Only(reached) => patients.intersection(reached).cloned().collect(),
                PatientReach::Any => patients.clone(),
            },
        });
        refused
    }

    /// What the organisation's policies say of this record, where they are asked for each. A reason
    /// that was given already is not given again.
    fn judge_policy(
        &self,
        interaction: &Interaction,
        facts: &ResourceFacts,
        given: Option<ReasonCode>,
        trace: &mut impl Trace,
    ) {
        let Some(rules) = &self.rules else { return };
        let detail = || rules.detail(self.purpose, interaction, facts);
        if rules.basis(self.purpose, interaction, facts).is_some() {
            trace.check(Check::PolicyPermits, None, detail);
            return;
        }
        for reason in rules.refusals(self.purpose, interaction, facts) {
            if Some(reason) != given {
                trace.check(Check::PolicyPermits, Some(reason), detail);
            }
        }
    }

    fn judge_objections(
        &self,
        patients: &BTreeSet<PatientId>,
        facts: &ResourceFacts,
        trace: &mut impl Trace,
    ) {
        if self.objections.is_empty() {
            return;
        }
        let kinds = believed(facts.resource_type, facts.categories);
        let objected = self.objections.iter().any(|(patient, categories)| {
            // A record of no known kind may be of the kind objected to.
            let touched = kinds.is_empty() && !categories.is_empty()
                || !kinds.intersection(*categories).is_empty();
            touched && patients.contains(patient)
        });
        let refused = if objected { Some(ReasonCode::PatientObjection) } else { None };
        trace.check(Check::NoObjection, refused, || Detail::Nothing);
    }

    /// Every patient on the record is asked: one whose consents withhold it is enough (design §6).
    fn judge_filed(
        &self,
        patients: &BTreeSet<PatientId>,
        facts: &ResourceFacts,
        trace: &mut impl Trace,
    ) {
        let filed = facts.filed.as_deref();
        let refused = match (self.filed, filed) {
            // Nothing was asked and nothing had to be: no step to tell of.
            (FiledRule::NotHeard, _) | (FiledRule::Restricts, None) => return,
            (rule @ (FiledRule::Restricts | FiledRule::Required), filed) => {
                let said: Vec<Option<Outcome>> =
                    patients.iter().map(|own| filed.and_then(|all| all.of(own))).collect();
                let any = |outcome| said.contains(&Some(outcome));
                let all_permit = said.iter().all(|one| *one == Some(Outcome::Permit));
                if any(Outcome::Deny) {
                    Some(ReasonCode::FiledConsentDenies)
                } else if any(Outcome::Indeterminate) {
                    Some(ReasonCode::FiledConsentUnreadable)
                } else if rule == FiledRule::Required && !all_permit {
                    Some(ReasonCode::NoFiledConsent)
                } else {
                    None
                }
            }
        };
        trace.check(Check::FiledConsentsAllow, refused, || {
            Detail::Filed(filed.map(|all| all.answers.clone()).unwrap_or_default())
        });
    }

    /// Why none of the patients of a record is within reach, on this basis.
    fn unreached(&self) -> ReasonCode {
        self.lacking.unwrap_or(ReasonCode::OtherPatientNamed)
    }

    fn judge_content(&self, facts: &ResourceFacts, trace: &mut impl Trace) {
        if self.rules.is_none() {
            self.judge_category(facts, trace);
        }
        // The clinical time of the data, never the time at which it was stored. A record without
        // one might be from any time, so it lies in no bounded period.
        let dated = self.data_period.is_unbounded()
            || facts.clinical_period.is_some_and(|period| self.data_period.covers(&period));
        let refused = if dated { None } else { Some(ReasonCode::OutsideDataPeriod) };
        trace.check(Check::DataPeriodCovers, refused, || Detail::DataPeriod {
            record: facts.clinical_period,
            included: self.data_period,
        });
        if self.rules.is_none() {
            self.judge_labels(facts, trace);
        }
    }

    fn judge_category(&self, facts: &ResourceFacts, trace: &mut impl Trace) {
        let covered = covers(self.categories, facts.resource_type, facts.categories);
        let refused = if covered { None } else { Some(ReasonCode::CategoryNotShared) };
        trace.check(Check::CategoryIncluded, refused, || Detail::Categories {
            record: believed(facts.resource_type, facts.categories),
            included: self.categories,
        });
    }

    fn judge_labels(&self, facts: &ResourceFacts, trace: &mut impl Trace) {
        let refused = match facts.labels {
            Labels::Known(kinds) if kinds.is_subset_of(self.sensitive) => None,
            Labels::Known(_) => Some(ReasonCode::SensitiveKindNotShared),
            Labels::Unclassified if self.sensitive.contains(SensitiveKind::Restricted) => None,
            Labels::Unclassified => Some(ReasonCode::Unlabelled),
        };
        trace.check(Check::SensitiveKindsNamed, refused, || Detail::SensitiveKinds {
            record: facts.labels,
            named: self.sensitive,
        });
    }
}
