//! What differs between two versions of a consent.
//!
//! Knows the terms of a version one by one. Does not know how a difference is told to anybody.

use alloc::vec::Vec;

use super::{ConsentVersion, Recipient};
use crate::category::{CategorySet, PurposeSet, SensitiveSet};

/// One difference of a version from the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Kinds of record were added to what is shared.
    CategoriesAdded(CategorySet),
    /// Kinds of record are no longer shared.
    CategoriesRemoved(CategorySet),
    /// Sensitive kinds were named.
    SensitiveAdded(SensitiveSet),
    /// Sensitive kinds are no longer named.
    SensitiveRemoved(SensitiveSet),
    /// Purposes were added.
    PurposesAdded(PurposeSet),
    /// Purposes no longer count.
    PurposesRemoved(PurposeSet),
    /// The status: ended, marked as a mistake ...
    Status,
    /// When access is allowed.
    Period,
    /// Which clinical time the data may come from.
    DataPeriod,
    /// Whether the app may go on while the person is away.
    Offline,
    /// What tokens may carry at most.
    Scopes,
    /// Who gave it, or in what capacity.
    Giver,
    /// To whom.
    Recipient,
    /// The text, its language, the legal basis or the terms.
    Wording,
}

impl ConsentVersion {
    /// What differs from an earlier version, in a fixed order. Nothing for the same terms.
    pub fn changes_from(&self, earlier: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut note = |differs: bool, change: Change| {
            if differs {
                changes.push(change);
            }
        };
        note(self.status != earlier.status, Change::Status);
        let added = self.categories.minus(earlier.categories);
        note(!added.is_empty(), Change::CategoriesAdded(added));
        let removed = earlier.categories.minus(self.categories);
        note(!removed.is_empty(), Change::CategoriesRemoved(removed));
        let added = self.sensitive.minus(earlier.sensitive);
        note(!added.is_empty(), Change::SensitiveAdded(added));
        let removed = earlier.sensitive.minus(self.sensitive);
        note(!removed.is_empty(), Change::SensitiveRemoved(removed));
        let added = self.purposes.minus(earlier.purposes);
        note(!added.is_empty(), Change::PurposesAdded(added));
        let removed = earlier.purposes.minus(self.purposes);
        note(!removed.is_empty(), Change::PurposesRemoved(removed));
        let period = self.period != earlier.period || self.duration != earlier.duration;
        note(period, Change::Period);
        note(self.data_period != earlier.data_period, Change::DataPeriod);
        note(self.offline != earlier.offline, Change::Offline);
        note(self.granted_scopes != earlier.granted_scopes, Change::Scopes);
        let giver = self.given_by != earlier.given_by || self.capacity != earlier.capacity;
        note(giver, Change::Giver);
        let (now, then): (&Recipient, &Recipient) = (&self.recipient, &earlier.recipient);
        note(now != then, Change::Recipient);
        let wording = self.shown_text != earlier.shown_text
            || self.shown_text_hash != earlier.shown_text_hash
            || self.language != earlier.language
            || self.legal_basis != earlier.legal_basis
            || self.policy_uri != earlier.policy_uri;
        note(wording, Change::Wording);
        changes
    }
}
