//! How long somebody may act for a patient: approved on a day, to be approved again, and over on the
//! day on which a minor comes of age.
//!
//! Knows the ages of the table below and how a mandate ends. Does not know the clock, nor who may
//! approve.
//!
//! | code | of age at | confidential care from | sources |
//! |---|---|---|---|
//! | `US` | 18 | 12 | majority in the states that are not listed; 12 is the lowest age of the listed ones |
//! | `US-AL` | 19 | 14 | Code of Alabama 26-1-1, 22-8-4 |
//! | `US-CA` | 18 | 12 | California Family Code 6500, 6926, 6929 |
//! | `US-MS` | 21 | 12 | Mississippi Code 1-3-27 |
//! | `US-NE` | 19 | 12 | Nebraska Revised Statutes 43-2101 |
//! | `US-OR` | 18 | 14 | ORS 109.510, 109.675 |
//! | `US-WA` | 18 | 13 | RCW 26.28.010, 71.34.530 |
//! | `GB-SCT` | 16 | 12 | Age of Legal Capacity (Scotland) Act 1991 s. 1, Data Protection Act 2018 s. 208 |
//! | `ES` | 18 | 16 | Constitución española art. 12, Ley 41/2002 art. 9.4 |

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::category::{CategorySet, SensitiveKind, SensitiveSet};
use crate::decision::org_rules::proxy_sensitive;
use crate::id::AccountId;
use crate::time::{At, Period};

/// Whose law says when somebody comes of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jurisdiction {
    /// ISO 3166 code.
    pub code: &'static str,
    /// In years.
    pub of_age: i16,
    /// From this age on, in years, a minor has care that stays between them and their clinicians.
    pub confidential_from: i16,
}

/// The table above. `US` stands for every state that is not listed.
pub const JURISDICTIONS: &[Jurisdiction] = &[
    Jurisdiction { code: "US", of_age: 18, confidential_from: 12 },
    Jurisdiction { code: "US-AL", of_age: 19, confidential_from: 14 },
    Jurisdiction { code: "US-CA", of_age: 18, confidential_from: 12 },
    Jurisdiction { code: "US-MS", of_age: 21, confidential_from: 12 },
    Jurisdiction { code: "US-NE", of_age: 19, confidential_from: 12 },
    Jurisdiction { code: "US-OR", of_age: 18, confidential_from: 14 },
    Jurisdiction { code: "US-WA", of_age: 18, confidential_from: 13 },
    Jurisdiction { code: "GB-SCT", of_age: 16, confidential_from: 12 },
    Jurisdiction { code: "ES", of_age: 18, confidential_from: 16 },
];

impl Jurisdiction {
    /// The row of a code; a part of a country that is not listed has the row of the country. `None`
    /// for a country of which nothing is known here: no parent's access is dated by a guess.
    pub fn of(code: &str) -> Option<&'static Self> {
        let exact = JURISDICTIONS.iter().find(|row| row.code == code);
        exact.or_else(|| {
            let (country, _) = code.split_once('-')?;
            JURISDICTIONS.iter().find(|row| row.code == country)
        })
    }

    /// The instant at which somebody born on a day comes of age: the first of that birthday, at a
    /// fixed offset from UTC. Born on 29 February, it is 1 March in other years.
    pub fn of_age_at(&self, born: Date, utc_offset_secs: i32) -> Option<At> {
        start_of(birthday(born, self.of_age)?, utc_offset_secs)
    }

    /// The sensitive kinds that whoever acts for a minor may not see at an instant. What is hidden
    /// from every proxy is hidden at any age; from the age of confidential care on, also what a
    /// minor may seek without a parent.
    pub fn hidden_from_parents(&self, born: Date, at: At, utc_offset_secs: i32) -> SensitiveSet {
        // An age that cannot be computed hides.
        let from = self.confidential_at(born, utc_offset_secs);
        SensitiveSet::all().minus(open_to_parents(from, at))
    }

    /// The instant from which somebody born on a day has care that stays between them and their
    /// clinicians: the first of that birthday, at a fixed offset from UTC.
    pub fn confidential_at(&self, born: Date, utc_offset_secs: i32) -> Option<At> {
        start_of(birthday(born, self.confidential_from)?, utc_offset_secs)
    }
}

/// What parents may see of sensitive kinds at an instant. An age that is not known hides.
fn open_to_parents(confidential_from: Option<At>, at: At) -> SensitiveSet {
    let younger = confidential_from.is_some_and(|from| at < from);
    if younger { proxy_sensitive() } else { proxy_sensitive().minus(MINORS_OWN) }
}

