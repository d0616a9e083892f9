//! For each table, how its rows are walked through, and which of them go. In each condition, `$1` is the horizon.

use super::table::PurgedTable;

/// The limit of [`Rule::Oldest`]. It is no parameter, so that PostgreSQL knows that it is small.
pub(super) const OLDEST: u64 = 250;

/// A column of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    Text(&'static str),
    Number(&'static str),
}

impl Column {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Number(name) => name,
        }
    }
}

/// How to find the rows that go.
pub(super) enum Rule {
    Walk(Walk),
    /// A statement that deletes the oldest [`OLDEST`] rows. All of them go, so that none is found again.
    Oldest(&'static str),
    /// Each member is erased.
    EachMember,
}

/// A walk through a whole table in the order of a key. An id says nothing about the age of its row: after a clock was wrong,
/// ids can be later than their times.
pub(super) struct Walk {
    /// With the alias that `goes` uses.
    pub(super) table: (&'static str, &'static str),
    pub(super) key: &'static [Column],
    /// Which rows there are, such as those of a partial index.
    pub(super) which: &'static str,
    pub(super) goes: &'static str,
    /// The column of `purge` without which the database refuses to delete the rows.
    pub(super) permission: Option<&'static str>,
    /// Reads the members to lock; `$1` is the list of keys.
    pub(super) members: Option<&'static str>,
}

const WALK: Walk =
    Walk { table: ("", ""), key: &[], which: "TRUE", goes: "", permission: None, members: None };

/// The planner, a resumed lapse, and the limits of an address need no notice of a lapse that closed before the horizon: it is
/// longer than `sweep.flap_window` and a month. Of other lapses, those that count for the cadence, and what was sent, stay. A
/// notice stays as long as a resend of it, which does not count for the limits because of it.
const NOTICES: Walk = Walk {
    table: ("notices", "n"),
    key: &[Column::Text("notice_id")],
    goes: "n.state IN ('sent', 'abandoned', 'cancelled') AND coalesce(n.sent_at, n.planned_at) < $1
        AND NOT EXISTS (SELECT 1 FROM notice_items i JOIN lapses l ON l.lapse_id = i.lapse_id
            WHERE i.notice_id = n.notice_id AND NOT (l.state = 'closed' AND l.closed_at < $1)
              AND (i.counts_as_step = TRUE OR n.sent_at IS NOT NULL))
        AND NOT EXISTS (SELECT 1 FROM notices r WHERE r.resend_of = n.notice_id)
        AND NOT EXISTS (SELECT 1 FROM links k WHERE k.notice_id = n.notice_id AND k.expires_at >= $1)",
    members: Some(
        "SELECT DISTINCT l.member_id FROM notice_items i JOIN lapses l ON l.lapse_id = i.lapse_id
         WHERE i.notice_id IN (SELECT j.value ->> 'k0' FROM json_each($1) AS j)",
    ),
    ..WALK
};

/// The latest decision about the notice of a lapse tells whether another one will come.
const DECISIONS: Walk = Walk {
    table: ("decisions", "d"),
    key: &[Column::Text("decision_id")],
    goes: "d.last_at < $1 AND NOT EXISTS (SELECT 1 FROM lapses l WHERE l.lapse_id = d.lapse_id AND l.state <> 'closed'
            AND NOT EXISTS (SELECT 1 FROM decisions x
                WHERE x.lapse_id = d.lapse_id AND x.decision_id > d.decision_id AND x.what = 'notice'))",
    ..WALK
};

/// A dismissal stands until the connection is CONNECTED again, and so does an operator's disconnect.
const LAPSES: Walk = Walk {
    table: ("lapses", "l"),
    key: &[Column::Text("lapse_id")],
    goes: "l.state = 'closed' AND l.closed_at < $1 AND l.plan_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM notice_items i WHERE i.lapse_id = l.lapse_id)
        AND ((l.outcome <> 'dismissed' AND l.disconnect_intent IS NULL)
            OR EXISTS (SELECT 1 FROM lapses x WHERE x.member_id = l.member_id AND x.connection_id = l.connection_id
                AND x.lapse_id > l.lapse_id)
            OR (SELECT k.status FROM connections k
                WHERE k.member_id = l.member_id AND k.connection_id = l.connection_id) = 'DELETED')",
    members: Some(
        "SELECT DISTINCT l.member_id FROM lapses l
         WHERE l.lapse_id IN (SELECT j.value ->> 'k0' FROM json_each($1) AS j)",
    ),
    ..WALK
};

const CONNECTIONS: Walk = Walk {
    table: ("connections", "k"),
    key: &[Column::Text("member_id"), Column::Text("connection_id")],
    which: "status = 'DELETED'",
    goes: "k.status = 'DELETED' AND k.changed_at < $1 AND NOT EXISTS
        (SELECT 1 FROM lapses l WHERE l.member_id = k.member_id AND l.connection_id = k.connection_id)",
    members: Some("SELECT DISTINCT j.value ->> 'k0' FROM json_each($1) AS j"),
    ..WALK
};

