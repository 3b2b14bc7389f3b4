//! Envoy `ext_authz` over gRPC: `envoy.service.auth.v3.Authorization/Check`.
//!
//! The same question and the same answer as over HTTP. What is not a read of one record, or cannot
//! be read as one, is a no with a status of its own; a message that is none is an error of gRPC,
//! which Envoy takes for a no as well (`failure_mode_allow: false`).

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::routing::post;
use http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue as HttpValue, Request, Response, StatusCode};
use tonic::Code;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

use super::messages::{
    CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption, HttpRequest,
    HttpResponse, HttpStatus, OkHttpResponse, Status,
};
use super::{decide, read_as, read_of};
use crate::gateway::Gateway;

/// LIMIT: a request line and its headers, twice as much as Envoy itself takes by default.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;

/// What must not go on to the FHIR server: the credentials, and all that could make the read
/// something else. Envoy removes them on a yes, whatever its routes say.
const REMOVED: [&str; 7] = [
    "authorization",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "prefer",
];

/// The service, to be merged into the routes of the listener.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/envoy.service.auth.v3.Authorization/Check", post(check))
        .with_state(gateway)
}

async fn check(State(gateway): State<Arc<Gateway>>, request: Request<Body>) -> Response<Body> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().copied();
    let mut grpc = Grpc::new(ProstCodec::<CheckResponse, CheckRequest>::default())
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    grpc.unary(Check { gateway, peer }, request).await.map(Body::new)
}

struct Check {
    gateway: Arc<Gateway>,
    peer: Option<ConnectInfo<SocketAddr>>,
}

type Answer = Result<tonic::Response<CheckResponse>, tonic::Status>;

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        let (gateway, peer) = (Arc::clone(&self.gateway), self.peer);
        Box::pin(async move {
            let asked = request.into_inner().attributes;
            let asked = asked.and_then(|own| own.request).and_then(|own| own.http);
            let read = asked.and_then(|asked| {
                let path = path_of(&asked)?;
                read_as(&credentials(&asked.headers)?, peer, path)
            });
            let (status, headers) = decide(&gateway, read).await;
            Ok(tonic::Response::new(told(status, &headers)))
        })
    }
}

/// The path below the FHIR base of a read of one record without a body; `None` for all else.
fn path_of(asked: &HttpRequest) -> Option<String> {
    let bare = asked.query.is_empty()
        && asked.fragment.is_empty()
        && asked.size <= 0
        && asked.body.is_empty()
        && asked.raw_body.is_empty();
    bare.then(|| read_of(&asked.method, &asked.path)).flatten()
}

/// The credentials; two of them, joined by Envoy, are none that anybody was given. `None` when they
/// could not be a header at all.
fn credentials(headers: &HashMap<String, String>) -> Option<HeaderMap> {
    let mut own = HeaderMap::new();
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(AUTHORIZATION.as_str()) {
            own.append(AUTHORIZATION, HttpValue::from_str(value).ok()?);
        }
    }
    Some(own)
}

fn told(status: StatusCode, headers: &HeaderMap) -> CheckResponse {
    let code = match status {
        StatusCode::OK => Code::Ok,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::PermissionDenied,
    };
    let http_response = if code == Code::Ok {
        let headers_to_remove = REMOVED.map(str::to_owned).to_vec();
        HttpResponse::Ok(OkHttpResponse { headers_to_remove })
    } else {
        let told = [CACHE_CONTROL, WWW_AUTHENTICATE].into_iter().filter_map(|name| {
            let value = headers.get(&name)?.to_str().ok()?.to_owned();
            let key = name.as_str().to_owned();
            Some(HeaderValueOption { header: Some(HeaderValue { key, value }) })
        });
        HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(status.as_u16()) }),
            headers: told.collect(),
        })
    };
    CheckResponse {
        status: Some(Status { code: i32::from(code) }),
        http_response: Some(http_response),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(change: impl FnOnce(&mut HttpRequest)) -> Option<String> {
        let mut asked = HttpRequest {
            method: "GET".to_owned(),
            path: "/fhir/r4/Patient/maria".to_owned(),
            size: -1,
            ..HttpRequest::default()
        };
        change(&mut asked);
        path_of(&asked)
    }

    // Covers: consent.md §3.4 (what is not understood is refused)
    #[test]
    fn only_a_bare_read_is_asked_about() {
        assert_eq!(asked(|_| {}).as_deref(), Some("/Patient/maria"));
        assert_eq!(asked(|own| own.size = 0).as_deref(), Some("/Patient/maria"));
        assert_eq!(asked(|own| own.size = 1), None);
        assert_eq!(asked(|own| own.body = "x".to_owned()), None);
        assert_eq!(asked(|own| own.raw_body = vec![0]), None);
        assert_eq!(asked(|own| own.query = "_elements=name".to_owned()), None);
        assert_eq!(asked(|own| own.fragment = "/x".to_owned()), None);
        assert_eq!(asked(|own| own.method = "POST".to_owned()), None);
        assert_eq!(asked(|own| own.method.clear()), None);
        assert_eq!(asked(|own| own.path = "/fhir/r4/Patient/%6daria".to_owned()), None);
        assert_eq!(asked(|own| own.path.clear()), None);
    }

    #[test]
    fn credentials_are_taken_as_they_came_and_twice_is_told_apart() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            credentials(&pairs.collect())
        };
        assert_eq!(of(&[]).unwrap().len(), 0);
        assert_eq!(of(&[("authorization", "Bearer a"), ("host", "b")]).unwrap().len(), 1);
        let twice = of(&[("authorization", "Bearer a"), ("Authorization", "Bearer b")]).unwrap();
        assert_eq!(twice.get_all(AUTHORIZATION).iter().count(), 2);
        assert!(of(&[("authorization", "Bearer a\r\nx: y")]).is_none());
    }

    /// Only a yes has the code that Envoy takes for one.
    #[test]
    fn every_status_but_one_is_a_no() {
        for status in (100..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
            let told = told(status, &HeaderMap::new());
            let yes = status == StatusCode::OK;
            assert_eq!(told.status.unwrap().code == 0, yes, "{status}");
            assert_eq!(matches!(told.http_response, Some(HttpResponse::Ok(_))), yes, "{status}");
        }
    }
}
