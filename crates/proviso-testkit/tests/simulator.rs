//! The simulator against reality: what it says of now is what everybody gets now, and what it says
//! of a change is what everybody gets once the change has really been made.

use std::collections::BTreeSet;

use http::Method;
use proviso_app::evaluation::{Asker, EvaluationSubject, Question};
use proviso_app::records::{Record, WholeStore};
use proviso_app::simulate::{
    NarrowerTerms, NewTerms, Simulated, Simulation, SimulationError, SubjectFilter,
    SubjectStanding, SupposedChange, Viewer,
};
use proviso_app::via::Via;
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::{
    Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet,
};
use proviso_core::consent::{DurationChoice, OfflineAccess};
use proviso_core::id::{AccountId, ConsentId, GrantId, PatientId, ResourceId, TokenId};
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Scope, ScopeSet};
use proviso_core::time::{At, Period};
use proviso_fhir::search::{Query, SearchScope};
use proviso_gateway::{GatewaySettings, HttpUpstreamSettings, Rates};
use proviso_oauth::claims::{AccessTokenClaims, ContextMembers};
use proviso_oauth::record::{Grant, GrantBasis, LaunchContext, Renewal};
use proviso_store::{Batch, Op};
use proviso_testkit::browser::{Browser, Form};
use proviso_testkit::demo_world::{DemoWorld, Engine};
use proviso_testkit::fhir_server::FhirServer;
use proviso_testkit::gateway_cases::{NARROW, everything, terms};
use proviso_testkit::gateway_world::{ORIGIN, World};
use proviso_testkit::http_client::HttpClient;
use proviso_testkit::smart_app::SmartApp;

const SCOPE: &str = "launch/patient openid fhirUser patient/*.rs";

type Keys = BTreeSet<(ResourceType, ResourceId)>;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth, MMIX: good enough to choose by, from the upper bits.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn some<T: Copy>(&mut self, of: &[T], one_in: u64) -> Vec<T> {
        of.iter().copied().filter(|_| self.roll(one_in) == 0).collect()
    }
}

struct Stage {
    world: DemoWorld,
    http: HttpClient,
}

impl Stage {
    async fn new() -> Self {
        let many = std::num::NonZeroU32::new(1_000_000).unwrap();
        let rates = Rates {
            address_per_sec: many,
            client_per_sec: many,
            account_per_sec: many,
            ..Rates::default()
        };
        let world = DemoWorld::with(Engine::Model, rates).await.unwrap();
        Self { world, http: HttpClient::default() }
    }

    fn account(&self, name: &str) -> AccountId {
        let live = self.world.app.live();
        let ids = live.account_ids().into_iter();
        ids.filter_map(|id| live.account(&id)).find(|own| own.username == name).unwrap().id.clone()
    }

    /// Every record that says anywhere that it is about the patient, looked for without the
    /// simulator.
    async fn records_of(&self, patient: &str) -> Keys {
        let records = self.world.app.records();
        let as_of = records.latest_seq().await.unwrap();
        let query = Query::parse(&records.context(), SearchScope::System, &[""]).unwrap();
        let all = records.matches(&query, as_of, usize::MAX, &WholeStore).await.unwrap();
        let named = format!("\"Patient/{patient}\"");
        let own = |record: &Record| {
            let text = String::from_utf8_lossy(record.doc.bytes()).replace(": ", ":");
            let is_self =
                record.resource_type == ResourceType::PATIENT && record.id.as_str() == patient;
            is_self || text.contains(&format!("\"reference\":{named}"))
        };
        all.iter().filter(|record| own(record)).map(Record::key).collect()
    }

    /// Which records these tokens get from the gateway, one by one.
    async fn read(&self, tokens: &[String], all: &Keys) -> Keys {
        let mut seen = Keys::new();
        for (kind, id) in all {
            for token in tokens {
                let url = self.world.url(&format!("/fhir/r4/{kind}/{id}"));
                let bearer = format!("Bearer {token}");
                let headers = [("authorization", bearer.as_str())];
                let answer =
                    self.http.send(Method::GET, &url, &headers, String::new()).await.unwrap();
                assert_ne!(answer.status, 429);
                if answer.status == 200 {
                    seen.insert((*kind, id.clone()));
                }
            }
        }
        seen
    }

