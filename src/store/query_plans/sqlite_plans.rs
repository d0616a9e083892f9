//! Plans of SQLite.
//!
//! Without collected statistics, SQLite plans by the schema alone, so the plans of an empty database are those of a large one.

use crate::store::Result;
use sqlx::{AssertSqlSafe, SqliteConnection};

/// The tables that a statement reads as a whole, or from some value on, each with the step of the plan.
pub(super) async fn scans(
    connection: &mut SqliteConnection,
    text: &str,
    tables: &[String],
) -> Result<Vec<(String, String)>> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(connection).await?;
    let scan = |(.., step): (i64, i64, i64, String)| {
        let table = table_of(scanned(&step)?, text, tables)?.to_owned();
        Some((table, step))
    };
    Ok(plan.into_iter().filter_map(scan).collect())
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
