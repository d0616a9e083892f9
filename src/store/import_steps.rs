//! The transactions of an import.

use super::Store;
use super::audit;
use super::convert::{millis, time};
use super::engine::{Tx, per_engine, query, query_as, query_scalar};
use super::error::Result;
use super::former_keys::verify_in_use;
use super::recorded_changes;
use super::row_locks::lock_imported_members;
use crate::domain::{AuditEntry, NoticeReason, Time};

/// Rows of an interrupted import applied in one transaction.
const REST_STEP: u32 = 500;
/// Staged rows deleted in one transaction.
const DISCARD_STEP: u32 = 5_000;

/// The staged rows of import `$1` up to line `$2`, each with the enrolled member's values.
const ROWS: &str = "rows AS (
    SELECT r.*, m.email AS old_email, m.address_hash AS old_hash, m.domain AS old_domain, m.locale AS old_locale,
           m.time_zone AS old_time_zone, m.subject AS old_subject, m.label AS old_label,
           CASE WHEN r.subject IS NULL THEN coalesce(m.subject, r.member_id)
                WHEN r.subject = '' THEN r.member_id ELSE r.subject END AS new_subject
    FROM import_rows r LEFT JOIN members m ON m.member_id = r.member_id AND m.removed_at IS NULL
    WHERE r.import_id = $1 AND r.line <= $2)";

/// Stores rows, which are a JSON list. `keys` sealed their credentials.
pub(super) async fn stage(tx: &mut Tx, import: i64, rows: &str, keys: &[&str]) -> Result<()> {
    const COLUMNS: &str =
        "import_id, line, member_id, email, address_hash, domain, locale, time_zone, subject, label,
        poll_key, key_id, sealed, imported_key, imported_hash";
    per_engine(
        format!(
            "INSERT INTO import_rows ({COLUMNS})
             SELECT $1, value ->> 'line', value ->> 'id', value ->> 'email', unhex(value ->> 'address_hash'),
                value ->> 'domain', value ->> 'locale', value ->> 'time_zone', value ->> 'subject',
                value ->> 'label', value ->> 'poll_key', value ->> 'key_id', unhex(value ->> 'sealed'),
                value ->> 'imported_key', unhex(value ->> 'imported_hash')
             FROM json_each($2)"
        ),
        // Reads each row once, not once for each field.
        format!(
            "INSERT INTO import_rows ({COLUMNS})
             SELECT $1, line, id, email, unhex(address_hash), domain, locale, time_zone, subject, label, poll_key,
                key_id, unhex(sealed), imported_key, unhex(imported_hash)
             FROM json_to_recordset($2::json) AS r (line bigint, id text, email text, address_hash text, domain text,
                locale text, time_zone text, subject text, label text, poll_key bigint, key_id text, sealed text,
                imported_key text, imported_hash text)"
        ),
    )
    .bind(import)
    .bind(rows)
    .execute(&mut *tx)
    .await?;
    verify_in_use(tx, keys).await
}

/// From now on, the import is finished even after an interruption.
pub(super) async fn mark_read(store: &Store, import: i64, entry: AuditEntry<'_>, now: Time) -> Result<()> {
    let update = query("UPDATE imports SET read_at = $2 WHERE import_id = $1").bind(import).bind(millis(now));
    store
        .write(async |mut tx| {
            update.clone().execute(&mut tx).await?;
            audit::record(&mut tx, entry, now).await
        })
        .await
}

/// Applies the next `limit` rows and deletes them. Returns the number of members enrolled or updated; `None` when no row
/// was left and the import has ended.
pub(super) async fn apply(store: &Store, import: i64, limit: u32, now: Time) -> Result<Option<u64>> {
    store.write(async |mut tx| apply_in(&mut tx, import, limit, now).await).await
}

