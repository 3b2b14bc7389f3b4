//! What is left of a directive once the request is known: conditions on records alone.
//!
//! Knows how a request is taken out of a directive. The result is data: a search narrows by it, an
//! IHE token carries it, and [`super::Plan`] is made from it and nothing else.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::evaluation::evaluate;
use super::matching::{actors_by_request, asked, is_readable};
use super::pcf::{PcfAnswer, issue};
use super::tree::is_deeper_than;
use super::{
    ActorClause, CombiningCode, Dialect, Directive, Match, Outcome, PcfToken, PermitReach,
    Provision, Reading, RecordFacts, RequestFacts, Rule,
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

impl Residual {
    /// Takes the request out of a directive.
    pub fn of(directive: &Directive, request: &RequestFacts) -> Self {
        let dialect = directive.dialect();
        let outside = dialect == Dialect::Fast && is_deeper_than(directive, 2);
        if outside || !directive.unreadable().is_empty() {
            return Self::Settled(evaluate(directive, request, &RecordFacts::UNKNOWN).said);
        }
        let rules = |code, reading: Reading| Self::Rules {
            code,
            reach: reading.permits_reach,
            base: directive.base(),
            provisions: reduce_all(directive.provisions(), request),
        };
        match dialect {
            Dialect::FhirTree | Dialect::LatestWins | Dialect::Fast => Self::Tree {
                base: directive.base(),
                provisions: reduce_all(directive.provisions(), request),
            },
            Dialect::PcfBasic
            | Dialect::PcfIntermediate
            | Dialect::PcfAdvanced
            | Dialect::PcfImplicit => match issue(directive, request) {
                PcfAnswer::Token(token) => Self::Token(token),
                PcfAnswer::None(outcome) => Self::Settled(outcome),
            },
            Dialect::Joint => rules(CombiningCode::DenyOverrides, Reading::JOINT),
            Dialect::Permission(code) => rules(code, Reading::HL7),
        }
    }
}

fn reduce_all(provisions: &[Provision], request: &RequestFacts) -> Vec<ResidualProvision> {
    provisions.iter().filter_map(|provision| reduce(provision, request)).collect()
}

fn reduce(provision: &Provision, request: &RequestFacts) -> Option<ResidualProvision> {
    let exceptions = || reduce_all(&provision.children, request);
    let empty = Provision::new(provision.rule);
    if !is_readable(provision) {
        // Nothing of it is relied on; it is unreadable for every record.
        let record = Provision { unreadable: provision.unreadable.clone(), ..empty };
        return Some(ResidualProvision {
            asked: Match::UnknownCode,
            actor_may_match: Match::No,
            record,
            readable: Readability::Unreadable,
            exceptions: exceptions(),
        });
    }
    let (actors_asked, actor_may_match, actors): (Match, Match, Vec<ActorClause>) =
        actors_by_request(provision, request);
    let asked = asked(provision, request).and(actors_asked);
    (asked != Match::No).then(|| ResidualProvision {
        asked,
        actor_may_match,
        record: Provision {
            data_period: provision.data_period,
            actors,
            labels: provision.labels.clone(),
            classes: provision.classes.clone(),
            codes: provision.codes.clone(),
            data: provision.data.clone(),
            ..empty
        },
        readable: Readability::Readable,
        exceptions: exceptions(),
    })
}
