//! The ID tokens for the token exchange, and the public half of the key that signs them.

use super::error::SetupError;
use crate::{
    base::config::{self, IdTokenLifetime, SigningAlgorithm},
    base::random,
    domain::Time,
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

pub(super) struct Signer {
    key: EncodingKey,
    header: Header,
    issuer: String,
    audience: String,
    lifetime: IdTokenLifetime,
}

/// A token is backdated by this many seconds, so that a verifier whose clock is slightly behind accepts it.
const BACKDATE_SECONDS: i64 = 30;

/// The claims of an ID token (OpenID Connect Core, section 2).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

impl Signer {
    pub(super) fn new(auth: &config::Auth) -> Result<Self, SetupError> {
        for (key, value) in [("gateway.auth.issuer", &auth.issuer), ("gateway.auth.audience", &auth.audience)]
        {
            if value.is_empty() {
                return Err(SetupError::new(key, "is required for token_exchange"));
            }
        }
        let (algorithm, key, jwk) = load_key(auth)?;
        let mut header = Header::new(algorithm);
        header.kid = jwk.common.key_id;
        let (issuer, audience) = (auth.issuer.clone(), auth.audience.clone());
        Ok(Self { key, header, issuer, audience, lifetime: auth.lifetime })
    }

    /// Creates a unique ID token for the subject. `None` when the key cannot sign.
    pub(super) fn id_token(&self, subject: &str, now: Time) -> Option<String> {
        let seconds = now.timestamp();
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: subject,
            iat: seconds - BACKDATE_SECONDS,
            exp: (now + self.lifetime.get()).timestamp(),
            jti: random::id(now),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).ok()
    }
}

/// The public half of the signing key as a JSON Web Key Set (RFC 7517), for the operator to publish.
///
/// # Errors
/// When the key cannot be used with the configured algorithm.
pub(crate) fn jwks(auth: &config::Auth) -> Result<Value, SetupError> {
    let (_, _, jwk) = load_key(auth)?;
    serde_json::to_value(JwkSet { keys: vec![jwk] }).map_err(|_| unusable_key(auth))
}

/// Loads the key and its public half, and checks that it can sign.
fn load_key(auth: &config::Auth) -> Result<(Algorithm, EncodingKey, Jwk), SetupError> {
    let pem = auth.signing_key.expose_secret().as_bytes();
    let (algorithm, key) = match auth.algorithm {
        SigningAlgorithm::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
        SigningAlgorithm::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
        SigningAlgorithm::EdDsa => (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)),
    };
    let key = key.map_err(|_| unusable_key(auth))?;
    jsonwebtoken::crypto::sign(b"", &key, algorithm).map_err(|_| unusable_key(auth))?;
    let mut jwk = Jwk::from_encoding_key(&key, algorithm).map_err(|_| unusable_key(auth))?;
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = Some(auth.key_id.clone()).filter(|id| !id.is_empty());
    Ok((algorithm, key, jwk))
}

fn unusable_key(auth: &config::Auth) -> SetupError {
    let problem = format!(
        "is not a private key for {} as `openssl genpkey` writes it (PEM, PKCS #8; RSA of 2048 bits or more)",
        auth.algorithm.as_str()
    );
    SetupError::new("gateway.auth.signing_key", problem)
}
