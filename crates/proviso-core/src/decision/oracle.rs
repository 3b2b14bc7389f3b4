//! Random worlds, and a naive evaluator that is compared with the engine on them.
//!
//! The evaluator answers one question, "may this resource be released", as a flat list of
//! sentences over the world. It makes no plan, shares no code with the engine beyond the values,
//! and gives no reasons.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::account::RelationshipKind;
use crate::category::{Category, PurposeSet, SensitiveKind};
use crate::consent::{Capacity, ConsentStatus, ConsentVersion, Recipient};
use crate::interaction::Interaction;
use crate::scope::{ScopeContext, ScopeSet};

/// Who signed in, as values.
#[derive(Debug, Clone)]
pub(crate) enum Person {
    Patient,
    Proxy(Option<Relationship>),
}

/// An access mode, as values.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "test worlds; boxing would hide the values")]
pub(crate) enum Mode {
    Directed {
        consent: Option<NamedConsent>,
        person: Person,
    },
    Own {
        patient: PatientId,
        person: Person,
    },
    Operational {
        kind: ActorKind,
        relationships: Vec<Relationship>,
        objections: Vec<(PatientId, CategorySet)>,
    },
    PreAuthorized,
}

/// Everything that one decision depends on.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) at: At,
    pub(crate) client: ClientId,
    pub(crate) account: Option<AccountId>,
    pub(crate) mode: Mode,
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) context: Option<PatientId>,
    pub(crate) purpose: PurposeOfUse,
    pub(crate) interaction: Interaction,
    pub(crate) facts: ResourceFacts,
    /// The filters that the resource matches.
    pub(crate) matching: BTreeSet<ScopeFilter>,
}

impl Person {
    fn acting(&self) -> ActingPerson<'_> {
        match self {
            Self::Patient => ActingPerson::Patient,
            Self::Proxy(relationship) => ActingPerson::Proxy(relationship.as_ref()),
        }
    }
}

impl World {
    pub(crate) fn plan(&self) -> Result<AccessPlan, Decision> {
        let mode = match &self.mode {
            Mode::Directed { consent, person } => {
                AccessMode::PatientDirected { consent: consent.as_ref(), person: person.acting() }
            }
            Mode::Own { patient, person } => {
                AccessMode::OwnRecord { patient, person: person.acting() }
            }
            Mode::Operational { kind, relationships, objections } => {
                AccessMode::Operational { kind: *kind, relationships, objections }
            }
            Mode::PreAuthorized => AccessMode::PreAuthorized,
        };
        plan(&AccessRequest {
            at: self.at,
            client: &self.client,
            account: self.account.as_ref(),
            mode,
            scopes: self.scopes.as_deref(),
            patient_in_context: self.context.as_ref(),
            purpose: self.purpose,
        })
    }

    pub(crate) fn decide(&self) -> Decision {
        match self.plan() {
            Ok(plan) => plan.decide(&self.interaction, &self.facts, &|filter: &ScopeFilter| {
                self.matching.contains(filter)
            }),
            Err(denial) => denial,
        }
    }

    pub(crate) fn permits(&self) -> bool {
        self.decide().is_permit()
    }
}

// ---------------------------------------------------------------------------------------------
// The naive evaluator

/// Whether the resource may be released.
pub(crate) fn naive(world: &World) -> bool {
    scope_allows(world) && interaction_exists(world) && mode_allows(world)
}

fn letters(interaction: &Interaction) -> &'static str {
    match interaction.code() {
        "read" | "vread" | "history-instance" => "r",
        "search-type" | "search-system" | "history-type" | "history-system" => "s",
        "create" => "c",
        "update" | "patch" => "u",
        "delete" => "d",
        "operation" if *interaction == Interaction::Operation("everything".into()) => "rs",
        _ => "",
    }
}

