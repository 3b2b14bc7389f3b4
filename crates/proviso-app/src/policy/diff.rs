//! What changes when one set takes the place of another, as lines that a person can read.
//!
//! Compared are all combinations of who, purpose, interaction, relation, resource and labels, and of
//! the facts that the changed policies look at, or the permits that a changed limit meets; every
//! other fact is as on an ordinary day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proviso_core::account::ActorKind;
use proviso_core::decision::Effect;
use proviso_core::org::{Age, Mode, Obligation, OrgAction, Relation};
use serde::Serialize;

use super::analyse::Tabled;
use super::atom::{Atom, Tables, dims_among};
use super::compile::PolicySet;
use super::domain::{DIMS, Dim, Domain, Kind, Point, mask_of};
use super::finding::Finding;
use super::solve::{Query, all_cases, every, members};
use super::wording::noun;

/// The facts of the access matrix: gone through and told in every difference.
const TOLD: [Dim; 6] =
    [Dim::Persona, Dim::Purpose, Dim::Action, Dim::Relation, Dim::Record, Dim::Labels];

/// How a decision changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was refused and is allowed.
    Opens,
    /// It was allowed and is refused.
    Closes,
    /// It stays allowed, with other obligations.
    Obligations,
}

/// One difference: a group of cases whose decision changes in the same way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// How it changes.
    pub change: Change,
    /// How many cases.
    pub cases: u64,
    /// Which, in words.
    pub text: String,
}

/// The differences between two sets.
///
/// # Errors
/// Why the sets cannot be compared.
pub fn compare(before: &PolicySet, after: &PolicySet) -> Result<Vec<Difference>, Vec<Finding>> {
    let mut names = before.names();
    let others = after.names();
    names.departments.extend(others.departments);
    names.places.extend(others.places);
    names.types.extend(others.types);
    names.longs.extend(others.longs);
    let too_wide = || {
        let text = "the sets name or change too much to be compared case by case";
        vec![Finding::new(super::finding::FindingCode::TooWide, None, text)]
    };
    let domain = Domain::new(&names).ok_or_else(too_wide)?;
    let mut findings = Vec::new();
    // Both are written against one schema, so they share the tables of what they have in common.
    let mut tables = Tables::new(&domain, &after.words);
    let old = before.tabled(&mut tables, &mut findings);
    let new = after.tabled(&mut tables, &mut findings);
    let (Some(old), Some(new)) = (old, new) else { return Err(findings) };
    let comparison = Comparison { domain: &domain, old: &old, new: &new };
    let mut changed: BTreeMap<Change, BTreeSet<Point>> = BTreeMap::new();
    for query in comparison.queries() {
        for point in all_cases(&domain, &query).ok_or_else(too_wide)? {
            if let Some(change) = comparison.change(&point) {
                changed.entry(change).or_default().insert(point);
            }
        }
    }
    let lines = changed.into_iter().flat_map(|(change, points)| {
        let cubes = factor(&points);
        cubes.into_iter().map(move |cube| (change, cube)).collect::<Vec<_>>()
    });
    let mut found: Vec<Difference> = lines
        .map(|(change, cube)| Difference {
            change,
            cases: cube.iter().map(|mask| u64::from(mask.count_ones())).product(),
            text: tell(&domain, &cube),
        })
        .collect();
    found.sort();
    Ok(found)
}

struct Comparison<'a> {
    domain: &'a Domain,
    old: &'a [Tabled],
    new: &'a [Tabled],
}

