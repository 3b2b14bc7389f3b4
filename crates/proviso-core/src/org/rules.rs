//! The policies in force as they stand for one who asks: everything about that person, place and
//! instant is worked in, and what is left looks at the purpose, the action, the relation to the
//! patient and the record alone.
//!
//! Such rules are values: a plan carries them, a record costs a few tests on bits, and the log keeps
//! them, so that a decision can be made again without the language in which policies are written.
//! They answer every question as the policies themselves do; a differential test holds them to it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::answer::{Obligation, ObligationSet, OrgAnswer};
use super::question::{OrgResource, PolicyName, Provenance, RecordKind, Related};
use super::words::{OrgAction, OrgActionSet};
use crate::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveSet, coded};
use crate::decision::{Effect, Labels};
use crate::id::IdError;
use crate::reason::ReasonCode;
use crate::resource_type::ResourceType;

use core::fmt;
use core::str::FromStr;

/// LIMIT: so many ways of being related are told apart for one who asks. A record of patients whose
/// common way is not among them is refused.
pub const STANDINGS_MAX: usize = 64;

coded!(
    /// What a rule is about.
    RuleTarget, RuleTargetSet, u8, "A set of targets.", "alloc::vec::Vec<RuleTarget>",
    {
        /// Records about patients.
        Record = "record",
        /// Entries about no patient.
        Directory = "directory",
    }
);

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It could not be evaluated.
    Fault,
}

/// How a set of the record is compared with a fixed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetTest {
    /// It has a member of the fixed one.
    HasAny,
    /// It has every member of the fixed one.
    HasAll,
    /// It has no other members.
    Within,
}

/// A condition, as far as it is still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Holds.
    Always,
    /// Does not hold.
    Never,
    /// Cannot be evaluated.
    Fails,
    /// The relation is one of these, by their places in [`OrgRules::standings`].
    Standing(BTreeSet<u8>),
    /// It cannot be evaluated for these relations, and holds for no other.
    StandingFails(BTreeSet<u8>),
    /// The purpose is one of these.
    Purpose(PurposeSet),
    /// The action is one of these.
    Action(OrgActionSet),
    /// It is about one of these.
    Target(RuleTargetSet),
    /// The type is one of these.
    Type(BTreeSet<ResourceType>),
    /// The kinds of record.
    Categories(SetTest, CategorySet),
    /// The sensitive kinds; a record that is not labelled has none.
    Kinds(SetTest, SensitiveSet),
    /// The record has been labelled.
    Labelled,
    /// The other does not hold.
    Not(Box<Test>),
    /// Each holds, in this order.
    All(Vec<Test>),
    /// One holds, in this order.
    Any(Vec<Test>),
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Condition {
    /// What has to hold.
    pub test: Test,
    /// The reason given when a permit lacks it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub otherwise: Option<ReasonCode>,
}

/// A policy that can apply to the one who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleInForce {
    /// Its name in its set.
    pub name: PolicyName,
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// The reason it gives.
    pub reason: ReasonCode,
    /// The actions it is about.
    pub actions: OrgActionSet,
    /// What it is about.
    pub targets: RuleTargetSet,
    /// Its conditions, in their order.
    pub when: Vec<Condition>,
    /// What must be done when it permits.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub obligations: BTreeSet<Obligation>,
}

/// The policies in force as they stand for one who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrgRules {
    /// The ways of being related to a patient that are told apart. The first is not at all.
    pub standings: Vec<Related>,
    /// The rules, in the order of their set.
    pub rules: Vec<RuleInForce>,
}

/// One question to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleQuestion {
    /// The way of being related, by its place in [`OrgRules::standings`].
    pub standing: u8,
    /// What for.
    pub purpose: PurposeOfUse,
    /// What is to be done.
    pub action: OrgAction,
    /// On what.
    pub resource: OrgResource,
}

/// What a question looks like while some of it is open.
#[derive(Clone, Copy)]
struct Open {
    standing: u8,
    purpose: PurposeOfUse,
    /// What it is about, where that is settled.
    target: Option<RuleTarget>,
    rest: Option<(OrgAction, OrgResource)>,
}

