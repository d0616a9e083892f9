//! Proves that a form is from a page that this server served for the link, without state.
//!
//! The key is a random value and the signed time of the page. It is valid as long as the link.

use super::signed_time;
use crate::base::random;
use crate::credentials::keyring::{Keyring, MacPurpose};
use crate::domain::{FormKey, MIN_PRESS_DELAY, Time, TokenHash};
use std::sync::Arc;

const PURPOSE: MacPurpose = MacPurpose::FormKey;

/// Issues and verifies form keys. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FormKeys(Arc<Keyring>);

/// What a form's key proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormProof {
    /// The form is from the link's page.
    Valid,
    /// It is, but the page was shown so shortly before that nobody can have read it.
    TooEarly,
    Invalid,
}

impl FormKeys {
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }

    /// `None` when the key ring is empty.
    pub(crate) fn issue(&self, link: TokenHash, now: Time) -> Option<FormKey> {
        let nonce = random::nonce();
        let time = signed_time::sign(&self.0, PURPOSE, link, &nonce, now)?;
        Some(FormKey::new(format!("{nonce}.{time}")))
    }

    pub(crate) fn verify(&self, key: &FormKey, link: TokenHash, now: Time) -> FormProof {
        let shown_at = key
            .expose()
            .split_once('.')
            .and_then(|(nonce, time)| signed_time::verify(&self.0, PURPOSE, link, nonce, time));
        match shown_at {
            None => FormProof::Invalid,
            Some(at) if now.signed_duration_since(at) < MIN_PRESS_DELAY => FormProof::TooEarly,
            Some(_) => FormProof::Valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const LINK: TokenHash = TokenHash([1; 32]);

    #[test]
    fn a_form_key_is_valid_for_its_link_from_a_second_after_the_page_on() {
        let (keys, now) = (FormKeys::new(Arc::new(Keyring::ephemeral())), Time::UNIX_EPOCH);
        let key = keys.issue(LINK, now).unwrap();
        let proof = |after| keys.verify(&key, LINK, now + after);
        assert_eq!(proof(MIN_PRESS_DELAY - TimeDelta::milliseconds(1)), FormProof::TooEarly);
        assert_eq!(proof(MIN_PRESS_DELAY), FormProof::Valid);
        assert_eq!(proof(TimeDelta::days(365)), FormProof::Valid);
        assert_eq!(proof(TimeDelta::days(-1)), FormProof::TooEarly);
        assert_ne!(key.hash(), keys.issue(LINK, now).unwrap().hash(), "each page has its own key");
    }

    #[test]
    fn other_keys_are_invalid() {
        let (keys, now) = (FormKeys::new(Arc::new(Keyring::ephemeral())), Time::UNIX_EPOCH);
        let later = now + TimeDelta::hours(1);
        let key = keys.issue(LINK, now).unwrap();
        assert_eq!(keys.verify(&key, TokenHash([2; 32]), later), FormProof::Invalid);
        let foreign = FormKeys::new(Arc::new(Keyring::ephemeral())).issue(LINK, now).unwrap();
        assert_eq!(keys.verify(&foreign, LINK, later), FormProof::Invalid);
        let (nonce, time) = key.expose().split_once('.').unwrap();
        let (millis, signature) = time.split_once('.').unwrap();
        for forged in [
            String::new(),
            "..".to_owned(),
            nonce.to_owned(),
            format!("x{nonce}.{time}"),
            format!("{nonce}.-1{millis}.{signature}"),
            format!("{nonce}.{millis}.{}", &signature[1..]),
            format!("{nonce}.{millis}."),
        ] {
            assert_eq!(
                keys.verify(&FormKey::new(forged.clone()), LINK, later),
                FormProof::Invalid,
                "{forged}"
            );
        }
    }
}
