//! The latest version of every consent, as far as decisions read it, in few bytes.
//!
//! What many consents have in common (kinds of record, purposes, scopes ...) is kept once; so is
//! each recipient. The rest of a consent is a record of forty bytes that never moves. Two tables
//! lead to records by the id of the consent, and to the consents of a patient. An id, a period or
//! a person of an unusual form is kept beside the record, so nothing is lost.
//!
//! Knows nothing of where versions are stored: names of versions are kept by [`Names`].

mod arena;
mod dump;
mod hash;
mod intern;
mod names;
mod packed;
mod record;
mod table;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use dump::{Dump, DumpError, Loader};
pub use names::{ENTRY, MemoryNames, Names, NotKept, VersionName};

use self::arena::Arena;
use self::hash::Seeds;
use self::intern::Interner;
use self::packed::{Form, Packed};
use self::record::{Beside, NONE, Parts, PatientBeside, PatientRecord, Record, Terms, TermsRef};
use super::{ConsentFacts, ConsentStatus, Recipient};
use crate::id::{AccountId, ConsentId, ConsentVersionId, PatientId};
use crate::time::{At, Period};

const CONSENT_PREFIX: &str = "cns_";
const ACCOUNT_PREFIX: &str = "acc_";

/// The latest versions of consents.
#[derive(Debug)]
pub struct ConsentIndex<N> {
    consents: Consents,
    patients: Patients,
    terms: Interner<Terms>,
    recipients: Interner<Recipient>,
    names: N,
    seeds: Seeds,
}

#[derive(Debug, Default)]
struct Consents {
    records: Arena<Record>,
    beside: BTreeMap<u32, Beside>,
    by_id: table::Table,
}

#[derive(Debug, Default)]
struct Patients {
    records: Arena<PatientRecord>,
    beside: BTreeMap<u32, PatientBeside>,
    by_id: table::Table,
}

/// What the index has of a consent.
#[derive(Debug, Clone)]
pub struct IndexedConsent {
    consent: ConsentId,
    version: ConsentVersionId,
    number: u32,
    status: ConsentStatus,
    ended_early: bool,
    patient: PatientId,
    given_by: AccountId,
    period: Period,
    terms: Arc<Terms>,
    recipient: Arc<Recipient>,
}

/// What came of handing a version to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is the latest now.
    Taken,
    /// One as late or later is there already.
    Older,
}

/// Why a version could not be taken. The consent answers nothing from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// There are too many consents, patients or terms to number.
    #[error("too many consents to number")]
    Full,
    /// The name of the version could not be kept.
    #[error(transparent)]
    NotKept(#[from] NotKept),
    /// Which version is there cannot be read, so neither is known which is the later.
    #[error("the name of the version before cannot be read")]
    Unreadable,
}

/// How much an index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// How many consents.
    pub consents: usize,
    /// How many patients have them.
    pub patients: usize,
    /// How many different terms they have.
    pub terms: usize,
    /// How many different recipients.
    pub recipients: usize,
    /// How many records have something of an unusual form beside them.
    pub unusual: usize,
}

impl IndexedConsent {
    /// What is read of it when something is decided.
    pub fn facts(&self) -> ConsentFacts<'_> {
        let Terms {
            capacity,
            categories,
            sensitive,
            purposes,
            data_period,
            duration,
            offline,
            granted_scopes,
        } = &*self.terms;
        ConsentFacts {
            consent: &self.consent,
            version: &self.version,
            number: self.number,
            status: self.status,
            ended_early: self.ended_early,
            patient: &self.patient,
            given_by: &self.given_by,
            capacity: *capacity,
            recipient: &self.recipient,
            categories: *categories,
            sensitive: *sensitive,
            purposes: *purposes,
            period: self.period,
            data_period: *data_period,
            duration: *duration,
            offline: *offline,
            granted_scopes,
        }
    }

    /// The name of the version.
    pub const fn version(&self) -> &ConsentVersionId {
        &self.version
    }
}

fn tail<'a>(text: &'a str, prefix: &str) -> &'a str {
    text.strip_prefix(prefix).unwrap_or(text)
}

fn packed_account(account: &AccountId) -> Packed {
    Packed::of(tail(account.as_str(), ACCOUNT_PREFIX))
}

