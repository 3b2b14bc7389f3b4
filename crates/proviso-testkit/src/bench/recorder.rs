//! A stub between a gateway and a FHIR server that writes down what is asked, so that others can
//! be made to ask the same.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use crate::http_client::HttpClient;

/// What was asked, in order: paths with queries, below the base URL.
#[derive(Debug, Clone)]
struct Notes {
    asked: Arc<Mutex<Vec<String>>>,
    upstream: String,
    base: String,
    client: HttpClient,
}

/// The running stub; it serves as long as the program runs.
#[derive(Debug)]
pub struct Recorder {
    /// Its base URL.
    pub base: String,
    notes: Notes,
}

impl Recorder {
    /// Starts one in front of a FHIR server.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start(upstream: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let path = url::Url::parse(upstream)?.path().to_owned();
        let base = format!("http://{}{path}", listener.local_addr()?);
        let notes = Notes {
            asked: Arc::default(),
            upstream: upstream.to_owned(),
            base: base.clone(),
            client: HttpClient::default(),
        };
        let router = axum::Router::new().fallback(pass_on).with_state(notes.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { base, notes })
    }

    /// What was asked since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers as the server does, with links to itself where the server has links to itself.
async fn pass_on(State(notes): State<Notes>, request: Request) -> Response {
    let whole = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    let base_path = notes.base.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    let base_path = base_path.map_or(String::new(), |(_, path)| format!("/{path}"));
    let tail = whole.strip_prefix(&base_path).unwrap_or(&whole).to_owned();
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let headers = [("accept", "application/fhir+json")];
    let Ok(answer) = notes.client.get(&format!("{}{tail}", notes.upstream), &headers).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    notes.asked.lock().unwrap_or_else(PoisonError::into_inner).push(tail);
    let body = answer.text().replace(&notes.upstream, &notes.base);
    (answer.status, [(CONTENT_TYPE, "application/fhir+json")], body).into_response()
}
