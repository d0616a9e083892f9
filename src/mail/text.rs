//! Text layout for emails.

/// RFC 5322, section 2.1.1: lines should not be longer than 78 characters.
const WIDTH: usize = 76;

/// One line with single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
    fn paragraphs_are_wrapped_and_links_stay_whole() {
        let link = format!("https://example.org/{}", "x".repeat(120));
        let wrapped = wrap(&format!("\n{}\nmore\n\n\n{link}\n", "word ".repeat(40)));
        assert!(wrapped.lines().filter(|line| !line.contains("https")).all(|line| line.len() <= WIDTH));
        assert!(wrapped.contains("more\n\n"));
        assert!(wrapped.ends_with(&format!("\n{link}\n")));
    }
}
