//! Finds statements that read a whole table. Only for tests.
//!
//! Without collected statistics, SQLite plans by the schema alone, so the plans of an empty database are those of a large one.

use super::Result;
use super::engine::recorder;
use super::testing::TestDatabase;
use sqlx::AssertSqlSafe;

/// Tables with few rows: each has a bound, or holds only the work in progress.
const SMALL_TABLES: &[&str] = &[
    "imports",
    "instances",
    "key_canaries",
    "planning_policy",
    "sign_in_hosts",
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
    // A page of a walk through the table.
    ("connections", "ORDER BY k.member_id, k.connection_id LIMIT", "the list"),
    ("lapses", "ORDER BY l.lapse_id LIMIT", "the list"),
    ("members", "ORDER BY m.member_id LIMIT", "the list"),
    ("members", "ORDER BY m.poll_key LIMIT", "the sweep"),
    ("notices", "ORDER BY n.notice_id LIMIT", "the list"),
    ("suppressions", "ORDER BY created_at, address_hash, reason LIMIT", "the list"),
    ("transitions", "ORDER BY transition_id LIMIT", "the list"),
    // Rows from some time on, where there are none, or one is enough.
    ("lapses", "opened_at > $1)", "none is in the future"),
    ("notices", "sent_at > $1)", "none is in the future"),
    ("transitions", "observed_at > $1)", "none is in the future"),
    ("notices", "sent_at >=", "ends with the first row"),
    ("credential_failures", "credential_failures_by_retry", "the failures that are not due soon"),
    ("link_requests", "DELETE FROM link_requests WHERE day <", "the day that has become too old"),
    ("import_rows", "DELETE FROM import_rows WHERE member_id", "there are none, except during an import"),
    // Its statements quote the names of tables.
    ("*", "FROM \"", "a copy of the database, page by page"),
    // At a start, or when the clock was set.
    ("credentials", "GROUP BY key_id", "counts the credentials of each key"),
    ("rechecks", "WHERE since > $2", "the members with early polls"),
    ("unclear_members", "WHERE retry_at > $2", "the members in trouble"),
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
    ("notices", "SELECT state, count(*)", "`status`"),
    ("suppressions", "address_hash IN (SELECT address_hash FROM suppressions)", "`status`"),
    ("unclear_members", "SELECT u.reason, count(*)", "`status`"),
    ("lapses", "SELECT count(*) AS lapsed", "the funnel"),
    ("link_requests", "WITH counted AS", "the requests by domain"),
    ("members", "WITH counted AS", "the requests by domain"),
    ("members", "SELECT count(*) FROM members m LEFT JOIN unclear_members", "the unreachable members"),
];

/// Starts to record the statements of this process for [`TestDatabase::table_scans`].
pub fn record_statements() {
    recorder::start();
}

impl TestDatabase {
    /// The recorded statements that read a whole table which grows, or an unlimited range of one. Each statement is reported
    /// once in a process. Only those of SQLite.
    pub async fn table_scans(&mut self) -> Result<Vec<String>> {
        let tables = self.tables().await?;
        let mut found = Vec::new();
        let Self::Sqlite(connection) = self else { return Ok(found) };
        for text in recorder::take() {
            let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
            let plan: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(explain).fetch_all(&mut *connection).await?;
            for (.., step) in plan {
                let Some(name) = scanned(&step) else { continue };
                let Some(table) = table_of(name, &text, &tables) else { continue };
                let is_permitted = |(of, part, _): &(&str, &str, &str)| {
                    ["*", table].contains(of) && (step.contains(part) || words.contains(part))
                };
                if !SMALL_TABLES.contains(&table) && !PERMITTED.iter().any(is_permitted) {
                    found.push(format!("{table}: {step}: {text}"));
                }
            }
        }
        Ok(found)
    }
}

/// The table, or its alias, that a step of a plan reads as a whole or from some value on.
fn scanned(step: &str) -> Option<&str> {
    let name = |rest: &'static str| step.strip_prefix(rest)?.split(' ').next();
    if let Some(name) = name("SCAN ") {
        return Some(name);
    }
    let is_range = !step.contains("=?") || step.contains("AUTOMATIC");
    name("SEARCH ").filter(|_| is_range)
}

/// The table behind a name in a statement. `None` for a subquery.
fn table_of<'a>(name: &str, text: &str, tables: &'a [String]) -> Option<&'a str> {
    let find = |name: &str| tables.iter().find(|table| *table == name).map(String::as_str);
    if let Some(table) = find(name) {
        return Some(table);
    }
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(3).find_map(|words| {
        let table = find(words[0])?;
        let alias = if words[1].eq_ignore_ascii_case("AS") { words[2] } else { words[1] };
        (alias == name).then_some(table)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_scans_a_table_unless_it_searches_for_a_value() {
        for (step, table) in [
            ("SCAN m", Some("m")),
            ("SCAN members USING COVERING INDEX members_by_address", Some("members")),
            ("SEARCH m USING INDEX members_to_poll (poll_key>?)", Some("m")),
            ("SEARCH m USING AUTOMATIC COVERING INDEX (member_id=?)", Some("m")),
            ("SEARCH m USING INDEX sqlite_autoindex_members_1 (member_id=?)", None),
            ("SEARCH r USING INDEX rechecks_in_turn (purpose=? AND due_at<?)", None),
            ("USE TEMP B-TREE FOR ORDER BY", None),
        ] {
            assert_eq!(scanned(step), table, "{step}");
        }
    }

    #[test]
    fn an_alias_stands_for_its_table() {
        let tables = ["members".to_owned(), "links".to_owned()];
        let text = "SELECT * FROM links k JOIN members AS m ON m.member_id = k.member_id";
        let found = ["k", "m", "links", "subquery"].map(|name| table_of(name, text, &tables));
        assert_eq!(found, [Some("links"), Some("members"), Some("links"), None]);
    }
}
