//! The fields of a resource that the server owns: `id`, `meta.versionId`, `meta.lastUpdated`.

use alloc::borrow::ToOwned;
use alloc::string::ToString;
use alloc::vec::Vec;

use proviso_core::id::ResourceId;
use proviso_core::time::At;

use crate::json::edit::{Edit, EditError};
use crate::json::{Doc, Node, write};

/// What the server says about one version of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The logical id.
    pub id: &'a ResourceId,
    /// The version, counting from 1.
    pub version: u64,
    /// When this version was stored.
    pub last_updated: At,
}

/// Sets the id and the version fields of a resource; every other byte stays, `meta.profile`, `tag`
/// and `security` included.
///
/// # Errors
/// When the resource is no object or its `meta` is none.
pub fn stamp(resource: &Doc, stamp: &Stamp<'_>) -> Result<Vec<u8>, EditError> {
    let root = resource.root();
    let mut edit = Edit::new(resource);
    let id = write::string_text(stamp.id.as_str());
    let version = write::string_text(&stamp.version.to_string());
    let last_updated = write::string_text(&stamp.last_updated.to_rfc3339());
    put(&mut edit, root, "id", id.as_bytes(), 1);
    if let Some(meta) = root.get("meta") {
        put(&mut edit, meta, "versionId", version.as_bytes(), 0);
        put(&mut edit, meta, "lastUpdated", last_updated.as_bytes(), 0);
    } else {
        let meta = write::object(|meta| {
            meta.raw("versionId", version.as_bytes());
            meta.raw("lastUpdated", last_updated.as_bytes());
        });
        // Beside the id, where readers look for it.
        let position = position_after(root, "id").unwrap_or(1);
        edit.insert_member(root, position.min(root.len()), "meta", &meta);
    }
    edit.finish()
}

/// Removes `meta.versionId` and `meta.lastUpdated`, which a client cannot set, and `meta` with
/// them when nothing is left in it. Two bodies that are equal after this mean the same update.
///
/// # Errors
/// When the resource is no object.
pub fn without_server_fields(resource: &Doc) -> Result<Vec<u8>, EditError> {
    let mut edit = Edit::new(resource);
    if let Some(meta) = resource.root().get("meta").filter(|meta| meta.is_object()) {
        let owned = |key: &str| matches!(key, "versionId" | "lastUpdated");
        if meta.entries().all(|(key, _)| owned(key)) {
            edit.remove(meta);
        } else {
            for (_, node) in meta.entries().filter(|(key, _)| owned(key)) {
                edit.remove(node);
            }
        }
    }
    edit.finish()
}

/// The version a resource says it is, as text.
pub fn version_of(resource: Node<'_>) -> Option<alloc::string::String> {
    resource.get("meta")?.get("versionId")?.as_str().map(|text| text.as_ref().to_owned())
}

/// The instant a resource says it was stored.
pub fn last_updated_of(resource: Node<'_>) -> Option<At> {
    At::parse(&resource.get("meta")?.get("lastUpdated")?.as_str()?)
}

/// Replaces a member, or adds it at that position (at most after the last).
fn put(edit: &mut Edit<'_>, object: Node<'_>, key: &str, json: &[u8], position: usize) {
    match object.get(key) {
        Some(member) => edit.replace(member, json),
        None => edit.insert_member(object, position.min(object.len()), key, json),
    }
}

fn position_after(object: Node<'_>, key: &str) -> Option<usize> {
    object.entries().position(|(name, _)| name == key).map(|position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn stamped(text: &str) -> Result<String, EditError> {
        let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
        let id = "p1".parse().unwrap();
        let last_updated = At::from_micros(1_700_000_000_250_000);
        let bytes = stamp(&doc, &Stamp { id: &id, version: 3, last_updated })?;
        Ok(String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn only_the_servers_fields_change() {
        let cases = [
            (
                r#"{"resourceType":"Patient"}"#,
                r#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"3","lastUpdated":"2023-11-14T22:13:20.25Z"}}"#,
            ),
            (
                r#"{ "resourceType": "Patient", "id": "old", "active": true }"#,
                r#"{ "resourceType": "Patient", "id": "p1","meta":{"versionId":"3","lastUpdated":"2023-11-14T22:13:20.25Z"}, "active": true }"#,
            ),
            (
                r#"{"meta":{"profile":["a"],"versionId":"9"},"resourceType":"Patient","x":7.20}"#,
                r#"{"meta":{"lastUpdated":"2023-11-14T22:13:20.25Z","profile":["a"],"versionId":"3"},"id":"p1","resourceType":"Patient","x":7.20}"#,
            ),
            (
                r#"{"meta":{},"resourceType":"Patient"}"#,
                r#"{"meta":{"versionId":"3","lastUpdated":"2023-11-14T22:13:20.25Z"},"id":"p1","resourceType":"Patient"}"#,
            ),
        ];
        for (before, after) in cases {
            assert_eq!(stamped(before).unwrap(), after);
            // Stamping twice is stamping once.
            assert_eq!(stamped(after).unwrap(), after);
        }
    }

    #[test]
    fn what_is_no_resource_is_not_stamped() {
        assert_eq!(stamped("[]"), Err(EditError::NotAnObject));
        assert_eq!(stamped(r#"{"meta":"x"}"#), Err(EditError::NotAnObject));
    }

    #[test]
    fn taking_the_servers_fields_away_leaves_the_clients() {
        let plain = |text: &str| {
            let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
            String::from_utf8(without_server_fields(&doc).unwrap()).unwrap()
        };
        assert_eq!(
            plain(r#"{"id":"a","meta":{"versionId":"1","lastUpdated":"x"}}"#),
            r#"{"id":"a"}"#
        );
        assert_eq!(
            plain(r#"{"meta":{"versionId":"1","tag":[]},"id":"a"}"#),
            r#"{"meta":{"tag":[]},"id":"a"}"#
        );
    }

    #[test]
    fn a_stamp_reads_back() {
        let doc =
            Doc::parse(stamped(r#"{"resourceType":"Patient"}"#).unwrap().into_bytes()).unwrap();
        assert_eq!(version_of(doc.root()).unwrap(), "3");
        assert_eq!(last_updated_of(doc.root()).unwrap().as_micros(), 1_700_000_000_250_000);
    }
}
