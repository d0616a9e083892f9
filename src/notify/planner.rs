//! Actor: evaluates a page of members at a time, with all who share their addresses, and stores the planned notices.

use super::plan::{Policy, output};
use crate::base::clock::Clock;
use crate::domain::{AddressInput, MemberId, Time};
use crate::store::{PLANNER_PAUSE, Store, StoreError};
use chrono::TimeDelta;
use std::sync::{Arc, Mutex, PoisonError};

/// Members per page. Other writes wait while a page is planned.
const PAGE_SIZE: u32 = 128;
/// How long a member waits whose rows cannot be read.
const UNREADABLE_WAIT: TimeDelta = TimeDelta::hours(1);

#[derive(Clone, Debug)]
pub struct Planner {
    store: Store,
    clock: Clock,
    policy: Policy,
    /// `None`: not in this process.
    last_run: Arc<Mutex<Option<Time>>>,
}

impl Planner {
    pub fn new(store: Store, clock: Clock, policy: Policy) -> Self {
        Self { store, clock, policy, last_run: Arc::default() }
    }

    /// Plans for the members whose lapses are due first. Returns whether there were any.
    ///
    /// # Errors
    /// Only errors of the store. A row that cannot be read stops only its own member.
    pub async fn plan_page(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.record_pause(now).await?;
        let released = self.store.end_due_holds(now).await?;
        if released > 0 {
            tracing::info!(
                event = "hold_ended",
                notices = released,
                "a hold is over; what it held is queued again"
            );
        }
        let dripped = self.store.drip(self.policy.drip_per_minute, now).await?;
        if dripped > 0 {
            tracing::info!(event = "storm_drip", notices = dripped, "queued a portion of what a storm held");
        }
        let members = self.store.members_to_plan(now, PAGE_SIZE).await?;
        if members.is_empty() {
            return Ok(false);
        }
        match self.plan(&members, now).await {
            Err(error) if error.is_about_a_row() => {
                for member in &members {
                    self.plan_alone(member, now).await?;
                }
            }
            planned => planned?,
        }
        Ok(true)
    }

    /// Lets `replay` know when nothing could be planned.
    async fn record_pause(&self, now: Time) -> Result<(), StoreError> {
        let last = *self.last_run.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| now - last >= PLANNER_PAUSE) {
            self.store.record_planner_pause(last, now).await?;
        }
        *self.last_run.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    async fn plan_alone(&self, member: &MemberId, now: Time) -> Result<(), StoreError> {
        match self.plan(std::slice::from_ref(member), now).await {
            Err(error) if error.is_about_a_row() => {
                tracing::error!(
                    event = "member_not_planned", member_id = %member, %error,
                    "cannot plan for a member"
                );
                self.store.postpone_planning(member, now, now + UNREADABLE_WAIT).await
            }
            planned => planned,
        }
    }

    async fn plan(&self, members: &[MemberId], now: Time) -> Result<(), StoreError> {
        let evaluate = |input: &AddressInput| output(input, &self.policy, now);
        for (member, notice) in self.store.plan_members(members, now, evaluate).await? {
            tracing::info!(
                event = "notice_queued", member_id = %member, notice_id = %notice,
                "notice queued"
            );
        }
        Ok(())
    }
}
