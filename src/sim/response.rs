//! Responses, with injected faults.

use super::{app::App, faults::FaultKind, graphql_error, operations::Operation, wire::Cut};
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
const TEXT: &str = "Simulated trouble";

pub(super) struct JsonResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl JsonResponse {
    pub(super) fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("the response can be serialized");
        Self { status, headers: HeaderMap::from_iter([(header::CONTENT_TYPE, JSON)]), body }
    }

    fn map(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut value = serde_json::from_slice(&self.body).unwrap_or_default();
        change(&mut value);
        Self { headers: self.headers, ..Self::new(self.status, &value) }
    }
}

impl From<JsonResponse> for Response {
    fn from(response: JsonResponse) -> Self {
        (response.status, response.headers, response.body).into_response()
    }
}

/// Counts the request and responds to it, with the faults that apply. `rejected` is the response to an invalid token.
pub(super) async fn respond(
    app: &App,
    cut: &Cut,
    operations: &[Operation],
    member: Option<&str>,
    rejected: &(dyn Fn() -> JsonResponse + Sync),
    execute: impl Future<Output = JsonResponse> + Send,
) -> Response {
    let request = app.world.begin_request(operations, member);
    if !request.delay.is_zero() {
        // When the simulator stops, delayed clients are released.
        let _ = tokio::time::timeout(request.delay, app.stop.cancelled()).await;
    }
    if let Some(wait) = request.over_quota {
        return http_response(429, Some("application/json"), "{}", Some(&wait.to_string()));
    }
    let Some(fault) = &request.fault else { return execute.await.into() };
    let response = match fault {
        FaultKind::Http { status, retry_after } => {
            return http_response(*status, Some("text/html"), PAGE, retry_after.as_deref());
        }
        FaultKind::Raw { status, content_type, body, retry_after } => {
            return http_response(*status, content_type.as_deref(), body, retry_after.as_deref());
        }
        FaultKind::GraphqlError { code } => JsonResponse::new(
            StatusCode::OK,
            &json!({ "data": null, "errors": [graphql_error::error(code, TEXT)] }),
        ),
        FaultKind::NullData => JsonResponse::new(StatusCode::OK, &json!({ "data": null })),
        FaultKind::NotJson => return ([(header::CONTENT_TYPE, "text/html")], PAGE).into_response(),
        FaultKind::Reset => {
            cut.now();
            return StatusCode::OK.into_response();
        }
        FaultKind::RejectedToken => rejected(),
        FaultKind::HugeBody { bytes } => return oversized(*bytes),
        FaultKind::CutBody => return truncated(execute.await),
        FaultKind::DataBesideErrors { code, partial } => execute.await.map(|body| {
            if *partial {
                lists(body, |list| list.truncate(list.len() / 2));
            }
            body["errors"] = json!([graphql_error::error(code, TEXT)]);
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
            let response = execute.await;
            JsonResponse { body: [b"\xEF\xBB\xBF", response.body.as_slice()].concat(), ..response }
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

/// Applies `change` to the list of each root field.
fn lists(body: &mut Value, change: impl Fn(&mut Vec<Value>)) {
    if let Some(Value::Object(data)) = body.get_mut("data") {
        data.values_mut().filter_map(Value::as_array_mut).for_each(change);
    }
}

/// Replaces the access token that is issued, if one is.
fn put_token(body: &mut Value, token: Option<String>) {
    for place in ["/access_token", "/data/refresh/accessToken", "/data/refresh/idToken"] {
        if let Some(granted) = body.pointer_mut(place).filter(|granted| granted.is_string()) {
            *granted = json!(token);
        }
    }
}

fn http_response(status: u16, content_type: Option<&str>, body: &str, retry_after: Option<&str>) -> Response {
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

/// Announces the whole body, sends half of it, and closes the connection.
fn truncated(response: JsonResponse) -> Response {
    let length = response.body.len();
    let sent = Bytes::from(response.body).slice(..length / 2);
    let cut = stream::once(async {
        // The server sends what it has while it waits. Without this yield, the client would get nothing.
        tokio::task::yield_now().await;
        Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a fault"))
    });
    let body = Body::from_stream(stream::iter([Ok(sent)]).chain(cut));
    let mut response = (response.status, response.headers, body).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Well-formed JSON of about `bytes` bytes, generated while it is sent.
fn oversized(bytes: u64) -> Response {
    const CHUNK: usize = 64 * 1024;
    let filling = Bytes::from_static(&[b'x'; CHUNK]);
    let chunks = (0..bytes / CHUNK as u64).map(move |_| filling.clone());
    let start = std::iter::once(Bytes::from_static(b"{\"data\":{\"filling\":\""));
    let end = std::iter::once(Bytes::from_static(b"\"}}"));
    let body = stream::iter(start.chain(chunks).chain(end).map(Ok::<_, io::Error>));
    ([(header::CONTENT_TYPE, JSON)], Body::from_stream(body)).into_response()
}
