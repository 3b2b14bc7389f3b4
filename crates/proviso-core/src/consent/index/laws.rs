//! The index answers as a map of whole versions does, whatever its history.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::category::{CategorySet, PurposeSet, SensitiveSet};
use crate::consent::{
    Capacity, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess, tests as consents,
};
use crate::scope::Scope;

const SEEDS: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

type Naive = BTreeMap<ConsentId, NamedConsent>;

fn empty() -> ConsentIndex<MemoryNames> {
    ConsentIndex::new(SEEDS, MemoryNames::default())
}

/// Ids of every form, few of each, so that histories meet.
fn id_text() -> impl Strategy<Value = alloc::string::String> {
    (0_u8..4, 0_u8..3).prop_map(|(form, which)| match form {
        0 => format!("{:032x}", u128::from(which) << 100 | 7),
        1 => format!("0{which}234567-89ab-cdef-0123-456789abcdef"),
        2 => format!("s{which}"),
        _ => format!("An-Unusual-And-Rather-Long-Id-{which}"),
    })
}

fn at() -> impl Strategy<Value = At> {
    prop_oneof![
        4 => (0_i64..4).prop_map(|day| consents::NOON.plus_days(day)),
        1 => Just(At::from_micros(i64::MAX)),
        1 => Just(At::from_micros(i64::MIN)),
    ]
}

fn period() -> impl Strategy<Value = Period> {
    let chosen =
        (0_usize..4, at()).prop_map(|(choice, at)| DurationChoice::ALL[choice].period_from(at));
    let any = (proptest::option::of(at()), proptest::option::of(at()))
        .prop_map(|(start, end)| Period { start, end });
    prop_oneof![3 => chosen, 1 => any]
}

fn recipient() -> impl Strategy<Value = Recipient> {
    id_text().prop_flat_map(|id| {
        prop_oneof![
            Just(Recipient::App(id.parse().unwrap())),
            Just(Recipient::Person(format!("acc_{id}").parse().unwrap())),
            Just(Recipient::Organization(id.parse().unwrap())),
            Just(Recipient::CareTeam(id.parse().unwrap())),
        ]
    })
}

fn status() -> impl Strategy<Value = ConsentStatus> {
    prop_oneof![
        4 => Just(ConsentStatus::Active),
        2 => Just(ConsentStatus::Inactive),
        1 => Just(ConsentStatus::Draft),
        1 => Just(ConsentStatus::Proposed),
        1 => Just(ConsentStatus::Rejected),
        1 => Just(ConsentStatus::EnteredInError),
    ]
}

fn scopes() -> impl Strategy<Value = Vec<Scope>> {
    let one = prop::sample::select(alloc::vec![
        "patient/*.rs",
        "patient/Observation.rs?category=laboratory",
        "offline_access",
    ]);
    proptest::collection::vec(one.prop_map(|text| text.parse().unwrap()), 0..3)
}

prop_compose! {
    fn version()(
        (consent, patient, giver) in (id_text(), id_text(), id_text()),
        (recipient, status, period, data_period) in (recipient(), status(), period(), period()),
        (scopes, recorded_at, number) in (scopes(), at(), 1_u32..600),
        (categories, sensitive, purposes) in (0_usize..3, 0_usize..3, 0_usize..3),
        (capacity, duration, offline) in (0_usize..3, 0_usize..4, any::<bool>()),
    ) -> NamedConsent {
        let terms = consents::terms();
        let id = format!("cns_{consent}").parse().unwrap();
        let first = ConsentVersion::record(id, terms, consents::NOON).unwrap();
        NamedConsent::new(ConsentVersion {
            number,
            status,
            patient: patient.parse().unwrap(),
            given_by: format!("acc_{giver}").parse().unwrap(),
            capacity: [Capacity::Patient, Capacity::Proxy, Capacity::LegalAuthority][capacity],
            recipient,
            categories: CategorySet::all().iter().take(categories).collect(),
            sensitive: SensitiveSet::all().iter().take(sensitive).collect(),
            purposes: PurposeSet::all().iter().take(purposes).collect(),
            period,
            data_period,
            duration: DurationChoice::ALL[duration],
            offline: if offline { OfflineAccess::Allowed } else { OfflineAccess::Refused },
            granted_scopes: scopes,
            recorded_at,
            ..first
        })
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(Box<NamedConsent>),
    Remove(ConsentId),
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => version().prop_map(|named| Step::Put(Box::new(named))),
        1 => id_text().prop_map(|id| Step::Remove(format!("cns_{id}").parse().unwrap())),
    ];
    proptest::collection::vec(step, 0..60)
}

fn apply(index: &mut ConsentIndex<MemoryNames>, naive: &mut Naive, step: Step) {
    match step {
        Step::Put(named) => {
            let put = index.put(&named.facts()).unwrap();
            let id = named.version().consent.clone();
            let newer =
                naive.get(&id).is_none_or(|own| own.version().number < named.version().number);
            assert_eq!(put == Put::Taken, newer);
            if newer {
                naive.insert(id, *named);
            }
        }
        Step::Remove(id) => assert_eq!(index.remove(&id), naive.remove(&id).is_some()),
    }
}

