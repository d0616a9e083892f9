//! The rows of the table: what was recorded, in words.

use chrono::TimeDelta;
use reconnectd::base::telemetry::LogCapture;
use std::{collections::BTreeSet, fs, path::PathBuf, sync::LazyLock};

/// The rows about one stage of one target.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) fault: String,
    pub(super) outcome: Outcome,
}

/// What the daemon made of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) concludes: String,
    pub(super) next: String,
    pub(super) seen: String,
}

impl Section {
    /// As Markdown. Faults with one outcome share a row.
    pub(super) fn markdown(&self) -> String {
        let mut merged: Vec<(Vec<&str>, &Outcome)> = Vec::new();
        for Row { fault, outcome } in &self.rows {
            match merged.iter_mut().find(|(_, known)| *known == outcome) {
                Some((faults, _)) => faults.push(fault),
                None => merged.push((vec![fault], outcome)),
            }
        }
        let mut text = format!(
            "## {}\n\n{}\n\n| fault | what the daemon concludes | what it does next | what you see |\n| --- | --- | --- | --- |\n",
            self.title, self.about
        );
        for (faults, Outcome { concludes, next, seen }) in merged {
            text.push_str(&format!("| {} | {concludes} | {next} | {seen} |\n", faults.join("; ")));
        }
        text
    }
}

/// The log from a moment on.
pub(super) struct LogSince<'a> {
    log: &'a LogCapture,
    start: usize,
}

impl<'a> LogSince<'a> {
    pub(super) fn now(log: &'a LogCapture) -> Self {
        Self { log, start: log.text().len() }
    }

    /// All lines of the test.
    pub(super) fn beginning(log: &'a LogCapture) -> Self {
        Self { log, start: 0 }
    }

    /// The lines that contain all these texts.
    pub(super) fn lines_with(&self, texts: &[&str]) -> Vec<String> {
        let log = self.log.text();
        let lines = log[self.start..].lines();
        lines.filter(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned).collect()
    }

    /// The events of all log lines, each with its level.
    pub(super) fn all_events(&self) -> BTreeSet<String> {
        self.lines_with(&["event=\""]).iter().filter_map(|line| event(line)).collect()
    }

    /// The events of log lines about `subject`, such as `member_id=m1`, each with its level.
    pub(super) fn events_about(&self, subjects: &[&str]) -> BTreeSet<String> {
        let mut events = BTreeSet::new();
        for line in self.lines_with(&["event=\""]) {
            let is_meant = subjects.iter().any(|subject| {
                line.split(' ').any(|word| word == *subject || word.trim_end_matches('"') == *subject)
            });
            events.extend(event(&line).filter(|_| is_meant));
        }
        events
    }
}

/// The event of a log line from INFO on, with its level.
fn event(line: &str) -> Option<String> {
    let level = ["ERROR", "WARN", "INFO"].into_iter().find(|level| line.contains(&format!(" {level} ")))?;
    Some(format!("`{}` ({level})", value(line, "event")?))
}

/// The value of a quoted field in a log line.
pub(super) fn value(line: &str, field: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{field}=\""))?;
    rest.split('"').next().map(str::to_owned)
}

/// A wait without its jitter, which lengthens it by up to a tenth.
pub(super) fn about(wait: TimeDelta) -> String {
    const STEPS: [i64; 16] =
        [1, 5, 10, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400];
    let seconds = (wait.num_milliseconds() + 999) / 1_000;
    if seconds <= 0 {
        return "at once".to_owned();
    }
    let exact = STEPS.into_iter().rfind(|step| (*step..=step + step / 10 + 1).contains(&seconds));
    let seconds = exact.unwrap_or(seconds);
    let text = match seconds {
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    };
    format!("after {text}")
}

/// The alerts whose query names this value of a label.
pub(super) fn alerts_on(metric: &str, label: &str) -> Vec<String> {
    static RULES: LazyLock<String> = LazyLock::new(|| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/reconnectd.rules.yaml");
        fs::read_to_string(path).expect("the alerts")
    });
    let alerts = RULES.split("- alert: ").skip(1);
    let is_meant = |alert: &&str| {
        let words = alert.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        alert.contains(metric) && words.clone().any(|word| word == label)
    };
    alerts.filter(is_meant).filter_map(|alert| alert.lines().next()).map(|name| format!("`{name}`")).collect()
}

/// A list, or a word for none.
pub(super) fn listed(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<_> = items.into_iter().collect();
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
}
