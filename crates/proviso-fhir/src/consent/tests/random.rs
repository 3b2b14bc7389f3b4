//! Random consents, requests and records, from one number.

use super::*;
use crate::code_systems::RESOURCE_TYPES;
use alloc::vec;
use proviso_core::consent::provision::{
    ACTION_SYSTEM, ActorClause, ActorRole, Coding, DataClause, DataMeaning, Fact, Identifier,
    Identities, Label, Limits, PURPOSE_SYSTEM, Provision, Purpose, RecordFacts, RequestFacts, Rule,
    Who, WhoKind,
};
use proviso_core::time::{At, Period};

/// A small, fixed generator (SplitMix64).
pub(super) struct Random(pub(super) u64);

const OURS: &str = "http://ours.example/codes";

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn some<T: Clone + Ord>(&mut self, from: &[T]) -> Vec<T> {
        let set: BTreeSet<T> = (0..=self.below(2)).map(|_| self.pick(from).clone()).collect();
        set.into_iter().collect()
    }

    fn fact<T>(&mut self, value: T) -> Fact<T> {
        if self.once_in(8) { Fact::Unknown } else { Fact::Known(value) }
    }
}

fn people() -> Vec<Who> {
    let mut all: Vec<Who> = [
        "Practitioner/p",
        "Organization/o",
        "Group/g",
        "CareTeam/t",
        "https://x.example/fhir/Group/h",
    ]
    .into_iter()
    .map(Who::reference)
    .collect();
    all.push(Who::Identifier(Identifier { system: OURS.into(), value: "é \"7\"".into() }));
    all
}

fn records() -> Vec<Who> {
    ["Observation/a", "Observation/b", "Encounter/e"].into_iter().map(Who::reference).collect()
}

fn labels() -> Vec<Label> {
    let act = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let level = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    let mut all: Vec<Label> = ["PSY", "SUD", "ETHUD", "HIV", "NORDSCLCD"]
        .iter()
        .map(|code| Coding::new(act, *code))
        .map(Label::from_coding)
        .collect();
    all.extend(["N", "R", "V"].iter().map(|code| Label::from_coding(Coding::new(level, *code))));
    all.push(Label::Foreign(Coding::new(OURS, "ABORTION")));
    all
}

fn purposes() -> Vec<Purpose> {
    let mut all: Vec<Purpose> = ["TREAT", "ETREAT", "BTG", "HPAYMT", "HRESCH"]
        .iter()
        .map(|code| Purpose::from_coding(Coding::new(PURPOSE_SYSTEM, *code)))
        .collect();
    all.push(Purpose::Foreign(Coding::new(OURS, "FooBar")));
    all
}

fn actions() -> Vec<Coding> {
    vec![
        Coding::new(ACTION_SYSTEM, "access"),
        Coding::new(ACTION_SYSTEM, "disclose"),
        Coding::new(OURS, "print"),
    ]
}

fn classes() -> Vec<Coding> {
    vec![
        Coding::new(RESOURCE_TYPES, "Observation"),
        Coding::new(RESOURCE_TYPES, "Claim"),
        Coding::new("urn:ietf:bcp:13", "text/plain"),
    ]
}

fn codes() -> Vec<Coding> {
    ["1-8", "2-6"].into_iter().map(|code| Coding::new("http://loinc.org", code)).collect()
}

/// Instants with and without fractions, some years apart.
fn instant(random: &mut Random) -> At {
    let secs = i64::try_from(random.below(8)).unwrap() * 31_557_600 + 1_400_000_000;
    let micros = *random.pick(&[0, 0, 0, 1, 250_000, 999_999]);
    At::from_micros(secs * 1_000_000 + micros)
}

pub(super) fn period(random: &mut Random) -> Period {
    let (one, other) = (instant(random), instant(random));
    let (start, end) = (one.min(other), one.max(other).plus_secs(1));
    match random.below(4) {
        0 => Period { start: Some(start), end: None },
        1 => Period { start: None, end: Some(end) },
        _ => Period { start: Some(start), end: Some(end) },
    }
}

fn actors(random: &mut Random, anyone: bool) -> Vec<ActorClause> {
    (0..=random.below(2)).map(|_| actor(random, anyone)).collect()
}

fn actor(random: &mut Random, anyone: bool) -> ActorClause {
    let role = match random.below(8) {
        0 => ActorRole::Custodian,
        1 => ActorRole::Author,
        2 => ActorRole::Other(Coding::new(OURS, "witness")),
        _ => ActorRole::Recipient,
    };
    let anyone = anyone && random.once_in(6);
    ActorClause { role, who: (!anyone).then(|| random.pick(&people()).clone()) }
}