fn interaction_exists(world: &World) -> bool {
    let letters = letters(&world.interaction);
    let writes = letters.contains(['c', 'u', 'd']);
    let name = world.facts.resource_type.as_str();
    let governance = ["Consent", "AuditEvent", "Provenance"].contains(&name);
    let directory = is_directory_name(name);
    !letters.is_empty()
        && (!writes
            || match world.mode {
                Mode::Own { .. } => false,
                Mode::PreAuthorized => !governance,
                Mode::Directed { .. } | Mode::Operational { .. } => !governance && !directory,
            })
}

fn is_directory_name(name: &str) -> bool {
    name == "Practitioner"
}

fn about(world: &World) -> Option<&BTreeSet<PatientId>> {
    match &world.facts.belonging {
        Belonging::Patients(patients) => Some(patients),
        Belonging::Directory | Belonging::Unknown => None,
    }
}

fn context(world: &World) -> Option<&PatientId> {
    match &world.mode {
        Mode::Own { patient, .. } => Some(world.context.as_ref().unwrap_or(patient)),
        Mode::Directed { .. } | Mode::Operational { .. } | Mode::PreAuthorized => {
            world.context.as_ref()
        }
    }
}

fn one_scope_allows(world: &World, letter: char, scope: &ResourceScope) -> bool {
    let has_letter = format!("{}", scope.permissions).contains(letter);
    let has_type =
        scope.resource_type.is_none() || scope.resource_type == Some(world.facts.resource_type);
    let class = match (scope.context, &world.mode) {
        (ScopeContext::System, Mode::PreAuthorized) => true,
        (ScopeContext::User | ScopeContext::Patient, Mode::PreAuthorized)
        | (ScopeContext::System, _) => false,
        (ScopeContext::User, _) => true,
        (ScopeContext::Patient, _) => match (context(world), about(world)) {
            (None, _) => false,
            (Some(_), None) => world.facts.belonging == Belonging::Directory,
            (Some(only), Some(patients)) => patients.iter().all(|patient| patient == only),
        },
    };
    has_letter && has_type && class && scope.filters.iter().all(|f| world.matching.contains(f))
}

fn scope_allows(world: &World) -> bool {
    let Some(scopes) = &world.scopes else { return matches!(world.mode, Mode::Own { .. }) };
    letters(&world.interaction).chars().all(|letter| {
        let by_token = scopes
            .iter()
            .filter_map(Scope::as_resource)
            .any(|scope| one_scope_allows(world, letter, scope));
        let by_consent = match &world.mode {
            Mode::Directed { consent: Some(consent), .. } => consent
                .version()
                .granted_scopes
                .iter()
                .filter_map(Scope::as_resource)
                .any(|scope| one_scope_allows(world, letter, scope)),
            Mode::Directed { consent: None, .. }
            | Mode::Own { .. }
            | Mode::Operational { .. }
            | Mode::PreAuthorized => true,
        };
        // The same class must be in both, else nothing is left of either.
        let one_class = match &world.mode {
            Mode::Directed { consent: Some(consent), .. } => {
                [ScopeContext::Patient, ScopeContext::User].into_iter().any(|class| {
                    let of_class = |list: &[Scope]| {
                        list.iter().filter_map(Scope::as_resource).any(|scope| {
                            scope.context == class && one_scope_allows(world, letter, scope)
                        })
                    };
                    of_class(scopes) && of_class(&consent.version().granted_scopes)
                })
            }
            Mode::Directed { consent: None, .. }
            | Mode::Own { .. }
            | Mode::Operational { .. }
            | Mode::PreAuthorized => true,
        };
        by_token && by_consent && one_class
    })
}

fn proxy_holds(world: &World, patient: &PatientId, person: &Person) -> bool {
    matches!(person, Person::Proxy(Some(own))
        if own.kind == RelationshipKind::Proxy
            && own.patient == *patient
            && world.account.as_ref() == Some(&own.account)
            && own.period.contains(world.at))
}

