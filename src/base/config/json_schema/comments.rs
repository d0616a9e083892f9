//! The comments of the default file, by the key that they are about.

use crate::base::config::schema::join;
use std::collections::BTreeMap;

/// By `section.key`, by `section`, and by the empty key for the file. A comment follows its setting on the same line and goes
/// on in the indented lines below. A comment line within a section is about all settings up to the next one.
pub(super) fn descriptions(text: &str) -> BTreeMap<String, String> {
    let mut descriptions = BTreeMap::from([(String::new(), String::new())]);
    let (mut section, mut about, mut group) = (String::new(), String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with("#:")) {
        let (code, comment) = split(line);
        let comment = comment.unwrap_or_default();
        if let Some(name) = code.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            name.clone_into(&mut section);
            about.clone_from(&section);
            group.clear();
        } else if let Some((name, _)) = code.split_once('=') {
            about = join(&section, name.trim());
            if !group.is_empty() {
                descriptions.insert(about.clone(), group.clone());
            }
        } else if line.starts_with('#') && !section.is_empty() {
            comment.clone_into(&mut group);
            continue;
        }
        let description = descriptions.entry(about.clone()).or_default();
        if !description.is_empty() && !comment.is_empty() {
            description.push(' ');
        }
        description.push_str(comment);
    }
    descriptions
}

/// The line without its comment, and the comment without its sign.
fn split(line: &str) -> (&str, Option<&str>) {
    let mut is_text = false;
    let start = line.char_indices().find(|&(_, c)| {
        is_text ^= c == '"';
        c == '#' && !is_text
    });
    match start {
        Some((at, _)) => (line[..at].trim(), Some(line[at + 1..].trim())),
        None => (line.trim(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_about_the_setting_before_it() {
        let text = "#:schema x.json\n# The file.\n#\n# Its rules.\n\n[a]   # the section\none = \"#1\"  # first\n     # second\n\
                    two = 2\n# for three:\nthree = 3   # is odd\nfour = 4\n[a.b]\nfive = 5\n";
        let found = descriptions(text);
        let expected = [
            ("", "The file. Its rules."),
            ("a", "the section"),
            ("a.b", ""),
            ("a.b.five", ""),
            ("a.four", "for three:"),
            ("a.one", "first second"),
            ("a.three", "for three: is odd"),
            ("a.two", ""),
        ];
        let found: Vec<_> = found.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        assert_eq!(found, expected);
    }
}
