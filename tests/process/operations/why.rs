use super::bench::Bench;

#[tokio::test]
async fn why_tells_what_was_decided_about_a_member_and_what_comes_next() {
    let bench = Bench::new().await;
    bench.done("once").await;
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.done("members pause alice").await;
    let rows = bench.json("why alice epic").await;
    let fields =
        ["at", "last_at", "count", "member_id", "connection_id", "notice_id", "what", "reason", "text"];
    for row in &rows {
        assert!(fields.iter().all(|field| row.get(field).is_some()), "{row}");
        assert!(row["at"].as_str().unwrap().ends_with('Z') && row["member_id"] == "alice");
    }
    let first = (&rows[0]["what"], &rows[0]["reason"], &rows[0]["connection_id"]);
    assert_eq!(first, (&"transition".into(), &"first_seen".into(), &"epic".into()));
    let last = rows.last().unwrap();
    assert_eq!(
        (&last["what"], &last["reason"], &last["connection_id"]),
        (&"hold".into(), &"paused".into(), &().into())
    );

    let table = bench.done("why alice").await;
    assert!(table.lines().last().unwrap().starts_with("next: no email"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");

    for (line, remedy) in [("why nobody", "members list"), ("why alice nowhere", "connections list")] {
        let ran = bench.run(line).await;
        assert!(ran.code == 1 && ran.out.is_empty() && ran.err.contains(remedy), "{line}: {}", ran.err);
    }
    bench.done("members remove alice").await;
    assert_eq!(bench.json("why alice").await.last().unwrap()["reason"], "member_removed");
}
