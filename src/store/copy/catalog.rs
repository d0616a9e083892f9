//! The tables of a database, as its own catalog lists them, so that a copy covers what later migrations add.

use super::super::copy_error::CopyError;
use super::super::engine::{Tx, query_scalar};
use super::super::error::Result;
use super::table::Table;
use super::{catalog_postgres, catalog_sqlite};
use std::collections::BTreeSet;

/// Tables whose rows belong to the database itself: why it takes no work, and the daemons that use it.
const OWN_TABLES: [&str; 2] = ["copy_mark", "instances"];

/// The tables to copy, each after those that it refers to.
pub(super) async fn read(tx: &mut Tx) -> Result<Vec<Table>> {
    let tables = if tx.is_on_postgres() {
        catalog_postgres::read(tx).await?
    } else {
        catalog_sqlite::read(tx).await?
    };
    in_order(tables.into_iter().filter(|table| !OWN_TABLES.contains(&table.name.as_str())).collect())
}

/// The newest migration.
pub(super) async fn version(tx: &mut Tx) -> Result<i64> {
    query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(tx).await
}

/// Fails unless both databases have the same tables and columns, and the same newest migration.
pub(super) fn compare((source, version): (&[Table], i64), (target, other): (&[Table], i64)) -> Result<()> {
    if version != other {
        return Err(
            CopyError::DifferentTables { difference: format!("migration {version}, and {other}") }.into()
        );
    }
    let missing = |of: &[Table], other: &[Table]| {
        let is_missing = |table: &&Table| !other.iter().any(|other| other.shape() == table.shape());
        of.iter().find(is_missing).map(|table| table.name.clone())
    };
    match missing(source, target).or_else(|| missing(target, source)) {
        Some(table) => Err(CopyError::DifferentTables { difference: format!("table {table}") }.into()),
        None => Ok(()),
    }
}

fn in_order(mut tables: Vec<Table>) -> Result<Vec<Table>> {
    let (mut ordered, mut names) = (Vec::<Table>::new(), BTreeSet::new());
    while !tables.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|table| table.parents.iter().all(|parent| names.contains(parent)));
        if ready.is_empty() {
            let what = format!("table {}, which refers to itself by way of others,", waiting[0].name);
            return Err(CopyError::Unsupported { what }.into());
        }
        names.extend(ready.iter().map(|table| table.name.clone()));
        ordered.extend(ready);
        tables = waiting;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::copy::table::{Column, Kind, Reference};

    fn table(name: &str, parents: &[&str]) -> Table {
        let columns = vec![Column { name: "id".to_owned(), kind: Kind::Integer }];
        let references =
            parents.iter().map(|parent| Reference { column: "id".into(), table: (*parent).into() });
        Table::new(name.to_owned(), columns, &["id".to_owned()], references.collect(), None).unwrap()
    }

    fn names(tables: Vec<Table>) -> Vec<String> {
        tables.into_iter().map(|table| table.name).collect()
    }

    #[test]
    fn a_table_follows_those_that_it_refers_to() {
        let tables = vec![table("a", &["b", "c"]), table("b", &["c", "b"]), table("c", &[]), table("d", &[])];
        assert_eq!(names(in_order(tables).unwrap()), ["c", "d", "b", "a"]);
        assert!(in_order(vec![table("a", &["b"]), table("b", &["a"])]).is_err());
    }

    #[test]
    fn a_table_that_one_side_lacks_or_has_otherwise_is_named() {
        let other_kind = Table::new(
            "a".to_owned(),
            vec![Column { name: "id".to_owned(), kind: Kind::Text }],
            &["id".to_owned()],
            Vec::new(),
            None,
        );
        let (plain, other_kind) = (vec![table("a", &[])], vec![other_kind.unwrap()]);
        let compare = |a: &[Table], b: &[Table]| super::compare((a, 120), (b, 120));
        assert!(compare(&plain, &plain).is_ok());
        assert!(super::compare((&plain, 120), (&plain, 121)).is_err());
        for other in [other_kind, Vec::new(), vec![table("a", &[]), table("b", &[])]] {
            assert!(compare(&plain, &other).is_err() && compare(&other, &plain).is_err());
        }
    }
}
