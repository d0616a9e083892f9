//! What the admin API writes.

use crate::api_client::{Api, with_tokens};
use crate::harness::Harness;
use futures_util::future::join_all;
use reconnectd::sim::{SmtpFault, SmtpStage};
use reqwest::Method;
use serde_json::{Value, json};

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

async fn world(members: &[&str]) -> (Harness, Api) {
    let h = Harness::watching_with(with_tokens(), members).await;
    let api = Api::of(&h).await;
    (h, api)
}

fn lines(problem: &Value) -> Vec<(u64, String)> {
    let errors = problem["errors"].as_array().unwrap();
    let line = |error: &Value| {
        (error["line"].as_u64().unwrap_or_default(), error["field"].as_str().unwrap_or_default().to_owned())
    };
    errors.iter().map(line).collect()
}

#[tokio::test]
async fn a_put_enrolls_a_member_then_changes_what_it_mentions() {
    let (_h, api) = world(&[]).await;
    let put = async |body: Value| api.send(Method::PUT, "/members/bob", &body).await;
    assert_eq!(put(json!({ "locale": "es" })).await.status, 422, "a new member needs an address");
    let body = json!({ "email": "bob@example.org", "locale": "es", "refresh_token": "rt-bob" });
    let enrolled = put(body).await;
    assert_eq!((enrolled.status, &enrolled.body["added"]), (201, &json!(true)));
    let changed =
        put(json!({ "member_id": "bob", "time_zone": "Europe/Madrid", "refresh_token": "rt-bob" })).await;
    assert_eq!((changed.status, &changed.body["known_tokens"]), (200, &json!(1)));
    let member = api.get("/members/bob").await.body;
    assert_eq!(
        (&member["locale"], &member["time_zone"], &member["credential"]),
        (&json!("es"), &json!("Europe/Madrid"), &json!("ok"))
    );
    put(json!({ "locale": null })).await;
    assert_eq!(api.get("/members/bob").await.body["locale"], Value::Null);
    for (body, field) in [
        (json!({ "email": "nobody" }), "email"),
        (json!({ "email": "" }), "email"),
        (json!({ "time_zone": "Mars" }), "time_zone"),
        (json!({ "member_id": "alice" }), "member_id"),
        (json!({ "label": 5 }), "label"),
        (json!({ "phone": "555-0100" }), ""),
        (json!([]), ""),
    ] {
        let refused = put(body.clone()).await;
        assert_eq!((refused.status, lines(&refused.body)), (422, vec![(0, field.to_owned())]), "{body}");
    }
    let audit = api.items("/audit?member_id=bob").await;
    let writes = audit.iter().filter(|row| row["action"] == "member_add").count();
    assert_eq!(writes, 3);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_have_a_status_of_their_own() {
    let (_h, api) = world(&["alice"]).await;
    let put = |kind: &str, body: Vec<u8>| {
        let request = api.request(Method::PUT, "/members/alice", "writer");
        crate::api_client::answer(request.header("content-type", kind).body(body))
    };
    assert_eq!(put("text/plain", b"{}".to_vec()).await.status, 415);
    assert_eq!(put("application/json", vec![0xff]).await.status, 400);
    assert_eq!(put("application/json", vec![b' '; 70_000]).await.status, 413);
    let hold = |kind: &str, body: &'static str| {
        let request = api.request(Method::POST, "/holds", "writer");
        crate::api_client::answer(request.header("content-type", kind.to_owned()).body(body))
    };
    assert_eq!(hold("application/json", "{").await.status, 400);
    assert_eq!(hold("application/json", "{}").await.status, 422);
    assert_eq!(hold("text/plain", "{}").await.status, 415);
}

#[tokio::test]
async fn members_are_paused_resumed_and_removed() {
    let (_h, api) = world(&["alice"]).await;
    let pause = api.act(Method::POST, "/members/alice/pause").await;
    assert_eq!(pause.body, json!({ "member_id": "alice", "paused": true, "changed": true }));
    assert_eq!(api.act(Method::POST, "/members/alice/pause").await.body["changed"], false);
    assert_eq!(api.act(Method::POST, "/members/alice/resume").await.body["changed"], true);
    assert_eq!(api.act(Method::POST, "/members/nobody/resume").await.status, 404);
    let removed = api.act(Method::DELETE, "/members/alice").await;
    assert_eq!((removed.status, &removed.body["erased"]), (200, &json!(false)));
    assert_eq!(api.get("/members/alice").await.status, 404);
    assert_eq!(api.act(Method::DELETE, "/members/alice").await.status, 404);
    let erased = api.act(Method::DELETE, "/members/alice?erase=true").await;
    assert_eq!((erased.status, &erased.body["erased"]), (200, &json!(true)));
    assert_eq!(api.items("/transitions?member_id=alice").await.len(), 0);
    assert_eq!(api.act(Method::DELETE, "/members/alice?erase=maybe").await.status, 400);
}

