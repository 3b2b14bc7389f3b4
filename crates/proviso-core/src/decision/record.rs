//! What a decision was made from, kept so that it can be made again.
//!
//! A record holds every input of the decisions of one request as values; the consent is named by
//! the hash of its content, since versions never change. Making the decisions again from the
//! record gives the same bytes, and the digest of those bytes is what the log carries (design P5,
//! consent.md §7.4).
//!
//! Resources are grouped: those that are alike in everything but id and date are written once.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::explain::{Explanation, explain, explain_gate, explain_plan};
use super::policy::related_at;
use super::{
    AccessMode, AccessPlan, AccessRequest, ActingPerson, Belonging, Decision, Effect, FiledAnswers,
    FiledAtHand, FiledRequest, FiledVersion, Labels, OrgGround, ResourceFacts, plan,
};
use crate::account::{ActorKind, Relationship};
use crate::category::{CategorySet, PurposeOfUse};
use crate::consent::{ConsentFacts, NamedConsent};
use crate::emergency::EmergencyFacts;
use crate::id::{AccountId, ClientId, ConsentVersionId, PatientId, ResourceId, hex};
use crate::interaction::Interaction;
use crate::mandate::MandateBasis;
use crate::org::{Obligation, ObligationSet, Related, SharedRules};
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;
use crate::scope::{Scope, ScopeFilter};
use crate::time::{At, Period};

/// The name and version of the decision function. Counts up with every change that could make an
/// earlier record come out otherwise.
pub const ENGINE: &str = "decision/3";

/// The version before: the organisation's policies were summed up before records were looked at.
/// What it summed up is in its records, and decides as it did.
const ENGINE_BEFORE_RULES: &str = "decision/2";

/// The version before that: consents were records like others, and none were on file. It decided
/// everything else alike.
const ENGINE_BEFORE_CONSENTS: &str = "decision/1";

/// LIMIT: so many resources are kept for each request; what is beyond is counted. A page has at
/// most 1 000 entries.
pub const RESOURCES_MAX: usize = 2_000;

/// A request, as values that outlive it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordedRequest {
    /// The instant of the decision.
    pub at: At,
    /// Which app.
    pub client: ClientId,
    /// Which person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<AccountId>,
    /// By which right.
    pub mode: RecordedMode,
    /// The scopes of the token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scopes: Option<Vec<Scope>>,
    /// The patient in context.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub patient_in_context: Option<PatientId>,
    /// What for.
    pub purpose: PurposeOfUse,
    /// What the organisation's policy came to.
    pub policy: OrgGround,
    /// The obligations that were carried out.
    #[serde(skip_serializing_if = "is_notice", default = "notice")]
    pub met: ObligationSet,
    /// Why the token was not taken at all, before a plan was made; empty when it was.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gate: Vec<ReasonCode>,
}

/// A mode, as values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedMode {
    /// An app acts for a patient or proxy.
    PatientDirected {
        /// The version of the consent.
        consent: Option<ConsentVersionId>,
        /// Who signed in.
        person: RecordedPerson,
    },
    /// The patient, or a proxy, looks at the record.
    OwnRecord {
        /// Whose record.
        patient: PatientId,
        /// Who looks.
        person: RecordedPerson,
    },
    /// Staff.
    Operational {
        /// Their role.
        kind: ActorKind,
        /// Relationships that have a part in it.
        relationships: Vec<Relationship>,
        /// Objections that have a part in it.
        objections: Vec<(PatientId, CategorySet)>,
    },
    /// Staff who declared an emergency.
    Emergency {
        /// What was declared, as it stood.
        declared: Option<EmergencyFacts>,
    },
    /// A service.
    PreAuthorized,
}

/// A person, as values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordedPerson {
    /// The patient.
    Patient,
    /// A proxy, with the relationship on record.
    Proxy(Option<Relationship>),
}

/// Resources that are alike in all that a decision looks at but their id and date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JudgedGroup {
    /// What was to be done with them.
    pub interaction: Interaction,
    /// Their type.
    pub resource_type: ResourceType,
    /// Whom they belong to.
    pub belonging: Belonging,
    /// Their kinds.
    pub categories: CategorySet,
    /// Their labels.
    pub labels: Labels,
    /// The filters of granular scopes that they match.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub filters: Vec<ScopeFilter>,
    /// What consents on file say of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filed: Option<Box<FiledAnswers>>,
    /// Permit or deny.
    pub effect: Effect,
    /// Why.
    pub reasons: Vec<ReasonCode>,
    /// Which, and from when.
    pub members: Vec<(Option<ResourceId>, Option<Period>)>,
}

