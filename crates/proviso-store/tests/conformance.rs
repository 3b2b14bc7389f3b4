//! What every back end must do, run on each of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail loudly")]

mod world;

use proviso_core::account::{Relationship, RelationshipKind};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{Category, CategorySet};
use proviso_core::id::ConsentVersionId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::Period;
use proviso_oauth::record::{KeyUse, OpaqueBytes, SealedKey, TokenHash, UsedAssertion};
use proviso_store::{
    AuditQuery, Batch, CandidateQuery, Clause, CommitError, ConsentScan, Expect, ExpectSetting,
    Faults, HistoryQuery, Objection, Op, OpenOptions, Precondition, Presence, RangeKey, Receipt,
    RecordMethod, ScanPlace, Store, StoredSubscription, SubscriptionProgress,
};
use proviso_tlog::TileId;
use world::{
    account, at, audit, client, code, consent, end, grant, kept, observation, options, record,
    refresh_token, session, stores, subscription, ticket, version_id,
};

async fn commit(store: &Store, ops: impl Into<Vec<Op>>) -> Receipt {
    store.commit(Batch::from(ops.into())).await.unwrap()
}

/// The batch is refused at an operation for a reason.
async fn refuse(store: &Store, ops: impl Into<Vec<Op>>, position: usize, reason: Precondition) {
    match store.commit(Batch::from(ops.into())).await {
        Err(CommitError::Precondition { op, which }) => assert_eq!((op, which), (position, reason)),
        other => panic!("expected {reason:?}, got {other:?}"),
    }
}

fn put(record: proviso_store::RecordVersion, expect: Expect) -> Op {
    Op::PutRecord { record, expect }
}

#[tokio::test]
async fn an_account_is_found_by_id_and_by_username_in_any_letter_case() {
    let (_folder, stores) = stores();
    for store in stores {
        commit(&store, [Op::PutAccount { account: account("Maria"), expect: Presence::Absent }])
            .await;
        let id = "acc_maria".parse().unwrap();
        assert_eq!(store.account(&id).await.unwrap(), Some(account("Maria")));
        assert_eq!(store.account_by_username("mARIA").await.unwrap(), Some(account("Maria")));
        assert_eq!(store.account_by_username("james").await.unwrap(), None);
        assert_eq!(store.accounts().await.unwrap(), vec![account("Maria")]);
    }
}

#[tokio::test]
async fn a_username_belongs_to_one_account() {
    let (_folder, stores) = stores();
    for store in stores {
        let put = |account, expect| Op::PutAccount { account, expect };
        commit(&store, [put(account("Maria"), Presence::Any)]).await;
        let mut other = account("James");
        other.username = "MARIA".to_owned();
        refuse(&store, [put(other, Presence::Any)], 0, Precondition::UsernameTaken).await;
        refuse(&store, [put(account("Maria"), Presence::Absent)], 0, Precondition::Exists).await;
        refuse(&store, [put(account("Wei"), Presence::Present)], 0, Precondition::Missing).await;
        let mut renamed = account("Maria");
        renamed.username = "maria.alvarez".to_owned();
        commit(&store, [put(renamed, Presence::Present)]).await;
        assert_eq!(store.account_by_username("maria").await.unwrap(), None);
        let mut reused = account("James");
        reused.username = "maria".to_owned();
        commit(&store, [put(reused, Presence::Absent)]).await;
    }
}

#[tokio::test]
async fn a_session_lives_until_it_is_ended() {
    let (_folder, stores) = stores();
    for store in stores {
        let id = session("one").id;
        commit(&store, [Op::PutSession(session("one")), Op::PutSession(session("two"))]).await;
        refuse(&store, [Op::PutSession(session("one"))], 0, Precondition::Exists).await;
        let touch = |secs| Op::TouchSession { id: id.clone(), at: at(secs) };
        commit(&store, [touch(50)]).await;
        commit(&store, [touch(20)]).await;
        let found = store.session_by_secret("secret-one").await.unwrap().unwrap();
        assert_eq!(found.last_used_at, at(50));
        assert_eq!(store.session(&id).await.unwrap(), Some(found));
        commit(&store, [Op::EndSession { id: id.clone(), at: at(60) }]).await;
        refuse(&store, [touch(70)], 0, Precondition::Ended).await;
        let again = Op::EndSession { id: id.clone(), at: at(70) };
        refuse(&store, [again], 0, Precondition::Ended).await;
        let maria = "acc_maria".parse().unwrap();
        commit(&store, [Op::EndSessionsOfAccount { account: maria, at: at(80) }]).await;
        let ended = |name| store.session_by_secret(name);
        assert_eq!(ended("secret-one").await.unwrap().unwrap().ended_at, Some(at(60)));
        assert_eq!(ended("secret-two").await.unwrap().unwrap().ended_at, Some(at(80)));
    }
}

#[tokio::test]
async fn what_works_once_works_once() {
    let (_folder, stores) = stores();
    for store in stores {
        let hash = TokenHash::of("ticket");
        let take = |secs| Op::ConsumeLaunchTicket { hash, at: at(secs) };
        refuse(&store, [take(1)], 0, Precondition::Missing).await;
        commit(&store, [Op::PutLaunchTicket(ticket("ticket"))]).await;
        refuse(&store, [take(100)], 0, Precondition::Ended).await;
        commit(&store, [take(99)]).await;
        refuse(&store, [take(99)], 0, Precondition::AlreadyConsumed).await;
        let found = store.launch_ticket(&hash).await.unwrap().unwrap();
        assert_eq!(found.consumed_at, Some(at(99)));

        let used = |jti: &str| {
            Op::UseAssertion(UsedAssertion {
                issuer: "quality-study".parse().unwrap(),
                jti: jti.to_owned(),
                expires_at: at(10),
            })
        };
        commit(&store, [used("a"), used("b")]).await;
        refuse(&store, [used("c"), used("a")], 1, Precondition::Exists).await;
        commit(&store, [used("c")]).await;
    }
}

