//! The registry of consents for those who do not speak FHIR REST: `/api/v1/consents`.
//!
//! Every request is turned into the FHIR request that it stands for and walks the same pipeline; of
//! the answer, the form is changed and nothing else. So the rules, the log and the limits are those
//! of the FHIR API, and there is nothing here that could permit anything.

mod shape;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::routing::{get, post};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, IF_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use proviso_app::filed::Version;
use proviso_core::id::ResourceId;
use proviso_fhir::consent_r4;
use proviso_fhir::json::edit::Edit;
use proviso_fhir::json::write::string_text;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::pipeline;
use crate::query;
use shape::{Inner, problem, problem_of};

/// LIMIT: bytes of a body; the pipeline has its own limit for what is made of it.
const BODY_MAX: usize = 4 * 1024 * 1024;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a list may be asked for, and the FHIR search parameter that it is.
const PARAMETERS: [(&str, &str); 7] = [
    ("patient", "patient"),
    ("status", "status"),
    ("actor", "actor"),
    ("period", "period"),
    ("category", "category"),
    ("count", "_count"),
    ("cursor", "_cursor"),
];

/// The endpoints, for `nest("/api/v1/consents", …)`.
pub fn consents_router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/", get(list).post(file))
        .route("/check", post(check))
        .route("/{id}", get(show).put(refile))
        .route("/{id}/versions", get(versions))
        .route("/{id}/versions/{number}", get(version))
        .route("/{id}/revoke", post(revoke))
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "not-offered", "this is not offered here")
        })
        .with_state(gateway)
}

/// One request of the API, and the gateway that answers what it stands for.
struct Asking<'a> {
    gateway: &'a Gateway,
    head: Parts,
}

