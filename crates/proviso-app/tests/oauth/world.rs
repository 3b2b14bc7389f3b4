//! A small world: a patient, a proxy with two patients, a clinician; apps of every kind.

use std::sync::{Arc, Mutex};

use proviso_app::App;
use proviso_app::authorize::{Answer, ConsentChoice, Decided, Step};
use proviso_app::keys::MasterKey;
use proviso_app::password::hash_password;
use proviso_app::ports::{ManualClock, SystemEntropy};
use proviso_app::session::{NewSession, SignedIn};
use proviso_app::settings::Settings;
use proviso_app::sign_in::SignInOutcome;
use proviso_app::token::TokenRefusal;
use proviso_app::via::Via;
use proviso_app::visits::{Asking, Visit, VisitList, VisitLook, Visits};
use proviso_core::account::{Account, AccountStatus, ActorKind, Relationship, RelationshipKind};
use proviso_core::category::{CategorySet, PurposeOfUse, SensitiveSet};
use proviso_core::consent::{DurationChoice, OfflineAccess};
use proviso_core::id::{AccountId, ResourceId, TenantId};
use proviso_core::scope::ScopeSet;
use proviso_core::secret::Secret;
use proviso_core::time::{At, Period};
use proviso_oauth::jose::{SignatureAlgorithm, SigningKey, generate_pkcs8, jwks_document};
use proviso_oauth::params::{self, Params};
use proviso_oauth::record::{
    Client, ClientAuthentication, ClientKeys, ClientProfile, ClientStatus, GrantType,
    IdTokenAlgorithm, TokenHash, TokenLifetimes,
};
use proviso_oauth::token::TokenResponse;
use proviso_store::{Batch, Faults, Op, OpenOptions, Presence, Store};

pub(crate) const NOW: At = At::from_secs(1_800_000_000);
pub(crate) const BASE: &str = "http://127.0.0.1:8080";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9123/callback";
pub(crate) const BROWSER: &str = "browser-cookie";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const SECRET: &str = "bill-helper-secret-of-256-bits";
const PASSWORD: &str = "proviso-demo";

/// Stands for the data plane: the visits that staff may open now, by patient and id.
#[derive(Debug, Default)]
pub(crate) struct KnownVisits(pub(crate) Mutex<Vec<(&'static str, &'static str)>>);

impl Visits for KnownVisits {
    fn list<'a>(&'a self, look: VisitLook<'a>) -> Asking<'a, Option<VisitList>> {
        let known = self.0.lock().unwrap();
        let own = known.iter().filter(|(patient, _)| *patient == look.patient.as_str());
        let newest_first =
            own.map(|(_, id)| Visit { id: id.parse().unwrap(), start: None, what: None }).collect();
        Box::pin(async move { Ok(Some(VisitList { newest_first, cut: false })) })
    }

    fn may_open<'a>(&'a self, look: VisitLook<'a>, visit: &'a ResourceId) -> Asking<'a, bool> {
        let asked = (look.patient.as_str(), visit.as_str());
        let known = self.0.lock().unwrap().contains(&asked);
        Box::pin(async move { Ok(known) })
    }
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) visits: Arc<KnownVisits>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) faults: Faults,
    pub(crate) service_key: SigningKey,
}

fn account(name: &str, kind: ActorKind, fhir_user: Option<&str>, password: &str) -> Account {
    Account {
        id: format!("acc_{name}").parse().unwrap(),
        username: name.to_owned(),
        display_name: name.to_uppercase(),
        kind,
        roles: proviso_core::org::RoleSet::EMPTY,
        fhir_user: fhir_user.map(|reference| {
            let (resource_type, id) = reference.split_once('/').unwrap();
            (resource_type.parse().unwrap(), id.parse().unwrap())
        }),
        password_hash: Some(password.to_owned()),
        language: None,
        status: AccountStatus::Active,
        created_at: NOW,
    }
}

fn relationship(account: &str, patient: &str, kind: RelationshipKind) -> Op {
    Op::PutRelationship(Relationship {
        account: format!("acc_{account}").parse().unwrap(),
        patient: patient.parse().unwrap(),
        kind,
        period: Period { start: None, end: Some(NOW.plus_days(30)) },
        mandate: None,
        source: proviso_core::org::FactSource::Relationship,
    })
}

