//! A complete HTTP response.

use reqwest::StatusCode;
use std::time::Duration;

pub(super) struct HttpResponse {
    pub(super) status: StatusCode,
    /// The wait that `Retry-After` asks for.
    pub(super) retry_after: Option<Duration>,
    pub(super) request_id: Option<String>,
    /// Decompressed.
    pub(super) body: Vec<u8>,
}
