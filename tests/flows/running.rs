//! A daemon whose loops run in this process.

use crate::harness::Harness;
use reconnectd::server::Daemon;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct RunningDaemon {
    stop: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl RunningDaemon {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.expect("no panic").expect("the daemon ends well");
    }

    /// Waits until the daemon ends by itself.
    pub(crate) async fn failure(self) -> anyhow::Error {
        self.running.await.expect("no panic").expect_err("the daemon fails")
    }
}

impl Harness {
    /// Starts a daemon on the same files, with these settings changed.
    pub(crate) async fn run_daemon(&self, settings: &[(&str, &str)]) -> RunningDaemon {
        let free_ports = [("LINKS__LISTEN", "127.0.0.1:0"), ("ADMIN__LISTEN", "127.0.0.1:0")];
        let app = self.another_app(&[&free_ports, settings].concat()).await;
        let daemon = Daemon::start(app, None).await.expect("the daemon starts");
        let stop = CancellationToken::new();
        let running = tokio::spawn(daemon.run(stop.clone()));
        RunningDaemon { stop, running }
    }
}

/// Calls `look` until it returns true.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("timed out waiting for {what}");
}