/// Of two that name the same key at once, one is told that it was there before.
#[tokio::test]
async fn a_key_stands_for_one_request_until_it_is_over() {
    let (_folder, stores) = stores();
    for store in stores {
        commit(&store, [Op::KeepAnswer(kept(1, 0, 10)), Op::KeepAnswer(kept(2, 0, 10))]).await;
        refuse(&store, [Op::KeepAnswer(kept(1, 9, 20))], 0, Precondition::Exists).await;
        let found = async |key: u8, secs| store.kept_answer(&[key; 32], at(secs)).await.unwrap();
        assert_eq!(found(1, 9).await, Some(kept(1, 0, 10).done));
        assert_eq!(found(1, 10).await, None);
        assert_eq!(found(3, 0).await, None);
        commit(&store, [Op::KeepAnswer(kept(1, 10, 20))]).await;
        assert_eq!(found(1, 19).await, Some(kept(1, 10, 20).done));
        commit(&store, [Op::PurgeExpired { before: at(11) }]).await;
        assert_eq!(found(2, 0).await, None);
        assert!(found(1, 19).await.is_some());
    }
}

#[tokio::test]
async fn a_subscription_is_made_moved_on_and_ended() {
    let (_folder, stores) = stores();
    for store in stores {
        let put =
            |own: StoredSubscription, expect| Op::PutSubscription { subscription: own, expect };
        let one = subscription("one", 3);
        commit(&store, [put(one.clone(), Presence::Absent)]).await;
        refuse(&store, [put(one.clone(), Presence::Absent)], 0, Precondition::Exists).await;
        let two = subscription("two", 5);
        refuse(&store, [put(two.clone(), Presence::Present)], 0, Precondition::Missing).await;
        commit(&store, [put(two.clone(), Presence::Absent)]).await;
        assert_eq!(store.subscriptions().await.unwrap(), vec![one.clone(), two.clone()]);
        let id = one.id.clone();
        let progress = SubscriptionProgress { reached: 9, failures: 1, ..one.progress.clone() };
        let on = |id: &str| Op::PutSubscriptionProgress {
            id: id.parse().unwrap(),
            progress: progress.clone(),
        };
        commit(&store, [on("one")]).await;
        refuse(&store, [on("three")], 0, Precondition::Missing).await;
        // What was under way for a version does not touch the next one.
        let other = SubscriptionProgress { version: 2, ..progress.clone() };
        let stale = Op::PutSubscriptionProgress { id: id.clone(), progress: other };
        refuse(&store, [stale], 0, Precondition::Changed).await;
        assert_eq!(store.subscriptions().await.unwrap()[0].progress, progress);
        let end = || Op::DeleteSubscription { id: id.clone() };
        commit(&store, [end()]).await;
        refuse(&store, [end()], 0, Precondition::Missing).await;
        refuse(&store, [on("one")], 0, Precondition::Missing).await;
        assert_eq!(store.subscriptions().await.unwrap(), vec![two]);
    }
}

#[tokio::test]
async fn changes_of_a_type_are_read_in_the_order_in_which_they_were_written() {
    let (_folder, stores) = stores();
    for store in stores {
        let absent = || Expect::Absent;
        commit(
            &store,
            [
                put(record(ResourceType::PATIENT, "a", 1), absent()),
                put(record(ResourceType::OBSERVATION, "o", 1), absent()),
            ],
        )
        .await;
        commit(&store, [put(record(ResourceType::PATIENT, "b", 1), absent())]).await;
        let ids = async |after, limit| {
            let found = store.changes(ResourceType::PATIENT, None, after, limit).await.unwrap();
            found.iter().map(|own| (own.seq, own.id.to_string())).collect::<Vec<_>>()
        };
        let (a, b) = ((1, "a".to_owned()), (3, "b".to_owned()));
        assert_eq!(ids(0, 9).await, vec![a.clone(), b.clone()]);
        assert_eq!(ids(0, 1).await, vec![a]);
        assert_eq!(ids(1, 9).await, vec![b]);
        assert_eq!(ids(3, 9).await, vec![]);
    }
}

#[tokio::test]
async fn a_code_is_taken_once_and_only_while_its_grant_is_active() {
    let (_folder, stores) = stores();
    for store in stores {
        let take = |name: &str, secs| Op::ConsumeAuthorizationCode {
            hash: TokenHash::of(name),
            at: at(secs),
        };
        commit(
            &store,
            [
                Op::PutGrant(grant("g", Some("c"))),
                Op::PutAuthorizationCode(code("one", "g")),
                Op::PutAuthorizationCode(code("two", "g")),
                Op::PutAuthorizationCode(code("stray", "unknown")),
            ],
        )
        .await;
        refuse(&store, [take("one", 60)], 0, Precondition::Ended).await;
        refuse(&store, [take("stray", 1)], 0, Precondition::GrantEnded).await;
        commit(&store, [take("one", 59)]).await;
        refuse(&store, [take("one", 59)], 0, Precondition::AlreadyConsumed).await;
        commit(&store, [Op::EndGrant { id: grant("g", None).id, end: end(1) }]).await;
        refuse(&store, [take("two", 1)], 0, Precondition::GrantEnded).await;
        // Reuse is still noticed after the grant has ended.
        refuse(&store, [take("one", 59)], 0, Precondition::AlreadyConsumed).await;
        let found = store.authorization_code(&TokenHash::of("one")).await.unwrap().unwrap();
        assert_eq!(found.consumed_at, Some(at(59)));
    }
}

