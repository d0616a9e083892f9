//! A listener and its connections, with bounds on what a client may take: time, bytes and places.

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::timeout::RequestBodyDeadlineLayer;

/// How long requests under way may take once the daemon ends; connections that idle are not waited for.
const DRAIN: Duration = Duration::from_secs(10);
/// How long accepting rests when the system refuses, as it does when files run out.
const AFTER_REFUSAL: Duration = Duration::from_millis(500);
/// A browser's request line and headers are a tenth of it.
const LARGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 100;

/// What a client may take of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For sending a request's head. An idle connection is closed after as long.
    pub(crate) head: Duration,
    /// For sending a request's body, as a whole.
    pub(crate) body: Duration,
    /// For all of a connection's requests; then the one under way is the last.
    pub(crate) connection: Duration,
    /// For that last one: until its answer is made and taken.
    pub(crate) answer: Duration,
    /// Connections at once. Who comes then waits in the system's queue.
    pub(crate) connections: usize,
}

impl Default for Bounds {
    /// Far more than a browser or a proxy needs. A press waits for the gateway, perhaps for several of its timeouts.
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            connection: Duration::from_secs(5 * 60),
            answer: Duration::from_secs(5 * 60),
            connections: 1024,
        }
    }
}

/// Serves `router` until `ending` is called and the requests under way are answered.
///
/// # Errors
/// None at present: a system that refuses connections for a while is waited for.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    ending: CancellationToken,
) -> std::io::Result<()> {
    let router = router.layer(RequestBodyDeadlineLayer::new(bounds.body));
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let (router, ending) = (router.clone(), ending.clone());
                    connections.spawn(async move {
                        let _place = place;
                        converse(stream, peer, router, bounds, ending).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::select! { () = sleep(AFTER_REFUSAL) => {}, () = ending.cancelled() => break }
                }
            },
            Some(ended) = connections.join_next() => unless_well(ended),
            () = ending.cancelled() => break,
        }
    }
    drop(listener);
    let drained = timeout(DRAIN, async {
        while let Some(ended) = connections.join_next().await {
            unless_well(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "clients that took too long were cut off");
    }
    Ok(())
}

/// The panic itself is in the log.
fn unless_well(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(panicked = error.is_panic(), "a connection ended badly");
    }
}

