//! The finite domain: for every fact of a question the values that matter, so that checks can go
//! through all of them.
//!
//! Roles, labels and relations come one by one and in the combinations that occur in practice;
//! departments, places, types and minutes are those that the policies name, and one that they do
//! not. Every closed list is complete.

use proviso_core::account::ActorKind;
use proviso_core::category::{Category, CategorySet, PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::category_rules::{categories_of_type, rules_of};
use proviso_core::decision::Labels;
use proviso_core::id::{AccountId, ClientId};
use proviso_core::org::{
    Age, AuthLevel, Department, Device, Emergency, EmergencyReason, Environment, FactSource,
    Governance, Mode, Network, OrgAction, OrgQuestion, OrgResource, OrgSubject, PatientMatch,
    Place, Provenance, RecordKind, Related, Relation, Role, RoleSet, Sourced, TenantMatch,
    TokenReach,
};
use proviso_core::resource_type::ResourceType;

use super::atom::Named;

/// One thing that a question can differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Dim {
    Persona,
    RoleFacts,
    Departments,
    Mode,
    Purpose,
    Action,
    Relation,
    Record,
    Labels,
    Named,
    Tenant,
    Token,
    Network,
    Place,
    Device,
    Auth,
    Hour,
    Weekday,
    Emergency,
    Minutes,
    EmergencyPatient,
}

pub(super) const DIMS: [Dim; 21] = [
    Dim::Persona,
    Dim::RoleFacts,
    Dim::Departments,
    Dim::Mode,
    Dim::Purpose,
    Dim::Action,
    Dim::Relation,
    Dim::Record,
    Dim::Labels,
    Dim::Named,
    Dim::Tenant,
    Dim::Token,
    Dim::Network,
    Dim::Place,
    Dim::Device,
    Dim::Auth,
    Dim::Hour,
    Dim::Weekday,
    Dim::Emergency,
    Dim::Minutes,
    Dim::EmergencyPatient,
];

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Persona {
    pub(super) name: &'static str,
    pub(super) kind: ActorKind,
    pub(super) roles: RoleSet,
}

/// One value for every dimension, as its place in the list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Point([u8; DIMS.len()]);

impl Point {
    pub(super) fn get(&self, dim: Dim) -> usize {
        self.0.get(dim as usize).copied().map_or(0, usize::from)
    }

    pub(super) fn set(&mut self, dim: Dim, value: usize) {
        if let (Some(own), Ok(value)) = (self.0.get_mut(dim as usize), u8::try_from(value)) {
            *own = value;
        }
    }
}

/// The values of every dimension.
#[derive(Debug, Clone)]
pub(super) struct Domain {
    account: AccountId,
    client: ClientId,
    pub(super) personas: Vec<Persona>,
    departments: Vec<Department>,
    pub(super) relations: Vec<Option<(Relation, Age)>>,
    pub(super) records: Vec<Kind>,
    pub(super) labels: Vec<Labels>,
    pub(super) named: Vec<SensitiveSet>,
    places: Vec<Place>,
    pub(super) minutes: Vec<u8>,
}

/// A kind of resource, without its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Record(ResourceType, CategorySet),
    Directory(ResourceType),
    Governance(Governance),
}

/// LIMIT: so many values of one dimension are one machine word of alternatives.
pub(super) const MAX_VALUES: usize = 64;

