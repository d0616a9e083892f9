//! A server that sends scripted responses in order, and repeats the last one.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use futures_util::stream;
use serde_json::Value;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{io::AsyncReadExt, net::TcpListener};

#[derive(Clone)]
pub(super) enum StubResponse {
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The headers and this part of the body; then the connection closes.
    Cut(&'static str),
    Never,
}

impl StubResponse {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self::Whole(status, Vec::new(), body.into().into_bytes())
    }

    pub(super) fn ok(body: impl Into<String>) -> Self {
        Self::new(200, body)
    }

    pub(super) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Whole(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Whole(status, headers, body)
            }
            other => other,
        }
    }
}

#[derive(Clone)]
pub(super) struct StubRequest {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl StubRequest {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub(super) struct StubServer {
    address: std::net::SocketAddr,
    responses: Arc<Mutex<Vec<StubResponse>>>,
    requests: Arc<Mutex<Vec<StubRequest>>>,
}

impl StubServer {
    pub(super) async fn responding(responses: impl IntoIterator<Item = StubResponse>) -> Self {
        let mut responses: Vec<_> = responses.into_iter().collect();
        responses.reverse();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self {
            address: listener.local_addr().unwrap(),
            responses: Arc::new(Mutex::new(responses)),
            requests: Arc::default(),
        };
        let router = Router::new().fallback(respond).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1/graphql?hidden=query", self.address)
    }

    pub(super) fn requests(&self) -> Vec<StubRequest> {
        self.requests.lock().unwrap().clone()
    }

    fn next_response(&self) -> StubResponse {
        let mut responses = self.responses.lock().unwrap();
        if responses.len() > 1 { responses.pop().unwrap() } else { responses[0].clone() }
    }
}

async fn respond(State(stub): State<StubServer>, parts: Parts, body: Bytes) -> Response {
    let request = StubRequest { path: parts.uri.path().to_owned(), headers: parts.headers, body };
    stub.requests.lock().unwrap().push(request);
    match stub.next_response() {
        StubResponse::Whole(status, headers, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        StubResponse::Cut(part) => {
            let parts = [Ok(part), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(stream::iter(parts)))
        }
        StubResponse::Never => std::future::pending().await,
    }
}

/// A server that reads a request and closes the connection. Counts the connections.
pub(super) async fn disconnecting() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/graphql?hidden=query", listener.local_addr().unwrap());
    let times = Arc::new(AtomicUsize::new(0));
    let counted = times.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = socket.read(&mut [0; 64]).await;
        }
    });
    (url, times)
}
