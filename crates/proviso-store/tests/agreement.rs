//! SQLite and the model give the same answers to any sequence of batches.
#![expect(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod world;

use proptest::prelude::*;
use proviso_core::category::SensitiveKind;
use proviso_core::emergency::review::{Review, Verdict};
use proviso_core::id::{PatientId, ResourceId};
use proviso_core::label::{Confidence, Label, LabelSetVersion, Origin};
use proviso_core::org::lifecycle::{PoliciesInForce, PolicySetRecord};
use proviso_core::resource_type::ResourceType;
use proviso_oauth::record::TokenHash;
use proviso_store::{
    AuditQuery, Batch, CandidateQuery, Clause, CommitError, Expect, ExpectSetting, FoundLabels,
    HistoryQuery, Op, Presence, RangeKey, RecordLabels, RecordMethod, RecordVersion, Store,
    SubscriptionProgress,
};
use world::{
    access_review, account, at, audit, client, code, consent, emergency, end, finding, grant, kept,
    policy_set, refresh_token, reviewed, session, stores, subscription, ticket, version_id,
};

/// A handful of names, so that operations meet one another.
fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "A"])
}

fn presence() -> impl Strategy<Value = Presence> {
    prop::sample::select(vec![Presence::Absent, Presence::Present, Presence::Any])
}

fn people() -> impl Strategy<Value = Op> {
    let id = |name: &str| session(name).id;
    prop_oneof![
        (name(), name(), presence()).prop_map(|(name, username, expect)| {
            let mut account = account(name);
            username.clone_into(&mut account.username);
            Op::PutAccount { account, expect }
        }),
        name().prop_map(|name| Op::PutSession(session(name))),
        (name(), 0_i64..99)
            .prop_map(move |(name, secs)| Op::TouchSession { id: id(name), at: at(secs) }),
        (name(), 0_i64..99)
            .prop_map(move |(name, secs)| Op::EndSession { id: id(name), at: at(secs) }),
        (0_i64..99).prop_map(|secs| Op::EndSessionsOfAccount {
            account: session("a").account,
            at: at(secs)
        }),
        (name(), presence())
            .prop_map(|(name, expect)| Op::PutClient { client: client(name), expect }),
        (name(), name(), prop::option::of(name())).prop_map(|(key, value, expect)| {
            Op::PutSetting {
                key: key.to_owned(),
                value: value.to_owned(),
                expect: expect.map_or(ExpectSetting::Any, |was| ExpectSetting::Is(was.to_owned())),
            }
        }),
    ]
}

fn grants() -> impl Strategy<Value = Op> {
    prop_oneof![
        (name(), prop::option::of(name()))
            .prop_map(|(name, consent)| Op::PutGrant(grant(name, consent))),
        (name(), prop::option::of(name()))
            .prop_map(|(name, consent)| Op::AmendGrant(grant(name, consent))),
        (name(), 0_i64..99)
            .prop_map(|(name, secs)| Op::EndGrant { id: grant(name, None).id, end: end(secs) }),
        name().prop_map(|name| Op::EndGrantsOfConsent {
            consent: consent(name, 1, None).consent,
            end: end(3)
        }),
        (name(), name()).prop_map(|(name, of)| Op::PutRefreshToken(refresh_token(name, of))),
        (name(), name(), name(), 900_i64..1100).prop_map(|(current, next, of, secs)| {
            Op::RotateRefreshToken {
                current: TokenHash::of(current),
                next: refresh_token(next, of),
                at: at(secs),
            }
        }),
        (name(), name()).prop_map(|(name, of)| Op::PutAuthorizationCode(code(name, of))),
        (name(), 50_i64..70).prop_map(|(name, secs)| Op::ConsumeAuthorizationCode {
            hash: TokenHash::of(name),
            at: at(secs)
        }),
        name().prop_map(|name| Op::PutLaunchTicket(ticket(name))),
        (name(), 90_i64..110).prop_map(|(name, secs)| Op::ConsumeLaunchTicket {
            hash: TokenHash::of(name),
            at: at(secs)
        }),
        (0_i64..1200).prop_map(|secs| Op::PurgeExpired { before: at(secs) }),
        (name(), 1_u8..5, 1_u32..4, prop::option::of(1_u8..5)).prop_map(
            |(name, id, number, expect)| {
                let expect = expect.map(version_id);
                Op::PutConsentVersion {
                    id: version_id(id),
                    version: consent(name, number, expect.clone()),
                    expect,
                }
            }
        ),
    ]
}