fn personas() -> Vec<Persona> {
    let one = |name, kind| Persona { name, kind, roles: RoleSet::of_kind(kind) };
    let staff =
        |name, kind, roles: &[Role]| Persona { name, kind, roles: roles.iter().copied().collect() };
    vec![
        one("a clinician", ActorKind::Clinician),
        one("a nurse", ActorKind::Nurse),
        one("a patient", ActorKind::Patient),
        one("a proxy", ActorKind::Proxy),
        one("a service", ActorKind::System),
        one("staff without a role", ActorKind::Staff),
        staff("the front desk", ActorKind::Staff, &[Role::FrontDesk]),
        staff("the billing office", ActorKind::Staff, &[Role::Billing]),
        staff("a researcher", ActorKind::Staff, &[Role::Researcher]),
        staff(
            "an emergency clinician",
            ActorKind::Clinician,
            &[Role::Clinician, Role::EmergencyClinician],
        ),
        one("a privacy officer", ActorKind::PrivacyOfficer),
        one("an administrator", ActorKind::Administrator),
        one("a support agent", ActorKind::SupportAgent),
        staff(
            "an administrator who also treats",
            ActorKind::Administrator,
            &[Role::Administrator, Role::Clinician, Role::EmergencyClinician],
        ),
        staff(
            "a support agent who also bills",
            ActorKind::SupportAgent,
            &[Role::Support, Role::Billing],
        ),
        staff("a nurse at the front desk", ActorKind::Nurse, &[Role::Nurse, Role::FrontDesk]),
    ]
}

fn records(types: &[ResourceType]) -> Vec<Kind> {
    let none = CategorySet::EMPTY;
    let mut found: Vec<Kind> = Category::ALL
        .iter()
        .filter_map(|category| {
            let rule = rules_of(*category).next()?;
            Some(Kind::Record(rule.resource_type, none.with(*category)))
        })
        .collect();
    // One kind that policies name and one that they may not, so that "any of" and "all of" differ.
    let both = none.with(Category::Demographics).with(Category::Notes);
    found.push(Kind::Record(ResourceType::DOCUMENT_REFERENCE, both));
    found.push(Kind::Record(ResourceType::BASIC, none));
    found.push(Kind::Directory(ResourceType::PRACTITIONER));
    found.extend(Governance::ALL.iter().map(|kind| Kind::Governance(*kind)));
    for own in types {
        let possible = categories_of_type(*own);
        found.push(Kind::Record(*own, none));
        found.extend(possible.iter().map(|one| Kind::Record(*own, none.with(one))));
        found.push(Kind::Directory(*own));
    }
    let mut kept: Vec<Kind> = Vec::new();
    for kind in found {
        if !kept.contains(&kind) {
            kept.push(kind);
        }
    }
    kept
}

fn labels() -> Vec<Labels> {
    let mut found = vec![Labels::Known(SensitiveSet::EMPTY)];
    found
        .extend(SensitiveKind::ALL.iter().map(|own| Labels::Known(SensitiveSet::EMPTY.with(*own))));
    found.push(Labels::Known(SensitiveSet::all()));
    found.push(Labels::Unclassified);
    found
}

fn named() -> Vec<SensitiveSet> {
    let mut found = vec![SensitiveSet::EMPTY];
    found.extend(SensitiveKind::ALL.iter().map(|own| SensitiveSet::EMPTY.with(*own)));
    found.push(SensitiveSet::all());
    found
}

impl Domain {
    /// The domain for policies that name these things; `None` when they name too many.
    pub(super) fn new(names: &Named) -> Option<Self> {
        let mut minutes: Vec<u8> = vec![0, 59, 60];
        for literal in &names.longs {
            let near = [literal.saturating_sub(1), *literal, literal.saturating_add(1)];
            minutes.extend(near.into_iter().filter_map(|near| u8::try_from(near).ok()));
        }
        minutes.sort_unstable();
        minutes.dedup();
        let relations = std::iter::once(None)
            .chain(
                Relation::ALL
                    .iter()
                    .flat_map(|relation| Age::ALL.iter().map(move |age| Some((*relation, *age)))),
            )
            .collect();
        let domain = Self {
            account: "acc_somebody".parse().ok()?,
            client: "some-service".parse().ok()?,
            personas: personas(),
            departments: names.departments.iter().cloned().collect(),
            relations,
            records: records(&names.types.iter().copied().collect::<Vec<_>>()),
            labels: labels(),
            named: named(),
            places: names.places.iter().cloned().collect(),
            minutes,
        };
        DIMS.iter().all(|dim| domain.size(*dim) <= MAX_VALUES).then_some(domain)
    }

