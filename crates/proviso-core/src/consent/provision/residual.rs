//! What is left of a directive once the request is known: conditions on records alone.
//!
//! Knows how a request is taken out of a directive. The result is data: a search narrows by it, an
//! IHE token carries it, and [`super::Plan`] is made from it and nothing else.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::evaluation::evaluate;
use super::matching::{actors_by_request, asked, is_about_record, is_readable};
use super::pcf::{PcfAnswer, issue};
use super::tree::is_deeper_than;
use super::{
    CombiningCode, Dialect, Directive, Match, Outcome, PcfToken, PermitReach, Provision, Reading,
    RecordFacts, RequestFacts, Rule,
};

/// A directive without its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residual {
    /// The answer is the same for every record.
    Settled(Outcome),
    /// A tree of exceptions.
    Tree {
        /// What holds where no provision speaks.
        base: Option<Rule>,
        /// The provisions that may apply.
        provisions: Vec<ResidualProvision>,
    },
    /// Rules under a combining code; the condition of one includes those above it.
    Rules {
        /// How they combine.
        code: CombiningCode,
        /// Whether a permit of a sensitivity code reaches the codes under it.
        reach: PermitReach,
        /// What holds where no rule speaks.
        base: Option<Rule>,
        /// The rules that may apply.
        provisions: Vec<ResidualProvision>,
    },
    /// The residual rules of IHE PCF.
    Token(PcfToken),
}

/// A provision without its request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResidualProvision {
    /// Whether what it asks of the request holds; never `no`, for then it is left out.
    pub asked: Match,
    /// Whether an actor in the request's roles may be enough already; only of a deny.
    pub actor_may_match: Match,
    /// What it asks of a record. Attributes of the request and exceptions are empty here.
    pub record: Provision,
    /// Whether it can be read at all.
    pub readable: Readability,
    /// Its exceptions.
    pub exceptions: Vec<Self>,
}

/// Whether a provision can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Readability {
    /// It can.
    Readable,
    /// A part of it cannot, or its period is reversed: it is indeterminate for every record.
    Unreadable,
}

/// A provision without its request, by reference: what a residual is made of, and read as.
pub(super) struct Reduced<'a> {
    pub(super) asked: Match,
    pub(super) actor_may_match: Match,
    pub(super) readable: Readability,
    /// Only its rule and what it asks of a record is looked at.
    pub(super) record: &'a Provision,
    pub(super) exceptions: Exceptions<'a>,
}

/// Exceptions whose request is taken out when they are looked at, or was before.
#[derive(Clone, Copy)]
pub(super) enum Exceptions<'a> {
    Whole(&'a [Provision], &'a RequestFacts),
    Left(&'a [ResidualProvision]),
}

impl<'a> Exceptions<'a> {
    /// Those that may apply.
    pub(super) fn iter(self) -> impl Iterator<Item = Reduced<'a>> {
        let (whole, left): (&'a [Provision], &'a [ResidualProvision]) = match self {
            Self::Whole(provisions, _) => (provisions, &[]),
            Self::Left(provisions) => (&[], provisions),
        };
        let request = match self {
            Self::Whole(_, request) => Some(request),
            Self::Left(_) => None,
        };
        let taken = whole.iter().filter_map(move |it| request.and_then(|asked| reduce(it, asked)));
        taken.chain(left.iter().map(ResidualProvision::reduced))
    }

    fn owned(self) -> Vec<ResidualProvision> {
        self.iter().map(|reduced| reduced.owned()).collect()
    }
}

impl Reduced<'_> {
    fn owned(&self) -> ResidualProvision {
        let whole = self.record;
        let empty = Provision::new(whole.rule);
        let record = match self.readable {
            // Nothing of it is relied on; it is unreadable for every record.
            Readability::Unreadable => empty,
            Readability::Readable => Provision {
                data_period: whole.data_period,
                actors: whole
                    .actors
                    .iter()
                    .filter(|clause| is_about_record(&clause.role))
                    .cloned()
                    .collect(),
                labels: whole.labels.clone(),
                classes: whole.classes.clone(),
                codes: whole.codes.clone(),
                data: whole.data.clone(),
                ..empty
            },
        };
        ResidualProvision {
            asked: self.asked,
            actor_may_match: self.actor_may_match,
            record,
            readable: self.readable,
            exceptions: self.exceptions.owned(),
        }
    }
}