fn record() -> impl Strategy<Value = Op> {
    let kind = prop::sample::select(vec![ResourceType::PATIENT, ResourceType::OBSERVATION]);
    let method = prop::sample::select(vec![
        RecordMethod::Create,
        RecordMethod::Update,
        RecordMethod::Delete,
    ]);
    let expect = prop_oneof![
        Just(Expect::Any),
        Just(Expect::Absent),
        Just(Expect::AbsentOrDeleted),
        (1_u64..4).prop_map(Expect::Version)
    ];
    let keys = prop::collection::vec(-2_i64..3, 0..40);
    let ranges = prop::collection::vec((0_u32..2, 0_i64..9, 0_i64..4), 0..3);
    let patients = prop::collection::vec(name(), 0..3);
    let rest = (ranges, patients, prop::option::of(labels()));
    (kind, name(), 1_u64..4, method, expect, keys, rest).prop_map(
        |(resource_type, id, version, method, expect, keys, (ranges, patients, labels))| {
            Op::PutRecord {
                record: RecordVersion {
                    resource_type,
                    id: id.parse().unwrap(),
                    version,
                    at: at(i64::try_from(version).unwrap()),
                    method,
                    body: (method != RecordMethod::Delete)
                        .then(|| format!("{id} {version} {keys:?}").into_bytes()),
                    patients: patients.into_iter().map(|id| id.parse().unwrap()).collect(),
                    keys,
                    ranges: ranges
                        .into_iter()
                        .map(|(param, low, length)| RangeKey { param, low, high: low + length })
                        .collect(),
                    labels: labels.filter(|_| method != RecordMethod::Delete),
                },
                expect,
            }
        },
    )
}

fn set(number: u8) -> LabelSetVersion {
    LabelSetVersion::from_digest(&[number; 32])
}

fn labels() -> impl Strategy<Value = RecordLabels> {
    let kind = prop::sample::select(SensitiveKind::ALL.to_vec());
    (0_u8..3, prop::collection::vec(kind, 0..2)).prop_map(|(number, kinds)| RecordLabels {
        set: set(number),
        found: FoundLabels {
            given: kinds.iter().copied().collect(),
            own: kinds
                .into_iter()
                .map(|kind| Label {
                    kind,
                    rule: "rule".to_owned(),
                    confidence: Confidence::Certain,
                    origin: Origin::OwnContent,
                    element: "code".to_owned(),
                })
                .collect(),
        },
    })
}

fn policies() -> impl Strategy<Value = Op> {
    let decided = |number: u8, by: &str, approve: bool| {
        let (record, by) = (policy_set(number).record, format!("acc_{by}").parse().unwrap());
        let step = if approve { PolicySetRecord::approve } else { PolicySetRecord::reject };
        step(record.clone(), by, at(2)).unwrap_or(record)
    };
    let in_force = || {
        let id = || prop::option::of((0_u8..3).prop_map(|number| policy_set(number).record.id));
        (id(), id()).prop_map(|(live, shadow)| PoliciesInForce { live, shadow })
    };
    prop_oneof![
        (0_u8..3).prop_map(|number| Op::ProposePolicySet(policy_set(number))),
        (0_u8..3, name(), any::<bool>()).prop_map(move |(number, by, approve)| {
            Op::DecidePolicySet(decided(number, by, approve))
        }),
        (in_force(), in_force()).prop_map(|(now, expect)| Op::PutPoliciesInForce { now, expect }),
        in_force()
            .prop_map(|now| Op::PutPoliciesInForce { now, expect: PoliciesInForce::default() }),
    ]
}

fn kept_answers() -> impl Strategy<Value = Op> {
    (0_u8..3, 0_i64..4).prop_map(|(key, when)| Op::KeepAnswer(kept(key, when, when + 1)))
}

