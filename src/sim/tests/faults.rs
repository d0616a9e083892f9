use super::*;
use crate::sim::{Fault, FaultKind, Operation, http};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Alice's list as it comes over the wire.
async fn fetch(sim: &Sim) -> reqwest::Result<(u16, String)> {
    let bearer = format!("Bearer {}", sim.token("alice").await);
    let response = sim.request(&[("authorization", &bearer)], LIST, json!({})).send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

fn on_list(trouble: FaultKind) -> Fault {
    Fault::new(trouble).on(Operation::GetMemberConnections)
}

fn rows(answer: &Value) -> usize {
    answer["data"]["getMemberConnections"].as_array().unwrap().len()
}

#[tokio::test]
async fn each_fault_of_an_answer_is_seen_by_the_client_once_and_then_is_over() {
    let sim = Sim::start().await;
    type Seen = fn(u16, Option<Value>) -> bool;
    let cases: [(Value, Seen); 9] = [
        (json!({ "http": { "status": 503 } }), |status, json| status == 503 && json.is_none()),
        (json!({ "graphql_error": { "code": "throttled" } }), |status, json| {
            let json = json.unwrap();
            status == 200 && issue(&json) == "throttled" && json["data"].is_null()
        }),
        (json!({ "data_beside_errors": { "code": "exception" } }), |_, json| {
            let json = json.unwrap();
            issue(&json) == "exception" && rows(&json) == 3
        }),
        (json!({ "data_beside_errors": { "code": "timeout", "partial": true } }), |_, json| {
            let json = json.unwrap();
            issue(&json) == "timeout" && rows(&json) == 1
        }),
        (json!("null_data"), |status, json| status == 200 && json == Some(json!({ "data": null }))),
        (json!("wrong_type"), |_, json| json.unwrap()["data"]["getMemberConnections"] == 42),
        (json!("not_json"), |status, json| status == 200 && json.is_none()),
        (json!("rejected_token"), |status, json| status == 401 && issue(&json.unwrap()) == "login"),
        (json!("empty_list"), |status, json| status == 200 && rows(&json.unwrap()) == 0),
    ];
    for (fault, seen) in cases {
        let fault =
            json!({ "operation": "getMemberConnections", "member": "alice", "times": 1, "fault": fault });
        assert_eq!(sim.post("/control/faults", fault.clone()).await.0, 204);
        let (status, body) = fetch(&sim).await.unwrap();
        assert!(seen(status, serde_json::from_str(&body).ok()), "{fault}: {status} {body}");
        assert_eq!(sim.list("alice").await.len(), 3, "{fault}");
    }
}

#[tokio::test]
async fn a_cut_body_and_a_reset_are_errors_of_the_connection() {
    let sim = Sim::start().await;
    sim.simulator.world().add_fault(on_list(FaultKind::CutBody).times(1));
    let error = fetch(&sim).await.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    // The client may try a reset request once more by itself.
    sim.simulator.world().add_fault(on_list(FaultKind::Reset));
    let error = fetch(&sim).await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    sim.simulator.world().clear_faults();
    assert_eq!(sim.list("alice").await.len(), 3);
}

#[tokio::test]
async fn a_cut_answer_to_a_refresh_has_spent_the_token_all_the_same() {
    let sim = Sim::start().await;
    let world = sim.simulator.world();
    world.configure(|settings| settings.rotate = true);
    world.add_fault(Fault::new(FaultKind::CutBody).on(Operation::Refresh).times(1));
    let headers = [("refresh_token", "rt-alice"), ("clientkey", "any")];
    let response = sim.request(&headers, REFRESH, json!({})).send().await.unwrap();
    assert!(response.bytes().await.is_err());
    assert_ne!(world.refresh_token("alice").unwrap(), "rt-alice");
}

#[tokio::test]
async fn a_huge_body_is_as_long_as_it_was_ordered() {
    let sim = Sim::start().await;
    let bytes = 3 * 1024 * 1024;
    sim.simulator.world().add_fault(on_list(FaultKind::HugeBody { bytes }));
    let (status, body) = fetch(&sim).await.unwrap();
    assert_eq!(status, 200);
    assert!((bytes as usize..bytes as usize + 100).contains(&body.len()));
    assert!(serde_json::from_str::<Value>(&body).is_ok());
}

#[tokio::test]
async fn retry_after_is_sent_as_it_was_given() {
    let sim = Sim::start().await;
    let date = "Mon, 23 Nov 2026 12:00:30 GMT".to_owned();
    sim.simulator
        .world()
        .add_fault(Fault::new(FaultKind::Http { status: 429, retry_after: Some(date.clone()) }));
    let response = sim.request(&[], LIST, json!({})).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], date);
}

