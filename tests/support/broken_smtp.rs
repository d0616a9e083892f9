//! A mail server that stands before another one, speaks TLS for it, and breaks the conversations that it is told to break.

use crate::stoppable_listener::{StoppableListener, lock};
use rustls::ServerConfig;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

/// Between two bytes that trickle.
const TRICKLE_PAUSE: Duration = Duration::from_secs(1);

/// A moment of the conversation: what the client has just sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing: it has connected.
    Greeting,
    Ehlo,
    StartTls,
    /// Its first message of TLS is about to come.
    Handshake,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// A part of the email.
    Body,
    /// The final dot.
    End,
    Quit,
}

/// What is done in place of a reply.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Close,
    Reset,
    Reply(&'static str),
    /// The conversation goes on behind, but this is what the client reads.
    Garbage(&'static [u8]),
    HalfReply,
    /// The server behind carries it out, and its reply is lost.
    LostReply,
    /// Another certificate.
    Certificate(Arc<ServerConfig>),
    Silence,
    /// A reply without an end, byte by byte.
    Trickle,
}

/// Works until it is dropped.
pub(crate) struct BrokenMailServer {
    listener: StoppableListener,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    tls: Arc<ServerConfig>,
    trouble: Mutex<Option<(Moment, Trouble)>>,
    broken: AtomicU32,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}
type Peer = BufReader<Box<dyn Wire>>;

impl BrokenMailServer {
    pub(crate) async fn before(target: SocketAddr, tls: Arc<ServerConfig>) -> Self {
        let shared =
            Shared { target: Mutex::new(target), tls, trouble: Mutex::default(), broken: AtomicU32::new(0) };
        let shared = Arc::new(shared);
        let serving = shared.clone();
        let listener = StoppableListener::start(move |stream| converse(stream, serving.clone())).await;
        Self { listener, shared }
    }

    pub(crate) fn forward_to(&self, target: SocketAddr) {
        *lock(&self.shared.target) = target;
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.address().port()
    }

    /// Ends all conversations, and breaks those that follow at this moment.
    pub(crate) async fn break_at(&self, moment: Moment, trouble: Trouble) {
        self.refuse().await;
        *lock(&self.shared.trouble) = Some((moment, trouble));
        self.listener.resume().await;
    }

    /// Ends all conversations and refuses new ones until [`Self::mend`].
    pub(crate) async fn refuse(&self) {
        self.listener.stop().await;
    }

    /// Passes everything on from now on. Returns how often a conversation was broken.
    pub(crate) async fn mend(&self) -> u32 {
        self.refuse().await;
        *lock(&self.shared.trouble) = None;
        self.listener.resume().await;
        self.shared.broken.swap(0, Ordering::SeqCst)
    }
}

impl Shared {
    fn trouble_at(&self, moment: Moment) -> Option<Trouble> {
        let trouble = lock(&self.trouble).clone().filter(|(at, _)| *at == moment).map(|(_, trouble)| trouble);
        trouble.inspect(|_| {
            self.broken.fetch_add(1, Ordering::SeqCst);
        })
    }
}

/// Whether the conversation goes on.
type GoesOn = bool;

async fn converse(stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if matches!(&*lock(&shared.trouble), Some((_, Trouble::Reset))) {
        stream.set_zero_linger()?;
    }
    let target = *lock(&shared.target);
    let mut client: Peer = BufReader::new(Box::new(stream));
    let mut server: Peer = BufReader::new(Box::new(TcpStream::connect(target).await?));
    if !answer(&shared, Moment::Greeting, &mut client, &mut server).await? {
        return Ok(());
    }
    let mut is_protected = false;
    loop {
        let command = line(&mut client).await?;
        let verb =
            command.split(|byte| b" :\r".contains(byte)).next().unwrap_or_default().to_ascii_uppercase();
        let moment = match verb.as_slice() {
            b"EHLO" => Some(Moment::Ehlo),
            b"STARTTLS" => Some(Moment::StartTls),
            b"AUTH" => Some(Moment::Auth),
            b"MAIL" => Some(Moment::Mail),
            b"RCPT" => Some(Moment::Rcpt),
            b"DATA" => Some(Moment::Data),
            b"QUIT" => Some(Moment::Quit),
            _ => None,
        };
        match moment.and_then(|moment| shared.trouble_at(moment)) {
            Some(Trouble::LostReply) => {
                server.write_all(&command).await?;
                reply(&mut server).await?;
                return Ok(());
            }
            Some(trouble) => {
                if disturb(trouble, &mut client).await? {
                    continue;
                }
                return Ok(());
            }
            None if moment == Some(Moment::StartTls) => {
                client.write_all(b"220 2.0.0 Go ahead\r\n").await?;
                let config = match shared.trouble_at(Moment::Handshake) {
                    None => shared.tls.clone(),
                    Some(Trouble::Certificate(config)) => config,
                    Some(trouble) => {
                        disturb(trouble, &mut client).await?;
                        return Ok(());
                    }
                };
                let protected = TlsAcceptor::from(config).accept(client.into_inner()).await?;
                client = BufReader::new(Box::new(protected));
                is_protected = true;
                continue;
            }
            None => server.write_all(&command).await?,
        }
        let mut replied = reply(&mut server).await?;
        if moment == Some(Moment::Ehlo) && !is_protected {
            // The server behind has no TLS.
            let after_first = replied.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            replied.splice(after_first..after_first, b"250-STARTTLS\r\n".iter().copied());
        }
        client.write_all(&replied).await?;
        client.flush().await?;
        if replied.starts_with(b"354") && !pass_email(&shared, &mut client, &mut server).await? {
            return Ok(());
        }
    }
}

async fn pass_email(shared: &Shared, client: &mut Peer, server: &mut Peer) -> io::Result<GoesOn> {
    loop {
        let part = line(client).await?;
        if part == b".\r\n" {
            break;
        }
        if let Some(trouble) = shared.trouble_at(Moment::Body) {
            return disturb(trouble, client).await;
        }
        server.write_all(&part).await?;
    }
    if matches!(&*lock(&shared.trouble), Some((Moment::End, trouble)) if !matches!(trouble, Trouble::LostReply))
    {
        return answer(shared, Moment::End, client, server).await;
    }
    server.write_all(b".\r\n").await?;
    answer(shared, Moment::End, client, server).await
}

/// Passes the server's reply on, unless there is trouble.
async fn answer(shared: &Shared, moment: Moment, client: &mut Peer, server: &mut Peer) -> io::Result<GoesOn> {
    match shared.trouble_at(moment) {
        None => {
            client.write_all(&reply(server).await?).await?;
            client.flush().await?;
            Ok(true)
        }
        Some(Trouble::LostReply) => {
            reply(server).await?;
            Ok(false)
        }
        Some(trouble) => disturb(trouble, client).await,
    }
}

async fn disturb(trouble: Trouble, client: &mut Peer) -> io::Result<GoesOn> {
    match trouble {
        Trouble::Reply(text) => {
            client.write_all(format!("{text}\r\n").as_bytes()).await?;
            client.flush().await?;
            return Ok(!text.starts_with("421"));
        }
        Trouble::Garbage(bytes) => client.write_all(bytes).await?,
        Trouble::HalfReply => client.write_all(b"25").await?,
        Trouble::Silence => while client.read(&mut [0; 4096]).await? > 0 {},
        Trouble::Trickle => loop {
            client.write_all(b"250-").await?;
            client.flush().await?;
            tokio::time::sleep(TRICKLE_PAUSE).await;
        },
        Trouble::Close | Trouble::Reset | Trouble::LostReply | Trouble::Certificate(_) => {}
    }
    client.flush().await?;
    Ok(false)
}

/// With its end.
async fn line(peer: &mut Peer) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    match peer.read_until(b'\n', &mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

/// All lines of a reply.
async fn reply(peer: &mut Peer) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let line = line(peer).await?;
        let goes_on = line.get(3) == Some(&b'-');
        all.extend(line);
        if !goes_on {
            return Ok(all);
        }
    }
}
