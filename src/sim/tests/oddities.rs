//! Other behavior of gateways and their proxies: literal refusals, quotas, lists that lag.

use super::*;
use crate::sim::{Change, Fault, FaultKind, Operation};
use chrono::TimeDelta;

const DISCONNECT: &str = "mutation disconnectConnection($connectionId: String!) { disconnectConnection(connectionId: $connectionId) { status } }";
const DELETE: &str = "mutation deleteConnection($connectionId: String!) { deleteConnection(connectionId: $connectionId) { status } }";
const CREATE: &str = "mutation createConnection($connectionId: String!, $integrationType: String!)
    { createConnection(connectionId: $connectionId, integrationType: $integrationType) { status } }";

/// The member's list as it comes over the wire.
async fn raw_list(sim: &Sim, member: &str) -> reqwest::Response {
    let bearer = format!("Bearer {}", sim.token(member).await);
    sim.request(&[("authorization", &bearer)], LIST, json!({})).send().await.unwrap()
}

async fn set(sim: &Sim, settings: Value) {
    assert_eq!(sim.post("/control/settings", settings).await.0, 204);
}

async fn fault(sim: &Sim, fault: Value) {
    assert_eq!(sim.post("/control/faults", fault).await.0, 204);
}

#[tokio::test]
async fn an_answer_is_given_word_for_word_to_one_member() {
    let sim = Sim::start().await;
    let body = "{\"message\":\"Unauthorized\"}";
    let raw = json!({ "raw": { "status": 429, "content_type": "application/json", "body": body, "retry_after": "120" } });
    fault(&sim, json!({ "operation": "getMemberConnections", "member": "alice", "fault": raw })).await;
    let response = raw_list(&sim, "alice").await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "120");
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), body);
    assert_eq!(sim.list("bob").await.len(), 3);

    sim.simulator.world().clear_faults();
    fault(&sim, json!({ "fault": { "raw": { "status": 401 } } })).await;
    let response =
        sim.request(&[("refresh_token", "rt-bob"), ("clientkey", "k")], REFRESH, json!({})).send().await;
    let response = response.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("content-type")), (401, None));
    assert_eq!(response.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_quota_holds_for_all_members_together_until_its_window_ends() {
    let sim = Sim::start().await;
    set(&sim, json!({ "list_quota": 2, "quota_window": 60 })).await;
    for member in ["alice", "bob"] {
        assert_eq!(raw_list(&sim, member).await.status(), 200);
    }
    sim.clock.advance(TimeDelta::seconds(20));
    for member in ["carol", "alice"] {
        let response = raw_list(&sim, member).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "40");
    }
    sim.clock.advance(TimeDelta::seconds(40));
    assert_eq!(raw_list(&sim, "carol").await.status(), 200);
    set(&sim, json!({ "list_quota": 0 })).await;
    for _ in 0..3 {
        assert_eq!(raw_list(&sim, "carol").await.status(), 200);
    }
}

#[tokio::test]
async fn a_list_lags_behind_operations_but_not_behind_changes_from_outside() {
    let sim = Sim::start().await;
    set(&sim, json!({ "list_lag": 5 })).await;
    let before = sim.list("alice").await;
    sim.as_member("alice", DISCONNECT, json!({ "connectionId": "epic" })).await;
    sim.as_member("alice", DELETE, json!({ "connectionId": "basicins" })).await;
    sim.as_member("alice", CREATE, json!({ "connectionId": "quest", "integrationType": "DIRECT" })).await;
    assert_eq!(sim.list("alice").await, before);
    sim.simulator.world().change("alice", "labcorp", Change::status("ERROR")).unwrap();
    assert!(sim.list("alice").await.contains(&"labcorp ERROR RETRIEVED".to_owned()));
    sim.clock.advance(TimeDelta::seconds(5));
    assert_eq!(
        sim.list("alice").await,
        [
            "epic DISCONNECTED RETRIEVED",
            "basicins DELETED DELETING",
            "labcorp ERROR RETRIEVED",
            "quest CONNECTED PENDING"
        ]
    );
}

#[tokio::test]
async fn a_grant_is_for_another_member() {
    let sim = Sim::start().await;
    fault(&sim, json!({ "member": "bob", "times": 2, "fault": { "other_subject": { "member": "alice" } } }))
        .await;
    let verify = |token: &Value| sim.simulator.world().verify(token.as_str().unwrap());
    let refreshed = sim.refresh("rt-bob").await;
    assert_eq!(verify(&refreshed["data"]["refresh"]["accessToken"]).as_deref(), Some("alice"));
    let (_, granted) = sim.post("/broker/token", json!({ "member_id": "bob" })).await;
    assert_eq!(verify(&granted["access_token"]).as_deref(), Some("alice"));
    let refreshed = sim.refresh("rt-bob").await;
    assert_eq!(verify(&refreshed["data"]["refresh"]["accessToken"]).as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_lifetime_is_told_as_it_was_ordered() {
    let sim = Sim::start().await;
    for told in [json!("3600"), json!(3599.5), json!(-1), json!({ "odd": true })] {
        set(&sim, json!({ "expires_in": told })).await;
        let (status, granted) = sim.post("/broker/token", json!({ "member_id": "alice" })).await;
        assert_eq!((status, &granted["expires_in"]), (200, &told));
    }
    set(&sim, json!({ "expires_in": null })).await;
    assert_eq!(sim.post("/broker/token", json!({ "member_id": "alice" })).await.1["expires_in"], 3600);
}

#[tokio::test]
async fn a_list_comes_with_a_byte_order_mark_an_unreadable_row_or_without_a_field() {
    let sim = Sim::start().await;
    let on_list = |trouble| Fault::new(trouble).on(Operation::GetMemberConnections).times(1);
    sim.simulator.world().add_fault(on_list(FaultKind::ByteOrderMark));
    let body = raw_list(&sim, "alice").await.bytes().await.unwrap();
    assert!(body.starts_with(b"\xEF\xBB\xBF{"));
    let listed = async || {
        raw_list(&sim, "alice").await.json::<Value>().await.unwrap()["data"]["getMemberConnections"].clone()
    };
    fault(&sim, json!({ "times": 1, "operation": "getMemberConnections", "fault": { "unreadable_row": { "connection": "epic" } } })).await;
    let rows = listed().await;
    assert_eq!((&rows[0]["id"], &rows[0]["name"]), (&json!("epic"), &Value::Null));
    assert!(rows[1]["name"].is_string());
    fault(&sim, json!({ "times": 1, "operation": "getMemberConnections", "fault": "no_is_direct" })).await;
    assert!(listed().await.as_array().unwrap().iter().all(|row| row.get("isDirect").is_none()));
    assert!(listed().await.as_array().unwrap().iter().all(|row| row["isDirect"].is_boolean()));
}

#[tokio::test]
async fn answers_tell_the_worlds_time_or_one_that_is_off_and_have_ids() {
    let sim = Sim::start().await;
    let response = raw_list(&sim, "alice").await;
    assert_eq!(response.headers()["date"], "Mon, 23 Nov 2026 12:00:00 GMT");
    let id = response.headers()["x-request-id"].clone();
    set(&sim, json!({ "date_ahead": 300 })).await;
    let response = raw_list(&sim, "alice").await;
    assert_eq!(response.headers()["date"], "Mon, 23 Nov 2026 12:05:00 GMT");
    assert_ne!(response.headers()["x-request-id"], id);
}
