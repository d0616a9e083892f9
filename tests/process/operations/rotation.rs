use super::bench::Bench;
use reconnectd::domain::MemberId;
use reconnectd::sim::{Fault, FaultKind, Operation};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_concurrent_refreshes_lock_nobody_out_and_run_one_at_a_time() {
    let bench = Bench::new().await;
    let world = bench.sim.world();
    world.configure(|settings| settings.rotate = true);
    let app = bench.app().await;
    let member = MemberId::from("alice");
    for round in 1..=200 {
        let asking = (0..20).map(|_| {
            let (tokens, member) = (app.tokens.clone(), member.clone());
            tokio::spawn(async move {
                let credentials = tokens.credentials(&member).await?;
                tokens.call_as(&member, &credentials, |_token| async { Ok(()) }).await
            })
        });
        for asked in futures_util::future::join_all(asking).await {
            asked.unwrap().unwrap();
        }
        assert_eq!(world.request_count_for("alice", Operation::Refresh), Ok(round));
        let access = app.store.credentials(&member).await.unwrap().unwrap().access.unwrap();
        app.store.drop_access_token(&member, &access.sealed).await.unwrap();
    }
    assert_eq!(world.peak_in_flight(), 1);
    assert_eq!(bench.json("connections list --member alice").await.len(), 3);
}

/// Runs the command and kills it at a moment that differs from run to run. Gives whether it came to its end before.
async fn killed_after(bench: &Bench, delay: Duration) -> bool {
    let child = bench.start("connections list --member alice");
    tokio::time::sleep(delay).await;
    match child.kill().code {
        Some(code) => {
            assert_eq!(code, 0);
            true
        }
        None => false,
    }
}

#[tokio::test]
async fn a_command_killed_at_any_moment_locks_nobody_out_where_spent_tokens_have_a_grace() {
    let bench = Bench::new().await;
    let world = bench.sim.world();
    world.configure(|settings| (settings.rotate, settings.rotation_grace) = (true, true));
    world.add_fault(Fault::new(FaultKind::Delay { ms: 40 }).on(Operation::Refresh));
    let app = bench.app().await;
    let member = MemberId::from("alice");
    // As when the token and the dead renewal's lease have run out.
    let run_out = async || {
        if let Some(access) = app.store.credentials(&member).await.unwrap().unwrap().access {
            app.store.drop_access_token(&member, &access.sealed).await.unwrap();
        }
        let later = app.clock.now() + chrono::TimeDelta::minutes(1);
        let lease = app.store.lease_refresh(&member, later, later).await.unwrap().unwrap();
        app.store.release_refresh_lease(&member, &lease).await.unwrap();
    };
    let begun = Instant::now();
    bench.json("connections list --member alice").await;
    let whole = begun.elapsed();
    let refreshed = || world.request_count_for("alice", Operation::Refresh).unwrap();
    let (mut killed, mut rounds) = (0, 0);
    // On a busy machine the first moments may all come too soon.
    while killed < 20 || (refreshed() <= 5 && rounds < 200) {
        rounds += 1;
        run_out().await;
        let moment = whole.mul_f64(0.3 + 0.8 * reconnectd::base::random::jitter());
        killed += u32::from(!killed_after(&bench, moment).await);
    }
    run_out().await;
    assert_eq!(bench.json("connections list --member alice").await.len(), 3);
    assert_eq!(bench.json("members show alice").await[0]["credential"], "ok");
    let refreshed = refreshed();
    assert!(refreshed > 5, "the moments missed the renewals: {refreshed}");
}

#[tokio::test]
async fn a_renewal_that_died_holds_the_next_one_up_only_until_its_lease_has_run_out() {
    let bench = Bench::new().await;
    let app = bench.app().await;
    let member = MemberId::from("alice");
    let now = app.clock.now();
    app.store.lease_refresh(&member, now, now + chrono::TimeDelta::seconds(2)).await.unwrap().unwrap();
    let begun = Instant::now();
    bench.json("connections list --member alice").await;
    assert!(begun.elapsed() > Duration::from_secs(1), "it did not wait its turn");
}
