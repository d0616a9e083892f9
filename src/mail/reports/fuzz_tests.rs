use super::*;
use crate::base::fuzzing::{MANY, assert_quotes_no_secret, fuzz};

const WORDS: [&str; 12] = [
    "Type",
    "TopicArn",
    "Message",
    "Notification",
    "SubscriptionConfirmation",
    "notificationType",
    "Bounce",
    "Complaint",
    "Permanent",
    "RecordType",
    "email",
    "ada.lovelace@example.org",
];

#[test]
fn a_report_suppresses_only_what_it_names_and_an_error_quotes_no_address() {
    fuzz("reports", MANY, &WORDS, |input| {
        let of_sns = SnsMessage::read(input).and_then(SnsMessage::content).map(|content| match content {
            SnsContent::Notification(report) => report,
            SnsContent::SubscriptionConfirmation { topic, url } => {
                assert!(topic.as_str().starts_with("arn:"));
                assert!(!format!("{url:?}").contains("s3cret"));
                None
            }
            SnsContent::UnsubscribeConfirmation { .. } => None,
        });
        for report in [of_sns, read_postmark(input), read_relay(input)] {
            match report {
                Ok(Some(report)) => {
                    assert!((1..=100).contains(&report.addresses.len()));
                    assert!(
                        input.contains(&b'@')
                            || input.windows(5).any(|part| part.eq_ignore_ascii_case(b"u0040"))
                    );
                }
                Ok(None) => {}
                Err(error) => assert_quotes_no_secret(&error.to_string()),
            }
        }
    });
}
