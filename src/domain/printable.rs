//! Names from outside, as emails and pages show them.

/// The longest name that is shown, in characters.
const LONGEST: usize = 60;

/// Shortens a name to one line. Removes control characters and invisible characters that reorder or hide the text around
/// them. Isolates a name in a right-to-left script from its surroundings (Unicode UAX #9).
pub fn printable(name: &str) -> String {
    let visible: String =
        name.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|&c| !is_trick(c)).collect();
    let mut short: String = visible.chars().take(LONGEST).collect();
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
            assert_eq!(printable(given), expected);
        }
        let long = printable(&"名".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }
}
