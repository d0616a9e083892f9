//! HMAC keys that are derived from a key of the ring, which itself only encrypts. They outlive it.

use crate::domain::{Fingerprint, MemberId};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// What is authenticated, or recognized. Each purpose has its own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacPurpose {
    /// Imported refresh tokens and the subjects of access tokens.
    Fingerprint,
    /// The pseudonyms of erased members.
    ErasedMember,
    ResumeCookie,
    FormKey,
    Confirmation,
    DashboardSession,
    DashboardForm,
    DashboardResult,
}

impl MacPurpose {
    const ALL: [Self; 8] = [
        Self::Fingerprint,
        Self::ErasedMember,
        Self::ResumeCookie,
        Self::FormKey,
        Self::Confirmation,
        Self::DashboardSession,
        Self::DashboardForm,
        Self::DashboardResult,
    ];

    /// What its key is derived from, together with the ring's key. It never changes.
    fn label(self) -> &'static str {
        match self {
            Self::Fingerprint => "reconnectd fingerprint",
            Self::ErasedMember => "reconnectd mac erased member",
            Self::ResumeCookie => "reconnectd mac resume",
            Self::FormKey => "reconnectd mac form",
            Self::Confirmation => "reconnectd mac confirmation",
            Self::DashboardSession => "reconnectd mac dashboard session",
            Self::DashboardForm => "reconnectd mac dashboard form",
            Self::DashboardResult => "reconnectd mac dashboard result",
        }
    }

    /// Whether stored values depend on its key, not only what browsers hold for some hours.
    fn is_lasting(self) -> bool {
        matches!(self, Self::Fingerprint | Self::ErasedMember)
    }
}

struct Derived {
    purpose: MacPurpose,
    secret: Zeroizing<Vec<u8>>,
    key: hmac::Key,
}

impl Derived {
    fn new(purpose: MacPurpose, secret: Zeroizing<Vec<u8>>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        Self { purpose, secret, key }
    }
}

pub(super) struct MacKeys {
    /// Of the key that they were derived from.
    pub(super) id: String,
    keys: Vec<Derived>,
}

impl MacKeys {
    pub(super) fn derive(id: &str, secret: &[u8]) -> Self {
        let ring = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |purpose: MacPurpose| {
            let derived = hmac::sign(&ring, purpose.label().as_bytes());
            Derived::new(purpose, Zeroizing::new(derived.as_ref().to_vec()))
        };
        Self { id: id.to_owned(), keys: MacPurpose::ALL.map(derive).into() }
    }

    /// A line `LABEL: BASE64` for each key, to be sealed.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let line = |derived: &Derived| {
            format!("{}: {}\n", derived.purpose.label(), STANDARD.encode(derived.secret.as_slice()))
        };
        Zeroizing::new(self.keys.iter().map(line).collect())
    }

    /// The keys in a text of [`MacKeys::to_text`], or only those that stored values depend on.
    pub(super) fn from_text(id: &str, text: &str, only_lasting: bool) -> Self {
        let key = |line: &str| {
            let (label, secret) = line.split_once(": ")?;
            let purpose = MacPurpose::ALL.into_iter().find(|purpose| purpose.label() == label)?;
            let secret = Zeroizing::new(STANDARD.decode(secret).ok()?);
            (purpose.is_lasting() || !only_lasting).then(|| Derived::new(purpose, secret))
        };
        Self { id: id.to_owned(), keys: text.lines().filter_map(key).collect() }
    }

    fn key(&self, purpose: MacPurpose) -> Option<&hmac::Key> {
        self.keys.iter().find(|derived| derived.purpose == purpose).map(|derived| &derived.key)
    }

    pub(super) fn sign(&self, purpose: MacPurpose, message: &[u8]) -> Option<Vec<u8>> {
        Some(hmac::sign(self.key(purpose)?, message).as_ref().to_vec())
    }

    /// In constant time.
    pub(super) fn verify(&self, purpose: MacPurpose, message: &[u8], signature: &[u8]) -> bool {
        self.key(purpose).is_some_and(|key| hmac::verify(key, message, signature).is_ok())
    }

    /// Bound to the member and to what is recognized, so that two rows do not reveal that they contain the same secret.
    pub(super) fn fingerprint(&self, what: &str, member: &MemberId, text: &str) -> Option<Fingerprint> {
        let message = length_prefixed(&[what.as_bytes(), member.as_str().as_bytes(), text.as_bytes()]);
        let hash = self.sign(MacPurpose::Fingerprint, &message)?;
        Some(Fingerprint { key_id: self.id.clone(), hash })
    }
}

/// An unambiguous encoding: two different lists of parts never have the same bytes.
pub(super) fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_keys_survive_their_text_and_those_for_browsers_can_be_left_out() {
        let keys = MacKeys::derive("k1", &[7; 32]);
        for only_lasting in [false, true] {
            let again = MacKeys::from_text("k1", &keys.to_text(), only_lasting);
            for purpose in MacPurpose::ALL {
                let is_kept = purpose.is_lasting() || !only_lasting;
                let signature = keys.sign(purpose, b"text").unwrap();
                assert_eq!(again.verify(purpose, b"text", &signature), is_kept, "{purpose:?}");
            }
        }
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let keys = MacKeys::derive("k1", &[7; 32]);
        let mut signatures: Vec<_> =
            MacPurpose::ALL.iter().map(|purpose| keys.sign(*purpose, b"text").unwrap()).collect();
        signatures.sort();
        signatures.dedup();
        assert_eq!(signatures.len(), MacPurpose::ALL.len());
    }
}