    /// For which records an enforcement point is told that somebody may read them.
    async fn evaluated(&self, subject: &EvaluationSubject, all: &Keys) -> Keys {
        let question = |(resource_type, id): &(ResourceType, ResourceId)| Question {
            subject: subject.clone(),
            interaction: Interaction::Read,
            resource_type: *resource_type,
            id: id.clone(),
            purpose: None,
        };
        let questions: Vec<Question> = all.iter().map(question).collect();
        let via = Via::default();
        let asker = Asker { caller: None, via: &via };
        let port = self.world.app.evaluations().unwrap();
        let answers = port.evaluate(asker, &questions, |_| false).await.unwrap();
        let permitted = all.iter().zip(answers).filter(|(_, one)| one.decision.is_permit());
        permitted.map(|(key, _)| key.clone()).collect()
    }

    async fn ask(&self, question: &Simulation) -> Result<Simulated, SimulationError> {
        let via = Via::default();
        let viewer = Viewer::Officer(Asker { caller: None, via: &via });
        self.world.app.simulations()?.simulate(viewer, question).await
    }

    async fn now(&self, patient: &str) -> Simulated {
        self.ask(&Simulation::now(patient.parse().unwrap())).await.unwrap()
    }

    async fn after(&self, patient: &str, change: SupposedChange) -> Simulated {
        let now = Simulation::now(patient.parse().unwrap());
        self.ask(&Simulation { change: Some(change), ..now }).await.unwrap()
    }

    /// A token of a connection that is put into the store as it is.
    async fn mint(&self, grant: Grant) -> String {
        let (app, now) = (&self.world.app, self.world.app.now());
        let scope: Vec<String> = grant.scopes.iter().map(ToString::to_string).collect();
        let claims = AccessTokenClaims {
            iss: app.urls().issuer().to_owned(),
            aud: app.urls().fhir_base().to_owned(),
            sub: proviso_oauth::claims::subject(grant.account.as_ref(), &grant.client),
            client_id: grant.client.clone(),
            jti: TokenId::generate(now, app.entropy().for_id().unwrap()),
            iat: now.as_secs(),
            exp: now.plus_days(100).as_secs(),
            scope: scope.join(" "),
            grant: grant.id.clone(),
            purpose: grant.purpose.code().to_owned(),
            context: ContextMembers::default(),
            fhir_user: None,
        };
        let token = app.keys().sign_access_token(&claims).unwrap();
        let (kind, outcome) = (AuditKind::Token, AuditOutcome::Success);
        let entry = app.draft_entry(&Via::default(), kind, outcome, "test").unwrap();
        app.commit(Batch::new().with(Op::PutGrant(grant)), entry).await.unwrap();
        token
    }

    fn grant(
        &self,
        client: &str,
        account: Option<AccountId>,
        basis: GrantBasis,
        scope: &str,
    ) -> Grant {
        let at = self.world.app.now();
        let purpose = match basis {
            GrantBasis::Operational => PurposeOfUse::Treatment,
            GrantBasis::Emergency { .. } => PurposeOfUse::BreakGlass,
            GrantBasis::Consent { .. } => PurposeOfUse::PatientRequest,
            GrantBasis::PreAuthorized => {
                self.world.app.live().client(&client.parse().unwrap()).unwrap().purpose
            }
        };
        Grant {
            id: GrantId::generate(at, self.world.app.entropy().for_id().unwrap()),
            client: client.parse().unwrap(),
            account,
            basis,
            scopes: scopes(scope),
            context: LaunchContext::default(),
            purpose,
            renewal: Renewal::None,
            fhir_user: None,
            authenticated_at: None,
            nonce: None,
            created_at: at,
            expires_at: None,
            ended: None,
        }
    }

    async fn staff_token(&self, name: &str) -> String {
        let account = Some(self.account(name));
        self.mint(self.grant("chart-lens", account, GrantBasis::Operational, "user/*.rs")).await
    }

    /// A person connects an app on its pages.
    async fn connect(&self, app: &str, who: &str, chosen: &Chosen) -> String {
        let app = SmartApp {
            client_id: app.to_owned(),
            ..SmartApp::glucose_coach(&self.world.origin, SCOPE)
        };
        let mut choices = vec![("duration", "1-year"), ("patient", chosen.patient)];
        choices.extend(chosen.categories.iter().map(|kind| ("category", kind.code())));
        choices.extend(chosen.sensitive.iter().map(|kind| ("sensitive", kind.code())));
        let tokens = app.connect(&mut Browser::new().unwrap(), who, &choices).await.unwrap();
        tokens.access().to_owned()
    }

