//! A naive evaluator, written from the specification text, that is compared with the engine.
//!
//! It shares only values with the engine. Codes are compared as texts against tables of its own,
//! every attribute is asked two plain questions (does it apply for certain, could it apply), and
//! coverage is asked label by label. It is slow and gives no reasons.

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::time::Period;

/// What the naive evaluator answers: what was said, and the answer after labels are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Naive {
    pub(crate) said: Outcome,
    pub(crate) outcome: Outcome,
    /// Whether a refusal may be told as either of its two kinds, because it differs by world.
    pub(crate) either_refusal: bool,
}

impl Naive {
    const fn plain(said: Outcome) -> Self {
        Self { said, outcome: said, either_refusal: false }
    }

    /// Whether the engine's answer is this one.
    pub(crate) fn agrees_with(self, said: Outcome, outcome: Outcome) -> bool {
        let refusal = |one| matches!(one, Outcome::Deny | Outcome::Indeterminate);
        let same =
            |one, other| one == other || (self.either_refusal && refusal(one) && refusal(other));
        same(self.said, said) && same(self.outcome, outcome)
    }
}

/// The three things one can say of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Truth {
    certain: bool,
    possible: bool,
    /// It is not certain because the consent names a code that nobody here knows.
    murky: bool,
}

const YES: Truth = Truth { certain: true, possible: true, murky: false };
const NO: Truth = Truth { certain: false, possible: false, murky: false };
const MAYBE: Truth = Truth { certain: false, possible: true, murky: false };
const MURKY: Truth = Truth { certain: false, possible: true, murky: true };

fn plain(holds: bool) -> Truth {
    if holds { YES } else { NO }
}

fn any_of(values: &[Truth]) -> Truth {
    let certain = values.iter().any(|value| value.certain);
    Truth {
        certain,
        possible: values.iter().any(|value| value.possible),
        murky: !certain && values.iter().any(|value| value.murky),
    }
}

fn all_of(values: &[Truth]) -> Truth {
    let possible = values.iter().all(|value| value.possible);
    Truth {
        certain: values.iter().all(|value| value.certain),
        possible,
        murky: possible && values.iter().any(|value| value.murky),
    }
}

/// HL7's sensitivity tree, by code, as far as the worlds use it.
fn above_sensitivity(code: &str) -> Vec<&'static str> {
    match code {
        "BH" | "PSY" | "SUD" | "MH" | "PSYTHPN" => vec!["SPI"],
        "ETHUD" | "OPIOIDUD" => vec!["SUD", "SPI"],
        "COGN" | "DVD" | "EMOTDIS" => vec!["BH", "SPI"],
        _ => vec![],
    }
}

/// Every purpose that, named in a provision, speaks of this request.
fn purposes_that_reach(asked: &str) -> Vec<&'static str> {
    match asked {
        "PurposeOfUse" => vec!["PurposeOfUse"],
        "TREAT" => vec!["TREAT", "PurposeOfUse"],
        "COC" => vec!["COC", "TREAT", "PurposeOfUse"],
        "ETREAT" => vec!["ETREAT"],
        "BTG" => vec!["BTG"],
        "ERTREAT" => vec!["ERTREAT", "ETREAT"],
        "HPAYMT" => vec!["HPAYMT", "PurposeOfUse"],
        "HOPERAT" => vec!["HOPERAT", "PurposeOfUse"],
        "HRESCH" => vec!["HRESCH"],
        "BIORCH" => vec!["BIORCH", "HRESCH"],
        "PATRQT" => vec!["PATRQT", "PurposeOfUse"],
        "FAMRQT" => vec!["FAMRQT"],
        "HMARKT" => vec!["HMARKT"],
        _ => vec![],
    }
}

fn rank(level: &str) -> usize {
    ["U", "L", "M", "N", "R", "V"].iter().position(|known| *known == level).unwrap()
}

