//! Where the simulated mail server puts what it accepts, and what it is told to do wrong.

use crate::domain::Time;
use mail_parser::{Message, MessageParser};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Mails that are kept; older ones are forgotten.
const KEPT: usize = 10_000;

/// A mail that was accepted.
#[derive(Debug)]
pub struct ReceivedEmail {
    /// Its number, counted from 1 in the order of arrival.
    pub n: u64,
    /// When it came.
    pub at: Time,
    /// The envelope's sender; empty for a bounce.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The mail as it came, its dots unstuffed.
    pub raw: Vec<u8>,
    /// Whether it came over TLS.
    pub tls: bool,
}

impl ReceivedEmail {
    /// The mail, parsed.
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

/// Something that the mail server does wrong. In JSON: `{"stage": "rcpt", "recipient": "a@b.example",
/// "times": 2, "action": {"reply": {"code": 451, "text": "4.7.1 Greylisted"}}}`, or `{"stage": "end",
/// "action": "drop"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpFault {
    /// At what point of the conversation.
    pub stage: SmtpStage,
    /// Only for mail to this address; for any when left out.
    pub recipient: Option<String>,
    /// How often it happens before it is over; for ever when left out.
    pub times: Option<u32>,
    /// What happens.
    pub action: SmtpAction,
}

/// A point of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpStage {
    /// In place of the greeting.
    Connect,
    /// In place of the answer to MAIL.
    Mail,
    /// In place of the answer to RCPT.
    Rcpt,
    /// In place of the answer to DATA; with `drop`, after the invitation to send and before the final dot.
    Data,
    /// In place of the answer to the final dot.
    End,
}

/// What the mail server does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SmtpAction {
    /// Refuses. A code of 421 also ends the conversation, and so does any at `connect`.
    Reply {
        /// The code of three digits.
        code: u16,
        /// The text after it; a line feed makes it a reply of several lines.
        text: String,
    },
    /// Closes the connection without a word.
    Drop,
    /// At `end`: keeps the mail, then closes the connection without a word. Elsewhere the same as `drop`.
    StoreAndDrop,
    /// Waits, then goes on. Delays add up, and do not keep other faults away.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
}

impl SmtpFault {
    /// For any recipient, for ever.
    pub fn new(stage: SmtpStage, action: SmtpAction) -> Self {
        Self { stage, recipient: None, times: None, action }
    }

    /// A refusal with this code and text.
    pub fn reply(stage: SmtpStage, code: u16, text: &str) -> Self {
        Self::new(stage, SmtpAction::Reply { code, text: text.to_owned() })
    }

    /// Only for mail to this address.
    #[must_use]
    pub fn to(self, recipient: &str) -> Self {
        Self { recipient: Some(recipient.to_owned()), ..self }
    }

    /// Happens so often, then is over.
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
    faults: Vec<Armed>,
}

struct Armed {
    fault: SmtpFault,
    struck: u32,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), received: watch::Sender::new(0) }))
    }

    fn state(&self) -> MutexGuard<'_, Kept> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mails that are kept, oldest first.
    pub fn mails(&self) -> Vec<Arc<ReceivedEmail>> {
        self.state().mails.iter().cloned().collect()
    }

    /// One mail by its number.
    pub fn mail(&self, n: u64) -> Option<Arc<ReceivedEmail>> {
        self.state().mails.iter().find(|mail| mail.n == n).cloned()
    }

    /// How many mails have come, forgotten ones included.
    pub fn received(&self) -> u64 {
        *self.0.received.borrow()
    }

    /// Waits until `n` mails have come in all (forgotten ones included) and answers those that are kept,
    /// oldest first. It waits for as long as that takes.
    pub async fn wait_for(&self, n: u64) -> Vec<Arc<ReceivedEmail>> {
        // The sender lives in `self`, so the wait cannot end any other way.
        let _ = self.0.received.subscribe().wait_for(|received| *received >= n).await;
        self.mails()
    }

    /// Forgets all mails. Numbers go on.
    pub fn clear(&self) {
        self.state().mails.clear();
    }

    /// Lets something go wrong from now on.
    pub fn script(&self, fault: SmtpFault) {
        self.state().faults.push(Armed { fault, struck: 0 });
    }

    /// The faults that have not happened yet, or not as often as they were to.
    pub fn pending_faults(&self) -> Vec<SmtpFault> {
        let state = self.state();
        let pending = state.faults.iter().filter(|armed| armed.struck < armed.fault.times.unwrap_or(1));
        pending.map(|armed| armed.fault.clone()).collect()
    }

    /// Ends all faults.
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

    /// What goes wrong here: how long to wait, and the first other thing.
    pub(super) fn strike(&self, stage: SmtpStage, recipients: &[String]) -> (Duration, Option<SmtpAction>) {
        let (mut delay, mut action) = (Duration::ZERO, None);
        for Armed { fault, struck } in &mut self.state().faults {
            let meant = fault.stage == stage
                && fault.times.is_none_or(|times| *struck < times)
                && fault.recipient.as_ref().is_none_or(|wanted| recipients.contains(wanted));
            let is_delay = matches!(fault.action, SmtpAction::Delay { .. });
            if !meant || (action.is_some() && !is_delay) {
                continue;
            }
            *struck += 1;
            match fault.action.clone() {
                SmtpAction::Delay { ms } => delay += Duration::from_millis(ms),
                other => action = Some(other),
            }
        }
        (delay, action)
    }
}
