//! Why a decision fell as it did: codes with a sentence for the patient and one for the auditor
//! (catalogue: exempt from the file-length rule).
//!
//! Each text is an exhaustive match, so a code without its sentence does not build. Sentences for
//! patients are written to be understood at about the age of twelve and reveal nothing about a
//! record but that it was or was not shown.

use serde::{Deserialize, Serialize};

use crate::id::IdError;

/// The languages in which every reason is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
}

impl Language {
    /// All languages.
    pub const ALL: &'static [Self] = &[Self::English, Self::Spanish];

    /// The BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    /// The language of a BCP 47 tag, by its primary subtag; English for a language that has no
    /// texts.
    pub fn from_tag(tag: &str) -> Self {
        let primary = tag.split('-').next().unwrap_or(tag);
        if primary.eq_ignore_ascii_case("es") { Self::Spanish } else { Self::English }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// A machine-readable reason. Every code has both sentences in every language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ReasonCode {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)+
        }

        impl ReasonCode {
            /// All codes, in catalogue order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }

        impl core::str::FromStr for ReasonCode {
            type Err = IdError;

            fn from_str(code: &str) -> Result<Self, IdError> {
                match code { $($code => Ok(Self::$variant),)+ _ => Err(IdError::Malformed) }
            }
        }
    };
}

reasons! {
    /// A consent in force covers it.
    ConsentInForce = "consent-in-force",
    /// The patient looks at their own record.
    OwnRecord = "own-record",
    /// A proxy in force covers it.
    ProxyInForce = "proxy-in-force",
    /// A treating clinician.
    CareRelationship = "care-relationship",
    /// A nurse on shift.
    OnShift = "on-shift",
    /// A service with pre-authorized access.
    PreAuthorized = "pre-authorized",
    /// A record about no patient, open to all who are signed in.
    PublicDirectory = "public-directory",
    /// No consent names this recipient for this patient.
    NoConsent = "no-consent",
    /// The consent was revoked.
    ConsentRevoked = "consent-revoked",
    /// The consent is not in force at this instant.
    ConsentNotInForce = "consent-not-in-force",
    /// The proxy through whom the access was given or is used does not act for the patient now.
    ProxyNotInForce = "proxy-not-in-force",
    /// The consent does not include this kind of record.
    CategoryNotShared = "category-not-shared",
    /// A sensitive kind was not named.
    SensitiveKindNotShared = "sensitive-kind-not-shared",
    /// The consent is for another purpose.
    PurposeNotAllowed = "purpose-not-allowed",
    /// The record lies outside the data period, or its date is unknown.
    OutsideDataPeriod = "outside-data-period",
    /// Another patient is named on the record.
    OtherPatientNamed = "other-patient-named",
    /// The record is outside the patient in context.
    OutsidePatientContext = "outside-patient-context",
    /// The token's scope does not reach it.
    ScopeMissing = "scope-missing",
    /// A granular scope does not match the record.
    ScopeFilterNotMatched = "scope-filter-not-matched",
    /// No care relationship.
    NoCareRelationship = "no-care-relationship",
    /// Not on shift.
    NotOnShift = "not-on-shift",
    /// The role sees no clinical data.
    RoleWithoutClinicalData = "role-without-clinical-data",
    /// The patient objected.
    PatientObjection = "patient-objection",
    /// A consent on file withholds it.
    FiledConsentDenies = "filed-consent-denies",
    /// A consent on file cannot be read, so it withholds.
    FiledConsentUnreadable = "filed-consent-unreadable",
    /// No consent on file permits it, where one is required.
    NoFiledConsent = "no-filed-consent",
    /// The record has not been labelled.
    Unlabelled = "unlabelled",
    /// A fact needed for the decision is missing.
    FactMissing = "fact-missing",
    /// The interaction is not offered.
    InteractionNotOffered = "interaction-not-offered",
    /// The account or client was disabled.
    AccountDisabled = "account-disabled",
    /// A clinician who covers for the treating one.
    Covering = "covering",
    /// A consultant by referral.
    Consulted = "consulted",
    /// A researcher under an approved protocol.
    ResearchProtocol = "research-protocol",
    /// Front desk work.
    FrontDeskWork = "front-desk-work",
    /// Billing work.
    BillingWork = "billing-work",
    /// Oversight of who saw what.
    Oversight = "oversight",
    /// Keeping the platform running.
    PlatformWork = "platform-work",
    /// Emergency access.
    EmergencyAccess = "emergency-access",
    /// A rule of the organisation forbids it.
    PolicyForbids = "policy-forbids",
    /// A rule could not be evaluated.
    PolicyFault = "policy-fault",
    /// The role does not need this kind of record.
    KindNotForRole = "kind-not-for-role",
    /// The role may not do this.
    InteractionNotForRole = "interaction-not-for-role",
    /// Not from this network, device or hour.
    EnvironmentNotAllowed = "environment-not-allowed",
    /// A stronger sign-in is needed.
    StepUpNeeded = "step-up-needed",
    /// No emergency access is open.
    EmergencyNotOpen = "emergency-not-open",
    /// The patient is not in the study.
    NoProtocol = "no-protocol",
    /// Another tenant.
    OtherOrganization = "other-organization",
}