impl<'a> Asking<'a> {
    async fn of(
        gateway: &'a Gateway,
        request: Request<Body>,
    ) -> Result<(Self, Bytes), Response<Body>> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, BODY_MAX).await.map_err(|_| {
            let title = "the body is larger than this API accepts, or did not arrive whole";
            problem(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", title)
        })?;
        Ok((Self { gateway, head }, body))
    }

    /// Asks the pipeline.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, &'static str)],
        body: Vec<u8>,
    ) -> Inner {
        let request = Request::builder().method(method).uri(format!("/{path}"));
        let Ok(mut request) = request.body(Body::from(body)) else {
            return Inner::nowhere();
        };
        let own: &HeaderMap = &self.head.headers;
        for name in [AUTHORIZATION, IF_MATCH, FORWARDED_FOR, TRACEPARENT] {
            for value in own.get_all(&name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/fhir+json"));
        for (name, value) in headers {
            request.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
        }
        if let Some(peer) = self.head.extensions.get::<ConnectInfo<SocketAddr>>() {
            request.extensions_mut().insert(*peer);
        }
        Inner::of(pipeline::answer(self.gateway, request).await).await
    }

    async fn read(&self, path: &str) -> Inner {
        self.ask(Method::GET, path, &[], Vec::new()).await
    }

    /// Has who asks looked at, counted and logged, by asking for something that tells nothing.
    async fn knock(&self) -> Result<(), Response<Body>> {
        let nothing = self.read("Consent?_count=0&_summary=count&_id=-").await;
        nothing.taken().map(drop).map_err(|refused| problem_of(*refused))
    }

    /// What is wrong with a request, for those who may ask at all.
    async fn wrong(&self, refusal: Response<Body>) -> Response<Body> {
        self.knock().await.err().unwrap_or(refusal)
    }
}

/// A logical id, or the id of a choice made here; nothing else is an id.
fn logical(id: &str) -> Option<ResourceId> {
    let choice = id.parse().ok().and_then(|id| consent_r4::resource_id(&id));
    choice.or_else(|| id.parse().ok())
}

fn not_found() -> Response<Body> {
    problem(StatusCode::NOT_FOUND, "not-found", "there is no such consent")
}

/// The FHIR version that is wanted: 4.0 unless 5.0 is asked for.
fn wanted_version(raw: Option<&str>) -> Result<Version, Box<Response<Body>>> {
    let pairs = query::pairs(raw.unwrap_or_default()).unwrap_or_default();
    match pairs.iter().find(|(name, _)| name == "fhir_version").map(|(_, value)| value.as_str()) {
        None | Some("4.0") => Ok(Version::R4),
        Some("5.0") => Ok(Version::R5),
        Some(_) => {
            let title = "`fhir_version` is 4.0 or 5.0";
            Err(Box::new(problem(StatusCode::BAD_REQUEST, "parameter-refused", title)))
        }
    }
}

async fn list(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(raw): RawQuery,
    request: Request<Body>,
) -> Response<Body> {
    let (asking, _) = match Asking::of(&gateway, request).await {
        Ok(asking) => asking,
        Err(refusal) => return refusal,
    };
    let bad = |title: &str| problem(StatusCode::BAD_REQUEST, "parameter-refused", title);
    let Some(pairs) = query::pairs(raw.as_deref().unwrap_or_default()) else {
        return asking.wrong(bad("the query is not well-formed")).await;
    };
    let mut below = String::new();
    for (name, value) in &pairs {
        let Some((_, fhir)) = PARAMETERS.iter().find(|(own, _)| own == name) else {
            let title =
                "patient, status, actor, period, category, count and cursor can be asked for";
            return asking.wrong(bad(title)).await;
        };
        if !below.is_empty() {
            below.push('&');
        }
        below.push_str(fhir);
        below.push('=');
        query::encode(value, &mut below);
    }
    let inner = asking.read(&format!("Consent?{below}")).await;
    let (base, bundle) = match inner.taken() {
        Ok(answered) => answered,
        Err(refused) => return problem_of(*refused),
    };
    let consents: Vec<Value> =
        shape::resources(&bundle).map(|resource| shape::consent(&gateway, resource)).collect();
    let next = shape::next_cursor(&bundle);
    base.answer(&json!({"consents": consents, "next": next}))
}

async fn show(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    RawQuery(raw): RawQuery,
    request: Request<Body>,
) -> Response<Body> {
    Box::pin(one(&gateway, &id, None, raw.as_deref(), request)).await
}

async fn version(
    State(gateway): State<Arc<Gateway>>,
    Path((id, number)): Path<(String, String)>,
    RawQuery(raw): RawQuery,
    request: Request<Body>,
) -> Response<Body> {
    Box::pin(one(&gateway, &id, Some(&number), raw.as_deref(), request)).await
}

async fn one(
    gateway: &Gateway,
    id: &str,
    number: Option<&str>,
    raw: Option<&str>,
    request: Request<Body>,
) -> Response<Body> {
    let (asking, _) = match Asking::of(gateway, request).await {
        Ok(asking) => asking,
        Err(refusal) => return refusal,
    };
    let version = match wanted_version(raw) {
        Ok(version) => version,
        Err(refusal) => return asking.wrong(*refusal).await,
    };
    // What cannot be an id is asked for all the same, so that who asks is looked at first.
    let id = logical(id).map_or_else(|| "-".to_owned(), |id| id.to_string());
    let number = number.map(|number| number.parse::<u64>().unwrap_or(0));
    let path = match number {
        None => format!("Consent/{id}"),
        Some(number) => format!("Consent/{id}/_history/{number}"),
    };
    let (base, resource) = match asking.read(&path).await.taken() {
        Ok(answered) => answered,
        Err(refused) => return problem_of(*refused),
    };
    match shape::in_version(gateway, resource.root(), version) {
        Ok(shaped) => base.answer(&shaped),
        Err(refusal) => *refusal,
    }
}

async fn versions(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let (asking, _) = match Asking::of(&gateway, request).await {
        Ok(asking) => asking,
        Err(refusal) => return refusal,
    };
    let id = logical(&id).map_or_else(|| "-".to_owned(), |id| id.to_string());
    let mut all: Vec<Value> = Vec::new();
    let mut path = format!("Consent/{id}/_history?_count=1000");
    loop {
        let (base, bundle) = match asking.read(&path).await.taken() {
            Ok(answered) => answered,
            Err(refused) => return problem_of(*refused),
        };
        all.extend(shape::resources(&bundle).map(|resource| shape::consent(&gateway, resource)));
        match shape::next_cursor(&bundle) {
            Some(cursor) => path = format!("Consent/{id}/_history?_cursor={cursor}"),
            None => return base.answer(&json!({"versions": all})),
        }
    }
}

async fn file(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    Box::pin(put(&gateway, None, request)).await
}

async fn refile(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    Box::pin(put(&gateway, Some(&id), request)).await
}

async fn put(gateway: &Gateway, id: Option<&str>, request: Request<Body>) -> Response<Body> {
    let (asking, body) = match Asking::of(gateway, request).await {
        Ok(asking) => asking,
        Err(refusal) => return refusal,
    };
    let Ok(id) = id.map(|id| logical(id).ok_or(())).transpose() else {
        return asking.wrong(not_found()).await;
    };
    let doc = match shape::to_file(gateway, &asking.head.headers, &body) {
        Ok(doc) => doc,
        Err(refusal) => return asking.wrong(*refusal).await,
    };
    let (method, path, bytes) = match &id {
        None => (Method::POST, "Consent".to_owned(), doc.into_bytes()),
        Some(id) => {
            let mut edit = Edit::new(&doc);
            edit.set(doc.root(), "id", string_text(id.as_str()).as_bytes());
            let Ok(bytes) = edit.finish() else { return not_found() };
            (Method::PUT, format!("Consent/{id}"), bytes)
        }
    };
    let headers = [(CONTENT_TYPE, "application/fhir+json"), (PREFER, "return=OperationOutcome")];
    let inner = asking.ask(method, &path, &headers, bytes).await;
    let created = inner.status == StatusCode::CREATED;
    let location = inner.location();
    let (base, outcome) = match inner.taken() {
        Ok(answered) => answered,
        Err(refused) => return problem_of(*refused),
    };
    let filed = location.or_else(|| id.map(|id| (id.to_string(), None)));
    let (id, number) = filed.map_or((None, None), |(id, number)| (Some(id), number));
    let body = json!({"id": id, "version": number, "warnings": shape::warnings(&outcome)});
    let mut response = base.answer(&body);
    if created {
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}

/// Whether a Consent would be filed, and where readings of it part; nothing is filed.
async fn check(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let (asking, body) = match Asking::of(&gateway, request).await {
        Ok(asking) => asking,
        Err(refusal) => return refusal,
    };
    // Who asks is looked at first.
    if let Err(refused) = asking.knock().await {
        return refused;
    }
    match shape::to_file(&gateway, &asking.head.headers, &body) {
        Ok(doc) => shape::checked(&gateway, &doc),
        Err(refusal) => *refusal,
    }
}

async fn revoke(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    let (asking, _) = match Asking::of(&gateway, request).await {
        Ok(asking) => asking,
        Err(refusal) => return refusal,
    };
    let Some(id) = logical(&id) else { return asking.wrong(not_found()).await };
    let (_, stored) = match asking.read(&format!("Consent/{id}")).await.taken() {
        Ok(answered) => answered,
        Err(refused) => return problem_of(*refused),
    };
    let patient = shape::patient(stored.root());
    let parameters = json!({"resourceType": "Parameters", "parameter": [
        {"name": "consent", "resource": {"resourceType": "Consent", "id": id.as_str()}},
        {"name": "patient", "resource": {"resourceType": "Patient", "id": patient}},
    ]});
    let headers = [(CONTENT_TYPE, "application/fhir+json")];
    let body = parameters.to_string().into_bytes();
    let revoked = asking.ask(Method::POST, "Consent/$revokeConsent", &headers, body).await;
    match revoked.taken() {
        Ok((base, _)) => base.answer(&json!({"id": id.as_str(), "status": "inactive"})),
        Err(refused) => problem_of(*refused),
    }
}
