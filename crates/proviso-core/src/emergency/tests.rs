use alloc::string::String;
use core::fmt::Write as _;

use super::review::{DUE_SECS, Finding, Review, ReviewError, ReviewStanding, Verdict};
use super::*;

const NOON: At = At::from_secs(1_795_000_000);

fn account(name: &str) -> AccountId {
    alloc::format!("acc_{name}").parse().unwrap()
}

fn terms() -> Terms {
    Terms {
        by: account("drstone"),
        patient: "maria".parse().unwrap(),
        reason: EmergencyReason::Unresponsive,
        why: "found unresponsive in the street".parse().unwrap(),
        minutes: Minutes::try_from(30).unwrap(),
        authenticated_at: NOON,
    }
}

fn declared() -> Emergency {
    Emergency::declare("emg_1".parse().unwrap(), terms(), NOON).unwrap()
}

fn before(at: At) -> At {
    At::from_micros(at.as_micros() - 1)
}

#[test]
fn the_diagrams_show_the_transition_tables() {
    let mut drawn = String::from("//! ```text\n");
    for (before, verb, after) in TRANSITIONS {
        let before = before.map_or("(none)", Standing::code);
        writeln!(drawn, "//! {before:<8} --{:-<7}-> {}", verb.code(), after.code()).unwrap();
    }
    drawn.push_str("//! ```\n");
    assert!(include_str!("mod.rs").contains(&drawn), "the diagram should read:\n{drawn}");

    let mut drawn = String::from("//! ```text\n//! (none)    --open------> open\n");
    for (before, verdict, after) in review::TRANSITIONS {
        let (before, after) = (before.code(), after.code());
        writeln!(drawn, "//! {before:<9} --{:-<9}-> {after}", verdict.verb()).unwrap();
    }
    drawn.push_str("//! ```\n");
    assert!(include_str!("review.rs").contains(&drawn), "the diagram should read:\n{drawn}");
}

#[test]
fn it_is_for_one_to_sixty_minutes() {
    for (minutes, holds) in [(0, false), (1, true), (60, true), (61, false), (316, false)] {
        assert_eq!(Minutes::try_from(minutes).is_ok(), holds, "{minutes}");
    }
    assert_eq!(Minutes::MAX.get(), 60);
}

#[test]
fn it_needs_a_reason_in_words_that_somebody_can_read() {
    for nothing in ["", "  \n", "...", "\u{200b}"] {
        assert_eq!(nothing.parse::<Why>(), Err(EmergencyValueError::Why), "{nothing:?}");
    }
    assert_eq!(" fell ".parse::<Why>().unwrap().as_str(), "fell");
    assert!("x".repeat(WHY_CHARS_MAX).parse::<Why>().is_ok());
    assert!("x".repeat(WHY_CHARS_MAX + 1).parse::<Why>().is_err());
    let why: Why = "hiv crisis".parse().unwrap();
    assert!(!alloc::format!("{why:?}").contains("hiv"), "logs do not tell");
}

#[test]
fn a_code_of_no_catalogue_is_no_reason() {
    assert!("curious".parse::<EmergencyReason>().is_err());
    assert!("life-threat".parse::<EmergencyReason>().is_ok());
}

#[test]
fn the_proof_of_who_it_is_was_given_just_before() {
    let limit = NOON.plus_secs(STEP_UP_SECS_MAX);
    let declare = |at| Emergency::declare("emg_1".parse().unwrap(), terms(), at);
    assert_eq!(declare(before(NOON)), Err(EmergencyError::StepUp), "a proof of the future");
    assert!(declare(NOON).is_ok());
    assert!(declare(before(limit)).is_ok());
    assert_eq!(declare(limit), Err(EmergencyError::StepUp));
    assert!(declare(before(limit)).unwrap().facts().stepped_up());
    let stale = EmergencyFacts { declared_at: limit, ..declared().facts() };
    assert!(!stale.stepped_up());
}

#[test]
fn it_holds_from_its_declaration_to_before_its_end() {
    let own = declared();
    let end = own.declaration.ends_at;
    assert_eq!(end, NOON.plus_secs(30 * 60));
    assert_eq!(own.standing(before(NOON)), Standing::Expired);
    assert_eq!(own.standing(NOON), Standing::InForce);
    assert_eq!(own.standing(before(end)), Standing::InForce);
    assert_eq!(own.standing(end), Standing::Expired);
}

#[test]
fn whatever_is_stored_it_holds_no_longer_than_the_limit() {
    let mut facts = declared().facts();
    facts.ends_at = NOON.plus_days(1);
    let limit = NOON.plus_secs(3_600);
    assert_eq!(facts.standing(before(limit)), Standing::InForce);
    assert_eq!(facts.standing(limit), Standing::Expired);
}

