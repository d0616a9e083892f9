//! What the documentation says about members, their connections, and their emails. It is told what was done and what the
//! gateway said, and never reads the daemon's code or tables. A copy of it is what a backup knows.

use super::channel::Channel;
use super::connection::{Connection, Lapse, Outcome, State, Time};
use super::holds::Hold;
use super::links::Link;
use super::policies::{CAP, DIGEST_WINDOW, GAP, POLICIES, Policy, QUIET_FROM, QUIET_UNTIL};
use super::truth::Truth;
use chrono::{TimeDelta, Timelike};
use chrono_tz::Tz;
use reconnectd::domain::{NoticeKind, Suppression, TransitionId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The limits of email are over this time.
const MONTH: TimeDelta = TimeDelta::days(30);
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) policy: &'static Policy,
    pub(crate) channel: Channel,
    pub(crate) members: BTreeMap<String, Member>,
    /// By address.
    pub(crate) suppressed: BTreeMap<String, BTreeSet<&'static str>>,
    pub(crate) holds: Vec<Hold>,
    /// By recipient.
    received: BTreeMap<String, Vec<Received>>,
    pub(crate) links: Vec<Link>,
    /// The notices whose emails arrived, and how often.
    pub(crate) copies: BTreeMap<String, usize>,
    /// Copies that no lost response explains yet.
    pub(crate) excused_copies: usize,
    /// The changes of status that no transition has told yet: the member, the source, from, to, and when.
    pub(crate) changes: Vec<(String, String, Option<String>, String, Time)>,
    pub(crate) last_transition: Option<TransitionId>,
    /// The notices that members requested.
    pub(crate) requested: BTreeSet<String>,
    pub(crate) last_audit: String,
    /// What the operator's receiver must be told next, by member and connection.
    pub(crate) facts: BTreeMap<(String, String), VecDeque<&'static str>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) is_enrolled: bool,
    pub(crate) is_paused: bool,
    /// As it was imported.
    pub(crate) address: String,
    pub(crate) zone: Option<Tz>,
    pub(crate) connections: BTreeMap<String, Connection>,
    /// Whether the last poll gave a usable response.
    pub(crate) is_in_sight: bool,
    /// The refresh token that the daemon has.
    pub(crate) token: String,
}

#[derive(Clone, Debug)]
struct Received {
    at: Time,
    kind: NoticeKind,
    members: BTreeSet<String>,
}

/// An email as it arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) notice: String,
    pub(crate) to: String,
    pub(crate) kind: NoticeKind,
    /// Member, source, step.
    pub(crate) items: Vec<(String, String, u32)>,
    /// Whether the daemon knows that it arrived.
    pub(crate) is_confirmed: bool,
}

/// Letter case is ignored.
pub(crate) fn key(address: &str) -> String {
    address.to_lowercase()
}

type Check = Result<(), String>;

fn ensure(condition: bool, what: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(what()) }
}

