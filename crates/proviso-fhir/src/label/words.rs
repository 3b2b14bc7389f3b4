//! Finds rule words in texts for humans, in one pass and without allocating.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::index::RuleIndex;

/// The longest word that is compared; a longer run of letters is cut, which no stem reaches.
const WORD_MAX: usize = 32;

/// Bits of a filter over the first three letters of phrases: almost every word of a note is
/// dismissed by one look at it.
const FILTER_BITS: usize = 4096;

/// The phrases of a rule set.
#[derive(Debug, Clone)]
pub(super) struct WordIndex {
    filter: Vec<u64>,
    /// Sorted, so that those with one first letter stand together.
    phrases: Vec<(Box<str>, RuleIndex)>,
}

impl Default for WordIndex {
    fn default() -> Self {
        Self { filter: vec![0; FILTER_BITS / 64], phrases: Vec::new() }
    }
}

fn slot(word: &[u8]) -> Option<usize> {
    let [first, second, third, ..] = word else { return None };
    let sum = usize::from(*first) * 961 + usize::from(*second) * 31 + usize::from(*third);
    Some(sum % FILTER_BITS)
}

/// Whether a phrase has a form that texts can fit (see [`super::set::LabelRule::words`]).
pub(super) fn is_phrase(phrase: &str) -> bool {
    let plain = |stem: &str| {
        let letters = stem.strip_suffix(['=', '^']).unwrap_or(stem);
        (1..WORD_MAX).contains(&letters.len())
            && letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let first = phrase.split(' ').next().unwrap_or_default();
    // The filter looks at three letters.
    first.trim_end_matches(['=', '^']).len() >= 3 && phrase.split(' ').all(plain)
}

impl WordIndex {
    pub(super) fn add(&mut self, phrase: &str, rule: RuleIndex) {
        if let Some(at) = slot(phrase.as_bytes())
            && let Some(bits) = self.filter.get_mut(at / 64)
        {
            *bits |= 1 << (at % 64);
        }
        self.phrases.push((phrase.to_owned().into_boxed_str(), rule));
    }

    /// To be called once everything is added.
    pub(super) fn sort(&mut self) {
        self.phrases.sort_unstable();
        self.phrases.dedup();
    }

    fn may_begin_a_phrase(&self, word: &[u8]) -> bool {
        slot(word)
            .and_then(|at| Some(self.filter.get(at / 64)? & (1 << (at % 64)) != 0))
            .unwrap_or(false)
    }

    /// Calls `found` with the rule of every phrase in the text. Words are runs of ASCII letters and
    /// digits; everything else separates, so `PHQ-9` reads `phq 9`; the names of XHTML tags are
    /// left out.
    pub(super) fn scan(&self, text: &[u8], found: &mut dyn FnMut(RuleIndex)) {
        let mut words = Words { text, position: 0 };
        while words.seek(|beginning| self.may_begin_a_phrase(beginning)) {
            let Some((word, Markup::No)) = words.any_word() else { continue };
            let Some(start) = word.bytes().get(..3) else { continue };
            let from = self.phrases.partition_point(|(phrase, _)| begins(phrase) < start);
            for (phrase, rule) in self.phrases.get(from..).unwrap_or_default() {
                if begins(phrase) != start {
                    break;
                }
                if phrase_matches(phrase, word, words) {
                    found(*rule);
                }
            }
        }
    }
}

/// The first three letters of a phrase.
fn begins(phrase: &str) -> &[u8] {
    phrase.as_bytes().get(..3).unwrap_or_default()
}

fn phrase_matches(phrase: &str, first: Word, mut rest: Words<'_>) -> bool {
    let mut stems = phrase.split(' ');
    let Some(stem) = stems.next() else { return false };
    if !first.starts_with(stem) {
        return false;
    }
    stems.all(|stem| rest.next().is_some_and(|word| word.starts_with(stem)))
}

/// A lower-cased word.
#[derive(Clone, Copy)]
struct Word {
    letters: [u8; WORD_MAX],
    len: usize,
    capitals: bool,
}

impl Word {
    fn bytes(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or(&[])
    }

    /// Whether the word begins with a stem; is it, for a stem that ends in `=`; is it in capitals,
    /// for a stem that ends in `^`.
    fn starts_with(&self, stem: &str) -> bool {
        if let Some(whole) = stem.strip_suffix('=') {
            return self.bytes() == whole.as_bytes();
        }
        stem.strip_suffix('^').map_or_else(
            || self.bytes().starts_with(stem.as_bytes()),
            |whole| self.capitals && self.bytes() == whole.as_bytes(),
        )
    }
}

#[derive(Clone, Copy)]
struct Words<'a> {
    text: &'a [u8],
    position: usize,
}

/// Names of XHTML elements, which stand between words without parting them.
const MARKUP: &[&[u8]] = &[
    b"a", b"b", b"br", b"code", b"div", b"em", b"i", b"li", b"ol", b"p", b"pre", b"span",
    b"strong", b"table", b"tbody", b"td", b"th", b"thead", b"tr", b"u", b"ul",
];

/// Letters and digits in lower case; 0 for everything that parts words.
const LOWER: [u8; 256] = lower_case();

