//! `members`.

use super::credentials::{GRANT_COLUMNS, GRANT_JOINS, Grant};
use super::suppressions::SUPPRESSED;
use super::{Result, Store, StoreError, json_list, millis, visits};
use crate::domain::{CredentialState, LapseState, Member, MemberId, NoticeState, Outcome, Sealed, Time};
use sqlx::{Row, sqlite::SqliteRow};

/// A member whom a sweep has to ask about.
#[derive(Clone, Debug)]
pub struct DueMember {
    /// Who.
    pub id: MemberId,
    /// Digest of the last answer, if there was one.
    pub digest: Option<Vec<u8>>,
    /// Whether a suspicion is open, so that the same answer again has something to say.
    pub suspicion: bool,
    /// What a token is got with.
    pub grant: Grant,
}

/// A member as operators see them.
#[derive(Clone, Debug)]
pub struct ListedMember {
    /// Who.
    pub member: Member,
    /// Whether a token can be had.
    pub credential: CredentialState,
    /// Why not, and since when.
    pub trouble: Option<(String, Time)>,
    /// Whether mails to their address are suppressed.
    pub suppressed: bool,
}

const COLUMNS: &str = "m.member_id, m.email, m.locale, m.time_zone, m.subject, m.paused_at";

fn member(row: &SqliteRow) -> Result<Member> {
    let id: String = row.try_get("member_id")?;
    let unreadable = |what| StoreError::Row { table: "members", row: id.clone(), what };
    let email: String = row.try_get("email")?;
    let time_zone: Option<String> = row.try_get("time_zone")?;
    Ok(Member {
        email: email.parse().map_err(|_| unreadable("its e-mail address"))?,
        locale: row.try_get("locale")?,
        // A zone that this version no longer knows is as good as none.
        time_zone: time_zone.and_then(|name| name.parse().ok()),
        subject: row.try_get("subject")?,
        paused: row.try_get::<Option<i64>, _>("paused_at")?.is_some(),
        id: MemberId::new(id),
    })
}

#[derive(serde::Serialize)]
struct ImportedRow<'a> {
    id: &'a str,
    email: &'a str,
    /// In hexadecimal.
    address_hash: String,
    locale: Option<&'a str>,
    time_zone: Option<&'a str>,
    subject: &'a str,
}

#[derive(serde::Serialize)]
struct ImportedCredential<'a> {
    id: &'a str,
    key_id: &'a str,
    /// In hexadecimal.
    sealed: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An import under way: one transaction, so that it happens as a whole or not at all.
pub struct Import {
    tx: sqlx::Transaction<'static, sqlx::Sqlite>,
    now: i64,
}

