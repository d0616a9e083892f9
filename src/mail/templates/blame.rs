//! Which line of which file is at fault.

use super::{Templates, own::mentions};
use crate::mail::words;

impl Templates {
    /// Which of the `files` that a mail is made of, or of those that they include, is at fault, and its line: an
    /// operator's rather than a built-in one. `line_of` finds it in a template's source, which may be HTML; 0 when it is
    /// not there. When it is nowhere, the first file.
    pub(in crate::mail) fn blame(
        &self,
        language: &str,
        files: &[String],
        line_of: impl Fn(&str, bool) -> usize,
    ) -> (String, usize) {
        let found: Vec<_> = self
            .with_included(language, files)
            .into_iter()
            .filter_map(|name| {
                let template = self.environment.get_template(&name).ok()?;
                let line = line_of(template.source(), name.ends_with(".html"));
                Some((self.origins.get(&name)?, line))
            })
            .collect();
        let holds = |is_override| {
            found.iter().find(move |(origin, line)| origin.is_override == is_override && *line > 0)
        };
        holds(true)
            .or_else(|| found.iter().find(|(origin, _)| origin.is_override))
            .or_else(|| holds(false))
            .or(found.first())
            .map_or_else(Default::default, |(origin, line)| (origin.file.clone(), *line))
    }

    fn with_included(&self, language: &str, files: &[String]) -> Vec<String> {
        let prefix = format!("{language}/");
        let mut names: Vec<String> = files.iter().map(|file| format!("{prefix}{file}")).collect();
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            next += 1;
            let Ok(template) = self.environment.get_template(&name) else { continue };
            let of_language = self.origins.keys().filter_map(|name| name.strip_prefix(&prefix));
            for file in of_language.filter(|file| mentions(template.source(), file)) {
                let name = format!("{prefix}{file}");
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

/// The parser tells no line for a variable: the first line that has the word inside a tag.
pub(in crate::mail) fn line_naming(source: &str, variable: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let names_it = |line: &str| line.split(|c| !is_word(c)).any(|word| word == variable);
    let lines = || source.lines().enumerate();
    lines()
        .find(|(_, line)| names_it(line) && (line.contains("{{") || line.contains("{%")))
        .or_else(|| lines().find(|(_, line)| names_it(line)))
        .map_or(0, |(index, _)| index + 1)
}

/// The line that holds the first of the `words` that is there at all, and of such lines the one that holds most of the
/// others.
pub(in crate::mail) fn line_holding(source: &str, html: bool, words: &[String]) -> usize {
    let held = |line| words.iter().map(|word| words::holds(line, html, word)).collect::<Vec<_>>();
    let lines: Vec<Vec<bool>> = source.lines().map(held).collect();
    let count = |held: &[bool]| held.iter().filter(|held| **held).count();
    let of_word = |word: usize| {
        let holding = lines.iter().enumerate().filter(|(_, held)| held[word]);
        // The first of those that are alike.
        holding.rev().max_by_key(|(_, held)| count(held)).map(|(index, _)| index + 1)
    };
    (0..words.len()).find_map(of_word).unwrap_or(0)
}