#[tokio::test]
async fn ending_the_grants_of_a_consent_stops_their_refresh_tokens() {
    let (_folder, stores) = stores();
    for store in stores {
        let receipt = commit(
            &store,
            [
                Op::PutGrant(grant("a", Some("shared"))),
                Op::PutGrant(grant("b", Some("shared"))),
                Op::PutGrant(grant("c", Some("other"))),
                Op::PutRefreshToken(refresh_token("r1", "a")),
            ],
        )
        .await;
        assert_eq!(receipt.epoch, 1);
        let shared = "cns_shared".parse().unwrap();
        let stop = Op::EndGrantsOfConsent { consent: shared, end: end(5) };
        let receipt = commit(&store, [stop.clone()]).await;
        let ended: Vec<_> =
            receipt.ended_grants.iter().map(proviso_core::id::GrantId::as_str).collect();
        assert_eq!(ended, ["grt_a", "grt_b"]);
        assert_eq!(receipt.epoch, 2);
        assert!(commit(&store, [stop]).await.ended_grants.is_empty());
        let active = store.active_grants().await.unwrap();
        assert_eq!(active, vec![grant("c", Some("other"))]);
        let rotate = Op::RotateRefreshToken {
            current: TokenHash::of("r1"),
            next: refresh_token("r2", "a"),
            at: at(6),
        };
        refuse(&store, [rotate], 0, Precondition::GrantEnded).await;
        let late = Op::PutRefreshToken(refresh_token("r3", "a"));
        refuse(&store, [late], 0, Precondition::GrantEnded).await;
        let id = grant("a", None).id;
        refuse(&store, [Op::EndGrant { id, end: end(7) }], 0, Precondition::Ended).await;
        let widened = Op::AmendGrant(grant("a", Some("shared")));
        refuse(&store, [widened], 0, Precondition::Ended).await;
        assert_eq!(store.epoch().await.unwrap(), 3);
    }
}

#[tokio::test]
async fn grants_are_found_by_account_client_and_consent() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut service = grant("service", None);
        service.account = None;
        service.client = "quality-study".parse().unwrap();
        let personal = grant("personal", Some("x"));
        commit(&store, [Op::PutGrant(service.clone()), Op::PutGrant(personal.clone())]).await;
        let maria = "acc_maria".parse().unwrap();
        assert_eq!(store.grants_of_account(&maria).await.unwrap(), vec![personal.clone()]);
        let found = store.grants_of_client(&service.client).await.unwrap();
        assert_eq!(found, vec![service.clone()]);
        let consent = "cns_x".parse().unwrap();
        assert_eq!(store.grants_of_consent(&consent).await.unwrap(), vec![personal.clone()]);
        let mut narrowed = personal.clone();
        narrowed.expires_at = Some(at(9));
        commit(&store, [Op::AmendGrant(narrowed.clone())]).await;
        assert_eq!(store.grant(&personal.id).await.unwrap(), Some(narrowed));
        refuse(&store, [Op::PutGrant(personal)], 0, Precondition::Exists).await;
    }
}

