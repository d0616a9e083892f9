//! Several instances on one database.

use crate::harness::{Harness, Setup};
use crate::running::until;
use crate::tcp_proxy::TcpProxy;
use chrono::TimeDelta;
use reconnectd::{
    detect::sweep::SweepReport,
    domain::Time,
    server::components::App,
    sim::{FaultKind, Operation},
    store::{InstanceCommand, InstanceLock},
};
use tokio_util::sync::CancellationToken;

const LIST: Operation = Operation::GetMemberConnections;

/// Two instances, and how many members they watch. `None` when this machine has no PostgreSQL.
struct Two {
    h: Harness,
    second: App,
    members: Vec<String>,
    _locks: [InstanceLock; 2],
}

impl Two {
    async fn watching(members: u32) -> Option<Self> {
        let h = Setup::shared().await?.members(members).start().await;
        let members: Vec<_> = (1..=members).map(|n| format!("m{n}")).collect();
        h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let second = h.another_app(&[]).await;
        let first = h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
        let _locks = [first, second.acquire_instance_lock(InstanceCommand::Run).await.unwrap()];
        Some(Self { h, second, members, _locks })
    }

    async fn start(&self, app: &App) -> bool {
        app.sweeper.start(Some(tick())).await.unwrap()
    }

    fn polls(&self) -> Vec<u32> {
        self.members.iter().map(|member| self.h.asked(member, LIST)).collect()
    }

    async fn ended_sweeps(&self) -> usize {
        let rows = self.h.rows().await.texts("sweeps", "sweep_id").await.unwrap();
        assert_eq!(self.h.rows().await.count("sweep_pages").await.unwrap(), 0);
        rows.len()
    }
}