impl Import {
    /// Takes in some more members, with the credentials that came with them. A member known already is updated; one
    /// that had been removed is enrolled again. A new credential replaces the old one and whatever was wrong with it.
    pub async fn add(&mut self, members: &[(Member, Option<Sealed>)]) -> Result<()> {
        let rows: Vec<_> = members
            .iter()
            .map(|(member, _)| ImportedRow {
                id: member.id.as_str(),
                email: member.email.expose(),
                address_hash: hex(&member.email.address_hash().0),
                locale: member.locale.as_deref(),
                time_zone: member.time_zone.map(|zone| zone.name()),
                subject: &member.subject,
            })
            .collect();
        let rows = json_list(&rows)?;
        self.forgive_addresses(&rows).await?;
        sqlx::query(
            "INSERT INTO members (member_id, email, address_hash, locale, time_zone, subject, added_at, updated_at)
             SELECT value ->> 'id', value ->> 'email', unhex(value ->> 'address_hash'), value ->> 'locale',
                    value ->> 'time_zone', value ->> 'subject', $2, $2
             FROM json_each($1) WHERE true
             ON CONFLICT (member_id) DO UPDATE SET email = excluded.email, address_hash = excluded.address_hash,
                locale = excluded.locale,
                time_zone = excluded.time_zone, subject = excluded.subject, updated_at = excluded.updated_at,
                answer_digest = CASE WHEN removed_at IS NULL THEN answer_digest END, removed_at = NULL",
        )
        .bind(&rows)
        .bind(self.now)
        .execute(&mut *self.tx)
        .await?;
        let credentials: Vec<_> = members
            .iter()
            .filter_map(|(member, sealed)| {
                let Sealed { key_id, bytes } = sealed.as_ref()?;
                Some(ImportedCredential { id: member.id.as_str(), key_id, sealed: hex(bytes) })
            })
            .collect();
        let credentials = json_list(&credentials)?;
        sqlx::query(
            "INSERT INTO credentials (member_id, key_id, sealed, updated_at)
             SELECT value ->> 'id', value ->> 'key_id', unhex(value ->> 'sealed'), $2 FROM json_each($1) WHERE true
             ON CONFLICT (member_id) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
                updated_at = excluded.updated_at",
        )
        .bind(&credentials)
        .bind(self.now)
        .execute(&mut *self.tx)
        .await?;
        for statement in [
            "DELETE FROM credential_failures WHERE member_id IN (SELECT value ->> 'id' FROM json_each($1))",
            "DELETE FROM access_tokens WHERE member_id IN (SELECT value ->> 'id' FROM json_each($1))",
        ] {
            sqlx::query(statement).bind(&credentials).execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// A notice that was given up because of a member's address may be sent to their new one.
    async fn forgive_addresses(&mut self, rows: &str) -> Result<()> {
        const MOVED: &str =
            "SELECT m.member_id FROM json_each($1) j JOIN members m ON m.member_id = j.value ->> 'id'
            WHERE m.email <> j.value ->> 'email'";
        let sql = format!(
            "UPDATE notice_items SET live = 0 WHERE live = 1 AND notice_id IN
                (SELECT notice_id FROM notices WHERE state = 'abandoned' AND member_id IN ({MOVED}))"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).execute(&mut *self.tx).await?;
        let sql = format!("UPDATE lapses SET plan_at = $2 WHERE state = 'open' AND member_id IN ({MOVED})");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(rows).bind(self.now).execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Makes it so.
    pub async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

impl Store {
    /// Begins an import. Dropped without [`Import::commit`], it never happened.
    pub async fn import(&self, now: Time) -> Result<Import> {
        Ok(Import { tx: self.begin().await?, now: millis(now) })
    }

    /// The next `limit` members after `after`, in order of their ids, whom a sweep has to ask about at `now`: not
    /// those who are paused, nor those for whom no token could be had a short while ago, nor (with `needs_token`) those
    /// without a stored credential.
    pub async fn due_members(
        &self,
        after: Option<&MemberId>,
        limit: u32,
        needs_token: bool,
        now: Time,
    ) -> Result<Vec<DueMember>> {
        let sql = format!(
            "SELECT m.member_id, m.answer_digest, {GRANT_COLUMNS},
                (EXISTS (SELECT 1 FROM lapses l
                    WHERE l.member_id = m.member_id AND (l.state = 'suspected' OR l.parting IS NOT NULL))
                 OR EXISTS (SELECT 1 FROM connections k
                    WHERE k.member_id = m.member_id AND k.missing_since IS NOT NULL)) AS suspicion
             FROM members m {GRANT_JOINS}
             WHERE m.member_id > $1 AND m.removed_at IS NULL AND m.paused_at IS NULL
               AND (f.retry_at IS NULL OR f.retry_at <= $2) AND (c.member_id IS NOT NULL OR NOT $4)
             ORDER BY m.member_id LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.map_or("", MemberId::as_str))
            .bind(millis(now))
            .bind(limit)
            .bind(needs_token)
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(DueMember {
                    id: MemberId::new(row.try_get::<String, _>("member_id")?),
                    digest: row.try_get("answer_digest")?,
                    suspicion: row.try_get("suspicion")?,
                    grant: Grant::read(row)?,
                })
            })
            .collect()
    }

    /// One member, if enrolled.
    pub async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        let sql = format!("SELECT {COLUMNS} FROM members m WHERE member_id = $1 AND removed_at IS NULL");
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(member).transpose()
    }

    /// The next `limit` members after `after`, as operators see them. With `needs_token`, a member without a stored
    /// credential is `missing`.
    pub async fn list_members(
        &self,
        only: Option<&MemberId>,
        after: Option<&MemberId>,
        limit: u32,
        needs_token: bool,
    ) -> Result<Vec<ListedMember>> {
        let sql = format!(
            "SELECT {COLUMNS}, c.member_id AS held, f.state, f.reason, f.since, {SUPPRESSED} AS suppressed FROM members m
             LEFT JOIN credentials c ON c.member_id = m.member_id
             LEFT JOIN credential_failures f ON f.member_id = m.member_id
             WHERE m.removed_at IS NULL AND m.member_id > $1 AND ($2 IS NULL OR m.member_id = $2)
             ORDER BY m.member_id LIMIT $3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after.map_or("", MemberId::as_str))
            .bind(only.map(MemberId::as_str))
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let held = row.try_get::<Option<String>, _>("held")?.is_some();
                let state: Option<String> = row.try_get("state")?;
                let credential = match state.as_deref() {
                    Some("rejected") => CredentialState::Rejected,
                    Some(_) => CredentialState::Missing,
                    None if needs_token && !held => CredentialState::Missing,
                    None => CredentialState::Ok,
                };
                let trouble = match (row.try_get("reason")?, row.try_get::<Option<i64>, _>("since")?) {
                    (Some(reason), Some(since)) => Some((reason, super::time(since))),
                    _ => None,
                };
                let suppressed = row.try_get("suppressed")?;
                Ok(ListedMember { member: member(row)?, credential, trouble, suppressed })
            })
            .collect()
    }

