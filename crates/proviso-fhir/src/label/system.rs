//! The code systems that shipped rules use, and the forms that their codes have.
//!
//! It knows how a system is named and how its codes are built, so that a rule with a mistyped code
//! is refused instead of never matching. It knows no code and no kind.

/// A code system, under any of the names that resources use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeSystem {
    /// ICD-10-CM, and WHO ICD-10, which shares its chapters.
    Icd10,
    /// ICD-9-CM.
    Icd9,
    /// LOINC.
    Loinc,
    /// SNOMED CT.
    Snomed,
    /// RxNorm.
    RxNorm,
    /// HCPCS level II.
    Hcpcs,
}

impl CodeSystem {
    /// Reads a `Coding.system`; `None` for a system that no rule uses.
    ///
    /// What names the same system in another way is the same system: `https`, a slash at the end,
    /// a version behind `|`, an edition of SNOMED CT, a national modification of ICD-10.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let uri = uri.trim().to_ascii_lowercase();
        let uri = uri.split('|').next().unwrap_or_default().trim_end_matches('/');
        let uri = uri.strip_prefix("https://").or(uri.strip_prefix("http://")).unwrap_or(uri);
        let uri = uri.strip_prefix("www.").unwrap_or(uri);
        Some(match uri {
            "hl7.org/fhir/sid/icd-10"
            | "hl7.org/fhir/sid/icd-10-cm"
            | "hl7.org/fhir/sid/icd-10-us"
            | "hl7.org/fhir/sid/icd-10-gm"
            | "hl7.org/fhir/sid/icd-10-ca"
            | "hl7.org/fhir/sid/icd-10-au"
            | "hl7.org/fhir/sid/icd-10-nl"
            | "fhir.de/codesystem/bfarm/icd-10-gm"
            | "terminology.hl7.org/codesystem/icd10"
            | "terminology.hl7.org/codesystem/icd10cm"
            | "urn:oid:2.16.840.1.113883.6.90"
            | "urn:oid:2.16.840.1.113883.6.3" => Self::Icd10,
            "hl7.org/fhir/sid/icd-9-cm"
            | "hl7.org/fhir/sid/icd-9-cm/diagnosis"
            | "terminology.hl7.org/codesystem/icd9"
            | "terminology.hl7.org/codesystem/icd9cm"
            | "urn:oid:2.16.840.1.113883.6.103" => Self::Icd9,
            "loinc.org" | "urn:oid:2.16.840.1.113883.6.1" => Self::Loinc,
            "snomed.info/sct" | "urn:oid:2.16.840.1.113883.6.96" => Self::Snomed,
            "nlm.nih.gov/research/umls/rxnorm" | "urn:oid:2.16.840.1.113883.6.88" => Self::RxNorm,
            "terminology.hl7.org/codesystem/hcpcs"
            | "cms.gov/medicare/coding/hcpcsreleasecodesets"
            | "urn:oid:2.16.840.1.113883.6.285" => Self::Hcpcs,
            edition if edition.starts_with("snomed.info/sct/") => Self::Snomed,
            _ => return None,
        })
    }
}

/// The names that almost every resource uses, told apart without copying them.
const USUAL: [(&str, CodeSystem); 5] = [
    ("http://snomed.info/sct", CodeSystem::Snomed),
    ("http://loinc.org", CodeSystem::Loinc),
    ("http://www.nlm.nih.gov/research/umls/rxnorm", CodeSystem::RxNorm),
    ("http://hl7.org/fhir/sid/icd-10-cm", CodeSystem::Icd10),
    ("http://hl7.org/fhir/sid/icd-10", CodeSystem::Icd10),
];

impl CodeSystem {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Icd10, Self::Icd9, Self::Loinc, Self::Snomed, Self::RxNorm, Self::Hcpcs];

    /// The name that FHIR R4 uses for it.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Icd10 => "http://hl7.org/fhir/sid/icd-10-cm",
            Self::Icd9 => "http://hl7.org/fhir/sid/icd-9-cm",
            Self::Loinc => "http://loinc.org",
            Self::Snomed => "http://snomed.info/sct",
            Self::RxNorm => "http://www.nlm.nih.gov/research/umls/rxnorm",
            Self::Hcpcs => "http://terminology.hl7.org/CodeSystem/HCPCS",
        }
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Icd10 => "ICD-10-CM",
            Self::Icd9 => "ICD-9-CM",
            Self::Loinc => "LOINC",
            Self::Snomed => "SNOMED CT",
            Self::RxNorm => "RxNorm",
            Self::Hcpcs => "HCPCS",
        }
    }

    /// As [`Self::from_uri`], with the usual names told at one look.
    pub(super) fn of(uri: &str) -> Option<Self> {
        match USUAL.iter().find(|(usual, _)| *usual == uri) {
            Some((_, system)) => Some(*system),
            None => Self::from_uri(uri),
        }
    }

    /// Whether dots in a code are decoration.
    pub(super) const fn has_dots(self) -> bool {
        matches!(self, Self::Icd10 | Self::Icd9 | Self::Hcpcs)
    }

    /// Whether the beginning of a code means something: codes are grouped by it.
    pub const fn has_stems(self) -> bool {
        matches!(self, Self::Icd10 | Self::Icd9 | Self::Hcpcs)
    }

    /// Whether a code of this system can look like this. Check digits are computed, where there
    /// are any: a single wrong digit is found.
    pub fn accepts(self, code: &str) -> bool {
        let plain = || code.bytes().filter(|byte| *byte != b'.');
        match self {
            Self::Icd10 => {
                let mut letters = plain();
                letters.next().is_some_and(|first| first.is_ascii_alphabetic())
                    && letters.next().is_some_and(|second| second.is_ascii_digit())
                    && letters.next().is_some_and(|third| third.is_ascii_alphanumeric())
                    && letters.all(|byte| byte.is_ascii_alphanumeric())
                    && plain().count() <= 7
            }
            Self::Icd9 => {
                let count = plain().count();
                (3..=5).contains(&count)
                    && plain().skip(1).all(|byte| byte.is_ascii_digit())
                    && plain()
                        .next()
                        .is_some_and(|first| first.is_ascii_digit() || matches!(first, b'V' | b'E'))
            }
            Self::Loinc => code.split_once('-').is_some_and(|(number, check)| {
                (1..=7).contains(&number.len())
                    && check.len() == 1
                    && mod_10(number) == check.parse().ok()
            }),
            Self::Snomed => {
                (6..=18).contains(&code.len())
                    && code.bytes().all(|byte| byte.is_ascii_digit())
                    && verhoeff(code) == 0
            }
            Self::RxNorm => {
                (1..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
            }
            Self::Hcpcs => {
                code.len() == 5
                    && code.bytes().next().is_some_and(|first| first.is_ascii_uppercase())
                    && code.bytes().skip(1).all(|byte| byte.is_ascii_digit())
            }
        }
    }

    /// Whether codes of this system can begin like this.
    pub fn accepts_stem(self, stem: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        self.has_stems() && (1..=7).contains(&stem.len()) && stem.bytes().all(fits)
    }
}

