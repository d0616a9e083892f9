//! The cookie with which the browser that redeemed a link can press its button again.
//!
//! It is `SameSite=Strict`, so that no other site's form can use it. A browser therefore sends it only with the page's own
//! forms, and not with a navigation that began in an email or at the source.

use crate::domain::{ConnectionId, PassHash, PassToken};
use crate::reconnect::redeem::{PASS_TTL, Pass};
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, HeaderValue, header};

/// Before the names of all of them.
const PREFIX: &str = "reconnect_";
/// More than one link's page has buttons.
const MOST: usize = 32;

/// A name for each connection, so that the pass of one does not overwrite another's. Ids may hold any characters.
fn name(connection: &ConnectionId) -> String {
    let digest = digest(&SHA256, connection.as_str().as_bytes());
    let start = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}"));
    format!("{PREFIX}{}", start.collect::<String>())
}

/// The `Set-Cookie` of a pass, for the link's own path.
pub(super) fn set(pass: &Pass, path: &str, secure: bool) -> Option<HeaderValue> {
    let text = format!(
        "{}={}; Path={path}; Max-Age={}; HttpOnly; SameSite=Strict{}",
        name(&pass.connection),
        pass.token.expose(),
        PASS_TTL.num_seconds(),
        if secure { "; Secure" } else { "" }
    );
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The passes that a browser shows.
pub(super) fn passes(headers: &HeaderMap) -> Vec<PassHash> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| name.starts_with(PREFIX))
        .take(MOST)
        .map(|(_, value)| PassToken::new(value).hash())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(connection: &str) -> Pass {
        Pass { connection: connection.into(), token: PassToken::new("t0ken") }
    }

    #[test]
    fn a_pass_is_for_the_link_s_own_path_and_no_script_or_other_site_can_use_it() {
        let plain = set(&pass("epic"), "/some/where/r/tok", false).unwrap();
        let name = name(&"epic".into());
        let attributes = "Path=/some/where/r/tok; Max-Age=600; HttpOnly; SameSite=Strict";
        assert_eq!(plain.to_str().unwrap(), format!("{name}=t0ken; {attributes}"));
        let secure = set(&pass("epic"), "/some/where/r/tok", true).unwrap();
        assert_eq!(secure.to_str().unwrap(), format!("{name}=t0ken; {attributes}; Secure"));
        assert!(secure.is_sensitive() && !format!("{secure:?}").contains("t0ken"));
    }

    #[test]
    fn connections_whatever_they_are_called_have_cookies_of_their_own() {
        let names = ["epic", "epic2", "a b;=\n\u{e9}", ""].map(|id| name(&id.into()));
        for (at, name) in names.iter().enumerate() {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            assert!(!names[..at].contains(name), "{name}");
        }
    }

    #[test]
    fn passes_are_found_among_other_cookies_in_any_number_of_lines() {
        let mut headers = HeaderMap::new();
        for line in ["a=b; reconnect_1=one ;c", "reconnect_2=two", "x=reconnect_3=no;reconnect_4"] {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"reconnect_5=\xff").unwrap());
        let expected = ["one", "two"].map(|token| PassToken::new(token).hash());
        assert_eq!(passes(&headers), expected);
    }
}
