//! How many of the emails that were sent in a period a person pressed.

use super::engine::query;
use super::row::RowExt;
use super::{Result, Store, millis};
use crate::domain::Time;
use chrono::TimeDelta;

/// The emails about one source, or to one domain, in two periods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PressedEmails {
    pub(crate) name: String,
    pub(crate) usual_emails: u64,
    pub(crate) usual_pressed: u64,
    pub(crate) recent_emails: u64,
    pub(crate) recent_pressed: u64,
}

/// A button of an email that was sent between `$1` and `$3`. A bot may press, too: a person has opened the link.
const BUTTONS: &str = "
    SELECT n.notice_id, n.domain, lower(b.connection_id) AS source, k.token_hash, n.sent_at,
        CASE WHEN b.redeemed_at <= n.sent_at + $4 AND k.first_opened_at IS NOT NULL THEN 1 ELSE 0 END AS is_pressed
    FROM notices n JOIN links k ON k.notice_id = n.notice_id AND k.attempt = n.attempts
    JOIN link_buttons b ON b.token_hash = k.token_hash
    WHERE n.sent_at >= $1 AND n.sent_at < $3 AND n.state = 'sent' AND n.kind = 'reconnect'";

const COUNTS: &str = "
    count(*) FILTER (WHERE sent_at < $2) AS usual_emails,
    count(*) FILTER (WHERE sent_at < $2 AND is_pressed = 1) AS usual_pressed,
    count(*) FILTER (WHERE sent_at >= $2) AS recent_emails,
    count(*) FILTER (WHERE sent_at >= $2 AND is_pressed = 1) AS recent_pressed";

impl Store {
    /// The emails between `since` and `until`, by source and in the order of the sources. An email about several counts for
    /// each. The recent ones begin at `recent_since`. A press counts within `press_time`.
    pub(crate) async fn pressed_by_source(
        &self,
        since: Time,
        recent_since: Time,
        until: Time,
        press_time: TimeDelta,
    ) -> Result<Vec<PressedEmails>> {
        let sql = format!(
            "WITH buttons AS MATERIALIZED ({BUTTONS}) SELECT source AS name, {COUNTS} FROM buttons GROUP BY 1 ORDER BY 1"
        );
        self.pressed(sql, [since, recent_since, until], press_time).await
    }

    /// Like [`Store::pressed_by_source`], by the recipients' domain. An email to several members counts for each.
    pub(crate) async fn pressed_by_domain(
        &self,
        since: Time,
        recent_since: Time,
        until: Time,
        press_time: TimeDelta,
    ) -> Result<Vec<PressedEmails>> {
        let sql = format!(
            "WITH buttons AS MATERIALIZED ({BUTTONS}),
                emails AS (SELECT domain, token_hash, min(sent_at) AS sent_at, max(is_pressed) AS is_pressed
                    FROM buttons GROUP BY domain, token_hash)
             SELECT domain AS name, {COUNTS} FROM emails WHERE domain <> '' GROUP BY 1 ORDER BY 1"
        );
        self.pressed(sql, [since, recent_since, until], press_time).await
    }

    async fn pressed(
        &self,
        sql: String,
        times: [Time; 3],
        press_time: TimeDelta,
    ) -> Result<Vec<PressedEmails>> {
        let [since, recent_since, until] = times.map(millis);
        let rows = query(sql)
            .bind(since)
            .bind(recent_since)
            .bind(until)
            .bind(press_time.num_milliseconds())
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(PressedEmails {
                    name: row.try_get("name")?,
                    usual_emails: row.total("usual_emails")?,
                    usual_pressed: row.total("usual_pressed")?,
                    recent_emails: row.total("recent_emails")?,
                    recent_pressed: row.total("recent_pressed")?,
                })
            })
            .collect()
    }
}
