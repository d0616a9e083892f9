//! One connection to the mail server.

use super::{
    error::{Accepted, Disposition, SendError, Stage},
    normalized_stream::NormalizedStream,
    server::Server,
};
use crate::{
    base::{config::Tls, instances::Term},
    domain::mask,
    mail::message::Email,
};
use lettre::transport::smtp::{
    Error,
    authentication::Mechanism,
    client::{AsyncSmtpConnection, AsyncTokioStream},
    commands::{Data, Mail as MailFrom, Noop, Rcpt, Rset, Starttls},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    response::{Response, Severity},
};
use std::{future::Future, io, iter, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// For a TCP connection to one address.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// Each for the TLS handshake and the greeting, while the host has another address to try.
const OTHER_ADDRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// Each for the TLS handshake and the greeting, at the last address.
const GREETING_TIMEOUT: Duration = Duration::from_secs(60);
/// RFC 5321, section 4.5.3.2, says 5 minutes, which exceeds a delivery's lease.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// Servers may scan an email before they accept it (section 4.5.3.2.6: 10 minutes). Giving up earlier would send it twice.
const BODY_TIMEOUT: Duration = Duration::from_secs(11 * 60);
/// Nothing depends on the response.
const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that is ready for emails.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    has_accepted: bool,
}

impl Session {
    /// Connects to the first address that works, starts TLS, and logs in.
    pub(super) async fn open(server: &Server) -> Result<Self, SendError> {
        let addresses = server.addresses().await?;
        Self::open_first(server, &addresses, [OTHER_ADDRESS_TIMEOUT, GREETING_TIMEOUT]).await
    }

    /// `limits`: for each address but the last, and for the last one.
    pub(super) async fn open_first(
        server: &Server,
        addresses: &[SocketAddr],
        limits: [Duration; 2],
    ) -> Result<Self, SendError> {
        let mut addresses = addresses.iter().peekable();
        while let Some(address) = addresses.next() {
            let is_last = addresses.peek().is_none();
            match Self::open_at(server, *address, limits[usize::from(is_last)]).await {
                Ok(session) => {
                    server.prefer(*address);
                    return Ok(session);
                }
                Err(error) if is_last || !error.is_about_the_address() => return Err(error),
                Err(error) => tracing::debug!(%error, "trying the mail server's next address"),
            }
        }
        Err(SendError::new(Disposition::Retry, Stage::Connect, "the host has no address"))
    }

