//! `links`: the rows, whatever the link is for.

use super::convert::{json_list, millis};
use super::engine::{Query, Row, query};
use super::error::{Result, StoreError};
use crate::domain::{MemberId, NoticeId, Time, TokenHash};

/// The purpose of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// Its buttons are for lapses.
    Notice,
    /// Its button is for an operator's invitation.
    Invitation,
}

impl LinkKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Invitation => "invitation",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Notice, Self::Invitation].into_iter().find(|kind| kind.as_str() == text)
    }
}

pub(super) struct NewLink<'a> {
    pub(super) hash: TokenHash,
    pub(super) kind: LinkKind,
    /// The notice and its attempt. `None`: the operator hands the link over.
    pub(super) notice: Option<(&'a NoticeId, u32)>,
    pub(super) member: &'a MemberId,
    pub(super) now: Time,
    pub(super) expires_at: Time,
}

/// SQL condition: the link `k` of the member `m` still works, apart from its expiry. A link ends when the member's address
/// changes, because it was emailed to the old one, and when an operator revokes it.
pub(super) const CURRENT: &str =
    "k.revoked_at IS NULL AND k.address_hash IS NOT DISTINCT FROM m.address_hash";

pub(super) fn insert(link: &NewLink<'_>) -> Query {
    query(
        "INSERT INTO links (token_hash, kind, notice_id, member_id, attempt, created_at, expires_at, address_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, (SELECT address_hash FROM members WHERE member_id = $4))",
    )
    .bind(&link.hash.0[..])
    .bind(link.kind.as_str())
    .bind(link.notice.map(|(notice, _)| notice.as_str()))
    .bind(link.member.as_str())
    .bind(link.notice.map(|(_, attempt)| attempt))
    .bind(millis(link.now))
    .bind(millis(link.expires_at))
}

/// Inserts the link with a button for each of the lapses.
pub(super) fn insert_with_buttons<T: serde::Serialize>(
    link: &NewLink<'_>,
    lapses: &[T],
) -> Result<[Query; 2]> {
    let buttons = query(
        "INSERT INTO link_buttons (token_hash, connection_id, lapse_id)
         SELECT $1, connection_id, lapse_id FROM lapses
         WHERE lapse_id IN (SELECT value FROM json_each($2))",
    );
    Ok([insert(link), buttons.bind(&link.hash.0[..]).bind(json_list(lapses)?)])
}

/// The `kind` of a row of `links`.
pub(super) fn kind(row: &Row) -> Result<LinkKind> {
    let kind: String = row.try_get("kind")?;
    LinkKind::parse(&kind).ok_or(StoreError::Row { table: "links", row: kind, what: "its kind" })
}
