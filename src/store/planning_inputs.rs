//! The facts about members that the planner evaluates, with one statement per table, all at once.

use super::engine::{Query, Row, Tx, fetch_together, query};
use super::row::RowExt;
use super::waiting_notices::{self, IS_WAITING};
use super::{Result, connections, holds, json_list, lapses, recoveries, suppressed, time_zones};
use crate::domain::{
    AddressHash, AddressInput, LapseInput, LastNotice, MemberId, NoticeId, NoticeState, PastEmail,
    PlanningInput, Recipient, Spread, WaitingNotice,
};
use std::collections::{BTreeSet, HashMap};

/// SQL condition: the lapse `l` opened or resumed in the sweep under way. It can be part of a storm, which only the whole sweep shows.
pub(super) const WAITS_FOR_SWEEP: &str = "(l.state = 'open' AND EXISTS
    (SELECT 1 FROM sweeps s WHERE s.finished_at IS NULL AND l.last_opened_at >= s.started_at))";

/// What is read about members, wherever they belong.
struct Facts {
    /// In the order of the members' ids.
    members: Vec<(Option<AddressHash>, PlanningInput)>,
    places: HashMap<MemberId, usize>,
}

/// Reads all open and all just recovered lapses of the members, by address. `except`: a notice that is taken as not planned.
pub(super) async fn read(
    tx: &mut Tx,
    members: &[MemberId],
    except: Option<&NoticeId>,
) -> Result<Vec<AddressInput>> {
    let members = json_list(members)?;
    let notifies_each_member = tx.notifies_each_member;
    let statements = [
        select_recipients(&members),
        select_past_emails(&members, except, notifies_each_member),
        holds::select_active(&members),
        select_open_lapses(&members, except),
        recoveries::select_pending(&members),
        waiting_notices::select(&members),
    ];
    let [recipients, emails, holds, open, recovered, waiting] = fetch_together(statements, tx).await?;
    let mut facts = Facts::new(recipients.iter().map(recipient).collect::<Result<_>>()?);
    for row in &emails {
        let email = past_email(row)?;
        facts.change(&row.text("member_id")?, |input| input.recipient.emails.push(email));
    }
    for hold in holds.iter().map(holds::active) {
        let hold = hold?;
        let of = hold.scope.member_id.as_ref();
        for (_, input) in
            facts.members.iter_mut().filter(|(_, input)| of.is_none_or(|of| *of == input.member_id))
        {
            input.recipient.holds.push(hold.clone());
        }
    }
    for row in &open {
        let (member, lapse) = lapse_input(row)?;
        facts.change(&member, |input| input.open.push(lapse));
    }
    for row in &recovered {
        let (member, lapse) = recoveries::pending_recovery(row)?;
        facts.change(&member, |input| input.recovered.push(lapse));
    }
    let waiting = waiting_notices::read(&waiting)?;
    for item in
        waiting.iter().filter(|notice| notice.state == NoticeState::Held).flat_map(|notice| &notice.items)
    {
        facts.change(&item.member_id, |input| {
            for lapse in input.open.iter_mut().filter(|lapse| lapse.lapse_id == item.lapse_id) {
                lapse.is_held = true;
            }
        });
    }
    Ok(facts.by_address(&waiting, notifies_each_member))
}

impl Facts {
    fn new(members: Vec<(Option<AddressHash>, PlanningInput)>) -> Self {
        let place = |(place, (_, input)): (usize, &(_, PlanningInput))| (input.member_id.clone(), place);
        Self { places: members.iter().enumerate().map(place).collect(), members }
    }

    fn change(&mut self, member: &MemberId, change: impl FnOnce(&mut PlanningInput)) {
        let place = self.places.get(member).and_then(|place| self.members.get_mut(*place));
        if let Some((_, input)) = place {
            change(input);
        }
    }

    /// A member without an address is alone. `each_alone`: so is everybody.
    fn by_address(self, waiting: &[WaitingNotice], each_alone: bool) -> Vec<AddressInput> {
        let mut addresses: Vec<AddressInput> = Vec::new();
        let (mut at, mut of) = (HashMap::new(), HashMap::new());
        for (address, input) in self.members {
            let next = addresses.len();
            let address = address.filter(|_| !each_alone);
            let place = address.map_or(next, |address| *at.entry(address).or_insert(next));
            of.insert(input.member_id.clone(), place);
            if place == next {
                addresses.push(AddressInput::default());
            }
            if let Some(group) = addresses.get_mut(place) {
                group.members.push(input);
            }
        }
        for notice in waiting {
            let places: BTreeSet<_> =
                notice.items.iter().filter_map(|item| of.get(&item.member_id)).collect();
            for place in places {
                if let Some(group) = addresses.get_mut(*place) {
                    group.waiting.push(notice.clone());
                }
            }
        }
        addresses
    }
}

fn select_recipients(members: &str) -> Query {
    let sql = format!(
        "SELECT m.member_id, m.address_hash, m.time_zone, paused_at IS NOT NULL AS is_paused, {} AS is_suppressed
         FROM members m WHERE m.member_id IN (SELECT value FROM json_each($1)) ORDER BY m.member_id",
        suppressed::SUPPRESSED
    );
    query(sql).bind(members)
}