    /// A person stops sharing on the page for it.
    async fn stop(&self, who: &str, consent: &ConsentId) {
        let mut browser = self.world.signed_in(who).await.unwrap();
        browser.go(&self.world.url(&format!("/portal/apps/{consent}/stop"))).await.unwrap();
        let forms = browser.forms();
        let is_stop = |form: &&Form| {
            form.attributes.get("action").is_some_and(|action| action.contains("/stop"))
        };
        browser.submit(forms.iter().find(is_stop).unwrap(), &[]).await.unwrap();
    }

    async fn consent(&self, patient: &str, app: &str) -> Option<ConsentId> {
        let at = self.world.app.now();
        let choices = self.world.app.sharing_choices(&patient.parse().unwrap(), at).await.unwrap();
        let own = choices.iter().find(|choice| {
            choice.standing == proviso_core::consent::Standing::InForce
                && choice.app.as_ref().is_some_and(|own| own.id.as_str() == app)
        });
        own.map(|choice| choice.consent.version().consent.clone())
    }
}

#[derive(Debug, Clone)]
struct Chosen {
    patient: &'static str,
    categories: CategorySet,
    sensitive: SensitiveSet,
}

fn scopes(text: &str) -> Vec<Scope> {
    ScopeSet::parse(text).unwrap().known.into_vec()
}

/// Who reaches what, before and after, by the simulator.
fn of(simulated: &Simulated, key: &str) -> (Keys, Keys) {
    let places = simulated.subjects.iter().enumerate().filter(|(_, one)| one.who.key() == key);
    let (mut before, mut after) = (Keys::new(), Keys::new());
    for (place, _) in places {
        for (record, answered) in simulated.of_subject(place) {
            let name = (record.resource_type, record.id.clone());
            let then = answered.after.as_ref().unwrap_or(&answered.before);
            if answered.before.permitted {
                before.insert(name.clone());
            }
            if then.permitted {
                after.insert(name);
            }
        }
    }
    (before, after)
}

fn all_of(simulated: &Simulated) -> Keys {
    simulated.records.iter().map(|one| (one.resource_type, one.id.clone())).collect()
}

fn sign(app: &str, by: AccountId, chosen: &Chosen) -> SupposedChange {
    SupposedChange::Sign(Box::new(NewTerms {
        client: app.parse().unwrap(),
        given_by: by,
        categories: chosen.categories,
        sensitive: chosen.sensitive,
        purposes: None,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Refused,
        data_period: Period::ALWAYS,
        scopes: Some(scopes(SCOPE)),
    }))
}