impl<'a> Comparison<'a> {
    /// Policies that only one of the sets has.
    fn changed(&self) -> impl Iterator<Item = &'a Tabled> {
        let missing = |from: &'a [Tabled], other: &'a [Tabled]| {
            from.iter().filter(move |own| !other.iter().any(|other| same(own, other)))
        };
        missing(self.old, self.new).chain(missing(self.new, self.old))
    }

    fn queries(&self) -> Vec<Query<'a>> {
        let permits: Vec<&Tabled> = self
            .old
            .iter()
            .chain(self.new)
            .filter(|own| own.rule.effect == Effect::Permit)
            .collect();
        let mut queries = Vec::new();
        for changed in self.changed() {
            match changed.rule.effect {
                Effect::Permit => queries.push(Self::query(changed.atoms.iter().collect())),
                Effect::Deny => {
                    for permit in &permits {
                        let both = changed.atoms.iter().chain(&permit.atoms).collect();
                        queries.push(Self::query(both));
                    }
                }
            }
        }
        queries
    }

    /// Who asks in which mode with how fresh roles is not varied, unless a condition looks at it.
    fn query(hold: Vec<&'a Arc<Atom>>) -> Query<'a> {
        let about_roles = |atom: &Atom| atom.dims.contains(&Dim::Persona);
        let looked_at = dims_among(hold.iter().copied().filter(|atom| !about_roles(atom)));
        let ordinary = Domain::ordinary();
        let given = [Dim::RoleFacts, Dim::Departments]
            .into_iter()
            .filter(|dim| !looked_at.contains(dim))
            .map(|dim| (dim, 1_u64 << ordinary.get(dim)))
            .collect();
        Query { given, hold, vary: TOLD.to_vec(), ..Query::default() }
    }

    fn change(&self, point: &Point) -> Option<Change> {
        if !self.domain.is_usual(point) {
            return None;
        }
        let (old, new) = (decide(self.old, point), decide(self.new, point));
        match (old, new) {
            (None, Some(_)) => Some(Change::Opens),
            (Some(_), None) => Some(Change::Closes),
            (Some(old), Some(new)) if old != new => Some(Change::Obligations),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// Whether two policies are the same, whatever their names and reasons.
fn same(one: &Tabled, other: &Tabled) -> bool {
    let bare = |own: &Tabled| {
        let mut json = own.rule.json.clone();
        if let Some(fields) = json.as_object_mut() {
            fields.remove("annotations");
        }
        (json, own.rule.obligations.clone())
    };
    bare(one) == bare(other)
}

/// The obligations of a permit, or `None` for a denial.
fn decide(policies: &[Tabled], point: &Point) -> Option<BTreeSet<Obligation>> {
    let applying: Vec<&Tabled> = policies.iter().filter(|own| own.applies(point)).collect();
    if applying.is_empty() || applying.iter().any(|own| own.rule.effect == Effect::Deny) {
        return None;
    }
    Some(applying.iter().flat_map(|own| own.rule.obligations.iter().copied()).collect())
}

/// For every fact the values of a group of cases.
type Cube = [u64; DIMS.len()];

/// Puts cases together that differ in one fact only, fact by fact.
fn factor(points: &BTreeSet<Point>) -> Vec<Cube> {
    let mut cubes: Vec<Cube> =
        points.iter().map(|point| DIMS.map(|dim| 1_u64 << point.get(dim))).collect();
    for dim in DIMS {
        let mut merged: BTreeMap<Cube, u64> = BTreeMap::new();
        for cube in &cubes {
            let mut rest = *cube;
            if let Some(own) = rest.get_mut(dim as usize) {
                *merged
                    .entry({
                        *own = 0;
                        rest
                    })
                    .or_default() |= cube.get(dim as usize).copied().unwrap_or(0);
            }
        }
        cubes = merged
            .into_iter()
            .map(|(mut cube, mask)| {
                if let Some(own) = cube.get_mut(dim as usize) {
                    *own = mask;
                }
                cube
            })
            .collect();
    }
    cubes
}

/// A group of cases in words. What is as on an ordinary day is not said.
fn tell(domain: &Domain, cube: &Cube) -> String {
    let ordinary = Domain::ordinary();
    let mut words = Vec::new();
    for (dim, mask) in DIMS.iter().zip(cube) {
        let all = every(domain.size(*dim));
        if !TOLD.contains(dim) && *mask == 1 << ordinary.get(*dim) {
            continue;
        }
        let told = if *mask == all {
            format!("any {}", noun(*dim))
        } else {
            domain.words(*dim, *mask).join(" or ")
        };
        words.push(told);
    }
    words.join("; ")
}

/// The values of a mask among which a group of values has one word, and those that are left.
fn grouped(words: &mut Vec<String>, mask: u64, group: u64, word: &str) -> u64 {
    if group != 0 && mask & group == group {
        words.push(word.to_owned());
        return mask & !group;
    }
    mask
}

impl Domain {
    /// Several values of a dimension in words; values that always go together have one word.
    fn words(&self, dim: Dim, mask: u64) -> Vec<String> {
        let (mut words, mut rest) = (Vec::new(), mask);
        match dim {
            Dim::Action => {
                let of = |wanted: fn(&OrgAction) -> bool| mask_of(OrgAction::ALL, wanted);
                rest = grouped(&mut words, rest, of(|own| own.is_view()), "view");
                rest = grouped(&mut words, rest, of(|own| own.is_change()), "change");
            }
            Dim::Record => {
                let records = mask_of(&self.records, |own| matches!(own, Kind::Record(..)));
                rest = grouped(&mut words, rest, records, "any record");
            }
            Dim::Relation => {
                for relation in Relation::ALL {
                    // The longest run of ages that begins now.
                    for age in Age::ALL.iter().rev() {
                        let run = mask_of(&self.relations, |own| {
                            own.is_some_and(|(own, known)| own == *relation && known <= *age)
                        });
                        let word = match age {
                            Age::Now => relation.code().to_owned(),
                            Age::Older => format!("{relation} of any age"),
                            Age::Minute | Age::Quarter | Age::Hour | Age::Day => {
                                format!("{relation} known for at most {age}")
                            }
                        };
                        rest = grouped(&mut words, rest, run, &word);
                    }
                }
            }
            Dim::Persona
            | Dim::RoleFacts
            | Dim::Departments
            | Dim::Mode
            | Dim::Purpose
            | Dim::Labels
            | Dim::Named
            | Dim::Tenant
            | Dim::Token
            | Dim::Network
            | Dim::Place
            | Dim::Device
            | Dim::Auth
            | Dim::Hour
            | Dim::Weekday
            | Dim::Emergency
            | Dim::Minutes
            | Dim::EmergencyPatient => {}
        }
        words.extend(members(rest).map(|value| self.word(dim, value)));
        words
    }

    /// Whether the one who asks does so in their usual mode: patients and proxies in the portal or
    /// through an app, services as services, everybody else as staff.
    fn is_usual(&self, point: &Point) -> bool {
        let mode = Mode::ALL.get(point.get(Dim::Mode));
        let persona = self.personas.get(point.get(Dim::Persona));
        let (Some(mode), Some(persona)) = (mode, persona) else { return false };
        match persona.kind {
            ActorKind::Patient | ActorKind::Proxy => {
                matches!(mode, Mode::OwnRecord | Mode::PatientDirected)
            }
            ActorKind::System => *mode == Mode::PreAuthorized,
            ActorKind::Clinician
            | ActorKind::Nurse
            | ActorKind::Staff
            | ActorKind::PrivacyOfficer
            | ActorKind::Administrator
            | ActorKind::SupportAgent => *mode == Mode::Operational,
        }
    }
}
