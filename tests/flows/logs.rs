//! What all tests of this binary have logged, at the finest level there is.

use reconnectd::{base::config::Telemetry, base::telemetry};
use std::{
    io,
    sync::{Mutex, Once, PoisonError},
};

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Logs as the daemon does, into memory.
pub(crate) fn capture(settings: &Telemetry) {
    static CAPTURED: Once = Once::new();
    CAPTURED.call_once(|| {
        let subscriber = telemetry::subscriber(settings, || Logged, false);
        tracing::subscriber::set_global_default(subscriber).expect("nobody else logs here");
    });
}

/// Everything logged so far.
pub(crate) fn so_far() -> String {
    String::from_utf8_lossy(&LOGGED.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

struct Logged;

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