fn level_of(labels: &LabelSet) -> usize {
    match labels.confidentiality {
        Some(level) => rank(level.code()),
        None if labels.sensitivity.iter().next().is_some() => rank("R"),
        None if labels.foreign.iter().any(|it| !handling(it)) => rank("R"),
        None => rank("N"),
    }
}

fn sensitivities(labels: &LabelSet) -> Vec<String> {
    labels.sensitivity.iter().map(|code| code.code().to_string()).collect()
}

fn handling(coding: &Coding) -> bool {
    coding.system.ends_with("v3-ActReason")
}

fn understood(coding: &Coding, request: &RequestFacts) -> bool {
    request.understood.contains(&coding.system)
}

/// Whether a permit that names `named` reaches a label `code`.
fn permit_reaches(named: &str, code: &str, exact: bool) -> bool {
    named == code || (!exact && above_sensitivity(code).contains(&named))
}

fn substance(code: &str) -> bool {
    ["ETH", "SUD", "ETHUD", "OPIOIDUD"].contains(&code)
}

fn label(named: &Label, rule: Rule, world: &Asked<'_>) -> Truth {
    let Fact::Known(labels) = &world.record.labels else {
        return match (rule, named) {
            (Rule::Permit, Label::Confidentiality(level)) if level.code() == "V" => YES,
            (Rule::Deny, Label::Confidentiality(level)) if level.code() == "U" => YES,
            _ => MAYBE,
        };
    };
    match named {
        Label::Confidentiality(level) => plain(match rule {
            Rule::Permit => level_of(labels) <= rank(level.code()),
            Rule::Deny => level_of(labels) >= rank(level.code()),
        }),
        Label::Sensitivity(named) => {
            let named = named.code();
            let carried = sensitivities(labels);
            match rule {
                Rule::Permit => {
                    plain(carried.iter().any(|code| permit_reaches(named, code, world.exact)))
                }
                Rule::Deny => {
                    let certain = carried.iter().any(|code| {
                        code == named
                            || above_sensitivity(code).contains(&named)
                            || (["ETH", "SUD"].contains(&named) && substance(code))
                    });
                    let possible = carried.iter().any(|code| {
                        above_sensitivity(named).contains(&code.as_str())
                            || (substance(named) && code == "ETH")
                    });
                    if certain {
                        YES
                    } else if possible {
                        MAYBE
                    } else {
                        NO
                    }
                }
            }
        }
        Label::Foreign(coding) => {
            if labels.foreign.contains(coding) {
                YES
            } else if handling(coding) || understood(coding, world.request) {
                NO
            } else {
                MURKY
            }
        }
    }
}

fn purpose(named: &Purpose, request: &RequestFacts) -> Truth {
    let strange = |purpose: &Purpose| match purpose {
        Purpose::Hl7(_) => false,
        Purpose::Foreign(coding) => !understood(coding, request),
    };
    if let (Purpose::Hl7(named), Fact::Known(Purpose::Hl7(asked))) = (named, &request.purpose) {
        return plain(purposes_that_reach(asked.code()).contains(&named.code()));
    }
    if request.purpose == Fact::Known(named.clone()) {
        return YES;
    }
    if strange(named) {
        return MURKY;
    }
    match &request.purpose {
        Fact::Known(asked) if !strange(asked) => NO,
        Fact::Known(_) | Fact::Unknown => MAYBE,
    }
}

fn action(named: &Coding, request: &RequestFacts) -> Truth {
    let strange = |coding: &Coding| {
        coding.system != "http://terminology.hl7.org/CodeSystem/consentaction"
            && !understood(coding, request)
    };
    if request.action == Fact::Known(named.clone()) {
        return YES;
    }
    if strange(named) {
        return MURKY;
    }
    match &request.action {
        Fact::Known(asked) if !strange(asked) => NO,
        Fact::Known(_) | Fact::Unknown => MAYBE,
    }
}

