//! The facts that decide whether another email about the lapses of a link will come.

use super::engine::{Query, fetch_together, query};
use super::planning_inputs::{WAITS_FOR_SWEEP, lapse_input, only_of_member, past_email};
use super::suppressed::SUPPRESSED;
use super::{Result, Store, connections, holds, json_list, lapses, time_zones};
use crate::domain::{MemberId, PlanningInput, Recipient, Spread, TokenHash};

impl Store {
    /// The facts about the member of a link, and only the open lapses behind its buttons. What is queued or held about them
    /// counts as not planned: it is what will come. `None`: the member is not enrolled.
    pub(crate) async fn reminder_facts(
        &self,
        member: &MemberId,
        link: TokenHash,
    ) -> Result<Option<PlanningInput>> {
        let of_link = "b.token_hash = $1 AND b.superseded = FALSE";
        let sql = open_lapses("link_buttons b JOIN lapses l ON l.lapse_id = b.lapse_id", of_link);
        self.facts(member, query(sql).bind(&link.0[..])).await
    }

    /// The facts about a member and all its open lapses, but not those that wait for a sweep. What is queued or held about
    /// them counts as not planned. `None`: the member is not enrolled.
    pub(crate) async fn planning_facts(&self, member: &MemberId) -> Result<Option<PlanningInput>> {
        let of_member = format!("l.member_id = $1 AND NOT {WAITS_FOR_SWEEP}");
        self.facts(member, query(open_lapses("lapses l", &of_member)).bind(member.as_str())).await
    }

    /// `lapses` reads the open lapses. `None`: the member is not enrolled.
    async fn facts(&self, member: &MemberId, lapses: Query) -> Result<Option<PlanningInput>> {
        let sql = format!(
            "SELECT m.member_id, m.time_zone, m.paused_at IS NOT NULL AS is_paused, {SUPPRESSED} AS is_suppressed
             FROM members m WHERE m.member_id = $1 AND m.removed_at IS NULL"
        );
        let recipient = query(sql).bind(member.as_str());
        let of_member = only_of_member(self.notifies_each_member);
        let emails = query(format!(
            "SELECT n.sent_at, n.kind <> 'recovered' AS counts_for_gap
             FROM members m JOIN notices n ON n.address_hash = m.address_hash
             WHERE m.member_id = $1 AND n.state = 'sent' AND n.resend_of IS NULL {of_member}"
        ))
        .bind(member.as_str());
        let holds = holds::select_active(&json_list(std::slice::from_ref(member))?);
        let [recipient, emails, holds, open] =
            fetch_together([recipient, emails, holds, lapses], &self.reader).await?;
        let Some(row) = recipient.first() else { return Ok(None) };
        let recipient = Recipient {
            is_paused: row.try_get("is_paused")?,
            is_suppressed: row.try_get("is_suppressed")?,
            time_zone: time_zones::read(row)?,
            spread: Spread::of(member),
            emails: emails.iter().map(past_email).collect::<Result<_>>()?,
            holds: holds.iter().map(holds::active).collect::<Result<_>>()?,
        };
        let open = open.iter().map(|row| Ok(lapse_input(row)?.1)).collect::<Result<_>>()?;
        Ok(Some(PlanningInput { member_id: member.clone(), recipient, open, recovered: Vec::new() }))
    }
}

/// A statement that reads the open lapses `l` of these tables.
fn open_lapses(tables: &str, condition: &str) -> String {
    format!(
        "SELECT {}, {}, l.snoozed_until, i.step, n.state AS notice_state, n.sent_at,
            (SELECT f.sent_at FROM notice_items fi JOIN notices f ON f.notice_id = fi.notice_id
             WHERE fi.lapse_id = l.lapse_id AND fi.counts_as_step = TRUE AND fi.step = 0) AS first_sent_at,
            EXISTS (SELECT 1 FROM notice_items e JOIN notices f ON f.notice_id = e.notice_id
                    WHERE e.lapse_id = l.lapse_id AND e.counts_as_step = TRUE AND e.extra = TRUE
                      AND f.state IN ('sent', 'abandoned')) AS is_extra
         FROM {tables}
         JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         LEFT JOIN notice_items i ON i.lapse_id = l.lapse_id AND i.counts_as_step = TRUE
            AND i.step = (SELECT max(x.step) FROM notice_items x JOIN notices f ON f.notice_id = x.notice_id
                          WHERE x.lapse_id = l.lapse_id AND x.counts_as_step = TRUE
                            AND f.state IN ('sent', 'abandoned'))
         LEFT JOIN notices n ON n.notice_id = i.notice_id
         WHERE {condition} AND l.state = 'open'",
        lapses::COLUMNS,
        connections::COLUMNS
    )
}