fn subscriptions() -> impl Strategy<Value = Op> {
    prop_oneof![
        (name(), 0_u64..4, any::<bool>()).prop_map(|(name, reached, known)| Op::PutSubscription {
            subscription: subscription(name, reached),
            expect: if known { Presence::Present } else { Presence::Absent },
        }),
        (name(), 0_u64..4, 1_u64..3).prop_map(|(name, reached, version)| {
            Op::PutSubscriptionProgress {
                id: name.parse().unwrap(),
                progress: SubscriptionProgress { version, ..subscription(name, reached).progress },
            }
        }),
        name().prop_map(|name| Op::DeleteSubscription { id: name.parse().unwrap() }),
    ]
}

fn emergencies() -> impl Strategy<Value = Op> {
    let declared = || (name(), name()).prop_map(|(name, by)| emergency(name, by));
    let verdict = prop::sample::select(Verdict::ALL);
    prop_oneof![
        3 => declared().prop_map(Op::PutEmergencyVersion),
        2 => (declared(), name()).prop_map(|(own, by)| {
            let by = format!("acc_{by}").parse().unwrap();
            Op::PutEmergencyVersion(own.end(by, at(2)).unwrap())
        }),
        2 => declared().prop_map(|own| Op::PutReviewVersion(Review::open(&own))),
        2 => (name(), verdict.clone(), name()).prop_map(|(name, verdict, by)| {
            Op::PutReviewVersion(reviewed(name, verdict, by))
        }),
        2 => (name(), 0_i64..3).prop_map(|(name, when)| {
            Op::PutAccessReviewVersion(access_review(name, when))
        }),
        3 => (name(), 0_i64..3, verdict, name()).prop_map(|(name, when, verdict, by)| {
            let open = access_review(name, when);
            let next = open.clone().decide(finding(verdict, by)).unwrap_or(open);
            Op::PutAccessReviewVersion(next)
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => emergencies(),
        2 => kept_answers(),
        2 => subscriptions(),
        2 => (0_u64..8, labels()).prop_map(|(seq, labels)| Op::PutLabels { seq, labels }),
        2 => policies(),
        2 => people(),
        3 => grants(),
        4 => record(),
        1 => (0_u64..40).prop_map(|number| Op::AppendAudit(audit(number))),
    ]
}

fn clause() -> impl Strategy<Value = Clause> {
    prop_oneof![
        prop::collection::vec(-2_i64..3, 0..3).prop_map(Clause::AnyKey),
        (0_u32..2, 0_i64..12, 0_i64..4).prop_map(|(param, low, length)| Clause::Range {
            param,
            low,
            high: low + length
        }),
        prop::collection::vec(name(), 0..3)
            .prop_map(|ids| Clause::Ids(ids.into_iter().map(|id| id.parse().unwrap()).collect())),
        prop::collection::vec(name(), 0..3).prop_map(|ids| Clause::Patients(
            ids.into_iter().map(|id| id.parse().unwrap()).collect()
        )),
    ]
}

fn said(error: &CommitError) -> String {
    format!("{error:?}")
}

/// What can be read about labels, as text.
async fn labelled(store: &Store) -> Vec<String> {
    let mut seen = Vec::new();
    for number in [0, 1, 9] {
        let set = set(number);
        seen.push(format!("{:?}", store.label_counts(&set).await.unwrap()));
        for (after, limit) in [(0, 50), (2, 2)] {
            seen.push(format!("{:?}", store.stale_labels(&set, after, limit).await.unwrap()));
        }
    }
    seen
}

/// Everything that can be read, as text.
#[expect(clippy::too_many_lines, reason = "a list: one read after the other")]
async fn everything(store: &Store, clauses: &[Clause], as_of_back: u64) -> Vec<String> {
    let mut seen = labelled(store).await;
    macro_rules! see {
        ($($call:expr),* $(,)?) => { $(seen.push(format!("{:?}", $call.await.unwrap()));)* };
    }
    see!(
        store.accounts(),
        store.account_by_username("a"),
        store.clients(),
        store.active_grants(),
        store.grants_of_account(&"acc_maria".parse().unwrap()),
        store.grants_of_client(&"glucose-coach".parse().unwrap()),
        store.consents(),
        store.consents_of_patient(&"maria".parse().unwrap()),
        store.policy_sets(),
        store.policy_set(&policy_set(1).record.id),
        store.policies_in_force(),
        store.emergencies(),
        store.emergencies_after(at(1_800)),
        store.emergencies_of_patient(&"maria".parse().unwrap()),
        store.emergencies_of_account(&"acc_a".parse().unwrap()),
        store.reviews(),
        store.review_versions(&"emg_a".parse().unwrap()),
        store.access_reviews_waiting(None, 9),
        store.access_reviews_waiting(Some(&(at(259_201), "aud_b".parse().unwrap())), 1),
        store.access_reviews_before(None, 9),
        store.access_reviews_before(Some(&"aud_b".parse().unwrap()), 1),
        store.access_review_versions(&"aud_a".parse().unwrap()),
        store.subscriptions(),
        store.changes(ResourceType::PATIENT, None, 1, 2),
        store.changes(ResourceType::PATIENT, Some(&"a".parse().unwrap()), 0, 2),
        store.kept_answer(&[1; 32], at(0)),
        store.kept_answer(&[1; 32], at(2)),
        store.emergency(&"emg_a".parse().unwrap()),
        store.epoch(),
        store.latest_seq(),
        store.count_records(),
        store.checkpoint(),
        store.audit_page(AuditQuery { limit: 50, ..AuditQuery::default() }),
    );
    for name in ["a", "b", "c", "A"] {
        let hash = TokenHash::of(name);
        see!(
            store.session(&session(name).id),
            store.session_by_secret(&session(name).secret_hash),
            store.launch_ticket(&hash),
            store.authorization_code(&hash),
            store.refresh_token(&hash),
            store.grant(&grant(name, None).id),
            store.consent_versions(&consent(name, 1, None).consent),
            store.setting(name),
        );
    }
    let as_of = store.latest_seq().await.unwrap().saturating_sub(as_of_back);
    for resource_type in [ResourceType::PATIENT, ResourceType::OBSERVATION] {
        let history = |id: Option<&str>| HistoryQuery {
            resource_type: Some(resource_type),
            id: id.map(|id| id.parse().unwrap()),
            since: Some(at(2)),
            before_seq: Some(as_of),
            patients: None,
            limit: 9,
        };
        let of = |patients: &[PatientId]| HistoryQuery {
            since: None,
            patients: Some(patients.to_vec()),
            ..history(None)
        };
        let candidates = |clauses: &[Clause], after: Option<&str>, limit| CandidateQuery {
            as_of,
            resource_type,
            clauses: clauses.to_vec(),
            after: after.map(|id| id.parse().unwrap()),
            limit,
        };
        let id: ResourceId = "a".parse().unwrap();
        see!(
            store.record(resource_type, &id, None),
            store.record(resource_type, &id, Some(as_of)),
            store.record_version(resource_type, &id, 2),
            store.history(history(None)),
            store.history(history(Some("b"))),
            store.candidates(candidates(&[], None, 10)),
            store.candidates(candidates(clauses, None, 10)),
            store.candidates(candidates(clauses, Some("A"), 1)),
        );
        for clause in clauses {
            if let Clause::Patients(patients) = clause {
                see!(
                    store.history(of(patients)),
                    store.history(HistoryQuery { limit: 1, ..of(patients) }),
                    store.history(HistoryQuery { id: Some(id.clone()), ..of(patients) }),
                    store.history(HistoryQuery { resource_type: None, ..of(patients) }),
                );
            }
            see!(store.candidates(candidates(std::slice::from_ref(clause), None, 10)));
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn sqlite_and_the_model_agree(
        batches in prop::collection::vec(prop::collection::vec(op(), 1..4), 1..40),
        clauses in prop::collection::vec(clause(), 1..4),
        as_of_back in 0_u64..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, [sqlite, model]) = stores();
            for batch in batches {
                let ours = sqlite.commit(Batch::from(batch.clone())).await.map_err(|error| said(&error));
                let theirs = model.commit(Batch::from(batch)).await.map_err(|error| said(&error));
                prop_assert_eq!(ours, theirs);
            }
            let ours = everything(&sqlite, &clauses, as_of_back).await;
            let theirs = everything(&model, &clauses, as_of_back).await;
            prop_assert_eq!(ours, theirs);
            Ok(())
        })?;
    }
}
