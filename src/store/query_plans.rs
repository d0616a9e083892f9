//! Finds statements that read a whole table. Only for tests.

mod postgres_plans;
mod sqlite_plans;

use super::Result;
use super::engine::recorder::{self, Statement};
use super::testing::TestDatabase;
use std::collections::HashMap;

/// Tables with few rows: each has a bound, or holds only the work in progress.
const SMALL_TABLES: &[&str] = &[
    "_sqlx_migrations",
    "copy_mark",
    "erasures",
    "former_keys",
    "holds",
    "imports",
    "instance_starts",
    "instances",
    "key_canaries",
    "planner_pauses",
    "purge",
    "planning_policy",
    "policy_changes",
    "sign_in_hosts",
    "storm_changes",
    "sweeps",
    "token_refresh_leases",
    "write_probe",
];

/// A table, a part of the plan's step or of the statement, and why the statement may read more than a few rows of the table.
const PERMITTED: &[(&str, &str, &str)] = &[
    // An index that holds only the work in progress.
    ("lapses", "lapses_to_plan", "the lapses that wait for the planner"),
    ("lapses", "lapses_open", "under another policy, all open lapses are planned again"),
    ("members", "members_unhashed", "the rest of an earlier version's"),
    ("members", "members_without_poll_key", "the rest of an earlier version's"),
    ("notices", "notices_due", "the queue, from its head"),
    ("notices", "notices_leased", "the notices that are being sent"),
    ("notices", "notices_held", "the notices under a hold"),
    ("notices", "notices_unsent", "the queue, from its oldest notice"),
    ("events", "events_due", "the outbox, from its head"),
    ("events", "events_undelivered", "the events that are being sent, or have failed"),
    ("events", "events_delivered", "the events that have become too old"),
    ("events", "state <> 'delivered' GROUP BY state", "the events that are not delivered"),
    ("events", "SELECT state, count(*) FROM events GROUP BY", "`status`"),
    // A page of a walk through the table.
    ("audit", "ORDER BY audit_id DESC LIMIT", "the list"),
    ("connections", "ORDER BY k.member_id, k.connection_id LIMIT", "the list"),
    ("members", "m.member_id >= $1 ORDER BY k.member_id, k.connection_id LIMIT", "the members of its page"),
    ("events", "ORDER BY sequence LIMIT", "the list"),
    ("lapses", "ORDER BY l.lapse_id LIMIT", "the list"),
    ("members", "ORDER BY m.member_id LIMIT", "the list"),
    ("members", "ORDER BY m.poll_key LIMIT", "the sweep"),
    ("notices", "ORDER BY n.notice_id LIMIT", "the list"),
    ("suppressions", "ORDER BY created_at, address_hash, reason LIMIT", "the list"),
    ("transitions", "ORDER BY transition_id LIMIT", "the list"),
    // The purge, a page at a time.
    ("notices", "AS goes FROM (SELECT * FROM notices WHERE", "a page"),
    ("decisions", "AS goes FROM (SELECT * FROM decisions WHERE", "a page"),
    ("lapses", "AS goes FROM (SELECT * FROM lapses WHERE", "a page"),
    ("connections", "AS goes FROM (SELECT * FROM connections WHERE", "a page"),
    ("transitions", "AS goes FROM (SELECT * FROM transitions WHERE", "a page"),
    ("lapse_changes", "AS goes FROM (SELECT * FROM lapse_changes WHERE", "a page"),
    ("member_changes", "AS goes FROM (SELECT * FROM member_changes WHERE", "a page"),
    ("invitations", "AS goes FROM (SELECT * FROM invitations WHERE", "a page"),
    ("events", "AS goes FROM (SELECT * FROM events WHERE", "a page"),
    ("audit", "AS goes FROM (SELECT * FROM audit WHERE", "a page"),
    ("events", "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events WHERE", "the oldest ones"),
    ("members", "members_removed", "the members who were removed"),
    // Rows from some time on, where there are none, or one is enough.
    ("lapses", "opened_at > $1)", "none is in the future"),
    ("notices", "sent_at > $1)", "none is in the future"),
    ("transitions", "observed_at > $1)", "none is in the future"),
    ("notices", "sent_at >=", "ends with the first row"),
    ("credential_failures", "credential_failures_by_retry", "the failures that are not due soon"),
    ("link_requests", "DELETE FROM link_requests WHERE (day,", "the days that have become too old"),
    ("links", "links_handed_over", "the links that have become too old"),
    ("import_rows", "DELETE FROM import_rows WHERE member_id", "there are none, except during an import"),
    ("import_rows", "DELETE FROM import_rows WHERE subject", "there are none, except during an import"),
    // Its statements quote the names of tables.
    ("*", "FROM \"", "a copy of the database, page by page"),
    // At a start, or when the clock was set.
    ("credentials", "GROUP BY key_id", "counts the credentials of each key"),
    ("credentials", "key_id < $1 OR key_id > $1", "those of older keys, none except during a rotation"),
    ("import_rows", "FROM former_keys WHERE sealed_with", "there are none, except during an import"),
    ("rechecks", "WHERE since > $2", "the members with early polls"),
    ("unclear_members", "WHERE retry_at > $2", "the members in trouble"),
    // A sweep ends.
    (
        "lapses",
        "SELECT lower(connection_id), count(*) FROM lapses",
        "the lapses that opened or resumed within the storm brake's window",
    ),
    (
        "connections",
        "SELECT lower(connection_id), count(*) FROM connections",
        "all, while so many lapse that it can be a storm",
    ),
    // A hold begins or ends.
    ("notice_items", "UPDATE notices AS n SET state = 'held'", "the unsent notices"),
    ("notice_items", "SET state = 'queued', not_before", "the notices under a hold"),
    ("notice_items", "UPDATE notices AS n SET reason =", "the notices under a hold"),
    // Each minute, while a storm's notices go out.
    ("notice_items", "SELECT min(n.not_before)", "the notices under a hold"),
    ("notice_items", "UPDATE holds SET state = 'ended', ended_at = $1", "the notices under a hold"),
    // What an operator requests for the whole fleet.
    (
        "notices",
        "WHERE attempts > 0 AND state IN ('queued', 'abandoned') RETURNING",
        "a retry of all notices",
    ),
    ("connections", "connections_mismatched", "`status`"),
    ("connections", "SELECT coalesce(status, 'UNKNOWN'), count(*)", "`status`"),
    ("credential_failures", "SELECT state, count(*)", "`status`"),
    ("members", "count(paused_at) AS paused", "`status`"),
    ("members", "SELECT coalesce(status, 'UNKNOWN'), count(*)", "`status`"),
    ("members", "address_hash IN (SELECT address_hash FROM suppressions)", "`status`"),
    ("members", "SELECT u.reason, count(*)", "`status`"),
    ("members", "FROM unreachable_members r JOIN members", "`status`"),
    ("unreachable_members", "FROM unreachable_members r JOIN members", "`status`"),
    ("notices", "SELECT state, count(*)", "`status`"),
    ("suppressions", "address_hash IN (SELECT address_hash FROM suppressions)", "`status`"),
    ("unclear_members", "SELECT u.reason, count(*)", "`status`"),
    ("lapses", "SELECT count(*) AS lapsed", "the funnel"),
    ("notices", "WITH buttons AS MATERIALIZED", "each hour: the emails of 31 days"),
    ("decisions", "SELECT max(last_at) FROM decisions", "the newest one, when the planner starts"),
    ("lapse_changes", "GROUP BY c.at / 1000", "`replay` of a time with storms"),
    ("link_requests", "WITH counted AS", "the requests by domain"),
    ("members", "WITH counted AS", "the requests by domain"),
    ("members", "SELECT count(*) FROM members m LEFT JOIN unclear_members", "the unreachable members"),
    ("connections", "WITH named AS", "`sources list`: all, by source"),
    ("members", "WITH named AS", "`sources list`: whether each connection's member is enrolled"),
    (
        "lapses",
        "AS source, count(*) FROM lapses WHERE opened_at >= $1",
        "`sources list`: the lapses of 30 days",
    ),
    ("lapses", "lapses_by_recovery", "`sources list`: the recoveries of 30 days"),
    ("transitions", "transitions_by_time", "`sources list`: the transitions of 30 days"),
    // The dashboard.
    ("notices", "notices_abandoned", "the notices that were abandoned"),
    // A column has the name of this table, and stands before an alias.
    ("attempts", "notices_abandoned", "the notices that were abandoned"),
    ("events", "state = 'failed' GROUP BY type", "the events that failed"),
    ("notices", "sent_at / 86400000", "the emails of 30 days"),
    ("lapses", "opened_at / 86400000", "the lapses of 30 days"),
    ("lapses", "plan_at / 3600000", "the lapses that the planner evaluates within a day"),
    ("credential_failures", "ORDER BY f.member_id LIMIT", "the list"),
    ("credential_failures", "UPDATE credential_failures SET retry_at = $1 WHERE", "a retry of all of them"),
    ("unreachable_members", "FROM unreachable_members r", "the members whom nobody tells"),
];