pub(crate) fn client(id: &str, authentication: ClientAuthentication, scopes: &str) -> Client {
    Client {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        description: None,
        authentication,
        profile: ClientProfile::Smart,
        redirect_uris: vec![REDIRECT.to_owned()],
        launch_uris: vec!["http://127.0.0.1:9123/launch".to_owned()],
        scopes: ScopeSet::parse(scopes).unwrap().known.into_vec(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        origins: vec!["http://127.0.0.1:9123".to_owned()],
        purpose: PurposeOfUse::PatientRequest,
        contacts: Vec::new(),
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        status: ClientStatus::Active,
        lifetimes: TokenLifetimes::DEFAULT,
        id_token_signed_response_alg: IdTokenAlgorithm::Rs256,
        created_at: NOW,
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let faults = Faults::default();
        let options = OpenOptions::new(TenantId::default_tenant()).with_faults(faults.clone());
        Self::on(Store::model(options), faults).await
    }

    /// The same world on a store that is empty yet.
    pub(crate) async fn on(store: Store, faults: Faults) -> Self {
        let entropy = Arc::new(SystemEntropy::default());
        let hash = hash_password(PASSWORD, &*entropy).unwrap();
        let pkcs8 = generate_pkcs8(SignatureAlgorithm::Es256).unwrap();
        let service_key = SigningKey::from_pkcs8("k1", SignatureAlgorithm::Es256, &pkcs8).unwrap();
        let mut batch = Batch::new();
        for account in [
            account("maria", ActorKind::Patient, Some("Patient/maria"), &hash),
            account("lily", ActorKind::Patient, Some("Patient/lily"), &hash),
            account("wei", ActorKind::Proxy, None, &hash),
            account("drpatel", ActorKind::Clinician, Some("Practitioner/drpatel"), &hash),
            account("admin", ActorKind::Administrator, None, &hash),
        ] {
            batch.push(Op::PutAccount { account, expect: Presence::Absent });
        }
        batch.push(relationship("wei", "lily", RelationshipKind::Proxy));
        batch.push(relationship("wei", "ming", RelationshipKind::Proxy));
        batch.push(relationship("drpatel", "maria", RelationshipKind::Care));
        batch.push(relationship("drpatel", "lily", RelationshipKind::Care));
        let everything = "launch launch/patient openid fhirUser offline_access online_access \
            patient/*.cruds user/*.rs";
        let secret = ClientAuthentication::ClientSecret { secret_hash: TokenHash::of(SECRET) };
        let mut service = client(
            "quality-study",
            ClientAuthentication::PrivateKeyJwt {
                keys: ClientKeys::Inline(jwks_document(&[service_key.public_jwk()])),
            },
            "system/Patient.rs system/Observation.rs",
        );
        service.grant_types = vec![GrantType::ClientCredentials];
        service.purpose = PurposeOfUse::Research;
        for client in [
            client("glucose-coach", ClientAuthentication::None, everything),
            client("bill-helper", secret, everything),
            client("other-app", ClientAuthentication::None, everything),
            service,
        ] {
            batch.push(Op::PutClient { client, expect: Presence::Absent });
        }
        store.commit(batch).await.unwrap();
        let clock = Arc::new(ManualClock::starting_at(NOW));
        let app = open(store, &clock).await;
        let visits = Arc::new(KnownVisits::default());
        let port: Arc<dyn Visits> = Arc::<KnownVisits>::clone(&visits);
        app.ask_visits_of(Arc::downgrade(&port));
        Self { app, visits, clock, faults, service_key }
    }

    /// The server after a restart on a store.
    pub(crate) async fn restarted(self, store: impl FnOnce() -> Store) -> Self {
        let Self { app, visits, clock, faults, service_key } = self;
        drop(app);
        let app = open(store(), &clock).await;
        Self { app, visits, clock, faults, service_key }
    }

    pub(crate) async fn sign_in(&self, username: &str) -> NewSession {
        let password = Secret::new(PASSWORD.to_owned());
        let outcome = self.app.sign_in(username, password, None, &via()).await.unwrap();
        let SignInOutcome::SignedIn(new) = outcome else { panic!("{outcome:?}") };
        *new
    }

    pub(crate) async fn begin(&self, request: &Params, person: Option<&SignedIn>) -> Step {
        self.app.begin_authorization(request, BROWSER, person, &via()).await.unwrap()
    }

    /// Runs the consent page and allows; the code comes back.
    pub(crate) async fn code_for(
        &self,
        username: &str,
        request: &Params,
        choice: ConsentChoice,
    ) -> String {
        let session = self.sign_in(username).await;
        let step = self.begin(request, Some(&session.signed_in)).await;
        let Step::Consent(model) = step else { panic!("{step:?}") };
        let answer = Answer::Share(Box::new(choice));
        let decided = self
            .app
            .decide_authorization(&model.request, BROWSER, Some(&session.signed_in), answer, &via())
            .await
            .unwrap();
        let Decided::Step(Step::Return { url }) = decided else { panic!("{decided:?}") };
        query_of(&url).text("code").unwrap().to_owned()
    }

    pub(crate) async fn redeem(&self, code: &str) -> Result<TokenResponse, TokenRefusal> {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", "glucose-coach"),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<TokenResponse, TokenRefusal> {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", "glucose-coach"),
        ])
        .await
    }

    pub(crate) async fn token(&self, body: &[(&str, &str)]) -> Result<TokenResponse, TokenRefusal> {
        self.app.token(None, &form(body), &via()).await
    }

    /// A whole launch of `glucose-coach` by Maria with offline access.
    pub(crate) async fn connected(&self) -> TokenResponse {
        let code = self.code_for("maria", &request(&[]), everything()).await;
        self.redeem(&code).await.unwrap()
    }

    pub(crate) fn assertion(&self, jti: &str) -> String {
        let claims = serde_json::json!({
            "iss": "quality-study",
            "sub": "quality-study",
            "aud": format!("{BASE}/oauth/token"),
            "exp": self.app.now().as_secs() + 300,
            "jti": jti,
        });
        self.service_key.sign("JWT", &claims).unwrap()
    }

    pub(crate) async fn service_token(
        &self,
        scope: &str,
        jti: &str,
    ) -> Result<TokenResponse, TokenRefusal> {
        self.token(&[
            ("grant_type", "client_credentials"),
            ("scope", scope),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &self.assertion(jti)),
        ])
        .await
    }
}