impl Consents {
    fn hash_of(
        records: &Arena<Record>,
        beside: &BTreeMap<u32, Beside>,
        seeds: Seeds,
        slot: u32,
    ) -> u64 {
        let Some(record) = records.get(slot) else { return 0 };
        let packed = record.id();
        let text = match packed.form {
            Form::Other => beside.get(&slot).and_then(|own| own.id.as_ref()),
            Form::Hex | Form::Uuid | Form::Text => None,
        };
        seeds.of_id(&packed, text.map_or("", ConsentId::as_str))
    }

    /// The place of a consent. `id` counts only where it has no packed form.
    fn find_packed(&self, id: Option<&ConsentId>, packed: &Packed, hash: u64) -> Option<u32> {
        self.by_id.find(hash, |slot| {
            let same = self.records.get(slot).is_some_and(|record| record.id() == *packed);
            same && match packed.form {
                Form::Hex | Form::Uuid | Form::Text => true,
                Form::Other => self.beside.get(&slot).and_then(|own| own.id.as_ref()) == id,
            }
        })
    }

    fn keep_beside(&mut self, slot: u32, beside: Beside) {
        if beside.is_empty() {
            self.beside.remove(&slot);
        } else {
            self.beside.insert(slot, beside);
        }
    }

    fn period(&self, slot: u32, record: &Record) -> Option<Period> {
        record.period().or_else(|| self.beside.get(&slot)?.period)
    }

    fn numbers(&self, slot: u32, record: &Record) -> Option<(u32, u32)> {
        record.numbers().or_else(|| self.beside.get(&slot)?.numbers)
    }

    fn id(&self, slot: u32, record: &Record) -> Option<ConsentId> {
        match record.id().text(CONSENT_PREFIX) {
            Some(text) => ConsentId::try_from(text).ok(),
            None => self.beside.get(&slot)?.id.clone(),
        }
    }
}

impl Patients {
    fn hash_of(
        records: &Arena<PatientRecord>,
        beside: &BTreeMap<u32, PatientBeside>,
        seeds: Seeds,
        slot: u32,
    ) -> u64 {
        let Some(record) = records.get(slot) else { return 0 };
        let packed = record.id();
        let text = match packed.form {
            Form::Other => beside.get(&slot).and_then(|own| own.id.as_ref()),
            Form::Hex | Form::Uuid | Form::Text => None,
        };
        seeds.of_id(&packed, text.map_or("", PatientId::as_str))
    }

    /// The place of a patient. `id` counts only where it has no packed form.
    fn find_packed(&self, id: Option<&PatientId>, packed: &Packed, hash: u64) -> Option<u32> {
        self.by_id.find(hash, |slot| {
            let same = self.records.get(slot).is_some_and(|record| record.id() == *packed);
            same && match packed.form {
                Form::Hex | Form::Uuid | Form::Text => true,
                Form::Other => self.beside.get(&slot).and_then(|own| own.id.as_ref()) == id,
            }
        })
    }

    fn id(&self, slot: u32, record: &PatientRecord) -> Option<PatientId> {
        match record.id().text("") {
            Some(text) => PatientId::try_from(text).ok(),
            None => self.beside.get(&slot)?.id.clone(),
        }
    }

    fn giver(&self, slot: u32, record: &PatientRecord) -> Option<AccountId> {
        match record.giver().text(ACCOUNT_PREFIX) {
            Some(text) => AccountId::try_from(text).ok(),
            None => self.beside.get(&slot)?.giver.clone(),
        }
    }

    /// Whether an account is the one that the patient's record names.
    fn is_giver(&self, slot: u32, packed: &Packed, account: &AccountId) -> bool {
        let Some(record) = self.records.get(slot) else { return false };
        record.giver() == *packed
            && match packed.form {
                Form::Hex | Form::Uuid | Form::Text => true,
                Form::Other => {
                    self.beside.get(&slot).and_then(|own| own.giver.as_ref()) == Some(account)
                }
            }
    }

    /// The place of a patient, made when there is none.
    fn place_of(&mut self, id: &PatientId, giver: &AccountId, seeds: Seeds) -> Option<u32> {
        let packed = Packed::of(id.as_str());
        let hash = seeds.of_id(&packed, id.as_str());
        if let Some(slot) = self.find_packed(Some(id), &packed, hash) {
            return Some(slot);
        }
        let of_giver = packed_account(giver);
        let record = PatientRecord::new(packed, of_giver);
        let id = (packed.form == Form::Other).then(|| id.clone());
        let giver = (of_giver.form == Form::Other).then(|| giver.clone());
        self.add(record, id, giver, hash, seeds)
    }