// Oracle: the real system, before and after every change is really made
#[tokio::test]
async fn what_is_simulated_is_what_happens_when_it_is_really_done() {
    let stage = Stage::new().await;
    let maria = stage.account("maria");
    let coach = format!("app:glucose-coach:{maria}");
    let all = stage.records_of("maria").await;
    let staff = stage.staff_token("drpatel").await;
    let other_staff = stage.staff_token("nurseruiz").await;
    let service = {
        let scope = "system/*.rs";
        let grant = stage.grant("quality-study", None, GrantBasis::PreAuthorized, scope);
        stage.mint(grant).await
    };
    // What staff and services get does not depend on what the patient shares with an app.
    let by_role = stage.read(&[staff], &all).await;
    let by_shift = stage.read(&[other_staff], &all).await;
    let by_agreement = stage.read(&[service], &all).await;
    assert!(!by_role.is_empty() && by_role != all && !by_agreement.is_empty());

    let mut dice = Dice(7);
    let mut tokens: Vec<String> = Vec::new();
    let mut changes = [0; 3];
    let mut reality = Keys::new();
    for round in 0..9 {
        let consent = stage.consent("maria", "glucose-coach").await;
        let what = if consent.is_none() { 0 } else { dice.roll(3) };
        changes[usize::try_from(what).unwrap()] += 1;
        let simulated = match (what, &consent) {
            (1, Some(consent)) => {
                let now = stage.world.app.live().consent(consent).unwrap();
                let kinds: Vec<Category> = now.facts().categories.iter().collect();
                let mut fewer = dice.some(&kinds, 2);
                fewer.extend(kinds.first());
                let kinds: Vec<SensitiveKind> = now.facts().sensitive.iter().collect();
                let to = NarrowerTerms {
                    categories: Some(fewer.into_iter().collect()),
                    sensitive: Some(dice.some(&kinds, 2).into_iter().collect()),
                    data_period: (dice.roll(2) == 0).then(|| Period {
                        start: At::parse("2026-01-01T00:00:00Z"),
                        end: now.facts().data_period.end,
                    }),
                    ..NarrowerTerms::default()
                };
                let change =
                    SupposedChange::Narrow { consent: consent.clone(), to: Box::new(to.clone()) };
                let simulated = stage.after("maria", change).await;
                let stored = stage.world.app.store().consent(consent).await.unwrap().unwrap();
                let mut terms = stored.version.terms();
                terms.categories = to.categories.unwrap();
                terms.sensitive = to.sensitive.unwrap();
                terms.data_period = to.data_period.unwrap_or(terms.data_period);
                let by = stage.world.app.live().account(&maria).unwrap();
                let (app, via) = (&stage.world.app, Via::default());
                app.amend_consent(&by, consent, now.version(), terms, None, &via).await.unwrap();
                simulated
            }
            (2, Some(consent)) => {
                let change = SupposedChange::Stop { consent: consent.clone() };
                let simulated = stage.after("maria", change).await;
                stage.stop("maria", consent).await;
                assert_eq!(stage.read(&tokens, &all).await, Keys::new(), "round {round}: stopped");
                tokens.clear();
                simulated
            }
            _ => {
                let mut categories = dice.some(Category::ALL, 2);
                categories.push(Category::Demographics);
                let open =
                    [SensitiveKind::MentalHealth, SensitiveKind::Hiv, SensitiveKind::SubstanceUse];
                let chosen = Chosen {
                    patient: "maria",
                    categories: categories.into_iter().collect(),
                    sensitive: dice.some(&open, 2).into_iter().collect(),
                };
                let simulated =
                    stage.after("maria", sign("glucose-coach", maria.clone(), &chosen)).await;
                tokens.push(stage.connect("glucose-coach", "maria", &chosen).await);
                simulated
            }
        };
        // Every record, and no other but those that tell of the choices made here.
        let (own, choices): (Keys, Keys) =
            all_of(&simulated).into_iter().partition(|key| all.contains(key));
        assert_eq!(own, all, "round {round}");
        assert!(choices.iter().all(|(kind, _)| *kind == ResourceType::CONSENT), "{choices:?}");
        let of = |key: &str| {
            let (before, after) = of(&simulated, key);
            let within = |keys: Keys| keys.intersection(&all).cloned().collect::<Keys>();
            (within(before), within(after))
        };
        let (before, after) = of(&coach);
        assert_eq!(before, reality, "round {round}: before");
        // Two connections by one choice come to the same; an older one still counts.
        let newest = tokens.len().saturating_sub(2);
        tokens.drain(..newest);
        reality = stage.read(&tokens, &all).await;
        assert_eq!(after, reality, "round {round}: after {what}");
        for (key, reality) in [
            (format!("account:{}", stage.account("drpatel")), &by_role),
            (format!("account:{}", stage.account("nurseruiz")), &by_shift),
            ("app:quality-study".to_owned(), &by_agreement),
            (format!("app:chart-lens:{}", stage.account("drpatel")), &by_role),
        ] {
            let (before, after) = of(&key);
            assert_eq!((&before, &after), (reality, reality), "round {round}: {key}");
        }
        if what > 0 {
            let come = after.difference(&before).count();
            assert_eq!(come, 0, "round {round}: stopping and narrowing add nothing");
        }
    }
    assert!(changes.iter().all(|count| *count > 0), "{changes:?}");
}

