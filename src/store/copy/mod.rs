//! Copies a database to another one, of either engine.
//!
//! The whole copy is one unit of work of the source, which nobody else can change meanwhile, and which it marks at its end.
//! The target is marked from before the first row until its rows have proved to be those of the source. A copy that fails or
//! is killed leaves the source as it was, and a target on which no daemon starts.

mod catalog;
mod catalog_postgres;
mod catalog_sqlite;
mod counters;
mod digest;
mod pages;
mod progress;
mod rows;
mod seclusion;
mod seeds;
mod table;

pub use progress::{CopiedTable, CopyProgress};

use super::Result;
use super::copy_error::CopyError;
use super::copy_mark::{CopyMark, CopyState};
use super::engine::{Flush, Tx, Urgency, Value, query, query_scalar};
use super::sqlite::Store;
use crate::domain::Time;
use digest::TableDigest;
use pages::Pages;
use seclusion::Seclusion;
use table::{Table, quoted};
use tokio_util::sync::CancellationToken;

/// Is told about each page of rows.
type Watch<'a> = &'a mut (dyn FnMut(CopyProgress<'_>) + Send);

struct Copy<'a> {
    target: Store,
    /// Of the target, in the order of the source's.
    tables: Vec<Table>,
    /// Whether the target is PostgreSQL.
    drops_nul: bool,
    total: u64,
    stop: &'a CancellationToken,
    watch: Watch<'a>,
}

impl Store {
    /// Copies all rows to `target`, an empty database, and verifies them. Afterwards, this database takes no work.
    ///
    /// # Errors
    /// [`super::StoreError::Copy`], and whatever keeps either database from being used. Both are marked only after
    /// [`CopyError::NotReleased`].
    pub async fn copy_to(
        &self,
        target: &Self,
        at: Time,
        stop: &CancellationToken,
        watch: Watch<'_>,
    ) -> Result<Vec<CopiedTable>> {
        self.verify_takes_work().await?;
        if self.identity().await? == target.identity().await? {
            return Err(CopyError::SameDatabase { path: target.location() }.into());
        }
        if target.copy_mark().await?.is_some_and(|mark| mark.state == CopyState::Copied) {
            let (path, table) = (target.location(), "copy_mark".to_owned());
            return Err(CopyError::NotEmpty { path, table }.into());
        }
        target.verify_takes_work().await?;
        let (source, target) = (self.despite_mark(), target.despite_mark());
        let copy = async |mut tx: Tx| {
            let (mut copy, tables, secluded) = begin(&source, &target, &mut tx, at, stop, watch).await?;
            let copied = copy.run(&mut tx, &tables).await?;
            source.verify_file()?;
            let mark = CopyMark { state: CopyState::Copied, other: target.absolute_location(), at };
            mark.insert().execute(&mut tx).await?;
            Ok((copied, secluded))
        };
        let (copied, _secluded) = source.try_write(Urgency::Background, Flush::Wait, copy).await?;
        match target.remove_mark().await {
            Ok(()) => Ok(copied),
            Err(error) => Err(CopyError::NotReleased { reason: error.to_string() }.into()),
        }
    }
}

/// Makes sure that nobody else uses either database, that the target is empty, and marks it.
async fn begin<'a>(
    source: &Store,
    target: &Store,
    tx: &mut Tx,
    at: Time,
    stop: &'a CancellationToken,
    watch: Watch<'a>,
) -> Result<(Copy<'a>, Vec<Table>, [Seclusion; 2])> {
    let tables = catalog::read(tx).await?;
    let source_secluded = Seclusion::begin(source, tx, &tables, at).await?;
    let version = catalog::version(tx).await?;
    let mark = CopyMark { state: CopyState::Incomplete, other: source.absolute_location(), at };
    let (of_target, drops_nul, target_secluded) = target
        .try_write(Urgency::Background, Flush::Wait, async |mut tx| {
            let of_target = catalog::read(&mut tx).await?;
            catalog::compare((&tables, version), (&of_target, catalog::version(&mut tx).await?))?;
            let secluded = Seclusion::begin(target, &mut tx, &of_target, at).await?;
            empty(target, &mut tx, &of_target).await?;
            mark.insert().execute(&mut tx).await?;
            Ok((of_target, tx.is_on_postgres(), secluded))
        })
        .await?;
    // The order can differ where several are possible.
    let of_target =
        tables.iter().filter_map(|table| of_target.iter().find(|other| other.name == table.name)).cloned();
    let mut copy =
        Copy { target: target.clone(), tables: of_target.collect(), drops_nul, total: 0, stop, watch };
    for table in &tables {
        copy.total += count(tx, table).await?;
    }
    Ok((copy, tables, [source_secluded, target_secluded]))
}