fn mode_allows(world: &World) -> bool {
    match &world.mode {
        Mode::Directed { consent: None, .. } => false,
        Mode::Directed { consent: Some(consent), person } => {
            directed_allows(world, consent.version(), person)
        }
        Mode::Own { patient, person } => {
            let named = match person {
                Person::Patient => world.purpose.code() == "PATRQT",
                Person::Proxy(_) => {
                    ["PATRQT", "FAMRQT"].contains(&world.purpose.code())
                        && proxy_holds(world, patient, person)
                }
            };
            let hidden: &[SensitiveKind] = match person {
                Person::Patient => &[],
                Person::Proxy(_) => HIDDEN_FROM_PROXIES,
            };
            named
                && world.account.is_some()
                && world.context.as_ref().is_none_or(|context| context == patient)
                && (directory(world)
                    || only_about(world, |own| own == patient) && without(world, hidden))
        }
        Mode::Operational { kind, relationships, objections } => {
            operational_allows(world, *kind, relationships, objections)
        }
        Mode::PreAuthorized => {
            ["TREAT", "COC", "HPAYMT", "HOPERAT", "PUBHLTH", "HRESCH"]
                .contains(&world.purpose.code())
                && (directory(world)
                    || only_about(world, |_| true) && without(world, SensitiveKind::ALL))
        }
    }
}

const HIDDEN_FROM_PROXIES: &[SensitiveKind] =
    &[SensitiveKind::Adolescent, SensitiveKind::PsychotherapyNotes, SensitiveKind::Restricted];

fn directory(world: &World) -> bool {
    world.facts.belonging == Belonging::Directory
        && is_directory_name(world.facts.resource_type.as_str())
}

fn only_about(world: &World, allowed: impl Fn(&PatientId) -> bool) -> bool {
    about(world).is_some_and(|patients| !patients.is_empty() && patients.iter().all(allowed))
}

fn without(world: &World, hidden: &[SensitiveKind]) -> bool {
    match world.facts.labels {
        Labels::Known(kinds) => hidden.iter().all(|kind| !kinds.contains(*kind)),
        Labels::Unclassified => !hidden.contains(&SensitiveKind::Restricted),
    }
}

fn possible_kinds(name: &str) -> CategorySet {
    match name {
        "Observation" => [
            Category::Laboratory,
            Category::Vitals,
            Category::SocialHistory,
            Category::Procedures,
            Category::Imaging,
            Category::CarePlans,
            Category::Questionnaires,
        ]
        .into_iter()
        .collect(),
        "MedicationRequest" => CategorySet::EMPTY.with(Category::Medications),
        "Patient" => CategorySet::EMPTY.with(Category::Demographics),
        _ => CategorySet::all(),
    }
}

fn known_kinds(world: &World) -> Vec<Category> {
    let possible = possible_kinds(world.facts.resource_type.as_str());
    world.facts.categories.iter().filter(|kind| possible.contains(*kind)).collect()
}

fn directed_allows(world: &World, consent: &ConsentVersion, person: &Person) -> bool {
    let by_patient = matches!(person, Person::Patient) && consent.capacity == Capacity::Patient;
    let parties = consent.recipient == Recipient::App(world.client.clone())
        && world.account.as_ref() == Some(&consent.given_by)
        && world.context.as_ref().is_none_or(|context| *context == consent.patient)
        && (by_patient || proxy_holds(world, &consent.patient, person));
    let time = consent.status == ConsentStatus::Active
        && consent.period.start.is_none_or(|start| world.at >= start)
        && consent.period.end.is_none_or(|end| world.at < end);
    if !parties || !time || !consent.purposes.contains(world.purpose) {
        return false;
    }
    if directory(world) {
        return true;
    }
    let name = world.facts.resource_type.as_str();
    let possible = possible_kinds(name);
    let kinds = known_kinds(world);
    let category = if kinds.is_empty() {
        possible.iter().all(|kind| consent.categories.contains(kind))
    } else {
        kinds.iter().any(|kind| consent.categories.contains(*kind))
    };
    let bounded = consent.data_period.start.is_some() || consent.data_period.end.is_some();
    let dated = !bounded
        || world.facts.clinical_period.is_some_and(|period| {
            let starts = consent
                .data_period
                .start
                .is_none_or(|from| period.start.is_some_and(|start| start >= from));
            let ends =
                consent.data_period.end.is_none_or(|to| period.end.is_some_and(|end| end <= to));
            starts && ends
        });
    let hidden: Vec<SensitiveKind> = SensitiveKind::ALL
        .iter()
        .copied()
        .filter(|kind| {
            !consent.sensitive.contains(*kind) || !by_patient && HIDDEN_FROM_PROXIES.contains(kind)
        })
        .collect();
    category && dated && only_about(world, |p| *p == consent.patient) && without(world, &hidden)
}

