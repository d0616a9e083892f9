//! The cookie with which the browser that redeemed a link can press its button again.
//!
//! It is `SameSite=Strict`, so that no other site's form can use it. A browser therefore sends it only with the page's own
//! forms, and not with a navigation that began in an email or at the source.

use crate::domain::{ConnectionId, ResumeToken};
use crate::reconnect::redeem::ResumeGrant;
use crate::reconnect::resume::RESUME_TTL;
use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, HeaderValue, header};

const PREFIX: &str = "reconnect_";
/// Browsers accept a cookie of this name over https only.
const SECURE_PREFIX: &str = "__Secure-";
/// More than a page has buttons.
const MAX_COOKIES: usize = 32;

/// A name for each connection, so that their cookies do not overwrite one another. Ids can contain any characters.
fn name(connection: &ConnectionId) -> String {
    let digest = digest(&SHA256, connection.as_str().as_bytes());
    let start = digest.as_ref().iter().take(6).map(|byte| format!("{byte:02x}"));
    format!("{PREFIX}{}", start.collect::<String>())
}

/// The `Set-Cookie` header, for the link's own path.
pub(super) fn set(grant: &ResumeGrant, path: &str, secure: bool) -> Option<HeaderValue> {
    let text = format!(
        "{}{}={}; Path={path}; Max-Age={}; HttpOnly; SameSite=Strict{}",
        if secure { SECURE_PREFIX } else { "" },
        name(&grant.connection),
        grant.token.expose(),
        RESUME_TTL.num_seconds(),
        if secure { "; Secure" } else { "" }
    );
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn tokens(headers: &HeaderMap) -> Vec<ResumeToken> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| name.strip_prefix(SECURE_PREFIX).unwrap_or(name).starts_with(PREFIX))
        .take(MAX_COOKIES)
        .map(|(_, value)| ResumeToken::new(value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(connection: &str) -> ResumeGrant {
        ResumeGrant { connection: connection.into(), token: ResumeToken::new("t0ken") }
    }

    #[test]
    fn the_cookie_is_for_the_link_s_own_path_and_no_script_or_other_site_can_use_it() {
        let plain = set(&grant("epic"), "/some/where/r/tok", false).unwrap();
        let name = name(&"epic".into());
        let attributes = "Path=/some/where/r/tok; Max-Age=600; HttpOnly; SameSite=Strict";
        assert_eq!(plain.to_str().unwrap(), format!("{name}=t0ken; {attributes}"));
        let secure = set(&grant("epic"), "/some/where/r/tok", true).unwrap();
        assert_eq!(secure.to_str().unwrap(), format!("__Secure-{name}=t0ken; {attributes}; Secure"));
        assert!(secure.is_sensitive() && !format!("{secure:?}").contains("t0ken"));
    }

    #[test]
    fn each_connection_has_a_cookie_name_of_its_own() {
        let names = ["epic", "epic2", "a b;=\n\u{e9}", ""].map(|id| name(&id.into()));
        for (at, name) in names.iter().enumerate() {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            assert!(!names[..at].contains(name), "{name}");
        }
    }

    #[test]
    fn tokens_are_found_among_other_cookies_in_any_number_of_lines() {
        let mut headers = HeaderMap::new();
        for line in ["a=b; reconnect_1=one ;c", "__Secure-reconnect_2=two", "x=reconnect_3=no;reconnect_4"] {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"reconnect_5=\xff").unwrap());
        let found = tokens(&headers);
        assert_eq!(found.iter().map(ResumeToken::expose).collect::<Vec<_>>(), ["one", "two"]);
    }
}
