//! Nonsense on the public pages' listener: bounded in count, the same each time.

use crate::dice::Dice;
use crate::harness::{Daemon, Home, mails, simulator};
use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// Connections to make; `RECONNECTD_FUZZ` in the environment asks for another number.
const CONNECTIONS: u32 = 15_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// What a process may grow by once everything in it has been used, in KiB.
const GROWTH: u64 = 24 * 1024;

const METHODS: [&str; 12] =
    ["GET", "GET", "GET", "HEAD", "POST", "POST", "OPTIONS", "PUT", "TRACE", "DELETE", "get", "PROPFIND"];
const HEADERS: [&str; 27] = [
    "Authorization: Basic YW55OnNlc2FtZQ==",
    "Authorization: Basic YW55OnNlc2FtZQ==",
    "Authorization: Basic =",
    "Cookie: a=b; ;;=; x",
    "Cookie: \u{1}",
    "X-Forwarded-For: ,,,, ::::, 1.2.3.4.5, [::1",
    "X-Forwarded-For: 198.51.100.7",
    "X-Forwarded-For: 2001:db8::1, 999.1.1.1",
    "Forwarded: for=\"[2001:db8::1]\"",
    "Accept-Language: es;q=1.5,,;q=,*;q=0.0001, en;q=NaN",
    "Accept-Language: \u{f1}",
    "Accept-Encoding: gzip;q=0, br, zstd, *",
    "Host: ",
    "Host: evil.example",
    "Referer: https://evil.example/?token=x",
    "Origin: null",
    "Content-Type: application/x-www-form-urlencoded",
    "Content-Type: application/x-www-form-urlencoded; charset=utf-7",
    "Content-Type: multipart/form-data; boundary=",
    "Content-Type: multipart/form-data; boundary=x",
    "Content-Type: \u{ff}",
    "Expect: 100-continue",
    "Upgrade: h2c\r\nConnection: Upgrade",
    "Connection: keep-alive, close, x",
    "Sec-Purpose: prefetch",
    "User-Agent: ' OR 1=1 --",
    "Range: bytes=0-1,5-",
];
const BODIES: [&[u8]; 12] = [
    b"",
    b"{\"email\":\"alice@example.org\",\"kind\":7}",
    b"{\"Type\":\"Notification\",\"TopicArn\":\"alice@example.org\"}",
    b"connection=epic",
    b"connection=%00%ff",
    b"connection=epic&connection=epic",
    b"connection[]=epic",
    b"List-Unsubscribe=One-Click",
    b"--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--",
    b"\xff\xfe\x00",
    b"%",
    b"{\"connection\":\"epic\"}",
];

/// A path, often near one that leads somewhere.
fn path(dice: &mut Dice, token: &str) -> Vec<u8> {
    let near = [
        token.to_owned(),
        token[..dice.below(token.len())].to_owned(),
        token.replace(|c: char| c.is_ascii_lowercase(), "%41"),
        format!("{token}%00"),
        format!("{token}/../{token}"),
        format!("{token};x=y"),
        "%ff%fe%fd".to_owned(),
        "%".to_owned(),
        "..%2f..%2f..%2fetc%2fpasswd".to_owned(),
        "A".repeat(dice.below(20_000)),
        String::from_utf8_lossy(&dice.bytes(60)).into_owned(),
    ];
    let segment = &near[dice.below(near.len())];
    // The live token is looked at and never pressed: what it leads to must stand when all is over.
    let base = dice.one(&[
        "/r/",
        "/r/",
        "/u/",
        "/R/",
        "//r/",
        "/r//",
        "/",
        "/oauth/return?status_code=",
        "/hooks/ses?",
        "/hooks/postmark?",
        "/hooks/bounces?",
        "/r/%2e%2e/",
        "*",
    ]);
    let tail = dice.one(&[
        "",
        "",
        "",
        "/",
        "/resend",
        "/dismiss",
        "/snooze",
        "/undo",
        "/resubscribe",
        "?a=b&&=%ff",
        "#x",
        "/x/y",
        "%20",
    ]);
    [base.as_bytes(), segment.as_bytes(), tail.as_bytes()].concat()
}

