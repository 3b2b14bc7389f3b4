//! Why a decision fell as it did: codes with a sentence for the patient and one for the auditor.

use serde::{Deserialize, Serialize};

/// A machine-readable reason. Every code has both sentences in every language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonCode {
    /// A consent in force covers it.
    ConsentInForce,
    /// The patient looks at their own record.
    OwnRecord,
    /// A proxy in force covers it.
    ProxyInForce,
    /// A treating clinician.
    CareRelationship,
    /// A nurse on shift.
    OnShift,
    /// A service with pre-authorized access.
    PreAuthorized,
    /// A record about no patient, open to all who are signed in.
    PublicDirectory,
    /// No consent names this recipient for this patient.
    NoConsent,
    /// The consent was revoked.
    ConsentRevoked,
    /// The consent is not in force at this instant.
    ConsentNotInForce,
    /// The consent does not include this kind of record.
    CategoryNotShared,
    /// A sensitive kind was not named.
    SensitiveKindNotShared,
    /// The consent is for another purpose.
    PurposeNotAllowed,
    /// The record lies outside the data period, or its date is unknown.
    OutsideDataPeriod,
    /// Another patient is named on the record.
    OtherPatientNamed,
    /// The record is outside the patient in context.
    OutsidePatientContext,
    /// The token's scope does not reach it.
    ScopeMissing,
    /// A granular scope does not match the record.
    ScopeFilterNotMatched,
    /// No care relationship.
    NoCareRelationship,
    /// Not on shift.
    NotOnShift,
    /// The role sees no clinical data.
    RoleWithoutClinicalData,
    /// The patient objected.
    PatientObjection,
    /// The record has not been labelled.
    Unlabelled,
    /// A fact needed for the decision is missing.
    FactMissing,
    /// The interaction is not offered.
    InteractionNotOffered,
    /// The account or client was disabled.
    AccountDisabled,
}
