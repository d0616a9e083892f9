use super::address::address_hash;
use super::ses::read_ses;
use super::*;
use crate::domain::{AddressHash, EmailAddress, Suppression, TopicArn};
use proptest::prelude::*;
use serde_json::{Value, json};

const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:bounces";

fn hash(address: &str) -> AddressHash {
    address.parse::<EmailAddress>().unwrap().address_hash()
}

fn ada(reason: Suppression) -> Option<Report> {
    Some(Report { reason, addresses: [hash("ada@example.org")].into() })
}

fn sns(envelope: &Value) -> Result<SnsContent, InvalidReport> {
    SnsMessage::read(envelope.to_string().as_bytes()).and_then(SnsMessage::content)
}

fn notification(message: &Value) -> Result<SnsContent, InvalidReport> {
    sns(&json!({ "Type": "Notification", "TopicArn": TOPIC, "Message": message.to_string() }))
}

#[test]
fn an_address_is_read_in_the_forms_of_rfc_5322() {
    for spelling in [
        "ada@example.org",
        " ADA@Example.ORG ",
        "<ada@example.org>",
        "Ada Lovelace <ada@example.org>",
        "\"Lovelace, Ada <x>\" <ada@example.org>",
        "=?UTF-8?Q?Ad=C3=A0?= <ada@example.org>",
        "ada@example.org (Ada)",
    ] {
        assert_eq!(address_hash(spelling), Some(hash("ada@example.org")), "{spelling}");
    }
    assert_eq!(address_hash("Zoë <zoë@EXÁMPLE.example>"), Some(hash("zoë@xn--exmple-qta.example")));
    for other in ["", "ada", "<>", ">", "ada@", "Ada <ada@example.org", ")", "a@b.example, c@d.example"] {
        assert_eq!(address_hash(other), None, "{other}");
    }
}

#[test]
fn of_the_notifications_of_ses_permanent_bounces_and_complaints_suppress() {
    let bounce = |kind: &str| {
        let recipients = [json!({ "emailAddress": "Ada <ada@example.org>", "status": "5.1.1" })];
        json!({ "bounceType": kind, "bounceSubType": "General", "bouncedRecipients": recipients })
    };
    let complaint = |kind: Value| {
        let recipients = [json!({ "emailAddress": "ada@example.org" })];
        json!({ "complainedRecipients": recipients, "complaintFeedbackType": kind })
    };
    let (bounced, complained) = (ada(Suppression::HardBounce), ada(Suppression::Complaint));
    let rows = [
        (json!({ "notificationType": "Bounce", "bounce": bounce("Permanent") }), &bounced),
        (json!({ "eventType": "Bounce", "bounce": bounce("Permanent") }), &bounced),
        (json!({ "notificationType": "Bounce", "bounce": bounce("Transient") }), &None),
        (json!({ "notificationType": "Bounce", "bounce": bounce("Undetermined") }), &None),
        (json!({ "notificationType": "Complaint", "complaint": complaint(json!("abuse")) }), &complained),
        (json!({ "eventType": "Complaint", "complaint": complaint(Value::Null) }), &complained),
        (json!({ "notificationType": "Complaint", "complaint": complaint(json!("not-spam")) }), &None),
        (json!({ "notificationType": "Complaint", "complaint": complaint(json!("auth-failure")) }), &None),
        (json!({ "notificationType": "Delivery", "delivery": { "recipients": ["ada@example.org"] } }), &None),
        (json!({ "eventType": "Rendering Failure" }), &None),
        (json!({ "notificationType": "AmazonSnsSubscriptionSucceeded", "message": "…" }), &None),
    ];
    for (message, expected) in rows {
        assert_eq!(notification(&message), Ok(SnsContent::Notification(expected.clone())), "{message}");
    }
    let validation = "Successfully validated SNS topic for Amazon SES event publishing.";
    assert_eq!(read_ses(validation), Ok(None));
}

#[test]
fn one_report_can_name_several_addresses_once_each() {
    let recipients: Vec<_> = ["ada@example.org", "ADA@example.org", "zoe@example.org", "nonsense"]
        .map(|address| json!({ "emailAddress": address }))
        .into();
    let bounce = json!({ "bounceType": "Permanent", "bouncedRecipients": recipients });
    let message = json!({ "notificationType": "Bounce", "bounce": bounce }).to_string();
    let report = read_ses(&message).unwrap().unwrap();
    assert_eq!(report.addresses, [hash("ada@example.org"), hash("zoe@example.org")].into());
    let many: Vec<_> =
        (0..101).map(|number| json!({ "emailAddress": format!("a{number}@example.org") })).collect();
    let bounce = json!({ "bounceType": "Permanent", "bouncedRecipients": many });
    let message = json!({ "notificationType": "Bounce", "bounce": bounce }).to_string();
    assert_eq!(read_ses(&message), Err(InvalidReport::TooManyAddresses));
}

