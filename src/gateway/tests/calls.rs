//! Requests, retries, and the responses of the other operations.

use super::{
    RETRY, TOKEN, Verdict, gateway, gateway_at, gateway_with, settings, shown,
    stub::{StubResponse, StubServer, disconnecting},
    token,
};
use crate::{
    base::clock::{Clock, ManualClock},
    base::config::OauthHosts,
    domain::{Connection, IntegrationType, Source, Status},
    gateway::{Establish, GatewayError},
};
use serde_json::{Value, json};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

const EMPTY: &str = r#"{"data": {"getMemberConnections": []}}"#;

#[tokio::test]
async fn a_list_is_asked_for_without_a_filter_as_the_member() {
    let stub = StubServer::responding([StubResponse::ok(EMPTY)]).await;
    gateway(&stub).connections(&token()).await.unwrap();
    let request = &stub.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer at-alice"));
    assert_eq!(request.header("user-agent"), Some(concat!("reconnectd/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("accept-encoding").unwrap().contains("gzip"));
    let body = request.json();
    assert_eq!(body["operationName"], "getMemberConnections");
    assert_eq!(body["variables"], json!({}));
    assert!(!body["query"].as_str().unwrap().contains(['$', '(']), "no argument, no filter");
}

#[tokio::test]
async fn a_read_is_tried_three_times_and_a_change_once() {
    for (status, tries) in [(500, 3), (502, 3), (503, 3), (429, 3), (404, 1), (401, 1), (302, 1)] {
        let stub = StubServer::responding([StubResponse::new(status, "")]).await;
        gateway(&stub).connections(&token()).await.unwrap_err();
        assert_eq!(stub.requests().len(), tries, "a read, after {status}");
    }
    for status in [429, 500, 503] {
        let stub = StubServer::responding([StubResponse::new(status, "")]).await;
        gateway(&stub).delete(&token(), &"epic".into()).await.unwrap_err();
        assert_eq!(stub.requests().len(), 1, "a change, after {status}");
    }
    let (url, times) = disconnecting().await;
    gateway_with(&settings(&url)).connections(&token()).await.unwrap_err();
    assert_eq!(times.swap(0, Ordering::SeqCst), 3, "a read, when the connection breaks");
    gateway_with(&settings(&url)).disconnect(&token(), &"epic".into()).await.unwrap_err();
    assert_eq!(times.load(Ordering::SeqCst), 1, "a change, when the connection breaks");
}

#[tokio::test]
async fn a_read_that_fails_once_succeeds() {
    let stub =
        StubServer::responding([StubResponse::new(503, ""), StubResponse::Cut("{"), StubResponse::ok(EMPTY)])
            .await;
    assert!(gateway(&stub).connections(&token()).await.is_ok());
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for() {
    let stub = StubServer::responding([
        StubResponse::new(429, "").with("retry-after", "1"),
        StubResponse::ok(EMPTY),
    ])
    .await;
    let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
    let gateway = gateway_at(&settings(&stub.url()), Clock::Manual(clock.clone()));
    assert!(gateway.connections(&token()).await.is_ok());
    assert_eq!(clock.slept(), Duration::from_secs(1));
}

#[tokio::test]
async fn a_long_retry_after_is_handed_on_at_once() {
    for (text, seconds) in [("60", 60), ("Sun, 01 Mar 2026 12:02:00 GMT", 120)] {
        let stub = StubServer::responding([StubResponse::new(503, "").with("retry-after", text)]).await;
        let error = gateway(&stub).connections(&token()).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(seconds)) }, "{text}");
        assert_eq!(stub.requests().len(), 1);
    }
    let throttled =
        json!({ "errors": [{ "extensions": { "resource": { "issue": [{ "code": "throttled" }] } } }] });
    let stub =
        StubServer::responding([StubResponse::ok(throttled.to_string()).with("retry-after", "60")]).await;
    let error = gateway(&stub).delete(&token(), &"epic".into()).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(60)) });
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_its_target_not_shown() {
    let target = StubServer::responding([StubResponse::ok(EMPTY)]).await;
    let stub = StubServer::responding([StubResponse::new(307, "").with("location", target.url())]).await;
    let error = gateway(&stub).connections(&token()).await.unwrap_err();
    assert!(error.to_string().contains("HTTP 307"), "{error}");
    assert!(!shown(&error).contains("hidden"), "{error}");
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn no_more_requests_run_at_once_than_allowed() {
    let stub = StubServer::responding([StubResponse::Never]).await;
    let mut settings = settings(&stub.url());
    settings.max_in_flight = 1;
    settings.timeout = Duration::from_millis(100);
    let gateway = gateway_with(&settings);
    let begun = Instant::now();
    let (a, b) = (token(), token());
    let _ = tokio::join!(gateway.connections(&a), gateway.connections(&b));
    assert!(begun.elapsed() >= Duration::from_millis(200), "one after the other");
}

#[tokio::test]
async fn no_more_requests_run_in_a_second_than_allowed() {
    let stub = StubServer::responding([StubResponse::ok(EMPTY)]).await;
    let mut settings = settings(&stub.url());
    settings.requests_per_second = 10;
    let gateway = gateway_with(&settings);
    let begun = Instant::now();
    for _ in 0..4 {
        gateway.connections(&token()).await.unwrap();
    }
    assert!(begun.elapsed() >= Duration::from_millis(290), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_token_that_fits_no_header_is_not_sent() {
    let stub = StubServer::responding([StubResponse::ok(EMPTY)]).await;
    let error = gateway(&stub).connections(&crate::domain::AccessToken::new("s3\ncret")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unauthorized);
    assert!(stub.requests().is_empty() && !shown(&error).contains("cret"), "{error}");
}

async fn oauth_url(hosts: &[&str], url: Value) -> Result<String, GatewayError> {
    let body = json!({ "data": { "getOauthUrl": { "redirectUrl": url } } });
    let stub = StubServer::responding([StubResponse::ok(body.to_string())]).await;
    let mut settings = settings(&stub.url());
    settings.oauth_hosts = OauthHosts::of(hosts);
    let url = gateway_with(&settings).oauth_url(&token(), &"epic \"1\"".into()).await?;
    assert_eq!(stub.requests()[0].json()["variables"], json!({ "connectionId": "epic \"1\"" }));
    Ok(url.expose().to_owned())
}

#[tokio::test]
async fn a_reconnect_url_is_handed_on_when_a_member_may_be_sent_there() {
    let url = "https://idp.example/authorize?state=s3cret";
    assert_eq!(oauth_url(&[], json!(url)).await.unwrap(), url);
    assert_eq!(oauth_url(&["IDP.example"], json!(url)).await.unwrap(), url);
    for (hosts, given) in
        [(&["other.example"][..], url), (&[], "http://idp.example/?state=s3cret"), (&[], "s3cret")]
    {
        let error = oauth_url(hosts, json!(given)).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::Permanent, "{error}");
        assert!(!shown(&error).contains("s3cret"), "{error}");
    }
    assert_eq!(oauth_url(&[], Value::Null).await.unwrap_err().verdict(), RETRY);
}

#[tokio::test]
async fn each_way_to_establish_declares_just_the_variables_that_it_sends() {
    let row = json!({ "id": "basicins", "name": "Ins", "isDirect": false, "status": "CONNECTED" });
    let answer = StubResponse::ok(json!({ "data": { "createConnection": row } }).to_string());
    let password = |integration_type| Establish::Password {
        username: "ann".into(),
        password: "hunter2".into(),
        integration_type,
    };
    for (how, expected) in [
        (Establish::Direct, json!({ "connectionId": "basicins", "integrationType": "DIRECT" })),
        (password(None), json!({ "connectionId": "basicins", "username": "ann", "password": "hunter2" })),
        (
            password(Some(IntegrationType::Ial2)),
            json!({
                "connectionId": "basicins",
                "username": "ann",
                "password": "hunter2",
                "integrationType": "IAL2",
            }),
        ),
    ] {
        let stub = StubServer::responding([answer.clone()]).await;
        let made = gateway(&stub).establish(&token(), &"basicins".into(), how).await.unwrap();
        assert_eq!(made.status, Some(Status::Connected));
        let body = stub.requests()[0].json();
        assert_eq!(body["variables"], expected);
        let (head, _) = body["query"].as_str().unwrap().split_once('{').unwrap();
        assert_eq!(head.matches('$').count(), expected.as_object().unwrap().len(), "{head}");
    }
}

#[tokio::test]
async fn a_refusal_to_establish_does_not_quote_the_credentials() {
    let body = json!({ "errors": [{ "message": "", "extensions": { "resource": { "issue": [
        { "code": "invalid", "details": { "text": "ann:hunter2 is wrong" } },
    ] } } }] });
    let stub = StubServer::responding([StubResponse::ok(body.to_string())]).await;
    let how =
        Establish::Password { username: "ann".into(), password: "hunter2".into(), integration_type: None };
    assert!(!format!("{how:?}").contains("hunter2"));
    let error = gateway(&stub).establish(&token(), &"basicins".into(), how).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Permanent);
    for secret in ["ann", "hunter2", TOKEN] {
        assert!(!shown(&error).contains(secret), "{}", shown(&error));
    }
}

#[tokio::test]
async fn a_change_is_sent_by_its_name_and_must_return_the_connection() {
    let id = "labcorp".into();
    for name in ["disconnectConnection", "deleteConnection", "activateDirectConnection"] {
        let change = json!({ "status": "DISCONNECTED" });
        let body = json!({ "data": { name: change } }).to_string();
        let stub = StubServer::responding([StubResponse::ok(body)]).await;
        let gateway = gateway(&stub);
        match name {
            "disconnectConnection" => gateway.disconnect(&token(), &id).await.unwrap(),
            "deleteConnection" => gateway.delete(&token(), &id).await.unwrap(),
            _ => {
                let status = gateway.activate_direct(&token(), &id).await.unwrap();
                assert_eq!(status, Some(Status::Disconnected));
            }
        }
        assert_eq!(stub.requests()[0].json()["operationName"], name);
    }
    let stub = StubServer::responding([StubResponse::ok(r#"{"data": {"deleteConnection": null}}"#)]).await;
    assert_eq!(gateway(&stub).delete(&token(), &id).await.unwrap_err().verdict(), RETRY);
}

#[tokio::test]
async fn a_data_source_is_looked_up() {
    let source =
        json!({ "id": "epic", "name": "Epic", "category": "OAUTH", "type": "LAB", "isDirect": false });
    let stub = StubServer::responding([StubResponse::ok(
        json!({ "data": { "getDataSource": source } }).to_string(),
    )])
    .await;
    let described = Source {
        name: "Epic".into(),
        category: Some("OAUTH".into()),
        source_type: Some("LAB".into()),
        ..Source::default()
    };
    let expected = Connection {
        id: "epic".into(),
        source: described,
        status: None,
        sync_status: None,
        sync_errors: Vec::new(),
        last_synced: None,
    };
    assert_eq!(gateway(&stub).data_source(&token(), &"epic".into()).await.unwrap(), expected);
}
