//! A mail as it goes over the wire.

use super::error::RenderError;
use crate::domain::{EmailAddress, NoticeId, Time};
use lettre::{
    Address, Message,
    address::{AddressError, Envelope},
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use std::{borrow::Cow, fmt, time::SystemTime};

/// A mail, ready to send. `Debug` shows its Message-ID alone: the rest holds an address and a link.
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
    /// The Message-ID, without angle brackets; the same for each attempt at a notice.
    #[cfg(test)]
    pub(crate) fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The plain text. Holds the link.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The HTML. Holds the link.
    pub fn html(&self) -> &str {
        &self.html
    }

    /// The whole mail, as it goes over the wire. Holds the address and the link.
    pub fn eml(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

/// Who writes: `email.from` and `email.reply_to`.
pub(super) struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

impl Sender {
    /// Reads `Name <address>` or an address alone; `reply_to` may be empty.
    pub(super) fn new(from: &str, reply_to: &str) -> Result<Self, AddressError> {
        let reply_to = (!reply_to.trim().is_empty()).then(|| mailbox(reply_to)).transpose()?;
        Ok(Self { from: mailbox(from)?, reply_to })
    }

    /// The display name, else the domain.
    pub(super) fn name(&self) -> &str {
        self.from.name.as_deref().unwrap_or_else(|| self.from.email.domain())
    }
}

/// Lenient about the name, which needs no quotes even with a comma in it.
fn mailbox(text: &str) -> Result<Mailbox, AddressError> {
    let (name, bare) = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
        Some((name, bare)) => (super::text::one_line(&unquoted(name.trim())), bare),
        None => (String::new(), text.trim()),
    };
    Ok(Mailbox::new((!name.is_empty()).then_some(name), address(bare)?))
}

/// What a quoted string means (RFC 5322, section 3.2.4); any other text as it is.
fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut characters = inner.chars();
    let mut out = String::new();
    while let Some(c) = characters.next() {
        out.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    out
}

/// A domain in another script goes as its ASCII form (RFC 5891), so that only a local part can ask the server for
/// SMTPUTF8 (RFC 6531).
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

/// What a mail is made of.
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

/// Puts a mail together. Everything in it follows from `parts`: no clock is read and no dice are thrown.
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
        // RFC 3834: an answering machine that sees it keeps still. Exchange looks at the other one.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .raw_header(header("Content-Language", parts.language));
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    if let Some(url) = &parts.unsubscribe {
        // RFC 8058: one click, by POST. Over https, as `links.public_url` is anywhere but on loopback.
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

/// Written as it is: each value here is plain ASCII of ours, and a URL must not be folded.
fn header(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}
