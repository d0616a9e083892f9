//! Verbatim replies, for what a well-behaved server never says.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Instead of a reply: closes the connection.
pub const DISCONNECT: &str = "(disconnect)";

/// A script for all sessions of a server, and a record of what it received.
#[derive(Debug, Default)]
pub struct SmtpScript {
    /// The extensions in the reply to EHLO. `None`: the simulator's own.
    pub offers: Option<Vec<&'static str>>,
    replies: Mutex<Vec<(&'static str, &'static str)>>,
    record: Mutex<SmtpRecord>,
}

#[derive(Debug, Default)]
pub struct SmtpRecord {
    pub connections: usize,
    /// Commands; those under TLS begin with `TLS: `.
    pub commands: Vec<String>,
    /// Emails as sent, before the final dot, including those that the script then rejected.
    pub emails: Vec<String>,
}

impl SmtpScript {
    /// `replies`: a verb and a reply, each used once, in order. In addition to SMTP's verbs, there are `GREETING`, `BODY` (in the
    /// middle of an email), and `.` (after it).
    pub fn new(offers: Option<Vec<&'static str>>, replies: Vec<(&'static str, &'static str)>) -> Self {
        Self { offers, replies: Mutex::new(replies), record: Mutex::default() }
    }

    pub fn record(&self) -> MutexGuard<'_, SmtpRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next scripted reply to a verb.
    pub(super) fn take(&self, verb: &str) -> Option<&'static str> {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        let index = replies.iter().position(|(to, _)| *to == verb)?;
        Some(replies.remove(index).1)
    }
}
