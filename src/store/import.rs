//! Importing members: one transaction, so that an import happens as a whole or not at all.

use super::convert::{json_list, millis};
use super::error::Result;
use super::sweeps::poll_key;
use crate::domain::{Fingerprint, Member, NewCredential, Sealed, Time};
use sqlx::Row;
use std::collections::HashMap;

#[derive(serde::Serialize)]
struct ImportedRow<'a> {
    id: &'a str,
    email: &'a str,
    /// In hexadecimal.
    address_hash: String,
    domain: String,
    locale: Option<&'a str>,
    time_zone: Option<&'a str>,
    subject: &'a str,
    poll_key: i64,
}

#[derive(serde::Serialize)]
struct ImportedCredential<'a> {
    id: &'a str,
    key_id: &'a str,
    /// In hexadecimal.
    sealed: String,
    imported_key: Option<&'a str>,
    /// In hexadecimal.
    imported_hash: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Members enrolled or updated.
    pub members: u64,
    /// Refresh tokens that had been imported before. They changed nothing.
    pub known_tokens: u64,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An import under way: one transaction, so that it happens as a whole or not at all.
pub struct Import {
    tx: sqlx::Transaction<'static, sqlx::Sqlite>,
    now: i64,
    counts: ImportCounts,
}

impl Import {
    pub(super) fn new(tx: sqlx::Transaction<'static, sqlx::Sqlite>, now: Time) -> Self {
        Self { tx, now: millis(now), counts: ImportCounts::default() }
    }

