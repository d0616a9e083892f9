//! Every fault against every operation: what is concluded, and how often it is asked. Nothing is ever written.

use crate::harness::{Harness, Setup};
use futures_util::future::join_all;
use reconnectd::credentials::CallError;
use reconnectd::domain::{Cause, ConnectionId, MemberId};
use reconnectd::gateway::{Establish, Verdict};
use reconnectd::sim::{Fault, FaultKind, Operation};

/// What may be asked again within one call.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It changes nothing.
    Read,
    /// It may have been carried out.
    Act,
    /// It may have spent the refresh token.
    Renewal,
}

const OPERATIONS: [(Operation, Kind); 8] = [
    (Operation::GetMemberConnections, Kind::Read),
    (Operation::GetOauthUrl, Kind::Read),
    (Operation::GetDataSource, Kind::Read),
    (Operation::CreateConnection, Kind::Act),
    (Operation::DisconnectConnection, Kind::Act),
    (Operation::DeleteConnection, Kind::Act),
    (Operation::ActivateDirectConnection, Kind::Act),
    (Operation::Refresh, Kind::Renewal),
];

const ROUTER: &str =
    r#"{"errors": [{"message": "Cannot query field", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}"#;

/// What befalls a question; what is concluded; how often a read is asked. An act or a renewal is asked once.
fn rows() -> Vec<(&'static str, FaultKind, &'static str, u32)> {
    let http = |status| FaultKind::Http { status, retry_after: None };
    let raw = |status, content_type: &str, body: &str| FaultKind::Raw {
        status,
        content_type: Some(content_type.into()),
        body: body.into(),
        retry_after: None,
    };
    let error = |code: &str| FaultKind::GraphqlError { code: code.into() };
    let beside = |partial| FaultKind::DataBesideErrors { code: "exception".into(), partial };
    vec![
        ("an error that may pass", error("throttled"), "retry", 1),
        ("an error that nobody knows", error("strange"), "retry", 1),
        ("an error for good", error("not-found"), "refused", 1),
        ("a member who is refused", error("FORBIDDEN"), "forbidden", 1),
        ("a word of a firewall", raw(403, "text/plain", "error code: 1020"), "retry", 1),
        ("a word of a proxy", raw(403, "application/json", "{\"message\":\"Forbidden\"}"), "retry", 1),
        ("a word of a router", raw(400, "application/json", ROUTER), "retry", 1),
        ("a whole answer beside an error", beside(false), "retry", 1),
        ("half an answer beside an error", beside(true), "retry", 1),
        ("null", FaultKind::NullData, "retry", 1),
        ("a body cut in half", FaultKind::CutBody, "retry", 3),
        ("another type", FaultKind::WrongType, "retry", 1),
        ("a page under HTTP 200", FaultKind::NotJson, "retry", 1),
        ("HTTP 500", http(500), "retry", 3),
        ("HTTP 503", http(503), "retry", 3),
        ("HTTP 404", http(404), "retry", 1),
        ("HTTP 429", FaultKind::Http { status: 429, retry_after: Some("0".into()) }, "retry", 3),
        ("a connection that is reset", FaultKind::Reset, "retry", 3),
        ("an answer that comes too late", FaultKind::Delay { ms: 60_000 }, "retry", 1),
        ("17 MiB", FaultKind::HugeBody { bytes: 17 << 20 }, "retry", 1),
        // Asked once more with a new token.
        ("a token that is not accepted, nor its successor", FaultKind::RejectedToken, "unauthorized", 2),
    ]
}

fn expected(kind: Kind, conclusion: &'static str, reads: u32) -> (&'static str, u32) {
    match (kind, conclusion) {
        (Kind::Read, _) | (Kind::Act, "unauthorized") => (conclusion, reads),
        (Kind::Renewal, "unauthorized") => ("no token", 1),
        // Every renewal is the same request: when it is wrong, that is nothing about this member.
        (Kind::Renewal, "refused") => ("retry", 1),
        (Kind::Act | Kind::Renewal, _) => (conclusion, 1),
    }
}

fn conclusion(error: &CallError) -> &'static str {
    match error {
        CallError::NoToken { .. } => "no token",
        CallError::Gateway(error) => match error.verdict() {
            Verdict::Retry { .. } => "retry",
            Verdict::Unauthorized => "unauthorized",
            Verdict::Permanent => "refused",
            Verdict::Forbidden => "forbidden",
            Verdict::Rejected => "no token",
        },
        other => panic!("{other}"),
    }
}

async fn ask(h: &Harness, operation: Operation, member: &MemberId) -> Result<(), CallError> {
    let gateway = &h.app.gateway;
    if operation == Operation::GetMemberConnections || operation == Operation::Refresh {
        return h.app.poller.poll(member, Cause::Recheck).await.map(drop);
    }
    let epic = &ConnectionId::from("epic");
    let credentials = h.app.tokens.credentials(member).await?;
    let question = |token| async move {
        match operation {
            Operation::GetOauthUrl => gateway.oauth_url(&token, epic).await.map(drop),
            Operation::GetDataSource => gateway.data_source(&token, epic).await.map(drop),
            Operation::CreateConnection => gateway.establish(&token, epic, Establish::Direct).await.map(drop),
            Operation::DisconnectConnection => gateway.disconnect(&token, epic).await.map(drop),
            Operation::DeleteConnection => gateway.delete(&token, epic).await.map(drop),
            _ => gateway.activate_direct(&token, epic).await.map(drop),
        }
    };
    h.app.tokens.call_as(member, &credentials, question).await
}

/// Lets each fault happen to the operation once, each time for another member, and reports what is not as expected.
async fn try_faults(h: &Harness, (operation, kind): (Operation, Kind), members: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((what, trouble, told, reads), id) in rows().iter().zip(members) {
        let member = MemberId::from(id.as_str());
        if kind == Kind::Renewal {
            h.rows().await.delete_where("access_tokens", ("member_id", id)).await.unwrap();
        }
        h.sim.world().add_fault(Fault::new(trouble.clone()).on(operation).member(id));
        let before = h.asked(id, operation);
        let error = ask(h, operation, &member).await.expect_err(what);
        let found = (conclusion(&error), h.asked(id, operation) - before);
        if found != expected(kind, told, *reads) {
            wrong.push(format!("{operation:?}, {what}: {found:?} ({error})"));
        }
        assert_eq!(h.path(id, "epic").await, ["CONNECTED"], "{operation:?}, {what}");
        assert_eq!(h.lapse_states(id).await, [] as [&str; 0], "{operation:?}, {what}");
        assert_eq!(h.notice_states(id).await, [] as [&str; 0], "{operation:?}, {what}");
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_every_operation_is_read_alike_and_writes_nothing() {
    let rows = rows().len();
    let count = OPERATIONS.len() * rows;
    let members: Vec<String> = (1..=count).map(|n| format!("m{n}")).collect();
    let all: Vec<&str> = members.iter().map(String::as_str).collect();
    let setup = Setup::default().members(count as u32).set("GATEWAY__TIMEOUT", "2s");
    let h = Harness::watching_with(setup, &all).await;
    // Side by side, so that their time-outs overlap.
    let tries = OPERATIONS.into_iter().zip(members.chunks(rows));
    let wrong = join_all(tries.map(|(operation, members)| try_faults(&h, operation, members))).await.concat();
    h.end_faults();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