/// The decisions of one request with everything they were made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecisionRecord {
    /// The decision function.
    pub engine: String,
    /// What was asked, and on what ground.
    pub request: RecordedRequest,
    /// What consents on file were told of the request, if any were heard.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub filed: Option<Box<FiledRequest>>,
    /// Why the request was denied as a whole; empty when it was not.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub denied: Vec<ReasonCode>,
    /// What the plan does not offer for any resource at all, and was therefore not tried.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub not_offered: Vec<(Interaction, ResourceType)>,
    /// The resources that were judged.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub judged: Vec<JudgedGroup>,
    /// How many more were judged than are kept.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub not_kept: u32,
}

/// What was carried out, in one form for all that come to the same: most policies demand nothing.
fn kept(request: &AccessRequest<'_>) -> ObligationSet {
    let demands = request.policy.rules.as_ref().map_or(ObligationSet::EMPTY, SharedRules::demands);
    let same = demands.intersection(request.met) == demands.intersection(notice());
    if same { notice() } else { request.met }
}

/// What was carried out before records said what was.
const fn notice() -> ObligationSet {
    ObligationSet::EMPTY.with(Obligation::AttachPart2Notice)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_notice(met: &ObligationSet) -> bool {
    *met == notice()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Why a decision cannot be made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// It was made by another version of the decision function.
    #[error("decided by `{0}`, which this version does not have")]
    OtherEngine(String),
    /// The version of the consent is not at hand.
    #[error("consent version `{0}` is not at hand")]
    ConsentMissing(ConsentVersionId),
    /// Consents on file answered, but what they were asked was not kept.
    #[error("what consents on file were asked is not in the record")]
    QuestionMissing,
}

impl RecordedRequest {
    /// Keeps a request whose token was taken.
    pub fn of(request: &AccessRequest<'_>) -> Self {
        Self {
            at: request.at,
            client: request.client.clone(),
            account: request.account.cloned(),
            mode: RecordedMode::of(request.mode),
            scopes: request.scopes.map(<[Scope]>::to_vec),
            patient_in_context: request.patient_in_context.cloned(),
            purpose: request.purpose,
            policy: request.policy.clone(),
            met: kept(request),
            gate: Vec::new(),
        }
    }

    /// The same request with what stopped it before a plan was made.
    #[must_use]
    pub fn stopped_by(mut self, gate: Vec<ReasonCode>) -> Self {
        self.gate = gate;
        self
    }

    /// The version of the consent that has to be at hand to decide again.
    pub const fn consent(&self) -> Option<&ConsentVersionId> {
        match &self.mode {
            RecordedMode::PatientDirected { consent, .. } => consent.as_ref(),
            RecordedMode::OwnRecord { .. }
            | RecordedMode::Operational { .. }
            | RecordedMode::Emergency { .. }
            | RecordedMode::PreAuthorized => None,
        }
    }

    /// The request as the decision function takes it.
    pub fn request<'a>(&'a self, consent: Option<ConsentFacts<'a>>) -> AccessRequest<'a> {
        AccessRequest {
            at: self.at,
            client: &self.client,
            account: self.account.as_ref(),
            mode: self.mode.mode(consent),
            scopes: self.scopes.as_deref(),
            patient_in_context: self.patient_in_context.as_ref(),
            purpose: self.purpose,
            policy: &self.policy,
            met: self.met,
        }
    }

    fn plan(&self, consent: Option<&NamedConsent>) -> Result<AccessPlan, Decision> {
        if self.gate.is_empty() {
            plan(&self.request(consent.map(NamedConsent::facts)))
        } else {
            Err(Decision::deny(self.gate.clone()))
        }
    }
}

impl RecordedMode {
    fn of(mode: AccessMode<'_>) -> Self {
        match mode {
            AccessMode::PatientDirected { consent, person } => Self::PatientDirected {
                consent: consent.map(|facts| facts.version.clone()),
                person: RecordedPerson::of(person),
            },
            AccessMode::OwnRecord { patient, person } => {
                Self::OwnRecord { patient: patient.clone(), person: RecordedPerson::of(person) }
            }
            AccessMode::Operational { kind, relationships, objections } => Self::Operational {
                kind,
                relationships: relationships.to_vec(),
                objections: objections.to_vec(),
            },
            AccessMode::Emergency { declared } => Self::Emergency { declared: declared.cloned() },
            AccessMode::PreAuthorized => Self::PreAuthorized,
        }
    }

    fn mode<'a>(&'a self, consent: Option<ConsentFacts<'a>>) -> AccessMode<'a> {
        match self {
            Self::PatientDirected { consent: named, person } => AccessMode::PatientDirected {
                consent: consent.filter(|at_hand| Some(at_hand.version) == named.as_ref()),
                person: person.acting(),
            },
            Self::OwnRecord { patient, person } => {
                AccessMode::OwnRecord { patient, person: person.acting() }
            }
            Self::Operational { kind, relationships, objections } => {
                AccessMode::Operational { kind: *kind, relationships, objections }
            }
            Self::Emergency { declared } => AccessMode::Emergency { declared: declared.as_ref() },
            Self::PreAuthorized => AccessMode::PreAuthorized,
        }
    }
}

impl RecordedPerson {
    fn is_parent(&self) -> bool {
        match self {
            Self::Proxy(Some(own)) => own
                .mandate
                .as_ref()
                .is_some_and(|mandate| matches!(mandate.basis, MandateBasis::Parent { .. })),
            Self::Proxy(None) | Self::Patient => false,
        }
    }

    fn of(person: ActingPerson<'_>) -> Self {
        match person {
            ActingPerson::Patient => Self::Patient,
            ActingPerson::Proxy(relationship) => Self::Proxy(relationship.cloned()),
        }
    }

    const fn acting(&self) -> ActingPerson<'_> {
        match self {
            Self::Patient => ActingPerson::Patient,
            Self::Proxy(relationship) => ActingPerson::Proxy(relationship.as_ref()),
        }
    }
}