impl Model {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            policy: &POLICIES[0],
            channel,
            members: BTreeMap::new(),
            suppressed: BTreeMap::new(),
            holds: Vec::new(),
            received: BTreeMap::new(),
            links: Vec::new(),
            copies: BTreeMap::new(),
            excused_copies: 0,
            changes: Vec::new(),
            last_transition: None,
            requested: BTreeSet::new(),
            last_audit: String::new(),
            facts: BTreeMap::new(),
        }
    }

    pub(crate) fn enrolled(&self) -> impl Iterator<Item = (&String, &Member)> {
        self.members.iter().filter(|(_, member)| member.is_enrolled)
    }

    /// Enrolls a member, or brings a removed one back.
    pub(crate) fn enroll(&mut self, id: &str, address: &str, zone: Option<Tz>) {
        let member = self.members.entry(id.to_owned()).or_insert_with(|| Member {
            is_enrolled: true,
            is_paused: false,
            address: address.to_owned(),
            zone,
            connections: BTreeMap::new(),
            is_in_sight: false,
            token: String::new(),
        });
        if !member.is_enrolled {
            // A removal ends a pause.
            (member.is_enrolled, member.is_paused) = (true, false);
        }
        (member.address, member.zone) = (address.to_owned(), zone);
    }

    /// Whether the daemon has the refresh token that the gateway accepts. Without it, an access token may still work.
    pub(crate) fn has_token(&self, id: &str, truth: &Truth) -> bool {
        self.members.get(id).map(|member| &member.token) == truth.tokens.get(id)
    }

    pub(crate) fn change_address(&mut self, id: &str, address: &str) {
        let Some(member) = self.members.get_mut(id) else { return };
        let is_new = key(&member.address) != key(address);
        address.clone_into(&mut member.address);
        if is_new {
            for lapse in member.connections.values_mut().filter_map(|connection| connection.lapse.as_mut()) {
                // What was given up is sent to the new address.
                (lapse.is_abandoned, lapse.clear_since) = (false, None);
            }
        }
    }

    pub(crate) fn remove(&mut self, id: &str, is_erased: bool, now: Time) {
        self.links.retain(|link| link.member != id);
        if is_erased {
            self.members.remove(id);
            self.facts.retain(|(member, _), _| member != id);
            for emails in self.received.values_mut() {
                emails.retain(|email| !email.members.contains(id));
            }
        } else if let Some(member) = self.members.get_mut(id) {
            (member.is_enrolled, member.is_in_sight) = (false, false);
            for connection in member.connections.values_mut() {
                connection.end(Outcome::Removed, now);
            }
        }
    }

    /// The gateway was asked for the member's list so many times, and what it said was usable.
    pub(crate) fn respond(&mut self, id: &str, times: u32, truth: &Truth, now: Time) {
        let policy = self.policy;
        let Some(member) = self.members.get_mut(id) else { return };
        member.is_in_sight = true;
        for _ in 0..times {
            for (source, row) in truth.rows_of(id) {
                let connection = member.connections.entry(source.to_owned()).or_default();
                if let Some((from, to)) = connection.respond(row, policy, now) {
                    self.changes.push((id.to_owned(), source.to_owned(), from, to, now));
                }
                let facts = std::mem::take(&mut connection.facts);
                if !facts.is_empty() {
                    self.facts.entry((id.to_owned(), source.to_owned())).or_default().extend(facts);
                }
            }
        }
    }

    pub(crate) fn part(&mut self, id: &str, source: &str, now: Time) {
        if let Some(member) = self.members.get_mut(id) {
            member.connections.entry(source.to_owned()).or_default().part(now);
        }
    }

    pub(crate) fn lapse(&mut self, member: &str, source: &str) -> Option<&mut Lapse> {
        self.members.get_mut(member)?.connections.get_mut(source)?.lapse.as_mut()
    }

    pub(crate) fn is_suppressed(&self, address: &str) -> bool {
        self.suppressed.get(&key(address)).is_some_and(|reasons| !reasons.is_empty())
    }

    /// Returns whether that is new.
    pub(crate) fn suppress(&mut self, address: &str, reason: Suppression) -> bool {
        self.suppressed.entry(key(address)).or_default().insert(reason.as_str())
    }

    /// Why the member gets no email, whatever it is about.
    pub(crate) fn must_get_none(&self, id: &str) -> Option<&'static str> {
        match self.members.get(id).filter(|member| member.is_enrolled) {
            None => Some("the member is not enrolled"),
            Some(member) if member.is_paused => Some("the member is paused"),
            Some(member) if self.is_suppressed(&member.address) => Some("the address is suppressed"),
            Some(_) => None,
        }
    }

    /// Why no email about the connection may be sent now.
    pub(crate) fn forbidden(&self, id: &str, source: &str, truth: &Truth, now: Time) -> Option<String> {
        if let Some(reason) = self.must_get_none(id) {
            return Some(reason.to_owned());
        }
        let member = self.members.get(id)?;
        let Some(status) = truth.row(id, source) else { return Some("there is no such row".to_owned()) };
        let lapse = member.connections.get(source).and_then(Connection::open_lapse);
        let held = self.holding(id, source, status, now);
        let reasons = [
            (self.policy.of(status).is_none(), format!("no email about {status}")),
            (!matches!(source, "epic" | "kaiser-north"), format!("no email about {source}")),
            (lapse.is_none(), "no lapse is open".to_owned()),
            (!truth.is_clear(id), "no second look was possible".to_owned()),
            (!truth.has_sign_in(id), "no sign-in was possible".to_owned()),
            (held.is_some(), format!("it is held: {held:?}")),
        ];
        reasons.into_iter().find_map(|(applies, reason)| applies.then_some(reason))
    }

    /// An email arrived. Checks that it was allowed, and learns of it.
    pub(crate) fn arrive(&mut self, email: &Arrival, truth: &Truth, now: Time) -> Check {
        let Arrival { notice, to, kind, items, is_confirmed } = email;
        let copies = self.copies.get(notice).copied().unwrap_or(0);
        let is_requested = self.requested.contains(notice);
        ensure(!items.is_empty() || *kind == NoticeKind::Invited, || "it is about nothing".to_owned())?;
        for (id, _, _) in items {
            let address = self.members.get(id).map(|member| key(&member.address));
            ensure(address.as_deref() == Some(&key(to)), || format!("{id} has another address"))?;
        }
        ensure(!self.is_suppressed(to), || "the address is suppressed".to_owned())?;
        ensure(!self.holds.iter().any(|hold| hold.covers_all_email(now)), || "all email is held".to_owned())?;
        match kind {
            NoticeKind::Reconnect => {
                // What is due within the digest window joins an email that goes out now.
                let check = |item, by| self.check_item(item, is_requested, truth, (now, by));
                let by =
                    if items.iter().any(|item| check(item, now).is_ok()) { now + DIGEST_WINDOW } else { now };
                let about = |item| check(item, by);
                let refused: Vec<_> = items.iter().filter_map(|item| about(item).err()).collect();
                // What is not recorded as sent can have left out some of the items.
                let is_allowed = refused.is_empty() || (!is_confirmed && refused.len() < items.len());
                ensure(is_allowed, || refused.join("; "))?;
            }
            NoticeKind::Recovered => {
                for (id, source, _) in items {
                    let works = truth.row(id, source) == Some("CONNECTED");
                    let is_paused = self.members.get(id).is_none_or(|member| member.is_paused);
                    ensure(works && !is_paused, || format!("{id} {source} has not recovered, or is paused"))?;
                    let lapse = self
                        .members
                        .get(id)
                        .and_then(|member| member.connections.get(source)?.lapse.as_ref());
                    let is_news = lapse.is_some_and(|lapse| !lapse.sent.is_empty() && !lapse.is_announced);
                    ensure(is_news || copies > 0, || format!("the recovery of {id} {source} is no news"))?;
                }
                ensure(self.policy.announces_recoveries, || "recoveries are not announced".to_owned())?;
            }
            NoticeKind::Invited => {}
        }
        if *kind == NoticeKind::Reconnect && !is_requested && copies == 0 {
            let recipient = items.first().map_or(key(to), |(id, ..)| self.recipient(id, to));
            self.check_limits(&recipient, now)?;
        }
        if *kind != NoticeKind::Invited && !is_requested {
            self.check_quiet_hours(items, now)?;
        }
        *self.copies.entry(notice.clone()).or_default() += 1;
        if copies > 0 {
            ensure(self.excused_copies > 0, || "it was sent twice".to_owned())?;
            self.excused_copies -= 1;
        }
        if *is_confirmed {
            self.learn(email, is_requested, truth, now)?;
        }
        Ok(())
    }

    fn check_item(
        &self,
        (id, source, step): &(String, String, u32),
        is_requested: bool,
        truth: &Truth,
        (now, by): (Time, Time),
    ) -> Check {
        let about = |reason: String| format!("{id} {source} step {step}: {reason}");
        if let Some(reason) = self.forbidden(id, source, truth, now) {
            return Err(about(reason));
        }
        let status = truth.row(id, source).unwrap_or_default();
        let lapse = self.members.get(id).and_then(|member| member.connections.get(source)?.open_lapse());
        let Some(lapse) = lapse.filter(|_| !is_requested) else { return Ok(()) };
        let is_enabled = self.policy.of(status).is_some_and(|of_status| of_status.enabled);
        ensure(is_enabled, || about(format!("emails about {status} are off")))?;
        ensure(!lapse.is_snoozed(by), || about("it is snoozed".to_owned()))?;
        let Some(next) = lapse.next(status, self.policy) else {
            return Err(about(format!("the cadence has ended: {:?}", lapse.sent)));
        };
        ensure(next.step == *step, || about(format!("step {} is next", next.step)))?;
        ensure(by >= next.not_before, || about(format!("not before {}", next.not_before)))
    }

    /// Those of the first member by id.
    fn check_quiet_hours(&self, items: &[(String, String, u32)], now: Time) -> Check {
        let first = items.iter().map(|(id, ..)| id).min();
        let zone = first.and_then(|id| self.members.get(id)?.zone).unwrap_or(Tz::UTC);
        let hour = now.with_timezone(&zone).hour();
        ensure((QUIET_UNTIL..QUIET_FROM).contains(&hour), || format!("at {hour}:00 in {zone}"))
    }

    fn check_limits(&self, recipient: &str, now: Time) -> Check {
        let emails = self.received.get(recipient).map_or(&[][..], Vec::as_slice);
        let last = emails.iter().rfind(|email| email.kind != NoticeKind::Recovered);
        ensure(last.is_none_or(|last| now - last.at >= GAP), || format!("within the gap after {last:?}"))?;
        let of_month = self.of_month(recipient, now);
        ensure(of_month < CAP, || format!("{of_month} emails within 30 days"))
    }

    pub(crate) fn of_month(&self, recipient: &str, now: Time) -> usize {
        let emails = self.received.get(recipient).map_or(&[][..], Vec::as_slice);
        emails.iter().filter(|email| now - email.at < MONTH).count()
    }

    fn learn(&mut self, email: &Arrival, is_requested: bool, truth: &Truth, now: Time) -> Check {
        if is_requested {
            return Ok(());
        }
        let members: BTreeSet<_> = email.items.iter().map(|(id, ..)| id.clone()).collect();
        let recipient = members.first().map_or(key(&email.to), |id| self.recipient(id, &email.to));
        let received = Received { at: now, kind: email.kind, members };
        self.received.entry(recipient).or_default().push(received);
        if email.kind == NoticeKind::Recovered {
            for (id, source, _) in &email.items {
                if let Some(lapse) = self.lapse(id, source) {
                    lapse.is_announced = true;
                }
            }
        }
        if email.kind == NoticeKind::Reconnect {
            let policy = self.policy;
            for (id, source, _) in &email.items {
                let status = truth.row(id, source).unwrap_or_default().to_owned();
                let Some(lapse) = self.lapse(id, source) else { continue };
                if let Some(next) = lapse.next(&status, policy) {
                    lapse.record(next, now);
                }
            }
        }
        Ok(())
    }

    /// The newest lapse of each connection, in words.
    pub(crate) fn lapses(&self) -> BTreeMap<(String, String), String> {
        let mut all = BTreeMap::new();
        for (id, member) in &self.members {
            for (source, connection) in &member.connections {
                let Some(lapse) = &connection.lapse else { continue };
                let words = match (lapse.state, lapse.outcome) {
                    (State::Suspected, _) => "suspected",
                    (State::Open, _) => "open",
                    (State::Closed, Some(Outcome::Recovered)) => "closed recovered",
                    (State::Closed, Some(Outcome::Removed)) => "closed removed",
                    (State::Closed, Some(Outcome::Dismissed)) => "closed dismissed",
                    (State::Closed, None) => "closed",
                };
                all.insert((id.clone(), source.clone()), words.to_owned());
            }
        }
        all
    }
}
