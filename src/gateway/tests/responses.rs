//! The result of each kind of response.

use super::{
    RETRY, TOKEN, Verdict, gateway, gateway_with, settings, shown,
    stub::{StubResponse, StubServer, disconnecting},
    token,
};
use crate::domain::{Category, Connection, IntegrationType, Listing, Source, SourceType, Status, SyncStatus};
use serde_json::{Value, json};
use std::time::Duration;

fn row(change: impl FnOnce(&mut Value)) -> Value {
    let mut row = json!({
        "id": "epic", "name": "Epic", "category": "OAUTH", "type": "CLINICAL", "integrationType": "PROA",
        "isDirect": false, "status": "CONNECTED", "syncStatus": "RETRIEVED", "syncErrors": null,
        "lastSynced": "2025-08-20T20:51:12.513000",
    });
    change(&mut row);
    row
}

fn list(rows: Value) -> String {
    json!({ "data": { "getMemberConnections": rows } }).to_string()
}

async fn listing(body: &str) -> Result<Listing, super::GatewayError> {
    gateway(&StubServer::responding([StubResponse::ok(body)]).await).connections(&token()).await
}

async fn read(body: &str) -> Result<Vec<Connection>, super::GatewayError> {
    listing(body).await.map(|listing| listing.rows)
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
            source: Source {
                name: "Epic".into(),
                category: Some(Category::Oauth),
                source_type: Some(SourceType::Clinical),
                integration_type: Some(IntegrationType::Proa),
                is_direct: false,
            },
            status: Some(Status::Connected),
            sync_status: Some(SyncStatus::Retrieved),
            sync_errors: vec!["PERSON_MATCHING_ERROR".into(), "PATIENT_RETRIEVAL_ERROR".into()],
            last_synced: Some("2025-08-20T20:51:12.513Z".parse().unwrap()),
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
        ("no nullable field", Box::new(|row| *row = json!({ "id": "x", "name": "y" }))),
        ("null for a truth value", Box::new(|row| row["isDirect"] = Value::Null)),
        ("an id of any characters", Box::new(|row| row["id"] = json!("a/b \"ü\" \u{1F3E5}\n'; --"))),
        ("a name of any characters", Box::new(|row| row["name"] = json!("<b>\u{202E}Ж\0</b>"))),
        ("an empty name", Box::new(|row| row["name"] = json!(""))),
    ] {
        let row = row(change);
        let connections = read(&list(json!([row]))).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(connections[0].id.as_str(), row["id"].as_str().unwrap(), "{what}");
        assert_eq!(connections[0].source.name, row["name"].as_str().unwrap(), "{what}");
    }
    for absent in [json!({ "id": "x", "name": "y" }), row(|row| row["isDirect"] = Value::Null)] {
        assert!(!read(&list(json!([absent]))).await.unwrap()[0].source.is_direct, "it is not direct");
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
        ("half an answer", whole[..whole.len() / 2].into()),
        ("an answer and a half", format!("{whole}{{")),
        ("a nest too deep", "[".repeat(100_000)),
    ] {
        let error = read(&body).await.expect_err(what);
        assert_eq!(error.verdict(), RETRY, "{what}: {error}");
        assert!(!shown(&error).contains("s3cret"), "{what}: {error}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hides_itself_and_no_other() {
    let by_id = ["x"].as_slice();
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &[&str]); 13] = [
        ("a null row", |row| *row = Value::Null, &[]),
        ("a text for a row", |row| *row = json!("s3cret"), &[]),
        ("no id", |row| *row = json!({ "name": "n" }), &[]),
        ("a null id", |row| row["id"] = Value::Null, &[]),
        ("an empty id", |row| row["id"] = json!(""), &[]),
        ("a blank id", |row| row["id"] = json!(" \t"), &[]),
        ("a number for an id", |row| row["id"] = json!(5), &[]),
        ("no name", |row| *row = json!({ "id": "x" }), by_id),
        ("a null name", |row| row["name"] = Value::Null, by_id),
        ("a text for a truth value", |row| row["isDirect"] = json!("s3cret"), by_id),
        ("a number for a status", |row| row["status"] = json!(7), by_id),
        ("a list for a category", |row| row["category"] = json!(["s3cret"]), by_id),
        ("a number for an error", |row| row["syncErrors"] = json!([7]), by_id),
    ];
    for (what, change, hidden) in cases {
        let strange = row(|row| {
            row["id"] = json!("x");
            change(row);
        });
        for rows in [json!([strange, row(|_| ())]), json!([row(|_| ()), strange])] {
            let listing = listing(&list(rows)).await.unwrap();
            let ids: Vec<&str> = listing.rows.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(ids, ["epic"], "{what}");
            let found: Vec<&str> = listing.hidden.iter().map(|id| id.as_str()).collect();
            assert_eq!((found.as_slice(), listing.hides_unknown), (hidden, hidden.is_empty()), "{what}");
        }
    }
}

