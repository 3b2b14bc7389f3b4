//! The index as bytes, piece by piece, and back.
//!
//! A piece holds some patients with all their consents, and says what they have in common before
//! the first of them that has it. Between two pieces the index may change: each consent is as it was
//! when its piece was made. So whoever reads the pieces has for each consent a version no earlier
//! than the one that was the latest when the first piece was made.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::packed::{Form, Packed};
use super::record::{Parts, PatientRecord, Record, Terms};
use super::{
    ACCOUNT_PREFIX, CONSENT_PREFIX, ConsentIndex, Names, VersionName, packed_account, tail,
};
use crate::consent::{ConsentStatus, Recipient};
use crate::id::{AccountId, ConsentId, PatientId};
use crate::time::{At, Period};

const TERMS: u8 = 1;
const RECIPIENT: u8 = 2;
const PATIENT: u8 = 3;
const END: u8 = 4;

/// Why bytes are not what an index was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DumpError {
    /// They end too early, or something in them cannot be read.
    #[error("the bytes of the index cannot be read")]
    Unreadable,
    /// They say the same thing twice.
    #[error("the bytes of the index name a consent twice")]
    Twice,
    /// They are not all of it, or more than that.
    #[error("the bytes of the index are not all of it")]
    Incomplete,
    /// It cannot be held, or a consent of it answers nothing, so that it cannot be written.
    #[error("the index cannot be held or written")]
    NotHeld,
}

/// A value that was written, and the number it has there.
#[derive(Debug)]
struct Written<T>(BTreeMap<u32, (Arc<T>, u32)>, u32);

impl<T> Default for Written<T> {
    fn default() -> Self {
        Self(BTreeMap::new(), 0)
    }
}

impl<T: Serialize> Written<T> {
    /// The number of a value, which is written first when it is new. The number in the index may
    /// have been given to another value in between, so it is the value itself that is compared.
    fn number(&mut self, at: u32, value: &Arc<T>, tag: u8, out: &mut Vec<u8>) -> Option<u32> {
        if let Some((own, number)) = self.0.get(&at)
            && Arc::ptr_eq(own, value)
        {
            return Some(*number);
        }
        let json = serde_json::to_vec(&**value).ok()?;
        out.push(tag);
        put_u32(out, u32::try_from(json.len()).ok()?);
        out.extend_from_slice(&json);
        let number = self.1;
        self.1 = number.checked_add(1)?;
        self.0.insert(at, (Arc::clone(value), number));
        Some(number)
    }
}

/// Writes an index.
#[derive(Debug, Default)]
pub struct Dump {
    next: u32,
    terms: Written<Terms>,
    recipients: Written<Recipient>,
    consents: u64,
    patients: u64,
    ended: bool,
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_id(out: &mut Vec<u8>, packed: Packed, text: &str) {
    out.push(packed.form.bits());
    match packed.form {
        Form::Hex | Form::Uuid | Form::Text => out.extend_from_slice(&packed.bytes),
        Form::Other => {
            // An id has at most 128 bytes.
            out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(text.as_bytes());
        }
    }
}

fn put_period(out: &mut Vec<u8>, period: Period) {
    for bound in [period.start, period.end] {
        out.push(u8::from(bound.is_some()));
        if let Some(at) = bound {
            out.extend_from_slice(&at.as_micros().to_le_bytes());
        }
    }
}

const fn status_byte(status: ConsentStatus) -> u8 {
    match status {
        ConsentStatus::Draft => 0,
        ConsentStatus::Proposed => 1,
        ConsentStatus::Active => 2,
        ConsentStatus::Rejected => 3,
        ConsentStatus::Inactive => 4,
        ConsentStatus::EnteredInError => 5,
    }
}

const fn status_of_byte(byte: u8) -> Option<ConsentStatus> {
    match byte {
        0 => Some(ConsentStatus::Draft),
        1 => Some(ConsentStatus::Proposed),
        2 => Some(ConsentStatus::Active),
        3 => Some(ConsentStatus::Rejected),
        4 => Some(ConsentStatus::Inactive),
        5 => Some(ConsentStatus::EnteredInError),
        _ => None,
    }
}

impl Dump {
    /// How much has been written so far: consents, and patients.
    pub const fn written(&self) -> (u64, u64) {
        (self.consents, self.patients)
    }
}

impl<N: Names> ConsentIndex<N> {
    /// Writes the next piece, of so many places for patients; says whether that was the last.
    ///
    /// # Errors
    /// When a consent answers nothing, so that what is written would not be all.
    pub fn dump(&self, dump: &mut Dump, places: u32, out: &mut Vec<u8>) -> Result<bool, DumpError> {
        let all = self.patients.records.places();
        let end = dump.next.saturating_add(places).min(all);
        for slot in dump.next..end {
            self.dump_patient(dump, slot, out).ok_or(DumpError::NotHeld)?;
        }
        dump.next = end;
        if end == all && !dump.ended {
            dump.ended = true;
            out.push(END);
            out.extend_from_slice(&dump.consents.to_le_bytes());
            out.extend_from_slice(&dump.patients.to_le_bytes());
        }
        Ok(dump.ended)
    }

