use super::{
    fake_server::{DISCONNECT, FakeServer, authority},
    *,
};
use crate::{
    base::config::{Config, DEFAULTS, Tls},
    domain::NoticeId,
    mail::{NoticeEmail, Renderer, Template},
    sim::{SmtpScript, SmtpTls},
};
use rustls::ServerConfig;
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;

fn transport(email: &config::Email) -> Result<Transport, TransportError> {
    Transport::new(email, &Instances::alone())
}

pub(super) fn email(port: u16, tls: Tls) -> config::Email {
    let mut email = toml::from_str::<Config>(DEFAULTS).unwrap().email;
    email.from = "Acme <no-reply@acme.test>".parse().unwrap();
    email.per_minute = 0;
    email.smtp.port = port;
    email.smtp.tls = tls;
    email
}

pub(super) async fn plain(script: FakeServer) -> (Transport, Arc<SmtpScript>) {
    let (port, heard) = script.start().await;
    (transport(&email(port, Tls::None)).unwrap(), heard)
}

pub(super) fn mail_to(to: &str) -> Email {
    mail_from("Acme <no-reply@acme.test>", to)
}

fn mail_from(from: &str, to: &str) -> Email {
    let config: Config = toml::from_str(DEFAULTS).unwrap();
    let public_url = "https://acme.test".parse().unwrap();
    let links = config::Links { public_url, ..config.links.clone() };
    let notice = NoticeEmail {
        id: NoticeId::new("n-1"),
        to: to.parse().unwrap(),
        ..NoticeEmail::sample(Template::Expired, None)
    };
    let email = config::Email { from: from.parse().unwrap(), ..email(25, Tls::None) };
    Renderer::new(&config.brand(), &config.notices, &email, &links).unwrap().render(&notice).unwrap()
}

#[tokio::test]
async fn a_mail_arrives_whole_and_the_servers_word_is_kept() {
    let (transport, heard) = plain(FakeServer::default()).await;
    let mut mail = mail_to("alice@example.org");
    mail.bytes.extend_from_slice(b"\r\n.a line that begins with a dot\r\n");
    let accepted = transport.send(&mail).await.unwrap();
    assert_eq!(accepted.reply, "250 2.0.0 Taken");
    let heard = heard.record();
    assert_eq!(
        heard.commands[1..4],
        ["MAIL FROM:<no-reply@acme.test>", "RCPT TO:<alice@example.org>", "DATA"]
    );
    assert!(heard.emails[0].contains("\n.a line that begins with a dot\r\n"), "{}", heard.emails[0]);
    assert!(heard.emails[0].contains("Message-ID: <n-1@acme.test>"));
}

