//! Tokens of the simulated gateway: JWTs under a key that lives as long as the process.

use crate::{base::random, domain::Time};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// Issues access tokens and verifies its own.
pub(super) struct Issuer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
}

/// The claims of an ID token that a token exchange needs.
#[derive(Deserialize)]
pub(super) struct Subject {
    pub(super) sub: String,
    /// Seconds since the Unix epoch.
    pub(super) exp: Option<f64>,
}

impl Issuer {
    pub(super) fn new() -> Self {
        let key = random::bytes::<32>();
        let mut validation = Validation::new(Algorithm::HS256);
        // The expiry is checked below, by the world's clock.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            encoding: EncodingKey::from_secret(&key),
            decoding: DecodingKey::from_secret(&key),
            validation,
        }
    }

    /// A JWT for the member, valid until `exp`.
    pub(super) fn issue(&self, member: &str, now: Time, exp: Time) -> String {
        let claims = Claims { sub: member.to_owned(), iat: now.timestamp(), exp: exp.timestamp() };
        jsonwebtoken::encode(&Header::default(), &claims, &self.encoding).expect("an HMAC over text succeeds")
    }

    /// The member of a token that this simulator issued and that is still valid.
    pub(super) fn verify(&self, token: &str, now: Time) -> Option<String> {
        let token = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        (now.timestamp() < token.claims.exp).then_some(token.claims.sub)
    }
}

/// Reads an ID token without verifying its signature: the simulator trusts every identity provider.
pub(super) fn read_unverified(token: &str) -> Option<Subject> {
    jsonwebtoken::dangerous::insecure_decode::<Subject>(token).ok().map(|token| token.claims)
}
