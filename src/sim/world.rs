//! The state of the simulated world. A member whom nobody has touched costs no memory: who they are and what
//! they have follows from their id.

use super::{
    faults::{Fault, FaultKind, Faults},
    oauth::Visits,
    requests::{Operation, Requests},
    rows::{Change, Row, Source},
    tokens::Issuer,
};
use crate::{base::clock::Clock, domain::Time};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Those who are there without being asked for.
const NAMED: [&str; 3] = ["alice", "bob", "carol"];

/// A handle on the simulated world. Cheap to clone.
#[derive(Clone)]
pub struct World(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) clock: Clock,
    /// Where the simulator's own pages are, such as `http://127.0.0.1:4000`.
    pub(super) base: String,
    pub(super) issuer: Issuer,
    start: Time,
    /// `m1` to this.
    numbered: u32,
    state: Mutex<State>,
    in_flight: AtomicU32,
    peak: AtomicU32,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) members: HashMap<MemberNo, Touched>,
    pub(super) visits: Visits,
    pub(super) faults: Faults,
    pub(super) requests: Requests,
    quota: Quota,
}

/// The lists answered in the window under way.
#[derive(Default)]
struct Quota {
    began: Option<Time>,
    answered: u32,
}

impl Quota {
    /// Counts a list. When the window has no more of them: the seconds until it ends.
    fn count(&mut self, settings: &Settings, now: Time) -> Option<i64> {
        if settings.list_quota == 0 {
            *self = Self::default();
            return None;
        }
        let window = TimeDelta::seconds(settings.quota_window.into());
        let began = *self.began.get_or_insert(now);
        if now - began >= window {
            *self = Self { began: Some(now), answered: 0 };
        }
        if self.answered < settings.list_quota {
            self.answered += 1;
            return None;
        }
        let left = self.began.unwrap_or(now) + window - now;
        Some((left.num_milliseconds() + 999) / 1000)
    }
}

/// A member by number: the named ones first, then `m1` and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MemberNo(pub(super) u32);

/// What is remembered of a member to whom something happened.
#[derive(Default)]
pub(super) struct Touched {
    /// Their connections; `None` while they are those everyone starts with.
    rows: Option<Vec<Row>>,
    /// The refresh token that took the place of the first one.
    pub(super) refresh_token: Option<String>,
    /// The one before it, for as long as its successor was not used.
    pub(super) spent_refresh_token: Option<String>,
    pub(super) revoked: bool,
    /// What the list shows still, by connection, and until when; `None` for a row that was not there.
    lagging: HashMap<String, (Time, Option<Row>)>,
}

/// How the simulated gateway behaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a refresh answers a new refresh token and spends the old one.
    pub rotate: bool,
    /// Whether a spent refresh token stays good until its successor is used for the first time, as at many identity
    /// providers: a client that never got the answer to a refresh may then ask again. Using it drops the successor that
    /// was not used, so that no two are good for long.
    pub rotation_grace: bool,
    /// Seconds that an access token is good for.
    pub access_token_lifetime: u32,
    /// Seconds that a reconnect URL is good for.
    pub oauth_url_lifetime: u32,
    /// Whether a bad access token shows as an issue `login` under HTTP 200 instead of as HTTP 401.
    pub login_issue: bool,
    /// Lists that are answered per window, for all members together; 0: no quota. More get HTTP 429, with the rest of
    /// the window as `Retry-After`.
    pub list_quota: u32,
    /// Seconds of that window. The first begins with the first list.
    pub quota_window: u32,
    /// Seconds for which the list shows a connection as it was before an operation changed it. Changes made from
    /// outside show at once.
    pub list_lag: u32,
    /// What the token endpoint and the broker say for `expires_in`, as JSON; `null`: the truth.
    pub expires_in: Option<Value>,
    /// Seconds by which the gateway's `Date` is ahead of the simulated world's time.
    pub date_ahead: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotate: false,
            rotation_grace: false,
            access_token_lifetime: 3600,
            oauth_url_lifetime: 600,
            login_issue: false,
            list_quota: 0,
            quota_window: 3600,
            list_lag: 0,
            expires_in: None,
            date_ahead: 0,
        }
    }
}