fn one_of(who: &Who, someone: Option<&Identities>) -> Truth {
    match someone {
        None => MAYBE,
        Some(someone) if someone.known.contains(who) => YES,
        Some(someone) if someone.unresolved.contains(&who.kind()) => MAYBE,
        Some(_) => NO,
    }
}

fn actor(clause: &ActorClause, world: &Asked<'_>) -> Truth {
    let party = match &clause.role {
        ActorRole::Recipient => Some(&world.request.asker),
        ActorRole::Custodian => world.record.custodian.known(),
        ActorRole::Author => world.record.authors.known(),
        role @ ActorRole::Other(_) => {
            world.request.others.iter().find(|(stated, _)| stated == role).map(|(_, it)| it)
        }
    };
    match (&clause.who, party) {
        (Some(who), party) => one_of(who, party),
        (None, _) if clause.role == ActorRole::Recipient => YES,
        (None, None) => MAYBE,
        (None, Some(party)) if !party.known.is_empty() => YES,
        (None, Some(party)) if !party.unresolved.is_empty() => MAYBE,
        (None, Some(_)) => NO,
    }
}

fn among(named: &Who, known: Option<Vec<&Who>>) -> Truth {
    match known {
        None => MAYBE,
        Some(list) if list.contains(&named) => YES,
        Some(_) => {
            // A business identifier may be that of any record.
            if matches!(named, Who::Identifier(_)) { MAYBE } else { NO }
        }
    }
}

fn data(clause: &DataClause, world: &Asked<'_>) -> Truth {
    let named = &clause.reference;
    let record = world.record;
    let itself = || among(named, record.instance.known().map(|one| vec![one]));
    let refers = || among(named, record.refers_to.known().map(|all| all.iter().collect()));
    let referred = || among(named, record.referred_by.known().map(|all| all.iter().collect()));
    match clause.meaning {
        DataMeaning::Instance => itself(),
        DataMeaning::Related if world.pcf => any_of(&[itself(), refers()]),
        DataMeaning::Related => any_of(&[itself(), referred()]),
        DataMeaning::Dependents => any_of(&[itself(), refers()]),
        DataMeaning::AuthoredBy => one_of(named, record.authors.known()),
    }
}

fn clinical(wanted: &Period, record: &RecordFacts) -> Truth {
    let Fact::Known(actual) = &record.clinical else { return MAYBE };
    let micros =
        |at: Option<crate::time::At>, open: i64| at.map_or(open, crate::time::At::as_micros);
    let (from, until) = (micros(wanted.start, i64::MIN), micros(wanted.end, i64::MAX));
    let (start, end) = (micros(actual.start, i64::MIN), micros(actual.end, i64::MAX));
    if start >= end {
        MAYBE
    } else if from <= start && end <= until {
        YES
    } else if end <= from || until <= start {
        NO
    } else {
        MAYBE
    }
}

fn reversed(period: Option<Period>) -> bool {
    period.is_some_and(|period| {
        period.start.is_some_and(|start| period.end.is_some_and(|end| end <= start))
    })
}

fn unreadable(provision: &Provision) -> bool {
    !provision.unreadable.is_empty()
        || reversed(provision.period)
        || reversed(provision.data_period)
}

/// What is asked, and in which reading.
struct Asked<'a> {
    request: &'a RequestFacts,
    record: &'a RecordFacts,
    pcf: bool,
    exact: bool,
}