impl JudgedGroup {
    fn facts(&self, id: Option<&ResourceId>, clinical_period: Option<Period>) -> ResourceFacts {
        ResourceFacts {
            resource_type: self.resource_type,
            id: id.cloned(),
            belonging: self.belonging.clone(),
            categories: self.categories,
            labels: self.labels,
            clinical_period,
            filed: self.filed.clone(),
        }
    }

    fn takes(&self, interaction: &Interaction, judged: &JudgedResource<'_>) -> bool {
        let JudgedResource { facts, filters, decision } = judged;
        self.effect == decision.effect
            && self.reasons == decision.reasons
            && self.interaction == *interaction
            && self.resource_type == facts.resource_type
            && self.belonging == facts.belonging
            && self.categories == facts.categories
            && self.labels == facts.labels
            && self.filed == facts.filed
            && self.filters == *filters
    }
}

/// A resource with what was decided about it.
#[derive(Debug, Clone, Copy)]
pub struct JudgedResource<'a> {
    /// What was known of it.
    pub facts: &'a ResourceFacts,
    /// The filters of granular scopes that it matches.
    pub filters: &'a [ScopeFilter],
    /// What was decided.
    pub decision: &'a Decision,
}

impl DecisionRecord {
    /// A record of a request about which nothing has been decided yet.
    pub fn new(request: RecordedRequest) -> Self {
        Self {
            engine: ENGINE.into(),
            request,
            filed: None,
            denied: Vec::new(),
            not_offered: Vec::new(),
            judged: Vec::new(),
            not_kept: 0,
        }
    }

    /// The request was denied as a whole.
    pub fn deny(&mut self, decision: &Decision) {
        self.denied.clone_from(&decision.reasons);
    }

    /// The plan offers nothing of this kind.
    pub fn not_offered(&mut self, interaction: Interaction, resource_type: ResourceType) {
        self.not_offered.push((interaction, resource_type));
    }

    /// Consents on file were heard; this is what they were told of the request.
    pub fn heard(&mut self, request: &FiledRequest) {
        self.filed = Some(Box::new(request.clone()));
    }

    /// The versions of consents on file that have to be at hand to decide again.
    pub fn filed_needed(&self) -> impl Iterator<Item = &FiledVersion> {
        self.judged.iter().filter_map(|group| group.filed.as_deref()).flat_map(FiledAnswers::heard)
    }