    /// How many values a dimension has.
    pub(super) fn size(&self, dim: Dim) -> usize {
        match dim {
            Dim::Persona => self.personas.len(),
            Dim::RoleFacts => Age::ALL.len() + 1,
            Dim::Departments => self.departments.len() + 2,
            Dim::Mode => Mode::ALL.len(),
            Dim::Purpose => PurposeOfUse::ALL.len(),
            Dim::Action => OrgAction::ALL.len(),
            Dim::Relation => self.relations.len(),
            Dim::Record => self.records.len(),
            Dim::Labels => self.labels.len(),
            Dim::Named => self.named.len(),
            Dim::Tenant | Dim::Token | Dim::EmergencyPatient => 2,
            Dim::Network => Network::ALL.len() + 1,
            Dim::Place => self.places.len() + 2,
            Dim::Device => Device::ALL.len() * Age::ALL.len() + 1,
            Dim::Auth => AuthLevel::ALL.len() + 1,
            Dim::Hour => 25,
            Dim::Weekday => 8,
            Dim::Emergency => EmergencyReason::ALL.len() + 2,
            Dim::Minutes => self.minutes.len(),
        }
    }

    /// The point from which cases start: a clinician in the middle of an ordinary day.
    pub(super) fn ordinary() -> Point {
        let mut point = Point([0; DIMS.len()]);
        let place = |wanted| Mode::ALL.iter().position(|own| *own == wanted).unwrap_or(0);
        point.set(Dim::Mode, place(Mode::Operational));
        // The first age is "now"; what may be absent has its absence first.
        point.set(Dim::RoleFacts, 1);
        point.set(Dim::Network, 1);
        point
    }

    /// The values of [`Dim::Minutes`] that are at least so many.
    pub(super) fn minutes_from(&self, least: u8) -> u64 {
        let places = self.minutes.iter().enumerate().filter(|(_, own)| **own >= least);
        places.fold(0, |mask, (place, _)| mask | (1 << place))
    }

    /// The question at a point.
    pub(super) fn question(&self, point: &Point) -> OrgQuestion {
        let persona = self.personas.get(point.get(Dim::Persona));
        let kind = persona.map_or(ActorKind::Staff, |own| own.kind);
        let mode = pick(Mode::ALL, point.get(Dim::Mode)).unwrap_or(Mode::Operational);
        let subject = match kind {
            ActorKind::System => OrgSubject::Service(self.client.clone()),
            ActorKind::Patient
            | ActorKind::Proxy
            | ActorKind::Clinician
            | ActorKind::Nurse
            | ActorKind::Staff
            | ActorKind::PrivacyOfficer
            | ActorKind::Administrator
            | ActorKind::SupportAgent => OrgSubject::Account(self.account.clone()),
        };
        let roles = pick_optional(Age::ALL, point.get(Dim::RoleFacts)).map(|age| Sourced {
            value: persona.map_or(RoleSet::EMPTY, |own| own.roles),
            provenance: Provenance { source: FactSource::Account, age },
        });
        OrgQuestion {
            subject,
            kind,
            roles,
            departments: self.departments_at(point.get(Dim::Departments)),
            related: self.related_at(point.get(Dim::Relation)),
            mode,
            purpose: pick(PurposeOfUse::ALL, point.get(Dim::Purpose))
                .unwrap_or(PurposeOfUse::Treatment),
            action: pick(OrgAction::ALL, point.get(Dim::Action)).unwrap_or(OrgAction::Read),
            resource: self.resource_at(point),
            named: self.named.get(point.get(Dim::Named)).copied().unwrap_or_default(),
            tenant: match point.get(Dim::Tenant) {
                0 => TenantMatch::Own,
                _ => TenantMatch::Other,
            },
            token: match point.get(Dim::Token) {
                0 => TokenReach::Reaches,
                _ => TokenReach::Lacks,
            },
            environment: self.environment_at(point),
            emergency: self.emergency_at(point),
        }
    }