fn operational_allows(
    world: &World,
    kind: ActorKind,
    relationships: &[Relationship],
    objections: &[(PatientId, CategorySet)],
) -> bool {
    let (needed, hidden): (_, &[SensitiveKind]) = match kind {
        ActorKind::Clinician => (
            RelationshipKind::Care,
            &[
                SensitiveKind::PsychotherapyNotes,
                SensitiveKind::SubstanceUse,
                SensitiveKind::Restricted,
            ],
        ),
        ActorKind::Nurse => (RelationshipKind::Shift, SensitiveKind::ALL),
        ActorKind::Patient
        | ActorKind::Proxy
        | ActorKind::Staff
        | ActorKind::PrivacyOfficer
        | ActorKind::Administrator
        | ActorKind::SupportAgent
        | ActorKind::System => return false,
    };
    let related = |patient: &PatientId| {
        relationships.iter().any(|own| {
            own.kind == needed
                && own.patient == *patient
                && world.account.as_ref() == Some(&own.account)
                && own.period.contains(world.at)
        })
    };
    let any_patient = relationships.iter().any(|own| related(&own.patient));
    let objected = |patient: &PatientId| {
        objections.iter().any(|(who, what)| {
            who == patient
                && (known_kinds(world).iter().any(|kind| what.contains(*kind))
                    || known_kinds(world).is_empty() && !what.is_empty())
        })
    };
    ["TREAT", "COC"].contains(&world.purpose.code())
        && world.context.as_ref().map_or(any_patient, related)
        && (directory(world)
            || only_about(world, |own| related(own) && !objected(own)) && without(world, hidden))
}

// ---------------------------------------------------------------------------------------------
// Random worlds

fn patient() -> BoxedStrategy<PatientId> {
    prop_oneof![6 => Just("p1"), 1 => Just("p2"), 1 => Just("p3")]
        .prop_map(|id| id.parse().unwrap())
        .boxed()
}

fn account() -> BoxedStrategy<AccountId> {
    prop_oneof![12 => Just("acc_a1"), 1 => Just("acc_a2")]
        .prop_map(|id| id.parse().unwrap())
        .boxed()
}

fn client() -> BoxedStrategy<ClientId> {
    prop_oneof![12 => Just("c1"), 1 => Just("c2")].prop_map(|id| id.parse().unwrap()).boxed()
}

fn instant() -> BoxedStrategy<At> {
    (0_i64..8).prop_map(At::from_secs).boxed()
}

fn bound(unbounded: u32) -> BoxedStrategy<Option<At>> {
    prop_oneof![unbounded => Just(None), 1 => instant().prop_map(Some)].boxed()
}

fn period() -> BoxedStrategy<Period> {
    (bound(2), bound(2)).prop_map(|(start, end)| Period { start, end }).boxed()
}

fn categories() -> BoxedStrategy<CategorySet> {
    let some = proptest::sample::subsequence(
        alloc::vec![
            Category::Demographics,
            Category::Medications,
            Category::Laboratory,
            Category::Vitals,
        ],
        0..=4,
    );
    prop_oneof![1 => Just(CategorySet::all()), 3 => some.prop_map(CategorySet::from)].boxed()
}

pub(crate) fn sensitive() -> BoxedStrategy<SensitiveSet> {
    let some = proptest::sample::subsequence(
        alloc::vec![
            SensitiveKind::Hiv,
            SensitiveKind::Adolescent,
            SensitiveKind::SubstanceUse,
            SensitiveKind::Restricted,
        ],
        0..=4,
    );
    prop_oneof![2 => Just(SensitiveSet::EMPTY), 1 => Just(SensitiveSet::all()),
        2 => some.prop_map(SensitiveSet::from)]
    .boxed()
}

