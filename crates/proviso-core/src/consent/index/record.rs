//! What is kept of one consent, and of one patient, in as few bytes as will do.

use serde::{Deserialize, Serialize};

use super::packed::{Form, Packed};
use crate::category::{CategorySet, PurposeSet, SensitiveSet};
use crate::consent::{Capacity, ConsentFacts, ConsentStatus, DurationChoice, OfflineAccess};
use crate::id::{AccountId, ConsentId, PatientId};
use crate::scope::Scope;
use crate::time::{At, Period};

use alloc::vec::Vec;

/// What many consents have in common: everything that was chosen but parties and dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) capacity: Capacity,
    pub(super) categories: CategorySet,
    pub(super) sensitive: SensitiveSet,
    pub(super) purposes: PurposeSet,
    pub(super) data_period: Period,
    pub(super) duration: DurationChoice,
    pub(super) offline: OfflineAccess,
    pub(super) granted_scopes: Vec<Scope>,
}

/// The same by reference, to look it up without copying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TermsRef<'a> {
    capacity: Capacity,
    categories: CategorySet,
    sensitive: SensitiveSet,
    purposes: PurposeSet,
    data_period: Period,
    duration: DurationChoice,
    offline: OfflineAccess,
    granted_scopes: &'a [Scope],
}

impl<'a> TermsRef<'a> {
    pub(super) const fn of(facts: &ConsentFacts<'a>) -> Self {
        Self {
            capacity: facts.capacity,
            categories: facts.categories,
            sensitive: facts.sensitive,
            purposes: facts.purposes,
            data_period: facts.data_period,
            duration: facts.duration,
            offline: facts.offline,
            granted_scopes: facts.granted_scopes,
        }
    }

    pub(super) fn to_terms(self) -> Terms {
        Terms {
            capacity: self.capacity,
            categories: self.categories,
            sensitive: self.sensitive,
            purposes: self.purposes,
            data_period: self.data_period,
            duration: self.duration,
            offline: self.offline,
            granted_scopes: self.granted_scopes.to_vec(),
        }
    }
}

impl Terms {
    pub(super) fn by_ref(&self) -> TermsRef<'_> {
        TermsRef {
            capacity: self.capacity,
            categories: self.categories,
            sensitive: self.sensitive,
            purposes: self.purposes,
            data_period: self.data_period,
            duration: self.duration,
            offline: self.offline,
            granted_scopes: &self.granted_scopes,
        }
    }
}

/// When a period ends, counted from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndRule {
    Open,
    Fixed(DurationChoice),
    /// The period is kept beside the record.
    Beside,
}

/// The durations that have an end.
const FIXED: [DurationChoice; 3] =
    [DurationChoice::Once, DurationChoice::ThirtyDays, DurationChoice::OneYear];

impl EndRule {
    fn of(period: Period) -> Self {
        let Some(start) = period.start.filter(|start| packed_instant(*start).is_some()) else {
            return Self::Beside;
        };
        let fits = |choice: &DurationChoice| choice.period_from(start) == period;
        match period.end {
            None => Self::Open,
            Some(_) => FIXED.into_iter().find(fits).map_or(Self::Beside, Self::Fixed),
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::Open | Self::Fixed(DurationChoice::UntilStopped) => 0,
            Self::Fixed(DurationChoice::Once) => 1,
            Self::Fixed(DurationChoice::ThirtyDays) => 2,
            Self::Fixed(DurationChoice::OneYear) => 3,
            Self::Beside => 7,
        }
    }

    const fn of_bits(bits: u16) -> Self {
        match bits & 7 {
            0 => Self::Open,
            1 => Self::Fixed(DurationChoice::Once),
            2 => Self::Fixed(DurationChoice::ThirtyDays),
            3 => Self::Fixed(DurationChoice::OneYear),
            _ => Self::Beside,
        }
    }
}

/// An instant in seven bytes: 1 100 years around 1970.
fn packed_instant(at: At) -> Option<[u8; 7]> {
    let [packed @ .., _] = at.as_micros().to_le_bytes();
    (unpacked_instant(packed) == at).then_some(packed)
}

fn unpacked_instant(packed: [u8; 7]) -> At {
    let mut whole = [0; 8];
    for (to, from) in whole.iter_mut().skip(1).zip(packed) {
        *to = from;
    }
    // The shift back carries the sign.
    At::from_micros(i64::from_le_bytes(whole) >> 8)
}

