//! Sets of policies on every back end: nothing decided alone, nothing in force unapproved.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

mod world;

use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetRecord, SetStage, Signature};
use proviso_store::{Batch, CommitError, Op, Precondition, Store};
use world::{at, audit, policy_set, stores};

async fn commit(store: &Store, op: Op) -> u64 {
    store.commit(Batch::new().with(op)).await.unwrap().epoch
}

async fn refuse(store: &Store, op: Op, reason: Precondition) {
    match store.commit(Batch::new().with(op)).await {
        Err(CommitError::Precondition { which, .. }) => assert_eq!(which, reason),
        other => panic!("expected {reason:?}, got {other:?}"),
    }
}

fn approved(number: u8) -> PolicySetRecord {
    policy_set(number).record.approve("acc_b".parse().unwrap(), at(2)).unwrap()
}

fn in_force(live: Option<u8>, shadow: Option<u8>) -> PoliciesInForce {
    let id = |number| policy_set(number).record.id;
    PoliciesInForce { live: live.map(id), shadow: shadow.map(id) }
}

fn put(now: PoliciesInForce, expect: PoliciesInForce) -> Op {
    Op::PutPoliciesInForce { now, expect }
}

#[tokio::test]
async fn a_set_is_proposed_by_one_person_and_approved_by_another() {
    let (_folder, stores) = stores();
    for store in stores {
        refuse(&store, Op::DecidePolicySet(approved(1)), Precondition::Missing).await;
        commit(&store, Op::ProposePolicySet(policy_set(1))).await;
        refuse(&store, Op::ProposePolicySet(policy_set(1)), Precondition::Exists).await;
        let signature = Signature { by: "acc_a".parse().unwrap(), at: at(2) };
        let alone =
            PolicySetRecord { stage: SetStage::Approved(signature), ..policy_set(1).record };
        refuse(&store, Op::DecidePolicySet(alone), Precondition::Contradiction).await;
        let mut other = approved(1);
        other.note = "another note".to_owned();
        refuse(&store, Op::DecidePolicySet(other), Precondition::Contradiction).await;
        let waits = Op::DecidePolicySet(policy_set(1).record);
        refuse(&store, waits, Precondition::Contradiction).await;
        commit(&store, Op::DecidePolicySet(approved(1))).await;
        refuse(&store, Op::DecidePolicySet(approved(1)), Precondition::Changed).await;
        let found = store.policy_set(&approved(1).id).await.unwrap().unwrap();
        assert_eq!(found.record, approved(1));
        assert_eq!(found.documents, policy_set(1).documents);
        assert_eq!(store.policy_sets().await.unwrap(), vec![approved(1)]);
        assert_eq!(store.policy_set(&approved(2).id).await.unwrap(), None);
        // A set that comes approved was approved by nobody.
        let mut done = policy_set(2);
        done.record = approved(2);
        refuse(&store, Op::ProposePolicySet(done), Precondition::Contradiction).await;
    }
}

#[tokio::test]
async fn only_approved_sets_come_into_force_and_that_raises_the_epoch() {
    let (_folder, stores) = stores();
    for store in stores {
        let none = in_force(None, None);
        assert_eq!(store.policies_in_force().await.unwrap(), none);
        let one = || put(in_force(Some(1), None), in_force(None, None));
        refuse(&store, one(), Precondition::Missing).await;
        let epoch = commit(&store, Op::ProposePolicySet(policy_set(1))).await;
        refuse(&store, one(), Precondition::Contradiction).await;
        assert_eq!(commit(&store, Op::DecidePolicySet(approved(1))).await, epoch);
        assert_eq!(commit(&store, one()).await, epoch + 1);
        refuse(&store, one(), Precondition::Changed).await;
        commit(&store, Op::ProposePolicySet(policy_set(2))).await;
        let shadow = put(in_force(Some(1), Some(2)), in_force(Some(1), None));
        refuse(&store, shadow.clone(), Precondition::Contradiction).await;
        let rejected = policy_set(2).record.reject("acc_b".parse().unwrap(), at(3)).unwrap();
        commit(&store, Op::DecidePolicySet(rejected)).await;
        refuse(&store, shadow, Precondition::Contradiction).await;
        assert_eq!(store.policies_in_force().await.unwrap(), in_force(Some(1), None));
        assert_eq!(commit(&store, put(none, in_force(Some(1), None))).await, epoch + 2);
    }
}

#[tokio::test]
async fn a_set_and_its_audit_entry_are_written_together_or_not_at_all() {
    let (_folder, stores) = stores();
    for store in stores {
        let batch = Batch::new()
            .with(Op::ProposePolicySet(policy_set(1)))
            .with(Op::AppendAudit(audit(1)))
            .with(Op::ProposePolicySet(policy_set(1)));
        assert!(store.commit(batch).await.is_err());
        assert_eq!(store.policy_sets().await.unwrap(), vec![]);
        assert_eq!(store.checkpoint().await.unwrap(), None);
    }
}
