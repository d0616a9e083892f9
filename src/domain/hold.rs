//! Orders not to send email.

use super::{ConnectionId, MemberId, NoticeReason, Status, Time, text_enum::string_enum};

/// The origin of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    Operator,
    Storm,
}

string_enum!(pub HoldKind { Operator = "operator", Storm = "storm" });

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    Holding,
    /// What it held goes out little by little.
    Dripping,
    Ended,
}

string_enum!(pub HoldState { Holding = "holding", Dripping = "dripping", Ended = "ended" });

/// What a hold covers: whatever meets every condition that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoldScope {
    /// In lower case.
    pub source: Option<ConnectionId>,
    pub member_id: Option<MemberId>,
    pub status: Option<Status>,
}

/// A hold that is in force until its end, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveHold {
    pub kind: HoldKind,
    pub scope: HoldScope,
    pub until: Option<Time>,
}

impl HoldKind {
    pub(crate) fn reason(self) -> NoticeReason {
        match self {
            Self::Operator => NoticeReason::HeldByOperator,
            Self::Storm => NoticeReason::HeldByStorm,
        }
    }
}

impl HoldScope {
    fn covers(&self, member: &MemberId, source: &ConnectionId, status: Option<&Status>) -> bool {
        self.source.as_ref().is_none_or(|of| of.as_str() == source.folded())
            && self.member_id.as_ref().is_none_or(|of| of == member)
            && self.status.as_ref().is_none_or(|of| Some(of) == status)
    }
}

impl ActiveHold {
    pub(crate) fn covers(
        &self,
        member: &MemberId,
        source: &ConnectionId,
        status: Option<&Status>,
        now: Time,
    ) -> bool {
        self.until.is_none_or(|until| now < until) && self.scope.covers(member, source, status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_hold_covers_what_meets_all_its_conditions_until_it_ends() {
        let now = Time::UNIX_EPOCH;
        let hold = |source: Option<&str>, member: Option<&str>, status: Option<Status>| ActiveHold {
            kind: HoldKind::Operator,
            scope: HoldScope { source: source.map(Into::into), member_id: member.map(Into::into), status },
            until: Some(now + TimeDelta::hours(1)),
        };
        let covers = |hold: ActiveHold, at: Time| {
            hold.covers(&"ada".into(), &"Epic".into(), Some(&Status::Expired), at)
        };
        for (hold, expected) in [
            (hold(None, None, None), true),
            (hold(Some("epic"), None, None), true),
            (hold(Some("epic"), Some("ada"), Some(Status::Expired)), true),
            (hold(Some("cerner"), None, None), false),
            (hold(Some("epic"), Some("bob"), None), false),
            (hold(None, None, Some(Status::Disconnected)), false),
        ] {
            assert_eq!(covers(hold.clone(), now), expected, "{hold:?}");
            assert!(!covers(hold, now + TimeDelta::hours(1)));
        }
    }
}