#[tokio::test]
async fn a_refusal_carries_its_verdict_and_code_and_names_no_address() {
    let cases = [
        ("RCPT", "450 4.2.0 <alice@example.org> greylisted", Disposition::Retry, Stage::Recipient),
        ("RCPT", "550 5.1.1 <alice@example.org> unknown", Disposition::Abandon, Stage::Recipient),
        (
            "RCPT",
            "554 5.7.1 <alice@example.org>: Relay access denied",
            Disposition::MaybeSender,
            Stage::Recipient,
        ),
        ("MAIL", "550 5.1.8 alice@example.org is no sender", Disposition::Misconfigured, Stage::Sender),
        ("MAIL", "451 4.3.0 alice@example.org later", Disposition::Retry, Stage::Sender),
        (".", "554 5.6.0 for alice@example.org refused", Disposition::Abandon, Stage::Data),
        (".", "451 4.3.0 for alice@example.org later", Disposition::Retry, Stage::Data),
        ("GREETING", "421 4.3.2 alice@example.org busy", Disposition::Retry, Stage::Connect),
        ("GREETING", "554 5.3.2 alice@example.org no", Disposition::Misconfigured, Stage::Connect),
    ];
    for (verb, reply, disposition, stage) in cases {
        let (transport, _) = plain(FakeServer::default().replying(&[(verb, reply)])).await;
        let error = transport.send(&mail_to("alice@example.org")).await.unwrap_err();
        assert_eq!((error.disposition, error.stage), (disposition, stage), "{reply}");
        assert_eq!(error.code.unwrap().to_string(), reply[..3], "{reply}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("alice") && shown.contains("[address]"), "{shown}");
    }
}

#[tokio::test]
async fn neither_an_odd_address_nor_our_password_is_repeated() {
    let odd = "\"john public doe\"@example.org";
    let refusal = "550 5.1.1 <\"john public doe\"@example.org> unknown";
    let (transport, _) = plain(FakeServer::default().replying(&[("RCPT", refusal)])).await;
    let error = transport.send(&mail_to(odd)).await.unwrap_err();
    assert_eq!(error.to_string(), "the mail server rejected the recipient: 550 5.1.1 <[address]> unknown");
    let (authority, tls) = authority();
    let (port, _) = protected(tls, true).replying(&[("AUTH", "535 5.7.8 no: s3cret")]).start().await;
    let error = secure(port, Tls::Implicit, &authority).probe().await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[tokio::test]
async fn only_a_word_of_acceptance_after_the_final_dot_is_one() {
    for reply in ["354 go on", "300 well"] {
        let (transport, _) = plain(FakeServer::default().replying(&[(".", reply)])).await;
        let error = transport.send(&mail_to("alice@example.org")).await.unwrap_err();
        assert_eq!((error.disposition, error.stage), (Disposition::Indeterminate, Stage::Data), "{reply}");
    }
}

#[tokio::test]
async fn a_server_that_writes_its_replies_in_its_own_way_takes_mails() {
    let script = FakeServer { offers: vec!["smtputf8", "8bitmime"], ..FakeServer::default() };
    let (transport, heard) =
        plain(script.replying(&[("MAIL", "250"), ("RCPT", "250"), ("DATA", "354"), (".", "250")])).await;
    let accepted = transport.send(&mail_to("josé@example.org")).await.unwrap();
    assert_eq!((accepted.reply.trim(), heard.record().emails.len()), ("250", 1));
}

#[tokio::test]
async fn we_give_our_full_name_or_our_address_and_take_leave() {
    for (helo_name, expected) in [("notices.example.org", Some("EHLO notices.example.org")), ("", None)] {
        let (port, heard) = FakeServer::default().start().await;
        let mut email = email(port, Tls::None);
        email.smtp.helo_name = helo_name.to_owned();
        let transport = transport(&email).unwrap();
        transport.send(&mail_to("alice@example.org")).await.unwrap();
        transport.close().await;
        let commands = &heard.record().commands;
        match expected {
            Some(expected) => assert_eq!(commands[0], expected),
            None => assert!(commands[0].contains(['.', '[']), "{}", commands[0]),
        }
        assert_eq!(commands.last().unwrap(), "QUIT");
    }
}

#[tokio::test]
async fn a_log_in_that_is_offered_in_two_ways_is_tried_in_the_other_when_the_first_is_not_known() {
    let (authority, tls) = authority();
    let script = protected(tls, true).replying(&[("AUTH", "504 5.5.4 mechanism not supported")]);
    let (port, heard) = script.start().await;
    secure(port, Tls::Implicit, &authority).probe().await.unwrap();
    let tried = |commands: &[String]| {
        commands.iter().filter(|line| line.contains("AUTH")).cloned().collect::<Vec<_>>()
    };
    let tried = tried(&heard.record().commands);
    assert!(tried.len() == 2 && tried[0].contains("PLAIN") && tried[1].contains("LOGIN"), "{tried:?}");
}

#[tokio::test]
async fn a_connection_lost_before_the_final_dot_is_harmless_and_after_it_unknown() {
    let cases = [
        ("MAIL", Disposition::Retry),
        ("RCPT", Disposition::Retry),
        ("DATA", Disposition::Retry),
        (".", Disposition::Indeterminate),
    ];
    for (verb, disposition) in cases {
        let (transport, _) = plain(FakeServer::default().replying(&[(verb, DISCONNECT)])).await;
        let error = transport.send(&mail_to("alice@example.org")).await.unwrap_err();
        assert_eq!((error.disposition, error.code), (disposition, None), "lost at {verb}");
    }
}

#[tokio::test]
async fn a_connection_lost_while_the_body_is_still_being_written_is_harmless() {
    let (transport, _) = plain(FakeServer::default().replying(&[("BODY", DISCONNECT)])).await;
    let mut mail = mail_to("alice@example.org");
    // More than the buffers of a socket hold, so that the writing itself fails.
    mail.bytes.extend(b"filler filler filler filler filler filler filler filler\r\n".repeat(1_000_000));
    let error = transport.send(&mail).await.unwrap_err();
    assert_eq!((error.disposition, error.stage), (Disposition::Retry, Stage::Data));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = transport(&email(port, Tls::None)).unwrap().probe().await.unwrap_err();
    assert_eq!((error.disposition, error.stage), (Disposition::Retry, Stage::Connect));
}

#[tokio::test]
async fn starttls_that_is_not_offered_or_not_kept_is_never_given_up() {
    for script in [
        FakeServer::default(),
        FakeServer { offers: vec!["STARTTLS"], ..FakeServer::default() }
            .replying(&[("STARTTLS", "502 not now")]),
    ] {
        let (port, heard) = script.start().await;
        let error =
            secure(port, Tls::Starttls, &authority().0).send(&mail_to("a@example.org")).await.unwrap_err();
        assert_eq!((error.disposition, error.stage), (Disposition::Misconfigured, Stage::Tls));
        assert!(!heard.record().commands.iter().any(|line| line.starts_with("MAIL")));
    }
}

pub(super) fn secure(port: u16, tls: Tls, authority: &str) -> Transport {
    let directory = TempDir::new().unwrap();
    let mut email = email(port, tls);
    email.smtp.ca_file = directory.path().join("ca.pem").display().to_string();
    std::fs::write(&email.smtp.ca_file, authority).unwrap();
    email.smtp.username = "daemon".to_owned();
    email.smtp.password = "s3cret".to_owned().into();
    transport(&email).unwrap()
}

pub(super) fn protected(tls: Arc<ServerConfig>, implicit: bool) -> FakeServer {
    let tls = if implicit { SmtpTls::Implicit(tls) } else { SmtpTls::StartTls(tls) };
    FakeServer { offers: vec!["STARTTLS", "AUTH LOGIN PLAIN"], tls, ..FakeServer::default() }
}

#[tokio::test]
async fn login_and_mail_go_under_tls_alone_with_an_authority_from_ca_file() {
    for (mode, implicit) in [(Tls::Starttls, false), (Tls::Implicit, true)] {
        let (authority, tls) = authority();
        let (port, heard) = protected(tls, implicit).start().await;
        let transport = secure(port, mode, &authority);
        transport.probe().await.unwrap();
        transport.send(&mail_to("alice@example.org")).await.unwrap();
        let heard = heard.record();
        let clear: Vec<_> = heard.commands.iter().filter(|line| !line.starts_with("TLS: ")).collect();
        assert!(clear.iter().all(|line| line.starts_with("EHLO") || *line == "STARTTLS"), "{clear:?}");
        assert!(heard.commands.iter().any(|line| line == "TLS: AUTH PLAIN AGRhZW1vbgBzM2NyZXQ="));
        assert_eq!(heard.emails.len(), 1);
    }
}

#[tokio::test]
async fn what_is_slipped_in_before_tls_is_not_taken_for_the_servers_word() {
    let (authority, tls) = authority();
    let script =
        FakeServer { offers: vec!["STARTTLS"], tls: SmtpTls::StartTls(tls), ..FakeServer::default() };
    let (port, heard) = script.replying(&[("STARTTLS", "220 go on\r\n250 AUTH PLAIN")]).start().await;
    let error = secure(port, Tls::Starttls, &authority).send(&mail_to("a@example.org")).await.unwrap_err();
    assert!(matches!(error.stage, Stage::Tls | Stage::Login), "{error}");
    assert!(!heard.record().commands.iter().any(|line| line.contains("AUTH")));
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_and_a_refused_login_are_the_operators() {
    let (_, tls) = authority();
    let (port, _) = protected(tls, true).start().await;
    let (stranger, _) = authority();
    let error = secure(port, Tls::Implicit, &stranger).probe().await.unwrap_err();
    assert_eq!((error.disposition, error.stage), (Disposition::Misconfigured, Stage::Tls), "{error}");

    let (authority, tls) = authority();
    let (port, _) = protected(tls, true).replying(&[("AUTH", "535 5.7.8 bad s3cret")]).start().await;
    let error = secure(port, Tls::Implicit, &authority).probe().await.unwrap_err();
    assert_eq!(
        (error.disposition, error.stage, error.code),
        (Disposition::Misconfigured, Stage::Login, Some(535))
    );
}

#[tokio::test]
async fn an_address_in_another_script_needs_a_server_that_knows_smtputf8_unless_only_its_domain_does() {
    let (transport, _) = plain(FakeServer::default()).await;
    let error = transport.send(&mail_to("josé@example.org")).await.unwrap_err();
    assert_eq!((error.disposition, error.stage), (Disposition::Abandon, Stage::Recipient));
    transport.send(&mail_to("jose@exámple.org")).await.unwrap();
    let ours = mail_from("señor@acme.test", "jose@example.org");
    let error = transport.send(&ours).await.unwrap_err();
    assert_eq!((error.disposition, error.stage), (Disposition::Misconfigured, Stage::Sender));

    let (transport, heard) =
        plain(FakeServer { offers: vec!["SMTPUTF8", "8BITMIME"], ..FakeServer::default() }).await;
    transport.send(&mail_to("josé@example.org")).await.unwrap();
    let commands = &heard.record().commands;
    assert_eq!(commands[1], "MAIL FROM:<no-reply@acme.test> SMTPUTF8 BODY=8BITMIME");
    assert_eq!(commands[2], "RCPT TO:<josé@example.org>");
}

#[test]
fn mail_in_the_clear_across_a_network_is_refused_at_start() {
    let mut email = email(25, Tls::None);
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        email.smtp.host = host.to_owned();
        assert!(transport(&email).is_ok(), "{host}");
    }
    for host in ["mail.example.org", "192.0.2.1", "localhost.example.org"] {
        email.smtp.host = host.to_owned();
        assert!(matches!(transport(&email), Err(TransportError::Unprotected { .. })), "{host}");
    }
}

#[test]
fn a_ca_file_that_is_missing_or_holds_no_certificate_is_named_at_start() {
    let directory = TempDir::new().unwrap();
    let mut email = email(25, Tls::Starttls);
    email.smtp.ca_file = directory.path().join("ca.pem").display().to_string();
    assert!(transport(&email).err().unwrap().to_string().contains("ca.pem"));
    std::fs::write(&email.smtp.ca_file, "no certificate").unwrap();
    assert!(matches!(transport(&email), Err(TransportError::NoCertificate { .. })));
}

#[tokio::test]
async fn a_file_a_mail_is_written_for_this_user_only_and_a_second_attempt_replaces_it() {
    let directory = TempDir::new().unwrap();
    let mut email = email(25, Tls::None);
    email.transport = TransportKind::File;
    email.directory = directory.path().join("deep/outbox");
    let transport = transport(&email).unwrap();
    transport.probe().await.unwrap();
    let mail = mail_to("alice@example.org");
    transport.send(&mail).await.unwrap();
    transport.send(&mail).await.unwrap();
    let files: Vec<_> = std::fs::read_dir(&email.directory).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].file_name(), "n-1.eml");
    assert_eq!(std::fs::read(files[0].path()).unwrap(), mail.bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&email.directory), mode(&files[0].path())), (0o700, 0o600));
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_the_operators() {
    let directory = TempDir::new().unwrap();
    let mut email = email(25, Tls::None);
    email.transport = TransportKind::File;
    email.directory = directory.path().join("file");
    std::fs::write(&email.directory, "in the way").unwrap();
    let error = transport(&email).unwrap().probe().await.unwrap_err();
    assert_eq!((error.disposition, error.stage), (Disposition::Misconfigured, Stage::Local));
}

#[tokio::test]
async fn mails_leave_no_faster_than_the_rate() {
    let directory = TempDir::new().unwrap();
    let mut email = email(25, Tls::None);
    email.transport = TransportKind::File;
    email.directory = directory.path().to_owned();
    email.per_minute = 1200;
    let transport = transport(&email).unwrap();
    let start = tokio::time::Instant::now();
    for _ in 0..5 {
        transport.wait_for_rate_limit().await;
        transport.send(&mail_to("alice@example.org")).await.unwrap();
    }
    assert!(start.elapsed() >= Duration::from_millis(195), "{:?}", start.elapsed());
}
