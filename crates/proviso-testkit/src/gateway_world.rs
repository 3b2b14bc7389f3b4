//! A small world behind the gateway: two patients, one app, no network. Tests drive the router
//! as hyper would and see every byte that leaves.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use proviso::listener::Listener;
use proviso_app::App;
use proviso_app::audit::AuditSearch;
use proviso_app::evaluation::Evaluations;
use proviso_app::keys::MasterKey;
use proviso_app::ports::{Clock, ManualClock, SystemEntropy};
use proviso_app::records::{Match, NewIds};
use proviso_app::session::SignedIn;
use proviso_app::settings::Settings;
use proviso_app::simulate::Simulations;
use proviso_app::via::Via;
use proviso_app::visits::Visits;
use proviso_core::account::{
    Account, AccountStatus, ActorKind, Relationship, RelationshipKind, Session,
};
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::{CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet};
use proviso_core::consent::{
    Capacity, ConsentTerms, DurationChoice, NamedConsent, OfflineAccess, Part2Parties, Recipient,
    part2_statements,
};
use proviso_core::id::{AccountId, ClientId, GrantId, PatientId, ResourceId, TokenId};
use proviso_core::org::Role;
use proviso_core::reason::Language;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Scope, ScopeSet};
use proviso_core::time::{At, Period};
use proviso_fhir::json::Doc;
use proviso_gateway::{Gateway, GatewaySettings};
use proviso_oauth::claims::{AccessTokenClaims, ContextMembers};
use proviso_oauth::record::{
    Client, ClientAuthentication, ClientProfile, ClientStatus, Grant, GrantBasis, GrantType,
    IdTokenAlgorithm, LaunchContext, Renewal, TokenLifetimes,
};
use proviso_store::{Batch, Faults, Op, OpenOptions, Presence, Store};
use tokio::sync::watch;
use tower::ServiceExt as _;

/// The instant at which every world starts: 2026-11-22T12:00:00Z.
pub const NOW: At = At::from_secs(1_795_348_800);
/// The origin under which the gateway is known.
pub const ORIGIN: &str = "http://127.0.0.1:8080";
/// The browser origin of the registered app.
pub const APP_ORIGIN: &str = "http://127.0.0.1:9123";

/// An application with a gateway in front of it.
#[derive(Debug)]
pub struct World {
    /// The application.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Makes its storage fail.
    pub faults: Faults,
    router: axum::Router,
    gateway: Arc<Gateway>,
}

/// One app's access to one patient's records.
#[derive(Debug, Clone)]
pub struct Access {
    /// The access token.
    pub token: String,
    /// The person.
    pub account: Account,
    /// The choice it rests on.
    pub consent: Option<NamedConsent>,
    /// The grant.
    pub grant: GrantId,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// What of a choice matters to a test.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Whose records.
    pub patient: &'static str,
    /// Kinds of record.
    pub categories: CategorySet,
    /// Sensitive kinds.
    pub sensitive: SensitiveSet,
    /// Scopes, as the app asked for them.
    pub scopes: &'static str,
}

impl World {
    /// A world whose upstream is the one of the settings.
    ///
    /// # Errors
    /// When the application does not open.
    pub async fn new(settings: GatewaySettings) -> anyhow::Result<Self> {
        Self::with(settings, Settings::demo(ORIGIN)).await
    }

    /// A world with settings of its own.
    ///
    /// # Errors
    /// As [`World::new`].
    pub async fn with(settings: GatewaySettings, app_settings: Settings) -> anyhow::Result<Self> {
        let faults = Faults::default();
        let clock = Arc::new(ManualClock::starting_at(NOW));
        let options = OpenOptions::new(app_settings.tenant.clone()).with_faults(faults.clone());
        let app = App::open(
            Store::model(options),
            MasterKey::from_bytes([7; 32]),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(SystemEntropy::default()),
            app_settings,
        )
        .await?;
        let gateway = Arc::new(Gateway::new(Arc::clone(&app), settings)?);
        let visits: Arc<dyn Visits> = gateway.clone();
        app.ask_visits_of(Arc::downgrade(&visits));
        let evaluations: Arc<dyn Evaluations> = gateway.clone();
        app.ask_evaluations_of(Arc::downgrade(&evaluations));
        let simulations: Arc<dyn Simulations> = gateway.clone();
        app.ask_simulations_of(Arc::downgrade(&simulations));
        let consents = proviso_gateway::consents_router(Arc::clone(&gateway));
        let router = axum::Router::new()
            .nest("/api/v1/consents", consents)
            .nest_service("/fhir/r4", proviso_gateway::router(Arc::clone(&gateway)));
        Ok(Self { app, clock, faults, router, gateway })
    }