/// The check digit of LOINC: the sum of digits, every second one doubled from the right.
fn mod_10(number: &str) -> Option<u32> {
    let mut sum = 0;
    for (place, byte) in number.bytes().rev().enumerate() {
        let digit = char::from(byte).to_digit(10)?;
        let weighed = if place % 2 == 0 { digit * 2 } else { digit };
        sum += weighed / 10 + weighed % 10;
    }
    Some((10 - sum % 10) % 10)
}

/// The check of SNOMED CT identifiers (Verhoeff): 0 for a number with the right last digit. The
/// dihedral group of order ten is computed rather than tabled.
fn verhoeff(digits: &str) -> u32 {
    let mut sum = 0_u32;
    for (place, byte) in digits.bytes().rev().enumerate() {
        let mut digit = u32::from(byte.wrapping_sub(b'0'));
        for _ in 0..place % 8 {
            digit = permuted(digit);
        }
        sum = composed(sum, digit);
    }
    sum
}

/// The permutation (1 5 8 9 4 2 7 0)(3 6).
const fn permuted(digit: u32) -> u32 {
    match digit {
        0 => 1,
        1 => 5,
        2 => 7,
        3 => 6,
        4 => 2,
        5 => 8,
        6 => 3,
        7 => 0,
        8 => 9,
        _ => 4,
    }
}

/// The product of two symmetries of a pentagon: below five rotations, above reflections.
const fn composed(a: u32, b: u32) -> u32 {
    let (turn_a, turn_b) = (a % 5, b % 5);
    match (a < 5, b < 5) {
        (true, true) => (turn_a + turn_b) % 5,
        (true, false) => 5 + (turn_a + turn_b) % 5,
        (false, true) => 5 + (5 + turn_a - turn_b) % 5,
        (false, false) => (5 + turn_a - turn_b) % 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_with_one_digit_wrong_is_no_code() {
        for code in ["56888-1", "4548-4", "44261-6", "75626-2", "2160-0"] {
            assert!(CodeSystem::Loinc.accepts(code), "{code}");
        }
        for code in ["56888-2", "4548-3", "44261", "44261-66", "-6", "44x61-6"] {
            assert!(!CodeSystem::Loinc.accepts(code), "{code}");
        }
        for code in ["44054006", "86406008", "73211009", "454711000124102"] {
            assert!(CodeSystem::Snomed.accepts(code), "{code}");
        }
        for code in ["44054007", "44054060", "4405", "4405400x", ""] {
            assert!(!CodeSystem::Snomed.accepts(code), "{code}");
        }
    }

    #[test]
    fn codes_of_the_chapters_have_their_form() {
        for code in ["F33.1", "O9A.11", "B20", "T74.11XA", "Z3A.20"] {
            assert!(CodeSystem::Icd10.accepts(code), "{code}");
        }
        for code in ["33.1", "F", "FX3", "F33.10000", "T74.11XAAA", "F33-1"] {
            assert!(!CodeSystem::Icd10.accepts(code), "{code}");
        }
        for code in ["042", "296.32", "V22.1", "E960"] {
            assert!(CodeSystem::Icd9.accepts(code), "{code}");
        }
        for code in ["4", "29632x", "F33", "296.321"] {
            assert!(!CodeSystem::Icd9.accepts(code), "{code}");
        }
        assert!(CodeSystem::Hcpcs.accepts("H0020") && !CodeSystem::Hcpcs.accepts("90834"));
        assert!(CodeSystem::RxNorm.accepts("6813") && !CodeSystem::RxNorm.accepts("6813a"));
    }

    #[test]
    fn the_usual_name_of_a_system_is_one_of_its_names() {
        for system in CodeSystem::ALL {
            assert_eq!(CodeSystem::from_uri(system.uri()), Some(*system));
            assert_eq!(CodeSystem::of(system.uri()), Some(*system));
        }
        for (uri, system) in USUAL {
            assert_eq!(CodeSystem::from_uri(uri), Some(system), "{uri}");
        }
        assert_eq!(CodeSystem::of("HTTPS://loinc.org/|2.78"), Some(CodeSystem::Loinc));
        assert_eq!(CodeSystem::of("http://unitsofmeasure.org"), None);
    }
}
