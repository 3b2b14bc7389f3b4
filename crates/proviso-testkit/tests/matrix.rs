//! The access matrix: who of the demo world may do what with which kind of record, for which
//! purpose, under each choice of a patient. A committed text, so that a change of any rule is a
//! difference that a person can read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use proviso::demo::world::people::{self, Person};
use proviso_app::policy::PolicySet;
use proviso_core::account::{ActorKind, Relationship, RelationshipKind};
use proviso_core::category::{
    Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet,
};
use proviso_core::category_rules::rules_of;
use proviso_core::consent::{
    Capacity, ConsentTerms, ConsentVersion, DurationChoice, NamedConsent, OfflineAccess, Recipient,
};
use proviso_core::decision::{
    AccessMode, AccessPlan, AccessRequest, ActingPerson, Belonging, Labels, OrgGround,
    ResourceFacts, plan, standings_among,
};
use proviso_core::emergency::EmergencyFacts;
use proviso_core::id::{AccountId, ClientId, PatientId};
use proviso_core::interaction::Interaction;
use proviso_core::org::{
    EmergencyReason, FactSource, Mode, Network, OrgQuestion, Role, RoleSet, emergency_question,
};
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Scope, ScopeSet};
use proviso_core::time::{At, Period};
use proviso_testkit::demo_world::DemoWorld;

const PATIENTS: [&str; 3] = [people::MARIA_PATIENT, people::JAMES_PATIENT, people::LILY_PATIENT];

fn interactions() -> Vec<Interaction> {
    vec![
        Interaction::Read,
        Interaction::Vread,
        Interaction::HistoryInstance,
        Interaction::Search,
        Interaction::Create,
        Interaction::Update,
        Interaction::Patch,
        Interaction::Delete,
    ]
}

fn facts(patient: &PatientId, category: Category, labels: Labels) -> ResourceFacts {
    ResourceFacts {
        resource_type: rules_of(category).next().unwrap().resource_type,
        id: None,
        belonging: Belonging::Patients(BTreeSet::from([patient.clone()])),
        categories: CategorySet::EMPTY.with(category),
        labels,
        clinical_period: None,
        filed: None,
    }
}

/// Everything that may be done with one kind of record.
fn kinds(plan: &AccessPlan, interaction: &Interaction, patient: &PatientId) -> String {
    let may = |category, labels| {
        let facts = facts(patient, category, labels);
        plan.decide(interaction, &facts, &|_| true).is_permit()
    };
    let plain = Labels::Known(SensitiveSet::EMPTY);
    let categories: CategorySet =
        Category::ALL.iter().copied().filter(|category| may(*category, plain)).collect();
    let labelled = |kind: &SensitiveKind| Labels::Known(SensitiveSet::EMPTY.with(*kind));
    let sensitive: SensitiveSet = SensitiveKind::ALL
        .iter()
        .copied()
        .filter(|kind| Category::ALL.iter().any(|category| may(*category, labelled(kind))))
        .collect();
    let unlabelled = Category::ALL.iter().any(|category| may(*category, Labels::Unclassified));
    if categories.is_empty() && sensitive.is_empty() {
        return String::new();
    }
    let mut told = listed(categories.iter().map(Category::code), Category::ALL.len());
    let named = listed(sensitive.iter().map(SensitiveKind::code), SensitiveKind::ALL.len());
    let _ =
        write!(told, "; sensitive: {named}; unlabelled: {}", if unlabelled { "yes" } else { "no" });
    told
}

fn listed<'a>(codes: impl Iterator<Item = &'a str>, all: usize) -> String {
    let codes: Vec<&str> = codes.collect();
    match codes.len() {
        0 => "none".to_owned(),
        some if some == all => "all".to_owned(),
        _ => codes.join(" "),
    }
}

