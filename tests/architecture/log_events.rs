//! The names of log lines, which operators build on.

use crate::source::Source;
use std::collections::BTreeSet;

const MACROS: [&str; 3] = ["tracing::error!(", "tracing::warn!(", "tracing::info!("];

/// Log lines from level INFO on that have no `event`.
pub(crate) fn lines_without(source: &Source) -> Vec<(String, String)> {
    let text = without_tests(&source.text);
    let calls =
        MACROS.iter().flat_map(|name| text.match_indices(name).map(|(at, name)| (at, at + name.len())));
    let unnamed = calls.filter(|(_, from)| {
        let arguments = arguments(&text[*from..]);
        !arguments.trim_start().starts_with("event")
    });
    unnamed
        .map(|(at, _)| {
            let line = text[..at].matches('\n').count() + 1;
            (source.path.clone(), format!("{}:{line}: a log line without an event", source.path))
        })
        .collect()
}

/// The names of a file's log lines. Where the name is chosen, the choices are literals in the lines before.
pub(crate) fn names(source: &Source) -> BTreeSet<String> {
    let text = without_tests(&source.text);
    let mut found = BTreeSet::new();
    for name in MACROS {
        for (at, name) in text.match_indices(name) {
            let arguments = arguments(&text[at + name.len()..]).trim_start();
            match arguments.strip_prefix("event = \"") {
                Some(rest) => found.extend(rest.split('"').next().map(str::to_owned)),
                None => found.extend(choices(&text[..at])),
            }
        }
    }
    found
}

/// The literals after the last `let event`.
fn choices(before: &str) -> Vec<String> {
    let Some(at) = before.rfind("let event = ") else { return Vec::new() };
    before[at..].split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names in the first column of the document's table of events.
pub(crate) fn documented(document: &Source) -> BTreeSet<String> {
    let rows = document.text.lines().skip_while(|line| *line != "| event | meaning |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.split('`').nth(1)).map(str::to_owned).collect()
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()
}

/// The text up to the end of a macro's call.
fn arguments(text: &str) -> &str {
    text.split_once(");").map_or(text, |(arguments, _)| arguments)
}
