//! Runs compiled tests against the bits of a record. Nothing here allocates.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;

use super::{
    Bitcover, Bits, CombiningCode, Group, LabelTest, Node, Plan, Program, RecordView, Unnamed,
    ViewedLabels,
};
use crate::consent::provision::matching::{Match, clinical};
use crate::consent::provision::{
    Coding, Fact, Identities, LabelSet, Outcome, Readability, RecordFacts, Rule, Who, is_handling,
};

/// What one provision says to the one above it, in bits.
#[derive(Clone, Copy)]
pub(super) struct Said {
    pub(super) outcome: Outcome,
    pub(super) cover: Bitcover,
    may_lift: Option<Bitcover>,
}

impl Said {
    const fn only(outcome: Outcome) -> Self {
        Self { outcome, cover: Bitcover::NOTHING, may_lift: None }
    }
}

/// What directives say together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) outcome: Outcome,
    pub(super) cover: Bitcover,
}

impl Heard {
    pub(super) const NOTHING: Self =
        Self { outcome: Outcome::NotApplicable, cover: Bitcover::NOTHING };

    fn add(&mut self, said: Said) {
        self.add_outcome(said.outcome);
        self.cover = self.cover.or(said.cover);
    }

    /// Deny decides, then what cannot be read, then a permit.
    pub(super) fn add_outcome(&mut self, outcome: Outcome) {
        self.outcome = match (self.outcome, outcome) {
            (Outcome::Deny, _) | (_, Outcome::Deny) => Outcome::Deny,
            (Outcome::Indeterminate, _) | (_, Outcome::Indeterminate) => Outcome::Indeterminate,
            (Outcome::Permit, _) | (_, Outcome::Permit) => Outcome::Permit,
            (Outcome::NotApplicable, Outcome::NotApplicable) => Outcome::NotApplicable,
        };
    }
}

/// The answers of siblings, combined; the same rules as [`super::super::tree`], in bits.
#[derive(Clone, Copy)]
struct Siblings {
    outcome: Outcome,
    permits: Bitcover,
    lifted: Option<Bitcover>,
    may_lift: Option<Bitcover>,
}

const fn both(one: Option<Bitcover>, other: Option<Bitcover>) -> Option<Bitcover> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

impl Siblings {
    const NONE: Self = Self {
        outcome: Outcome::NotApplicable,
        permits: Bitcover::NOTHING,
        lifted: None,
        may_lift: None,
    };

    fn of(nodes: &[Node], view: &RecordView) -> Self {
        let mut all = Self::NONE;
        for node in nodes {
            let said = node.said(view);
            match (said.outcome, all.outcome) {
                // Nothing overrides a deny, and nothing beside it is looked at.
                (Outcome::Deny, _) => return Self { outcome: Outcome::Deny, ..Self::NONE },
                (Outcome::Indeterminate, _) => all.outcome = Outcome::Indeterminate,
                (Outcome::Permit, Outcome::NotApplicable) => all.outcome = Outcome::Permit,
                (Outcome::Permit | Outcome::NotApplicable, _) => {}
            }
            all.may_lift = both(all.may_lift, said.may_lift);
            match (said.outcome, node.rule) {
                (Outcome::Permit, Rule::Permit) => all.permits = all.permits.or(said.cover),
                (Outcome::Permit, Rule::Deny) => all.lifted = both(all.lifted, Some(said.cover)),
                (Outcome::Deny | Outcome::NotApplicable | Outcome::Indeterminate, _) => {}
            }
        }
        all
    }

    fn cover_under(self, own: Bitcover) -> Bitcover {
        let base = match (both(self.lifted, self.may_lift), self.lifted) {
            (Some(lifting), Some(_)) => lifting,
            (Some(lifting), None) => own.and(lifting),
            (None, _) => own,
        };
        base.or(self.permits)
    }

    fn cover_alone(self) -> Bitcover {
        if self.lifted.is_some() { self.cover_under(Bitcover::NOTHING) } else { self.permits }
    }