    /// Adds a patient who is not there; the ids are those that have no packed form.
    fn add(
        &mut self,
        record: PatientRecord,
        id: Option<PatientId>,
        giver: Option<AccountId>,
        hash: u64,
        seeds: Seeds,
    ) -> Option<u32> {
        let slot = self.records.insert(record)?;
        let beside = PatientBeside { id, giver };
        if beside != PatientBeside::default() {
            self.beside.insert(slot, beside);
        }
        let Self { records, beside, by_id } = self;
        by_id.insert(hash, slot, |slot| Self::hash_of(records, beside, seeds, slot));
        Some(slot)
    }

    /// Forgets a patient who has no consents left.
    fn forget(&mut self, slot: u32, seeds: Seeds) {
        let Self { records, beside, by_id } = self;
        let hash = Self::hash_of(records, beside, seeds, slot);
        by_id.remove(hash, slot, |slot| Self::hash_of(records, beside, seeds, slot));
        beside.remove(&slot);
        if let Some(record) = records.get_mut(slot) {
            record.set_vacant();
            records.give_up(slot);
        }
    }
}

impl<N: Names> ConsentIndex<N> {
    /// An empty index. The words are random and of this index only.
    pub fn new(seeds: [u64; 2], names: N) -> Self {
        Self::for_consents(seeds, names, 0, 0)
    }

    /// An empty index in which so many consents and patients have room without its tables growing.
    pub fn for_consents(seeds: [u64; 2], names: N, consents: usize, patients: usize) -> Self {
        Self {
            consents: Consents {
                by_id: table::Table::for_entries(consents),
                ..Consents::default()
            },
            patients: Patients {
                by_id: table::Table::for_entries(patients),
                ..Patients::default()
            },
            terms: Interner::default(),
            recipients: Interner::default(),
            names,
            seeds: Seeds(seeds),
        }
    }

    /// How much it holds.
    pub fn holding(&self) -> Holding {
        Holding {
            consents: self.consents.records.taken(),
            patients: self.patients.records.taken(),
            terms: self.terms.len(),
            recipients: self.recipients.len(),
            unusual: self.consents.beside.len() + self.patients.beside.len(),
        }
    }

    fn find(&self, id: &ConsentId) -> (Packed, u64, Option<u32>) {
        let packed = Packed::of(tail(id.as_str(), CONSENT_PREFIX));
        let hash = self.seeds.of_id(&packed, id.as_str());
        (packed, hash, self.consents.find_packed(Some(id), &packed, hash))
    }

    /// Takes a version, unless a later one is there.
    ///
    /// # Errors
    /// When it cannot be kept. INVARIANT: the consent then answers nothing, rather than what it was
    /// before.
    pub fn put(&mut self, facts: &ConsentFacts<'_>) -> Result<Put, IndexError> {
        let (packed, hash, known) = self.find(facts.consent);
        if let Some(slot) = known {
            match self.name_at(slot) {
                None => {
                    self.silence(slot);
                    return Err(IndexError::Unreadable);
                }
                Some(name) if name.number >= facts.number => return Ok(Put::Older),
                Some(_) => {}
            }
        }
        let put = self.write(facts, packed, hash, known);
        if let (Err(_), Some(slot)) = (put, known) {
            self.silence(slot);
        }
        put.map(|()| Put::Taken)
    }

    fn write(
        &mut self,
        facts: &ConsentFacts<'_>,
        id: Packed,
        hash: u64,
        known: Option<u32>,
    ) -> Result<(), IndexError> {
        let patients = &mut self.patients;
        let patient =
            patients.place_of(facts.patient, facts.given_by, self.seeds).ok_or(IndexError::Full)?;
        let of_giver = packed_account(facts.given_by);
        let usual = patients.is_giver(patient, &of_giver, facts.given_by);
        let numbers = self.numbers_of(facts);
        let record = numbers.map(|(terms, recipient)| {
            let parts = Parts {
                id,
                status: facts.status,
                ended_early: facts.ended_early,
                period: facts.period,
                number: facts.number,
                terms,
                recipient,
                patient,
                giver: (!usual).then(|| facts.given_by.clone()),
            };
            Record::new(parts, || Some(facts.consent.clone()))
        });
        let name = VersionName { digest: facts.version.digest(), number: facts.number };
        let placed = record
            .ok_or(IndexError::Full)
            .and_then(|(record, beside)| self.place(record, beside, hash, known))
            .and_then(|slot| {
                Ok(self.names.put(slot, &name).inspect_err(|_| self.silence(slot))?)
            });
        self.forget_if_without(patient);
        placed
    }

