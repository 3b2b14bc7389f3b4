//! HL7 v3 PurposeOfUse: why data is asked for, as a tree (catalogue).
//!
//! Knows the codes, which stands under which, and which must be named. Source: HL7 v3-ActReason,
//! concept `PurposeOfUse` (HL7 UTG, CC0).

use serde::{Deserialize, Serialize};

use super::Coding;
use super::code_tree::code_tree;
use crate::category::PurposeOfUse;

/// The code system of [`PurposeCode`].
pub const PURPOSE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

code_tree! {
    /// Why data is asked for. A tree in which some codes must be named, see [`Self::reaches`].
    PurposeCode {
        /// Any purpose of use.
        Any = "PurposeOfUse",
        /// Marketing; only by name.
        Marketing = "HMARKT" under Any,
        /// Health care operations.
        Operations = "HOPERAT" under Any,
        /// Care management.
        CareManagement = "CAREMGT" under Operations,
        /// Donation.
        Donation = "DONAT" under Operations,
        /// Fraud.
        Fraud = "FRAUD" under Operations,
        /// Government.
        Government = "GOV" under Operations,
        /// Accreditation.
        Accreditation = "HACCRED" under Operations,
        /// Compliance.
        Compliance = "HCOMPL" under Operations,
        /// Decedent.
        Decedent = "HDECD" under Operations,
        /// Directory.
        Directory = "HDIRECT" under Operations,
        /// Delivery management.
        DeliveryManagement = "HDM" under Operations,
        /// Legal.
        Legal = "HLEGAL" under Operations,
        /// Outcome measures.
        OutcomeMeasure = "HOUTCOMS" under Operations,
        /// Program reporting.
        ProgramReporting = "HPRGRP" under Operations,
        /// Quality improvement.
        QualityImprovement = "HQUALIMP" under Operations,
        /// System administration.
        SystemAdministration = "HSYSADMIN" under Operations,
        /// Labeling.
        Labeling = "LABELING" under SystemAdministration,
        /// Metadata management.
        MetadataManagement = "METAMGT" under SystemAdministration,
        /// Member administration.
        MemberAdministration = "MEMADMIN" under Operations,
        /// Military command.
        MilitaryCommand = "MILCDM" under Operations,
        /// Patient administration.
        PatientAdministration = "PATADMIN" under Operations,
        /// Patient safety.
        PatientSafety = "PATSFTY" under Operations,
        /// Performance measure.
        PerformanceMeasure = "PERFMSR" under Operations,
        /// Records management.
        RecordsManagement = "RECORDMGT" under Operations,
        /// System development.
        SystemDevelopment = "SYSDEV" under Operations,
        /// Test data.
        TestData = "HTEST" under SystemDevelopment,
        /// Training.
        Training = "TRAIN" under Operations,
        /// Training of machine learning.
        MachineLearning = "MLTRAINING" under Operations,
        /// Payment.
        Payment = "HPAYMT" under Any,
        /// Claim attachment.
        ClaimAttachment = "CLMATTCH" under Payment,
        /// Coverage authorization.
        CoverageAuthorization = "COVAUTH" under Payment,
        /// Coverage.
        Coverage = "COVERAGE" under Payment,
        /// Eligibility determination.
        EligibilityDetermination = "ELIGDTRM" under Coverage,
        /// Eligibility verification.
        EligibilityVerification = "ELIGVER" under Coverage,
        /// Enrollment.
        Enrollment = "ENROLLM" under Coverage,
        /// Military discharge.
        MilitaryDischarge = "MILDCRG" under Coverage,
        /// Remittance advice.
        RemittanceAdvice = "REMITADV" under Payment,
        /// Research; only by name.
        Research = "HRESCH" under Any,
        /// Biomedical research.
        BiomedicalResearch = "BIORCH" under Research,
        /// Clinical trial research.
        TrialResearch = "CLINTRCH" under Research,
        /// Clinical trial research without patient care.
        TrialWithoutCare = "CLINTRCHNPC" under TrialResearch,
        /// Clinical trial research with patient care.
        TrialWithCare = "CLINTRCHPC" under TrialResearch,
        /// Preclinical trial research.
        PreclinicalTrial = "PRECLINTRCH" under TrialResearch,
        /// Disease-specific research.
        DiseaseResearch = "DSRCH" under Research,
        /// Population origins or ancestry research.
        AncestryResearch = "POARCH" under Research,
        /// Translational research.
        TranslationalResearch = "TRANSRCH" under Research,
        /// The patient's own request.
        PatientRequest = "PATRQT" under Any,
        /// The family's request; only by name.
        Family = "FAMRQT" under PatientRequest,
        /// Power of attorney; only by name.
        PowerOfAttorney = "PWATRNY" under PatientRequest,
        /// Support network.
        SupportNetwork = "SUPNWK" under PatientRequest,
        /// Public health.
        PublicHealth = "PUBHLTH" under Any,
        /// Disaster.
        Disaster = "DISASTER" under PublicHealth,
        /// Threat.
        Threat = "THREAT" under PublicHealth,
        /// Treatment.
        Treatment = "TREAT" under Any,
        /// Clinical trial, as treatment.
        ClinicalTrial = "CLINTRL" under Treatment,
        /// Coordination of care.
        Coordination = "COC" under Treatment,
        /// Emergency treatment; only by name.
        Emergency = "ETREAT" under Treatment,
        /// Break-glass; only by name.
        BreakGlass = "BTG" under Emergency,
        /// Treatment in an emergency room.
        EmergencyRoom = "ERTREAT" under Emergency,
        /// Population health.
        PopulationHealth = "POPHLTH" under Treatment,
        /// Treatment decision support.
        DecisionSupport = "TREATDS" under Treatment,
    }
}

