//! What must be done besides letting something go, or instead of it.
//!
//! Knows which obligations there are and which follow from a disclosure. Does not know how one is
//! carried out: that is for the enforcement point, which releases nothing when it cannot.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::category::{
    Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet,
};
use crate::consent::ConsentFacts;
use crate::id::{ConsentId, ConsentVersionId};
use crate::time::At;

/// What an enforcement point must do with a record (design §6). What the organisation's policies
/// demand with an access is [`crate::org::Obligation`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "obligation", content = "with")]
pub enum Obligation {
    /// Leave out the whole resource.
    Withhold,
    /// Leave out elements, by path.
    Redact(Vec<String>),
    /// Put data-absent-reason `masked` in the place of elements, by path.
    Mask(Vec<String>),
    /// Send the notice and the explanation of 42 CFR 2.32 along.
    AttachPart2Notice(Part2Notice),
}

impl Obligation {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Withhold => "withhold",
            Self::Redact(_) => "redact",
            Self::Mask(_) => "mask",
            Self::AttachPart2Notice(_) => "attach-part2-notice",
        }
    }
}

/// The statement that must accompany each disclosure made with the patient's written consent: the
/// second of the two that 42 CFR 2.32(a) lets one choose from, in the words of the law.
pub const PART2_STATEMENT: &str =
    "42 CFR part 2 prohibits unauthorized use or disclosure of these records.";

/// What accompanies a disclosure of substance use records, and by which version of a consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part2Notice {
    /// The consent.
    pub consent: ConsentId,
    /// Its version, by content; for the log. TRUST: not for the recipient, who could try until the
    /// hash fits what else the patient named.
    pub version: ConsentVersionId,
    /// Its version, by number.
    pub number: u32,
    /// The kinds of record that it covers.
    pub categories: CategorySet,
    /// What for.
    pub purposes: PurposeSet,
    /// Until when; `None` for until it is stopped.
    pub until: Option<At>,
}

impl Part2Notice {
    /// The notice for disclosures by a consent version.
    pub fn of(facts: &ConsentFacts<'_>) -> Self {
        Self {
            consent: facts.consent.clone(),
            version: facts.version.clone(),
            number: facts.number,
            categories: facts.categories,
            purposes: facts.purposes,
            until: facts.period.end,
        }
    }

    /// A clear explanation of the scope of the consent (42 CFR 2.32(b)), in one line of ASCII. Of
    /// the sensitive kinds it names the one that the notice is about and no other.
    pub fn scope_text(&self) -> String {
        let categories: Vec<&str> = self.categories.iter().map(Category::code).collect();
        let purposes: Vec<&str> = self.purposes.iter().map(PurposeOfUse::code).collect();
        let until = self.until.map_or_else(|| "it is revoked".into(), |at| format!("{at}"));
        format!(
            "Disclosed by written consent {} version {}: records of the kinds {}, including {}; \
             for {}; until {until}. The patient may revoke it at any time.",
            self.consent,
            self.number,
            categories.join(", "),
            SensitiveKind::SubstanceUse.code(),
            purposes.join(", "),
        )
    }
}

/// The obligations that follow from what is released.
///
/// `released` are the sensitive kinds of what really leaves: what stays back has no part in it, or
/// the notice would tell that there is something. `consent` is what the disclosure rests on, where
/// it rests on one; 42 CFR 2.32 is about disclosures with consent only.
pub fn of_disclosure(
    released: SensitiveSet,
    consent: Option<&ConsentFacts<'_>>,
) -> Vec<Obligation> {
    let mut obligations = Vec::new();
    if let Some(facts) = consent
        && released.contains(SensitiveKind::SubstanceUse)
    {
        obligations.push(Obligation::AttachPart2Notice(Part2Notice::of(facts)));
    }
    obligations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{ConsentVersion, NamedConsent, tests as consents};

    fn named() -> NamedConsent {
        let mut terms = consents::terms();
        terms.sensitive =
            SensitiveSet::EMPTY.with(SensitiveKind::SubstanceUse).with(SensitiveKind::Hiv);
        let id = "cns_1".parse().unwrap();
        NamedConsent::new(ConsentVersion::record(id, terms, consents::NOON).unwrap())
    }

    // Covers: 42 CFR 2.32(a), (b)
    #[test]
    fn substance_use_that_leaves_by_consent_and_nothing_else_obliges_to_the_notice() {
        let named = named();
        for kind in SensitiveKind::ALL {
            let released = SensitiveSet::EMPTY.with(*kind);
            let obliged = of_disclosure(released, Some(&named.facts()));
            let expected = *kind == SensitiveKind::SubstanceUse;
            assert_eq!(!obliged.is_empty(), expected, "{kind}");
            assert!(of_disclosure(released, None).is_empty());
        }
        assert!(of_disclosure(SensitiveSet::EMPTY, Some(&named.facts())).is_empty());
        let all = of_disclosure(SensitiveSet::all(), Some(&named.facts()));
        assert_eq!(all, [Obligation::AttachPart2Notice(Part2Notice::of(&named.facts()))]);
    }

    #[test]
    fn the_explanation_names_the_scope_and_no_other_sensitive_kind() {
        let named = named();
        let text = Part2Notice::of(&named.facts()).scope_text();
        for part in ["cns_1 version 1", "medications, laboratory", "substance-use", "PATRQT"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("hiv") && !text.contains(named.id().as_str()), "{text}");
        assert!(text.is_ascii() && !text.contains('\n'));
    }
}
