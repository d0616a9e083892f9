//! Finds places in templates.

/// `file:line`, or `file` when the line is unknown (0).
pub(crate) fn place(file: &str, line: usize) -> String {
    if line > 0 { format!("{file}:{line}") } else { file.to_owned() }
}

/// The line that uses a variable, counted from 1; 0 if there is none. The parser does not report it, so this finds the
/// first line with the word in a tag.
pub(super) fn line_of_variable(source: &str, variable: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let names_it = |line: &str| line.split(|c| !is_word(c)).any(|word| word == variable);
    let lines = || source.lines().enumerate();
    lines()
        .find(|(_, line)| names_it(line) && (line.contains("{{") || line.contains("{%")))
        .or_else(|| lines().find(|(_, line)| names_it(line)))
        .map_or(0, |(index, _)| index + 1)
}

/// Whether a template includes, imports or extends a file.
pub(super) fn mentions(source: &str, file: &str) -> bool {
    ['"', '\''].iter().any(|quote| source.contains(&format!("{quote}{file}{quote}")))
}
