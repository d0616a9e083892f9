//! Messages of Amazon SNS, the envelope of Amazon SES.

use super::json;
use super::report::{InvalidReport, Report};
use super::ses::read_ses;
use crate::domain::{SubscribeUrl, TopicArn};
use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "TopicArn")]
    topic: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    /// Of SES: the subscription delivers its messages without an envelope.
    #[serde(rename = "notificationType")]
    notification_type: Option<IgnoredAny>,
    #[serde(rename = "eventType")]
    event_type: Option<IgnoredAny>,
}

/// A message whose content is read once its topic is known to be the operator's.
pub(crate) struct SnsMessage {
    kind: String,
    topic: String,
    message: Option<String>,
    subscribe_url: Option<String>,
}

/// What a message is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SnsContent {
    /// `None`: it suppresses nothing.
    Notification(Option<Report>),
    /// SNS asks whether the topic's messages are wanted.
    SubscriptionConfirmation { topic: TopicArn, url: SubscribeUrl },
    /// Somebody ended the subscription.
    UnsubscribeConfirmation { topic: TopicArn },
}

impl SnsMessage {
    pub(crate) fn read(body: &[u8]) -> Result<Self, InvalidReport> {
        let envelope: Envelope = json::read(body)?;
        let is_raw = envelope.notification_type.is_some() || envelope.event_type.is_some();
        let Some(kind) = envelope.kind else {
            return Err(if is_raw { InvalidReport::RawMessage } else { InvalidReport::missing("Type") });
        };
        let topic = envelope.topic.ok_or_else(|| InvalidReport::missing("TopicArn"))?;
        Ok(Self { kind, topic, message: envelope.message, subscribe_url: envelope.subscribe_url })
    }

    /// Whether the topic is one of these. An empty list allows every topic.
    pub(crate) fn is_from(&self, topics: &[TopicArn]) -> bool {
        topics.is_empty() || topics.iter().any(|topic| topic.as_str() == self.topic)
    }

    pub(crate) fn content(self) -> Result<SnsContent, InvalidReport> {
        let topic = self.topic.parse::<TopicArn>().map_err(|error| invalid("TopicArn", &error))?;
        match self.kind.as_str() {
            "Notification" => {
                let message = self.message.ok_or_else(|| InvalidReport::missing("Message"))?;
                let report = read_ses(&message).map_err(|error| InvalidReport::InMessage(Box::new(error)))?;
                Ok(SnsContent::Notification(report))
            }
            "SubscriptionConfirmation" => {
                let url = self.subscribe_url.ok_or_else(|| InvalidReport::missing("SubscribeURL"))?;
                let url = url.parse::<SubscribeUrl>().map_err(|error| invalid("SubscribeURL", &error))?;
                Ok(SnsContent::SubscriptionConfirmation { topic, url })
            }
            "UnsubscribeConfirmation" => Ok(SnsContent::UnsubscribeConfirmation { topic }),
            _ => Err(invalid("Type", &"not a type of message that this version knows")),
        }
    }
}

fn invalid(field: &'static str, problem: &impl ToString) -> InvalidReport {
    InvalidReport::InvalidValue { field, problem: problem.to_string() }
}
