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
    /// A part that must fail.
    pub(super) fault: Option<&'a Arc<Atom>>,
    /// Policies that must not apply, by their parts.
    pub(super) absent: Vec<&'a [Arc<Atom>]>,
    /// Facts to go through although no part looks at them.
    pub(super) vary: Vec<Dim>,
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
    hold: &'a [&'a Arc<Atom>],
    fault: Option<&'a Arc<Atom>>,
    vary: &'a [Dim],
    /// Policies that must not apply and still could, by the parts that are not true anyway.
    absent: Vec<Vec<&'a Arc<Atom>>>,
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

/// `None` when there can be no case.
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
        hold: &query.hold,
        fault: query.fault,
        vary: &query.vary,
        absent: query.absent.iter().map(|policy| policy.iter().collect()).collect(),
        cases: None,
        order: Vec::new(),
        values,
        known: 0,
        steps: 0,
        point: Domain::ordinary(),
    };
    while search.narrow()? {}
    search.settle();
    search.order = search.ordered();
    Some(search)
}

impl Search<'_> {
    fn allowed(&self, dim: Dim) -> u64 {
        self.values.get(dim as usize).copied().unwrap_or(0)
    }

    /// For every fact that a part looks at, the values with which it can come out as wanted, while
    /// the others have any value that is looked at.
    fn support(&self, atom: &Atom, wanted: impl Fn(Truth) -> bool) -> Vec<u64> {
        let mut found = vec![0; atom.dims.len()];
        let mut point = self.point;
        self.try_all(&atom.dims, &mut point, &mut |point| {
            if wanted(atom.at(point)) {
                for (dim, mask) in atom.dims.iter().zip(&mut found) {
                    *mask |= 1 << point.get(*dim);
                }
            }
        });
        found
    }

    /// Every combination of values that are looked at, of these facts.
    fn try_all(&self, rest: &[Dim], point: &mut Point, see: &mut impl FnMut(&Point)) {
        let Some((dim, rest)) = rest.split_first() else { return see(point) };
        for value in members(self.allowed(*dim)) {
            point.set(*dim, value);
            self.try_all(rest, point, see);
        }
    }

    /// Whether a part can come out as wanted.
    fn can(&self, atom: &Atom, wanted: impl Fn(Truth) -> bool) -> bool {
        let (mut found, mut point) = (false, self.point);
        self.try_all(&atom.dims, &mut point, &mut |point| found |= wanted(atom.at(point)));
        found
    }

    /// Leaves out values with which a part cannot come out as it must. Says whether any was left
    /// out; `None` when a fact has no value left or a policy that must not apply always does.
    fn narrow(&mut self) -> Option<bool> {
        let mut kept: Vec<(Dim, u64)> = Vec::new();
        let mut keep = |atom: &Atom, masks: Vec<u64>| {
            kept.extend(atom.dims.iter().copied().zip(masks));
        };
        for atom in self.hold {
            keep(atom, self.support(atom, |truth| truth == Truth::True));
        }
        for atom in self.fault.iter().copied() {
            keep(atom, self.support(atom, |truth| truth == Truth::Fault));
        }
        let mut absent = Vec::new();
        for policy in &self.absent {
            if policy.iter().any(|atom| !self.can(atom, |truth| truth != Truth::False)) {
                continue;
            }
            let open: Vec<&Arc<Atom>> = policy
                .iter()
                .copied()
                .filter(|atom| self.can(atom, |truth| truth == Truth::False))
                .collect();
            match open.as_slice() {
                [] => return None,
                // Nothing else keeps the policy from applying, so this part must.
                [only] => keep(only, self.support(only, |truth| truth == Truth::False)),
                _ => {}
            }
            absent.push(open);
        }
        self.absent = absent;
        let mut changed = false;
        for (dim, mask) in kept {
            if let Some(own) = self.values.get_mut(dim as usize) {
                changed |= *own & !mask != 0;
                *own &= mask;
            }
        }
        (!self.values.contains(&0)).then_some(changed)
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

    /// The facts to go through: first those of policies that must not apply, the ones that look at
    /// the fewest combinations first, since they cut off most; then the rest.
    fn ordered(&self) -> Vec<Dim> {
        let combinations = |policy: &Vec<&Arc<Atom>>| {
            super::atom::dims_among(policy.iter().copied())
                .iter()
                .map(|dim| u64::from(self.allowed(*dim).count_ones()))
                .fold(1_u64, u64::saturating_mul)
        };
        let mut policies: Vec<&Vec<&Arc<Atom>>> = self.absent.iter().collect();
        policies.sort_by_key(|policy| combinations(policy));
        let absent = policies.into_iter().flat_map(|policy| self.dims(policy.iter().copied()));
        let rest = self.dims(self.hold.iter().copied().chain(self.fault));
        let mut order: Vec<Dim> = Vec::new();
        for dim in absent.chain(rest).chain(self.vary.iter().copied()) {
            if !order.contains(&dim) {
                order.push(dim);
            }
        }
        order
    }

    /// The facts that parts look at, fewest values first.
    fn dims<'b>(&self, atoms: impl Iterator<Item = &'b Arc<Atom>>) -> Vec<Dim> {
        let mut dims: Vec<Dim> = super::atom::dims_among(atoms).into_iter().collect();
        dims.sort_by_key(|dim| self.allowed(*dim).count_ones());
        dims
    }

    fn decided(&self, atom: &Atom) -> Option<Truth> {
        let all = atom.dims.iter().all(|dim| self.known & bit(*dim) != 0);
        all.then(|| atom.at(&self.point))
    }

    fn possible(&self) -> bool {
        let comes =
            |atom: &Arc<Atom>, wanted| self.decided(atom).is_none_or(|truth| truth == wanted);
        // A part that fails makes the whole answer a denial, as if its policy forbade; so only a
        // part that is false keeps a policy from applying.
        self.hold.iter().all(|atom| comes(atom, Truth::True))
            && self.fault.is_none_or(|atom| comes(atom, Truth::Fault))
            && self.absent.iter().all(|policy| policy.iter().any(|atom| comes(atom, Truth::False)))
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