/// Answers the requests of one connection.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    bounds: Bounds,
    ending: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    let service = Extension(ConnectInfo(peer)).layer(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_header_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async { tokio::select! { () = ending.cancelled() => {}, () = sleep(bounds.connection) => {} } } => {
            connection.as_mut().graceful_shutdown();
            match timeout(bounds.answer, connection).await {
                Ok(result) => result,
                Err(_) => return tracing::debug!("a client did not take its answer and was cut off"),
            }
        }
    };
    // Clients that send nonsense, stall or go away are everyday; what hyper says of it holds nothing of the request.
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    /// Far longer than anything here takes, on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(30);
    const SHORT: Duration = Duration::from_millis(100);

    fn bounds() -> Bounds {
        Bounds { head: PATIENCE, body: PATIENCE, connection: PATIENCE, answer: PATIENCE, connections: 64 }
    }

    struct Served {
        address: SocketAddr,
        ending: CancellationToken,
        serving: JoinHandle<std::io::Result<()>>,
    }

    impl Served {
        async fn new(router: Router, bounds: Bounds) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let ending = CancellationToken::new();
            let serving = tokio::spawn(serve(listener, router, bounds, ending.clone()));
            Self { address, ending, serving }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        /// Sends this, and reads until the connection is closed.
        async fn answer(&self, request: &str) -> String {
            let mut stream = self.connect().await;
            stream.write_all(request.as_bytes()).await.unwrap();
            rest(&mut stream).await
        }
    }

    /// What comes until the other side closes, however it does.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut all = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it is closed in the end");
        drop(read);
        String::from_utf8_lossy(&all).into_owned()
    }

    fn hello() -> Router {
        Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/form", post(|body: String| async { body }))
    }

    const HELLO: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_head_is_cut_off_and_others_are_served_meanwhile() {
        let served = Served::new(hello(), Bounds { head: SHORT, ..bounds() }).await;
        let mut silent = served.connect().await;
        let mut half = served.connect().await;
        half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ").await.unwrap();
        assert!(served.answer(HELLO).await.ends_with("hello"));
        assert!(!rest(&mut half).await.contains("hello"));
        assert_eq!(rest(&mut silent).await, "");
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_cut_off() {
        let served = Served::new(hello(), Bounds { body: SHORT, ..bounds() }).await;
        let request = "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab";
        let answer = served.answer(request).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn a_connection_has_an_end_but_the_answer_under_way_is_given() {
        let under_way = Arc::new(Notify::new());
        let slow = {
            let under_way = under_way.clone();
            get(move || async move {
                under_way.notified().await;
                "at last"
            })
        };
        let router = Router::new().route("/slow", slow);
        let served = Served::new(router, Bounds { connection: SHORT, ..bounds() }).await;
        let mut stream = served.connect().await;
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        sleep(SHORT * 2).await;
        under_way.notify_one();
        assert!(rest(&mut stream).await.ends_with("at last"), "and closed, though it was to be kept alive");
    }

    #[tokio::test]
    async fn a_client_that_does_not_take_its_answer_is_cut_off() {
        let gone = Arc::new(AtomicBool::new(false));
        struct Flag(Arc<AtomicBool>);
        impl Drop for Flag {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let flag = Arc::new(Flag(gone.clone()));
        let large = get(move || {
            let held = flag.clone();
            async move {
                axum::body::Body::from_stream(futures_util::stream::unfold(held, |held| async {
                    Some((Ok::<_, std::io::Error>(vec![0; 1 << 20]), held))
                }))
            }
        });
        let served = Served::new(Router::new().route("/", large), Bounds { answer: SHORT, ..bounds() }).await;
        let mut stream = served.connect().await;
        stream.write_all(HELLO.as_bytes()).await.unwrap();
        served.ending.cancel();
        timeout(PATIENCE, served.serving).await.expect("it ends").unwrap().unwrap();
        assert!(gone.load(Ordering::SeqCst), "what the answer held is given back");
    }

    #[tokio::test]
    async fn no_more_clients_than_there_are_places_are_served_at_once() {
        let served = Served::new(hello(), Bounds { connections: 1, head: SHORT, ..bounds() }).await;
        let _silent = served.connect().await;
        assert!(served.answer(HELLO).await.ends_with("hello"), "as soon as the silent one is cut off");
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let served = Served::new(hello(), bounds()).await;
        for request in [
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(20_000)),
            format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "a".repeat(20_000)),
            format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(101)),
        ] {
            let answer = served.answer(&request).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_handler_that_panics_takes_nobody_else_with_it() {
        let router = hello().route(
            "/panic",
            get(|| async {
                if true {
                    panic!("as it is wanted")
                }
            }),
        );
        let served = Served::new(router, bounds()).await;
        assert_eq!(served.answer(&HELLO.replace("GET /", "GET /panic")).await, "");
        assert!(served.answer(HELLO).await.ends_with("hello"));
    }

    #[tokio::test]
    async fn when_it_ends_the_answer_under_way_is_given_and_idle_clients_are_left() {
        let (began, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let slow = {
            let (began, goes_on) = (began.clone(), goes_on.clone());
            get(move || async move {
                began.notify_one();
                goes_on.notified().await;
                "at last"
            })
        };
        let served = Served::new(hello().route("/slow", slow), bounds()).await;
        let mut idle = served.connect().await;
        let mut busy = served.connect().await;
        busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        timeout(PATIENCE, began.notified()).await.unwrap();
        served.ending.cancel();
        goes_on.notify_one();
        assert!(rest(&mut busy).await.ends_with("at last"));
        assert_eq!(rest(&mut idle).await, "");
        timeout(PATIENCE, served.serving).await.expect("it ends").unwrap().unwrap();
        assert!(TcpStream::connect(served.address).await.is_err());
    }
}
