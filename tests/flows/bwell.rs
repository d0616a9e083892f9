//! What b.well posts at `/hooks/bwell`.

use crate::harness::{Harness, Setup, link_in};
use aws_lc_rs::hmac;
use chrono::TimeDelta;
use reconnectd::domain::{AuditRecord, Cause};
use reconnectd::sim::{FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage};
use reqwest::{Client, Response};
use serde_json::{Value, json};

const SECRET: &str = "sesame-0pen-f0r-bwell";
const DELETED: &str = "User-Delete-Completed";

fn with_hook() -> Setup {
    Setup::default().set("GATEWAY__WEBHOOK_SECRET", SECRET)
}

fn person(subject: &str) -> Value {
    let identifier = json!([{ "system": "urn:client:identifier", "value": subject }]);
    json!({ "resource": { "resourceType": "Person", "identifier": identifier } })
}

fn message(code: &str, subjects: &[&str]) -> String {
    let header = json!({ "resource": { "resourceType": "MessageHeader", "eventCoding": { "code": code } } });
    let entries: Vec<_> = std::iter::once(header).chain(subjects.iter().copied().map(person)).collect();
    json!({ "resourceType": "Bundle", "type": "message", "entry": entries }).to_string()
}

fn signature(secret: &str, body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Harness {
    async fn post_message(&self, signature: Option<&str>, body: &str) -> Response {
        let url = format!("http://{}/hooks/bwell", self.app.config.links.listen);
        let request = Client::builder().no_proxy().build().unwrap().post(url).body(body.to_owned());
        let request = match signature {
            Some(signature) => request.header("x-bwell-signature", signature),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// Posts a message with the right signature.
    async fn tell(&self, body: &str) -> u16 {
        self.post_message(Some(&signature(SECRET, body)), body).await.status().as_u16()
    }

    async fn rows_with(&self, text: &str) -> Vec<String> {
        self.contents().await.into_iter().filter(|row| row.contains(text)).collect()
    }

    async fn audited(&self) -> Vec<AuditRecord> {
        self.app.store.audit(None, self.clock.now() - TimeDelta::days(1), None, 100).await.unwrap()
    }

    /// The lines of the hook in the log.
    fn hook_lines(&self) -> Vec<String> {
        let text = self.log.text();
        text.lines().filter(|line| line.contains("hooks::bwell")).map(ToOwned::to_owned).collect()
    }
}

#[tokio::test]
async fn a_deleted_user_is_erased_before_the_response_and_a_repeated_message_succeeds() {
    let h = Harness::watching_with(with_hook(), &["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    let mails = h.mails();
    let link = link_in(mails.iter().find(|mail| mail.to == ["alice@example.org"]).unwrap());
    assert!(!h.rows_with("alice").await.is_empty());

    let body = message(DELETED, &["alice"]);
    assert_eq!(h.tell(&body).await, 200);
    assert_eq!(h.rows_with("alice").await, [] as [&str; 0]);
    assert_eq!(h.look(&link).await.status, 404);
    assert_eq!(h.path("bob", "epic").await, ["CONNECTED", "EXPIRED"], "nobody else is touched");

    let pseudonym = h.app.keyring.pseudonym(&"alice".into()).to_string();
    let expected = [("gateway".to_owned(), "member_erase".to_owned(), Some(pseudonym))];
    let audited = || async {
        let rows = h.audited().await.into_iter();
        rows.map(|row| (row.actor, row.action, row.member_id)).collect::<Vec<_>>()
    };
    assert_eq!(audited().await, expected);
    for _ in 0..2 {
        assert_eq!(h.tell(&body).await, 200, "the response can be lost");
    }
    assert_eq!(audited().await, expected, "there was nothing left to erase");
    let lines = h.hook_lines();
    assert!(lines.len() == 3 && lines.iter().all(|line| line.contains("members_erased")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("alice")), "{lines:?}");
}

#[tokio::test]
async fn a_user_is_every_member_with_this_subject_and_no_other() {
    let h = with_hook().start().await;
    for (member, subject) in
        [("alice", "u-17"), ("carol", "u-17"), ("bob", "alice"), ("dave", "u-18"), ("erin", "u-19")]
    {
        h.enrol_as(member, subject).await;
    }
    h.app.store.remove_member(&"carol".into(), h.clock.now()).await.unwrap();
    assert_eq!(h.tell(&message("user_delete_completed", &["u-17", "u-18", "unknown"])).await, 200);
    let mut rows = h.rows().await;
    assert_eq!(rows.texts("members", "member_id").await.unwrap(), ["bob", "erin"]);
    assert!(h.hook_lines()[0].contains("event=\"members_erased\" members=3"), "{:?}", h.hook_lines());
    assert_eq!(h.audited().await.len(), 3);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_changes_nothing_and_is_not_quoted() {
    let h = Harness::watching_with(with_hook(), &["alice"]).await;
    let before = h.contents().await;
    let half = message(DELETED, &["alice", ""]);
    for body in [half.as_str(), "{\"alice\"", "", &message(DELETED, &[]), "[\"alice\"]"] {
        let response = h.post_message(Some(&signature(SECRET, body)), body).await;
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(!response.text().await.unwrap().contains("alice"));
    }
    let large = " ".repeat(512 * 1024 + 1);
    assert_eq!(h.tell(&large).await, 413);
    assert_eq!(h.contents().await, before);
    let lines = h.hook_lines();
    assert!(lines.len() == 5 && lines.iter().all(|line| line.contains("unreadable_message")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("alice")), "{lines:?}");
}

#[tokio::test]
async fn another_event_changes_nothing_and_succeeds() {
    let h = Harness::watching_with(with_hook(), &["alice"]).await;
    let before = h.contents().await;
    for code in ["Data-Export-Completed", "Something-New"] {
        assert_eq!(h.tell(&message(code, &["alice"])).await, 200, "{code}");
    }
    assert_eq!(h.contents().await, before);
    let lines = h.hook_lines();
    assert!(
        lines.len() == 2 && lines.iter().all(|line| line.contains("gateway_message_ignored")),
        "{lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("alice")), "{lines:?}");
}

#[tokio::test]
async fn only_a_message_with_the_right_signature_is_read_and_wrong_ones_are_limited() {
    let h = Harness::watching_with(with_hook(), &["alice"]).await;
    let (before, body) = (h.contents().await, message(DELETED, &["alice"]));
    let of_another_body = signature(SECRET, &message(DELETED, &["bob"]));
    let of_another_key = signature("sesame", &body);
    let wrong = [None, Some(""), Some(of_another_body.as_str()), Some(of_another_key.as_str())];
    for number in 0..15 {
        let response = h.post_message(wrong[number % wrong.len()], &body).await;
        if number < 10 {
            assert_eq!(response.status(), 401, "{number}");
            assert!(response.headers().contains_key("www-authenticate"));
        } else {
            let limited = (response.status().as_u16(), &response.headers()["retry-after"]);
            assert_eq!(limited, (429, &"60".parse().unwrap()));
        }
        assert_eq!(h.tell(&message("Other", &[])).await, 200, "the right one");
    }
    assert_eq!(h.contents().await, before);
    assert!(!h.log.text().contains("sesame"));
    assert_eq!(h.tell(&body).await, 200);
}

#[tokio::test]
async fn without_a_secret_in_the_configuration_there_is_no_hook() {
    let h = Setup::default().set("BOUNCES__PASSWORD", "another-0ne").start().await;
    let body = message(DELETED, &["alice"]);
    for secret in ["", SECRET] {
        let signature = signature(secret, &body);
        assert_eq!(h.post_message(Some(&signature), &body).await.status(), 404);
    }
    let h = with_hook().start().await;
    let url = format!("http://{}/hooks/bwell", h.app.config.links.listen);
    let response = Client::new().get(&url).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
}

#[tokio::test]
async fn while_others_write_the_sender_is_asked_to_repeat_the_message() {
    let h = Harness::watching_with(with_hook(), &["alice"]).await;
    let (before, body) = (h.contents().await, message(DELETED, &["alice"]));
    let mut other_process = h.rows().await;
    other_process.block_writers().await.unwrap();
    let response = h.post_message(Some(&signature(SECRET, &body)), &body).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (503, &"10".parse().unwrap())
    );
    drop(other_process);
    assert_eq!(h.contents().await, before);
    assert_eq!(h.tell(&body).await, 200);
    assert_eq!(h.rows_with("alice").await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_poll_and_a_delivery_under_way_bring_nothing_of_an_erased_member_back() {
    let h = Harness::watching_with(with_hook(), &["alice", "bob"]).await;
    let body = message(DELETED, &["alice"]);
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    // Alice's next email hangs at the mail server while the gateway's response to a poll is late.
    h.mail_fault(
        SmtpFault::new(SmtpStage::Data, SmtpAction::Delay { ms: 800 }).to("alice@example.org").times(1),
    );
    h.clock.advance(TimeDelta::days(4));
    let erasing = async {
        while !h.sim.mailbox().pending_faults().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        h.fault(Operation::GetMemberConnections, FaultKind::Delay { ms: 200 });
        let asked = h.asked("alice", Operation::GetMemberConnections);
        let alice = "alice".into();
        let erase = async {
            while h.asked("alice", Operation::GetMemberConnections) == asked {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            h.tell(&body).await
        };
        tokio::join!(h.app.poller.poll(&alice, Cause::Sweep), erase)
    };
    let (report, (_, status)) = tokio::join!(h.pass(), erasing);
    assert_eq!(status, 200);
    assert_eq!(report.progress.unclear, 0);
    assert_eq!(h.rows_with("alice").await, [] as [&str; 0]);
    assert!(h.pass_after(TimeDelta::days(1)).await.complete());
    assert_eq!(h.rows_with("alice").await, [] as [&str; 0]);
}
