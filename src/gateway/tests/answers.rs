//! What is made of each kind of answer.

use super::{
    RETRY, TOKEN, Verdict, gateway, gateway_with, settings, shown,
    stub::{Answer, Stub, hanging_up},
    token,
};
use crate::domain::{Category, Connection, IntegrationType, SourceType, Status, SyncStatus};
use serde_json::{Value, json};
use std::time::Duration;

fn row(change: impl FnOnce(&mut Value)) -> Value {
    let mut row = json!({
        "id": "epic", "name": "Epic", "category": "OAUTH", "type": "CLINICAL", "integrationType": "PROA",
        "isDirect": false, "status": "CONNECTED", "syncStatus": "RETRIEVED", "syncErrors": null,
        "statusUpdated": "2025-08-20T20:51:12.513000", "lastSynced": null, "created": "2025-08-20T20:51:12Z",
    });
    change(&mut row);
    row
}

fn list(rows: Value) -> String {
    json!({ "data": { "getMemberConnections": rows } }).to_string()
}

async fn read(body: &str) -> Result<Vec<Connection>, super::GatewayError> {
    gateway(&Stub::answering([Answer::ok(body)]).await)
        .connections(&token())
        .await
        .map(|listing| listing.rows)
}

#[tokio::test]
async fn a_row_is_read_whole() {
    let row = row(|row| {
        row["syncErrors"] = json!([
            { "text": "t", "coding": [{ "code": "PERSON_MATCHING_ERROR", "system": null }, {}] },
            { "coding": { "code": "PATIENT_RETRIEVAL_ERROR" } },
            { "coding": null },
        ]);
    });
    let connections = read(&list(json!([row]))).await.unwrap();
    assert_eq!(
        connections,
        [Connection {
            id: "epic".into(),
            name: "Epic".into(),
            category: Some(Category::Oauth),
            source_type: Some(SourceType::Clinical),
            integration_type: Some(IntegrationType::Proa),
            is_direct: false,
            status: Some(Status::Connected),
            sync_status: Some(SyncStatus::Retrieved),
            sync_errors: vec!["PERSON_MATCHING_ERROR".into(), "PATIENT_RETRIEVAL_ERROR".into()],
            status_updated: Some("2025-08-20T20:51:12.513Z".parse().unwrap()),
            last_synced: None,
            created: Some("2025-08-20T20:51:12Z".parse().unwrap()),
        }]
    );
}

