//! Proves that a member has seen the page that asks whether to turn a connection on again, without state.
//!
//! The token is the signed time of the page.

use super::signed_time;
use crate::credentials::keyring::{Keyring, MacPurpose};
use crate::domain::{ConnectionId, MIN_PRESS_DELAY, Time, TokenHash};
use chrono::TimeDelta;
use std::sync::Arc;

const PURPOSE: MacPurpose = MacPurpose::Confirmation;
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
        signed_time::sign(&self.0, PURPOSE, link, connection.as_str(), now)
    }

    /// When the page that asked was shown, if the token is from there and its age is right.
    pub(super) fn verify(
        &self,
        token: &str,
        link: TokenHash,
        connection: &ConnectionId,
        now: Time,
    ) -> Option<Time> {
        let shown_at = signed_time::verify(&self.0, PURPOSE, link, connection.as_str(), token);
        shown_at.filter(|at| (MIN_PRESS_DELAY..=MAX_AGE).contains(&now.signed_duration_since(*at)))
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
        let is_valid = |after| tokens.verify(&token, link, &lab, now + after).is_some();
        assert!(is_valid(MIN_PRESS_DELAY) && is_valid(MAX_AGE));
        assert!(
            !is_valid(MIN_PRESS_DELAY - TimeDelta::milliseconds(1))
                && !is_valid(MAX_AGE + TimeDelta::milliseconds(1))
        );
        let later = now + MIN_PRESS_DELAY;
        assert_eq!(tokens.verify(&token, TokenHash([2; 32]), &lab, later), None);
        assert_eq!(tokens.verify(&token, link, &"epic".into(), later), None);
        let (at, signature) = token.split_once('.').unwrap();
        for forged in ["", ".", at, &format!("1{at}.{signature}"), &format!("{at}.{}", &signature[1..])] {
            assert_eq!(tokens.verify(forged, link, &lab, later), None, "{forged}");
        }
    }
}