/// What the policies that come with this release come to for a way of asking.
fn ground(asking: &Asking<'_>, mode: AccessMode<'_>, at: At) -> OrgGround {
    static STARTER: LazyLock<Arc<PolicySet>> = LazyLock::new(|| PolicySet::starter().unwrap());
    let policy = &**STARTER;
    let version = policy.policy_version();
    let rules = match (mode, &asking.account) {
        (AccessMode::Operational { kind, relationships, .. }, Some(account)) => {
            let who = OrgQuestion::of_account(account.clone(), kind, Mode::Operational);
            let mut who = who.with_roles(RoleSet::of_kind(kind).union(asking.roles));
            who.environment.network = Some(Network::Internal);
            policy.rules_for(&who, standings_among(account, relationships, at))
        }
        (AccessMode::PreAuthorized, _) => {
            policy.rules_for(&OrgQuestion::of_service(asking.client.clone()), [])
        }
        (AccessMode::Emergency { declared: Some(declared) }, Some(account)) => {
            let kind = ActorKind::Clinician;
            let who = OrgQuestion::of_account(account.clone(), kind, Mode::Operational);
            let mut who = who.with_roles(RoleSet::of_kind(kind).union(asking.roles));
            who.environment.network = Some(Network::Internal);
            policy.rules_for(&emergency_question(who, declared, declared.declared_at), [])
        }
        _ => return OrgGround::for_patients(version),
    };
    OrgGround::by_rules(version, rules)
}

/// One person or service, and one way in which they ask.
struct Asking<'a> {
    title: String,
    client: ClientId,
    account: Option<AccountId>,
    /// Beside those of the kind of account.
    roles: RoleSet,
    mode: Box<dyn Fn(&'a PatientId) -> AccessMode<'a> + 'a>,
    scopes: Option<Vec<Scope>>,
    in_context: bool,
}

impl<'a> Asking<'a> {
    /// For every patient and purpose one line for each group of interactions with the same outcome.
    fn section(&self, at: At, patients: &'a [PatientId], out: &mut String) {
        let _ = writeln!(out, "\n== {}", self.title);
        for patient in patients {
            let mut outcomes: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
            for purpose in PurposeOfUse::ALL {
                let mode = (self.mode)(patient);
                let policy = ground(self, mode, at);
                let request = AccessRequest {
                    policy: &policy,
                    at,
                    client: &self.client,
                    account: self.account.as_ref(),
                    mode,
                    scopes: self.scopes.as_deref(),
                    patient_in_context: self.in_context.then_some(patient),
                    purpose: *purpose,
                    met: proviso_app::access::CARRIED_OUT,
                };
                outcomes.entry(outcome(&request, patient)).or_default().push(purpose.code());
            }
            let _ = writeln!(out, "{patient}");
            let mut lines: Vec<_> =
                outcomes.into_iter().map(|(lines, purposes)| (purposes, lines)).collect();
            lines.sort();
            for (purposes, lines) in lines {
                let _ = writeln!(out, "  {}", purposes.join(" "));
                for line in lines {
                    let _ = writeln!(out, "    {line}");
                }
            }
        }
    }
}

fn outcome(request: &AccessRequest<'_>, patient: &PatientId) -> Vec<String> {
    let plan = match plan(request) {
        Ok(plan) => plan,
        Err(decision) => {
            let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.code()).collect();
            return vec![format!("refused: {}", reasons.join(" "))];
        }
    };
    let mut groups: Vec<(String, Vec<&'static str>)> = Vec::new();
    for interaction in interactions() {
        let told = kinds(&plan, &interaction, patient);
        let code = match interaction {
            Interaction::Search => "search",
            Interaction::HistoryInstance => "history",
            Interaction::Read => "read",
            Interaction::Vread => "vread",
            Interaction::Create => "create",
            Interaction::Update => "update",
            Interaction::Patch => "patch",
            _ => "delete",
        };
        match groups.iter_mut().find(|(own, _)| *own == told) {
            Some((_, codes)) => codes.push(code),
            None => groups.push((told, vec![code])),
        }
    }
    groups
        .into_iter()
        .map(|(told, codes)| {
            let told = if told.is_empty() { "nothing".to_owned() } else { told };
            format!("{}: {told}", codes.join(" "))
        })
        .collect()
}

fn account_id(person: &Person) -> AccountId {
    format!("acc_{}", person.username).parse().unwrap()
}

fn scopes(text: &str) -> Vec<Scope> {
    ScopeSet::parse(text).unwrap().known.into_vec()
}

