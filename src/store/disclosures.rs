//! What an address received, or what was sent about a member, and which pages were opened with those links.

use super::convert::json_list;
use super::engine::{Row, query};
use super::error::Result;
use super::handovers::DISCLOSED_BY_EVENT;
use super::row::RowExt;
use super::sqlite::Store;
use crate::domain::{AddressHash, ConnectionId, MemberId, NoticeId, NoticeKind, Time};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug)]
pub enum DisclosedTo<'a> {
    /// To whatever address. A removed member has disclosures, too.
    Member(&'a MemberId),
    Address(AddressHash),
}

/// An email that arrived, or that may have arrived.
#[derive(Clone, Debug)]
pub struct DisclosedEmail {
    pub notice: NoticeId,
    pub at: Time,
    pub kind: NoticeKind,
    /// Whether a member requested it on a page.
    pub is_resend: bool,
    /// `notices.disclosure` at that time. `None`: an earlier version sent it, and did not record it, or no email was sent.
    pub disclosure: Option<String>,
    /// No email was sent: the operator's receiver of events got the link.
    pub is_event: bool,
    /// Whether the mail server accepted it. Otherwise the session broke, or the process ended, before its reply.
    pub is_sent: bool,
    /// Those it was about.
    pub members: BTreeSet<MemberId>,
    /// Those it was about, which its pages could show.
    pub connections: BTreeSet<ConnectionId>,
    /// Only of the member, if the disclosures of one were asked for.
    pub links: Vec<DisclosedLink>,
}

/// A link and its page.
#[derive(Clone, Debug)]
pub struct DisclosedLink {
    /// `None`: the operator handed it over.
    notice: Option<NoticeId>,
    pub member: MemberId,
    pub created_at: Time,
    /// Those with a button.
    pub connections: Vec<ConnectionId>,
    /// The first time that a person opened the page.
    pub opened_at: Option<Time>,
    /// The last view, also by a mail scanner.
    pub last_viewed_at: Option<Time>,
    /// The last press of a button.
    pub redeemed_at: Option<Time>,
}

/// All of both, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Disclosures {
    pub emails: Vec<DisclosedEmail>,
    /// The links that the operator handed over. Only of a member.
    pub handed_over: Vec<DisclosedLink>,
}

