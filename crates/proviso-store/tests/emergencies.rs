//! Emergency access and its reviews on every back end: append-only, in order, judged by another.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

mod world;

use proviso_core::emergency::review::{Review, ReviewStanding, Verdict};
use proviso_store::{Batch, CommitError, Op, Precondition, Store};
use world::{at, emergency, finding, reviewed, stores};

async fn commit(store: &Store, op: Op) -> u64 {
    store.commit(Batch::new().with(op)).await.unwrap().epoch
}

async fn refuse(store: &Store, op: Op, reason: Precondition) {
    match store.commit(Batch::new().with(op)).await {
        Err(CommitError::Precondition { which, .. }) => assert_eq!(which, reason),
        other => panic!("expected {reason:?}, got {other:?}"),
    }
}

#[tokio::test]
async fn what_was_declared_is_ended_once_and_never_changes() {
    let (_folder, stores) = stores();
    for store in stores {
        let declared = emergency("one", "a");
        let ended = declared.clone().end("acc_b".parse().unwrap(), at(9)).unwrap();
        refuse(&store, Op::PutEmergencyVersion(ended.clone()), Precondition::Missing).await;
        let before = commit(&store, Op::PutEmergencyVersion(declared.clone())).await;
        refuse(&store, Op::PutEmergencyVersion(declared.clone()), Precondition::Exists).await;
        let mut longer = ended.clone();
        longer.declaration.ends_at = at(3_600);
        refuse(&store, Op::PutEmergencyVersion(longer), Precondition::Contradiction).await;
        let mut skipped = ended.clone();
        skipped.number = 3;
        refuse(&store, Op::PutEmergencyVersion(skipped), Precondition::Contradiction).await;
        let after = commit(&store, Op::PutEmergencyVersion(ended.clone())).await;
        assert!(after > before, "decisions change");
        refuse(&store, Op::PutEmergencyVersion(ended.clone()), Precondition::Changed).await;
        assert_eq!(store.emergency(&ended.declaration.id).await.unwrap(), Some(ended.clone()));
        assert_eq!(store.emergencies().await.unwrap(), std::slice::from_ref(&ended));
        let of = |id: &str| id.parse().unwrap();
        assert_eq!(
            store.emergencies_of_patient(&of("maria")).await.unwrap(),
            std::slice::from_ref(&ended)
        );
        assert_eq!(store.emergencies_of_patient(&of("james")).await.unwrap(), []);
        let by = |id: &str| id.parse().unwrap();
        assert_eq!(
            store.emergencies_of_account(&by("acc_a")).await.unwrap(),
            std::slice::from_ref(&ended)
        );
        assert_eq!(store.emergencies_of_account(&by("acc_b")).await.unwrap(), []);
        let end = ended.declaration.ends_at;
        assert_eq!(store.emergencies_after(end).await.unwrap(), []);
        assert_eq!(store.emergencies_after(at(1_799)).await.unwrap(), [ended]);
    }
}

#[tokio::test]
async fn a_version_that_was_ended_from_the_start_is_none() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut ended = emergency("one", "a").end("acc_b".parse().unwrap(), at(9)).unwrap();
        ended.number = 1;
        refuse(&store, Op::PutEmergencyVersion(ended), Precondition::Contradiction).await;
    }
}

#[tokio::test]
async fn a_review_belongs_to_an_emergency_and_is_decided_by_another_person_once() {
    let (_folder, stores) = stores();
    for store in stores {
        let declared = emergency("one", "a");
        let open = Review::open(&declared);
        refuse(&store, Op::PutReviewVersion(open.clone()), Precondition::Missing).await;
        commit(&store, Op::PutEmergencyVersion(declared.clone())).await;
        let followed = reviewed("one", Verdict::NeedsFollowUp, "b");
        refuse(&store, Op::PutReviewVersion(followed.clone()), Precondition::Missing).await;
        let mut late = open.clone();
        late.due_at = late.due_at.plus_secs(1);
        refuse(&store, Op::PutReviewVersion(late), Precondition::Contradiction).await;
        commit(&store, Op::PutReviewVersion(open.clone())).await;
        refuse(&store, Op::PutReviewVersion(open.clone()), Precondition::Exists).await;
        let own = Op::PutReviewVersion(reviewed("one", Verdict::Justified, "a"));
        refuse(&store, own, Precondition::Contradiction).await;
        commit(&store, Op::PutReviewVersion(followed.clone())).await;
        refuse(&store, Op::PutReviewVersion(followed.clone()), Precondition::Changed).await;
        let decided =
            followed.clone().decide(&declared, finding(Verdict::NotJustified, "c")).unwrap();
        commit(&store, Op::PutReviewVersion(decided.clone())).await;
        let mut again = decided.clone();
        again.number += 1;
        refuse(&store, Op::PutReviewVersion(again), Precondition::Ended).await;
        assert_eq!(store.reviews().await.unwrap(), std::slice::from_ref(&decided));
        assert_eq!(decided.standing(at(3_601)), ReviewStanding::NotJustified);
        let versions = store.review_versions(&declared.declaration.id).await.unwrap();
        assert_eq!(versions, [open, followed, decided]);
    }
}
