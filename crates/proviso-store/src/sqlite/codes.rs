//! Small values as they stand in columns, and back.

use std::sync::LazyLock;

use proviso_core::account::RelationshipKind;
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::resource_type::ResourceType;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::batch::CommitError;
use crate::error::Inconsistency;
use crate::record::RecordMethod;

/// A size or sequence number as SQLite's signed integer.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column that counts, read back; a negative one cannot have been written by us.
pub(super) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn type_code(resource_type: ResourceType) -> i64 {
    i64::try_from(resource_type.index()).unwrap_or(i64::MAX)
}

pub(super) fn type_from_code(code: i64) -> Option<ResourceType> {
    static TYPES: LazyLock<Vec<ResourceType>> = LazyLock::new(|| ResourceType::all().collect());
    TYPES.get(usize::try_from(code).ok()?).copied()
}

pub(super) const fn method_code(method: RecordMethod) -> i64 {
    match method {
        RecordMethod::Create => 1,
        RecordMethod::Update => 2,
        RecordMethod::Delete => 3,
    }
}

pub(super) const fn method_from_code(code: i64) -> Option<RecordMethod> {
    match code {
        1 => Some(RecordMethod::Create),
        2 => Some(RecordMethod::Update),
        3 => Some(RecordMethod::Delete),
        _ => None,
    }
}

/// Writes both directions from one list; a value that is added to the enum must be added here.
macro_rules! codes {
    ($type:ident, $to:ident, $from:ident, { $($variant:ident = $code:literal,)+ }) => {
        pub(super) const fn $to(value: $type) -> &'static str {
            match value { $($type::$variant => $code,)+ }
        }

        pub(super) fn $from(code: &str) -> Option<$type> {
            match code { $($code => Some($type::$variant),)+ _ => None }
        }
    };
}

codes!(AuditKind, kind_code, kind_from_code, {
    Access = "access",
    SignIn = "sign-in",
    SignOut = "sign-out",
    Authorization = "authorization",
    Token = "token",
    TokenRevocation = "token-revocation",
    Introspection = "introspection",
    Identity = "identity",
    Consent = "consent",
    ClientRegistration = "client-registration",
    PortalView = "portal-view",
    Evaluation = "evaluation",
    NamesShown = "names-shown",
    Emergency = "emergency",
    Oversight = "oversight",
    Key = "key",
    Import = "import",
    Administration = "administration",
});

codes!(AuditOutcome, outcome_code, outcome_from_code, {
    Success = "success",
    Denied = "denied",
    Failure = "failure",
    Error = "error",
});

codes!(RelationshipKind, relationship_code, relationship_from_code, {
    Care = "care",
    Shift = "shift",
    Proxy = "proxy",
    Covering = "covering",
    Consult = "consult",
    Protocol = "protocol",
});

/// A value as the text of its `body` column.
pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, CommitError> {
    serde_json::to_string(value).map_err(|why| CommitError::Encode(why.to_string()))
}

/// A value from the text of its `body` column.
pub(super) fn from_json<T: DeserializeOwned>(
    table: &'static str,
    row: &str,
    text: &str,
) -> Result<T, Inconsistency> {
    serde_json::from_str(text).map_err(|_| bad(table, "body", row))
}

pub(super) fn bad(table: &'static str, column: &'static str, row: &str) -> Inconsistency {
    Inconsistency { table, column, row: row.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes in columns are those that the values have in JSON.
    fn check<T: Serialize + Copy + std::fmt::Debug + PartialEq>(
        code: impl Fn(T) -> &'static str,
        value: impl Fn(&str) -> Option<T>,
        all: &[&str],
    ) {
        for text in all {
            let value = value(text).unwrap();
            assert_eq!(code(value), *text);
            assert_eq!(serde_json::to_value(value).unwrap(), *text);
        }
        assert_eq!(value("something else"), None);
    }

    #[test]
    fn every_code_is_the_one_of_the_value_itself() {
        check(kind_code, kind_from_code, &["access", "sign-in", "token-revocation", "import"]);
        check(outcome_code, outcome_from_code, &["success", "denied", "failure", "error"]);
        check(
            relationship_code,
            relationship_from_code,
            &["care", "shift", "proxy", "covering", "consult", "protocol"],
        );
    }

    #[test]
    fn every_resource_type_survives_its_column() {
        for resource_type in ResourceType::all() {
            assert_eq!(type_from_code(type_code(resource_type)), Some(resource_type));
        }
        assert_eq!(type_from_code(147), None);
        assert_eq!(type_from_code(-1), None);
    }
}