    fn settle(self, rule: Rule, matched: Match, own: Bitcover) -> Said {
        let permit = |cover| Said { outcome: Outcome::Permit, cover, may_lift: None };
        match (self.outcome, matched, rule) {
            (_, Match::No, _)
            | (
                Outcome::Permit | Outcome::NotApplicable,
                Match::Unknown | Match::UnknownCode,
                Rule::Permit,
            ) => Said::only(Outcome::NotApplicable),
            (Outcome::Deny, _, _) => Said::only(Outcome::Deny),
            (Outcome::Indeterminate, _, _) => Said::only(Outcome::Indeterminate),
            (Outcome::Permit | Outcome::NotApplicable, Match::Yes, Rule::Permit) => {
                permit(self.cover_under(own))
            }
            (Outcome::Permit, Match::Yes, Rule::Deny) => permit(self.cover_alone()),
            (Outcome::NotApplicable, Match::Yes | Match::Unknown, Rule::Deny) => {
                Said::only(Outcome::Deny)
            }
            (Outcome::NotApplicable, Match::UnknownCode, Rule::Deny) => {
                Said::only(Outcome::Indeterminate)
            }
            (Outcome::Permit, Match::Unknown | Match::UnknownCode, Rule::Deny) => {
                Said { may_lift: Some(self.cover_alone()), ..Said::only(Outcome::NotApplicable) }
            }
        }
    }
}

impl LabelTest {
    pub(super) fn matches(&self, rule: Rule, labels: Option<ViewedLabels>) -> Match {
        let Some(labels) = labels else {
            return self.unlabelled;
        };
        let level = self.level.is_some_and(|level| match rule {
            Rule::Permit => labels.level <= level,
            Rule::Deny => labels.level >= level,
        });
        if level || !labels.codes.is_disjoint_from(self.codes) || labels.foreign & self.foreign != 0
        {
            Match::Yes
        } else if labels.codes.is_disjoint_from(self.may) {
            self.otherwise
        } else {
            self.otherwise.or(Match::Unknown)
        }
    }
}

impl Group {
    pub(super) fn matches(&self, view: &RecordView) -> Match {
        let mut found = self.given;
        for atom in &self.atoms {
            if view.holds.has(*atom) {
                return Match::Yes;
            }
            if view.unknown.has(*atom) {
                found = found.or(Match::Unknown);
            }
        }
        found
    }
}

impl Node {
    /// Whether it applies; labels first, because they settle most.
    fn matches(&self, view: &RecordView) -> Match {
        let mut all = self.asked;
        if let Some(labels) = &self.labels {
            all = all.and(labels.matches(self.rule, view.labels));
        }
        if let (Some(period), true) = (&self.period, all != Match::No) {
            let time = view.clinical.map_or(Fact::Unknown, Fact::Known);
            all = all.and(clinical(period, &time));
        }
        for group in &self.groups {
            if all == Match::No {
                return Match::No;
            }
            all = all.and(group.matches(view));
        }
        all
    }

    fn said(&self, view: &RecordView) -> Said {
        if self.readable == Readability::Unreadable {
            return Said::only(Outcome::Indeterminate);
        }
        let matched = self.matches(view);
        if matched == Match::No {
            return Said::only(Outcome::NotApplicable);
        }
        Siblings::of(&self.children, view).settle(self.rule, matched, self.cover)
    }
}

/// What rules say together.
#[derive(Clone, Copy, Default)]
struct Tally {
    denies: bool,
    unclear: bool,
    permits: Option<Bitcover>,
}

impl Tally {
    fn permit(&mut self, cover: Bitcover) {
        self.permits = Some(self.permits.map_or(cover, |all| all.or(cover)));
    }

    fn rules(&mut self, nodes: &[Node], above: Match, view: &RecordView) {
        for node in nodes {
            let readable = node.readable == Readability::Readable;
            let own = if readable { node.matches(view) } else { Match::UnknownCode };
            let matched = above.and(own);
            match (node.rule, matched) {
                (_, Match::No) => continue,
                _ if !readable => self.unclear = true,
                (Rule::Permit, Match::Yes) => self.permit(node.cover),
                (Rule::Permit, Match::Unknown | Match::UnknownCode) => {}
                (Rule::Deny, Match::Yes | Match::Unknown) => self.denies = true,
                (Rule::Deny, Match::UnknownCode) => self.unclear = true,
            }
            self.rules(&node.children, matched, view);
        }
    }