const fn status_bits(status: ConsentStatus) -> u16 {
    match status {
        ConsentStatus::Draft => 0,
        ConsentStatus::Proposed => 1,
        ConsentStatus::Active => 2,
        ConsentStatus::Rejected => 3,
        ConsentStatus::Inactive => 4,
        ConsentStatus::EnteredInError => 5,
    }
}

const fn status_of_bits(bits: u16) -> Option<ConsentStatus> {
    match bits & 7 {
        0 => Some(ConsentStatus::Draft),
        1 => Some(ConsentStatus::Proposed),
        2 => Some(ConsentStatus::Active),
        3 => Some(ConsentStatus::Rejected),
        4 => Some(ConsentStatus::Inactive),
        5 => Some(ConsentStatus::EnteredInError),
        _ => None,
    }
}

const ENDED_EARLY: u16 = 1 << 3;
const FORM_SHIFT: u16 = 4;
const RULE_SHIFT: u16 = 6;
/// Who gave it is kept beside the record, since it is not who the patient's record names.
const GIVER_BESIDE: u16 = 1 << 9;
/// The numbers of terms and recipient are kept beside the record, since they are too large.
const NUMBERS_BESIDE: u16 = 1 << 10;
/// The name of the version could not be kept: the consent answers nothing.
const UNNAMED: u16 = 1 << 11;
/// Nobody has this place.
const VACANT: u16 = 1 << 12;

/// The end of a chain of consents.
pub(super) const NONE: u32 = u32::MAX;
/// Numbers of terms and recipients from here on are kept beside the record.
const WIDE: u32 = 0x00ff_ffff;

/// What did not fit into a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) id: Option<ConsentId>,
    pub(super) giver: Option<AccountId>,
    pub(super) period: Option<Period>,
    pub(super) numbers: Option<(u32, u32)>,
}

impl Beside {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The latest version of a consent. Bytes only, so that nothing is lost to alignment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    id: [u8; 16],
    start: [u8; 7],
    terms: [u8; 3],
    recipient: [u8; 3],
    patient: [u8; 4],
    next: [u8; 4],
    flags: [u8; 2],
    /// The last byte of the version's number, compared with what is kept with its name.
    number: u8,
}

const fn three([a, b, c, _]: [u8; 4]) -> [u8; 3] {
    [a, b, c]
}

