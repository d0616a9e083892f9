//! Clients that keep a listener waiting, from addresses of their own, so that no limit of one address ends them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// Far more responses than the system's buffers hold.
const UNREAD_REQUESTS: usize = 200;
const PER_ADDRESS: usize = 32;

#[derive(Clone, Copy)]
enum Kind {
    Silent,
    HalfARequest,
    /// Reads a byte each second, and has asked for much.
    ReadsSlowly,
}

/// Keeps `count` clients of all kinds at a listener until the set is dropped. One that is thrown out comes back.
pub(super) fn keep(listener: SocketAddr, path: &str, count: usize) -> JoinSet<()> {
    keep_kinds(listener, path, count, &[Kind::Silent, Kind::HalfARequest, Kind::ReadsSlowly])
}

/// Like [`keep`], with clients that read slowly.
pub(super) fn keep_reading(listener: SocketAddr, path: &str, count: usize) -> JoinSet<()> {
    keep_kinds(listener, path, count, &[Kind::ReadsSlowly])
}

fn keep_kinds(listener: SocketAddr, path: &str, count: usize, kinds: &[Kind]) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for n in 0..count {
        let kind = kinds[n % kinds.len()];
        let source = Ipv4Addr::new(127, 0, 1, 1 + (n / PER_ADDRESS) as u8);
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n");
        clients.spawn(async move {
            loop {
                // However it ends, the next one follows.
                let _ = client(listener, source, kind, &request).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    clients
}

async fn client(listener: SocketAddr, source: Ipv4Addr, kind: Kind, request: &str) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    socket.bind((source, 0).into())?;
    let mut stream: TcpStream = socket.connect(listener).await?;
    match kind {
        Kind::Silent => {}
        Kind::HalfARequest => stream.write_all(request.as_bytes()).await?,
        Kind::ReadsSlowly => {
            let whole = format!("{request}\r\n").repeat(UNREAD_REQUESTS);
            stream.write_all(whole.as_bytes()).await?;
            while stream.read(&mut [0]).await? > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}
