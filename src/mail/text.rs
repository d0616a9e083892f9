//! Small repairs to text on its way into a mail.

/// The longest name of a source that is printed, in characters.
const LONGEST_NAME: usize = 60;
/// RFC 5322, section 2.1.1: lines should not be longer than 78 characters.
const WIDTH: usize = 76;

/// A name from outside as one short line. Control characters go, and so do the invisible ones that reorder or hide the
/// text around them; a name in a right-to-left script is isolated from its surroundings (Unicode UAX #9).
pub(super) fn plain_name(name: &str) -> String {
    let visible: String = one_line(name).chars().filter(|&c| !is_trick(c)).collect();
    let mut short: String = visible.chars().take(LONGEST_NAME).collect();
    if short.len() < visible.len() {
        short.truncate(short.trim_end().len());
        short.push('…');
    }
    if short.chars().any(is_right_to_left) { format!("\u{2068}{short}\u{2069}") } else { short }
}

fn is_trick(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}')
}

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
    fn a_name_becomes_one_short_visible_line() {
        let cases = [
            ("Epic MyChart", "Epic MyChart"),
            ("two\r\nlines\tand\u{0}more", "two lines andmore"),
            ("safe\u{202E}gpj.exe", "safegpj.exe"),
            ("zero\u{200B}width", "zerowidth"),
            ("בית חולים", "\u{2068}בית חולים\u{2069}"),
        ];
        for (given, expected) in cases {
            assert_eq!(plain_name(given), expected);
        }
        let long = plain_name(&"名".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST_NAME + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn paragraphs_are_filled_and_links_stay_whole() {
        let link = format!("https://example.org/{}", "x".repeat(120));
        let filled = fill(&format!("\n{}\nmore\n\n\n{link}\n", "word ".repeat(40)));
        assert!(filled.lines().filter(|line| !line.contains("https")).all(|line| line.len() <= WIDTH));
        assert!(filled.contains("more\n\n"));
        assert!(filled.ends_with(&format!("\n{link}\n")));
    }
}
