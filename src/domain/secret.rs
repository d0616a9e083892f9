//! Secrets. None of them implements `Display`, and `Debug` prints only the type's name.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use url::Url;

macro_rules! secret {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(SecretString::from(text.into()))
            }

            /// For the one place that sends the secret.
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
    /// Authorizes a call to the gateway.
    AccessToken,
    /// Yields an access token.
    RefreshToken,
    /// The sign-in page of the source. It can contain secrets, and exists only in memory.
    OauthUrl,
    /// The one-time token in a notice: 256 bits, base64url without padding.
    LinkToken,
    /// The value of the cookie with which a browser resumes a redemption.
    ResumeToken,
    /// The hidden value of a page's form. Other sites cannot know it.
    FormKey,
}

/// The SHA-256 of a [`LinkToken`]. Only this is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// The SHA-256 of a [`FormKey`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormKeyHash(pub [u8; 32]);

impl OauthUrl {
    /// `None` when it is no URL, or has no host.
    pub(crate) fn host(&self) -> Option<String> {
        Url::parse(self.expose()).ok()?.host_str().map(str::to_owned)
    }
}

impl LinkToken {
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

/// An encrypted value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub key_id: String,
    /// The nonce, then the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

/// A keyed hash that recognizes a secret without storing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    pub key_id: String,
    /// HMAC-SHA-256.
    pub hash: Vec<u8>,
}

/// An imported refresh token.
#[derive(Clone, Debug)]
pub struct NewCredential {
    pub sealed: Sealed,
    /// One fingerprint per key of the key ring, the newest key last.
    pub fingerprints: Vec<Fingerprint>,
}

/// The credential that an access token was requested with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsedCredential {
    RefreshToken(Sealed),
    /// The member's subject, by token exchange or through the broker.
    Subject(String),
}
