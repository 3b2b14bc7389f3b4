//! IHE Privacy Consent on FHIR: a base with residual rules, and the token that carries them.
//!
//! The root says who may ask for what and when; that is settled when a token is issued. What the
//! root and its exceptions say of records is left over, as residual rules: a permit among them
//! overrides a forbid, and where nothing forbids, access is allowed. [`evaluate`] answers directly;
//! [`issue`] and [`PcfToken::enforce`] answer in two steps, and always the same.
//!
//! Source: IHE ITI PCF 1.1, ITI-71 (`ihe_pcf` extension), sections Basic, Intermediate, Advanced.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::evaluation::{Evaluation, Step, Trace, outside_profile};
use super::matching::{Attribute, PermitReach, attributes, is_readable};
use super::{
    ActorRole, Cover, DataClause, DataMeaning, Dialect, Directive, Label, Match, Outcome,
    Provision, Reading, RecordFacts, RequestFacts, Rule,
};
use crate::time::Period;

/// Whether a residual rule adds or takes away (IHE's words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResidualType {
    /// Withhold what matches.
    Forbid,
    /// Release what matches, whatever is forbidden.
    Permit,
}

/// One residual rule of an access token. Attributes are all required, values are alternatives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResidualEntry {
    /// Adds or takes away.
    pub rule: ResidualType,
    /// Security labels.
    pub labels: Vec<Label>,
    /// Clinical time.
    pub data_period: Option<Period>,
    /// Records by name.
    pub data: Vec<DataClause>,
}

/// What an authorization server says when a token is asked for under a directive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PcfAnswer {
    /// A token is issued, with these residual rules.
    Token(PcfToken),
    /// None is, for this reason.
    None(Outcome),
}

/// The leftover policy of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PcfToken {
    /// The residual rules; none forbids nothing.
    pub residual: Vec<ResidualEntry>,
}

const RECORD_ATTRIBUTES: [Attribute; 3] =
    [Attribute::DataPeriod, Attribute::Label, Attribute::Data];

fn is_about_record(attribute: Attribute) -> bool {
    RECORD_ATTRIBUTES.contains(&attribute)
}

/// The root and its exceptions; a directive with a base (FHIR R5) has its root in the base.
struct Shape<'a> {
    rule: Rule,
    root: Option<&'a Provision>,
    exceptions: &'a [Provision],
}

enum Shaped<'a> {
    Fits(Shape<'a>),
    Empty,
    Outside,
}

fn shape(directive: &Directive) -> Shaped<'_> {
    let shaped = match (directive.base(), directive.provisions()) {
        (None, []) => return Shaped::Empty,
        (None, [root]) => Shape { rule: root.rule, root: Some(root), exceptions: &root.children },
        (None, _) => return Shaped::Outside,
        (Some(rule), exceptions) => Shape { rule, root: None, exceptions },
    };
    let dialect = directive.dialect();
    let fits = shaped.exceptions.iter().all(|exception| exception.children.is_empty())
        && shaped.root.into_iter().chain(shaped.exceptions).all(|one| in_profile(one, dialect))
        && (dialect != Dialect::PcfBasic || shaped.exceptions.is_empty());
    if fits { Shaped::Fits(shaped) } else { Shaped::Outside }
}

/// What each profile allows in a provision. Class, code and action are allowed in none.
fn in_profile(provision: &Provision, dialect: Dialect) -> bool {
    let none_of_these = provision.classes.is_empty()
        && provision.codes.is_empty()
        && provision.actions.is_empty()
        && provision.actors.iter().all(|clause| clause.role == ActorRole::Recipient)
        && provision.data.iter().all(|clause| clause.meaning != DataMeaning::Dependents);
    let unlabelled = provision.labels.is_empty();
    let about_any_record = provision.data_period.is_none() && provision.data.is_empty();
    none_of_these
        && is_readable(provision)
        && match dialect {
            Dialect::PcfBasic => unlabelled && about_any_record,
            Dialect::PcfIntermediate => unlabelled,
            Dialect::FhirTree
            | Dialect::PcfAdvanced
            | Dialect::PcfImplicit
            | Dialect::Fast
            | Dialect::LatestWins
            | Dialect::Joint
            | Dialect::Permission(_) => true,
        }
}

fn part(attributes: &[(Attribute, Match)], about_record: bool) -> Match {
    attributes
        .iter()
        .filter(|(attribute, _)| is_about_record(*attribute) == about_record)
        .fold(Match::Yes, |all, (_, one)| all.and(*one))
}

fn limits_records(provision: &Provision) -> bool {
    provision.data_period.is_some() || !provision.labels.is_empty() || !provision.data.is_empty()
}