impl Asked<'_> {
    fn about_request(&self, it: &Provision) -> Vec<Truth> {
        let mut all = Vec::new();
        if let Some(period) = it.period {
            let late = period.end.is_some_and(|end| end <= self.request.at);
            let early = period.start.is_some_and(|start| self.request.at < start);
            all.push(plain(!late && !early));
        }
        let mut list = |values: Vec<Truth>| {
            if !values.is_empty() {
                all.push(any_of(&values));
            }
        };
        if it.rule == Rule::Deny {
            list(it.actors.iter().map(|clause| actor(clause, self)).collect());
        } else {
            // Each role is asked about by itself.
            let mut roles: Vec<&ActorRole> = it.actors.iter().map(|clause| &clause.role).collect();
            roles.dedup();
            for role in roles {
                let of_role = it.actors.iter().filter(|clause| clause.role == *role);
                list(of_role.map(|clause| actor(clause, self)).collect());
            }
        }
        list(it.actions.iter().map(|named| action(named, self.request)).collect());
        list(it.purposes.iter().map(|named| purpose(named, self.request)).collect());
        let places = || self.request.locations.known().map(|all| all.iter().collect());
        list(it.locations.iter().map(|named| among(named, places())).collect());
        all
    }

    fn about_record(&self, it: &Provision) -> Vec<Truth> {
        let mut all = Vec::new();
        if let Some(period) = &it.data_period {
            all.push(clinical(period, self.record));
        }
        let mut list = |values: Vec<Truth>| {
            if !values.is_empty() {
                all.push(any_of(&values));
            }
        };
        list(it.labels.iter().map(|named| label(named, it.rule, self)).collect());
        let contains = |facts: &Fact<alloc::collections::BTreeSet<Coding>>, named: &Coding| {
            facts.known().map_or(MAYBE, |all| plain(all.contains(named)))
        };
        list(it.classes.iter().map(|named| contains(&self.record.classes, named)).collect());
        list(it.codes.iter().map(|named| contains(&self.record.codes, named)).collect());
        list(it.data.iter().map(|clause| data(clause, self)).collect());
        all
    }

    fn applies(&self, it: &Provision) -> Truth {
        all_of(&[self.about_request(it), self.about_record(it)].concat())
    }
}

/// One thing that has to be covered.
#[derive(Debug, Clone)]
enum Needed {
    Sensitivity(String),
    Foreign(Coding),
    /// A record that is not labelled may carry anything.
    Anything,
}

fn needed(record: &RecordFacts) -> Vec<Needed> {
    let Fact::Known(labels) = &record.labels else { return vec![Needed::Anything] };
    let mut all: Vec<Needed> = sensitivities(labels).into_iter().map(Needed::Sensitivity).collect();
    all.extend(labels.foreign.iter().filter(|it| !handling(it)).cloned().map(Needed::Foreign));
    all
}

fn names_category(labels: &[Label]) -> bool {
    labels.iter().any(|label| match label {
        Label::Confidentiality(_) => false,
        Label::Sensitivity(_) => true,
        Label::Foreign(coding) => !handling(coding),
    })
}

fn names(labels: &[Label], needed: &Needed, exact: bool) -> bool {
    labels.iter().any(|label| match (label, needed) {
        (Label::Sensitivity(named), Needed::Sensitivity(code)) => {
            permit_reaches(named.code(), code, exact)
        }
        (Label::Foreign(named), Needed::Foreign(coding)) => named == coding && !handling(named),
        _ => false,
    })
}

/// What the last permit of a path covers, read upwards.
fn path_covers(path: &[&Provision], needed: &Needed, exact: bool) -> bool {
    for it in path.iter().rev() {
        match it.rule {
            Rule::Permit if it.labels.is_empty() => {}
            Rule::Permit if names_category(&it.labels) => return names(&it.labels, needed, exact),
            Rule::Permit => return names_restricted(&it.labels),
            Rule::Deny if names(&it.labels, needed, exact) => return true,
            Rule::Deny => {}
        }
    }
    true
}

fn names_restricted(labels: &[Label]) -> bool {
    labels.iter().any(|label| match label {
        Label::Confidentiality(level) => ["R", "V"].contains(&level.code()),
        Label::Sensitivity(_) | Label::Foreign(_) => false,
    })
}

/// What a node can turn out to say in one possible world, and, of a permit, whether it covers the
/// one label that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum World {
    Deny,
    Unread,
    Permit { covers: bool },
    Silent,
}

