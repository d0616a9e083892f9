//! An HTTP server that stands before another one, forwards to it, and breaks the exchanges that it is told to break.

use crate::stoppable_listener::{StoppableListener, lock};
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
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

/// Between two bytes that trickle. Shorter than any idle timeout, and far too slow for a whole response.
const TRICKLE_PAUSE: Duration = Duration::from_millis(100);

/// What is done in place of a response. The connection is closed after the last step.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) begins: Begins,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    /// When a client has connected.
    Connected,
    /// When the whole request is there. The server behind never sees it.
    Received,
    /// When the server behind has carried the request out.
    Executed,
    /// As `Received`, and only on a connection that has served another request.
    Reused,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Say(Vec<u8>),
    /// This share of the true response's head.
    Head(f64),
    /// This share of the true response's body.
    Body(f64),
    /// The true response, byte by byte.
    Trickle,
    /// Until the client leaves.
    Silence,
    Handshake(Arc<rustls::ServerConfig>),
    Reset,
}

/// Works until it is dropped.
pub(crate) struct BrokenServer {
    listener: StoppableListener,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    /// A text of the requests that a script is for, and the script.
    scripts: Mutex<Vec<(String, Script)>>,
    /// How many exchanges were broken since the last mend.
    broken: AtomicU32,
}

impl BrokenServer {
    pub(crate) async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let serving = shared.clone();
        let listener = StoppableListener::start(move |stream| serve(stream, serving.clone())).await;
        Self { listener, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    pub(crate) fn forward_to(&self, target: SocketAddr) {
        *lock(&self.shared.target) = Some(target);
    }

    /// Breaks each exchange whose request contains `text`.
    pub(crate) fn break_those_with(&self, text: &str, script: Script) {
        lock(&self.shared.scripts).push((text.to_owned(), script));
    }

    /// Ends all connections and refuses new ones until [`Self::mend`].
    pub(crate) async fn refuse(&self) {
        self.listener.stop().await;
    }

    /// Forwards everything from now on. Returns how many exchanges were broken since the last time.
    pub(crate) async fn mend(&self) -> u32 {
        lock(&self.shared.scripts).clear();
        self.listener.resume().await;
        self.shared.broken.swap(0, Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let begins_now = |request: Option<&str>, begins: &[Begins]| {
        let scripts = lock(&shared.scripts);
        let is_meant = |(text, script): &&(String, Script)| {
            begins.contains(&script.begins) && request.is_none_or(|request| request.contains(text.as_str()))
        };
        let found = scripts.iter().find(is_meant).map(|(_, script)| script.clone());
        found.inspect(|_| {
            shared.broken.fetch_add(1, Ordering::SeqCst);
        })
    };
    stream.set_nodelay(true)?;
    if let Some(script) = begins_now(None, &[Begins::Connected]) {
        return perform(stream, script, &[]).await;
    }
    let mut is_reused = false;
    loop {
        let request = message(&mut stream).await?;
        let text = String::from_utf8_lossy(&request).into_owned();
        let reused: &[Begins] = if is_reused { &[Begins::Reused] } else { &[] };
        let begins = [&[Begins::Received, Begins::Executed], reused].concat();
        match begins_now(Some(&text), &begins) {
            Some(script) if script.begins == Begins::Executed => {
                let response = forward(&shared, &request).await?;
                return perform(stream, script, &response).await;
            }
            Some(script) => return perform(stream, script, &[]).await,
            None => stream.write_all(&forward(&shared, &request).await?).await?,
        }
        is_reused = true;
    }
}

/// The response of the server behind.
async fn forward(shared: &Shared, request: &[u8]) -> io::Result<Vec<u8>> {
    let target = lock(&shared.target).expect("a server to forward to");
    let mut behind = TcpStream::connect(target).await?;
    behind.write_all(request).await?;
    message(&mut behind).await
}

/// A whole request or response, as long as its head says.
async fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        if let Some(head) = head_length(&read)
            && read.len() >= head + content_length(&read[..head])
        {
            return Ok(read);
        }
        match stream.read(&mut piece).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            bytes => read.extend_from_slice(&piece[..bytes]),
        }
    }
}

fn head_length(message: &[u8]) -> Option<usize> {
    message.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:").map(str::trim));
    value.map_or(0, |value| value.parse().expect("a length"))
}

async fn perform(mut stream: TcpStream, script: Script, response: &[u8]) -> io::Result<()> {
    let (head, body) = response.split_at(head_length(response).unwrap_or_default());
    let share = |bytes: &[u8], share: f64| bytes[..(bytes.len() as f64 * share) as usize].to_vec();
    for step in script.steps {
        match step {
            Step::Say(bytes) => stream.write_all(&bytes).await?,
            Step::Head(part) => stream.write_all(&share(head, part)).await?,
            Step::Body(part) => stream.write_all(&share(body, part)).await?,
            Step::Trickle => {
                for byte in response {
                    stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(TRICKLE_PAUSE).await;
                }
            }
            Step::Silence => while stream.read(&mut [0; 4096]).await? > 0 {},
            Step::Handshake(config) => {
                TlsAcceptor::from(config).accept(stream).await?;
                return Ok(());
            }
            Step::Reset => stream.set_zero_linger()?,
        }
    }
    Ok(())
}
