//! Network failures, and the request ids that support needs.

use super::{
    RETRY, gateway, settings, shown,
    stub::{StubResponse, StubServer},
    token,
};
use crate::base::instances::Instances;
use crate::gateway::{
    Gateway,
    client::Inner,
    http::{Http, KeepAlive},
    retry::Retries,
};
use std::{
    sync::{
        Arc,
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

#[tokio::test]
async fn an_http2_connection_that_has_gone_silent_is_given_up_and_a_new_one_is_made() {
    let (url, clients) = swallowing().await;
    let settings = settings(&url);
    let ping = Duration::from_millis(50);
    let builder =
        Http::builder(&settings, KeepAlive { interval: ping, timeout: ping }).http2_prior_knowledge();
    let retries =
        Retries { first_pause: Duration::from_millis(1), max_retries: 2, max_retry_after: Duration::ZERO };
    let base = gateway(&StubServer::responding([StubResponse::ok("")]).await);
    let inner = Arc::into_inner(base.inner).unwrap();
    let http = Http::with_client(builder, &settings, retries, super::clock(), &Instances::alone()).unwrap();
    let inner = Arc::new(Inner { http, url: settings.url.clone(), ..inner });
    let gateway = Gateway { inner, interactive: false, is_urgent: None, allows_local_sign_in: false };
    let begun = Instant::now();
    let error = gateway.connections(&token()).await.unwrap_err();
    assert_eq!(error.verdict(), RETRY, "{error}");
    assert!(begun.elapsed() < settings.timeout / 2, "long before its time-out: {:?}", begun.elapsed());
    assert_eq!(clients.load(Ordering::SeqCst), 3, "each try has a connection of its own: {error}");
}
