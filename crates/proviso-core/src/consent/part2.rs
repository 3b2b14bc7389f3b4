//! 42 CFR Part 2: what a written consent must hold before substance use records may go by it.
//!
//! Knows the elements of 42 CFR 2.31(a) and which of them a consent lacks. A consent that lacks one
//! is no ground for a disclosure (2.31(c)(2)), so it is not recorded. Does not know who people are:
//! names come in.
//!
//! LIMIT: notes of substance use counseling need a consent of their own (2.31(b)). No sensitive kind
//! tells them from other such records yet; as notes they are covered by a consent that names both
//! substance use and psychotherapy notes only where a record carries both labels.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::ConsentTerms;
use crate::category::{PurposeOfUse, PurposeSet, SensitiveKind};
use crate::reason::Language;

/// Who takes part, by the names that the person saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part2Parties<'a> {
    /// The patient.
    pub patient: &'a str,
    /// Who may disclose.
    pub discloser: &'a str,
    /// To whom.
    pub recipient: &'a str,
}

/// An element that a consent lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part2Gap {
    /// The patient's name is not in the text shown.
    Patient,
    /// Who may disclose is not in the text shown.
    Discloser,
    /// No kind of record says what may be disclosed.
    Description,
    /// To whom is not in the text shown.
    Recipient,
    /// No purpose.
    Purpose,
    /// The right to revoke, and how, is not in the text shown.
    RightToRevoke,
    /// Neither a date nor an event ends it, and it is not for treatment, payment or operations only.
    Expiry,
    /// Nothing shows that it was signed: no text was shown to whoever gave it.
    Signature,
    /// No date of signature: the period does not begin.
    Date,
    /// That records may be passed on by who gets them is not in the text shown. The law asks for
    /// this where the purpose is treatment, payment or operations; here every text says it.
    Redisclosure,
}

impl Part2Gap {
    /// Every element, in the order of the law.
    pub const ALL: &'static [Self] = &[
        Self::Patient,
        Self::Discloser,
        Self::Description,
        Self::Recipient,
        Self::Purpose,
        Self::RightToRevoke,
        Self::Expiry,
        Self::Signature,
        Self::Date,
        Self::Redisclosure,
    ];

    /// The clause that asks for the element.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Patient => "42 CFR 2.31(a)(1)",
            Self::Discloser => "42 CFR 2.31(a)(2)",
            Self::Description => "42 CFR 2.31(a)(3)",
            Self::Recipient => "42 CFR 2.31(a)(4)",
            Self::Purpose => "42 CFR 2.31(a)(5)",
            Self::RightToRevoke => "42 CFR 2.31(a)(6)",
            Self::Expiry => "42 CFR 2.31(a)(7)",
            Self::Signature => "42 CFR 2.31(a)(8)",
            Self::Date => "42 CFR 2.31(a)(9)",
            Self::Redisclosure => "42 CFR 2.31(a)(10)",
        }
    }
}

impl core::fmt::Display for Part2Gap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let lacks = match self {
            Self::Patient => "the patient's name",
            Self::Discloser => "who may disclose",
            Self::Description => "what may be disclosed",
            Self::Recipient => "to whom",
            Self::Purpose => "the purpose",
            Self::RightToRevoke => "the right to revoke",
            Self::Expiry => "when it ends",
            Self::Signature => "the signature",
            Self::Date => "the date of signature",
            Self::Redisclosure => "that records may be passed on",
        };
        write!(f, "a consent to substance use records lacks {lacks} ({})", self.clause())
    }
}

/// The purposes for which a consent needs no end (42 CFR 2.31(a)(7): "none" suffices).
const WITHOUT_END: PurposeSet = PurposeSet::EMPTY
    .with(PurposeOfUse::Treatment)
    .with(PurposeOfUse::Coordination)
    .with(PurposeOfUse::Payment)
    .with(PurposeOfUse::Operations);

/// The sentences that the text shown must hold, in a language: who gives what to whom, how to take
/// it back, and what may become of it.
pub fn part2_statements(language: Language, parties: Part2Parties<'_>) -> [String; 3] {
    let Part2Parties { patient, discloser, recipient } = parties;
    match language {
        Language::English => [
            format!(
                "{discloser} gives records of alcohol and drug use treatment of {patient} to \
                 {recipient} only if they are ticked here (42 CFR Part 2)."
            ),
            "You can take this back at any time, in the portal or in writing. What was given before \
             that stays given."
                .into(),
            "Who gets these records may be allowed to pass them on. They may not be used against \
             the patient in court without consent or a court order."
                .into(),
        ],
        Language::Spanish => [
            format!(
                "{discloser} entrega datos de tratamiento por alcohol y drogas de {patient} a \
                 {recipient} solo si se marcan aquí (42 CFR Parte 2)."
            ),
            "Puede retirar esto en cualquier momento, en el portal o por escrito. Lo entregado antes \
             sigue entregado."
                .into(),
            "Quien reciba estos datos puede tener permiso para pasarlos. No pueden usarse contra el \
             paciente en un juicio sin consentimiento u orden judicial."
                .into(),
        ],
    }
}

