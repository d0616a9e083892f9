//! A notice to write, and why it may not be possible.

use super::{leaks::Leak, templates::TemplateError};
use crate::domain::{EmailAddress, LinkToken, NoticeId, SourceType, Time};
use std::time::Duration;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Template {
    /// One connection expired.
    Expired,
    /// One connection was disconnected, perhaps on purpose.
    Disconnected,
    /// Several connections lapsed.
    Several,
    /// A reminder, with more to come.
    Reminder,
    /// The last reminder.
    LastReminder,
    /// An operator asks for one connection, which may never have been.
    Invited,
    /// What was written about works again. Has no link: there is nothing to do.
    Recovered,
}

impl Template {
    /// Every kind there is.
    pub const ALL: &[Self] = &[
        Self::Expired,
        Self::Disconnected,
        Self::Several,
        Self::Reminder,
        Self::LastReminder,
        Self::Invited,
        Self::Recovered,
    ];

    /// Its name: what its templates are called.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Disconnected => "disconnected",
            Self::Several => "several",
            Self::Reminder => "reminder",
            Self::LastReminder => "last_reminder",
            Self::Invited => "invited",
            Self::Recovered => "recovered",
        }
    }

    /// Whether a mail of this kind can be about so many connections.
    pub(crate) fn accepts_count(self, count: usize) -> bool {
        match self {
            Self::Several => count > 1,
            Self::Recovered => count > 0,
            _ => count == 1,
        }
    }

    pub(super) fn files(self) -> [String; 3] {
        ["subject", "txt", "html"].map(|end| format!("{}.{end}", self.as_str()))
    }

    /// The files that its subject, text and HTML are made of, as the built-in templates are.
    pub(super) fn source_files(self) -> [Vec<String>; 3] {
        let [subject, text, html] = self.files();
        [
            vec![subject, "base.subject".to_owned()],
            vec![text, "base.txt".to_owned()],
            vec![html, "base.html".to_owned(), "layout.html".to_owned()],
        ]
    }
}

/// A connection as a mail may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLabel {
    /// The source's name; any text.
    pub name: String,
    /// What kind of source it is.
    pub source_type: Option<SourceType>,
}

/// One notice to write.
#[derive(Clone, Debug)]
pub struct NoticeEmail {
    /// The Message-ID is made of it.
    pub id: NoticeId,
    /// Whom it goes to.
    pub to: EmailAddress,
    /// A BCP 47 tag; `notices.locale` when `None` or when there are no templates for it.
    pub locale: Option<String>,
    /// What it is about.
    pub kind: Template,
    /// What the button opens, under `/r/`; without one there is no button.
    pub link: Option<LinkToken>,
    /// What stops these mails, under `/u/`.
    pub unsubscribe: Option<LinkToken>,
    /// What lapsed.
    pub connections: Vec<ConnectionLabel>,
    /// How long the link works.
    pub ttl: Duration,
    /// The `Date` of the mail.
    pub date: Time,
}

/// Why no renderer can be made: the operator has something to put right.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A template is faulty or missing.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// `email.from` or `email.reply_to` is no mailbox.
    #[error("email.from and email.reply_to take \"Name <address>\" or an address: {0}")]
    Sender(#[from] lettre::address::AddressError),
    /// `links.public_url` can take no path.
    #[error("links.public_url must be an http or https URL")]
    PublicUrl,
    /// The mails would tell more than `notices.disclosure` lets them.
    #[error("{}", one_after_another(.0))]
    Leaks(Vec<Leak>),
    /// A mail with sample values cannot be written.
    #[error("a sample mail cannot be written: {0}")]
    Sample(#[source] RenderError),
}

/// Why one mail could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template failed, which the check at start did not foresee: the operator's to repair.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The member's address cannot be written into a mail. No later attempt can do better.
    #[error("the address on file cannot be used in a mail")]
    Address,
}

fn one_after_another(leaks: &[Leak]) -> String {
    leaks.iter().map(Leak::to_string).collect::<Vec<_>>().join("; ")
}