    /// Adds members, with the credentials that came with them. A known member is updated; a removed one is enrolled
    /// again. A new credential replaces the old one and its failure. A refresh token that was imported before changes
    /// nothing: the gateway may have rotated it since, and the old one would lock its member out.
    pub async fn add(&mut self, members: &[(Member, Option<NewCredential>)]) -> Result<()> {
        let rows: Vec<_> = members
            .iter()
            .map(|(member, _)| ImportedRow {
                id: member.id.as_str(),
                email: member.email.expose(),
                address_hash: hex(&member.email.address_hash().0),
                domain: member.email.ascii_domain(),
                locale: member.locale.as_deref(),
                time_zone: member.time_zone.map(|zone| zone.name()),
                subject: &member.subject,
                poll_key: poll_key(member.id.as_str()),
            })
            .collect();
        let rows = json_list(&rows)?;
        self.forgive_addresses(&rows).await?;
        self.forget_other_subjects(&rows).await?;
        sqlx::query(
            "INSERT INTO members (member_id, email, address_hash, domain, locale, time_zone, subject, poll_key,
                added_at, updated_at)
             SELECT value ->> 'id', value ->> 'email', unhex(value ->> 'address_hash'), value ->> 'domain',
                    value ->> 'locale', value ->> 'time_zone', value ->> 'subject', value ->> 'poll_key', $2, $2
             FROM json_each($1) WHERE true
             ON CONFLICT (member_id) DO UPDATE SET email = excluded.email, address_hash = excluded.address_hash,
                domain = excluded.domain, locale = excluded.locale,
                time_zone = excluded.time_zone, subject = excluded.subject, updated_at = excluded.updated_at,
                added_at = CASE WHEN removed_at IS NULL THEN added_at ELSE excluded.added_at END,
                answered_at = CASE WHEN removed_at IS NULL THEN answered_at END,
                response_digest = CASE WHEN removed_at IS NULL THEN response_digest END, removed_at = NULL",
        )
        .bind(&rows)
        .bind(self.now)
        .execute(&mut *self.tx)
        .await?;
        sqlx::query(
            "UPDATE notices SET domain = (SELECT m.domain FROM members m WHERE m.member_id = notices.member_id)
             WHERE state IN ('queued', 'held') AND member_id IN (SELECT value ->> 'id' FROM json_each($1))",
        )
        .bind(&rows)
        .execute(&mut *self.tx)
        .await?;
        self.add_credentials(members).await?;
        self.counts.members += members.len() as u64;
        Ok(())
    }

    async fn add_credentials(&mut self, members: &[(Member, Option<NewCredential>)]) -> Result<()> {
        let with_token = || members.iter().filter_map(|(member, new)| Some((member, new.as_ref()?)));
        let imported =
            self.imported_before(&json_list(&with_token().map(|(m, _)| &m.id).collect::<Vec<_>>())?).await?;
        let mut credentials = Vec::new();
        for (member, new) in with_token() {
            if imported.get(member.id.as_str()).is_some_and(|known| new.fingerprints.contains(known)) {
                self.counts.known_tokens += 1;
                continue;
            }
            let Sealed { key_id, bytes } = &new.sealed;
            let print = new.fingerprints.last();
            credentials.push(ImportedCredential {
                id: member.id.as_str(),
                key_id,
                sealed: hex(bytes),
                imported_key: print.map(|print| print.key_id.as_str()),
                imported_hash: print.map(|print| hex(&print.hash)),
            });
        }
        let credentials = json_list(&credentials)?;
        sqlx::query(
            "INSERT INTO credentials (member_id, key_id, sealed, imported_key, imported_hash, updated_at)
             SELECT value ->> 'id', value ->> 'key_id', unhex(value ->> 'sealed'), value ->> 'imported_key',
                    unhex(value ->> 'imported_hash'), $2 FROM json_each($1) WHERE true
             ON CONFLICT (member_id) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
                imported_key = excluded.imported_key, imported_hash = excluded.imported_hash,
                updated_at = excluded.updated_at",
        )
        .bind(&credentials)
        .bind(self.now)
        .execute(&mut *self.tx)
        .await?;
        for table in ["credential_failures", "access_tokens"] {
            let sql =
                format!("DELETE FROM {table} WHERE member_id IN (SELECT value ->> 'id' FROM json_each($1))");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&credentials).execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// The fingerprints of the refresh tokens that these members' last imports brought.
    async fn imported_before(&mut self, ids: &str) -> Result<HashMap<String, Fingerprint>> {
        let rows = sqlx::query(
            "SELECT member_id, imported_key, imported_hash FROM credentials
             WHERE imported_hash IS NOT NULL AND member_id IN (SELECT value FROM json_each($1))",
        )
        .bind(ids)
        .fetch_all(&mut *self.tx)
        .await?;
        rows.iter()
            .map(|row| {
                let print =
                    Fingerprint { key_id: row.try_get("imported_key")?, hash: row.try_get("imported_hash")? };
                Ok((row.try_get("member_id")?, print))
            })
            .collect()
    }

    /// To the identity provider, another subject is another person. The tokens of the old subject must not be used.
    async fn forget_other_subjects(&mut self, rows: &str) -> Result<()> {
        const OTHERS: &str =
            "SELECT m.member_id FROM json_each($1) j JOIN members m ON m.member_id = j.value ->> 'id'
            WHERE m.subject <> j.value ->> 'subject'";
        for table in ["access_tokens", "credential_failures", "token_subjects"] {
            let sql = format!("DELETE FROM {table} WHERE member_id IN ({OTHERS})");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(&mut *self.tx).await?;
        }
        let sql = format!("UPDATE members SET response_digest = NULL WHERE member_id IN ({OTHERS})");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(&mut *self.tx).await?;
        Ok(())
    }

    /// A notice that was abandoned because of the old address may be sent to the new one.
    async fn forgive_addresses(&mut self, rows: &str) -> Result<()> {
        const MOVED: &str =
            "SELECT m.member_id FROM json_each($1) j JOIN members m ON m.member_id = j.value ->> 'id'
            WHERE m.email <> j.value ->> 'email'";
        let sql = format!(
            "UPDATE notice_items SET counts_as_step = 0 WHERE counts_as_step = 1 AND notice_id IN
                (SELECT notice_id FROM notices WHERE state = 'abandoned' AND member_id IN ({MOVED}))"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(&mut *self.tx).await?;
        let sql = format!("UPDATE lapses SET plan_at = $2 WHERE state = 'open' AND member_id IN ({MOVED})");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).bind(self.now).execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Keeps the import, and returns what it did.
    pub async fn commit(self) -> Result<ImportCounts> {
        self.tx.commit().await?;
        Ok(self.counts)
    }
}