    /// The numbers of what a version has in common with others, each with one more use.
    fn numbers_of(&mut self, facts: &ConsentFacts<'_>) -> Option<(u32, u32)> {
        let wanted = TermsRef::of(facts);
        let hash = self.seeds.of_value(&wanted);
        let terms = self.terms.intern(hash, |own| own.by_ref() == wanted, || wanted.to_terms())?;
        let hash = self.seeds.of_value(facts.recipient);
        let same = |own: &Recipient| own == facts.recipient;
        let recipient = self.recipients.intern(hash, same, || facts.recipient.clone());
        if recipient.is_none() {
            self.terms.release(terms);
        }
        Some((terms, recipient?))
    }

    /// Puts a record in place of the one that is known, or into a place of its own.
    fn place(
        &mut self,
        mut record: Record,
        beside: Beside,
        hash: u64,
        known: Option<u32>,
    ) -> Result<u32, IndexError> {
        let seeds = self.seeds;
        let slot = if let Some(slot) = known {
            self.release_shared(slot);
            let before = self.consents.records.get(slot).copied();
            let stays = before.is_some_and(|own| own.patient() == record.patient());
            if stays {
                record.set_next(before.map_or(NONE, |own| own.next()));
            } else {
                self.unlink(slot);
            }
            if let Some(own) = self.consents.records.get_mut(slot) {
                *own = record;
            }
            self.consents.keep_beside(slot, beside);
            if stays {
                return Ok(slot);
            }
            slot
        } else {
            let Some(slot) = self.consents.records.insert(record) else {
                if let Some((terms, recipient)) = record.numbers().or(beside.numbers) {
                    self.terms.release(terms);
                    self.recipients.release(recipient);
                }
                return Err(IndexError::Full);
            };
            let Consents { records, beside: all_beside, by_id } = &mut self.consents;
            if !beside.is_empty() {
                all_beside.insert(slot, beside);
            }
            by_id.insert(hash, slot, |slot| Consents::hash_of(records, all_beside, seeds, slot));
            slot
        };
        self.link(slot, record.patient());
        Ok(slot)
    }

    /// Puts a consent at the head of its patient's chain.
    fn link(&mut self, slot: u32, patient: u32) {
        let Some(of_patient) = self.patients.records.get_mut(patient) else { return };
        let first = of_patient.first();
        of_patient.set_first(slot);
        if let Some(record) = self.consents.records.get_mut(slot) {
            record.set_next(first);
        }
    }

    /// Takes a consent out of its patient's chain, and forgets a patient without any.
    fn unlink(&mut self, slot: u32) {
        let records = &mut self.consents.records;
        let Some(record) = records.get(slot).copied() else { return };
        let patient = record.patient();
        let Some(of_patient) = self.patients.records.get_mut(patient) else { return };
        if of_patient.first() == slot {
            of_patient.set_first(record.next());
        } else {
            let mut at = of_patient.first();
            while let Some(before) = records.get_mut(at) {
                if before.next() == slot {
                    before.set_next(record.next());
                    break;
                }
                at = before.next();
            }
        }
        self.forget_if_without(patient);
    }

    fn forget_if_without(&mut self, patient: u32) {
        let of_patient = self.patients.records.get(patient);
        if of_patient.is_some_and(|own| own.first() == NONE && !own.is_vacant()) {
            self.patients.forget(patient, self.seeds);
        }
    }

    fn release_shared(&mut self, slot: u32) {
        let Some(record) = self.consents.records.get(slot) else { return };
        if let Some((terms, recipient)) = self.consents.numbers(slot, record) {
            self.terms.release(terms);
            self.recipients.release(recipient);
        }
    }