/// What the provisions of a random tree look like.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) depth: usize,
    /// Every child is the opposite of the one above it.
    pub(super) alternates: bool,
    /// Actors may be anybody in a role.
    pub(super) anyone: bool,
}

pub(super) fn provision(random: &mut Random, rule: Rule, shape: Shape) -> Provision {
    let mut one = Provision::new(rule);
    let often = 5;
    if random.once_in(often) {
        one.period = Some(period(random));
    }
    if random.once_in(often) {
        one.data_period = Some(period(random));
    }
    if random.once_in(often) {
        one.actors = actors(random, shape.anyone);
    }
    if random.once_in(often) {
        one.actions = random.some(&actions());
    }
    if random.once_in(2) {
        one.labels = random.some(&labels());
    }
    if random.once_in(often) {
        one.purposes = random.some(&purposes());
    }
    if random.once_in(often) {
        one.classes = random.some(&classes());
    }
    if random.once_in(often) {
        one.codes = random.some(&codes());
    }
    if random.once_in(often) {
        let meaning = *random.pick(&[
            DataMeaning::Instance,
            DataMeaning::Related,
            DataMeaning::Dependents,
            DataMeaning::AuthoredBy,
        ]);
        let reference = random.pick(&[records(), people()].concat()).clone();
        one.data = vec![DataClause { meaning, reference }];
    }
    if random.once_in(often * 2) {
        one.locations = vec![Who::reference("Location/ca")];
    }
    one.children = children(random, rule, shape);
    one
}

pub(super) fn children(random: &mut Random, above: Rule, shape: Shape) -> Vec<Provision> {
    if shape.depth < 2 {
        return Vec::new();
    }
    let below = Shape { depth: shape.depth - 1, ..shape };
    (0..random.below(4))
        .map(|_| {
            let same = !shape.alternates && random.once_in(3);
            let rule = if same { above } else { above.opposite() };
            provision(random, rule, below)
        })
        .collect()
}

pub(super) fn rule(random: &mut Random) -> Rule {
    if random.once_in(2) { Rule::Permit } else { Rule::Deny }
}

/// A dialect of those that need no context to be named.
pub(super) fn dialect(random: &mut Random) -> Dialect {
    if random.once_in(2) { Dialect::FhirTree } else { *random.pick(Dialect::ALL) }
}

pub(super) fn directive(
    base: Option<Rule>,
    provisions: Vec<Provision>,
    dialect: Dialect,
) -> Directive {
    assert!(provisions.len() <= Limits::PROVISIONS);
    Directive::new(dialect, base, provisions, Vec::new()).unwrap()
}

