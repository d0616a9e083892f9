//! A TCP proxy in front of a database's server, which can stop to answer, end all connections, or slow them down.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
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
pub(crate) struct DatabaseProxy {
    address: SocketAddr,
    target: Url,
    mode: watch::Sender<Mode>,
    _running: DropGuard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Each piece of data arrives after this time.
    Forward(Duration),
    Stalled,
    Cut,
}

impl Mode {
    const NORMAL: Self = Self::Forward(Duration::ZERO);
}

#[allow(dead_code, reason = "not every suite needs all of it")]
impl DatabaseProxy {
    /// Listens on a free port. `target` is the URL of a database; its server listens on a Unix socket, whose folder is the
    /// parameter `host`, or on a TCP port.
    pub(crate) async fn start(target: &str) -> Self {
        let target: Url = target.parse().expect("a URL");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (mode, changes) = watch::channel(Mode::NORMAL);
        let running = CancellationToken::new();
        let server = Server::of(&target);
        tokio::spawn(running.clone().run_until_cancelled_owned(listen(listener, address, server, changes)));
        Self { address, target, mode, _running: running.drop_guard() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the database through this proxy.
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

    /// From now on, no data passes in either direction, as from a server that hangs. Connections stay open, and new ones
    /// are accepted. What was held back arrives after [`Self::restore`].
    pub(crate) fn stall(&self) {
        self.mode.send_replace(Mode::Stalled);
    }

    /// Ends all connections and refuses new ones until [`Self::restore`].
    pub(crate) fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    /// Delays each piece of data in each direction.
    pub(crate) fn delay(&self, by: Duration) {
        self.mode.send_replace(Mode::Forward(by));
    }

    pub(crate) fn restore(&self) {
        self.mode.send_replace(Mode::NORMAL);
    }
}

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
async fn listen(listener: TcpListener, address: SocketAddr, server: Server, mut mode: watch::Receiver<Mode>) {
    let mut listener = Some(listener);
    let (changes, mut connections) = (mode.clone(), JoinSet::new());
    loop {
        let accepting = match listener.take() {
            Some(listener) => listener,
            None => TcpListener::bind(address).await.expect("the port is still free"),
        };
        loop {
            tokio::select! {
                accepted = accepting.accept() => if let Ok((client, _)) = accepted {
                    connections.spawn(connect(client, server.clone(), changes.clone()));
                },
                _ = mode.wait_for(|mode| *mode == Mode::Cut) => break,
            }
        }
        drop(accepting);
        connections.shutdown().await;
        if mode.wait_for(|mode| *mode != Mode::Cut).await.is_err() {
            return;
        }
    }
}

async fn connect(client: TcpStream, server: Server, mode: watch::Receiver<Mode>) {
    match server {
        Server::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                forward_both(client, server, mode).await;
            }
        }
        Server::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                forward_both(client, server, mode).await;
            }
        }
    }
}

/// Until either side closes.
async fn forward_both(
    client: TcpStream,
    server: impl AsyncRead + AsyncWrite + Send,
    mode: watch::Receiver<Mode>,
) {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        () = forward(from_client, to_server, mode.clone()) => {}
        () = forward(from_server, to_client, mode) => {}
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let Ok(now) = mode.wait_for(|mode| matches!(mode, Mode::Forward(_))).await.map(|mode| *mode) else {
            return;
        };
        if let Mode::Forward(delay) = now
            && delay > Duration::ZERO
        {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
