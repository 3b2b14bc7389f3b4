//! For a reverse proxy that asks before it forwards: nginx `auth_request`, Envoy `ext_authz` over
//! HTTP and over gRPC.
//!
//! The proxy stands in front of the FHIR server itself and will hand out whole records as they are.
//! So only such requests are let through whose answer is one whole record by its id: the record is
//! read, decided, and logged by the pipeline as if it were asked for here, and of the answer only
//! the status is told. Whatever would have to be cut, filtered, counted or searched is refused and
//! belongs to the FHIR API of this server; so does a record that has to go with a notice. The proxy's
//! server and the upstream of this one must be one and the same: what is decided about is the record
//! here (leaks 10, 13: proxy and decision must see one path).

mod grpc;
mod messages;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, OriginalUri, State};
use axum::routing::any;
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;

use crate::door::AskedFor;
use crate::gateway::Gateway;
use crate::pipeline;
use crate::respond::{NOTICE, X_REQUEST_ID};

const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// Under which path the proxy serves FHIR; the same as here.
const FHIR_PATH: &str = "/fhir/r4/";
/// Envoy puts its prefix in front of the path that was asked for.
const ENVOY_PREFIX: &str = "/envoy";

/// The endpoints, for [`Router::merge`].
pub fn forward_auth_router(gateway: Arc<Gateway>) -> Router {
    let over_http = Router::new()
        .route("/check", any(check))
        .route("/envoy/{*path}", any(envoy))
        .with_state(Arc::clone(&gateway));
    grpc::router(gateway).nest_service("/access/v1/http", over_http)
}

/// nginx: a request of its own, with the one that came in two headers.
async fn check(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let headers = request.headers();
    let asked = match (single(headers, &ORIGINAL_METHOD), single(headers, &ORIGINAL_URI)) {
        (Some(method), Some(uri)) => read_of(method, uri),
        _ => None,
    };
    answer(&gateway, forwarded(&request, asked)).await
}

/// Envoy: the request that came, behind a prefix.
async fn envoy(
    State(gateway): State<Arc<Gateway>>,
    OriginalUri(whole): OriginalUri,
    request: Request<Body>,
) -> Response<Body> {
    let asked = whole.path_and_query().and_then(|sent| {
        let (_, own) = sent.as_str().split_once(ENVOY_PREFIX)?;
        read_of(request.method().as_str(), own)
    });
    answer(&gateway, forwarded(&request, asked)).await
}

/// A header that came exactly once, as text.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// The path below the FHIR base of a read of one record or of one version of it; `None` for every
/// other request. No character of it could mean something else to another server.
fn read_of(method: &str, uri: &str) -> Option<String> {
    if !matches!(method, "GET" | "HEAD") {
        return None;
    }
    let below = uri.strip_prefix(FHIR_PATH)?;
    let (path, query) = below.split_once('?').unwrap_or((below, ""));
    if !matches!(query, "" | "_format=json" | "_format=application/fhir%2Bjson") {
        return None;
    }
    let segments: Vec<&str> = path.split('/').collect();
    let (kind, id, version) = match segments.as_slice() {
        [kind, id] => (kind, id, None),
        [kind, id, "_history", version] => (kind, id, Some(version)),
        _ => return None,
    };
    kind.parse::<ResourceType>().ok()?;
    id.parse::<ResourceId>().ok()?;
    if let Some(version) = version {
        version.parse::<ResourceId>().ok()?;
    }
    // Ids of one or two dots are ids to FHIR and directions to everybody else.
    let walks = segments.iter().any(|segment| segment.bytes().all(|byte| byte == b'.'));
    (!walks).then(|| format!("/{path}"))
}

/// The read, with the credentials and from the address of the request that asks.
fn read_as(
    credentials: &HeaderMap,
    peer: Option<ConnectInfo<SocketAddr>>,
    path: String,
) -> Option<Request<Body>> {
    let mut read = Request::builder().method(Method::GET).uri(path);
    for value in credentials.get_all(AUTHORIZATION) {
        read = read.header(AUTHORIZATION, value);
    }
    read = read.header(ACCEPT, "application/fhir+json");
    if let Some(peer) = peer {
        read = read.extension(peer);
    }
    // The address is that of the proxy; where the person is, nobody told.
    read = read.extension(AskedFor::Another);
    read.body(Body::empty()).ok()
}