/// Reads the tree world by world: in each, every condition is simply true or false, and the rules
/// of the specification text apply as they stand.
struct Tree<'a> {
    asked: Asked<'a>,
    needed: &'a Needed,
}

impl Tree<'_> {
    /// In one world: what a matching node says, given what its children say.
    fn settled(own: Option<(Rule, bool)>, children: &[(Rule, World)]) -> World {
        let says = |wanted: World| children.iter().any(|(_, said)| *said == wanted);
        if says(World::Deny) {
            return World::Deny;
        }
        if says(World::Unread) {
            return World::Unread;
        }
        let permits = |of: Rule| {
            children.iter().filter_map(move |(rule, said)| match said {
                World::Permit { covers } if *rule == of => Some(*covers),
                World::Permit { .. } | World::Deny | World::Unread | World::Silent => None,
            })
        };
        let by_permit = permits(Rule::Permit).any(|covers| covers);
        match (permits(Rule::Deny).count(), permits(Rule::Permit).count(), own) {
            (0, 0, None) => World::Silent,
            (0, 0, Some((Rule::Deny, _))) => World::Deny,
            (0, _, Some((Rule::Permit, covers))) => World::Permit { covers: covers || by_permit },
            (0, _, _) => World::Permit { covers: by_permit },
            (_, _, _) => {
                World::Permit { covers: permits(Rule::Deny).all(|covers| covers) || by_permit }
            }
        }
    }

    /// Everything that siblings can say together.
    fn together(children: &[(Rule, Vec<World>)]) -> Vec<Vec<(Rule, World)>> {
        children.iter().fold(vec![Vec::new()], |all, (rule, worlds)| {
            all.iter()
                .flat_map(|before| {
                    worlds.iter().map(move |world| [before.as_slice(), &[(*rule, *world)]].concat())
                })
                .collect()
        })
    }

    fn below(
        &self,
        path: &[&Provision],
        own: Option<(Rule, bool)>,
        children: &[Provision],
    ) -> Vec<World> {
        let said: Vec<(Rule, Vec<World>)> = children
            .iter()
            .map(|child| (child.rule, self.worlds(&[path, &[child]].concat())))
            .collect();
        let mut all: Vec<World> = Vec::new();
        for world in Self::together(&said).iter().map(|world| Self::settled(own, world)) {
            if !all.contains(&world) {
                all.push(world);
            }
        }
        all
    }

    /// Everything that the last node of the path can say.
    fn worlds(&self, path: &[&Provision]) -> Vec<World> {
        let node = path[path.len() - 1];
        if unreadable(node) {
            return vec![World::Unread];
        }
        let condition = self.asked.applies(node);
        let mut all = Vec::new();
        if condition.possible {
            let own = (node.rule, path_covers(path, self.needed, false));
            all = self.below(path, Some(own), &node.children);
            let below = self.below(path, None, &node.children);
            // Nothing below denies, and whether the node itself does hangs on an unknown code.
            if condition.murky && node.rule == Rule::Deny && !below.contains(&World::Deny) {
                for world in all.iter_mut().filter(|world| **world == World::Deny) {
                    *world = World::Unread;
                }
            }
        }
        if !condition.certain && !all.contains(&World::Silent) {
            all.push(World::Silent);
        }
        all
    }

    fn directive(&self, directive: &Directive) -> (Outcome, bool, bool) {
        let own = directive.base().map(|rule| (rule, true));
        let all = self.below(&[], own, directive.provisions());
        let said = if all.contains(&World::Deny) {
            Outcome::Deny
        } else if all.contains(&World::Unread) {
            Outcome::Indeterminate
        } else if all.contains(&World::Silent) {
            Outcome::NotApplicable
        } else {
            Outcome::Permit
        };
        (said, !all.contains(&World::Permit { covers: false }), all.len() > 1)
    }
}

