//! Values of the finite domain in words, for differences.

use proviso_core::category::{Category, PurposeOfUse, SensitiveKind};
use proviso_core::org::{Age, AuthLevel, EmergencyReason, Mode, Network, OrgAction};

use super::describe::labels as labels_word;
use super::domain::{Dim, Domain, Kind, pick, pick_optional};

fn unknown(noun: &str) -> String {
    format!("unknown {noun}")
}

fn optional(dim: Dim, code: Option<&'static str>) -> String {
    code.map_or_else(|| unknown(noun(dim)), |code| format!("{} {code}", noun(dim)))
}

/// What a dimension is about.
pub(super) const fn noun(dim: Dim) -> &'static str {
    match dim {
        Dim::Persona => "person or service",
        Dim::RoleFacts => "age of roles",
        Dim::Departments => "department",
        Dim::Mode => "mode",
        Dim::Purpose => "purpose",
        Dim::Action => "interaction",
        Dim::Relation => "relation",
        Dim::Record => "resource",
        Dim::Labels => "labels",
        Dim::Named => "choice of sensitive kinds",
        Dim::Tenant => "organization",
        Dim::Token => "token",
        Dim::Network => "network",
        Dim::Place => "place",
        Dim::Device => "device",
        Dim::Auth => "sign-in",
        Dim::Hour => "hour",
        Dim::Weekday => "weekday",
        Dim::Emergency => "emergency",
        Dim::Minutes => "minutes of emergency",
        Dim::EmergencyPatient => "patient of emergency",
    }
}

/// Words for people.
impl Domain {
    /// One value, in words.
    pub(super) fn word(&self, dim: Dim, value: usize) -> String {
        match dim {
            Dim::Persona => {
                self.personas.get(value).map_or("nobody", |persona| persona.name).to_owned()
            }
            Dim::RoleFacts => optional(dim, pick_optional(Age::ALL, value).map(Age::code)),
            Dim::Departments => match self.departments_at(value) {
                None => unknown("department"),
                Some(own) => own
                    .value
                    .first()
                    .map_or("another department".to_owned(), |own| format!("department {own}")),
            },
            Dim::Mode => pick(Mode::ALL, value).map_or("", Mode::code).to_owned(),
            Dim::Purpose => {
                pick(PurposeOfUse::ALL, value).map_or("", PurposeOfUse::code).to_owned()
            }
            Dim::Action => pick(OrgAction::ALL, value).map_or("", OrgAction::code).to_owned(),
            Dim::Relation => match self.relations.get(value).copied().flatten() {
                None => "not related".to_owned(),
                Some((relation, Age::Now)) => relation.code().to_owned(),
                Some((relation, age)) => format!("{relation} known for {age}"),
            },
            Dim::Record => match self.records.get(value) {
                Some(Kind::Record(own, categories)) if categories.is_empty() => {
                    format!("{own} of no known kind")
                }
                Some(Kind::Record(own, categories)) => {
                    let codes: Vec<&str> = categories.iter().map(Category::code).collect();
                    format!("{own}/{}", codes.join("+"))
                }
                Some(Kind::Directory(own)) => format!("{own} (directory)"),
                Some(Kind::Governance(kind)) => format!("governance/{kind}"),
                None => String::new(),
            },
            Dim::Labels => self.labels.get(value).map_or_else(String::new, |own| labels_word(*own)),
            Dim::Named => {
                let named = self.named.get(value).copied().unwrap_or_default();
                let codes: Vec<&str> = named.iter().map(SensitiveKind::code).collect();
                if codes.is_empty() {
                    "the choice names nothing sensitive".to_owned()
                } else {
                    format!("the choice names {}", codes.join("+"))
                }
            }
            Dim::Tenant
            | Dim::Token
            | Dim::Network
            | Dim::Auth
            | Dim::Place
            | Dim::Device
            | Dim::Hour
            | Dim::Weekday
            | Dim::Emergency
            | Dim::Minutes
            | Dim::EmergencyPatient => self.word_around(dim, value),
        }
    }

    /// One value of what surrounds a request, in words.
    fn word_around(&self, dim: Dim, value: usize) -> String {
        let mut point = Self::ordinary();
        point.set(dim, value);
        let of = |words: [&str; 2]| words.get(value).copied().unwrap_or("").to_owned();
        match dim {
            Dim::Tenant => of(["own organization", "another organization"]),
            Dim::Token => of(["token reaches", "token does not reach"]),
            Dim::Network => optional(dim, pick_optional(Network::ALL, value).map(Network::code)),
            Dim::Auth => optional(dim, pick_optional(AuthLevel::ALL, value).map(AuthLevel::code)),
            Dim::Place => self
                .environment_at(&point)
                .place
                .map_or_else(|| unknown("place"), |own| format!("place {}", own.value)),
            Dim::Device => self.environment_at(&point).device.map_or_else(
                || unknown("device"),
                |own| format!("device {} known for {}", own.value, own.provenance.age),
            ),
            Dim::Hour | Dim::Weekday => match value.checked_sub(usize::from(dim == Dim::Hour)) {
                None => unknown("hour"),
                Some(0) if dim == Dim::Weekday => unknown("weekday"),
                Some(number) => format!("{} {number}", noun(dim)),
            },
            Dim::Emergency => match value.checked_sub(1) {
                None => "no emergency".to_owned(),
                Some(reason) => pick_optional(EmergencyReason::ALL, reason).map_or_else(
                    || "emergency without a reason".to_owned(),
                    |reason| format!("emergency: {reason}"),
                ),
            },
            Dim::Minutes => {
                self.minutes.get(value).map_or_else(String::new, |own| format!("{own} min"))
            }
            Dim::EmergencyPatient => of(["this patient", "another patient"]),
            Dim::Persona
            | Dim::RoleFacts
            | Dim::Departments
            | Dim::Mode
            | Dim::Purpose
            | Dim::Action
            | Dim::Relation
            | Dim::Record
            | Dim::Labels
            | Dim::Named => String::new(),
        }
    }
}
