use super::bench::Bench;

#[tokio::test]
async fn replay_shows_what_another_policy_would_have_sent_next_to_what_was_sent() {
    let mut bench = Bench::new().await;
    bench.home.set("notices.quiet_hours", "").set("notices.expired.first_after", "0s");
    bench.pass().await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.pass().await;
    bench.pass().await;
    assert_eq!(bench.sim.mailbox().mails().len(), 1);

    let own = bench.home.path("reconnectd.toml");
    let rows = bench.json(&format!("replay --with {}", own.display())).await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(row.as_object().unwrap().len(), 6);
    assert_eq!(
        (&row["member_id"], &row["step"], &row["reason"]),
        (&"alice".into(), &0.into(), &"first_notice".into())
    );
    assert_eq!(row["connections"], serde_json::json!(["epic"]));
    assert!(row["sent_at"].as_str().unwrap().ends_with('Z') && row["sent_at"] == row["would_send_at"]);
    let shown = bench.done(&format!("replay --with {}", own.display())).await;
    assert!(shown.contains("no email differs") && shown.contains("exact since"), "{shown}");

    // Environment variables do not apply to the other file.
    let other = bench.home.write("other.toml", "[notices.expired]\nenabled = false\n");
    let rows = bench.json(&format!("replay --with {} --since 1h", other.display())).await;
    let told = (&rows[0]["would_send_at"], &rows[0]["reason"]);
    assert_eq!(told, (&().into(), &"status_disabled".into()));
    assert!(rows[0]["sent_at"].is_string() && rows.len() == 1);
    assert_eq!(bench.sim.mailbox().mails().len(), 1, "it sends nothing");

    let broken = bench.home.write("broken.toml", "[notices]\nquiet_hour = \"\"\n");
    let error = bench.fails(2, &format!("replay --with {}", broken.display())).await;
    assert!(error.contains("broken.toml") && error.contains("quiet_hour"), "{error}");
    bench.fails(2, "replay --with nowhere.toml").await;
    bench.fails(2, &format!("replay --with {} --since 11y", own.display())).await;
    bench.fails(2, "replay").await;
}
