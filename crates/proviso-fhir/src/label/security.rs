//! Reads labels that a resource already carries (`meta.security`, inline security labels).
//!
//! Sources: HL7 v3 ActCode, Confidentiality and ActUSPrivacyLaw (HL7/UTG, CC0); FHIR R4 security
//! labels. A label that is not understood counts as patient-restricted: its author meant
//! something by it (style §5).

use proviso_core::category::SensitiveKind::{
    Adolescent, Genetics, Hiv, MentalHealth, PsychotherapyNotes, Reproductive, Restricted, Sti,
    SubstanceUse, Violence,
};
use proviso_core::category::{SensitiveKind, SensitiveSet};
use proviso_core::consent::provision::{
    CONFIDENTIALITY_SYSTEM, PURPOSE_SYSTEM, SENSITIVITY_SYSTEM,
};

use crate::code_systems::present_name;

/// The extension that labels one element (HL7 DS4P).
pub(super) const INLINE_LABEL: &str =
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";

/// What one security label says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// These kinds.
    Kinds(SensitiveSet),
    /// How confidential, with nothing that needs naming; the source has labelled the resource.
    Ordinary,
    /// How to handle, why, or how sure: no statement about sensitivity.
    Handling,
}

/// The systems whose labels have their meaning from HL7, under any of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Confidentiality,
    ActCode,
    UsLaw,
    /// Why something is done or how sure it is: no statement about sensitivity.
    Circumstance,
}

fn system(uri: &str) -> Option<System> {
    Some(match present_name(uri) {
        CONFIDENTIALITY_SYSTEM => System::Confidentiality,
        SENSITIVITY_SYSTEM => System::ActCode,
        "http://terminology.hl7.org/CodeSystem/v3-ActUSPrivacyLaw" => System::UsLaw,
        PURPOSE_SYSTEM | "http://terminology.hl7.org/CodeSystem/v3-ObservationValue" => {
            System::Circumstance
        }
        _ => return None,
    })
}

/// Whether labels of a system have their meaning from HL7.
pub(super) fn is_known(uri: &str) -> bool {
    system(uri).is_some()
}

/// Reads one coding of `meta.security`.
pub(super) fn meaning(uri: &str, code: &str) -> Meaning {
    match system(uri) {
        Some(System::Confidentiality) => confidentiality(code),
        Some(System::ActCode) => act_code(code),
        Some(System::UsLaw) => us_law(code),
        Some(System::Circumstance) => Meaning::Handling,
        None => kinds(&[Restricted]),
    }
}

fn kinds(list: &[SensitiveKind]) -> Meaning {
    Meaning::Kinds(list.iter().copied().collect())
}

/// U < L < M < N < R < V. `R` and `V` need naming even beside a sensitivity code: if a further
/// code could take the need away, adding a label would widen access.
fn confidentiality(code: &str) -> Meaning {
    match code {
        "U" | "L" | "M" | "N" => Meaning::Ordinary,
        _ => kinds(&[Restricted]),
    }
}

fn act_code(code: &str) -> Meaning {
    match code {
        "MH" | "PSY" | "COGN" | "DVD" | "EMOTDIS" => kinds(&[MentalHealth]),
        // The parent concept spans both of its branches.
        "BH" => kinds(&[MentalHealth, SubstanceUse]),
        "PSYTHPN" => kinds(&[MentalHealth, PsychotherapyNotes]),
        "SUD" | "ETH" | "ETHUD" | "OPIOIDUD" => kinds(&[SubstanceUse]),
        "HIV" => kinds(&[Hiv]),
        "SEX" | "PREGNANT" => kinds(&[Reproductive]),
        "STD" => kinds(&[Sti]),
        "SDV" | "VIO" | "MST" => kinds(&[Violence]),
        "GDIS" | "SCA" | "SICKLE" => kinds(&[Genetics]),
        "ADOL" => kinds(&[Adolescent]),
        // Obligation and refrain policies say what to do, not what the data is about.
        "ANONY" | "AOD" | "AUDIT" | "AUDTR" | "CPLYCC" | "CPLYCD" | "CPLYJPP" | "CPLYOPP"
        | "CPLYOSP" | "CPLYPOL" | "DECLASSIFYLABEL" | "DEID" | "DELAU" | "DOWNGRDLABEL"
        | "DRIVLABEL" | "ENCRYPT" | "ENCRYPTR" | "ENCRYPTT" | "ENCRYPTU" | "HUAPRV" | "LABEL"
        | "MASK" | "MINEC" | "PERSISTLABEL" | "PRIVMARK" | "PROCESSINLINELABEL" | "PSEUD"
        | "REDACT" | "UPGRDLABEL" | "NOAUTH" | "NOCOLLECT" | "NODSCLCD" | "NODSCLCDS"
        | "NOINTEGRATE" | "NOLIST" | "NOMOU" | "NOORGPOL" | "NOPERSISTP" | "NORDSCLCD"
        | "NORDSCLCDS" | "NORDSCLW" | "NORELINK" | "NOREUSE" | "ORCON" => Meaning::Handling,
        // TRUST: includes PRS and PDS (asked for by the patient), SPI, TBOO, VIP, CEL, NOPAT and
        // whatever later editions add.
        _ => kinds(&[Restricted]),
    }
}

fn us_law(code: &str) -> Meaning {
    match code {
        "42CFRPart2" => kinds(&[SubstanceUse]),
        "HIPAAPsyNotes" => kinds(&[MentalHealth, PsychotherapyNotes]),
        // 38 U.S.C. 7332: substance use, HIV, sickle cell.
        "Title38Section7332" => kinds(&[SubstanceUse, Hiv, Genetics]),
        "CommonRule" | "HIPAAAuth" | "HIPAAConsent" | "HIPAANOPP" | "HIPAAROA" => Meaning::Handling,
        // 45 CFR 164.522(a)(1)(vi) is `HIPAASelfPay`: the patient asked for it. What we do not
        // know, we restrict as well.
        _ => kinds(&[Restricted]),
    }
}
