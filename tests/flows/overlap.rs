//! Two of a kind at work at once.

use crate::harness::{Harness, Setup, on_postgres};
use futures_util::future::join_all;
use reconnectd::{notify::deliver::Delivered, server::components::App, store::InstanceCommand};
use tokio_util::sync::CancellationToken;

const MEMBERS: u32 = 12;

/// All have expired and are to be planned for; with a second process on the same database.
async fn expired() -> (Harness, App, Vec<String>) {
    let h = Setup::default().members(MEMBERS).start().await;
    let members: Vec<String> = (1..=MEMBERS).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    h.pass().await;
    for member in &members {
        h.set(member, "epic", "EXPIRED");
        h.set(member, "kaiser-north", "EXPIRED");
    }
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    let other = h.another_app(&[]).await;
    (h, other, members)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_plan_each_step_of_a_lapse_is_planned_once() {
    let (h, other, members) = expired().await;
    let planners = (0..8).map(|n| {
        let planner = if n % 2 == 0 { h.app.planner.clone() } else { other.planner.clone() };
        tokio::spawn(async move { while planner.plan_page().await.unwrap() {} })
    });
    for ended in join_all(planners).await {
        ended.unwrap();
    }
    for member in &members {
        let notices = h.notices(member).await;
        let items: Vec<usize> = notices.iter().map(|notice| notice.notice.items.len()).collect();
        assert_eq!(items, [2], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_deliver_each_notice_is_sent_once() {
    let (h, other, members) = expired().await;
    while h.app.planner.plan_page().await.unwrap() {}
    let deliverers = (0..8).map(|n| {
        let deliverer = if n % 2 == 0 { h.app.deliverer.clone() } else { other.deliverer.clone() };
        tokio::spawn(async move { while deliverer.deliver_one().await.unwrap() != Delivered::Nothing {} })
    });
    for ended in join_all(deliverers).await {
        ended.unwrap();
    }
    let mut to: Vec<_> = h.mails().iter().map(|mail| mail.to.join(" ")).collect();
    to.sort();
    let mut expected: Vec<_> = members.iter().map(|member| format!("{member}@example.org")).collect();
    expected.sort();
    assert_eq!(to, expected);
    for member in &members {
        assert_eq!(h.attempts(member).await, ["sent"], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_passes_record_each_change_once_and_send_each_email_once() {
    let (h, other, members) = expired().await;
    for member in &members {
        h.set(member, "epic", "DISCONNECTED");
    }
    let stop = CancellationToken::new();
    let (one, two) = tokio::join!(h.app.run_once(&stop), other.run_once(&stop));
    assert!(one.unwrap().complete() && two.unwrap().complete());
    h.pass().await;
    assert_eq!(h.mails().len(), members.len());
    for member in &members {
        assert_eq!(h.path(member, "epic").await, ["CONNECTED", "EXPIRED", "DISCONNECTED"], "{member}");
        assert_eq!(h.lapse_states(member).await, ["epic open", "kaiser-north open"], "{member}");
    }
}

#[tokio::test]
async fn a_second_daemon_on_the_same_database_is_turned_away_unless_it_is_on_a_server() {
    let h = Harness::watching(&["alice"]).await;
    let lock = h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
    let other = h.another_app(&[]).await;
    let second = other.acquire_instance_lock(InstanceCommand::Run).await;
    if on_postgres() {
        assert_eq!(h.app.store.live_daemons(h.clock.now()).await.unwrap().len(), 2);
        return;
    }
    let refusal = second.unwrap_err().to_string();
    assert!(refusal.contains(&std::process::id().to_string()), "{refusal}");
    drop(lock);
    other.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
}

#[tokio::test]
async fn on_a_file_a_killed_daemon_demands_no_keys_of_the_next() {
    let h = Harness::watching(&["alice"]).await;
    if on_postgres() {
        return;
    }
    let now = h.clock.now().timestamp_millis();
    let killed = format!(
        "INSERT INTO instances (instance_id, command, version, key_ids, started_at, seen_at)
         VALUES ('killed', 'run', '', '[\"lost\"]', {now}, {now})"
    );
    h.rows().await.run(&killed).await.unwrap();
    h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
}

#[tokio::test]
async fn a_start_releases_the_refresh_leases_of_the_daemon_before_and_none_of_a_command() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let now = h.clock.now();
    let lease = async |member: &str| {
        let until = now + chrono::TimeDelta::minutes(1);
        h.app.store.lease_refresh(&member.into(), now, until).await.unwrap().is_some()
    };
    assert!(lease("bob").await, "a command's");
    let daemon = h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
    assert!(lease("alice").await);
    drop(daemon);
    drop(h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    // On a server, the daemon before is presumed dead a little later.
    assert_eq!(lease("alice").await, !on_postgres());
    assert!(!lease("bob").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_during_planning_are_planned_too() {
    let setup = Setup::default().members(MEMBERS).set("NOTICES__EXPIRED__ENABLED", false);
    let h = setup.start().await;
    let members: Vec<String> = (1..=MEMBERS).map(|n| format!("m{n}")).collect();
    h.enrol(&members.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let stop = CancellationToken::new();
    for round in 0..5 {
        for member in &members {
            h.set(member, &format!("source-{round}"), "EXPIRED");
        }
        h.app.sweeper.sweep(&stop).await.unwrap();
        for member in &members {
            h.set(member, &format!("source-{round}"), "DISCONNECTED");
        }
        let swept = CancellationToken::new();
        let planners = (0..4).map(|_| {
            let (planner, swept) = (h.app.planner.clone(), swept.clone());
            tokio::spawn(async move {
                while planner.plan_page().await.unwrap() || !swept.is_cancelled() {
                    tokio::task::yield_now().await;
                }
            })
        });
        let planners: Vec<_> = planners.collect();
        h.app.sweeper.sweep(&stop).await.unwrap();
        swept.cancel();
        for ended in join_all(planners).await {
            ended.unwrap();
        }
        for member in &members {
            let planned: usize = h.notices(member).await.iter().map(|listed| listed.notice.items.len()).sum();
            assert_eq!(planned, round + 1, "{member}: a change was passed over");
        }
    }
}
