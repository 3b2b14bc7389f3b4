//! One directive under several readings, over the finite grid that its own values span.
//!
//! What a directive distinguishes is what it names, so trying each named value, and one that it does
//! not name, tries everything it can say. Knows how the grid is spanned and how answers are compared;
//! the words for a difference are the caller's.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::matching::ACTION_SYSTEM;
use super::{
    ActorRole, Coding, Confidentiality, Dialect, Directive, Fact, Fallback, Identities, Label,
    LabelSet, Outcome, Provision, Purpose, PurposeCode, RecordFacts, RequestFacts, Rule,
    Sensitivity, Who, decide, evaluate,
};
use crate::time::{At, Period};

/// LIMIT: cases looked at for one directive. Beyond it, every pair of values is still tried.
pub const CASES_MAX: usize = 8192;
/// LIMIT: provisions looked at under one reading, so that a large directive tries fewer cases.
const WORK_MAX: usize = CASES_MAX * 8;
/// LIMIT: differences told. One for each way in which the readings part is enough for a warning.
pub const DIFFERENCES_MAX: usize = 16;
/// LIMIT: values tried for one attribute, the first that are named.
const VALUES_MAX: usize = 12;

/// A concrete case on which readings of one directive part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Who asks, what for and when.
    pub request: RequestFacts,
    /// For what.
    pub record: RecordFacts,
    /// What each reading says, and what follows from it.
    pub answers: Vec<(Dialect, Outcome, Rule)>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// How many cases were looked at.
    pub cases: usize,
    /// One case for each way in which the readings part.
    pub differences: Vec<Difference>,
}

/// Evaluates a directive under every given reading over its grid.
///
/// Readings differ where one releases what another withholds, with `fallback` where nothing speaks.
pub fn compare(directive: &Directive, dialects: &[Dialect], fallback: Fallback) -> Comparison {
    let grid = Grid::of(directive);
    let readings: Vec<Directive> = dialects.iter().map(|it| directive.under(*it)).collect();
    let mut parted: BTreeSet<Vec<Rule>> = BTreeSet::new();
    let mut comparison = Comparison { cases: 0, differences: Vec::new() };
    for point in grid.points() {
        comparison.cases += 1;
        let (request, record) = grid.facts(&point);
        let answers: Vec<(Dialect, Outcome, Rule)> = readings
            .iter()
            .map(|reading| {
                let outcome = evaluate(reading, &request, &record).outcome(&record.labels);
                let rule = decide(outcome, fallback.rule(&request, &record));
                (reading.dialect(), outcome, rule)
            })
            .collect();
        let rules: Vec<Rule> = answers.iter().map(|(_, _, rule)| *rule).collect();
        let differ = rules.windows(2).any(|pair| matches!(pair, [one, other] if one != other));
        if differ && parted.insert(rules) && comparison.differences.len() < DIFFERENCES_MAX {
            comparison.differences.push(Difference { request, record, answers });
        }
    }
    comparison
}

/// How a record stands to one that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Relation {
    Unrelated,
    Itself(Who),
    RefersTo(Who),
    ReferredBy(Who),
    WrittenBy(Who),
}

/// The values to try, by attribute.
struct Grid {
    purposes: Vec<Purpose>,
    askers: Vec<Option<Who>>,
    instants: Vec<At>,
    actions: Vec<Coding>,
    places: Vec<Option<Who>>,
    labels: Vec<Fact<LabelSet>>,
    times: Vec<Fact<Period>>,
    classes: Vec<Option<Coding>>,
    codes: Vec<Option<Coding>>,
    relations: Vec<Relation>,
    custodians: Vec<Option<Who>>,
    understood: BTreeSet<String>,
    /// How many cases to look at.
    cases: usize,
}

const AXES: usize = 11;
/// Which value of each attribute.
type Point = [usize; AXES];

fn every<'a>(provisions: &'a [Provision], all: &mut Vec<&'a Provision>) {
    for provision in provisions {
        all.push(provision);
        every(&provision.children, all);
    }
}

