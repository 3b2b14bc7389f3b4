//! Random worlds for the provision engine: a directive, a request and a record, from one number.
//!
//! The alphabets are small, so that values meet often, and hold every kind of value: known, foreign
//! but understood, foreign and not understood, and missing.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::id::PatientId;
use crate::time::{At, Period};

/// A small, fixed generator (SplitMix64), so that a seed names the same world for ever.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound
    }

    /// True once in so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn some<T: Clone + Ord>(&mut self, from: &[T], most: usize) -> BTreeSet<T> {
        (0..self.below(most + 1)).map(|_| self.pick(from).clone()).collect()
    }

    fn fact<T>(&mut self, value: T) -> Fact<T> {
        if self.once_in(8) { Fact::Unknown } else { Fact::Known(value) }
    }
}

pub(crate) const OURS: &str = "http://ours.example/codes";
pub(crate) const THEIRS: &str = "http://theirs.example/codes";

pub(crate) fn labels() -> Vec<Label> {
    let mut all: Vec<Label> =
        Confidentiality::ALL.iter().copied().map(Label::Confidentiality).collect();
    for code in ["SPI", "BH", "PSY", "SUD", "ETHUD", "OPIOIDUD", "ETH", "HIV", "SEX"] {
        all.push(Label::Sensitivity(code.parse().unwrap()));
    }
    all.push(Label::Foreign(Coding::new(OURS, "ABORTION")));
    all.push(Label::Foreign(Coding::new(THEIRS, "SECRET")));
    all.push(Label::Foreign(Coding::new(PURPOSE_SYSTEM, "HTEST")));
    all
}

pub(crate) fn purposes() -> Vec<Purpose> {
    let mut all: Vec<Purpose> = [
        "PurposeOfUse",
        "TREAT",
        "COC",
        "ETREAT",
        "BTG",
        "ERTREAT",
        "HPAYMT",
        "HRESCH",
        "BIORCH",
        "PATRQT",
        "FAMRQT",
    ]
    .into_iter()
    .map(|code| Purpose::Hl7(code.parse().unwrap()))
    .collect();
    all.push(Purpose::Foreign(Coding::new(OURS, "FooBar")));
    all.push(Purpose::Foreign(Coding::new(THEIRS, "Zap")));
    all
}

fn people() -> Vec<Who> {
    let mut all: Vec<Who> = [
        "Practitioner/p",
        "Practitioner/c",
        "Organization/o",
        "Group/g",
        "CareTeam/t",
        "RelatedPerson/r",
    ]
    .into_iter()
    .map(Who::reference)
    .collect();
    all.push(Who::Identifier(Identifier { system: OURS.into(), value: "7".into() }));
    all
}

fn records() -> Vec<Who> {
    ["Observation/a", "Observation/b", "Encounter/e", "Claim/k"]
        .into_iter()
        .map(Who::reference)
        .collect()
}

fn classes() -> Vec<Coding> {
    ["Observation", "Encounter", "Claim"]
        .into_iter()
        .map(|name| Coding::new("http://hl7.org/fhir/resource-types", name))
        .collect()
}

fn actions() -> Vec<Coding> {
    vec![
        Coding::new(ACTION_SYSTEM, "access"),
        Coding::new(ACTION_SYSTEM, "disclose"),
        Coding::new(OURS, "print"),
        Coding::new(THEIRS, "fax"),
    ]
}

fn codes() -> Vec<Coding> {
    ["1-8", "2-6"].into_iter().map(|code| Coding::new("http://loinc.org", code)).collect()
}

fn roles(random: &mut Random) -> ActorRole {
    match random.below(8) {
        0 => ActorRole::Custodian,
        1 => ActorRole::Author,
        2 => ActorRole::Other(Coding::new(OURS, "witness")),
        _ => ActorRole::Recipient,
    }
}

fn instant(random: &mut Random) -> At {
    At::from_secs(i64::try_from(random.below(6)).unwrap())
}

