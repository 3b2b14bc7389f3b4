//! Delegation: who acts for whom for whom (RFC 8693 §4.1, the `act` claim), each link on its own
//! ground.
//!
//! Knows when a chain of links stands: every one of them must. Does not know tokens.

use alloc::vec::Vec;

use crate::category::{CategorySet, SensitiveSet};
use crate::id::{AccountId, ClientId, PatientId};
use crate::time::{At, Period};

/// Somebody in a chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Delegate {
    /// The patient, with whom every chain begins.
    Patient(PatientId),
    /// A person who is not the patient.
    Person(AccountId),
    /// An app or a service.
    App(ClientId),
}

/// One link: `by` lets `to` act, for a time and for so much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationLink {
    /// Who delegates.
    pub by: Delegate,
    /// Who acts from here on.
    pub to: Delegate,
    /// When the ground of this link holds.
    pub period: Period,
    /// Kinds of record, at most.
    pub categories: CategorySet,
    /// Sensitive kinds, at most.
    pub sensitive: SensitiveSet,
}

/// LIMIT: patient, proxy, app, and one service behind it. Longer chains are nobody's intention.
pub const LINKS_MAX: usize = 4;

/// What a whole chain allows: no more than each of its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delegated {
    /// Kinds of record.
    pub categories: CategorySet,
    /// Sensitive kinds.
    pub sensitive: SensitiveSet,
}

/// Why a chain does not stand. The number is the place of the link, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// It does not begin with the patient.
    #[error("the chain does not begin with the patient")]
    Start,
    /// A link is not by who got the one before it.
    #[error("link {0} is not by who could give it")]
    Gap(usize),
    /// A link's ground does not hold at the instant.
    #[error("link {0} is not in force")]
    NotInForce(usize),
    /// Somebody occurs twice.
    #[error("link {0} leads back")]
    Loop(usize),
    /// There are too many links.
    #[error("too many links")]
    TooLong,
}

/// Judges a chain from the patient to whoever acts now. A chain without links is the patient's own
/// act and allows everything.
///
/// # Errors
/// When any link does not pass; the first of them is named.
pub fn judge(
    patient: &PatientId,
    links: &[DelegationLink],
    at: At,
) -> Result<Delegated, BrokenChain> {
    if links.len() > LINKS_MAX {
        return Err(BrokenChain::TooLong);
    }
    let origin = Delegate::Patient(patient.clone());
    let mut seen: Vec<&Delegate> = Vec::with_capacity(links.len().saturating_add(1));
    seen.push(&origin);
    let mut allowed = Delegated { categories: CategorySet::all(), sensitive: SensitiveSet::all() };
    for (place, link) in links.iter().enumerate() {
        if seen.last() != Some(&&link.by) {
            return Err(if place == 0 { BrokenChain::Start } else { BrokenChain::Gap(place) });
        }
        if seen.contains(&&link.to) {
            return Err(BrokenChain::Loop(place));
        }
        if !link.period.contains(at) {
            return Err(BrokenChain::NotInForce(place));
        }
        seen.push(&link.to);
        allowed.categories = allowed.categories.intersection(link.categories);
        allowed.sensitive = allowed.sensitive.intersection(link.sensitive);
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::category::{Category, SensitiveKind};

    fn delegates() -> [Delegate; 5] {
        [
            Delegate::Patient("lily".parse().unwrap()),
            Delegate::Person("acc_wei".parse().unwrap()),
            Delegate::App("glucose-coach".parse().unwrap()),
            Delegate::App("behind".parse().unwrap()),
            Delegate::Patient("james".parse().unwrap()),
        ]
    }

    fn lily() -> PatientId {
        "lily".parse().unwrap()
    }

    fn link(by: usize, to: usize, until: i64) -> DelegationLink {
        DelegationLink {
            by: delegates()[by].clone(),
            to: delegates()[to].clone(),
            period: Period { start: Some(At::from_secs(0)), end: Some(At::from_secs(until)) },
            categories: CategorySet::all().without(Category::Billing),
            sensitive: SensitiveSet::all().without(SensitiveKind::Adolescent),
        }
    }

    // Covers: RFC 8693 §4.1; design §5, all links must pass
    #[test]
    fn every_link_must_pass_at_the_instant() {
        let chain = [link(0, 1, 20), link(1, 2, 10), link(2, 3, 30)];
        let judged = |secs| judge(&lily(), &chain, At::from_secs(secs)).map(|_| ());
        assert_eq!(judged(9), Ok(()));
        assert_eq!(judged(10), Err(BrokenChain::NotInForce(1)));
        assert_eq!(judged(20), Err(BrokenChain::NotInForce(0)));
        assert_eq!(judged(-1), Err(BrokenChain::NotInForce(0)));
        assert!(judge(&lily(), &[], At::from_secs(0)).is_ok(), "the patient's own act");
    }

    #[test]
    fn a_chain_is_whole_begins_with_the_patient_and_leads_forward() {
        let at = At::from_secs(1);
        let check = |links: &[DelegationLink], expected| {
            assert_eq!(judge(&lily(), links, at).map(|_| ()), Err(expected));
        };
        check(&[link(1, 2, 9)], BrokenChain::Start);
        check(&[link(4, 1, 9)], BrokenChain::Start);
        check(&[link(0, 1, 9), link(2, 3, 9)], BrokenChain::Gap(1));
        check(&[link(0, 1, 9), link(1, 0, 9)], BrokenChain::Loop(1));
        check(&[link(0, 1, 9), link(1, 1, 9)], BrokenChain::Loop(1));
        let long = vec![link(0, 1, 9); LINKS_MAX + 1];
        check(&long, BrokenChain::TooLong);
    }

    fn any_link() -> impl Strategy<Value = DelegationLink> {
        let sets = (any::<u32>(), any::<u16>());
        (0_usize..5, 0_usize..5, 0_i64..4, sets).prop_map(|(by, to, until, (mask, kinds))| {
            let mut made = link(by, to, until);
            made.categories =
                Category::ALL.iter().copied().filter(|it| mask >> (*it as u32) & 1 == 1).collect();
            made.sensitive = SensitiveKind::ALL
                .iter()
                .copied()
                .filter(|it| kinds >> (*it as u16) & 1 == 1)
                .collect();
            made
        })
    }

    proptest! {
        // Laws: a chain allows no more than each link, and no more than its own beginning.
        #[test]
        fn a_longer_chain_never_allows_more(
            links in prop::collection::vec(any_link(), 0..5),
            secs in 0_i64..4,
        ) {
            let at = At::from_secs(secs);
            let Ok(whole) = judge(&lily(), &links, at) else { return Ok(()) };
            for link in &links {
                prop_assert!(link.period.contains(at));
                prop_assert!(whole.categories.is_subset_of(link.categories));
                prop_assert!(whole.sensitive.is_subset_of(link.sensitive));
            }
            for shorter in 0..links.len() {
                let beginning = judge(&lily(), &links[..shorter], at).unwrap();
                prop_assert!(whole.categories.is_subset_of(beginning.categories));
                prop_assert!(whole.sensitive.is_subset_of(beginning.sensitive));
            }
        }

        // Law: what is broken stays broken, whatever is added behind it.
        #[test]
        fn nothing_behind_a_broken_link_mends_the_chain(
            links in prop::collection::vec(any_link(), 1..4),
            more in any_link(),
            secs in 0_i64..4,
        ) {
            let at = At::from_secs(secs);
            if judge(&lily(), &links, at).is_err() {
                let mut longer = links;
                longer.push(more);
                prop_assert!(judge(&lily(), &longer, at).is_err());
            }
        }
    }
}
