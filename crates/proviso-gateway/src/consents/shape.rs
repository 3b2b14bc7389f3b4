//! From FHIR to the form of the API, and from what came to FHIR.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt as _;
use proviso_app::filed::{Version, is_choice, version_name, warnings as dialect_warnings};
use proviso_core::id::ResourceId;
use proviso_core::reason::Language;
use proviso_fhir::consent::{ConsentRefusal, ReadConsent, WriteRefusal, write_r4, write_r5};
use proviso_fhir::consent_r4::{self, VERSION_SYSTEM};
use proviso_fhir::json::{Doc, Node};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::respond::X_REQUEST_ID;

/// The answer of the pipeline.
pub(super) struct Inner {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What of an answer goes into every form of it.
pub(super) struct Base {
    headers: HeaderMap,
}

impl Inner {
    pub(super) async fn of(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(body) => {
                let body = body.to_bytes().to_vec();
                Self { status: head.status, headers: head.headers, body }
            }
            Err(_) => Self::nowhere(),
        }
    }

    pub(super) fn nowhere() -> Self {
        let headers = HeaderMap::new();
        Self { status: StatusCode::SERVICE_UNAVAILABLE, headers, body: Vec::new() }
    }

    /// The id and version of what was made.
    pub(super) fn location(&self) -> Option<(String, Option<u64>)> {
        let text = self.headers.get(LOCATION)?.to_str().ok()?;
        let (_, below) = text.split_once("/Consent/")?;
        match below.split_once("/_history/") {
            Some((id, number)) => Some((id.to_owned(), number.parse().ok())),
            None => Some((below.to_owned(), None)),
        }
    }

    /// The resource of an answer, or the answer again when it is a refusal.
    pub(super) fn taken(self) -> Result<(Base, Doc), Box<Self>> {
        if !self.status.is_success() {
            return Err(Box::new(self));
        }
        match Doc::parse(self.body) {
            Ok(doc) => Ok((Base { headers: self.headers }, doc)),
            Err(_) => Err(Box::new(Self::nowhere())),
        }
    }
}

impl Base {
    pub(super) fn answer(&self, body: &Value) -> Response<Body> {
        let mut response = json_of(StatusCode::OK, "application/json", body);
        if let Some(request) = self.headers.get(X_REQUEST_ID) {
            response.headers_mut().insert(X_REQUEST_ID, request.clone());
        }
        response
    }
}

