//! Lists of scopes: reading, printing, narrowing.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{ResourceScope, Scope, ScopeError};

/// LIMIT: longer lists are refused; g10's longest has about forty.
const SCOPES_MAX: usize = 256;

/// Scopes in the order asked for, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct ScopeSet(Vec<Scope>);

/// What a space-separated list of scopes says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParsedScopes {
    /// The scopes this server knows.
    pub known: ScopeSet,
    /// The others, as written; they ask for nothing that exists here.
    pub unknown: Vec<String>,
}

/// A scope in a list is malformed. Guessing what was meant could widen it, so nothing is granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scope `{scope}`: {error}")]
pub struct MalformedScope {
    /// The scope as written.
    pub scope: String,
    /// What is wrong with it.
    pub error: ScopeError,
}

impl ScopeSet {
    /// Reads a space-separated list (RFC 6749 §3.3).
    ///
    /// # Errors
    /// The first malformed scope. Scopes that this server does not know are no error; they are
    /// returned apart.
    pub fn parse(text: &str) -> Result<ParsedScopes, MalformedScope> {
        let mut parsed = ParsedScopes::default();
        for (index, token) in text.split(' ').filter(|token| !token.is_empty()).enumerate() {
            if index >= SCOPES_MAX {
                return Err(MalformedScope { scope: token.to_owned(), error: ScopeError::TooLong });
            }
            match token.parse::<Scope>() {
                Ok(scope) => parsed.known.insert(scope),
                Err(error) if error.is_ignorable() => parsed.unknown.push(token.to_owned()),
                Err(error) => return Err(MalformedScope { scope: token.to_owned(), error }),
            }
        }
        Ok(parsed)
    }

    /// Adds a scope at the end, unless it is already there.
    pub fn insert(&mut self, scope: Scope) {
        if !self.0.contains(&scope) {
            self.0.push(scope);
        }
    }

    /// This set without one scope.
    #[must_use]
    pub fn without(mut self, scope: &Scope) -> Self {
        self.0.retain(|own| own != scope);
        self
    }

    /// Whether the very scope is in the set.
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Whether the set is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, in the order asked for.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// The resource scopes among them.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceScope> {
        self.0.iter().filter_map(Scope::as_resource)
    }

    /// The scopes as a slice.
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }

    /// The scopes as a list.
    pub fn into_vec(self) -> Vec<Scope> {
        self.0
    }

    /// What both this set and the ceiling allow, in the spelling and order of this set.
    ///
    /// INVARIANT: the result lies within `self` and within `ceiling`.
    #[must_use]
    pub fn narrow(&self, ceiling: &[Scope]) -> Self {
        // The usual case of a live token, several times per request: nothing was taken away.
        if self.0 == ceiling {
            return self.clone();
        }
        let mut narrowed = Self::default();
        for scope in &self.0 {
            match scope {
                Scope::Resource(own) => {
                    for part in narrow_one(own, ceiling) {
                        narrowed.insert(Scope::Resource(part));
                    }
                }
                Scope::OpenId
                | Scope::FhirUser
                | Scope::Profile
                | Scope::Launch
                | Scope::LaunchPatient
                | Scope::LaunchEncounter
                | Scope::OfflineAccess
                | Scope::OnlineAccess
                | Scope::AccessEvaluation => {
                    if ceiling.contains(scope) {
                        narrowed.insert(scope.clone());
                    }
                }
            }
        }
        narrowed
    }

    /// Whether the ceiling allows everything in this set.
    pub fn is_within(&self, ceiling: &[Scope]) -> bool {
        self.0.iter().all(|scope| match scope {
            Scope::Resource(own) => own.permissions.singles().all(|permissions| {
                let part = ResourceScope { permissions, ..own.clone() };
                ceiling.iter().filter_map(Scope::as_resource).any(|theirs| theirs.covers(&part))
            }),
            Scope::OpenId
            | Scope::FhirUser
            | Scope::Profile
            | Scope::Launch
            | Scope::LaunchPatient
            | Scope::LaunchEncounter
            | Scope::OfflineAccess
            | Scope::OnlineAccess
            | Scope::AccessEvaluation => ceiling.contains(scope),
        })
    }
}

/// The parts of one scope that a ceiling allows. Parts that differ only in permissions are
/// joined, and parts inside a wider part are left out.
fn narrow_one(own: &ResourceScope, ceiling: &[Scope]) -> Vec<ResourceScope> {
    // A part that is wholly inside needs no cutting.
    let mut theirs = ceiling.iter().filter_map(Scope::as_resource);
    if theirs.any(|theirs| theirs.covers(own)) {
        return alloc::vec![own.clone()];
    }
    let mut parts: Vec<ResourceScope> = Vec::new();
    for part in
        ceiling.iter().filter_map(Scope::as_resource).filter_map(|theirs| own.intersection(theirs))
    {
        let joined =
            parts.iter_mut().find(|seen| seen.covers_kind_of(&part) && part.covers_kind_of(seen));
        match joined {
            Some(seen) => {
                let permissions = seen.permissions.union(part.permissions);
                let filters = core::mem::take(&mut seen.filters);
                *seen = ResourceScope::new(
                    seen.context,
                    seen.resource_type,
                    permissions,
                    filters,
                    own.syntax,
                );
            }
            None => parts.push(part),
        }
    }
    let whole = parts.clone();
    parts.retain(|part| !whole.iter().any(|wider| wider != part && wider.covers(part)));
    parts
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::default();
        for scope in scopes {
            set.insert(scope);
        }
        set
    }
}

impl From<Vec<Scope>> for ScopeSet {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<ScopeSet> for Vec<Scope> {
    fn from(set: ScopeSet) -> Self {
        set.0
    }
}