/// A choice that a patient or proxy of the demo could record, with the app that it names.
fn choice(title: &str, person: &Person, patient: &str, at: At) -> (String, NamedConsent) {
    let everything = title.contains("everything");
    let categories = if everything {
        CategorySet::all()
    } else {
        CategorySet::EMPTY.with(Category::Laboratory).with(Category::Vitals)
    };
    let terms = ConsentTerms {
        patient: patient.parse().unwrap(),
        given_by: account_id(person),
        capacity: if person.kind == ActorKind::Proxy { Capacity::Proxy } else { Capacity::Patient },
        recipient: Recipient::App("glucose-coach".parse().unwrap()),
        categories,
        sensitive: if everything { SensitiveSet::all() } else { SensitiveSet::EMPTY },
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: Period { start: Some(at), end: None },
        data_period: Period::ALWAYS,
        duration: DurationChoice::UntilStopped,
        offline: OfflineAccess::Refused,
        granted_scopes: scopes("patient/*.cruds"),
        legal_basis: "consent".to_owned(),
        policy_uri: "https://hospital.example/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: title.to_owned(),
    };
    let id = "cns_matrix".parse().unwrap();
    let consent = NamedConsent::new(ConsentVersion::record(id, terms, at).unwrap());
    (format!("{} through Glucose Coach: {title}", person.username), consent)
}

async fn matrix() -> String {
    let world = DemoWorld::start().await.unwrap();
    let at = world.app.now();
    let patients: Vec<PatientId> = PATIENTS.iter().map(|id| id.parse().unwrap()).collect();
    let related: BTreeMap<AccountId, Vec<Relationship>> = people::ALL
        .iter()
        .map(|person| {
            let mut own = world.app.live().relationships(&account_id(person));
            own.sort_by(|a, b| a.patient.cmp(&b.patient));
            (account_id(person), own)
        })
        .collect();
    let choices = [
        choice("laboratory results and vital signs", &people::MARIA, "maria", at),
        choice("everything, every sensitive kind named", &people::MARIA, "maria", at),
        choice("everything, every sensitive kind named", &people::WEI, "lily", at),
    ];
    let mut out = String::from(
        "The access matrix: for each way of asking, each patient and each purpose, what may be done\n\
         with which kinds of record, by scopes that reach everything. Kinds are told for records\n\
         that are not sensitive; then the sensitive kinds that may be seen in some record.\n\
         Staff ask from the organization's own network.\n",
    );
    for person in people::ALL {
        asking_of(person, &related[&account_id(person)]).section(at, &patients, &mut out);
    }
    let emergencies = [EmergencyReason::Unresponsive, EmergencyReason::Unreachable].map(|reason| {
        EmergencyFacts {
            id: "emg_matrix".parse().unwrap(),
            by: account_id(&people::DRSTONE),
            patient: people::MARIA_PATIENT.parse().unwrap(),
            reason,
            authenticated_at: at,
            declared_at: at,
            ends_at: at.plus_secs(3_600),
            ended_at: None,
        }
    });
    for declared in &emergencies {
        let asking = Asking {
            title: format!("drstone, in an emergency of maria ({})", declared.reason.code()),
            client: "chart-lens".parse().unwrap(),
            account: Some(declared.by.clone()),
            roles: people::DRSTONE.roles,
            mode: Box::new(move |_| AccessMode::Emergency { declared: Some(declared) }),
            scopes: Some(scopes("user/*.cruds")),
            in_context: true,
        };
        asking.section(at, &patients, &mut out);
    }
    for own in &colleagues(at) {
        own.asking().section(at, &patients, &mut out);
    }
    let service = Asking {
        title: "quality-study, a service".to_owned(),
        client: "quality-study".parse().unwrap(),
        account: None,
        roles: RoleSet::EMPTY,
        mode: Box::new(|_| AccessMode::PreAuthorized),
        scopes: Some(scopes("system/*.cruds")),
        in_context: false,
    };
    service.section(at, &patients, &mut out);
    for (title, consent) in &choices {
        let giver = &consent.version().given_by;
        let proxy = related[giver].iter().find(|own| own.patient == consent.version().patient);
        let person = match consent.version().capacity {
            Capacity::Patient => ActingPerson::Patient,
            Capacity::Proxy | Capacity::LegalAuthority => ActingPerson::Proxy(proxy),
        };
        let asking = Asking {
            title: title.clone(),
            client: "glucose-coach".parse().unwrap(),
            account: Some(giver.clone()),
            roles: RoleSet::EMPTY,
            mode: Box::new(move |_| AccessMode::PatientDirected {
                consent: Some(consent.facts()),
                person,
            }),
            scopes: Some(scopes("patient/*.cruds")),
            in_context: true,
        };
        asking.section(at, &patients, &mut out);
    }
    out
}