    /// A world on the embedded store.
    ///
    /// # Errors
    /// As [`World::new`].
    pub async fn embedded() -> anyhow::Result<Self> {
        Self::new(GatewaySettings::embedded(ORIGIN)).await
    }

    fn entry(&self, kind: AuditKind) -> anyhow::Result<AuditEntry> {
        Ok(self.app.draft_entry(&Via::default(), kind, AuditOutcome::Success, "test")?)
    }

    /// Puts resources into the embedded store, under the ids they state.
    ///
    /// # Errors
    /// When one is not acceptable.
    pub async fn load(&self, resources: &[String]) -> anyhow::Result<()> {
        for text in resources {
            let doc = Doc::parse(text.clone().into_bytes()).context(text.clone())?;
            let (Some(kind), Some(id)) = (doc.resource_type(), doc.id()) else {
                return Err(anyhow!("no type or id: {text}"));
            };
            let mut prepared = self
                .app
                .records()
                .update(kind, &id, doc.into_bytes(), Match::Any, NewIds::Client)
                .await
                .with_context(|| text.clone())?;
            let ops = prepared.take_ops();
            self.app.commit(Batch::from(ops), self.entry(AuditKind::Import)?).await?;
        }
        Ok(())
    }

    /// Deletes a resource from the embedded store.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn remove(&self, kind: &str, id: &str) -> anyhow::Result<()> {
        let kind: ResourceType = kind.parse()?;
        let id: ResourceId = id.parse()?;
        let mut prepared = self.app.records().delete(kind, &id, Match::Any).await?;
        let ops = prepared.take_ops();
        self.app.commit(Batch::from(ops), self.entry(AuditKind::Import)?).await?;
        Ok(())
    }

    /// Registers an app.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn register(&self, id: &str, purpose: PurposeOfUse) -> anyhow::Result<ClientId> {
        let client = client(id, purpose)?;
        let id = client.id.clone();
        let op = Op::PutClient { client, expect: Presence::Any };
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::ClientRegistration)?).await?;
        Ok(id)
    }

    /// Makes an account that is a patient.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn patient_account(&self, patient: &str) -> anyhow::Result<Account> {
        let account = Account {
            id: format!("acc_{patient}").parse()?,
            username: patient.to_owned(),
            display_name: patient.to_owned(),
            kind: ActorKind::Patient,
            roles: proviso_core::org::RoleSet::EMPTY,
            fhir_user: Some((ResourceType::PATIENT, patient.parse()?)),
            password_hash: None,
            language: None,
            status: AccountStatus::Active,
            created_at: NOW,
        };
        let op = Op::PutAccount { account: account.clone(), expect: Presence::Any };
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::Administration)?).await?;
        Ok(account)
    }

    /// Registers an app that staff start at `https://chart.example/launch`.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn launchable(&self, id: &str) -> anyhow::Result<ClientId> {
        let mut client = client(id, PurposeOfUse::Treatment)?;
        client.launch_uris = vec!["https://chart.example/launch".to_owned()];
        let id = client.id.clone();
        let op = Op::PutClient { client, expect: Presence::Any };
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::ClientRegistration)?).await?;
        Ok(id)
    }

    /// A clinician who has signed in and has these patients in care.
    ///
    /// # Errors
    /// When any of it cannot be stored.
    pub async fn clinician(&self, name: &str, patients: &[&str]) -> anyhow::Result<SignedIn> {
        let account = Account {
            id: format!("acc_{name}").parse()?,
            username: name.to_owned(),
            display_name: name.to_owned(),
            kind: ActorKind::Clinician,
            roles: proviso_core::org::RoleSet::EMPTY,
            fhir_user: None,
            password_hash: None,
            language: None,
            status: AccountStatus::Active,
            created_at: NOW,
        };
        let session = Session {
            id: format!("ses_{name}").parse()?,
            secret_hash: format!("hash of {name}"),
            account: account.id.clone(),
            authenticated_at: NOW,
            last_used_at: NOW,
            expires_at: NOW.plus_days(1),
            ended_at: None,
        };
        let mut batch =
            Batch::new().with(Op::PutAccount { account: account.clone(), expect: Presence::Any });
        for patient in patients {
            batch.push(Op::PutRelationship(Relationship {
                account: account.id.clone(),
                patient: patient.parse()?,
                kind: RelationshipKind::Care,
                period: Period::ALWAYS,
                mandate: None,
                source: proviso_core::org::FactSource::Relationship,
            }));
        }
        self.app.commit(batch, self.entry(AuditKind::Administration)?).await?;
        Ok(SignedIn { session, account })
    }

    /// A patient shares with an app; the app gets a token.
    ///
    /// # Errors
    /// When any of it cannot be stored.
    pub async fn share(&self, client: &str, terms: &Terms) -> anyhow::Result<Access> {
        let client = self.register(client, PurposeOfUse::PatientRequest).await?;
        let account = self.patient_account(terms.patient).await?;
        let scopes = scopes(terms.scopes)?;
        let patient: PatientId = terms.patient.parse()?;
        let consent = self
            .app
            .record_consent(
                &account,
                consent_terms(terms, &account, &client, &scopes)?,
                &Via::default(),
            )
            .await?;
        let basis = GrantBasis::Consent { consent: consent.version().consent.clone() };
        let grant = grant(&client, Some(&account.id), basis, scopes, Some(patient));
        let token = self.put_grant(grant.clone(), terms.scopes).await?;
        Ok(Access { token, account, consent: Some(consent), grant: grant.id })
    }

    /// A service with pre-authorized access.
    ///
    /// # Errors
    /// When any of it cannot be stored.
    pub async fn service(&self, client: &str, scope: &str) -> anyhow::Result<String> {
        self.service_for(client, PurposeOfUse::Operations, scope).await
    }

    /// A service with pre-authorized access for a purpose.
    ///
    /// # Errors
    /// When any of it cannot be stored.
    pub async fn service_for(
        &self,
        client: &str,
        purpose: PurposeOfUse,
        scope: &str,
    ) -> anyhow::Result<String> {
        let client = self.register(client, purpose).await?;
        let mut grant = grant(&client, None, GrantBasis::PreAuthorized, scopes(scope)?, None);
        grant.purpose = purpose;
        grant.id = format!("grt_{client}").parse()?;
        self.put_grant(grant, scope).await
    }

    /// A clinician who acts through an app that staff use; the person is a Practitioner of the same
    /// name.
    ///
    /// # Errors
    /// When any of it cannot be stored.
    pub async fn staff(
        &self,
        name: &str,
        patients: &[&str],
        scope: &str,
    ) -> anyhow::Result<String> {
        let SignedIn { mut account, .. } = self.clinician(name, patients).await?;
        account.fhir_user = Some((ResourceType::PRACTITIONER, name.parse()?));
        let op = Op::PutAccount { account: account.clone(), expect: Presence::Any };
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::Administration)?).await?;
        let client = self.register("chart-lens", PurposeOfUse::Treatment).await?;
        let basis = GrantBasis::Operational;
        let mut grant = grant(&client, Some(&account.id), basis, scopes(scope)?, None);
        grant.id = format!("grt_{name}").parse()?;
        grant.purpose = PurposeOfUse::Treatment;
        self.put_grant(grant, scope).await
    }

    /// Somebody of the organisation with an account of a kind and these roles besides, who acts
    /// through an app for a purpose. The person is a Practitioner of the same name.
    ///
    /// # Errors
    /// When any of it cannot be stored.
    pub async fn colleague(
        &self,
        name: &str,
        (kind, roles): (ActorKind, &[Role]),
        purpose: PurposeOfUse,
        scope: &str,
    ) -> anyhow::Result<String> {
        let SignedIn { mut account, .. } = self.clinician(name, &[]).await?;
        account.kind = kind;
        account.roles = roles.iter().copied().collect();
        account.fhir_user = Some((ResourceType::PRACTITIONER, name.parse()?));
        let op = Op::PutAccount { account: account.clone(), expect: Presence::Any };
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::Administration)?).await?;
        let client = self.register("chart-lens", purpose).await?;
        let basis = GrantBasis::Operational;
        let mut grant = grant(&client, Some(&account.id), basis, scopes(scope)?, None);
        grant.id = format!("grt_{name}").parse()?;
        grant.purpose = purpose;
        self.put_grant(grant, scope).await
    }

    /// Puts a relation of somebody to a patient on file.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn relate(
        &self,
        name: &str,
        patient: &str,
        kind: RelationshipKind,
        period: Period,
    ) -> anyhow::Result<()> {
        let relationship = Relationship {
            account: format!("acc_{name}").parse()?,
            patient: patient.parse()?,
            kind,
            period,
            mandate: None,
            source: proviso_core::org::FactSource::Relationship,
        };
        let batch = Batch::new().with(Op::PutRelationship(relationship));
        self.app.commit(batch, self.entry(AuditKind::Administration)?).await?;
        Ok(())
    }

    async fn put_grant(&self, grant: Grant, scope: &str) -> anyhow::Result<String> {
        let token = self.token_of(&grant, scope, NOW)?;
        let op = Op::PutGrant(grant);
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::Token)?).await?;
        Ok(token)
    }

    /// Another token of the same access, which lives for a day from now.
    ///
    /// # Errors
    /// When the grant is gone.
    pub async fn next_token(&self, access: &Access, scope: &str) -> anyhow::Result<String> {
        let grant = self.app.store().grant(&access.grant).await?.context("no grant")?;
        self.token_of(&grant, scope, self.clock.now())
    }

    fn token_of(&self, grant: &Grant, scope: &str, at: At) -> anyhow::Result<String> {
        let urls = self.app.urls();
        let claims = AccessTokenClaims {
            iss: urls.issuer().to_owned(),
            aud: urls.fhir_base().to_owned(),
            sub: proviso_oauth::claims::subject(grant.account.as_ref(), &grant.client),
            client_id: grant.client.clone(),
            jti: TokenId::generate(at, self.app.entropy().for_id()?),
            iat: at.as_secs(),
            exp: at.plus_days(1).as_secs(),
            scope: scope.to_owned(),
            grant: grant.id.clone(),
            purpose: grant.purpose.code().to_owned(),
            context: ContextMembers::default(),
            fhir_user: None,
        };
        Ok(self.app.keys().sign_access_token(&claims)?)
    }

    /// The patient changes what an app may see.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn share_otherwise(&self, access: &Access, terms: &Terms) -> anyhow::Result<()> {
        let consent = access.consent.as_ref().context("no consent")?;
        let Recipient::App(client) = &consent.version().recipient else {
            return Err(anyhow!("shared with no app"));
        };
        let by = &access.account;
        let changed = consent_terms(terms, by, client, &scopes(terms.scopes)?)?;
        let (id, via) = (&consent.version().consent, Via::default());
        self.app.amend_consent(by, id, consent.id(), changed, None, &via).await?;
        Ok(())
    }

    /// The patient stops sharing.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn stop_sharing(&self, access: &Access) -> anyhow::Result<()> {
        let consent = access.consent.as_ref().context("no consent")?;
        self.app
            .revoke_consent(&access.account, &consent.version().consent, None, &Via::default())
            .await?;
        Ok(())
    }

    /// Tells apps of what they subscribed to; says how many notifications were sent.
    pub async fn tell(&self) -> usize {
        self.gateway.tell_all().await
    }

    /// Lets an app be told at the origin of an address.
    ///
    /// # Errors
    /// When the app is not known or cannot be stored.
    pub async fn redirect_to(&self, client: &str, uri: &str) -> anyhow::Result<()> {
        let id: ClientId = client.parse()?;
        let known = self.app.live().client(&id).context("no app")?;
        let client = Client { redirect_uris: vec![uri.to_owned()], ..Client::clone(&known) };
        let op = Op::PutClient { client, expect: Presence::Present };
        self.app.commit(Batch::new().with(op), self.entry(AuditKind::ClientRegistration)?).await?;
        Ok(())
    }

    /// Sends a request with a token.
    ///
    /// # Errors
    /// When the reply cannot be read.
    pub async fn get(&self, token: &str, path: &str) -> anyhow::Result<Reply> {
        self.send(request(Method::GET, token, path, &[], "")?).await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// When the reply cannot be read.
    pub async fn send(&self, request: Request<Body>) -> anyhow::Result<Reply> {
        let (head, body) = self.router.clone().oneshot(request).await?.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    /// Serves the world on a free loopback port until the other end of the channel is dropped; the
    /// address, such as `http://127.0.0.1:40123`. Its answers have [`ORIGIN`] in their links.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn serve(&self) -> anyhow::Result<(String, watch::Sender<bool>)> {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), None).await?;
        let address = format!("http://{}", listener.address()?);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.serve(self.router.clone(), stopped));
        Ok((address, stop))
    }

    /// What the log says of FHIR requests, newest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn accesses(&self) -> anyhow::Result<Vec<AuditEntry>> {
        let search =
            AuditSearch { kinds: vec![AuditKind::Access], limit: 1000, ..AuditSearch::default() };
        let page = self.app.search_audit(&search).await?;
        Ok(page.entries.into_iter().map(|logged| logged.entry).collect())
    }
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or(serde_json::Value::Null)
    }

    /// The ids of the entries of a Bundle, in order, as `Type/id`.
    pub fn entries(&self) -> Vec<String> {
        let bundle = self.json();
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
        entries
            .iter()
            .map(|entry| {
                let resource = &entry["resource"];
                format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]))
            })
            .collect()
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> String {
        let outcome = self.json();
        let code = &outcome["issue"][0]["details"]["coding"][0]["code"];
        code.as_str().unwrap_or("").to_owned()
    }

    /// The URL of the next page, below the origin.
    pub fn next(&self) -> Option<String> {
        let bundle = self.json();
        let links = bundle["link"].as_array().cloned().unwrap_or_default();
        let next = links.iter().find(|link| link["relation"] == "next")?;
        Some(next["url"].as_str()?.strip_prefix(ORIGIN)?.to_owned())
    }

    /// Everything that left, with what differs between any two requests taken out.
    pub fn fingerprint(&self) -> String {
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("?")))
            .collect();
        headers.sort();
        let body = String::from_utf8_lossy(&self.body).into_owned();
        let all = format!("{}\n{}\n\n{body}", self.status, headers.join("\n"));
        // Cursors first: one may have the other marker in it, by chance.
        mask(&mask(&all, "_cursor=", usize::MAX), "req_", 32)
    }

    /// As [`Reply::fingerprint`], without versions and times of writing: an upstream by URL makes
    /// those up itself, differently at every start.
    pub fn fingerprint_without_versions(&self) -> String {
        let mut headers = self.headers.clone();
        for name in ["etag", "last-modified", "location", "content-length"] {
            headers.remove(name);
        }
        let mut body = self.json();
        strip_versions(&mut body);
        let body = body.to_string().into_bytes();
        Self { status: self.status, headers, body }.fingerprint()
    }
}

