//! Traces in OTLP, as a collector gets them.

use crate::harness::{CLIENT_KEY, Home, mails, simulator, until, until_true};
use reconnectd::sim::TestBrowser;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a collector got.
#[derive(Default)]
struct Received {
    heads: Vec<String>,
    bodies: Vec<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Span {
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
}

/// Each request has a connection of its own.
async fn collector() -> (SocketAddr, Arc<Mutex<Received>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, received) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Received::default())));
    let record = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (head, body) = request(&mut stream).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            let mut record = record.lock().unwrap();
            record.heads.push(head);
            record.bodies.push(body);
        }
    });
    (address, received)
}

async fn request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the request is complete");
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        if bytes.len() == end + 4 + length.parse::<usize>().unwrap() {
            return (head, bytes.split_off(end + 4));
        }
    }
}

/// The fields of a protobuf message that have a length: texts, bytes, and messages.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let length = match key & 7 {
            0 => {
                number(&mut bytes);
                continue;
            }
            1 => 8,
            5 => 4,
            _ => number(&mut bytes) as usize,
        };
        let (value, rest) = bytes.split_at(length);
        if key & 7 == 2 {
            found.push((key >> 3, value));
        }
        bytes = rest;
    }
    found
}

fn all(message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).into_iter().filter(move |(number, _)| *number == field).map(|(_, value)| value)
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

/// By the numbers of opentelemetry/proto/trace/v1/trace.proto.
fn spans(received: &Received) -> Vec<Span> {
    let resources = received.bodies.iter().flat_map(|body| all(body, 1));
    let spans = resources.flat_map(|resource| all(resource, 2)).flat_map(|scope| all(scope, 2));
    let bytes = |span, field| all(span, field).next().unwrap_or_default().to_vec();
    let attribute =
        |pair| (text(all(pair, 1).next()), text(all(pair, 2).flat_map(|value| all(value, 1)).next()));
    spans
        .map(|span| Span {
            trace: bytes(span, 1),
            id: bytes(span, 2),
            parent: bytes(span, 4),
            name: text(all(span, 5).next()),
            attributes: all(span, 9).map(attribute).collect(),
        })
        .collect()
}

/// The names of the spans directly below `parent`, each once.
fn below(spans: &[Span], parent: &Span) -> Vec<String> {
    let children = spans.iter().filter(|span| span.parent == parent.id && span.trace == parent.trace);
    let mut names: Vec<_> = children.map(|span| span.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_a_press_and_a_recheck_are_traces_without_addresses_tokens_and_urls() {
    let simulator = simulator(0).await;
    let (address, received) = collector().await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1)
        .set("telemetry.otlp_endpoint", format!("http://{address}"))
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=of-the-operator")
        .variable("OTEL_BSP_SCHEDULE_DELAY", "100");
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = home.daemon().await;
    let mail = mails(&simulator, 1).await.remove(0);
    let link = daemon.link(&mail);
    let pressed = TestBrowser::new().unwrap().press(&link, &[]).await.unwrap();
    let oauth_url = pressed.location.expect("a redirect to the source");
    until_true("a recheck", async || !named(&spans(&received.lock().unwrap()), "recheck").is_empty()).await;
    let ended = daemon.running.stopped().await.well();

    let received = received.lock().unwrap();
    for head in &received.heads {
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(head.contains("x-collector-key: of-the-operator"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    }
    let spans = spans(&received);
    let [delivery] = named(&spans, "delivery")[..] else { panic!("{spans:?}") };
    assert_eq!(below(&spans, delivery), ["handover", "oauth_url", "second_look"]);
    assert_eq!((&*delivery.attributes["outcome"], &*delivery.attributes["member_id"]), ("sent", "alice"));
    assert!(delivery.parent.is_empty() && delivery.attributes.contains_key("notice_id"), "{delivery:?}");
    let [press] = named(&spans, "press")[..] else { panic!("{spans:?}") };
    assert_eq!(
        (below(&spans, press), &*press.attributes["outcome"]),
        (vec!["oauth_url".into()], "redirected")
    );
    for parent in ["second_look", "oauth_url", "recheck"] {
        for span in named(&spans, parent) {
            assert_eq!(below(&spans, span), ["gateway_request"], "{parent}");
        }
    }
    let sweeps = named(&spans, "sweep");
    assert!(!sweeps.is_empty() && sweeps.iter().all(|sweep| below(&spans, sweep).is_empty()), "{spans:?}");
    assert_eq!(sweeps[0].attributes["outcome"], "complete");

    let link_token = link.rsplit('/').next().unwrap();
    let secrets =
        ["@example.org", "rt-alice", CLIENT_KEY, link_token, &oauth_url, simulator.base_url(), "127.0.0.1"];
    for body in &received.bodies {
        let body = String::from_utf8_lossy(body);
        for secret in secrets {
            assert!(!body.contains(secret), "{secret} is in a trace");
        }
    }
    let finished: Vec<_> =
        ended.stderr.lines().filter(|line| line.contains("event=\"delivery_finished\"")).collect();
    assert_eq!(finished.len(), 1);
    // Spans would show between the level and the target.
    assert!(finished[0].contains(" INFO reconnectd::notify::deliver::delivery: "), "{}", finished[0]);
    assert!(!ended.stderr.contains("traces_not_exported"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_down_is_logged_once_and_delays_no_email() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    // Nobody listens on it.
    home.set("sweep.confirm_sweeps", 1)
        .set("telemetry.otlp_endpoint", "http://127.0.0.1:9")
        .variable("OTEL_BSP_SCHEDULE_DELAY", "50");
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    let daemon = home.daemon().await;
    mails(&simulator, 1).await;
    let told = async || daemon.running.stderr().contains("traces_not_exported").then_some(());
    until("the log to tell", told).await;
    let sweeps = || daemon.running.stderr().matches("event=\"sweep_ended\"").count();
    let before = sweeps();
    until_true("sweeps that cannot be exported", async || sweeps() >= before + 3).await;
    let ended = daemon.running.stopped().await.well();
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains("traces_not_exported")).collect();
    assert_eq!(lines.len(), 1, "{}", ended.stderr);
    assert!(lines[0].contains("reason=\"unreachable\""), "{}", lines[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_never_answers_delays_the_end_by_seconds_at_most() {
    let simulator = simulator(0).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut home = Home::new(&simulator);
    home.set("telemetry.otlp_endpoint", format!("http://{}", listener.local_addr().unwrap()));
    home.enrol(&["alice"]).await;
    let ended = home.start(&["once"]).ended_within(Duration::from_secs(20)).await.well();
    assert_eq!(ended.stderr.matches("traces_not_exported").count(), 1, "{}", ended.stderr);
}
