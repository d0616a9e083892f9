//! Header values: secrets that we send, and the request id that we receive.

use reqwest::header::{HeaderMap, HeaderValue};

/// The longest request id that is kept, in characters.
const MAX_REQUEST_ID: usize = 64;

/// A header value that `Debug` hides and HTTP/2 does not index. `None` when a header cannot contain the text.
pub(super) fn secret_header(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The response's `x-request-id`, the only identifier that the gateway's support can use. `None` when it could be a
/// token, a URL, or an address, which must not be quoted.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?.trim();
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '=' | '+' | '|');
    let is_jwt = text.starts_with("eyJ");
    let is_quotable = !text.is_empty() && text.chars().all(is_plain) && !is_jwt;
    is_quotable.then(|| text.chars().take(MAX_REQUEST_ID).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_request_id_is_kept_and_truncated() {
        let long = "a".repeat(1000);
        for (text, expected) in [
            ("0195c1f0-7c1e-7a3b-9d5e-2f6a1b3c4d5e", Some("0195c1f0-7c1e-7a3b-9d5e-2f6a1b3c4d5e")),
            (" req:1|2 ", Some("req:1|2")),
            (long.as_str(), Some(&long[..MAX_REQUEST_ID])),
            ("alice@example.org", None),
            ("https://idp.example/?code=1", None),
            ("eyJhbGciOi.x.y", None),
            ("two words", None),
            ("\u{e9}", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", text.parse().unwrap());
            assert_eq!(request_id(&headers).as_deref(), expected, "{text:?}");
        }
        assert_eq!(request_id(&HeaderMap::new()), None);
    }
}
