//! One question to the organisation's policy: who, to whom related how, what for, what, on which
//! resource, from where.

use alloc::borrow::ToOwned as _;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::words::{
    Age, AuthLevel, Device, EmergencyReason, FactSource, Governance, Mode, Network, OrgAction,
    Relation, RoleSet,
};
use crate::account::{Account, ActorKind};
use crate::category::{CategorySet, PurposeOfUse, SensitiveSet};
use crate::decision::Labels;
use crate::id::{AccountId, ClientId, IdError};
use crate::resource_type::ResourceType;

/// LIMIT: emergency access ends after so many minutes (design §6).
pub const MAX_EMERGENCY_MINUTES: u8 = 60;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = (1..=64).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
                if fits { Ok(Self(text.to_owned())) } else { Err(IdError::Malformed) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A department of the organisation.
    Department
);
name!(
    /// A place that requests come from: a building, a ward.
    Place
);
name!(
    /// The name of one policy inside its set.
    PolicyName
);

/// Where a fact comes from and how old it is at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// Where from.
    pub source: FactSource,
    /// How old.
    pub age: Age,
}

impl Provenance {
    /// Read for this decision from what is in force on this server.
    pub const fn now(source: FactSource) -> Self {
        Self { source, age: Age::Now }
    }
}

/// A fact and its provenance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sourced<T> {
    /// The fact.
    pub value: T,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OrgSubject {
    /// A person, by their account.
    Account(AccountId),
    /// A service without a person, by its client.
    Service(ClientId),
}

/// How the one who asks is related to the patients of a resource, each with its provenance. Where a
/// resource names several patients, only what holds for every one of them counts.
pub type Related = BTreeMap<Relation, Provenance>;

/// What the resource is, as far as policies may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RecordKind {
    /// Its type.
    pub resource_type: ResourceType,
    /// The kinds of record it counts as.
    pub categories: CategorySet,
    /// Its labels.
    pub labels: Labels,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrgResource {
    /// A record about patients.
    Record(RecordKind),
    /// An entry about no patient.
    Directory(ResourceType),
    /// Something of governance itself.
    Governance(Governance),
}

/// Whether the resource is the caller's own tenant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TenantMatch {
    /// It is.
    Own,
    /// It is another's.
    Other,
}

/// Whether emergency access was opened for the one patient of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PatientMatch {
    /// It was.
    Same,
    /// It was opened for another, or the resource names several.
    Other,
}

/// Whether the scopes of the token reach the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TokenReach {
    /// They do, or the portal asks, where no token is involved.
    Reaches,
    /// They do not.
    Lacks,
}

/// From where and when; what is not known is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Environment {
    /// From which network.
    pub network: Option<Network>,
    /// From which place.
    pub place: Option<Sourced<Place>>,
    /// How far the device is trusted.
    pub device: Option<Sourced<Device>>,
    /// How strongly the person proved who they are.
    pub acr: Option<AuthLevel>,
    /// The hour of the day at the organisation, 0 to 23.
    pub hour: Option<u8>,
    /// The day of the week at the organisation, Monday is 1 and Sunday is 7.
    pub weekday: Option<u8>,
}

/// Emergency access that is open for the person who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Emergency {
    /// Why; `None` when no code was given.
    pub reason: Option<EmergencyReason>,
    /// How many whole minutes ago it was opened.
    pub minutes: u8,
    /// For whom.
    pub for_patient: PatientMatch,
}

/// One question.
///
/// Every field is part of the canonical bytes ([`OrgQuestion::key`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrgQuestion {
    /// Who.
    pub subject: OrgSubject,
    /// What kind of actor that is.
    pub kind: ActorKind,
    /// Their roles; `None` when nobody could say.
    pub roles: Option<Sourced<RoleSet>>,
    /// Their departments; `None` when nobody could say.
    pub departments: Option<Sourced<BTreeSet<Department>>>,
    /// How they are related to the patients of the resource.
    pub related: Related,
    /// By which right.
    pub mode: Mode,
    /// What for.
    pub purpose: PurposeOfUse,
    /// What is to be done.
    pub action: OrgAction,
    /// On what.
    pub resource: OrgResource,
    /// The sensitive kinds that the patient's choice names; empty where no choice is involved.
    pub named: SensitiveSet,
    /// Whose tenant.
    pub tenant: TenantMatch,
    /// Whether the token reaches.
    pub token: TokenReach,
    /// From where and when.
    pub environment: Environment,
    /// Emergency access, when it is open.
    pub emergency: Option<Emergency>,
}

impl OrgQuestion {
    /// A question about a person of this kind with the roles of that kind and no other fact: the
    /// ground from which callers state what they know.
    pub fn of_account(account: AccountId, kind: ActorKind, mode: Mode) -> Self {
        Self::new(OrgSubject::Account(account), kind, mode)
    }

    /// A question about a member of staff, with every role of the account.
    pub fn of_staff(account: &Account) -> Self {
        let ground = Self::of_account(account.id.clone(), account.kind, Mode::Operational);
        ground.with_roles(account.all_roles())
    }

    /// The same with these roles, as the account has them now.
    #[must_use]
    pub fn with_roles(self, value: RoleSet) -> Self {
        let provenance = Provenance::now(FactSource::Account);
        Self { roles: Some(Sourced { value, provenance }), ..self }
    }

    /// A question about a service.
    pub fn of_service(client: ClientId) -> Self {
        Self::new(OrgSubject::Service(client), ActorKind::System, Mode::PreAuthorized)
    }

    fn new(subject: OrgSubject, kind: ActorKind, mode: Mode) -> Self {
        Self {
            subject,
            kind,
            roles: Some(Sourced {
                value: RoleSet::of_kind(kind),
                provenance: Provenance::now(FactSource::Account),
            }),
            departments: None,
            related: Related::new(),
            mode,
            purpose: PurposeOfUse::Treatment,
            action: OrgAction::Read,
            // The least that can be asked for, and nothing that a default could permit by
            // accident: a record of no known kind without labels.
            resource: OrgResource::Record(RecordKind {
                resource_type: ResourceType::BASIC,
                categories: CategorySet::EMPTY,
                labels: Labels::Unclassified,
            }),
            named: SensitiveSet::EMPTY,
            tenant: TenantMatch::Own,
            token: TokenReach::Reaches,
            environment: Environment::default(),
            emergency: None,
        }
    }

    /// The roles, none when nobody could say.
    pub fn role_set(&self) -> RoleSet {
        self.roles.as_ref().map_or(RoleSet::EMPTY, |roles| roles.value)
    }
}