    fn dump_patient(&self, dump: &mut Dump, slot: u32, out: &mut Vec<u8>) -> Option<()> {
        let patient = self.patients.records.get(slot)?;
        if patient.is_vacant() {
            return Some(());
        }
        let mut consents = Vec::new();
        let mut count: u32 = 0;
        for consent in self.chain(slot) {
            self.dump_consent(dump, consent, &mut consents, out)?;
            count += 1;
        }
        out.push(PATIENT);
        let text = |own: Option<String>| own.unwrap_or_default();
        let id = self.patients.beside.get(&slot).and_then(|own| own.id.clone());
        put_id(out, patient.id(), &text(id.map(String::from)));
        let giver = self.patients.beside.get(&slot).and_then(|own| own.giver.clone());
        let giver = text(giver.map(String::from));
        put_id(out, patient.giver(), tail(&giver, ACCOUNT_PREFIX));
        put_u32(out, count);
        out.append(&mut consents);
        dump.patients += 1;
        dump.consents += u64::from(count);
        Some(())
    }

    /// Writes a consent; what it has in common with others goes before the patient.
    fn dump_consent(
        &self,
        dump: &mut Dump,
        slot: u32,
        out: &mut Vec<u8>,
        before: &mut Vec<u8>,
    ) -> Option<()> {
        let record = self.consents.records.get(slot)?;
        let name = self.name_at(slot)?;
        let (terms, recipient) = self.consents.numbers(slot, record)?;
        let of_terms = dump.terms.number(terms, self.terms.get(terms)?, TERMS, before)?;
        let shared = self.recipients.get(recipient)?;
        let of_recipient = dump.recipients.number(recipient, shared, RECIPIENT, before)?;
        let beside = self.consents.beside.get(&slot);
        let id = beside.and_then(|own| own.id.as_ref()).map_or("", ConsentId::as_str);
        put_id(out, record.id(), tail(id, CONSENT_PREFIX));
        out.push(status_byte(record.status()?) | u8::from(record.ended_early()) << 3);
        put_period(out, self.consents.period(slot, record)?);
        put_u32(out, of_terms);
        put_u32(out, of_recipient);
        put_u32(out, name.number);
        out.extend_from_slice(&name.digest);
        out.push(u8::from(record.giver_is_beside()));
        if record.giver_is_beside() {
            let giver = beside?.giver.as_ref()?;
            put_id(out, packed_account(giver), tail(giver.as_str(), ACCOUNT_PREFIX));
        }
        Some(())
    }
}

/// Takes bytes from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn json<T: DeserializeOwned>(&mut self) -> Option<T> {
        let length = usize::try_from(self.u32()?).ok()?;
        serde_json::from_slice(self.take(length)?).ok()
    }

    fn period(&mut self) -> Option<Period> {
        let mut bound = || {
            Some(if self.flag()? {
                Some(At::from_micros(self.array().map(i64::from_le_bytes)?))
            } else {
                None
            })
        };
        Some(Period { start: bound()?, end: bound()? })
    }

    /// An id in packed form, and its text when it has none.
    fn id<T: TryFrom<String>>(&mut self, prefix: &str) -> Option<(Packed, Option<T>)> {
        let form = self.byte().filter(|bits| *bits < 4).map(Form::of_bits)?;
        match form {
            Form::Other => {
                let length = usize::from(self.byte()?);
                let text = core::str::from_utf8(self.take(length)?).ok()?;
                let whole = alloc::format!("{prefix}{text}");
                // Whatever has a packed form is written in it, or there would be two of one.
                let packed = Packed::of(text);
                let id = T::try_from(whole).ok()?;
                (packed.form == Form::Other).then_some((packed, Some(id)))
            }
            Form::Text => {
                let packed = Packed { bytes: self.array()?, form };
                let text = packed.text("")?;
                let same = Packed::of(&text) == packed;
                let valid = T::try_from(alloc::format!("{prefix}{text}")).is_ok();
                (same && valid).then_some((packed, None))
            }
            Form::Hex | Form::Uuid => Some((Packed { bytes: self.array()?, form }, None)),
        }
    }
}

/// Reads an index.
#[derive(Debug)]
pub struct Loader<N> {
    index: ConsentIndex<N>,
    terms: Vec<u32>,
    recipients: Vec<u32>,
    consents: u64,
    patients: u64,
    ended: bool,
}

impl<N: Names> Loader<N> {
    /// Reads into an empty index.
    pub const fn new(index: ConsentIndex<N>) -> Self {
        Self {
            index,
            terms: Vec::new(),
            recipients: Vec::new(),
            consents: 0,
            patients: 0,
            ended: false,
        }
    }