/// Distinct values in their order, at most [`VALUES_MAX`].
fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut all = Vec::new();
    for value in values {
        if all.len() < VALUES_MAX && !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn some_or_none<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<Option<T>> {
    distinct(core::iter::once(None).chain(values.map(Some)))
}

/// The instants that periods tell apart: before, at the start, before the end, at the end.
fn instants(periods: impl Iterator<Item = Period>) -> Vec<At> {
    let edges = periods.flat_map(|period| [period.start, period.end]).flatten();
    let around = edges.flat_map(|edge| [edge, At::from_micros(edge.as_micros() - 1)]);
    let found = distinct(around);
    if found.is_empty() { vec![At::from_secs(0)] } else { found }
}

fn moment(at: At) -> Period {
    Period { start: Some(at), end: Some(At::from_micros(at.as_micros() + 1)) }
}

impl Grid {
    fn of(directive: &Directive) -> Self {
        let mut all = Vec::new();
        every(directive.provisions(), &mut all);
        let who = |role: ActorRole| {
            let named = all.iter().flat_map(|it| it.actors.iter());
            named
                .filter(move |clause| clause.role == role)
                .filter_map(|clause| clause.who.clone())
                .collect::<Vec<Who>>()
        };
        let purposes = all.iter().flat_map(|it| it.purposes.iter().cloned());
        let unnamed = [PurposeCode::Treatment, PurposeCode::Research, PurposeCode::BreakGlass];
        let actions = all.iter().flat_map(|it| it.actions.iter().cloned());
        let times = instants(all.iter().filter_map(|it| it.data_period));
        let relations = all.iter().flat_map(|it| it.data.iter()).flat_map(|clause| {
            let named = || clause.reference.clone();
            [
                Relation::Itself(named()),
                Relation::RefersTo(named()),
                Relation::ReferredBy(named()),
                Relation::WrittenBy(named()),
            ]
        });
        let authors = who(ActorRole::Author).into_iter().map(Relation::WrittenBy);
        Self {
            purposes: distinct(purposes.chain(unnamed.map(Purpose::Hl7))),
            askers: some_or_none(who(ActorRole::Recipient).into_iter()),
            instants: instants(all.iter().filter_map(|it| it.period)),
            actions: distinct(actions.chain([Coding::new(ACTION_SYSTEM, "access")])),
            places: some_or_none(all.iter().flat_map(|it| it.locations.iter().cloned())),
            labels: label_sets(&all),
            times: core::iter::once(Fact::Unknown)
                .chain(times.into_iter().map(|at| Fact::Known(moment(at))))
                .collect(),
            classes: some_or_none(all.iter().flat_map(|it| it.classes.iter().cloned())),
            codes: some_or_none(all.iter().flat_map(|it| it.codes.iter().cloned())),
            relations: distinct(
                core::iter::once(Relation::Unrelated).chain(relations).chain(authors),
            ),
            custodians: some_or_none(who(ActorRole::Custodian).into_iter()),
            understood: systems(&all),
            cases: CASES_MAX.min(WORK_MAX / all.len().max(1)),
        }
    }

    fn sizes(&self) -> Point {
        [
            self.purposes.len(),
            self.askers.len(),
            self.instants.len(),
            self.actions.len(),
            self.places.len(),
            self.labels.len(),
            self.times.len(),
            self.classes.len(),
            self.codes.len(),
            self.relations.len(),
            self.custodians.len(),
        ]
    }

    /// Every point where they are few enough, else every pair of values about the first point.
    fn points(&self) -> Vec<Point> {
        let sizes = self.sizes();
        let product = sizes.iter().try_fold(1usize, |all, one| all.checked_mul(*one));
        let mut points = vec![[0; AXES]];
        if product.is_some_and(|product| product <= self.cases) {
            for (axis, size) in sizes.iter().enumerate() {
                points = points.iter().flat_map(|point| along(*point, axis, *size)).collect();
            }
            return points;
        }
        let mut pairs = BTreeSet::new();
        for (axis, size) in sizes.iter().enumerate() {
            for one in along([0; AXES], axis, *size) {
                for (other, size) in sizes.iter().enumerate() {
                    pairs.extend(along(one, other, *size));
                }
            }
        }
        pairs.into_iter().take(self.cases).collect()
    }

    fn facts(&self, point: &Point) -> (RequestFacts, RecordFacts) {
        fn at<T: Clone>(values: &[T], index: usize) -> Option<T> {
            values.get(index).cloned()
        }
        let [
            purpose,
            asker,
            instant,
            action,
            place,
            labels,
            time,
            class,
            code,
            relation,
            custodian,
        ] = *point;
        let known = |fact: Option<Purpose>| fact.map_or(Fact::Unknown, Fact::Known);
        let set = |value: Option<Option<Who>>| value.flatten().into_iter().collect();
        let request = RequestFacts {
            at: at(&self.instants, instant).unwrap_or(At::from_secs(0)),
            asker: Identities::exactly(at(&self.askers, asker).flatten()),
            others: Vec::new(),
            purpose: known(at(&self.purposes, purpose)),
            action: at(&self.actions, action).map_or(Fact::Unknown, Fact::Known),
            locations: Fact::Known(set(at(&self.places, place))),
            understood: self.understood.clone(),
        };
        let codings = |value: Option<Option<Coding>>| {
            Fact::Known(value.flatten().into_iter().collect::<BTreeSet<Coding>>())
        };
        let mut record = RecordFacts {
            instance: Fact::Known(Who::reference("Basic/example")),
            labels: at(&self.labels, labels).unwrap_or(Fact::Unknown),
            clinical: at(&self.times, time).unwrap_or(Fact::Unknown),
            authors: Fact::Known(Identities::default()),
            custodian: Fact::Known(Identities::exactly(at(&self.custodians, custodian).flatten())),
            refers_to: Fact::Known(BTreeSet::new()),
            referred_by: Fact::Known(BTreeSet::new()),
            classes: codings(at(&self.classes, class)),
            codes: codings(at(&self.codes, code)),
            patients: Fact::Known(BTreeSet::new()),
        };
        match at(&self.relations, relation).unwrap_or(Relation::Unrelated) {
            Relation::Unrelated => {}
            Relation::Itself(who) => record.instance = Fact::Known(who),
            Relation::RefersTo(who) => record.refers_to = Fact::Known(BTreeSet::from([who])),
            Relation::ReferredBy(who) => record.referred_by = Fact::Known(BTreeSet::from([who])),
            Relation::WrittenBy(who) => {
                record.authors = Fact::Known(Identities::exactly([who]));
            }
        }
        (request, record)
    }
}

/// The points that differ from this one along one axis, itself included.
fn along(point: Point, axis: usize, size: usize) -> impl Iterator<Item = Point> {
    (0..size).map(move |value| {
        let mut next = point;
        if let Some(coordinate) = next.get_mut(axis) {
            *coordinate = value;
        }
        next
    })
}

/// Records without a label, at each level that is told apart, with each category that is named, with
/// two of them, with one that nobody named, and not labelled at all.
fn label_sets(provisions: &[&Provision]) -> Vec<Fact<LabelSet>> {
    let named = || provisions.iter().flat_map(|it| it.labels.iter());
    let level = |level| LabelSet::default().with(Label::Confidentiality(level));
    if named().next().is_none() {
        return vec![Fact::Known(level(Confidentiality::Normal))];
    }
    let is_category = |label: &&Label| !matches!(label, Label::Confidentiality(_));
    let categories: Vec<Label> = distinct(named().filter(is_category).cloned());
    let stranger = [Sensitivity::Hiv, Sensitivity::Psychiatry]
        .into_iter()
        .map(Label::Sensitivity)
        .find(|label| !categories.contains(label));
    let mut sets = vec![level(Confidentiality::Normal), level(Confidentiality::Restricted)];
    let restricted = |label: &Label| level(Confidentiality::Restricted).with(label.clone());
    let normal = |label: &Label| level(Confidentiality::Normal).with(label.clone());
    for category in categories.iter().chain(&stranger) {
        sets.extend([restricted(category), normal(category)]);
        let others = categories.iter().chain(&stranger).filter(|other| *other != category);
        sets.extend(others.map(|other| restricted(category).with(other.clone())));
    }
    let mut all: Vec<Fact<LabelSet>> = Vec::new();
    for set in sets.into_iter().map(Fact::Known).chain([Fact::Unknown]) {
        if !all.contains(&set) {
            all.push(set);
        }
    }
    // LIMIT: as many label sets as three axes hold; a directive names few categories.
    all.truncate(VALUES_MAX * 3);
    all
}

/// Every foreign system that the directive names: in its own grid its codes are understood.
fn systems(provisions: &[&Provision]) -> BTreeSet<String> {
    let foreign_label = |label: &Label| match label {
        Label::Foreign(coding) => Some(coding.system.clone()),
        Label::Confidentiality(_) | Label::Sensitivity(_) => None,
    };
    let foreign_purpose = |purpose: &Purpose| match purpose {
        Purpose::Foreign(coding) => Some(coding.system.clone()),
        Purpose::Hl7(_) => None,
    };
    provisions
        .iter()
        .flat_map(|it| {
            it.labels
                .iter()
                .filter_map(foreign_label)
                .chain(it.purposes.iter().filter_map(foreign_purpose))
                .chain(it.actions.iter().map(|coding| coding.system.clone()))
        })
        .collect()
}