/// The copy of a database reads all tables, in pages. Only its statements have quoted names.
const COPY: [&str; 2] = ["SELECT \"", "SELECT count(*) FROM \""];

/// Starts to record the statements of this process for [`TestDatabase::table_scans`].
pub fn record_statements() {
    recorder::start();
}

impl TestDatabase {
    /// Lets PostgreSQL plan as for large tables. SQLite does so by itself: without statistics, it plans by the schema alone.
    /// The role must be a superuser.
    pub async fn pretend_large_tables(&mut self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => postgres_plans::pretend_large_tables(connection).await,
        }
    }

    /// The recorded statements of this engine that read a whole table which grows, or an unlimited range of one. Each
    /// statement is reported once in a process.
    pub async fn table_scans(&mut self) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        let is_file = matches!(self, Self::Sqlite(_));
        let mut found = Vec::new();
        for statement in recorder::take(|statement| matches!(statement, Statement::Sqlite { .. }) == is_file)
        {
            let (text, types) = match &statement {
                Statement::Sqlite { text } => (text, &[][..]),
                Statement::Postgres { text, types } => (text, &types[..]),
            };
            found.extend(self.scans_by(&catalog, text, types).await?);
        }
        Ok(found)
    }

    /// What [`TestDatabase::table_scans`] reports of a statement without parameters.
    pub async fn scans_of(&mut self, text: &str) -> Result<Vec<String>> {
        let catalog = self.catalog().await?;
        self.scans_by(&catalog, text, &[]).await
    }

    async fn catalog(&mut self) -> Result<Catalog> {
        let tables = self.tables().await?;
        let indexes = match self {
            Self::Sqlite(_) => HashMap::new(),
            Self::Postgres(connection) => postgres_plans::indexes(connection).await?,
        };
        Ok(Catalog { tables, indexes })
    }

    async fn scans_by(&mut self, catalog: &Catalog, text: &str, types: &[&str]) -> Result<Vec<String>> {
        let scans = match self {
            Self::Sqlite(connection) => sqlite_plans::scans(connection, text, &catalog.tables).await?,
            Self::Postgres(_) if is_without_plan(text) => Vec::new(),
            Self::Postgres(connection) => {
                postgres_plans::scans(connection, text, types, &catalog.indexes).await?
            }
        };
        Ok(forbidden(text, scans))
    }
}

struct Catalog {
    tables: Vec<String>,
    /// Of PostgreSQL, by name.
    indexes: HashMap<String, postgres_plans::Index>,
}

/// Whether a statement is a setting or a lock.
fn is_without_plan(text: &str) -> bool {
    ["LOCK ", "SET "].iter().any(|begin| text.trim_start().starts_with(begin))
}

/// The scans that have no reason, as text.
fn forbidden(text: &str, scans: Vec<(String, String)>) -> Vec<String> {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if COPY.iter().any(|copy| words.starts_with(copy)) {
        return Vec::new();
    }
    let is_permitted = |table: &str, step: &str| {
        SMALL_TABLES.contains(&table)
            || PERMITTED
                .iter()
                .any(|(of, part, _)| *of == table && (step.contains(part) || words.contains(part)))
    };
    scans
        .into_iter()
        .filter(|(table, step)| !is_permitted(table, step))
        .map(|(table, step)| format!("{table}: {step}: {words}"))
        .collect()
}