fn forwarded(request: &Request<Body>, asked: Option<String>) -> Option<Request<Body>> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().copied();
    read_as(request.headers(), peer, asked?)
}

async fn answer(gateway: &Gateway, read: Option<Request<Body>>) -> Response<Body> {
    let (status, headers) = decide(gateway, read).await;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Asks the pipeline, and tells of its answer what the proxy needs: 200 is yes, 401 and 403 are no,
/// and 503 is no decision. Envoy takes nothing but 200 for a yes.
async fn decide(gateway: &Gateway, read: Option<Request<Body>>) -> (StatusCode, HeaderMap) {
    let Some(read) = read else { return (StatusCode::FORBIDDEN, told(&HeaderMap::new())) };
    let response = pipeline::answer(gateway, read).await;
    let status = match response.status() {
        // 42 CFR 2.32: the notice goes with the record, and the proxy would not hand it on.
        StatusCode::OK if response.headers().contains_key(NOTICE) => StatusCode::FORBIDDEN,
        StatusCode::OK => StatusCode::OK,
        StatusCode::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
        // Too often, no log, no upstream: the proxy must not go on, and may try again.
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        // Hidden, gone, never there, not allowed: one answer.
        _ => StatusCode::FORBIDDEN,
    };
    (status, told(response.headers()))
}

fn told(from: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for name in [X_REQUEST_ID, WWW_AUTHENTICATE] {
        if let Some(value) = from.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: leaks 10, 13; CVE-2019-9901, CVE-2021-29492, CVE-2021-32779 (one path for both)
    #[test]
    fn only_a_read_of_one_record_by_its_id_is_asked_about() {
        for (uri, path) in [
            ("/fhir/r4/Patient/maria", "/Patient/maria"),
            ("/fhir/r4/Patient/maria?_format=json", "/Patient/maria"),
            ("/fhir/r4/Patient/maria/_history/2", "/Patient/maria/_history/2"),
        ] {
            assert_eq!(read_of("GET", uri).as_deref(), Some(path), "{uri}");
            assert_eq!(read_of("HEAD", uri).as_deref(), Some(path), "{uri}");
            for method in ["POST", "PUT", "PATCH", "DELETE", "get", "PROPFIND", ""] {
                assert_eq!(read_of(method, uri), None, "{method} {uri}");
            }
        }
        for uri in [
            "",
            "/",
            "/fhir/r4",
            "/fhir/r4/",
            "/fhir/r4/Patient",
            "/fhir/r4/Patient/",
            "/fhir/r4/Patient?_id=maria",
            "/fhir/r4/Patient/maria/",
            "/fhir/r4//Patient/maria",
            "/fhir/r4/Patient//maria",
            "/fhir/r4/Patient/maria/_history",
            "/fhir/r4/Patient/maria/$everything",
            "/fhir/r4/Patient/maria/Observation",
            "/fhir/r4/Patient/..",
            "/fhir/r4/Patient/.",
            "/fhir/r4/Patient/../Patient/maria",
            "/fhir/r4/Patient/%6daria",
            "/fhir/r4/Patient%2Fmaria",
            "/fhir/r4/Patient/maria%00",
            "/fhir/r4/Patient/maria#/x",
            "/fhir/r4/Patient/maria;x=1",
            "/fhir/r4/patient/maria",
            "/fhir/r4/Spaceship/maria",
            "/fhir/r4/Patient/maria?_elements=name",
            "/fhir/r4/Patient/maria?_format=xml",
            "/fhir/r4/Patient/maria?_format=json&_format=json",
            "/fhir/r4/Patient/maria\\",
            "/FHIR/r4/Patient/maria",
            "/other/fhir/r4/Patient/maria",
            "http://elsewhere.example/fhir/r4/Patient/maria",
        ] {
            assert_eq!(read_of("GET", uri), None, "{uri}");
        }
    }
}
