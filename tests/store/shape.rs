//! The two histories of migrations make the same tables.

use crate::Fixture;
use reconnectd::store::testing::TestDatabase;
use sqlx::{AssertSqlSafe, PgConnection, Row, SqliteConnection};
use std::collections::{BTreeMap, BTreeSet};

/// `members.email TEXT NOT NULL`, `members PRIMARY KEY (member_id)`, …
type Shape = BTreeSet<String>;

/// Columns that are BOOLEAN in PostgreSQL, and INTEGER in SQLite.
type Flags = BTreeSet<String>;

pub(crate) async fn both_engines_have_the_same_tables(sqlite: &Fixture, postgres: &Fixture) {
    let TestDatabase::Postgres(mut postgres) = postgres.rows().await else { panic!("PostgreSQL") };
    let TestDatabase::Sqlite(mut sqlite) = sqlite.rows().await else { panic!("SQLite") };
    let (of_postgres, flags) = of_postgres(&mut postgres).await;
    let of_sqlite = of_sqlite(&mut sqlite, &flags).await;
    let only = |a: &Shape, b: &Shape| a.difference(b).cloned().collect::<Vec<_>>();
    let (sqlite, postgres) = (only(&of_sqlite, &of_postgres), only(&of_postgres, &of_sqlite));
    assert!(
        sqlite.is_empty() && postgres.is_empty(),
        "only SQLite: {sqlite:#?}\nonly PostgreSQL: {postgres:#?}"
    );
    assert!(of_postgres.len() > 250, "{}", of_postgres.len());
}

/// The words of an expression, without what the engines write differently.
fn words(expression: &str) -> String {
    let casts = expression.replace("::text", "").replace("::bigint", "").replace("strpos(", "instr(");
    let words = casts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let ignored = ["in", "any", "array", "check"];
    let words: Vec<_> =
        words.map(str::to_ascii_lowercase).filter(|word| !ignored.contains(&&**word)).collect();
    words.join(" ")
}

fn column(table: &str, name: &str, kind: &str, is_required: bool) -> String {
    format!("{table}.{name} {kind}{}", if is_required { " NOT NULL" } else { "" })
}

fn index(table: &str, name: &str, is_unique: bool, columns: &str, predicate: &str) -> String {
    let unique = if is_unique { "UNIQUE " } else { "" };
    format!("{unique}INDEX {name} ON {table} ({columns}) WHERE {}", words(predicate))
}

async fn of_sqlite(connection: &mut SqliteConnection, flags: &Flags) -> Shape {
    let mut shape = Shape::new();
    let tables: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (table, sql) in tables {
        let columns = sqlx::query(
            "SELECT name, type, \"notnull\", pk, dflt_value FROM pragma_table_info($1) ORDER BY cid",
        )
        .bind(&table)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let mut key = BTreeMap::new();
        for row in &columns {
            let (name, place): (String, i64) = (row.get("name"), row.get("pk"));
            let kind = match row.get::<String, _>("type").as_str() {
                _ if flags.contains(&format!("{table}.{name}")) => "BOOLEAN",
                "INTEGER" => "BIGINT",
                "BLOB" => "BYTEA",
                "TEXT" => "TEXT",
                other => panic!("{table}.{name}: {other}"),
            };
            shape.insert(column(&table, &name, kind, row.get("notnull") || place > 0));
            if let Some(default) = row.get::<Option<String>, _>("dflt_value") {
                let default = match (kind, default.as_str()) {
                    ("BOOLEAN", "0") => "false".to_owned(),
                    ("BOOLEAN", "1") => "true".to_owned(),
                    _ => default,
                };
                shape.insert(format!("{table}.{name} DEFAULT {default}"));
            }
            if place > 0 {
                key.insert(place, name);
            }
        }
        shape.insert(format!("{table} PRIMARY KEY ({})", key.into_values().collect::<Vec<_>>().join(", ")));
        shape.extend(
            checks(&sql)
                .into_iter()
                .filter(|check| !is_of_a_flag(&table, check, flags))
                .map(|check| format!("{table} CHECK {}", words(&check))),
        );
        let indexes = sqlx::query(
            "SELECT l.name, l.\"unique\", l.origin, m.sql, (SELECT group_concat(i.name, ', ') FROM
                (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno) i) AS columns
             FROM pragma_index_list($1) l LEFT JOIN sqlite_master m ON m.name = l.name",
        )
        .bind(&table)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        for row in &indexes {
            let (columns, sql): (String, Option<String>) = (row.get("columns"), row.get("sql"));
            match row.get::<String, _>("origin").as_str() {
                "c" => {
                    let sql = sql.unwrap();
                    let predicate = sql.split_once("WHERE").map_or("", |(_, predicate)| predicate);
                    shape.insert(index(&table, row.get("name"), row.get("unique"), &columns, predicate));
                }
                "u" => drop(shape.insert(format!("{table} UNIQUE ({columns})"))),
                _ => {}
            }
        }
        let keys = sqlx::query(
            "SELECT \"table\", on_delete, group_concat(\"from\", ', ') AS columns FROM pragma_foreign_key_list($1) GROUP BY id",
        )
        .bind(&table)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        for row in &keys {
            let (to, action, columns): (String, String, String) =
                (row.get("table"), row.get("on_delete"), row.get("columns"));
            shape.insert(format!("{table} ({columns}) REFERENCES {to} ON DELETE {action}"));
        }
    }
    let triggers = "SELECT name || ' ON ' || tbl_name FROM sqlite_master WHERE type = 'trigger'";
    let triggers: Vec<String> = sqlx::query_scalar(triggers).fetch_all(connection).await.unwrap();
    shape.extend(triggers.into_iter().map(|trigger| format!("TRIGGER {trigger}")));
    shape
}

