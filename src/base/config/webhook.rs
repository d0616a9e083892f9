//! `[webhook]`: events for the operator's own systems.

use super::diagnostic::Findings;
use super::values;
use crate::domain::{EventType, EventTypes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Deserializer, de::Error};
use std::fmt;
use url::Url;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where events are posted. `None`: none are recorded.
    #[serde(deserialize_with = "values::optional_secure_url")]
    pub(crate) url: Option<Url>,
    #[serde(deserialize_with = "secret")]
    pub(crate) secret: Option<WebhookSecret>,
    /// Signs, too, while receivers learn the new secret.
    #[serde(deserialize_with = "secret")]
    pub(crate) previous_secret: Option<WebhookSecret>,
    /// Those to send; empty: all.
    #[serde(deserialize_with = "events")]
    events: EventTypes,
}

impl Webhook {
    /// The types to record: none without a receiver.
    pub(crate) fn events(&self) -> EventTypes {
        match &self.url {
            None => EventTypes::default(),
            Some(_) if self.events.is_empty() => EventTypes::ALL,
            Some(_) => self.events,
        }
    }

    /// The receiver gets notices.
    pub(super) fn validate_as_channel(&self, findings: &mut Findings) {
        let key = "notices.channel";
        if self.url.is_none() {
            let remedy = "needs webhook.url; write your receiver's URL there, or \"email\" here";
            findings.error_because_of(key, "webhook.url", remedy);
        } else if !self.events().contains(EventType::NoticeDue) {
            let remedy = "needs the type notice.due in webhook.events; add it there, or write \"email\" here";
            findings.error_because_of(key, "webhook.events", remedy);
        }
    }

    pub(super) fn validate(&self, findings: &mut Findings) {
        if self.url.is_some() && self.secret.is_none() {
            let remedy =
                "is needed by webhook.url; write \"whsec_\" and the output of `openssl rand -base64 32`";
            findings.error_because_of("webhook.secret", "webhook.url", remedy);
        }
    }
}

/// A symmetric secret of the Standard Webhooks specification.
#[derive(Clone)]
pub(crate) struct WebhookSecret(SecretSlice<u8>);

const PREFIX: &str = "whsec_";
/// The specification's limits, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

impl WebhookSecret {
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl std::str::FromStr for WebhookSecret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.strip_prefix(PREFIX).and_then(|key| STANDARD.decode(key).ok());
        match bytes.filter(|bytes| LENGTHS.contains(&bytes.len())) {
            Some(bytes) => Ok(Self(bytes.into())),
            None => {
                Err("must be \"whsec_\" and 24 to 64 bytes in base64, such as \"whsec_\" and the output of \
                         `openssl rand -base64 32`")
            }
        }
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WebhookSecret>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventTypes, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let known = |name: &String| {
        name.parse::<EventType>().map_err(|_| {
            let known = EventType::KNOWN.map(EventType::as_str).join(", ");
            D::Error::custom(format!("holds an unknown type; the types are {known}"))
        })
    };
    names.iter().map(known).collect()
}
