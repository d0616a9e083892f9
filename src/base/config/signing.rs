//! The checked values that the ID tokens of the token exchange are signed with.

use super::values;
use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

/// The lifetime of an ID token, from one second to one hour. The gateway uses the token at once, so that a longer
/// lifetime would only help someone who stole it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdTokenLifetime(Duration);

impl IdTokenLifetime {
    const MIN: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(60 * 60);

    pub(crate) fn get(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for IdTokenLifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lifetime = values::duration(deserializer)?;
        if (Self::MIN..=Self::MAX).contains(&lifetime) {
            Ok(Self(lifetime))
        } else {
            Err(D::Error::custom("is out of range; write a duration from \"1s\" to \"1h\""))
        }
    }
}

/// The algorithm that signs ID tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SigningAlgorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl SigningAlgorithm {
    pub(super) const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a JWT header (RFC 7518 and RFC 8037).
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl<'de> Deserialize<'de> for SigningAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        known.ok_or_else(|| D::Error::custom("is not known; write \"RS256\", \"ES256\" or \"EdDSA\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_one_second_to_one_hour() {
        let parse = |text: &str| toml::Value::from(text).try_into::<IdTokenLifetime>();
        for valid in ["1s", "5m", "60m"] {
            assert!(parse(valid).is_ok(), "{valid}");
        }
        for invalid in ["0s", "999ms", "61m", "24h", "5"] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }
}
