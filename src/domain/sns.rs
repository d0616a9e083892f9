//! What messages of Amazon SNS name.

use std::{fmt, str::FromStr};
use url::Url;

/// The longest name of a topic, in characters.
const MAX_NAME: usize = 256;

/// The name of an SNS topic. It contains nothing that must not be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicArn(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of an SNS topic; write one such as \"arn:aws:sns:us-east-1:123456789012:bounces\"")]
pub(crate) struct InvalidTopic;

impl FromStr for TopicArn {
    type Err = InvalidTopic;

    fn from_str(text: &str) -> Result<Self, InvalidTopic> {
        let parts: Vec<_> = text.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts[..] else { return Err(InvalidTopic) };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let stem = name.strip_suffix(".fifo").unwrap_or(name);
        let is_valid = (partition == "aws" || partition.starts_with("aws-"))
            && is_region(partition)
            && is_region(region)
            && !account.is_empty()
            && account.bytes().all(|digit| digit.is_ascii_digit())
            && (1..=MAX_NAME).contains(&stem.len())
            && stem.chars().all(is_name);
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidTopic) }
    }
}

impl TopicArn {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The URL that confirms a subscription. It has a token, so `Debug` hides it from logs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SubscribeUrl(Url);

/// Does not contain the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an https URL of sns.REGION.amazonaws.com")]
pub(crate) struct ForeignUrl;

impl SubscribeUrl {
    /// For the one request that confirms.
    pub(crate) fn expose(&self) -> &Url {
        &self.0
    }
}

impl FromStr for SubscribeUrl {
    type Err = ForeignUrl;

    fn from_str(text: &str) -> Result<Self, ForeignUrl> {
        let url = Url::parse(text).map_err(|_| ForeignUrl)?;
        let host = url.host_str().unwrap_or_default();
        let domains = [".amazonaws.com", ".amazonaws.com.cn"];
        let region = host
            .strip_prefix("sns.")
            .and_then(|rest| domains.iter().find_map(|domain| rest.strip_suffix(domain)));
        let is_amazons = url.scheme() == "https"
            && url.port().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && region.is_some_and(is_region);
        if is_amazons { Ok(Self(url)) } else { Err(ForeignUrl) }
    }
}

impl fmt::Debug for SubscribeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubscribeUrl(…)")
    }
}

/// Such as `eu-west-1`.
fn is_region(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(is_letter) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_by_its_arn() {
        for good in [
            "arn:aws:sns:us-east-1:123456789012:bounces",
            "arn:aws-cn:sns:cn-north-1:123456789012:Bounces_2",
            "arn:aws-us-gov:sns:us-gov-west-1:123456789012:b.fifo",
        ] {
            assert_eq!(good.parse::<TopicArn>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "bounces",
            "arn:aws:sqs:us-east-1:123456789012:bounces",
            "arn:aws:sns:us-east-1:account:bounces",
            "arn:aws:sns:us-east-1::bounces",
            "arn:aws:sns:us-east-1:123456789012:",
            "arn:aws:sns:us-east-1:123456789012:a@b.example",
            "arn:aws:sns:us-east-1:123456789012:bounces:2bcfbf39",
            "arn:aws:sns::123456789012:bounces",
            "arn:evil:sns:us-east-1:123456789012:bounces",
            " arn:aws:sns:us-east-1:123456789012:bounces",
        ] {
            assert_eq!(bad.parse::<TopicArn>(), Err(InvalidTopic), "{bad}");
        }
    }

    #[test]
    fn only_an_https_url_of_amazon_sns_confirms_a_subscription() {
        for good in [
            "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t",
            "https://SNS.eu-west-1.amazonaws.com:443/",
            "https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription",
        ] {
            assert!(good.parse::<SubscribeUrl>().is_ok(), "{good}");
        }
        for bad in [
            "http://sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com:8443/",
            "https://user@sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com@evil.example/",
            "https://sns.us-east-1.amazonaws.com.evil.example/",
            "https://evil.example/sns.us-east-1.amazonaws.com",
            "https://evil-sns.us-east-1.amazonaws.com/",
            "https://sns.evil.s3.amazonaws.com/",
            "https://sns.amazonaws.com/",
            "https://s3.us-east-1.amazonaws.com/",
            "https://evilamazonaws.com/",
            "https://169.254.169.254/latest/meta-data",
            "https://localhost/",
            "ftp://sns.us-east-1.amazonaws.com/",
            "/?Action=ConfirmSubscription",
            "",
        ] {
            assert_eq!(bad.parse::<SubscribeUrl>(), Err(ForeignUrl), "{bad}");
        }
    }

    #[test]
    fn debug_output_of_a_subscribe_url_does_not_hold_its_token() {
        let url: SubscribeUrl = "https://sns.us-east-1.amazonaws.com/?Token=sesame".parse().unwrap();
        assert_eq!(format!("{url:?}"), "SubscribeUrl(…)");
    }
}
