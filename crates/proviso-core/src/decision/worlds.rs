//! Random worlds: everything that one decision depends on, as values.

use alloc::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::account::RelationshipKind;
use crate::category::{Category, PurposeSet, SensitiveKind};
use crate::consent::provision::{
    Combination, Dialect, Directive, Fact, Identities, RecordFacts, RequestFacts, Rule, Unreadable,
};
use crate::consent::{Capacity, ConsentStatus, ConsentVersion, NamedConsent, Recipient};
use crate::emergency::STEP_UP_SECS_MAX;
use crate::interaction::Interaction;
use crate::mandate::{Mandate, MandateBasis};
use crate::org::{
    Condition, EmergencyReason, Obligation, OrgActionSet, OrgRules, Relation, RuleInForce,
    RuleTarget, RuleTargetSet, SetTest, Test, standings_of,
};
use crate::scope::ScopeSet;

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
    Emergency {
        declared: Option<EmergencyFacts>,
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
    pub(crate) policy: OrgGround,
    pub(crate) met: ObligationSet,
    /// What the policy says of an emergency, where there is one.
    pub(crate) in_emergency: InEmergency,
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
    pub(crate) fn request(&self) -> AccessRequest<'_> {
        let mode = match &self.mode {
            Mode::Directed { consent, person } => {
                let consent = consent.as_ref().map(NamedConsent::facts);
                AccessMode::PatientDirected { consent, person: person.acting() }
            }
            Mode::Own { patient, person } => {
                AccessMode::OwnRecord { patient, person: person.acting() }
            }
            Mode::Operational { kind, relationships, objections } => {
                AccessMode::Operational { kind: *kind, relationships, objections }
            }
            Mode::Emergency { declared } => AccessMode::Emergency { declared: declared.as_ref() },
            Mode::PreAuthorized => AccessMode::PreAuthorized,
        };
        AccessRequest {
            at: self.at,
            client: &self.client,
            account: self.account.as_ref(),
            mode,
            scopes: self.scopes.as_deref(),
            patient_in_context: self.context.as_ref(),
            purpose: self.purpose,
            policy: &self.policy,
            met: self.met,
        }
    }

    pub(crate) fn plan(&self) -> Result<AccessPlan, Decision> {
        plan(&self.request())
    }

    /// The consent, if the world has one.
    pub(crate) fn consent(&self) -> Option<&NamedConsent> {
        match &self.mode {
            Mode::Directed { consent, .. } => consent.as_ref(),
            Mode::Own { .. }
            | Mode::Operational { .. }
            | Mode::Emergency { .. }
            | Mode::PreAuthorized => None,
        }
    }

    pub(crate) fn decide(&self) -> Decision {
        match self.plan() {
            Ok(plan) => plan.decide(&self.interaction, &self.facts, &|filter: &ScopeFilter| {
                self.matching.contains(filter)
            }),
            Err(denial) => denial,
        }
    }

    /// Makes the policies what they are for the relationships of now.
    pub(crate) fn ask_policies_again(&mut self) {
        if self.policy.rules.is_none() {
            return;
        }
        if matches!(self.mode, Mode::Emergency { .. }) {
            let filed = self.policy.filed;
            self.policy = OrgGround { filed, ..emergency_policies(self.in_emergency) };
            return;
        }
        let shut = serde_json::to_string(&self.policy).unwrap().contains("never");
        let kind = match &self.mode {
            Mode::Operational { kind, .. } => *kind,
            Mode::Directed { .. }
            | Mode::Own { .. }
            | Mode::Emergency { .. }
            | Mode::PreAuthorized => ActorKind::System,
        };
        self.policy = OrgGround { filed: self.policy.filed, ..OrgGround::fixed(kind) };
        self.policy = as_rules(self, shut);
    }

    pub(crate) fn permits(&self) -> bool {
        self.decide().is_permit()
    }
}

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
    (account(), patient(), kind, period(), mandate())
        .prop_map(|(account, patient, kind, period, mandate)| Relationship {
            account,
            patient,
            kind,
            period,
            mandate,
            source: crate::org::FactSource::Relationship,
        })
        .boxed()
}

fn mandate() -> BoxedStrategy<Option<Mandate>> {
    let confidential_from = prop_oneof![1 => Just(None), 2 => instant().prop_map(Some)];
    let basis = prop_oneof![
        Just(MandateBasis::Appointed),
        confidential_from.prop_map(|confidential_from| MandateBasis::Parent {
            of_age: At::from_secs(i64::from(u32::MAX)),
            confidential_from,
        }),
    ];
    let categories = prop_oneof![3 => Just(CategorySet::all()), 1 => categories()];
    let some = (basis, categories).prop_map(|(basis, categories)| {
        Some(Mandate {
            basis,
            approved_at: At::from_secs(0),
            approved_by: None,
            reapprove_days: None,
            categories,
        })
    });
    prop_oneof![2 => Just(None), 1 => some].boxed()
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
        2 => prop_oneof![
            12 => declaration().prop_map(Some),
            1 => Just(None),
        ]
        .prop_map(|declared| Mode::Emergency { declared }),
        1 => Just(Mode::PreAuthorized),
    ]
    .boxed()
}