impl ConsentTerms {
    /// The elements of 42 CFR 2.31(a) that these terms lack, in the order of the law; none for terms
    /// that do not name substance use.
    pub fn part2_gaps(&self, parties: Part2Parties<'_>) -> Vec<Part2Gap> {
        if !self.sensitive.contains(SensitiveKind::SubstanceUse) {
            return Vec::new();
        }
        let language = Language::from_tag(&self.language);
        let shows = |text: &str| !text.trim().is_empty() && self.shown_text.contains(text);
        let [who, revoke, passed_on] = part2_statements(language, parties);
        let ends = self.period.end.is_some() || self.purposes.is_subset_of(WITHOUT_END);
        Part2Gap::ALL
            .iter()
            .copied()
            .filter(|gap| {
                let has = match gap {
                    Part2Gap::Patient => shows(parties.patient),
                    Part2Gap::Discloser => shows(parties.discloser) && shows(&who),
                    Part2Gap::Description => !self.categories.is_empty(),
                    Part2Gap::Recipient => shows(parties.recipient),
                    Part2Gap::Purpose => !self.purposes.is_empty(),
                    Part2Gap::RightToRevoke => shows(&revoke),
                    Part2Gap::Expiry => ends,
                    // The signature is electronic (2.31(a)(8)): a signed-in person's own answer to
                    // this text, kept with its hash.
                    Part2Gap::Signature => !self.shown_text.trim().is_empty(),
                    Part2Gap::Date => self.period.start.is_some(),
                    Part2Gap::Redisclosure => shows(&passed_on),
                };
                !has
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::{CategorySet, SensitiveSet};
    use crate::consent::tests::terms;

    const PARTIES: Part2Parties<'_> = Part2Parties {
        patient: "Maria Alvarez",
        discloser: "Riverside Health",
        recipient: "Glucose Coach",
    };

    fn whole(language: Language) -> ConsentTerms {
        let mut terms = terms();
        terms.sensitive = SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse);
        terms.language = language.tag().into();
        terms.shown_text = part2_statements(language, PARTIES).join("\n");
        terms
    }

    // Covers: 42 CFR 2.31(a)(1) to (10)
    #[test]
    fn each_element_that_is_lacking_is_named_with_its_clause() {
        let check = |change: fn(&mut ConsentTerms), expected: &[Part2Gap]| {
            for language in Language::ALL {
                let mut terms = whole(*language);
                assert_eq!(terms.part2_gaps(PARTIES), []);
                change(&mut terms);
                assert_eq!(terms.part2_gaps(PARTIES), expected);
            }
        };
        check(
            |terms| terms.shown_text = terms.shown_text.replace("Maria", "M."),
            &[Part2Gap::Patient, Part2Gap::Discloser],
        );
        check(
            |terms| terms.shown_text = terms.shown_text.replace("Glucose", "G."),
            &[Part2Gap::Discloser, Part2Gap::Recipient],
        );
        check(|terms| terms.categories = CategorySet::EMPTY, &[Part2Gap::Description]);
        check(|terms| terms.purposes = PurposeSet::EMPTY, &[Part2Gap::Purpose]);
        let without = |line: usize| {
            move |terms: &mut ConsentTerms| {
                let lines = terms.shown_text.lines().enumerate().filter(|(at, _)| *at != line);
                terms.shown_text = lines.map(|(_, text)| text).collect::<Vec<_>>().join("\n");
            }
        };
        for (line, gap) in [(1, Part2Gap::RightToRevoke), (2, Part2Gap::Redisclosure)] {
            let mut terms = whole(Language::English);
            without(line)(&mut terms);
            assert_eq!(terms.part2_gaps(PARTIES), [gap]);
        }
        check(|terms| terms.period.end = None, &[Part2Gap::Expiry]);
        check(|terms| terms.period.start = None, &[Part2Gap::Date]);
        let mut blank = whole(Language::English);
        blank.shown_text.clear();
        assert!(blank.part2_gaps(PARTIES).contains(&Part2Gap::Signature));
    }

    // Covers: 42 CFR 2.31(a)(7), "none" for treatment, payment and operations
    #[test]
    fn a_consent_for_treatment_payment_and_operations_needs_no_end() {
        let mut terms = whole(Language::English);
        terms.period.end = None;
        terms.purposes = PurposeSet::EMPTY.with(PurposeOfUse::Treatment);
        assert_eq!(terms.part2_gaps(PARTIES), []);
        terms.purposes = terms.purposes.with(PurposeOfUse::Research);
        assert_eq!(terms.part2_gaps(PARTIES), [Part2Gap::Expiry]);
    }

    #[test]
    fn a_consent_that_does_not_name_substance_use_is_left_alone() {
        let mut terms = terms();
        terms.sensitive = SensitiveSet::all().without(SensitiveKind::SubstanceUse);
        terms.period.end = None;
        assert_eq!(terms.part2_gaps(PARTIES), []);
    }
}
