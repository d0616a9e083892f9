//! Captures the log of one test.
//!
//! Tests share a process, so one global subscriber logs everything at the finest level and sends each line to the test
//! whose thread wrote it. A subscriber per thread would be unreliable: `tracing` caches for all threads whether a
//! callsite is enabled, and another test's thread can be the first to reach it.

use super::logs::{Destination, subscriber};
use crate::base::config::{Config, DEFAULTS};
use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex, Once, PoisonError, Weak},
};

type Buffer = Mutex<Vec<u8>>;

thread_local! {
    static CURRENT: RefCell<Weak<Buffer>> = const { RefCell::new(Weak::new()) };
}

/// The log of the current thread, for as long as this exists. Captures on the same thread share one log.
///
/// Tasks of a `current_thread` runtime, which is the default of `tokio::test`, run on the test's thread and are included.
/// Other threads are not.
#[derive(Clone, Debug)]
pub struct LogCapture(Arc<Buffer>);

impl LogCapture {
    /// Starts capturing at level TRACE, in the daemon's own text format.
    pub fn start() -> Self {
        static GLOBAL: Once = Once::new();
        GLOBAL.call_once(|| {
            let mut settings = toml::from_str::<Config>(DEFAULTS).expect("the defaults are valid").telemetry;
            settings.log = "trace".parse().expect("a valid level");
            let subscriber = subscriber(&settings, || ThreadWriter, Destination::File);
            tracing::subscriber::set_global_default(subscriber).expect("tests log only through a capture");
        });
        CURRENT.with_borrow_mut(|current| {
            let buffer = current.upgrade().unwrap_or_default();
            *current = Arc::downgrade(&buffer);
            Self(buffer)
        })
    }

    /// The lines so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Writes to the current thread's capture, if it has one.
struct ThreadWriter;

impl io::Write for ThreadWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(buffer) = CURRENT.with_borrow(Weak::upgrade) {
            buffer.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_holds_the_lines_of_its_own_thread_only() {
        let log = LogCapture::start();
        let elsewhere = std::thread::spawn(|| {
            let log = LogCapture::start();
            tracing::trace!("second");
            log.text()
        });
        tracing::trace!("first");
        let elsewhere = elsewhere.join().unwrap();
        assert!(elsewhere.contains("second") && !elsewhere.contains("first"), "{elsewhere}");
        assert!(log.text().contains("first") && !log.text().contains("second"), "{}", log.text());
    }

    #[test]
    fn captures_of_one_thread_share_a_log_that_ends_with_the_last_of_them() {
        let first = LogCapture::start();
        let second = LogCapture::start();
        tracing::trace!("one");
        drop(first);
        tracing::trace!("two");
        assert!(second.text().contains("one") && second.text().contains("two"));
        drop(second);
        assert_eq!(LogCapture::start().text(), "");
    }
}
