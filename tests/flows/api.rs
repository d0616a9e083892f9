//! What the admin API reads, and whom it serves.

use crate::api_client::{Api, answer, with_tokens};
use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::{EmailAddress, Suppression, Time};
use reqwest::{Method, header};
use serde_json::{Value, json};

const LISTS: [&str; 10] = [
    "members",
    "connections",
    "transitions",
    "lapses",
    "notices",
    "holds",
    "suppressions",
    "sources",
    "events",
    "audit",
];

/// Alice and bob with a broken connection each, about which they got an email.
async fn world() -> (Harness, Api) {
    let h = Harness::watching_with(with_tokens(), &["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass_after(TimeDelta::hours(2)).await;
    let api = Api::of(&h).await;
    (h, api)
}

/// `method path` of each operation in the document.
fn operations(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    operations.collect()
}

#[tokio::test]
async fn every_resource_of_the_contract_is_documented_and_served() {
    let (_h, api) = world().await;
    let document = api.get("/openapi.json").await.body;
    let operations = operations(&document);
    let documented: Vec<_> = operations.iter().map(|(method, path)| format!("{method} {path}")).collect();
    for operation in [
        "GET /openapi.json",
        "GET /status",
        "GET /members",
        "GET /members/{id}",
        "PUT /members/{id}",
        "DELETE /members/{id}",
        "POST /members/{id}/pause",
        "POST /members/{id}/resume",
        "GET /members/{id}/why",
        "POST /members/import",
        "GET /connections",
        "GET /transitions",
        "GET /lapses",
        "GET /notices",
        "GET /notices/{id}",
        "POST /notices/{id}/retry",
        "GET /holds",
        "POST /holds",
        "DELETE /holds/{id}",
        "GET /suppressions",
        "PUT /suppressions",
        "DELETE /suppressions",
        "GET /sources",
        "GET /events",
        "POST /events/{id}/retry",
        "GET /audit",
    ] {
        assert!(documented.iter().any(|documented| documented == operation), "{operation}");
    }
    for (method, path) in operations {
        let method: Method = method.parse().unwrap();
        let status = api.act(method.clone(), &path.replace("{id}", "nobody")).await.status;
        assert_ne!(status, 405, "{method} {path}");
        let response = &document["paths"][&path][method.as_str().to_lowercase()]["responses"];
        assert!(response[status.to_string()].is_object(), "{method} {path} has no {status}");
    }
}

#[tokio::test]
async fn each_list_shows_the_rows_of_its_command() {
    let (_h, api) = world().await;
    let member = &api.items("/members").await[0];
    assert_eq!(
        (&member["member_id"], &member["credential"], &member["paused"]),
        (&json!("alice"), &json!("ok"), &json!(false))
    );
    let connections = api.items("/connections?member_id=bob").await;
    assert!(connections.iter().all(|connection| connection["member_id"] == "bob"));
    let broken = connections.iter().find(|connection| connection["connection_id"] == "epic").unwrap();
    assert_eq!(broken["status"], "EXPIRED");
    let transitions = api.items("/transitions?member_id=alice").await;
    let last = transitions.last().unwrap();
    assert_eq!((&last["from"], &last["to"]), (&json!("CONNECTED"), &json!("EXPIRED")));
    assert!(last["observed_at"].as_str().unwrap().ends_with('Z'));
    let lapses = api.items("/lapses?state=open").await;
    assert_eq!(lapses.len(), 2);
    assert_eq!(api.items("/lapses?state=closed").await.len(), 0);
    assert_eq!(api.items("/lapses?member_id=alice&state=suspected").await.len(), 0);
    let notices = api.items("/notices?state=sent&member_id=alice").await;
    assert_eq!(
        (notices.len(), &notices[0]["step"], &notices[0]["connections"]),
        (1, &json!(0), &json!(["epic"]))
    );
    assert_eq!(api.items("/notices?state=queued").await.len(), 0);
    let notice = api.get(&format!("/notices/{}", notices[0]["notice_id"].as_str().unwrap())).await.body;
    assert_eq!(notice["history"][0]["outcome"], "sent");
    let sources = api.items("/sources").await;
    let epic = sources.iter().find(|source| source["source"] == "epic").unwrap();
    assert_eq!((&epic["connections"], &epic["open_lapses"]), (&json!(2), &json!(2)));
    let status = api.get("/status").await.body;
    assert_eq!(
        (&status["members"], &status["lapses_open"], &status["notices"]["sent"]),
        (&json!(2), &json!(2), &json!(2))
    );
    let why = api.items("/members/alice/why?connection_id=epic").await;
    assert!(why.iter().any(|row| row["reason"] == "first_notice"), "{why:?}");
}

#[tokio::test]
async fn a_member_whose_credential_fails_is_listed_with_the_reason_and_since_when() {
    let (h, api) = world().await;
    h.sim.world().revoke("alice").unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    let failed = h.app.store.failed_credentials(None, None, 1).await.unwrap().remove(0);
    let members = api.items("/members").await;
    let (alice, bob) = (&members[0], &members[1]);
    assert_eq!(alice["credential_reason"], failed.reason);
    assert_eq!(alice["credential_since"].as_str().and_then(|at| at.parse().ok()), Some::<Time>(failed.since));
    assert!(bob["credential_reason"].is_null() && bob["credential_since"].is_null());
}

#[tokio::test]
async fn pages_together_have_every_row_once() {
    let (h, api) = world().await;
    for (number, reason) in [(1, "one"), (2, "two"), (3, "three")] {
        let body = json!({ "reason": reason, "source": format!("s{number}") });
        assert_eq!(api.send(Method::POST, "/holds", &body).await.status, 201);
    }
    for address in ["a@example.org", "b@example.org", "c@example.org"] {
        let hash = address.parse::<EmailAddress>().unwrap().address_hash();
        h.app.store.suppress(hash, Suppression::Operator, h.clock.now()).await.unwrap();
    }
    for (path, key) in [
        ("/members", "member_id"),
        ("/connections?member_id=alice", "connection_id"),
        ("/transitions?member_id=alice", "connection_id"),
        ("/lapses", "lapse_id"),
        ("/notices", "notice_id"),
        ("/holds", "hold_id"),
        ("/sources", "source"),
        ("/members/alice/why", "text"),
    ] {
        let (paged, whole) = (api.walk(path, 1, key).await, api.walk(path, 1000, key).await);
        assert!(whole.len() > 1, "{path}");
        assert_eq!(paged, whole, "{path}");
    }
    for limit in [1, 2, 3, 1000] {
        assert_eq!(api.walk("/suppressions", limit, "created_at").await.len(), 3, "{limit}");
    }
    // Each page of the audit adds a row at its top.
    let rows = api.walk("/audit", 3, "action").await.len();
    assert!(rows > 10, "{rows}");
}

#[tokio::test]
async fn parameters_that_cannot_be_used_are_refused() {
    let (_h, api) = world().await;
    for path in LISTS.map(|list| format!("/{list}")) {
        for wrong in
            ["limit=0", "limit=1001", "limit=x", "after=x", "after=bnVsbA", "unknown=1", "limit=1&limit=2"]
        {
            let answer = api.get(&format!("{path}?{wrong}")).await;
            assert_eq!(answer.status, 400, "{path}?{wrong}: {}", answer.body);
        }
    }
    for wrong in
        ["/lapses?state=broken", "/notices?state=", "/members?unreachable=perhaps", "/audit?since=today"]
    {
        assert_eq!(api.get(wrong).await.status, 400, "{wrong}");
    }
    for wrong in
        ["/lapses?member_id=", "/connections?member_id=a%00b", "/members/alice/why?connection_id=%00"]
    {
        assert_eq!(api.get(wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_and_other_methods_are_named() {
    let (_h, api) = world().await;
    for path in ["/nothing", "/", "/members/nobody", "/members/nobody/why", "/notices/none", "/members/a%00b"]
    {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
    assert_eq!(api.get("/members/alice/why?connection_id=none").await.status, 404);
    assert_eq!(api.get("/members/%ff").await.status, 400);
    for (method, path) in
        [(Method::DELETE, "/members"), (Method::OPTIONS, "/members"), (Method::PATCH, "/members")]
    {
        let answer = api.act(method, path).await;
        assert_eq!((answer.status, answer.allow.as_deref()), (405, Some("GET,HEAD")));
    }
    let head = answer(api.request(Method::HEAD, "/members", "reader")).await;
    assert_eq!((head.status, head.body), (200, Value::Null));
}

#[tokio::test]
async fn the_token_decides_what_is_permitted_and_is_named_by_the_audit() {
    let (_h, api) = world().await;
    assert_eq!(answer(api.request(Method::GET, "/members", "wrong")).await.status, 401);
    assert_eq!(answer(api.request(Method::GET, "/nothing", "wrong")).await.status, 401);
    let foreign = api.request(Method::GET, "/members", "reader").header(header::HOST, "evil.example");
    assert_eq!(answer(foreign).await.status, 421);
    for (method, path) in [
        (Method::POST, "/members/alice/pause"),
        (Method::DELETE, "/members/alice"),
        (Method::POST, "/members/import"),
        (Method::PUT, "/suppressions"),
    ] {
        assert_eq!(answer(api.request(method.clone(), path, "reader")).await.status, 403, "{method} {path}");
    }
    assert_eq!(api.get("/members/alice").await.body["paused"], false);
    assert_eq!(api.act(Method::POST, "/members/alice/pause").await.status, 200);
    api.get("/lapses?member_id=alice").await;
    let audit = api.items("/audit?member_id=alice").await;
    let rows: Vec<_> = audit
        .iter()
        .map(|row| ["actor", "action", "target"].map(|key| row[key].as_str().unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(
        rows,
        [
            ["token:reader", "read", "lapses"],
            ["token:writer", "member_pause", ""],
            ["token:reader", "read", "members"],
        ]
    );
    assert_eq!(api.items("/audit?since=2100-01-01T00:00:00Z").await.len(), 0);
}

#[tokio::test]
async fn without_a_configured_token_every_request_is_forbidden() {
    let h = Harness::watching_with(Setup::default(), &["alice"]).await;
    let api = Api::of(&h).await;
    for path in ["/status", "/openapi.json", "/nothing"] {
        assert_eq!(api.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_member_who_cannot_be_reached_is_listed_with_the_reason() {
    let (h, api) = world().await;
    assert_eq!(api.items("/members?unreachable=true").await.len(), 0);
    let body = json!({ "email": "alice@example.org" });
    assert_eq!(api.send(Method::PUT, "/suppressions", &body).await.status, 200);
    h.pass_after(TimeDelta::days(4)).await;
    let unreachable = api.items("/members?unreachable=true").await;
    assert_eq!(unreachable.len(), 1, "{unreachable:?}");
    assert_eq!(
        (&unreachable[0]["member_id"], &unreachable[0]["suppressed"]),
        (&json!("alice"), &json!(true))
    );
}