fn finish(said: Outcome, record: &RecordFacts, covers: impl Fn(&Needed) -> bool) -> Naive {
    let uncovered = said == Outcome::Permit && !needed(record).iter().all(covers);
    Naive { outcome: if uncovered { Outcome::Deny } else { said }, ..Naive::plain(said) }
}

fn tree(directive: &Directive, request: &RequestFacts, record: &RecordFacts) -> Naive {
    let read = |needed: &Needed| {
        let asked = Asked { request, record, pcf: false, exact: false };
        Tree { asked, needed }.directive(directive)
    };
    let (said, _, either_refusal) = read(&Needed::Anything);
    Naive { either_refusal, ..finish(said, record, |needed| read(needed).1) }
}

fn paths<'a>(
    above: &[&'a Provision],
    children: &'a [Provision],
    all: &mut Vec<Vec<&'a Provision>>,
) {
    for child in children {
        let path = [above, &[child]].concat();
        all.push(path.clone());
        paths(&path, &child.children, all);
    }
}

fn flat(
    directive: &Directive,
    code: CombiningCode,
    exact: bool,
    request: &RequestFacts,
    record: &RecordFacts,
) -> Naive {
    let asked = Asked { request, record, pcf: false, exact };
    let mut all = Vec::new();
    paths(&[], directive.provisions(), &mut all);
    let (mut deny, mut unread) = (false, false);
    let mut permits: Vec<&Vec<&Provision>> = Vec::new();
    for path in &all {
        let last = path[path.len() - 1];
        let readable: Vec<Truth> =
            path.iter().map(|it| if unreadable(it) { MURKY } else { asked.applies(it) }).collect();
        let condition = all_of(&readable);
        if !condition.possible {
            continue;
        }
        match last.rule {
            _ if unreadable(last) => unread = true,
            Rule::Permit if condition.certain => permits.push(path),
            Rule::Permit => {}
            Rule::Deny if condition.murky => unread = true,
            Rule::Deny => deny = true,
        }
    }
    let permit = !permits.is_empty();
    let base = match directive.base() {
        Some(Rule::Permit) => Outcome::Permit,
        Some(Rule::Deny) => Outcome::Deny,
        None => Outcome::NotApplicable,
    };
    // Each row: in which order what is found decides.
    let said = match code {
        CombiningCode::DenyOverrides | CombiningCode::OrderedDenyOverrides => {
            if deny {
                Outcome::Deny
            } else if unread {
                Outcome::Indeterminate
            } else if permit {
                Outcome::Permit
            } else {
                base
            }
        }
        CombiningCode::PermitOverrides | CombiningCode::OrderedPermitOverrides => {
            if permit {
                Outcome::Permit
            } else if deny {
                Outcome::Deny
            } else if unread {
                Outcome::Indeterminate
            } else {
                base
            }
        }
        CombiningCode::DenyUnlessPermit => {
            if permit {
                Outcome::Permit
            } else {
                Outcome::Deny
            }
        }
        CombiningCode::PermitUnlessDeny => {
            if deny || unread {
                Outcome::Deny
            } else {
                Outcome::Permit
            }
        }
    };
    let undisputed = directive.base() == Some(Rule::Permit) && !deny && !unread;
    let by_default = !permit || code == CombiningCode::PermitUnlessDeny || undisputed;
    finish(said, record, |needed| {
        by_default || permits.iter().any(|path| path_covers(path, needed, exact))
    })
}

/// What each PCF profile rules out, from the profiles' own lists of what is not used.
fn outside_pcf(provision: &Provision, dialect: Dialect) -> bool {
    let labels = !provision.labels.is_empty();
    let timed = provision.data_period.is_some();
    let listed = !provision.data.is_empty();
    unreadable(provision)
        || !provision.classes.is_empty()
        || !provision.codes.is_empty()
        || !provision.actions.is_empty()
        || provision.actors.iter().any(|clause| clause.role != ActorRole::Recipient)
        || provision.data.iter().any(|clause| clause.meaning == DataMeaning::Dependents)
        || (dialect == Dialect::PcfBasic && (labels || timed || listed))
        || (dialect == Dialect::PcfIntermediate && labels)
}