impl ReasonCode {
    /// One sentence for the patient.
    pub const fn patient_text(self, language: Language) -> &'static str {
        match language {
            Language::English => self.patient_english(),
            Language::Spanish => self.patient_spanish(),
        }
    }

    /// One sentence for an auditor, with the rule that was applied.
    pub const fn auditor_text(self, language: Language) -> &'static str {
        match language {
            Language::English => self.auditor_english(),
            Language::Spanish => self.auditor_spanish(),
        }
    }

    /// Whether this code is the ground of a permit; all others stand in the way of one.
    pub const fn is_basis(self) -> bool {
        match self {
            Self::ConsentInForce
            | Self::OwnRecord
            | Self::ProxyInForce
            | Self::CareRelationship
            | Self::OnShift
            | Self::PreAuthorized
            | Self::PublicDirectory
            | Self::Covering
            | Self::Consulted
            | Self::ResearchProtocol
            | Self::FrontDeskWork
            | Self::BillingWork
            | Self::Oversight
            | Self::PlatformWork
            | Self::EmergencyAccess => true,
            Self::NoConsent
            | Self::ConsentRevoked
            | Self::ConsentNotInForce
            | Self::ProxyNotInForce
            | Self::CategoryNotShared
            | Self::SensitiveKindNotShared
            | Self::PurposeNotAllowed
            | Self::OutsideDataPeriod
            | Self::OtherPatientNamed
            | Self::OutsidePatientContext
            | Self::ScopeMissing
            | Self::ScopeFilterNotMatched
            | Self::NoCareRelationship
            | Self::NotOnShift
            | Self::RoleWithoutClinicalData
            | Self::PatientObjection
            | Self::FiledConsentDenies
            | Self::FiledConsentUnreadable
            | Self::NoFiledConsent
            | Self::Unlabelled
            | Self::FactMissing
            | Self::InteractionNotOffered
            | Self::AccountDisabled
            | Self::PolicyForbids
            | Self::PolicyFault
            | Self::KindNotForRole
            | Self::InteractionNotForRole
            | Self::EnvironmentNotAllowed
            | Self::StepUpNeeded
            | Self::EmergencyNotOpen
            | Self::NoProtocol
            | Self::OtherOrganization => false,
        }
    }

    /// Whether only the organisation's policy gives this reason ([`crate::org`]).
    pub const fn is_of_policy(self) -> bool {
        matches!(
            self,
            Self::Covering
                | Self::Consulted
                | Self::ResearchProtocol
                | Self::FrontDeskWork
                | Self::BillingWork
                | Self::Oversight
                | Self::PlatformWork
                | Self::EmergencyAccess
                | Self::PolicyForbids
                | Self::PolicyFault
                | Self::KindNotForRole
                | Self::InteractionNotForRole
                | Self::EnvironmentNotAllowed
                | Self::StepUpNeeded
                | Self::EmergencyNotOpen
                | Self::NoProtocol
                | Self::OtherOrganization
        )
    }

    const fn patient_english(self) -> &'static str {
        match self {
            Self::ConsentInForce => "You chose to share this.",
            Self::OwnRecord => "You looked at your own record.",
            Self::ProxyInForce => "A person who acts for you looked at your record.",
            Self::CareRelationship => "A clinician who treats you looked at this.",
            Self::OnShift => "A nurse on duty where you are cared for looked at this.",
            Self::PreAuthorized => {
                "A service that works for your care organization looked at this."
            }
            Self::PublicDirectory => {
                "This is not about you: it is a name or address of care staff, a place or a medicine."
            }
            Self::NoConsent => "You have not chosen to share with this app or person.",
            Self::ConsentRevoked => "You stopped sharing with this app or person.",
            Self::ConsentNotInForce => "Your sharing choice was not active at that time.",
            Self::ProxyNotInForce => "The person who acts for you may not do so at this time.",
            Self::CategoryNotShared => "You did not choose to share this kind of record.",
            Self::SensitiveKindNotShared => {
                "This record is of a sensitive kind that was not shared."
            }
            Self::PurposeNotAllowed => "It was asked for a reason that you did not agree to.",
            Self::OutsideDataPeriod => {
                "This record is from a time that you did not choose to share."
            }
            Self::OtherPatientNamed => "This record also names another person.",
            Self::OutsidePatientContext => "The app was opened for another person's record.",
            Self::ScopeMissing => "The app may not ask for this.",
            Self::ScopeFilterNotMatched => "The app may ask only for some records of this type.",
            Self::NoCareRelationship => "The person who asked does not treat you.",
            Self::NotOnShift => "The nurse who asked was not on duty where you are cared for.",
            Self::RoleWithoutClinicalData => {
                "The person who asked has a job that does not include seeing health records."
            }
            Self::PatientObjection => "You asked us not to show this.",
            Self::FiledConsentDenies => "A choice of the patient that is on file keeps this back.",
            Self::FiledConsentUnreadable => {
                "There is a choice of the patient on file that we cannot read, so we kept this back."
            }
            Self::NoFiledConsent => "No choice of the patient on file allows this.",
            Self::Unlabelled => {
                "We have not checked yet whether this record is sensitive, so we did not show it."
            }
            Self::FactMissing => "We did not know enough to be sure, so we did not show it.",
            Self::InteractionNotOffered => "This cannot be done here.",
            Self::AccountDisabled => "The app or the account that asked has been switched off.",
            Self::Covering => {
                "A clinician who stands in for the one who treats you looked at this."
            }
            Self::Consulted => "A specialist who was asked about your care looked at this.",
            Self::ResearchProtocol => {
                "A researcher in an approved study that you are part of looked at this."
            }
            Self::FrontDeskWork => "The front desk looked at this to book or prepare a visit.",
            Self::BillingWork => "The billing office looked at this to get care paid for.",
            Self::Oversight => "A privacy officer looked at who saw your records.",
            Self::PlatformWork => "A person who looks after this system worked on its settings.",
            Self::EmergencyAccess => "A clinician used emergency access to look at this.",
            Self::PolicyForbids => "A rule of your care organization did not let this be shown.",
            Self::PolicyFault => {
                "We could not check a rule of your care organization, so we did not show it."
            }
            Self::KindNotForRole => {
                "The job of the person who asked does not include this kind of record."
            }
            Self::InteractionNotForRole => {
                "The job of the person who asked does not include doing this."
            }
            Self::EnvironmentNotAllowed => {
                "It was asked from a place or device that is not allowed, or at a time that is not."
            }
            Self::StepUpNeeded => "The person who asked has to prove again who they are.",
            Self::EmergencyNotOpen => "Emergency access was not open for you at that time.",
            Self::NoProtocol => "You are not part of the study that asked.",
            Self::OtherOrganization => "It was asked from another organization.",
        }
    }

    #[expect(clippy::too_many_lines, reason = "a catalogue: one arm for each code")]
    const fn patient_spanish(self) -> &'static str {
        match self {
            Self::ConsentInForce => "Usted decidió compartir esto.",
            Self::OwnRecord => "Usted consultó su propio historial.",
            Self::ProxyInForce => "Una persona que le representa consultó su historial.",
            Self::CareRelationship => "Un profesional que le atiende consultó esto.",
            Self::OnShift => "Personal de enfermería de turno donde le atienden consultó esto.",
            Self::PreAuthorized => {
                "Un servicio que trabaja para su organización de salud consultó esto."
            }
            Self::PublicDirectory => {
                "Esto no trata de usted: es el nombre o la dirección de personal, un lugar o un medicamento."
            }
            Self::NoConsent => "Usted no ha decidido compartir con esta aplicación o persona.",
            Self::ConsentRevoked => "Usted dejó de compartir con esta aplicación o persona.",
            Self::ConsentNotInForce => "Su decisión de compartir no estaba activa en ese momento.",
            Self::ProxyNotInForce => {
                "La persona que le representa no puede hacerlo en este momento."
            }
            Self::CategoryNotShared => "Usted no decidió compartir este tipo de dato.",
            Self::SensitiveKindNotShared => "Este dato es de un tipo delicado que no se compartió.",
            Self::PurposeNotAllowed => "Se pidió para un fin que usted no aceptó.",
            Self::OutsideDataPeriod => "Este dato es de una época que usted no decidió compartir.",
            Self::OtherPatientNamed => "Este dato también nombra a otra persona.",
            Self::OutsidePatientContext => {
                "La aplicación se abrió para el historial de otra persona."
            }
            Self::ScopeMissing => "La aplicación no puede pedir esto.",
            Self::ScopeFilterNotMatched => {
                "La aplicación solo puede pedir algunos datos de este tipo."
            }
            Self::NoCareRelationship => "La persona que lo pidió no le atiende a usted.",
            Self::NotOnShift => "Quien lo pidió no estaba de turno donde le atienden.",
            Self::RoleWithoutClinicalData => {
                "El trabajo de la persona que lo pidió no incluye ver datos de salud."
            }
            Self::PatientObjection => "Usted nos pidió no mostrar esto.",
            Self::FiledConsentDenies => "Una decisión archivada del paciente reserva esto.",
            Self::FiledConsentUnreadable => {
                "Hay una decisión archivada del paciente que no podemos leer, así que reservamos esto."
            }
            Self::NoFiledConsent => "Ninguna decisión archivada del paciente permite esto.",
            Self::Unlabelled => {
                "Aún no hemos revisado si este dato es delicado, así que no lo mostramos."
            }
            Self::FactMissing => {
                "No sabíamos lo suficiente para estar seguros, así que no lo mostramos."
            }
            Self::InteractionNotOffered => "Esto no se puede hacer aquí.",
            Self::AccountDisabled => "La aplicación o la cuenta que lo pidió está desactivada.",
            Self::Covering => "Un profesional que sustituye a quien le atiende consultó esto.",
            Self::Consulted => {
                "Un especialista al que se consultó sobre su atención consultó esto."
            }
            Self::ResearchProtocol => {
                "Un investigador de un estudio aprobado del que usted forma parte consultó esto."
            }
            Self::FrontDeskWork => {
                "La recepción consultó esto para reservar o preparar una visita."
            }
            Self::BillingWork => "La oficina de facturación consultó esto para cobrar la atención.",
            Self::Oversight => {
                "Una persona encargada de la privacidad revisó quién vio su historial."
            }
            Self::PlatformWork => "Una persona que cuida este sistema trabajó en su configuración.",
            Self::EmergencyAccess => {
                "Un profesional usó el acceso de emergencia para consultar esto."
            }
            Self::PolicyForbids => {
                "Una norma de su organización de salud no permitió mostrar esto."
            }
            Self::PolicyFault => {
                "No pudimos comprobar una norma de su organización de salud, así que no lo mostramos."
            }
            Self::KindNotForRole => "El trabajo de quien lo pidió no incluye este tipo de dato.",
            Self::InteractionNotForRole => "El trabajo de quien lo pidió no incluye hacer esto.",
            Self::EnvironmentNotAllowed => {
                "Se pidió desde un lugar o dispositivo no permitido, o a una hora no permitida."
            }
            Self::StepUpNeeded => "Quien lo pidió tiene que demostrar de nuevo quién es.",
            Self::EmergencyNotOpen => {
                "El acceso de emergencia no estaba abierto para usted en ese momento."
            }
            Self::NoProtocol => "Usted no forma parte del estudio que lo pidió.",
            Self::OtherOrganization => "Se pidió desde otra organización.",
        }
    }

    #[expect(clippy::too_many_lines, reason = "a catalogue: one sentence per code")]
    const fn auditor_english(self) -> &'static str {
        match self {
            Self::ConsentInForce => {
                "Permitted: a patient-directed consent in force covers recipient, purpose, categories, sensitive kinds and periods."
            }
            Self::OwnRecord => {
                "Permitted: the patient exercised the right of access to their own record."
            }
            Self::ProxyInForce => {
                "Permitted: a proxy relationship in force; confidential kinds of adolescents, psychotherapy notes and restricted records stay hidden."
            }
            Self::CareRelationship => {
                "Permitted: operational access of a clinician with a care relationship in force."
            }
            Self::OnShift => {
                "Permitted: operational access of a nurse with a shift in force for the patient."
            }
            Self::PreAuthorized => {
                "Permitted: system scopes authorized in advance for the service; sensitive kinds are excluded."
            }
            Self::PublicDirectory => {
                "Permitted: a resource type about no patient, covered by the token's scope."
            }
            Self::NoConsent => {
                "Refused: no consent on record names this app for this patient and this account."
            }
            Self::ConsentRevoked => "Refused: the consent was revoked inside its period.",
            Self::ConsentNotInForce => {
                "Refused: the consent is not active, or the instant lies outside its period."
            }
            Self::ProxyNotInForce => {
                "Refused: the access rests on a proxy whose relationship to the patient is not in force at this instant."
            }
            Self::CategoryNotShared => {
                "Refused: none of the record's categories is included, or the record has no known category and not every possible one is included."
            }
            Self::SensitiveKindNotShared => {
                "Refused: at least one sensitivity label of the record is not named in the basis of access."
            }
            Self::PurposeNotAllowed => {
                "Refused: the purpose of use is not named in the basis of access; BTG, ETREAT, FAMRQT and HRESCH apply by name only."
            }
            Self::OutsideDataPeriod => {
                "Refused: the record's clinical time is unknown or not wholly inside the data period."
            }
            Self::OtherPatientNamed => {
                "Refused: the record names a patient for whom the caller has no basis of access; every patient named must be covered."
            }
            Self::OutsidePatientContext => {
                "Refused: the record is not about the patient in the token's launch context."
            }
            Self::ScopeMissing => {
                "Refused: no scope of the token reaches this type with this interaction."
            }
            Self::ScopeFilterNotMatched => {
                "Refused: the granular scopes for this type do not match the record."
            }
            Self::NoCareRelationship => {
                "Refused: the clinician has no care relationship in force with the patient."
            }
            Self::NotOnShift => "Refused: the nurse has no shift in force for the patient.",
            Self::RoleWithoutClinicalData => {
                "Refused: the actor's role has no access to clinical data under the organization's rules."
            }
            Self::PatientObjection => {
                "Refused: the patient objected to operational access to this kind of record."
            }
            Self::FiledConsentDenies => {
                "Refused: the consents on file of a patient on the record withhold it."
            }
            Self::FiledConsentUnreadable => {
                "Refused: the consents on file of a patient on the record cannot be read to the end, which withholds it."
            }
            Self::NoFiledConsent => {
                "Refused: a consent on file is required here, and not every patient on the record has one that permits it."
            }
            Self::Unlabelled => {
                "Refused: the record has not been labelled and is treated as restricted."
            }
            Self::FactMissing => {
                "Refused: a fact that the decision needs is missing, such as the patient the record is about."
            }
            Self::InteractionNotOffered => {
                "Refused: the interaction is not offered on this type for this basis of access."
            }
            Self::AccountDisabled => "Refused: the account or the app is disabled.",
            Self::Covering => {
                "Permitted: operational access of a clinician who covers for a treating clinician at this instant."
            }
            Self::Consulted => {
                "Permitted: operational access of a consultant under a referral in force."
            }
            Self::ResearchProtocol => {
                "Permitted: research under a protocol in which the patient is enrolled, asked for by name (HRESCH)."
            }
            Self::FrontDeskWork => {
                "Permitted: front desk access to contact, appointment, coverage and visit data."
            }
            Self::BillingWork => {
                "Permitted: access of the billing office for payment, to the kinds of record it needs."
            }
            Self::Oversight => {
                "Permitted: the privacy officer's oversight of the log, reviews and rules; no clinical data."
            }
            Self::PlatformWork => {
                "Permitted: administration of accounts, apps and rules; no clinical data."
            }
            Self::EmergencyAccess => {
                "Permitted: emergency access by name (BTG), one patient, stepped up, with a coded reason, inside its time; a review is open."
            }
            Self::PolicyForbids => "Refused: a rule of the organization forbids it.",
            Self::PolicyFault => "Refused: a rule of the organization could not be evaluated.",
            Self::KindNotForRole => {
                "Refused: the role has no access to this kind of record under the organization's rules."
            }
            Self::InteractionNotForRole => {
                "Refused: the role may not perform this interaction under the organization's rules."
            }
            Self::EnvironmentNotAllowed => {
                "Refused: network, device or time of the request is not allowed, or is unknown."
            }
            Self::StepUpNeeded => {
                "Refused: the authentication is not strong or fresh enough for this access."
            }
            Self::EmergencyNotOpen => {
                "Refused: no emergency access in force for this person and patient, or it lacks its reason."
            }
            Self::NoProtocol => {
                "Refused: no approved protocol in force covers this researcher and this patient."
            }
            Self::OtherOrganization => {
                "Refused: the record belongs to another tenant than the caller."
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a catalogue: one sentence per code")]
    const fn auditor_spanish(self) -> &'static str {
        match self {
            Self::ConsentInForce => {
                "Permitido: un consentimiento vigente del paciente cubre destinatario, finalidad, categorías, tipos delicados y períodos."
            }
            Self::OwnRecord => {
                "Permitido: el paciente ejerció el derecho de acceso a su propio historial."
            }
            Self::ProxyInForce => {
                "Permitido: una representación vigente; siguen ocultos los datos confidenciales de adolescentes, las notas de psicoterapia y los datos restringidos."
            }
            Self::CareRelationship => {
                "Permitido: acceso operativo de un profesional con relación asistencial vigente."
            }
            Self::OnShift => {
                "Permitido: acceso operativo de enfermería con turno vigente para el paciente."
            }
            Self::PreAuthorized => {
                "Permitido: alcances de sistema autorizados de antemano para el servicio; se excluyen los tipos delicados."
            }
            Self::PublicDirectory => {
                "Permitido: un tipo de recurso que no trata de ningún paciente, cubierto por el alcance del token."
            }
            Self::NoConsent => {
                "Denegado: ningún consentimiento registrado nombra esta aplicación para este paciente y esta cuenta."
            }
            Self::ConsentRevoked => {
                "Denegado: el consentimiento fue revocado dentro de su período."
            }
            Self::ConsentNotInForce => {
                "Denegado: el consentimiento no está activo, o el instante queda fuera de su período."
            }
            Self::ProxyNotInForce => {
                "Denegado: el acceso se apoya en un representante cuya relación con el paciente no está vigente en este instante."
            }
            Self::CategoryNotShared => {
                "Denegado: ninguna categoría del registro está incluida, o el registro no tiene categoría conocida y no se incluyen todas las posibles."
            }
            Self::SensitiveKindNotShared => {
                "Denegado: al menos una etiqueta de sensibilidad del registro no está nombrada en la base del acceso."
            }
            Self::PurposeNotAllowed => {
                "Denegado: la finalidad no está nombrada en la base del acceso; BTG, ETREAT, FAMRQT y HRESCH solo valen por su nombre."
            }
            Self::OutsideDataPeriod => {
                "Denegado: la fecha clínica del registro se desconoce o no queda por completo dentro del período de datos."
            }
            Self::OtherPatientNamed => {
                "Denegado: el registro nombra a un paciente para el que no hay base de acceso; todos los pacientes nombrados deben estar cubiertos."
            }
            Self::OutsidePatientContext => {
                "Denegado: el registro no trata del paciente del contexto de lanzamiento del token."
            }
            Self::ScopeMissing => {
                "Denegado: ningún alcance del token llega a este tipo con esta interacción."
            }
            Self::ScopeFilterNotMatched => {
                "Denegado: los alcances granulares de este tipo no coinciden con el registro."
            }
            Self::NoCareRelationship => {
                "Denegado: el profesional no tiene relación asistencial vigente con el paciente."
            }
            Self::NotOnShift => "Denegado: enfermería no tiene turno vigente para el paciente.",
            Self::RoleWithoutClinicalData => {
                "Denegado: la función de quien pide no da acceso a datos clínicos según las reglas de la organización."
            }
            Self::PatientObjection => {
                "Denegado: el paciente se opuso al acceso operativo a este tipo de registro."
            }
            Self::FiledConsentDenies => {
                "Denegado: los consentimientos archivados de un paciente del registro lo retienen."
            }
            Self::FiledConsentUnreadable => {
                "Denegado: los consentimientos archivados de un paciente del registro no se pueden leer por completo, lo que lo retiene."
            }
            Self::NoFiledConsent => {
                "Denegado: aquí se exige un consentimiento archivado y no todos los pacientes del registro tienen uno que lo permita."
            }
            Self::Unlabelled => {
                "Denegado: el registro no está etiquetado y se trata como restringido."
            }
            Self::FactMissing => {
                "Denegado: falta un dato que la decisión necesita, como el paciente del que trata el registro."
            }
            Self::InteractionNotOffered => {
                "Denegado: la interacción no se ofrece sobre este tipo con esta base de acceso."
            }
            Self::AccountDisabled => "Denegado: la cuenta o la aplicación está desactivada.",
            Self::Covering => {
                "Permitido: acceso operativo de un profesional que sustituye al profesional tratante en este instante."
            }
            Self::Consulted => {
                "Permitido: acceso operativo de un consultor con derivación vigente."
            }
            Self::ResearchProtocol => {
                "Permitido: investigación con un protocolo en el que participa el paciente, pedida por su nombre (HRESCH)."
            }
            Self::FrontDeskWork => {
                "Permitido: acceso de recepción a datos de contacto, citas, cobertura y visitas."
            }
            Self::BillingWork => {
                "Permitido: acceso de facturación para el pago, a los tipos de registro que necesita."
            }
            Self::Oversight => {
                "Permitido: supervisión del registro, las revisiones y las reglas por privacidad; sin datos clínicos."
            }
            Self::PlatformWork => {
                "Permitido: administración de cuentas, aplicaciones y reglas; sin datos clínicos."
            }
            Self::EmergencyAccess => {
                "Permitido: acceso de emergencia por su nombre (BTG), un paciente, con autenticación reforzada y motivo codificado, dentro de su plazo; hay una revisión abierta."
            }
            Self::PolicyForbids => "Denegado: una norma de la organización lo prohíbe.",
            Self::PolicyFault => "Denegado: no se pudo evaluar una norma de la organización.",
            Self::KindNotForRole => {
                "Denegado: la función no da acceso a este tipo de registro según las reglas de la organización."
            }
            Self::InteractionNotForRole => {
                "Denegado: la función no permite esta interacción según las reglas de la organización."
            }
            Self::EnvironmentNotAllowed => {
                "Denegado: la red, el dispositivo o la hora de la petición no están permitidos o se desconocen."
            }
            Self::StepUpNeeded => {
                "Denegado: la autenticación no es lo bastante fuerte o reciente para este acceso."
            }
            Self::EmergencyNotOpen => {
                "Denegado: no hay acceso de emergencia vigente para esta persona y paciente, o falta su motivo."
            }
            Self::NoProtocol => {
                "Denegado: ningún protocolo aprobado y vigente cubre a este investigador y a este paciente."
            }
            Self::OtherOrganization => {
                "Denegado: el registro pertenece a otra organización que la de quien pide."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_sentence_for_both_readers_in_every_language() {
        for language in Language::ALL {
            let mut seen = alloc::collections::BTreeSet::new();
            for reason in ReasonCode::ALL {
                for text in [reason.patient_text(*language), reason.auditor_text(*language)] {
                    assert!(text.ends_with('.') && text.len() > 20, "{text}");
                    assert!(seen.insert(text), "said twice: {text}");
                }
            }
        }
        for reason in ReasonCode::ALL {
            assert_ne!(
                reason.patient_text(Language::English),
                reason.patient_text(Language::Spanish)
            );
        }
    }

    #[test]
    fn a_patient_is_never_told_in_the_words_of_the_trade() {
        for reason in ReasonCode::ALL {
            let text = reason.patient_text(Language::English).to_lowercase();
            for word in ["token", "scope", "consent", "resource", "proxy", "label", "clinical"] {
                assert!(!text.contains(word), "`{word}` in: {text}");
            }
        }
    }

    #[test]
    fn codes_are_read_back() {
        for reason in ReasonCode::ALL {
            assert_eq!(reason.code().parse::<ReasonCode>(), Ok(*reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }

    #[test]
    fn the_language_follows_the_primary_subtag() {
        assert_eq!(Language::from_tag("es-MX"), Language::Spanish);
        assert_eq!(Language::from_tag("ES"), Language::Spanish);
        assert_eq!(Language::from_tag("est"), Language::English);
        assert_eq!(Language::from_tag("en-US"), Language::English);
    }
}
