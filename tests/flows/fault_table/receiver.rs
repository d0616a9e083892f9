//! The operator's receiver of events.

use super::http_faults::{HttpFault, Way, http_faults};
use super::row::{LogSince, Outcome, Row, Section, about, listed};
use crate::broken_http::BrokenServer;
use crate::harness::{Harness, Setup};
use crate::receiver::{Receiver, SECRET};
use chrono::TimeDelta;
use reconnectd::domain::{EventState, ListedEvent, MemberId};
use reconnectd::server::components::App;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

const PATH: &str = "/events?key=hidden";
/// A member whose events leave a connection behind.
const EARLIER: &str = "alice";

const DELIVERED: &str = "the event is `delivered`";

struct Bench {
    h: Harness,
    server: BrokenServer,
    /// Its connections are all new: none of its posts succeeds.
    unconnected: App,
    /// Expects TLS.
    over_tls: App,
    /// Looks for the receiver where there is none.
    astray: App,
}

/// Lets each fault happen to an event of another member, and ends it again.
pub(super) async fn section() -> Section {
    let (receiver, server) = (Receiver::start().await, BrokenServer::start().await);
    server.forward_to(receiver.address());
    let faults = http_faults();
    let members: Vec<String> = (1..=faults.len()).map(|n| format!("m{n}")).collect();
    let setup = Setup::default()
        .members(faults.len() as u32)
        .set("WEBHOOK__URL", format!("http://{}{PATH}", server.address()))
        .set("WEBHOOK__SECRET", SECRET)
        .set("NOTICES__EXPIRED__ENABLED", false);
    let all: Vec<_> = members.iter().map(String::as_str).chain([EARLIER]).collect();
    let h = Harness::watching_with(setup, &all).await;
    let at = async |host: &str| h.another_app(&[("WEBHOOK__URL", &format!("{host}{PATH}"))]).await;
    let bench = Bench {
        unconnected: h.another_app(&[]).await,
        over_tls: at(&format!("https://{}", server.address())).await,
        astray: at("https://no-such-host.invalid").await,
        h,
        server,
    };
    let mut rows = Vec::new();
    let pairs: Vec<_> = faults.iter().zip(&members).collect();
    // Those that end by a timeout wait side by side, each for a request with its member.
    let (slow, quick): (Vec<_>, Vec<_>) =
        pairs.iter().partition(|(fault, _)| fault.is_slow && fault.befalls_any_request());
    bench.post_side_by_side(&slow).await;
    for (fault, member) in &quick {
        bench.post(fault, member).await;
    }
    for (fault, member) in pairs {
        rows.push(Row { fault: fault.name.clone(), outcome: bench.outcome(member).await });
    }
    bench.expect_each_event_once(&receiver, &members, &rows).await;
    Section {
        title: "The receiver of events",
        about: "A request to `webhook.url`. An event keeps its id, so a receiver recognizes one that is repeated.",
        rows,
    }
}

impl Bench {
    /// Records an event about the member.
    async fn lapse(&self, member: &str) {
        self.h.set(member, "epic", "EXPIRED");
        assert!(self.h.retry(&[member]).await.complete());
    }

    async fn deliver(&self, app: &App) {
        let mut courier = app.event_courier().expect("a receiver");
        courier.deliver_all(&CancellationToken::new()).await.expect("the posts end");
    }

    async fn post_side_by_side(&self, faults: &[&(&HttpFault, &String)]) {
        for (fault, member) in faults {
            self.lapse(member).await;
            fault.begin(&self.server, &format!("\"{member}\"")).await;
        }
        self.deliver(&self.h.app).await;
        assert_eq!(self.server.mend().await as usize, faults.len(), "each happened");
    }

    async fn post(&self, fault: &HttpFault, member: &str) {
        if fault.befalls_a_kept_connection() {
            self.lapse(EARLIER).await;
            self.deliver(&self.h.app).await;
            self.h.set(EARLIER, "epic", "CONNECTED");
            self.h.retry(&[EARLIER]).await;
            self.deliver(&self.h.app).await;
        }
        self.lapse(member).await;
        fault.begin(&self.server, "webhook-id").await;
        let app = match &fault.way {
            Way::NoSuchHost => &self.astray,
            Way::BrokenTls(_) => &self.over_tls,
            _ if !fault.befalls_a_request() => &self.unconnected,
            _ => &self.h.app,
        };
        self.deliver(app).await;
        let broken = self.server.mend().await;
        assert!(broken > 0 || matches!(fault.way, Way::Refused | Way::NoSuchHost), "{} happens", fault.name);
    }

    async fn event_of(&self, member: &str) -> ListedEvent {
        let id = MemberId::from(member);
        let events = self.h.app.store.events(None, None, 10_000).await.expect("events");
        events.into_iter().find(|event| event.member_id.as_ref() == Some(&id)).expect("an event")
    }

    async fn outcome(&self, member: &str) -> Outcome {
        let event = self.event_of(member).await;
        let reason = event.last_error.as_deref().unwrap_or("none");
        let reason =
            if reason.starts_with("http_") { "http_` and the status" } else { &format!("{reason}`") };
        let subject = format!("event_id={}", event.id);
        let log = LogSince::beginning(&self.h.log);
        let (concludes, next) = match (event.state, event.next_at) {
            (EventState::Delivered, _) => (DELIVERED.to_owned(), "nothing".to_owned()),
            (state, Some(next)) => (
                format!("the event is `{}` (`{reason})", state.as_str()),
                format!("posts again {}", about(next - self.h.clock.now())),
            ),
            (state, None) => panic!("an event that waits for nothing: {state:?}"),
        };
        Outcome { concludes, next, seen: listed(log.events_about(&[&subject])) }
    }

    /// After the last fault, the receiver has each event, and one that came twice has one id.
    async fn expect_each_event_once(&self, receiver: &Receiver, members: &[String], rows: &[Row]) {
        self.h.clock.advance(TimeDelta::hours(2));
        self.deliver(&self.h.app).await;
        for (member, Row { fault, outcome }) in members.iter().zip(rows) {
            assert_eq!(self.event_of(member).await.state, EventState::Delivered, "{fault}");
            let confirmed = receiver.confirmed();
            let of_member = confirmed.iter().filter(|posted| posted.member().as_ref() == Some(member));
            let ids: BTreeSet<_> = of_member.map(|posted| &posted.id).collect();
            // A response in the receiver's place confirms the event, too.
            let was_confirmed = outcome.concludes == DELIVERED;
            assert!(ids.len() == 1 || ids.is_empty() && was_confirmed, "{fault}: {ids:?}");
        }
    }
}
