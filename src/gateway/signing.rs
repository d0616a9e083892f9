//! The operator's key that signs the members' ID tokens for the token exchange, and its public half.

use super::error::SetupError;
use crate::{base::config, base::random, domain::Time};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;

/// Signs ID tokens.
pub(super) struct Signer {
    key: EncodingKey,
    header: Header,
    issuer: String,
    audience: String,
    /// Seconds.
    lifetime: i64,
}

/// Seconds by which a token is backdated, so that a verifier whose clock is a little behind takes it.
const BACKDATED: i64 = 30;

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
                return Err(SetupError::new(key, "is needed for token_exchange"));
            }
        }
        let (algorithm, key, jwk) = key(auth)?;
        let mut header = Header::new(algorithm);
        header.kid = jwk.common.key_id;
        let lifetime = i64::try_from(auth.lifetime.as_secs())
            .ok()
            .filter(|seconds| (1..=24 * 60 * 60).contains(seconds))
            .ok_or_else(|| SetupError::new("gateway.auth.lifetime", "must be from 1 s to 24 h"))?;
        Ok(Self { key, header, issuer: auth.issuer.clone(), audience: auth.audience.clone(), lifetime })
    }

    /// An ID token for the subject; no two are the same. `None` when the key cannot sign.
    pub(super) fn id_token(&self, subject: &str, now: Time) -> Option<String> {
        let seconds = now.timestamp();
        let claims = Claims {
            iss: &self.issuer,
            aud: &self.audience,
            sub: subject,
            iat: seconds - BACKDATED,
            exp: seconds + self.lifetime,
            jti: random::id(now),
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).ok()
    }
}

/// The public half of the signing key as a JSON Web Key Set (RFC 7517), for the operator's identity provider
/// to publish.
///
/// # Errors
/// A key or an algorithm that cannot be used.
pub(crate) fn jwks(auth: &config::Auth) -> Result<Value, SetupError> {
    let (_, _, jwk) = key(auth)?;
    serde_json::to_value(JwkSet { keys: vec![jwk] }).map_err(|_| unusable(auth))
}

/// The key and its public half, once it has proved that it can sign.
fn key(auth: &config::Auth) -> Result<(Algorithm, EncodingKey, Jwk), SetupError> {
    let pem = auth.signing_key.expose_secret().as_bytes();
    let (algorithm, key) = match auth.algorithm.as_str() {
        "RS256" => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
        "ES256" => (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
        "EdDSA" => (Algorithm::EdDSA, EncodingKey::from_ed_pem(pem)),
        _ => return Err(SetupError::new("gateway.auth.algorithm", "must be RS256, ES256 or EdDSA")),
    };
    let key = key.map_err(|_| unusable(auth))?;
    jsonwebtoken::crypto::sign(b"", &key, algorithm).map_err(|_| unusable(auth))?;
    let mut jwk = Jwk::from_encoding_key(&key, algorithm).map_err(|_| unusable(auth))?;
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = Some(auth.key_id.clone()).filter(|id| !id.is_empty());
    Ok((algorithm, key, jwk))
}

fn unusable(auth: &config::Auth) -> SetupError {
    let problem = format!(
        "is not a private key for {} as `openssl genpkey` writes it (PEM, PKCS #8; RSA of 2048 bits or more)",
        auth.algorithm
    );
    SetupError::new("gateway.auth.signing_key", problem)
}