fn after(history: Vec<Step>) -> (ConsentIndex<MemoryNames>, Naive) {
    let (mut index, mut naive) = (empty(), Naive::new());
    for step in history {
        apply(&mut index, &mut naive, step);
    }
    (index, naive)
}

/// Asks both every question there is.
fn agree(index: &ConsentIndex<MemoryNames>, naive: &Naive) {
    let mut of_patients: BTreeMap<&PatientId, Vec<&NamedConsent>> = BTreeMap::new();
    for (id, named) in naive {
        let found = index.get(id).unwrap();
        assert_eq!(found.facts(), named.facts());
        assert_eq!(found.version(), named.id());
        of_patients.entry(&named.version().patient).or_default().push(named);
        for at in [At::from_micros(i64::MIN), consents::NOON, consents::NOON.plus_days(2)] {
            assert_eq!(found.facts().standing(at), named.version().standing(at));
            assert_eq!(found.facts().in_force(at), named.version().in_force(at));
        }
    }
    for (patient, all) in &of_patients {
        let found = index.of_patient(patient);
        let found: Vec<_> = found.iter().map(IndexedConsent::facts).collect();
        assert_eq!(found, all.iter().map(|named| named.facts()).collect::<Vec<_>>());
    }
    let now = consents::NOON.plus_days(2);
    let mut over: Vec<ConsentId> = Vec::new();
    let mut from = Some(0);
    while let Some(place) = from {
        let (found, next) = index.overdue(now, place, 3);
        over.extend(found);
        from = next;
    }
    over.sort();
    let expected = naive.values().filter(|named| {
        let version = named.version();
        version.status == ConsentStatus::Active && version.period.end.is_some_and(|end| end <= now)
    });
    assert_eq!(over, expected.map(|named| named.version().consent.clone()).collect::<Vec<_>>());
    let holding = index.holding();
    let count = |keys: Vec<&Recipient>| {
        let distinct: alloc::collections::BTreeSet<_> = keys.into_iter().collect();
        distinct.len()
    };
    assert_eq!(holding.consents, naive.len());
    assert_eq!(holding.patients, of_patients.len());
    let recipients = naive.values().map(|named| &named.version().recipient).collect();
    assert_eq!(holding.recipients, count(recipients));
}

/// The index as pieces, of so many patients each.
fn pieces(index: &ConsentIndex<MemoryNames>, places: u32) -> Vec<Vec<u8>> {
    let (mut dump, mut all) = (Dump::default(), Vec::new());
    loop {
        let mut piece = Vec::new();
        let last = index.dump(&mut dump, places, &mut piece).unwrap();
        all.push(piece);
        if last {
            return all;
        }
    }
}

fn read(pieces: &[Vec<u8>]) -> Result<ConsentIndex<MemoryNames>, DumpError> {
    let mut loader = Loader::new(ConsentIndex::new([1, 2], MemoryNames::default()));
    for piece in pieces {
        loader.take(piece)?;
    }
    loader.finish()
}

