//! Which directives a record touches at all.
//!
//! What each directive says of a blank record (labelled, normal, with nothing that any directive
//! names) is settled when the plan is made. A record differs from the blank one in features: its
//! labels, and the names it carries. Each feature knows the directives whose answer it can change;
//! those alone are run.

use alloc::vec;
use alloc::vec::Vec;

use super::run::Heard;
use super::{
    Bitcover, Bits, Confidentiality, Group, LabelTest, Match, Node, Outcome, Program, Readability,
    RecordView, SensitivitySet, Unnamed, ViewedLabels, WORDS,
};
use crate::consent::provision::Sensitivity;

/// LIMIT: directives that are indexed; those after them are run for every record.
const INDEXED: usize = SET_WORDS * 64;
const SET_WORDS: usize = 4;

/// A set of directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Programs([u64; SET_WORDS]);

impl Programs {
    const NONE: Self = Self([0; SET_WORDS]);

    fn add(&mut self, program: usize) {
        if let Some(word) = self.0.get_mut(program / 64) {
            *word |= 1 << (program % 64);
        }
    }

    fn join(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Members that are not in the other set.
    fn without(&self, other: &Self) -> impl Iterator<Item = usize> {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(&other.0) {
            *word &= !other;
        }
        ones(words)
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & !other == 0)
    }

    /// The members, and all that are not indexed.
    pub(super) fn programs<'a>(&self, all: &'a [Program]) -> impl Iterator<Item = &'a Program> {
        let rest = all.get(INDEXED..).unwrap_or_default();
        ones(self.0).filter_map(|index| all.get(index)).chain(rest)
    }
}

/// The positions of the bits that are set.
fn ones<const N: usize>(words: [u64; N]) -> impl Iterator<Item = usize> {
    (0..).step_by(64).zip(words).flat_map(|(base, word)| {
        core::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)))
            .take_while(|word| *word != 0)
            .map(move |word: u64| base + word.trailing_zeros() as usize)
    })
}

/// What directives say of a blank record, and which features change that.
#[derive(Debug, Clone)]
pub(super) struct Index {
    denies: Programs,
    indeterminate: Programs,
    permits: Programs,
    /// Of those that permit, those that cover everything.
    everything: Programs,
    covers: Vec<Bitcover>,
    /// Run for every record: their answer hangs on its clinical time.
    always: Programs,
    unlabelled: Programs,
    levels: [Programs; Confidentiality::ALL.len()],
    codes: [Programs; Sensitivity::ALL.len()],
    foreign: Vec<Programs>,
    atoms: Vec<Programs>,
}

fn blank() -> RecordView {
    RecordView {
        labels: Some(ViewedLabels {
            level: Confidentiality::Normal,
            codes: SensitivitySet::EMPTY,
            foreign: 0,
            sensitive: 0,
            unnamed: Unnamed::None,
        }),
        clinical: None,
        holds: Bits::NONE,
        unknown: Bits::NONE,
    }
}

impl Index {
    pub(super) fn of(programs: &[Program], atoms: usize, labels: usize) -> Self {
        let mut index = Self {
            denies: Programs::NONE,
            indeterminate: Programs::NONE,
            permits: Programs::NONE,
            everything: Programs::NONE,
            covers: Vec::with_capacity(programs.len()),
            always: Programs::NONE,
            unlabelled: Programs::NONE,
            levels: [Programs::NONE; Confidentiality::ALL.len()],
            codes: [Programs::NONE; Sensitivity::ALL.len()],
            foreign: vec![Programs::NONE; labels],
            atoms: vec![Programs::NONE; atoms],
        };
        let blank = blank();
        for (position, program) in programs.iter().take(INDEXED).enumerate() {
            let said = program.said(&blank);
            index.covers.push(said.cover);
            match said.outcome {
                Outcome::Deny => index.denies.add(position),
                Outcome::Indeterminate => index.indeterminate.add(position),
                Outcome::NotApplicable => {}
                Outcome::Permit => {
                    index.permits.add(position);
                    if said.cover == Bitcover::Everything {
                        index.everything.add(position);
                    }
                }
            }
            let nodes: &[Node] = match program {
                Program::Settled(_) => &[],
                Program::Tree { nodes, .. } | Program::Rules { nodes, .. } => nodes,
                Program::Token { entries } => entries,
            };
            for node in nodes {
                index.learn(node, position, &blank);
            }
        }
        index
    }

