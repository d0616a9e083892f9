//! One conversation with the simulated mail server.

use super::{
    super::mailbox::{SmtpAction, SmtpStage},
    framing::{Framing, MAX_MAIL, Stream},
    script::{DISCONNECT, SmtpScript},
    server::{Server, SmtpTls},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{io, sync::Arc};
use tokio_rustls::TlsAcceptor;

/// The most recipients of one email. RFC 5321 requires at least 100.
const MAX_RECIPIENTS: usize = 1000;

/// The step after a command.
enum Next {
    Command,
    Handshake,
    End,
}

pub(super) struct Session<'a> {
    server: &'a Server,
    wire: Framing,
    tls: bool,
    authenticated: bool,
    sender: Option<String>,
    recipients: Vec<String>,
    /// The scripted reply to the current command.
    scripted: Option<&'static str>,
    /// The number of emails accepted in this session.
    accepted: u32,
}

impl<'a> Session<'a> {
    pub(super) fn new(server: &'a Server, stream: Box<dyn Stream>, tls: bool) -> Self {
        let authenticated = server.credentials.is_none();
        Self {
            server,
            wire: Framing::new(stream),
            tls,
            authenticated,
            sender: None,
            recipients: Vec::new(),
            scripted: None,
            accepted: 0,
        }
    }

    /// From the greeting to the end.
    pub(super) async fn run(mut self) -> io::Result<()> {
        if let Some(action) = self.apply_fault(SmtpStage::Connect, &[]).await {
            self.perform(action).await?;
            return self.wire.close().await;
        }
        self.scripted = self.script().and_then(|script| script.take("GREETING"));
        if matches!(self.say(220, "simulator ESMTP").await?, Next::End) {
            return self.wire.close().await;
        }
        loop {
            let Some(line) = self.wire.line().await? else { return Ok(()) };
            match self.scripted_command(&line).await? {
                Next::Command => {}
                Next::End => return self.wire.close().await,
                Next::Handshake => {
                    let SmtpTls::StartTls(config) = &self.server.tls else { return Ok(()) };
                    // What a client sent before the handshake was not protected, and is dropped with the
                    // buffer.
                    let stream = TlsAcceptor::from(Arc::clone(config)).accept(self.wire.into_inner()).await?;
                    self = Self::new(self.server, Box::new(stream), true);
                }
            }
        }
    }

