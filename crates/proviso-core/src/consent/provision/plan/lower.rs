//! Residual provisions to tests on bits.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{ATOMS_MAX, Atoms, Bitcover, Group, LabelTest, Node, PlanError, Program};
use crate::consent::provision::matching::{
    Match, Reading, RelatedMeaning, deny_may_reach, deny_reach, is_about_record, permit_reach,
};
use crate::consent::provision::residual::{Exceptions, Left, Readability, Reduced};
use crate::consent::provision::{
    ActorRole, Confidentiality, DataMeaning, Label, Outcome, Provision, RequestFacts, ResidualType,
    Rule, SensitivitySet, is_handling,
};

pub(super) struct Lowering<'a> {
    request: &'a RequestFacts,
    atoms: Atoms,
}

fn intern<K: Ord + Clone>(
    map: &mut BTreeMap<K, u16>,
    count: &mut u16,
    key: &K,
) -> Result<u16, PlanError> {
    if let Some(atom) = map.get(key) {
        return Ok(*atom);
    }
    let atom = fresh(count)?;
    map.insert(key.clone(), atom);
    Ok(atom)
}

fn fresh(count: &mut u16) -> Result<u16, PlanError> {
    let atom = *count;
    if usize::from(atom) >= ATOMS_MAX {
        return Err(PlanError::TooManyNames);
    }
    *count += 1;
    Ok(atom)
}

impl<'a> Lowering<'a> {
    pub(super) fn new(request: &'a RequestFacts) -> Self {
        Self { request, atoms: Atoms::default() }
    }

    pub(super) fn into_atoms(self) -> Atoms {
        self.atoms
    }

    pub(super) fn program(&mut self, left: Left<'_>) -> Result<Program, PlanError> {
        Ok(match left {
            Left::Settled(outcome) => Program::Settled(outcome),
            Left::Tree { base, provisions } => Program::Tree {
                base,
                nodes: self.nodes(provisions, Reading::HL7, Bitcover::Everything)?,
            },
            Left::Rules { code, reach, base, provisions } => {
                let reading = Reading { permits_reach: reach, ..Reading::HL7 };
                let nodes = self.nodes(provisions, reading, Bitcover::Everything)?;
                Program::Rules { code, base, nodes }
            }
            Left::Token(token) => {
                let mut entries = Vec::with_capacity(token.residual.len());
                for entry in token.residual {
                    let rule = match entry.rule {
                        ResidualType::Forbid => Rule::Deny,
                        ResidualType::Permit => Rule::Permit,
                    };
                    let record = Provision {
                        labels: entry.labels,
                        data_period: entry.data_period,
                        data: entry.data,
                        ..Provision::new(rule)
                    };
                    let reduced = Reduced {
                        asked: Match::Yes,
                        actor_may_match: Match::No,
                        readable: Readability::Readable,
                        record: &record,
                        exceptions: Exceptions::Left(&[]),
                    };
                    entries.push(self.node(&reduced, Reading::PCF, Bitcover::Everything)?);
                }
                Program::Token { entries: entries.into() }
            }
        })
    }

    fn nodes(
        &mut self,
        provisions: Exceptions<'_>,
        reading: Reading,
        inherited: Bitcover,
    ) -> Result<Box<[Node]>, PlanError> {
        provisions.iter().map(|one| self.node(&one, reading, inherited)).collect()
    }

    fn node(
        &mut self,
        reduced: &Reduced<'_>,
        reading: Reading,
        inherited: Bitcover,
    ) -> Result<Node, PlanError> {
        let record = reduced.record;
        let unreadable = reduced.readable == Readability::Unreadable;
        let labels = if unreadable { None } else { self.label_test(record, reading)? };
        let categories = self.categories(&record.labels, reading)?;
        let cover = match (record.labels.is_empty(), categories) {
            (true, _) => inherited,
            (false, Some(categories)) => categories,
            (false, None) if names_restricted(&record.labels) => Bitcover::Everything,
            (false, None) => Bitcover::NOTHING,
        };
        let passed = match record.rule {
            Rule::Permit => cover,
            Rule::Deny => categories.map_or(inherited, |named| inherited.or(named)),
        };
        let groups = if unreadable {
            Box::default()
        } else {
            self.groups(record, reduced.actor_may_match, reading)?
        };
        Ok(Node {
            rule: record.rule,
            readable: reduced.readable,
            asked: reduced.asked,
            period: record.data_period,
            labels,
            groups,
            cover,
            children: self.nodes(reduced.exceptions, reading, passed)?,
        })
    }

    /// The labels that say what makes a record sensitive, as a permit of them covers it.
    fn categories(
        &mut self,
        labels: &[Label],
        reading: Reading,
    ) -> Result<Option<Bitcover>, PlanError> {
        let mut codes = SensitivitySet::EMPTY;
        let mut bits = 0;
        for label in labels {
            match label {
                Label::Confidentiality(_) => {}
                Label::Sensitivity(code) => {
                    codes = codes.union(permit_reach(*code, reading.permits_reach));
                }
                Label::Foreign(coding) if is_handling(coding) => {}
                Label::Foreign(coding) => bits |= self.label_bit(coding)?,
            }
        }
        let named = !codes.is_empty() || bits != 0;
        Ok(named.then_some(Bitcover::Only { codes, foreign: bits }))
    }

