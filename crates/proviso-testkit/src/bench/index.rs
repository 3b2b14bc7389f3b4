//! A million patients with five consents each, as they are held in memory and in the store.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::keys::MasterKey;
use proviso_app::live::KeptNames;
use proviso_app::ports::{ManualClock, SystemEntropy};
use proviso_app::settings::Settings;
use proviso_core::account::ActorKind;
use proviso_core::category::{Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveSet};
use proviso_core::consent::index::ConsentIndex;
use proviso_core::consent::{
    Capacity, ConsentFacts, ConsentTerms, ConsentVersion, DurationChoice, NamedConsent,
    OfflineAccess, Recipient,
};
use proviso_core::decision::{
    AccessMode, AccessRequest, ActingPerson, Belonging, Labels, OrgGround, ResourceFacts, plan,
};
use proviso_core::id::{AccountId, ClientId, ConsentId, ConsentVersionId, PatientId, TenantId};
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::Scope;
use proviso_core::time::{At, Period};
use proviso_store::{Batch, ExpectSetting, Op, OpenOptions, Store};
use serde::{Deserialize, Serialize};

use super::load::now;
use super::resident_bytes;

/// Consents of each patient.
pub const EACH: u32 = 5;
/// How many consents are asked for in turn where each is to be far from the one before.
const SAMPLE: u64 = 1 << 17;
const AT: At = At::from_secs(1_790_000_000);
/// How many consents one batch of the filled store has.
const BATCH: usize = 2048;

/// What holding so many patients took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// How many patients.
    pub patients: u32,
    /// Resident bytes for each.
    pub bytes_each: f64,
    /// Nanoseconds to take one version, in the mean.
    pub put_nanos: f64,
    /// The longest that taking one version took, in microseconds.
    pub worst_put_micros: f64,
}

/// What starts took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Starts {
    /// How many patients.
    pub patients: u32,
    /// From everything that is stored.
    pub from_store_millis: f64,
    /// From a snapshot.
    pub from_snapshot_millis: f64,
    /// Writing the snapshot.
    pub snapshot_millis: f64,
    /// How large it is.
    pub snapshot_bytes: u64,
    /// How large the database is.
    pub database_bytes: u64,
}

