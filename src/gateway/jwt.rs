//! Claims of access tokens that are JWTs. They are not verified, so they serve only as hints.

use crate::domain::Time;
use serde_json::Value;

/// The claim `exp` (RFC 7519, section 4.1.4).
pub(super) fn expiry(token: &str) -> Option<Time> {
    // The cast saturates for a float out of range, and the result is then not a time.
    Time::from_timestamp(claims(token)?["exp"].as_f64()? as i64, 0)
}

/// The claim `sub`; `None` when it is empty.
pub(super) fn subject(token: &str) -> Option<String> {
    Some(claims(token)?["sub"].as_str().filter(|subject| !subject.is_empty())?.to_owned())
}

fn claims(token: &str) -> Option<Value> {
    if token.split('.').count() != 3 {
        return None;
    }
    jsonwebtoken::dangerous::insecure_decode_claims(token).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    #[test]
    fn the_expiry_is_the_numeric_exp_of_a_jwt() {
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        for (token, expected) in [
            (jwt(r#"{"exp":1767225600}"#), Some("2026-01-01T00:00:00Z")),
            (jwt(r#"{"exp":1767225600.9}"#), Some("2026-01-01T00:00:00Z")),
            (jwt(r#"{"exp":1e300}"#), None),
            (jwt(r#"{"exp":"soon"}"#), None),
            (jwt("{}"), None),
            (jwt("not JSON"), None),
            ("alice".to_owned(), None),
            ("a.b.c".to_owned(), None),
        ] {
            assert_eq!(expiry(&token), expected.map(|time| time.parse().unwrap()), "{token}");
        }
    }
}
