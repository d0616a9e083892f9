//! One step: reads a page of a table, and deletes the rows of it that go.

use super::members;
use super::rules::{Column, OLDEST, Rule, Walk};
use super::table::PurgedTable;
use crate::domain::{MemberId, Time};
use crate::store::engine::{Row, Tx, Value, query, query_scalar};
use crate::store::row_locks::lock_members;
use crate::store::{Result, Store, json_list, millis};
use serde_json::{Map, json};

/// Rows that a step reads.
const PAGE: u32 = 500;

/// The key of the last row of a page, behind which the next one begins. Empty at first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place(Vec<Value>);

/// What a step did.
#[derive(Debug)]
pub(crate) struct PurgedPage {
    /// Without those that went with them.
    pub(crate) rows: u64,
    /// `None`: the table is done.
    pub(crate) next: Option<Place>,
}

impl Store {
    /// Reads the next page of the table, and deletes the rows of it that go.
    pub(crate) async fn purge_page(
        &self,
        table: PurgedTable,
        horizon: Time,
        place: &Place,
    ) -> Result<PurgedPage> {
        match table.rule() {
            Rule::Walk(walk) => self.purge_walk(&walk, horizon, place).await,
            Rule::Oldest(statement) => {
                let rows = self.execute(query(statement).bind(millis(horizon))).await?;
                Ok(PurgedPage { rows, next: (rows >= OLDEST).then(Place::default) })
            }
            Rule::EachMember => {
                let after = place.0.first().and_then(|value| match value {
                    Value::Text(Some(id)) => Some(MemberId::new(id.clone())),
                    _ => None,
                });
                let (rows, last) = members::purge(self, after.as_ref(), horizon).await?;
                Ok(PurgedPage { rows, next: last.map(|last| Place(vec![last.as_str().into()])) })
            }
        }
    }

    async fn purge_walk(&self, walk: &Walk, horizon: Time, place: &Place) -> Result<PurgedPage> {
        let page = walk.page(horizon, place).fetch_all(&self.reader).await?;
        let mut keys = Vec::new();
        for row in &page {
            if row.try_get("goes")? {
                keys.push(walk.json_key(row)?);
            }
        }
        let rows = if keys.is_empty() { 0 } else { self.delete(walk, horizon, &json_list(&keys)?).await? };
        let is_last = page.len() < PAGE as usize;
        let next = page.last().filter(|_| !is_last).map(|row| walk.place(row)).transpose()?;
        Ok(PurgedPage { rows, next })
    }

    /// Those of the rows that still go.
    async fn delete(&self, walk: &Walk, horizon: Time, keys: &str) -> Result<u64> {
        self.write(async |mut tx| {
            lock(&mut tx, walk, keys).await?;
            if let Some(permission) = walk.permission {
                let permit = query(format!("UPDATE purge SET {permission} = $1"));
                permit.bind(millis(horizon)).execute(&mut tx).await?;
            }
            let delete = query(walk.deletion()).bind(millis(horizon)).bind(keys);
            let rows = delete.execute(&mut tx).await?.rows_affected();
            if let Some(permission) = walk.permission {
                query(format!("UPDATE purge SET {permission} = NULL")).execute(&mut tx).await?;
            }
            Ok(rows)
        })
        .await
    }
}

async fn lock(tx: &mut Tx, walk: &Walk, keys: &str) -> Result<()> {
    let Some(members) = walk.members.filter(|_| tx.needs_row_locks()) else { return Ok(()) };
    let members: Vec<String> = query_scalar(members).bind(keys).fetch_all(&mut *tx).await?;
    lock_members(tx, &members).await
}

impl Walk {
    fn columns(&self) -> String {
        self.key.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ")
    }