    async fn open_at(server: &Server, address: SocketAddr, limit: Duration) -> Result<Self, SendError> {
        let tcp = tcp(server, address).await?;
        let local = tcp.local_addr().map_err(|error| failed(Stage::Connect, &error))?;
        let helo_name = server.helo_name(local);
        let mut connection = match (server.tls, &server.connector) {
            (Tls::None, _) => match ehlo(NormalizedStream::new(tcp, address), &helo_name, limit).await {
                Err(error) if server.accepts_helo() && matches!(error.code, Some(500 | 502)) => {
                    let tcp = self::tcp(server, address).await?;
                    ehlo(NormalizedStream::with_helo(tcp, address), &helo_name, limit).await?
                }
                other => other?,
            },
            (Tls::Implicit, Some(tls)) => {
                let stream = start_tls(tls, server, tcp, limit).await?;
                ehlo(NormalizedStream::new(stream, address), &helo_name, limit).await?
            }
            (Tls::Starttls, Some(tls)) => {
                let tcp = request_starttls(tcp, address, &helo_name, limit).await?;
                let stream = start_tls(tls, server, tcp, limit).await?;
                ehlo(NormalizedStream::after_starttls(stream, address), &helo_name, limit).await?
            }
            (_, None) => {
                return Err(SendError::new(Disposition::Misconfigured, Stage::Tls, "TLS is not set up"));
            }
        };
        if let Some(credentials) = &server.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
                let text = "it offers neither PLAIN nor LOGIN";
                return Err(SendError::new(Disposition::Misconfigured, Stage::Login, text));
            }
            let mut login = step(Stage::Login, connection.auth(&mechanisms, credentials)).await;
            // 504 and 534 reject the mechanism, not the password (RFC 4954, section 6).
            if login.as_ref().is_err_and(|error| matches!(error.code, Some(504 | 534)))
                && connection.server_info().supports_auth_mechanism(Mechanism::Login)
            {
                login = step(Stage::Login, connection.auth(&[Mechanism::Login], credentials)).await;
            }
            login?;
        }
        Ok(Self { connection, has_accepted: false })
    }

    /// Whether the server accepted an email in this session.
    pub(super) fn has_accepted(&self) -> bool {
        self.has_accepted
    }

    /// Whether the server responds and is ready for another email.
    pub(super) async fn reset(&mut self) -> bool {
        step(Stage::Connect, self.connection.command(Rset)).await.is_ok()
    }

    pub(super) async fn noop(&mut self) -> Result<(), SendError> {
        step(Stage::Connect, self.connection.command(Noop)).await.map(drop)
    }

    /// Ignores an error: the server may already be gone.
    pub(super) async fn quit(mut self) {
        let _ = timeout(QUIT_TIMEOUT, self.connection.quit()).await;
    }

    /// After a failure with a reply code, the session can send another email.
    pub(super) async fn send(&mut self, mail: &Email, term: &Term) -> Result<Accepted, SendError> {
        let parameters = self.parameters(mail)?;
        let envelope = &mail.envelope;
        let addresses: Vec<String> =
            envelope.from().into_iter().chain(envelope.to()).map(ToString::to_string).collect();
        let addresses = addresses.as_slice();
        let from = MailFrom::new(envelope.from().cloned(), parameters);
        within(COMMAND_TIMEOUT, Stage::Sender, addresses, self.connection.command(from)).await?;
        for recipient in envelope.to() {
            let to = Rcpt::new(recipient.clone(), Vec::new());
            within(COMMAND_TIMEOUT, Stage::Recipient, addresses, self.connection.command(to)).await?;
        }
        // The server may have taken long, or this process may have been stopped.
        term.may_send().map_err(SendError::obstacle)?;
        within(COMMAND_TIMEOUT, Stage::Data, addresses, self.connection.command(Data)).await?;
        // Also here. Without the final dot, the server drops the email with the connection.
        term.may_send().map_err(SendError::obstacle)?;

        // The body goes as the first item; by asking for a second, lettre says that the final dot comes next.
        let mut dot = false;
        let mut body = Some(mail.bytes.as_slice());
        let parts = iter::from_fn(|| {
            let part = body.take();
            dot = part.is_none();
            part
        });
        let sent = timeout(BODY_TIMEOUT, self.connection.message_iter(parts)).await;
        let mut failure = match sent {
            Ok(Ok(response)) if response.code().severity == Severity::PositiveCompletion => {
                self.has_accepted = true;
                return Ok(Accepted { reply: mask(&words(&response)) });
            }
            Ok(Ok(response)) => SendError::new(Disposition::Retry, Stage::Data, &words(&response)),
            Ok(Err(error)) => SendError::smtp(Stage::Data, &error, addresses),
            Err(_) => timed_out(Stage::Data),
        };
        if dot && failure.code.is_none() {
            failure.disposition = Disposition::Indeterminate;
        }
        Err(failure)
    }

    /// SMTPUTF8 and 8BITMIME (RFC 6531, RFC 6152). Only an address can require them: the body is encoded.
    fn parameters(&self, mail: &Email) -> Result<Vec<MailParameter>, SendError> {
        let foreign_recipient = mail.envelope.to().iter().any(|to| !to.to_string().is_ascii());
        if mail.bytes.is_ascii() && !foreign_recipient {
            return Ok(Vec::new());
        }
        if self.connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Ok(vec![
                MailParameter::SmtpUtfEight,
                MailParameter::Body(MailBodyParameter::EightBitMime),
            ]);
        }
        // Without a recipient that needs it, the sender's address does.
        let (disposition, stage) = if foreign_recipient {
            (Disposition::Abandon, Stage::Recipient)
        } else {
            (Disposition::Misconfigured, Stage::Sender)
        };
        Err(SendError::new(disposition, stage, "the address needs SMTPUTF8, which the server does not offer"))
    }
}

