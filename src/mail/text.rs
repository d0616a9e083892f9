//! Text layout for emails.

/// RFC 5322, section 2.1.1: lines should not be longer than 78 characters.
const WIDTH: usize = 76;

/// One line with single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An invisible character that no URL and no address contains (WORD JOINER).
const WORD_JOINER: char = '\u{2060}';

/// Keeps email programs from turning a name, such as `www.clinic.example`, into a link that an attacker may own.
///
/// They look for links in the visible text, in HTML too, and see through tags and entities. A word joiner inside what they
/// look for stops them (Gmail, Apple Mail, Outlook; not Samsung's). It has no width and, unlike a zero-width space, allows no
/// line break, and it needs no font. A pasted name looks the same, and leads nowhere either.
pub(super) fn keep_from_linking(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_inside = !out.is_empty() && !out.ends_with(char::is_whitespace);
        let continues = rest.peek().is_some_and(|next| !next.is_whitespace());
        // The dots are those that domains may be written with (UTS #46).
        let is_link_sign = matches!(c, '.' | '@' | ':' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}');
        if is_link_sign && is_inside && continues {
            out.push(WORD_JOINER);
        }
        out.push(c);
    }
    out
}

/// Wraps paragraphs, which blank lines separate, to lines that email programs leave alone. Never breaks a word, and so
/// never a link.
pub(super) fn wrap(text: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    let paragraphs: Vec<String> = text
        .lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .split(|line| line.is_empty())
        .filter(|lines| !lines.is_empty())
        .map(|lines| textwrap::fill(&lines.join(" "), &options))
        .collect();
    paragraphs.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_a_link_or_an_address_is_broken_invisibly() {
        for (name, expected) in [
            ("https://evil.example/x", "https|://evil|.example/x"),
            ("www.evil.example", "www|.evil|.example"),
            ("evil.com", "evil|.com"),
            ("help@evil.example", "help|@evil|.example"),
            ("evil。com", "evil|。com"),
            ("mailto:a@b", "mailto|:a|@b"),
            ("St. Mary's Hosp.", "St. Mary's Hosp."),
            ("Clinic @ Home: North", "Clinic @ Home: North"),
        ] {
            assert_eq!(keep_from_linking(name), expected.replace('|', "\u{2060}"));
        }
    }

    #[test]
    fn paragraphs_are_wrapped_and_links_stay_whole() {
        let link = format!("https://example.org/{}", "x".repeat(120));
        let wrapped = wrap(&format!("\n{}\nmore\n\n\n{link}\n", "word ".repeat(40)));
        assert!(wrapped.lines().filter(|line| !line.contains("https")).all(|line| line.len() <= WIDTH));
        assert!(wrapped.contains("more\n\n"));
        assert!(wrapped.ends_with(&format!("\n{link}\n")));
    }
}
