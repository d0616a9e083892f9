//! The line of a setting without its value, which can be a secret, and a mark under the place of an error.

use super::schema;
use std::fmt;
use std::ops::Range;

/// Characters of a key that are shown.
const MAX_KEY: usize = 60;
const ELLIPSIS: &str = "…";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Excerpt {
    number: usize,
    line: String,
    /// What precedes the mark: spaces, and the tabs of the line.
    indent: String,
    /// In columns of a terminal.
    width: usize,
}

impl Excerpt {
    /// Of the key, or the part of a dotted key, at `span` (in bytes).
    pub(super) fn of_key(text: &str, span: Range<usize>) -> Option<Self> {
        let (number, line, start) = line_at(text, span.start)?;
        let (before, rest) = line.split_at_checked(span.start - start)?;
        let (key, after) = rest.split_at_checked(span.end.checked_sub(span.start)?)?;
        let blank = &before[..before.len() - before.trim_start().len()];
        // Anything else than the start of a header or of a dotted key can be the end of a value.
        let is_plain = before.chars().all(|c| is_bare(c) || c == '[');
        let before = if is_plain { before.to_owned() } else { format!("{blank}{ELLIPSIS} ") };
        let key = printable(key);
        let rest_of_key: String = after.chars().take_while(|c| is_bare(*c)).collect();
        let value = &after[rest_of_key.len()..];
        let after = match value.chars().next() {
            Some('=') => format!("{} = {ELLIPSIS}", rest_of_key.trim_end()),
            Some(']') => {
                format!("{rest_of_key}{}", "]".repeat(value.len() - value.trim_start_matches(']').len()))
            }
            Some(_) => format!("{rest_of_key}{ELLIPSIS}"),
            None => rest_of_key,
        };
        let (indent, width) = (indent(&before), columns(&key).max(1));
        Some(Self { number, line: format!("{before}{key}{after}"), indent, width })
    }

    /// Of a place where the file is not TOML, which may be within a secret. So the line is shown only if it begins with a
    /// known key.
    pub(super) fn of_syntax_error(text: &str, at: usize) -> Option<Self> {
        let (number, line, start) = line_at(text, at)?;
        let (key, _) = line.split_once('=')?;
        let name = key.trim();
        let is_known = !name.is_empty()
            && schema::keys().any(|known| {
                known.strip_suffix(name).is_some_and(|section| section.is_empty() || section.ends_with('.'))
            });
        if !is_known {
            return None;
        }
        let key = key.trim_end();
        let before = line.get(..at - start).filter(|before| before.len() < key.len());
        let indent = match before {
            Some(before) => indent(before),
            None => indent(&format!("{key} = ")),
        };
        Some(Self { number, line: format!("{key} = {ELLIPSIS}"), indent, width: 1 })
    }
}

/// The number of the line, from 1, its text, and where it starts.
fn line_at(text: &str, at: usize) -> Option<(usize, &str, usize)> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    Some((before.matches('\n').count() + 1, line, start))
}

/// The columns of a text on a terminal. Without zero-width characters, which are rare in keys.
fn columns(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '\t')
}

fn printable(key: &str) -> String {
    let shown: String =
        key.chars().take(MAX_KEY).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if key.chars().count() > MAX_KEY { shown + ELLIPSIS } else { shown }
}

/// As wide as `text` on a terminal, whatever the width of a tab.
fn indent(text: &str) -> String {
    text.split_inclusive('\t')
        .map(|part| match part.strip_suffix('\t') {
            Some(part) => " ".repeat(columns(part)) + "\t",
            None => " ".repeat(columns(part)),
        })
        .collect()
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, line, indent, width } = self;
        let gutter = " ".repeat(number.to_string().len());
        write!(f, "  {number} | {line}\n  {gutter} | {indent}{}", "^".repeat(*width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The excerpt for the first `key` in the text, below which is its mark.
    fn shown(text: &str, key: &str) -> String {
        let at = text.find(key).unwrap();
        Excerpt::of_key(text, at..at + key.len()).unwrap().to_string()
    }

    #[test]
    fn the_line_is_shown_up_to_its_value() {
        for (text, key, expected) in [
            ("a = 1\npasword = \"hush\"", "pasword", "  2 | pasword = …\n    | ^^^^^^^"),
            ("  b=[\"hush\"] # c", "b", "  1 |   b = …\n    |   ^"),
            ("\tb = \"hush\"", "b", "  1 | \tb = …\n    | \t^"),
            ("[gatway]", "gatway", "  1 | [gatway]\n    |  ^^^^^^"),
            ("[[a.bc]] # hush", "bc", "  1 | [[a.bc]]\n    |     ^^"),
            ("a.bc.d = \"hush\"", "bc", "  1 | a.bc.d = …\n    |   ^^"),
            ("a.\"b c\".d = \"hush\"", "\"b c\"", "  1 | a.\"b c\".d = …\n    |   ^^^^^"),
            ("a.b.\"hush\" = 1", "b", "  1 | a.b.…\n    |   ^"),
            ("\"鍵\" = \"hush\"", "\"鍵\"", "  1 | \"鍵\" = …\n    | ^^^^"),
        ] {
            assert_eq!(shown(text, key), expected, "{text}");
        }
        assert!(shown(&format!("{} = 1", "k".repeat(99)), &"k".repeat(99)).contains("k… = …\n"));
    }

    #[test]
    fn what_can_be_a_value_is_never_shown() {
        for (text, key) in [
            ("  smtp = { password = \"hush\", hst = \"hush\" }", "hst"),
            ("a = { b = \"\"\"\nhush\"\"\", hst = 1 }", "hst"),
            ("a = [ { b = 'hush', hst = 'hush' } ]", "hst"),
            ("smtp = { hst = 'hush' }", "hst"),
        ] {
            let shown = shown(text, key);
            assert!(!shown.contains("hush") && shown.contains("… hst = …"), "{shown}");
            let [line, mark] = shown.lines().collect::<Vec<_>>()[..] else { panic!("two lines") };
            let column = |text: &str, of: &str| text[..text.find(of).unwrap()].chars().count();
            assert_eq!(column(line, "hst"), column(mark, "^"), "{shown}");
        }
    }

    #[test]
    fn a_syntax_error_shows_a_known_key_only() {
        let shown =
            |text: &str, at: usize| Excerpt::of_syntax_error(text, at).map(|excerpt| excerpt.to_string());
        let at_value = Some("  1 | schedule = …\n    |            ^".to_owned());
        assert_eq!(shown("schedule = 5 5", 13), at_value);
        assert_eq!(shown("schedule == 5", 10), at_value);
        assert_eq!(shown("  smtp.host = x", 3), Some("  1 |   smtp.host = …\n    |    ^".to_owned()));
        for text in ["hush = hush", "hush", "= hush", "[hush", "hosts hush = x"] {
            assert_eq!(shown(text, 1), None, "{text}");
        }
    }
}