// Oracle: decisions for enforcement points, for everybody at once
#[tokio::test]
async fn everybody_is_told_as_an_enforcement_point_would_be() {
    let stage = Stage::new().await;
    let chosen = Chosen {
        patient: "lily",
        categories: [Category::Demographics, Category::Immunizations, Category::Visits]
            .into_iter()
            .collect(),
        sensitive: SensitiveSet::EMPTY,
    };
    stage.connect("glucose-coach", "wei", &chosen).await;
    for patient in ["maria", "james", "lily"] {
        let all = stage.records_of(patient).await;
        let simulated = stage.now(patient).await;
        assert_eq!(all_of(&simulated), all, "{patient}");
        assert!(simulated.subjects.len() > 2, "{patient}");
        for one in &simulated.subjects {
            let agreed_only = one.who.standing == SubjectStanding::Service;
            if agreed_only {
                // A service that has asked for no token yet has no connection to be asked about.
                continue;
            }
            let subject = one.who.evaluation_subject().unwrap();
            let expected = stage.evaluated(&subject, &all).await;
            let (before, after) = of(&simulated, &one.who.key());
            assert_eq!(before, expected, "{patient}: {}", one.who.key());
            assert_eq!(before, after);
        }
    }
}

// Oracle: ending that somebody acts for a patient ends it for them and for the apps they chose
#[tokio::test]
async fn ending_a_proxy_takes_what_the_proxy_and_the_proxys_apps_reach() {
    let stage = Stage::new().await;
    let wei = stage.account("wei");
    let chosen = Chosen {
        patient: "lily",
        categories: Category::ALL.iter().copied().collect(),
        sensitive: SensitiveSet::EMPTY,
    };
    let all = stage.records_of("lily").await;
    let nothing_signed = stage.after("lily", sign("glucose-coach", wei.clone(), &chosen)).await;
    let token = stage.connect("glucose-coach", "wei", &chosen).await;
    let keys = [format!("app:glucose-coach:{wei}"), format!("account:{wei}")];
    let reached = stage.read(std::slice::from_ref(&token), &all).await;
    assert_eq!(of(&nothing_signed, &keys[0]), (Keys::new(), reached.clone()));
    // A first signing takes nothing from anybody.
    for (place, _) in nothing_signed.subjects.iter().enumerate() {
        assert!(nothing_signed.of_subject(place).all(|(_, answered)| !answered.disappears()));
    }

    let simulated = stage.after("lily", SupposedChange::EndProxy { account: wei.clone() }).await;
    assert_eq!(of(&simulated, &keys[0]), (reached, Keys::new()));
    let own = stage.evaluated(&EvaluationSubject::Account(wei.clone()), &all).await;
    assert!(!own.is_empty() && own != all);
    assert_eq!(of(&simulated, &keys[1]), (own, Keys::new()));
    for place in 0..simulated.subjects.len() {
        assert!(simulated.of_subject(place).all(|(_, answered)| !answered.appears()));
    }

    let lily: PatientId = "lily".parse().unwrap();
    let by = stage.world.app.live().account(&wei).unwrap();
    stage.world.app.end_proxy(&by, &wei, &lily, &Via::default()).await.unwrap();
    assert_eq!(stage.read(&[token], &all).await, Keys::new());
    let now = stage.now("lily").await;
    for key in &keys {
        assert_eq!(of(&now, key), (Keys::new(), Keys::new()));
    }
    let ended = now.subjects.iter().find(|one| one.who.key() == keys[1]).unwrap();
    assert_eq!(ended.refused, [ReasonCode::ProxyNotInForce], "who is refused is told, with why");
}

#[tokio::test]
async fn nothing_is_changed_by_looking_but_the_log() {
    let stage = Stage::new().await;
    let maria = stage.account("maria");
    let chosen = Chosen {
        patient: "maria",
        categories: [Category::Laboratory].into_iter().collect(),
        sensitive: SensitiveSet::EMPTY,
    };
    let token = stage.connect("glucose-coach", "maria", &chosen).await;
    let consent = stage.consent("maria", "glucose-coach").await.unwrap();
    let all = stage.records_of("maria").await;
    let (epoch, before) =
        (stage.world.app.live().epoch(), stage.read(std::slice::from_ref(&token), &all).await);
    let narrower = NarrowerTerms {
        purposes: Some(PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest)),
        ..NarrowerTerms::default()
    };
    for change in [
        SupposedChange::Stop { consent: consent.clone() },
        SupposedChange::Narrow { consent: consent.clone(), to: Box::new(narrower) },
        sign("bill-helper", maria, &chosen),
    ] {
        stage.after("maria", change).await;
    }
    assert_eq!(stage.world.app.live().epoch(), epoch);
    assert_eq!(stage.read(&[token], &all).await, before);
    assert_eq!(stage.consent("maria", "bill-helper").await, None);
    let search = proviso_app::audit::AuditSearch {
        kinds: vec![AuditKind::Evaluation],
        limit: 10,
        ..Default::default()
    };
    let logged = stage.world.app.search_audit(&search).await.unwrap().entries;
    assert_eq!(logged.len(), 3);
    for one in logged {
        assert_eq!(one.entry.action, "simulate");
        assert_eq!(one.entry.patients, ["maria".parse().unwrap()]);
        assert_eq!(one.entry.resources.len(), all.len().min(1000));
        assert_eq!(one.entry.released, 0, "no content left");
    }
}

