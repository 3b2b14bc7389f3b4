//! The words of a tree (catalogue).
//!
//! What refused says its reason ([`crate::reason`]); what is here is the rest: what was met, and what
//! would have to be different. Exhaustive matches, so a check without its sentences does not build.

use super::CallerTold;
use crate::decision::{Check, Layer};
use crate::reason::Language;

impl Layer {
    /// The name of the layer for an officer.
    pub const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Scope, Language::English) => "what the app may ask for",
            (Self::Scope, Language::Spanish) => "lo que la aplicación puede pedir",
            (Self::Gate, Language::English) => "who asks, and for whom",
            (Self::Gate, Language::Spanish) => "quién pide, y para quién",
            (Self::Organisation, Language::English) => "the organization's rules",
            (Self::Organisation, Language::Spanish) => "las reglas de la organización",
            (Self::Consent, Language::English) => "the patient's choices",
            (Self::Consent, Language::Spanish) => "las decisiones del paciente",
            (Self::Labels, Language::English) => "sensitive kinds",
            (Self::Labels, Language::Spanish) => "tipos delicados",
        }
    }
}

impl CallerTold {
    /// One sentence for the one who asked. It tells nothing of what is hidden.
    pub const fn text(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Permitted, Language::English) => "Allowed.",
            (Self::Permitted, Language::Spanish) => "Permitido.",
            (Self::MayNotAsk(reason), language) => reason.auditor_text(language),
            (Self::NothingToSee, Language::English) => {
                "There is no such record, or you may not see it."
            }
            (Self::NothingToSee, Language::Spanish) => {
                "No existe tal registro, o usted no puede verlo."
            }
        }
    }
}

