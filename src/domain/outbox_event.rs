//! Events for the operator's own systems.

use super::text_enum::string_enum;
use super::{MemberId, Time};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    ConnectionLapsed,
    ConnectionRecovered,
    /// The gateway's list shows the effect of an operator's command.
    ConnectionDisconnected,
    MemberUnreachable,
    NoticeDue,
    NoticeSent,
    NoticeAbandoned,
    LinkRedeemed,
    StormStarted,
    StormEnded,
    CredentialRejected,
    AddressSuppressed,
}

string_enum!(pub EventType {
    ConnectionLapsed = "connection.lapsed",
    ConnectionRecovered = "connection.recovered",
    ConnectionDisconnected = "connection.disconnected",
    MemberUnreachable = "member.unreachable",
    NoticeDue = "notice.due",
    NoticeSent = "notice.sent",
    NoticeAbandoned = "notice.abandoned",
    LinkRedeemed = "link.redeemed",
    StormStarted = "storm.started",
    StormEnded = "storm.ended",
    CredentialRejected = "credential.rejected",
    AddressSuppressed = "address.suppressed",
});

impl EventType {
    pub(crate) const KNOWN: [Self; 12] = [
        Self::ConnectionLapsed,
        Self::ConnectionRecovered,
        Self::ConnectionDisconnected,
        Self::MemberUnreachable,
        Self::NoticeDue,
        Self::NoticeSent,
        Self::NoticeAbandoned,
        Self::LinkRedeemed,
        Self::StormStarted,
        Self::StormEnded,
        Self::CredentialRejected,
        Self::AddressSuppressed,
    ];
}

/// The types that the operator's systems get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTypes(u16);

impl EventTypes {
    pub(crate) const ALL: Self = Self(u16::MAX);

    pub(crate) fn contains(self, event: EventType) -> bool {
        self.0 & Self::bit(event) != 0
    }

    pub(crate) fn without(self, event: EventType) -> Self {
        Self(self.0 & !Self::bit(event))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(event: EventType) -> u16 {
        1 << event as u16
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<T: IntoIterator<Item = EventType>>(events: T) -> Self {
        Self(events.into_iter().fold(0, |bits, event| bits | Self::bit(event)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventState {
    /// Waits for its time, or for an earlier event of its member.
    Queued,
    Sending,
    Delivered,
    /// Not delivered within three days.
    Failed,
}

string_enum!(pub EventState {
    Queued = "queued",
    Sending = "sending",
    Delivered = "delivered",
    Failed = "failed",
});

/// An event as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedEvent {
    pub id: super::EventId,
    /// Ordered by the time of the fact, for each member.
    pub sequence: i64,
    /// The text of an [`EventType`], or one of another version.
    pub event_type: String,
    /// `None`: about no member.
    pub member_id: Option<MemberId>,
    pub state: EventState,
    pub attempts: u32,
    pub created_at: Time,
    pub delivered_at: Option<Time>,
    /// The next attempt; `None` while an earlier event of the member comes first.
    pub next_at: Option<Time>,
    /// The reason code of the last failed attempt.
    pub last_error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_known_and_told_apart() {
        assert_eq!(EventType::KNOWN.as_slice(), EventType::ALL);
        let only: EventTypes = [EventType::NoticeSent].into_iter().collect();
        let twice: EventTypes = [EventType::NoticeSent; 2].into_iter().collect();
        assert_eq!(twice, only);
        assert!(EventTypes::default().is_empty() && !only.is_empty());
        for event in EventType::KNOWN {
            assert!(EventTypes::ALL.contains(event));
            assert!(!EventTypes::default().contains(event));
            assert_eq!(only.contains(event), event == EventType::NoticeSent);
        }
    }
}