impl ResidualProvision {
    pub(super) fn reduced(&self) -> Reduced<'_> {
        Reduced {
            asked: self.asked,
            actor_may_match: self.actor_may_match,
            readable: self.readable,
            record: &self.record,
            exceptions: Exceptions::Left(&self.exceptions),
        }
    }
}

/// A residual, by reference.
pub(super) enum Left<'a> {
    Settled(Outcome),
    Tree {
        base: Option<Rule>,
        provisions: Exceptions<'a>,
    },
    Rules {
        code: CombiningCode,
        reach: PermitReach,
        base: Option<Rule>,
        provisions: Exceptions<'a>,
    },
    Token(PcfToken),
}

/// Takes the request out of a directive.
pub(super) fn left_of<'a>(directive: &'a Directive, request: &'a RequestFacts) -> Left<'a> {
    let dialect = directive.dialect();
    let outside = dialect == Dialect::Fast && is_deeper_than(directive, 2);
    if outside || !directive.unreadable().is_empty() {
        return Left::Settled(evaluate(directive, request, &RecordFacts::UNKNOWN).said);
    }
    let provisions = Exceptions::Whole(directive.provisions(), request);
    let base = directive.base();
    let rules = |code, reading: Reading| Left::Rules {
        code,
        reach: reading.permits_reach,
        base,
        provisions,
    };
    match dialect {
        Dialect::FhirTree | Dialect::LatestWins | Dialect::Fast => Left::Tree { base, provisions },
        Dialect::PcfBasic
        | Dialect::PcfIntermediate
        | Dialect::PcfAdvanced
        | Dialect::PcfImplicit => match issue(directive, request) {
            PcfAnswer::Token(token) => Left::Token(token),
            PcfAnswer::None(outcome) => Left::Settled(outcome),
        },
        Dialect::Joint => rules(CombiningCode::DenyOverrides, Reading::JOINT),
        Dialect::Permission(code) => rules(code, Reading::HL7),
    }
}

impl Residual {
    /// Takes the request out of a directive.
    pub fn of(directive: &Directive, request: &RequestFacts) -> Self {
        match left_of(directive, request) {
            Left::Settled(outcome) => Self::Settled(outcome),
            Left::Tree { base, provisions } => Self::Tree { base, provisions: provisions.owned() },
            Left::Rules { code, reach, base, provisions } => {
                Self::Rules { code, reach, base, provisions: provisions.owned() }
            }
            Left::Token(token) => Self::Token(token),
        }
    }

    pub(super) fn left(&self) -> Left<'_> {
        match self {
            Self::Settled(outcome) => Left::Settled(*outcome),
            Self::Tree { base, provisions } => {
                Left::Tree { base: *base, provisions: Exceptions::Left(provisions) }
            }
            Self::Rules { code, reach, base, provisions } => Left::Rules {
                code: *code,
                reach: *reach,
                base: *base,
                provisions: Exceptions::Left(provisions),
            },
            Self::Token(token) => Left::Token(token.clone()),
        }
    }
}

fn reduce<'a>(provision: &'a Provision, request: &'a RequestFacts) -> Option<Reduced<'a>> {
    let reduced = |asked, actor_may_match, readable| Reduced {
        asked,
        actor_may_match,
        readable,
        record: provision,
        exceptions: Exceptions::Whole(&provision.children, request),
    };
    if !is_readable(provision) {
        return Some(reduced(Match::UnknownCode, Match::No, Readability::Unreadable));
    }
    let (by_actors, actor_may_match) = actors_by_request(provision, request);
    let asked =
        if by_actors == Match::No { Match::No } else { by_actors.and(asked(provision, request)) };
    (asked != Match::No).then(|| reduced(asked, actor_may_match, Readability::Readable))
}