/// A residual permit that names no label covers every label, as a root that names none does.
fn entry_cover(labels: &[Label]) -> Cover {
    Cover::of_labels(labels, PermitReach::Tree).unwrap_or(Cover::Everything)
}

/// What residual rules say of one record.
#[derive(Default)]
struct Tally {
    permits: Option<Cover>,
    forbidden: bool,
    unclear: bool,
}

impl Tally {
    fn permit(&mut self, cover: Cover) {
        self.permits = Some(self.permits.take().unwrap_or_default().or(cover));
    }

    fn add(&mut self, rule: Rule, labels: &[Label], matched: Match) -> (Outcome, Step) {
        match (rule, matched) {
            (Rule::Permit | Rule::Deny, Match::No) => (Outcome::NotApplicable, Step::NotMatched),
            (Rule::Permit, Match::Yes) => {
                self.permit(entry_cover(labels));
                (Outcome::Permit, Step::OwnRule)
            }
            (Rule::Permit, Match::Unknown | Match::UnknownCode) => {
                (Outcome::NotApplicable, Step::UnknownAttribute)
            }
            (Rule::Deny, Match::Yes) => {
                self.forbidden = true;
                (Outcome::Deny, Step::OwnRule)
            }
            (Rule::Deny, Match::Unknown) => {
                self.forbidden = true;
                (Outcome::Deny, Step::DeniedAsUnknown)
            }
            (Rule::Deny, Match::UnknownCode) => {
                self.unclear = true;
                (Outcome::Indeterminate, Step::UnknownCode)
            }
        }
    }

    /// A permit overrides a forbid; where nothing forbids, access is allowed.
    fn settle(self) -> (Outcome, Cover, Step) {
        match self.permits {
            _ if !self.forbidden && !self.unclear => {
                (Outcome::Permit, Cover::Everything, Step::NothingForbids)
            }
            Some(cover) => (Outcome::Permit, cover, Step::RulePermits),
            None if self.forbidden => (Outcome::Deny, Cover::Nothing, Step::Forbidden),
            None => (Outcome::Indeterminate, Cover::Nothing, Step::UnknownCode),
        }
    }
}

/// Whether an exception applies to a request and a record.
///
/// A forbid whose condition on the request is unclear goes into the token as a forbid.
fn exception_applies(rule: Rule, found: &[(Attribute, Match)]) -> Match {
    let asked = match (part(found, false), rule) {
        (Match::Unknown | Match::UnknownCode, Rule::Deny) => Match::Unknown,
        (asked, Rule::Permit | Rule::Deny) => asked,
    };
    asked.and(part(found, true))
}

/// Evaluates a directive as IHE PCF reads it.
pub(super) fn evaluate(
    directive: &Directive,
    request: &RequestFacts,
    record: &RecordFacts,
) -> Evaluation {
    let dialect = directive.dialect();
    let shape = match shape(directive) {
        Shaped::Fits(shape) => shape,
        Shaped::Empty => {
            return Evaluation {
                said: Outcome::NotApplicable,
                step: Step::NothingApplies,
                ..outside_profile(dialect)
            };
        }
        Shaped::Outside => return outside_profile(dialect),
    };
    let found_in = |provision| attributes(provision, request, record, Reading::PCF);
    let at_root = shape.root.map_or(Vec::new(), found_in);
    let (applies, limit) = (part(&at_root, false), part(&at_root, true));
    let mut tally = Tally::default();
    let mut traces = Vec::new();
    for (index, exception) in (0u16..).zip(shape.exceptions) {
        let attributes = found_in(exception);
        let matched = exception_applies(exception.rule, &attributes);
        let (outcome, step) = tally.add(exception.rule, &exception.labels, matched);
        let path = if shape.root.is_some() { alloc::vec![0, index] } else { alloc::vec![index] };
        traces.push(Trace {
            path,
            rule: exception.rule,
            matched,
            attributes,
            outcome,
            step,
            exceptions: Vec::new(),
        });
    }
    let (said, cover, step) = match settle_root(&shape, applies) {
        Issue::Refused(outcome) => (outcome, Cover::Nothing, refusal_step(outcome)),
        Issue::Token => {
            let limited = shape.root.filter(|root| limits_records(root));
            if let (Rule::Permit, Some(root), Match::Yes) = (shape.rule, limited, limit) {
                tally.permit(entry_cover(&root.labels));
            }
            tally.forbidden |= shape.rule == Rule::Deny || limited.is_some();
            tally.settle()
        }
    };
    let provisions = match shape.root {
        None => traces,
        Some(root) => alloc::vec![Trace {
            path: alloc::vec![0],
            rule: root.rule,
            matched: applies.and(limit),
            attributes: at_root,
            outcome: said,
            step,
            exceptions: traces,
        }],
    };
    Evaluation { dialect, said, cover, step, provisions }
}

