//! What the tables of a database demand of their rows.

use super::{AgedDatabase, Sql};

/// Without rows in a database at rest, or with a row that stops all work.
const OMITTED: [&str; 3] = ["copy_mark", "erasures", "instances"];

pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// There is no row without a value.
    pub(super) is_required: bool,
    /// The values that a constraint permits, if it lists them.
    pub(super) permitted: Vec<String>,
    /// The table and the column that it refers to, and all columns of that reference.
    pub(super) parent: Option<(String, String, Vec<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Flag,
    Text,
    Bytes,
}

/// A row for each column: table, column, type, whether it is required, and the definition of the table's constraints.
const OF_SQLITE: &str = "SELECT m.name, p.name, lower(p.type), CAST(p.\"notnull\" = 1 AND p.dflt_value IS NULL AS TEXT), m.sql
    FROM sqlite_master m, pragma_table_info(m.name) p
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1, p.cid";
const OF_POSTGRES: &str = "SELECT c.table_name::text, c.column_name::text, c.data_type::text,
        CASE WHEN c.is_nullable = 'NO' AND c.column_default IS NULL AND c.is_identity = 'NO' THEN '1' ELSE '0' END,
        coalesce((SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint k
            WHERE k.contype = 'c' AND k.conrelid = c.table_name::regclass), '')
    FROM information_schema.columns c JOIN pg_tables t ON t.schemaname = c.table_schema AND t.tablename = c.table_name
    WHERE c.table_schema = current_schema() AND c.table_name NOT LIKE '\\_%' ORDER BY 1, c.ordinal_position";

/// A row for each column of a reference: number of the reference, table, column, parent, column of the parent.
const REFERENCES_OF_SQLITE: &str =
    "SELECT m.name || ' ' || f.id, m.name, f.\"from\", f.\"table\", coalesce(f.\"to\",
        (SELECT p.name FROM pragma_table_info(f.\"table\") p WHERE p.pk = f.seq + 1))
    FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1, f.seq";
const REFERENCES_OF_POSTGRES: &str = "SELECT k.oid::text, k.conrelid::regclass::text, a.attname::text,
        k.confrelid::regclass::text, b.attname::text
    FROM pg_constraint k, unnest(k.conkey, k.confkey) WITH ORDINALITY u (own, parent, place), pg_attribute a, pg_attribute b
    WHERE k.contype = 'f' AND a.attrelid = k.conrelid AND a.attnum = u.own AND b.attrelid = k.confrelid
        AND b.attnum = u.parent ORDER BY k.oid, u.place";

impl AgedDatabase {
    /// The tables that hold something in a database at rest.
    pub(super) async fn tables(&mut self) -> Vec<Table> {
        let (columns, references) = match &self.sql {
            Sql::Sqlite(_) => (OF_SQLITE, REFERENCES_OF_SQLITE),
            Sql::Postgres(_) => (OF_POSTGRES, REFERENCES_OF_POSTGRES),
        };
        let references = self.texts(references, 5).await;
        let mut tables: Vec<Table> = Vec::new();
        for column in self.texts(columns, 5).await {
            let [table, name, kind, is_required, constraints] = &column[..] else { panic!("five texts") };
            if OMITTED.contains(&table.as_str()) {
                continue;
            }
            if tables.last().is_none_or(|last| last.name != *table) {
                tables.push(Table { name: table.clone(), columns: Vec::new() });
            }
            let parent = references.iter().find(|row| row[1] == *table && row[2] == *name).map(|row| {
                let whole =
                    references.iter().filter(|other| other[0] == row[0]).map(|other| other[4].clone());
                (row[3].clone(), row[4].clone(), whole.collect())
            });
            tables.last_mut().expect("one was added").columns.push(Column {
                name: name.clone(),
                kind: Kind::of(kind),
                is_required: is_required == "1",
                permitted: permitted(constraints, name),
                parent,
            });
        }
        tables
    }
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            "boolean" => Self::Flag,
            "blob" | "bytea" => Self::Bytes,
            "text" => Self::Text,
            _ => Self::Number,
        }
    }
}

/// The literals of `column IN ('a', 'b')`, or of PostgreSQL's form of it.
fn permitted(constraints: &str, column: &str) -> Vec<String> {
    let starts = [format!("{column} IN ("), format!("({column} = ANY (ARRAY[")];
    let list = starts.iter().find_map(|start| constraints.split_once(start.as_str()));
    let Some((_, list)) = list else { return Vec::new() };
    let list = list.split([')', ']']).next().unwrap_or_default();
    list.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}