/// A header that both versions can say; what is R4's or R5's own comes on top.
pub(super) fn header(random: &mut Random, version: Version) -> Header {
    let party = |random: &mut Random| Reference::to(random.pick(&people()).clone());
    let parties = |random: &mut Random| -> Vec<Reference> {
        (0..random.below(3)).map(|_| party(random)).collect()
    };
    let status = loop {
        let status = *random.pick(Status::ALL);
        if status.is_of(version) {
            break status;
        }
    };
    let mut header = Header::new(status, Reference::to(Who::reference("Patient/p")));
    header.id = random.once_in(2).then(|| "c-1".into());
    header.language = random.once_in(2).then(|| "es".into());
    header.scope = *random.pick(ConsentScopeCode::ALL);
    header.identifiers =
        vec![BusinessId::of(Identifier { system: OURS.into(), value: "1".into() })];
    header.categories = vec![Concept::of(Coding::new("http://loinc.org", "59284-0"))];
    let date = *random.pick(&["2022", "2022-06", "2022-06-13", "2022-06-13T10:00:00.5+02:00"]);
    header.date = random.once_in(2).then(|| ConsentDate::parse(date, &Zone::UTC).unwrap());
    header.grantors = parties(random);
    header.grantees = parties(random);
    header.managers = parties(random);
    header.controllers = parties(random);
    header.policy_texts = parties(random);
    if version == Version::R4 {
        header.performers = parties(random);
        header.organizations = parties(random);
    }
    header.sources = match random.below(3) {
        0 => vec![Source::Attachment(r#"{"title":"x"}"#.into())],
        1 => vec![Source::Reference(Reference::to(Who::reference("DocumentReference/d")))],
        _ => Vec::new(),
    };
    if random.once_in(2) {
        header.policies = vec![Policy::at("https://law.example/1")];
    }
    if random.once_in(2) {
        header.policy_rules = vec![Concept::of(Coding::new(OURS, "rule"))];
    }
    if random.once_in(3) {
        header.verifications = vec![Verification {
            verified: random.once_in(2),
            with: Some(party(random)),
            dates: vec!["2022-06-13".into()],
            ..Verification::default()
        }];
    }
    header
}

/// A consent as R4 has it: one root.
pub(super) fn r4(random: &mut Random) -> ReadConsent {
    let shape = Shape { depth: 4, alternates: random.once_in(2), anyone: false };
    let rule = rule(random);
    let root = if random.once_in(3) {
        let mut root = Provision::new(rule);
        root.children = children(random, rule, shape);
        root.period = random.once_in(2).then(|| period(random));
        root
    } else {
        provision(random, rule, shape)
    };
    let directive = directive(None, vec![root], dialect(random));
    ReadConsent::new(header(random, Version::R4), directive)
}

/// A consent as R5 has it: a decision, and exceptions that alternate.
pub(super) fn r5(random: &mut Random, anyone: bool) -> ReadConsent {
    let shape = Shape { depth: 4, alternates: true, anyone };
    let rule = rule(random);
    let children = children(random, rule, shape);
    let dialect = dialect(random);
    let directive = if random.once_in(3) && super::super::dialects::has_root(dialect) {
        let mut root = Provision::new(rule);
        root.period = Some(period(random));
        root.children = children;
        directive(None, vec![root], dialect)
    } else {
        directive(Some(rule), children, dialect)
    };
    ReadConsent::new(header(random, Version::R5), directive)
}

/// A consent that profiles often allow: what they require is there, what they forbid is rare.
pub(super) fn profiled(random: &mut Random) -> ReadConsent {
    let somebody =
        || Reference::to(Who::Identifier(Identifier { system: OURS.into(), value: "1".into() }));
    let mut header = Header::new(Status::Active, somebody());
    header.identifiers =
        vec![BusinessId::of(Identifier { system: OURS.into(), value: "1".into() })];
    header.categories = vec![Concept::of(Coding::new("http://loinc.org", "59284-0"))];
    header.date = ConsentDate::parse("2022-06-13", &Zone::UTC);
    header.performers = vec![somebody()];
    header.organizations = vec![somebody()];
    header.sources = vec![Source::Reference(somebody())];
    header.policies = vec![Policy::at("https://law.example/1")];
    let shape =
        Shape { depth: if random.once_in(2) { 1 } else { 2 }, alternates: true, anyone: false };
    let rule = rule(random);
    let mut root = provision(random, rule, shape);
    plain(random, &mut root);
    root.children.iter_mut().for_each(|child| plain(random, child));
    let dialects = [
        Dialect::FhirTree,
        Dialect::Fast,
        Dialect::PcfBasic,
        Dialect::PcfIntermediate,
        Dialect::PcfAdvanced,
    ];
    let directive = directive(None, vec![root], *random.pick(&dialects));
    ReadConsent::new(header, directive)
}

fn plain(random: &mut Random, provision: &mut Provision) {
    provision.actions.clear();
    provision.classes.clear();
    provision.codes.clear();
    provision.actors.retain(|actor| actor.role == ActorRole::Recipient);
    provision.purposes.retain(|purpose| *purpose == purposes()[0] || *purpose == purposes()[3]);
    if random.once_in(2) {
        provision.labels.clear();
    }
    if random.once_in(2) {
        provision.data.clear();
        provision.data_period = None;
    }
}

fn identities(random: &mut Random) -> Identities {
    let mut known: BTreeSet<Who> = random.some(&people()).into_iter().collect();
    if random.once_in(4) {
        known.clear();
    }
    let unresolved =
        if random.once_in(4) { vec![WhoKind::Group, WhoKind::Identifier] } else { Vec::new() };
    Identities { known, unresolved: unresolved.into_iter().collect() }
}

pub(super) fn request(random: &mut Random) -> RequestFacts {
    let purpose = random.pick(&purposes()).clone();
    let action = random.pick(&actions()).clone();
    let locations: BTreeSet<Who> =
        if random.once_in(2) { [Who::reference("Location/ca")].into() } else { BTreeSet::new() };
    RequestFacts {
        at: instant(random),
        asker: identities(random),
        others: vec![(ActorRole::Other(Coding::new(OURS, "witness")), identities(random))],
        purpose: random.fact(purpose),
        action: random.fact(action),
        locations: random.fact(locations),
        understood: understood(),
    }
}

pub(super) fn record(random: &mut Random) -> RecordFacts {
    let instance = random.pick(&records()).clone();
    let labels = random.some(&labels()).into_iter().collect();
    let clinical = period(random);
    let (authors, custodian) = (identities(random), identities(random));
    let refers_to = random.some(&records()).into_iter().collect();
    let referred_by = random.some(&records()).into_iter().collect();
    let classes = random.some(&classes()).into_iter().collect();
    let codes = random.some(&codes()).into_iter().collect();
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
        patients: Fact::Unknown,
    }
}