fn tick() -> Time {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

async fn take_part(app: &App, stop: &CancellationToken) -> Option<SweepReport> {
    app.sweeper.take_part(stop).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_poll_each_member_once_and_one_of_them_ends_the_sweep() {
    let Some(two) = Two::watching(1_100).await else { return };
    let (first, second) = (&two.h.app, &two.second);
    let started = tokio::join!(two.start(first), two.start(second));
    assert_eq!(u8::from(started.0) + u8::from(started.1), 1, "the tick has one sweep");
    let stop = CancellationToken::new();
    let (one, other) = tokio::join!(take_part(first, &stop), take_part(second, &stop));
    let reports: Vec<_> = one.into_iter().chain(other).collect();
    assert_eq!(reports.len(), 1);
    assert!(reports[0].complete());
    assert_eq!((reports[0].progress.members, reports[0].progress.transitions), (1_100, 1_100));
    assert_eq!(two.polls(), vec![1; 1_100]);
    assert_eq!(two.ended_sweeps().await, 1);
    assert!(!two.start(first).await && !two.start(second).await, "the tick was swept");
    two.h.clock.advance(TimeDelta::minutes(15));
    assert!(second.sweeper.start(Some(tick() + TimeDelta::minutes(15))).await.unwrap());
    assert!(take_part(second, &stop).await.unwrap().complete());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_an_instance_that_dies_are_taken_over() {
    let Some(two) = Two::watching(1_200).await else { return };
    let (first, second, stop) = (&two.h.app, &two.second, CancellationToken::new());
    assert!(two.start(first).await);
    // It dies while it polls.
    let mut progress = first.sweeper.progress();
    tokio::select! {
        _ = take_part(first, &stop) => unreachable!("it dies first"),
        seen = progress.wait_for(|progress| progress.members > 0) => drop(seen.unwrap()),
    }
    let part = take_part(second, &stop).await;
    assert_eq!(part, None, "the pages of the other are not its own");
    let mut rows = two.h.rows().await;
    let seen = rows.numbers("instances", "seen_at").await.unwrap().into_iter().min().unwrap();
    let dead = rows.texts("sweep_pages", "holder").await.unwrap().remove(0);
    // The other sends no heartbeats here either, and the machine may be slow.
    rows.add("instances", "seen_at", 3_600_000).await.unwrap();
    rows.set_where("instances", ("instance_id", &dead), "seen_at", seen - 60_000).await.unwrap();
    second.store.release_leases_of_dead(two.h.clock.now()).await.unwrap();
    let report = take_part(second, &stop).await.unwrap();
    assert!(report.complete());
    assert_eq!((report.progress.members, report.progress.transitions <= 1_200), (1_200, true));
    assert!(two.polls().into_iter().all(|polls| polls > 0));
    assert_eq!(two.ended_sweeps().await, 1);
    assert_eq!(take_part(first, &stop).await, None, "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_one_instance_sees_ends_the_sweep_of_all() {
    let Some(two) = Two::watching(1_100).await else { return };
    let (first, second, stop) = (&two.h.app, &two.second, CancellationToken::new());
    two.h.fault(LIST, FaultKind::GraphqlError { code: "exception".into() });
    assert!(two.start(first).await);
    let (one, other) = tokio::join!(take_part(first, &stop), take_part(second, &stop));
    let reports: Vec<_> = one.into_iter().chain(other).collect();
    assert_eq!(reports.len(), 1, "it ends once");
    assert_eq!(reports[0].ended_early_because, Some("most_polls_failed"));
    assert!(two.polls().into_iter().filter(|polls| *polls > 0).count() < 1_000);
    assert_eq!(two.ended_sweeps().await, 1);
    two.h.end_faults();
    two.h.clock.advance(TimeDelta::minutes(15));
    assert!(second.sweeper.start(Some(tick() + TimeDelta::minutes(15))).await.unwrap());
    let (one, other) = tokio::join!(take_part(first, &stop), take_part(second, &stop));
    let report = one.or(other).unwrap();
    assert_eq!((report.complete(), report.progress.members), (true, 1_100), "the next wraps around");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_interrupted_instance_leaves_is_polled_by_the_other_and_nobody_twice() {
    let Some(two) = Two::watching(1_200).await else { return };
    let (first, second, stop) = (&two.h.app, &two.second, CancellationToken::new());
    assert!(two.start(first).await);
    let mut progress = first.sweeper.progress();
    let interrupting = async {
        progress.wait_for(|progress| progress.members > 300).await.unwrap();
        stop.cancel();
    };
    let (report, ()) = tokio::join!(take_part(first, &stop), interrupting);
    assert!(report.unwrap().cancelled);
    let report = take_part(second, &CancellationToken::new()).await.unwrap();
    assert_eq!((report.complete(), report.progress.members), (true, 1_200));
    assert_eq!(two.polls(), vec![1; 1_200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_interrupted_while_another_instance_has_the_rest_reports_no_end() {
    let Some(two) = Two::watching(5).await else { return };
    let (first, second, stop) = (&two.h.app, &two.second, CancellationToken::new());
    assert!(two.start(first).await);
    two.h.fault(LIST, FaultKind::Delay { ms: 60_000 });
    tokio::select! {
        _ = take_part(first, &stop) => unreachable!("the gateway is slow"),
        () = until("a poll", async || two.polls().iter().any(|polls| *polls > 0)) => {}
    }
    assert_eq!(take_part(second, &stop).await, None);
    stop.cancel();
    let report = second.sweeper.sweep(&stop).await.unwrap();
    assert!(report.cancelled && !report.is_healthy(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_joins_again_hands_over_nothing_that_it_claimed_before_it_was_presumed_dead() {
    let Some(setup) = Setup::shared().await else { return };
    let h = Harness::watching_with(setup, &["alice"]).await;
    let proxy = TcpProxy::start(&format!("smtp://{}", h.sim.smtp_addr())).await;
    let stopped = h.another_app(&[("EMAIL__SMTP__PORT", &proxy.address().port().to_string())]).await;
    let _stopped_lock = stopped.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
    let mut rows = h.rows().await;
    let id = rows.texts("instances", "instance_id").await.unwrap().remove(0);
    let _lock = h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}

    proxy.stall();
    let deliverer = stopped.deliverer.clone();
    let delivery = tokio::spawn(async move { deliverer.deliver_one().await.unwrap() });
    until("the handover", async || rows.count("unsubscribe_tokens").await.unwrap() == 1).await;
    rows.set_where("instances", ("instance_id", &id), "seen_at", 0).await.unwrap();
    let released = h.app.store.release_leases_of_dead(h.clock.now()).await.unwrap();
    assert_eq!((released.instances, released.notices), (1, 1));
    stopped.send_heartbeat().await.unwrap();
    proxy.restore();
    delivery.await.unwrap();
    assert_eq!(h.mails().len(), 0, "the notice is no longer its own");
    assert_eq!(h.notice_states("alice").await, ["queued"]);

    h.clock.advance(TimeDelta::hours(1));
    h.app.send_heartbeat().await.unwrap();
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.notice_states("alice").await, ["sent"]);
}
