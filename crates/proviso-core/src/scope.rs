//! OAuth and SMART scopes: what an app may ask for.
//!
//! Source: SMART App Launch 2.2.0 "Scopes and Launch Context"; v1 scopes are kept in their own
//! spelling so that the answer uses the syntax that was asked for.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// One SMART resource scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

/// One scope token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// A resource scope.
    Resource(ResourceScope),
}
