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

/// A hold that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveHold {
    pub kind: HoldKind,
    /// Whether it covers only what it holds already, which goes out little by little.
    pub is_dripping: bool,
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
    /// Whether an operator holds all email, including what is not about a broken connection.
    pub(crate) fn covers_all_email(&self, now: Time) -> bool {
        self.kind == HoldKind::Operator
            && self.scope == HoldScope::default()
            && self.until.is_none_or(|until| now < until)
    }

    /// `is_held`: whether the notice about the connection is held already.
    pub(crate) fn covers(
        &self,
        member: &MemberId,
        source: &ConnectionId,
        status: Option<&Status>,
        is_held: bool,
        now: Time,
    ) -> bool {
        (is_held || !self.is_dripping)
            && self.until.is_none_or(|until| now < until)
            && self.scope.covers(member, source, status)
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
            is_dripping: false,
            scope: HoldScope { source: source.map(Into::into), member_id: member.map(Into::into), status },
            until: Some(now + TimeDelta::hours(1)),
        };
        let covers = |hold: ActiveHold, at: Time| {
            hold.covers(&"ada".into(), &"Epic".into(), Some(&Status::Expired), false, at)
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

    #[test]
    fn only_an_operator_s_hold_without_conditions_covers_all_email() {
        let now = Time::UNIX_EPOCH;
        let all = ActiveHold {
            kind: HoldKind::Operator,
            is_dripping: false,
            scope: HoldScope::default(),
            until: Some(now + TimeDelta::hours(1)),
        };
        let by_storm = ActiveHold { kind: HoldKind::Storm, ..all.clone() };
        let scope = HoldScope { member_id: Some("ada".into()), ..HoldScope::default() };
        let of_member = ActiveHold { scope, ..all.clone() };
        assert!(all.covers_all_email(now));
        assert!(!all.covers_all_email(now + TimeDelta::hours(1)));
        assert!(!by_storm.covers_all_email(now));
        assert!(!of_member.covers_all_email(now));
    }

    #[test]
    fn a_storm_that_has_calmed_down_covers_only_what_it_holds() {
        let now = Time::UNIX_EPOCH;
        let hold = |is_dripping| ActiveHold {
            kind: HoldKind::Storm,
            is_dripping,
            scope: HoldScope::default(),
            until: None,
        };
        let covers = |is_dripping, is_held| {
            hold(is_dripping).covers(&"ada".into(), &"epic".into(), None, is_held, now)
        };
        let covered = [covers(false, false), covers(false, true), covers(true, false), covers(true, true)];
        assert_eq!(covered, [true, true, false, true]);
    }
}