#[tokio::test]
async fn a_hold_keeps_emails_back_until_it_is_released() {
    let (h, api) = world(&["alice"]).await;
    let body = json!({ "source": "EPIC", "status": "EXPIRED", "until": "2026-03-09T00:00:00Z", "reason": "maintenance" });
    let hold = api.send(Method::POST, "/holds", &body).await;
    assert_eq!(
        (hold.status, &hold.body["kind"], &hold.body["source"]),
        (201, &json!("operator"), &json!("epic"))
    );
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(api.items("/notices?state=held").await.len(), 1);
    assert_eq!(api.items("/holds").await[0]["notices"], 1);
    let path = format!("/holds/{}", hold.body["hold_id"].as_str().unwrap());
    let released = api.act(Method::DELETE, &path).await;
    assert_eq!((&released.body["released"], &released.body["notices"]), (&json!(true), &json!(1)));
    assert_eq!(api.act(Method::DELETE, &path).await.body["released"], false);
    assert_eq!(api.act(Method::DELETE, "/holds/none").await.status, 404);
    for wrong in [
        json!({ "reason": "r", "member_id": "nobody" }),
        json!({ "reason": "r", "source": " " }),
        json!({ "reason": "r", "status": "CONNECTED" }),
        json!({ "reason": "r", "until": "2020-01-01T00:00:00Z" }),
        json!({ "reason": "a\0b" }),
        json!({ "reason": "r", "sauce": "epic" }),
    ] {
        assert_eq!(api.send(Method::POST, "/holds", &wrong).await.status, 422, "{wrong}");
    }
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn an_address_is_suppressed_by_its_text_and_listed_by_its_members() {
    let (_h, api) = world(&["alice"]).await;
    let body = json!({ "email": "Alice@Example.org" });
    let added = api.send(Method::PUT, "/suppressions", &body).await;
    assert_eq!(
        (added.status, &added.body["member_ids"], &added.body["reason"]),
        (200, &json!(["alice"]), &json!("operator"))
    );
    assert_eq!(api.items("/suppressions").await.len(), 1);
    assert_eq!(api.get("/members/alice").await.body["suppressed"], true);
    let removed = api.send(Method::DELETE, "/suppressions", &body).await;
    assert_eq!(removed.body, json!({ "member_ids": ["alice"], "removed": true }));
    assert_eq!(api.send(Method::DELETE, "/suppressions", &body).await.body["removed"], false);
    assert_eq!(api.send(Method::PUT, "/suppressions", &json!({ "email": "nobody" })).await.status, 422);
}

#[tokio::test]
async fn a_retry_sends_what_failed_and_nothing_twice() {
    let (h, api) = world(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Data, 451, "4.3.0 later").times(1));
    h.pass().await;
    let notice = api.items("/notices?state=queued").await.remove(0);
    let path = format!("/notices/{}/retry", notice["notice_id"].as_str().unwrap());
    let retried = api.act(Method::POST, &path).await;
    assert_eq!((retried.status, &retried.body["queued"]), (200, &json!(true)));
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    assert_eq!(api.act(Method::POST, &path).await.status, 409, "it is sent");
    assert_eq!(api.act(Method::POST, "/notices/none/retry").await.status, 404);
    assert_eq!(api.act(Method::POST, "/events/none/retry").await.status, 404);
}

#[tokio::test]
async fn an_import_enrolls_everybody_in_its_body() {
    let (_h, api) = world(&[]).await;
    let csv = "member_id,email\nalice,alice@example.org\nbob,bob@example.org\n";
    let imported = api.import("", CSV, csv).await;
    assert_eq!((imported.status, imported.body), (200, json!({ "imported": 2, "known_tokens": 0 })));
    let ndjson = "{\"member_id\":\"alice\",\"locale\":\"es\"}\n{\"member_id\":\"Alice\",\"email\":\"x@example.org\"}\n";
    let imported = api.import("", NDJSON, ndjson).await;
    assert_eq!((&imported.body["imported"], &imported.body["warnings"][0]["line"]), (&json!(2), &json!(2)));
    assert_eq!(api.get("/members/alice").await.body["locale"], "es");
    let many: String = (0..3000).map(|n| format!("m{n},m{n}@example.org\n")).collect();
    let imported = api.import("", CSV, format!("member_id,email\n{many}")).await;
    assert_eq!(imported.body["imported"], 3000);
    let writes = api.items("/audit").await;
    assert_eq!(writes.iter().filter(|row| row["action"] == "member_import").count(), 3);
}

#[tokio::test]
async fn an_import_with_bad_lines_changes_nothing_and_names_them() {
    let (_h, api) = world(&["alice"]).await;
    let csv = "member_id,email\nbob,bob@example.org\ncarol,nobody\ndave,dave@example.org\n,e@example.org\n";
    let refused = api.import("", CSV, csv).await;
    let expected = vec![(3, "email".to_owned()), (5, "member_id".to_owned())];
    assert_eq!((refused.status, lines(&refused.body)), (422, expected));
    let unknown = api.import("", NDJSON, "{\"member_id\":\"bob\",\"locale\":\"es\"}\n").await;
    assert_eq!((unknown.status, lines(&unknown.body)), (422, vec![(1, "email".to_owned())]));
    assert_eq!(api.import("", CSV, "name\nbob\n").await.status, 422);
    assert_eq!(api.import("", CSV, "").await.status, 422);
    assert_eq!(api.import("?allow_empty=true", CSV, "member_id,email\n").await.status, 200);
    assert_eq!(api.import("", "application/json", "[]").await.status, 415);
    let phone = "member_id,email,phone\nbob,bob@example.org,5\n";
    assert_eq!(api.import("", CSV, phone).await.status, 422);
    assert_eq!(api.walk("/members", 10, "member_id").await, ["alice"]);
    assert_eq!(api.import("?ignore_unknown_columns=true", CSV, phone).await.status, 200);
}

#[tokio::test]
async fn puts_at_the_same_time_wait_for_each_other() {
    let (_h, api) = world(&[]).await;
    let bodies: Vec<_> =
        (0..8).map(|n| (format!("/members/m{n}"), json!({ "email": format!("m{n}@example.org") }))).collect();
    let puts = bodies.iter().map(|(path, body)| api.send(Method::PUT, path, body));
    for put in join_all(puts).await {
        assert_eq!(put.status, 201, "{}", put.body);
    }
    assert_eq!(api.walk("/members", 3, "member_id").await.len(), 8);
}
