//! The tables whose old rows are deleted, in the order in which it is done.

use crate::domain::{Horizons, Time};

/// Rows that refer to a row of these tables go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PurgedTable {
    /// Those that were handed over. The others go with their notices.
    Links,
    Notices,
    /// Those that were handed over. The others go with their notices.
    Invitations,
    Decisions,
    Lapses,
    /// Those that are DELETED.
    Connections,
    Transitions,
    LapseChanges,
    MemberChanges,
    Holds,
    PolicyChanges,
    PlannerPauses,
    DeliveredEvents,
    FailedEvents,
    LinkRequests,
    Audit,
    /// Those who were removed.
    Members,
}

/// What others refer to comes after them.
pub(crate) const TABLES: [PurgedTable; 17] = [
    PurgedTable::Links,
    PurgedTable::Notices,
    PurgedTable::Invitations,
    PurgedTable::Decisions,
    PurgedTable::Lapses,
    PurgedTable::Connections,
    PurgedTable::Transitions,
    PurgedTable::LapseChanges,
    PurgedTable::MemberChanges,
    PurgedTable::Holds,
    PurgedTable::PolicyChanges,
    PurgedTable::PlannerPauses,
    PurgedTable::DeliveredEvents,
    PurgedTable::FailedEvents,
    PurgedTable::LinkRequests,
    PurgedTable::Audit,
    PurgedTable::Members,
];

impl PurgedTable {
    /// Its name in the database.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Notices => "notices",
            Self::Invitations => "invitations",
            Self::Decisions => "decisions",
            Self::Lapses => "lapses",
            Self::Connections => "connections",
            Self::Transitions => "transitions",
            Self::LapseChanges => "lapse_changes",
            Self::MemberChanges => "member_changes",
            Self::Holds => "holds",
            Self::PolicyChanges => "policy_changes",
            Self::PlannerPauses => "planner_pauses",
            Self::DeliveredEvents | Self::FailedEvents => "events",
            Self::LinkRequests => "link_requests",
            Self::Audit => "audit",
            Self::Members => "members",
        }
    }

    /// What is older goes.
    pub(crate) fn horizon(self, horizons: &Horizons) -> Option<Time> {
        match self {
            Self::Transitions | Self::Connections => horizons.transitions,
            Self::Decisions => horizons.decisions,
            Self::Lapses => horizons.lapses(),
            Self::Audit => horizons.audit,
            Self::Members => horizons.members(),
            Self::Links
            | Self::Notices
            | Self::Invitations
            | Self::LapseChanges
            | Self::MemberChanges
            | Self::Holds
            | Self::PolicyChanges
            | Self::PlannerPauses
            | Self::DeliveredEvents
            | Self::FailedEvents
            | Self::LinkRequests => horizons.notices,
        }
    }
}
