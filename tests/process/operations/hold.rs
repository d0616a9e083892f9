use super::bench::Bench;
use crate::harness::until_true;

#[tokio::test]
async fn a_hold_stops_email_beside_the_daemon_until_it_is_released() {
    let mut bench = Bench::new().await;
    bench.home.set("sweep.schedule", "* * * * * *").set("telemetry.log", "info");
    let daemon = bench.home.daemon().await;
    until_true("the first sweep", async || bench.json("connections list").await.len() == 6).await;
    let hold = bench.json("hold add --source epic --reason maintenance --for 2h").await.remove(0);
    assert_eq!(
        (&hold["kind"], &hold["state"], &hold["source"]),
        (&"operator".into(), &"holding".into(), &"epic".into())
    );
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let held = async || {
        let notices = bench.json("notices list").await;
        notices.iter().any(|notice| notice["state"] == "held" && notice["reason"] == "held_by_operator")
    };
    until_true("the held notice", held).await;
    let listed = bench.json("hold list").await.remove(0);
    assert_eq!((&listed["hold_id"], &listed["notices"]), (&hold["hold_id"], &1.into()));
    assert_eq!(bench.json("status").await[0]["holds"], 1);
    assert!(bench.sim.mailbox().mails().is_empty());

    let release = format!("hold release {}", hold["hold_id"].as_str().unwrap());
    let released = bench.json(&release).await.remove(0);
    assert_eq!((&released["released"], &released["notices"]), (&true.into(), &1.into()));
    until_true("the email", async || bench.sim.mailbox().mails().len() == 1).await;
    assert_eq!(bench.json(&release).await[0]["released"], false);
    daemon.running.stopped().await.well();
}