/// The last one of a connection tells its status.
const TRANSITIONS: Walk = Walk {
    table: ("transitions", "t"),
    key: &[Column::Text("transition_id")],
    goes: "t.observed_at < $1 AND (EXISTS (SELECT 1 FROM transitions x WHERE x.member_id = t.member_id
                AND x.connection_id = t.connection_id AND x.transition_id > t.transition_id)
            OR NOT EXISTS (SELECT 1 FROM connections k
                WHERE k.member_id = t.member_id AND k.connection_id = t.connection_id))",
    permission: Some("transitions_before"),
    ..WALK
};

/// The last one before the horizon tells what was the case at the horizon.
const LAPSE_CHANGES: Walk = Walk {
    table: ("lapse_changes", "c"),
    key: &[Column::Text("lapse_id"), Column::Number("change")],
    goes: "c.at < $1 AND EXISTS
        (SELECT 1 FROM lapse_changes x WHERE x.lapse_id = c.lapse_id AND x.change > c.change AND x.at < $1)",
    ..WALK
};

const MEMBER_CHANGES: Walk = Walk {
    table: ("member_changes", "c"),
    key: &[Column::Text("member_id"), Column::Number("change")],
    goes: "c.at < $1 AND EXISTS
        (SELECT 1 FROM member_changes x WHERE x.member_id = c.member_id AND x.change > c.change AND x.at < $1)",
    ..WALK
};

const INVITATIONS: Walk = Walk {
    table: ("invitations", "v"),
    key: &[Column::Text("invitation_id")],
    goes: "v.notice_id IS NULL AND v.created_at < $1
        AND NOT EXISTS (SELECT 1 FROM link_buttons b WHERE b.invitation_id = v.invitation_id)",
    ..WALK
};

const FAILED_EVENTS: Walk = Walk {
    table: ("events", "e"),
    key: &[Column::Number("sequence")],
    which: "state = 'failed'",
    goes: "e.state = 'failed' AND e.failed_at < $1",
    ..WALK
};

const AUDIT: Walk = Walk {
    table: ("audit", "a"),
    key: &[Column::Text("audit_id")],
    goes: "a.at < $1",
    permission: Some("audit_before"),
    ..WALK
};

impl PurgedTable {
    pub(super) fn rule(self) -> Rule {
        match self {
            Self::Links => Rule::Oldest(
                "DELETE FROM links WHERE token_hash IN (SELECT token_hash FROM links
                    WHERE notice_id IS NULL AND expires_at < $1 ORDER BY expires_at LIMIT 250)",
            ),
            Self::Notices => Rule::Walk(NOTICES),
            Self::Invitations => Rule::Walk(INVITATIONS),
            Self::Decisions => Rule::Walk(DECISIONS),
            Self::Lapses => Rule::Walk(LAPSES),
            Self::Connections => Rule::Walk(CONNECTIONS),
            Self::Transitions => Rule::Walk(TRANSITIONS),
            Self::LapseChanges => Rule::Walk(LAPSE_CHANGES),
            Self::MemberChanges => Rule::Walk(MEMBER_CHANGES),
            Self::Holds => Rule::Oldest(
                "DELETE FROM holds WHERE hold_id IN (SELECT hold_id FROM holds
                    WHERE state = 'ended' AND coalesce(ended_at, until) < $1 ORDER BY hold_id LIMIT 250)",
            ),
            // The last one before the horizon was in force at the horizon.
            Self::PolicyChanges => Rule::Oldest(
                "DELETE FROM policy_changes WHERE change IN (SELECT change FROM policy_changes
                    WHERE change < (SELECT max(change) FROM policy_changes WHERE at < $1) ORDER BY change LIMIT 250)",
            ),
            Self::PlannerPauses => Rule::Oldest(
                "DELETE FROM planner_pauses WHERE until IN
                    (SELECT until FROM planner_pauses WHERE until < $1 ORDER BY until LIMIT 250)",
            ),
            Self::DeliveredEvents => Rule::Oldest(
                "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events
                    WHERE state = 'delivered' AND delivered_at < $1 ORDER BY delivered_at LIMIT 250)",
            ),
            Self::FailedEvents => Rule::Walk(FAILED_EVENTS),
            Self::LinkRequests => Rule::Oldest(
                "DELETE FROM link_requests WHERE (day, domain, action, client) IN
                    (SELECT day, domain, action, client FROM link_requests WHERE day < $1 ORDER BY day LIMIT 250)",
            ),
            Self::Audit => Rule::Walk(AUDIT),
            Self::Members => Rule::EachMember,
        }
    }
}
