//! The events that the operator's own receiver gets.

use super::connection::Time;
use super::run::{Check, Run};
use crate::harness::Setup;
use crate::receiver::{Receiver, SECRET};
use chrono::TimeDelta;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// The facts about a connection.
pub(crate) const LAPSED: &str = "connection.lapsed";
pub(crate) const RECOVERED: &str = "connection.recovered";
pub(crate) const REDEEMED: &str = "link.redeemed";
/// The longest wait between two attempts, and the time of a step of the run.
const AGAIN: TimeDelta = TimeDelta::hours(9);

pub(crate) struct Reports {
    receiver: Receiver,
    /// How many posts were looked at.
    read: usize,
    /// What the receiver has confirmed.
    confirmed: BTreeSet<String>,
    works_since: Option<Time>,
}

impl Reports {
    pub(super) async fn start() -> Self {
        let receiver = Receiver::start().await;
        Self { receiver, read: 0, confirmed: BTreeSet::new(), works_since: Some(Time::UNIX_EPOCH) }
    }

    pub(super) fn set(&self, setup: Setup) -> Setup {
        let events = [LAPSED, RECOVERED, REDEEMED].join(",");
        let setup = setup.set("WEBHOOK__URL", self.receiver.url()).set("WEBHOOK__SECRET", SECRET);
        setup.set("WEBHOOK__EVENTS", events)
    }

    /// A restored database sends again what it does not know to be confirmed.
    pub(super) fn forget(&mut self) {
        self.confirmed.clear();
    }
}

impl Run {
    /// `None`: it works.
    pub(super) fn change_receiver(&mut self, status: Option<u16>) {
        let now = self.now();
        if let Some(reports) = &mut self.reports {
            reports.receiver.answer(status.unwrap_or(204));
            reports.works_since = status.is_none().then_some(now);
        }
    }

    pub(super) async fn deliver_events(&self) {
        if let Some(mut courier) = self.h.app.event_courier() {
            courier.maintain().await.expect("the store answers");
            courier.deliver_all(&CancellationToken::new()).await.expect("the store answers");
        }
    }

    /// Each fact arrives once, in the order of the connection's facts, as soon as the receiver works.
    pub(super) fn hear_events(&mut self, now: Time, swept: bool) -> Check {
        let Some(reports) = &mut self.reports else { return Ok(()) };
        for posted in reports.receiver.posts_from(reports.read) {
            reports.read += 1;
            if posted.status != 204 {
                continue;
            }
            let event = posted.json();
            let text = |field: &str| event["data"][field].as_str().unwrap_or_default().to_owned();
            let (member, source, fact) = (text("member_id"), text("connection_id"), posted.event_type());
            if !posted.is_signed_with(SECRET) || !reports.confirmed.insert(posted.id) {
                return Err(format!("{fact} about {source} of {member} comes unsigned, or twice"));
            }
            let facts = self.model.facts.entry((member.clone(), source.clone())).or_default();
            let expected = facts.pop_front();
            if expected != Some(fact.as_str()) {
                return Err(format!("{fact} about {source} of {member} instead of {expected:?}"));
            }
        }
        let must_be_told = swept && reports.works_since.is_some_and(|since| now - since > AGAIN);
        match self.model.facts.iter().find(|(_, facts)| must_be_told && !facts.is_empty()) {
            Some((of, facts)) => Err(format!("the receiver was not told of {of:?}: {facts:?}")),
            None => Ok(()),
        }
    }
}
