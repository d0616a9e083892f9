//! Transitions, lapses, and the decisions about them.

use super::scope::Scope;
use crate::domain::{
    ChangeReason, Event, HistoryCode, HistoryEntry, Lapse, LapseEvent, LapseState, Outcome, Time,
};
use crate::store::engine::{Row, query};
use crate::store::planning_inputs::WAITS_FOR_SWEEP;
use crate::store::row::RowExt;
use crate::store::{Result, Store, lapses, millis};

/// What is known about a lapse beside its own row.
struct LapseFacts {
    lapse: Lapse,
    /// The emails that were sent about it.
    emails: u64,
    /// Until when its first email waited for `first_after`.
    patience_ends: Option<Time>,
    is_dismissed_by_member: bool,
    /// Whether the member's press is a decision.
    has_dismissal: bool,
    waits_for_sweep: bool,
}

impl Store {
    pub(super) async fn transitions_of(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let rows = scope.bind(query(
            "SELECT connection_id, NULL AS notice_id, from_status, to_status, observed_at, reason FROM transitions
             WHERE member_id = $1 AND ($2 = '' OR lower(connection_id) = $2)
             ORDER BY transition_id DESC LIMIT $3",
        ))
                .fetch_all(&self.reader)
        .await?;
        let entry = |row: &Row| {
            let code = row.text_of("reason")?;
            let event = Event::Transition {
                from: row.optional_text("from_status")?,
                to: row.text("to_status")?,
                reason: code.parse::<ChangeReason>().ok(),
            };
            scope.entry_of(row, row.time("observed_at")?, code, event)
        };
        rows.iter().rev().map(entry).collect()
    }

    pub(super) async fn lapses_of(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let rows = scope.bind(query(format!(
            "SELECT {}, l.dismissed_by_member, {WAITS_FOR_SWEEP} AS waits_for_sweep, NULL AS notice_id,
                (SELECT count(*) FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
                 WHERE i.lapse_id = l.lapse_id AND i.in_email IS DISTINCT FROM FALSE
                   AND n.state = 'sent' AND n.kind = 'reconnect') AS emails,
                (SELECT max(d.not_before) FROM decisions d
                 WHERE d.lapse_id = l.lapse_id AND d.reason = 'first_after') AS patience_ends,
                EXISTS (SELECT 1 FROM decisions d
                        WHERE d.lapse_id = l.lapse_id AND d.what = 'lapse' AND d.reason = 'dismissed') AS has_dismissal
             FROM (SELECT * FROM lapses
                   WHERE member_id = $1 AND ($2 = '' OR lower(connection_id) = $2)
                   ORDER BY lapse_id DESC LIMIT $3) AS l ORDER BY l.lapse_id",
            lapses::COLUMNS
        )))
                .fetch_all(&self.reader)
        .await?;
        let mut entries = Vec::new();
        for row in &rows {
            let facts = LapseFacts {
                lapse: lapses::read(row)?,
                emails: row.total("emails")?,
                patience_ends: row.optional_time("patience_ends")?,
                is_dismissed_by_member: row.try_get("dismissed_by_member")?,
                has_dismissal: row.try_get("has_dismissal")?,
                waits_for_sweep: row.try_get("waits_for_sweep")?,
            };
            for (at, code, event) in facts.events() {
                entries.push(scope.entry_of(row, at, code, Event::Lapse(event))?);
            }
        }
        Ok(entries)
    }

    pub(super) async fn decisions_about(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let rows = scope
            .bind(query(
                "SELECT connection_id, notice_id, what, reason, not_before, at, last_at, count FROM decisions
             WHERE member_id = $1 AND ($2 = '' OR lower(connection_id) = $2)
             ORDER BY decision_id DESC LIMIT $3",
            ))
            .fetch_all(&self.reader)
            .await?;
        let entry = |row: &Row| {
            let code = row.text_of("reason")?;
            let event = Event::Decision {
                subject: row.parsed("what")?,
                reason: code.parse().ok(),
                not_before: row.optional_time("not_before")?,
            };
            Ok(HistoryEntry {
                last_at: row.time("last_at")?,
                count: row.total("count")?,
                ..scope.entry_of(row, row.time("at")?, code, event)?
            })
        };
        rows.iter().rev().map(entry).collect()
    }
}