    fn combine(self, code: CombiningCode, base: Option<Rule>) -> Said {
        let deny = Said::only(Outcome::Deny);
        let unread = Said::only(Outcome::Indeterminate);
        let permit = |cover| Said { cover, ..Said::only(Outcome::Permit) };
        let otherwise = match base {
            Some(Rule::Permit) => permit(Bitcover::Everything),
            Some(Rule::Deny) => deny,
            None => Said::only(Outcome::NotApplicable),
        };
        let open = base == Some(Rule::Permit) && !self.denies && !self.unclear;
        let permits = self.permits.map(|cover| if open { Bitcover::Everything } else { cover });
        match code {
            CombiningCode::DenyOverrides | CombiningCode::OrderedDenyOverrides => {
                if self.denies {
                    deny
                } else if self.unclear {
                    unread
                } else {
                    permits.map_or(otherwise, permit)
                }
            }
            CombiningCode::PermitOverrides | CombiningCode::OrderedPermitOverrides => {
                match (permits, self.denies, self.unclear) {
                    (Some(cover), _, _) => permit(cover),
                    (None, true, _) => deny,
                    (None, false, true) => unread,
                    (None, false, false) => otherwise,
                }
            }
            CombiningCode::DenyUnlessPermit => permits.map_or(deny, permit),
            CombiningCode::PermitUnlessDeny if self.denies || self.unclear => deny,
            CombiningCode::PermitUnlessDeny => permit(Bitcover::Everything),
        }
    }

    fn token(entries: &[Node], view: &RecordView) -> Said {
        let mut tally = Self::default();
        for entry in entries {
            match (entry.rule, entry.matches(view)) {
                (Rule::Permit, Match::Yes) => tally.permit(entry.cover),
                (Rule::Deny, Match::Yes | Match::Unknown) => tally.denies = true,
                (Rule::Deny, Match::UnknownCode) => tally.unclear = true,
                (Rule::Permit, Match::No | Match::Unknown | Match::UnknownCode)
                | (Rule::Deny, Match::No) => {}
            }
        }
        let permit = |cover| Said { cover, ..Said::only(Outcome::Permit) };
        match tally.permits {
            _ if !tally.denies && !tally.unclear => permit(Bitcover::Everything),
            Some(cover) => permit(cover),
            None if tally.denies => Said::only(Outcome::Deny),
            None => Said::only(Outcome::Indeterminate),
        }
    }
}

impl Program {
    pub(super) fn said(&self, view: &RecordView) -> Said {
        match self {
            Self::Settled(outcome) => Said::only(*outcome),
            Self::Tree { base, nodes } => {
                let siblings = Siblings::of(nodes, view);
                match base {
                    Some(rule) => siblings.settle(*rule, Match::Yes, Bitcover::Everything),
                    None if siblings.outcome == Outcome::Permit => {
                        Said { cover: siblings.cover_alone(), ..Said::only(Outcome::Permit) }
                    }
                    None => Said::only(siblings.outcome),
                }
            }
            Self::Rules { code, base, nodes } => {
                let mut tally = Tally::default();
                tally.rules(nodes, Match::Yes, view);
                tally.combine(*code, *base)
            }
            Self::Token { entries } => Tally::token(entries, view),
        }
    }
}

impl Plan {
    /// What the directives say together of a record, labels included.
    ///
    /// Most directives are untouched by most records: what those say was settled when the plan was
    /// made, and only the others are run.
    pub fn decide(&self, view: &RecordView) -> Outcome {
        let touched = self.index.touched(view);
        let mut heard = Heard::NOTHING;
        self.index.hear_untouched(&touched, &mut heard);
        if heard.outcome == Outcome::Deny {
            return Outcome::Deny;
        }
        for program in touched.programs(&self.programs) {
            heard.add(program.said(view));
            if heard.outcome == Outcome::Deny {
                return Outcome::Deny;
            }
        }
        if heard.outcome == Outcome::Permit && !heard.cover.covers(view.labels) {
            return Outcome::Deny;
        }
        heard.outcome
    }