impl RuleQuestion {
    const fn open(&self) -> Open {
        Open {
            standing: self.standing,
            purpose: self.purpose,
            target: target_of(&self.resource),
            rest: Some((self.action, self.resource)),
        }
    }
}

const fn target_of(resource: &OrgResource) -> Option<RuleTarget> {
    match resource {
        OrgResource::Record(_) => Some(RuleTarget::Record),
        OrgResource::Directory(_) => Some(RuleTarget::Directory),
        OrgResource::Governance(_) => None,
    }
}

const fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

impl SetTest {
    fn holds<T: Copy + PartialEq>(
        self,
        own: T,
        fixed: T,
        intersection: impl Fn(T, T) -> T,
        empty: T,
    ) -> bool {
        match self {
            Self::HasAny => intersection(own, fixed) != empty,
            Self::HasAll => intersection(own, fixed) == fixed,
            Self::Within => intersection(own, fixed) == own,
        }
    }
}

impl Test {
    /// Its truth; `None` where it depends on what is still open.
    fn at(&self, open: Open) -> Option<Truth> {
        match self {
            Self::Always => Some(Truth::True),
            Self::Never => Some(Truth::False),
            Self::Fails => Some(Truth::Fault),
            Self::Standing(those) => Some(truth(those.contains(&open.standing))),
            Self::StandingFails(those) => {
                Some(if those.contains(&open.standing) { Truth::Fault } else { Truth::False })
            }
            Self::Purpose(those) => Some(truth(those.contains(open.purpose))),
            Self::Not(other) => other.at(open).map(|own| match own {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Fault => Truth::Fault,
            }),
            Self::All(all) => chain(all, open, Truth::False),
            Self::Any(all) => chain(all, open, Truth::True),
            Self::Target(those) => match (open.target, open.rest) {
                (None, None) => None,
                (target, _) => Some(truth(target.is_some_and(|own| those.contains(own)))),
            },
            Self::Action(_)
            | Self::Type(_)
            | Self::Categories(..)
            | Self::Kinds(..)
            | Self::Labelled => {
                let (action, resource) = open.rest?;
                Some(self.of_resource(action, &resource))
            }
        }
    }

    fn of_resource(&self, action: OrgAction, resource: &OrgResource) -> Truth {
        match (self, resource) {
            (Self::Action(those), _) => truth(those.contains(action)),
            (
                Self::Type(those),
                OrgResource::Record(RecordKind { resource_type, .. })
                | OrgResource::Directory(resource_type),
            ) => truth(those.contains(resource_type)),
            (Self::Categories(test, those), OrgResource::Record(own)) => truth(test.holds(
                own.categories,
                *those,
                CategorySet::intersection,
                CategorySet::EMPTY,
            )),
            (Self::Kinds(test, those), OrgResource::Record(own)) => {
                let kinds = match own.labels {
                    Labels::Known(kinds) => kinds,
                    Labels::Unclassified => SensitiveSet::EMPTY,
                };
                truth(test.holds(kinds, *those, SensitiveSet::intersection, SensitiveSet::EMPTY))
            }
            (Self::Labelled, OrgResource::Record(own)) => {
                truth(matches!(own.labels, Labels::Known(_)))
            }
            // What an entry or a thing of governance does not have cannot be looked at.
            (
                Self::Type(_) | Self::Categories(..) | Self::Kinds(..) | Self::Labelled,
                OrgResource::Directory(_) | OrgResource::Governance(_),
            )
            | (
                Self::Always
                | Self::Never
                | Self::Fails
                | Self::Standing(_)
                | Self::StandingFails(_)
                | Self::Purpose(_)
                | Self::Target(_)
                | Self::Not(_)
                | Self::All(_)
                | Self::Any(_),
                _,
            ) => Truth::Fault,
        }
    }

    /// Whether there may be something that it cannot be evaluated for.
    fn could_fail(&self) -> bool {
        match self {
            Self::Always
            | Self::Never
            | Self::Standing(_)
            | Self::Purpose(_)
            | Self::Action(_)
            | Self::Target(_) => false,
            Self::Not(other) => other.could_fail(),
            Self::All(all) | Self::Any(all) => all.iter().any(Self::could_fail),
            // An entry of the directory has no kinds, and a thing of governance no type.
            Self::Fails
            | Self::StandingFails(_)
            | Self::Type(_)
            | Self::Categories(..)
            | Self::Kinds(..)
            | Self::Labelled => true,
        }
    }

