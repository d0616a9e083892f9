use super::bench::Bench;
use serde_json::{Value, json};
use std::net::TcpListener;

/// Nothing listens at this URL.
fn dead_url() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/hooks?key=hidden")
}

async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    bench.home.set("webhook.url", dead_url());
    bench.home.set("webhook.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    bench
}

#[tokio::test]
async fn a_command_beside_the_daemon_records_its_event_and_the_list_shows_what_becomes_of_it() {
    let bench = bench().await;
    bench.done("suppress add alice@example.org").await;
    let event = bench.json("events list").await.remove(0);
    let field = |name: &str| event[name].clone();
    assert_eq!((field("type"), field("member_id")), (json!("address.suppressed"), json!("alice")));
    assert_eq!((field("state"), field("attempts")), (json!("queued"), json!(0)));
    assert!(field("created_at").as_str().is_some_and(|at| at.ends_with('Z')));
    assert_eq!((field("delivered_at"), field("last_error")), (Value::Null, Value::Null));

    bench.done("once").await;
    let tried = bench.json("events list --state queued").await.remove(0);
    assert_eq!((&tried["attempts"], &tried["last_error"]), (&json!(1), &json!("unreachable")));
    assert!(bench.json("events list --state delivered").await.is_empty());
    let id = tried["event_id"].as_str().unwrap();
    let retried = bench.json(&format!("events retry {id}")).await;
    assert_eq!(retried, [json!({ "event_id": id, "queued": true })]);
    assert!(bench.json("events retry --all-failed").await.is_empty(), "none has failed");
    assert_eq!(bench.json("status").await[0]["events"], json!({ "queued": 1 }));
}

#[tokio::test]
async fn a_test_event_reports_the_receiver_without_its_url() {
    let bench = bench().await;
    let said = bench.fails(1, "events test").await;
    assert!(said.contains("webhook.url") && !said.contains("hidden"), "{said}");
    assert!(bench.fails(1, "events retry none").await.contains("events list"));
    let without = Bench::new().await;
    assert!(without.fails(2, "events test").await.contains("webhook.url is empty"));
}