    pub(super) fn departments_at(
        &self,
        value: usize,
    ) -> Option<Sourced<std::collections::BTreeSet<Department>>> {
        let named = match value.checked_sub(1)? {
            0 => None,
            place => self.departments.get(place - 1).cloned(),
        };
        Some(Sourced {
            value: named.into_iter().collect(),
            provenance: Provenance::now(FactSource::Scim),
        })
    }

    fn related_at(&self, value: usize) -> Related {
        let found = self.relations.get(value).copied().flatten();
        found
            .map(|(relation, age)| (relation, Provenance { source: FactSource::Relationship, age }))
            .into_iter()
            .collect()
    }

    fn resource_at(&self, point: &Point) -> OrgResource {
        match self.records.get(point.get(Dim::Record)) {
            Some(Kind::Record(resource_type, categories)) => OrgResource::Record(RecordKind {
                resource_type: *resource_type,
                categories: *categories,
                labels: self
                    .labels
                    .get(point.get(Dim::Labels))
                    .copied()
                    .unwrap_or(Labels::Unclassified),
            }),
            Some(Kind::Directory(resource_type)) => OrgResource::Directory(*resource_type),
            Some(Kind::Governance(kind)) => OrgResource::Governance(*kind),
            None => OrgResource::Directory(ResourceType::BASIC),
        }
    }

    pub(super) fn environment_at(&self, point: &Point) -> Environment {
        let small = |dim: Dim| u8::try_from(point.get(dim)).ok();
        let place = match point.get(Dim::Place) {
            0 => None,
            1 => "elsewhere".parse().ok(),
            value => self.places.get(value - 2).cloned(),
        };
        let device = point.get(Dim::Device).checked_sub(1).and_then(|value| {
            let device = pick(Device::ALL, value / Age::ALL.len())?;
            let age = pick(Age::ALL, value % Age::ALL.len())?;
            let provenance = Provenance { source: FactSource::Session, age };
            Some(Sourced { value: device, provenance })
        });
        Environment {
            network: pick_optional(Network::ALL, point.get(Dim::Network)),
            place: place
                .map(|value| Sourced { value, provenance: Provenance::now(FactSource::Session) }),
            device,
            acr: pick_optional(AuthLevel::ALL, point.get(Dim::Auth)),
            hour: small(Dim::Hour).and_then(|hour| hour.checked_sub(1)),
            weekday: small(Dim::Weekday).filter(|weekday| *weekday > 0),
        }
    }

    fn emergency_at(&self, point: &Point) -> Option<Emergency> {
        let reason = pick_optional(EmergencyReason::ALL, point.get(Dim::Emergency).checked_sub(1)?);
        Some(Emergency {
            reason,
            minutes: self.minutes.get(point.get(Dim::Minutes)).copied().unwrap_or(u8::MAX),
            for_patient: match point.get(Dim::EmergencyPatient) {
                0 => PatientMatch::Same,
                _ => PatientMatch::Other,
            },
        })
    }
}

/// The places of the values that are wanted, as a mask.
pub(super) fn mask_of<T>(all: &[T], wanted: impl Fn(&T) -> bool) -> u64 {
    all.iter()
        .enumerate()
        .filter(|(_, own)| wanted(own))
        .fold(0, |mask, (place, _)| mask | (1 << place))
}

pub(super) fn pick<T: Copy>(all: &[T], place: usize) -> Option<T> {
    all.get(place).copied()
}

/// The first value is "nobody knows".
pub(super) fn pick_optional<T: Copy>(all: &[T], place: usize) -> Option<T> {
    place.checked_sub(1).and_then(|place| pick(all, place))
}