    fn label_bit(&mut self, coding: &super::Coding) -> Result<u64, PlanError> {
        let next = u8::try_from(self.atoms.labels.len()).unwrap_or(u8::MAX);
        if let Some(bit) = self.atoms.labels.get(coding) {
            return Ok(1 << bit);
        }
        if next >= 64 {
            return Err(PlanError::TooManyLabels);
        }
        self.atoms.labels.insert(coding.clone(), next);
        Ok(1 << next)
    }

    fn label_test(
        &mut self,
        record: &Provision,
        reading: Reading,
    ) -> Result<Option<LabelTest>, PlanError> {
        if record.labels.is_empty() {
            return Ok(None);
        }
        let mut test = LabelTest {
            level: None,
            codes: SensitivitySet::EMPTY,
            may: SensitivitySet::EMPTY,
            foreign: 0,
            otherwise: Match::No,
            unlabelled: Match::Unknown,
        };
        for label in &record.labels {
            match (label, record.rule) {
                (Label::Confidentiality(level), Rule::Permit) => {
                    test.level = test.level.max(Some(*level));
                    if *level == Confidentiality::VeryRestricted {
                        test.unlabelled = Match::Yes;
                    }
                }
                (Label::Confidentiality(level), Rule::Deny) => {
                    test.level = Some(test.level.map_or(*level, |lowest| lowest.min(*level)));
                    if *level == Confidentiality::Unrestricted {
                        test.unlabelled = Match::Yes;
                    }
                }
                (Label::Sensitivity(code), Rule::Permit) => {
                    test.codes = test.codes.union(permit_reach(*code, reading.permits_reach));
                }
                (Label::Sensitivity(code), Rule::Deny) => {
                    test.codes = test.codes.union(deny_reach(*code));
                    test.may = test.may.union(deny_may_reach(*code));
                }
                (Label::Foreign(coding), Rule::Permit | Rule::Deny) => {
                    test.foreign |= self.label_bit(coding)?;
                    if !is_handling(coding) && !self.request.understood.contains(&coding.system) {
                        test.otherwise = Match::UnknownCode;
                    }
                }
            }
        }
        Ok(Some(test))
    }

    fn groups(
        &mut self,
        record: &Provision,
        given: Match,
        reading: Reading,
    ) -> Result<Box<[Group]>, PlanError> {
        let mut groups = Vec::new();
        let count = &mut self.atoms.count;
        let mut push = |given, atoms: Vec<u16>| groups.push(Group { given, atoms: atoms.into() });
        if !record.classes.is_empty() {
            let map = &mut self.atoms.classes;
            let atoms = record.classes.iter().map(|it| intern(map, count, it));
            push(Match::No, atoms.collect::<Result<_, _>>()?);
        }
        if !record.codes.is_empty() {
            let map = &mut self.atoms.codes;
            let atoms = record.codes.iter().map(|it| intern(map, count, it));
            push(Match::No, atoms.collect::<Result<_, _>>()?);
        }
        if !record.data.is_empty() {
            let atoms = self.data(record, reading)?;
            push(Match::No, atoms);
        }
        let mut by_role = [Vec::new(), Vec::new()];
        for clause in record.actors.iter().filter(|clause| is_about_record(&clause.role)) {
            let count = &mut self.atoms.count;
            let [custodians, authors] = &mut by_role;
            let (list, map, any) = if clause.role == ActorRole::Custodian {
                (custodians, &mut self.atoms.custodian, &mut self.atoms.any_custodian)
            } else {
                (authors, &mut self.atoms.authors, &mut self.atoms.any_author)
            };
            list.push(match (&clause.who, *any) {
                (Some(who), _) => intern(map, count, who)?,
                (None, Some(atom)) => atom,
                (None, None) => *any.insert(fresh(count)?),
            });
        }
        match record.rule {
            // A deny is content with any role, a permit requires each.
            Rule::Deny => by_role = [by_role.concat(), Vec::new()],
            Rule::Permit => {}
        }
        for atoms in by_role {
            if !atoms.is_empty() {
                groups.push(Group { given, atoms: atoms.into() });
            }
        }
        Ok(groups.into())
    }

    fn data(&mut self, record: &Provision, reading: Reading) -> Result<Vec<u16>, PlanError> {
        let atoms = &mut self.atoms;
        let mut found = Vec::new();
        for clause in &record.data {
            let count = &mut atoms.count;
            let who = &clause.reference;
            if clause.meaning == DataMeaning::AuthoredBy {
                found.push(intern(&mut atoms.authors, count, who)?);
                continue;
            }
            found.push(intern(&mut atoms.instance, count, who)?);
            match (clause.meaning, reading.related) {
                (DataMeaning::Instance | DataMeaning::AuthoredBy, _) => {}
                (DataMeaning::Related, RelatedMeaning::RefersFrom) => {
                    found.push(intern(&mut atoms.referred_by, count, who)?);
                }
                (DataMeaning::Related, RelatedMeaning::RefersTo) | (DataMeaning::Dependents, _) => {
                    found.push(intern(&mut atoms.refers_to, count, who)?);
                }
            }
        }
        Ok(found)
    }
}

/// Whether a permit of these labels reaches restricted records, and with them every category.
fn names_restricted(labels: &[Label]) -> bool {
    labels.iter().any(|label| match label {
        Label::Confidentiality(level) => *level >= Confidentiality::Restricted,
        Label::Sensitivity(_) | Label::Foreign(_) => false,
    })
}

impl Program {
    /// Whether it says nothing of any record.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Settled(outcome) => *outcome == Outcome::NotApplicable,
            Self::Tree { base, nodes } => base.is_none() && nodes.is_empty(),
            Self::Rules { .. } | Self::Token { .. } => false,
        }
    }
}