/// Deletes what the migrations inserted.
///
/// # Errors
/// [`CopyError::NotEmpty`]: there are other rows.
async fn empty(target: &Store, tx: &mut Tx, tables: &[Table]) -> Result<()> {
    for table in tables.iter().rev() {
        if count(tx, table).await? == 0 {
            continue;
        }
        let mut found = TableDigest::default();
        let mut pages = Pages::of(table);
        let seeds = seeds::digest(table).await?;
        while found.rows <= seeds.rows {
            let rows = pages.next(&mut *tx).await?;
            if rows.is_empty() {
                break;
            }
            rows.iter().for_each(|row| found.add(row));
        }
        if found != seeds {
            let (path, table) = (target.location(), table.name.clone());
            return Err(CopyError::NotEmpty { path, table }.into());
        }
        seeds::delete(table).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn count(tx: &mut Tx, table: &Table) -> Result<u64> {
    let count: i64 =
        query_scalar(format!("SELECT count(*) FROM {}", quoted(&table.name))).fetch_one(tx).await?;
    Ok(count.unsigned_abs())
}

impl Copy<'_> {
    async fn run(&mut self, tx: &mut Tx, tables: &[Table]) -> Result<Vec<CopiedTable>> {
        let mut copied = Vec::new();
        let mut done = 0;
        for (at, table) in tables.iter().enumerate() {
            let digest = self.copy(tx, table, at, done).await?;
            if digest.rows != count(tx, table).await? {
                return Err(CopyError::Differs { table: table.name.clone() }.into());
            }
            done += digest.rows;
            copied.push(CopiedTable { name: table.name.clone(), digest });
        }
        let mut done = 0;
        for (at, copied) in copied.iter().enumerate() {
            if self.read_again(tx, at, done).await? != copied.digest {
                return Err(CopyError::Differs { table: copied.name.clone() }.into());
            }
            done += copied.digest.rows;
        }
        Ok(copied)
    }

    /// Copies a table. `done`: the rows of the tables before it.
    async fn copy(&mut self, tx: &mut Tx, table: &Table, at: usize, done: u64) -> Result<TableDigest> {
        let mut digest = TableDigest::default();
        let mut pages = Pages::of(table);
        loop {
            let rows = self.page(&mut pages, &mut *tx).await?;
            if rows.is_empty() {
                break;
            }
            rows.iter().for_each(|row| digest.add(row));
            rows::insert(&self.target, &self.tables[at], rows).await?;
            self.report(&table.name, false, done + digest.rows);
        }
        if !table.self_references.is_empty() {
            let mut pages = Pages::of(table);
            loop {
                let rows = self.page(&mut pages, &mut *tx).await?;
                if rows.is_empty() {
                    break;
                }
                rows::add_self_references(&self.target, &self.tables[at], &rows).await?;
            }
        }
        if let (Some(from), Some(to)) = (&table.counter, &self.tables[at].counter)
            && let Some(last) = counters::read(tx, table, from).await?
        {
            counters::set(&self.target, &self.tables[at], to, last).await?;
        }
        Ok(digest)
    }

    async fn read_again(&mut self, tx: &mut Tx, at: usize, done: u64) -> Result<TableDigest> {
        let table = self.tables[at].clone();
        let target = self.target.clone();
        let mut digest = TableDigest::default();
        let mut pages = Pages::of(&table);
        loop {
            let rows = self.page(&mut pages, &target.reader).await?;
            // The network may cut a connection that is idle for long, which would undo the locks of the source.
            query("SELECT 1").execute(&mut *tx).await?;
            if rows.is_empty() {
                return Ok(digest);
            }
            rows.iter().for_each(|row| digest.add(row));
            self.report(&table.name, true, done + digest.rows);
        }
    }

    /// The next rows, as the target stores them.
    async fn page(&self, pages: &mut Pages<'_>, from: impl super::engine::Target) -> Result<Vec<Vec<Value>>> {
        if self.stop.is_cancelled() {
            return Err(CopyError::Stopped.into());
        }
        let mut rows = pages.next(from).await?;
        if self.drops_nul {
            for value in rows.iter_mut().flatten() {
                *value = std::mem::replace(value, Value::Integer(None)).without_nul();
            }
        }
        Ok(rows)
    }

    fn report(&mut self, table: &str, is_verifying: bool, rows: u64) {
        (self.watch)(CopyProgress { table, is_verifying, rows, total: self.total });
    }
}
