use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;

use super::super::tests::{NOON, terms};
use super::*;
use crate::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use crate::consent::{Capacity, Change, ConsentTerms, ConsentVersion, Extent};
use crate::time::Period;

const DAY: i64 = 86_400;

fn before(at: At) -> At {
    At::from_micros(at.as_micros() - 1)
}

fn recorded() -> ConsentVersion {
    ConsentVersion::record("cns_1".parse().unwrap(), terms(), NOON).unwrap()
}

fn three() -> Vec<NamedConsent> {
    let first = recorded();
    let mut narrower = first.terms();
    narrower.categories = CategorySet::EMPTY.with(Category::Medications);
    let second = first.amend(narrower, NOON.plus_days(1), None).unwrap();
    let third = second.revoke(NOON.plus_days(2), None).unwrap();
    [first, second, third].map(NamedConsent::new).to_vec()
}

// Covers: design §5, every past instant can be asked
#[test]
fn each_instant_has_the_version_that_was_the_newest_then() {
    let line = Timeline::new(three()).unwrap();
    let number = |at| line.at(at).map(|named| named.version().number);
    assert_eq!(number(before(NOON)), None);
    assert_eq!(number(NOON), Some(1));
    assert_eq!(number(before(NOON.plus_days(1))), Some(1));
    assert_eq!(number(NOON.plus_days(1)), Some(2));
    assert_eq!(number(NOON.plus_days(400)), Some(3));
    let in_force = |at| line.in_force_at(at).map(|named| named.version().number);
    assert_eq!(in_force(before(NOON.plus_days(2))), Some(2));
    assert_eq!(in_force(NOON.plus_days(2)), None, "stopping takes effect at its own instant");
    assert_eq!(line.standing_at(NOON.plus_days(2)), Standing::Revoked);
    assert_eq!(line.standing_at(before(NOON)), Standing::NotInForce);
}

#[test]
fn a_period_that_ended_was_not_in_force_although_nobody_wrote_that_down() {
    let line = Timeline::new(vec![NamedConsent::new(recorded())]).unwrap();
    let end = line.latest().version().period.end.unwrap();
    assert!(line.in_force_at(before(end)).is_some());
    assert!(line.in_force_at(end).is_none());
    assert!(line.at(end).is_some(), "it is still what was on record");
}

#[test]
fn what_is_not_one_whole_chain_is_refused() {
    let check = |versions: Vec<NamedConsent>, expected: ChainError| {
        assert_eq!(Timeline::new(versions), Err(expected));
    };
    let [first, second, third] = <[NamedConsent; 3]>::try_from(three()).unwrap();
    check(vec![], ChainError::Empty);
    check(vec![second.clone(), third.clone()], ChainError::Gap(2));
    check(vec![first.clone(), third.clone()], ChainError::Gap(3));
    check(vec![first.clone(), second.clone(), second.clone()], ChainError::Gap(2));
    let altered = |change: fn(&mut ConsentVersion)| {
        let mut version = second.version().clone();
        change(&mut version);
        NamedConsent::new(version)
    };
    let other = altered(|version| version.patient = "james".parse().unwrap());
    check(vec![first.clone(), other], ChainError::OtherConsent(2));
    let early = altered(|version| version.recorded_at = At::from_secs(0));
    check(vec![first.clone(), early], ChainError::Backwards(2));
    // A changed version has another name, so that the next one no longer follows from it.
    let wider = altered(|version| version.categories = CategorySet::all());
    check(vec![first.clone(), wider, third], ChainError::Predecessor(3));
    let mut orphan = first.version().clone();
    orphan.predecessor = Some(second.id().clone());
    check(vec![NamedConsent::new(orphan)], ChainError::Predecessor(1));
}

#[test]
fn the_differences_of_a_version_are_told_one_by_one() {
    let versions = three();
    let changes = |later: usize, earlier: usize| {
        versions[later].version().changes_from(versions[earlier].version())
    };
    let laboratory = CategorySet::EMPTY.with(Category::Laboratory);
    assert_eq!(changes(0, 0), vec![]);
    assert_eq!(changes(1, 0), vec![Change::CategoriesRemoved(laboratory)]);
    assert_eq!(changes(0, 1), vec![Change::CategoriesAdded(laboratory)]);
    assert_eq!(changes(2, 1), vec![Change::Status]);
}