    /// Takes the next piece, whole.
    ///
    /// # Errors
    /// When it is not one. The loader is of no use then.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), DumpError> {
        let mut bytes = Bytes(piece);
        while let Some(tag) = bytes.byte() {
            if self.ended {
                return Err(DumpError::Incomplete);
            }
            match tag {
                TERMS => {
                    let terms: Terms = bytes.json().ok_or(DumpError::Unreadable)?;
                    let hash = self.index.seeds.of_value(&terms.by_ref());
                    let same = |own: &Terms| *own == terms;
                    let number = self.index.terms.intern(hash, same, || terms.clone());
                    self.terms.push(number.ok_or(DumpError::NotHeld)?);
                }
                RECIPIENT => {
                    let recipient: Recipient = bytes.json().ok_or(DumpError::Unreadable)?;
                    let hash = self.index.seeds.of_value(&recipient);
                    let same = |own: &Recipient| *own == recipient;
                    let number = self.index.recipients.intern(hash, same, || recipient.clone());
                    self.recipients.push(number.ok_or(DumpError::NotHeld)?);
                }
                PATIENT => self.patient(&mut bytes)?,
                END => {
                    let totals = (bytes.u64(), bytes.u64());
                    if totals != (Some(self.consents), Some(self.patients)) {
                        return Err(DumpError::Incomplete);
                    }
                    self.ended = true;
                }
                _ => return Err(DumpError::Unreadable),
            }
        }
        Ok(())
    }

    /// The index, when everything was read.
    ///
    /// # Errors
    /// When something is missing.
    pub fn finish(mut self) -> Result<ConsentIndex<N>, DumpError> {
        if !self.ended {
            return Err(DumpError::Incomplete);
        }
        // While it was read, each value had one use more than consents have it.
        self.terms.iter().for_each(|number| self.index.terms.release(*number));
        self.recipients.iter().for_each(|number| self.index.recipients.release(*number));
        Ok(self.index)
    }

    fn patient(&mut self, bytes: &mut Bytes<'_>) -> Result<(), DumpError> {
        let (id, text) = bytes.id::<PatientId>("").ok_or(DumpError::Unreadable)?;
        let (giver, of_giver) =
            bytes.id::<AccountId>(ACCOUNT_PREFIX).ok_or(DumpError::Unreadable)?;
        let count = bytes.u32().filter(|count| *count > 0).ok_or(DumpError::Unreadable)?;
        let seeds = self.index.seeds;
        let hash = seeds.of_id(&id, text.as_ref().map_or("", PatientId::as_str));
        let patients = &mut self.index.patients;
        if patients.find_packed(text.as_ref(), &id, hash).is_some() {
            return Err(DumpError::Twice);
        }
        let record = PatientRecord::new(id, giver);
        let slot = patients.add(record, text, of_giver, hash, seeds).ok_or(DumpError::NotHeld)?;
        for _ in 0..count {
            self.consent(bytes, slot)?;
        }
        self.patients += 1;
        Ok(())
    }

    fn consent(&mut self, bytes: &mut Bytes<'_>, patient: u32) -> Result<(), DumpError> {
        let read = self.parts(bytes, patient).ok_or(DumpError::Unreadable)?;
        let (parts, id, digest) = read;
        let index = &mut self.index;
        let hash = index.seeds.of_id(&parts.id, id.as_ref().map_or("", ConsentId::as_str));
        if index.consents.find_packed(id.as_ref(), &parts.id, hash).is_some() {
            return Err(DumpError::Twice);
        }
        let name = VersionName { digest, number: parts.number };
        let shared = (parts.terms, parts.recipient);
        let used = index.terms.use_again(shared.0) && index.recipients.use_again(shared.1);
        let (record, beside) = Record::new(parts, || id);
        let slot = index.place(record, beside, hash, None).ok().filter(|_| used);
        let slot = slot.ok_or(DumpError::NotHeld)?;
        index.names.put(slot, &name).map_err(|_| DumpError::NotHeld)?;
        self.consents += 1;
        Ok(())
    }

    fn parts(
        &self,
        bytes: &mut Bytes<'_>,
        patient: u32,
    ) -> Option<(Parts, Option<ConsentId>, [u8; 32])> {
        let (packed, id) = bytes.id::<ConsentId>(CONSENT_PREFIX)?;
        let state = bytes.byte().filter(|byte| *byte < 16)?;
        let status = status_of_byte(state & 7)?;
        let ended_early = state & 8 != 0;
        if ended_early && status != ConsentStatus::Inactive {
            return None;
        }
        let period = bytes.period()?;
        let terms = *self.terms.get(usize::try_from(bytes.u32()?).ok()?)?;
        let recipient = *self.recipients.get(usize::try_from(bytes.u32()?).ok()?)?;
        let number = bytes.u32()?;
        let digest = bytes.array()?;
        let giver = if bytes.flag()? {
            let (packed, other) = bytes.id::<AccountId>(ACCOUNT_PREFIX)?;
            let text = packed.text(ACCOUNT_PREFIX);
            Some(other.or_else(|| AccountId::try_from(text?).ok())?)
        } else {
            None
        };
        let parts = Parts {
            id: packed,
            status,
            ended_early,
            period,
            number,
            terms,
            recipient,
            patient,
            giver,
        };
        Some((parts, id, digest))
    }
}
