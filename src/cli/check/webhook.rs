//! The receiver of events.

use super::checklist::Checklist;
use crate::base::config::Webhook;
use std::io;

pub(super) fn check(settings: &Webhook, checklist: &Checklist) -> io::Result<()> {
    let Some(url) = &settings.url else { return Ok(()) };
    let host = url.host_str().unwrap_or_default();
    let rotation = match &settings.previous_secret {
        Some(_) => {
            ", signed with two secrets: when your receiver knows the new one, empty webhook.previous_secret"
        }
        None => "",
    };
    checklist.ok("events", &format!("to {host} (not requested: `reconnectd events test` does){rotation}"))
}