fn pcf(directive: &Directive, request: &RequestFacts, record: &RecordFacts) -> Naive {
    let asked = Asked { request, record, pcf: true, exact: false };
    let stop = Naive::plain;
    let roots = directive.provisions();
    let (rule, root, exceptions): (Rule, Option<&Provision>, &[Provision]) = match directive.base()
    {
        Some(rule) => (rule, None, roots),
        None if roots.is_empty() => return stop(Outcome::NotApplicable),
        None if roots.len() > 1 => return stop(Outcome::Indeterminate),
        None => (roots[0].rule, Some(&roots[0]), &roots[0].children),
    };
    let outside = root.into_iter().chain(exceptions).any(|it| outside_pcf(it, directive.dialect()))
        || exceptions.iter().any(|it| !it.children.is_empty())
        || (directive.dialect() == Dialect::PcfBasic && !exceptions.is_empty());
    if outside {
        return stop(Outcome::Indeterminate);
    }
    let applies = root.map_or(YES, |root| all_of(&asked.about_request(root)));
    let limits = root.map_or(Vec::new(), |root| asked.about_record(root));
    let forbids_something = !limits.is_empty() || exceptions.iter().any(|it| it.rule == Rule::Deny);
    if !applies.possible {
        return stop(Outcome::NotApplicable);
    }
    if !applies.certain {
        return stop(match rule {
            Rule::Permit if forbids_something => Outcome::Indeterminate,
            Rule::Permit => Outcome::NotApplicable,
            Rule::Deny if applies.murky => Outcome::Indeterminate,
            Rule::Deny => Outcome::Deny,
        });
    }
    let (mut forbidden, mut unclear) = (rule == Rule::Deny || !limits.is_empty(), false);
    let mut permits: Vec<&[Label]> = Vec::new();
    if let (Rule::Permit, Some(root)) = (rule, root)
        && !limits.is_empty()
        && all_of(&limits).certain
    {
        permits.push(&root.labels);
    }
    for it in exceptions {
        let (by_request, by_record) =
            (all_of(&asked.about_request(it)), all_of(&asked.about_record(it)));
        match it.rule {
            Rule::Permit if by_request.certain && by_record.certain => permits.push(&it.labels),
            Rule::Permit => {}
            Rule::Deny if !by_request.possible || !by_record.possible => {}
            Rule::Deny if by_record.murky => unclear = true,
            Rule::Deny => forbidden = true,
        }
    }
    let open = !forbidden && !unclear;
    let said = if open || !permits.is_empty() {
        Outcome::Permit
    } else if forbidden {
        Outcome::Deny
    } else {
        Outcome::Indeterminate
    };
    finish(said, record, |needed| {
        open || permits.iter().any(|labels| {
            labels.is_empty()
                || names(labels, needed, false)
                || (!names_category(labels) && names_restricted(labels))
        })
    })
}

/// Evaluates a directive naively.
pub(crate) fn naive(directive: &Directive, request: &RequestFacts, record: &RecordFacts) -> Naive {
    match directive.dialect() {
        Dialect::FhirTree | Dialect::LatestWins => tree(directive, request, record),
        Dialect::Fast => {
            let mut all = Vec::new();
            paths(&[], directive.provisions(), &mut all);
            let most = if directive.base().is_some() { 1 } else { 2 };
            if all.iter().any(|path| path.len() > most) {
                return Naive::plain(Outcome::Indeterminate);
            }
            tree(directive, request, record)
        }
        Dialect::PcfBasic
        | Dialect::PcfIntermediate
        | Dialect::PcfAdvanced
        | Dialect::PcfImplicit => pcf(directive, request, record),
        Dialect::Joint => flat(directive, CombiningCode::DenyOverrides, true, request, record),
        Dialect::Permission(code) => flat(directive, code, false, request, record),
    }
}