enum Issue {
    Token,
    Refused(Outcome),
}

const fn refusal_step(outcome: Outcome) -> Step {
    match outcome {
        Outcome::NotApplicable => Step::NotMatched,
        Outcome::Deny => Step::DeniedAsUnknown,
        Outcome::Permit | Outcome::Indeterminate => Step::UnknownCode,
    }
}

/// Whether a token is issued at all.
fn settle_root(shape: &Shape<'_>, applies: Match) -> Issue {
    let has_forbids = shape.root.is_some_and(limits_records)
        || shape.exceptions.iter().any(|exception| exception.rule == Rule::Deny);
    match (shape.rule, applies) {
        (Rule::Permit | Rule::Deny, Match::Yes) => Issue::Token,
        (Rule::Permit | Rule::Deny, Match::No) => Issue::Refused(Outcome::NotApplicable),
        // The root may apply, and with it what it forbids: all beyond its limits, and exceptions.
        (Rule::Permit, Match::Unknown | Match::UnknownCode) if has_forbids => {
            Issue::Refused(Outcome::Indeterminate)
        }
        (Rule::Permit, Match::Unknown | Match::UnknownCode) => {
            Issue::Refused(Outcome::NotApplicable)
        }
        (Rule::Deny, Match::Unknown) => Issue::Refused(Outcome::Deny),
        (Rule::Deny, Match::UnknownCode) => Issue::Refused(Outcome::Indeterminate),
    }
}

/// Issues a token for a request, or says why none is.
///
/// Only what concerns records is left over; everything about the request is settled here. The
/// token holds for the purpose that was asked for and no other.
pub fn issue(directive: &Directive, request: &RequestFacts) -> PcfAnswer {
    if !directive.unreadable().is_empty() {
        return PcfAnswer::None(Outcome::Indeterminate);
    }
    let shape = match shape(directive) {
        Shaped::Fits(shape) => shape,
        Shaped::Empty => return PcfAnswer::None(Outcome::NotApplicable),
        Shaped::Outside => return PcfAnswer::None(Outcome::Indeterminate),
    };
    // The profile names recipients alone, so nothing asked here depends on a record.
    let nobody = RecordFacts::UNKNOWN;
    let asks =
        |provision: &Provision| part(&attributes(provision, request, &nobody, Reading::PCF), false);
    match settle_root(&shape, shape.root.map_or(Match::Yes, asks)) {
        Issue::Refused(outcome) => return PcfAnswer::None(outcome),
        Issue::Token => {}
    }
    let entry = |rule, provision: &Provision| ResidualEntry {
        rule,
        labels: provision.labels.clone(),
        data_period: provision.data_period,
        data: provision.data.clone(),
    };
    let mut residual = Vec::new();
    let limited = shape.root.filter(|root| limits_records(root));
    if shape.rule == Rule::Deny || limited.is_some() {
        residual.push(entry(ResidualType::Forbid, &Provision::new(Rule::Deny)));
    }
    if let (Rule::Permit, Some(root)) = (shape.rule, limited) {
        residual.push(entry(ResidualType::Permit, root));
    }
    for exception in shape.exceptions {
        match (exception.rule, asks(exception)) {
            (_, Match::No) | (Rule::Permit, Match::Unknown | Match::UnknownCode) => {}
            (Rule::Permit, Match::Yes) => residual.push(entry(ResidualType::Permit, exception)),
            (Rule::Deny, Match::Yes | Match::Unknown | Match::UnknownCode) => {
                residual.push(entry(ResidualType::Forbid, exception));
            }
        }
    }
    PcfAnswer::Token(PcfToken { residual })
}

impl PcfToken {
    /// What the residual rules say of a record, and what the permits among them cover.
    ///
    /// `request` is asked only for the code systems that this site understands.
    pub fn enforce(&self, request: &RequestFacts, record: &RecordFacts) -> (Outcome, Cover) {
        let mut tally = Tally::default();
        for entry in &self.residual {
            let rule = match entry.rule {
                ResidualType::Forbid => Rule::Deny,
                ResidualType::Permit => Rule::Permit,
            };
            let provision = Provision {
                labels: entry.labels.clone(),
                data_period: entry.data_period,
                data: entry.data.clone(),
                ..Provision::new(rule)
            };
            let matched = part(&attributes(&provision, request, record, Reading::PCF), true);
            tally.add(rule, &entry.labels, matched);
        }
        let (said, cover, _) = tally.settle();
        (said, cover)
    }
}
