//! Looks for a case: values for every fact such that some parts are true and some policies do not
//! apply. Goes through all of them unless it finds one; parts that are decided early cut off
//! everything behind them.

use std::sync::Arc;

use super::atom::{Atom, Truth};
use super::domain::{DIMS, Dim, Domain, Point};

/// LIMIT: after so many steps the search gives up and says so. A set that cannot be decided does
/// not come into force.
const MAX_STEPS: u32 = 4_000_000;

/// What a case must be like.
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    /// Which values are looked at, for some facts; all of them for the others.
    pub(super) given: Vec<(Dim, u64)>,
    /// Parts that must be true.
    pub(super) hold: Vec<&'a Arc<Atom>>,
    /// Parts that must be neither false nor, with what came before them, anything but a fault.
    pub(super) fault: Option<&'a Arc<Atom>>,
    /// Policies that must not apply, by their parts.
    pub(super) absent: Vec<&'a [Arc<Atom>]>,
}

/// What the search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// There is a case.
    Case(Point),
    /// There is none.
    None,
    /// The search gave up.
    Undecided,
}

/// LIMIT: so many cases are listed at most.
const MAX_CASES: usize = 400_000;

struct Search<'a> {
    query: &'a Query<'a>,
    /// Where all cases are wanted, those found so far.
    cases: Option<Vec<Point>>,
    order: Vec<Dim>,
    values: [u64; DIMS.len()],
    known: u32,
    steps: u32,
    point: Point,
}

/// Every value of a dimension.
pub(super) fn every(size: usize) -> u64 {
    u32::try_from(size)
        .ok()
        .and_then(|size| 1_u64.checked_shl(size))
        .map_or(u64::MAX, |bit| bit - 1)
}

fn bit(dim: Dim) -> u32 {
    1 << (dim as u32)
}

/// Looks for a case.
pub(super) fn solve(domain: &Domain, query: &Query<'_>) -> Found {
    match prepare(domain, query) {
        None => Found::None,
        Some(mut search) => search.go(0),
    }
}

/// Every case; facts that nothing looks at keep their ordinary value. `None` when there are too
/// many.
pub(super) fn all_cases(domain: &Domain, query: &Query<'_>) -> Option<Vec<Point>> {
    let Some(mut search) = prepare(domain, query) else { return Some(Vec::new()) };
    search.cases = Some(Vec::new());
    match search.go(0) {
        Found::None => search.cases,
        Found::Case(_) | Found::Undecided => None,
    }
}

/// `None` when some fact has no value left.
fn prepare<'a>(domain: &Domain, query: &'a Query<'a>) -> Option<Search<'a>> {
    let mut values = [0_u64; DIMS.len()];
    for (dim, own) in DIMS.iter().zip(&mut values) {
        *own = every(domain.size(*dim));
        for (given, mask) in &query.given {
            if given == dim {
                *own &= mask;
            }
        }
    }
    let mut search = Search {
        query,
        cases: None,
        order: Vec::new(),
        values,
        known: 0,
        steps: 0,
        point: domain.ordinary(),
    };
    search.narrow();
    if search.values.contains(&0) {
        return None;
    }
    search.settle();
    search.order = search.ordered();
    Some(search)
}