impl PurposeCode {
    /// Whether the purpose counts only when it is named itself: a code above it does not reach it.
    pub const fn only_by_name(self) -> bool {
        matches!(
            self,
            Self::BreakGlass
                | Self::Emergency
                | Self::Family
                | Self::PowerOfAttorney
                | Self::Research
                | Self::Marketing
        )
    }

    /// Whether a provision that names this purpose speaks of a request for the other.
    ///
    /// It does when the other is this one or stands under it, with no code on the way down that
    /// must be named. So `TREAT` reaches `COC` but neither `ETREAT` nor, below that, `ERTREAT`;
    /// `ETREAT` reaches `ERTREAT` but not `BTG`; `HRESCH`, once named, reaches every kind of
    /// research under it. The rule is the same for a permit and for a deny.
    pub const fn reaches(self, asked: Self) -> bool {
        let mut code = asked;
        loop {
            if code as u8 == self as u8 {
                return true;
            }
            if code.only_by_name() {
                return false;
            }
            match code.parent() {
                Some(parent) => code = parent,
                None => return false,
            }
        }
    }
}

impl From<PurposeOfUse> for PurposeCode {
    fn from(purpose: PurposeOfUse) -> Self {
        match purpose {
            PurposeOfUse::Treatment => Self::Treatment,
            PurposeOfUse::Emergency => Self::Emergency,
            PurposeOfUse::BreakGlass => Self::BreakGlass,
            PurposeOfUse::Coordination => Self::Coordination,
            PurposeOfUse::Payment => Self::Payment,
            PurposeOfUse::Operations => Self::Operations,
            PurposeOfUse::PatientRequest => Self::PatientRequest,
            PurposeOfUse::Family => Self::Family,
            PurposeOfUse::Research => Self::Research,
            PurposeOfUse::PublicHealth => Self::PublicHealth,
        }
    }
}

/// A purpose named in a provision or asked for: HL7's, or a code of another system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A code of HL7 v3 PurposeOfUse.
    Hl7(PurposeCode),
    /// Any other code, matched by system and code alone.
    Foreign(Coding),
}

impl Purpose {
    /// Reads a coding: HL7's code where it is one we know.
    pub fn from_coding(coding: Coding) -> Self {
        if coding.system == PURPOSE_SYSTEM
            && let Ok(code) = coding.code.parse()
        {
            return Self::Hl7(code);
        }
        Self::Foreign(coding)
    }

    /// The coding that is read back as this purpose.
    pub fn to_coding(&self) -> Coding {
        match self {
            Self::Hl7(code) => Coding::new(PURPOSE_SYSTEM, code.code()),
            Self::Foreign(coding) => coding.clone(),
        }
    }
}
