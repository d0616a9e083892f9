//! What can happen in a run.

use super::channel::Channel;
use super::imports::FileKind;
use chrono::TimeDelta;
use std::fmt;

/// OAuth sources first; no email is sent about the others.
pub(crate) const SOURCES: [&str; 4] = ["epic", "kaiser-north", "labcorp", "basicins"];
pub(crate) const ZONES: [Option<&str>; 5] = [
    None,
    Some("Europe/Berlin"),
    Some("America/St_Johns"),
    Some("Asia/Kathmandu"),
    Some("America/Los_Angeles"),
];

/// The size of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) members: usize,
    pub(crate) days: i64,
    /// The hours between two sweeps.
    pub(crate) sweep_hours: i64,
    /// The hours between two steps of the daemon that are no sweeps.
    pub(crate) tick_hours: i64,
    /// Whether the operator has a receiver of events.
    pub(crate) has_receiver: bool,
    pub(crate) channel: Channel,
}

/// Of the gateway's list, for one member or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatewayTrouble {
    Unavailable,
    NullData,
    CutBody,
    NotJson,
    /// The URL of a sign-in cannot be had; lists can.
    NoSignIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MailTrouble {
    Greylisting,
    DropsConnections,
    DropsAtData,
    RefusesService,
}

/// What a person does on the page of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Look,
    Reconnect,
    /// Comes back from the source without signing in.
    GiveUp,
    /// Presses again, in another browser, after having reconnected.
    ReconnectTwice,
    Snooze,
    Dismiss,
    Undo,
    Resend,
    Resubscribe,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The gateway shows this status from now on; `None`: it leaves the row out.
    Status {
        member: usize,
        source: usize,
        status: Option<&'static str>,
    },
    /// A source breaks for each member whose number leaves a rest below `share` when divided by ten.
    Outage {
        source: usize,
        status: &'static str,
        share: usize,
    },
    /// Ends it: what broke works again.
    OutageOver {
        source: usize,
        share: usize,
    },
    GatewayTrouble {
        id: usize,
        member: Option<usize>,
        trouble: GatewayTrouble,
    },
    GatewayTroubleOver {
        id: usize,
    },
    MailTrouble {
        id: usize,
        trouble: MailTrouble,
    },
    MailTroubleOver {
        id: usize,
    },
    /// The mail server stores the next emails, and loses its responses.
    LoseResponses {
        times: u32,
    },
    /// The mail server says that the member's address does not exist.
    Refuse {
        member: usize,
    },
    AcceptAll,
    CredentialLost {
        member: usize,
    },
    CredentialBack {
        member: usize,
    },
    /// The receiver of events answers so.
    ReceiverTrouble {
        status: u16,
    },
    ReceiverWorks,
    /// From now on, each refresh consumes the refresh token and brings another one.
    RotateTokens,
    /// The response to the member's next refresh is lost.
    LoseRefresh {
        member: usize,
    },
    /// The operator imports the member with a new refresh token.
    ImportToken {
        member: usize,
    },
    /// A person opens one of the latest links.
    Visit {
        link: usize,
        choice: Choice,
    },
    Unsubscribe {
        member: usize,
    },
    Move {
        member: usize,
        address: Address,
    },
    Zone {
        member: usize,
        zone: usize,
    },
    /// The operator imports everybody again, from a file.
    Import {
        file: FileKind,
    },
    /// The operator disconnects a connection, on behalf of its member.
    Disconnect {
        member: usize,
        source: usize,
    },
    Remove {
        member: usize,
        is_erased: bool,
    },
    Return {
        member: usize,
    },
    Pause {
        member: usize,
    },
    Resume {
        member: usize,
    },
    Hold {
        member: Option<usize>,
        source: Option<usize>,
        status: Option<&'static str>,
        hours: Option<i64>,
    },
    ReleaseAll,
    Suppress {
        member: usize,
    },
    Unsuppress {
        member: usize,
    },
    Invite {
        member: usize,
        source: usize,
    },
    Policy {
        policy: usize,
    },
    Restart,
    /// The daemon dies with deliveries in hand.
    Crash {
        claimed: usize,
    },
    /// Two processes pass at the same time.
    TwoPasses,
    Backup,
    Restore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Own {
        number: usize,
    },
    /// That of a family, in one spelling or another.
    Family {
        number: usize,
        is_capital: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    pub(crate) at: TimeDelta,
    pub(crate) event: Event,
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.at.num_days(), self.at - TimeDelta::days(self.at.num_days()));
        write!(f, "day {days:3} {:02}:{:02} ", rest.num_hours(), rest.num_minutes() % 60)?;
        write!(f, "{:?}", self.event)
    }
}

pub(crate) fn member_id(number: usize) -> String {
    format!("m{}", number + 1)
}