/// Bytes that look random and are the same in every run.
fn scattered(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn entropy(number: u64) -> [u8; 10] {
    let words = [scattered(number), scattered(!number)];
    let mut bytes = [0; 10];
    for (to, from) in bytes.iter_mut().zip(words.into_iter().flat_map(u64::to_le_bytes)) {
        *to = from;
    }
    bytes
}

/// Choices are made over some years, not in the order of patients.
fn chosen_at(number: u64) -> At {
    let seconds = i64::try_from(scattered(number ^ 0x55) % 100_000_000).unwrap_or(0);
    AT.plus_secs(-seconds)
}

fn consent_id(number: u64) -> ConsentId {
    ConsentId::generate(chosen_at(number), entropy(number))
}

/// A UUID, as most servers name patients.
fn patient_id(number: u64) -> anyhow::Result<PatientId> {
    let (high, low) = (scattered(number ^ 0xaaaa), scattered(number ^ 0xbbbb));
    let text = format!("{high:016x}{low:016x}");
    let parts: Vec<&str> = [0..8, 8..12, 12..16, 16..20, 20..32]
        .into_iter()
        .map(|range| text.get(range).unwrap_or_default())
        .collect();
    Ok(parts.join("-").parse()?)
}

fn account_id(patient: u64) -> AccountId {
    AccountId::generate(chosen_at(patient ^ 0xcccc), entropy(patient ^ 0xcccc))
}

fn app(number: u64) -> anyhow::Result<ClientId> {
    Ok(format!("app-{}", scattered(number) % 40).parse()?)
}

/// Combinations as forms offer them: a few hundred different ones.
fn version(number: u64, shown_text: &str) -> anyhow::Result<ConsentVersion> {
    let mix = scattered(number ^ 0xdddd);
    let of = u64::from(EACH);
    let pick = |shift: u64, count: usize| usize::try_from(mix >> shift).unwrap_or(0) % count;
    let mut categories = CategorySet::EMPTY.with(Category::Laboratory);
    for category in Category::ALL.iter().take(pick(0, 12)) {
        categories = categories.with(*category);
    }
    let at = chosen_at(number);
    let duration = *DurationChoice::ALL.get(pick(8, 3) + 1).context("a duration")?;
    let scopes = ["patient/*.rs", "patient/Observation.rs", "patient/MedicationRequest.rs"];
    let granted: Vec<Scope> =
        scopes.iter().take(pick(16, 3) + 1).map(|scope| scope.parse()).collect::<Result<_, _>>()?;
    let terms = ConsentTerms {
        patient: patient_id(number / of)?,
        given_by: account_id(number / of),
        capacity: Capacity::Patient,
        recipient: Recipient::App(app(number)?),
        categories,
        sensitive: SensitiveSet::EMPTY,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: duration.period_from(at),
        data_period: Period::ALWAYS,
        duration,
        offline: OfflineAccess::Allowed,
        granted_scopes: granted,
        legal_basis: "consent".to_owned(),
        policy_uri: "https://example.org/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: shown_text.to_owned(),
    };
    Ok(ConsentVersion::record(consent_id(number), terms, at)?)
}

fn seeds() -> [u64; 2] {
    [RandomState::new().hash_one(0), RandomState::new().hash_one(1)]
}

/// An index of so many patients, and the longest that taking one version took.
fn filled(patients: u32, folder: &Path) -> anyhow::Result<(ConsentIndex<KeptNames>, Held)> {
    let mut index = ConsentIndex::new(seeds(), KeptNames::within(Some(folder)));
    let before = resident_bytes(std::process::id());
    let (mut worst, mut all) = (Duration::ZERO, Duration::ZERO);
    for number in 0..u64::from(patients) * u64::from(EACH) {
        let version = version(number, "x")?;
        let mut digest = [7; 32];
        for (to, from) in digest.iter_mut().zip(scattered(number).to_le_bytes()) {
            *to = from;
        }
        let name = ConsentVersionId::from_digest(&digest);
        let facts = facts_of(&version, &name);
        let started = now();
        index.put(&facts)?;
        let took = started.elapsed();
        worst = worst.max(took);
        all += took;
    }
    let resident = resident_bytes(std::process::id()).saturating_sub(before);
    let count = f64::from(patients) * f64::from(EACH);
    let held = Held {
        patients,
        bytes_each: resident as f64 / f64::from(patients),
        put_nanos: all.as_nanos() as f64 / count,
        worst_put_micros: worst.as_nanos() as f64 / 1e3,
    };
    Ok((index, held))
}

/// What is read of a version, under a name that need not be computed.
fn facts_of<'a>(version: &'a ConsentVersion, name: &'a ConsentVersionId) -> ConsentFacts<'a> {
    ConsentFacts {
        consent: &version.consent,
        version: name,
        number: version.number,
        status: version.status,
        ended_early: false,
        patient: &version.patient,
        given_by: &version.given_by,
        capacity: version.capacity,
        recipient: &version.recipient,
        categories: version.categories,
        sensitive: version.sensitive,
        purposes: version.purposes,
        period: version.period,
        data_period: version.data_period,
        duration: version.duration,
        offline: version.offline,
        granted_scopes: &version.granted_scopes,
    }
}

/// Holds so many patients in this process, which does nothing else, and says what that took.
///
/// # Errors
/// When they cannot be held.
pub fn hold(patients: u32, folder: &Path) -> anyhow::Result<Held> {
    let (index, held) = filled(patients, folder)?;
    let holding = index.holding();
    anyhow::ensure!(holding.patients == usize::try_from(patients)?, "{holding:?}");
    Ok(held)
}

/// Which consents are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The same again and again.
    Same,
    /// Another each time, far from the one before.
    Scattered,
}

/// The consents of so many patients, to be looked up.
#[derive(Debug)]
pub struct Lookups {
    index: ConsentIndex<KeptNames>,
    bare: HashMap<[u8; 16], [u8; 40]>,
    sample: Vec<Sampled>,
    scopes: Vec<Scope>,
    policy: OrgGround,
}

#[derive(Debug)]
struct Sampled {
    id: ConsentId,
    key: [u8; 16],
    patient: PatientId,
    account: AccountId,
    client: ClientId,
    at: At,
    resource: ResourceFacts,
}

fn key_of(number: u64) -> [u8; 16] {
    let (low, high) = (scattered(number), scattered(number ^ 0xeeee));
    ((u128::from(high) << 64) | u128::from(low)).to_le_bytes()
}

impl Lookups {
    /// The consents of so many patients, in the index and in a bare hash map of as many entries of
    /// as many bytes.
    ///
    /// # Errors
    /// When they cannot be held.
    pub fn of(patients: u32, folder: &Path) -> anyhow::Result<Self> {
        let (index, _) = filled(patients, folder)?;
        let count = u64::from(patients) * u64::from(EACH);
        let bare = (0..count).map(|number| (key_of(number), [1; 40])).collect();
        let sampled = |turn: u64| {
            let number = scattered(turn ^ 0x1234) % count;
            let patient = patient_id(number / u64::from(EACH))?;
            anyhow::Ok(Sampled {
                id: consent_id(number),
                key: key_of(number),
                account: account_id(number / u64::from(EACH)),
                client: app(number)?,
                at: chosen_at(number).plus_secs(60),
                resource: ResourceFacts {
                    resource_type: ResourceType::OBSERVATION,
                    id: None,
                    belonging: Belonging::Patients([patient.clone()].into()),
                    categories: CategorySet::EMPTY.with(Category::Laboratory),
                    labels: Labels::Known(SensitiveSet::EMPTY),
                    clinical_period: None,
                    filed: None,
                },
                patient,
            })
        };
        let sample = (0..SAMPLE.min(count)).map(sampled).collect::<anyhow::Result<_>>()?;
        let scopes = vec!["patient/Observation.rs".parse()?];
        let policy = OrgGround::fixed(ActorKind::Patient);
        Ok(Self { index, bare, sample, scopes, policy })
    }