    /// From now on the consent answers nothing.
    fn silence(&mut self, slot: u32) {
        if let Some(record) = self.consents.records.get_mut(slot) {
            record.set_unnamed();
        }
    }

    /// Removes a consent; says whether it was there.
    pub fn remove(&mut self, id: &ConsentId) -> bool {
        let (_, hash, Some(slot)) = self.find(id) else { return false };
        self.release_shared(slot);
        self.unlink(slot);
        let seeds = self.seeds;
        let Consents { records, beside, by_id } = &mut self.consents;
        by_id.remove(hash, slot, |slot| Consents::hash_of(records, beside, seeds, slot));
        beside.remove(&slot);
        if let Some(record) = records.get_mut(slot) {
            record.set_vacant();
            records.give_up(slot);
        }
        true
    }

    /// The name in a place, when it fits what else is known of the version.
    fn name_at(&self, slot: u32) -> Option<VersionName> {
        let record = self.consents.records.get(slot)?;
        if record.is_unnamed() {
            return None;
        }
        let fits = |name: &VersionName| record::last_byte(name.number) == record.last_of_number();
        self.names.get(slot).filter(fits)
    }

    fn at(&self, slot: u32) -> Option<IndexedConsent> {
        let record = self.consents.records.get(slot)?;
        let name = self.name_at(slot)?;
        let patient = record.patient();
        let of_patient = self.patients.records.get(patient)?;
        let (terms, recipient) = self.consents.numbers(slot, record)?;
        let given_by = if record.giver_is_beside() {
            self.consents.beside.get(&slot)?.giver.clone()?
        } else {
            self.patients.giver(patient, of_patient)?
        };
        Some(IndexedConsent {
            consent: self.consents.id(slot, record)?,
            version: ConsentVersionId::from_digest(&name.digest),
            number: name.number,
            status: record.status()?,
            ended_early: record.ended_early(),
            patient: self.patients.id(patient, of_patient)?,
            given_by,
            period: self.consents.period(slot, record)?,
            terms: Arc::clone(self.terms.get(terms)?),
            recipient: Arc::clone(self.recipients.get(recipient)?),
        })
    }

    /// The latest version of a consent; `None` when there is none, or it could not be kept.
    pub fn get(&self, id: &ConsentId) -> Option<IndexedConsent> {
        let (_, _, slot) = self.find(id);
        self.at(slot?)
    }

    /// The latest version of each consent of a patient, by id.
    pub fn of_patient(&self, patient: &PatientId) -> Vec<IndexedConsent> {
        let packed = Packed::of(patient.as_str());
        let hash = self.seeds.of_id(&packed, patient.as_str());
        let slot = self.patients.find_packed(Some(patient), &packed, hash);
        let mut all: Vec<IndexedConsent> = slot
            .map_or_else(Vec::new, |slot| self.chain(slot).filter_map(|s| self.at(s)).collect());
        all.sort_by(|a, b| a.consent.cmp(&b.consent));
        all
    }

    /// The places of a patient's consents.
    fn chain(&self, patient: u32) -> impl Iterator<Item = u32> {
        let first = self.patients.records.get(patient).map(PatientRecord::first);
        let taken = |slot: &u32| *slot != NONE;
        core::iter::successors(first.filter(taken), move |slot| {
            self.consents.records.get(*slot).map(Record::next).filter(taken)
        })
    }

    /// Active consents whose period is over at an instant, among so many places from one on, with
    /// the place to go on from; `None` after the last.
    pub fn overdue(&self, at: At, from: u32, places: u32) -> (Vec<ConsentId>, Option<u32>) {
        let end = from.saturating_add(places).min(self.consents.records.places());
        let is_over = |slot: &u32| {
            self.consents.records.get(*slot).is_some_and(|record| {
                let active = !record.is_vacant() && record.status() == Some(ConsentStatus::Active);
                let period = if active { self.consents.period(*slot, record) } else { None };
                period.and_then(|period| period.end).is_some_and(|end| end <= at)
            })
        };
        let id_at = |slot: u32| self.consents.id(slot, self.consents.records.get(slot)?);
        let found = (from..end).filter(is_over).filter_map(id_at).collect();
        (found, Some(end).filter(|end| *end < self.consents.records.places()))
    }
}

#[cfg(test)]
mod laws;