/// A CHECK that an INTEGER is 0 or 1, which BOOLEAN needs not.
fn is_of_a_flag(table: &str, check: &str, flags: &Flags) -> bool {
    flags.iter().any(|flag| {
        let name = flag.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
        name.is_some_and(|name| words(check) == format!("{name} 0 1"))
    })
}

/// The conditions of a CREATE TABLE, between their outer parentheses.
fn checks(sql: &str) -> Vec<String> {
    let mut checks = Vec::new();
    for (start, _) in sql.match_indices("CHECK (") {
        let mut depth = 0;
        let condition: String = sql[start + "CHECK ".len()..]
            .chars()
            .take_while(|c| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                depth > 0
            })
            .collect();
        checks.push(condition);
    }
    checks
}

async fn of_postgres(connection: &mut PgConnection) -> (Shape, Flags) {
    let (mut shape, mut flags) = (Shape::new(), Flags::new());
    let columns = sqlx::query(
        "SELECT table_name::text AS table, column_name::text AS name, data_type::text AS type, is_nullable = 'NO' AS required,
            column_default::text AS default, collation_name::text AS collation
         FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for row in &columns {
        let (table, name, kind): (String, String, String) =
            (row.get("table"), row.get("name"), row.get("type"));
        shape.insert(column(&table, &name, &kind.to_ascii_uppercase(), row.get("required")));
        if kind == "boolean" {
            flags.insert(format!("{table}.{name}"));
        }
        if kind == "text" {
            let collation: Option<String> = row.get("collation");
            assert_eq!(
                collation.as_deref(),
                Some("C"),
                "{table}.{name} would compare by the rules of a language"
            );
        }
        if let Some(default) = row.get::<Option<String>, _>("default") {
            shape.insert(format!(
                "{table}.{name} DEFAULT {}",
                default.replace("::text", "").replace("::bigint", "")
            ));
        }
    }
    let indexes = sqlx::query(
        "SELECT t.relname::text AS table, c.relname::text AS name, i.indisunique AS is_unique,
            coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
            (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k (number, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number) AS columns
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
         WHERE t.relnamespace = current_schema()::regnamespace AND t.relname <> '_sqlx_migrations'
           AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.indexrelid AND o.contype IN ('p', 'u'))",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for row in &indexes {
        let (table, predicate, columns): (String, String, String) =
            (row.get("table"), row.get("predicate"), row.get("columns"));
        shape.insert(index(&table, row.get("name"), row.get("is_unique"), &columns, &predicate));
    }
    let constraints = sqlx::query(
        "SELECT t.relname::text AS table, o.contype::text AS type, pg_get_constraintdef(o.oid) AS text,
            (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(o.conkey) WITH ORDINALITY k (number, place)
             JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.number) AS columns,
            coalesce(f.relname::text, '') AS to_table, o.confdeltype::text AS on_delete
         FROM pg_constraint o JOIN pg_class t ON t.oid = o.conrelid LEFT JOIN pg_class f ON f.oid = o.confrelid
         WHERE t.relnamespace = current_schema()::regnamespace AND t.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for row in &constraints {
        let (table, columns, to): (String, String, String) =
            (row.get("table"), row.get("columns"), row.get("to_table"));
        shape.insert(match row.get::<String, _>("type").as_str() {
            "p" => format!("{table} PRIMARY KEY ({columns})"),
            "u" => format!("{table} UNIQUE ({columns})"),
            "c" => format!("{table} CHECK {}", words(row.get("text"))),
            "f" => {
                let action = match row.get::<String, _>("on_delete").as_str() {
                    "c" => "CASCADE",
                    "n" => "SET NULL",
                    _ => "NO ACTION",
                };
                format!("{table} ({columns}) REFERENCES {to} ON DELETE {action}")
            }
            other => panic!("{table}: a constraint of type {other}"),
        });
    }
    let triggers =
        "SELECT g.tgname || ' ON ' || t.relname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
                    WHERE NOT g.tgisinternal";
    let triggers: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(triggers)).fetch_all(connection).await.unwrap();
    shape.extend(triggers.into_iter().map(|trigger| format!("TRIGGER {trigger}")));
    (shape, flags)
}
