//! A client of the admin API.

use crate::harness::{Harness, Setup};
use reconnectd::{server, web};
use reqwest::{Client, Method, RequestBuilder, Response, header};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Tokens `reader` and `writer`, of the same names.
pub(crate) fn with_tokens() -> Setup {
    let entry = |name: &str, sha256: &str, scope: &str| {
        format!("{{ name = '{name}', sha256 = '{sha256}', scope = '{scope}' }}")
    };
    let reader = entry("reader", "3d0941964aa3ebdcb00ccef58b1bb399f9f898465e9886d5aec7f31090a0fb30", "read");
    let writer = entry("writer", "b93006774cbdd4b299389a03ac3d88c3a76b460d538795bc12718011a909fba5", "write");
    Setup::default().set("ADMIN__TOKENS", format!("[{reader}, {writer}]"))
}

pub(crate) struct Api {
    base: String,
    http: Client,
    _server: DropGuard,
}

/// A response, whose body is JSON.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) allow: Option<String>,
}

impl Api {
    pub(crate) async fn of(h: &Harness) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let ending = CancellationToken::new();
        let router = server::admin_router(&h.app);
        tokio::spawn(web::serve(listener, router, web::ServerLimits::default(), ending.clone()));
        Self { base, http: Client::builder().no_proxy().build().unwrap(), _server: ending.drop_guard() }
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path, "reader")).await
    }

    /// The items of a list's first page.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body["items"].as_array().unwrap().clone()
    }

    /// A write without a body.
    pub(crate) async fn act(&self, method: Method, path: &str) -> Answer {
        answer(self.request(method, path, "writer")).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        answer(self.request(method, path, "writer").json(body)).await
    }

    pub(crate) async fn import(&self, query: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(Method::POST, &format!("/members/import{query}"), "writer");
        answer(request.header(header::CONTENT_TYPE, kind).body(body)).await
    }

    /// The keys of all items of a list, read in pages of this size.
    pub(crate) async fn walk(&self, path: &str, limit: usize, key: &str) -> Vec<String> {
        let (mut keys, mut after) = (Vec::new(), String::new());
        let mark = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{mark}limit={limit}{after}")).await;
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            let items = page.body["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            keys.extend(items.iter().map(|item| item[key].to_string().trim_matches('"').to_owned()));
            match page.body["next"].as_str() {
                None => return keys,
                Some(next) => after = format!("&after={next}"),
            }
        }
    }
}

/// Every error is a problem, and nothing else is.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response: Response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (kind, allow) = (header(header::CONTENT_TYPE).unwrap_or_default(), header(header::ALLOW));
    let text = response.text().await.unwrap();
    assert_eq!(kind == "application/problem+json", status >= 400, "{status}: {kind}: {text}");
    let body: Value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    if status >= 400 && !text.is_empty() {
        assert_eq!(body["status"], status);
    }
    assert!(!text.contains("@example.org"), "an address in {text}");
    Answer { status, body, allow }
}
