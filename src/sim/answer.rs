//! From an operation's answer to what the client gets to see of it, faults included.

use super::{App, faults::FaultKind, outcome, requests::Operation, wire::Cut};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};
use std::io;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PAGE: &str = "<!doctype html><title>FaultKind</title><h1>The gateway is in trouble</h1>";
/// As a fault's error says it.
const TEXT: &str = "Simulated trouble";

/// A JSON answer.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("an answer of our own is JSON");
        Self { status, headers: HeaderMap::from_iter([(header::CONTENT_TYPE, JSON)]), body }
    }

    /// The same, with the body's JSON changed.
    fn map(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut value = serde_json::from_slice(&self.body).unwrap_or_default();
        change(&mut value);
        Self { headers: self.headers, ..Self::new(self.status, &value) }
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        (answer.status, answer.headers, answer.body).into_response()
    }
}

/// Counts the request and answers it, with the first fault that befalls it. `rejected` is the answer to a bad
/// token.
pub(super) async fn respond(
    app: &App,
    cut: &Cut,
    operations: &[Operation],
    member: Option<&str>,
    rejected: &(dyn Fn() -> Answer + Sync),
    execute: impl Future<Output = Answer> + Send,
) -> Response {
    let arrival = app.world.arrive(operations, member);
    if !arrival.delay.is_zero() {
        // A simulator that stops does not keep its clients waiting.
        let _ = tokio::time::timeout(arrival.delay, app.stop.cancelled()).await;
    }
    if let Some(wait) = arrival.over_quota {
        return http_answer(429, Some("application/json"), "{}", Some(&wait.to_string()));
    }
    let Some(trouble) = &arrival.trouble else { return execute.await.into() };
    let response = match trouble {
        FaultKind::Http { status, retry_after } => {
            return http_answer(*status, Some("text/html"), PAGE, retry_after.as_deref());
        }
        FaultKind::Raw { status, content_type, body, retry_after } => {
            return http_answer(*status, content_type.as_deref(), body, retry_after.as_deref());
        }
        FaultKind::GraphqlError { code } => {
            Answer::new(StatusCode::OK, &json!({ "data": null, "errors": [outcome::error(code, TEXT)] }))
        }
        FaultKind::NullData => Answer::new(StatusCode::OK, &json!({ "data": null })),
        FaultKind::NotJson => return ([(header::CONTENT_TYPE, "text/html")], PAGE).into_response(),
        FaultKind::Reset => {
            cut.now();
            return StatusCode::OK.into_response();
        }
        FaultKind::RejectedToken => rejected(),
        FaultKind::HugeBody { bytes } => return huge(*bytes),
        FaultKind::CutBody => return half(execute.await),
        FaultKind::DataBesideErrors { code, partial } => execute.await.map(|body| {
            if *partial {
                lists(body, |list| list.truncate(list.len() / 2));
            }
            body["errors"] = json!([outcome::error(code, TEXT)]);
        }),
        FaultKind::UnreadableRow { connection } => execute.await.map(|body| {
            lists(body, |list| {
                let rows = list.iter_mut().filter(|row| row["id"] == connection.as_str());
                rows.for_each(|row| row["name"] = Value::Null);
            });
        }),
        FaultKind::NoIsDirect => execute.await.map(|body| {
            lists(body, |list| {
                list.iter_mut().filter_map(Value::as_object_mut).for_each(|row| drop(row.remove("isDirect")));
            });
        }),
        FaultKind::ByteOrderMark => {
            let answer = execute.await;
            Answer { body: [b"\xEF\xBB\xBF", answer.body.as_slice()].concat(), ..answer }
        }
        FaultKind::OtherSubject { member } => {
            let other = app.world.grant(member).ok().map(|grant| grant.access_token);
            execute.await.map(|body| put_token(body, other))
        }
        FaultKind::EmptyList => execute.await.map(|body| lists(body, Vec::clear)),
        FaultKind::WrongType => execute.await.map(|body| match body.get_mut("data") {
            Some(Value::Object(data)) => data.values_mut().for_each(|field| *field = json!(42)),
            _ => *body = json!(42),
        }),
        // Delays were served above.
        FaultKind::Delay { .. } => execute.await,
    };
    response.into()
}

/// Each list that is the answer of a root field.
fn lists(body: &mut Value, change: impl Fn(&mut Vec<Value>)) {
    if let Some(Value::Object(data)) = body.get_mut("data") {
        data.values_mut().filter_map(Value::as_array_mut).for_each(change);
    }
}

/// Puts another access token in the place of the one that is granted, if one is.
fn put_token(body: &mut Value, token: Option<String>) {
    for place in ["/access_token", "/data/refresh/accessToken", "/data/refresh/idToken"] {
        if let Some(granted) = body.pointer_mut(place).filter(|granted| granted.is_string()) {
            *granted = json!(token);
        }
    }
}

fn http_answer(status: u16, content_type: Option<&str>, body: &str, retry_after: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = status;
    for (name, text) in [(header::CONTENT_TYPE, content_type), (header::RETRY_AFTER, retry_after)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Promises the whole body, sends half of it and closes the connection.
fn half(answer: Answer) -> Response {
    let length = answer.body.len();
    let sent = Bytes::from(answer.body).slice(..length / 2);
    let cut = stream::once(async {
        // While the server waits it sends what it has; without this the client would get nothing.
        tokio::task::yield_now().await;
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a fault"))
    });
    let body = Body::from_stream(stream::iter([Ok(sent)]).chain(cut));
    let mut response = (answer.status, answer.headers, body).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// JSON that is well formed and about `bytes` long, made as it is sent.
fn huge(bytes: u64) -> Response {
    const CHUNK: usize = 64 * 1024;
    let filling = Bytes::from_static(&[b'x'; CHUNK]);
    let chunks = (0..bytes / CHUNK as u64).map(move |_| filling.clone());
    let start = std::iter::once(Bytes::from_static(b"{\"data\":{\"filling\":\""));
    let end = std::iter::once(Bytes::from_static(b"\"}}"));
    let body = stream::iter(start.chain(chunks).chain(end).map(Ok::<_, io::Error>));
    ([(header::CONTENT_TYPE, JSON)], Body::from_stream(body)).into_response()
}
