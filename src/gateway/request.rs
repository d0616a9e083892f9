//! The bodies of requests (GraphQL over HTTP).

use super::operations::{CONNECTIONS, Operation, REFRESH};
use serde::Serialize;
use serde_json::{Value, json};
use std::{borrow::Cow, sync::LazyLock};

/// The JSON of a request. Requests of an operation without variables share one.
pub(super) type RequestBody = Cow<'static, [u8]>;

static CONNECTIONS_BODY: LazyLock<Vec<u8>> = LazyLock::new(|| encode(&CONNECTIONS, &json!({})));
static REFRESH_BODY: LazyLock<Vec<u8>> = LazyLock::new(|| encode(&REFRESH, &json!({})));

/// Of [`CONNECTIONS`].
pub(super) fn connections() -> RequestBody {
    Cow::Borrowed(&CONNECTIONS_BODY)
}

/// Of [`REFRESH`].
pub(super) fn refresh() -> RequestBody {
    Cow::Borrowed(&REFRESH_BODY)
}

pub(super) fn with_variables(operation: &Operation, variables: &Value) -> RequestBody {
    Cow::Owned(encode(operation, variables))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    query: &'a str,
    operation_name: &'a str,
    variables: &'a Value,
}

fn encode(operation: &Operation, variables: &Value) -> Vec<u8> {
    let body = Envelope { query: operation.document, operation_name: operation.name, variables };
    // Text and JSON values can always be written.
    serde_json::to_vec(&body).unwrap_or_default()
}