/// There is no such member in the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such member in the simulated world")]
pub struct NoSuchMember;

impl World {
    pub(super) fn new(clock: Clock, base: String, numbered: u32) -> Self {
        let start = clock.now();
        Self(Arc::new(Inner {
            clock,
            base,
            issuer: Issuer::new(),
            start,
            numbered,
            state: Mutex::default(),
            in_flight: AtomicU32::new(0),
            peak: AtomicU32::new(0),
        }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Time {
        self.0.clock.now()
    }

    /// How many members there are.
    pub fn population(&self) -> u32 {
        NAMED.len() as u32 + self.0.numbered
    }

    /// The id of the member with this number, counted from 0; every number below [`World::population`] has
    /// one.
    pub fn member_id(&self, number: u32) -> String {
        match NAMED.get(number as usize) {
            Some(name) => (*name).to_owned(),
            None => format!("m{}", number - NAMED.len() as u32 + 1),
        }
    }

    pub(super) fn find(&self, member: &str) -> Result<MemberNo, NoSuchMember> {
        if let Some(number) = NAMED.iter().position(|name| *name == member) {
            return Ok(MemberNo(number as u32));
        }
        let digits =
            member.strip_prefix('m').filter(|digits| digits.starts_with(|c: char| ('1'..='9').contains(&c)));
        let number = digits.and_then(|digits| digits.parse::<u32>().ok()).filter(|n| *n <= self.0.numbered);
        number.map(|n| MemberNo(NAMED.len() as u32 + n - 1)).ok_or(NoSuchMember)
    }

    /// How the gateway behaves at present.
    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    /// Changes how the gateway behaves.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// The member's connections as the list shows them.
    pub fn connections(&self, member: &str) -> Result<Vec<Row>, NoSuchMember> {
        let no = self.find(member)?;
        Ok(self.listed(no))
    }

    pub(super) fn listed(&self, no: MemberNo) -> Vec<Row> {
        let now = self.now();
        let rows = match self.state().members.get_mut(&no).and_then(|member| member.rows.as_mut()) {
            None => None,
            Some(rows) => {
                rows.iter_mut().for_each(|row| row.settle(now));
                rows.retain(|row| row.sync_status() != Some("DATA_DELETED"));
                Some(rows.clone())
            }
        };
        let mut rows = rows.unwrap_or_else(|| self.first_rows(no));
        if let Some(member) = self.state().members.get_mut(&no) {
            member.lagging.retain(|_, (until, _)| now < *until);
            for (connection, (_, shown)) in &member.lagging {
                let at = rows.iter().position(|row| row.id() == connection);
                match (at, shown) {
                    (Some(at), Some(shown)) => rows[at] = shown.clone(),
                    (Some(at), None) => drop(rows.remove(at)),
                    (None, Some(shown)) => rows.push(shown.clone()),
                    (None, None) => {}
                }
            }
        }
        rows
    }

    /// Changes the member's connections as one of the gateway's operations does: with [`Settings::list_lag`], the list
    /// shows this one as it was for a while.
    pub(super) fn operate<T>(
        &self,
        no: MemberNo,
        connection: &str,
        change: impl FnOnce(&mut Vec<Row>, Time) -> T,
    ) -> T {
        let lag = TimeDelta::seconds(self.settings().list_lag.into());
        let shown = self.listed(no).into_iter().find(|row| row.id() == connection);
        let changed = self.change_rows(no, change);
        if !lag.is_zero() {
            let until = self.now() + lag;
            let mut state = self.state();
            state.members.entry(no).or_default().lagging.insert(connection.to_owned(), (until, shown));
        }
        changed
    }

    fn first_rows(&self, no: MemberNo) -> Vec<Row> {
        let sources: &[&str] =
            if (no.0 as usize) < NAMED.len() { &["epic", "basicins", "labcorp"] } else { &["epic"] };
        sources.iter().map(|id| Row::established(Source::named(id), self.0.start)).collect()
    }

    /// Runs `change` over the member's connections.
    pub(super) fn change_rows<T>(&self, no: MemberNo, change: impl FnOnce(&mut Vec<Row>, Time) -> T) -> T {
        let now = self.now();
        let mut state = self.state();
        let rows = state.members.entry(no).or_default().rows.get_or_insert_with(|| self.first_rows(no));
        rows.iter_mut().for_each(|row| row.settle(now));
        change(rows, now)
    }

    /// Makes a connection what a test or an operator wants it to be; one that is not there is made first.
    pub fn change(&self, member: &str, connection: &str, change: Change) -> Result<(), NoSuchMember> {
        self.change_together(member, [(connection, change)])
    }

    /// Changes several of a member's connections in one moment: no answer shows some changed and others not.
    pub fn change_together<'a>(
        &self,
        member: &str,
        changes: impl IntoIterator<Item = (&'a str, Change)>,
    ) -> Result<(), NoSuchMember> {
        let no = self.find(member)?;
        let mut seen = Vec::new();
        self.change_rows(no, |rows, now| {
            for (connection, change) in changes {
                seen.push(connection.to_owned());
                if change.absent {
                    rows.retain(|row| row.id() != connection);
                } else {
                    entry(rows, connection, now).apply(change, now);
                }
            }
        });
        let mut state = self.state();
        let lagging = &mut state.members.entry(no).or_default().lagging;
        seen.iter().for_each(|connection| drop(lagging.remove(connection)));
        Ok(())
    }

    /// Sets a connection's status, in the gateway's spelling.
    pub fn set_status(&self, member: &str, connection: &str, status: &str) -> Result<(), NoSuchMember> {
        self.change(member, connection, Change::status(status))
    }

    /// Lets something go wrong from now on.
    pub fn add_fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// The faults that have not happened yet, or not as often as they were to: nobody asked what they wait for.
    pub fn pending_faults(&self) -> Vec<Fault> {
        self.state().faults.pending()
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// How often this was asked, by anyone, faults included.
    pub fn request_count(&self, operation: Operation) -> u32 {
        self.state().requests.of(operation, None)
    }

    /// How often this was asked for this member.
    pub fn request_count_for(&self, member: &str, operation: Operation) -> Result<u32, NoSuchMember> {
        let no = self.find(member)?;
        Ok(self.state().requests.of(operation, Some(no)))
    }

    /// The most requests that were being answered at the same time.
    pub fn peak_in_flight(&self) -> u32 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Sets all counters to nought.
    pub fn reset_requests(&self) {
        self.state().requests = Requests::default();
        self.0.peak.store(self.0.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Counts a request and finds out what befalls it.
    pub(super) fn arrive(&self, operations: &[Operation], member: Option<&str>) -> Arrival {
        let in_flight = self.0.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.peak.fetch_max(in_flight, Ordering::Relaxed);
        let no = member.and_then(|member| self.find(member).ok());
        let mut state = self.state();
        state.requests.count(operations, no);
        let (delay, trouble) = state.faults.strike(operations, member);
        let is_list = operations.contains(&Operation::GetMemberConnections);
        let State { settings, quota, .. } = &mut *state;
        let over_quota = if is_list { quota.count(settings, self.now()) } else { None };
        Arrival { delay, trouble, over_quota, _in_flight: InFlight(Arc::clone(&self.0)) }
    }
}

/// The member's connection to this source, made if it is missing: established, but for its status.
pub(super) fn entry<'a>(rows: &'a mut Vec<Row>, connection: &str, now: Time) -> &'a mut Row {
    let at = rows.iter().position(|row| row.id() == connection).unwrap_or_else(|| {
        rows.push(Row {
            created: now,
            status_updated: now,
            ..Row::established(Source::named(connection), now)
        });
        rows.len() - 1
    });
    &mut rows[at]
}

/// A request that is being answered.
pub(super) struct Arrival {
    pub(super) delay: Duration,
    pub(super) trouble: Option<FaultKind>,
    /// Seconds until the quota allows a list again.
    pub(super) over_quota: Option<i64>,
    _in_flight: InFlight,
}

struct InFlight(Arc<Inner>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
