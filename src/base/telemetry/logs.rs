//! Log lines on standard error.

use super::log_line::LogLine;
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
    Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::{Layer, SubscriberExt},
    reload,
};

/// The target of this crate's log lines.
const CRATE: &str = env!("CARGO_CRATE_NAME");

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Changes what is logged, and how, while the process runs.
#[derive(Clone)]
pub(crate) struct LogSettings {
    lines: reload::Handle<Lines, Registry>,
    destination: Destination,
}

impl LogSettings {
    pub(crate) fn apply(&self, settings: &Telemetry) {
        if let Err(error) = self.lines.reload(lines(settings, io::stderr, self.destination)) {
            tracing::error!(event = "log_settings_kept", %error, "cannot change the log");
        }
    }
}

/// Logs to standard error from now on, panics included.
///
/// # Errors
/// At the second call in a process.
pub(crate) fn init(settings: &Telemetry) -> Result<LogSettings, SetGlobalDefaultError> {
    let destination = Destination::of_process();
    let (layer, handle) = reload::Layer::new(lines(settings, io::stderr, destination));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        log_panic(
            info.payload_as_str().unwrap_or("no message"),
            location.as_deref().unwrap_or("unknown location"),
        );
    }));
    Ok(LogSettings { lines: handle, destination })
}

/// What reads the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Shows colors.
    Terminal,
    File,
    /// The system's journal, which has its own times and priorities.
    Journal,
}

impl Destination {
    fn of_process() -> Self {
        let variable = |name| std::env::var(name).ok();
        if variable("JOURNAL_STREAM").is_some_and(|stream| is_stderr(&stream)) {
            Self::Journal
        } else if io::stderr().is_terminal()
            && shows_colors(variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
        {
            Self::Terminal
        } else {
            Self::File
        }
    }
}

/// See <https://no-color.org>.
fn shows_colors(no_color: Option<&str>, term: Option<&str>) -> bool {
    no_color.is_none_or(str::is_empty) && term != Some("dumb")
}

/// Whether `stream`, device and inode as systemd writes them, is the standard error: it may have been redirected since.
#[cfg(unix)]
fn is_stderr(stream: &str) -> bool {
    use std::os::{fd::AsFd, unix::fs::MetadataExt};
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    let metadata = std::fs::File::from(stderr).metadata();
    metadata.is_ok_and(|metadata| format!("{}:{}", metadata.dev(), metadata.ino()) == stream)
}

#[cfg(not(unix))]
fn is_stderr(_stream: &str) -> bool {
    false
}

/// The subscriber of [`init`], for tests that read the log.
pub fn subscriber<W>(settings: &Telemetry, writer: W, destination: Destination) -> impl Subscriber + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::registry().with(lines(settings, writer, destination))
}

fn lines<W>(settings: &Telemetry, writer: W, destination: Destination) -> Lines
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    // At debug and trace, HTTP, TLS, and SQL libraries log headers, frames, and parameters: tokens and addresses.
    // `telemetry.log` cannot raise their level.
    let cap = Targets::new().with_default(LevelFilter::INFO).with_target(CRATE, LevelFilter::TRACE);
    let in_journal = destination == Destination::Journal;
    let has_colors = destination == Destination::Terminal;
    let plain = fmt::layer().with_writer(writer);
    let lines = match settings.format {
        LogFormat::Json => {
            let inner = fmt::format().json().flatten_event(true);
            let format = LogLine { inner, has_colors: false, has_priority: in_journal };
            plain.json().event_format(format).boxed()
        }
        LogFormat::Text if in_journal => {
            let inner = fmt::format().with_ansi(false).without_time();
            plain.event_format(LogLine { inner, has_colors: false, has_priority: true }).boxed()
        }
        LogFormat::Text => {
            let inner = fmt::format().with_ansi(has_colors);
            plain.event_format(LogLine { inner, has_colors, has_priority: false }).boxed()
        }
    };
    settings.log.filter().and_then(cap).and_then(lines).boxed()
}