    /// One resource was judged.
    ///
    /// Only the last group is looked at, so that a long page costs no more for each entry; results
    /// of a search mostly are alike in a row.
    pub fn judge(&mut self, interaction: &Interaction, judged: JudgedResource<'_>) {
        if self.kept() >= RESOURCES_MAX {
            self.not_kept = self.not_kept.saturating_add(1);
            return;
        }
        let JudgedResource { facts, filters, decision } = judged;
        let member = (facts.id.clone(), facts.clinical_period);
        if let Some(last) = self.judged.last_mut()
            && last.takes(interaction, &judged)
        {
            last.members.push(member);
            return;
        }
        self.judged.push(JudgedGroup {
            interaction: interaction.clone(),
            resource_type: facts.resource_type,
            belonging: facts.belonging.clone(),
            categories: facts.categories,
            labels: facts.labels,
            filters: filters.to_vec(),
            filed: facts.filed.clone(),
            effect: decision.effect,
            reasons: decision.reasons.clone(),
            members: alloc::vec![member],
        });
    }

    fn kept(&self) -> usize {
        self.judged.iter().map(|group| group.members.len()).sum()
    }

    /// Leaves out relationships and objections about patients that none of the resources names, and
    /// policies that had no part in it. A person's list of patients is long, and none of the others
    /// had a part in the decisions.
    ///
    /// INVARIANT: the decisions come out as before. Whether there is any relationship in force at
    /// all is one of the checks, so one of each kind is kept.
    pub fn trim(&mut self) {
        self.trim_people();
        self.trim_rules();
    }

    fn trim_people(&mut self) {
        let context = self.request.patient_in_context.clone();
        let needed = self.request.policy.staff.map(|rule| rule.relationship);
        let by_rules = self.request.policy.rules.is_some();
        let at = self.request.at;
        let account = self.request.account.clone();
        let RecordedMode::Operational { relationships, objections, .. } = &mut self.request.mode
        else {
            return;
        };
        let judged = &self.judged;
        let has_part = |patient: &PatientId| {
            context.as_ref() == Some(patient)
                || judged.iter().any(|group| match &group.belonging {
                    Belonging::Patients(patients) => patients.contains(patient),
                    Belonging::Directory | Belonging::Unknown => false,
                })
        };
        let account = account.as_ref();
        if by_rules {
            let ways = account.map(|own| one_of_each_way(own, relationships, at));
            let ways = ways.unwrap_or_default();
            relationships.retain(|own| has_part(&own.patient) || ways.contains(&own.patient));
        } else {
            let witness = relationships.iter().find(|own| {
                Some(own.kind) == needed && Some(&own.account) == account && own.period.contains(at)
            });
            let witness = witness.cloned();
            relationships.retain(|own| has_part(&own.patient));
            if let Some(witness) = witness
                && !relationships.contains(&witness)
            {
                relationships.push(witness);
            }
        }
        objections.retain(|(patient, _)| has_part(patient));
    }

    /// Leaves out one policy after the other, unless something comes out otherwise without it.
    fn trim_rules(&mut self) {
        let Some(rules) = self.request.policy.rules.clone() else { return };
        let mut kept = (*rules).clone();
        let mut place = kept.rules.len();
        while place > 0 {
            place -= 1;
            let mut fewer = kept.clone();
            fewer.rules.remove(place);
            let mut request = self.request.clone();
            request.policy.rules = Some(SharedRules::new(fewer.clone()));
            if self.comes_out_by(&request) {
                kept = fewer;
            }
        }
        self.request.policy.rules = Some(SharedRules::new(kept));
    }

    /// Whether everything that was decided comes out alike for this request.
    fn comes_out_by(&self, request: &RecordedRequest) -> bool {
        let plan = match request.plan(None) {
            Err(denial) => return denial.reasons == self.denied,
            Ok(_) if !self.denied.is_empty() => return false,
            Ok(plan) => plan,
        };
        self.judged.iter().all(|group| {
            let member = group.members.first();
            let Some((id, period)) = member else { return true };
            let facts = group.facts(id.as_ref(), *period);
            let decision =
                plan.decide(&group.interaction, &facts, &|filter| group.filters.contains(filter));
            decision.effect == group.effect && decision.reasons == group.reasons
        })
    }