fn json_of(status: StatusCode, kind: &'static str, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// RFC 9457.
pub(super) fn problem(status: StatusCode, code: &str, title: &str) -> Response<Body> {
    let body =
        json!({"type": "about:blank", "title": title, "status": status.as_u16(), "code": code});
    json_of(status, "application/problem+json", &body)
}

/// A refusal of the pipeline as a problem, with each fault and its place.
pub(super) fn problem_of(refused: Inner) -> Response<Body> {
    let Inner { status, headers, body } = refused;
    let outcome: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let issues = outcome.get("issue").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |issue: &Value, path: &str| {
        issue.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let first = issues.first().cloned().unwrap_or(Value::Null);
    let faults: Vec<Value> = issues
        .iter()
        .map(|issue| {
            json!({"at": text(issue, "/expression/0"), "text": text(issue, "/diagnostics")})
        })
        .collect();
    let code = text(&first, "/details/coding/0/code");
    let body = json!({
        "type": "about:blank",
        "title": if issues.len() == 1 { text(&first, "/diagnostics") } else { code.clone() },
        "status": status.as_u16(),
        "code": code,
        "faults": faults,
    });
    let mut response = json_of(status, "application/problem+json", &body);
    for name in [X_REQUEST_ID, WWW_AUTHENTICATE, RETRY_AFTER] {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// The resources of a Bundle.
pub(super) fn resources(bundle: &Doc) -> impl Iterator<Item = Node<'_>> {
    bundle.root().at(&["entry", "resource"])
}

/// What to ask with for more.
pub(super) fn next_cursor(bundle: &Doc) -> Option<String> {
    let mut links = bundle.root().at(&["link"]);
    let next = links.find(|link| link.string_at(&["relation"]).as_deref() == Some("next"))?;
    let url = next.string_at(&["url"])?;
    let (_, cursor) = url.split_once("_cursor=")?;
    Some(cursor.split('&').next().unwrap_or(cursor).to_owned())
}

fn text(resource: Node<'_>, path: &[&str]) -> String {
    resource.string_at(path).unwrap_or_default().into_owned()
}

fn value(node: Node<'_>) -> Value {
    serde_json::from_slice(node.raw()).unwrap_or(Value::Null)
}

/// Whose a Consent is.
pub(super) fn patient(resource: Node<'_>) -> String {
    let reference = text(resource, &["patient", "reference"]);
    reference.rsplit_once("Patient/").map_or("", |(_, id)| id).to_owned()
}

fn read(gateway: &Gateway, resource: Node<'_>) -> Option<ReadConsent> {
    let doc = Doc::parse(resource.raw().to_vec()).ok()?;
    gateway.app.settings().filed.read(&doc, Version::R4).ok()
}

/// A Consent of FHIR R4 in the form of the API.
pub(super) fn consent(gateway: &Gateway, resource: Node<'_>) -> Value {
    let id = text(resource, &["id"]);
    let number = text(resource, &["meta", "versionId"]).parse::<u64>().unwrap_or_default();
    let logical: Option<ResourceId> = id.parse().ok();
    let choice = logical.as_ref().filter(|id| is_choice(id)).and_then(consent_r4::consent_id);
    let name = match &choice {
        Some(_) => resource
            .at(&["identifier"])
            .find(|own| own.string_at(&["system"]).as_deref() == Some(VERSION_SYSTEM))
            .map(|own| text(own, &["value"])),
        // The hash of the bytes that are stored, which these are.
        None => logical.map(|id| version_name(&id, number, resource.raw()).as_str().to_owned()),
    };
    json!({
        "id": id,
        "kind": if choice.is_some() { "choice" } else { "filed" },
        "choice": choice.map(|id| id.as_str().to_owned()),
        "version": number,
        "name": name,
        "patient": patient(resource),
        "status": text(resource, &["status"]),
        "recorded_at": text(resource, &["meta", "lastUpdated"]),
        "period": resource.first(&["provision", "period"]).map(value),
        "reading": read(gateway, resource).map(|read| read.directive().dialect().code()),
        "fhir_version": "4.0",
        "consent": value(resource),
    })
}

/// The same with the Consent in a FHIR version.
pub(super) fn in_version(
    gateway: &Gateway,
    resource: Node<'_>,
    version: Version,
) -> Result<Value, Box<Response<Body>>> {
    let mut shaped = consent(gateway, resource);
    if version == Version::R4 {
        return Ok(shaped);
    }
    let unreadable = || {
        let title = "the stored consent is not understood any more";
        Box::new(problem(StatusCode::UNPROCESSABLE_ENTITY, "consent-not-understood", title))
    };
    let read = read(gateway, resource).ok_or_else(unreadable)?;
    let bytes = write_r5(&read.canonical()).map_err(|refusal| Box::new(not_written(&refusal)))?;
    let written: Value = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
    if let Value::Object(members) = &mut shaped {
        members.insert("fhir_version".to_owned(), json!("5.0"));
        members.insert("consent".to_owned(), written);
    }
    Ok(shaped)
}

fn not_written(refusal: &WriteRefusal) -> Response<Body> {
    let faults: Vec<Value> = refusal
        .faults
        .iter()
        .map(|fault| json!({"at": fault.at, "text": fault.code.sentence()}))
        .collect();
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let body = json!({
        "type": "about:blank",
        "title": "the consent cannot be said in this FHIR version",
        "status": status.as_u16(),
        "code": "consent-not-written",
        "faults": faults,
    });
    json_of(status, "application/problem+json", &body)
}

/// The Consent that came, as FHIR R4: as it is, or from R5.
pub(super) fn to_file(
    gateway: &Gateway,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Doc, Box<Response<Body>>> {
    let bad = |title: &str| Box::new(problem(StatusCode::BAD_REQUEST, "malformed", title));
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        let title = "the body must be `application/json`";
        let code = "media-type-unsupported";
        return Err(Box::new(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, title)));
    }
    // Our own reader first: it refuses duplicate keys and what is nested too deeply.
    let doc = Doc::parse(body.to_vec()).map_err(|_| bad("the body is not well-formed JSON"))?;
    let mut names = doc.root().entries().map(|(name, _)| name);
    if !doc.root().is_object() || !names.all(|name| matches!(name, "fhir_version" | "consent")) {
        return Err(bad("the body has the members `fhir_version` and `consent`"));
    }
    let consent = doc.root().get("consent").filter(|own| own.is_object());
    let consent = consent.ok_or_else(|| bad("`consent` is missing or no object"))?;
    let inner = Doc::parse(consent.raw().to_vec()).map_err(|_| bad("`consent` is not JSON"))?;
    match doc.root().string_at(&["fhir_version"]).as_deref() {
        Some("4.0") => Ok(inner),
        Some("5.0") => {
            let read = gateway.app.settings().filed.read(&inner, Version::R5);
            let read = read.map_err(|refusal| Box::new(not_understood(&refusal)))?;
            let bytes =
                write_r4(&read.canonical()).map_err(|refusal| Box::new(not_written(&refusal)))?;
            Doc::parse(bytes).map_err(|_| bad("`consent` is not JSON"))
        }
        Some(_) | None => Err(bad("`fhir_version` is 4.0 or 5.0")),
    }
}

fn not_understood(refusal: &ConsentRefusal) -> Response<Body> {
    let faults: Vec<Value> = refusal
        .faults
        .iter()
        .map(|fault| {
            let text = format!("{}: {}", fault.code.code(), fault.code.sentence());
            json!({"at": fault.at, "text": text})
        })
        .collect();
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let body = json!({
        "type": "about:blank",
        "title": "the consent is not understood",
        "status": status.as_u16(),
        "code": "consent-not-understood",
        "faults": faults,
    });
    json_of(status, "application/problem+json", &body)
}

/// What would be said of a Consent if it were filed.
pub(super) fn checked(gateway: &Gateway, doc: &Doc) -> Response<Body> {
    match gateway.app.settings().filed.read(doc, Version::R4) {
        Err(refusal) => not_understood(&refusal),
        Ok(read) => {
            let warnings: Vec<Value> = dialect_warnings(read.directive())
                .iter()
                .map(|own| json!(own.text(Language::English)))
                .collect();
            let body = json!({
                "understood": true,
                "reading": read.directive().dialect().code(),
                "warnings": warnings,
            });
            json_of(StatusCode::OK, "application/json", &body)
        }
    }
}

/// The warnings of an outcome.
pub(super) fn warnings(outcome: &Doc) -> Vec<String> {
    let issues = outcome.root().at(&["issue"]);
    issues
        .filter(|issue| issue.string_at(&["severity"]).as_deref() == Some("warning"))
        .map(|issue| text(issue, &["diagnostics"]))
        .collect()
}
