//! Warnings about an operator's own templates. They stop nothing: the variables alone decide what an email can reveal.

use super::builtin;
use crate::base::config::Disclosure;
use crate::base::templates::{TemplateSet, place};
use std::{collections::BTreeSet, fmt};

/// The beginnings of words that reveal a status or the kind of a source, in lower case.
const REVEALING_STEMS: [&str; 15] = [
    "expir",
    "disconnect",
    "revok",
    "caduc",
    "vencid",
    "desconect",
    "revoc",
    "pharmac",
    "farmaci",
    "laborator",
    "insur",
    "asegurador",
    "clinic",
    "clínic",
    "hospital",
];

/// Something in a template that the operator should look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TemplateWarning {
    file: String,
    /// Counted from 1; 0: the whole file.
    line: usize,
    problem: String,
}

impl TemplateWarning {
    pub(super) fn about_file(file: String, problem: String) -> Self {
        Self { file, line: 0, problem }
    }
}

impl fmt::Display for TemplateWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", place(&self.file, self.line), self.problem)
    }
}

/// Files that no email uses at this level, and, under `generic`, words that may reveal what the level hides.
pub(in crate::mail) fn warnings(templates: &TemplateSet, level: Disclosure) -> Vec<TemplateWarning> {
    // A regional language can use the files of its language, so a file can appear twice.
    let mut warnings = BTreeSet::new();
    for (name, file, source) in templates.overrides() {
        let mut warn = |line, problem| {
            warnings.insert(TemplateWarning { file: file.to_owned(), line, problem });
        };
        let short = name.rsplit('/').next().unwrap_or(name);
        if builtin::is_known(short) && builtin::used_files(level).all(|used| used != short) {
            warn(0, format!("no email uses this file with notices.disclosure = \"{}\"", level.as_str()));
            continue;
        }
        if level != Disclosure::Generic {
            continue;
        }
        for (index, line) in source.lines().enumerate() {
            if let Some(word) = revealing_word(line).filter(|_| !is_built_in(name, line)) {
                let problem = format!(
                    "{word:?} may reveal a status or a kind of source, which notices.disclosure = \"generic\" hides"
                );
                warn(index + 1, problem);
            }
        }
    }
    warnings.into_iter().collect()
}

fn revealing_word(line: &str) -> Option<&str> {
    line.split(|c: char| !c.is_alphanumeric()).find(|word| {
        let lower = word.to_lowercase();
        REVEALING_STEMS.iter().any(|stem| lower.starts_with(stem))
    })
}

/// Whether the operator copied the line from the built-in template.
fn is_built_in(name: &str, line: &str) -> bool {
    builtin::find(name).is_some_and(|text| text.lines().any(|other| other == line))
}
