//! Requests a page at a fixed rate and prints the latencies' 50th and 99th percentiles in microseconds.
//!
//! `paced_load PORT PATH RATE SECONDS CONNECTIONS`, on loopback. A request that has to wait for its connection counts from
//! the time when it was due, so that a slow response also shows in the requests behind it.

#![expect(clippy::print_stdout, reason = "the percentiles are its output")]

use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Reads one response with status 200 and a `content-length`.
async fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(), Failure> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end])?;
        if !head.starts_with("HTTP/1.1 200") {
            return Err(head.lines().next().unwrap_or_default().to_owned().into());
        }
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.ok_or("the response has no length")?.1.trim().parse()?;
        if buffer.len() >= end + 4 + length {
            return Ok(());
        }
    }
}

/// The latencies of one connection, whose requests are due from `first` on.
async fn load(
    port: u16,
    request: String,
    first: Instant,
    interval: Duration,
    count: u32,
) -> Result<Vec<u128>, Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut latencies) = (Vec::with_capacity(64 << 10), Vec::new());
    for index in 0..count {
        let due = first + interval * index;
        let is_late = Instant::now() > due;
        sleep_until(due).await;
        // The timer wakes up to a millisecond late, which is no fault of the server.
        let started = if is_late { due } else { Instant::now() };
        stream.write_all(request.as_bytes()).await?;
        read_response(&mut stream, &mut buffer).await?;
        latencies.push(started.elapsed().as_micros());
    }
    Ok(latencies)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, path, rate, seconds, connections] = &arguments[..] else {
        return Err("usage: paced_load PORT PATH RATE SECONDS CONNECTIONS".into());
    };
    let port: u16 = port.parse()?;
    let (rate, seconds): (f64, f64) = (rate.parse()?, seconds.parse()?);
    let connections: u32 = connections.parse()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    let interval = Duration::from_secs_f64(f64::from(connections) / rate);
    let count = (seconds / interval.as_secs_f64()) as u32;
    let begin = Instant::now() + Duration::from_millis(50);
    let tasks: Vec<_> = (0..connections)
        .map(|index| {
            let first = begin + interval * index / connections;
            tokio::spawn(load(port, request.clone(), first, interval, count))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    latencies.sort_unstable();
    let percentile = |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or_default();
    println!("{} {}", percentile(50), percentile(99));
    Ok(())
}
