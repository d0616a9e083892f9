//! A server that answers what it is told to, in order, and the last answer from then on.

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
pub(super) enum Answer {
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The headers, a part of the body, and then the end of the connection.
    Cut(&'static str),
    /// Nothing, ever.
    Never,
}

impl Answer {
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

/// What was asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
pub(super) struct Stub {
    address: std::net::SocketAddr,
    answers: Arc<Mutex<Vec<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    pub(super) async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self {
            address: listener.local_addr().unwrap(),
            answers: Arc::new(Mutex::new(answers)),
            asked: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/v1/graphql?hidden=query", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn next(&self) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.pop().unwrap() } else { answers[0].clone() }
    }
}

async fn answer(State(stub): State<Stub>, parts: Parts, body: Bytes) -> Response {
    let asked = Asked { path: parts.uri.path().to_owned(), headers: parts.headers, body };
    stub.asked.lock().unwrap().push(asked);
    match stub.next() {
        Answer::Whole(status, headers, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Answer::Cut(part) => {
            let parts = [Ok(part), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(stream::iter(parts)))
        }
        Answer::Never => std::future::pending().await,
    }
}

/// A server that takes a request and hangs up; how often is counted.
pub(super) async fn hanging_up() -> (String, Arc<AtomicUsize>) {
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
