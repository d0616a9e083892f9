//! Sessions: how they are opened, shared, and replaced.

use super::{
    fake_server::{DISCONNECT, FakeServer, authority},
    session::Session,
    tests::{email, mail_to, plain, protected, secure},
    *,
};
use crate::base::config::Tls;
use std::time::Duration;

#[tokio::test]
async fn a_limit_of_emails_per_session_moves_the_next_email_to_another_session() {
    let refusals = [
        "421 4.7.0 too many messages over this connection",
        "450 4.7.0 too many messages",
        "452 4.5.3 too many messages in this session",
        "550 5.7.0 too many messages",
        DISCONNECT,
    ];
    let stages = [("MAIL", 5), ("RCPT", 3), ("DATA", 3), (".", 3)];
    for (stage, limit) in
        stages.into_iter().flat_map(|(stage, n)| refusals[..n].iter().map(move |r| (stage, *r)))
    {
        let first = if stage == "DATA" { "354 go on" } else { "250 2.0.0 fine" };
        let (transport, heard) =
            plain(FakeServer::default().replying(&[(stage, first), (stage, limit)])).await;
        transport.send(&mail_to("alice@example.org")).await.unwrap();
        transport.send(&mail_to("bob@example.org")).await.unwrap();
        let heard = heard.record();
        let accepted = heard.emails.len() - usize::from(stage == ".");
        assert_eq!((heard.connections, accepted), (2, 2), "{stage}: {limit}");
    }
}

#[tokio::test]
async fn a_full_server_is_asked_once_more_in_a_fresh_session() {
    let full = "452 4.3.1 Insufficient system storage";
    let script = [("MAIL", "250 2.1.0 fine"), ("MAIL", full), ("MAIL", full)];
    let (transport, heard) = plain(FakeServer::default().replying(&script)).await;
    transport.send(&mail_to("alice@example.org")).await.unwrap();
    let error = transport.send(&mail_to("bob@example.org")).await.unwrap_err();
    assert_eq!((error.disposition, error.stage, error.code), (Disposition::Retry, Stage::Sender, Some(452)));
    assert_eq!(heard.record().connections, 2, "only a fresh session tells that the server is full");
}

#[tokio::test]
async fn a_server_that_does_not_know_ehlo_gets_helo_unless_tls_or_a_login_is_needed() {
    for reply in ["500 5.5.1 unknown command", "502 5.5.1 not implemented"] {
        let (transport, heard) = plain(FakeServer::default().replying(&[("EHLO", reply)])).await;
        transport.send(&mail_to("alice@example.org")).await.unwrap();
        let heard = heard.record();
        let greetings = heard.commands.iter().filter(|line| line.contains("LO "));
        let verbs: Vec<_> = greetings.map(|line| &line[..4]).collect();
        assert_eq!(verbs, ["EHLO", "HELO"]);
        assert_eq!((heard.connections, heard.emails.len()), (2, 1));
    }
    let (authority, tls) = authority();
    let (port, heard) = protected(tls, false).replying(&[("EHLO", "502 no")]).start().await;
    let error =
        secure(port, Tls::Starttls, &authority).send(&mail_to("alice@example.org")).await.unwrap_err();
    assert_eq!((error.disposition, error.code), (Disposition::Misconfigured, Some(502)));
    assert!(heard.record().commands.iter().all(|line| !line.starts_with("HELO")));
}

#[tokio::test]
async fn an_email_waits_for_a_free_session_when_the_server_allows_no_more() {
    let refused = "421 4.7.0 too many connections";
    let server = FakeServer::default().replying(&[("GREETING", "220 ready"), ("GREETING", refused)]);
    let (transport, heard) = plain(server).await;
    let (a, b) = (mail_to("alice@example.org"), mail_to("bob@example.org"));
    let (first, second) = tokio::join!(transport.send(&a), transport.send(&b));
    first.unwrap();
    second.unwrap();
    let heard = heard.record();
    assert_eq!((heard.connections, heard.emails.len()), (2, 2));
}

#[tokio::test]
async fn the_next_address_of_a_host_is_tried_when_the_first_gives_no_greeting() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, heard) = FakeServer::default().start().await;
    let server = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let addresses = [server(silent.local_addr().unwrap().port()), server(port)];
    let transport = Transport::new(&email(port, Tls::None), &Instances::alone()).unwrap();
    let Backend::Smtp(smtp) = &transport.backend else { panic!("not SMTP") };
    let limits = [Duration::from_millis(100), Duration::from_secs(60)];
    let session = Session::open_first(&smtp.server, &addresses, limits).await.unwrap();
    session.quit().await;
    assert_eq!(heard.record().connections, 1);
    let mut order = addresses;
    smtp.server.sort(&mut order);
    assert_eq!(order[0], addresses[1], "the address that worked comes first from now on");
}

#[tokio::test]
async fn a_session_serves_one_email_after_another_even_after_a_rejection() {
    let (transport, heard) = plain(FakeServer::default().replying(&[("RCPT", "550 5.1.1 unknown")])).await;
    transport.send(&mail_to("nobody@example.org")).await.unwrap_err();
    transport.send(&mail_to("alice@example.org")).await.unwrap();
    transport.send(&mail_to("bob@example.org")).await.unwrap();
    let heard = heard.record();
    assert_eq!((heard.connections, heard.emails.len()), (1, 2));
    assert_eq!(heard.commands.iter().filter(|line| *line == "RSET").count(), 2);
}

#[tokio::test]
async fn a_dead_idle_session_is_replaced_before_an_email_is_sent() {
    let (transport, heard) = plain(FakeServer::default().replying(&[("RSET", DISCONNECT)])).await;
    transport.send(&mail_to("alice@example.org")).await.unwrap();
    transport.send(&mail_to("bob@example.org")).await.unwrap();
    let heard = heard.record();
    assert_eq!((heard.connections, heard.emails.len()), (2, 2));
}
