//! What a Consent says beside its provisions: whose, since when, agreed by whom, kept by whom.
//!
//! Values are held with the text they came in, so that displays, types and extensions survive; the
//! parts that mean something can be asked for. Nothing here restricts or permits.

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::ConsentStatus;
use proviso_core::consent::provision::{Coding, Identifier, Who};
use proviso_core::id::PatientId;
use proviso_core::time::Period;

use super::values;

/// The status of a Consent, in either version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Being written.
    Draft,
    /// Offered; R4 only.
    Proposed,
    /// Given.
    Active,
    /// Refused; R4 only.
    Rejected,
    /// Ended.
    Inactive,
    /// Recorded by mistake.
    EnteredInError,
    /// Given up before it was complete; R5 only.
    NotDone,
}

impl Status {
    /// Every status.
    pub const ALL: &'static [Self] = &[
        Self::Draft,
        Self::Proposed,
        Self::Active,
        Self::Rejected,
        Self::Inactive,
        Self::EnteredInError,
        Self::NotDone,
    ];

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Inactive => "inactive",
            Self::EnteredInError => "entered-in-error",
            Self::NotDone => "not-done",
        }
    }

    /// The status as the registry knows it; `None` for one that R4 does not have.
    pub const fn recorded(self) -> Option<ConsentStatus> {
        match self {
            Self::Draft => Some(ConsentStatus::Draft),
            Self::Proposed => Some(ConsentStatus::Proposed),
            Self::Active => Some(ConsentStatus::Active),
            Self::Rejected => Some(ConsentStatus::Rejected),
            Self::Inactive => Some(ConsentStatus::Inactive),
            Self::EnteredInError => Some(ConsentStatus::EnteredInError),
            Self::NotDone => None,
        }
    }
}

/// What a Consent is about (FHIR R4 `Consent.scope`, which R5 does not have).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentScopeCode {
    /// Sharing of records.
    PatientPrivacy,
    /// Research.
    Research,
    /// Advance care directive.
    AdvanceCareDirective,
    /// Treatment.
    Treatment,
}

impl ConsentScopeCode {
    /// Whether it is about who may have records. A consent to a treatment, or an advance directive,
    /// says "permit" of something else.
    pub const fn is_about_sharing(self) -> bool {
        match self {
            Self::PatientPrivacy | Self::Research => true,
            Self::AdvanceCareDirective | Self::Treatment => false,
        }
    }

    /// Every scope.
    pub const ALL: &'static [Self] =
        &[Self::PatientPrivacy, Self::Research, Self::AdvanceCareDirective, Self::Treatment];

    /// The code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PatientPrivacy => "patient-privacy",
            Self::Research => "research",
            Self::AdvanceCareDirective => "adr",
            Self::Treatment => "treatment",
        }
    }
}

/// A FHIR `Reference` and everyone it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub(super) who: Vec<Who>,
    pub(super) json: String,
}

impl Reference {
    /// A reference to one.
    pub fn to(who: Who) -> Self {
        let json = values::reference(&who);
        Self { who: [who].to_vec(), json }
    }

    /// Who is named: the address, then the identifiers. Empty when there is only a display.
    pub fn who(&self) -> &[Who] {
        &self.who
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// A FHIR `CodeableConcept`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concept {
    pub(super) codings: Vec<Coding>,
    pub(super) json: String,
}

impl Concept {
    /// A concept of one code.
    pub fn of(coding: Coding) -> Self {
        let json = values::concept(&coding);
        Self { codings: [coding].to_vec(), json }
    }

    /// Its codes; empty when there is only text.
    pub fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// A business identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessId {
    pub(super) id: Option<Identifier>,
    pub(super) json: String,
}

impl BusinessId {
    /// An identifier.
    pub fn of(id: Identifier) -> Self {
        let json = values::identifier(&id);
        Self { id: Some(id), json }
    }

    /// The identifier, if it has a system and a value.
    pub const fn id(&self) -> Option<&Identifier> {
        self.id.as_ref()
    }
}

/// A date as it was written, and what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentDate {
    pub(super) text: String,
    pub(super) span: Period,
}

impl ConsentDate {
    /// Reads a date or a date and time in a zone.
    pub fn parse(text: &str, zone: &super::Zone) -> Option<Self> {
        let (start, end) = super::zone::span(text, zone)?;
        Some(Self { text: text.into(), span: Period { start: Some(start), end } })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// From its first instant to the first one after it.
    pub const fn span(&self) -> Period {
        self.span
    }
}

/// The document that the patient signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Inside the Consent: the JSON text of an `Attachment`.
    Attachment(String),
    /// A resource.
    Reference(Reference),
}

/// A policy that the patient agreed to (R4 `Consent.policy`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Who enforces it.
    pub authority: Option<String>,
    /// Where it can be read.
    pub uri: Option<String>,
    /// What else was written there, as members of the JSON object.
    pub(super) extras: Vec<(String, String)>,
}

