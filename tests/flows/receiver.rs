//! The operator's own system that receives events.

use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) signatures: String,
    pub(crate) body: String,
    pub(crate) status: u16,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    posts: Mutex<Vec<Posted>>,
    status: Mutex<u16>,
    retry_after: Mutex<Option<&'static str>>,
    /// Whether a request gets no response.
    is_silent: Mutex<bool>,
    /// Whether the connection breaks instead of a response.
    hangs_up: Mutex<bool>,
    arrived: Notify,
}

impl Posted {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn event_type(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    pub(crate) fn member(&self) -> Option<String> {
        self.json()["data"]["member_id"].as_str().map(str::to_owned)
    }

    /// As the specification says, over the bytes that arrived.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("the prefix")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let signatures = self.signatures.split(' ').filter_map(|one| one.strip_prefix("v1,"));
        signatures
            .filter_map(|one| STANDARD.decode(one).ok())
            .any(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok())
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            posts: Mutex::default(),
            status: Mutex::new(204),
            retry_after: Mutex::default(),
            is_silent: Mutex::default(),
            hangs_up: Mutex::default(),
            arrived: Notify::new(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/events?key=hidden", listener.local_addr().expect("its address"));
        let router = axum::Router::new().route("/events", post(receive)).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        let address = self.url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        address.and_then(|address| address.parse().ok()).expect("an address")
    }

    pub(crate) fn answer(&self, status: u16) {
        *self.shared.status.lock().unwrap() = status;
    }

    pub(crate) fn ask_to_wait(&self, retry_after: &'static str) {
        *self.shared.retry_after.lock().unwrap() = Some(retry_after);
    }

    pub(crate) fn be_silent(&self, is_silent: bool) {
        *self.shared.is_silent.lock().unwrap() = is_silent;
    }

    pub(crate) fn hang_up(&self, hangs_up: bool) {
        *self.shared.hangs_up.lock().unwrap() = hangs_up;
    }

    /// Waits for the next request.
    pub(crate) async fn arrival(&self) {
        self.shared.arrived.notified().await;
    }

    /// All requests, oldest first.
    pub(crate) fn posts(&self) -> Vec<Posted> {
        self.posts_from(0)
    }

    /// Those after the first `seen` ones.
    pub(crate) fn posts_from(&self, seen: usize) -> Vec<Posted> {
        self.shared.posts.lock().unwrap()[seen..].to_vec()
    }

    pub(crate) fn confirmed(&self) -> Vec<Posted> {
        self.posts().into_iter().filter(|posted| posted.status == 204).collect()
    }

    /// The types of a member's confirmed events, in their order.
    pub(crate) fn confirmed_of(&self, member: &str) -> Vec<String> {
        let confirmed = self.confirmed().into_iter();
        confirmed.filter(|p| p.member().as_deref() == Some(member)).map(|p| p.event_type()).collect()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let status = *shared.status.lock().unwrap();
    shared.posts.lock().unwrap().push(Posted {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().expect("a number"),
        signatures: header("webhook-signature"),
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        status,
    });
    shared.arrived.notify_one();
    if *shared.hangs_up.lock().unwrap() {
        // The server drops the connection; no message is printed.
        std::panic::resume_unwind(Box::new(()));
    }
    if *shared.is_silent.lock().unwrap() {
        std::future::pending::<()>().await;
    }
    let retry_after = *shared.retry_after.lock().unwrap();
    let headers: Vec<_> = retry_after.map(|value| ("retry-after", value)).into_iter().collect();
    let mut response = StatusCode::from_u16(status).expect("a status").into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().expect("a value"));
    }
    response
}
