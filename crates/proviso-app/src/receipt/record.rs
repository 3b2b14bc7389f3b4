//! The consent record inside a receipt: ISO/IEC TS 27560:2023, made from one version.
//!
//! Member names are those of the standard (§6.3). Every member that follows from the version is made
//! by this module alone, so that a verifier can make it again and compare. What nobody here knows,
//! such as where an app stores what it got, is said to be unknown instead of being left out: the
//! standard makes those members mandatory.

use proviso_core::category::SensitiveSet;
use proviso_core::consent::{Capacity, ConsentStatus, ConsentVersion, Recipient, Standing};
use proviso_core::time::{At, Period};
use serde::{Deserialize, Serialize};

/// The standard that the record follows.
pub const SCHEMA_VERSION: &str = "ISO/IEC TS 27560:2023";
/// What is said where the recipient has not told us.
const NOT_STATED: &str = "not stated by the recipient";
/// The code system of purposes (HL7 v3 ActReason).
const PURPOSE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// `pii_processing` (§6.3.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processing {
    /// The terms that the person saw.
    pub privacy_notice: String,
    /// SHA-256 of the exact text that the person saw, hex.
    pub notice_hash: String,
    /// The language of that text.
    pub language: String,
    /// One for each purpose.
    pub purposes: Vec<Purpose>,
}

/// One of `purposes` (§6.3.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// The code.
    pub purpose: String,
    /// Its code system.
    pub purpose_type: String,
    /// The legal basis, as a code of the organisation's list.
    pub lawful_basis: String,
    /// Kinds of record and sensitive kinds.
    pub pii_information: Vec<PiiInformation>,
    /// Who holds the records and lets them go, by `party_id`.
    pub pii_controllers: Vec<String>,
    /// How the consent was given.
    pub collection_method: String,
    /// What is done with the records.
    pub processing_method: String,
    /// Where the recipient stores what it gets.
    pub storage_locations: Vec<String>,
    /// How long access lasts; what was copied by then is the recipient's.
    pub retention_period: String,
    /// The clinical time that the records come from, where it is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_period: Option<String>,
    /// Whose law.
    pub jurisdiction: String,
    /// Who gets the records, by `party_id`.
    pub recipient_third_parties: Vec<String>,
    /// Where to stop.
    pub withdrawal_method: String,
    /// What else the person may ask for, and where.
    pub privacy_rights: String,
}

/// One of `pii_information` (§6.3.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PiiInformation {
    /// The code of a kind of record, or of a sensitive kind.
    pub pii_type: String,
    /// The person ticked it or left it; nothing was taken for granted.
    pub pii_optional: bool,
    /// The sensitive kind, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitive_pii_category: Option<String>,
}

/// One of `party_identification` (§6.3.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// A stable id within the receipt.
    pub party_id: String,
    /// How people know it.
    pub party_name: String,
    /// `pii_principal`, `giver`, `pii_controller` or `recipient`.
    pub party_role: String,
    /// `person`, `organization`, `application` or `care-team`.
    pub party_type: String,
    /// Postal address.
    pub party_address: String,
    /// How to reach it.
    pub party_contact: String,
}

/// One of `events` (§6.3.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it was recorded.
    pub event_time: String,
    /// From when until when access is allowed, as an ISO 8601 interval; an open side is `..`.
    pub validity_duration: String,
    /// Who did it, by `party_id`.
    pub entity_id: String,
    /// How consent was expressed.
    pub event_type: String,
    /// What became of it, in the words of the Data Privacy Vocabulary.
    pub event_state: String,
}

/// The `party_id` of the organisation that keeps the records.
pub const CONTROLLER: &str = "controller";
/// The `party_id` of the patient.
pub const PRINCIPAL: &str = "patient";
/// The `party_id` of who gave the consent, when that is not the patient.
pub const GIVER: &str = "giver";
/// The `party_id` of the recipient.
pub const RECIPIENT: &str = "recipient";

