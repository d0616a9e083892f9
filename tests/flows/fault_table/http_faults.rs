//! What can befall a request that the daemon makes over HTTP.

use super::certificates::{Authority, Flaw};
use crate::broken_http::{Begins, BrokenServer, Script, Step};
use flate2::{Compression, write::GzEncoder};
use rustls::ServerConfig;
use std::{
    io::Write,
    sync::{Arc, LazyLock},
};

/// One fault, and its name in the document.
pub(super) struct HttpFault {
    pub(super) name: String,
    pub(super) way: Way,
    /// It ends by a timeout.
    pub(super) is_slow: bool,
}

pub(super) enum Way {
    Refused,
    /// Nothing resolves the host's name.
    NoSuchHost,
    Broken(Script),
    /// The URL begins with `https`.
    BrokenTls(Script),
}

impl HttpFault {
    /// Lets the fault happen to requests with this text until the server is mended.
    pub(super) async fn begin(&self, server: &BrokenServer, text: &str) {
        match &self.way {
            Way::Refused => server.refuse().await,
            Way::NoSuchHost => {}
            Way::Broken(script) | Way::BrokenTls(script) => server.break_those_with(text, script.clone()),
        }
    }

    /// Whether it happens on a connection that works, once there is a request.
    pub(super) fn befalls_a_request(&self) -> bool {
        self.befalls_any_request() || self.befalls_a_kept_connection()
    }

    pub(super) fn befalls_any_request(&self) -> bool {
        self.begins(&[Begins::Received, Begins::Executed])
    }

    pub(super) fn befalls_a_kept_connection(&self) -> bool {
        self.begins(&[Begins::Reused])
    }

    fn begins(&self, begins: &[Begins]) -> bool {
        matches!(&self.way, Way::Broken(script) if begins.contains(&script.begins))
    }
}

/// All faults, in the order of the document.
pub(super) fn http_faults() -> Vec<HttpFault> {
    let kinds = [of_the_connection(), of_tls(), of_the_response(), of_the_body(), of_the_status()];
    kinds.into_iter().flatten().collect()
}

fn broken(name: &str, begins: Begins, steps: Vec<Step>) -> HttpFault {
    let is_slow = steps.iter().any(|step| matches!(step, Step::Silence | Step::Trickle));
    HttpFault { name: name.to_owned(), way: Way::Broken(Script { begins, steps }), is_slow }
}

fn of_the_connection() -> Vec<HttpFault> {
    use Begins::{Connected, Received, Reused};
    let plain = |name: &str, way| HttpFault { name: name.to_owned(), way, is_slow: false };
    vec![
        plain("the connection is refused", Way::Refused),
        plain("the host has no address", Way::NoSuchHost),
        broken("a connection is closed at once", Connected, vec![]),
        broken("a connection is reset at once", Connected, vec![Step::Reset]),
        broken("a connection is accepted, and then silent", Connected, vec![Step::Silence]),
        broken("a greeting that is not HTTP", Connected, vec![Step::Say(b"220 mail ESMTP\r\n".to_vec())]),
        broken("the connection is closed after the request", Received, vec![]),
        broken("the connection is reset after the request", Received, vec![Step::Reset]),
        broken("no response", Received, vec![Step::Silence]),
        broken("a connection that was kept open is closed", Reused, vec![]),
        broken("a connection that was kept open is reset", Reused, vec![Step::Reset]),
        broken("a connection that was kept open is dead", Reused, vec![Step::Silence]),
    ]
}

fn of_tls() -> Vec<HttpFault> {
    let tls = |name: &str, steps| {
        let HttpFault { name, way, is_slow } = broken(name, Begins::Connected, steps);
        let Way::Broken(script) = way else { unreachable!("a script") };
        HttpFault { name, way: Way::BrokenTls(script), is_slow }
    };
    let plain = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    vec![
        tls("TLS: no TLS here", vec![Step::Say(plain.to_vec())]),
        tls("TLS: a certificate that nobody vouches for", vec![Step::Handshake(STRANGER.clone())]),
        tls("TLS: closed in the handshake", vec![]),
        tls("TLS: silent in the handshake", vec![Step::Silence]),
    ]
}

