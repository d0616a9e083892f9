//! The documents name files and tests that exist.

use crate::source::Source;
use std::{fs, path::Path};

const FOLDERS: [&str; 7] = ["benches/", "config/", "deploy/", "migrations/", "src/", "tests/", ".ci/"];

/// References to files or tests that do not exist: links, and code spans such as `tests/flows/links.rs::name`.
pub(crate) fn breaches(document: &Source) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, line) in document.text.lines().enumerate() {
        let spans = line.split('`').skip(1).step_by(2).filter(|span| is_reference(span));
        let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
        let links = links.filter_map(|link| link.split('#').next()).map(|link| linked(document, link));
        for reference in spans.map(str::to_owned).chain(links) {
            if !exists(&reference) {
                let path = &document.path;
                found.push((path.clone(), format!("{path}:{}: {reference} does not exist", at + 1)));
            }
        }
    }
    found
}

/// A link starts at the document's folder, and stays within the project.
fn linked(document: &Source, link: &str) -> String {
    let mut path = Path::new(&document.path).parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link) {
        if part == ".." {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path.display().to_string()
}

/// A path, not a pattern.
fn is_reference(span: &str) -> bool {
    FOLDERS.iter().any(|folder| span.starts_with(folder)) && !span.contains(['<', '{', '*', ' '])
}

fn exists(reference: &str) -> bool {
    let (path, test) = reference.split_once("::").unwrap_or((reference, ""));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if test.is_empty() {
        return path.exists();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    ["fn ", "def "].iter().any(|keyword| text.contains(&format!("{keyword}{test}(")))
}

/// Settings such as `links.listen` that the default configuration does not have.
pub(crate) fn unknown_settings(document: &Source, defaults: &toml::Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, line) in document.text.lines().enumerate() {
        for span in line.split('`').skip(1).step_by(2).filter(|span| is_setting(span, defaults)) {
            let secret = span.strip_suffix("_file").unwrap_or(span);
            if ![span, secret].into_iter().any(|name| has_setting(defaults, name)) {
                let path = &document.path;
                found.push((path.clone(), format!("{path}:{}: there is no setting {span}", at + 1)));
            }
        }
    }
    found
}

/// Types of events that look like settings.
const EVENT_TYPES: [&str; 2] = ["storm.started", "storm.ended"];

fn is_setting(span: &str, defaults: &toml::Table) -> bool {
    if EVENT_TYPES.contains(&span) {
        return false;
    }
    let is_plain = span.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
    let section = span.split_once('.').map(|(section, _)| section);
    is_plain && !span.ends_with(".rs") && section.is_some_and(|section| defaults.contains_key(section))
}

fn has_setting(table: &toml::Table, name: &str) -> bool {
    match name.split_once('.') {
        Some((section, rest)) => {
            table.get(section).and_then(toml::Value::as_table).is_some_and(|table| has_setting(table, rest))
        }
        None => table.contains_key(name),
    }
}

/// Rows of the tables whose last column is "proof" without a test.
pub(crate) fn unproven(document: &Source) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut is_proofs = false;
    for (at, line) in document.text.lines().enumerate() {
        if !line.starts_with('|') {
            is_proofs = false;
        } else if line.ends_with("| proof |") {
            is_proofs = true;
        } else if is_proofs && !line.starts_with("| ---") {
            let proof = line.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
            if !proof.contains("`tests/") && !proof.contains("`src/") {
                found.push((document.path.clone(), format!("{}:{}: no proof", document.path, at + 1)));
            }
        }
    }
    found
}
