//! What a Consent holds that means nothing here, as it came.
//!
//! INVARIANT: only the reader fills this in. Every text that is kept for an attribute reads as the
//! values of that attribute in the directive, so writing it back cannot change the meaning.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Version;

/// Texts of JSON values by the place where they stood.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    /// Members of the Consent: narrative, contained resources, extensions of primitives.
    pub(super) members: Vec<(String, String)>,
    /// Members of `meta` other than profiles.
    pub(super) meta: Vec<(String, String)>,
    /// Plain extensions of the Consent.
    pub(super) extensions: Vec<String>,
    /// The version that contained resources are of, if there are any.
    pub(super) contained: Option<Version>,
    /// Members of provisions, by the place of the provision in the directive.
    pub(super) provisions: BTreeMap<Vec<u16>, BTreeMap<String, String>>,
}

impl Kept {
    /// The text kept for a member of a provision.
    pub(super) fn of(&self, path: &[u16], key: &str) -> Option<&str> {
        self.provisions.get(path)?.get(key).map(String::as_str)
    }

    /// All that is kept of a provision.
    pub(super) fn members_of(&self, path: &[u16]) -> impl Iterator<Item = (&str, &str)> {
        let members = self.provisions.get(path).into_iter().flatten();
        members.map(|(key, json)| (key.as_str(), json.as_str()))
    }

    /// The same where the provisions of the directive have moved under one root.
    pub(super) fn under_root(mut self) -> Self {
        let provisions = core::mem::take(&mut self.provisions);
        self.provisions = provisions
            .into_iter()
            .map(|(path, members)| (core::iter::once(0).chain(path).collect(), members))
            .collect();
        self
    }
}
