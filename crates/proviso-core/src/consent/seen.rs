//! A consent's history as one reader may know it.
//!
//! The patient sees every version whole. Somebody who acts for the patient must not learn what the
//! patient named in confidence, and so sees neither the sensitive kinds of such versions nor that
//! there was a version which changed nothing else. Not the name of a version either: it is a hash of
//! its content, and whoever knows the rest could try the few possible sets until one fits.

use alloc::vec::Vec;

use super::{Capacity, Change, NamedConsent, Timeline};
use crate::category::SensitiveSet;

/// A version as a reader may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenVersion<'a> {
    /// Its place among those that the reader sees, counted from 1.
    pub place: u32,
    /// The version. What the reader may not know is in it all the same: show only what the other
    /// members allow.
    named: &'a NamedConsent,
    /// The sensitive kinds it names, as far as the reader may know; `None` for not even whether.
    pub sensitive: Option<SensitiveSet>,
    /// Whether the reader may have all of it, its name and that of its predecessor included.
    pub extent: Extent,
    /// What it changed of the one before it, of what the reader may know.
    pub changes: Vec<Change>,
}

/// How much of a version a reader may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Only what [`SeenVersion::partial`] holds.
    Part,
}

impl<'a> SeenVersion<'a> {
    /// The version with its name, for a reader who may have all of it.
    pub fn whole(&self) -> Option<&'a NamedConsent> {
        (self.extent == Extent::Whole).then_some(self.named)
    }

    /// The version without what the reader may not know: sensitive kinds, and every member that
    /// depends on them.
    pub fn partial(&self) -> super::ConsentVersion {
        let mut version = self.named.version().clone();
        version.sensitive = self.sensitive.unwrap_or_default();
        if self.extent == Extent::Part {
            version.number = self.place;
            version.predecessor = None;
            version.change_reason = None;
        }
        version
    }
}

impl Timeline {
    /// The versions that a reader may know of, oldest first.
    pub fn seen_by(&self, reader: Capacity) -> Vec<SeenVersion<'_>> {
        let mut seen: Vec<SeenVersion<'_>> = Vec::new();
        let mut hidden = false;
        for named in self.versions() {
            let version = named.version();
            let sensitive = version.sensitive_known_to(reader);
            // Once something was hidden, every later name depends on it.
            hidden |= sensitive != Some(version.sensitive);
            let extent = if hidden { Extent::Part } else { Extent::Whole };
            let mut changes = match seen.last() {
                Some(before) => version.changes_from(before.named.version()),
                None => Vec::new(),
            };
            if extent == Extent::Part {
                changes.retain(is_open);
                // To this reader nothing happened.
                if changes.is_empty() && !seen.is_empty() {
                    continue;
                }
            }
            let place = u32::try_from(seen.len()).unwrap_or(u32::MAX).saturating_add(1);
            seen.push(SeenVersion { place, named, sensitive, extent, changes });
        }
        seen
    }
}

/// Whether a change can be told to a reader who may not know the sensitive kinds. The words shown
/// and the scopes are left out with them: nobody has shown that they do not depend on these.
fn is_open(change: &Change) -> bool {
    match change {
        Change::Status
        | Change::CategoriesAdded(_)
        | Change::CategoriesRemoved(_)
        | Change::PurposesAdded(_)
        | Change::PurposesRemoved(_)
        | Change::Period
        | Change::DataPeriod
        | Change::Offline
        | Change::Giver
        | Change::Recipient => true,
        Change::SensitiveAdded(_)
        | Change::SensitiveRemoved(_)
        | Change::Scopes
        | Change::Wording => false,
    }
}