    /// Whether it could hold for some action and record.
    fn could_hold(&self, open: Open) -> bool {
        match self {
            Self::All(all) => all.iter().all(|own| own.could_hold(open)),
            Self::Any(all) => all.iter().any(|own| own.could_hold(open)),
            Self::Always
            | Self::Never
            | Self::Fails
            | Self::Standing(_)
            | Self::StandingFails(_)
            | Self::Purpose(_)
            | Self::Action(_)
            | Self::Target(_)
            | Self::Type(_)
            | Self::Categories(..)
            | Self::Kinds(..)
            | Self::Labelled
            | Self::Not(_) => {
                self.at(Open { rest: None, ..open }).is_none_or(|own| own == Truth::True)
            }
        }
    }
}

/// Tests one after the other until one settles it.
fn chain(all: &[Test], open: Open, settles: Truth) -> Option<Truth> {
    for own in all {
        match own.at(open) {
            None => return None,
            Some(truth) if truth == settles || truth == Truth::Fault => return Some(truth),
            Some(_) => {}
        }
    }
    Some(match settles {
        Truth::True => Truth::False,
        Truth::False | Truth::Fault => Truth::True,
    })
}

impl RuleInForce {
    fn is_about(&self, action: OrgAction, resource: &OrgResource) -> bool {
        self.actions.contains(action)
            && target_of(resource).is_some_and(|target| self.targets.contains(target))
    }

    /// Whether it neither applies nor fails, whatever is asked: a condition of it never holds, and
    /// none before that one can fail.
    pub(super) fn is_idle(&self) -> bool {
        for condition in &self.when {
            if condition.test == Test::Never {
                return true;
            }
            if condition.test.could_fail() {
                return false;
            }
        }
        false
    }

    /// Whether it applies: its conditions in order, up to the first that does not hold.
    fn applies(&self, open: Open) -> Option<Truth> {
        for condition in &self.when {
            match condition.test.at(open) {
                Some(Truth::True) => {}
                other => return other,
            }
        }
        Some(Truth::True)
    }

    /// The reasons for conditions that do not hold.
    fn missing(&self, holds: impl Fn(&Test) -> bool) -> Vec<ReasonCode> {
        let lacking = self.when.iter().filter(|condition| !holds(&condition.test));
        let mut missing: Vec<ReasonCode> =
            lacking.filter_map(|condition| condition.otherwise).collect();
        missing.dedup();
        missing
    }
}

/// What the permits that came closest lack.
fn closest(permits: impl Iterator<Item = Vec<ReasonCode>>) -> BTreeSet<ReasonCode> {
    let mut fewest = usize::MAX;
    let mut lacking = BTreeSet::new();
    for missing in permits.filter(|missing| !missing.is_empty()) {
        if missing.len() < fewest {
            fewest = missing.len();
            lacking.clear();
        }
        if missing.len() == fewest {
            lacking.extend(missing);
        }
    }
    lacking
}

/// The ground on which some rules permit; `None` when they do not.
///
/// A permit with an obligation that nobody meets is none.
pub(super) fn basis_of<'a>(
    rules: impl Iterator<Item = &'a RuleInForce>,
    question: &RuleQuestion,
    met: ObligationSet,
) -> Option<ReasonCode> {
    let open = question.open();
    let mut basis: Option<ReasonCode> = None;
    for rule in rules.filter(|rule| rule.is_about(question.action, &question.resource)) {
        match rule.applies(open) {
            Some(Truth::False) => {}
            Some(Truth::Fault) | None => return None,
            Some(Truth::True) if rule.effect == Effect::Deny => return None,
            Some(Truth::True) if !rule.obligations.iter().all(|own| met.contains(*own)) => {
                return None;
            }
            Some(Truth::True) => {
                basis = Some(basis.map_or(rule.reason, |own| own.min(rule.reason)));
            }
        }
    }
    basis
}