fn purpose() -> BoxedStrategy<PurposeOfUse> {
    prop_oneof![
        5 => Just(PurposeOfUse::PatientRequest),
        5 => Just(PurposeOfUse::Treatment),
        1 => Just(PurposeOfUse::Family),
        1 => Just(PurposeOfUse::Research),
        1 => Just(PurposeOfUse::BreakGlass),
    ]
    .boxed()
}

fn purposes() -> BoxedStrategy<PurposeSet> {
    prop_oneof![
        6 => Just(PurposeSet::EMPTY
            .with(PurposeOfUse::PatientRequest)
            .with(PurposeOfUse::Treatment)),
        1 => purpose().prop_map(|one| PurposeSet::EMPTY.with(one)),
        1 => Just(PurposeSet::all()),
    ]
    .boxed()
}

pub(crate) fn relationship() -> BoxedStrategy<Relationship> {
    let kind = prop_oneof![
        Just(RelationshipKind::Care),
        Just(RelationshipKind::Shift),
        Just(RelationshipKind::Proxy)
    ];
    (account(), patient(), kind, period())
        .prop_map(|(account, patient, kind, period)| Relationship {
            account,
            patient,
            kind,
            period,
        })
        .boxed()
}

fn person() -> BoxedStrategy<Person> {
    let kin = (relationship(), any::<bool>()).prop_map(|(mut own, proxy)| {
        if proxy {
            own.kind = RelationshipKind::Proxy;
        }
        own
    });
    prop_oneof![
        3 => Just(Person::Patient),
        3 => kin.prop_map(|own| Person::Proxy(Some(own))),
        1 => Just(Person::Proxy(None)),
    ]
    .boxed()
}

fn scopes() -> BoxedStrategy<Vec<Scope>> {
    let one = proptest::sample::select(alloc::vec![
        "patient/*.cruds",
        "patient/*.rs",
        "patient/Observation.rs?category=lab",
        "patient/Observation.rs?category=vital",
        "patient/Observation.cu",
        "patient/Patient.read",
        "user/*.rs",
        "user/Observation.r",
        "user/*.cruds",
        "system/*.cruds",
        "system/Observation.rs?category=lab",
        "openid",
    ]);
    proptest::collection::vec(one, 1..4)
        .prop_map(|texts| {
            texts.iter().map(|text| text.parse::<Scope>().unwrap()).collect::<ScopeSet>().into_vec()
        })
        .boxed()
}

fn consent() -> BoxedStrategy<NamedConsent> {
    let status = prop_oneof![
        12 => Just(ConsentStatus::Active),
        1 => Just(ConsentStatus::Inactive),
        1 => Just(ConsentStatus::Proposed),
        1 => Just(ConsentStatus::EnteredInError),
    ];
    let capacity = prop_oneof![6 => Just(Capacity::Patient), 2 => Just(Capacity::Proxy),
        1 => Just(Capacity::LegalAuthority)];
    let recipient = prop_oneof![
        20 => client().prop_map(Recipient::App),
        1 => account().prop_map(Recipient::Person),
    ];
    (
        (status, capacity, recipient, patient(), account()),
        (categories(), sensitive(), purposes(), period(), period(), scopes()),
    )
        .prop_map(
            |(
                (status, capacity, recipient, patient, given_by),
                (categories, sensitive, purposes, period, data_period, granted_scopes),
            )| {
                let mut terms = crate::consent::tests::terms();
                terms.recipient = recipient;
                terms.patient = patient;
                let recorded = ConsentVersion::record(
                    "cns_1".parse().unwrap(),
                    terms,
                    crate::consent::tests::NOON,
                )
                .unwrap();
                NamedConsent::new(ConsentVersion {
                    status,
                    capacity,
                    given_by,
                    categories,
                    sensitive,
                    purposes,
                    period,
                    data_period,
                    granted_scopes,
                    recorded_at: At::from_secs(0),
                    ..recorded
                })
            },
        )
        .boxed()
}