#[tokio::test]
async fn a_refresh_token_is_replaced_once() {
    let (_folder, stores) = stores();
    for store in stores {
        let rotate = |current: &str, next: &str, of: &str, secs| Op::RotateRefreshToken {
            current: TokenHash::of(current),
            next: refresh_token(next, of),
            at: at(secs),
        };
        let grants = [Op::PutGrant(grant("g", None)), Op::PutGrant(grant("h", None))];
        commit(&store, grants).await;
        commit(&store, [Op::PutRefreshToken(refresh_token("r1", "g"))]).await;
        refuse(&store, [rotate("r0", "r2", "g", 1)], 0, Precondition::Missing).await;
        refuse(&store, [rotate("r1", "r2", "g", 1000)], 0, Precondition::Ended).await;
        refuse(&store, [rotate("r1", "r2", "h", 1)], 0, Precondition::Contradiction).await;
        refuse(&store, [rotate("r1", "r1", "g", 1)], 0, Precondition::Exists).await;
        commit(&store, [rotate("r1", "r2", "g", 999)]).await;
        refuse(&store, [rotate("r1", "r3", "g", 2)], 0, Precondition::AlreadyConsumed).await;
        let old = store.refresh_token(&TokenHash::of("r1")).await.unwrap().unwrap();
        assert_eq!(old.rotated.unwrap().to, TokenHash::of("r2"));
        assert!(store.refresh_token(&TokenHash::of("r2")).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn consent_versions_follow_one_another() {
    let (_folder, stores) = stores();
    for store in stores {
        let put = |digit, version, expect| Op::PutConsentVersion {
            id: version_id(digit),
            version,
            expect,
        };
        let (first, second) = (Some(version_id(1)), Some(version_id(2)));
        let early = put(2, consent("c", 2, first.clone()), first.clone());
        refuse(&store, [early], 0, Precondition::Missing).await;
        commit(&store, [put(1, consent("c", 1, None), None)]).await;
        refuse(&store, [put(3, consent("c", 1, None), None)], 0, Precondition::Exists).await;
        let lost = put(3, consent("c", 2, second.clone()), second.clone());
        refuse(&store, [lost], 0, Precondition::Changed).await;
        let skipped = put(3, consent("c", 3, first.clone()), first.clone());
        refuse(&store, [skipped], 0, Precondition::Contradiction).await;
        let mut other_patient = consent("c", 2, first.clone());
        other_patient.patient = "james".parse().unwrap();
        let other_patient = put(3, other_patient, first.clone());
        refuse(&store, [other_patient], 0, Precondition::Contradiction).await;
        let same_content = put(1, consent("c", 2, first.clone()), first.clone());
        refuse(&store, [same_content], 0, Precondition::Exists).await;
        commit(&store, [put(2, consent("c", 2, first.clone()), first)]).await;
        commit(&store, [put(4, consent("d", 1, None), None)]).await;

        let id = "cns_c".parse().unwrap();
        let all: Vec<_> =
            store.consent_versions(&id).await.unwrap().into_iter().map(|one| one.id).collect();
        assert_eq!(all, [version_id(1), version_id(2)]);
        assert_eq!(store.consent(&id).await.unwrap().unwrap().id, version_id(2));
        let maria = "maria".parse().unwrap();
        let latest = [version_id(2), version_id(4)];
        let of_patient = store.consents_of_patient(&maria).await.unwrap();
        assert_eq!(of_patient.into_iter().map(|one| one.id).collect::<Vec<_>>(), latest);
        let all_of_patient = store.consent_versions_of_patient(&maria).await.unwrap();
        assert_eq!(
            all_of_patient.into_iter().map(|one| one.id).collect::<Vec<_>>(),
            [version_id(1), version_id(2), version_id(4)]
        );
        let of_all = store.consents().await.unwrap();
        assert_eq!(of_all.into_iter().map(|one| one.id).collect::<Vec<_>>(), latest);
        let james = "james".parse().unwrap();
        assert_eq!(store.consents_of_patient(&james).await.unwrap(), vec![]);
        assert_eq!(store.consent_versions_of_patient(&james).await.unwrap(), vec![]);
    }
}

/// The names of the versions of all pages.
async fn scanned(store: &Store, written_after: Option<u64>, limit: usize) -> Vec<ConsentVersionId> {
    let mut found = Vec::new();
    let mut place = Some(ScanPlace::default());
    while let Some(from) = place {
        let query = ConsentScan { written_after, place: from, limit };
        let page = store.consents_from(query).await.unwrap();
        found.extend(page.consents.into_iter().map(|stored| stored.id));
        place = page.next;
    }
    found
}

#[tokio::test]
async fn a_scan_has_the_latest_version_of_every_consent_that_was_written_after_an_epoch() {
    let (_folder, stores) = stores();
    for store in stores {
        let put = |digit, version, expect| Op::PutConsentVersion {
            id: version_id(digit),
            version,
            expect,
        };
        assert_eq!(scanned(&store, None, 2).await, []);
        commit(&store, [put(1, consent("d", 1, None), None)]).await;
        let ops = [put(2, consent("a", 1, None), None), put(3, consent("c", 1, None), None)];
        assert_eq!(commit(&store, ops).await.epoch, 2);
        let first = Some(version_id(1));
        commit(&store, [put(4, consent("d", 2, first.clone()), first)]).await;
        // What fails leaves no epoch behind.
        let first = Some(version_id(1));
        refuse(&store, [put(5, consent("d", 2, first.clone()), first)], 0, Precondition::Changed)
            .await;
        assert_eq!(commit(&store, [put(5, consent("b", 1, None), None)]).await.epoch, 4);

        let ids = |digits: &[u8]| digits.iter().copied().map(version_id).collect::<Vec<_>>();
        assert_eq!(scanned(&store, None, 100).await, ids(&[2, 5, 3, 4]));
        assert_eq!(scanned(&store, None, 1).await, ids(&[2, 5, 3, 1, 4]));
        assert_eq!(scanned(&store, Some(0), 100).await, ids(&[1, 2, 3, 4, 5]));
        for limit in [1, 2, 3, 100] {
            assert_eq!(scanned(&store, Some(1), limit).await, ids(&[2, 3, 4, 5]));
            assert_eq!(scanned(&store, Some(2), limit).await, ids(&[4, 5]));
            assert_eq!(scanned(&store, Some(3), limit).await, ids(&[5]));
            assert_eq!(scanned(&store, Some(4), limit).await, []);
        }
    }
}

#[tokio::test]
async fn the_log_tells_its_root_at_every_size_it_had() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut roots = vec![proviso_tlog::hash::empty_root()];
        for number in 1..=5 {
            commit(&store, [Op::AppendAudit(audit(number))]).await;
            roots.push(store.checkpoint().await.unwrap().unwrap().root);
        }
        for (size, root) in (0..).zip(&roots) {
            assert_eq!(store.log_root(size).await.unwrap().as_ref(), Some(root), "at {size}");
        }
        assert_eq!(store.log_root(6).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_failing_operation_takes_its_whole_batch_back() {
    let (_folder, stores) = stores();
    for store in stores {
        commit(&store, [Op::AppendAudit(audit(1))]).await;
        let before = store.checkpoint().await.unwrap();
        let ops = [
            Op::PutClient { client: client("app"), expect: Presence::Absent },
            put(record(ResourceType::PATIENT, "p", 1), Expect::Absent),
            Op::AppendAudit(audit(2)),
            Op::PutClient { client: client("app"), expect: Presence::Absent },
        ];
        refuse(&store, ops, 3, Precondition::Exists).await;
        assert_eq!(store.clients().await.unwrap(), vec![]);
        assert_eq!(store.latest_seq().await.unwrap(), 0);
        assert_eq!(store.checkpoint().await.unwrap(), before);
        assert_eq!(store.epoch().await.unwrap(), 0);
        let receipt = commit(
            &store,
            [put(record(ResourceType::PATIENT, "p", 1), Expect::Absent), Op::AppendAudit(audit(2))],
        )
        .await;
        assert_eq!((receipt.record_seqs, receipt.audit_indexes), (vec![1], vec![1]));
    }
}

#[tokio::test]
async fn two_tabs_cannot_both_move_a_request_on() {
    use proviso_oauth::record::{
        AuthorizationRequest, AuthorizationStage, PkceChallenge, RequestedAuthorization,
    };
    let (_folder, stores) = stores();
    let challenge: PkceChallenge =
        serde_json::from_str("\"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\"").unwrap();
    let request = |revision| AuthorizationRequest {
        id: "arq_one".parse().unwrap(),
        revision,
        requested: RequestedAuthorization {
            client: "glucose-coach".parse().unwrap(),
            redirect_uri: "https://app.example/callback".to_owned(),
            state: Some(OpaqueBytes(vec![0, 255, 7])),
            scopes: vec![],
            scope_text: String::new(),
            challenge: challenge.clone(),
            nonce: None,
            aud: "https://hospital.example/fhir/r4".to_owned(),
            launch: None,
            prompt: vec![],
            max_age_secs: None,
            login_hint: None,
        },
        browser: TokenHash::of("browser"),
        created_at: at(0),
        expires_at: at(600),
        stage: AuthorizationStage::Requested,
    };
    let put = |revision, expect| Op::PutAuthorizationRequest { request: request(revision), expect };
    for store in stores {
        refuse(&store, [put(2, Some(1))], 0, Precondition::Missing).await;
        commit(&store, [put(1, None)]).await;
        refuse(&store, [put(1, None)], 0, Precondition::Exists).await;
        commit(&store, [put(2, Some(1))]).await;
        refuse(&store, [put(2, Some(1))], 0, Precondition::Changed).await;
        refuse(&store, [put(2, Some(2))], 0, Precondition::Contradiction).await;
        let id = "arq_one".parse().unwrap();
        assert_eq!(store.authorization_request(&id).await.unwrap(), Some(request(2)));
    }
}

#[tokio::test]
async fn relationships_objections_keys_and_settings_are_kept() {
    let (_folder, stores) = stores();
    for store in stores {
        let relationship = |kind, end| Relationship {
            account: "acc_wei".parse().unwrap(),
            patient: "lily".parse().unwrap(),
            kind,
            period: Period { start: None, end },
            mandate: None,
            source: proviso_core::org::FactSource::Relationship,
        };
        let care = relationship(RelationshipKind::Care, None);
        let proxy = relationship(RelationshipKind::Proxy, Some(at(5)));
        commit(
            &store,
            [
                Op::PutRelationship(relationship(RelationshipKind::Proxy, None)),
                Op::PutRelationship(care.clone()),
                Op::PutRelationship(proxy.clone()),
            ],
        )
        .await;
        assert_eq!(store.relationships().await.unwrap(), vec![care, proxy]);

        let objection = |categories| Objection {
            patient: "lily".parse().unwrap(),
            categories,
            recorded_at: at(1),
        };
        let some = objection(CategorySet::EMPTY.with(Category::Notes));
        commit(&store, [Op::PutObjection(objection(CategorySet::all()))]).await;
        commit(&store, [Op::PutObjection(some.clone())]).await;
        assert_eq!(store.objections().await.unwrap(), vec![some]);

        let key = SealedKey {
            id: "k1".to_owned(),
            key_use: KeyUse::Checkpoint,
            sealed: OpaqueBytes(vec![1, 2, 3]),
            created_at: at(0),
            retired_at: None,
            publish_until: None,
        };
        let retire =
            || Op::RetireKey { id: "k1".to_owned(), at: at(2), publish_until: Some(at(3)) };
        refuse(&store, [retire()], 0, Precondition::Missing).await;
        commit(&store, [Op::PutKey(key.clone())]).await;
        refuse(&store, [Op::PutKey(key.clone())], 0, Precondition::Exists).await;
        commit(&store, [retire()]).await;
        refuse(&store, [retire()], 0, Precondition::Ended).await;
        let retired = SealedKey { retired_at: Some(at(2)), publish_until: Some(at(3)), ..key };
        assert_eq!(store.keys().await.unwrap(), vec![retired]);

        let set = |value: &str, expect| Op::PutSetting {
            key: "demo".to_owned(),
            value: value.to_owned(),
            expect,
        };
        let is = |value: &str| ExpectSetting::Is(value.to_owned());
        refuse(&store, [set("b", is("a"))], 0, Precondition::Missing).await;
        commit(&store, [set("a", ExpectSetting::Absent)]).await;
        refuse(&store, [set("a", ExpectSetting::Absent)], 0, Precondition::Exists).await;
        commit(&store, [set("b", is("a"))]).await;
        refuse(&store, [set("c", is("a"))], 0, Precondition::Changed).await;
        commit(&store, [set("d", ExpectSetting::Any)]).await;
        assert_eq!(store.setting("demo").await.unwrap(), Some("d".to_owned()));
        assert_eq!(store.setting("other").await.unwrap(), None);
    }
}

#[tokio::test]
async fn records_have_versions_and_a_past() {
    let (_folder, stores) = stores();
    let patient = ResourceType::PATIENT;
    let deleted = |version| {
        let mut record = record(patient, "p", version);
        (record.method, record.body) = (RecordMethod::Delete, None);
        record
    };
    for store in stores {
        let id = "p".parse().unwrap();
        let conflict = |current| Precondition::VersionConflict { current };
        refuse(&store, [put(record(patient, "p", 2), Expect::Any)], 0, conflict(None)).await;
        let early = put(record(patient, "p", 1), Expect::Version(0));
        refuse(&store, [early], 0, conflict(None)).await;
        commit(&store, [put(record(patient, "p", 1), Expect::Absent)]).await;
        for expect in [Expect::Absent, Expect::AbsentOrDeleted, Expect::Version(2)] {
            refuse(&store, [put(record(patient, "p", 2), expect)], 0, conflict(Some(1))).await;
        }
        commit(&store, [put(record(patient, "p", 2), Expect::Version(1))]).await;
        let mut bodiless = record(patient, "p", 3);
        bodiless.body = None;
        let bodiless = put(bodiless, Expect::Any);
        refuse(&store, [bodiless], 0, Precondition::Contradiction).await;
        commit(&store, [put(deleted(3), Expect::Version(2))]).await;
        let revived = put(record(patient, "p", 4), Expect::Version(3));
        refuse(&store, [revived], 0, conflict(Some(3))).await;
        assert_eq!(store.count_records().await.unwrap(), 0);
        let other = put(record(ResourceType::OBSERVATION, "p", 1), Expect::Absent);
        let receipt =
            commit(&store, [put(record(patient, "p", 4), Expect::AbsentOrDeleted), other]).await;
        assert_eq!(receipt.record_seqs, vec![4, 5]);
        assert_eq!(store.latest_seq().await.unwrap(), 5);
        assert_eq!(store.count_records().await.unwrap(), 2);

        let version_as_of = async |as_of| {
            let found = store.record(patient, &id, as_of).await.unwrap();
            found.map(|found| (found.version, found.body.is_some()))
        };
        assert_eq!(version_as_of(None).await, Some((4, true)));
        assert_eq!(version_as_of(Some(3)).await, Some((3, false)));
        assert_eq!(version_as_of(Some(2)).await, Some((2, true)));
        assert_eq!(version_as_of(Some(0)).await, None);
        let third = store.record_version(patient, &id, 3).await.unwrap().unwrap();
        assert_eq!((third.seq, third.method), (3, RecordMethod::Delete));
        assert_eq!(store.record_version(patient, &id, 9).await.unwrap(), None);
    }
}

#[tokio::test]
async fn history_is_newest_first_and_can_be_paged() {
    let (_folder, stores) = stores();
    for store in stores {
        let (patient, observation) = (ResourceType::PATIENT, ResourceType::OBSERVATION);
        commit(
            &store,
            [
                put(record(patient, "a", 1), Expect::Absent),
                put(record(observation, "o", 1), Expect::Absent),
                put(record(patient, "a", 2), Expect::Any),
                put(record(patient, "b", 1), Expect::Absent),
            ],
        )
        .await;
        let seqs = async |resource_type, id: Option<&str>, since, before_seq, limit| {
            let id = id.map(|id| id.parse().unwrap());
            let query =
                HistoryQuery { resource_type, id, since, before_seq, patients: None, limit };
            let found = store.history(query).await.unwrap();
            found.into_iter().map(|one| one.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(None, None, None, None, 10).await, [4, 3, 2, 1]);
        assert_eq!(seqs(Some(patient), None, None, None, 10).await, [4, 3, 1]);
        assert_eq!(seqs(Some(patient), Some("a"), None, None, 10).await, [3, 1]);
        assert_eq!(seqs(Some(patient), None, None, Some(4), 1).await, [3]);
        assert_eq!(seqs(None, None, Some(at(2)), None, 10).await, [3]);
        assert_eq!(seqs(Some(observation), Some("a"), None, None, 10).await, [0_u64; 0]);
    }
}

#[tokio::test]
async fn history_can_be_that_of_some_patients_with_what_was_deleted() {
    let (_folder, stores) = stores();
    for store in stores {
        let (patient, observation) = (ResourceType::PATIENT, ResourceType::OBSERVATION);
        let of = |patients: &[&str], id: &str, version| {
            let mut record = record(observation, id, version);
            record.patients = patients.iter().map(|id| id.parse().unwrap()).collect();
            record
        };
        let mut deleted = of(&["james"], "o", 3);
        (deleted.method, deleted.body) = (RecordMethod::Delete, None);
        commit(
            &store,
            [
                put(of(&["maria"], "o", 1), Expect::Absent),
                put(of(&["james", "maria"], "o", 2), Expect::Any),
                put(deleted, Expect::Any),
                put(of(&["ann"], "n", 1), Expect::Absent),
                put(of(&["james"], "m", 1), Expect::Absent),
                put(record(patient, "maria", 1), Expect::Absent),
            ],
        )
        .await;
        let asked = HistoryQuery {
            resource_type: Some(observation),
            id: None,
            since: None,
            before_seq: None,
            patients: None,
            limit: 10,
        };
        let seqs = async |patients: &[&str], asked: &HistoryQuery| {
            let patients = Some(patients.iter().map(|id| id.parse().unwrap()).collect());
            let found = store.history(HistoryQuery { patients, ..asked.clone() }).await.unwrap();
            found.into_iter().map(|one| one.seq).collect::<Vec<_>>()
        };
        assert_eq!(seqs(&["james"], &asked).await, [5, 3, 2]);
        assert_eq!(seqs(&["james", "maria", "james"], &asked).await, [5, 3, 2, 1]);
        assert_eq!(seqs(&["nobody"], &asked).await, [0_u64; 0]);
        assert_eq!(seqs(&[], &asked).await, [0_u64; 0]);
        let first = HistoryQuery { limit: 1, ..asked.clone() };
        assert_eq!(seqs(&["james"], &first).await, [5]);
        let second = HistoryQuery { before_seq: Some(5), ..first };
        assert_eq!(seqs(&["james"], &second).await, [3]);
        let late = HistoryQuery { since: Some(at(2)), ..asked.clone() };
        assert_eq!(seqs(&["james"], &late).await, [3, 2]);
        let one = HistoryQuery { id: Some("o".parse().unwrap()), ..asked.clone() };
        assert_eq!(seqs(&["james"], &one).await, [3, 2]);
        let all = HistoryQuery { resource_type: None, ..asked };
        assert_eq!(seqs(&["maria"], &all).await, [6, 2, 1]);
    }
}

#[tokio::test]
async fn candidates_fit_every_clause_in_the_order_of_their_ids() {
    let (_folder, stores) = stores();
    for store in stores {
        let mut of_james = observation("d", &[1, 2], 30);
        of_james.patients = vec!["james".parse().unwrap()];
        commit(
            &store,
            [
                put(observation("c", &[1, 2, 2, 3], 10), Expect::Absent),
                put(observation("a", &[1], 20), Expect::Absent),
                put(of_james, Expect::Absent),
                put(observation("B", &[2, 7], 20), Expect::Absent),
                put(record(ResourceType::PATIENT, "a", 1), Expect::Absent),
            ],
        )
        .await;
        let as_of = store.latest_seq().await.unwrap();
        let ids = async |clauses: &[Clause], after: Option<&str>, limit| {
            let query = CandidateQuery {
                as_of,
                resource_type: ResourceType::OBSERVATION,
                clauses: clauses.to_vec(),
                after: after.map(|id| id.parse().unwrap()),
                limit,
            };
            let found = store.candidates(query).await.unwrap();
            found.into_iter().map(|one| one.id.as_str().to_owned()).collect::<Vec<_>>()
        };
        let keys = |keys: &[i64]| Clause::AnyKey(keys.to_vec());
        let days = |low, high| Clause::Range { param: 1, low, high };
        let of = |ids: &[&str]| Clause::Ids(ids.iter().map(|id| id.parse().unwrap()).collect());
        let patients =
            |ids: &[&str]| Clause::Patients(ids.iter().map(|id| id.parse().unwrap()).collect());

        assert_eq!(ids(&[], None, 10).await, ["B", "a", "c", "d"]);
        assert_eq!(ids(&[], Some("a"), 1).await, ["c"]);
        assert_eq!(ids(&[keys(&[1])], None, 10).await, ["a", "c", "d"]);
        assert_eq!(ids(&[keys(&[3, 7])], None, 10).await, ["B", "c"]);
        assert_eq!(ids(&[keys(&[1]), keys(&[2])], None, 10).await, ["c", "d"]);
        assert_eq!(ids(&[keys(&[1]), keys(&[2])], Some("c"), 10).await, ["d"]);
        assert_eq!(ids(&[keys(&[])], None, 10).await, [""; 0]);
        assert_eq!(ids(&[days(15, 20)], None, 10).await, ["B", "a"]);
        assert_eq!(ids(&[days(20, 20), keys(&[7])], None, 10).await, ["B"]);
        assert_eq!(ids(&[days(11, 19)], None, 10).await, [""; 0]);
        assert_eq!(ids(&[of(&["d", "a", "zz"])], None, 10).await, ["a", "d"]);
        assert_eq!(ids(&[patients(&["james"])], None, 10).await, ["d"]);
        assert_eq!(ids(&[patients(&["james", "maria"]), keys(&[2])], None, 2).await, ["B", "c"]);
        assert_eq!(ids(&[patients(&[])], None, 10).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_page_looks_the_same_while_others_write() {
    let (_folder, stores) = stores();
    for store in stores {
        commit(&store, [put(observation("a", &[1], 1), Expect::Absent)]).await;
        commit(&store, [put(observation("b", &[1], 1), Expect::Absent)]).await;
        let then = store.latest_seq().await.unwrap();
        let mut changed = observation("a", &[2], 9);
        (changed.version, changed.method) = (2, RecordMethod::Update);
        changed.ranges = vec![RangeKey { param: 1, low: 9, high: 9 }];
        let mut gone = observation("b", &[], 1);
        (gone.version, gone.method, gone.body) = (2, RecordMethod::Delete, None);
        commit(
            &store,
            [
                put(changed, Expect::Version(1)),
                put(gone, Expect::Version(1)),
                put(observation("c", &[1], 1), Expect::Absent),
            ],
        )
        .await;
        let now = store.latest_seq().await.unwrap();
        let versions = async |as_of, clause: Clause| {
            let found = store
                .candidates(CandidateQuery {
                    as_of,
                    resource_type: ResourceType::OBSERVATION,
                    clauses: vec![clause],
                    after: None,
                    limit: 10,
                })
                .await
                .unwrap();
            let shown = |one: proviso_store::StoredRecord| format!("{}/{}", one.id, one.version);
            found.into_iter().map(shown).collect::<Vec<_>>()
        };
        assert_eq!(versions(then, Clause::AnyKey(vec![1])).await, ["a/1", "b/1"]);
        assert_eq!(versions(now, Clause::AnyKey(vec![1])).await, ["c/1"]);
        assert_eq!(versions(u64::MAX, Clause::AnyKey(vec![1])).await, ["c/1"]);
        let day = |day| Clause::Range { param: 1, low: day, high: day };
        assert_eq!(versions(then, day(1)).await, ["a/1", "b/1"]);
        assert_eq!(versions(now, day(9)).await, ["a/2"]);
    }
}

#[tokio::test]
async fn audit_entries_are_found_newest_first() {
    let (_folder, stores) = stores();
    for store in stores {
        let entries: Vec<Op> = (0..20).map(|number| Op::AppendAudit(audit(number))).collect();
        let receipt = commit(&store, entries).await;
        assert_eq!(receipt.audit_indexes, (0..20).collect::<Vec<_>>());
        let indexes = async |query: AuditQuery| {
            let found = store.audit_page(query).await.unwrap();
            found.into_iter().map(|one| one.index).collect::<Vec<_>>()
        };
        let all = AuditQuery { limit: 3, ..AuditQuery::default() };
        assert_eq!(indexes(all.clone()).await, [19, 18, 17]);
        assert_eq!(indexes(AuditQuery { before: Some(17), ..all.clone() }).await, [16, 15, 14]);
        let subject = |byte: u8| {
            let mut subject = [0_u8; 32];
            subject[0] = byte;
            subject
        };
        let of_one = AuditQuery { subjects: vec![subject(1)], ..all.clone() };
        assert_eq!(indexes(of_one.clone()).await, [19, 16, 13]);
        let of_both = AuditQuery { subjects: vec![[255; 32], subject(1)], ..all.clone() };
        assert_eq!(indexes(of_both).await, [19, 16, 13]);
        let of_nobody = AuditQuery { subjects: vec![subject(0), subject(1)], ..all.clone() };
        assert_eq!(indexes(of_nobody).await, [0_u64; 0]);
        let denied = AuditQuery { outcome: Some(AuditOutcome::Denied), ..of_one };
        assert_eq!(indexes(denied).await, [10]);
        let tokens = AuditQuery { kinds: vec![AuditKind::Token], ..all.clone() };
        assert_eq!(indexes(tokens).await, [19, 17, 15]);
        let between = AuditQuery { from: Some(at(4)), to: Some(at(6)), ..all.clone() };
        assert_eq!(indexes(between).await, [5, 4]);

        let first = store.audit_page(AuditQuery { before: Some(1), ..all }).await.unwrap();
        let mut entry = audit(0);
        entry.subjects.sort_unstable();
        assert_eq!(first.first().map(|one| &one.entry), Some(&entry));
        refuse(&store, [Op::AppendAudit(audit(7))], 0, Precondition::Exists).await;
    }
}

#[tokio::test]
async fn every_acknowledged_entry_is_under_a_signed_checkpoint_and_in_the_tiles() {
    let (_folder, stores) = stores();
    for store in stores {
        assert_eq!(store.checkpoint().await.unwrap(), None);
        let mut tree = proviso_tlog::Tree::new();
        let mut next = 0;
        for count in [1, 2, 300, 1, 256] {
            let entries: Vec<Op> =
                (next..next + count).map(|number| Op::AppendAudit(audit(number))).collect();
            commit(&store, entries).await;
            for number in next..next + count {
                tree.append(proviso_tlog::leaf_hash(&audit(number).leaf), |_, _| ());
            }
            next += count;
            let checkpoint = store.checkpoint().await.unwrap().unwrap();
            assert_eq!((checkpoint.size, checkpoint.root), (next, tree.root()));
            assert!(checkpoint.note.starts_with("test.example/log\n"));
        }
        let tile = |level, index, width| store.tile(TileId { level, index, width });
        let full = tile(0, 0, 256).await.unwrap().unwrap();
        assert_eq!(full.len(), 8192);
        assert_eq!(full[..32], proviso_tlog::leaf_hash(&audit(0).leaf));
        assert_eq!(tile(0, 2, 48).await.unwrap().unwrap().len(), 48 * 32);
        assert_eq!(tile(0, 2, 49).await.unwrap(), None);
        assert_eq!(tile(1, 0, 2).await.unwrap().unwrap().len(), 64);
        assert_eq!(tile(0, 1, 10).await.unwrap().unwrap().len(), 320);
        assert_eq!(tile(2, 0, 1).await.unwrap(), None);
        let leaves = store.leaves(559, 5).await.unwrap();
        assert_eq!(leaves, [audit(559).leaf]);
        assert_eq!(store.leaves(3, 2).await.unwrap(), [audit(3).leaf, audit(4).leaf]);
    }
}

#[tokio::test]
async fn without_a_signer_nothing_is_logged_until_one_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let bare = || OpenOptions::new(proviso_core::id::TenantId::default_tenant());
    let sqlite = Store::open_sqlite(&folder.path().join("bare.db"), bare()).unwrap();
    for store in [sqlite, Store::model(bare())] {
        let batch = || Batch::new().with(Op::AppendAudit(audit(1)));
        let refused = store.commit(batch()).await;
        assert!(matches!(refused, Err(CommitError::NoSigner)), "{refused:?}");
        commit(&store, [Op::PutClient { client: client("app"), expect: Presence::Any }]).await;
        store.install_signer(world::signer());
        assert_eq!(store.commit(batch()).await.unwrap().audit_indexes, vec![0]);
    }
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing_and_the_next_one_works() {
    let folder = tempfile::tempdir().unwrap();
    let faults = [Faults::default(), Faults::default()];
    let [on_sqlite, in_memory] = faults.clone();
    let path = folder.path().join("faulty.db");
    let stores = [
        Store::open_sqlite(&path, options().with_faults(on_sqlite)).unwrap(),
        Store::model(options().with_faults(in_memory)),
    ];
    for (store, faults) in stores.into_iter().zip(faults) {
        commit(&store, [Op::AppendAudit(audit(1))]).await;
        let before = store.checkpoint().await.unwrap();
        faults.fail_commits(true);
        let batch = || {
            Batch::new()
                .with(Op::AppendAudit(audit(2)))
                .with(put(record(ResourceType::PATIENT, "p", 1), Expect::Absent))
        };
        let failed = store.commit(batch()).await;
        assert!(matches!(failed, Err(CommitError::Storage(_))), "{failed:?}");
        assert_eq!(store.checkpoint().await.unwrap(), before);
        assert_eq!(store.latest_seq().await.unwrap(), 0);
        faults.fail_commits(false);
        let receipt = store.commit(batch()).await.unwrap();
        assert_eq!((receipt.record_seqs, receipt.audit_indexes), (vec![1], vec![1]));
    }
}

#[tokio::test]
async fn what_has_ended_is_forgotten_but_reuse_is_still_noticed() {
    let (_folder, stores) = stores();
    for store in stores {
        commit(
            &store,
            [
                Op::PutSession(session("old")),
                Op::PutLaunchTicket(ticket("old")),
                Op::PutGrant(grant("live", None)),
                Op::PutGrant(grant("dead", None)),
                Op::PutAuthorizationCode(code("live", "live")),
                Op::PutAuthorizationCode(code("dead", "dead")),
                Op::EndGrant { id: grant("dead", None).id, end: end(1) },
            ],
        )
        .await;
        let code = |name| TokenHash::of(name);
        commit(&store, [Op::PurgeExpired { before: at(60) }]).await;
        assert!(store.authorization_code(&code("dead")).await.unwrap().is_some());
        commit(&store, [Op::PurgeExpired { before: at(1001) }]).await;
        assert!(store.session_by_secret("secret-old").await.unwrap().is_none());
        assert!(store.launch_ticket(&code("old")).await.unwrap().is_none());
        assert!(store.authorization_code(&code("dead")).await.unwrap().is_none());
        assert!(store.authorization_code(&code("live")).await.unwrap().is_some());
    }
}
