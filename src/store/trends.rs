//! How lapses, recoveries, and emails spread over time and over the sources, for charts.

use super::engine::{query, query_as, query_scalar};
use super::row::RowExt;
use super::{Result, Store, millis, time};
use crate::domain::{ConnectionId, HoldKind, Time};
use chrono::{Days, NaiveDate, TimeDelta};

/// What happened on one day (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayCount {
    pub day: NaiveDate,
    /// In lower case. `None`: all sources.
    pub source: Option<ConnectionId>,
    pub count: u64,
}

/// The open lapses of one source, by how long ago they opened or resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenByAge {
    /// In lower case.
    pub source: ConnectionId,
    /// The place of the age among the limits.
    pub band: usize,
    pub count: u64,
}

/// What goes out in one hour (UTC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourCount {
    /// Its first instant.
    pub hour: Time,
    /// In lower case. `None`: an invitation.
    pub source: Option<ConnectionId>,
    pub count: u64,
}

/// The emails of the next time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upcoming {
    /// The queued emails. An email about several sources counts for each.
    pub queued: Vec<HourCount>,
    /// The open lapses without a queued email that the planner evaluates then: most get a reminder.
    pub reminders: Vec<HourCount>,
    /// The queued emails, each once.
    pub emails: u64,
}

/// Something that explains a change in a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartMark {
    pub at: Time,
    pub kind: MarkKind,
    /// The version that started, or the source that was held.
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    Start,
    Policy,
    OperatorHold,
    Storm,
}

/// How long recoveries took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryTimes {
    pub recovered: u64,
    pub median: Option<TimeDelta>,
    /// Nine of ten recoveries took at most so long.
    pub nine_of_ten: Option<TimeDelta>,
}

/// The emails that wait, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// The emails that wait for another attempt, by the reason code of the last one.
    pub retried: Vec<(String, u64)>,
    /// The emails that were sent since the given instant.
    pub sent: u64,
}

const HOUR: i64 = 3_600_000;

/// The reminders that are due in each hour: an open lapse without an email that is under way.
const REMINDERS: &str = "SELECT l.plan_at / 3600000, lower(l.connection_id), count(*) FROM lapses l
    WHERE l.plan_at > $1 AND l.plan_at <= $2 AND l.state = 'open' AND NOT EXISTS
        (SELECT 1 FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
         WHERE i.lapse_id = l.lapse_id AND n.state IN ('queued', 'held', 'sending'))
    GROUP BY 1, 2 ORDER BY 1, 2";

fn day(number: i64) -> NaiveDate {
    let epoch = NaiveDate::default();
    u64::try_from(number).ok().and_then(|days| epoch.checked_add_days(Days::new(days))).unwrap_or(epoch)
}

impl Store {
    /// The lapses that opened since an instant.
    pub async fn lapses_by_day(&self, since: Time) -> Result<Vec<DayCount>> {
        self.by_day(
            "SELECT opened_at / 86400000, lower(connection_id), count(*) FROM lapses WHERE opened_at >= $1
             GROUP BY 1, 2 ORDER BY 1, 2",
            since,
        )
        .await
    }

    /// The lapses that recovered since an instant.
    pub async fn recoveries_by_day(&self, since: Time) -> Result<Vec<DayCount>> {
        self.by_day(
            "SELECT closed_at / 86400000, lower(connection_id), count(*) FROM lapses
             WHERE outcome = 'recovered' AND closed_at >= $1 GROUP BY 1, 2 ORDER BY 1, 2",
            since,
        )
        .await
    }

    /// The emails that were sent since an instant.
    pub async fn emails_by_day(&self, since: Time) -> Result<Vec<DayCount>> {
        self.by_day(
            "SELECT sent_at / 86400000, CAST(NULL AS TEXT), count(*) FROM notices WHERE sent_at >= $1 GROUP BY 1
             ORDER BY 1",
            since,
        )
        .await
    }

    async fn by_day(&self, sql: &'static str, since: Time) -> Result<Vec<DayCount>> {
        let rows: Vec<(i64, Option<String>, i64)> =
            query_as(sql).bind(millis(since)).fetch_all(&self.reader).await?;
        let count = |(number, source, count): (i64, Option<String>, i64)| DayCount {
            day: day(number),
            source: source.map(ConnectionId::new),
            count: count.unsigned_abs(),
        };
        Ok(rows.into_iter().map(count).collect())
    }

    /// The open lapses by source and age. `limits`: the ages that separate the bands, in ascending order.
    pub async fn open_lapses_by_age(&self, limits: &[TimeDelta], now: Time) -> Result<Vec<OpenByAge>> {
        let cases: String = (1..=limits.len())
            .map(|n| format!(" WHEN coalesce(last_opened_at, opened_at) > ${n} THEN {}", n - 1))
            .collect();
        let sql = format!(
            "SELECT lower(connection_id), CAST(CASE{cases} ELSE {} END AS BIGINT), count(*) FROM lapses
             WHERE state = 'open' GROUP BY 1, 2 ORDER BY 1, 2",
            limits.len()
        );
        let mut query = query_as(sql);
        for limit in limits {
            query = query.bind(millis(now - *limit));
        }
        let rows: Vec<(String, i64, i64)> = query.fetch_all(&self.reader).await?;
        let open = |(source, band, count): (String, i64, i64)| OpenByAge {
            source: ConnectionId::new(source),
            band: usize::try_from(band).unwrap_or(0),
            count: count.unsigned_abs(),
        };
        Ok(rows.into_iter().map(open).collect())
    }