impl OrgRules {
    /// The answer, with everything that policies themselves answer but their advice.
    pub fn answer(&self, question: &RuleQuestion) -> OrgAnswer {
        let open = question.open();
        let mut faults = BTreeSet::new();
        let (mut permits, mut forbids) = (Vec::new(), Vec::new());
        for rule in self.about(question) {
            match (rule.applies(open), rule.effect) {
                (Some(Truth::True), Effect::Permit) => permits.push(rule),
                (Some(Truth::True), Effect::Deny) => forbids.push(rule),
                (Some(Truth::False), _) => {}
                (Some(Truth::Fault) | None, _) => {
                    faults.insert(rule.name.clone());
                }
            }
        }
        if !faults.is_empty() {
            return OrgAnswer::fault(faults);
        }
        let (effect, determining) = match (forbids.is_empty(), permits.is_empty()) {
            (false, _) => (Effect::Deny, forbids),
            (true, false) => (Effect::Permit, permits),
            (true, true) => return OrgAnswer::bare(Effect::Deny, self.lacking(question)),
        };
        OrgAnswer {
            determining: determining.iter().map(|rule| rule.name.clone()).collect(),
            obligations: determining
                .iter()
                .flat_map(|rule| rule.obligations.iter().copied())
                .collect(),
            ..OrgAnswer::bare(effect, determining.iter().map(|rule| rule.reason).collect())
        }
    }

    /// The ground on which it is permitted where these obligations are met; `None` when it is not. As
    /// [`Self::answer`], and quick. A permit with any other obligation is none.
    pub fn basis(&self, question: &RuleQuestion, met: ObligationSet) -> Option<ReasonCode> {
        basis_of(self.rules.iter(), question, met)
    }

    /// Why it is not permitted, in catalogue order; empty when it is.
    pub fn refusals(&self, question: &RuleQuestion, met: ObligationSet) -> BTreeSet<ReasonCode> {
        if self.basis(question, met).is_some() {
            return BTreeSet::new();
        }
        let answer = self.answer(question);
        // A permit whose obligations nobody meets.
        if answer.is_permit() { BTreeSet::from([ReasonCode::PolicyFault]) } else { answer.reasons }
    }

    fn about(&self, question: &RuleQuestion) -> impl Iterator<Item = &RuleInForce> {
        self.rules.iter().filter(|rule| rule.is_about(question.action, &question.resource))
    }

    /// Why nothing permits: what the permits that came closest lack.
    fn lacking(&self, question: &RuleQuestion) -> BTreeSet<ReasonCode> {
        let open = question.open();
        let lacking = closest(
            self.about(question)
                .filter(|rule| rule.effect == Effect::Permit)
                .map(|rule| rule.missing(|test| test.at(open) == Some(Truth::True))),
        );
        if !lacking.is_empty() {
            return lacking;
        }
        // No permit is about this action; perhaps one is about another.
        let target = target_of(&question.resource);
        let other = self.rules.iter().any(|rule| {
            rule.effect == Effect::Permit && target.is_some_and(|own| rule.targets.contains(own))
        });
        BTreeSet::from([if other {
            ReasonCode::InteractionNotForRole
        } else {
            ReasonCode::RoleWithoutClinicalData
        }])
    }

    /// Why nothing at all can be had for this purpose by somebody related like this; empty when
    /// something could. A limit on records alone is not counted: an entry about nobody may be had.
    pub fn hopeless(&self, standing: u8, purpose: PurposeOfUse) -> BTreeSet<ReasonCode> {
        self.shut(Open { standing, purpose, target: None, rest: None })
    }

    /// As [`Self::hopeless`], of records alone, with the limits on them.
    pub fn records_shut(&self, standing: u8, purpose: PurposeOfUse) -> BTreeSet<ReasonCode> {
        self.shut(Open { standing, purpose, target: Some(RuleTarget::Record), rest: None })
    }