// Covers: design §5, what a teenager named in confidence; noninterference over its history
#[test]
fn a_proxy_sees_the_same_history_whatever_was_named_in_confidence() {
    let seen = |second_names: &[SensitiveKind], third_names: &[SensitiveKind]| {
        let first = recorded();
        let mut named = first.terms();
        named.sensitive = second_names.iter().copied().collect();
        let second = first.amend(named.clone(), NOON.plus_days(1), None).unwrap();
        named.sensitive = third_names.iter().copied().collect();
        named.categories = CategorySet::EMPTY.with(Category::Medications);
        let third = second.amend(named, NOON.plus_days(2), None).unwrap();
        let fourth = third.revoke(NOON.plus_days(3), Some("as I said".to_string())).unwrap();
        let all = [first, second, third, fourth].map(NamedConsent::new).to_vec();
        let line = Timeline::new(all).unwrap();
        assert_eq!(line.seen_by(Capacity::Patient).len(), 4);
        let told: Vec<_> = line
            .seen_by(Capacity::Proxy)
            .iter()
            .map(|seen| {
                assert_eq!(seen.whole(), None, "a name would tell");
                (seen.place, seen.partial(), seen.sensitive, seen.changes.clone())
            })
            .collect();
        told
    };
    let nothing = seen(&[], &[]);
    assert_eq!(nothing.iter().map(|one| one.0).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(seen(&[SensitiveKind::Hiv], &[SensitiveKind::Hiv]), nothing);
    assert_eq!(seen(&[SensitiveKind::Adolescent], &[]), nothing);
    assert_eq!(seen(&[], &[SensitiveKind::Restricted, SensitiveKind::Sti]), nothing);
}

#[test]
fn whoever_may_know_everything_gets_whole_versions_with_their_names() {
    let line = Timeline::new(three()).unwrap();
    let own = line.seen_by(Capacity::Patient);
    assert!(own.iter().zip(line.versions()).all(|(seen, named)| seen.whole() == Some(named)));
    // What a proxy recorded within what a proxy may see hides nothing from a proxy.
    let mut terms = terms();
    terms.capacity = Capacity::Proxy;
    terms.sensitive = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    let first = ConsentVersion::record("cns_1".parse().unwrap(), terms, NOON).unwrap();
    let line = Timeline::new(vec![NamedConsent::new(first)]).unwrap();
    let seen = line.seen_by(Capacity::Proxy);
    assert_eq!(seen[0].extent, Extent::Whole);
    assert_eq!(seen[0].sensitive, Some(SensitiveSet::EMPTY.with(SensitiveKind::Hiv)));
}

/// What may be done at a step, and to where the clock is moved before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Widen,
    Narrow,
    Revoke,
    Expire,
    MarkInError,
}

const STEPS: [Step; 5] = [Step::Widen, Step::Narrow, Step::Revoke, Step::Expire, Step::MarkInError];
/// Seconds by which the clock moves: on, not at all, and back to before everything. Four steps on
/// lead beyond the end of the first period and not beyond that of later ones.
const CLOCK: [i64; 3] = [10 * DAY, 0, -100 * DAY];

/// A choice kept as a list of facts, with nothing shared with the code under test: one row for each
/// version (when it was recorded, whether it gives anything, from and until when).
#[derive(Debug, Clone)]
struct Naive {
    rows: Vec<(i64, bool, i64, i64)>,
    ended: bool,
    wrong: bool,
}