impl Processing {
    /// What a version says, as far as the reader may know the sensitive kinds it names. The issuer
    /// is the server's own address.
    pub fn of(version: &ConsentVersion, sensitive: Option<SensitiveSet>, issuer: &str) -> Self {
        let categories = version.categories.iter().map(|category| PiiInformation {
            pii_type: category.code().to_owned(),
            pii_optional: true,
            sensitive_pii_category: None,
        });
        let kinds = sensitive.unwrap_or_default();
        let kinds = kinds.iter().map(|kind| PiiInformation {
            pii_type: kind.code().to_owned(),
            pii_optional: true,
            sensitive_pii_category: Some(kind.code().to_owned()),
        });
        let mut information: Vec<PiiInformation> = categories.chain(kinds).collect();
        if sensitive.is_none() {
            information.push(PiiInformation {
                pii_type: "withheld from this receipt".to_owned(),
                pii_optional: true,
                sensitive_pii_category: Some("only the patient may know".to_owned()),
            });
        }
        let page = match version.recipient {
            Recipient::App(_) => "apps",
            Recipient::Person(_) | Recipient::Organization(_) | Recipient::CareTeam(_) => "people",
        };
        let consent = &version.consent;
        let purpose = |code: &str| Purpose {
            purpose: code.to_owned(),
            purpose_type: PURPOSE_SYSTEM.to_owned(),
            lawful_basis: version.legal_basis.clone(),
            pii_information: information.clone(),
            pii_controllers: vec![CONTROLLER.to_owned()],
            collection_method: "the person's own choice on a page of this server".to_owned(),
            processing_method: "disclosure on request".to_owned(),
            storage_locations: vec![NOT_STATED.to_owned()],
            retention_period: NOT_STATED.to_owned(),
            data_period: (!version.data_period.is_unbounded())
                .then(|| interval(&version.data_period)),
            jurisdiction: NOT_STATED.to_owned(),
            recipient_third_parties: vec![RECIPIENT.to_owned()],
            withdrawal_method: format!("{issuer}/portal/{page}/{consent}/stop"),
            privacy_rights: format!("{issuer}/portal/activity"),
        };
        Self {
            privacy_notice: version.policy_uri.clone(),
            notice_hash: version.shown_text_hash.clone(),
            language: version.language.clone(),
            purposes: version.purposes.iter().map(|it| purpose(it.code())).collect(),
        }
    }
}

impl Event {
    /// What happened when a version was recorded.
    pub fn of(version: &ConsentVersion) -> Self {
        Self {
            event_time: version.recorded_at.to_rfc3339(),
            validity_duration: interval(&version.period),
            entity_id: giver_id(version).to_owned(),
            event_type: "dpv:ExplicitlyExpressedConsent".to_owned(),
            event_state: state_of(version).to_owned(),
        }
    }
}

/// The `party_id` of who gave a version.
pub(super) const fn giver_id(version: &ConsentVersion) -> &'static str {
    match version.capacity {
        Capacity::Patient => PRINCIPAL,
        Capacity::Proxy | Capacity::LegalAuthority => GIVER,
    }
}

/// What a version says of the consent's state, in the words of the Data Privacy Vocabulary.
pub fn state_of(version: &ConsentVersion) -> &'static str {
    match (version.status, version.standing(version.recorded_at)) {
        (ConsentStatus::Active, _) if version.number == 1 => "dpv:ConsentGiven",
        (ConsentStatus::Active, _) => "dpv:RenewedConsentGiven",
        (ConsentStatus::Inactive, Standing::Revoked) => "dpv:ConsentWithdrawn",
        (ConsentStatus::Inactive, Standing::InForce | Standing::NotInForce) => "dpv:ConsentExpired",
        (ConsentStatus::EnteredInError, _) => "dpv:ConsentInvalidated",
        (ConsentStatus::Rejected, _) => "dpv:ConsentRefused",
        (ConsentStatus::Draft | ConsentStatus::Proposed, _) => "dpv:ConsentRequested",
    }
}

fn interval(period: &Period) -> String {
    let bound = |at: Option<At>| at.map_or_else(|| "..".to_owned(), At::to_rfc3339);
    format!("{}/{}", bound(period.start), bound(period.end))
}