#[test]
fn a_subscription_is_confirmed_at_amazon_only() {
    let confirmation = |url: &str| {
        let envelope = json!({ "Type": "SubscriptionConfirmation", "TopicArn": TOPIC, "SubscribeURL": url, "Token": "t" });
        sns(&envelope)
    };
    let url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";
    let expected =
        SnsContent::SubscriptionConfirmation { topic: TOPIC.parse().unwrap(), url: url.parse().unwrap() };
    assert_eq!(confirmation(url), Ok(expected));
    let refused = confirmation("https://evil.example/?Token=t").unwrap_err().to_string();
    assert_eq!(refused, "SubscribeURL: not an https URL of sns.REGION.amazonaws.com");
}

#[test]
fn the_topics_of_an_operator_are_the_only_ones() {
    let envelope = json!({ "Type": "Notification", "TopicArn": TOPIC, "Message": "" }).to_string();
    let message = SnsMessage::read(envelope.as_bytes()).unwrap();
    let other: TopicArn = "arn:aws:sns:us-east-1:123456789012:others".parse().unwrap();
    assert!(message.is_from(&[]) && message.is_from(&[other.clone(), TOPIC.parse().unwrap()]));
    assert!(!message.is_from(&[other]));
}

#[test]
fn of_the_webhooks_of_postmark_those_that_end_delivery_suppress() {
    use Suppression::{Complaint, HardBounce, Unsubscribed};
    let bounce = |kind: &str, inactive: bool| json!({ "RecordType": "Bounce", "Type": kind, "Email": "ada@example.org", "Inactive": inactive });
    let change = |suppresses: bool, reason: &str, origin: &str| {
        json!({ "RecordType": "SubscriptionChange", "Recipient": "ada@example.org", "Origin": origin,
            "SuppressSending": suppresses, "SuppressionReason": reason })
    };
    for (webhook, expected) in [
        (bounce("HardBounce", true), ada(HardBounce)),
        (bounce("BadEmailAddress", false), ada(HardBounce)),
        (bounce("ManuallyDeactivated", true), ada(HardBounce)),
        (bounce("SpamComplaint", true), ada(Complaint)),
        (bounce("Transient", false), None),
        (bounce("SoftBounce", false), None),
        (bounce("Blocked", false), None),
        (bounce("SoftBounce", true), ada(HardBounce)),
        (json!({ "RecordType": "SpamComplaint", "Email": "ada@example.org" }), ada(Complaint)),
        (change(true, "HardBounce", "Recipient"), ada(HardBounce)),
        (change(true, "SpamComplaint", "Recipient"), ada(Complaint)),
        (change(true, "ManualSuppression", "Recipient"), ada(Unsubscribed)),
        (change(true, "ManualSuppression", "Admin"), ada(HardBounce)),
        (change(false, "", "Admin"), None),
        (json!({ "RecordType": "Delivery", "Recipient": "ada@example.org" }), None),
        (json!({ "RecordType": "Open" }), None),
    ] {
        assert_eq!(read_postmark(webhook.to_string().as_bytes()), Ok(expected), "{webhook}");
    }
}

#[test]
fn the_operators_own_reports_say_whether_a_bounce_is_permanent() {
    use Suppression::{Complaint, HardBounce};
    for (report, expected) in [
        (json!({ "email": "ada@example.org", "kind": "bounce", "permanent": true }), ada(HardBounce)),
        (json!({ "email": "Ada <ADA@example.org>", "kind": "bounce", "permanent": true }), ada(HardBounce)),
        (json!({ "email": "ada@example.org", "kind": "bounce", "permanent": false }), None),
        (json!({ "email": "ada@example.org", "kind": "complaint", "permanent": true }), ada(Complaint)),
        (json!({ "email": "ada@example.org", "kind": "complaint", "more": [1] }), ada(Complaint)),
    ] {
        assert_eq!(read_relay(report.to_string().as_bytes()), Ok(expected), "{report}");
    }
}

