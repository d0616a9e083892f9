use super::bench::Bench;
use crate::harness::until_true;
use serde_json::Value;

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
    assert_eq!((&listed["would_email"], &listed["drip_minutes"]), (&1.into(), &Value::Null));
    let status = bench.json("status").await.remove(0);
    assert_eq!((&status["holds"], &status["active_holds"][0]), (&1.into(), &listed));
    assert!(bench.sim.mailbox().mails().is_empty());

    let release = format!("hold release {}", hold["hold_id"].as_str().unwrap());
    let released = bench.json(&release).await.remove(0);
    assert_eq!((&released["released"], &released["notices"]), (&true.into(), &1.into()));
    until_true("the email", async || bench.sim.mailbox().mails().len() == 1).await;
    assert_eq!(bench.json(&release).await[0]["released"], false);
    daemon.running.stopped().await.well();
}

#[tokio::test]
async fn an_operator_takes_a_storm_over_beside_the_daemon() {
    let mut bench = Bench::new().await;
    bench.home.set("storm.min_members", 2).set("storm.fleet_share", 1).set("sweep.confirm_sweeps", 1);
    bench.pass().await;
    for member in ["alice", "bob"] {
        bench.sim.world().set_status(member, "epic", "EXPIRED").unwrap();
    }
    bench.pass().await;
    let storm = bench.json("hold list").await.remove(0);
    assert_eq!(
        (&storm["kind"], &storm["would_email"], &storm["drip_minutes"]),
        (&"storm".into(), &2.into(), &1.into())
    );
    let list = bench.done("hold list").await;
    assert!(list.contains("a release sends 2 emails at once"), "{list}");
    assert!(bench.done("status").await.contains("a release sends 2 emails at once"));

    let id = storm["hold_id"].as_str().unwrap();
    let take = format!("hold take {id} --for 2h --reason maintenance");
    let taken = bench.json(&take).await.remove(0);
    assert_eq!((&taken["hold_id"], &taken["taken"]), (&id.into(), &true.into()));
    let hold = &taken["hold"];
    assert_eq!(
        (&hold["kind"], &hold["source"], &hold["notices"]),
        (&"operator".into(), &"epic".into(), &2.into())
    );
    assert!(hold["until"].is_string());
    let again = bench.json(&take).await.remove(0);
    assert_eq!((&again["taken"], &again["hold"]), (&false.into(), &Value::Null));
    let own = hold["hold_id"].as_str().unwrap();
    for refused in [format!("hold take {own} --reason x"), "hold take unknown --reason x".to_owned()] {
        bench.fails(1, &refused).await;
    }
    bench.fails(2, &format!("hold take {own} --reason x --until 2020-01-01T00:00:00Z")).await;
    bench.pass().await;
    assert!(bench.sim.mailbox().mails().is_empty());
    let reasons: Vec<_> =
        bench.json("notices list").await.into_iter().map(|notice| notice["reason"].clone()).collect();
    assert_eq!(reasons, ["held_by_operator"; 2]);
}