// Covers: design P3, no log, no data
#[tokio::test]
async fn without_a_log_there_is_no_answer() {
    let stage = Stage::new().await;
    stage.world.faults.fail_commits(true);
    let asked = stage.ask(&Simulation::now("maria".parse().unwrap())).await;
    assert!(matches!(asked, Err(SimulationError::NotLogged)), "{asked:?}");
}

#[tokio::test]
async fn a_change_that_could_not_be_made_is_refused_and_says_why() {
    let stage = Stage::new().await;
    let maria = stage.account("maria");
    let chosen = Chosen {
        patient: "maria",
        categories: [Category::Laboratory].into_iter().collect(),
        sensitive: SensitiveSet::EMPTY,
    };
    stage.connect("glucose-coach", "maria", &chosen).await;
    let consent = stage.consent("maria", "glucose-coach").await.unwrap();
    let wider = NarrowerTerms {
        categories: Some([Category::Laboratory, Category::Visits].into_iter().collect()),
        ..NarrowerTerms::default()
    };
    let nothing = Chosen { categories: CategorySet::EMPTY, ..chosen.clone() };
    let check = async |patient: &str, change: SupposedChange, words: &str| {
        let now = Simulation::now(patient.parse().unwrap());
        let asked = stage.ask(&Simulation { change: Some(change), ..now }).await;
        let Err(SimulationError::Change(why)) = asked else { panic!("{words}: {asked:?}") };
        assert!(why.to_string().contains(words), "{why}");
    };
    let stop = SupposedChange::Stop { consent: consent.clone() };
    check("james", stop.clone(), "no such sharing choice").await;
    let narrow = SupposedChange::Narrow { consent: consent.clone(), to: Box::new(wider) };
    check("maria", narrow, "something within it").await;
    check("maria", sign("glucose-coach", maria.clone(), &nothing), "no kind of record").await;
    check("maria", sign("never-was", maria.clone(), &chosen), "no such app").await;
    check("james", sign("glucose-coach", maria.clone(), &chosen), "does not act").await;
    check("maria", SupposedChange::EndProxy { account: maria }, "does not act").await;
    stage.stop("maria", &consent).await;
    check("maria", stop, "has ended").await;
}

#[tokio::test]
async fn pages_join_to_the_whole_and_one_record_can_be_asked_about() {
    let stage = Stage::new().await;
    let whole = stage.now("james").await;
    assert!(whole.records.len() > 20 && whole.next.is_none());
    let mut question = Simulation { limit: 7, ..Simulation::now("james".parse().unwrap()) };
    let mut joined = Vec::new();
    loop {
        let page = stage.ask(&question).await.unwrap();
        assert!(page.records.len() <= 7);
        joined.extend(page.records);
        if page.next.is_none() {
            break;
        }
        question.after = page.next;
    }
    assert_eq!(joined, whole.records);

    let one = whole.records[3].clone();
    let record = Some((one.resource_type, one.id.clone()));
    let asked = |patient: &str, record| Simulation {
        record,
        subjects: SubjectFilter::All,
        ..Simulation::now(patient.parse().unwrap())
    };
    let alone = stage.ask(&asked("james", record.clone())).await.unwrap();
    assert_eq!(alone.records, [one]);
    // Another patient's record, and none at all, are the same here.
    let absent = Some((ResourceType::OBSERVATION, "never-was".parse().unwrap()));
    for (patient, record) in [("maria", record), ("james", absent)] {
        let asked = stage.ask(&asked(patient, record)).await;
        assert!(matches!(asked, Err(SimulationError::NoRecord)), "{asked:?}");
    }
}

