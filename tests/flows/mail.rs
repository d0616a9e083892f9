//! What a mail server can do to a mail.

use crate::harness::{Harness, Setup, link_in};
use chrono::TimeDelta;
use reconnectd::{
    notify::deliver::Delivered,
    sim::{SmtpAction, SmtpFault, SmtpStage},
    store::AttemptOutcome,
};

/// Alice's and bob's epic have expired; nothing is planned yet.
async fn two_expired() -> Harness {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    h
}

fn for_alice(fault: SmtpFault) -> SmtpFault {
    fault.to("alice@example.org")
}

#[tokio::test]
async fn a_greylisted_email_is_retried_and_each_attempt_is_a_row() {
    let h = two_expired().await;
    h.mail_fault(for_alice(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted")));
    h.pass().await;
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(h.notice_states("alice").await, ["queued"]);
    h.pass_after(TimeDelta::seconds(59)).await;
    assert_eq!(h.attempts("alice").await, ["retry"], "not before a minute has passed");
    h.pass_after(TimeDelta::seconds(10)).await;
    assert_eq!(h.attempts("alice").await, ["retry", "retry"]);
    h.end_faults();
    h.pass_after(TimeDelta::minutes(6)).await;
    assert_eq!(h.attempts("alice").await, ["retry", "retry", "sent"]);
    let notice = h.notices("alice").await.remove(0).notice.id;
    let reply = h.app.store.attempts(&notice).await.unwrap().pop().unwrap().detail;
    assert!(reply.is_some(), "an operator can look for it in the log of the mail server");
    assert_eq!(h.recipients(), ["bob@example.org", "alice@example.org"]);
    assert_eq!(h.look(&h.link()).await.status, 200);
    let links = h.rows().await.texts("links", "member_id").await.unwrap();
    assert_eq!(
        links.iter().filter(|member| *member == "alice").count(),
        1,
        "of a mail that was refused no link is left"
    );
}

#[tokio::test]
async fn an_email_whose_recipient_is_always_rejected_for_the_moment_is_abandoned_after_the_fifth_day() {
    let h = two_expired().await;
    h.mail_fault(for_alice(SmtpFault::reply(SmtpStage::End, 452, "4.2.2 Mailbox full")));
    let begun = h.clock.now();
    while h.notice_states("alice").await != ["abandoned"] {
        h.pass_after(TimeDelta::hours(3)).await;
        assert!(h.clock.now() - begun < TimeDelta::days(8), "{:?}", h.attempts("alice").await);
    }
    assert!(h.clock.now() - begun > TimeDelta::days(5));
    assert_eq!(h.attempts("alice").await.len(), 13);
    h.pass_after(TimeDelta::days(1)).await;
    assert_eq!(h.notice_states("alice").await, ["abandoned"], "and not started again");
}

#[tokio::test]
async fn a_permanently_rejected_address_is_abandoned_and_delays_nobody_else() {
    let h = two_expired().await;
    h.mail_fault(for_alice(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 <alice@example.org>: unknown")));
    h.pass().await;
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    assert_eq!(h.attempts("alice").await, ["abandoned"]);
    let notice = h.notices("alice").await.remove(0).notice.id;
    let detail = h.app.store.attempts(&notice).await.unwrap()[0].detail.clone().unwrap();
    assert!(detail.contains("550") && !detail.contains("alice"), "{detail}");
    h.pass_after(TimeDelta::days(2)).await;
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
}

#[tokio::test]
async fn a_rejection_that_may_concern_the_sender_abandons_nothing_before_other_emails_are_accepted() {
    let h = two_expired().await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 554, "5.7.1 Client host rejected: Access denied"));
    for _ in 0..20 {
        h.pass_after(TimeDelta::hours(13)).await;
    }
    for member in ["alice", "bob"] {
        assert_eq!(h.notice_states(member).await, ["queued"], "{member}");
    }
    h.end_faults();
    h.mail_fault(for_alice(SmtpFault::reply(SmtpStage::Rcpt, 554, "5.7.1 Recipient address rejected")));
    // Hers can be the one that probes the queue, or come before his.
    for _ in 0..5 {
        h.pass_after(TimeDelta::hours(13)).await;
    }
    assert_eq!(h.recipients(), ["bob@example.org"]);
    assert_eq!(h.notice_states("alice").await, ["abandoned"], "it was meant for her");
}

#[tokio::test]
async fn abandoned_notices_are_sent_when_the_operator_retries_them() {
    let h = two_expired().await;
    h.mail_fault(for_alice(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 unknown")));
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop).to("bob@example.org"));
    for _ in 0..20 {
        h.pass_after(TimeDelta::hours(14)).await;
    }
    for member in ["alice", "bob"] {
        assert_eq!(h.notice_states(member).await, ["abandoned"], "{member}");
    }
    h.end_faults();
    let before = h.mails().len();
    assert_eq!(h.app.store.retry_all_notices(h.clock.now()).await.unwrap().len(), 2);
    h.pass().await;
    assert_eq!(h.mails().len(), before + 2);
    for member in ["alice", "bob"] {
        assert_eq!(h.notice_states(member).await[0], "sent", "{member}");
    }
    assert!(
        h.app.store.retry_all_notices(h.clock.now()).await.unwrap().is_empty(),
        "what was sent is not sent again"
    );
}

#[tokio::test]
async fn a_server_that_rejects_everybody_for_days_gets_the_emails_in_the_end() {
    let h = two_expired().await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.3.0 Temporary lookup failure"));
    for _ in 0..20 {
        h.pass_after(TimeDelta::hours(13)).await;
    }
    let attempts = [h.attempts("alice").await, h.attempts("bob").await].concat();
    assert!(attempts.iter().filter(|outcome| *outcome == "retry").count() < 4, "{attempts:?}");
    h.end_faults();
    h.pass_after(TimeDelta::hours(13)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn an_email_whose_reply_is_lost_is_sent_again_with_the_same_message_id() {
    let h = two_expired().await;
    h.mail_fault(for_alice(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop).times(1)));
    h.pass().await;
    assert_eq!(h.attempts("alice").await, ["unknown"]);
    h.pass_after(TimeDelta::minutes(2)).await;
    assert_eq!(h.attempts("alice").await, ["unknown", "sent"]);
    let mails = h.mails();
    let copies: Vec<_> = mails.iter().filter(|mail| mail.to == ["alice@example.org"]).collect();
    assert_eq!(copies.len(), 2);
    assert_eq!(copies[0].header("Message-ID"), copies[1].header("Message-ID"));
    for copy in copies {
        assert_eq!(h.look(&link_in(copy)).await.status, 200, "whichever copy is read, its link works");
    }
}

#[tokio::test]
async fn a_server_that_never_confirms_does_not_get_the_same_email_forever() {
    let h = two_expired().await;
    h.mail_fault(for_alice(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop)));
    for _ in 0..20 {
        h.pass_after(TimeDelta::hours(14)).await;
    }
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    assert_eq!(h.recipients().iter().filter(|to| *to == "alice@example.org").count(), 4);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_hand_over_is_retried() {
    for stage in [SmtpStage::Mail, SmtpStage::Rcpt, SmtpStage::Data] {
        let h = Harness::watching(&["alice"]).await;
        h.set("alice", "epic", "EXPIRED");
        h.mail_fault(SmtpFault::new(stage, SmtpAction::Drop).times(1));
        h.pass().await;
        let first = h.attempts("alice").await.remove(0);
        // Once the mail is on its way, only the network decides whether its last dot was still written.
        let expected = match stage {
            SmtpStage::Mail => &["deferred"][..],
            SmtpStage::Rcpt => &["retry"],
            _ => &["retry", "unknown"],
        };
        assert!(expected.contains(&first.as_str()), "{stage:?}: {first}");
        assert!(h.mails().is_empty());
        h.pass_after(TimeDelta::minutes(2)).await;
        assert_eq!(h.attempts("alice").await, [first.as_str(), "sent"], "{stage:?}");
        assert_eq!(h.mails().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_login_waits_for_the_operator_and_abandons_nothing() {
    let login = [("EMAIL__SMTP__USERNAME", "relay"), ("EMAIL__SMTP__PASSWORD", "the-right-password")];
    let setup = Setup::default()
        .smtp_login(login[0].1, login[1].1)
        .set(login[0].0, login[0].1)
        .set(login[1].0, "a-wrong-password");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    for _ in 0..30 {
        h.pass_after(TimeDelta::hours(6)).await;
    }
    assert!(h.mails().is_empty());
    for member in ["alice", "bob"] {
        assert_eq!(h.notice_states(member).await, ["queued"], "{member}");
        assert!(h.attempts(member).await.iter().all(|outcome| outcome == "deferred"), "{member}");
    }
    let mended = h.another_app(&login).await;
    h.clock.advance(TimeDelta::hours(1));
    while mended.deliverer.deliver_one().await.unwrap() != Delivered::Nothing {}
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_full_mail_server_makes_the_queue_wait_and_abandons_nothing() {
    let h = two_expired().await;
    h.mail_fault(SmtpFault::reply(SmtpStage::Mail, 452, "4.3.1 Insufficient system storage"));
    for _ in 0..30 {
        h.pass_after(TimeDelta::hours(6)).await;
    }
    for member in ["alice", "bob"] {
        assert_eq!(h.notice_states(member).await, ["queued"], "{member}");
        assert!(h.attempts(member).await.iter().all(|outcome| outcome == "deferred"), "{member}");
    }
    h.end_faults();
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn an_unreachable_mail_server_makes_the_queue_wait() {
    let h = two_expired().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cut_off = h.another_app(&[("EMAIL__SMTP__PORT", &nobody.port().to_string())]).await;
    cut_off.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    let states = [h.notice_states("alice").await, h.notice_states("bob").await];
    assert_eq!(states, [["queued"], ["queued"]]);
    for _ in 0..20 {
        h.clock.advance(TimeDelta::hours(2));
        let delivered = cut_off.deliverer.deliver_one().await.unwrap();
        assert!(matches!(delivered, Delivered::QueuePaused(_)), "{delivered:?}");
    }
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.mails().len(), 2);
    assert_eq!(h.attempts("alice").await.last().unwrap(), AttemptOutcome::Sent.as_str());
}