fn request(dice: &mut Dice, token: &str) -> Vec<u8> {
    let mut path = path(dice, token);
    let mut method = dice.one(&METHODS);
    if contains(&path, token.as_bytes()) && method == "POST" {
        method = "GET";
    }
    if dice.below(40) == 0 {
        path.extend(dice.bytes(12));
    }
    let mut head = [method.as_bytes(), b" ", &path, b" HTTP/1.1\r\nHost: x\r\n"].concat();
    for _ in 0..dice.below(5) {
        head.extend(dice.one(&HEADERS).as_bytes());
        head.extend(b"\r\n");
    }
    let mut body = dice.one(&BODIES).to_vec();
    match dice.below(12) {
        0 => body = dice.bytes(40_000),
        1 => head.extend([b"X: ", &dice.bytes(200)[..], b"\r\n"].concat()),
        2 => head.extend(format!("X: {}\r\n", "y".repeat(dice.below(20_000))).as_bytes()),
        3 => head.extend("X: y\r\n".repeat(dice.below(200)).as_bytes()),
        _ => {}
    }
    match dice.below(8) {
        0 => head.extend(b"Transfer-Encoding: chunked\r\n"),
        1 => head.extend(b"Content-Length: 5\r\nContent-Length: 6\r\n"),
        2 => head.extend(b"Content-Length: -1\r\n"),
        3 => head.extend(b"Content-Length: 99999999999999999999\r\n"),
        _ => head.extend(format!("Content-Length: {}\r\n", body.len()).as_bytes()),
    }
    head.extend(b"\r\n");
    head.extend(body);
    head
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The statuses of what a connection answers to this.
fn answers(to: SocketAddr, dice: &mut Dice, sent: &[u8]) -> Vec<u16> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let cut = if dice.below(10) == 0 { dice.below(sent.len()) } else { sent.len() };
    // It may have been closed by now, which is its right.
    let _ = stream.write_all(&sent[..cut]);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        let stalled = matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        assert!(!stalled, "no end of the answer to {:?}", String::from_utf8_lossy(sent));
    }
    let text = String::from_utf8_lossy(&answer);
    text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok()).collect()
}

/// Resident memory, in KiB.
fn memory(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.running.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_on_the_public_pages_breaks_nothing_leaks_nothing_and_takes_no_memory() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.confirm_sweeps", 1)
        .set("sweep.schedule", "0 0 0 1 1 *")
        .set("links.requests_per_minute", 0)
        .set("bounces.password", "sesame")
        .set("telemetry.log", "trace");
    home.enrol(&["alice"]).await;
    home.run(&["once"]).await.well();
    simulator.world().set_status("alice", "epic", "EXPIRED").unwrap();
    home.run(&["once"]).await.well();
    let mail = mails(&simulator, 1).await.remove(0);
    let daemon = home.daemon().await;
    let link = daemon.link(&mail);
    let token = link.rsplit('/').next().unwrap().to_owned();
    let address = daemon.links;

    let connections = std::env::var("RECONNECTD_FUZZ").map_or(CONNECTIONS, |n| n.parse().unwrap());
    let mut dice = Dice::new(20_260_302);
    let mut seen = std::collections::BTreeMap::<u16, u32>::new();
    let mut warm = 0;
    for n in 0..connections {
        let mut sent = request(&mut dice, &token);
        for _ in 0..dice.below(4).saturating_sub(1) {
            sent.extend(request(&mut dice, &token));
        }
        for status in answers(address, &mut dice, &sent) {
            assert!(
                status < 500,
                "{status} to {:?}",
                String::from_utf8_lossy(&sent[..sent.len().min(2_000)])
            );
            *seen.entry(status).or_default() += 1;
        }
        if n == connections / 3 {
            warm = memory(&daemon);
        }
    }
    let grown = memory(&daemon).saturating_sub(warm);
    assert!(grown < GROWTH, "grew by {grown} KiB from {warm}");
    for expected in [200, 400, 401, 404, 405, 429, 431] {
        assert!(seen.contains_key(&expected), "{expected} is not among {seen:?}");
    }

    let person = reconnectd::sim::TestBrowser::new().unwrap();
    assert_eq!(person.press(&link, &[]).await.unwrap().status, 303, "the link is as good as before");
    let ended = daemon.running.stopped().await.well();
    for secret in [&token[..], "panicked", "alice@example.org", "sesame"] {
        assert!(!ended.stderr.contains(secret), "{secret} is in the log");
    }
}
