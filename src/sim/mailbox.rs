//! The emails that the simulated mail server accepted, and its scripted faults.

use crate::domain::Time;
use mail_parser::{Message, MessageParser};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// The number of emails that are kept.
const KEPT: usize = 10_000;

#[derive(Debug)]
pub struct ReceivedEmail {
    /// Counts from 1, in the order of arrival.
    pub n: u64,
    pub at: Time,
    /// The envelope sender; empty for a bounce.
    pub from: String,
    /// The envelope recipients.
    pub to: Vec<String>,
    /// The email as received, with its dots unstuffed.
    pub raw: Vec<u8>,
    /// Whether it was received over TLS.
    pub tls: bool,
}

impl ReceivedEmail {
    /// Parses the email.
    pub fn parse(&self) -> Option<Message<'_>> {
        MessageParser::default().parse(&self.raw)
    }

    /// The subject, decoded.
    pub fn subject(&self) -> Option<String> {
        self.parse()?.subject().map(str::to_owned)
    }

    /// The plain text, decoded; `None` when there is no such part.
    pub fn text(&self) -> Option<String> {
        let message = self.parse()?;
        let part = message.text_bodies().find(|part| !part.is_text_html())?;
        part.text_contents().map(str::to_owned)
    }

    /// The HTML, decoded; `None` when there is no such part.
    pub fn html(&self) -> Option<String> {
        let message = self.parse()?;
        let part = message.html_bodies().find(|part| part.is_text_html())?;
        part.text_contents().map(str::to_owned)
    }

    /// The value of the first header of that name, unfolded but not decoded.
    pub fn header(&self, name: &str) -> Option<String> {
        let message = self.parse()?;
        let value = message.headers_raw().find(|(header, _)| header.eq_ignore_ascii_case(name))?.1;
        Some(unfold(value))
    }

    /// The http and https URLs of the plain text, in their order.
    pub fn links(&self) -> Vec<String> {
        let text = self.text().unwrap_or_default();
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"'));
        words
            .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
            .map(str::to_owned)
            .collect()
    }
}