impl Store {
    /// The emails, and the pages that were opened with their links.
    pub async fn disclosures(&self, to: DisclosedTo<'_>) -> Result<Disclosures> {
        let condition = match to {
            DisclosedTo::Address(_) => "n.address_hash = $1",
            DisclosedTo::Member(_) => {
                "n.notice_id IN (SELECT i.notice_id FROM lapses l JOIN notice_items i ON i.lapse_id = l.lapse_id
                    WHERE l.member_id = $1 AND i.in_email IS DISTINCT FROM FALSE
                  UNION SELECT v.notice_id FROM invitations v WHERE v.member_id = $1 AND v.notice_id IS NOT NULL)"
            }
        };
        let emails = query(format!(
            "SELECT * FROM (SELECT n.notice_id, n.kind, n.resend_of IS NOT NULL AS is_resend, n.disclosure,
                n.state = 'sent' AS is_sent, coalesce(n.sent_at,
                    (SELECT max(u.created_at) FROM unsubscribe_tokens u WHERE u.notice_id = n.notice_id)) AS at
             FROM notices n WHERE {condition}) AS emails
             WHERE at IS NOT NULL ORDER BY at, notice_id"
        ));
        let emails = match to {
            DisclosedTo::Address(address) => emails.bind(&address.0[..]),
            DisclosedTo::Member(member) => emails.bind(member.as_str()),
        };
        let mut emails: Vec<DisclosedEmail> =
            emails.fetch_all(&self.reader).await?.iter().map(email).collect::<Result<_>>()?;
        let notices = json_list(&emails.iter().map(|email| &email.notice).collect::<Vec<_>>())?;
        self.add_contents(&mut emails, &notices).await?;
        let only = match to {
            DisclosedTo::Member(member) => Some(member),
            DisclosedTo::Address(_) => None,
        };
        let of_notices = self.links("k.notice_id IN (SELECT value FROM json_each($1))", &notices).await?;
        for link in of_notices {
            let is_asked_for = only.is_none_or(|member| link.member == *member);
            let email = emails.iter_mut().find(|email| Some(&email.notice) == link.notice.as_ref());
            if let Some(email) = email.filter(|_| is_asked_for) {
                email.links.push(link);
            }
        }
        let handed_over = match only {
            Some(member) => self.links("k.member_id = $1 AND k.notice_id IS NULL", member.as_str()).await?,
            None => Vec::new(),
        };
        Ok(Disclosures { emails, handed_over })
    }

    async fn add_contents(&self, emails: &mut [DisclosedEmail], notices: &str) -> Result<()> {
        let rows = query(
            "SELECT i.notice_id, l.member_id, l.connection_id FROM notice_items i
             JOIN lapses l ON l.lapse_id = i.lapse_id
             WHERE i.notice_id IN (SELECT value FROM json_each($1)) AND i.in_email IS DISTINCT FROM FALSE
             UNION SELECT v.notice_id, v.member_id, v.connection_id FROM invitations v
             WHERE v.notice_id IN (SELECT value FROM json_each($1))",
        )
        .bind(notices)
        .fetch_all(&self.reader)
        .await?;
        let mut emails: BTreeMap<NoticeId, &mut DisclosedEmail> =
            emails.iter_mut().map(|email| (email.notice.clone(), email)).collect();
        for row in &rows {
            if let Some(email) = emails.get_mut(&row.text("notice_id")?) {
                email.members.insert(row.text("member_id")?);
                email.connections.insert(row.text("connection_id")?);
            }
        }
        Ok(())
    }

    /// `condition`: in SQL, about the row of `links k`; `$1` is the value.
    async fn links(&self, condition: &str, value: &str) -> Result<Vec<DisclosedLink>> {
        let rows = query(format!(
            "SELECT k.token_hash, k.notice_id, k.member_id, k.created_at, k.first_opened_at, k.last_viewed_at,
                b.connection_id, b.redeemed_at
             FROM links k LEFT JOIN link_buttons b ON b.token_hash = k.token_hash
             WHERE {condition} ORDER BY k.created_at, k.token_hash, b.connection_id"
        ))
        .bind(value)
        .fetch_all(&self.reader)
        .await?;
        let mut links: Vec<(Vec<u8>, DisclosedLink)> = Vec::new();
        for row in &rows {
            let hash: Vec<u8> = row.try_get("token_hash")?;
            if links.last().is_none_or(|(last, _)| *last != hash) {
                links.push((hash, link(row)?));
            }
            if let Some((_, link)) = links.last_mut() {
                link.connections.extend(row.optional_text("connection_id")?);
                link.redeemed_at = link.redeemed_at.max(row.optional_time("redeemed_at")?);
            }
        }
        Ok(links.into_iter().map(|(_, link)| link).collect())
    }
}

fn email(row: &Row) -> Result<DisclosedEmail> {
    let disclosure = row.optional_text_of("disclosure")?;
    Ok(DisclosedEmail {
        notice: row.text("notice_id")?,
        at: row.time("at")?,
        kind: row.parsed("kind")?,
        is_resend: row.try_get("is_resend")?,
        disclosure: disclosure.filter(|level| *level != DISCLOSED_BY_EVENT).map(str::to_owned),
        is_event: disclosure == Some(DISCLOSED_BY_EVENT),
        is_sent: row.try_get("is_sent")?,
        members: BTreeSet::new(),
        connections: BTreeSet::new(),
        links: Vec::new(),
    })
}

fn link(row: &Row) -> Result<DisclosedLink> {
    Ok(DisclosedLink {
        notice: row.optional_text("notice_id")?,
        member: row.text("member_id")?,
        created_at: row.time("created_at")?,
        connections: Vec::new(),
        opened_at: row.optional_time("first_opened_at")?,
        last_viewed_at: row.optional_time("last_viewed_at")?,
        redeemed_at: None,
    })
}
