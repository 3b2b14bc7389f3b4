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

const KINDS: [(AuditKind, &str); 13] = [
    (AuditKind::Access, "access"),
    (AuditKind::SignIn, "sign-in"),
    (AuditKind::SignOut, "sign-out"),
    (AuditKind::Authorization, "authorization"),
    (AuditKind::Token, "token"),
    (AuditKind::TokenRevocation, "token-revocation"),
    (AuditKind::Introspection, "introspection"),
    (AuditKind::Consent, "consent"),
    (AuditKind::ClientRegistration, "client-registration"),
    (AuditKind::PortalView, "portal-view"),
    (AuditKind::Key, "key"),
    (AuditKind::Import, "import"),
    (AuditKind::Administration, "administration"),
];

const OUTCOMES: [(AuditOutcome, &str); 4] = [
    (AuditOutcome::Success, "success"),
    (AuditOutcome::Denied, "denied"),
    (AuditOutcome::Failure, "failure"),
    (AuditOutcome::Error, "error"),
];

const RELATIONSHIPS: [(RelationshipKind, &str); 3] = [
    (RelationshipKind::Care, "care"),
    (RelationshipKind::Shift, "shift"),
    (RelationshipKind::Proxy, "proxy"),
];

fn code_of<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table.iter().find(|(entry, _)| *entry == value).map_or("", |(_, code)| *code)
}

fn value_of<T: Copy>(table: &[(T, &'static str)], code: &str) -> Option<T> {
    table.iter().find(|(_, entry)| *entry == code).map(|(value, _)| *value)
}

pub(super) fn kind_code(kind: AuditKind) -> &'static str {
    code_of(&KINDS, kind)
}

pub(super) fn kind_from_code(code: &str) -> Option<AuditKind> {
    value_of(&KINDS, code)
}

pub(super) fn outcome_code(outcome: AuditOutcome) -> &'static str {
    code_of(&OUTCOMES, outcome)
}

pub(super) fn outcome_from_code(code: &str) -> Option<AuditOutcome> {
    value_of(&OUTCOMES, code)
}

pub(super) fn relationship_code(kind: RelationshipKind) -> &'static str {
    code_of(&RELATIONSHIPS, kind)
}

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

    #[test]
    fn every_code_is_the_one_of_the_audit_entry_itself() {
        for (kind, code) in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), code);
        }
        for (outcome, code) in OUTCOMES {
            assert_eq!(serde_json::to_value(outcome).unwrap(), code);
        }
        for (kind, code) in RELATIONSHIPS {
            assert_eq!(serde_json::to_value(kind).unwrap(), code);
        }
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
