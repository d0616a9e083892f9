//! Webhooks of Postmark.

use super::address::address_hash;
use super::json;
use super::report::{InvalidReport, Report};
use crate::domain::Suppression;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Webhook {
    record_type: String,
    /// Of a bounce.
    r#type: Option<String>,
    /// Of a bounce or a complaint.
    email: Option<String>,
    /// Postmark sends no more email to the address.
    inactive: Option<bool>,
    /// Of a change of a subscription, as are the others.
    recipient: Option<String>,
    suppress_sending: Option<bool>,
    suppression_reason: Option<String>,
    origin: Option<String>,
}

/// `None`: it suppresses nothing, as a delivery does.
pub(crate) fn read_postmark(body: &[u8]) -> Result<Option<Report>, InvalidReport> {
    let webhook: Webhook = json::read(body)?;
    let (reason, address, field) = match webhook.record_type.as_str() {
        "Bounce" => {
            let kind = webhook.r#type.ok_or_else(|| InvalidReport::missing("Type"))?;
            (bounce_reason(&kind, webhook.inactive.unwrap_or_default()), webhook.email, "Email")
        }
        "SpamComplaint" => (Some(Suppression::Complaint), webhook.email, "Email"),
        "SubscriptionChange" => {
            let suppresses =
                webhook.suppress_sending.ok_or_else(|| InvalidReport::missing("SuppressSending"))?;
            let (reason, origin) = (webhook.suppression_reason.as_deref(), webhook.origin.as_deref());
            (suppresses.then(|| change_reason(reason, origin)), webhook.recipient, "Recipient")
        }
        _ => return Ok(None),
    };
    let address = address.ok_or_else(|| InvalidReport::missing(field))?;
    let Some(reason) = reason else { return Ok(None) };
    Report::new(reason, [address_hash(&address)])
}

fn bounce_reason(kind: &str, is_inactive: bool) -> Option<Suppression> {
    match kind {
        "SpamComplaint" => Some(Suppression::Complaint),
        "HardBounce" | "BadEmailAddress" | "ManuallyDeactivated" => Some(Suppression::HardBounce),
        _ => is_inactive.then_some(Suppression::HardBounce),
    }
}

/// Of an address to which Postmark sends no more email.
fn change_reason(reason: Option<&str>, origin: Option<&str>) -> Suppression {
    match (reason, origin) {
        (Some("SpamComplaint"), _) => Suppression::Complaint,
        // With Postmark's own unsubscribe link.
        (Some("ManualSuppression"), Some("Recipient")) => Suppression::Unsubscribed,
        _ => Suppression::HardBounce,
    }
}
