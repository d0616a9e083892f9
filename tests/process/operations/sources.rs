use super::bench::Bench;
use serde_json::{Value, json};

#[tokio::test]
async fn each_source_is_listed_with_its_lapses_and_recoveries() {
    let bench = Bench::new().await;
    assert_eq!(bench.done("sources list").await.trim(), "no sources");
    assert!(bench.json("sources list").await.is_empty());
    bench.sim.world().set_status("alice", "epic", "EXPIRED").unwrap();
    bench.pass().await;
    bench.pass().await;
    let lapsed = json!({
        "source": "epic", "name": "Epic MyChart", "connections": 2, "open_lapses": 1, "lapsed_30d": 1,
        "recovered_30d": 0, "recovery_seconds_median": null, "connected_seconds_median": null,
    });
    let epic = async || {
        let is_epic = |source: &Value| source["source"] == "epic";
        bench.json("sources list").await.into_iter().find(is_epic).unwrap()
    };
    assert_eq!(epic().await, lapsed);
    bench.sim.world().set_status("alice", "epic", "CONNECTED").unwrap();
    bench.pass().await;
    let recovered = epic().await;
    assert_eq!((&recovered["open_lapses"], &recovered["recovered_30d"]), (&json!(0), &json!(1)));
    assert!(recovered["recovery_seconds_median"].is_u64(), "{recovered}");
    let table = bench.done("sources list").await;
    assert!(table.starts_with("SOURCE") && table.contains("1 (50.0 %)"), "{table}");
}