#[tokio::test]
async fn what_may_be_missing_or_new_is_no_error() {
    for (what, change) in [
        ("no status", Box::new(|row: &mut Value| row["status"] = Value::Null) as Box<dyn Fn(&mut Value)>),
        ("a new status", Box::new(|row| row["status"] = json!("ON_HOLIDAY"))),
        ("a new category", Box::new(|row| row["category"] = json!("MAGIC"))),
        ("a field more", Box::new(|row| row["more"] = json!({ "deep": [1, 2] }))),
        ("no nullable field", Box::new(|row| *row = json!({ "id": "x", "name": "y", "isDirect": true }))),
        ("a time nobody can read", Box::new(|row| row["created"] = json!("yesterday"))),
        ("a time that is no text", Box::new(|row| row["created"] = json!({ "seconds": 5 }))),
        ("an id of any characters", Box::new(|row| row["id"] = json!("a/b \"ü\" \u{1F3E5}\n'; --"))),
        ("a name of any characters", Box::new(|row| row["name"] = json!("<b>\u{202E}Ж\0</b>"))),
        ("an empty name", Box::new(|row| row["name"] = json!(""))),
    ] {
        let row = row(change);
        let connections = read(&list(json!([row]))).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(connections[0].id.as_str(), row["id"].as_str().unwrap(), "{what}");
        assert_eq!(connections[0].name, row["name"].as_str().unwrap(), "{what}");
    }
    let unknown = read(&list(json!([row(|row| row["status"] = json!("ON_HOLIDAY"))]))).await.unwrap();
    assert_eq!(unknown[0].status, Some(Status::Unknown("ON_HOLIDAY".into())));
    assert_eq!(read(&list(json!([]))).await.unwrap(), [], "a member may have no connection");
    for no_errors in [json!(null), json!([])] {
        let body = json!({ "data": { "getMemberConnections": [] }, "errors": no_errors, "extensions": {} });
        assert!(read(&body.to_string()).await.is_ok(), "{body}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_whole_is_an_error_that_may_pass_and_quotes_nothing() {
    let changed = |change: fn(&mut Value)| list(json!([row(|_| ()), row(change)]));
    let whole = list(json!([row(|_| ())]));
    for (what, body) in [
        ("nothing", String::new()),
        ("a page", "<html>s3cret</html>".into()),
        ("another type", "[]".into()),
        ("an empty object", "{}".into()),
        ("no data", r#"{"data": null}"#.into()),
        ("no list", r#"{"data": {}}"#.into()),
        ("a null list", list(Value::Null)),
        ("a list of another type", list(json!({ "s3cret": 1 }))),
        ("a null row", list(json!([null]))),
        ("a text for a row", list(json!(["s3cret"]))),
        ("no id", changed(|row| *row = json!({ "name": "n", "isDirect": false }))),
        ("a null id", changed(|row| row["id"] = Value::Null)),
        ("an empty id", changed(|row| row["id"] = json!(""))),
        ("a blank id", changed(|row| row["id"] = json!(" \t"))),
        ("a number for an id", changed(|row| row["id"] = json!(5))),
        ("an id twice", changed(|row| row["id"] = json!("epic"))),
        ("no name", changed(|row| *row = json!({ "id": "i", "isDirect": false }))),
        ("a text for a truth value", changed(|row| row["isDirect"] = json!("s3cret"))),
        ("a number for a status", changed(|row| row["status"] = json!(7))),
        ("a list for a category", changed(|row| row["category"] = json!(["s3cret"]))),
        ("half an answer", whole[..whole.len() / 2].into()),
        ("an answer and a half", format!("{whole}{{")),
        ("a nest too deep", "[".repeat(100_000)),
    ] {
        let error = read(&body).await.expect_err(what);
        assert_eq!(error.verdict(), RETRY, "{what}: {error}");
        assert!(!shown(&error).contains("s3cret"), "{what}: {error}");
    }
    let error = read(&changed(|row| row["id"] = json!("x"))).await.err();
    assert!(error.is_none(), "the table's rows are good but for what it says: {error:?}");
}

#[tokio::test]
async fn an_unreadable_answer_names_the_place() {
    let error = read(&list(json!([row(|row| row["isDirect"] = json!("no"))]))).await.unwrap_err();
    assert!(
        error.to_string().ends_with(r#"of another type at "getMemberConnections[0].isDirect""#),
        "{error}"
    );
}

fn error(codes: &[&str]) -> String {
    let errors: Vec<_> = codes
        .iter()
        .map(|code| {
            let text = format!("about {TOKEN}");
            json!({ "message": "m", "extensions": { "code": "500", "resource": {
                "resourceType": "OperationOutcome",
                "issue": [{ "severity": "error", "code": code, "details": { "text": text } }],
            } } })
        })
        .collect();
    json!({ "errors": errors, "data": { "getMemberConnections": [] } }).to_string()
}

#[tokio::test]
async fn errors_are_errors_even_beside_data_and_their_codes_give_the_verdict() {
    for (codes, expected) in [
        (&["login"][..], Verdict::Unauthorized),
        (&["expired"], Verdict::Unauthorized),
        (&["exception", "login"], Verdict::Unauthorized),
        (&["forbidden"], Verdict::Permanent),
        (&["not-found"], Verdict::Permanent),
        (&["invalid"], Verdict::Permanent),
        (&["required"], Verdict::Permanent),
        (&["business-rule"], Verdict::Permanent),
        (&["exception"], RETRY),
        (&["timeout"], RETRY),
        (&["throttled"], RETRY),
        (&["transient"], RETRY),
        (&["some-new-code"], RETRY),
        (&["not-found", "exception"], RETRY),
    ] {
        for status in [200, 400] {
            let stub = Stub::answering([Answer::new(status, error(codes))]).await;
            let error = gateway(&stub).connections(&token()).await.unwrap_err();
            assert_eq!(error.verdict(), expected, "{status} {codes:?}: {error}");
            assert!(error.to_string().contains(&format!("{}: about [secret]", codes[0])), "{error}");
            assert_eq!(stub.asked().len(), 1, "an answer that was understood is not asked for again");
        }
    }
    for (body, expected) in [
        (r#"{"errors": [{"message": "m", "extensions": {"code": "401"}}]}"#, Verdict::Unauthorized),
        (r#"{"errors": [{"message": "m", "extensions": {"code": "500"}}]}"#, RETRY),
        (r#"{"errors": [{}], "data": {"getMemberConnections": []}}"#, RETRY),
        (r#"{"errors": "m", "data": {"getMemberConnections": []}}"#, RETRY),
        (r#"{"errors": {"message": "m"}, "data": {"getMemberConnections": []}}"#, RETRY),
        (r#"{"errors": [{"message": "m"}], "data": {"getMemberConnections": [{"id": 5}]}}"#, RETRY),
        (r#"{"errors": [7, null], "data": null}"#, RETRY),
    ] {
        let error = read(body).await.unwrap_err();
        assert_eq!(error.verdict(), expected, "{body}: {error}");
    }
}

#[tokio::test]
async fn a_status_that_is_not_ok_gives_its_verdict() {
    let good = list(json!([]));
    for (status, body, expected) in [
        (401, "", Verdict::Unauthorized),
        (401, "<html>", Verdict::Unauthorized),
        (403, "", RETRY),
        (404, "not JSON", RETRY),
        (429, "{}", RETRY),
        (500, &good, RETRY),
        (503, "", RETRY),
        (302, "", RETRY),
        (500, &error(&["not-found"]), RETRY),
    ] {
        let stub = Stub::answering([Answer::new(status, body)]).await;
        let error = gateway(&stub).connections(&token()).await.unwrap_err();
        assert_eq!(error.verdict(), expected, "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_failure_of_the_network_may_pass_and_shows_neither_url_nor_token() {
    let slow = Stub::answering([Answer::Never]).await;
    let cut = Stub::answering([Answer::Cut("{\"data\": s3cret")]).await;
    let large = Stub::answering([Answer::ok(" ".repeat(super::super::http::LARGEST_ANSWER + 1))]).await;
    let broken_gzip = Stub::answering([Answer::ok("s3cret").with("content-encoding", "gzip")]).await;
    let (hanging_up, _) = hanging_up().await;
    for (url, words) in [
        (slow.url().as_str(), "no complete answer within 300ms"),
        (&cut.url(), "broke before the answer was complete"),
        (&large.url(), "larger than 16 MiB"),
        (&broken_gzip.url(), "broke before the answer was complete"),
        (&hanging_up, "broke before the answer was complete"),
        ("http://127.0.0.1:1/v1/graphql?hidden=query", "cannot connect"),
    ] {
        let mut settings = settings(url);
        if words.contains("300ms") {
            settings.timeout = Duration::from_millis(300);
        }
        let error = gateway_with(&settings).connections(&token()).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.verdict(), RETRY, "{error}");
        for secret in ["hidden", TOKEN, "s3cret"] {
            assert!(!shown(&error).contains(secret), "{}", shown(&error));
        }
    }
}

#[tokio::test]
async fn an_answer_up_to_the_limit_is_read() {
    let body = list(json!([row(|_| ())]));
    let padded = body.clone() + &" ".repeat(super::super::http::LARGEST_ANSWER - body.len());
    assert_eq!(read(&padded).await.unwrap().len(), 1);
}

#[tokio::test]
async fn words_of_the_gateway_reach_an_error_masked() {
    let text = "no consent of alice@example.org, see https://x.example/?code=s3cret, token eyJhbGciOi.x.y";
    let body = json!({ "errors": [{ "message": text }] });
    let error = read(&body.to_string()).await.unwrap_err();
    assert!(error.to_string().ends_with(": no consent of [address] see [url] token [secret]"), "{error}");
}
