//! `members`.

use super::audit;
use super::cancellations::drop_members;
use super::credentials::{CREDENTIAL_COLUMNS, CREDENTIAL_JOINS, StoredCredentials};
use super::engine::{Query, Row, fetch_together, query, query_scalar};
use super::recorded_changes;
use super::row_locks::lock_member;
use super::suppressed::SUPPRESSED;
use super::unclear::last_answer_at;
use super::{Result, Store, json_list, link_requests, millis, time_zones};
use crate::domain::{
    AuditAction, AuditEntry, CredentialRules, CredentialState, EmailAddress, LapseState, Member, MemberId,
    NoticeReason, Outcome, Time,
};

/// An enrolled, unpaused member whom a sweep polls.
#[derive(Clone, Debug)]
pub struct DueMember {
    pub(crate) id: MemberId,
    /// The member's place in the order of sweeps.
    pub(crate) poll_key: i64,
    /// The digest of the last response, if there was one.
    pub(crate) digest: Option<Vec<u8>>,
    /// The reason code, while the member is without a usable response.
    pub(crate) unclear: Option<String>,
    /// The gateway asked to poll this member no sooner.
    pub(crate) retry_at: Option<Time>,
    /// Whether a lapse is suspected, so that an unchanged response still counts.
    pub(crate) suspicion: bool,
    pub(crate) credentials: StoredCredentials,
}

/// A member, as reports show it.
#[derive(Clone, Debug)]
pub struct ListedMember {
    pub(crate) member: Member,
    pub credential: CredentialState,
    /// The reason and the start of the failure.
    pub(crate) trouble: Option<(String, Time)>,
    /// The member's last usable response.
    pub last_answer_at: Option<Time>,
    /// The reason code, while the member is without a usable response.
    pub unclear_reason: Option<String>,
    /// Whether the member's address must not receive email.
    pub(crate) suppressed: bool,
    /// Why the member gets no more email about an open lapse, and since when.
    pub unreachable: Option<(String, Time)>,
}

impl ListedMember {
    pub fn id(&self) -> &MemberId {
        &self.member.id
    }
}

const COLUMNS: &str = "m.member_id, m.email, m.locale, m.time_zone, m.subject, m.label, m.paused_at";

fn member(row: &Row) -> Result<Member> {
    let id: String = row.try_get("member_id")?;
    let email: String = row.try_get("email")?;
    Ok(Member {
        email: EmailAddress::from_stored(email),
        locale: row.try_get("locale")?,
        time_zone: time_zones::read(row)?,
        subject: row.try_get("subject")?,
        label: row.try_get("label")?,
        paused: row.try_get::<Option<i64>>("paused_at")?.is_some(),
        id: MemberId::new(id),
    })
}

/// A member's row in `unclear_members` has this reason while no key of the ring opens their credential.
pub(super) const CREDENTIAL_LOCKED: &str = "credential_locked";

fn due_members(condition: &str) -> String {
    format!(
        "SELECT m.member_id, m.poll_key, m.response_digest, u.reason AS unclear, u.retry_at AS unclear_retry_at,
            {CREDENTIAL_COLUMNS},
            (EXISTS (SELECT 1 FROM lapses l
                WHERE l.member_id = m.member_id AND (l.state = 'suspected' OR l.disconnect_intent IS NOT NULL))
             OR EXISTS (SELECT 1 FROM connections k
                WHERE k.member_id = m.member_id AND k.missing_since IS NOT NULL)) AS suspicion
         FROM members m {CREDENTIAL_JOINS} LEFT JOIN unclear_members u ON u.member_id = m.member_id
         WHERE {condition}"
    )
}

fn due_member(row: &Row) -> Result<DueMember> {
    Ok(DueMember {
        id: MemberId::new(row.try_get::<String>("member_id")?),
        poll_key: row.try_get("poll_key")?,
        digest: row.try_get("response_digest")?,
        unclear: row.try_get("unclear")?,
        retry_at: row.try_get::<Option<i64>>("unclear_retry_at")?.map(super::time),
        suspicion: row.try_get("suspicion")?,
        credentials: StoredCredentials::read(row)?,
    })
}

fn select_member_to_poll(id: &MemberId) -> Query {
    let sql = due_members("m.member_id = $1 AND coalesce(m.removed_at, m.paused_at) IS NULL");
    query(sql).bind(id.as_str())
}

fn select_recipient(id: &MemberId) -> Query {
    let sql = format!(
        "SELECT {COLUMNS}, {SUPPRESSED} AS is_suppressed FROM members m
         WHERE m.member_id = $1 AND m.removed_at IS NULL"
    );
    query(sql).bind(id.as_str())
}