    /// The bits of a record: one look-up for each name that the record carries.
    pub fn view(&self, record: &RecordFacts) -> RecordView {
        let atoms = &self.atoms;
        let mut view = RecordView {
            labels: record.labels.known().map(|labels| self.labels(labels)),
            clinical: record.clinical.known().copied(),
            holds: Bits::NONE,
            unknown: Bits::NONE,
        };
        view.contains(&atoms.classes, &record.classes);
        view.contains(&atoms.codes, &record.codes);
        view.names(&atoms.refers_to, &record.refers_to);
        view.names(&atoms.referred_by, &record.referred_by);
        match &record.instance {
            Fact::Known(instance) => {
                view.unknown_identifiers(&atoms.instance);
                view.hold(atoms.instance.get(instance).copied());
            }
            Fact::Unknown => view.all_unknown(atoms.instance.values()),
        }
        view.people(&atoms.authors, atoms.any_author, &record.authors);
        view.people(&atoms.custodian, atoms.any_custodian, &record.custodian);
        view
    }

    fn labels(&self, labels: &LabelSet) -> ViewedLabels {
        let mut viewed = ViewedLabels {
            level: labels.effective_confidentiality(),
            codes: labels.sensitivity,
            foreign: 0,
            sensitive: 0,
            unnamed: Unnamed::None,
        };
        for coding in &labels.foreign {
            let bit = self.atoms.labels.get(coding).map_or(0, |bit| 1 << bit);
            viewed.foreign |= bit;
            if is_handling(coding) {
                continue;
            }
            viewed.sensitive |= bit;
            if bit == 0 {
                viewed.unnamed = Unnamed::Some;
            }
        }
        viewed
    }
}

impl RecordView {
    fn hold(&mut self, atom: Option<u16>) {
        if let Some(atom) = atom {
            self.holds.set(atom);
        }
    }

    fn all_unknown<'a>(&mut self, atoms: impl Iterator<Item = &'a u16>) {
        for atom in atoms {
            self.unknown.set(*atom);
        }
    }

    fn unknown_identifiers(&mut self, atoms: &BTreeMap<Who, u16>) {
        // Identifiers sort after every literal reference.
        for (who, atom) in atoms.iter().rev() {
            match who {
                Who::Identifier(_) => self.unknown.set(*atom),
                Who::Reference(_) => break,
            }
        }
    }

    fn contains(&mut self, atoms: &BTreeMap<Coding, u16>, content: &Fact<BTreeSet<Coding>>) {
        match content {
            _ if atoms.is_empty() => {}
            Fact::Known(content) => {
                for coding in content {
                    self.hold(atoms.get(coding).copied());
                }
            }
            Fact::Unknown => self.all_unknown(atoms.values()),
        }
    }

    fn names(&mut self, atoms: &BTreeMap<Who, u16>, records: &Fact<BTreeSet<Who>>) {
        match records {
            _ if atoms.is_empty() => {}
            Fact::Known(records) => {
                self.unknown_identifiers(atoms);
                for who in records {
                    self.hold(atoms.get(who).copied());
                }
            }
            Fact::Unknown => self.all_unknown(atoms.values()),
        }
    }

    fn people(
        &mut self,
        atoms: &BTreeMap<Who, u16>,
        anyone: Option<u16>,
        people: &Fact<Identities>,
    ) {
        let Fact::Known(people) = people else {
            self.all_unknown(atoms.values().chain(&anyone));
            return;
        };
        if !people.unresolved.is_empty() {
            let open = atoms.iter().filter(|(who, _)| people.unresolved.contains(&who.kind()));
            self.all_unknown(open.map(|(_, atom)| atom));
        }
        if !atoms.is_empty() {
            for who in &people.known {
                self.hold(atoms.get(who).copied());
            }
        }
        if let Some(anyone) = anyone {
            if !people.known.is_empty() {
                self.holds.set(anyone);
            } else if !people.unresolved.is_empty() {
                self.unknown.set(anyone);
            }
        }
    }
}