async fn apply_in(tx: &mut Tx, import: i64, limit: u32, now: Time) -> Result<Option<u64>> {
    let last: Option<i64> = query_scalar(
        "SELECT max(line) FROM (SELECT line FROM import_rows WHERE import_id = $1 ORDER BY line LIMIT $2) next",
    )
    .bind(import)
    .bind(limit)
    .fetch_one(&mut *tx)
    .await?;
    let Some(last) = last else {
        query("DELETE FROM imports WHERE import_id = $1").bind(import).execute(&mut *tx).await?;
        return Ok(None);
    };
    lock_imported_members(&mut *tx, import, last).await?;
    let mut step = Step { tx, import, last, now: millis(now) };
    step.forgive_addresses().await?;
    step.replan_moved_members().await?;
    step.forget_other_subjects().await?;
    let applied = step.change_members().await?;
    step.record_members().await?;
    step.change_credentials().await?;
    step.run("DELETE FROM import_rows WHERE import_id = $1 AND line <= $2").await?;
    Ok(Some(applied))
}

/// Applies the rest of the imports whose files were read to the end, and deletes the rows of the others. Only for the
/// holder of the import lock. Returns the number of members enrolled or updated.
pub(super) async fn finish_interrupted(store: &Store, now: Time) -> Result<u64> {
    let imports: Vec<(i64, bool)> =
        query_as("SELECT import_id, read_at IS NOT NULL FROM imports ORDER BY import_id")
            .fetch_all(&store.reader)
            .await?;
    let mut members = 0;
    for (import, is_read) in imports {
        if !is_read {
            discard(store, import).await?;
            continue;
        }
        while let Some(applied) = apply(store, import, REST_STEP, now).await? {
            members += applied;
        }
    }
    Ok(members)
}

/// Deletes an import and its rows.
pub(super) async fn discard(store: &Store, import: i64) -> Result<()> {
    loop {
        let delete = query(
            "DELETE FROM import_rows WHERE import_id = $1
               AND line IN (SELECT line FROM import_rows WHERE import_id = $1 ORDER BY line LIMIT $2)",
        )
        .bind(import)
        .bind(DISCARD_STEP);
        if store.execute(delete).await? == 0 {
            store.execute(query("DELETE FROM imports WHERE import_id = $1").bind(import)).await?;
            return Ok(());
        }
    }
}

/// One transaction for the rows of `import` up to line `last`.
struct Step<'a> {
    tx: &'a mut Tx,
    import: i64,
    last: i64,
    now: i64,
}