fn recipient(row: &Row) -> Result<(Member, bool)> {
    Ok((member(row)?, row.try_get("is_suppressed")?))
}

impl Store {
    /// The next `limit` enrolled, unpaused members behind the poll key `after`, up to `until` where that is given.
    pub(crate) async fn members_to_poll(
        &self,
        after: Option<i64>,
        until: Option<i64>,
        limit: u32,
    ) -> Result<Vec<DueMember>> {
        let sql = due_members(
            "m.removed_at IS NULL AND m.paused_at IS NULL AND m.poll_key > $1 AND m.poll_key <= $2
             ORDER BY m.poll_key LIMIT $3",
        );
        let rows = query(sql)
            .bind(after.unwrap_or(-1))
            .bind(until.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(due_member).collect()
    }

    /// One member as a sweep sees them; `None` when they are not enrolled, or paused.
    pub(crate) async fn member_to_poll(&self, id: &MemberId) -> Result<Option<DueMember>> {
        select_member_to_poll(id).fetch_optional(&self.reader).await?.as_ref().map(due_member).transpose()
    }

    /// The next `limit` unpaused members after `after`, in the order of their ids, who wait to be polled again: their
    /// credential failed for any reason, or the gateway asked them to wait.
    pub(crate) async fn members_waiting(
        &self,
        after: Option<&MemberId>,
        limit: u32,
    ) -> Result<Vec<MemberId>> {
        let ids: Vec<String> = query_scalar(
            "SELECT m.member_id FROM members m LEFT JOIN credential_failures f ON f.member_id = m.member_id
             LEFT JOIN unclear_members u ON u.member_id = m.member_id
             WHERE m.member_id > $1 AND m.removed_at IS NULL AND m.paused_at IS NULL
               AND (f.member_id IS NOT NULL OR u.retry_at IS NOT NULL)
             ORDER BY m.member_id LIMIT $2",
        )
        .bind(after.map_or("", MemberId::as_str))
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(ids.into_iter().map(MemberId::new).collect())
    }

    /// Up to `limit` enrolled, unpaused members whose credential can be tried at the gateway. Members without a known failure
    /// come first. With `needs_token`, only members with a stored credential.
    pub(crate) async fn members_with_credential(
        &self,
        needs_token: bool,
        limit: u32,
    ) -> Result<Vec<MemberId>> {
        let ids: Vec<String> = query_scalar(
            "SELECT m.member_id FROM members m WHERE m.removed_at IS NULL AND m.paused_at IS NULL
               AND (NOT $1 OR EXISTS (SELECT 1 FROM credentials c WHERE c.member_id = m.member_id))
             ORDER BY EXISTS (SELECT 1 FROM credential_failures f WHERE f.member_id = m.member_id), m.poll_key
             LIMIT $2",
        )
        .bind(needs_token)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        Ok(ids.into_iter().map(MemberId::new).collect())
    }

    /// One member, if enrolled.
    pub(crate) async fn member(&self, id: &MemberId) -> Result<Option<Member>> {
        let sql = format!("SELECT {COLUMNS} FROM members m WHERE member_id = $1 AND removed_at IS NULL");
        let row = query(sql).bind(id.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(member).transpose()
    }

    /// The member, and whether their address is suppressed.
    pub(crate) async fn recipient(&self, id: &MemberId) -> Result<Option<(Member, bool)>> {
        select_recipient(id).fetch_optional(&self.reader).await?.as_ref().map(recipient).transpose()
    }

    /// [`Store::member_to_poll`], and then [`Store::recipient`].
    pub(crate) async fn recipient_to_poll(
        &self,
        id: &MemberId,
    ) -> Result<(Option<DueMember>, Option<(Member, bool)>)> {
        let statements = [select_member_to_poll(id), select_recipient(id)];
        let [due, member] = fetch_together(statements, &self.reader).await?;
        Ok((due.first().map(due_member).transpose()?, member.first().map(recipient).transpose()?))
    }

    /// The next `limit` members after `after`, as operators see them. With `unreachable_since`, only unpaused members
    /// without a usable response since then, and those who get no more email about an open lapse.
    pub async fn list_members(
        &self,
        only: Option<&MemberId>,
        after: Option<&MemberId>,
        limit: u32,
        rules: &CredentialRules,
        unreachable_since: Option<Time>,
    ) -> Result<Vec<ListedMember>> {
        let this = only.map_or("", |_| "AND m.member_id = $4");
        let sql = format!(
            "SELECT {COLUMNS}, c.key_id, f.state, f.reason, f.since, {SUPPRESSED} AS suppressed,
                u.reason AS unclear_reason, r.reason AS unreachable_reason, r.since AS unreachable_since,
                {} AS last_answer_at FROM members m
             LEFT JOIN credentials c ON c.member_id = m.member_id
             LEFT JOIN credential_failures f ON f.member_id = m.member_id
             LEFT JOIN unclear_members u ON u.member_id = m.member_id
             LEFT JOIN unreachable_members r ON r.member_id = m.member_id AND m.paused_at IS NULL
             WHERE m.removed_at IS NULL AND m.member_id > $1 {this}
               AND ($3 IS NULL OR (m.paused_at IS NULL
                AND (r.member_id IS NOT NULL OR coalesce({}, m.added_at) < $3)))
             ORDER BY m.member_id LIMIT $2",
            last_answer_at(),
            last_answer_at()
        );
        let rows = query(sql)
            .bind(after.map_or("", MemberId::as_str))
            .bind(limit)
            .bind(unreachable_since.map(millis))
            .bind_if_some(only.map(MemberId::as_str))
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let key_id: Option<String> = row.try_get("key_id")?;
                let state: Option<String> = row.try_get("state")?;
                let unclear_reason: Option<String> = row.try_get("unclear_reason")?;
                let locked = unclear_reason.as_deref() == Some(CREDENTIAL_LOCKED)
                    || key_id.as_ref().is_some_and(|id| rules.locked_keys.contains(id));
                let credential = match state.as_deref() {
                    Some("rejected") => CredentialState::Rejected,
                    Some(_) => CredentialState::Missing,
                    None if rules.needs_token && key_id.is_none() => CredentialState::Missing,
                    None if locked => CredentialState::Locked,
                    None => CredentialState::Ok,
                };
                let trouble = match (row.try_get("reason")?, row.try_get::<Option<i64>>("since")?) {
                    (Some(reason), Some(since)) => Some((reason, super::time(since))),
                    _ => None,
                };
                let suppressed = row.try_get("suppressed")?;
                let unreachable = match (
                    row.try_get("unreachable_reason")?,
                    row.try_get::<Option<i64>>("unreachable_since")?,
                ) {
                    (Some(reason), Some(since)) => Some((reason, super::time(since))),
                    _ => None,
                };
                let last_answer_at = row.try_get::<Option<i64>>("last_answer_at")?.map(super::time);
                Ok(ListedMember {
                    member: member(row)?,
                    credential,
                    trouble,
                    last_answer_at,
                    unclear_reason,
                    suppressed,
                    unreachable,
                })
            })
            .collect()
    }