impl LapseFacts {
    /// What the row still shows. Of a lapse that resumed, it shows the last break only; the transitions show all.
    fn events(&self) -> Vec<(Time, &'static str, LapseEvent)> {
        let Lapse { state, suspected_at, opened_at, .. } = self.lapse;
        let (mut events, is_confirmed) = (Vec::new(), state != LapseState::Suspected);
        // The columns have milliseconds.
        let opened_at = opened_at.filter(|_| is_confirmed || self.resumed());
        let suspected = (suspected_at, "suspected", LapseEvent::Suspected { is_confirmed });
        match opened_at {
            None if self.lapse.consecutive_observations == 0 => {}
            None => events.push(suspected),
            Some(opened_at) => {
                if millis(suspected_at) < millis(opened_at) {
                    events.push(suspected);
                }
                events.push((opened_at, "confirmed", LapseEvent::Opened));
                if self.resumed() {
                    events.push((suspected_at, "resumed", LapseEvent::Resumed { is_confirmed }));
                }
                if self.waits_for_sweep {
                    let code = HistoryCode::WaitingForSweep.as_str();
                    events.push((opened_at, code, LapseEvent::WaitsForSweep));
                }
            }
        }
        events.extend(self.closed());
        events
    }

    fn resumed(&self) -> bool {
        self.lapse.opened_at.is_some_and(|opened_at| opened_at < self.lapse.suspected_at)
    }

    /// `None` also when a decision says the same.
    fn closed(&self) -> Option<(Time, &'static str, LapseEvent)> {
        let Lapse { state, outcome, closed_at, .. } = self.lapse;
        let (outcome, closed_at) = (outcome?, closed_at?);
        let is_by_member = outcome == Outcome::Dismissed && self.is_dismissed_by_member;
        if state != LapseState::Closed || (is_by_member && self.has_dismissal) {
            return None;
        }
        let event = LapseEvent::Closed {
            outcome,
            is_by_member,
            emails: self.emails,
            was_in_patience: self.patience_ends.is_some_and(|end| closed_at < end),
        };
        Some((closed_at, outcome.as_str(), event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{LapseId, MemberId};
    use crate::store::time;

    /// A lapse that is still under way, from these milliseconds on.
    fn facts(state: LapseState, suspected_at: i64, opened_at: Option<i64>) -> LapseFacts {
        let lapse = Lapse {
            id: LapseId::new("1"),
            member_id: MemberId::from("alice"),
            connection_id: "epic".into(),
            state,
            outcome: None,
            suspected_at: time(suspected_at),
            consecutive_observations: 1,
            opened_at: opened_at.map(time),
            closed_at: None,
            disconnect_intent: None,
        };
        LapseFacts {
            lapse,
            emails: 0,
            patience_ends: None,
            is_dismissed_by_member: false,
            has_dismissal: false,
            waits_for_sweep: false,
        }
    }

    fn closed(outcome: Outcome, at: i64) -> LapseFacts {
        let facts = facts(LapseState::Closed, 1, None);
        let lapse = Lapse {
            outcome: Some(outcome),
            closed_at: Some(time(at)),
            consecutive_observations: 0,
            ..facts.lapse
        };
        LapseFacts { lapse, ..facts }
    }

    #[test]
    fn a_lapse_tells_of_its_breaks_as_far_as_its_row_shows_them() {
        for (facts, told) in [
            (facts(LapseState::Suspected, 1, None), &["suspected"][..]),
            (facts(LapseState::Open, 1, Some(1)), &["confirmed"]),
            (facts(LapseState::Open, 1, Some(2)), &["suspected", "confirmed"]),
            (facts(LapseState::Open, 2, Some(1)), &["confirmed", "resumed"]),
            (facts(LapseState::Suspected, 2, Some(1)), &["confirmed", "resumed"]),
            (closed(Outcome::Dismissed, 2), &["dismissed"]),
        ] {
            let codes: Vec<_> = facts.events().into_iter().map(|(_, code, _)| code).collect();
            assert_eq!(codes, told);
        }
    }

    #[test]
    fn the_end_of_a_lapse_is_the_member_s_only_if_they_dismissed_it_and_is_told_once() {
        for (outcome, is_dismissed_by_member, has_dismissal, told) in [
            (Outcome::Dismissed, false, false, Some(false)),
            (Outcome::Dismissed, true, false, Some(true)),
            (Outcome::Dismissed, true, true, None),
            (Outcome::Recovered, false, true, Some(false)),
        ] {
            let facts = LapseFacts { is_dismissed_by_member, has_dismissal, ..closed(outcome, 2) };
            let by_member = facts.closed().map(|(_, _, event)| match event {
                LapseEvent::Closed { is_by_member, .. } => is_by_member,
                other => panic!("{other:?}"),
            });
            assert_eq!(by_member, told);
        }
    }

    #[test]
    fn a_lapse_that_closes_when_the_patience_ends_was_not_in_it() {
        for (closed_at, expected) in [(4, true), (5, false)] {
            let facts = LapseFacts { patience_ends: Some(time(5)), ..closed(Outcome::Recovered, closed_at) };
            let (_, _, event) = facts.closed().unwrap();
            let is_in_patience = matches!(event, LapseEvent::Closed { was_in_patience: true, .. });
            assert_eq!(is_in_patience, expected, "{closed_at}");
        }
    }
}
