//! Proves that a member has seen the page that asks whether to turn a connection on again, without state.
//!
//! The token is an HMAC over the link, the connection, and the time of the page, under the key ring.

use crate::credentials::keyring::Keyring;
use crate::domain::{ConnectionId, Time, TokenHash};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use std::sync::Arc;

const PURPOSE: &str = "confirmation";
/// A person needs at least this long to read the page. A scanner that submits every form does not wait.
const MIN_AGE: TimeDelta = TimeDelta::seconds(1);
const MAX_AGE: TimeDelta = TimeDelta::hours(1);

/// Issues and verifies confirmation tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ConfirmationTokens(Arc<Keyring>);

impl ConfirmationTokens {
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }

    /// `None` when the key ring is empty.
    pub(super) fn issue(&self, link: TokenHash, connection: &ConnectionId, now: Time) -> Option<String> {
        let at = now.timestamp_millis();
        let signature = self.0.sign(PURPOSE, &signed_parts(&link, connection, &at.to_be_bytes()))?;
        Some(format!("{at}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    pub(super) fn is_valid(
        &self,
        token: &str,
        link: TokenHash,
        connection: &ConnectionId,
        now: Time,
    ) -> bool {
        let Some((at, signature)) = token.split_once('.') else { return false };
        let Ok(at) = at.parse::<i64>() else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        let Some(shown_at) = Time::from_timestamp_millis(at) else { return false };
        let age = now.signed_duration_since(shown_at);
        (MIN_AGE..=MAX_AGE).contains(&age)
            && self.0.verify(PURPOSE, &signed_parts(&link, connection, &at.to_be_bytes()), &signature)
    }
}

fn signed_parts<'a>(link: &'a TokenHash, connection: &'a ConnectionId, at: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [&link.0, connection.as_str().as_bytes(), at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_is_valid_for_its_link_and_connection_from_a_second_to_an_hour_later() {
        let tokens = ConfirmationTokens::new(Arc::new(Keyring::ephemeral()));
        let (link, lab, now) = (TokenHash([1; 32]), ConnectionId::from("labcorp"), Time::UNIX_EPOCH);
        let token = tokens.issue(link, &lab, now).unwrap();
        let is_valid = |after| tokens.is_valid(&token, link, &lab, now + after);
        assert!(is_valid(MIN_AGE) && is_valid(MAX_AGE));
        assert!(
            !is_valid(MIN_AGE - TimeDelta::milliseconds(1))
                && !is_valid(MAX_AGE + TimeDelta::milliseconds(1))
        );
        let later = now + MIN_AGE;
        assert!(!tokens.is_valid(&token, TokenHash([2; 32]), &lab, later));
        assert!(!tokens.is_valid(&token, link, &"epic".into(), later));
        let (at, signature) = token.split_once('.').unwrap();
        for forged in ["", ".", at, &format!("1{at}.{signature}"), &format!("{at}.{}", &signature[1..])] {
            assert!(!tokens.is_valid(forged, link, &lab, later), "{forged}");
        }
    }
}
