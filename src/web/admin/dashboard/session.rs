//! Sessions: a signed cookie that names the token of the login. Nothing is stored.
//!
//! A session ends after twelve hours, and when its token is removed from the configuration or replaced. One that began while
//! the clock was ahead ends when the clock is set back.

use crate::base::clock::is_recent;
use crate::credentials::keyring::{Keyring, MacPurpose};
use crate::domain::{Scope, Time};
use crate::web::admin::access::{Access, AccessTokens};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;

const TTL: TimeDelta = TimeDelta::hours(12);
const COOKIE: &str = "reconnectd_session";
/// Each purpose has its own key.
const SESSION: MacPurpose = MacPurpose::DashboardSession;
const FORM: MacPurpose = MacPurpose::DashboardForm;
const RESULT: MacPurpose = MacPurpose::DashboardResult;

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) access: Access,
    /// The value of the cookie.
    value: String,
}

impl Session {
    /// `None` when the key ring is empty.
    pub(super) fn begin(
        access: &Access,
        tokens: &AccessTokens,
        keyring: &Keyring,
        now: Time,
    ) -> Option<Self> {
        let expiry = (now + TTL).timestamp_millis();
        let fingerprint = tokens.fingerprint(access)?;
        let signature =
            keyring.sign(SESSION, &parts(access, &expiry.to_be_bytes(), fingerprint.as_bytes()))?;
        let name = URL_SAFE_NO_PAD.encode(access.name.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let value = format!("{name}.{}.{expiry}.{signature}", access.scope.as_str());
        Some(Self { access: access.clone(), value })
    }

    /// The session of a request. `None`: there is none, it has ended, or it is forged.
    pub(super) fn of(
        headers: &HeaderMap,
        tokens: &AccessTokens,
        keyring: &Keyring,
        now: Time,
    ) -> Option<Self> {
        let value = cookie(headers, COOKIE)?;
        let [name, scope, expiry, signature]: [&str; 4] =
            value.split('.').collect::<Vec<_>>().try_into().ok()?;
        let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
        let access = tokens.by_name(&name, scope.parse::<Scope>().ok()?)?;
        let expiry: i64 = expiry.parse().ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let fingerprint = tokens.fingerprint(access)?;
        let signed = parts(access, &expiry.to_be_bytes(), fingerprint.as_bytes()).map(<[u8]>::to_vec);
        let signed: Vec<&[u8]> = signed.iter().map(Vec::as_slice).collect();
        if !keyring.verify(SESSION, &signed, &signature) {
            return None;
        }
        let begun_at = Time::from_timestamp_millis(expiry)? - TTL;
        is_recent(begun_at, TTL, now).then(|| Self { access: access.clone(), value: value.to_owned() })
    }

    /// The `Set-Cookie` header.
    pub(super) fn cookie(&self) -> Option<HeaderValue> {
        set_cookie(COOKIE, &self.value, TTL)
    }

    /// The hidden value of the session's forms. Other sites cannot know it.
    pub(super) fn form_token(&self, keyring: &Keyring) -> String {
        keyring
            .sign(FORM, &[self.value.as_bytes()])
            .map(|mac| URL_SAFE_NO_PAD.encode(mac))
            .unwrap_or_default()
    }

    pub(super) fn is_form_token(&self, token: &str, keyring: &Keyring) -> bool {
        URL_SAFE_NO_PAD.decode(token).is_ok_and(|mac| keyring.verify(FORM, &[self.value.as_bytes()], &mac))
    }

    /// A sentence for the next page of this session.
    pub(super) fn sign_result(&self, text: &str, keyring: &Keyring) -> Option<HeaderValue> {
        let mac = keyring.sign(RESULT, &[self.value.as_bytes(), text.as_bytes()])?;
        let value = format!("{}.{}", URL_SAFE_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(mac));
        set_cookie(RESULT_COOKIE, &value, TimeDelta::minutes(1))
    }

    pub(super) fn result(&self, headers: &HeaderMap, keyring: &Keyring) -> Option<String> {
        let (text, mac) = cookie(headers, RESULT_COOKIE)?.split_once('.')?;
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        keyring.verify(RESULT, &[self.value.as_bytes(), text.as_bytes()], &mac).then_some(text)
    }
}

const RESULT_COOKIE: &str = "reconnectd_result";

/// Shown once.
pub(super) fn clear_result() -> HeaderValue {
    HeaderValue::from_static("reconnectd_result=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

pub(super) fn clear_session() -> HeaderValue {
    HeaderValue::from_static("reconnectd_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

fn parts<'a>(access: &'a Access, expiry: &'a [u8; 8], fingerprint: &'a [u8]) -> [&'a [u8]; 4] {
    [access.name.as_bytes(), access.scope.as_str().as_bytes(), expiry, fingerprint]
}

/// The listener speaks plain HTTP, so the cookie cannot be `Secure`.
pub(super) fn set_cookie(name: &str, value: &str, ttl: TimeDelta) -> Option<HeaderValue> {
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict", ttl.num_seconds());
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Config;
    use crate::domain::TokenDigest;

    fn tokens(text: &str, scope: &str) -> AccessTokens {
        let digest = TokenDigest::of(text.as_bytes());
        let listed = format!("[{{ name = 'ann', sha256 = '{digest}', scope = '{scope}' }}]");
        AccessTokens::new(
            &Config::load(None, [("RECONNECTD__ADMIN__TOKENS".to_owned(), listed)]).unwrap().config.admin,
        )
    }

    fn headers(value: &str) -> HeaderMap {
        let pair = value.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, format!("a=b; {pair}").parse().unwrap())])
    }

    #[test]
    fn a_session_lasts_twelve_hours_and_as_long_as_its_token() {
        let (keyring, now) = (Keyring::ephemeral(), Time::UNIX_EPOCH);
        let read = tokens("sesame", "read");
        let access = read.find(b"sesame").unwrap();
        let session = Session::begin(access, &read, &keyring, now).unwrap();
        let cookie = session.cookie().unwrap();
        let text = cookie.to_str().unwrap();
        assert!(text.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{text}");
        assert!(cookie.is_sensitive());
        let at = |after: TimeDelta, tokens: &AccessTokens| {
            Session::of(&headers(text), tokens, &keyring, now + after).map(|session| session.access)
        };
        assert_eq!(at(TTL - TimeDelta::milliseconds(1), &read).as_ref(), Some(access));
        assert_eq!(at(TTL, &read), None, "it has ended");
        assert_eq!(at(-TTL, &read), None, "the clock was ahead");
        assert_eq!(at(TimeDelta::zero(), &tokens("sesame", "write")), None, "another scope");
        assert_eq!(at(TimeDelta::zero(), &tokens("simsim", "read")), None, "another token of the same name");
        let foreign = Keyring::ephemeral();
        assert!(Session::of(&headers(text), &read, &foreign, now).is_none());
        for forged in [text.replace(".read.", ".write."), text.replace("43200000", "99999999"), "x=y".into()]
        {
            assert!(Session::of(&headers(&forged), &read, &keyring, now).is_none(), "{forged}");
        }
    }

    #[test]
    fn a_form_and_a_result_belong_to_their_session() {
        let (keyring, tokens) = (Keyring::ephemeral(), tokens("sesame", "write"));
        let access = tokens.find(b"sesame").unwrap();
        let begin = |at| Session::begin(access, &tokens, &keyring, at).unwrap();
        let (one, other) = (begin(Time::UNIX_EPOCH), begin(Time::UNIX_EPOCH + TimeDelta::seconds(1)));
        let token = one.form_token(&keyring);
        assert!(one.is_form_token(&token, &keyring));
        assert!(!other.is_form_token(&token, &keyring) && !one.is_form_token("", &keyring));
        let cookie = one.sign_result("Retried 3.", &keyring).unwrap();
        let headers = headers(cookie.to_str().unwrap());
        assert_eq!(one.result(&headers, &keyring).as_deref(), Some("Retried 3."));
        assert_eq!(other.result(&headers, &keyring), None);
    }
}
