//! The mail server, from the connection to the end of a session.

use super::certificates::{Authority, Flaw};
use super::row::{LogSince, Outcome, Row, Section, about, listed};
use crate::broken_smtp::{BrokenMailServer, Moment, Trouble};
use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use futures_util::future::join_all;
use reconnectd::notify::deliver::Delivered;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// The title of the rows that only the long form measures. They are the last ones.
pub(super) const PATIENCE: &str = "A mail server that keeps the daemon waiting";

/// `None`: the connection is refused.
type Fault = Option<(Moment, Trouble)>;

const MOMENTS: [(Moment, &str); 10] = [
    (Moment::Greeting, "in place of the greeting"),
    (Moment::Ehlo, "after EHLO"),
    (Moment::StartTls, "after STARTTLS"),
    (Moment::Handshake, "in the handshake of TLS"),
    (Moment::Auth, "after AUTH"),
    (Moment::Mail, "after MAIL"),
    (Moment::Rcpt, "after RCPT"),
    (Moment::Data, "after DATA"),
    (Moment::Body, "within the email"),
    (Moment::End, "after the final dot"),
];

fn faults(authority: &Authority) -> Vec<(String, Fault)> {
    let mut faults: Vec<(String, Fault)> = vec![("the connection is refused".to_owned(), None)];
    let mut add = |name: String, moment, trouble| faults.push((name, Some((moment, trouble))));
    for (moment, when) in MOMENTS {
        add(format!("closed {when}"), moment, Trouble::Close);
        add(format!("reset {when}"), moment, Trouble::Reset);
        add(format!("half a reply, then closed, {when}"), moment, Trouble::HalfReply);
        add(format!("random bytes {when}"), moment, Trouble::Garbage(b"\xff\xfe\x00HTTP/1.1 400 No\r\n"));
    }
    for (flaw, name) in Flaw::ALL {
        add(format!("TLS: {name}"), Moment::Handshake, Trouble::Certificate(authority.server(flaw)));
    }
    let replies: [(Moment, &[&str]); 8] = [
        (Moment::Greeting, &["421 4.3.2 Shutting down", "554 5.7.1 No service for you"]),
        (Moment::Ehlo, &["421 4.3.2 Shutting down", "550 5.7.1 Helo refused"]),
        (Moment::StartTls, &["454 4.7.0 TLS not available", "502 5.5.1 No such command"]),
        (Moment::Auth, &["454 4.7.0 Later", "535 5.7.8 Wrong password"]),
        (Moment::Mail, &["421 4.7.0 Too much", "451 4.3.0 Later", "550 5.7.1 Sender refused"]),
        (
            Moment::Rcpt,
            &["421 4.7.0 Too much", "450 4.2.0 Greylisted", "550 5.1.1 No such user", "554 5.7.1 Refused"],
        ),
        (Moment::Data, &["421 4.7.0 Too much", "451 4.3.0 Later", "554 5.5.1 No"]),
        (
            Moment::End,
            &["421 4.7.0 Too much", "452 4.3.1 Disk full", "554 5.6.0 Refused", "554 5.7.1 Spam", "999 What"],
        ),
    ];
    for (moment, texts) in replies {
        let (_, when) = MOMENTS.into_iter().find(|(known, _)| *known == moment).expect("a moment");
        for text in texts {
            add(format!("`{text}` {when}"), moment, Trouble::Reply(text));
        }
    }
    add("the email is accepted, and the reply is lost".to_owned(), Moment::End, Trouble::LostReply);
    add("closed after QUIT".to_owned(), Moment::Quit, Trouble::Close);
    faults
}

/// The mail server's TLS and login are as most operators have them.
async fn bench(members: usize) -> (Harness, BrokenMailServer, Authority, TempDir) {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).expect("a file");
    let target =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let server = BrokenMailServer::before(target, authority.server(Flaw::None)).await;
    let setup = Setup::default()
        .members(members as u32)
        .set("EMAIL__SMTP__HOST", "localhost")
        .set("EMAIL__SMTP__PORT", server.port())
        .set("EMAIL__SMTP__TLS", "starttls")
        .set("EMAIL__SMTP__CA_FILE", ca_file.display())
        .set("EMAIL__SMTP__USERNAME", "relay")
        .set("EMAIL__SMTP__PASSWORD", "the-password");
    let ids: Vec<String> = (1..=members).map(|n| format!("m{n}")).collect();
    let all: Vec<_> = ids.iter().map(String::as_str).chain(["alice"]).collect();
    let h = Harness::watching_with(setup, &all).await;
    server.forward_to(h.sim.smtp_addr());
    (h, server, authority, folder)
}

async fn queue(h: &Harness, member: &str) {
    h.set(member, "epic", "EXPIRED");
    assert!(h.retry(&[member]).await.complete());
    while h.app.planner.plan_page().await.expect("a plan") {}
}

async fn deliver_due(h: &Harness) {
    loop {
        match h.app.deliverer.deliver_one().await.expect("a delivery") {
            Delivered::Nothing => return,
            Delivered::One(_) => {}
            Delivered::QueuePaused(wait) => panic!("the queue waits for {wait:?}"),
        }
    }
}

