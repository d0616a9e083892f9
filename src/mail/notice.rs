//! A notice to render.

use crate::{
    base::config::Disclosure,
    domain::{EmailAddress, LinkToken, NoticeId, SourceType, Time},
};
use std::time::Duration;

/// The purpose of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Template {
    Expired,
    /// The member may have disconnected on purpose.
    Disconnected,
    Several,
    /// For several members who share the address.
    Shared,
    /// About one connection. [`Urgency`] tells whether it is the last one.
    Reminder,
    /// An operator invites the member to connect a source, which may be new.
    Invited,
    /// Has no link: the member has nothing to do.
    Recovered,
}

impl Template {
    pub const ALL: &[Self] = &[
        Self::Expired,
        Self::Disconnected,
        Self::Several,
        Self::Shared,
        Self::Reminder,
        Self::Invited,
        Self::Recovered,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Disconnected => "disconnected",
            Self::Several => "several",
            Self::Shared => "shared",
            Self::Reminder => "reminder",
            Self::Invited => "invited",
            Self::Recovered => "recovered",
        }
    }

    /// Whether an email of this kind can be about `count` connections or, if it is for several members, `count` members.
    pub(crate) fn accepts_count(self, count: usize) -> bool {
        match self {
            Self::Several | Self::Shared => count > 1,
            Self::Recovered => count > 0,
            _ => count == 1,
        }
    }

    pub(crate) fn has_link(self) -> bool {
        self != Self::Recovered
    }

    /// Whether its wording depends on the [`Urgency`].
    pub(super) fn has_urgency(self) -> bool {
        matches!(self, Self::Several | Self::Shared | Self::Reminder)
    }

    /// The name of its files without the extension. Under `generic`, emails that must not reveal the status share one
    /// template, so that they cannot differ.
    pub(super) fn file_stem(self, disclosure: Disclosure) -> &'static str {
        match self {
            Self::Expired | Self::Disconnected | Self::Several if disclosure == Disclosure::Generic => {
                "first"
            }
            other => other.as_str(),
        }
    }

    pub(super) fn files(self, disclosure: Disclosure) -> [String; 3] {
        ["subject", "txt", "html"].map(|extension| format!("{}.{extension}", self.file_stem(disclosure)))
    }

    /// The built-in files behind its subject, text and HTML.
    pub(super) fn source_files(self, disclosure: Disclosure) -> [Vec<String>; 3] {
        let [subject, text, html] = self.files(disclosure);
        [
            vec![subject, "base.subject".to_owned()],
            vec![text, "base.txt".to_owned()],
            vec![html, "base.html".to_owned(), "layout.html".to_owned()],
        ]
    }
}

/// How often the member has been written to about the connections of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// It is the first email about one of them.
    First,
    /// There was an email about each of them before.
    Reminder,
    /// It is a reminder about each of them, and none will follow.
    LastReminder,
}

/// A connection, as far as an email may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLabel {
    /// Any text: the gateway supplies it.
    pub name: String,
    pub source_type: Option<SourceType>,
    /// Reconnecting it leads to the source's own website.
    pub needs_sign_in: bool,
}

/// The part of an email for one member.
#[derive(Clone, Debug)]
pub struct Section {
    /// The member's label, any text: the operator supplies it. An email to one member does not show it.
    pub label: Option<String>,
    /// The token of the button's link, under `/r/`; `None`: no button.
    pub link: Option<LinkToken>,
    pub connections: Vec<ConnectionLabel>,
}

/// One notice to render.
#[derive(Clone, Debug)]
pub struct NoticeEmail {
    /// The source of the Message-ID.
    pub id: NoticeId,
    pub to: EmailAddress,
    /// A BCP 47 tag. `notices.locale` applies when it is `None` or has no templates.
    pub locale: Option<String>,
    pub template: Template,
    /// Changes nothing in emails that are neither reminders nor about several connections.
    pub urgency: Urgency,
    /// Two or more with [`Template::Shared`], else one.
    pub sections: Vec<Section>,
    /// The token of the unsubscribe link, under `/u/`.
    pub unsubscribe: Option<LinkToken>,
    /// The lifetime of the links.
    pub ttl: Duration,
    /// The `Date` header.
    pub date: Time,
}