impl Policy {
    /// The policy at an address.
    pub fn at(uri: impl Into<String>) -> Self {
        Self { authority: None, uri: Some(uri.into()), extras: Vec::new() }
    }
}

/// One verification of the consent with the patient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// Whether it was verified.
    pub verified: bool,
    /// Of what kind; R5 only.
    pub kind: Option<Concept>,
    /// By whom; R5 only.
    pub by: Option<Reference>,
    /// With whom.
    pub with: Option<Reference>,
    /// When, as written; R4 has one at most.
    pub dates: Vec<String>,
    /// What else was written there, as members of the JSON object.
    pub(super) extras: Vec<(String, String)>,
}

/// What a Consent says beside its provisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The logical id.
    pub id: Option<String>,
    /// The profiles that it claims (`meta.profile`).
    pub profiles: Vec<String>,
    /// The language of its texts.
    pub language: Option<String>,
    /// Business identifiers.
    pub identifiers: Vec<BusinessId>,
    /// The status.
    pub status: Status,
    /// What it is about.
    pub(super) scope: ConsentScopeCode,
    /// The scope as written, where that says more than the code.
    pub(super) scope_json: Option<String>,
    /// What kind of consent.
    pub categories: Vec<Concept>,
    /// Whose it is (R4 `patient`, R5 `subject`).
    pub patient: Reference,
    /// When it was given (R4 `dateTime`, R5 `date`).
    pub date: Option<ConsentDate>,
    /// Who agreed, as R4 names them.
    pub performers: Vec<Reference>,
    /// Who agreed, as R5 names them.
    pub grantors: Vec<Reference>,
    /// Who must comply (R5).
    pub grantees: Vec<Reference>,
    /// Who keeps the consent up to date (R5).
    pub managers: Vec<Reference>,
    /// Who enforces it, as R5 names them.
    pub controllers: Vec<Reference>,
    /// Who enforces it, as R4 names them.
    pub organizations: Vec<Reference>,
    /// What was signed.
    pub sources: Vec<Source>,
    /// Policies (R4 `policy`, R5 `policyBasis.url`).
    pub policies: Vec<Policy>,
    /// The policy as a resource (R5 `policyBasis.reference`).
    pub policy_reference: Option<Reference>,
    /// Regulations (R4 `policyRule`, R5 `regulatoryBasis`).
    pub policy_rules: Vec<Concept>,
    /// The policy in words (R5 `policyText`).
    pub policy_texts: Vec<Reference>,
    /// Verifications.
    pub verifications: Vec<Verification>,
}

impl Header {
    /// The least that a Consent says.
    pub fn new(status: Status, patient: Reference) -> Self {
        Self {
            id: None,
            profiles: Vec::new(),
            language: None,
            identifiers: Vec::new(),
            status,
            scope: ConsentScopeCode::PatientPrivacy,
            scope_json: None,
            categories: Vec::new(),
            patient,
            date: None,
            performers: Vec::new(),
            grantors: Vec::new(),
            grantees: Vec::new(),
            managers: Vec::new(),
            controllers: Vec::new(),
            organizations: Vec::new(),
            sources: Vec::new(),
            policies: Vec::new(),
            policy_reference: None,
            policy_rules: Vec::new(),
            policy_texts: Vec::new(),
            verifications: Vec::new(),
        }
    }

    /// What it is about.
    pub const fn scope(&self) -> ConsentScopeCode {
        self.scope
    }

    /// The same with another scope.
    #[must_use]
    pub fn about(mut self, scope: ConsentScopeCode) -> Self {
        self.scope = scope;
        self.scope_json = None;
        self
    }

    /// The patient, when they are one of this server.
    pub fn patient_id(&self) -> Option<PatientId> {
        self.patient.who.iter().find_map(|who| match who {
            Who::Reference(text) => text.strip_prefix("Patient/")?.parse().ok(),
            Who::Identifier(_) => None,
        })
    }

    /// Everyone who agreed: R4's performers and R5's grantors.
    pub fn agreed_by(&self) -> Vec<Reference> {
        joined(&self.performers, &self.grantors)
    }

    /// Everyone who enforces the consent: R4's organizations and R5's controllers.
    pub fn enforced_by(&self) -> Vec<Reference> {
        joined(&self.organizations, &self.controllers)
    }

    /// The same in the words of R5, where the versions have two words for one thing.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.grantors = self.agreed_by();
        self.performers = Vec::new();
        self.controllers = self.enforced_by();
        self.organizations = Vec::new();
        self.sources.sort_by_key(|source| match source {
            Source::Attachment(_) => 0,
            Source::Reference(_) => 1,
        });
        self
    }
}

fn joined(first: &[Reference], then: &[Reference]) -> Vec<Reference> {
    let further = then.iter().filter(|one| !first.contains(one));
    first.iter().chain(further).cloned().collect()
}
