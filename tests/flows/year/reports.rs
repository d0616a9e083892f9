//! The events that the operator's own receiver gets.

use super::connection::Time;
use super::run::{Check, Run};
use crate::harness::Setup;
use crate::receiver::{Posted, Receiver, SECRET};
use chrono::TimeDelta;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// The facts about a connection.
pub(crate) const LAPSED: &str = "connection.lapsed";
pub(crate) const RECOVERED: &str = "connection.recovered";
pub(crate) const REDEEMED: &str = "link.redeemed";
/// A notice that the receiver has to tell its member.
const NOTICE: &str = "notice.due";

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
        let events = [LAPSED, RECOVERED, REDEEMED, NOTICE].join(",");
        let setup = setup.set("WEBHOOK__URL", self.receiver.url()).set("WEBHOOK__SECRET", SECRET);
        setup.set("WEBHOOK__EVENTS", events)
    }

    /// What the receiver has confirmed since the last call.
    fn take_confirmed(&mut self) -> Vec<Posted> {
        let mut posts = self.receiver.posts_from(self.read);
        self.read += posts.len();
        posts.retain(|posted| posted.status == 204);
        posts
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
        self.truth.is_receiver_down = status.is_some();
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
    pub(super) async fn hear_events(&mut self, now: Time, swept: bool) -> Check {
        let posts = self.reports.as_mut().map(Reports::take_confirmed).unwrap_or_default();
        for posted in posts {
            if !posted.is_signed_with(SECRET) {
                return Err(format!("{} comes unsigned", posted.event_type()));
            }
            if posted.event_type() == NOTICE {
                self.read_post(&posted, now).await?;
                continue;
            }
            let Some(reports) = &mut self.reports else { return Ok(()) };
            let event = posted.json();
            let text = |field: &str| event["data"][field].as_str().unwrap_or_default().to_owned();
            let (member, source, fact) = (text("member_id"), text("connection_id"), posted.event_type());
            if !reports.confirmed.insert(posted.id) {
                return Err(format!("{fact} about {source} of {member} comes twice"));
            }
            let facts = self.model.facts.entry((member.clone(), source.clone())).or_default();
            let expected = facts.pop_front();
            if expected != Some(fact.as_str()) {
                return Err(format!("{fact} about {source} of {member} instead of {expected:?}"));
            }
        }
        // An event is repeated within the hour, when the run takes a step.
        let again = TimeDelta::hours(2 * self.shape.tick_hours);
        let works_since = self.reports.as_ref().and_then(|reports| reports.works_since);
        let must_be_told = swept && works_since.is_some_and(|since| now - since > again);
        match self.model.facts.iter().find(|(_, facts)| must_be_told && !facts.is_empty()) {
            Some((of, facts)) => Err(format!("the receiver was not told of {of:?}: {facts:?}")),
            None => Ok(()),
        }
    }
}
