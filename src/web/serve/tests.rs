use super::*;
use axum::routing::{get, post};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Far longer than any step takes, even on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

fn limits() -> ServerLimits {
    ServerLimits {
        header_timeout: TIMEOUT,
        body_timeout: TIMEOUT,
        connection_timeout: TIMEOUT,
        response_timeout: TIMEOUT,
        max_connections: 64,
        patience: TIMEOUT,
        max_per_peer: None,
    }
}

struct TestServer {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl TestServer {
    async fn new(router: Router, limits: ServerLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        Self { address, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `request` and reads until the server closes the connection.
    async fn response(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }
}

/// Reads until the server closes the connection; a reset counts as well.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read =
        timeout(TIMEOUT, stream.read_to_end(&mut all)).await.expect("the server closes the connection");
    drop(read);
    String::from_utf8_lossy(&all).into_owned()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route("/form", post(|body: String| async { body }))
}

const HELLO: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_with_unfinished_headers_is_disconnected_while_others_are_served() {
    let server = TestServer::new(hello(), ServerLimits { header_timeout: SHORT, ..limits() }).await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ").await.unwrap();
    assert!(server.response(HELLO).await.ends_with("hello"));
    assert!(!read_to_end(&mut half).await.contains("hello"));
    assert_eq!(read_to_end(&mut silent).await, "");
}

#[tokio::test]
async fn a_slow_body_times_out() {
    let server = TestServer::new(hello(), ServerLimits { body_timeout: SHORT, ..limits() }).await;
    let request = "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nab";
    let response = server.response(request).await;
    assert!(!response.contains("200 OK"), "{response}");
}

#[tokio::test]
async fn a_connection_that_times_out_finishes_its_current_response() {
    let proceed = Arc::new(Notify::new());
    let slow = {
        let proceed = proceed.clone();
        get(move || async move {
            proceed.notified().await;
            "finally"
        })
    };
    let router = Router::new().route("/slow", slow);
    let server = TestServer::new(router, ServerLimits { connection_timeout: SHORT, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    sleep(SHORT * 2).await;
    proceed.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("finally"), "the server closes a keep-alive connection");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_response_is_disconnected() {
    let dropped = Arc::new(AtomicBool::new(false));
    struct DropFlag(Arc<AtomicBool>);
    impl Drop for DropFlag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = Arc::new(DropFlag(dropped.clone()));
    let large = get(move || {
        let guard = flag.clone();
        async move {
            axum::body::Body::from_stream(futures_util::stream::unfold(guard, |guard| async {
                Some((Ok::<_, std::io::Error>(vec![0; 1 << 20]), guard))
            }))
        }
    });
    let server = TestServer::new(
        Router::new().route("/", large),
        ServerLimits { response_timeout: SHORT, ..limits() },
    )
    .await;
    let mut stream = server.connect().await;
    stream.write_all(HELLO.as_bytes()).await.unwrap();
    server.shutdown.cancel();
    timeout(TIMEOUT, server.task).await.expect("the server stops").unwrap().unwrap();
    assert!(dropped.load(Ordering::SeqCst), "the response body is dropped");
}

#[tokio::test]
async fn connections_above_the_maximum_wait() {
    let server =
        TestServer::new(hello(), ServerLimits { max_connections: 1, header_timeout: SHORT, ..limits() })
            .await;
    let _silent = server.connect().await;
    assert!(server.response(HELLO).await.ends_with("hello"), "served once the silent client is disconnected");
}

#[tokio::test]
async fn oversized_headers_are_rejected() {
    let server = TestServer::new(hello(), limits()).await;
    for request in [
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(20_000)),
        format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "a".repeat(20_000)),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(101)),
    ] {
        let response = server.response(&request).await;
        assert!(response.starts_with("HTTP/1.1 4"), "{response}");
    }
}

#[tokio::test]
async fn a_panic_in_a_handler_affects_no_other_connection() {
    let router = hello().route(
        "/panic",
        get(|| async {
            if true {
                panic!("on purpose")
            }
        }),
    );
    let server = TestServer::new(router, limits()).await;
    assert_eq!(server.response(&HELLO.replace("GET /", "GET /panic")).await, "");
    assert!(server.response(HELLO).await.ends_with("hello"));
}

#[tokio::test]
async fn shutdown_finishes_current_responses_and_closes_idle_connections() {
    let (started, proceed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (started, proceed) = (started.clone(), proceed.clone());
        get(move || async move {
            started.notify_one();
            proceed.notified().await;
            "finally"
        })
    };
    let server = TestServer::new(hello().route("/slow", slow), limits()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    timeout(TIMEOUT, started.notified()).await.unwrap();
    server.shutdown.cancel();
    proceed.notify_one();
    assert!(read_to_end(&mut busy).await.ends_with("finally"));
    assert_eq!(read_to_end(&mut idle).await, "");
    timeout(TIMEOUT, server.task).await.expect("the server stops").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn silent_connections_of_one_address_do_not_keep_a_request_out() {
    let limits = ServerLimits { max_per_peer: Some(4), ..limits() };
    let server = TestServer::new(hello(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.connect().await);
    }
    assert!(server.response(HELLO).await.ends_with("hello"));
    assert_eq!(read_to_end(&mut silent[0]).await, "", "the oldest one was closed");
}

#[tokio::test]
async fn when_all_places_are_taken_slow_clients_make_room_for_a_visitor() {
    let release = Arc::new(Notify::new());
    let slow = {
        let release = release.clone();
        get(move || async move {
            release.notified().await;
            "finally"
        })
    };
    let large = get(|| async { vec![0_u8; 16 << 20] });
    let limits = ServerLimits { max_connections: 4, patience: SHORT, ..limits() };
    let server = TestServer::new(hello().route("/slow", slow).route("/large", large), limits).await;
    let mut clients = Vec::new();
    for request in [
        "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost: ",
    ] {
        let mut client = server.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push(client);
    }
    // Each visitor keeps its place, too.
    let mut visitors = Vec::new();
    for _ in 0..3 {
        let mut visitor = server.connect().await;
        visitor.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        timeout(TIMEOUT, visitor.read_exact(&mut first)).await.expect("a place").unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        visitors.push(visitor);
    }
    release.notify_one();
    assert!(read_to_end(&mut clients[0]).await.ends_with("finally"), "what this process works on goes on");
    for client in &mut clients[1..] {
        assert!(!read_to_end(client).await.contains("hello"));
    }
}
