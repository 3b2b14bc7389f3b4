//! Directives compiled for one request: bits instead of texts, no allocation for a record.
//!
//! Knows how residual provisions become tests on bits, and how to run them. Everything that a record
//! can be asked by name is interned once, as an atom; a record is then turned into the bits of the
//! atoms that hold for it, and each provision compares bits. The answers are those of
//! [`super::evaluate`] and [`super::combine`], which a law holds it to.

mod index;
mod lower;
mod run;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::matching::Match;
use super::residual::left_of;
use super::{
    Coding, Combination, CombiningCode, Confidentiality, Directive, Outcome, Readability,
    RequestFacts, Residual, Rule, SensitivitySet, Who,
};
use crate::time::{At, Period};

/// LIMIT: names of records, authors, classes and codes in one plan. More do not fit its bits; the
/// caller then evaluates directly.
pub const ATOMS_MAX: usize = WORDS * 64;
const WORDS: usize = 16;

/// Why directives cannot be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// They name too many records, authors, classes and codes.
    #[error("directives name more than {ATOMS_MAX} records, people, classes and codes")]
    TooManyNames,
    /// They name too many labels of systems beyond HL7's.
    #[error("directives name more than 64 labels of other systems")]
    TooManyLabels,
}

/// The directives of one patient, compiled for one request.
#[derive(Debug, Clone)]
pub struct Plan {
    programs: Vec<Program>,
    atoms: Atoms,
    index: index::Index,
}

/// What can be asked of a record by name, and the bit of each.
#[derive(Debug, Clone, Default)]
struct Atoms {
    classes: BTreeMap<Coding, u16>,
    codes: BTreeMap<Coding, u16>,
    instance: BTreeMap<Who, u16>,
    refers_to: BTreeMap<Who, u16>,
    referred_by: BTreeMap<Who, u16>,
    authors: BTreeMap<Who, u16>,
    custodian: BTreeMap<Who, u16>,
    any_author: Option<u16>,
    any_custodian: Option<u16>,
    /// Labels of other systems have bits of their own.
    labels: BTreeMap<Coding, u8>,
    count: u16,
}

/// One bit for each atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bits([u64; WORDS]);

/// What a plan sees of a record. Made once for a record, by [`Plan::view`].
#[derive(Debug, Clone)]
pub struct RecordView {
    labels: Option<ViewedLabels>,
    clinical: Option<Period>,
    holds: Bits,
    unknown: Bits,
}

#[derive(Debug, Clone, Copy)]
struct ViewedLabels {
    level: Confidentiality,
    codes: SensitivitySet,
    foreign: u64,
    /// Of these, the ones that a permit has to cover: handling labels ask for nothing.
    sensitive: u64,
    /// A sensitive label of another system that no directive names, so that only a permit of
    /// everything covers it.
    unnamed: Unnamed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    None,
    Some,
}

#[derive(Debug, Clone)]
enum Program {
    Settled(Outcome),
    Tree { base: Option<Rule>, nodes: Box<[Node]> },
    Rules { code: CombiningCode, base: Option<Rule>, nodes: Box<[Node]> },
    Token { entries: Box<[Node]> },
}

#[derive(Debug, Clone)]
struct Node {
    rule: Rule,
    readable: Readability,
    /// What it asked of the request.
    asked: Match,
    period: Option<Period>,
    labels: Option<LabelTest>,
    /// Each must hold.
    groups: Box<[Group]>,
    /// What it covers as a permit.
    cover: Bitcover,
    children: Box<[Node]>,
}

/// Alternatives: any of these atoms, or what the request already gave.
#[derive(Debug, Clone)]
struct Group {
    given: Match,
    atoms: Box<[u16]>,
}

#[derive(Debug, Clone)]
struct LabelTest {
    /// A permit: at most this level; a deny: at least this level.
    level: Option<Confidentiality>,
    codes: SensitivitySet,
    /// Codes that a record may carry for what is denied.
    may: SensitivitySet,
    foreign: u64,
    /// What it says when it is not met: a code of a system that nobody knows, or no.
    otherwise: Match,
    /// What it says of a record without labels.
    unlabelled: Match,
}

/// What permits cover, in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bitcover {
    Everything,
    Only { codes: SensitivitySet, foreign: u64 },
}

impl Bitcover {
    const NOTHING: Self = Self::Only { codes: SensitivitySet::EMPTY, foreign: 0 };

    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Only { codes, foreign }, Self::Only { codes: more, foreign: more_foreign }) => {
                Self::Only { codes: codes.union(more), foreign: foreign | more_foreign }
            }
        }
    }

    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everything, cover) | (cover, Self::Everything) => cover,
            (
                Self::Only { codes, foreign },
                Self::Only { codes: others, foreign: other_foreign },
            ) => Self::Only { codes: codes.intersection(others), foreign: foreign & other_foreign },
        }
    }

    fn covers(self, labels: Option<ViewedLabels>) -> bool {
        match (self, labels) {
            (Self::Everything, _) => true,
            (Self::Only { .. }, None) => false,
            (Self::Only { codes, foreign }, Some(labels)) => {
                labels.codes.is_subset_of(codes)
                    && labels.sensitive & !foreign == 0
                    && labels.unnamed == Unnamed::None
            }
        }
    }
}

impl Bits {
    const NONE: Self = Self([0; WORDS]);

    fn set(&mut self, atom: u16) {
        if let Some(word) = self.0.get_mut(usize::from(atom / 64)) {
            *word |= 1 << (atom % 64);
        }
    }

    fn has(&self, atom: u16) -> bool {
        self.0.get(usize::from(atom / 64)).is_some_and(|word| word >> (atom % 64) & 1 == 1)
    }
}

impl Plan {
    /// Compiles the consents of one patient that are in force, each with when it was recorded.
    ///
    /// # Errors
    /// Says which bound the directives exceed together; they can still be evaluated directly.
    pub fn compile(
        consents: &[(At, &Directive)],
        how: Combination,
        request: &RequestFacts,
    ) -> Result<Self, PlanError> {
        let latest = match how {
            Combination::DenyOverrides => None,
            Combination::LatestWins => consents.iter().map(|(at, _)| *at).max(),
        };
        let mut lowering = lower::Lowering::new(request);
        let mut programs = Vec::with_capacity(consents.len());
        for (at, directive) in consents {
            if latest.is_none_or(|latest| *at == latest) {
                programs.push(lowering.program(left_of(directive, request))?);
            }
        }
        Ok(Self::made_of(programs, lowering))
    }

    /// Compiles what is left of directives, for the request that it was left by.
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub fn of_residuals(residuals: &[Residual], request: &RequestFacts) -> Result<Self, PlanError> {
        let mut lowering = lower::Lowering::new(request);
        let programs = residuals
            .iter()
            .map(|residual| lowering.program(residual.left()))
            .collect::<Result<Vec<Program>, PlanError>>()?;
        Ok(Self::made_of(programs, lowering))
    }

    fn made_of(mut programs: Vec<Program>, lowering: lower::Lowering<'_>) -> Self {
        programs.retain(|program| !program.is_silent());
        let atoms = lowering.into_atoms();
        let index = index::Index::of(&programs, usize::from(atoms.count), atoms.labels.len());
        Self { programs, atoms, index }
    }
}
