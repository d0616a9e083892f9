//! Requests for a link's page, and presses of its buttons.

use super::Time;
use super::text_enum::string_enum;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum LinkAction {
    /// `GET` or `HEAD` of the page.
    View,
    /// `POST` of a reconnect button, whether or not it has the key of the page.
    Press,
}

/// The client behind a request, as far as the server can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Client {
    /// An email scanner, or a browser that prefetches.
    Bot,
    /// The default: there is no evidence of a bot.
    Human,
}

string_enum!(pub(crate) LinkAction { View = "view", Press = "press" });
string_enum!(pub(crate) Client { Bot = "bot", Human = "human" });

/// The state of the email that contains the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmailStatus {
    /// There is no email: the operator gives the link to the member.
    NotEmailed,
    /// The email server has not accepted it yet.
    InTransit,
    AcceptedAt(Time),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkRequest {
    pub(crate) action: LinkAction,
    pub(crate) received_at: Time,
    pub(crate) signals: RequestSignals,
}

/// The signals of a request about its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestSignals {
    /// The method is `HEAD`.
    pub(crate) is_head: bool,
    /// A header such as `Sec-Purpose: prefetch` marks the request as speculative.
    pub(crate) is_prefetch: bool,
}
