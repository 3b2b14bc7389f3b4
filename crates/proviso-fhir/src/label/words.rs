//! Finds rule words in texts for humans, in one pass and without allocating.

use proviso_core::category::SensitiveKind;

use super::rules::WORD_RULES;

/// One hit: which rule and which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) rule: &'static str,
    pub(super) kind: SensitiveKind,
}

/// The longest word that is compared; a longer run of letters is cut, which no stem reaches.
const WORD_MAX: usize = 32;

/// Bits of a filter over the first three letters of phrases: almost every word of a note is
/// dismissed by one look at it.
const FILTER_BITS: usize = 4096;

static FILTER: [u64; FILTER_BITS / 64] = filter();

const fn slot(first: u8, second: u8, third: u8) -> usize {
    (first as usize * 961 + second as usize * 31 + third as usize) % FILTER_BITS
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, where a miss is an error")]
const fn filter() -> [u64; FILTER_BITS / 64] {
    let mut bits = [0_u64; FILTER_BITS / 64];
    let mut rule = 0;
    while rule < WORD_RULES.len() {
        let phrases = WORD_RULES[rule].phrases;
        let mut phrase = 0;
        while phrase < phrases.len() {
            let text = phrases[phrase].as_bytes();
            let at = slot(text[0], text[1], text[2]);
            bits[at / 64] |= 1 << (at % 64);
            phrase += 1;
        }
        rule += 1;
    }
    bits
}

fn may_begin_a_phrase(word: &[u8]) -> bool {
    let [first, second, third, ..] = word else { return false };
    let at = slot(*first, *second, *third);
    FILTER.get(at / 64).is_some_and(|bits| bits & (1 << (at % 64)) != 0)
}

/// Calls `found` for every rule phrase in the text. Words are runs of ASCII letters and digits;
/// everything else separates, so `PHQ-9` reads `phq 9`; the names of XHTML tags are left out.
pub(super) fn scan(text: &[u8], found: &mut impl FnMut(Hit)) {
    let mut words = Words { text, position: 0 };
    while let Some(word) = words.next() {
        if !may_begin_a_phrase(word.bytes()) {
            continue;
        }
        let first = word.bytes().first();
        for rule in WORD_RULES {
            for phrase in rule.phrases {
                if phrase.as_bytes().first() == first && phrase_matches(phrase, word, words) {
                    found(Hit { rule: rule.id, kind: rule.kind });
                }
            }
        }
    }
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

impl Words<'_> {
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
    use alloc::vec::Vec;

    use proviso_core::category::{SensitiveKind, SensitiveSet};

    use super::*;

    fn kinds(text: &str) -> SensitiveSet {
        let mut hits = Vec::new();
        scan(text.as_bytes(), &mut |hit: Hit| hits.push(hit.kind));
        hits.into_iter().collect()
    }

    fn check(text: &str, expected: &[SensitiveKind]) {
        assert_eq!(kinds(text), expected.iter().copied().collect(), "{text}");
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
        for rule in WORD_RULES {
            for phrase in rule.phrases {
                let text = phrase.replace('=', "");
                let text = text.strip_suffix('^').map_or(text.clone(), str::to_ascii_uppercase);
                assert!(kinds(&text).contains(rule.kind), "{} does not find `{phrase}`", rule.id);
                // The filter looks at three letters.
                assert!(phrase.split(' ').next().is_some_and(|stem| stem.len() >= 3), "{phrase}");
                assert!(phrase.is_ascii() && *phrase == phrase.to_ascii_lowercase(), "{phrase}");
            }
        }
    }
}
