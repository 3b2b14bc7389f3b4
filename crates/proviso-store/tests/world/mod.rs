//! Values and stores that every test of this crate uses.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this module")]
#![allow(
    clippy::allow_attributes,
    reason = "`expect` would fail in the binaries that use all of it"
)]

use std::sync::Arc;

use proviso_core::account::{Account, AccountStatus, ActorKind, Session};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::{
    Capacity, ConsentStatus, ConsentVersion, DurationChoice, OfflineAccess, Recipient,
};
use proviso_core::emergency::review::{Finding, Review, Verdict};
use proviso_core::emergency::{Emergency, Minutes, Terms};
use proviso_core::id::{AuditEntryId, ConsentVersionId, TenantId};
use proviso_core::org::EmergencyReason;
use proviso_core::org::lifecycle::{PolicySetId, PolicySetRecord};
use proviso_core::oversight::{AccessReview, WatchedAccess};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};
use proviso_oauth::record::{
    AuthorizationCode, Client, ClientAuthentication, ClientProfile, ClientStatus, Grant,
    GrantBasis, GrantEnd, GrantEndReason, IdTokenAlgorithm, LaunchContext, LaunchTicket,
    RefreshToken, Renewal, TokenHash, TokenLifetimes,
};
use proviso_store::{
    CheckpointSigner, KeptAnswer, KeptChange, KeptKind, KeptRequest, OpenOptions, RangeKey,
    RecordMethod, RecordVersion, SealedAudit, SharedSigner, SignerError, Store, StoredPolicySet,
    StoredSubscription, SubscriptionProgress, SubscriptionStatus,
};
use proviso_tlog::{Checkpoint, SignedNote};
use tempfile::TempDir;

/// Signs with bytes that are no signature; nobody checks them here.
#[derive(Debug)]
pub struct TestSigner;

impl CheckpointSigner for TestSigner {
    fn sign(&self, size: u64, root: &[u8; 32]) -> Result<String, SignerError> {
        let checkpoint = Checkpoint { origin: "test.example/log".to_owned(), size, root: *root };
        SignedNote::sign_ed25519(&checkpoint.to_text(), "test.example/log", &[7; 32], |_| {
            Some([9; 64])
        })
        .map(|note| note.to_text())
        .map_err(|_| SignerError)
    }
}

pub fn signer() -> SharedSigner {
    Arc::new(TestSigner)
}

pub fn options() -> OpenOptions {
    OpenOptions::new(TenantId::default_tenant()).with_signer(signer())
}