#[expect(clippy::indexing_slicing, reason = "computed at build time, where a miss does not build")]
const fn lower_case() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    loop {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

fn lower(byte: u8) -> u8 {
    LOWER.get(usize::from(byte)).copied().unwrap_or_default()
}

impl Words<'_> {
    /// Goes to the next word whose first three letters, in lower case, are wanted. Almost every word
    /// of a text is not, and is passed over without being copied.
    fn seek(&mut self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        let mut at = self.position;
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let Some(start) = rest.iter().position(|byte| lower(*byte) != 0) else {
                self.position = self.text.len();
                return false;
            };
            let word = rest.get(start..).unwrap_or_default();
            if let [first, second, third, ..] = word {
                let beginning = [lower(*first), lower(*second), lower(*third)];
                if !beginning.contains(&0) && wanted(&beginning) {
                    // What stands before a word tells whether it is markup.
                    self.position = at + start.saturating_sub(1);
                    return true;
                }
            }
            let length = word.iter().position(|byte| lower(*byte) == 0).unwrap_or(word.len());
            at += start + length;
        }
    }

    fn any_word(&mut self) -> Option<(Word, Markup)> {
        let rest = self.text.get(self.position..)?;
        let start = rest.iter().position(u8::is_ascii_alphanumeric)?;
        let mut word = Word { letters: [0; WORD_MAX], len: 0, capitals: true };
        let mut taken = 0;
        for byte in rest.iter().skip(start).take_while(|byte| byte.is_ascii_alphanumeric()) {
            taken += 1;
            word.capitals &= !byte.is_ascii_lowercase();
            if let Some(slot) = word.letters.get_mut(word.len) {
                *slot = byte.to_ascii_lowercase();
                word.len += 1;
            }
        }
        let before = start.checked_sub(1).and_then(|index| rest.get(index));
        let markup = matches!(before, Some(b'<' | b'/')) && MARKUP.contains(&word.bytes());
        self.position += start + taken;
        Some((word, if markup { Markup::Yes } else { Markup::No }))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Markup {
    Yes,
    No,
}

impl Words<'_> {
    /// The next word. Not an `Iterator`: a copy of one is taken on purpose at every first word of
    /// a phrase.
    fn next(&mut self) -> Option<Word> {
        loop {
            let (word, markup) = self.any_word()?;
            if markup == Markup::No {
                return Some(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proviso_core::category::{SensitiveKind, SensitiveSet};

    use super::super::set::RuleSet;
    use super::*;

    fn kinds(set: &RuleSet, text: &str) -> SensitiveSet {
        let mut kinds = SensitiveSet::EMPTY;
        set.words.scan(text.as_bytes(), &mut |rule| {
            kinds = kinds.with(set.rule(rule).unwrap().kind);
        });
        kinds
    }

    fn check(text: &str, expected: &[SensitiveKind]) {
        let set = RuleSet::shipped();
        assert_eq!(kinds(&set, text), expected.iter().copied().collect(), "{text}");
    }

    #[test]
    fn stems_match_the_beginning_of_a_word() {
        check("Recurrent major DEPRESSION, moderate", &[SensitiveKind::MentalHealth]);
        check("Antidepressants", &[SensitiveKind::MentalHealth]);
        check("Undepressible", &[]);
    }

    #[test]
    fn whole_words_do_not_match_inside_others() {
        check("HIV-1 antibody", &[SensitiveKind::Hiv]);
        check("shiver", &[]);
        check("advanced AIDS", &[SensitiveKind::Hiv]);
        check("hearing aids and grape juice", &[]);
    }

    #[test]
    fn phrases_need_their_words_side_by_side() {
        check("Alcohol use disorder", &[SensitiveKind::SubstanceUse]);
        check("alcohol prep pad for skin use", &[]);
        check("victim of intimate <b>partner</b> abuse", &[SensitiveKind::Violence]);
        check("alcohol", &[]);
    }

    #[test]
    fn spanish_words_are_known_with_their_accents() {
        check("Depresión y ansiedad", &[SensitiveKind::MentalHealth]);
        check(
            "prueba de VIH; infección de transmisión sexual",
            &[SensitiveKind::Hiv, SensitiveKind::Sti],
        );
        check("control de embarazo", &[SensitiveKind::Reproductive]);
        check("La presión ha sido normal esta vida", &[]);
    }

    #[test]
    fn ordinary_clinical_text_has_no_kind() {
        check("Hemoglobin A1c/Hemoglobin.total in Blood", &[]);
        check("Type 2 diabetes mellitus without complications", &[]);
        check("Essential (primary) hypertension; continue lisinopril 10 mg daily", &[]);
        check("Heart failure with reduced ejection fraction", &[]);
    }

    #[test]
    fn every_phrase_is_found_by_its_own_text() {
        let set = RuleSet::shipped();
        for rule in &set.rules().labels {
            for phrase in &rule.words {
                let text = phrase.replace('=', "");
                let text = text.strip_suffix('^').map_or(text.clone(), str::to_ascii_uppercase);
                let found = kinds(&set, &text).contains(rule.kind);
                assert!(found, "{} does not find `{phrase}`", rule.id);
            }
        }
    }

    #[test]
    fn a_phrase_that_fits_no_text_is_told() {
        for phrase in ["hiv=", "audit c=", "aids^", "part 2 program", "gad7="] {
            assert!(is_phrase(phrase), "{phrase}");
        }
        for phrase in
            ["", "ab", "a b", "HIV", "hiv  test", " hiv", "depresi\u{f3}n", "hi=", "a-b c"]
        {
            assert!(!is_phrase(phrase), "{phrase}");
        }
    }
}
