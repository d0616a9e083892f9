//! Lets the browser that redeemed a link press its button again for ten minutes, without state.
//!
//! The token is its signed expiry.

use super::signed_time;
use super::state::Resume;
use crate::credentials::keyring::{Keyring, MacPurpose};
use crate::domain::{Button, ConnectionId, FormKeyHash, ResumeToken, Time, TokenHash};
use chrono::TimeDelta;
use std::sync::Arc;

/// How long the browser that redeemed can press the button again.
pub(crate) const RESUME_TTL: TimeDelta = TimeDelta::minutes(10);
const PURPOSE: MacPurpose = MacPurpose::ResumeCookie;

/// The proofs that a request carries about its browser.
#[derive(Clone, Debug, Default)]
pub(crate) struct BrowserProof {
    /// From cookies.
    pub(crate) resume_tokens: Vec<ResumeToken>,
    /// From the page's form. A second press of the same form drops the first response, cookie included, so the key
    /// stands in for the cookie.
    pub(crate) form_key: Option<FormKeyHash>,
}

/// Issues and verifies resume tokens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResumeTokens(Arc<Keyring>);

impl ResumeTokens {
    pub(crate) fn new(keyring: Arc<Keyring>) -> Self {
        Self(keyring)
    }

    /// `None` when the key ring is empty.
    pub(super) fn issue(&self, link: TokenHash, connection: &ConnectionId, now: Time) -> Option<ResumeToken> {
        signed_time::sign(&self.0, PURPOSE, link, connection.as_str(), now + RESUME_TTL).map(ResumeToken::new)
    }

    fn is_valid(&self, token: &ResumeToken, link: TokenHash, connection: &ConnectionId, now: Time) -> bool {
        let expiry = signed_time::verify(&self.0, PURPOSE, link, connection.as_str(), token.expose());
        expiry.is_some_and(|expiry| expiry > now)
    }

    pub(super) fn resume(&self, link: TokenHash, button: &Button, proof: &BrowserProof, now: Time) -> Resume {
        let is_recent = button.redeemed_at.is_some_and(|at| at + RESUME_TTL > now);
        let is_same_form = is_recent && proof.form_key.is_some() && proof.form_key == button.last_form_key;
        let is_valid = |token| self.is_valid(token, link, &button.connection.id, now);
        if is_same_form || proof.resume_tokens.iter().any(is_valid) {
            Resume::Here
        } else if is_recent {
            Resume::Elsewhere
        } else {
            Resume::No
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Connection, LapseState, Outlook, Source};

    const LINK: TokenHash = TokenHash([1; 32]);

    fn ring(lines: &[&str]) -> ResumeTokens {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, lines.join("\n")).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        ResumeTokens::new(Arc::new(Keyring::open(&path).unwrap()))
    }

    const OLD: &str = "old AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "new HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn a_token_is_valid_for_its_link_and_connection_for_ten_minutes() {
        let (tokens, now) = (ring(&[OLD]), Time::UNIX_EPOCH);
        let epic: ConnectionId = "epic".into();
        let token = tokens.issue(LINK, &epic, now).unwrap();
        let almost = now + RESUME_TTL - TimeDelta::milliseconds(1);
        assert!(tokens.is_valid(&token, LINK, &epic, now) && tokens.is_valid(&token, LINK, &epic, almost));
        assert!(!tokens.is_valid(&token, LINK, &epic, now + RESUME_TTL));
        assert!(!tokens.is_valid(&token, TokenHash([2; 32]), &epic, now));
        assert!(!tokens.is_valid(&token, LINK, &"cerner".into(), now));
        let (expiry, signature) = token.expose().split_once('.').unwrap();
        let extended = expiry.parse::<i64>().unwrap() + 1;
        for tampered in [
            String::new(),
            ".".to_owned(),
            expiry.to_owned(),
            format!("{extended}.{signature}"),
            format!("{expiry}.A{}", &signature[1..]),
            format!("{expiry}.{}", &signature[1..]),
            format!("{expiry}.{signature}A"),
        ] {
            assert!(!tokens.is_valid(&ResumeToken::new(tampered), LINK, &epic, now));
        }
    }

    fn redeemed(at: Time, form_key: Option<FormKeyHash>) -> Button {
        let connection = Connection {
            id: "epic".into(),
            source: Source::default(),
            status: None,
            sync_status: None,
            sync_errors: Vec::new(),
            last_synced: None,
        };
        Button {
            connection,
            gateway_id: "epic".into(),
            is_missing: false,
            state: LapseState::Open,
            outcome: None,
            redemptions: 1,
            redeemed_at: Some(at),
            last_form_key: form_key,
            superseded: false,
            dismissed_by_member: false,
            outlook: Outlook::default(),
        }
    }

    #[test]
    fn the_same_form_resumes_for_ten_minutes_and_what_has_no_form_never_does() {
        let (tokens, now) = (ring(&[OLD]), Time::UNIX_EPOCH);
        let [form, other] = [1, 2].map(|byte| Some(FormKeyHash([byte; 32])));
        let soon = RESUME_TTL - TimeDelta::milliseconds(1);
        for (sentence, redeemed_with, form_key, after, expected) in [
            ("the same form", form, form, soon, Resume::Here),
            ("another form", form, other, soon, Resume::Elsewhere),
            ("no form after one", form, None, soon, Resume::Elsewhere),
            ("no form after none", None, None, soon, Resume::Elsewhere),
            ("the same form, too late", form, form, RESUME_TTL, Resume::No),
        ] {
            let proof = BrowserProof { resume_tokens: Vec::new(), form_key };
            let button = redeemed(now, redeemed_with);
            assert_eq!(tokens.resume(LINK, &button, &proof, now + after), expected, "{sentence}");
        }
    }

    #[test]
    fn a_token_outlives_a_restart_and_a_new_key_but_not_the_removal_of_its_key() {
        let (now, epic) = (Time::UNIX_EPOCH, ConnectionId::from("epic"));
        let token = ring(&[OLD]).issue(LINK, &epic, now).unwrap();
        for (lines, is_valid) in [(&[OLD][..], true), (&[OLD, NEW], true), (&[NEW], false)] {
            assert_eq!(ring(lines).is_valid(&token, LINK, &epic, now), is_valid, "{lines:?}");
        }
    }
}