async fn open(store: Store, clock: &Arc<ManualClock>) -> Arc<App> {
    App::open(
        store,
        MasterKey::from_bytes([7; 32]),
        Arc::clone(clock) as _,
        Arc::new(SystemEntropy::default()),
        Settings::demo(BASE),
    )
    .await
    .unwrap()
}

pub(crate) fn via() -> Via {
    Via { network: Some("10.0.0.1".to_owned()), ..Via::default() }
}

pub(crate) fn form(pairs: &[(&str, &str)]) -> Params {
    let mut query = String::new();
    for (name, value) in pairs {
        params::append(&mut query, name, value.as_bytes());
    }
    Params::parse_with_repeats(query.as_bytes()).unwrap()
}

pub(crate) fn query_of(url: &str) -> Params {
    Params::parse(url.split_once('?').unwrap().1.as_bytes()).unwrap()
}

/// An authorization request with some parameters changed.
pub(crate) fn request(changes: &[(&'static str, &'static str)]) -> Params {
    let aud = format!("{BASE}/fhir/r4");
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", "glucose-coach"),
        ("redirect_uri", REDIRECT),
        ("scope", "launch/patient openid fhirUser offline_access patient/*.rs"),
        ("state", "xyz +&="),
        ("aud", aud.as_str()),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    form(&pairs)
}

pub(crate) fn everything() -> ConsentChoice {
    choice(CategorySet::all())
}

pub(crate) fn choice(categories: CategorySet) -> ConsentChoice {
    ConsentChoice {
        categories,
        sensitive: SensitiveSet::EMPTY,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Allowed,
        shown_text: "Glucose Coach asks to see ...".to_owned(),
        language: "en".to_owned(),
    }
}

pub(crate) fn account_id(name: &str) -> AccountId {
    format!("acc_{name}").parse().unwrap()
}