    /// Stops watching a member: deletes the credential and the address, closes open lapses, and cancels queued notices. The
    /// history stays. Returns `false` when there is no such member.
    pub async fn remove_member(&self, id: &MemberId, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member(&mut tx, id).await?;
            link_requests::delete_orphan_domain(&mut tx, id).await?;
            let removed = query(
                "UPDATE members SET removed_at = $2, updated_at = $2, email = '', domain = '',
                    address_hash = NULL, label = NULL, response_digest = NULL
                 WHERE member_id = $1 AND removed_at IS NULL",
            )
            .bind(id.as_str())
            .bind(millis(now))
            .execute(&mut tx)
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
                "unreachable_members",
                "links",
                "invitations",
                "unclear_members",
                "token_subjects",
            ] {
                let sql = format!("DELETE FROM {table} WHERE member_id = $1");
                query(sql).bind(id.as_str()).execute(&mut tx).await?;
            }
            query("DELETE FROM lapses WHERE member_id = $1 AND state = $2 AND opened_at IS NULL")
                .bind(id.as_str())
                .bind(LapseState::Suspected.as_str())
                .execute(&mut tx)
                .await?;
            query(
                "UPDATE lapses SET state = $2, outcome = $3, closed_at = $4, plan_at = NULL
                 WHERE member_id = $1 AND state <> $2",
            )
            .bind(id.as_str())
            .bind(LapseState::Closed.as_str())
            .bind(Outcome::Removed.as_str())
            .bind(millis(now))
            .execute(&mut tx)
            .await?;
            let members = json_list(&[id])?;
            drop_members(&mut tx, &members, NoticeReason::MemberRemoved, now).await?;
            recorded_changes::of_members(&mut tx, &members, now).await?;
            audit::record(&mut tx, AuditEntry::new(AuditAction::MemberRemove).about(id), now).await?;
            Ok(true)
        })
        .await
    }
}
