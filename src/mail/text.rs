//! Small repairs to text on its way into a mail.

/// RFC 5322, section 2.1.1: lines should not be longer than 78 characters.
const WIDTH: usize = 76;

/// Everything on one line, with single spaces.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Paragraphs, as blank lines part them, filled to lines that mail programs leave alone. A word, and so a link, is never
/// broken.
pub(super) fn fill(text: &str) -> String {
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
    fn paragraphs_are_filled_and_links_stay_whole() {
        let link = format!("https://example.org/{}", "x".repeat(120));
        let filled = fill(&format!("\n{}\nmore\n\n\n{link}\n", "word ".repeat(40)));
        assert!(filled.lines().filter(|line| !line.contains("https")).all(|line| line.len() <= WIDTH));
        assert!(filled.contains("more\n\n"));
        assert!(filled.ends_with(&format!("\n{link}\n")));
    }
}
