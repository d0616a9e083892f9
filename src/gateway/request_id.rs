//! The gateway's `x-request-id`: the only identifier that its support can use.

use reqwest::header::HeaderMap;

/// The longest that is kept, in characters.
const LONGEST: usize = 64;

/// The response's request id, if it is fit to be quoted: anything that could be a token, a URL or an address is not.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '=' | '+' | '|');
    let is_token = text.starts_with("eyJ");
    let fit = !text.is_empty() && text.chars().all(plain) && !is_token;
    fit.then(|| text.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_kept_when_it_is_plain_and_cut_when_it_is_long() {
        let long = "a".repeat(1000);
        for (text, expected) in [
            ("0195c1f0-7c1e-7a3b-9d5e-2f6a1b3c4d5e", Some("0195c1f0-7c1e-7a3b-9d5e-2f6a1b3c4d5e")),
            (" req:1|2 ", Some("req:1|2")),
            (long.as_str(), Some(&long[..LONGEST])),
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