#[test]
fn an_unreadable_report_says_what_is_wrong_and_quotes_no_address() {
    let relay = |text: &str| read_relay(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(relay(""), "not valid JSON (line 1, column 0)");
    assert_eq!(relay("{\"email\": \"ada@example.org\","), "not valid JSON (line 1, column 28)");
    assert_eq!(relay("{} {}"), "email is missing");
    assert_eq!(relay("[]"), "the report has the wrong type");
    assert_eq!(relay("\"ada@example.org\""), "the report has the wrong type");
    assert_eq!(relay("{\"email\": [\"ada@example.org\"]}"), "email has the wrong type");
    assert_eq!(
        relay("{\"email\": \"ada@example.org\", \"kind\": \"ada@example.org\"}"),
        "kind: must be \"bounce\" or \"complaint\""
    );
    assert_eq!(relay("{\"email\": \"ada@example.org\", \"kind\": \"bounce\"}"), "permanent is missing");
    assert_eq!(
        relay("{\"email\": \"ada\", \"kind\": \"bounce\", \"permanent\": true}"),
        "email: not an email address"
    );
    let good = "{\"email\": \"ada@example.org\", \"kind\": \"complaint\"} x";
    assert_eq!(relay(good), "not valid JSON (line 1, column 51)");

    let postmark = |value: Value| read_postmark(value.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(postmark(json!({})), "RecordType is missing");
    assert_eq!(postmark(json!({ "RecordType": "Bounce" })), "Type is missing");
    assert_eq!(postmark(json!({ "RecordType": "Bounce", "Type": "HardBounce" })), "Email is missing");
    assert_eq!(postmark(json!({ "RecordType": "SubscriptionChange" })), "SuppressSending is missing");

    let ses = |value: Value| sns(&value).unwrap_err().to_string();
    assert_eq!(ses(json!({})), "Type is missing");
    assert!(ses(json!({ "eventType": "Bounce" })).contains("raw message delivery"));
    assert_eq!(ses(json!({ "Type": "Notification" })), "TopicArn is missing");
    assert!(ses(json!({ "Type": "Other", "TopicArn": TOPIC })).starts_with("Type: "));
    assert!(ses(json!({ "Type": "Notification", "TopicArn": "ada@example.org" })).starts_with("TopicArn: "));
    assert_eq!(ses(json!({ "Type": "Notification", "TopicArn": TOPIC })), "Message is missing");
    assert_eq!(
        ses(json!({ "Type": "SubscriptionConfirmation", "TopicArn": TOPIC })),
        "SubscribeURL is missing"
    );
    let message = |value: Value| notification(&value).unwrap_err().to_string();
    assert_eq!(message(json!({})), "Message of SNS: notificationType is missing");
    assert_eq!(message(json!({ "eventType": "Bounce" })), "Message of SNS: bounce is missing");
    assert_eq!(
        message(json!({ "eventType": "Bounce", "bounce": {
            "bounceType": "Permanent", "bouncedRecipients": [{ "emailAddress": 17 }] } })),
        "Message of SNS: bounce.bouncedRecipients[0].emailAddress has the wrong type"
    );
    assert_eq!(
        message(json!({ "eventType": "Complaint", "complaint": { "complainedRecipients": [{}] } })),
        "Message of SNS: complaint.complainedRecipients[0].emailAddress is missing"
    );
}

/// JSON with the names and values that reports have, in any place.
fn any_json() -> impl Strategy<Value = Value> {
    let words = "(Type|Message|TopicArn|SubscribeURL|Notification|notificationType|eventType|Bounce|Complaint|bounce|complaint|bounceType|\
        Permanent|bouncedRecipients|complainedRecipients|emailAddress|RecordType|HardBounce|Email|Recipient|SuppressSending|email|kind|\
        permanent|ada@example[.]org|arn:aws:sns:us-east-1:123456789012:b)";
    let leaf =
        prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), words.prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(words, inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_report_panics_or_is_quoted_in_an_error(value in any_json()) {
        let body = value.to_string();
        let errors = [
            read_relay(body.as_bytes()).err(),
            read_postmark(body.as_bytes()).err(),
            read_ses(&body).err(),
            SnsMessage::read(body.as_bytes()).and_then(SnsMessage::content).err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(!error.to_string().contains('@'), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_no_report_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(read_relay(&bytes).is_err() && read_postmark(&bytes).is_err());
        prop_assert!(SnsMessage::read(&bytes).is_err());
    }

    #[test]
    fn a_name_around_an_address_changes_nothing(name in "[^<>()]{0,20}") {
        prop_assert_eq!(address_hash(&format!("{name} <ada@example.org>")), Some(hash("ada@example.org")));
    }
}