/// Masks the message, because it can quote a member's data.
fn log_panic(message: &str, location: &str) {
    tracing::error!(event = "panicked", location, "panicked: {}", domain::mask(message));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Config;
    use crate::domain::{MemberId, Time};
    use std::sync::{Arc, Mutex};

    /// Returns the log lines of `body`.
    fn logged(log: &str, format: LogFormat, body: impl FnOnce()) -> String {
        logged_to(Destination::File, log, format, body)
    }

    fn logged_to(destination: Destination, log: &str, format: LogFormat, body: impl FnOnce()) -> String {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let defaults = Config::load(None, [("", ""); 0]).unwrap().config.telemetry;
        let settings = Telemetry { log: log.parse().unwrap(), format, ..defaults };
        let writer = {
            let lines = Arc::clone(&lines);
            move || Shared(Arc::clone(&lines))
        };
        tracing::subscriber::with_default(subscriber(&settings, writer, destination), body);
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
    fn a_value_from_outside_cannot_forge_a_line_or_colors() {
        let id = "epic\n2026-01-01T00:00:00Z ERROR reconnectd: forged\r\u{2028}\u{1b}[2J\u{85}";
        for destination in [Destination::File, Destination::Terminal, Destination::Journal] {
            let lines = logged_to(destination, "info", LogFormat::Text, || {
                tracing::info!(connection = %id, other = id, "polled {id}");
            });
            assert_eq!(lines.lines().count(), 1, "{lines}");
            assert!(lines.ends_with('\n') && !lines.contains(['\r', '\u{2028}', '\u{85}']), "{lines:?}");
            assert!(!lines.contains("\u{1b}[2J") && lines.contains("forged"), "{lines:?}");
            assert_eq!(lines.contains('\u{1b}'), destination == Destination::Terminal, "{lines:?}");
        }
    }

    #[test]
    fn the_journal_gets_priorities_and_no_times() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged_to(Destination::Journal, "debug", format, || {
                tracing::error!("one");
                tracing::warn!("two");
                tracing::info!("three");
                tracing::debug!("four");
            });
            let priorities: Vec<_> = lines.lines().map(|line| line.get(..3).unwrap()).collect();
            assert_eq!(priorities, ["<3>", "<4>", "<6>", "<7>"], "{lines}");
        }
        let line =
            logged_to(Destination::Journal, "info", LogFormat::Text, || tracing::warn!(members = 3, "x"));
        assert_eq!(line.trim_end(), "<4> WARN reconnectd::base::telemetry::logs::tests: x members=3");
    }

    #[test]
    fn colors_are_for_terminals_that_want_them() {
        assert!(shows_colors(None, None) && shows_colors(Some(""), Some("xterm")));
        assert!(!shows_colors(Some("1"), Some("xterm")) && !shows_colors(None, Some("dumb")));
    }

    #[test]
    fn json_lines_hold_the_fields_at_the_top() {
        let lines = logged("info", LogFormat::Json, || {
            let (member, request_id) = (MemberId::from("alice"), None::<&str>);
            tracing::warn!(event = "member_unclear", member_id = %member, request_id, tries = 3, "no response");
        });
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert!(line["timestamp"].as_str().unwrap().parse::<Time>().is_ok(), "{line}");
        for (field, expected) in [
            ("level", "WARN"),
            ("message", "no response"),
            ("event", "member_unclear"),
            ("member_id", "alice"),
        ] {
            assert_eq!(line[field], expected, "{line}");
        }
        assert_eq!((&line["tries"], line.get("request_id")), (&3.into(), None));
    }

    #[test]
    fn the_level_and_the_format_can_change_while_it_logs() {
        let lines_so_far = Arc::new(Mutex::new(Vec::new()));
        let writer = || {
            let lines = Arc::clone(&lines_so_far);
            move || Shared(Arc::clone(&lines))
        };
        let defaults = Config::load(None, [("", ""); 0]).unwrap().config.telemetry;
        let of = |log: &str, format| {
            let settings = Telemetry { log: log.parse().unwrap(), format, ..defaults.clone() };
            lines(&settings, writer(), Destination::File)
        };
        let (layer, handle) = reload::Layer::new(of("info", LogFormat::Text));
        let log = |number: u8| {
            tracing::debug!(number, "detail");
            tracing::info!(number, "news");
        };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            log(1);
            handle.reload(of("debug", LogFormat::Json)).unwrap();
            log(2);
            handle.reload(of("warn", LogFormat::Text)).unwrap();
            log(3);
        });
        let text = String::from_utf8(lines_so_far.lock().unwrap().clone()).unwrap();
        let found: Vec<_> = text
            .lines()
            .map(|line| (line.contains("detail"), line.contains("\"number\":2"), line.contains("number=1")))
            .collect();
        assert_eq!(found, [(false, false, true), (true, true, false), (false, true, false)], "{text}");
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_what_it_quotes() {
        let lines =
            logged("info", LogFormat::Text, || log_panic("no alice@example.org here", "src/x.rs:1:2"));
        assert!(lines.contains("ERROR") && lines.contains("src/x.rs:1:2"), "{lines}");
        assert!(lines.contains("no [address] here"), "{lines}");
    }
}