fn asking_of<'a>(person: &'a Person, related: &'a [Relationship]) -> Asking<'a> {
    let staff = !matches!(person.kind, ActorKind::Patient | ActorKind::Proxy);
    let how = if staff { "as staff" } else { "in the portal" };
    Asking {
        title: format!("{} ({}), {how}", person.username, person.display_name),
        client: if staff { "chart-lens" } else { "portal" }.parse().unwrap(),
        account: Some(account_id(person)),
        roles: person.roles,
        mode: Box::new(move |patient: &'a PatientId| {
            if staff {
                let kind = person.kind;
                return AccessMode::Operational { kind, relationships: related, objections: &[] };
            }
            let own = person.fhir_user.is_some_and(|(kind, id)| {
                kind == ResourceType::PATIENT.as_str() && id == patient.as_str()
            });
            let proxy = related.iter().find(|own| own.patient == *patient);
            let person = if own { ActingPerson::Patient } else { ActingPerson::Proxy(proxy) };
            AccessMode::OwnRecord { patient, person }
        }),
        scopes: staff.then(|| scopes("user/*.cruds")),
        in_context: true,
    }
}

/// Somebody with a role that nobody of the demo has, as of a clinic that uses it.
struct Colleague {
    title: &'static str,
    kind: ActorKind,
    roles: RoleSet,
    related: Vec<Relationship>,
}

impl Colleague {
    fn asking(&self) -> Asking<'_> {
        Asking {
            title: self.title.to_owned(),
            client: "chart-lens".parse().unwrap(),
            account: Some(colleague_id()),
            roles: self.roles,
            mode: Box::new(move |_| AccessMode::Operational {
                kind: self.kind,
                relationships: &self.related,
                objections: &[],
            }),
            scopes: Some(scopes("user/*.cruds")),
            in_context: true,
        }
    }
}

fn colleague_id() -> AccountId {
    "acc_colleague".parse().unwrap()
}

/// Each of them is related to Maria, where the role asks for a relation at all.
fn colleagues(at: At) -> Vec<Colleague> {
    let related = |kind, source| Relationship {
        account: colleague_id(),
        patient: people::MARIA_PATIENT.parse().unwrap(),
        kind,
        period: Period { start: Some(at), end: Some(at.plus_secs(60)) },
        mandate: None,
        source,
    };
    let one = |title, kind, role: &[Role], related| Colleague {
        title,
        kind,
        roles: role.iter().copied().collect(),
        related,
    };
    vec![
        one("a front desk, in the house", ActorKind::Staff, &[Role::FrontDesk], vec![]),
        one("a billing office, in the house", ActorKind::Staff, &[Role::Billing], vec![]),
        one(
            "a clinician who covers for another",
            ActorKind::Clinician,
            &[],
            vec![related(RelationshipKind::Covering, FactSource::Schedule)],
        ),
        one(
            "a clinician consulted by referral",
            ActorKind::Clinician,
            &[],
            vec![related(RelationshipKind::Consult, FactSource::Referral)],
        ),
        one(
            "a clinician on the care team",
            ActorKind::Clinician,
            &[],
            vec![related(RelationshipKind::Care, FactSource::CareTeam)],
        ),
        one(
            "a researcher with a protocol, in the house",
            ActorKind::Staff,
            &[Role::Researcher],
            vec![related(RelationshipKind::Protocol, FactSource::Relationship)],
        ),
        one(
            "a researcher without a protocol, in the house",
            ActorKind::Staff,
            &[Role::Researcher],
            vec![],
        ),
        one("staff without a role", ActorKind::Staff, &[], vec![]),
    ]
}

#[tokio::test]
async fn the_access_matrix_is_the_one_that_was_agreed() {
    let now = matrix().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix/access.txt");
    let agreed = std::fs::read_to_string(&path).unwrap_or_default();
    if now != agreed {
        let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).join("access.txt");
        std::fs::write(&beside, &now).unwrap();
        let first = now.lines().zip(agreed.lines()).find(|(now, agreed)| now != agreed);
        panic!(
            "the access matrix changed, first at {first:?}; read the difference and, if it is \
             meant, copy {} over {}",
            beside.display(),
            path.display()
        );
    }
}
