//! Notifications of Amazon SES, and its published events, which name the type differently.

use super::address::address_hash;
use super::json;
use super::report::{InvalidReport, Report};
use crate::domain::Suppression;
use serde::Deserialize;

/// SES publishes it when a topic is chosen. It is not JSON.
const VALIDATION: &str = "Successfully validated SNS topic";
/// Feedback (RFC 5965, RFC 6591) that is no complaint: the owner says that the email was wanted, or a server could not
/// authenticate it.
const NOT_COMPLAINTS: [&str; 2] = ["not-spam", "auth-failure"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    notification_type: Option<String>,
    event_type: Option<String>,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    bounced_recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Recipient>,
    /// Only if the provider of the mailbox says it.
    complaint_feedback_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
}

/// `None`: it suppresses nothing, as a delivery does.
pub(super) fn read_ses(message: &str) -> Result<Option<Report>, InvalidReport> {
    if message.starts_with(VALIDATION) {
        return Ok(None);
    }
    let notification: Notification = json::read(message.as_bytes())?;
    let kind = notification.notification_type.or(notification.event_type);
    match kind.as_deref() {
        Some("Bounce") => {
            let bounce = notification.bounce.ok_or_else(|| InvalidReport::missing("bounce"))?;
            if bounce.bounce_type != "Permanent" {
                return Ok(None);
            }
            report(Suppression::HardBounce, &bounce.bounced_recipients)
        }
        Some("Complaint") => {
            let complaint = notification.complaint.ok_or_else(|| InvalidReport::missing("complaint"))?;
            if complaint.complaint_feedback_type.is_some_and(|kind| NOT_COMPLAINTS.contains(&&*kind)) {
                return Ok(None);
            }
            report(Suppression::Complaint, &complaint.complained_recipients)
        }
        Some(_) => Ok(None),
        None => Err(InvalidReport::missing("notificationType")),
    }
}

fn report(reason: Suppression, recipients: &[Recipient]) -> Result<Option<Report>, InvalidReport> {
    Report::new(reason, recipients.iter().map(|recipient| address_hash(&recipient.email_address)))
}