fn recipient(row: &Row) -> Result<(Option<AddressHash>, PlanningInput)> {
    let member_id: MemberId = row.text("member_id")?;
    let address: Option<Vec<u8>> = row.try_get("address_hash")?;
    let input = PlanningInput {
        recipient: Recipient {
            is_paused: row.try_get("is_paused")?,
            is_suppressed: row.try_get("is_suppressed")?,
            time_zone: time_zones::read(row)?,
            spread: Spread::of(&member_id),
            emails: Vec::new(),
            holds: Vec::new(),
        },
        member_id,
        open: Vec::new(),
        recovered: Vec::new(),
    };
    Ok((address.and_then(|hash| hash.try_into().ok()).map(AddressHash), input))
}

/// Selects the emails to the addresses of the members. An email that is being handed over has the address, and no other
/// unsent one.
fn select_past_emails(members: &str, except: Option<&NoticeId>, notifies_each_member: bool) -> Query {
    let of_member = only_of_member(notifies_each_member);
    query(format!(
        "SELECT m.member_id, coalesce(n.sent_at, a.started_at) AS sent_at, n.kind <> 'recovered' AS counts_for_gap
         FROM members m JOIN notices n ON n.address_hash = m.address_hash
         LEFT JOIN attempts a ON a.notice_id = n.notice_id AND a.attempt = n.attempts AND n.state = 'sending'
         WHERE m.member_id IN (SELECT value FROM json_each($1)) AND n.state IN ('sent', 'sending')
           AND n.resend_of IS NULL AND n.notice_id <> $2 {of_member}"
    ))
    .bind(members)
    .bind(except.map_or("", NoticeId::as_str))
}

/// SQL: the limits of an address are those of each of its members.
pub(super) fn only_of_member(notifies_each_member: bool) -> &'static str {
    if notifies_each_member { "AND n.member_id = m.member_id" } else { "" }
}

pub(super) fn past_email(row: &Row) -> Result<PastEmail> {
    Ok(PastEmail { sent_at: row.time("sent_at")?, counts_for_gap: row.try_get("counts_for_gap")? })
}

fn select_open_lapses(members: &str, except: Option<&NoticeId>) -> Query {
    let sql = format!(
        "SELECT {}, {}, l.snoozed_until, i.step, n.state AS notice_state, n.sent_at,
            (SELECT f.sent_at FROM notice_items fi JOIN notices f ON f.notice_id = fi.notice_id
             WHERE fi.lapse_id = l.lapse_id AND fi.counts_as_step = TRUE AND fi.step = 0) AS first_sent_at,
            EXISTS (SELECT 1 FROM notice_items e JOIN notices n ON n.notice_id = e.notice_id
                    WHERE e.lapse_id = l.lapse_id AND e.counts_as_step = TRUE AND e.extra = TRUE
                      AND e.notice_id <> $2 AND NOT {IS_WAITING}) AS is_extra
         FROM lapses l
         JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
         LEFT JOIN notice_items i ON i.lapse_id = l.lapse_id AND i.counts_as_step = TRUE AND i.notice_id <> $2
            AND i.step = (SELECT max(x.step) FROM notice_items x JOIN notices n ON n.notice_id = x.notice_id
                          WHERE x.lapse_id = l.lapse_id AND x.counts_as_step = TRUE AND x.notice_id <> $2
                            AND NOT {IS_WAITING})
         LEFT JOIN notices n ON n.notice_id = i.notice_id
         WHERE l.member_id IN (SELECT value FROM json_each($1)) AND l.state = 'open'
           AND (NOT {WAITS_FOR_SWEEP} OR EXISTS
                (SELECT 1 FROM notice_items x JOIN notices n ON n.notice_id = x.notice_id
                 WHERE x.lapse_id = l.lapse_id AND x.counts_as_step = TRUE AND {IS_WAITING}))
         ORDER BY l.lapse_id",
        lapses::COLUMNS,
        connections::COLUMNS
    );
    query(sql).bind(members).bind(except.map_or("", NoticeId::as_str))
}

pub(super) fn lapse_input(row: &Row) -> Result<(MemberId, LapseInput)> {
    let (lapse, connection) = (lapses::read(row)?, connections::read(row)?);
    let input = LapseInput {
        opened_at: lapse.opened_at.unwrap_or(lapse.suspected_at),
        broken_since: lapse.suspected_at,
        lapse_id: lapse.id,
        connection_id: lapse.connection_id,
        repair: connection.repair(),
        is_missing: connection.is_missing,
        is_held: false,
        status: connection.connection.status,
        snoozed_until: row.optional_time("snoozed_until")?,
        last_notice: last_notice(row)?,
    };
    Ok((lapse.member_id, input))
}

fn last_notice(row: &Row) -> Result<LastNotice> {
    let state = row.optional_text_of("notice_state")?.and_then(|text| text.parse().ok());
    Ok(match (state, row.optional_time("sent_at")?) {
        (None | Some(NoticeState::Cancelled), _) => LastNotice::None,
        (Some(NoticeState::Sent), Some(last_sent_at)) => LastNotice::Sent {
            step: row.count("step")?,
            first_sent_at: row.optional_time("first_sent_at")?.unwrap_or(last_sent_at),
            last_sent_at,
            is_extra: row.try_get("is_extra")?,
        },
        (Some(NoticeState::Abandoned), _) => LastNotice::Abandoned,
        (Some(_), _) => LastNotice::Pending,
    })
}