async fn outcome_of(h: &Harness, member: &str, log: &LogSince<'_>) -> Outcome {
    let listed_notice = h.notices(member).await.pop().expect("a notice");
    let notice = &listed_notice.notice;
    let attempts = h.app.store.attempts(&notice.id).await.expect("attempts");
    let last = attempts.last().expect("an attempt");
    let (outcome, reason) =
        (last.outcome.as_deref().unwrap_or("none"), last.reason.as_deref().unwrap_or("none"));
    let state = notice.state.as_str();
    let suppressed = h.app.store.suppressions(None, None, 1_000).await.expect("suppressions");
    let is_suppressed = suppressed.iter().any(|row| row.members.iter().any(|id| id.as_str() == member));
    let address = if is_suppressed { "; the address is suppressed" } else { "" };
    let next = match state {
        "queued" => format!("the next attempt is {}", about(listed_notice.not_before - h.clock.now())),
        _ => "nothing".to_owned(),
    };
    let subject = format!("notice_id={}", notice.id);
    Outcome {
        concludes: format!("the attempt is `{outcome}` (`{reason}`); the notice is `{state}`{address}"),
        next,
        seen: listed(log.events_about(&[&subject])),
    }
}

pub(super) async fn section() -> Section {
    let count = faults(&Authority::new()).len();
    let (h, server, authority, _ca_file) = bench(count).await;
    // The server accepts the emails of others.
    queue(&h, "alice").await;
    deliver_due(&h).await;
    let mut rows = Vec::new();
    for (n, (name, fault)) in faults(&authority).into_iter().enumerate() {
        let member = format!("m{}", n + 1);
        queue(&h, &member).await;
        match &fault {
            None => server.refuse().await,
            Some((moment, trouble)) => server.break_at(*moment, trouble.clone()).await,
        }
        let log = LogSince::now(&h.log);
        h.app.deliverer.deliver_one().await.expect("a delivery");
        if matches!(fault, Some((Moment::Quit, _))) {
            // The end of a pass closes the sessions.
            h.pass().await;
        }
        let outcome = outcome_of(&h, &member, &log).await;
        assert_eq!(server.mend().await > 0, fault.is_some(), "{name} happens");
        rows.push(Row { fault: name, outcome });
        h.clock.advance(TimeDelta::minutes(20));
        deliver_due(&h).await;
        expect_one_email(&h, &member, &fault).await;
    }
    Section {
        title: "The mail server",
        about: "Over STARTTLS, with a login. The server accepts the emails of other members before and after the fault.",
        rows,
    }
}

/// Unless the server refused this email for good. A reply that was lost leaves two copies with one id.
async fn expect_one_email(h: &Harness, member: &str, fault: &Fault) {
    let address = [format!("{member}@example.org")];
    let copies: Vec<_> = h.mails().into_iter().filter(|mail| mail.to == address).collect();
    let state = h.notice_states(member).await;
    let ids: BTreeSet<_> = copies.iter().map(|mail| mail.header("Message-ID")).collect();
    match (&state[..], fault) {
        (["sent"], Some((Moment::End, Trouble::LostReply))) => assert_eq!((copies.len(), ids.len()), (2, 1)),
        (["sent"], _) => assert_eq!(copies.len(), 1, "{member}"),
        (["abandoned"], Some((Moment::Rcpt | Moment::Data | Moment::End, Trouble::Reply(_)))) => {
            assert!(copies.is_empty(), "{member}");
        }
        other => panic!("{member} has {other:?}"),
    }
}

/// Each moment at which the server falls silent, or sends a reply without an end. Takes as long as the daemon's patience:
/// eleven minutes.
pub(super) async fn patience() -> Section {
    let silent = MOMENTS.map(|(moment, when)| (moment, Trouble::Silence, format!("silence {when}")));
    let trickling =
        MOMENTS.map(|(moment, when)| (moment, Trouble::Trickle, format!("a reply without an end {when}")));
    let faults: Vec<_> = silent.into_iter().chain(trickling).collect();
    let (h, _, authority, _ca_file) = bench(faults.len()).await;
    let mut rows = Vec::new();
    let mut deliveries = Vec::new();
    for (n, (moment, trouble, name)) in faults.into_iter().enumerate() {
        let member = format!("m{}", n + 1);
        let server = BrokenMailServer::before(h.sim.smtp_addr(), authority.server(Flaw::None)).await;
        server.break_at(moment, trouble).await;
        let app = h.another_app(&[("EMAIL__SMTP__PORT", &server.port().to_string())]).await;
        queue(&h, &member).await;
        // It claims the only notice that is due.
        let delivery = tokio::spawn(async move { app.deliverer.deliver_one().await.expect("a delivery") });
        while h.notice_states(&member).await != ["sending"] {
            tokio::task::yield_now().await;
        }
        deliveries.push((member, name, server, delivery, std::time::Instant::now()));
    }
    let log = LogSince::now(&h.log);
    let ended = join_all(deliveries.into_iter().map(async |(member, name, server, delivery, begun)| {
        delivery.await.expect("a delivery");
        let minutes = (begun.elapsed().as_secs() + 30) / 60;
        drop(server);
        (member, name, minutes)
    }));
    for (member, name, minutes) in ended.await {
        let outcome = outcome_of(&h, &member, &log).await;
        let waited = if minutes == 0 { "at once".to_owned() } else { format!("after {minutes} min") };
        let concludes = format!("{waited}: {}", outcome.concludes);
        rows.push(Row { fault: name, outcome: Outcome { concludes, ..outcome } });
    }
    Section {
        title: PATIENCE,
        about: "Only the long form of the test measures these rows, because it waits as long as the daemon does.",
        rows,
    }
}