async fn tcp(server: &Server, address: SocketAddr) -> Result<TcpStream, SendError> {
    if server.tls == Tls::None && !address.ip().to_canonical().is_loopback() {
        let text = "without TLS the server must be on a loopback address";
        return Err(SendError::new(Disposition::Misconfigured, Stage::Connect, text));
    }
    let failed = |error: io::Error| failed(Stage::Connect, &error);
    let connecting = timeout(TCP_TIMEOUT, TcpStream::connect(address));
    let tcp = connecting.await.map_err(|_| timed_out(Stage::Connect))?.map_err(failed)?;
    // Nagle's algorithm would delay the final dot, which is a packet of its own.
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

async fn ehlo(
    wire: impl AsyncTokioStream + 'static,
    helo_name: &ClientId,
    limit: Duration,
) -> Result<AsyncSmtpConnection, SendError> {
    let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(wire), helo_name);
    within(limit, Stage::Connect, &[], greeting).await
}

fn failed(stage: Stage, error: &io::Error) -> SendError {
    SendError::new(Disposition::Retry, stage, &error.to_string())
}

/// Requests TLS in the clear. Only the socket survives: plaintext that an attacker injected (CVE-2011-0411) is discarded
/// with the connection's buffer.
async fn request_starttls(
    tcp: TcpStream,
    peer: SocketAddr,
    helo_name: &ClientId,
    limit: Duration,
) -> Result<TcpStream, SendError> {
    let failed = |error: io::Error| failed(Stage::Tls, &error);
    let tcp = tcp.into_std().map_err(failed)?;
    let clear = TcpStream::from_std(tcp.try_clone().map_err(failed)?).map_err(failed)?;
    let mut connection =
        ehlo(NormalizedStream::new(clear, peer), helo_name, limit).await.map_err(|error| {
            error.with_hint(
                "timed out",
                "a server that waits for TLS from the first byte needs email.smtp.tls = \"implicit\"",
            )
        })?;
    if !connection.can_starttls() {
        let text = "the server does not offer STARTTLS";
        return Err(SendError::new(Disposition::Misconfigured, Stage::Tls, text));
    }
    step(Stage::Tls, connection.command(Starttls)).await?;
    drop(connection);
    TcpStream::from_std(tcp).map_err(failed)
}

async fn start_tls(
    connector: &TlsConnector,
    server: &Server,
    tcp: TcpStream,
    limit: Duration,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, SendError> {
    let handshake = timeout(limit, connector.connect(server.name.clone(), tcp));
    handshake.await.map_err(|_| timed_out(Stage::Tls))?.map_err(|error| {
        // rustls reports an untrusted certificate and the like as InvalidData; other errors come from the network.
        let is_certificate = error.kind() == io::ErrorKind::InvalidData;
        let disposition = if is_certificate { Disposition::Misconfigured } else { Disposition::Retry };
        let error = SendError::new(disposition, Stage::Tls, &error.to_string());
        TLS_HINTS.iter().fold(error, |error, (sign, advice)| error.with_hint(sign, advice))
    })
}

/// rustls's errors, and what an operator can do about them.
const TLS_HINTS: [(&str, &str); 4] = [
    (
        "InvalidContentType",
        "the server does not speak TLS here: with email.smtp.tls = \"starttls\" it begins in the clear",
    ),
    ("UnknownIssuer", "name its authority's certificate in email.smtp.ca_file"),
    (
        "CaUsedAsEndEntity",
        "the server needs a certificate of its own, which is not an authority's (CA:FALSE)",
    ),
    ("UnsupportedCertVersion", "the server needs a certificate of version 3"),
];

async fn step<T>(stage: Stage, work: impl Future<Output = Result<T, Error>>) -> Result<T, SendError> {
    within(COMMAND_TIMEOUT, stage, &[], work).await
}

async fn within<T>(
    limit: Duration,
    stage: Stage,
    addresses: &[String],
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, SendError> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|error| SendError::smtp(stage, &error, addresses)),
        Err(_) => Err(timed_out(stage)),
    }
}

fn timed_out(stage: Stage) -> SendError {
    SendError::new(Disposition::Retry, stage, "timed out")
}

fn words(response: &Response) -> String {
    iter::once(response.code().to_string())
        .chain(response.message().map(str::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
}