    fn script(&self) -> Option<&'a SmtpScript> {
        self.server.script.as_deref()
    }

    /// Carries out a command unless its scripted reply rejects it.
    async fn scripted_command(&mut self, line: &str) -> io::Result<Next> {
        if let Some(script) = self.script() {
            let prefix = if self.tls { "TLS: " } else { "" };
            script.record().commands.push(format!("{prefix}{line}"));
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            self.scripted = script.take(&verb);
            if self.scripted.is_some_and(|reply| !reply.starts_with(['2', '3'])) {
                return self.say(500, "").await;
            }
        }
        self.command(line).await
    }

    async fn command(&mut self, line: &str) -> io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.reset();
                self.say(250, &self.extensions()).await
            }
            "HELO" => {
                self.reset();
                self.say(250, "simulator").await
            }
            "STARTTLS" if matches!(self.server.tls, SmtpTls::StartTls(_)) && !self.tls => {
                self.say(220, "2.0.0 Go ahead").await?;
                Ok(Next::Handshake)
            }
            "AUTH" => self.auth(rest).await,
            "MAIL" => self.mail(rest).await,
            "RCPT" => self.rcpt(rest).await,
            "DATA" => self.data().await,
            "RSET" => {
                self.reset();
                self.say(250, "2.0.0 Forgotten").await
            }
            "NOOP" => self.say(250, "2.0.0 Here").await,
            "VRFY" => self.say(252, "2.0.0 Send and see").await,
            "QUIT" => {
                self.say(221, "2.0.0 Goodbye").await?;
                Ok(Next::End)
            }
            _ => self.say(502, "5.5.1 Not a command here").await,
        }
    }

    fn extensions(&self) -> String {
        if let Some(offers) = self.script().and_then(|script| script.offers.as_ref()) {
            return [&["simulator"][..], offers].concat().join("\n");
        }
        let start_tls = matches!(self.server.tls, SmtpTls::StartTls(_)) && !self.tls;
        let offered = format!(
            "simulator\nPIPELINING\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\n\
             SIZE {MAX_MAIL}\nAUTH PLAIN LOGIN"
        );
        if start_tls { format!("{offered}\nSTARTTLS") } else { offered }
    }

    fn reset(&mut self) {
        self.sender = None;
        self.recipients.clear();
    }

    /// RFC 4954, PLAIN (RFC 4616) and LOGIN.
    async fn auth(&mut self, rest: &str) -> io::Result<Next> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let answer = self.answer_or_ask(initial, "").await?;
                answer.and_then(|text| {
                    let mut fields = text.splitn(3, '\0').skip(1).map(str::to_owned);
                    Some((fields.next()?, fields.next()?))
                })
            }
            "LOGIN" => {
                let name = self.answer_or_ask(initial, "Username:").await?;
                let password = self.answer_or_ask("", "Password:").await?;
                name.zip(password)
            }
            _ => return self.say(504, "5.5.4 PLAIN or LOGIN").await,
        };
        match (given, &self.server.credentials) {
            (None, _) => self.say(501, "5.5.2 Not readable").await,
            (Some(given), Some(good)) if given != *good => {
                self.say(535, "5.7.8 Not the right credentials").await
            }
            _ => {
                self.authenticated = true;
                self.say(235, "2.7.0 Welcome").await
            }
        }
    }

    async fn answer_or_ask(&mut self, initial: &str, challenge: &str) -> io::Result<Option<String>> {
        let mut answer = initial.to_owned();
        if answer.is_empty() {
            self.say(334, &STANDARD.encode(challenge)).await?;
            answer = self.wire.line().await?.unwrap_or_default();
        }
        Ok(STANDARD.decode(answer.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    async fn mail(&mut self, rest: &str) -> io::Result<Next> {
        if !self.authenticated {
            return self.say(530, "5.7.0 Sign in first").await;
        }
        let Some((sender, parameters)) = path(rest, "FROM:") else {
            return self.say(501, "5.5.4 MAIL FROM:<address>").await;
        };
        if size(parameters).is_some_and(|size| size > MAX_MAIL) {
            return self.say(552, "5.3.4 Too large").await;
        }
        self.reset();
        if let Some(action) = self.apply_fault(SmtpStage::Mail, &[]).await {
            return self.perform(action).await;
        }
        self.sender = Some(sender);
        self.say(250, "2.1.0 Go on").await
    }

    async fn rcpt(&mut self, rest: &str) -> io::Result<Next> {
        let Some((recipient, _)) = path(rest, "TO:").filter(|(recipient, _)| !recipient.is_empty()) else {
            return self.say(501, "5.5.4 RCPT TO:<address>").await;
        };
        if self.sender.is_none() {
            return self.say(503, "5.5.1 MAIL comes first").await;
        }
        if self.recipients.len() == MAX_RECIPIENTS {
            return self.say(452, "4.5.3 Too many recipients").await;
        }
        if let Some(action) = self.apply_fault(SmtpStage::Rcpt, std::slice::from_ref(&recipient)).await {
            return self.perform(action).await;
        }
        self.recipients.push(recipient);
        self.say(250, "2.1.5 Go on").await
    }

    async fn data(&mut self) -> io::Result<Next> {
        if self.recipients.is_empty() {
            return self.say(503, "5.5.1 RCPT comes first").await;
        }
        let recipients = std::mem::take(&mut self.recipients);
        let sender = self.sender.take().unwrap_or_default();
        match self.apply_fault(SmtpStage::Data, &recipients).await {
            None => {}
            Some(SmtpAction::Drop | SmtpAction::StoreAndDrop) => {
                self.say(354, "Go on, end with a dot").await?;
                self.wire.some().await?;
                return Ok(Next::End);
            }
            Some(action) => return self.perform(action).await,
        }
        self.say(354, "Go on, end with a dot").await?;
        if self.script().and_then(|script| script.take("BODY")) == Some(DISCONNECT) {
            self.wire.some().await?;
            return Ok(Next::End);
        }
        let Some(mail) = self.wire.body().await? else {
            return self.say(552, "5.3.4 Too large").await;
        };
        if let Some(script) = self.script() {
            script.record().emails.push(String::from_utf8_lossy(&mail).into_owned());
            self.scripted = script.take(".");
            if self.scripted.is_some() {
                return self.say(250, "").await;
            }
        }
        let action = self.apply_fault(SmtpStage::End, &recipients).await;
        if matches!(action, None | Some(SmtpAction::StoreAndDrop)) {
            self.server.mailbox.store(self.server.clock.now(), sender, recipients, mail, self.tls);
        }
        match action {
            None => {
                self.accepted += 1;
                self.say(250, "2.0.0 Taken").await
            }
            Some(action) => self.perform(action).await,
        }
    }

    /// Sends the scripted reply, or else this one.
    async fn say(&mut self, code: u16, text: &str) -> io::Result<Next> {
        match self.scripted.take() {
            Some(DISCONNECT) => return Ok(Next::End),
            Some(reply) => self.wire.say_verbatim(reply).await?,
            None => self.wire.say(code, text).await?,
        }
        Ok(Next::Command)
    }

    /// Applies the scripted delay and returns the scripted action, if any.
    async fn apply_fault(&mut self, stage: SmtpStage, recipients: &[String]) -> Option<SmtpAction> {
        let (delay, action) = self.server.mailbox.apply_faults(stage, self.accepted, recipients);
        tokio::time::sleep(delay).await;
        action
    }

    async fn perform(&mut self, action: SmtpAction) -> io::Result<Next> {
        let SmtpAction::Reply { code, text } = action else { return Ok(Next::End) };
        self.say(code, &text).await?;
        Ok(if code == 421 { Next::End } else { Next::Command })
    }
}

/// `FROM:<a@b.example> SIZE=1` becomes the address and the parameters.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let (given, rest) = rest.split_at_checked(keyword.len())?;
    let (address, parameters) = rest.trim_start().strip_prefix('<')?.rsplit_once('>')?;
    given.eq_ignore_ascii_case(keyword).then(|| (address.to_owned(), parameters))
}

/// RFC 1870.
fn size(parameters: &str) -> Option<usize> {
    let mut words = parameters.split_whitespace();
    words.find_map(|word| word.to_ascii_uppercase().strip_prefix("SIZE=").and_then(|size| size.parse().ok()))
}