    /// Stops watching a member: the credential and the address go, what is open is closed, what is queued is cancelled.
    /// The history stays. Gives `false` when there is no such member.
    pub async fn remove_member(&self, id: &MemberId, now: Time) -> Result<bool> {
        let mut tx = self.begin().await?;
        visits::forget_domain(&mut tx, id).await?;
        let removed = sqlx::query(
            "UPDATE members SET removed_at = $2, updated_at = $2, email = '', address_hash = NULL,
                answer_digest = NULL
             WHERE member_id = $1 AND removed_at IS NULL",
        )
        .bind(id.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if removed == 0 {
            return Ok(false);
        }
        for table in [
            "credentials",
            "access_tokens",
            "credential_failures",
            "rechecks",
            "links",
            "invitations",
            "unsubscribe_tokens",
            "passes",
        ] {
            let sql = format!("DELETE FROM {table} WHERE member_id = $1");
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_str()).execute(&mut *tx).await?;
        }
        sqlx::query("DELETE FROM lapses WHERE member_id = $1 AND state = $2 AND opened_at IS NULL")
            .bind(id.as_str())
            .bind(LapseState::Suspected.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "UPDATE lapses SET state = $2, outcome = $3, closed_at = $4, plan_at = NULL
             WHERE member_id = $1 AND state <> $2",
        )
        .bind(id.as_str())
        .bind(LapseState::Closed.as_str())
        .bind(Outcome::Removed.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE notice_items SET live = 0 WHERE notice_id IN
                (SELECT notice_id FROM notices WHERE member_id = $1 AND state IN ('queued', 'held'))",
        )
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE notices SET state = $2, reason = 'member_removed' WHERE member_id = $1 AND state IN ('queued', 'held')",
        )
        .bind(id.as_str())
        .bind(NoticeState::Cancelled.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Forgets a member altogether, history included. Gives `false` when nothing was known of them.
    pub async fn erase_member(&self, id: &MemberId) -> Result<bool> {
        let mut tx = self.begin().await?;
        visits::forget_domain(&mut tx, id).await?;
        let statements = [
            "INSERT INTO erasures (member_id) VALUES ($1)",
            "DELETE FROM transitions WHERE member_id = $1",
            "DELETE FROM links WHERE member_id = $1",
            "DELETE FROM notices WHERE member_id = $1",
            "DELETE FROM lapses WHERE member_id = $1",
            "DELETE FROM connections WHERE member_id = $1",
            "UPDATE sweeps SET cursor = NULL WHERE cursor = $1 AND finished_at IS NOT NULL",
        ];
        for statement in statements {
            sqlx::query(statement).bind(id.as_str()).execute(&mut *tx).await?;
        }
        let known = sqlx::query("DELETE FROM members WHERE member_id = $1")
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        sqlx::query("DELETE FROM erasures").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(known > 0)
    }
}