    fn shut(&self, open: Open) -> BTreeSet<ReasonCode> {
        let about = || self.rules.iter().filter(|rule| rule.targets.contains(RuleTarget::Record));
        let forbidden: BTreeSet<ReasonCode> = about()
            .filter(|rule| rule.effect == Effect::Deny && rule.actions == OrgActionSet::all())
            .filter_map(|rule| match rule.applies(open) {
                Some(Truth::True) => Some(rule.reason),
                Some(Truth::Fault) => Some(ReasonCode::PolicyFault),
                Some(Truth::False) | None => None,
            })
            .collect();
        if !forbidden.is_empty() {
            return forbidden;
        }
        let permits = || about().filter(|rule| rule.effect == Effect::Permit);
        let could = |rule: &RuleInForce| rule.when.iter().all(|own| own.test.could_hold(open));
        if permits().any(could) {
            return BTreeSet::new();
        }
        let lacking = closest(permits().map(|rule| rule.missing(|test| test.could_hold(open))));
        if lacking.is_empty() {
            BTreeSet::from([ReasonCode::RoleWithoutClinicalData])
        } else {
            lacking
        }
    }

    /// The first reason of a permit that could let somebody related like this have some record.
    pub fn first_basis(&self, standing: u8, purpose: PurposeOfUse) -> Option<ReasonCode> {
        let open = Open { standing, purpose, target: Some(RuleTarget::Record), rest: None };
        self.rules
            .iter()
            .filter(|rule| rule.effect == Effect::Permit)
            .filter(|rule| rule.targets.contains(RuleTarget::Record))
            .filter(|rule| rule.when.iter().all(|own| own.test.could_hold(open)))
            .map(|rule| rule.reason)
            .min()
    }

    /// The purposes for which some record can be had by somebody related in one of these ways.
    pub fn purposes(&self) -> PurposeSet {
        let places = 0..self.standings.len();
        let standings: Vec<u8> = places.filter_map(|place| u8::try_from(place).ok()).collect();
        let lets = |purpose: &PurposeOfUse| {
            standings.iter().any(|standing| self.hopeless(*standing, *purpose).is_empty())
        };
        PurposeOfUse::ALL.iter().copied().filter(lets).collect()
    }

    /// The place of a way of being related.
    pub fn standing(&self, related: &Related) -> Option<u8> {
        let place = self.standings.iter().position(|own| own == related)?;
        u8::try_from(place).ok()
    }

    /// The place of what several ways of being related have in common.
    pub fn common(&self, mut standings: impl Iterator<Item = u8>) -> Option<u8> {
        let first = standings.next()?;
        standings.try_fold(first, |held, next| {
            if held == next {
                return Some(held);
            }
            let held = self.standings.get(usize::from(held))?;
            let next = self.standings.get(usize::from(next))?;
            self.standing(&in_common(held, next))
        })
    }
}

/// What two ways of being related have in common; of a fact that both have, the older.
pub fn in_common(one: &Related, other: &Related) -> Related {
    one.iter()
        .filter_map(|(relation, own)| {
            let second = other.get(relation)?;
            Some((*relation, older(*own, *second)))
        })
        .collect()
}

/// What holds in one of two ways of being related; of a fact that both have, the newer.
pub fn in_either(one: &Related, other: &Related) -> Related {
    let mut either = one.clone();
    for (relation, own) in other {
        either.entry(*relation).and_modify(|held| *held = newer(*held, *own)).or_insert(*own);
    }
    either
}

fn older(one: Provenance, other: Provenance) -> Provenance {
    if (one.age, one.source) >= (other.age, other.source) { one } else { other }
}

fn newer(one: Provenance, other: Provenance) -> Provenance {
    if (one.age, one.source) <= (other.age, other.source) { one } else { other }
}

/// These ways of being related with not at all, and all that some of them have in common; no more
/// than [`STANDINGS_MAX`].
pub fn standings_of(ways: impl IntoIterator<Item = Related>) -> Vec<Related> {
    let mut known = alloc::vec![Related::new()];
    let add = |known: &mut Vec<Related>, way: Related| {
        if known.len() < STANDINGS_MAX && !known.contains(&way) {
            known.push(way);
        }
    };
    for way in ways {
        add(&mut known, way);
    }
    let mut place = 1;
    while let Some(own) = known.get(place).cloned() {
        for other in known.clone().iter().take(place) {
            add(&mut known, in_common(&own, other));
        }
        place += 1;
    }
    known
}
