//! What one reader is told of an entry.
//!
//! A patient is told everything about themselves. Somebody who acts for the patient is told what
//! would be the same if nothing hidden from them existed: they must not learn from the list what
//! they may not see in the records. What cannot be told apart from something hidden is left out.

use super::{AuditEntry, AuditKind, ProxyShare};
use crate::audit::AuditOutcome;
use crate::category::{Category, CategorySet, SensitiveSet};
use crate::category_rules::{categories_of_type, is_directory};
use crate::id::PatientId;
use crate::interaction::Interaction;
use crate::resource_type::ResourceType;

/// An entry as one reader may know it. Counts and kinds are to be read from here; what the reader
/// may not know has been taken out of the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    entry: AuditEntry,
    amount: Amount,
}

/// How much was released or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Nothing.
    Nothing,
    /// Something; how much is not for this reader.
    Some,
    /// So many.
    Exactly(u32),
}

impl Told {
    /// The entry as the patient may know it.
    ///
    /// An entry that is about several patients says together what it touched of each; none of them
    /// is told what may be another's.
    pub fn to_patient(mut entry: AuditEntry) -> Self {
        let mut amount = match entry.released {
            0 => Amount::Nothing,
            released => Amount::Exactly(released),
        };
        if entry.patients.len() > 1 {
            entry.categories = CategorySet::EMPTY;
            entry.sensitive = SensitiveSet::EMPTY;
            if amount != Amount::Nothing {
                amount = Amount::Some;
            }
        }
        Self { entry: without_others(entry), amount }
    }

    /// The entry as somebody who acts for the patient may know it; `None` when they may not know
    /// of it.
    ///
    /// Never a count: an app reads in pages, and what is hidden moves their ends, so that even the
    /// number of records that may be seen would tell of those that may not. Never a sensitive kind
    /// either: what was named in confidence is not told by what was read because of it.
    pub fn to_proxy(mut entry: AuditEntry, patient: &PatientId) -> Option<Self> {
        let mut amount = Amount::Nothing;
        match entry.kind {
            AuditKind::Access => {
                let share = entry.for_proxies.take()?;
                if !may_be_told(&entry, &share, patient) {
                    return None;
                }
                if share.released > 0 {
                    amount = Amount::Some;
                }
                let alone = share.patients.len() == 1;
                entry.categories = if alone { share.categories } else { CategorySet::EMPTY };
                if entry.outcome == AuditOutcome::Success {
                    // Whether names of clinicians came along depends on what they came with.
                    let of_patients = |it: &crate::reason::ReasonCode| {
                        *it != crate::reason::ReasonCode::PublicDirectory
                    };
                    entry.reasons.retain(of_patients);
                }
            }
            // Which records were loaded or removed is not in these entries, so all of them might
            // have been hidden ones. What was asked about is one record, hidden ones among them;
            // and that an access is looked at afterwards tells of the access.
            AuditKind::Import
            | AuditKind::Administration
            | AuditKind::Evaluation
            | AuditKind::Oversight => return None,
            // What was looked at is in the entry of the access itself, as far as it may be known.
            AuditKind::Emergency if entry.is_second_entry() => return None,
            AuditKind::SignIn
            | AuditKind::SignOut
            | AuditKind::Emergency
            | AuditKind::Authorization
            | AuditKind::Token
            | AuditKind::TokenRevocation
            | AuditKind::Introspection
            | AuditKind::Identity
            | AuditKind::Consent
            | AuditKind::ClientRegistration
            | AuditKind::PortalView
            | AuditKind::NamesShown
            | AuditKind::Key => {}
        }
        entry.sensitive = SensitiveSet::EMPTY;
        Some(Self { entry: without_others(entry), amount })
    }

    /// The entry, without counts and without what the reader may not know.
    pub const fn entry(&self) -> &AuditEntry {
        &self.entry
    }

    /// How much was released or changed.
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// The kinds of record it was about: those that it touched, else those that were asked for.
    pub fn kinds(&self) -> CategorySet {
        let entry = &self.entry;
        if !entry.categories.is_empty() {
            entry.categories
        } else if !entry.asked.is_empty() {
            entry.asked
        } else {
            entry.resource_type.map_or(CategorySet::EMPTY, categories_of_type)
        }
    }

    /// Whether it was about this kind of record.
    pub fn is_about(&self, category: Category) -> bool {
        self.kinds().contains(category)
    }
}

/// Takes out what no reader of a patient's list needs, so that nothing downstream can show it.
fn without_others(mut entry: AuditEntry) -> AuditEntry {
    entry.released = 0;
    entry.withheld = 0;
    entry.resources.clear();
    entry.for_proxies = None;
    entry.noticed.clear();
    entry.digest = None;
    entry.record = None;
    entry
}

/// Whether an access would be in the log, about this patient, if nothing hidden existed.
fn may_be_told(entry: &AuditEntry, share: &ProxyShare, patient: &PatientId) -> bool {
    if !share.patients.contains(patient) {
        return false;
    }
    // Refused before any record was looked for, or about no patient's record at all.
    let looked = entry.policy_version.is_some();
    let of_no_patient = |own| is_directory(own) || own == ResourceType::SUBSCRIPTION;
    if !looked || entry.resource_type.is_some_and(of_no_patient) {
        return true;
    }
    let something = share.released > 0 || !share.categories.is_empty();
    match &entry.interaction {
        // A question that has an answer whatever exists: without hidden records it is "nothing".
        None
        | Some(
            Interaction::Search
            | Interaction::SearchSystem
            | Interaction::HistoryType
            | Interaction::HistorySystem
            | Interaction::Operation(_)
            | Interaction::Batch
            | Interaction::Transaction
            | Interaction::Capabilities,
        ) => true,
        // One record by its id: whether it was a hidden one or none at all, it leaves no trace.
        Some(
            Interaction::Read
            | Interaction::Vread
            | Interaction::HistoryInstance
            | Interaction::Create
            | Interaction::Update
            | Interaction::Patch
            | Interaction::Delete,
        ) => something,
    }
}

#[cfg(test)]
mod tests;
