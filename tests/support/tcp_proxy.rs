//! A TCP proxy in front of a server: of a database, the gateway, or email. It cuts, stalls, or delays the connections.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

/// Works until it is dropped.
pub(crate) struct TcpProxy {
    address: SocketAddr,
    target: Url,
    rules: watch::Sender<Rules>,
    server: watch::Sender<Server>,
    _running: DropGuard,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    mode: Mode,
    /// Before each piece of data.
    delay: Duration,
    /// No data passes on connections with a smaller number.
    first_alive: u64,
    trap: Option<Trap>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Forward,
    Stall,
    Cut,
}

/// Cuts the connections when a client sends this text.
#[derive(Clone, Copy, Debug)]
struct Trap {
    text: &'static str,
    arrives: bool,
}

#[allow(dead_code, reason = "not every suite needs all of it")]
impl TcpProxy {
    /// Listens on a free port. `target` is the URL of the server, which listens on a TCP port. That of a database can listen on
    /// a Unix socket, whose folder is the parameter `host`.
    pub(crate) async fn start(target: &str) -> Self {
        let target: Url = target.parse().expect("a URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let rules = watch::Sender::<Rules>::default();
        let running = CancellationToken::new();
        let server = watch::Sender::new(Server::of(&target));
        tokio::spawn(running.clone().run_until_cancelled_owned(listen(
            listener,
            address,
            server.subscribe(),
            rules.clone(),
        )));
        Self { address, target, rules, server, _running: running.drop_guard() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server through this proxy.
    pub(crate) fn url(&self) -> String {
        let mut url = self.target.clone();
        url.set_host(Some(&self.address.ip().to_string())).expect("an address");
        url.set_port(Some(self.address.port())).expect("a port");
        let others = self.target.query_pairs().filter(|(name, _)| !matches!(&**name, "host" | "port"));
        let others: Vec<(String, String)> = others.map(|(name, value)| (name.into(), value.into())).collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        url.into()
    }

    /// No data passes in either direction, as with a server that hangs. Connections stay open, and new ones are accepted.
    /// What was held back arrives after [`Self::restore`].
    pub(crate) fn stall(&self) {
        self.rules.send_modify(|rules| rules.mode = Mode::Stall);
    }

    /// No data passes on the connections of now, ever, as with a server that has moved. New connections work.
    pub(crate) fn strand(&self) {
        self.rules.send_modify(|rules| rules.first_alive = NEXT.load(Ordering::SeqCst));
    }

    /// Ends all connections and refuses new ones until [`Self::restore`].
    pub(crate) fn cut(&self) {
        self.rules.send_modify(|rules| rules.mode = Mode::Cut);
    }

    /// Like [`Self::cut`], as soon as a client sends this text. `arrives`: whether the server receives it.
    pub(crate) fn cut_at(&self, text: &'static str, arrives: bool) {
        self.rules.send_modify(|rules| rules.trap = Some(Trap { text, arrives }));
    }

    /// New connections lead to another server, as after a failover. The database has the same name.
    pub(crate) fn lead_to(&self, target: &str) {
        self.server.send_replace(Server::of(&target.parse().expect("a URL")));
    }

    /// Delays each piece of data in each direction.
    pub(crate) fn delay(&self, by: Duration) {
        self.rules.send_modify(|rules| rules.delay = by);
    }

    /// Forwards again, without a delay.
    pub(crate) fn restore(&self) {
        self.rules.send_modify(|rules| *rules = Rules { first_alive: rules.first_alive, ..Rules::default() });
    }
}

/// Of the next connection.
static NEXT: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
enum Server {
    Unix(PathBuf),
    Tcp(String),
}

impl Server {
    fn of(url: &Url) -> Self {
        let parameter = |name| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value);
        let port = url.port().unwrap_or(5432);
        match parameter("host") {
            Some(folder) => Self::Unix(Path::new(&*folder).join(format!(".s.PGSQL.{port}"))),
            None => Self::Tcp(format!("{}:{port}", url.host_str().expect("a host"))),
        }
    }
}

/// Accepts connections, except while they are cut.
async fn listen(
    listener: TcpListener,
    address: SocketAddr,
    server: watch::Receiver<Server>,
    rules: watch::Sender<Rules>,
) {
    let mut listener = Some(listener);
    let (mut changes, mut connections) = (rules.subscribe(), JoinSet::new());
    loop {
        let accepting = match listener.take() {
            Some(listener) => listener,
            None => TcpListener::bind(address).await.expect("the port is still free"),
        };
        loop {
            tokio::select! {
                accepted = accepting.accept() => if let Ok((client, _)) = accepted {
                    connections.spawn(connect(client, server.borrow().clone(), rules.clone()));
                },
                _ = changes.wait_for(|rules| rules.mode == Mode::Cut) => break,
            }
        }
        drop(accepting);
        connections.shutdown().await;
        let _ = changes.wait_for(|rules| rules.mode != Mode::Cut).await;
    }
}

async fn connect(client: TcpStream, server: Server, rules: watch::Sender<Rules>) {
    match server {
        Server::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                forward_both(client, server, rules).await;
            }
        }
        Server::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                forward_both(client, server, rules).await;
            }
        }
    }
}

/// Until either side closes.
async fn forward_both(
    client: TcpStream,
    server: impl AsyncRead + AsyncWrite + Send,
    rules: watch::Sender<Rules>,
) {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        () = forward(from_client, to_server, number, Some(&rules), rules.subscribe()) => {}
        () = forward(from_server, to_client, number, None, rules.subscribe()) => {}
    }
}

/// `traps`: the sender of the rules, for the direction in which a client sends.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    number: u64,
    traps: Option<&watch::Sender<Rules>>,
    mut rules: watch::Receiver<Rules>,
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let passes = |rules: &Rules| rules.mode == Mode::Forward && rules.first_alive <= number;
        let Ok(now) = rules.wait_for(passes).await.map(|rules| *rules) else { return };
        if now.delay > Duration::ZERO {
            tokio::time::sleep(now.delay).await;
        }
        let has = |text: &str| piece[..length].windows(text.len()).any(|part| part == text.as_bytes());
        let sprung = traps.and_then(|rules| Some((rules, now.trap.filter(|trap| has(trap.text))?)));
        if sprung.is_none_or(|(_, trap)| trap.arrives) && to.write_all(&piece[..length]).await.is_err() {
            return;
        }
        if let Some((rules, _)) = sprung {
            rules.send_modify(|rules| (rules.mode, rules.trap) = (Mode::Cut, None));
            return;
        }
    }
}