#[tokio::test]
async fn delays_add_up_and_leave_the_answer_as_it_is() {
    let sim = Sim::start().await;
    for _ in 0..2 {
        sim.simulator.world().add_fault(on_list(FaultKind::Delay { ms: 20 }));
    }
    let before = Instant::now();
    assert_eq!(sim.list("alice").await.len(), 3);
    assert!(before.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn a_fault_befalls_only_its_member_and_its_operation() {
    let sim = Sim::start().await;
    let world = sim.simulator.world();
    let down = FaultKind::Http { status: 500, retry_after: None };
    world.add_fault(on_list(down.clone()).member("alice"));
    assert_eq!(fetch(&sim).await.unwrap().0, 500);
    assert_eq!(sim.list("bob").await.len(), 3);
    world.clear_faults();
    world.add_fault(Fault::new(down).on(Operation::Broker));
    assert_eq!(sim.list("alice").await.len(), 3);
    assert_eq!(sim.post("/broker/token", json!({ "member_id": "alice" })).await.0, 500);
}

#[tokio::test]
async fn a_share_of_calls_is_struck_evenly() {
    let sim = Sim::start().await;
    sim.simulator.world().add_fault(on_list(FaultKind::NullData).share(0.25));
    let mut struck = Vec::new();
    for _ in 0..8 {
        struck.push(!fetch(&sim).await.unwrap().1.contains("epic"));
    }
    assert_eq!(struck, [false, false, false, true, false, false, false, true]);
}

#[tokio::test]
async fn a_misspelt_fault_is_refused() {
    let sim = Sim::start().await;
    for fault in [
        json!({ "fault": "nonsense" }),
        json!({ "operation": "nonsense", "fault": "reset" }),
        json!({ "time": 1, "fault": "reset" }),
        json!({ "fault": { "http": { "code": 500 } } }),
    ] {
        assert_eq!(sim.post("/control/faults", fault.clone()).await.0, 422, "{fault}");
    }
    assert_eq!(sim.list("alice").await.len(), 3);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_delayed_answer() {
    let sim = Sim::start().await;
    sim.simulator.world().add_fault(on_list(FaultKind::Delay { ms: 3_600_000 }));
    let bearer = format!("Bearer {}", sim.token("alice").await);
    let asked = tokio::spawn(sim.request(&[("authorization", &bearer)], LIST, json!({})).send());
    let arrived = async {
        while sim.simulator.world().request_count(Operation::GetMemberConnections) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
    sim.simulator.shutdown().await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_panic_of_a_handler_ends_the_server_with_its_message() {
    async fn broken() {
        panic!("a defect");
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/", axum::routing::get(broken));
    let server = tokio::spawn(http::serve(listener, router, CancellationToken::new()));
    // Whether the answer still gets out does not matter.
    let _ = reqwest::get(url).await;
    assert_eq!(server.await.unwrap(), Err("panicked: a defect".to_owned()));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let sim = Sim::start().await;
    let taken = sim.simulator.http_addr();
    let error = Simulator::start(Options { listen: taken, ..Options::default() }).await.err().unwrap();
    assert_eq!(error.to_string(), format!("cannot listen on {taken}"));
}