/// Declarations around the instants of these worlds: too early, in force, over, ended, stale.
fn declaration() -> BoxedStrategy<EmergencyFacts> {
    let reason = proptest::sample::select(EmergencyReason::ALL);
    let ended = prop_oneof![8 => Just(None), 1 => instant().prop_map(Some)];
    let proved = prop_oneof![8 => Just(0_i64), 1 => Just(-STEP_UP_SECS_MAX), 1 => Just(1)];
    (account(), patient(), reason, 0_i64..4, 0_i64..9, ended, proved)
        .prop_map(|(by, patient, reason, declared, lasts, ended_at, proved)| EmergencyFacts {
            id: "emg_1".parse().unwrap(),
            by,
            patient,
            reason,
            authenticated_at: At::from_secs(declared + proved),
            declared_at: At::from_secs(declared),
            ends_at: At::from_secs(declared + lasts),
            ended_at,
        })
        .boxed()
}

/// What a policy may say of an emergency: nothing, no, or yes with these sensitive kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InEmergency {
    Silent,
    Refuses,
    Lets(SensitiveSet),
}

fn in_emergency() -> BoxedStrategy<InEmergency> {
    prop_oneof![
        1 => Just(InEmergency::Silent),
        1 => Just(InEmergency::Refuses),
        6 => sensitive().prop_map(InEmergency::Lets),
    ]
    .boxed()
}

/// The same as policies.
fn emergency_policies(says: InEmergency) -> OrgGround {
    let named = PurposeSet::EMPTY.with(PurposeOfUse::BreakGlass);
    let told = |sensitive, shut| told(None, ReasonCode::EmergencyAccess, named, sensitive, shut);
    let rules = match says {
        InEmergency::Silent => return OrgGround::for_patients("none".into()),
        InEmergency::Refuses => told(SensitiveSet::all(), true),
        InEmergency::Lets(sensitive) => told(sensitive, false),
    };
    OrgGround::by_rules("some".into(), OrgRules { standings: standings_of([]), rules })
}

/// Four directives: one for each outcome.
fn filed_directive(which: u8) -> FiledDirective {
    let (base, unreadable) = match which {
        0 => (Some(Rule::Permit), Vec::new()),
        1 => (Some(Rule::Deny), Vec::new()),
        2 => (None, Vec::new()),
        _ => (None, Vec::from([Unreadable::Element("Consent".into())])),
    };
    FiledDirective {
        recorded_at: At::from_secs(0),
        directive: Directive::new(Dialect::FhirTree, base, Vec::new(), unreadable).unwrap(),
    }
}

/// What they are asked.
pub(crate) fn filed_request() -> FiledRequest {
    FiledRequest {
        facts: RequestFacts {
            at: At::from_secs(0),
            asker: Identities::default(),
            others: Vec::new(),
            purpose: Fact::Unknown,
            action: Fact::Unknown,
            locations: Fact::Unknown,
            understood: BTreeSet::new(),
        },
        combination: Combination::DenyOverrides,
    }
}

/// All of them, by name.
pub(crate) fn filed_at_hand() -> FiledAtHand {
    let named = |which| (ConsentVersionId::from_digest(&[which; 32]), filed_directive(which));
    (0..4).map(named).collect()
}

/// What consents on file say of a record; mostly there are none.
fn filed() -> BoxedStrategy<Option<Box<FiledAnswers>>> {
    let which = prop_oneof![4 => Just(0_u8), 1 => Just(1), 2 => Just(2), 1 => Just(3)];
    let answers = proptest::collection::btree_map(patient(), which, 1..3);
    let some = answers.prop_map(|answers| {
        let answer = |(patient, which): (PatientId, u8)| {
            let directive = filed_directive(which);
            let outcome = hear(&[&directive], &filed_request(), &RecordFacts::UNKNOWN);
            let name = ConsentVersionId::from_digest(&[which; 32]);
            let version = FiledVersion { consent: "filed".parse().unwrap(), number: 1, name };
            let heard = Vec::from([version]);
            FiledAnswer { patient, outcome, heard }
        };
        let answers = answers.into_iter().map(answer).collect();
        Some(Box::new(FiledAnswers { record: RecordFacts::UNKNOWN, answers }))
    });
    prop_oneof![4 => Just(None), 2 => some].boxed()
}

