//! A TCP listener that refuses connections for a while, and then listens at the same address again.

use futures_util::future::{BoxFuture, FutureExt};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

type Serve = Arc<dyn Fn(TcpStream) -> BoxFuture<'static, io::Result<()>> + Send + Sync>;

/// Listens until it is dropped.
pub(crate) struct StoppableListener {
    address: SocketAddr,
    serve: Serve,
    listening: Mutex<Option<JoinHandle<()>>>,
}

impl StoppableListener {
    /// Listens on a free port. An error of `serve` only ends its connection: a client may leave at any time.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let serve: Serve = Arc::new(move |stream| serve(stream).boxed());
        let listening = tokio::spawn(listen(listener, serve.clone()));
        Self { address, serve, listening: Mutex::new(Some(listening)) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and refuses new ones until [`Self::resume`].
    pub(crate) async fn stop(&self) {
        let listening = lock(&self.listening).take();
        if let Some(listening) = listening {
            listening.abort();
            assert!(listening.await.is_err_and(|error| error.is_cancelled()), "it listened until now");
        }
    }

    /// Listens again, if it was stopped.
    pub(crate) async fn resume(&self) {
        if lock(&self.listening).is_none() {
            let listener = TcpListener::bind(self.address).await.expect("the port again");
            *lock(&self.listening) = Some(tokio::spawn(listen(listener, self.serve.clone())));
        }
    }
}

impl Drop for StoppableListener {
    fn drop(&mut self) {
        if let Some(listening) = lock(&self.listening).take() {
            listening.abort();
        }
    }
}

async fn listen(listener: TcpListener, serve: Serve) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream));
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