    /// What goes out until an instant, as far as it is known. Quiet hours and other gates can defer reminders.
    pub async fn upcoming(&self, now: Time, until: Time) -> Result<Upcoming> {
        let queued = query_as(
            "SELECT max(n.not_before, $1) / 3600000, lower(i.connection_id), count(DISTINCT n.notice_id)
             FROM notices n LEFT JOIN notice_items i ON i.notice_id = n.notice_id
                AND (i.counts_as_step = TRUE OR n.resend_of IS NOT NULL)
             WHERE n.state = 'queued' AND n.not_before <= $2 GROUP BY 1, 2 ORDER BY 1, 2",
        );
        let queued: Vec<(i64, Option<String>, i64)> =
            queued.bind(millis(now)).bind(millis(until)).fetch_all(&self.reader).await?;
        let reminders: Vec<(i64, Option<String>, i64)> =
            query_as(REMINDERS).bind(millis(now)).bind(millis(until)).fetch_all(&self.reader).await?;
        let emails: i64 =
            query_scalar("SELECT count(*) FROM notices n WHERE n.state = 'queued' AND n.not_before <= $1")
                .bind(millis(until))
                .fetch_one(&self.reader)
                .await?;
        let count = |(hour, source, count): (i64, Option<String>, i64)| HourCount {
            hour: time(hour * HOUR),
            source: source.map(ConnectionId::new),
            count: count.unsigned_abs(),
        };
        Ok(Upcoming {
            queued: queued.into_iter().map(count).collect(),
            reminders: reminders.into_iter().map(count).collect(),
            emails: emails.unsigned_abs(),
        })
    }

    /// Starts of daemons, changes of the policy, and holds since an instant, in the order of time.
    pub async fn chart_marks(&self, since: Time) -> Result<Vec<ChartMark>> {
        let starts: Vec<(i64, String)> =
            query_as("SELECT started_at, version FROM instance_starts WHERE started_at >= $1")
                .bind(millis(since))
                .fetch_all(&self.reader)
                .await?;
        // The first one is no change.
        let policies: Vec<i64> = query_scalar("SELECT at FROM policy_changes WHERE change > 1 AND at >= $1")
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await?;
        let holds = query("SELECT since, kind, source FROM holds WHERE since >= $1")
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await?;
        let mut marks: Vec<ChartMark> = starts
            .into_iter()
            .map(|(at, version)| ChartMark { at: time(at), kind: MarkKind::Start, detail: Some(version) })
            .chain(policies.into_iter().map(|at| ChartMark {
                at: time(at),
                kind: MarkKind::Policy,
                detail: None,
            }))
            .collect();
        for row in &holds {
            let kind = match row.parsed("kind")? {
                HoldKind::Operator => MarkKind::OperatorHold,
                HoldKind::Storm => MarkKind::Storm,
            };
            marks.push(ChartMark { at: row.time("since")?, kind, detail: row.optional_text("source")? });
        }
        marks.sort_by_key(|mark| mark.at);
        Ok(marks)
    }

    /// Since when the policy in force holds. `None`: it was never recorded.
    pub(crate) async fn policy_since(&self) -> Result<Option<Time>> {
        let at: Option<i64> = query_scalar("SELECT at FROM policy_changes ORDER BY change DESC LIMIT 1")
            .fetch_optional(&self.reader)
            .await?;
        Ok(at.map(time))
    }

    /// How long the recoveries since an instant took, from the opening of the lapse.
    pub async fn recovery_times(&self, since: Time) -> Result<RecoveryTimes> {
        let row: Option<(i64, i64, i64)> = query_as(
            "WITH durations AS (
                SELECT max(closed_at - opened_at, 0) AS duration FROM lapses
                WHERE outcome = 'recovered' AND closed_at >= $1 AND opened_at IS NOT NULL),
             ranked AS (
                SELECT duration, row_number() OVER (ORDER BY duration) AS place, count(*) OVER () AS total
                FROM durations)
             SELECT total, min(duration) FILTER (WHERE place * 2 >= total),
                min(duration) FILTER (WHERE place * 10 >= total * 9)
             FROM ranked GROUP BY total",
        )
        .bind(millis(since))
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.map_or_else(RecoveryTimes::default, |(total, median, nine_of_ten)| RecoveryTimes {
            recovered: total.unsigned_abs(),
            median: Some(TimeDelta::milliseconds(median)),
            nine_of_ten: Some(TimeDelta::milliseconds(nine_of_ten)),
        }))
    }

    /// The state of the queue of emails, and how many were sent since an instant.
    pub async fn queue_state(&self, sent_since: Time) -> Result<QueueState> {
        let retried: Vec<(String, i64)> = query_as(
            "SELECT reason, count(*) FROM notices WHERE state = 'queued' AND attempts > 0 GROUP BY reason
             ORDER BY 2 DESC, 1",
        )
        .fetch_all(&self.reader)
        .await?;
        let sent: i64 = query_scalar("SELECT count(*) FROM notices WHERE sent_at >= $1")
            .bind(millis(sent_since))
            .fetch_one(&self.reader)
            .await?;
        Ok(QueueState {
            retried: retried.into_iter().map(|(reason, count)| (reason, count.unsigned_abs())).collect(),
            sent: sent.unsigned_abs(),
        })
    }
}
