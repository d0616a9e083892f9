//! Pure: tells bots from people by server-side evidence.
//!
//! It defaults to human. The statistics use it, and the page that turns a direct connection on again.

use super::{Client, EmailStatus, LinkAction, LinkRequest, Time};
use chrono::TimeDelta;

/// A person needs longer than this to open an email after the email server accepted it.
pub(crate) const MIN_READING_TIME: TimeDelta = TimeDelta::seconds(10);
/// A person needs at least this long to find the button on the page.
pub(crate) const MIN_PRESS_DELAY: TimeDelta = TimeDelta::seconds(1);

/// Classifies one request. `last_viewed_at` is the link's latest view before it.
pub(crate) fn classify_client(
    request: &LinkRequest,
    email: EmailStatus,
    last_viewed_at: Option<Time>,
) -> Client {
    let is_bot = request.signals.is_head
        || request.signals.is_prefetch
        || is_too_early(request, email)
        || (request.action == LinkAction::Press && !is_page_read(request, last_viewed_at));
    if is_bot { Client::Bot } else { Client::Human }
}

fn is_too_early(request: &LinkRequest, email: EmailStatus) -> bool {
    match email {
        EmailStatus::NotEmailed => false,
        EmailStatus::InTransit => true,
        EmailStatus::AcceptedAt(at) => request.received_at <= at + MIN_READING_TIME,
    }
}

fn is_page_read(press: &LinkRequest, last_viewed_at: Option<Time>) -> bool {
    last_viewed_at.is_some_and(|viewed_at| press.received_at - viewed_at >= MIN_PRESS_DELAY)
}

#[cfg(test)]
mod tests;
