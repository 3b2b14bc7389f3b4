//! OAuth and SMART scopes: what an app may ask for.
//!
//! Knows how scopes are written, which one lies inside which, and how kinds of record turn into
//! scopes and back. Does not know who asks. Every function here keeps or narrows; none widens.
//!
//! Source: SMART App Launch 2.2.0 "Scopes and Launch Context"; v1 scopes are kept in their own
//! spelling so that the answer uses the syntax that was asked for.

mod compile;
mod set;
mod text;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use compile::{compile, requested_categories};
pub use set::{MalformedScope, ParsedScopes, ScopeSet};
pub use text::ScopeError;

use crate::interaction::Interaction;
use crate::resource_type::ResourceType;

/// Whose data a SMART resource scope reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeContext {
    /// One patient in context.
    Patient,
    /// Whatever the signed-in person may see.
    User,
    /// Pre-authorized access of a service.
    System,
}

/// Create, read, update, delete, search: the SMART v2 permissions, as bits in that order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent permissions, as SMART has them"
)]
pub struct Permissions {
    /// `c`
    pub create: bool,
    /// `r`
    pub read: bool,
    /// `u`
    pub update: bool,
    /// `d`
    pub delete: bool,
    /// `s`
    pub search: bool,
}

/// One `param=value` of a granular scope; several are all required.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeFilter {
    /// The search parameter, without modifiers.
    pub param: String,
    /// Its decoded value, `system|code` or `code`.
    pub value: String,
}

/// Which spelling the client used; the answer uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ScopeSyntax {
    /// `.read`, `.write`, `.*`
    V1,
    /// `.cruds`
    V2,
}

/// One SMART resource scope. Serialized as its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceScope {
    /// Whose data.
    pub context: ScopeContext,
    /// Which type; `None` is `*`.
    pub resource_type: Option<ResourceType>,
    /// What may be done.
    pub permissions: Permissions,
    /// Only resources that match all of these.
    pub filters: Vec<ScopeFilter>,
    /// How it was written.
    pub syntax: ScopeSyntax,
}

/// One scope token. Serialized as its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// `openid`
    OpenId,
    /// `fhirUser`
    FhirUser,
    /// `profile`
    Profile,
    /// `launch`
    Launch,
    /// `launch/patient`
    LaunchPatient,
    /// `launch/encounter`
    LaunchEncounter,
    /// `offline_access`
    OfflineAccess,
    /// `online_access`
    OnlineAccess,
    /// `access_evaluation`: may ask this server for decisions about others (AuthZEN). Ours, for
    /// enforcement points that the organisation runs.
    AccessEvaluation,
    /// A resource scope.
    Resource(ResourceScope),
}

impl Permissions {
    /// None of the five.
    pub const NONE: Self =
        Self { create: false, read: false, update: false, delete: false, search: false };

    /// All five.
    pub const ALL: Self =
        Self { create: true, read: true, update: true, delete: true, search: true };

    /// Read and search: `.rs`, and `.read` of SMART v1.
    pub const READ_SEARCH: Self = Self { read: true, search: true, ..Self::NONE };

    /// Create, update and delete: `.cud`, and `.write` of SMART v1.
    pub const WRITE: Self = Self { create: true, update: true, delete: true, ..Self::NONE };

