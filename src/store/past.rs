//! Reads the recorded past for `replay`.

use super::connections;
use super::engine::{Row, query, query_as, query_scalar};
use super::holds::scope;
use super::notices::item;
use super::row::RowExt;
use super::{Result, Store, json_list, millis, time, time_zones};
use crate::domain::{
    ActiveHold, AddressHash, HoldKind, HoldState, LapseId, MemberId, NoticeFate, NoticeState, PastEmail,
    PastHeld, PastHold, PastItem, PastLapse, PastMember, PastNotice, PastOpenings, PastSweep, SharedPast,
    Time,
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// What `max_per_month` is about.
const MONTH: TimeDelta = TimeDelta::days(30);

/// A policy from the time on at which it came into force, as JSON.
#[derive(Clone, Debug)]
pub(crate) struct RecordedPolicy {
    pub(crate) at: Time,
    pub(crate) policy: String,
}

impl Store {
    /// The policies in force since `from`, the oldest first. The first one can be older. Empty: none was recorded.
    pub(crate) async fn recorded_policies(&self, from: Time) -> Result<Vec<RecordedPolicy>> {
        let rows: Vec<(i64, String)> = query_as(
            "SELECT at, policy FROM policy_changes WHERE change >=
                coalesce((SELECT max(change) FROM policy_changes WHERE at <= $1), 1) ORDER BY change",
        )
        .bind(millis(from))
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(at, policy)| RecordedPolicy { at: time(at), policy }).collect())
    }

    /// Since when all changes are recorded, and not deleted. `None`: not yet.
    pub(crate) async fn recorded_since(&self) -> Result<Option<Time>> {
        let first: Option<i64> = query_scalar("SELECT at FROM policy_changes ORDER BY change LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        let Some(first) = first.map(time) else { return Ok(None) };
        Ok(Some(self.replayable_since().await?.map_or(first, |since| since.max(first))))
    }

    /// The next members after `after`, in the order of their ids, who have had a lapse.
    pub(crate) async fn members_with_past(
        &self,
        after: Option<&MemberId>,
        limit: u32,
    ) -> Result<Vec<MemberId>> {
        let ids: Vec<String> = query_scalar(
            "SELECT m.member_id FROM members m WHERE m.member_id > $1
               AND EXISTS (SELECT 1 FROM lapse_changes c WHERE c.member_id = m.member_id)
             ORDER BY m.member_id LIMIT $2",
        )
        .bind(after.map_or("", MemberId::as_str))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(ids.into_iter().map(MemberId::new).collect())
    }

    /// These members, and all who have ever shared one of their addresses, in the order of their ids.
    pub(crate) async fn members_sharing_past(&self, members: &[MemberId]) -> Result<Vec<MemberId>> {
        let ids: Vec<String> = query_scalar(
            "SELECT member_id FROM member_changes WHERE address_hash IN
                (SELECT address_hash FROM member_changes
                 WHERE member_id IN (SELECT value FROM json_each($1)) AND address_hash IS NOT NULL)",
        )
        .bind(json_list(members)?)
        .fetch_all(&self.reader)
        .await?;
        let all: BTreeSet<_> = ids.into_iter().map(MemberId::new).chain(members.iter().cloned()).collect();
        Ok(all.into_iter().collect())
    }

    /// What is recorded about these members until a time. Emails since a month before `from` count.
    pub(crate) async fn past_of(&self, members: &[MemberId], from: Time, until: Time) -> Result<SharedPast> {
        let list = json_list(members)?;
        let members = query(
            "SELECT member_id, at, address_hash, time_zone, is_paused, is_suppressed FROM member_changes
             WHERE member_id IN (SELECT value FROM json_each($1)) AND at <= $2 ORDER BY at, member_id, change",
        )
        .bind(&list)
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        let lapses = query(format!(
            "SELECT c.at, c.lapse_id, c.is_open, c.outcome, c.status AS past_status, c.is_missing AS was_missing,
                c.is_person_mismatch, c.suspected_at, c.opened_at, c.last_opened_at, c.snoozed_until, {}
             FROM lapse_changes c JOIN lapses l ON l.lapse_id = c.lapse_id
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             WHERE c.member_id IN (SELECT value FROM json_each($1)) AND c.at <= $2 ORDER BY c.at, c.lapse_id, c.change",
            connections::COLUMNS
        ))
        .bind(&list)
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        Ok(SharedPast {
            members: members.iter().map(past_member).collect::<Result<_>>()?,
            lapses: lapses.iter().map(past_lapse).collect::<Result<_>>()?,
            notices: self.past_notices(&list).await?,
            held: self.held_by_storms(&list).await?,
            emails: self.past_emails(&list, from, until).await?,
        })
    }

    /// When storms held emails about lapses of the members. `members`: a JSON list.
    async fn held_by_storms(&self, members: &str) -> Result<Vec<PastHeld>> {
        let rows = query(
            "SELECT d.lapse_id, d.at, d.reason = 'held_by_storm' AS is_held FROM decisions d
             WHERE d.member_id IN (SELECT value FROM json_each($1)) AND d.what = 'notice' AND d.lapse_id IS NOT NULL
             ORDER BY d.lapse_id, d.decision_id",
        )
        .bind(members)
        .fetch_all(&self.reader)
        .await?;
        let mut held: Vec<PastHeld> = Vec::new();
        for row in &rows {
            let (lapse_id, at): (LapseId, _) = (row.text("lapse_id")?, row.time("at")?);
            let is_held: bool = row.try_get("is_held")?;
            match held.last_mut().filter(|last| last.lapse_id == lapse_id && last.until.is_none()) {
                Some(last) if !is_held => last.until = Some(at),
                None if is_held => held.push(PastHeld { lapse_id, from: at, until: None }),
                Some(_) | None => {}
            }
        }
        Ok(held)
    }

    /// The notices about lapses of the members that the planner has decided to send. `members`: a JSON list.
    async fn past_notices(&self, members: &str) -> Result<Vec<PastNotice>> {
        let rows = query(
            "SELECT n.notice_id, n.kind, n.resend_of IS NOT NULL AS is_resend, n.state, n.sent_at,
                CASE WHEN n.kind = 'recovered' THEN n.planned_at ELSE coalesce(n.due_at, n.planned_at) END AS due_at,
                CASE WHEN n.state = 'cancelled' THEN
                    max((SELECT coalesce(max(d.last_at), 0) FROM decisions d WHERE d.notice_id = n.notice_id),
                        coalesce(a.finished_at, a.started_at, n.planned_at))
                    ELSE a.started_at END AS ended_at,
                i.step, i.extra, i.counts_as_step, i.in_email IS DISTINCT FROM FALSE AS is_in_email, i.lapse_id,
                i.connection_id, l.member_id
             FROM lapses l JOIN notice_items i ON i.lapse_id = l.lapse_id JOIN notices n ON n.notice_id = i.notice_id
             LEFT JOIN attempts a ON a.notice_id = n.notice_id AND a.attempt = n.attempts
             WHERE l.member_id IN (SELECT value FROM json_each($1))
               AND (n.due_at IS NOT NULL OR n.state IN ('sent', 'abandoned') OR n.kind = 'recovered')
             ORDER BY n.notice_id, l.member_id, i.lapse_id",
        )
        .bind(members)
        .fetch_all(&self.reader)
        .await?;
        let mut notices: Vec<PastNotice> = Vec::new();
        for row in &rows {
            let id = row.text("notice_id")?;
            if notices.last().is_none_or(|last| last.id != id) {
                let sent_at = row.optional_time("sent_at")?;
                let fate = match (row.parsed("state")?, sent_at) {
                    (NoticeState::Sent, Some(sent_at)) => NoticeFate::Sent(sent_at),
                    (NoticeState::Abandoned, _) => NoticeFate::Abandoned,
                    (NoticeState::Cancelled, _) => NoticeFate::Cancelled,
                    _ => NoticeFate::Waits,
                };
                let ended_at = row.optional_time("ended_at")?.or(sent_at);
                notices.push(PastNotice {
                    id,
                    kind: row.parsed("kind")?,
                    is_resend: row.try_get("is_resend")?,
                    fate,
                    due_at: row.time("due_at")?,
                    ended_at: ended_at.filter(|_| fate != NoticeFate::Waits),
                    items: Vec::new(),
                });
            }
            if let Some(notice) = notices.last_mut() {
                notice.items.push(PastItem {
                    item: item(row)?,
                    is_extra: row.try_get("extra")?,
                    is_in_email: row.try_get("is_in_email")?,
                    counts_as_step: row.try_get("counts_as_step")?,
                });
            }
        }
        Ok(notices)
    }

    /// The emails to addresses of the members that count for the limits and that the simulation does not decide about.
    async fn past_emails(
        &self,
        members: &str,
        from: Time,
        until: Time,
    ) -> Result<Vec<(AddressHash, PastEmail)>> {
        let rows = query(
            "SELECT n.address_hash, n.sent_at, n.kind <> 'recovered' AS counts_for_gap FROM notices n
             WHERE n.address_hash IN
                (SELECT c.address_hash FROM member_changes c WHERE c.member_id IN (SELECT value FROM json_each($1)))
               AND n.state = 'sent' AND n.resend_of IS NULL AND n.sent_at > $2
               AND (n.sent_at < $3 OR (n.kind = 'invited' AND n.sent_at <= $4))
             ORDER BY n.sent_at, n.notice_id",
        )
        .bind(members)
        .bind(millis(from - MONTH))
        .bind(millis(from))
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        let email = |row: &Row| {
            let email =
                PastEmail { sent_at: row.time("sent_at")?, counts_for_gap: row.try_get("counts_for_gap")? };
            Ok(address(row)?.map(|address| (address, email)))
        };
        rows.iter().filter_map(|row| email(row).transpose()).collect()
    }

    /// The holds of the time, each with a part for each of its states.
    pub(crate) async fn past_holds(&self, from: Time, until: Time) -> Result<Vec<PastHold>> {
        let rows = query(
            "SELECT h.hold_id, h.kind, h.source, h.member_id, h.status, h.until, coalesce(h.ended_at, h.until) AS ended_at,
                coalesce(c.at, h.since) AS since, coalesce(c.state, 'holding') AS past_state
             FROM holds h LEFT JOIN storm_changes c ON c.hold_id = h.hold_id
             WHERE h.since <= $2 AND (h.ended_at IS NULL OR h.ended_at >= $1 OR h.kind = 'storm')
             ORDER BY h.hold_id, c.change",
        )
        .bind(millis(from))
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        let (mut holds, mut last) = (Vec::<PastHold>::new(), None);
        for row in &rows {
            let (id, since) = (row.text_of("hold_id")?.to_owned(), row.time("since")?);
            if let (Some(known), true) = (holds.last_mut(), last.as_ref() == Some(&id)) {
                known.end = Some(since);
            }
            last = Some(id);
            let is_dripping = row.parsed::<HoldState>("past_state")? == HoldState::Dripping;
            let hold = ActiveHold {
                kind: row.parsed("kind")?,
                is_dripping,
                scope: scope(row)?,
                until: row.optional_time("until")?,
            };
            holds.push(PastHold { hold, from: since, end: row.optional_time("ended_at")? });
        }
        holds.retain(|hold| hold.from <= until && hold.end.is_none_or(|end| end >= from));
        // In the order in which the planner reads them.
        holds.sort_by_key(|hold| (hold.hold.kind == HoldKind::Operator, hold.from));
        Ok(holds)
    }

    /// The sweeps that ended since `from`, the oldest first. One that has not ended ends after `until`.
    pub(crate) async fn past_sweeps(&self, from: Time, until: Time) -> Result<Vec<PastSweep>> {
        let rows: Vec<(i64, i64)> = query_as(
            "SELECT started_at, coalesce(finished_at, $2 + 1) FROM sweeps
             WHERE coalesce(finished_at, $2 + 1) >= $1 AND started_at <= $2
             ORDER BY started_at",
        )
        .bind(millis(from))
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        let sweep =
            |(started, finished)| PastSweep { started_at: time(started), finished_at: time(finished) };
        Ok(rows.into_iter().map(sweep).collect())
    }

    /// When nothing was planned, from and until, the oldest first.
    pub(crate) async fn planner_pauses(&self, from: Time, until: Time) -> Result<Vec<(Time, Time)>> {
        let rows: Vec<(i64, i64)> = query_as(
            "SELECT since, until FROM planner_pauses WHERE until >= $1 AND since <= $2 ORDER BY until",
        )
        .bind(millis(from))
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.into_iter().map(|(since, until)| (time(since), time(until))).collect())
    }

    /// How many lapses opened or resumed, by second and source, the oldest first.
    pub(crate) async fn past_openings(&self, from: Time, until: Time) -> Result<Vec<PastOpenings>> {
        let rows: Vec<(i64, String, i64)> = query_as(
            "SELECT c.at / 1000, lower(l.connection_id), count(*) FROM lapse_changes c
             JOIN lapses l ON l.lapse_id = c.lapse_id
             WHERE c.at > $1 AND c.at <= $2 AND c.is_open = TRUE AND c.at = c.last_opened_at
             GROUP BY c.at / 1000, lower(l.connection_id) ORDER BY 1, 2",
        )
        .bind(millis(from))
        .bind(millis(until))
        .fetch_all(&self.reader)
        .await?;
        let opening = |(second, source, count): (i64, String, i64)| PastOpenings {
            at: time(second.saturating_mul(1_000)),
            source,
            count: count.unsigned_abs(),
        };
        Ok(rows.into_iter().map(opening).collect())
    }
}

