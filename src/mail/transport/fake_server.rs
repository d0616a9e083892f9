//! A mail server that does as it is told, for the tests.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Instead of a reply: hang up.
pub(super) const DISCONNECT: &str = "hang up";

/// What the server offers and how it answers.
#[derive(Clone, Default)]
pub(super) struct FakeServer {
    /// The lines of its answer to EHLO, after the first.
    pub(super) offers: Vec<&'static str>,
    /// Verb and reply, each used once, in order. Beside SMTP's verbs there are `GREETING`, `BODY` (after the first line
    /// of a mail) and `.` (after its last). Whatever is not here is answered well.
    pub(super) replies: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    /// For STARTTLS, or at once when `implicit`.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) implicit: bool,
}

/// What the server heard.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) connections: usize,
    /// Commands, with `TLS: ` before those that came protected.
    pub(super) commands: Vec<String>,
    pub(super) mails: Vec<String>,
}

impl FakeServer {
    pub(super) fn replying(self, replies: &[(&'static str, &'static str)]) -> Self {
        self.replies.lock().unwrap().extend_from_slice(replies);
        self
    }

    /// Starts the server; it ends with the test's runtime.
    pub(super) async fn start(self) -> (u16, Arc<Mutex<Recorded>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, heard) = (listener.local_addr().unwrap().port(), Arc::<Mutex<Recorded>>::default());
        let all = heard.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                all.lock().unwrap().connections += 1;
                tokio::spawn(self.clone().serve(tcp, all.clone()));
            }
        });
        (port, heard)
    }

    async fn serve(self, tcp: TcpStream, heard: Arc<Mutex<Recorded>>) {
        if self.implicit {
            let Ok(tls) = self.tls.as_ref().unwrap().accept(tcp).await else { return };
            self.converse(tls, &heard, "TLS: ", true).await;
        } else if let Some(tcp) = self.converse(tcp, &heard, "", true).await {
            let Ok(tls) = self.tls.as_ref().unwrap().accept(tcp).await else { return };
            self.converse(tls, &heard, "TLS: ", false).await;
        }
    }

    fn reply(&self, verb: &str, usual: &str) -> String {
        let mut replies = self.replies.lock().unwrap();
        match replies.iter().position(|(to, _)| *to == verb) {
            Some(index) => replies.remove(index).1.to_owned(),
            None => usual.to_owned(),
        }
    }

    /// Answers until the client leaves; gives the stream back for STARTTLS.
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        heard: &Mutex<Recorded>,
        how: &str,
        greet: bool,
    ) -> Option<S> {
        let mut stream = BufReader::new(stream);
        if greet {
            say(&mut stream, &self.reply("GREETING", "220 mail.test ready")).await?;
        }
        loop {
            let line = hear(&mut stream).await?;
            heard.lock().unwrap().commands.push(format!("{how}{line}"));
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let usual = match verb.as_str() {
                "EHLO" => self.ehlo(),
                "AUTH" => "235 2.7.0 welcome".to_owned(),
                "DATA" => "354 go on".to_owned(),
                "QUIT" => "221 bye".to_owned(),
                _ => "250 2.0.0 fine".to_owned(),
            };
            let reply = self.reply(&verb, &usual);
            say(&mut stream, &reply).await?;
            match verb.as_str() {
                "STARTTLS" if reply.starts_with('2') => return Some(stream.into_inner()),
                "DATA" if reply.starts_with('3') => {
                    let mail = self.body(&mut stream).await?;
                    heard.lock().unwrap().mails.push(mail);
                    say(&mut stream, &self.reply(".", "250 2.0.0 queued as Q1")).await?;
                }
                "QUIT" => return None,
                _ => {}
            }
        }
    }

    fn ehlo(&self) -> String {
        let mut lines = vec!["mail.test"];
        lines.extend(&self.offers);
        let last = lines.len() - 1;
        let mark = |i| if i == last { ' ' } else { '-' };
        lines.iter().enumerate().map(|(i, l)| format!("250{}{l}", mark(i))).collect::<Vec<_>>().join("\r\n")
    }

    /// A mail as sent, with the stuffed dots still in it.
    async fn body<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut BufReader<S>) -> Option<String> {
        let mut mail = String::new();
        loop {
            let line = hear(stream).await?;
            if self.reply("BODY", "") == DISCONNECT {
                return None;
            }
            if line == "." {
                return Some(mail);
            }
            mail += &line;
            mail.push('\n');
        }
    }
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, reply: &str) -> Option<()> {
    if reply == DISCONNECT {
        return None;
    }
    stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

/// A certificate authority of the test's own, in PEM, and a server of its for `localhost`.
pub(super) fn authority() -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (root.pem(), TlsAcceptor::from(Arc::new(config)))
}
