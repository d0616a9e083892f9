//! One log line: one line whatever it quotes, and with a priority for the system's journal.

use std::fmt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format::Writer};
use tracing_subscriber::registry::LookupSpan;

/// Formats with `inner`, and escapes control characters in the result, so that a value from outside cannot forge a line.
pub(super) struct LogLine<F> {
    pub(super) inner: F,
    /// `inner` writes colors.
    pub(super) has_colors: bool,
    /// Begin with the priority, as systemd reads it (sd-daemon(3)).
    pub(super) has_priority: bool,
}

impl<S, N, F> FormatEvent<S, N> for LogLine<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        if self.has_priority {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        writeln!(writer, "{}", escape(line.trim_end_matches('\n'), self.has_colors))
    }
}

/// The level of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn escape(line: &str, has_colors: bool) -> String {
    let mut escaped = String::with_capacity(line.len());
    for (at, c) in line.char_indices() {
        let is_color = has_colors && c == '\u{1b}' && begins_color(&line[at..]);
        if !is_color && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A sequence that selects colors, such as `ESC [ 2 m`. A value can contain one, too; it does no more than that.
fn begins_color(text: &str) -> bool {
    let parameters = text
        .strip_prefix("\u{1b}[")
        .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    parameters.is_some_and(|rest| rest.starts_with('m'))
}