fn period(random: &mut Random) -> Period {
    let (one, other) = (instant(random), instant(random));
    let (start, end) = if one < other { (one, other) } else { (other, one) };
    match random.below(12) {
        0 => Period { start: Some(end), end: Some(start) },
        1 | 2 => Period { start: Some(start), end: None },
        3 | 4 => Period { start: None, end: Some(end) },
        _ => Period { start: Some(start), end: Some(end.plus_secs(1)) },
    }
}

fn identities(random: &mut Random) -> Identities {
    Identities {
        known: random.some(&people(), 3),
        unresolved: if random.once_in(4) {
            random.some(&[WhoKind::Group, WhoKind::CareTeam, WhoKind::Identifier], 2)
        } else {
            BTreeSet::new()
        },
    }
}

/// How rich the provisions of a random directive are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Richness {
    pub(crate) depth: usize,
    pub(crate) children: usize,
    /// Each attribute is there once in so many times.
    pub(crate) attribute: usize,
    /// Something is unreadable once in so many provisions.
    pub(crate) unreadable: usize,
}

impl Richness {
    pub(crate) const FULL: Self = Self { depth: 4, children: 3, attribute: 6, unreadable: 40 };
    pub(crate) const PCF: Self = Self { depth: 2, children: 3, attribute: 4, unreadable: 60 };
}

pub(crate) fn provision(random: &mut Random, richness: Richness) -> Provision {
    let rule = if random.once_in(2) { Rule::Permit } else { Rule::Deny };
    let mut one = Provision::new(rule);
    let often = richness.attribute;
    if random.once_in(often) {
        one.period = Some(period(random));
    }
    if random.once_in(often) {
        one.data_period = Some(period(random));
    }
    if random.once_in(often) {
        one.actors = (0..=random.below(2))
            .map(|_| ActorClause {
                role: roles(random),
                who: (!random.once_in(8)).then(|| random.pick(&people()).clone()),
            })
            .collect();
    }
    if random.once_in(often * 2) {
        one.actions = random.some(&actions(), 2).into_iter().collect();
    }
    if random.once_in(often / 2) {
        one.labels = random.some(&labels(), 3).into_iter().collect();
    }
    if random.once_in(often) {
        one.purposes = random.some(&purposes(), 3).into_iter().collect();
    }
    if random.once_in(often * 2) {
        one.classes = random.some(&classes(), 2).into_iter().collect();
    }
    if random.once_in(often * 2) {
        one.codes = random.some(&codes(), 1).into_iter().collect();
    }
    if random.once_in(often) {
        one.data = vec![DataClause {
            meaning: *random.pick(&[
                DataMeaning::Instance,
                DataMeaning::Related,
                DataMeaning::Dependents,
                DataMeaning::AuthoredBy,
            ]),
            reference: random.pick(&[records(), people()].concat()).clone(),
        }];
    }
    if random.once_in(often * 3) {
        one.locations = vec![Who::reference("Location/ca")];
    }
    if random.once_in(richness.unreadable) {
        one.unreadable = vec![Unreadable::ModifierExtension(THEIRS.into())];
    }
    if richness.depth > 1 {
        let below = Richness { depth: richness.depth - 1, ..richness };
        one.children =
            (0..random.below(richness.children + 1)).map(|_| provision(random, below)).collect();
    }
    one
}

pub(crate) fn directive(random: &mut Random, dialect: Dialect, richness: Richness) -> Directive {
    let base = match random.below(6) {
        0 => Some(Rule::Permit),
        1 => Some(Rule::Deny),
        _ => None,
    };
    let roots = if random.once_in(4) { random.below(4) } else { 1 };
    let provisions = (0..roots).map(|_| provision(random, richness)).collect();
    Directive::new(dialect, base, provisions, Vec::new()).unwrap()
}

