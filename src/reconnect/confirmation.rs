//! Proves that a member has seen the page that asks whether to turn a connection on again, without state.
//!
//! The token is the signed time of the page.

use super::signed_time;
use crate::credentials::keyring::Keyring;
use crate::domain::{ConnectionId, Time, TokenHash};
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
        signed_time::sign(&self.0, PURPOSE, link, connection, now)
    }

    pub(super) fn is_valid(
        &self,
        token: &str,
        link: TokenHash,
        connection: &ConnectionId,
        now: Time,
    ) -> bool {
        let shown_at = signed_time::verify(&self.0, PURPOSE, link, connection, token);
        shown_at.is_some_and(|at| (MIN_AGE..=MAX_AGE).contains(&now.signed_duration_since(at)))
    }
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
