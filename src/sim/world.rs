//! The state of the simulated world. An unchanged member takes no memory: the id determines everything.

use super::{
    faults::{Fault, FaultKind, Faults},
    ids::{MemberNo, NoSuchMember},
    operations::Operation,
    pending_sign_ins::PendingSignIns,
    quota::Quota,
    requests::Requests,
    rows::{Change, Row, Source, find_or_create},
    settings::Settings,
    tokens::Issuer,
};
use crate::{base::clock::Clock, domain::Time};
use chrono::TimeDelta;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// The members that always exist.
const NAMED: [&str; 3] = ["alice", "bob", "carol"];

/// A handle on the simulated world. Cheap to clone.
#[derive(Clone)]
pub struct World(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) clock: Clock,
    /// The base URL of the simulator's own pages, such as `http://127.0.0.1:4000`.
    pub(super) base: String,
    pub(super) issuer: Issuer,
    start: Time,
    /// The number of members `m1`, `m2`, …
    numbered: u32,
    state: Mutex<State>,
    in_flight: AtomicU32,
    peak: AtomicU32,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) members: HashMap<MemberNo, DirtyMember>,
    pub(super) sign_ins: PendingSignIns,
    pub(super) faults: Faults,
    pub(super) requests: Requests,
    quota: Quota,
}

/// A member whose state differs from the initial one.
#[derive(Default)]
pub(super) struct DirtyMember {
    /// The connections; `None` while they are the initial ones.
    rows: Option<Vec<Row>>,
    /// The refresh token that replaced the first one.
    pub(super) refresh_token: Option<String>,
    /// Its predecessor, until the successor is used.
    pub(super) spent_refresh_token: Option<String>,
    pub(super) revoked: bool,
    /// The rows that the list still shows, by connection, and until when; `None` for a row that did not exist.
    lagging: HashMap<String, (Time, Option<Row>)>,
}

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

    pub fn population(&self) -> u32 {
        NAMED.len() as u32 + self.0.numbered
    }

    /// The id of the member with this number, which is below [`World::population`].
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

    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// The member's connections, as the list shows them.
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

    /// Changes the member's connections as an operation of the gateway does, which means that the change shows in the
    /// list after [`Settings::list_lag`].
    pub(super) fn change_by_operation<T>(
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

    pub(super) fn change_rows<T>(&self, no: MemberNo, change: impl FnOnce(&mut Vec<Row>, Time) -> T) -> T {
        let now = self.now();
        let mut state = self.state();
        let rows = state.members.entry(no).or_default().rows.get_or_insert_with(|| self.first_rows(no));
        rows.iter_mut().for_each(|row| row.settle(now));
        change(rows, now)
    }

    /// Changes a connection, and creates it first if it does not exist.
    pub fn change(&self, member: &str, connection: &str, change: Change) -> Result<(), NoSuchMember> {
        self.change_together(member, [(connection, change)])
    }

    /// Changes several of a member's connections at once: no response shows only some of the changes.
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
                    find_or_create(rows, connection, now).apply(change, now);
                }
            }
        });
        let mut state = self.state();
        let lagging = &mut state.members.entry(no).or_default().lagging;
        seen.iter().for_each(|connection| drop(lagging.remove(connection)));
        Ok(())
    }

    /// Sets a connection's status, as the gateway spells it.
    pub fn set_status(&self, member: &str, connection: &str, status: &str) -> Result<(), NoSuchMember> {
        self.change(member, connection, Change::status(status))
    }

    pub fn add_fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// The faults that have not occurred yet, or not as often as configured.
    pub fn pending_faults(&self) -> Vec<Fault> {
        self.state().faults.pending()
    }

    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// The number of requests for this operation, by anyone, including those with a fault.
    pub fn request_count(&self, operation: Operation) -> u32 {
        self.state().requests.of(operation, None)
    }

    /// The number of requests for this operation, for this member.
    pub fn request_count_for(&self, member: &str, operation: Operation) -> Result<u32, NoSuchMember> {
        let no = self.find(member)?;
        Ok(self.state().requests.of(operation, Some(no)))
    }

    /// The largest number of requests in flight at the same time.
    pub fn peak_in_flight(&self) -> u32 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Resets all counters to zero.
    pub fn reset_requests(&self) {
        self.state().requests = Requests::default();
        self.0.peak.store(self.0.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Counts a request and selects the faults that apply to it.
    pub(super) fn begin_request(&self, operations: &[Operation], member: Option<&str>) -> RequestInFlight {
        let in_flight = self.0.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.peak.fetch_max(in_flight, Ordering::Relaxed);
        let no = member.and_then(|member| self.find(member).ok());
        let mut state = self.state();
        state.requests.count(operations, no);
        let (delay, fault) = state.faults.apply(operations, member);
        let is_list = operations.contains(&Operation::GetMemberConnections);
        let State { settings, quota, .. } = &mut *state;
        let over_quota = if is_list { quota.record(settings, self.now()) } else { None };
        RequestInFlight { delay, fault, over_quota, _in_flight: InFlight(Arc::clone(&self.0)) }
    }
}

pub(super) struct RequestInFlight {
    pub(super) delay: Duration,
    pub(super) fault: Option<FaultKind>,
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