    fn page(&self, horizon: Time, place: &Place) -> crate::store::engine::Query {
        let ((table, alias), columns) = (self.table, self.columns());
        let (mut conditions, mut values) = (vec![self.which.to_owned()], vec![millis(horizon).into()]);
        let mut parameter = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        if !place.0.is_empty() {
            let behind: Vec<_> = place.0.iter().map(|value| parameter(value.clone())).collect();
            conditions.push(format!("({columns}) > ({})", behind.join(", ")));
        }
        let sql = format!(
            "SELECT {columns}, coalesce({}, FALSE) AS goes FROM
                (SELECT * FROM {table} WHERE {} ORDER BY {columns} LIMIT {PAGE}) AS {alias} ORDER BY {columns}",
            self.goes,
            conditions.join(" AND ")
        );
        values.into_iter().fold(query(sql), |query, value| query.bind(value))
    }

    /// `$1`: the horizon; `$2`: the keys.
    fn deletion(&self) -> String {
        let ((table, alias), columns) = (self.table, self.columns());
        let key = |(number, column): (usize, &Column)| match column {
            Column::Text(_) => format!("j.value ->> 'k{number}'"),
            Column::Number(_) => format!("CAST(j.value ->> 'k{number}' AS BIGINT)"),
        };
        let keys: Vec<_> = self.key.iter().enumerate().map(key).collect();
        format!(
            "DELETE FROM {table} AS {alias} WHERE ({columns}) IN (SELECT {} FROM json_each($2) AS j) AND {}",
            keys.join(", "),
            self.goes
        )
    }

    fn place(&self, row: &Row) -> Result<Place> {
        let value = |column: &Column| -> Result<Value> {
            Ok(match column {
                Column::Text(name) => row.try_get::<String>(name)?.into(),
                Column::Number(name) => row.try_get::<i64>(name)?.into(),
            })
        };
        Ok(Place(self.key.iter().map(value).collect::<Result<_>>()?))
    }

    fn json_key(&self, row: &Row) -> Result<Map<String, serde_json::Value>> {
        let value = |(number, column): (usize, &Column)| -> Result<_> {
            let value = match column {
                Column::Text(name) => json!(row.try_get::<String>(name)?),
                Column::Number(name) => json!(row.try_get::<i64>(name)?),
            };
            Ok((format!("k{number}"), value))
        };
        self.key.iter().enumerate().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;
    use crate::store::time;

    /// Purges the table until it is done, or takes as many steps. Returns the numbers of rows that went with each.
    async fn purge(store: &Store, table: PurgedTable, most: usize) -> Vec<u64> {
        let (mut steps, mut place) = (Vec::new(), Some(Place::default()));
        while let Some(here) = place.filter(|_| steps.len() < most) {
            let page = store.purge_page(table, time(1_000), &here).await.unwrap();
            steps.push(page.rows);
            place = page.next;
        }
        steps
    }

    #[tokio::test]
    async fn what_does_not_fit_into_a_step_goes_in_the_next_one() {
        let (store, _folder) = new_store().await;
        for (count, rows) in [
            (
                21_i64,
                "members (member_id, email, subject, added_at, updated_at, removed_at) SELECT 'm' || i, '', '', 0, 0, 1",
            ),
            (
                501,
                "decisions (decision_id, member_id, what, reason, at, last_at) SELECT 'd' || i, 'm1', '', '', 1, 1",
            ),
            (251, "planner_pauses (until, since) SELECT i, 0"),
            // 500 that stay, then one that goes, and its successor.
            (
                502,
                "member_changes (member_id, change, at, is_paused, is_suppressed)
                 SELECT CASE WHEN i <= 500 THEN 'm1' ELSE 'm2' END, i, CASE WHEN i <= 500 THEN 2000 ELSE 1 END, 0, 0",
            ),
        ] {
            let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
            store.execute(query(format!("{numbers} INSERT INTO {rows} FROM n")).bind(count)).await.unwrap();
        }
        for (table, expected) in [
            (PurgedTable::Decisions, [500, 1]),
            (PurgedTable::PlannerPauses, [250, 1]),
            (PurgedTable::MemberChanges, [0, 1]),
            (PurgedTable::Members, [20, 1]),
        ] {
            assert_eq!(purge(&store, table, 3).await, expected, "{table:?}");
        }
    }
}