proptest! {
    #[test]
    fn the_index_answers_as_a_map_of_whole_versions(history in history()) {
        let (index, naive) = after(history);
        agree(&index, &naive);
    }

    #[test]
    fn what_was_removed_or_never_put_is_not_there(history in history(), other in id_text()) {
        let (mut index, naive) = after(history);
        let id: ConsentId = format!("cns_{other}").parse().unwrap();
        prop_assert_eq!(index.get(&id).is_some(), naive.contains_key(&id));
        for id in naive.keys() {
            prop_assert!(index.remove(id));
            prop_assert!(index.get(id).is_none());
        }
        let nothing = Holding { consents: 0, patients: 0, terms: 0, recipients: 0, unusual: 0 };
        prop_assert_eq!(index.holding(), nothing);
    }

    #[test]
    fn the_index_comes_back_from_its_bytes(history in history(), places in 1_u32..4) {
        let (index, naive) = after(history);
        let again = read(&pieces(&index, places)).unwrap();
        agree(&again, &naive);
        prop_assert_eq!(again.holding(), index.holding());
    }

    #[test]
    fn what_changes_between_two_pieces_is_as_late_as_at_the_first_and_then_brought_up_to_date(
        before in history(),
        between in proptest::collection::vec(version(), 1..40),
    ) {
        // Consents are only ever added and changed while a server runs.
        let (mut index, mut naive) = after(before);
        let at_first = naive.clone();
        let (mut dump, mut all, mut changed) = (Dump::default(), Vec::new(), Vec::new());
        let mut between = between.into_iter();
        loop {
            let mut piece = Vec::new();
            let last = index.dump(&mut dump, 1, &mut piece).unwrap();
            all.push(piece);
            if last {
                break;
            }
            for mut named in between.by_ref().take(3) {
                // INVARIANT of the store: a consent is about one patient in all its versions.
                let id = named.version().consent.clone();
                if let Some(own) = naive.get(&id) {
                    let patient = own.version().patient.clone();
                    named = NamedConsent::new(ConsentVersion { patient, ..named.into_version() });
                }
                changed.push(named.clone());
                apply(&mut index, &mut naive, Step::Put(Box::new(named)));
            }
        }
        let mut again = read(&all).unwrap();
        for (id, named) in &at_first {
            prop_assert!(again.get(id).unwrap().facts().number >= named.version().number);
        }
        for named in &changed {
            again.put(&named.facts()).unwrap();
        }
        agree(&again, &naive);
    }

    #[test]
    fn bytes_that_were_changed_are_refused_or_name_nothing_twice(
        history in history(),
        position in any::<prop::sample::Index>(),
        flip in 1_u8..=255,
    ) {
        let (index, _) = after(history);
        let mut all = pieces(&index, 1000);
        let piece = &mut all[0];
        let position = position.index(piece.len());
        piece[position] ^= flip;
        // Whoever keeps the bytes protects them; here it matters that nothing panics and that what
        // is taken is an index.
        if let Ok(again) = read(&all) {
            prop_assert_eq!(again.holding().consents, index.holding().consents);
        }
    }

    #[test]
    fn bytes_that_were_cut_short_or_go_on_are_refused(
        history in history(),
        position in any::<prop::sample::Index>(),
    ) {
        let (index, _) = after(history);
        let all = pieces(&index, 1000);
        let length = position.index(all[0].len());
        prop_assert!(read(&[all[0][..length].to_vec()]).is_err());
        let twice = read(&[all[0].clone(), all[0].clone()]);
        prop_assert_eq!(twice.unwrap_err(), DumpError::Incomplete);
    }
}

/// Names that can be made to fail.
#[derive(Debug, Default)]
struct Failing {
    names: MemoryNames,
    fails: bool,
}

impl Names for Failing {
    fn put(&mut self, slot: u32, name: &VersionName) -> Result<(), NotKept> {
        if self.fails { Err(NotKept) } else { self.names.put(slot, name) }
    }

    fn get(&self, slot: u32) -> Option<VersionName> {
        self.names.get(slot)
    }
}

#[test]
fn a_version_whose_name_is_not_kept_silences_the_consent() {
    let id: ConsentId = "cns_1".parse().unwrap();
    let first = ConsentVersion::record(id.clone(), consents::terms(), consents::NOON).unwrap();
    let second = first.revoke(consents::NOON.plus_secs(1), None).unwrap();
    let (first, second) = (NamedConsent::new(first), NamedConsent::new(second));
    let mut index = ConsentIndex::new(SEEDS, Failing::default());
    index.put(&first.facts()).unwrap();
    assert_eq!(index.get(&id).unwrap().facts(), first.facts());
    index.names.fails = true;
    assert_eq!(index.put(&second.facts()), Err(IndexError::NotKept(NotKept)));
    assert!(index.get(&id).is_none(), "not what it was before the revocation");
    assert!(index.of_patient(&"maria".parse().unwrap()).is_empty());
    let mut piece = Vec::new();
    assert_eq!(index.dump(&mut Dump::default(), 9, &mut piece), Err(DumpError::NotHeld));
    index.names.fails = false;
    assert_eq!(index.put(&second.facts()), Err(IndexError::Unreadable));
    assert!(index.get(&id).is_none());
}

#[test]
fn a_name_of_another_version_is_no_answer() {
    let id: ConsentId = "cns_1".parse().unwrap();
    let first = ConsentVersion::record(id.clone(), consents::terms(), consents::NOON).unwrap();
    let first = NamedConsent::new(first);
    let mut index = empty();
    index.put(&first.facts()).unwrap();
    let (_, _, slot) = index.find(&id);
    let other = VersionName { digest: [1; 32], number: 2 };
    index.names.put(slot.unwrap(), &other).unwrap();
    assert!(index.get(&id).is_none());
}

#[test]
fn places_that_were_given_up_are_taken_again() {
    let mut index = empty();
    let version = |number: u32| {
        let id = format!("cns_{number}").parse().unwrap();
        let mut terms = consents::terms();
        terms.patient = format!("p{number}").parse().unwrap();
        terms.recipient = Recipient::App(format!("app-{number}").parse().unwrap());
        NamedConsent::new(ConsentVersion::record(id, terms, consents::NOON).unwrap())
    };
    for round in 0..20 {
        let all: Vec<_> = (round * 500..round * 500 + 500).map(version).collect();
        for named in &all {
            index.put(&named.facts()).unwrap();
        }
        for named in &all {
            assert!(index.remove(&named.version().consent));
        }
    }
    assert_eq!(index.holding().consents, 0);
    assert_eq!((index.consents.records.places(), index.patients.records.places()), (500, 500));
    assert!(index.recipients.len() == 0 && index.terms.len() == 0);
}
