//! Requests to this machine never go through a proxy; those to other machines do.

use crate::harness::Home;
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const TOKEN: &str = "the-broker-token";

/// An HTTP server that records what it receives, and answers every request with `response`.
async fn server(response: &'static str) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, received) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
    let record = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            record.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..read]));
            let _ = stream.write_all(response.as_bytes()).await;
        }
    });
    (address, received)
}

#[tokio::test]
async fn the_brokers_token_goes_to_the_broker_on_this_machine_and_through_no_proxy() {
    let (proxy, seen_by_proxy) = server("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").await;
    let (broker, seen_by_broker) = server("HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n").await;
    let mut home = Home::bare();
    home.set("gateway.url", "https://gateway.example.test/graphql")
        .set("gateway.auth.mode", "broker")
        .set("gateway.auth.broker_url", format!("http://{broker}/token"))
        .set("gateway.auth.broker_token", TOKEN)
        .set("telemetry.heartbeat_url", "https://hc.example.test/ping/the-secret-uuid")
        .set("email.transport", "file");
    let proxy_url = format!("http://operator:proxy-password@{proxy}");
    for name in ["http_proxy", "HTTPS_PROXY"] {
        home.variable(name, &proxy_url);
    }
    home.variable("NO_PROXY", "hc.example.test");
    home.enrol(&["alice"]).await;
    let ended = home.run(&["check", "--member", "alice", "--json"]).await;
    let lines = ended.json();
    let proxies: Vec<_> = lines.iter().filter(|line| line["check"] == "proxy").collect();
    let targets: Vec<_> =
        proxies.iter().map(|line| (line["target"].as_str().unwrap(), &line["proxy"])).collect();
    let shown = Value::from(format!("http://{proxy}"));
    let expected = [
        ("gateway.url", &shown),
        ("gateway.auth.broker_url", &Value::Null),
        ("telemetry.heartbeat_url", &Value::Null),
    ];
    assert_eq!(targets, expected);
    let output = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!output.contains("proxy-password") && !output.contains("the-secret-uuid"), "{output}");

    let by_broker = seen_by_broker.lock().unwrap().clone();
    assert!(by_broker.contains(&format!("Bearer {TOKEN}")), "{by_broker}");
    let by_proxy = seen_by_proxy.lock().unwrap().clone();
    assert!(by_proxy.starts_with("CONNECT gateway.example.test:443"), "{by_proxy}");
    assert!(!by_proxy.contains(TOKEN), "{by_proxy}");
}
