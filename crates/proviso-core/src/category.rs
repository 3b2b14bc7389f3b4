//! What patients choose from: kinds of record and sensitive kinds (catalogue).

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::IdError;

// `serde` attributes take literals only, hence the vector type is passed as one.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident, $set:ident, $bits:ty, $set_doc:literal, $vec:literal,
     { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "alloc::string::String", into = "&'static str")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All values, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code, as used in forms, in the API and in the log.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            const fn bit(self) -> $bits {
                1 << (self as $bits)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(code: &str) -> Result<Self, IdError> {
                match code { $($code => Ok(Self::$variant),)+ _ => Err(IdError::Malformed) }
            }
        }

        impl TryFrom<alloc::string::String> for $name {
            type Error = IdError;

            fn try_from(code: alloc::string::String) -> Result<Self, IdError> {
                code.parse()
            }
        }

        impl From<$name> for &'static str {
            fn from(value: $name) -> &'static str {
                value.code()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }

        #[doc = $set_doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(from = $vec, into = $vec)]
        pub struct $set($bits);

        impl $set {
            /// The set that has no member.
            pub const EMPTY: Self = Self(0);

            /// The set of every value in the catalogue.
            pub fn all() -> Self {
                $name::ALL.iter().copied().collect()
            }

            /// Whether the value is a member.
            pub const fn contains(self, value: $name) -> bool {
                self.0 & value.bit() != 0
            }

            /// This set with one more member.
            #[must_use]
            pub const fn with(self, value: $name) -> Self {
                Self(self.0 | value.bit())
            }

            /// This set without one member.
            #[must_use]
            pub const fn without(self, value: $name) -> Self {
                Self(self.0 & !value.bit())
            }

            /// Members of either set.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Members of both sets.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// Members of this set that are not in the other.
            #[must_use]
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether every member of this set is also in the other.
            pub const fn is_subset_of(self, other: Self) -> bool {
                self.0 & !other.0 == 0
            }

            /// Whether the set has no member.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// How many members the set has.
            pub const fn len(self) -> u32 {
                self.0.count_ones()
            }

            /// The members as bits, in catalogue order; stable within one release.
            pub const fn bits(self) -> $bits {
                self.0
            }

            /// The members, in catalogue order.
            pub fn iter(self) -> impl Iterator<Item = $name> {
                $name::ALL.iter().copied().filter(move |value| self.contains(*value))
            }
        }

        impl FromIterator<$name> for $set {
            fn from_iter<I: IntoIterator<Item = $name>>(values: I) -> Self {
                values.into_iter().fold(Self::EMPTY, Self::with)
            }
        }

        impl From<alloc::vec::Vec<$name>> for $set {
            fn from(values: alloc::vec::Vec<$name>) -> Self {
                values.into_iter().collect()
            }
        }

        impl From<$set> for alloc::vec::Vec<$name> {
            fn from(set: $set) -> Self {
                set.iter().collect()
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_set().entries(self.iter().map($name::code)).finish()
            }
        }
    };
}

pub(crate) use coded;

coded!(
    /// A kind of record, as patients choose it. Order is the order in which pages list them.
    Category, CategorySet, u32, "A set of kinds of record.", "alloc::vec::Vec<Category>",
    {
        /// Name, date of birth, address, contact.
        Demographics = "demographics",
        /// Allergies and intolerances.
        Allergies = "allergies",
        /// Problems and conditions.
        Problems = "problems",
        /// Medications.
        Medications = "medications",
        /// Laboratory results.
        Laboratory = "laboratory",
        /// Vital signs.
        Vitals = "vitals",
        /// Social history.
        SocialHistory = "social-history",
        /// Immunizations.
        Immunizations = "immunizations",
        /// Procedures.
        Procedures = "procedures",
        /// Visits.
        Visits = "visits",
        /// Clinical notes and documents.
        Notes = "notes",
        /// Imaging.
        Imaging = "imaging",
        /// Care plans and goals.
        CarePlans = "care-plans",
        /// Care team.
        CareTeam = "care-team",
        /// Devices.
        Devices = "devices",
        /// Family history.
        FamilyHistory = "family-history",
        /// Coverage.
        Coverage = "coverage",
        /// Billing and claims.
        Billing = "billing",
        /// Appointments.
        Appointments = "appointments",
        /// Messages.
        Messages = "messages",
        /// Questionnaires.
        Questionnaires = "questionnaires",
    }
);

coded!(
    /// A sensitive kind: never part of what is shared unless named.
    SensitiveKind, SensitiveSet, u16, "A set of sensitive kinds.",
    "alloc::vec::Vec<SensitiveKind>",
    {
        /// Mental health.
        MentalHealth = "mental-health",
        /// Psychotherapy notes (45 CFR 164.501).
        PsychotherapyNotes = "psychotherapy-notes",
        /// Substance use, with 42 CFR Part 2.
        SubstanceUse = "substance-use",
        /// HIV.
        Hiv = "hiv",
        /// Sexual and reproductive health.
        Reproductive = "reproductive",
        /// Sexually transmitted infections.
        Sti = "sti",
        /// Domestic or sexual violence.
        Violence = "violence",
        /// Genetics.
        Genetics = "genetics",
        /// Confidential care of an adolescent.
        Adolescent = "adolescent",
        /// Restricted by the patient.
        Restricted = "restricted",
    }
);

coded!(
    /// Why data is asked for: the HL7 v3 ActReason codes that Proviso knows.
    PurposeOfUse, PurposeSet, u16, "A set of purposes.", "alloc::vec::Vec<PurposeOfUse>",
    {
        /// Care of the patient.
        Treatment = "TREAT",
        /// Care in an emergency; only by name.
        Emergency = "ETREAT",
        /// Break-glass; only by name.
        BreakGlass = "BTG",
        /// Care coordination.
        Coordination = "COC",
        /// Payment.
        Payment = "HPAYMT",
        /// Health care operations.
        Operations = "HOPERAT",
        /// The patient's own use.
        PatientRequest = "PATRQT",
        /// Family; only by name.
        Family = "FAMRQT",
        /// Research; only by name.
        Research = "HRESCH",
        /// Public health.
        PublicHealth = "PUBHLTH",
    }
);