    /// The permissions in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            create: self.create && other.create,
            read: self.read && other.read,
            update: self.update && other.update,
            delete: self.delete && other.delete,
            search: self.search && other.search,
        }
    }

    /// The permissions in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            create: self.create || other.create,
            read: self.read || other.read,
            update: self.update || other.update,
            delete: self.delete || other.delete,
            search: self.search || other.search,
        }
    }

    /// Whether every permission here is also in the other.
    pub fn is_subset_of(self, other: Self) -> bool {
        self.intersection(other) == self
    }

    /// Whether there is no permission.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The permissions one by one.
    pub fn singles(self) -> impl Iterator<Item = Self> {
        [
            Self { create: true, ..Self::NONE },
            Self { read: true, ..Self::NONE },
            Self { update: true, ..Self::NONE },
            Self { delete: true, ..Self::NONE },
            Self { search: true, ..Self::NONE },
        ]
        .into_iter()
        .filter(move |single| single.is_subset_of(self))
    }

    /// What an interaction needs, or `None` for one that no scope can allow by itself.
    ///
    /// Source: SMART App Launch 2.2 "Scopes for requesting FHIR Resources" (the table of
    /// `cruds`). A batch or transaction is judged entry by entry, so it has no need of its own.
    pub fn needed_for(interaction: &Interaction) -> Option<Self> {
        match interaction {
            Interaction::Read | Interaction::Vread | Interaction::HistoryInstance => {
                Some(Self { read: true, ..Self::NONE })
            }
            Interaction::Search
            | Interaction::SearchSystem
            | Interaction::HistoryType
            | Interaction::HistorySystem => Some(Self { search: true, ..Self::NONE }),
            Interaction::Create => Some(Self { create: true, ..Self::NONE }),
            Interaction::Update | Interaction::Patch => Some(Self { update: true, ..Self::NONE }),
            Interaction::Delete => Some(Self { delete: true, ..Self::NONE }),
            Interaction::Operation(name) => match name.as_str() {
                // It returns what a read of each resource and a search of each type would.
                "everything" => Some(Self::READ_SEARCH),
                "validate" => Some(Self { read: true, ..Self::NONE }),
                _ => None,
            },
            Interaction::Batch | Interaction::Transaction | Interaction::Capabilities => None,
        }
    }
}

impl ScopeSyntax {
    /// The spelling that can say these permissions and filters: v1 has neither single letters nor
    /// filters, so what was asked for in v1 and then cut down may have to be told in v2.
    fn able_to_say(self, permissions: Permissions, filters: &[ScopeFilter]) -> Self {
        match self {
            Self::V2 => Self::V2,
            Self::V1 => {
                let sayable = [Permissions::READ_SEARCH, Permissions::WRITE, Permissions::ALL]
                    .contains(&permissions);
                if sayable && filters.is_empty() { Self::V1 } else { Self::V2 }
            }
        }
    }
}

impl ResourceScope {
    /// A scope in the spelling asked for, if that can say it.
    pub fn new(
        context: ScopeContext,
        resource_type: Option<ResourceType>,
        permissions: Permissions,
        filters: Vec<ScopeFilter>,
        syntax: ScopeSyntax,
    ) -> Self {
        let syntax = syntax.able_to_say(permissions, &filters);
        Self { context, resource_type, permissions, filters, syntax }
    }

    /// Whether the scope names this type, or all.
    pub fn reaches_type(&self, resource_type: ResourceType) -> bool {
        self.resource_type.is_none_or(|own| own == resource_type)
    }

    /// Whether everything that `other` allows is allowed by this scope too.
    pub fn covers(&self, other: &Self) -> bool {
        self.covers_kind_of(other) && other.permissions.is_subset_of(self.permissions)
    }

    /// As [`Self::covers`], permissions aside. More filters mean fewer resources.
    fn covers_kind_of(&self, other: &Self) -> bool {
        let type_covered = match (self.resource_type, other.resource_type) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(theirs)) => own == theirs,
        };
        self.context == other.context
            && type_covered
            && self.filters.iter().all(|filter| other.filters.contains(filter))
    }

    /// What both scopes allow, in the spelling of this one; `None` when that is nothing.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.context != other.context {
            return None;
        }
        let resource_type = match (self.resource_type, other.resource_type) {
            (None, theirs) => theirs,
            (own, None) => own,
            (Some(own), Some(theirs)) if own == theirs => Some(own),
            (Some(_), Some(_)) => return None,
        };
        let permissions = self.permissions.intersection(other.permissions);
        if permissions.is_empty() {
            return None;
        }
        let mut filters = self.filters.clone();
        for filter in &other.filters {
            if !filters.contains(filter) {
                filters.push(filter.clone());
            }
        }
        Some(Self::new(self.context, resource_type, permissions, filters, self.syntax))
    }
}

impl Scope {
    /// The resource scope, if this is one.
    pub const fn as_resource(&self) -> Option<&ResourceScope> {
        match self {
            Self::Resource(scope) => Some(scope),
            Self::OpenId
            | Self::FhirUser
            | Self::Profile
            | Self::Launch
            | Self::LaunchPatient
            | Self::LaunchEncounter
            | Self::OfflineAccess
            | Self::OnlineAccess
            | Self::AccessEvaluation => None,
        }
    }
}

#[cfg(test)]
mod tests;