fn mode() -> BoxedStrategy<Mode> {
    let kind = prop_oneof![
        3 => Just(ActorKind::Clinician),
        3 => Just(ActorKind::Nurse),
        1 => Just(ActorKind::PrivacyOfficer),
        1 => Just(ActorKind::SupportAgent),
        1 => Just(ActorKind::Patient),
    ];
    let consent = prop_oneof![12 => consent().prop_map(Some), 1 => Just(None)];
    let objections = proptest::collection::vec((patient(), categories()), 0..2);
    prop_oneof![
        4 => (consent, person()).prop_map(|(consent, person)| Mode::Directed { consent, person }),
        1 => (patient(), person()).prop_map(|(patient, person)| Mode::Own { patient, person }),
        2 => (kind, proptest::collection::vec(relationship(), 0..4), objections).prop_map(
            |(kind, relationships, objections)| {
                Mode::Operational { kind, relationships, objections }
            }
        ),
        1 => Just(Mode::PreAuthorized),
    ]
    .boxed()
}

fn facts() -> BoxedStrategy<ResourceFacts> {
    let resource_type = prop_oneof![
        6 => Just(ResourceType::OBSERVATION),
        1 => Just(ResourceType::MEDICATION_REQUEST),
        1 => Just(ResourceType::PATIENT),
        2 => Just(ResourceType::PRACTITIONER),
        1 => Just(ResourceType::CONSENT),
        1 => Just(ResourceType::GROUP),
    ];
    let patients = prop_oneof![
        6 => patient().prop_map(|one| BTreeSet::from([one])),
        1 => proptest::collection::btree_set(patient(), 0..3),
    ];
    let labels = prop_oneof![
        5 => sensitive().prop_map(Labels::Known),
        1 => Just(Labels::Unclassified),
    ];
    let clinical = prop_oneof![1 => Just(None), 3 => period().prop_map(Some)];
    let kinds = prop_oneof![
        1 => Just(CategorySet::EMPTY),
        4 => categories(),
    ];
    (resource_type, patients, labels, clinical, kinds, 0_u8..12)
        .prop_map(|(resource_type, patients, labels, clinical_period, categories, belonging)| {
            let belonging = match (belonging, resource_type == ResourceType::PRACTITIONER) {
                (0, _) => Belonging::Unknown,
                (1, _) | (2..=10, true) => Belonging::Directory,
                _ => Belonging::Patients(patients),
            };
            ResourceFacts {
                resource_type,
                id: None,
                belonging,
                categories,
                labels,
                clinical_period,
            }
        })
        .boxed()
}

fn interaction() -> BoxedStrategy<Interaction> {
    prop_oneof![
        6 => Just(Interaction::Read),
        4 => Just(Interaction::Search),
        1 => Just(Interaction::Create),
        1 => Just(Interaction::Update),
        1 => Just(Interaction::Delete),
        1 => Just(Interaction::Operation("everything".into())),
        1 => Just(Interaction::Operation("expunge".into())),
        1 => Just(Interaction::Batch),
    ]
    .boxed()
}

