//! How scopes are written and read.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{Permissions, ResourceScope, Scope, ScopeContext, ScopeFilter, ScopeSyntax};
use crate::resource_type::ResourceType;

/// LIMIT: more filters than this on one scope are refused; US Core needs one.
const FILTERS_MAX: usize = 8;

/// LIMIT: longest scope token in bytes, so that tokens stay below header limits.
const SCOPE_BYTES_MAX: usize = 512;

/// Why a text is not a scope that this server understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not a scope this server knows; RFC 6749 §3.3 lets it be ignored.
    #[error("not a scope this server knows")]
    Unknown,
    /// A resource scope for a type that FHIR R4 does not have; it reaches nothing.
    #[error("not a FHIR R4 resource type")]
    UnknownResourceType,
    /// The letters after the dot are missing, unknown, repeated or out of order.
    #[error("permissions are not `read`, `write`, `*` or letters of `cruds` in that order")]
    Permissions,
    /// A filter is not `parameter=value` with a plain parameter and one encoded value.
    #[error("filter is not `parameter=value` with one plain value")]
    Filter,
    /// A character that RFC 6749 §3.3 does not allow in a scope.
    #[error("character that is not allowed in a scope")]
    Character,
    /// The scope, or the list of scopes, is too long.
    #[error("too long")]
    TooLong,
}

impl ScopeError {
    /// Whether the scope may be left out of the answer instead of refusing the request: it asks
    /// for something that does not exist here, so leaving it out cannot widen anything.
    pub const fn is_ignorable(self) -> bool {
        match self {
            Self::Unknown | Self::UnknownResourceType => true,
            Self::Permissions | Self::Filter | Self::Character | Self::TooLong => false,
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text {
            "openid" => Ok(Self::OpenId),
            "fhirUser" => Ok(Self::FhirUser),
            "profile" => Ok(Self::Profile),
            "launch" => Ok(Self::Launch),
            "launch/patient" => Ok(Self::LaunchPatient),
            "launch/encounter" => Ok(Self::LaunchEncounter),
            "offline_access" => Ok(Self::OfflineAccess),
            "online_access" => Ok(Self::OnlineAccess),
            "access_evaluation" => Ok(Self::AccessEvaluation),
            other => other.parse().map(Self::Resource),
        }
    }
}

impl FromStr for ResourceScope {
    type Err = ScopeError;

    /// Reads one resource scope.
    ///
    /// ```
    /// use proviso_core::scope::ResourceScope;
    /// let scope: ResourceScope = "patient/Observation.rs?category=laboratory".parse()?;
    /// assert!(scope.permissions.read && !scope.permissions.create);
    /// assert!("patient/Observation.sr".parse::<ResourceScope>().is_err());
    /// # Ok::<(), proviso_core::scope::ScopeError>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text.len() > SCOPE_BYTES_MAX {
            return Err(ScopeError::TooLong);
        }
        // RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
        if text.bytes().any(|b| !matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(ScopeError::Character);
        }
        let (context, rest) = text.split_once('/').ok_or(ScopeError::Unknown)?;
        let context = match context {
            "patient" => ScopeContext::Patient,
            "user" => ScopeContext::User,
            "system" => ScopeContext::System,
            _ => return Err(ScopeError::Unknown),
        };
        let (head, query) = match rest.split_once('?') {
            Some((head, query)) => (head, Some(query)),
            None => (rest, None),
        };
        let (type_name, suffix) = head.rsplit_once('.').ok_or(ScopeError::Permissions)?;
        let (permissions, syntax) = parse_suffix(suffix)?;
        let resource_type = match type_name {
            "*" => None,
            name => {
                Some(name.parse::<ResourceType>().map_err(|_| ScopeError::UnknownResourceType)?)
            }
        };
        let filters = query.map_or_else(|| Ok(Vec::new()), parse_filters)?;
        // Parameters mean different things on different types, and v1 has no filters at all:
        // either way the filter would be at risk of being ignored, which would widen.
        if !filters.is_empty() && (resource_type.is_none() || syntax == ScopeSyntax::V1) {
            return Err(ScopeError::Filter);
        }
        Ok(Self { context, resource_type, permissions, filters, syntax })
    }
}