/// Care that minors of a certain age may seek without a parent: mental health, substance use,
/// reproductive health, infections passed on by sex, violence (sources in the table).
const MINORS_OWN: SensitiveSet = SensitiveSet::EMPTY
    .with(SensitiveKind::MentalHealth)
    .with(SensitiveKind::SubstanceUse)
    .with(SensitiveKind::Reproductive)
    .with(SensitiveKind::Sti)
    .with(SensitiveKind::Hiv)
    .with(SensitiveKind::Violence);

fn birthday(born: Date, years: i16) -> Option<Date> {
    let year = born.year().checked_add(years)?;
    match Date::new(year, born.month(), born.day()) {
        Ok(day) => Some(day),
        Err(_) => Date::new(year, 3, 1).ok(),
    }
}

fn start_of(day: Date, utc_offset_secs: i32) -> Option<At> {
    let midnight = jiff::tz::Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?;
    Some(At::from_micros(midnight.as_microsecond()).plus_secs(-i64::from(utc_offset_secs)))
}

/// On what somebody acts for a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "basis")]
pub enum MandateBasis {
    /// A parent of a minor: over at the instant at which the minor comes of age.
    Parent {
        /// That instant ([`Jurisdiction::of_age_at`]).
        of_age: At,
        /// From when on the minor has confidential care ([`Jurisdiction::confidential_at`]); where
        /// it is not stated, always.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confidential_from: Option<At>,
    },
    /// The patient appointed them.
    Appointed,
    /// A court did.
    Court,
}

/// The approval behind a proxy relationship.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// On what it rests.
    pub basis: MandateBasis,
    /// When it was last approved.
    pub approved_at: At,
    /// Who approved it.
    pub approved_by: Option<AccountId>,
    /// After how many days it must be approved again; `None` for never.
    pub reapprove_days: Option<u16>,
    /// For which kinds of record they act.
    #[serde(default = "CategorySet::all", skip_serializing_if = "is_everything")]
    pub categories: CategorySet,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_everything(categories: &CategorySet) -> bool {
    *categories == CategorySet::all()
}

impl Mandate {
    /// When it must have been approved again.
    pub fn approval_due(&self) -> Option<At> {
        self.reapprove_days.map(|days| self.approved_at.plus_days(i64::from(days)))
    }

    /// The sensitive kinds that they may see at an instant, at most.
    pub fn sensitive_at(&self, at: At) -> SensitiveSet {
        match self.basis {
            MandateBasis::Parent { confidential_from, .. } => {
                open_to_parents(confidential_from, at)
            }
            MandateBasis::Appointed | MandateBasis::Court => proxy_sensitive(),
        }
    }

    /// The end that the mandate itself sets: coming of age, or an approval that was not renewed.
    pub fn ends_at(&self) -> Option<At> {
        let of_age = match self.basis {
            MandateBasis::Parent { of_age, .. } => Some(of_age),
            MandateBasis::Appointed | MandateBasis::Court => None,
        };
        [of_age, self.approval_due()].into_iter().flatten().min()
    }

    /// A stated period, cut where the mandate begins and ends.
    #[must_use]
    pub fn limit(&self, stated: Period) -> Period {
        let end = [stated.end, self.ends_at()].into_iter().flatten().min();
        Period { start: stated.start, end }
    }

