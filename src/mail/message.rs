//! An email as it is sent.

use super::error::RenderError;
use crate::domain::{self, EmailAddress, NoticeId, Time};
use lettre::{
    Address, Message,
    address::{AddressError, Envelope},
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use std::{borrow::Cow, fmt, time::SystemTime};

/// An email, ready to send. `Debug` shows only its Message-ID: the rest contains an address and a link.
#[derive(Clone)]
pub struct Email {
    pub(super) message_id: String,
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
    subject: String,
    text: String,
    html: String,
}

impl Email {
    /// Without angle brackets; the same for each attempt at a notice.
    #[cfg(test)]
    pub(crate) fn message_id(&self) -> &str {
        &self.message_id
    }

    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Contains the link.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Contains the link.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// The whole email as it is sent. Contains the address and the link.
    pub fn eml(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// `email.from` and `email.reply_to`.
pub(super) struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

impl Sender {
    pub(super) fn new(
        from: &domain::Mailbox,
        reply_to: Option<&domain::Mailbox>,
    ) -> Result<Self, AddressError> {
        Ok(Self { from: mailbox(from)?, reply_to: reply_to.map(mailbox).transpose()? })
    }
}

fn mailbox(mailbox: &domain::Mailbox) -> Result<Mailbox, AddressError> {
    Ok(Mailbox::new(mailbox.name.clone(), address(mailbox.address.expose())?))
}

/// Sends a domain in another script in its ASCII form (RFC 5891), so that only a local part can require SMTPUTF8
/// (RFC 6531).
fn address(text: &str) -> Result<Address, AddressError> {
    let parsed: Address = text.parse()?;
    if parsed.domain().is_ascii() {
        return Ok(parsed);
    }
    match url::Host::parse(parsed.domain()) {
        Ok(host) => Address::new(parsed.user(), host.to_string()),
        Err(_) => Err(AddressError::InvalidDomain),
    }
}

pub(super) struct Parts<'a> {
    pub(super) id: &'a NoticeId,
    pub(super) to: &'a EmailAddress,
    pub(super) date: Time,
    pub(super) language: &'a str,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) unsubscribe: Option<String>,
}

/// Depends on `parts` only: reads no clock and uses no randomness.
pub(super) fn build(sender: &Sender, parts: Parts<'_>) -> Result<Email, RenderError> {
    let to = address(parts.to.expose()).map_err(|_| RenderError::Address)?;
    let safe: String =
        parts.id.as_str().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    let message_id = format!("{safe}@{}", sender.from.email.domain());
    let envelope =
        Envelope::new(Some(sender.from.email.clone()), vec![to.clone()]).map_err(|_| RenderError::Address)?;
    let mut builder = Message::builder()
        .from(sender.from.clone())
        .to(Mailbox::new(None, to))
        .subject(parts.subject.as_str())
        .date(SystemTime::from(parts.date))
        .message_id(Some(format!("<{message_id}>")))
        .envelope(envelope.clone())
        // RFC 3834 stops automatic replies. Exchange reads the second header.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .raw_header(header("Content-Language", parts.language));
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    if let Some(url) = &parts.unsubscribe {
        // RFC 8058: one click, by POST over https.
        builder = builder
            .raw_header(header("List-Unsubscribe", &format!("<{url}>")))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    let body = MultiPart::alternative()
        .boundary(format!("=_{safe}"))
        .singlepart(SinglePart::plain(parts.text.clone()))
        .singlepart(SinglePart::html(parts.html.clone()));
    let bytes = builder.multipart(body).map_err(|_| RenderError::Address)?.formatted();
    Ok(Email { message_id, envelope, bytes, subject: parts.subject, text: parts.text, html: parts.html })
}

/// Unencoded: each value is ASCII, and a URL must not be folded.
fn header(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

#[cfg(test)]
mod address_properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_accepted_address_can_be_put_into_an_email(
            text in r#"("[ -~]{0,20}"|[!-~éø用\u{301}.]{1,20})@(\[[0-9a-fA-FIPv:.]{2,20}\]|[a-z0-9éß用_.-]{1,30})"#
        ) {
            if let Ok(accepted) = text.parse::<EmailAddress>() {
                prop_assert!(address(accepted.expose()).is_ok(), "{text:?}");
            }
        }

        #[test]
        fn every_accepted_text_can_be_put_into_an_email(text in "\\PC{0,12}@\\PC{1,12}") {
            if let Ok(accepted) = text.parse::<EmailAddress>() {
                prop_assert!(address(accepted.expose()).is_ok(), "{text:?}");
            }
        }
    }
}