impl Search<'_> {
    fn allowed(&self, dim: Dim) -> u64 {
        self.values.get(dim as usize).copied().unwrap_or(0)
    }

    /// Values that a part about one fact refuses are not looked at.
    fn narrow(&mut self) {
        for atom in &self.query.hold {
            if let [dim] = atom.dims.as_slice() {
                let mut kept = 0;
                for value in members(self.allowed(*dim)) {
                    let mut point = self.point;
                    point.set(*dim, value);
                    if atom.at(&point) == Truth::True {
                        kept |= 1 << value;
                    }
                }
                if let Some(own) = self.values.get_mut(*dim as usize) {
                    *own = kept;
                }
            }
        }
    }

    /// Facts that nothing looks at keep their ordinary value, or the first one looked at.
    fn settle(&mut self) {
        for dim in DIMS {
            let allowed = self.allowed(dim);
            if allowed & (1 << self.point.get(dim)) == 0
                && let Some(first) = members(allowed).next()
            {
                self.point.set(dim, first);
            }
        }
    }

    /// The facts to go through: first those that policies which must not apply look at, fewest
    /// values first, then the rest.
    fn ordered(&self) -> Vec<Dim> {
        let asked = |atoms: &[&Arc<Atom>]| {
            atoms.iter().flat_map(|atom| atom.dims.iter().copied()).collect::<Vec<_>>()
        };
        // A policy that some part already keeps from applying asks for nothing.
        let absent: Vec<&Arc<Atom>> = self
            .query
            .absent
            .iter()
            .filter(|policy| !policy.iter().any(|atom| self.never(atom)))
            .flat_map(|policy| policy.iter())
            .collect();
        let mut first = asked(&absent);
        let mut rest = asked(&self.query.hold);
        rest.extend(self.query.fault.iter().flat_map(|atom| atom.dims.iter().copied()));
        for dims in [&mut first, &mut rest] {
            dims.sort_by_key(|dim| (self.allowed(*dim).count_ones(), *dim));
        }
        let mut order: Vec<Dim> = Vec::new();
        for dim in first.into_iter().chain(rest) {
            if !order.contains(&dim) {
                order.push(dim);
            }
        }
        order
    }

    /// Whether a part about one fact is false for every value that is looked at.
    fn never(&self, atom: &Atom) -> bool {
        let [dim] = atom.dims.as_slice() else { return false };
        members(self.allowed(*dim)).all(|value| {
            let mut point = self.point;
            point.set(*dim, value);
            atom.at(&point) == Truth::False
        })
    }

    fn decided(&self, atom: &Atom) -> Option<Truth> {
        let all = atom.dims.iter().all(|dim| self.known & bit(*dim) != 0);
        all.then(|| atom.at(&self.point))
    }

    fn possible(&self) -> bool {
        let holds = self
            .query
            .hold
            .iter()
            .all(|atom| self.decided(atom).is_none_or(|truth| truth == Truth::True));
        let faults = self
            .query
            .fault
            .is_none_or(|atom| self.decided(atom).is_none_or(|truth| truth == Truth::Fault));
        // A part that fails makes the whole answer a denial, as if its policy forbade; so only a
        // part that is false keeps a policy from applying.
        let absent = self.query.absent.iter().all(|policy| {
            policy.iter().any(|atom| self.decided(atom).is_none_or(|truth| truth == Truth::False))
        });
        holds && faults && absent
    }

    fn go(&mut self, depth: usize) -> Found {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Found::Undecided;
        }
        if !self.possible() {
            return Found::None;
        }
        let Some(dim) = self.order.get(depth).copied() else {
            let Some(cases) = &mut self.cases else { return Found::Case(self.point) };
            cases.push(self.point);
            return if cases.len() > MAX_CASES { Found::Undecided } else { Found::None };
        };
        let before = self.point;
        self.known |= bit(dim);
        // The ordinary value first, so that a case is as plain as it can be.
        let ordinary = before.get(dim);
        let others = members(self.allowed(dim)).filter(|value| *value != ordinary);
        let usual = members(self.allowed(dim)).filter(|value| *value == ordinary);
        for value in usual.chain(others) {
            self.point.set(dim, value);
            match self.go(depth + 1) {
                Found::None => {}
                found @ (Found::Case(_) | Found::Undecided) => return found,
            }
        }
        self.point = before;
        self.known &= !bit(dim);
        Found::None
    }
}

/// The values in a mask.
pub(super) fn members(mask: u64) -> impl Iterator<Item = usize> {
    (0..64).filter(move |value| mask & (1 << value) != 0)
}
