use super::bench::Bench;
use reconnectd::sim::{SmtpFault, SmtpStage};
use serde_json::json;

#[tokio::test]
async fn an_abandoned_notice_is_retried_by_its_id_and_arrives() {
    let bench = Bench::new().await;
    bench.done("connections establish cerner --member alice --send").await;
    bench.sim.mailbox().script(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown"));
    bench.done("once").await;
    let notice = bench.json("notices list").await.remove(0);
    assert_eq!((&notice["state"], &notice["reason"]), (&json!("abandoned"), &json!("permanent_failure")));
    let id = notice["notice_id"].as_str().unwrap();

    bench.sim.mailbox().clear_faults();
    let retried = bench.json(&format!("notices retry {id}")).await;
    assert_eq!(retried, [json!({ "notice_id": id, "queued": true })]);
    bench.done("once").await;
    assert_eq!(bench.json("notices list").await[0]["state"], "sent");
    assert_eq!(bench.sim.mailbox().mails().len(), 1);

    let again = bench.json(&format!("notices retry {id}")).await;
    assert_eq!(again, [json!({ "notice_id": id, "queued": false })]);
}

#[tokio::test]
async fn a_retry_names_what_it_cannot_find() {
    let bench = Bench::new().await;
    let ran = bench.run("notices retry n-1").await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("n-1") && ran.err.contains("notices list"), "{}", ran.err);
    assert!(bench.json("notices retry --all").await.is_empty());
}