impl Check {
    /// One sentence for an officer: the check was met.
    pub const fn met(self, language: Language) -> &'static str {
        match language {
            Language::English => self.met_english(),
            Language::Spanish => self.met_spanish(),
        }
    }

    /// The end of "It would be permitted if …", for an officer.
    pub const fn wanted(self, language: Language) -> &'static str {
        match language {
            Language::English => self.wanted_english(),
            Language::Spanish => self.wanted_spanish(),
        }
    }

    const fn met_english(self) -> &'static str {
        match self {
            Self::GrantStands => "The token and its grant agree, and neither has ended.",
            Self::ScopeCounts => "The token has scopes that count for this kind of access.",
            Self::InteractionOffered => "This can be done with records of this type.",
            Self::ScopeReaches => "A scope of the token reaches this record.",
            Self::PatientInContext => "The launch is about this patient, or about nobody.",
            Self::PersonKnown => "The person who asks is known.",
            Self::ProxyInForce => "The person may act for the patient at this time.",
            Self::PurposeNamed => "The purpose of use is one of those named.",
            Self::RoleHasClinicalData => "The role may see clinical data.",
            Self::RelationshipInForce => "The relationship that the rule asks for is in force.",
            Self::EmergencyInForce => "The person declared an emergency, and it is in force.",
            Self::EmergencyStepUp => "The person proved who they are just before declaring it.",
            Self::EmergencyRuleLets => {
                "The organization's rule for emergencies lets this person in."
            }
            Self::PolicyLetsAsk => "The organization's policies let this person ask.",
            Self::PolicyPermits => "The organization's policies permit it for this record.",
            Self::ConsentNamesParties => "The sharing choice names this app and this person.",
            Self::ConsentInForce => "The sharing choice is in force.",
            Self::EveryPatientReached => "Every patient named on the record is within reach.",
            Self::NoObjection => "No patient on the record objected to this kind.",
            Self::FiledConsentsAllow => "No consent on file withholds the record.",
            Self::CategoryIncluded => "The kind of record is included.",
            Self::DataPeriodCovers => "The record is from a time that is included.",
            Self::SensitiveKindsNamed => "Every sensitive kind of the record is named.",
        }
    }

    const fn met_spanish(self) -> &'static str {
        match self {
            Self::GrantStands => "El token y su concesión coinciden y ninguno ha terminado.",
            Self::ScopeCounts => "El token tiene alcances que valen para este tipo de acceso.",
            Self::InteractionOffered => "Esto se puede hacer con registros de este tipo.",
            Self::ScopeReaches => "Un alcance del token llega a este registro.",
            Self::PatientInContext => "El lanzamiento trata de este paciente, o de nadie.",
            Self::PersonKnown => "La persona que pide es conocida.",
            Self::ProxyInForce => "La persona puede representar al paciente en este momento.",
            Self::PurposeNamed => "La finalidad es una de las nombradas.",
            Self::RoleHasClinicalData => "El rol puede ver datos clínicos.",
            Self::RelationshipInForce => "La relación que pide la regla está vigente.",
            Self::EmergencyInForce => "La persona declaró una emergencia y está vigente.",
            Self::EmergencyStepUp => "La persona demostró quién es justo antes de declararla.",
            Self::EmergencyRuleLets => {
                "La regla de la organización para emergencias da acceso a esta persona."
            }
            Self::PolicyLetsAsk => {
                "Las políticas de la organización permiten que esta persona pida."
            }
            Self::PolicyPermits => {
                "Las políticas de la organización lo permiten para este registro."
            }
            Self::ConsentNamesParties => {
                "La decisión de compartir nombra esta aplicación y esta persona."
            }
            Self::ConsentInForce => "La decisión de compartir está vigente.",
            Self::EveryPatientReached => "Cada paciente nombrado en el registro está al alcance.",
            Self::NoObjection => "Ningún paciente del registro se opuso a este tipo.",
            Self::FiledConsentsAllow => "Ningún consentimiento archivado retiene el registro.",
            Self::CategoryIncluded => "El tipo de registro está incluido.",
            Self::DataPeriodCovers => "El registro es de una época incluida.",
            Self::SensitiveKindsNamed => "Cada tipo delicado del registro está nombrado.",
        }
    }

    const fn wanted_english(self) -> &'static str {
        match self {
            Self::GrantStands => "the connection had not ended and the token agreed with it",
            Self::ScopeCounts => "the token had a scope for this kind of access",
            Self::InteractionOffered => "this could be done with records of this type",
            Self::ScopeReaches => "a scope of the token reached this record",
            Self::PatientInContext => "the app had been opened for this patient",
            Self::PersonKnown => "the person who asks were known",
            Self::ProxyInForce => "the person could act for the patient at this time",
            Self::PurposeNamed => "the purpose of use were one of those named",
            Self::RoleHasClinicalData => "the role had a rule for clinical data",
            Self::RelationshipInForce => "the relationship that the rule asks for were in force",
            Self::EmergencyInForce => "the person had declared an emergency that is in force",
            Self::EmergencyStepUp => {
                "the person had proved who they are just before declaring the emergency"
            }
            Self::EmergencyRuleLets => "the organization's rule for emergencies let this person in",
            Self::PolicyLetsAsk => "a policy of the organization let this person ask",
            Self::PolicyPermits => "a policy of the organization permitted it for this record",
            Self::ConsentNamesParties => "a sharing choice named this app and this person",
            Self::ConsentInForce => "the sharing choice were in force",
            Self::EveryPatientReached => "every patient named on the record were within reach",
            Self::NoObjection => "no patient on the record objected",
            Self::FiledConsentsAllow => "the consents on file allowed it",
            Self::CategoryIncluded => "the kind of record were included",
            Self::DataPeriodCovers => "the record had a date inside the time that is included",
            Self::SensitiveKindsNamed => "every sensitive kind of the record were named",
        }
    }

    const fn wanted_spanish(self) -> &'static str {
        match self {
            Self::GrantStands => "la conexión no hubiera terminado y el token coincidiera con ella",
            Self::ScopeCounts => "el token tuviera un alcance para este tipo de acceso",
            Self::InteractionOffered => "esto se pudiera hacer con registros de este tipo",
            Self::ScopeReaches => "un alcance del token llegara a este registro",
            Self::PatientInContext => "la aplicación se hubiera abierto para este paciente",
            Self::PersonKnown => "la persona que pide fuera conocida",
            Self::ProxyInForce => "la persona pudiera representar al paciente en este momento",
            Self::PurposeNamed => "la finalidad fuera una de las nombradas",
            Self::RoleHasClinicalData => "el rol tuviera una regla para datos clínicos",
            Self::RelationshipInForce => "la relación que pide la regla estuviera vigente",
            Self::EmergencyInForce => "la persona hubiera declarado una emergencia vigente",
            Self::EmergencyStepUp => {
                "la persona hubiera demostrado quién es justo antes de declarar la emergencia"
            }
            Self::EmergencyRuleLets => {
                "la regla de la organización para emergencias diera acceso a esta persona"
            }
            Self::PolicyLetsAsk => {
                "una política de la organización permitiera que esta persona pida"
            }
            Self::PolicyPermits => {
                "una política de la organización lo permitiera para este registro"
            }
            Self::ConsentNamesParties => {
                "una decisión de compartir nombrara esta aplicación y esta persona"
            }
            Self::ConsentInForce => "la decisión de compartir estuviera vigente",
            Self::EveryPatientReached => {
                "cada paciente nombrado en el registro estuviera al alcance"
            }
            Self::NoObjection => "ningún paciente del registro se hubiera opuesto",
            Self::FiledConsentsAllow => "los consentimientos archivados lo permitieran",
            Self::CategoryIncluded => "el tipo de registro estuviera incluido",
            Self::DataPeriodCovers => "el registro tuviera una fecha dentro de la época incluida",
            Self::SensitiveKindsNamed => "cada tipo delicado del registro estuviera nombrado",
        }
    }
}