/// Mends parts of a world, so that what is left random decides; without this nearly every world
/// would be refused for several reasons at once and single conjuncts would hide behind others.
fn mend(world: &mut World, mended: &[bool]) {
    let mut parts = mended.iter().copied();
    let mut part = move || parts.next().unwrap_or(false);
    if part() {
        world.account = Some("acc_a1".parse().unwrap());
        world.client = "c1".parse().unwrap();
    }
    if part() {
        world.interaction = Interaction::Read;
    }
    if part() {
        world.context = None;
    }
    if part() && !matches!(world.facts.belonging, Belonging::Directory) {
        world.facts.belonging = Belonging::Patients(BTreeSet::from(["p1".parse().unwrap()]));
    }
    if part() {
        world.facts.labels = Labels::Known(SensitiveSet::EMPTY);
    }
    let (scopes, purpose) = match world.mode {
        Mode::Directed { .. } => ("user/*.cruds", PurposeOfUse::PatientRequest),
        Mode::Own { .. } => ("", PurposeOfUse::PatientRequest),
        Mode::Operational { .. } => ("user/*.cruds", PurposeOfUse::Treatment),
        Mode::PreAuthorized => ("system/*.cruds", PurposeOfUse::Treatment),
    };
    if part() {
        world.purpose = purpose;
    }
    if part() && !matches!(world.mode, Mode::Own { .. }) {
        world.scopes = Some(alloc::vec![scopes.parse().unwrap()]);
    }
    match &mut world.mode {
        Mode::Directed { consent: Some(named), .. } => {
            let mut version = named.version().clone();
            if part() {
                version.recipient = Recipient::App("c1".parse().unwrap());
                version.given_by = "acc_a1".parse().unwrap();
                version.patient = "p1".parse().unwrap();
            }
            if part() {
                version.status = ConsentStatus::Active;
                version.period = Period::ALWAYS;
            }
            if part() {
                version.data_period = Period::ALWAYS;
            }
            if part() {
                version.categories = CategorySet::all();
            }
            if part() {
                version.granted_scopes.push("user/*.cruds".parse().unwrap());
            }
            *named = NamedConsent::new(version);
        }
        Mode::Operational { relationships, .. } => {
            if part() {
                for kind in [RelationshipKind::Care, RelationshipKind::Shift] {
                    relationships.push(Relationship {
                        account: "acc_a1".parse().unwrap(),
                        patient: "p1".parse().unwrap(),
                        kind,
                        period: Period::ALWAYS,
                    });
                }
            }
        }
        Mode::Own { patient, .. } => {
            if part() {
                *patient = "p1".parse().unwrap();
            }
        }
        Mode::Directed { consent: None, .. } | Mode::PreAuthorized => {}
    }
}

/// Any world, with a fair share of permits.
pub(crate) fn any_world() -> BoxedStrategy<World> {
    let token = prop_oneof![8 => scopes().prop_map(Some), 1 => Just(None)];
    let matching = proptest::sample::subsequence(alloc::vec!["lab", "vital"], 0..=2);
    let account = prop_oneof![12 => account().prop_map(Some), 1 => Just(None)];
    let context = prop_oneof![4 => patient().prop_map(Some), 1 => Just(None)];
    let mended = proptest::collection::vec(proptest::bool::weighted(0.85), 12);
    let raw = (
        (instant(), client(), account, mode(), token),
        (context, purpose(), interaction(), facts(), matching),
    )
        .prop_map(
            |(
                (at, client, account, mode, scopes),
                (context, purpose, interaction, facts, matching),
            )| World {
                at,
                client,
                account,
                scopes: match mode {
                    Mode::Own { .. } => None,
                    Mode::Directed { .. } | Mode::Operational { .. } | Mode::PreAuthorized => {
                        scopes
                    }
                },
                mode,
                context,
                purpose,
                interaction,
                facts,
                matching: matching
                    .into_iter()
                    .map(|value| ScopeFilter { param: "category".into(), value: value.into() })
                    .collect(),
            },
        );
    (raw, mended)
        .prop_map(|(mut world, mended)| {
            mend(&mut world, &mended);
            world
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_engine_and_the_naive_evaluator_agree(world in any_world()) {
        prop_assert_eq!(world.permits(), naive(&world), "{:?}", world.decide());
    }
}

#[test]
fn random_worlds_permit_on_every_basis_and_refuse_for_every_reason() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    let mut permits = 0;
    for _ in 0..8_000 {
        let world = any_world().new_tree(&mut runner).unwrap().current();
        let decision = world.decide();
        permits += usize::from(decision.is_permit());
        seen.extend(decision.reasons);
    }
    assert!(permits > 400, "only {permits} worlds permit: the comparison would see one side");
    // A disabled account or app never gets as far as a decision.
    for reason in ReasonCode::ALL.iter().filter(|code| **code != ReasonCode::AccountDisabled) {
        assert!(seen.contains(reason), "{} never occurred", reason.code());
    }
}
