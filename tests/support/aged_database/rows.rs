//! Makes rows that a schema permits.

use super::AgedDatabase;
use super::schema::{Column, Kind, Table};

/// In each table, as far as its keys permit.
const ROWS: usize = 2;
/// How many combinations of columns are tried for a row.
const TRIES: u64 = 400;
/// Before the versions of the tests were written.
const TIME: i64 = 1_700_000_000_000;

impl AgedDatabase {
    /// Adds rows to the tables that have none.
    pub(crate) async fn fill(&mut self) {
        let mut empty = Vec::new();
        for table in self.tables().await {
            if self.count(&table.name).await == 0 {
                empty.push(table);
            }
        }
        // A table refers to others, which come first.
        while !empty.is_empty() {
            let mut left = Vec::new();
            let before = empty.len();
            for table in empty {
                for number in 0..ROWS {
                    self.insert(&table, number).await;
                }
                if self.count(&table.name).await == 0 {
                    left.push(table);
                }
            }
            let names: Vec<&str> = left.iter().map(|table| table.name.as_str()).collect();
            assert!(left.len() < before, "no row that the schema permits was found for {names:?}");
            empty = left;
        }
    }

    async fn count(&mut self, table: &str) -> usize {
        let count = self.texts(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}"), 1).await;
        count[0][0].parse().expect("a number")
    }

    /// Tries all columns, then the required ones, then others, until the database takes a row.
    async fn insert(&mut self, table: &Table, number: usize) {
        for attempt in 0..TRIES {
            let is_chosen = |at: usize| match attempt {
                0 => true,
                1 => false,
                _ => mixed(attempt * 64 + at as u64).is_multiple_of(2),
            };
            let columns = table.columns.iter().enumerate();
            let columns: Vec<&Column> = columns
                .filter(|(at, column)| column.is_required || is_chosen(*at))
                .map(|(_, column)| column)
                .collect();
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let values: Vec<String> =
                columns.iter().map(|column| value(&table.name, column, number, attempt)).collect();
            let insert =
                format!("INSERT INTO {} ({}) VALUES ({})", table.name, names.join(", "), values.join(", "));
            if self.run(&insert).await.is_ok() {
                return;
            }
        }
    }
}

fn value(table: &str, column: &Column, number: usize, attempt: u64) -> String {
    if let Some((parent, name, whole)) = &column.parent {
        let order = whole.join(", ");
        return format!("(SELECT {name} FROM {parent} ORDER BY {order} LIMIT 1 OFFSET {number})");
    }
    if !column.permitted.is_empty() {
        let choice = mixed(attempt + number as u64) as usize % column.permitted.len();
        return format!("'{}'", column.permitted[choice]);
    }
    let is_time = ["_at", "until", "since", "day", "not_before"].iter().any(|end| column.name.ends_with(end));
    match column.kind {
        Kind::Number if is_time => (TIME + number as i64).to_string(),
        Kind::Number => (1 + number).to_string(),
        Kind::Flag => "FALSE".to_owned(),
        Kind::Bytes => format!("unhex('{:016x}{:048x}')", mixed(name_number(table)), number),
        Kind::Text => match column.name.as_str() {
            "email" => format!("'aged{number}@example.org'"),
            "sync_errors" => "'[]'".to_owned(),
            name => format!("'{name}{number}'"),
        },
    }
}

/// Bytes are unique, also among the tables: a later version may move them into one.
fn name_number(name: &str) -> u64 {
    name.bytes().fold(0, |number, byte| number.wrapping_mul(31).wrapping_add(byte.into()))
}

/// SplitMix64's mixing of a number.
fn mixed(number: u64) -> u64 {
    let mut value = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
