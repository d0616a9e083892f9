//! What is said about the daemon itself: log lines on standard error, and metrics.

mod activity;
#[cfg(any(test, feature = "sim"))]
mod capture;
pub(crate) mod metrics;
mod outside;

pub(crate) use activity::Activity;
#[cfg(any(test, feature = "sim"))]
pub use capture::LogCapture;
pub(crate) use outside::{heartbeat, ready, stopping};

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
    EnvFilter,
    filter::{ParseError, Targets},
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
};

/// The target of everything of ours.
const OURS: &str = env!("CARGO_CRATE_NAME");

/// Why nothing could be logged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// The directives do not parse.
    #[error("telemetry.log is not understood")]
    Directives(#[from] ParseError),
    /// Somebody was here before.
    #[error("logging is set up already")]
    Twice(#[from] SetGlobalDefaultError),
}

/// Logs to standard error from now on, panics included. Once in a process.
///
/// # Errors
/// When the directives do not parse, or at the second call.
pub(crate) fn init(settings: &Telemetry) -> Result<(), InitError> {
    let subscriber = subscriber(settings, io::stderr, io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber)?;
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        log_panic(info.payload_as_str().unwrap_or("no message"), place.as_deref().unwrap_or("unknown"));
    }));
    Ok(())
}

/// What [`init`] logs with, writing to `writer`: for a test that reads what was logged.
///
/// # Errors
/// When the directives do not parse.
pub fn subscriber<W>(
    settings: &Telemetry,
    writer: W,
    ansi: bool,
) -> Result<impl Subscriber + use<W>, ParseError>
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    // At debug and trace, HTTP, TLS and SQL libraries log headers, frames and parameters: tokens and
    // addresses. No directive of the operator's may ask for that.
    let cap = Targets::new().with_default(LevelFilter::INFO).with_target(OURS, LevelFilter::TRACE);
    let text = settings.format == LogFormat::Text;
    let (for_people, for_machines) = (writer.clone(), writer);
    Ok(tracing_subscriber::registry()
        .with(EnvFilter::try_new(&settings.log)?)
        .with(cap)
        .with(text.then(|| fmt::layer().with_writer(for_people).with_ansi(ansi)))
        .with((!text).then(|| fmt::layer().json().flatten_event(true).with_writer(for_machines))))
}

/// A panic's message may quote what the code was working on.
fn log_panic(message: &str, location: &str) {
    tracing::error!(location, "panicked: {}", domain::mask(message));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// What was logged while `body` ran.
    fn logged(log: &str, format: LogFormat, body: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let settings =
            Telemetry { log: log.into(), format, heartbeat_url: String::new(), heartbeat_max_unclear: 0.1 };
        let writer = {
            let lines = Arc::clone(&lines);
            move || Shared(Arc::clone(&lines))
        };
        tracing::subscriber::with_default(subscriber(&settings, writer, false).unwrap(), body);
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
            tracing::info!(target: "hyper", "worth knowing");
            tracing::debug!("not worth it");
        });
        assert!(lines.contains("worth knowing") && !lines.contains("not worth it"), "{lines}");
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
