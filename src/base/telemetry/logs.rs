//! Log lines on standard error.

use crate::{
    base::config::{LogFormat, Telemetry},
    domain,
};
use std::{
    io::{self, IsTerminal},
    panic,
};
use tracing::{Subscriber, level_filters::LevelFilter, subscriber::SetGlobalDefaultError};
use tracing_subscriber::{
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// The target of this crate's log lines.
const CRATE: &str = env!("CARGO_CRATE_NAME");

/// Logs to standard error from now on, panics included.
///
/// # Errors
/// At the second call in a process.
pub(crate) fn init(settings: &Telemetry) -> Result<(), SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(subscriber(settings, io::stderr, io::stderr().is_terminal()))?;
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        log_panic(
            info.payload_as_str().unwrap_or("no message"),
            location.as_deref().unwrap_or("unknown location"),
        );
    }));
    Ok(())
}

/// The subscriber of [`init`], for tests that read the log.
pub fn subscriber<W>(settings: &Telemetry, writer: W, ansi: bool) -> impl Subscriber + use<W>
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    // At debug and trace, HTTP, TLS, and SQL libraries log headers, frames, and parameters: tokens and addresses.
    // `telemetry.log` cannot raise their level.
    let cap = Targets::new().with_default(LevelFilter::INFO).with_target(CRATE, LevelFilter::TRACE);
    let is_text = settings.format == LogFormat::Text;
    let (text_writer, json_writer) = (writer.clone(), writer);
    tracing_subscriber::registry()
        .with(settings.log.filter())
        .with(cap)
        .with(is_text.then(|| fmt::layer().with_writer(text_writer).with_ansi(ansi)))
        .with((!is_text).then(|| fmt::layer().json().flatten_event(true).with_writer(json_writer)))
}

/// Masks the message, because it can quote a member's data.
fn log_panic(message: &str, location: &str) {
    tracing::error!(location, "panicked: {}", domain::mask(message));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// Returns the log lines of `body`.
    fn logged(log: &str, format: LogFormat, body: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let settings =
            Telemetry { log: log.parse().unwrap(), format, heartbeat_url: None, heartbeat_max_unclear: 0.1 };
        let writer = {
            let lines = Arc::clone(&lines);
            move || Shared(Arc::clone(&lines))
        };
        tracing::subscriber::with_default(subscriber(&settings, writer, false), body);
        String::from_utf8(lines.lock().unwrap().clone()).unwrap()
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn dependencies_never_log_below_info_whatever_the_directives_ask() {
        for directives in ["trace", "trace,hyper=trace", "hyper::proto=trace,reconnectd=trace"] {
            let lines = logged(directives, LogFormat::Text, || {
                tracing::trace!(target: "hyper::proto", "a frame with a token");
                tracing::debug!(target: "h2", "a header with a token");
                tracing::trace!("our own");
            });
            assert!(!lines.contains("token") && lines.contains("our own"), "{directives}: {lines}");
        }
        let lines = logged("info", LogFormat::Text, || {
            tracing::info!(target: "hyper", "shown");
            tracing::debug!("hidden");
        });
        assert!(lines.contains("shown") && !lines.contains("hidden"), "{lines}");
    }

    #[test]
    fn the_level_can_be_set_for_a_part_of_ours() {
        let lines = logged("warn,reconnectd::detect=debug", LogFormat::Text, || {
            tracing::debug!(target: "reconnectd::detect", "asked");
            tracing::info!(target: "reconnectd::deliver", "left out");
        });
        assert!(lines.contains("asked") && !lines.contains("left out"), "{lines}");
    }

    #[test]
    fn json_lines_hold_the_fields_at_the_top() {
        let lines = logged("info", LogFormat::Json, || tracing::info!(members = 3, "swept"));
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!((&line["members"], &line["message"]), (&3.into(), &"swept".into()));
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_what_it_quotes() {
        let lines =
            logged("info", LogFormat::Text, || log_panic("no alice@example.org here", "src/x.rs:1:2"));
        assert!(lines.contains("ERROR") && lines.contains("src/x.rs:1:2"), "{lines}");
        assert!(lines.contains("no [address] here"), "{lines}");
    }
}