fn filed_rule() -> BoxedStrategy<FiledRule> {
    prop_oneof![6 => Just(FiledRule::Restricts), 1 => Just(FiledRule::Required)].boxed()
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
    (resource_type, patients, labels, clinical, kinds, 0_u8..12, filed())
        .prop_map(|world| {
            let (resource_type, patients, labels, clinical_period, categories, kind, filed) = world;
            let belonging = match (kind, resource_type == ResourceType::PRACTITIONER) {
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
                filed,
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
        Mode::Emergency { .. } => ("user/*.cruds", PurposeOfUse::BreakGlass),
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
                        mandate: None,
                        source: crate::org::FactSource::Relationship,
                    });
                }
            }
        }
        Mode::Own { patient, .. } => {
            if part() {
                *patient = "p1".parse().unwrap();
            }
        }
        Mode::Emergency { declared: Some(declared) } => {
            if part() {
                declared.by = "acc_a1".parse().unwrap();
                declared.patient = "p1".parse().unwrap();
            }
            if part() {
                declared.declared_at = At::from_secs(0);
                declared.authenticated_at = At::from_secs(0);
                declared.ends_at = At::from_secs(8);
                declared.ended_at = None;
            }
        }
        Mode::Directed { consent: None, .. }
        | Mode::Emergency { declared: None }
        | Mode::PreAuthorized => {}
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
        (context, purpose(), interaction(), facts(), matching, in_emergency()),
    )
        .prop_map(
            |(
                (at, client, account, mode, scopes),
                (context, purpose, interaction, facts, matching, in_emergency),
            )| World {
                at,
                client,
                account,
                scopes: match mode {
                    Mode::Own { .. } => None,
                    Mode::Directed { .. }
                    | Mode::Operational { .. }
                    | Mode::Emergency { .. }
                    | Mode::PreAuthorized => scopes,
                },
                mode,
                context,
                purpose,
                policy: OrgGround::fixed(ActorKind::System),
                met: ObligationSet::EMPTY.with(Obligation::AttachPart2Notice),
                in_emergency,
                interaction,
                facts,
                matching: matching
                    .into_iter()
                    .map(|value| ScopeFilter { param: "category".into(), value: value.into() })
                    .collect(),
            },
        );
    (raw, mended, filed_rule(), 0_u8..16)
        .prop_map(|(mut world, mended, filed, shape)| {
            world.policy.filed = filed;
            mend(&mut world, &mended);
            if let Mode::Operational { kind, .. } = &world.mode {
                world.policy = OrgGround { filed: world.policy.filed, ..OrgGround::fixed(*kind) };
            } else if matches!(world.mode, Mode::Emergency { .. }) {
                let filed = world.policy.filed;
                world.policy = OrgGround { filed, ..emergency_policies(world.in_emergency) };
            }
            let by_policy = matches!(world.mode, Mode::Operational { .. } | Mode::PreAuthorized);
            if by_policy && shape < 8 {
                world.policy = as_rules(&world, shape == 0);
            }
            world
        })
        .boxed()
}

/// The fixed rules of a world, told as policies; `shut` ones let nobody in from here.
fn as_rules(world: &World, shut: bool) -> OrgGround {
    let (relationships, account) = match (&world.mode, &world.account) {
        (Mode::Operational { relationships, .. }, Some(account)) => {
            (relationships.as_slice(), account.clone())
        }
        _ => (&[] as &[Relationship], "acc_a1".parse().unwrap()),
    };
    let standings = standings_of(standings_among(&account, relationships, world.at));
    let fixed = &world.policy;
    let rules = match (&world.mode, fixed.staff) {
        (Mode::Operational { .. }, None) => Vec::new(),
        (Mode::Operational { .. }, Some(rule)) => {
            let relation = Relation::of(rule.relationship);
            let related = (0_u8..).zip(&standings).filter(|(_, own)| own.contains_key(&relation));
            let related = Test::Standing(related.map(|(place, _)| place).collect());
            let related = Condition { test: related, otherwise: Some(rule.lacking) };
            told(Some(related), rule.basis, rule.purposes, rule.sensitive, shut)
        }
        _ => told(None, ReasonCode::PreAuthorized, fixed.services, SensitiveSet::EMPTY, shut),
    };
    let rules = OrgRules { standings, rules };
    OrgGround { filed: fixed.filed, ..OrgGround::by_rules(fixed.version.clone(), rules) }
}

fn told(
    related: Option<Condition>,
    basis: ReasonCode,
    purposes: PurposeSet,
    sensitive: SensitiveSet,
    shut: bool,
) -> Vec<RuleInForce> {
    let condition = |test, reason| Condition { test, otherwise: Some(reason) };
    let mut asked: Vec<Condition> = related.into_iter().collect();
    asked.push(condition(Test::Purpose(purposes), ReasonCode::PurposeNotAllowed));
    if shut {
        asked.push(condition(Test::Never, ReasonCode::EnvironmentNotAllowed));
    }
    let mut records = asked.clone();
    let kinds = Test::Kinds(SetTest::Within, sensitive);
    records.push(condition(kinds, ReasonCode::SensitiveKindNotShared));
    if !sensitive.contains(SensitiveKind::Restricted) {
        records.push(condition(Test::Labelled, ReasonCode::Unlabelled));
    }
    let rule = |name: &str, target, reason, when| RuleInForce {
        name: name.parse().unwrap(),
        effect: Effect::Permit,
        reason,
        actions: OrgActionSet::all(),
        targets: RuleTargetSet::EMPTY.with(target),
        when,
        obligations: BTreeSet::new(),
    };
    alloc::vec![
        rule("records", RuleTarget::Record, basis, records),
        rule("directory", RuleTarget::Directory, ReasonCode::PublicDirectory, asked),
    ]
}