pub(super) fn unfold(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A fault of the mail server. In JSON: `{"stage": "rcpt", "recipient": "a@b.example",
/// "times": 2, "action": {"reply": {"code": 451, "text": "4.7.1 Greylisted"}}}`, or `{"stage": "end",
/// "action": "drop"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpFault {
    /// The point of the conversation.
    pub stage: SmtpStage,
    /// Only for email to this address, or to this domain (`@b.example`); any when omitted.
    pub recipient: Option<String>,
    /// Only in a session that accepted at least this many emails.
    #[serde(default)]
    pub accepted: u32,
    /// How often it occurs; forever when omitted.
    pub times: Option<u32>,
    pub action: SmtpAction,
}

/// A point of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpStage {
    /// In place of the greeting.
    Connect,
    /// In place of the reply to MAIL.
    Mail,
    /// In place of the reply to RCPT.
    Rcpt,
    /// In place of the reply to DATA; with `drop`, after the invitation to send and before the final dot.
    Data,
    /// In place of the reply to the final dot.
    End,
}

/// The action of a fault.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SmtpAction {
    /// Rejects. A code of 421 also ends the conversation, as does any code at `connect`.
    Reply {
        /// The code of three digits.
        code: u16,
        /// A line feed in it makes the reply a multiline reply.
        text: String,
    },
    /// Closes the connection without a reply.
    Drop,
    /// At `end`: stores the email, then closes the connection without a reply. Elsewhere the same as `drop`.
    StoreAndDrop,
    /// Waits, then continues. Delays add up, and other faults occur as well.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
}

impl SmtpFault {
    /// For any recipient, forever.
    pub fn new(stage: SmtpStage, action: SmtpAction) -> Self {
        Self { stage, recipient: None, accepted: 0, times: None, action }
    }

    /// A rejection with this code and text.
    pub fn reply(stage: SmtpStage, code: u16, text: &str) -> Self {
        Self::new(stage, SmtpAction::Reply { code, text: text.to_owned() })
    }

    /// Only for email to this address or to this domain (`@b.example`).
    #[must_use]
    pub fn to(self, recipient: &str) -> Self {
        Self { recipient: Some(recipient.to_owned()), ..self }
    }

    /// Only in a session that accepted at least this many emails.
    #[must_use]
    pub fn after(self, accepted: u32) -> Self {
        Self { accepted, ..self }
    }

    /// Occurs this many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

/// A handle on the simulated mailbox. Cheap to clone.
#[derive(Clone)]
pub struct Mailbox(Arc<Shared>);

struct Shared {
    state: Mutex<Kept>,
    received: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    mails: VecDeque<Arc<ReceivedEmail>>,
    faults: Vec<ActiveFault>,
}

struct ActiveFault {
    fault: SmtpFault,
    applied: u32,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), received: watch::Sender::new(0) }))
    }

    fn state(&self) -> MutexGuard<'_, Kept> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The emails that are kept, oldest first.
    pub fn mails(&self) -> Vec<Arc<ReceivedEmail>> {
        self.state().mails.iter().cloned().collect()
    }

    /// One email by its number.
    pub fn mail(&self, n: u64) -> Option<Arc<ReceivedEmail>> {
        self.state().mails.iter().find(|mail| mail.n == n).cloned()
    }

    /// The number of emails received, including those that are no longer kept.
    pub fn received(&self) -> u64 {
        *self.0.received.borrow()
    }

    /// Waits, without a timeout, until [`Self::received`] reaches `n`, and returns the emails that are kept.
    pub async fn wait_for(&self, n: u64) -> Vec<Arc<ReceivedEmail>> {
        // The sender lives in `self`, so the wait cannot end any other way.
        let _ = self.0.received.subscribe().wait_for(|received| *received >= n).await;
        self.mails()
    }

    /// Deletes all emails. Numbering continues.
    pub fn clear(&self) {
        self.state().mails.clear();
    }

    pub fn script(&self, fault: SmtpFault) {
        self.state().faults.push(ActiveFault { fault, applied: 0 });
    }

    /// The faults that have not occurred yet, or not as often as configured.
    pub fn pending_faults(&self) -> Vec<SmtpFault> {
        let state = self.state();
        let pending = state.faults.iter().filter(|active| active.applied < active.fault.times.unwrap_or(1));
        pending.map(|active| active.fault.clone()).collect()
    }

    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    pub(super) fn store(&self, at: Time, from: String, to: Vec<String>, raw: Vec<u8>, tls: bool) {
        let mut state = self.state();
        let n = self.received() + 1;
        if state.mails.len() == KEPT {
            state.mails.pop_front();
        }
        state.mails.push_back(Arc::new(ReceivedEmail { n, at, from, to, raw, tls }));
        self.0.received.send_replace(n);
    }

    /// Selects the delay and the first other action at this point.
    pub(super) fn apply_faults(
        &self,
        stage: SmtpStage,
        accepted: u32,
        recipients: &[String],
    ) -> (Duration, Option<SmtpAction>) {
        let (mut delay, mut action) = (Duration::ZERO, None);
        for ActiveFault { fault, applied } in &mut self.state().faults {
            let matches = fault.stage == stage
                && fault.times.is_none_or(|times| *applied < times)
                && fault.accepted <= accepted
                && fault.recipient.as_ref().is_none_or(|wanted| is_for(recipients, wanted));
            let is_delay = matches!(fault.action, SmtpAction::Delay { .. });
            if !matches || (action.is_some() && !is_delay) {
                continue;
            }
            *applied += 1;
            match fault.action.clone() {
                SmtpAction::Delay { ms } => delay += Duration::from_millis(ms),
                other => action = Some(other),
            }
        }
        (delay, action)
    }
}

fn is_for(recipients: &[String], wanted: &str) -> bool {
    recipients.iter().any(|recipient| {
        if wanted.starts_with('@') { recipient.ends_with(wanted) } else { recipient == wanted }
    })
}
