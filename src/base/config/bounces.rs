//! `[bounces]`: the reports of mail providers about emails that bounced, and about complaints.

use crate::domain::TopicArn;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bounces {
    /// Empty: the routes do not exist.
    pub(crate) password: SecretString,
    /// Empty: any topic.
    #[serde(deserialize_with = "topics")]
    pub(crate) ses_topics: Vec<TopicArn>,
}

fn topics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TopicArn>, D::Error> {
    let topics = Vec::<String>::deserialize(deserializer)?;
    topics.iter().map(|topic| topic.parse().map_err(D::Error::custom)).collect()
}
