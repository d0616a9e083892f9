//! A gateway that answers from fixed bytes, so that a benchmark measures the daemon and not the simulator.
//!
//! `gateway_stub` listens on a free loopback port and prints it. The first part of a request's path selects the
//! responses: `/connected/…` and `/expired/…` differ in the status of one connection; `/slow/…` responds like
//! `/connected/…` after 50 ms. Each refresh rotates the token. The stub keeps no state, so every run finds it the same.

#![expect(clippy::print_stdout, reason = "the port is its output")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SLOW: Duration = Duration::from_millis(50);
const MAX_REQUEST_BYTES: usize = 64 << 10;
/// 2100-01-01, so that no access token expires during a benchmark.
const TOKENS_EXPIRE_AT: u64 = 4_102_444_800;

/// The name, id, category, and type of each connection.
const SOURCES: [(&str, &str, &str, &str); 4] = [
    ("epic", "Epic MyChart", "OAUTH", "CLINICAL"),
    ("cerner", "Cerner Health", "OAUTH", "CLINICAL"),
    ("aetna", "Aetna", "OAUTH", "INSURANCE"),
    ("quest", "Quest Diagnostics", "OAUTH", "LAB"),
];

/// The responses that do not depend on the member.
struct Responses {
    connected: Vec<u8>,
    expired: Vec<u8>,
    oauth_url: Vec<u8>,
    data_source: Vec<u8>,
}

impl Responses {
    fn new() -> Self {
        let source = r#"{"id":"epic","name":"Epic MyChart","category":"OAUTH","type":"CLINICAL","isDirect":false,"integrationType":"PROA"}"#;
        let url =
            "https://portal.example/oauth/authorize?client_id=stub&response_type=code&state=0123456789abcdef";
        Self {
            connected: response(&listing("CONNECTED")),
            expired: response(&listing("EXPIRED")),
            oauth_url: response(&format!(r#"{{"data":{{"getOauthUrl":{{"redirectUrl":"{url}"}}}}}}"#)),
            data_source: response(&format!(r#"{{"data":{{"getDataSource":{source}}}}}"#)),
        }
    }
}

/// A list whose first connection has this status.
fn listing(first_status: &str) -> String {
    let row = |(at, (id, name, category, kind)): (usize, &(&str, &str, &str, &str))| {
        let status = if at == 0 { first_status } else { "CONNECTED" };
        format!(
            r#"{{"id":"{id}","name":"{name}","category":"{category}","type":"{kind}","integrationType":"PROA","isDirect":false,"status":"{status}","syncStatus":"RETRIEVED","syncErrors":[]}}"#
        )
    };
    let rows: Vec<_> = SOURCES.iter().enumerate().map(row).collect();
    format!(r#"{{"data":{{"getMemberConnections":[{}]}}}}"#, rows.join(","))
}

fn response(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// New tokens for the owner of a refresh token such as `rt-m1~7`, whose successor is `rt-m1~8`.
fn tokens(refresh_token: &str) -> Vec<u8> {
    let (first, serial) = refresh_token.split_once('~').unwrap_or((refresh_token, "0"));
    let next = serial.parse::<u64>().unwrap_or_default() + 1;
    let member = first.trim_start_matches("rt-");
    let claims = format!(r#"{{"sub":"{member}","exp":{TOKENS_EXPIRE_AT}}}"#);
    // The daemon reads the claims without a key, so the signature can be any text.
    let [header, claims, signature] =
        [r#"{"alg":"HS256"}"#, &claims, "none"].map(|part| URL_SAFE_NO_PAD.encode(part));
    response(&format!(
        r#"{{"data":{{"refresh":{{"accessToken":"{header}.{claims}.{signature}","refreshToken":"{first}~{next}"}}}}}}"#
    ))
}

/// A request that has arrived in full.
struct Request<'a> {
    head: &'a str,
    body: &'a str,
    length: usize,
}

impl<'a> Request<'a> {
    /// `None` while a part is missing.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let head_length = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&bytes[..head_length]).ok()?;
        let body_length = header(head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let length = head_length + body_length;
        let body = std::str::from_utf8(bytes.get(head_length..length)?).ok()?;
        Some(Self { head, body, length })
    }

    fn is_for(&self, mode: &str) -> bool {
        self.head.strip_prefix("POST /").is_some_and(|rest| rest.starts_with(mode))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

async fn serve(mut stream: TcpStream, responses: &'static Responses) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    while buffer.len() < MAX_REQUEST_BYTES {
        let Some(request) = Request::parse(&buffer) else {
            if stream.read_buf(&mut buffer).await? == 0 {
                break;
            }
            continue;
        };
        if request.is_for("slow/") {
            tokio::time::sleep(SLOW).await;
        }
        let refreshed;
        let response = if request.body.contains("query refreshTokens") {
            refreshed = tokens(header(request.head, "refresh_token").unwrap_or_default());
            &refreshed
        } else if request.body.contains("query getOauthUrl") {
            &responses.oauth_url
        } else if request.body.contains("query getDataSource") {
            &responses.data_source
        } else if request.is_for("expired/") {
            &responses.expired
        } else {
            &responses.connected
        };
        stream.write_all(response).await?;
        let length = request.length;
        buffer.drain(..length);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let responses: &'static Responses = Box::leak(Box::new(Responses::new()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        // A client that goes away ends only its own connection.
        tokio::spawn(async move { serve(stream, responses).await.ok() });
    }
}
