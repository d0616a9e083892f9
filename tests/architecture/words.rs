//! Phrases that comments, documents and texts must not contain, because they make a reader stumble.

use crate::source::Source;

/// Matched as they are, anywhere.
const PHRASES: [&str; 9] = [
    "Whoever",
    "Who ",
    "Whose.",
    " of ours",
    "comes to ",
    "takes leave",
    "thinks better",
    "in vain",
    " anew",
];
/// Matched as whole words, in any case.
const WORDS: [&str; 4] = ["mails", "likewise", "besides", "whoever"];

/// Lines with such phrases, in comments and strings of Rust files and anywhere in others.
pub(crate) fn breaches(source: &Source) -> Vec<(String, String)> {
    let prose = if source.path.ends_with(".rs") { prose(&source.text) } else { source.text.clone() };
    let mut found = Vec::new();
    for (at, line) in prose.lines().enumerate() {
        let lower = without_expressions(line).to_lowercase();
        let words: Vec<_> = lower.split(is_boundary).map(|word| word.trim_end_matches(['.', ':'])).collect();
        let phrases = PHRASES.iter().filter(|phrase| line.contains(**phrase));
        let mut report = |phrase: &str| {
            found.push((source.path.clone(), format!("{}:{}: {:?}", source.path, at + 1, phrase.trim())));
        };
        phrases.chain(WORDS.iter().filter(|word| words.contains(word))).for_each(|phrase| report(phrase));
        // "As the gateway has it", but not "no member has it".
        if words.contains(&"as") && lower.contains(" has it") {
            report("as … has it");
        }
    }
    found
}

/// Dots and slashes belong to words, so that the names of files and routes are none.
fn is_boundary(c: char) -> bool {
    !c.is_alphanumeric() && !['_', '\'', '.', '/', ':'].contains(&c)
}

/// The line without the expressions of a template.
fn without_expressions(line: &str) -> String {
    let parts = line.split("{").enumerate();
    parts.map(|(at, part)| if at == 0 { part } else { part.rsplit('}').next().unwrap_or_default() }).collect()
}

/// The text with blanks instead of code; lines stay where they are.
fn prose(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = prose_length(rest);
        let (token, after) = rest.split_at(length.or_else(|| quote_length(rest)).unwrap_or(first.len_utf8()));
        if length.is_some() {
            out += token;
        } else {
            out.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' }));
        }
        rest = after;
    }
    out
}

/// The length of the comment or string that starts here.
fn prose_length(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if let Some(rest) = text.strip_prefix('r') {
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        let body = rest[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(body.find(&end).map_or(text.len(), |at| 2 + hashes + at + end.len()));
    }
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => drop(chars.next()),
            '"' => return Some(at + 2),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of a character literal that is a quotation mark.
fn quote_length(text: &str) -> Option<usize> {
    ["'\"'", "'\\\"'"].iter().find(|quote| text.starts_with(**quote)).map(|quote| quote.len())
}