#[tokio::test]
async fn two_rows_with_one_id_are_both_hidden() {
    let unnamed = row(|row| row["name"] = Value::Null);
    let other = row(|row| row["id"] = json!("x"));
    for twice in [[row(|_| ()), row(|_| ())], [row(|_| ()), unnamed.clone()], [unnamed.clone(), unnamed]] {
        let [one, two] = twice;
        let listing = listing(&list(json!([one, other, two]))).await.unwrap();
        assert_eq!((listing.rows.len(), listing.rows[0].id.as_str()), (1, "x"));
        assert_eq!((listing.hidden.as_slice(), listing.hides_unknown), (["epic".into()].as_slice(), false));
    }
    let case = row(|row| row["id"] = json!("EPIC"));
    assert_eq!(listing(&list(json!([row(|_| ()), case]))).await.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn words_are_known_in_any_case_and_a_byte_order_mark_is_skipped() {
    let row = row(|row| {
        row["category"] = json!("oauth");
        row["status"] = json!(" expired ");
        row["syncErrors"] = json!([{ "coding": { "code": "person_matching_error " } }]);
    });
    let body = format!("\u{feff}{}", list(json!([row])));
    let rows = read(&body).await.unwrap();
    assert_eq!((&rows[0].source.category, &rows[0].status), (&Some(Category::Oauth), &Some(Status::Expired)));
    assert_eq!(rows[0].sync_errors, ["PERSON_MATCHING_ERROR"]);
}

#[tokio::test]
async fn a_person_mismatch_shows_as_connected_or_as_error() {
    for (status, mismatch) in [("CONNECTED", true), ("ERROR", true), ("EXPIRED", false), ("NEW", false)] {
        let row = row(|row| {
            row["status"] = json!(status);
            row["syncErrors"] = json!([{ "coding": [{ "code": "PERSON_MATCHING_ERROR" }] }]);
        });
        assert_eq!(read(&list(json!([row]))).await.unwrap()[0].is_person_mismatch(), mismatch, "{status}");
    }
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
        (&["SECURITY"], Verdict::Unauthorized),
        (&["Unknown"], Verdict::Unauthorized),
        (&["forbidden", "login"], Verdict::Unauthorized),
        (&["forbidden"], Verdict::Forbidden),
        (&["SUPPRESSED"], Verdict::Forbidden),
        (&["not-found"], Verdict::Permanent),
        (&["NOT_FOUND"], Verdict::Permanent),
        (&["NOT_SUPPORTED"], Verdict::Permanent),
        (&["invalid"], Verdict::Permanent),
        (&["structure"], Verdict::Permanent),
        (&["required"], Verdict::Permanent),
        (&["VALUE"], Verdict::Permanent),
        (&["invariant"], Verdict::Permanent),
        (&["BUSINESS_RULE"], Verdict::Permanent),
        (&["duplicate"], Verdict::Permanent),
        (&["too-long"], Verdict::Permanent),
        (&["conflict"], Verdict::Permanent),
        (&["TIMEOUT"], RETRY),
        (&["LOCK_ERROR"], RETRY),
        (&["no-store"], RETRY),
        (&["incomplete"], RETRY),
        (&["forbidden", "exception"], RETRY),
        (&["exception"], RETRY),
        (&["timeout"], RETRY),
        (&["throttled"], RETRY),
        (&["transient"], RETRY),
        (&["some-new-code"], RETRY),
        (&["not-found", "exception"], RETRY),
    ] {
        for status in [200, 400] {
            let stub = StubServer::responding([StubResponse::new(status, error(codes))]).await;
            let error = gateway(&stub).connections(&token()).await.unwrap_err();
            assert_eq!(error.verdict(), expected, "{status} {codes:?}: {error}");
            assert!(error.to_string().contains(&format!("{}: about [secret]", codes[0])), "{error}");
            assert_eq!(stub.requests().len(), 1, "an answer that was understood is not asked for again");
        }
    }
    for (body, expected) in [
        (r#"{"errors": [{"message": "m", "extensions": {"code": "401"}}]}"#, Verdict::Unauthorized),
        (
            r#"{"errors": [{"message": "m", "extensions": {"code": "unauthenticated"}}]}"#,
            Verdict::Unauthorized,
        ),
        (r#"{"errors": [{"message": "m", "extensions": {"code": "FORBIDDEN"}}]}"#, RETRY),
        (r#"{"errors": [{"message": "m", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}"#, RETRY),
        (r#"{"errors": [{"message": "m", "extensions": {"code": "PERSISTED_QUERY_NOT_IN_LIST"}}]}"#, RETRY),
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
        (401, &error(&["forbidden"]), Verdict::Forbidden),
        (403, "", RETRY),
        (403, "error code: 1020", RETRY),
        (403, r#"{"message":"Forbidden"}"#, RETRY),
        (403, &error(&["FORBIDDEN"]), Verdict::Forbidden),
        (403, &error(&["suppressed"]), Verdict::Forbidden),
        (403, &error(&["login"]), Verdict::Unauthorized),
        (404, "not JSON", RETRY),
        (429, "{}", RETRY),
        (500, &good, RETRY),
        (503, "", RETRY),
        (302, "", RETRY),
        (500, &error(&["not-found"]), RETRY),
    ] {
        let stub = StubServer::responding([StubResponse::new(status, body)]).await;
        let error = gateway(&stub).connections(&token()).await.unwrap_err();
        assert_eq!(error.verdict(), expected, "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn a_failure_of_the_network_may_pass_and_shows_neither_url_nor_token() {
    let slow = StubServer::responding([StubResponse::Never]).await;
    let cut = StubServer::responding([StubResponse::Cut("{\"data\": s3cret")]).await;
    let large =
        StubServer::responding([StubResponse::ok(" ".repeat(super::super::http::MAX_RESPONSE_BYTES + 1))])
            .await;
    let broken_gzip =
        StubServer::responding([StubResponse::ok("s3cret").with("content-encoding", "gzip")]).await;
    let (disconnecting, _) = disconnecting().await;
    for (url, words) in [
        (slow.url().as_str(), "no complete response within 300ms"),
        (&cut.url(), "broke before the response was complete"),
        (&large.url(), "larger than 16 MiB"),
        (&broken_gzip.url(), "broke before the response was complete"),
        (&disconnecting, "broke before the response was complete"),
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
    let padded = body.clone() + &" ".repeat(super::super::http::MAX_RESPONSE_BYTES - body.len());
    assert_eq!(read(&padded).await.unwrap().len(), 1);
}

#[tokio::test]
async fn words_of_the_gateway_reach_an_error_masked() {
    let text = "no consent of alice@example.org, see https://x.example/?code=s3cret, token eyJhbGciOi.x.y";
    let body = json!({ "errors": [{ "message": text }] });
    let error = read(&body.to_string()).await.unwrap_err();
    assert!(error.to_string().contains(": no consent of [address] see [url] token [secret]"), "{error}");
}