    /// The same mandate, approved anew. It never reaches further than what it rests on.
    #[must_use]
    pub fn approved_again(self, at: At, by: Option<AccountId>) -> Self {
        Self { approved_at: at.max(self.approved_at), approved_by: by, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> At {
        At::parse(text).unwrap()
    }

    fn born(text: &str) -> Date {
        text.parse().unwrap()
    }

    // Covers: design §5, age of majority by date; the instant before and at it
    #[test]
    fn coming_of_age_follows_the_table_to_the_instant() {
        let check = |code: &str, of_birth: &str, offset: i32, expected: &str| {
            let row = Jurisdiction::of(code).unwrap();
            assert_eq!(row.of_age_at(born(of_birth), offset), Some(at(expected)), "{code}");
        };
        check("US-AZ", "2011-04-22", -7 * 3600, "2029-04-22T07:00:00Z");
        check("US-NE", "2011-04-22", -6 * 3600, "2030-04-22T06:00:00Z");
        check("US-AL", "2011-04-22", 0, "2030-04-22T00:00:00Z");
        check("US-MS", "2011-04-22", 0, "2032-04-22T00:00:00Z");
        check("GB-SCT", "2011-04-22", 0, "2027-04-22T00:00:00Z");
        check("ES", "2011-04-22", 3600, "2029-04-21T23:00:00Z");
        check("US-CA", "2008-02-29", 0, "2026-03-01T00:00:00Z");
        assert_eq!(Jurisdiction::of("DE"), None, "nothing is known of it");
        assert_eq!(Jurisdiction::of("USA"), None);
    }

    #[test]
    fn the_table_in_the_documentation_is_the_table_in_the_code() {
        for row in JURISDICTIONS {
            let line = alloc::format!(
                "//! | `{}` | {} | {} | ",
                row.code,
                row.of_age,
                row.confidential_from
            );
            assert!(include_str!("mandate.rs").contains(&line), "{line}");
            assert!(row.confidential_from < row.of_age);
        }
    }

    #[test]
    fn from_the_age_of_confidential_care_on_parents_see_less() {
        let row = Jurisdiction::of("US-WA").unwrap();
        let lily = born("2011-04-22");
        let before = row.hidden_from_parents(lily, at("2024-04-21T23:59:59Z"), 0);
        let after = row.hidden_from_parents(lily, at("2024-04-22T00:00:00Z"), 0);
        assert_eq!(before, SensitiveSet::all().minus(proxy_sensitive()));
        assert!(before.is_subset_of(after) && before != after);
        assert!(after.contains(SensitiveKind::Reproductive));
        assert!(!after.contains(SensitiveKind::Genetics));
    }

    // Covers: design §5, a teenager's confidential kinds are hidden from parents
    #[test]
    fn a_parent_sees_less_from_the_instant_of_confidential_care_on_and_others_do_not() {
        let of_age = at("2029-04-22T00:00:00Z");
        let from = at("2024-04-22T00:00:00Z");
        let before = at("2024-04-21T23:59:59Z");
        let parent =
            |confidential_from| mandate(MandateBasis::Parent { of_age, confidential_from }, None);
        assert_eq!(parent(Some(from)).sensitive_at(before), proxy_sensitive());
        assert_eq!(parent(Some(from)).sensitive_at(from), proxy_sensitive().minus(MINORS_OWN));
        assert_eq!(parent(None).sensitive_at(before), proxy_sensitive().minus(MINORS_OWN));
        for basis in [MandateBasis::Appointed, MandateBasis::Court] {
            assert_eq!(mandate(basis, None).sensitive_at(from), proxy_sensitive());
        }
    }

    fn mandate(basis: MandateBasis, reapprove_days: Option<u16>) -> Mandate {
        let approved_at = at("2026-01-01T00:00:00Z");
        let categories = CategorySet::all();
        Mandate { basis, approved_at, approved_by: None, reapprove_days, categories }
    }

    // Covers: design §5, proxies are dated and re-approved
    #[test]
    fn a_mandate_ends_where_the_first_of_its_limits_is() {
        let of_age = at("2026-06-01T00:00:00Z");
        let parent = MandateBasis::Parent { of_age, confidential_from: None };
        let year = at("2027-01-01T00:00:00Z");
        let ends = |mandate: &Mandate, stated: Option<At>| {
            mandate.limit(Period { start: None, end: stated }).end
        };
        assert_eq!(ends(&mandate(MandateBasis::Court, None), None), None);
        assert_eq!(ends(&mandate(MandateBasis::Appointed, Some(365)), None), Some(year));
        assert_eq!(ends(&mandate(parent, Some(365)), None), Some(of_age));
        assert_eq!(ends(&mandate(parent, Some(30)), None), Some(at("2026-01-31T00:00:00Z")));
        let early = at("2026-01-02T00:00:00Z");
        assert_eq!(ends(&mandate(parent, Some(30)), Some(early)), Some(early));
    }

    #[test]
    fn approving_again_moves_the_date_and_never_beyond_coming_of_age() {
        let of_age = at("2026-06-01T00:00:00Z");
        let first = mandate(MandateBasis::Parent { of_age, confidential_from: None }, Some(365));
        let again = first.clone().approved_again(at("2026-05-01T00:00:00Z"), None);
        assert_eq!(again.ends_at(), Some(of_age));
        let appointed = mandate(MandateBasis::Appointed, Some(365));
        let again = appointed.approved_again(at("2026-12-01T00:00:00Z"), None);
        assert_eq!(again.ends_at(), Some(at("2027-12-01T00:00:00Z")));
        // A clock that was set back takes no time from an approval.
        let back = again.clone().approved_again(at("2020-01-01T00:00:00Z"), None);
        assert_eq!(back.ends_at(), again.ends_at());
    }
}