// Covers: design P2, what was stopped while it was looked at is not told of
#[tokio::test]
async fn what_changes_while_it_is_looked_at_does_not_stand() {
    let stage = Stage::new().await;
    let chosen = Chosen {
        patient: "maria",
        categories: [Category::Laboratory].into_iter().collect(),
        sensitive: SensitiveSet::EMPTY,
    };
    stage.connect("glucose-coach", "maria", &chosen).await;
    let consent = stage.consent("maria", "glucose-coach").await.unwrap();
    let (app, via, maria) = (&stage.world.app, Via::default(), "maria".parse().unwrap());
    let viewer = Viewer::Officer(Asker { caller: None, via: &via });
    let (all, of_one) = (SubjectFilter::All, SubjectFilter::OfConsent(consent.clone()));
    let looked_at = |filter| app.ways_to(viewer, &maria, filter, None, app.now()).unwrap();
    let (everybody, one) = (looked_at(&all), looked_at(&of_one));
    assert_eq!(one.len(), 1);
    let stands = |filter, ways| app.ways_stand(viewer, &maria, filter, ways, app.now());
    assert!(stands(&all, &everybody) && stands(&of_one, &one));
    // The last second of its year, and the instant at which it ends.
    stage.world.clock.advance_secs(365 * 86_400 - 1);
    assert!(stands(&of_one, &one));
    stage.world.clock.advance_secs(1);
    assert!(!stands(&of_one, &one));

    stage.world.clock.advance_secs(-365 * 86_400);
    assert!(stands(&all, &everybody));
    stage.stop("maria", &consent).await;
    assert!(!stands(&all, &everybody) && !stands(&of_one, &one));
    // What is shared anew is a change as well.
    let stopped = looked_at(&all);
    stage.connect("glucose-coach", "maria", &chosen).await;
    assert!(!stands(&all, &stopped));
}

async fn ask_world(world: &World, question: &Simulation) -> Result<Simulated, SimulationError> {
    let via = Via::default();
    let viewer = Viewer::Officer(Asker { caller: None, via: &via });
    world.app.simulations()?.simulate(viewer, question).await
}

async fn shared(world: &World) -> Simulation {
    let access = world.share("glucose-coach", &terms(NARROW)).await.unwrap();
    let consent = access.consent.unwrap().version().consent.clone();
    Simulation {
        change: Some(SupposedChange::Stop { consent: consent.clone() }),
        subjects: SubjectFilter::OfConsent(consent),
        ..Simulation::now("a".parse().unwrap())
    }
}

#[tokio::test]
async fn behind_a_fhir_server_by_url_the_same_is_told() {
    let own = World::embedded().await.unwrap();
    own.load(&everything()).await.unwrap();
    let of_own = ask_world(&own, &shared(&own).await).await.unwrap();
    let server = FhirServer::start().await.unwrap();
    server.load(&everything()).await.unwrap();
    let upstream = HttpUpstreamSettings::at(server.base.clone());
    let settings = GatewaySettings::in_front_of(ORIGIN, upstream);
    let world = World::new(settings.clone()).await.unwrap();
    let question = shared(&world).await;
    let of_server = ask_world(&world, &question).await.unwrap();

    let key = of_own.subjects[0].who.key();
    let (seen, afterwards) = of(&of_own, &key);
    assert!(seen.len() > 3 && afterwards.is_empty());
    assert_eq!(of(&of_server, &key), (seen, afterwards));
    // What names the patient where no search by patient looks is found in our own store alone.
    // The Consent that tells of the choice is kept here, under an id of its own.
    let records = |simulated: &Simulated| -> Keys {
        let all = all_of(simulated).into_iter();
        all.filter(|(kind, _)| *kind != ResourceType::CONSENT).collect()
    };
    let more: Keys = records(&of_own).difference(&records(&of_server)).cloned().collect();
    let expected = [(ResourceType::GROUP, "g"), (ResourceType::LIST, "b-list")];
    for (kind, id) in &more {
        assert!(expected.contains(&(*kind, id.as_str())), "{more:?}");
    }
    assert!(records(&of_server).is_subset(&records(&of_own)));

    // LIMIT: more of one type than a search may look at.
    let mut tight = settings;
    tight.limits.scan_records_max = 2;
    let world = World::new(tight).await.unwrap();
    let question = shared(&world).await;
    let asked = ask_world(&world, &question).await;
    assert!(matches!(asked, Err(SimulationError::TooMany)), "{asked:?}");
    drop(server);
    let asked = ask_world(&world, &question).await;
    assert!(matches!(asked, Err(SimulationError::NoAnswer)), "{asked:?}");
}