fn past_member(row: &Row) -> Result<PastMember> {
    Ok(PastMember {
        at: row.time("at")?,
        member_id: row.text("member_id")?,
        address: address(row)?,
        time_zone: time_zones::read(row)?,
        is_paused: row.try_get("is_paused")?,
        is_suppressed: row.try_get("is_suppressed")?,
    })
}

fn past_lapse(row: &Row) -> Result<PastLapse> {
    let stored = connections::read(row)?;
    Ok(PastLapse {
        at: row.time("at")?,
        lapse_id: row.text("lapse_id")?,
        repair: stored.repair(),
        member_id: stored.member_id,
        connection_id: stored.connection.id,
        is_open: row.try_get("is_open")?,
        outcome: row.optional_parsed("outcome")?,
        status: row.optional_text("past_status")?,
        is_missing: row.try_get("was_missing")?,
        is_person_mismatch: row.try_get("is_person_mismatch")?,
        suspected_at: row.time("suspected_at")?,
        opened_at: row.time("opened_at")?,
        last_opened_at: row.time("last_opened_at")?,
        snoozed_until: row.optional_time("snoozed_until")?,
    })
}

fn address(row: &Row) -> Result<Option<AddressHash>> {
    let hash: Option<Vec<u8>> = row.try_get("address_hash")?;
    Ok(hash.and_then(|hash| hash.try_into().ok()).map(AddressHash))
}

#[cfg(test)]
mod tests;
