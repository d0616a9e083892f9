//! Network failures, and the request ids that support needs.

use super::{
    RETRY, gateway, settings, shown,
    stub::{StubResponse, StubServer},
    token,
};
use crate::base::config;
use crate::base::instances::Instances;
use crate::gateway::{
    Gateway,
    client::Inner,
    clients::BuildClient,
    http::{Http, KeepAlive},
    retry::Retries,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    iter,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn an_error_quotes_the_request_id_of_its_answer() {
    for answer in [
        StubResponse::new(500, "").with("x-request-id", "req-1"),
        StubResponse::new(401, "").with("x-request-id", "req-1"),
        StubResponse::ok("<html>").with("x-request-id", "req-1"),
    ] {
        let error = gateway(&StubServer::responding([answer]).await).connections(&token()).await.unwrap_err();
        assert_eq!(error.request_id(), Some("req-1"), "{error}");
        assert!(error.to_string().contains("req-1"), "{error}");
    }
    let odd = StubResponse::new(500, "").with("x-request-id", "alice@example.org");
    let error = gateway(&StubServer::responding([odd]).await).connections(&token()).await.unwrap_err();
    assert_eq!(error.request_id(), None);
    assert!(!shown(&error).contains("alice"), "{error}");
}

/// An HTTP/2 server that greets each client and then swallows whatever it sends; how many came is counted.
async fn swallowing() -> (String, Arc<AtomicUsize>) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/graphql", listener.local_addr().unwrap());
    let clients = Arc::new(AtomicUsize::new(0));
    let counted = clients.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = socket.write_all(&SETTINGS).await;
                while socket.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    (url, clients)
}

/// A gateway whose clients are made by `build`.
async fn gateway_with(build: BuildClient, retries: Retries, settings: &config::Gateway) -> Gateway {
    let base = gateway(&StubServer::responding([StubResponse::ok("")]).await);
    let inner = Arc::into_inner(base.inner).unwrap();
    let http = Http::with_client(build, settings, retries, super::clock(), &Instances::alone()).unwrap();
    let inner = Arc::new(Inner { http, url: settings.url.clone(), ..inner });
    Gateway { inner, interactive: false, is_urgent: None, allows_local_sign_in: false }
}

#[tokio::test]
async fn an_http2_connection_that_has_gone_silent_is_given_up_and_a_new_one_is_made() {
    let (url, clients) = swallowing().await;
    let settings = settings(&url);
    let ping = Duration::from_millis(50);
    let own = settings.clone();
    let build =
        move || Http::builder(&own, KeepAlive { interval: ping, timeout: ping }).http2_prior_knowledge();
    let retries =
        Retries { first_pause: Duration::from_millis(1), max_retries: 2, max_retry_after: Duration::ZERO };
    let gateway = gateway_with(Box::new(build), retries, &settings).await;
    let begun = Instant::now();
    let error = gateway.connections(&token()).await.unwrap_err();
    assert_eq!(error.verdict(), RETRY, "{error}");
    assert!(begun.elapsed() < settings.timeout / 2, "long before its time-out: {:?}", begun.elapsed());
    assert_eq!(clients.load(Ordering::SeqCst), 3, "each try has a connection of its own: {error}");
}

/// Knows every host at the address that the test chooses.
#[derive(Clone)]
struct Directory(Arc<Mutex<IpAddr>>);

impl Resolve for Directory {
    fn resolve(&self, _: Name) -> Resolving {
        let address = SocketAddr::new(*self.0.lock().unwrap(), 0);
        Box::pin(async move { Ok(Box::new(iter::once(address)) as Addrs) })
    }
}

/// Answers the first request of each connection, and closes it at the next one. Counts the answers.
async fn answering_once(listener: TcpListener, answers: Arc<AtomicUsize>) {
    const BODY: &str = r#"{"data": {"getMemberConnections": []}}"#;
    let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{BODY}", BODY.len());
    while let Ok((mut socket, _)) = listener.accept().await {
        let (response, answers) = (response.clone(), answers.clone());
        tokio::spawn(async move {
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("\"variables\"") {
                socket.read_buf(&mut request).await.unwrap();
            }
            socket.write_all(response.as_bytes()).await.unwrap();
            answers.fetch_add(1, Ordering::SeqCst);
            let _ = socket.read(&mut [0; 1024]).await;
        });
    }
}

#[tokio::test]
async fn a_host_that_moves_to_another_address_is_found_within_the_call_although_the_old_connections_are_dead()
{
    let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = old.local_addr().unwrap().port();
    let new = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let directory = Directory(Arc::new(Mutex::new(IpAddr::from([127, 0, 0, 1]))));
    let settings = settings(&format!("http://gateway.example.test:{port}/v1/graphql"));
    let (own, names) = (settings.clone(), directory.clone());
    let build =
        move || Http::builder(&own, KeepAlive::default()).dns_resolver(Arc::new(names.clone())).no_proxy();
    let retries =
        Retries { first_pause: Duration::from_millis(1), max_retries: 1, max_retry_after: Duration::ZERO };
    let gateway = gateway_with(Box::new(build), retries, &settings).await;
    let [before, after] = [Arc::<AtomicUsize>::default(), Arc::default()];
    let listening = tokio::spawn(answering_once(old, before.clone()));
    let token = token();
    // Several connections are kept open. All of them die.
    let calls = futures_util::future::join_all((0..3).map(|_| gateway.connections(&token)));
    assert!(calls.await.into_iter().all(|call| call.is_ok()));
    assert_eq!(before.load(Ordering::SeqCst), 3);
    listening.abort();
    *directory.0.lock().unwrap() = IpAddr::from([127, 0, 0, 2]);
    tokio::spawn(answering_once(new, after.clone()));
    gateway.connections(&token).await.expect("one retry is enough");
    assert_eq!(after.load(Ordering::SeqCst), 1);
}
