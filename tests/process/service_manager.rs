//! What the daemon tells its service manager.

use crate::harness::{Daemon, Home, PATIENCE, simulator};
use tokio::net::UnixDatagram;

/// The service manager's end of the socket, and the lines that it has received.
struct ServiceManager {
    socket: UnixDatagram,
    lines: Vec<String>,
}

impl ServiceManager {
    fn of(home: &mut Home) -> Self {
        let path = home.path("notify.sock");
        home.variable("NOTIFY_SOCKET", path.to_str().unwrap());
        Self { socket: UnixDatagram::bind(path).unwrap(), lines: Vec::new() }
    }

    /// Receives until `find` finds something in the lines so far.
    async fn until<T>(&mut self, what: &str, find: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find(&self.lines) {
                return found;
            }
            let mut message = [0; 4096];
            let received = tokio::time::timeout_at(deadline, self.socket.recv(&mut message)).await;
            let length = received.unwrap_or_else(|_| panic!("no {what} in {:?}", self.lines)).unwrap();
            let message = String::from_utf8_lossy(&message[..length]);
            self.lines.extend(message.lines().map(str::to_owned));
        }
    }

    /// Waits for a line that begins like this. Returns the rest of it.
    async fn line(&mut self, start: &str) -> String {
        self.until(start, |lines| lines.iter().find_map(|line| line.strip_prefix(start)).map(str::to_owned))
            .await
    }

    fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|received| received == line)
    }
}

fn assert_time(text: &str) {
    assert!(chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text:?}");
}

#[tokio::test]
async fn the_daemon_feeds_the_watchdog_reports_its_sweeps_and_asks_for_the_time_that_a_shutdown_needs() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.set("sweep.schedule", "0 0 0 1 1 *").set("gateway.timeout", "100s").enrol(&["alice"]).await;
    let mut manager = ServiceManager::of(&mut home);
    home.variable("WATCHDOG_USEC", "900000");
    let Daemon { running, .. } = home.daemon().await;
    manager.line("READY=1").await;
    let fed = |lines: &[String]| lines.iter().filter(|line| *line == "WATCHDOG=1").count();
    manager.until("watchdog messages", |lines| (fed(lines) >= 3).then_some(())).await;
    let status = manager.line("STATUS=last sweep ").await;
    let (last, next) = status.split_once(" (complete); next sweep ").expect("both sweeps");
    assert_time(last);
    assert!(next.ends_with("-01-01T00:00:00Z"), "{next}");

    let log = running.stderr();
    let line = log.lines().find(|line| line.contains("schedule=")).unwrap();
    let upcoming = line.split_once("next_sweeps=\"").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    let upcoming: Vec<&str> = upcoming.split(" and ").collect();
    assert_eq!((upcoming.len(), upcoming[0]), (2, next));
    assert_time(upcoming[1]);

    running.stopped().await.well();
    manager.line("STOPPING=1").await;
    for limit in ["EXTEND_TIMEOUT_USEC=", "WATCHDOG_USEC="] {
        let microseconds = manager.line(limit).await.parse::<u64>().unwrap();
        assert!(microseconds > 120_000_000, "{limit} is longer than the gateway's timeout: {microseconds}");
    }
}

#[tokio::test]
async fn without_a_watchdog_the_daemon_reports_its_start_its_sweeps_its_reloads_and_its_end() {
    let simulator = simulator(0).await;
    let mut home = Home::new(&simulator);
    home.enrol(&["alice"]).await;
    let mut manager = ServiceManager::of(&mut home);
    let Daemon { running, .. } = home.daemon().await;
    manager.line("READY=1").await;
    manager.line("STATUS=").await;
    let ready = |lines: &[String]| lines.iter().filter(|line| *line == "READY=1").count();
    for broken in [false, true] {
        manager.lines.clear();
        if broken {
            home.set("links.ttl", "sometime");
        }
        running.signal("HUP");
        manager.until("the end of a reload", |lines| (ready(lines) > 0).then_some(())).await;
        let begin = manager.lines.iter().position(|line| line == "RELOADING=1").expect("a begin");
        assert!(manager.lines[begin + 1].starts_with("MONOTONIC_USEC="), "{:?}", manager.lines);
    }
    assert!(!manager.has("STOPPING=1"));
    running.stopped().await.well();
    manager.line("STOPPING=1").await;
    assert!(!manager.has("WATCHDOG=1"));
}
