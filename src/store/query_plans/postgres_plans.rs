//! Plans of PostgreSQL, which depend on the sizes of the tables.

use crate::store::Result;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use std::collections::HashMap;

/// An index: its table, and its first column or expression.
pub(super) struct Index {
    table: String,
    first: String,
}

/// All indexes by name.
pub(super) async fn indexes(connection: &mut PgConnection) -> Result<HashMap<String, Index>> {
    let rows = sqlx::query(
        "SELECT c.relname::text AS name, t.relname::text AS of_table, pg_get_indexdef(i.indexrelid, 1, TRUE) AS first
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
         JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = current_schema()",
    )
    .fetch_all(connection)
    .await?;
    let index = |row: &sqlx::postgres::PgRow| {
        Ok((row.try_get("name")?, Index { table: row.try_get("of_table")?, first: row.try_get("first")? }))
    };
    rows.iter().map(index).collect()
}

/// Lets the planner believe that each table has a million rows, three for each key: it trusts the statistics about the rows in a page, and
/// counts the pages itself. A row that is rolled back leaves its page behind. It must not use up a number of a sequence.
const PRETEND: &str = "
    SET session_replication_role = replica;
    DO $$ DECLARE t record; c record; BEGIN
        FOR t IN SELECT oid::regclass AS name, oid,
                (SELECT attname FROM pg_attribute WHERE attrelid = pg_class.oid AND attidentity <> '') AS numbered
            FROM pg_class
            WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND pg_relation_size(oid) = 0 LOOP
            BEGIN
                FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = t.oid ORDER BY contype = 'p' LOOP
                    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', t.name, c.conname);
                END LOOP;
                FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND attnotnull
                        AND attidentity = '' LOOP
                    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', t.name, c.attname);
                END LOOP;
                EXECUTE CASE WHEN t.numbered IS NULL THEN format('INSERT INTO %s DEFAULT VALUES', t.name)
                    ELSE format('INSERT INTO %s (%I) OVERRIDING SYSTEM VALUE VALUES (0)', t.name, t.numbered) END;
                RAISE EXCEPTION USING ERRCODE = 'ZZ000';
            EXCEPTION WHEN SQLSTATE 'ZZ000' THEN NULL;
            END;
        END LOOP;
    END $$;
    UPDATE pg_class SET reltuples = 1000000, relpages = 1
        WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace;
    INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
            stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
            stacoll1, stacoll2, stacoll3, stacoll4, stacoll5)
        SELECT a.attrelid, a.attnum, FALSE, 0, 20, -0.3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0
          AND a.attname IN ('member_id', 'notice_id', 'lapse_id', 'transition_id', 'token_hash', 'address_hash');
    SET session_replication_role = origin";

pub(super) async fn pretend_large_tables(connection: &mut PgConnection) -> Result<()> {
    connection.execute(sqlx::raw_sql(PRETEND)).await?;
    Ok(())
}

/// The tables that a statement reads as a whole, or from some value on, each with the step of the plan.
pub(super) async fn scans(
    connection: &mut PgConnection,
    text: &str,
    types: &[&str],
    indexes: &HashMap<String, Index>,
) -> Result<Vec<(String, String)>> {
    let (types, values) = match types {
        [] => (String::new(), String::new()),
        types => (format!("({})", types.join(", ")), format!("({})", vec!["NULL"; types.len()].join(", "))),
    };
    connection
        .execute(
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET plan_cache_mode = force_generic_plan",
        )
        .await?;
    connection.execute(AssertSqlSafe(format!("PREPARE explained {types} AS {text}"))).await?;
    let explain = AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) EXECUTE explained {values}"));
    let plan: Value = sqlx::query_scalar(explain).fetch_one(&mut *connection).await?;
    connection.execute("DEALLOCATE explained").await?;
    let mut scans = Vec::new();
    collect(&plan[0]["Plan"], indexes, &mut scans);
    Ok(scans)
}

fn collect(node: &Value, indexes: &HashMap<String, Index>, scans: &mut Vec<(String, String)>) {
    scans.extend(scanned(node, indexes));
    for child in node["Plans"].as_array().into_iter().flatten() {
        collect(child, indexes, scans);
    }
}

/// The table that this step reads as a whole or from some value on.
fn scanned(node: &Value, indexes: &HashMap<String, Index>) -> Option<(String, String)> {
    let text = |key: &str| node[key].as_str().unwrap_or_default();
    if text("Node Type") == "Seq Scan" {
        return Some((text("Relation Name").to_owned(), "Seq Scan".to_owned()));
    }
    let name = node["Index Name"].as_str()?;
    let Index { table, first } = indexes.get(name)?;
    let condition = text("Index Cond");
    let step = format!("{} using {name} {condition}", text("Node Type"));
    (!is_search(condition, first)).then(|| (table.clone(), step))
}

/// Whether a condition compares the first column of the index with a value.
fn is_search(condition: &str, first: &str) -> bool {
    ["", ")", ")::text"].iter().any(|end| {
        condition.contains(&format!("({first}{end} = "))
            || condition.contains(&format!("({first}{end} IS NULL)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_scans_a_table_unless_it_searches_for_a_value_of_the_first_column() {
        let index = || Index { table: "rechecks".to_owned(), first: "purpose".to_owned() };
        let indexes = HashMap::from([("rechecks_in_turn".to_owned(), index())]);
        for (condition, is_scan) in [
            ("", true),
            ("(due_at = $1)", true),
            ("(purpose > $1)", true),
            ("(purpose = $1)", false),
            ("((purpose = ANY ($1)) AND (due_at < $2))", false),
            ("((purpose IS NULL) AND (due_at < $2))", false),
        ] {
            let step = json!({ "Node Type": "Index Scan", "Index Name": "rechecks_in_turn", "Index Cond": condition });
            let table = scanned(&step, &indexes).map(|(table, _)| table);
            assert_eq!(table.as_deref(), is_scan.then_some("rechecks"), "{condition}");
        }
        let step = json!({ "Node Type": "Seq Scan", "Relation Name": "members" });
        assert_eq!(scanned(&step, &indexes), Some(("members".to_owned(), "Seq Scan".to_owned())));
    }
}