    /// Notes the features that can change what a node says from what it says of a blank record.
    ///
    /// Where one test of the node fails, nothing else of it matters until that test no longer does.
    fn learn(&mut self, node: &Node, program: usize, blank: &RecordView) {
        if node.readable == Readability::Readable {
            let labels = node.labels.as_ref();
            if let Some(test) = labels
                && test.matches(node.rule, blank.labels) == Match::No
            {
                return self.learn_labels(test, node, program, blank);
            }
            if let Some(group) = node.groups.iter().find(|it| it.matches(blank) == Match::No) {
                return self.learn_group(group, program);
            }
            if let Some(test) = labels {
                self.learn_labels(test, node, program, blank);
            }
            for group in &node.groups {
                self.learn_group(group, program);
            }
            if node.period.is_some() {
                self.always.add(program);
            }
        }
        for child in &node.children {
            self.learn(child, program, blank);
        }
    }

    fn learn_labels(&mut self, test: &LabelTest, node: &Node, program: usize, blank: &RecordView) {
        self.unlabelled.add(program);
        let says = |level| {
            let labels = blank.labels.map(|labels| ViewedLabels { level, ..labels });
            test.matches(node.rule, labels)
        };
        let normal = says(Confidentiality::Normal);
        for (level, programs) in Confidentiality::ALL.iter().zip(&mut self.levels) {
            if says(*level) != normal {
                programs.add(program);
            }
        }
        let touching = test.codes.union(test.may);
        for (code, programs) in Sensitivity::ALL.iter().zip(&mut self.codes) {
            if touching.contains(*code) {
                programs.add(program);
            }
        }
        for bit in ones([test.foreign]) {
            if let Some(programs) = self.foreign.get_mut(bit) {
                programs.add(program);
            }
        }
    }

    fn learn_group(&mut self, group: &Group, program: usize) {
        for atom in &group.atoms {
            if let Some(programs) = self.atoms.get_mut(usize::from(*atom)) {
                programs.add(program);
            }
        }
    }

    /// The directives whose answer a record can change.
    pub(super) fn touched(&self, view: &RecordView) -> Programs {
        let mut all = self.always;
        let mut join = |programs: Option<&Programs>| {
            if let Some(programs) = programs {
                all.join(programs);
            }
        };
        match &view.labels {
            None => join(Some(&self.unlabelled)),
            Some(labels) => {
                join(self.levels.get(labels.level as usize));
                if !labels.codes.is_empty() {
                    for code in labels.codes.iter() {
                        join(self.codes.get(code as usize));
                    }
                }
                for bit in ones([labels.foreign]) {
                    join(self.foreign.get(bit));
                }
            }
        }
        let mut carried = [0; WORDS];
        for (word, (holds, unknown)) in
            carried.iter_mut().zip(view.holds.0.iter().zip(&view.unknown.0))
        {
            *word = holds | unknown;
        }
        for atom in ones(carried) {
            join(self.atoms.get(atom));
        }
        all
    }

    /// Hears what the others say, as settled.
    pub(super) fn hear_untouched(&self, touched: &Programs, heard: &mut Heard) {
        if !self.denies.is_within(touched) {
            return heard.add_outcome(Outcome::Deny);
        }
        if !self.indeterminate.is_within(touched) {
            heard.add_outcome(Outcome::Indeterminate);
        }
        if self.permits.is_within(touched) {
            return;
        }
        heard.add_outcome(Outcome::Permit);
        if !self.everything.is_within(touched) {
            heard.cover = Bitcover::Everything;
            return;
        }
        for program in self.permits.without(touched) {
            let cover = self.covers.get(program).copied().unwrap_or(Bitcover::NOTHING);
            heard.cover = heard.cover.or(cover);
        }
    }
}