#[test]
fn who_ends_it_ends_it_once_and_for_all() {
    let at = NOON.plus_secs(60);
    let ended = declared().end(account("officer"), at).unwrap();
    assert_eq!(ended.number, 2);
    assert!(ended.follows(&declared()) && !declared().follows(&ended) && !ended.follows(&ended));
    for at in [NOON, before(at), at, at.plus_secs(1)] {
        assert_eq!(ended.standing(at), Standing::Ended, "a clock that is set back changes nothing");
    }
    assert_eq!(ended.end(account("drstone"), at), Err(EmergencyError::Over));
    let over = declared().declaration.ends_at;
    assert_eq!(declared().end(account("drstone"), over), Err(EmergencyError::Over));
}

#[test]
fn minutes_count_whole_and_a_wrong_clock_counts_as_too_old() {
    let facts = declared().facts();
    for (secs, minutes) in [(0, 0), (59, 0), (60, 1), (3_599, 59), (3_600, 60)] {
        assert_eq!(facts.minutes(NOON.plus_secs(secs)), minutes, "{secs}");
    }
    assert_eq!(facts.minutes(before(NOON)), u8::MAX);
    assert_eq!(facts.minutes(NOON.plus_days(300)), u8::MAX);
}

fn finding(verdict: Verdict, by: &str, at: At) -> Finding {
    Finding { verdict, note: "looked at the entries".parse().unwrap(), by: account(by), at }
}

#[test]
fn a_review_is_open_until_its_deadline_and_then_overdue() {
    let review = Review::open(&declared());
    let due = NOON.plus_secs(DUE_SECS);
    assert_eq!(review.due_at, due);
    assert_eq!(review.standing(before(due)), ReviewStanding::Open);
    assert_eq!(review.standing(due), ReviewStanding::Overdue);
    // Late is better than never.
    let late = review.decide(&declared(), finding(Verdict::Justified, "officer", due));
    assert_eq!(late.unwrap().standing(due), ReviewStanding::Justified);
}

#[test]
fn nobody_reviews_what_they_declared() {
    let over = declared().declaration.ends_at;
    for verdict in Verdict::ALL {
        let review = Review::open(&declared());
        let own = review.clone().decide(&declared(), finding(*verdict, "drstone", over));
        assert_eq!(own, Err(ReviewError::SamePerson));
        let other = review.clone().decide(&declared(), finding(*verdict, "officer", over)).unwrap();
        assert!(other.follows(&review, &account("drstone")));
        assert!(!other.follows(&review, &account("officer")));
    }
}

#[test]
fn what_goes_on_cannot_be_judged_yet() {
    let end = declared().declaration.ends_at;
    let decide = |emergency: &Emergency, at| {
        Review::open(&declared()).decide(emergency, finding(Verdict::Justified, "officer", at))
    };
    assert_eq!(decide(&declared(), before(end)), Err(ReviewError::StillInForce));
    assert!(decide(&declared(), end).is_ok());
    let ended = declared().end(account("drstone"), NOON.plus_secs(9)).unwrap();
    assert!(decide(&ended, NOON.plus_secs(9)).is_ok());
    let mut other = ended;
    other.declaration.id = "emg_2".parse().unwrap();
    assert_eq!(decide(&other, end), Err(ReviewError::OtherEmergency));
}

#[test]
fn verdicts_follow_the_table_and_nothing_else() {
    let at = declared().declaration.ends_at;
    let open = Review::open(&declared());
    let by = |verdict| finding(verdict, "officer", at);
    let reviews: alloc::vec::Vec<Review> = core::iter::once(open.clone())
        .chain(Verdict::ALL.iter().map(|own| open.clone().decide(&declared(), by(*own)).unwrap()))
        .collect();
    for review in reviews {
        for verdict in Verdict::ALL {
            let standing = review.standing(at);
            let agreed = review::TRANSITIONS
                .iter()
                .find(|(before, own, _)| *before == standing && own == verdict)
                .map(|(_, _, after)| *after);
            let decided = review.clone().decide(&declared(), by(*verdict));
            assert_eq!(decided.clone().ok().map(|own| own.standing(at)), agreed, "{standing:?}");
            if let Err(why) = decided {
                assert_eq!(why, ReviewError::AlreadyDecided);
            }
        }
    }
}

#[test]
fn a_follow_up_has_a_deadline_of_its_own() {
    let at = declared().declaration.ends_at;
    let followed = Review::open(&declared())
        .decide(&declared(), finding(Verdict::NeedsFollowUp, "officer", at));
    let followed = followed.unwrap();
    let due = at.plus_secs(DUE_SECS);
    assert_eq!(followed.standing(before(due)), ReviewStanding::FollowUp);
    assert_eq!(followed.standing(due), ReviewStanding::Overdue);
}

#[test]
fn values_survive_being_written_and_read() {
    let own = declared().end(account("drstone"), NOON.plus_secs(1)).unwrap();
    let text = serde_json::to_string(&own).unwrap();
    assert_eq!(serde_json::from_str::<Emergency>(&text).unwrap(), own);
    let review = Review::open(&own);
    let text = serde_json::to_string(&review).unwrap();
    assert_eq!(serde_json::from_str::<Review>(&text).unwrap(), review);
    assert!(serde_json::from_str::<Minutes>("61").is_err());
    assert!(serde_json::from_str::<Why>("\" \"").is_err());
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::of_code(verdict.code()), Some(*verdict));
    }
}
