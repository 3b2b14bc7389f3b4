//! HL7 v3 InformationSensitivityPolicy: what makes a record sensitive, as a tree (catalogue).
//!
//! Knows the codes, which stands under which, and which of our sensitive kinds each belongs to.
//! Source: HL7 v3-ActCode, concept `_InformationSensitivityPolicy` (HL7 UTG, CC0).

use super::code_tree::code_tree;
use crate::category::{SensitiveKind, SensitiveSet};

/// The code system of [`Sensitivity`].
pub const SENSITIVITY_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

code_tree! {
    /// What makes a record sensitive. A tree: a code reaches those under it, never those above.
    Sensitivity {
        /// Substance abuse.
        SubstanceAbuse = "ETH",
        /// Genetic disease.
        GeneticDisease = "GDIS",
        /// HIV and AIDS.
        Hiv = "HIV",
        /// Military sexual trauma.
        MilitarySexualTrauma = "MST",
        /// Pregnancy.
        Pregnancy = "PREGNANT",
        /// Sickle cell anemia.
        SickleCellAnemia = "SCA",
        /// Sexual assault, abuse or domestic violence.
        DomesticViolence = "SDV",
        /// Sexuality and reproductive health.
        Sexuality = "SEX",
        /// Specially protected information.
        SpeciallyProtected = "SPI",
        /// Behavioral health.
        BehavioralHealth = "BH" under SpeciallyProtected,
        /// Cognitive disability.
        CognitiveDisability = "COGN" under BehavioralHealth,
        /// Developmental disability.
        DevelopmentalDisability = "DVD" under BehavioralHealth,
        /// Emotional disturbance.
        EmotionalDisturbance = "EMOTDIS" under BehavioralHealth,
        /// Mental health.
        MentalHealth = "MH" under SpeciallyProtected,
        /// Psychiatry.
        Psychiatry = "PSY" under SpeciallyProtected,
        /// Psychotherapy notes.
        PsychotherapyNote = "PSYTHPN" under SpeciallyProtected,
        /// Substance use disorder.
        SubstanceUse = "SUD" under SpeciallyProtected,
        /// Alcohol use disorder.
        AlcoholUse = "ETHUD" under SubstanceUse,
        /// Opioid use disorder.
        OpioidUse = "OPIOIDUD" under SubstanceUse,
        /// Sexually transmitted disease.
        SexuallyTransmitted = "STD",
        /// Taboo.
        Taboo = "TBOO",
        /// Violence.
        Violence = "VIO",
        /// Identifiers.
        Identifier = "IDS",
        /// Sickle cell (retired in favour of `SCA`).
        SickleCell = "SICKLE",
        /// All demographic information.
        Demographics = "DEMO",
        /// Date of birth.
        DateOfBirth = "DOB",
        /// Gender and sexual orientation.
        Gender = "GENDER",
        /// Living arrangement.
        LivingArrangement = "LIVARG",
        /// Marital status.
        MaritalStatus = "MARST",
        /// Where the patient is.
        PatientLocation = "PATLOC",
        /// Race.
        Race = "RACE",
        /// Religion.
        Religion = "REL",
        /// Business information.
        Business = "B",
        /// Employer.
        Employer = "EMPL",
        /// Location.
        Location = "LOCIS",
        /// Sensitive service provider.
        SensitiveProvider = "SSP",
        /// Adolescent.
        Adolescent = "ADOL",
        /// Celebrity.
        Celebrity = "CEL",
        /// Very important person.
        Vip = "VIP",
        /// Diagnosis.
        Diagnosis = "DIA",
        /// Drug.
        Drug = "DRGIS",
        /// Employee.
        Employee = "EMP",
        /// Patient default.
        PatientDefault = "PDS",
        /// Requested by a physician.
        PhysicianRequested = "PHY",
        /// Requested by the patient.
        PatientRequested = "PRS",
    }
}

impl Sensitivity {
    pub(super) const fn bit(self) -> u64 {
        1 << (self as u64)
    }

    /// The sensitive kinds that a record with this label counts as. Never empty.
    ///
    /// A code that stands above several kinds counts as all of them, and one that belongs to none
    /// counts as restricted: what a label might mean is protected as if it did.
    pub fn kinds(self) -> SensitiveSet {
        let kinds: &[SensitiveKind] = match self {
            Self::SpeciallyProtected => &[
                SensitiveKind::MentalHealth,
                SensitiveKind::PsychotherapyNotes,
                SensitiveKind::SubstanceUse,
            ],
            // HL7's definition of BH speaks of mental health and of substance use.
            Self::BehavioralHealth => &[SensitiveKind::MentalHealth, SensitiveKind::SubstanceUse],
            Self::CognitiveDisability
            | Self::DevelopmentalDisability
            | Self::EmotionalDisturbance
            | Self::MentalHealth
            | Self::Psychiatry => &[SensitiveKind::MentalHealth],
            Self::PsychotherapyNote => &[SensitiveKind::PsychotherapyNotes],
            Self::SubstanceAbuse | Self::SubstanceUse | Self::AlcoholUse | Self::OpioidUse => {
                &[SensitiveKind::SubstanceUse]
            }
            Self::Hiv => &[SensitiveKind::Hiv],
            Self::Sexuality | Self::Pregnancy => &[SensitiveKind::Reproductive],
            Self::SexuallyTransmitted => &[SensitiveKind::Sti],
            Self::DomesticViolence | Self::MilitarySexualTrauma | Self::Violence => {
                &[SensitiveKind::Violence]
            }
            Self::GeneticDisease | Self::SickleCellAnemia | Self::SickleCell => {
                &[SensitiveKind::Genetics]
            }
            Self::Adolescent => &[SensitiveKind::Adolescent],
            Self::Taboo
            | Self::Identifier
            | Self::Demographics
            | Self::DateOfBirth
            | Self::Gender
            | Self::LivingArrangement
            | Self::MaritalStatus
            | Self::PatientLocation
            | Self::Race
            | Self::Religion
            | Self::Business
            | Self::Employer
            | Self::Location
            | Self::SensitiveProvider
            | Self::Celebrity
            | Self::Vip
            | Self::Diagnosis
            | Self::Drug
            | Self::Employee
            | Self::PatientDefault
            | Self::PhysicianRequested
            | Self::PatientRequested => &[SensitiveKind::Restricted],
        };
        kinds.iter().copied().collect()
    }

    /// The code that a sensitive kind of ours is written as.
    ///
    /// INVARIANT: reading it back yields that kind and no other.
    pub const fn of_kind(kind: SensitiveKind) -> Self {
        match kind {
            SensitiveKind::MentalHealth => Self::MentalHealth,
            SensitiveKind::PsychotherapyNotes => Self::PsychotherapyNote,
            SensitiveKind::SubstanceUse => Self::SubstanceUse,
            SensitiveKind::Hiv => Self::Hiv,
            SensitiveKind::Reproductive => Self::Sexuality,
            SensitiveKind::Sti => Self::SexuallyTransmitted,
            SensitiveKind::Violence => Self::DomesticViolence,
            SensitiveKind::Genetics => Self::GeneticDisease,
            SensitiveKind::Adolescent => Self::Adolescent,
            SensitiveKind::Restricted => Self::PatientRequested,
        }
    }

    /// Every code that belongs to a sensitive kind and to no other: what a patient means who names
    /// the kind.
    pub fn all_of_kind(kind: SensitiveKind) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |code| code.kinds() == SensitiveSet::EMPTY.with(kind))
    }
}