fn parse_suffix(suffix: &str) -> Result<(Permissions, ScopeSyntax), ScopeError> {
    match suffix {
        "read" => return Ok((Permissions::READ_SEARCH, ScopeSyntax::V1)),
        "write" => return Ok((Permissions::WRITE, ScopeSyntax::V1)),
        "*" => return Ok((Permissions::ALL, ScopeSyntax::V1)),
        _ => {}
    }
    // SMART 2.2: the letters must come in the order of `cruds`, each at most once.
    let mut permissions = Permissions::NONE;
    let mut letters = suffix.chars().peekable();
    for (letter, slot) in [
        ('c', &mut permissions.create),
        ('r', &mut permissions.read),
        ('u', &mut permissions.update),
        ('d', &mut permissions.delete),
        ('s', &mut permissions.search),
    ] {
        *slot = letters.next_if_eq(&letter).is_some();
    }
    if letters.next().is_some() || permissions.is_empty() {
        return Err(ScopeError::Permissions);
    }
    Ok((permissions, ScopeSyntax::V2))
}

fn parse_filters(query: &str) -> Result<Vec<ScopeFilter>, ScopeError> {
    let mut filters = Vec::new();
    for pair in query.split('&') {
        let (param, value) = pair.split_once('=').ok_or(ScopeError::Filter)?;
        let value = percent_decode(value)?;
        // A comma is an OR in FHIR search. SMART writes alternatives as several scopes, and a
        // server that compared the whole text would match nothing, so it is refused openly.
        let plain = !value.is_empty()
            && !value.contains(',')
            && !value.contains('\\')
            && !value.chars().any(char::is_control);
        if !plain || !is_filter_param(param) {
            return Err(ScopeError::Filter);
        }
        let filter = ScopeFilter { param: param.to_owned(), value };
        if !filters.contains(&filter) {
            filters.push(filter);
        }
    }
    if filters.len() > FILTERS_MAX { Err(ScopeError::Filter) } else { Ok(filters) }
}

/// Whether the name is a parameter that selects resources by their own content. Modifiers and
/// chains are refused, and so are parameters that shape a result (`_count`, `_include`, ...): as
/// filters they would have no effect.
fn is_filter_param(param: &str) -> bool {
    if param.starts_with('_') {
        return matches!(
            param,
            "_id" | "_lastUpdated" | "_tag" | "_profile" | "_security" | "_source"
        );
    }
    param.starts_with(|c: char| c.is_ascii_alphabetic())
        && param.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn percent_decode(text: &str) -> Result<String, ScopeError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = rest.next().and_then(hex_digit).ok_or(ScopeError::Filter)?;
        let low = rest.next().and_then(hex_digit).ok_or(ScopeError::Filter)?;
        bytes.push((high << 4) | low);
    }
    String::from_utf8(bytes).map_err(|_| ScopeError::Filter)
}

const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Writes a filter value so that it reads back as the same value and stays one scope token.
/// `|` and the characters of URLs stay as they are, because clients compare scopes as text.
fn write_value(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    for byte in value.bytes() {
        match byte {
            b'%' | b'&' | b'#' | b'"' | b'\\' | 0x00..=0x20 | 0x7f..=0xff => {
                write!(f, "%{byte:02X}")?;
            }
            plain => write!(f, "{}", char::from(plain))?,
        }
    }
    Ok(())
}

impl fmt::Display for ScopeContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        })
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (allowed, letter) in [
            (self.create, "c"),
            (self.read, "r"),
            (self.update, "u"),
            (self.delete, "d"),
            (self.search, "s"),
        ] {
            if allowed {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ResourceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let type_name = self.resource_type.map_or("*", ResourceType::as_str);
        write!(f, "{}/{type_name}.", self.context)?;
        match (self.syntax.able_to_say(self.permissions, &self.filters), self.permissions) {
            (ScopeSyntax::V1, Permissions::READ_SEARCH) => f.write_str("read")?,
            (ScopeSyntax::V1, Permissions::WRITE) => f.write_str("write")?,
            (ScopeSyntax::V1, Permissions::ALL) => f.write_str("*")?,
            (ScopeSyntax::V1 | ScopeSyntax::V2, letters) => write!(f, "{letters}")?,
        }
        for (index, filter) in self.filters.iter().enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            write!(f, "{}=", filter.param)?;
            write_value(f, &filter.value)?;
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenId => f.write_str("openid"),
            Self::FhirUser => f.write_str("fhirUser"),
            Self::Profile => f.write_str("profile"),
            Self::Launch => f.write_str("launch"),
            Self::LaunchPatient => f.write_str("launch/patient"),
            Self::LaunchEncounter => f.write_str("launch/encounter"),
            Self::OfflineAccess => f.write_str("offline_access"),
            Self::OnlineAccess => f.write_str("online_access"),
            Self::AccessEvaluation => f.write_str("access_evaluation"),
            Self::Resource(scope) => write!(f, "{scope}"),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        format!("{scope}")
    }
}

impl TryFrom<String> for ResourceScope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<ResourceScope> for String {
    fn from(scope: ResourceScope) -> Self {
        format!("{scope}")
    }
}