/// One store of each kind; the folder lives as long as the stores.
pub fn stores() -> (TempDir, [Store; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Store::open_sqlite(&folder.path().join("proviso.db"), options()).unwrap();
    (folder, [sqlite, Store::model(options())])
}

pub fn at(secs: i64) -> At {
    At::from_secs(1_800_000_000 + secs)
}

pub fn account(name: &str) -> Account {
    Account {
        id: format!("acc_{}", name.to_lowercase()).parse().unwrap(),
        username: name.to_owned(),
        display_name: format!("{name} Somebody"),
        kind: ActorKind::Patient,
        roles: proviso_core::org::RoleSet::EMPTY,
        fhir_user: Some((ResourceType::PATIENT, "maria".parse().unwrap())),
        password_hash: Some("$argon2id$v=19$m=1,t=1,p=1$c2FsdA$aGFzaA".to_owned()),
        language: Some("en".to_owned()),
        status: AccountStatus::Active,
        created_at: at(0),
    }
}

pub fn session(name: &str) -> Session {
    Session {
        id: format!("ses_{name}").parse().unwrap(),
        secret_hash: format!("secret-{name}"),
        account: "acc_maria".parse().unwrap(),
        authenticated_at: at(0),
        last_used_at: at(10),
        expires_at: at(1000),
        ended_at: None,
    }
}

pub fn client(name: &str) -> Client {
    Client {
        id: name.parse().unwrap(),
        name: name.to_owned(),
        description: None,
        authentication: ClientAuthentication::None,
        profile: ClientProfile::Smart,
        redirect_uris: vec!["https://app.example/callback".to_owned()],
        launch_uris: vec![],
        scopes: vec![],
        grant_types: vec![],
        origins: vec![],
        purpose: PurposeOfUse::PatientRequest,
        contacts: vec![],
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        status: ClientStatus::Active,
        lifetimes: TokenLifetimes::DEFAULT,
        id_token_signed_response_alg: IdTokenAlgorithm::Rs256,
        created_at: at(0),
    }
}

pub fn ticket(name: &str) -> LaunchTicket {
    LaunchTicket {
        hash: TokenHash::of(name),
        client: "chart-lens".parse().unwrap(),
        account: "acc_drpatel".parse().unwrap(),
        context: LaunchContext::default(),
        created_at: at(0),
        expires_at: at(100),
        consumed_at: None,
    }
}

pub fn grant(name: &str, consent: Option<&str>) -> Grant {
    Grant {
        id: format!("grt_{name}").parse().unwrap(),
        client: "glucose-coach".parse().unwrap(),
        account: Some("acc_maria".parse().unwrap()),
        basis: consent.map_or(GrantBasis::Operational, |consent| GrantBasis::Consent {
            consent: format!("cns_{consent}").parse().unwrap(),
        }),
        scopes: vec![],
        context: LaunchContext::default(),
        purpose: PurposeOfUse::PatientRequest,
        renewal: Renewal::Offline,
        fhir_user: None,
        authenticated_at: Some(at(0)),
        nonce: None,
        created_at: at(0),
        expires_at: None,
        ended: None,
    }
}

pub fn end(secs: i64) -> GrantEnd {
    GrantEnd { at: at(secs), reason: GrantEndReason::ConsentRevoked }
}

pub fn code(name: &str, grant: &str) -> AuthorizationCode {
    AuthorizationCode {
        hash: TokenHash::of(name),
        client: "glucose-coach".parse().unwrap(),
        redirect_uri: "https://app.example/callback".to_owned(),
        challenge: None,
        grant: format!("grt_{grant}").parse().unwrap(),
        issued_at: at(0),
        expires_at: at(60),
        consumed_at: None,
    }
}

pub fn refresh_token(name: &str, grant: &str) -> RefreshToken {
    RefreshToken {
        hash: TokenHash::of(name),
        grant: format!("grt_{grant}").parse().unwrap(),
        client: "glucose-coach".parse().unwrap(),
        generation: 1,
        issued_at: at(0),
        expires_at: at(1000),
        absolute_expires_at: at(5000),
        rotated: None,
    }
}

/// A version id made of one digit.
pub fn version_id(digit: u8) -> ConsentVersionId {
    ConsentVersionId::from_digest(&[digit; 32])
}

pub fn consent(name: &str, number: u32, predecessor: Option<ConsentVersionId>) -> ConsentVersion {
    ConsentVersion {
        consent: format!("cns_{name}").parse().unwrap(),
        number,
        predecessor,
        status: ConsentStatus::Active,
        patient: "maria".parse().unwrap(),
        given_by: "acc_maria".parse().unwrap(),
        capacity: Capacity::Patient,
        recipient: Recipient::App("glucose-coach".parse().unwrap()),
        categories: CategorySet::EMPTY.with(Category::Laboratory),
        sensitive: SensitiveSet::EMPTY,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: Period::ALWAYS,
        data_period: Period::ALWAYS,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Allowed,
        granted_scopes: vec![],
        legal_basis: "consent".to_owned(),
        policy_uri: "https://hospital.example/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: "You share laboratory results.".to_owned(),
        shown_text_hash: "00".repeat(32),
        recorded_at: at(i64::from(number)),
        change_reason: None,
    }
}

pub fn record(resource_type: ResourceType, id: &str, version: u64) -> RecordVersion {
    RecordVersion {
        resource_type,
        id: id.parse().unwrap(),
        version,
        at: at(i64::try_from(version).unwrap()),
        method: if version == 1 { RecordMethod::Create } else { RecordMethod::Update },
        body: Some(format!(r#"{{"resourceType":"{resource_type}","id":"{id}"}}"#).into_bytes()),
        patients: vec!["maria".parse().unwrap()],
        keys: vec![],
        ranges: vec![],
        labels: None,
    }
}

pub fn observation(id: &str, keys: &[i64], day: i64) -> RecordVersion {
    RecordVersion {
        keys: keys.to_vec(),
        ranges: vec![RangeKey { param: 1, low: day, high: day }],
        ..record(ResourceType::OBSERVATION, id, 1)
    }
}

pub fn audit(number: u64) -> SealedAudit {
    let bytes = number.to_be_bytes();
    let mut subject = [0_u8; 32];
    subject[0] = u8::try_from(number % 3).unwrap();
    SealedAudit {
        id: format!("aud_{number:032x}").parse::<AuditEntryId>().unwrap(),
        at: at(i64::try_from(number).unwrap()),
        kind: if number.is_multiple_of(2) { AuditKind::Access } else { AuditKind::Token },
        outcome: if number.is_multiple_of(5) {
            AuditOutcome::Denied
        } else {
            AuditOutcome::Success
        },
        leaf: [b"leaf ".as_slice(), &bytes].concat(),
        body: [b"sealed ".as_slice(), &bytes].concat(),
        salt: [u8::try_from(number % 251).unwrap(); 32],
        subjects: vec![subject, [255; 32]],
    }
}

/// A set that `acc_a` proposed.
pub fn policy_set(number: u8) -> StoredPolicySet {
    let (id, by) = (PolicySetId::from_digest(&[number; 32]), "acc_a".parse().unwrap());
    let record = PolicySetRecord::propose(id, format!("set {number}"), by, at(1));
    StoredPolicySet { record, documents: format!("documents of set {number}") }
}

/// An emergency for `maria` that an account declared at instant 0 for half an hour.
pub fn emergency(name: &str, by: &str) -> Emergency {
    let terms = Terms {
        by: format!("acc_{by}").parse().unwrap(),
        patient: "maria".parse().unwrap(),
        reason: EmergencyReason::Unresponsive,
        why: "found in the street".parse().unwrap(),
        minutes: Minutes::try_from(30).unwrap(),
        authenticated_at: at(0),
    };
    Emergency::declare(format!("emg_{name}").parse().unwrap(), terms, at(0)).unwrap()
}

/// What a reviewer finds after it is over.
pub fn finding(verdict: Verdict, by: &str) -> Finding {
    Finding {
        verdict,
        note: "looked at the entries".parse().unwrap(),
        by: format!("acc_{by}").parse().unwrap(),
        at: at(3_600),
    }
}

/// The review of [`emergency`] with a verdict.
pub fn reviewed(name: &str, verdict: Verdict, by: &str) -> Review {
    let emergency = emergency(name, "nobody");
    Review::open(&emergency).decide(&emergency, finding(verdict, by)).unwrap()
}

/// A subscription that is in force.
pub fn subscription(name: &str, reached: u64) -> StoredSubscription {
    StoredSubscription {
        id: name.parse().unwrap(),
        grant: "grt_a".parse().unwrap(),
        body: vec![1, 2, 3],
        progress: SubscriptionProgress {
            version: 1,
            status: SubscriptionStatus::Active,
            reached,
            failures: 0,
            next_try: None,
            events: 0,
            sent_at: None,
        },
    }
}

/// What was done under a key, and until when it is kept.
pub fn kept(key: u8, when: i64, until: i64) -> KeptAnswer {
    let change = KeptChange {
        index: 0,
        change: KeptKind::Created,
        resource_type: ResourceType::PATIENT,
        id: "maria".parse().unwrap(),
        version: "1".to_owned(),
    };
    let [own, ..] = when.to_le_bytes();
    KeptAnswer {
        key: [key; 32],
        at: at(when),
        until: at(until),
        done: KeptRequest { request: [own; 32], made: vec![change] },
    }
}

/// The open review of an access by `acc_a` at an instant.
pub fn access_review(name: &str, when: i64) -> AccessReview {
    AccessReview::open(WatchedAccess {
        entry: format!("aud_{name}").parse().unwrap(),
        decision: None,
        at: at(when),
        client: None,
        account: Some("acc_a".parse().unwrap()),
        purpose: None,
        patients: ["maria".parse().unwrap()].into(),
        interaction: None,
        resource_type: None,
        released: 1,
    })
}
