//! Values that must never be seen. None of them has `Display`, and `Debug` shows only the type's name.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;

macro_rules! secret {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes charge of the text.
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::from(text.into()))
            }

            /// The text itself, for the one place that has to send it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+};
}

secret! {
    /// What a call to the gateway is authorised with.
    AccessToken,
    /// What an access token is got with.
    RefreshToken,
    /// Where a member signs in at the source. It can carry secrets, and exists in memory alone.
    OauthUrl,
    /// The one-time token in a notice: 256 bits, base64url without padding.
    LinkToken,
    /// The value of the cookie with which a browser presses its button again.
    ResumeToken,
    /// The hidden value of a page's form: 256 bits, base64url without padding.
    FormKey,
}

/// What is kept of a [`LinkToken`]: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// The SHA-256 of a [`FormKey`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormKeyHash(pub(crate) [u8; 32]);

impl LinkToken {
    /// The hash under which the link is kept and found.
    pub fn hash(&self) -> TokenHash {
        TokenHash(sha256(self.expose()))
    }
}

impl FormKey {
    pub fn hash(&self) -> FormKeyHash {
        FormKeyHash(sha256(self.expose()))
    }
}

fn sha256(text: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

impl fmt::Debug for FormKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormKeyHash(…)")
    }
}

/// A sealed value: the nonce and then the ciphertext with its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key that it was sealed under.
    pub key_id: String,
    /// What is stored.
    pub bytes: Vec<u8>,
}

/// A keyed hash of a secret, by which the same secret is recognized later without being stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The key of the ring that it was made under.
    pub key_id: String,
    /// HMAC-SHA-256.
    pub hash: Vec<u8>,
}

/// A refresh token as it is imported.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The token.
    pub sealed: Sealed,
    /// Its fingerprints under every key of the ring, the newest key last.
    pub fingerprints: Vec<Fingerprint>,
}

/// The credential that an access token was requested with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsedCredential {
    /// This refresh token.
    RefreshToken(Sealed),
    /// The member's subject, by token exchange or through the broker.
    Subject(String),
}