    fn next(&self, asked: Asked, turn: &mut usize) -> anyhow::Result<&Sampled> {
        if asked == Asked::Scattered {
            *turn = (*turn + 1) % self.sample.len().max(1);
        }
        self.sample.get(*turn).context("an empty sample")
    }

    /// Looks up in the bare map.
    pub fn bare(&self, asked: Asked) -> impl FnMut() -> anyhow::Result<()> {
        let mut turn = 0;
        move || {
            let sampled = self.next(asked, &mut turn)?;
            black_box(self.bare.get(black_box(&sampled.key)).context("not there")?);
            Ok(())
        }
    }

    /// Looks up in the index: everything that a decision reads, the name of the version too.
    pub fn index(&self, asked: Asked) -> impl FnMut() -> anyhow::Result<()> {
        let mut turn = 0;
        move || {
            let sampled = self.next(asked, &mut turn)?;
            black_box(self.index.get(black_box(&sampled.id)).context("not there")?);
            Ok(())
        }
    }

    /// Looks up and decides about one resource.
    pub fn decide(&self, asked: Asked) -> impl FnMut() -> anyhow::Result<()> {
        let mut turn = 0;
        move || {
            let sampled = self.next(asked, &mut turn)?;
            let indexed = self.index.get(black_box(&sampled.id)).context("not there")?;
            let request = AccessRequest {
                policy: &self.policy,
                at: sampled.at,
                client: &sampled.client,
                account: Some(&sampled.account),
                mode: AccessMode::PatientDirected {
                    consent: Some(indexed.facts()),
                    person: ActingPerson::Patient,
                },
                scopes: Some(&self.scopes),
                patient_in_context: Some(&sampled.patient),
                purpose: PurposeOfUse::PatientRequest,
                met: proviso_core::org::ObligationSet::EMPTY,
            };
            let plan = plan(&request).map_err(|denial| anyhow::anyhow!("{denial:?}"))?;
            let decision = plan.decide(&Interaction::Read, black_box(&sampled.resource), &|_| true);
            anyhow::ensure!(decision.is_permit(), "the decision is no permit: {decision:?}");
            Ok(())
        }
    }
}

/// A store with the consents of so many patients, each with a text of two lines.
///
/// # Errors
/// When it cannot be written.
pub async fn fill_store(folder: &Path, patients: u32) -> anyhow::Result<()> {
    let options = OpenOptions::new(TenantId::default_tenant());
    let store = Store::open_sqlite(&folder.join("proviso.db"), options)?;
    let text = "I share these kinds of record with this app. ".repeat(4);
    let mut batch = Batch::new();
    for number in 0..u64::from(patients) * u64::from(EACH) {
        let named = NamedConsent::new(version(number, &text)?);
        let (id, version) = (named.id().clone(), named.into_version());
        batch.push(Op::PutConsentVersion { id, version, expect: None });
        if batch.ops.len() == BATCH {
            store.commit(std::mem::take(&mut batch)).await?;
        }
    }
    // Their pictures among the records take no part in a start, and would be drawn by the first one.
    let drawn = (proviso_app::filed::PICTURES_DRAWN.to_owned(), "1".to_owned());
    batch.push(Op::PutSetting { key: drawn.0, value: drawn.1, expect: ExpectSetting::Any });
    store.commit(batch).await?;
    Ok(())
}

async fn opened(folder: &Path) -> anyhow::Result<(Arc<App>, f64)> {
    let started = now();
    let options = OpenOptions::new(TenantId::default_tenant());
    let store = Store::open_sqlite(&folder.join("proviso.db"), options)?;
    let clock = Arc::new(ManualClock::starting_at(AT));
    let entropy = Arc::new(SystemEntropy::default());
    let settings = Settings::demo("http://127.0.0.1:8080");
    let master = MasterKey::from_bytes([1; 32]);
    let app = App::open(store, master, clock, entropy, settings).await?;
    Ok((app, started.elapsed().as_secs_f64() * 1e3))
}

/// Opens the application in this process, which does nothing else, and says how long that took.
///
/// # Errors
/// When it cannot be opened, or has not the consents of so many patients.
pub async fn open(folder: &Path, patients: u32) -> anyhow::Result<f64> {
    let (app, millis) = opened(folder).await?;
    let holding = app.live().holding().context("what is in memory cannot be read")?;
    anyhow::ensure!(holding.patients == usize::try_from(patients)?, "{holding:?}");
    Ok(millis)
}

/// Opens the application, writes a snapshot, and says how long that took and how large it is.
///
/// # Errors
/// When it cannot be written.
pub async fn snapshot(folder: &Path) -> anyhow::Result<(f64, u64)> {
    let (app, _) = opened(folder).await?;
    let started = now();
    let written = app.write_snapshot().await?.context("too few consents for a snapshot")?;
    Ok((started.elapsed().as_secs_f64() * 1e3, written.bytes))
}