fn strip_versions(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for name in ["versionId", "lastUpdated", "etag", "lastModified", "location"] {
                members.remove(name);
            }
            members.values_mut().for_each(strip_versions);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip_versions),
        _ => {}
    }
}

/// Replaces the letters, digits, hyphens and underscores behind a marker.
pub(crate) fn mask(text: &str, marker: &str, most: usize) -> String {
    let mut parts = text.split(marker);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let cut = part.find(|c| !plain(c)).unwrap_or(part.len()).min(most);
        out.push_str(marker);
        out.push_str("***");
        out.push_str(part.get(cut..).unwrap_or(""));
    }
    out
}

/// A request below the FHIR base, or under any path that starts with a slash.
///
/// # Errors
/// When it is not one.
pub fn request(
    method: Method,
    token: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> anyhow::Result<Request<Body>> {
    let uri = if path.starts_with('/') { path.to_owned() } else { format!("/fhir/r4/{path}") };
    let mut builder = Request::builder().method(method).uri(uri);
    if !token.is_empty() {
        builder = builder.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    Ok(builder.body(body.into())?)
}

fn scopes(text: &str) -> anyhow::Result<Vec<Scope>> {
    Ok(ScopeSet::parse(text).map_err(|_| anyhow!("scopes"))?.known.into_vec())
}

fn client(id: &str, purpose: PurposeOfUse) -> anyhow::Result<Client> {
    Ok(Client {
        id: id.parse()?,
        name: id.to_owned(),
        description: None,
        authentication: ClientAuthentication::None,
        profile: ClientProfile::Smart,
        redirect_uris: Vec::new(),
        launch_uris: Vec::new(),
        scopes: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode],
        origins: vec![APP_ORIGIN.to_owned()],
        purpose,
        contacts: Vec::new(),
        client_uri: None,
        logo_uri: None,
        policy_uri: None,
        tos_uri: None,
        status: ClientStatus::Active,
        lifetimes: TokenLifetimes::DEFAULT,
        id_token_signed_response_alg: IdTokenAlgorithm::Rs256,
        created_at: NOW,
    })
}

/// A text as the consent page shows it, as far as the law asks for it (42 CFR 2.31).
fn shown_text(terms: &Terms, account: &Account, client: &ClientId) -> String {
    let whole = "You share these kinds of record with this app.".to_owned();
    if !terms.sensitive.contains(SensitiveKind::SubstanceUse) {
        return whole;
    }
    let parties = Part2Parties {
        patient: &account.display_name,
        discloser: &Settings::demo(ORIGIN).organization_name,
        recipient: client.as_str(),
    };
    let statements = part2_statements(Language::English, parties);
    format!("{whole}\n{}", statements.join("\n"))
}

fn consent_terms(
    terms: &Terms,
    account: &Account,
    client: &ClientId,
    scopes: &[Scope],
) -> anyhow::Result<ConsentTerms> {
    Ok(ConsentTerms {
        patient: terms.patient.parse()?,
        given_by: account.id.clone(),
        capacity: Capacity::Patient,
        recipient: Recipient::App(client.clone()),
        categories: terms.categories,
        sensitive: terms.sensitive,
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: DurationChoice::OneYear.period_from(NOW),
        data_period: Period::ALWAYS,
        duration: DurationChoice::OneYear,
        offline: OfflineAccess::Refused,
        granted_scopes: scopes.to_vec(),
        legal_basis: "patient-choice".to_owned(),
        policy_uri: format!("{ORIGIN}/terms"),
        language: "en".to_owned(),
        shown_text: shown_text(terms, account, client),
    })
}

fn grant(
    client: &ClientId,
    account: Option<&AccountId>,
    basis: GrantBasis,
    scopes: Vec<Scope>,
    patient: Option<PatientId>,
) -> Grant {
    let tail = format!("{client}-{}", patient.as_ref().map_or("none", PatientId::as_str));
    Grant {
        id: format!("grt_{}", tail.replace('.', "-"))
            .parse()
            .unwrap_or_else(|_| GrantId::generate(NOW, [0; 10])),
        client: client.clone(),
        account: account.cloned(),
        basis,
        scopes,
        fhir_user: patient
            .as_ref()
            .filter(|_| account.is_some())
            .map(|patient| (ResourceType::PATIENT, patient.clone().into())),
        context: LaunchContext { patient, ..LaunchContext::default() },
        purpose: PurposeOfUse::PatientRequest,
        renewal: Renewal::None,
        authenticated_at: Some(NOW),
        nonce: None,
        created_at: NOW,
        expires_at: None,
        ended: None,
    }
}