impl Step<'_> {
    /// Runs a statement with the import, the last line, and the time as `$1`, `$2`, and `$3`.
    async fn run(&mut self, sql: impl Into<String>) -> Result<u64> {
        let query = query(sql.into()).bind(self.import).bind(self.last).bind(self.now);
        Ok(query.execute(&mut *self.tx).await?.rows_affected())
    }

    /// A notice that was abandoned because of the old address may be sent to the new one.
    async fn forgive_addresses(&mut self) -> Result<()> {
        let moved = format!("WITH {ROWS} SELECT member_id FROM rows WHERE email <> old_email");
        self.run(format!(
            "UPDATE notice_items SET counts_as_step = FALSE WHERE counts_as_step = TRUE AND notice_id IN
                (SELECT notice_id FROM notices WHERE state = 'abandoned' AND member_id IN ({moved}))"
        ))
        .await?;
        self.run(format!("UPDATE lapses SET plan_at = $3 WHERE state = 'open' AND member_id IN ({moved})"))
            .await?;
        Ok(())
    }

    /// Quiet hours depend on the time zone. A queued notice that waits for their end passes the gates again.
    async fn replan_moved_members(&mut self) -> Result<()> {
        let moved =
            format!("WITH {ROWS} SELECT member_id FROM rows WHERE time_zone <> coalesce(old_time_zone, '')");
        self.run(format!(
            "UPDATE lapses SET plan_at = $3 WHERE state = 'open' AND plan_at > $3 AND member_id IN ({moved})"
        ))
        .await?;
        self.run(format!(
            "UPDATE notices SET not_before = $3 WHERE state = 'queued' AND reason = '{}' AND not_before > $3
               AND member_id IN ({moved})",
            NoticeReason::QuietHours.as_str()
        ))
        .await?;
        Ok(())
    }

    /// To the identity provider, another subject is another person. The tokens of the old subject must not be used.
    async fn forget_other_subjects(&mut self) -> Result<()> {
        let others = format!("WITH {ROWS} SELECT member_id FROM rows WHERE new_subject <> old_subject");
        for table in ["access_tokens", "credential_failures", "token_subjects"] {
            self.run(format!("DELETE FROM {table} WHERE member_id IN ({others})")).await?;
        }
        self.run(format!("UPDATE members SET response_digest = NULL WHERE member_id IN ({others})")).await?;
        Ok(())
    }

    /// Enrolls and updates the members. A row without an address changes only an enrolled member.
    async fn change_members(&mut self) -> Result<u64> {
        let edited = |column: &str| {
            format!("CASE WHEN {column} IS NULL THEN old_{column} ELSE nullif({column}, '') END")
        };
        let (locale, time_zone, label) = (edited("locale"), edited("time_zone"), edited("label"));
        let applied = self
            .run(format!(
                "WITH {ROWS}
                 INSERT INTO members (member_id, email, address_hash, domain, locale, time_zone, label, subject,
                    poll_key, added_at, updated_at)
                 SELECT member_id, coalesce(email, old_email), coalesce(address_hash, old_hash),
                        coalesce(domain, old_domain), {locale}, {time_zone}, {label}, new_subject, poll_key, $3, $3
                 FROM rows WHERE coalesce(email, old_email) IS NOT NULL
                 ON CONFLICT (member_id) DO UPDATE SET email = excluded.email, address_hash = excluded.address_hash,
                    domain = excluded.domain, locale = excluded.locale, time_zone = excluded.time_zone,
                    label = excluded.label, subject = excluded.subject, updated_at = excluded.updated_at,
                    added_at = CASE WHEN members.removed_at IS NULL THEN members.added_at ELSE excluded.added_at END,
                    paused_at = CASE WHEN members.removed_at IS NULL THEN members.paused_at END,
                    answered_at = CASE WHEN members.removed_at IS NULL THEN members.answered_at END,
                    response_digest = CASE WHEN members.removed_at IS NULL THEN members.response_digest END, removed_at = NULL"
            ))
            .await?;
        self.run(
            "UPDATE notices SET domain = (SELECT m.domain FROM members m WHERE m.member_id = notices.member_id)
             WHERE state IN ('queued', 'held') AND member_id IN
                (SELECT member_id FROM import_rows WHERE import_id = $1 AND line <= $2 AND email IS NOT NULL)",
        )
        .await?;
        Ok(applied)
    }

    async fn record_members(&mut self) -> Result<()> {
        let imported = "SELECT member_id FROM import_rows WHERE import_id = $1 AND line <= $2";
        let imported: Vec<String> =
            query_scalar(imported).bind(self.import).bind(self.last).fetch_all(&mut *self.tx).await?;
        recorded_changes::of_imported(self.tx, &imported, time(self.now)).await
    }

    async fn change_credentials(&mut self) -> Result<()> {
        const CREDENTIALS: &str = "FROM import_rows r JOIN members m ON m.member_id = r.member_id
            AND m.removed_at IS NULL WHERE r.import_id = $1 AND r.line <= $2 AND r.sealed IS NOT NULL";
        self.run(format!(
            "INSERT INTO credentials (member_id, key_id, sealed, imported_key, imported_hash, updated_at)
             SELECT r.member_id, r.key_id, r.sealed, r.imported_key, r.imported_hash, $3 {CREDENTIALS}
             ON CONFLICT (member_id) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
                imported_key = excluded.imported_key, imported_hash = excluded.imported_hash,
                resealed_from = NULL, updated_at = excluded.updated_at"
        ))
        .await?;
        self.run(format!(
            "UPDATE lapses SET plan_at = $3 WHERE state = 'open' AND member_id IN (SELECT r.member_id {CREDENTIALS})
               AND member_id IN (SELECT f.member_id FROM credential_failures f)"
        ))
        .await?;
        for table in ["credential_failures", "access_tokens"] {
            self.run(format!("DELETE FROM {table} WHERE member_id IN (SELECT r.member_id {CREDENTIALS})"))
                .await?;
        }
        Ok(())
    }
}