const fn from_three([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

/// The last byte of a number.
pub(super) const fn last_byte(number: u32) -> u8 {
    let [last, ..] = number.to_le_bytes();
    last
}

/// Everything that a record is made of.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) id: Packed,
    pub(super) status: ConsentStatus,
    pub(super) ended_early: bool,
    pub(super) period: Period,
    pub(super) number: u32,
    pub(super) terms: u32,
    pub(super) recipient: u32,
    pub(super) patient: u32,
    /// `None` when it is who the patient's record names.
    pub(super) giver: Option<AccountId>,
}

impl Record {
    /// Makes a record that is in no chain yet, and what has to be kept beside it. `id` is asked for
    /// when the id has no packed form.
    pub(super) fn new(parts: Parts, id: impl FnOnce() -> Option<ConsentId>) -> (Self, Beside) {
        let rule = EndRule::of(parts.period);
        let start = parts.period.start.and_then(packed_instant).unwrap_or_default();
        let wide = parts.terms >= WIDE || parts.recipient >= WIDE;
        let beside = Beside {
            id: if parts.id.form == Form::Other { id() } else { None },
            giver: parts.giver,
            period: (rule == EndRule::Beside).then_some(parts.period),
            numbers: wide.then_some((parts.terms, parts.recipient)),
        };
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let flags = status_bits(parts.status)
            | flag(parts.ended_early, ENDED_EARLY)
            | u16::from(parts.id.form.bits()) << FORM_SHIFT
            | rule.bits() << RULE_SHIFT
            | flag(beside.giver.is_some(), GIVER_BESIDE)
            | flag(wide, NUMBERS_BESIDE);
        let record = Self {
            id: parts.id.bytes,
            start,
            terms: three(parts.terms.to_le_bytes()),
            recipient: three(parts.recipient.to_le_bytes()),
            patient: parts.patient.to_le_bytes(),
            next: NONE.to_le_bytes(),
            flags: flags.to_le_bytes(),
            number: last_byte(parts.number),
        };
        (record, beside)
    }

    const fn flags(&self) -> u16 {
        u16::from_le_bytes(self.flags)
    }

    const fn has(&self, flag: u16) -> bool {
        self.flags() & flag != 0
    }

    pub(super) fn id(&self) -> Packed {
        let [form, ..] = (self.flags() >> FORM_SHIFT).to_le_bytes();
        Packed { bytes: self.id, form: Form::of_bits(form) }
    }

    pub(super) const fn status(&self) -> Option<ConsentStatus> {
        status_of_bits(self.flags())
    }

    pub(super) const fn ended_early(&self) -> bool {
        self.has(ENDED_EARLY)
    }

    /// The period; `None` when it is kept beside.
    pub(super) fn period(&self) -> Option<Period> {
        let start = unpacked_instant(self.start);
        match EndRule::of_bits(self.flags() >> RULE_SHIFT) {
            EndRule::Open => Some(Period { start: Some(start), end: None }),
            EndRule::Fixed(choice) => Some(choice.period_from(start)),
            EndRule::Beside => None,
        }
    }

    /// The numbers of terms and recipient; `None` when they are kept beside.
    pub(super) const fn numbers(&self) -> Option<(u32, u32)> {
        if self.has(NUMBERS_BESIDE) {
            None
        } else {
            Some((from_three(self.terms), from_three(self.recipient)))
        }
    }

    pub(super) const fn giver_is_beside(&self) -> bool {
        self.has(GIVER_BESIDE)
    }

    pub(super) const fn is_vacant(&self) -> bool {
        self.has(VACANT)
    }

    pub(super) const fn is_unnamed(&self) -> bool {
        self.has(UNNAMED)
    }

    pub(super) const fn patient(&self) -> u32 {
        u32::from_le_bytes(self.patient)
    }

    pub(super) const fn next(&self) -> u32 {
        u32::from_le_bytes(self.next)
    }

    pub(super) const fn last_of_number(&self) -> u8 {
        self.number
    }

    pub(super) const fn set_next(&mut self, next: u32) {
        self.next = next.to_le_bytes();
    }

    /// The name of the version could not be kept.
    pub(super) const fn set_unnamed(&mut self) {
        self.flags = (self.flags() | UNNAMED).to_le_bytes();
    }

    pub(super) const fn set_vacant(&mut self) {
        self.flags = VACANT.to_le_bytes();
    }
}

/// What did not fit into the record of a patient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PatientBeside {
    pub(super) id: Option<PatientId>,
    pub(super) giver: Option<AccountId>,
}

/// A patient who has consents: who it is, who gave the first of them, and which is first in the
/// chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct PatientRecord {
    id: [u8; 16],
    giver: [u8; 16],
    first: [u8; 4],
    forms: u8,
}

const PATIENT_VACANT: u8 = 1 << 4;

impl PatientRecord {
    pub(super) const fn new(id: Packed, giver: Packed) -> Self {
        Self {
            id: id.bytes,
            giver: giver.bytes,
            first: NONE.to_le_bytes(),
            forms: id.form.bits() | giver.form.bits() << 2,
        }
    }

    pub(super) const fn id(&self) -> Packed {
        Packed { bytes: self.id, form: Form::of_bits(self.forms) }
    }

    pub(super) const fn giver(&self) -> Packed {
        Packed { bytes: self.giver, form: Form::of_bits(self.forms >> 2) }
    }

    pub(super) const fn first(&self) -> u32 {
        u32::from_le_bytes(self.first)
    }

    pub(super) const fn set_first(&mut self, first: u32) {
        self.first = first.to_le_bytes();
    }

    pub(super) const fn is_vacant(&self) -> bool {
        self.forms & PATIENT_VACANT != 0
    }

    pub(super) const fn set_vacant(&mut self) {
        self.forms = PATIENT_VACANT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_forty_bytes_and_that_of_a_patient_thirty_seven() {
        assert_eq!((size_of::<Record>(), size_of::<PatientRecord>()), (40, 37));
    }

    #[test]
    fn instants_come_back_as_they_were_or_are_kept_beside() {
        for micros in [0, 1, -1, 1_795_000_000_000_000, -(1 << 55), (1 << 55) - 1] {
            let at = At::from_micros(micros);
            assert_eq!(packed_instant(at).map(unpacked_instant), Some(at));
        }
        for micros in [i64::MIN, i64::MAX, 1 << 55, -(1 << 55) - 1] {
            assert_eq!(packed_instant(At::from_micros(micros)), None);
        }
    }
}
