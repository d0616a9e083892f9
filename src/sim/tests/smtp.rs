use super::*;
use crate::sim::{SmtpAction, SmtpFault, SmtpStage};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A client that speaks SMTP by hand.
pub(super) struct Dialogue<S>(BufReader<S>);

impl Dialogue<TcpStream> {
    /// Connects and reads the greeting.
    pub(super) async fn open(address: SocketAddr) -> (Self, String) {
        let mut dialogue = Self::over(TcpStream::connect(address).await.unwrap());
        let greeting = dialogue.reply().await;
        (dialogue, greeting)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(super) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(super) fn into_inner(self) -> S {
        self.0.into_inner()
    }

    /// The next reply, its lines joined by `|`; empty when the server has gone.
    pub(super) async fn reply(&mut self) -> String {
        let mut reply = Vec::new();
        loop {
            let mut line = String::new();
            // A server that closes with something unread resets the connection.
            let _ = self.0.read_line(&mut line).await;
            let last = line.as_bytes().get(3) != Some(&b'-');
            reply.push(line.trim_end().to_owned());
            if last {
                return reply.join("|");
            }
        }
    }

    pub(super) async fn say(&mut self, line: &str) -> String {
        // It may have gone already; then the reply is empty.
        let _ = self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Sends a mail and answers the last reply: of the first refusal, or to the final dot.
    pub(super) async fn send(&mut self, to: &str, mail: &str) -> String {
        for command in ["MAIL FROM:<sender@x.example>", &format!("RCPT TO:<{to}>"), "DATA"] {
            let reply = self.say(command).await;
            if !reply.starts_with(['2', '3']) {
                return reply;
            }
        }
        self.say(&format!("{mail}\r\n.")).await
    }
}

async fn open(sim: &Sim) -> Dialogue<TcpStream> {
    let (mut dialogue, greeting) = Dialogue::open(sim.simulator.smtp_addr()).await;
    assert!(greeting.starts_with("220 "));
    assert!(dialogue.say("EHLO client.example").await.starts_with("250-"));
    dialogue
}

const MAIL: &str = "Subject: Hello\r\n\r\nText";

#[tokio::test]
async fn a_mail_is_kept_as_it_was_sent_with_its_envelope() {
    let sim = Sim::start().await;
    let mut dialogue = open(&sim).await;
    assert!(dialogue.say("mail from:<s@x.example> BODY=8BITMIME SMTPUTF8 SIZE=100").await.starts_with("250"));
    assert!(dialogue.say("RCPT TO:<josé@x.example>").await.starts_with("250"));
    assert!(dialogue.say("RCPT TO:<b@x.example>").await.starts_with("250"));
    assert!(dialogue.say("DATA").await.starts_with("354"));
    let body = "Subject: Dots\r\n\r\n..stuffed\r\n...\r\n\n.\nnot the end\r\n";
    assert!(dialogue.say(&format!("{body}.")).await.starts_with("250"));
    assert!(dialogue.say("QUIT").await.starts_with("221"));
    assert_eq!(dialogue.reply().await, "");
    let mails = sim.simulator.mailbox().wait_for(1).await;
    let mail = &mails[0];
    assert_eq!((mail.n, mail.from.as_str(), mail.tls, mail.at), (1, "s@x.example", false, sim.clock.now()));
    assert_eq!(mail.to, ["josé@x.example", "b@x.example"]);
    assert_eq!(mail.raw, b"Subject: Dots\r\n\r\n.stuffed\r\n..\r\n\n.\nnot the end\r\n");
    assert_eq!(mail.subject().as_deref(), Some("Dots"));
}

#[tokio::test]
async fn the_server_offers_what_a_sender_needs() {
    let sim = Sim::start().await;
    let (mut dialogue, _) = Dialogue::open(sim.simulator.smtp_addr()).await;
    let offered = dialogue.say("EHLO client.example").await;
    for extension in ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10485760", "AUTH PLAIN LOGIN"] {
        assert!(offered.contains(extension), "{offered}");
    }
    assert!(!offered.contains("STARTTLS"));
    for (command, code) in [
        ("HELO client.example", "250"),
        ("NOOP", "250"),
        ("RCPT TO:<a@x.example>", "503"),
        ("DATA", "503"),
        ("MAIL a@x.example", "501"),
        ("MAIL FROM:<>", "250"),
        ("RCPT TO:<>", "501"),
        ("RSET", "250"),
        ("RCPT TO:<a@x.example>", "503"),
        ("MAIL FROM:<a@x.example> SIZE=99999999", "552"),
        ("STARTTLS", "502"),
        ("MAKE COFFEE", "502"),
    ] {
        assert!(dialogue.say(command).await.starts_with(code), "{command}");
    }
}

#[tokio::test]
async fn commands_may_come_all_at_once() {
    let sim = Sim::start().await;
    let mut dialogue = open(&sim).await;
    let all = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA";
    assert!(dialogue.say(all).await.starts_with("250"));
    assert!(dialogue.reply().await.starts_with("250"));
    assert!(dialogue.reply().await.starts_with("354"));
    assert!(dialogue.say(&format!("{MAIL}\r\n.\r\nQUIT")).await.starts_with("250"));
    assert!(dialogue.reply().await.starts_with("221"));
    assert_eq!(sim.simulator.mailbox().received(), 1);
}

#[tokio::test]
async fn credentials_are_taken_as_they_come_unless_some_are_asked_for() {
    // The name and the password are "user" and "secret".
    const PLAIN: &str = "AUTH PLAIN AHVzZXIAc2VjcmV0";
    const WRONG: &str = "AUTH PLAIN AHVzZXIAd3Jvbmc=";
    let sim = Sim::start().await;
    for line in [PLAIN, WRONG] {
        assert!(open(&sim).await.say(line).await.starts_with("235"));
    }
    let wanted = ("user".to_owned(), "secret".to_owned());
    let sim = Sim::with(|options| options.smtp_credentials = Some(wanted)).await;
    let mut dialogue = open(&sim).await;
    assert!(dialogue.send("a@x.example", MAIL).await.starts_with("530"));
    assert!(dialogue.say(WRONG).await.starts_with("535"));
    assert!(dialogue.say("AUTH PLAIN !").await.starts_with("501"));
    assert!(dialogue.say("AUTH CRAM-MD5").await.starts_with("504"));
    assert!(dialogue.say(PLAIN).await.starts_with("235"));
    assert!(dialogue.send("a@x.example", MAIL).await.starts_with("250"));
    let mut dialogue = open(&sim).await;
    assert_eq!(dialogue.say("AUTH LOGIN").await, "334 VXNlcm5hbWU6");
    assert_eq!(dialogue.say("dXNlcg==").await, "334 UGFzc3dvcmQ6");
    assert!(dialogue.say("c2VjcmV0").await.starts_with("235"));
}

#[tokio::test]
async fn each_refusal_comes_where_it_was_scripted_as_often_as_it_was() {
    let sim = Sim::start().await;
    let mailbox = sim.simulator.mailbox();
    for (stage, code) in
        [(SmtpStage::Mail, 451), (SmtpStage::Rcpt, 550), (SmtpStage::Data, 554), (SmtpStage::End, 452)]
    {
        mailbox.script(SmtpFault::reply(stage, code, "5.0.0 No\nreally").times(2));
        let mut dialogue = open(&sim).await;
        for _ in 0..2 {
            assert_eq!(dialogue.send("a@x.example", MAIL).await, format!("{code}-5.0.0 No|{code} really"));
        }
        assert_eq!(mailbox.mails().len(), 0, "{stage:?}");
        assert!(dialogue.send("a@x.example", MAIL).await.starts_with("250"));
        mailbox.clear();
    }
}

#[tokio::test]
async fn a_refusal_can_be_meant_for_one_recipient_alone() {
    let sim = Sim::start().await;
    sim.simulator.mailbox().script(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 Unknown").to("a@x.example"));
    let mut dialogue = open(&sim).await;
    assert_eq!(dialogue.send("a@x.example", MAIL).await, "550 5.1.1 Unknown");
    assert!(dialogue.send("b@x.example", MAIL).await.starts_with("250"));
    sim.simulator.mailbox().clear_faults();
    assert!(dialogue.send("a@x.example", MAIL).await.starts_with("250"));
}

#[tokio::test]
async fn a_connection_is_dropped_where_it_was_scripted() {
    let sim = Sim::start().await;
    let mailbox = sim.simulator.mailbox();
    for (stage, action, kept) in [
        (SmtpStage::Mail, SmtpAction::Drop, 0),
        (SmtpStage::Rcpt, SmtpAction::Drop, 0),
        (SmtpStage::Data, SmtpAction::Drop, 0),
        (SmtpStage::End, SmtpAction::Drop, 0),
        (SmtpStage::End, SmtpAction::StoreAndDrop, 1),
    ] {
        mailbox.script(SmtpFault::new(stage, action.clone()).times(1));
        assert_eq!(open(&sim).await.send("a@x.example", MAIL).await, "", "{stage:?}");
        assert_eq!(mailbox.mails().len(), kept, "{stage:?} {action:?}");
    }
}

#[tokio::test]
async fn connections_are_turned_away_when_scripted() {
    let sim = Sim::start().await;
    sim.simulator.mailbox().script(SmtpFault::reply(SmtpStage::Connect, 421, "4.3.2 Not now").times(1));
    let (mut dialogue, greeting) = Dialogue::open(sim.simulator.smtp_addr()).await;
    assert_eq!(greeting, "421 4.3.2 Not now");
    assert_eq!(dialogue.say("EHLO client.example").await, "");
    open(&sim).await;
}

#[tokio::test]
async fn a_421_ends_the_conversation() {
    let sim = Sim::start().await;
    sim.simulator.mailbox().script(SmtpFault::reply(SmtpStage::Mail, 421, "4.7.0 Too many").times(1));
    let mut dialogue = open(&sim).await;
    assert_eq!(dialogue.send("a@x.example", MAIL).await, "421 4.7.0 Too many");
    assert_eq!(dialogue.say("NOOP").await, "");
}

#[tokio::test]
async fn a_delay_leaves_the_reply_as_it_is() {
    let sim = Sim::start().await;
    sim.simulator.mailbox().script(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 30 }));
    let mut dialogue = open(&sim).await;
    let before = Instant::now();
    assert!(dialogue.send("a@x.example", MAIL).await.starts_with("250"));
    assert!(before.elapsed() >= Duration::from_millis(30));
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused_and_the_next_is_taken() {
    let sim = Sim::start().await;
    let mut dialogue = open(&sim).await;
    let line = format!("{}\r\n", "x".repeat(998));
    assert!(dialogue.send("a@x.example", &line.repeat(10_600)).await.starts_with("552"));
    assert!(dialogue.send("a@x.example", MAIL).await.starts_with("250"));
    assert_eq!(sim.simulator.mailbox().mails().len(), 1);
}

#[tokio::test]
async fn a_line_of_any_length_may_come_before_the_final_dot() {
    let sim = Sim::start().await;
    let mut dialogue = open(&sim).await;
    for length in [65_534, 65_535, 65_536, 200_000] {
        let sending = async { dialogue.send("a@x.example", &"x".repeat(length)).await };
        let reply = tokio::time::timeout(Duration::from_secs(10), sending).await.unwrap();
        assert!(reply.starts_with("250"), "{length}");
        assert_eq!(sim.simulator.mailbox().mails().last().unwrap().raw.len(), length + 2);
    }
}

#[tokio::test]
async fn a_line_without_end_closes_the_connection() {
    let sim = Sim::start().await;
    let mut stream = TcpStream::connect(sim.simulator.smtp_addr()).await.unwrap();
    stream.write_all(&[b'x'; 5000]).await.unwrap();
    let mut said = Vec::new();
    // Closing with something unread may show as a reset.
    let _ = stream.read_to_end(&mut said).await;
    assert!(said.is_empty() || said.starts_with(b"220"));
    open(&sim).await;
}

#[tokio::test]
async fn waiting_for_a_mail_ends_when_it_comes() {
    let sim = Sim::start().await;
    let mailbox = sim.simulator.mailbox().clone();
    let waiting = tokio::spawn(async move { mailbox.wait_for(2).await.len() });
    let mut dialogue = open(&sim).await;
    dialogue.send("a@x.example", MAIL).await;
    assert!(!waiting.is_finished());
    dialogue.send("b@x.example", MAIL).await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap(), 2);
}