    /// Makes every decision again.
    ///
    /// # Errors
    /// When the engine or a version of a consent is not at hand.
    pub fn replay(
        &self,
        consent: Option<&NamedConsent>,
        filed: &FiledAtHand,
    ) -> Result<Self, ReplayError> {
        if !self.is_of_known_engine() {
            return Err(ReplayError::OtherEngine(self.engine.clone()));
        }
        if let Some(needed) = self.request.consent()
            && consent.map(NamedConsent::id) != Some(needed)
        {
            return Err(ReplayError::ConsentMissing(needed.clone()));
        }
        let mut again = Self::new(self.request.clone());
        again.engine.clone_from(&self.engine);
        again.filed.clone_from(&self.filed);
        again.not_kept = self.not_kept;
        match self.request.plan(consent) {
            Err(denial) => again.deny(&denial),
            Ok(plan) => {
                let offers = |(interaction, resource_type): &(Interaction, ResourceType)| {
                    plan.offers(interaction, *resource_type)
                };
                again.not_offered =
                    self.not_offered.iter().filter(|asked| !offers(asked)).cloned().collect();
                for group in &self.judged {
                    let heard = self.hear_again(group, filed)?;
                    for (id, period) in &group.members {
                        let mut facts = group.facts(id.as_ref(), *period);
                        facts.filed.clone_from(&heard);
                        let decision = plan.decide(&group.interaction, &facts, &|filter| {
                            group.filters.contains(filter)
                        });
                        let judged = JudgedResource {
                            facts: &facts,
                            filters: &group.filters,
                            decision: &decision,
                        };
                        again.judge(&group.interaction, judged);
                    }
                }
            }
        }
        Ok(again)
    }

    fn is_of_known_engine(&self) -> bool {
        let about_consents = || {
            let judged = self.judged.iter().map(|group| group.resource_type);
            let types = judged.chain(self.not_offered.iter().map(|(_, not_offered)| *not_offered));
            types.into_iter().any(|own| own == ResourceType::CONSENT)
        };
        // Nor did it know from when on a minor has confidential care.
        let by_parent = match &self.request.mode {
            RecordedMode::PatientDirected { person, .. }
            | RecordedMode::OwnRecord { person, .. } => person.is_parent(),
            RecordedMode::Operational { .. }
            | RecordedMode::Emergency { .. }
            | RecordedMode::PreAuthorized => false,
        };
        let before = self.engine == ENGINE_BEFORE_CONSENTS;
        [ENGINE, ENGINE_BEFORE_RULES].contains(&self.engine.as_str())
            || before && !by_parent && !about_consents()
    }

    /// What consents on file say of a group, asked again.
    fn hear_again(
        &self,
        group: &JudgedGroup,
        at_hand: &FiledAtHand,
    ) -> Result<Option<Box<FiledAnswers>>, ReplayError> {
        match (&group.filed, self.filed.as_deref()) {
            (None, _) => Ok(None),
            (Some(answers), Some(request)) => {
                answers.again(request, at_hand).map(Some).map_err(ReplayError::ConsentMissing)
            }
            // Answers without a question were not made by this function.
            (Some(_), None) => Err(ReplayError::QuestionMissing),
        }
    }

    /// The trees of the decisions: one for each kept resource, or one for the request when none was
    /// judged.
    pub fn explain(&self, consent: Option<ConsentFacts<'_>>) -> Vec<Explanation> {
        let request = self.request.request(consent);
        if !self.request.gate.is_empty() {
            return alloc::vec![explain_gate(&self.request.gate, &self.request.policy.version)];
        }
        let one_by_one = self.judged.iter().flat_map(|group| {
            group.members.iter().map(move |(id, period)| {
                let facts = group.facts(id.as_ref(), *period);
                explain(&request, &group.interaction, &facts, &|filter| {
                    group.filters.contains(filter)
                })
            })
        });
        let trees: Vec<Explanation> = one_by_one.collect();
        if trees.is_empty() { alloc::vec![explain_plan(&request)] } else { trees }
    }

    /// The bytes that the digest names: JSON with its members in the order of the types and no
    /// white space. Sets are written in catalogue order, lists in the order of the decisions.
    ///
    /// # Errors
    /// Never: keys are strings and every value has a JSON form. A caller refuses all the same.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The SHA-256 of the bytes, hex.
    ///
    /// # Errors
    /// As [`Self::to_bytes`].
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        Ok(hex(&Sha256::digest(self.to_bytes()?)))
    }
}

/// For each way of being related that occurs, the first patient to whom somebody is related so.
fn one_of_each_way(
    account: &AccountId,
    relationships: &[Relationship],
    at: At,
) -> BTreeSet<PatientId> {
    let mut known: BTreeSet<Related> = BTreeSet::new();
    let related = related_at(Some(account), relationships, at).into_iter();
    related.filter(|(_, way)| known.insert(way.clone())).map(|(patient, _)| patient).collect()
}

#[cfg(test)]
mod tests;