impl Naive {
    fn step(&mut self, step: Step, now: i64) -> bool {
        let (last, _, from, until) = *self.rows.last().unwrap();
        let when = now.max(last);
        let allowed = match step {
            // The end that these terms state is thirty days from now.
            Step::Widen | Step::Narrow | Step::Revoke => !self.ended && !self.wrong,
            Step::Expire => !self.ended && !self.wrong && now >= until,
            Step::MarkInError => !self.wrong,
        };
        if !allowed {
            return false;
        }
        match step {
            Step::Widen | Step::Narrow => self.rows.push((when, true, now, now + 30 * DAY)),
            Step::Revoke | Step::Expire | Step::MarkInError => {
                self.rows.push((when, false, from, until));
                self.ended = true;
                self.wrong |= step == Step::MarkInError;
            }
        }
        true
    }

    /// The place of the version in force at a second, counted from 1.
    fn in_force(&self, at: i64) -> Option<usize> {
        let mut found = None;
        for (place, (recorded, _, _, _)) in self.rows.iter().enumerate() {
            if *recorded <= at {
                found = Some(place);
            }
        }
        let (_, gives, from, until) = self.rows[found?];
        (gives && from <= at && at < until).then_some(found? + 1)
    }
}

fn with_categories(version: &ConsentVersion, step: Step, at: At) -> ConsentTerms {
    let mut terms = version.terms();
    terms.categories = match step {
        Step::Widen => CategorySet::all(),
        Step::Narrow | Step::Revoke | Step::Expire | Step::MarkInError => {
            CategorySet::EMPTY.with(Category::Medications)
        }
    };
    terms.sensitive = terms.sensitive.with(SensitiveKind::Hiv);
    terms.period = Period { start: Some(at), end: Some(at.plus_days(30)) };
    terms
}

fn apply(version: &ConsentVersion, step: Step, at: At) -> Option<ConsentVersion> {
    match step {
        Step::Widen | Step::Narrow => version.amend(with_categories(version, step, at), at, None),
        Step::Revoke => version.revoke(at, None),
        Step::Expire => version.expire(at),
        Step::MarkInError => version.mark_in_error(at, "mistake".to_string()),
    }
    .ok()
}

/// Every instant at which an answer could change, and the second before it.
fn instants(naive: &Naive) -> Vec<i64> {
    let mut all: Vec<i64> = naive
        .rows
        .iter()
        .flat_map(|(recorded, _, from, until)| [*recorded, *from, *until])
        .flat_map(|second| [second - 1, second])
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Walks every sequence of steps and clocks to a depth and compares after each step.
fn explore(versions: &[NamedConsent], naive: &Naive, now: i64, depth: usize, seen: &mut usize) {
    *seen += 1;
    let line = Timeline::new(versions.to_vec()).unwrap();
    for second in instants(naive) {
        let found = line.in_force_at(At::from_secs(second)).map(|named| named.version().number);
        let expected = naive.in_force(second).map(|place| u32::try_from(place).unwrap());
        assert_eq!(found, expected, "at {second}: {:?}", naive.rows);
        // Ended is ended: no later instant finds an ended choice in force.
        if naive.ended && naive.rows.last().is_some_and(|row| row.0 <= second) {
            assert_eq!(found, None);
        }
    }
    if depth == 0 {
        return;
    }
    for moved in CLOCK {
        let now = now + moved;
        for step in STEPS {
            let mut model = naive.clone();
            let made = apply(line.latest().version(), step, At::from_secs(now));
            assert_eq!(made.is_some(), model.step(step, now), "{step:?} at {now}: {naive:?}");
            let Some(next) = made else { continue };
            let mut versions = versions.to_vec();
            versions.push(NamedConsent::new(next));
            explore(&versions, &model, now, depth - 1, seen);
        }
    }
}

// Covers: design §5, verbs and states, exhaustively to a bounded length, with clocks that go back
#[test]
fn every_sequence_of_verbs_leaves_in_force_what_a_naive_list_says() {
    let now = NOON.as_secs();
    let naive = Naive { rows: vec![(now, true, now, now + 30 * DAY)], ended: false, wrong: false };
    let mut seen = 0;
    explore(&[NamedConsent::new(recorded())], &naive, now, 5, &mut seen);
    assert!(seen > 5_000, "only {seen} histories");
}
