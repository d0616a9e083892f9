//! Reports about bounces: what providers send, however broken, and while the database is locked.

use super::row::{LogSince, Outcome, Row, Section, listed};
use crate::harness::{Harness, Setup};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PASSWORD: &str = "sesame-0pen";
const REPORT: &str = r#"{"email": "m1@example.org", "kind": "bounce", "permanent": true}"#;
/// Longer than the daemon waits for anything in a request.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two bytes that trickle.
const TRICKLE_PAUSE: Duration = Duration::from_secs(1);

/// What a provider does after the request's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Waits for the response.
    Waits,
    Leaves,
    Resets,
    /// Sends spaces, one after another.
    Trickles,
}

struct Broken {
    name: &'static str,
    request: Vec<u8>,
    end: End,
}

fn head(more: &str) -> String {
    let login = STANDARD.encode(format!("any:{PASSWORD}"));
    format!("POST /hooks/bounces HTTP/1.1\r\nhost: x\r\nauthorization: Basic {login}\r\n{more}\r\n")
}

fn whole(more: &str, body: &[u8]) -> Vec<u8> {
    [head(&format!("content-length: {}\r\n{more}", body.len())).as_bytes(), body].concat()
}

fn broken() -> Vec<Broken> {
    let row = |name, request: Vec<u8>, end| Broken { name, request, end };
    let half = || [head("content-length: 70\r\n").as_bytes(), &REPORT.as_bytes()[..30]].concat();
    let nested = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let strange = head("").replace(&STANDARD.encode(format!("any:{PASSWORD}")), "bm9ib2R5Ondyb25n");
    vec![
        row(
            "no password",
            b"POST /hooks/bounces HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}".into(),
            End::Waits,
        ),
        row("a wrong password", strange.into_bytes(), End::Waits),
        row("an empty body", whole("", b""), End::Waits),
        row("random bytes", whole("", b"\x00\xff\x13\x37"), End::Waits),
        row("JSON without its end", whole("", &REPORT.as_bytes()[..30]), End::Waits),
        row("JSON of another kind", whole("", b"{\"hello\": [1, 2]}"), End::Waits),
        row("JSON that is nested 100,000 times", whole("", &nested), End::Waits),
        row("gzip", whole("content-encoding: gzip\r\n", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"), End::Waits),
        row("a body of a megabyte", whole("", &[b' '; 1 << 20]), End::Waits),
        row(
            "a body that is announced with 10 GB",
            head("content-length: 10000000000\r\n").into_bytes(),
            End::Waits,
        ),
        row(
            "chunks that cannot be read",
            format!("{}zz\r\n{{}}\r\n", head("transfer-encoding: chunked\r\n")).into_bytes(),
            End::Waits,
        ),
        row(
            "headers of 64 KiB",
            head(&format!("x-long: {}\r\n", "x".repeat(64 << 10))).into_bytes(),
            End::Waits,
        ),
        row("bytes that are not HTTP", b"EHLO provider\r\n\r\n".into(), End::Waits),
        row("half of the body, then closed", half(), End::Leaves),
        row("half of the body, then reset", half(), End::Resets),
        row("half of the body, then silence", half(), End::Waits),
        row("half of the body, then a byte each second", half(), End::Trickles),
        row("half of the headers, then silence", head("")[..40].into(), End::Waits),
        row("silence", Vec::new(), End::Waits),
    ]
}

pub(super) async fn section() -> Section {
    let setup = Setup::default().members(1).set("BOUNCES__PASSWORD", PASSWORD);
    let h = Harness::watching_with(setup, &["m1"]).await;
    let before = h.contents().await;
    let (slow, quick): (Vec<_>, Vec<_>) = broken().into_iter().partition(Broken::is_slow);
    let mut rows = Vec::new();
    for broken in &quick {
        let log = LogSince::now(&h.log);
        let concludes = broken.answer(&h).await;
        rows.push(row(broken.name, concludes, &log));
    }
    // Side by side, so that the daemon's patience ends once.
    let log = LogSince::now(&h.log);
    for (broken, concludes) in slow.iter().zip(join_all(slow.iter().map(|broken| broken.answer(&h))).await) {
        rows.push(row(broken.name, concludes, &log));
    }
    assert_eq!(h.contents().await, before, "nothing is stored");
    rows.push(while_the_database_is_locked(&h).await);
    for _ in 0..2 {
        let answer = Broken { name: "a report", request: whole("", REPORT.as_bytes()), end: End::Waits }
            .answer(&h)
            .await;
        assert!(answer.starts_with("HTTP 200"), "{answer}");
    }
    assert_eq!(h.app.store.suppressions(None, None, 10).await.expect("suppressions").len(), 1);
    Section {
        title: "Reports about bounces",
        about: "A request of a provider to `/hooks/bounces`. Nothing is stored unless the report is whole. Providers send a \
                report again that was not answered with 200.",
        rows,
    }
}

async fn while_the_database_is_locked(h: &Harness) -> Row {
    let mut other_process = h.rows().await;
    other_process.block_writers().await.expect("the write lock");
    let log = LogSince::now(&h.log);
    let report = Broken {
        name: "a whole report, while another process locks the database",
        request: whole("", REPORT.as_bytes()),
        end: End::Waits,
    };
    let concludes = report.answer(h).await;
    row(report.name, concludes, &log)
}

fn row(name: &str, concludes: String, log: &LogSince<'_>) -> Row {
    let next = if concludes.starts_with("HTTP 503") { "the provider sends it again" } else { "nothing" };
    let seen = listed(log.all_events());
    Row { fault: name.to_owned(), outcome: Outcome { concludes, next: next.to_owned(), seen } }
}

impl Broken {
    fn is_slow(&self) -> bool {
        self.end == End::Trickles || self.name.contains("silence") || self.name == "silence"
    }

    /// What the daemon answers.
    async fn answer(&self, h: &Harness) -> String {
        let mut stream = TcpStream::connect(h.app.config.links.listen).await.expect("a connection");
        // The daemon may answer and leave before it has read everything.
        let is_sent = stream.write_all(&self.request).await.is_ok();
        assert!(is_sent || self.request.len() > 32 << 10, "{}", self.name);
        let mut answer = Vec::new();
        match self.end {
            End::Leaves => stream.shutdown().await.expect("a connection"),
            End::Resets => {
                stream.set_zero_linger().expect("a socket");
                return "nothing: the report is not there".to_owned();
            }
            End::Waits | End::Trickles => {}
        }
        let (mut reading, mut writing) = stream.into_split();
        let trickles = async {
            while self.end == End::Trickles && writing.write_all(b" ").await.is_ok() {
                tokio::time::sleep(TRICKLE_PAUSE).await;
            }
            std::future::pending::<()>().await;
        };
        let reads = timeout(PATIENCE, async {
            let mut piece = [0; 4096];
            while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
                match reading.read(&mut piece).await {
                    Ok(bytes) if bytes > 0 => answer.extend_from_slice(&piece[..bytes]),
                    _ => break,
                }
            }
        });
        tokio::select! {
            read = reads => read.expect("an answer, or the end"),
            () = trickles => {}
        }
        match String::from_utf8_lossy(&answer).split(' ').nth(1) {
            Some(status) => format!("HTTP {status}"),
            None => "the connection is closed".to_owned(),
        }
    }
}