/// Any dialect, with provisions that its profile often allows.
pub(crate) fn any_directive(random: &mut Random) -> Directive {
    let dialect = *random.pick(Dialect::ALL);
    let richness = match dialect {
        Dialect::PcfBasic
        | Dialect::PcfIntermediate
        | Dialect::PcfAdvanced
        | Dialect::PcfImplicit
        | Dialect::Fast => Richness::PCF,
        Dialect::FhirTree | Dialect::LatestWins | Dialect::Joint | Dialect::Permission(_) => {
            Richness::FULL
        }
    };
    let mut made = directive(random, dialect, richness);
    if matches!(dialect, Dialect::PcfBasic | Dialect::PcfIntermediate | Dialect::PcfAdvanced)
        && !random.once_in(8)
    {
        let mut provisions = made.provisions().to_vec();
        for root in &mut provisions {
            fit_profile(root, dialect);
        }
        made = Directive::new(dialect, made.base(), provisions, Vec::new()).unwrap();
    }
    made
}

pub(crate) fn fit_profile(provision: &mut Provision, dialect: Dialect) {
    provision.actions.clear();
    provision.classes.clear();
    provision.codes.clear();
    provision.actors.retain(|clause| clause.role == ActorRole::Recipient);
    provision.data.retain(|clause| clause.meaning != DataMeaning::Dependents);
    if dialect != Dialect::PcfAdvanced {
        provision.labels.clear();
    }
    if dialect == Dialect::PcfBasic {
        provision.data.clear();
        provision.data_period = None;
        provision.children.clear();
    }
    for child in &mut provision.children {
        fit_profile(child, dialect);
    }
}

pub(crate) fn request(random: &mut Random) -> RequestFacts {
    let purpose = random.pick(&purposes()).clone();
    let action = random.pick(&actions()).clone();
    let locations = random.some(&[Who::reference("Location/ca")], 1);
    RequestFacts {
        at: instant(random),
        asker: identities(random),
        others: if random.once_in(3) {
            vec![(ActorRole::Other(Coding::new(OURS, "witness")), identities(random))]
        } else {
            Vec::new()
        },
        purpose: random.fact(purpose),
        action: random.fact(action),
        locations: random.fact(locations),
        understood: BTreeSet::from([OURS.into()]),
    }
}

pub(crate) fn record(random: &mut Random) -> RecordFacts {
    let instance = random.pick(&records()).clone();
    let labels: LabelSet = random.some(&labels(), 3).into_iter().collect();
    let clinical = period(random);
    let (authors, custodian) = (identities(random), identities(random));
    let (refers_to, referred_by) = (random.some(&records(), 2), random.some(&records(), 2));
    let (classes, codes) = (random.some(&classes(), 1), random.some(&codes(), 2));
    let patients: BTreeSet<PatientId> =
        random.some(&["maria".parse().unwrap(), "james".parse().unwrap()], 2);
    RecordFacts {
        instance: random.fact(instance),
        labels: random.fact(labels),
        clinical: random.fact(clinical),
        authors: random.fact(authors),
        custodian: random.fact(custodian),
        refers_to: random.fact(refers_to),
        referred_by: random.fact(referred_by),
        classes: random.fact(classes),
        codes: random.fact(codes),
        patients: random.fact(patients),
    }
}

/// A directive, a request and a record.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) directive: Directive,
    pub(crate) request: RequestFacts,
    pub(crate) record: RecordFacts,
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = |value: Result<alloc::string::String, serde_json::Error>| value.unwrap();
        writeln!(f, "{}", text(serde_json::to_string(&self.directive)))?;
        writeln!(f, "{}", text(serde_json::to_string(&self.request)))?;
        writeln!(f, "{}", text(serde_json::to_string(&self.record)))
    }
}

impl World {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed);
        Self {
            directive: any_directive(&mut random),
            request: request(&mut random),
            record: record(&mut random),
        }
    }

    pub(crate) fn evaluation(&self) -> Evaluation {
        evaluate(&self.directive, &self.request, &self.record)
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.evaluation().outcome(&self.record.labels)
    }
}