static STRANGER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| Authority::new().server(Flaw::Stranger));

fn of_the_response() -> Vec<HttpFault> {
    use Begins::Executed;
    let long = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n", "x".repeat(1 << 20));
    vec![
        broken("half of the headers, then closed", Executed, vec![Step::Head(0.5)]),
        broken("half of the headers, then silence", Executed, vec![Step::Head(0.5), Step::Silence]),
        broken("headers of a megabyte", Executed, vec![Step::Say(long.into_bytes())]),
        broken("half of the body, then closed", Executed, vec![Step::Head(1.0), Step::Body(0.5)]),
        broken("half of the body, then reset", Executed, vec![Step::Head(1.0), Step::Body(0.5), Step::Reset]),
        broken(
            "half of the body, then silence",
            Executed,
            vec![Step::Head(1.0), Step::Body(0.5), Step::Silence],
        ),
        broken("a byte every 100 ms", Executed, vec![Step::Trickle]),
    ]
}

/// A whole response.
fn response(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Status\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A gigabyte of spaces, compressed to a megabyte. Its end is missing.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let mut compressed = |text: &[u8]| {
        gzip.write_all(text).expect("memory");
        gzip.flush().expect("memory");
        std::mem::take(gzip.get_mut())
    };
    let begin = compressed(b"{\"data\":\"");
    let first = compressed(&[b' '; 1 << 20]);
    // What is compressed alike in each further megabyte.
    let further = compressed(&[b' '; 1 << 20]);
    [begin, first, further.repeat(1 << 10)].concat()
});

fn of_the_body() -> Vec<HttpFault> {
    const JSON: &str = "content-type: application/json\r\n";
    const GZIP: &str = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    let whole = |name: &str, headers: &str, body: &[u8]| {
        broken(name, Begins::Received, vec![Step::Say(response(200, headers, body))])
    };
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n".to_vec();
    vec![
        whole("an empty body", JSON, b""),
        whole("a body of random bytes", JSON, b"\x00\xff\x13\x37\xc0\xde"),
        whole("JSON without its end", JSON, b"{\"data\": {\"getMember"),
        whole("a page of HTML", "content-type: text/html\r\n", b"<!doctype html><h1>Welcome</h1>"),
        broken("chunks that cannot be read", Begins::Received, vec![Step::Say(chunked)]),
        whole("a body of 17 MiB", JSON, &vec![b' '; 17 << 20]),
        whole("gzip that cannot be read", GZIP, b"not gzip"),
        whole("a megabyte of gzip that becomes a gigabyte", GZIP, &BOMB),
    ]
}

fn of_the_status() -> Vec<HttpFault> {
    let status = |name: String, status: u16, headers: &str| {
        broken(&name, Begins::Received, vec![Step::Say(response(status, headers, b"<h1>Trouble</h1>"))])
    };
    let plain = [301, 302, 400, 401, 403, 404, 408, 413, 500, 502, 503, 504];
    let mut faults: Vec<_> = plain.map(|code| status(format!("HTTP {code}"), code, "")).into();
    faults.push(status("HTTP 429".to_owned(), 429, ""));
    for value in [
        "0",
        "5",
        "1.5",
        "-1",
        "soon",
        "",
        "600",
        "86400",
        "99999999999999999999",
        "Mon, 02 Mar 2026 08:00:00 GMT",
        "Mon, 02 Mar 2026 09:20:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        for code in [429, 503] {
            let shown =
                if value.is_empty() { "an empty `Retry-After`" } else { &format!("`Retry-After: {value}`") };
            let name = format!("HTTP {code} with {shown}");
            faults.push(status(name, code, &format!("retry-after: {value}\r\n")));
        }
    }
    faults
}
