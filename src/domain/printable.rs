//! Names from outside, as emails and pages show them.

use unicode_normalization::char::is_combining_mark;

/// The longest name that is shown, in characters.
const LONGEST: usize = 60;

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';

/// Like [`printable`]. `None` if nothing of the name is visible: emails and pages then name the source's kind instead.
pub fn visible_name(name: &str) -> Option<String> {
    let name = printable(name);
    name.chars().any(is_visible).then_some(name)
}

/// Shortens a name to one line. Removes control characters and invisible characters that reorder or hide the text around
/// them. Isolates a name in a right-to-left script from its surroundings (Unicode UAX #9).
pub fn printable(name: &str) -> String {
    let line = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let visible = remove_idle_joiners(line.chars().filter(|&c| !is_trick(c)));
    let mut short: String = visible.chars().take(LONGEST).collect();
    if short.len() < visible.len() {
        short.truncate(short.trim_end_matches(|c: char| c.is_whitespace() || is_joiner(c)).len());
        short.push('…');
    }
    let short = short.trim();
    if short.chars().any(is_right_to_left) { format!("\u{2068}{short}\u{2069}") } else { short.to_owned() }
}

/// Keeps one joiner between two characters of a script that uses them, and within an emoji. Persian and the scripts of
/// India are misspelled without; elsewhere, a joiner can only hide in a word.
fn remove_idle_joiners(characters: impl Iterator<Item = char>) -> String {
    let mut kept = String::new();
    let mut joiner = None;
    for c in characters {
        if is_joiner(c) {
            joiner = joiner.or(Some(c));
            continue;
        }
        let joins = |c: char| !c.is_ascii() && !c.is_whitespace() && !is_blank(c);
        let is_joined = |before: char| joins(c) && (joins(before) || is_variation_selector(before));
        if let Some(joiner) = joiner.take()
            && kept.chars().next_back().is_some_and(is_joined)
        {
            kept.push(joiner);
        }
        kept.push(c);
    }
    kept
}

fn is_joiner(c: char) -> bool {
    matches!(c, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER)
}

fn is_trick(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Whether a reader sees the character without a letter next to it.
fn is_visible(c: char) -> bool {
    !c.is_whitespace() && !is_trick(c) && !is_joiner(c) && !is_blank(c) && !is_combining_mark(c)
}

/// Letters and symbols that are drawn as nothing, and selectors of another character's shape.
fn is_blank(c: char) -> bool {
    is_variation_selector(c)
        || matches!(
            c,
            '\u{AD}' | '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'
                ..='\u{180F}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}'
        )
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
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
            ("tag\u{E0041}ged", "tagged"),
            ("\u{200B} padded \u{2060}", "padded"),
            ("בית חולים", "\u{2068}בית חולים\u{2069}"),
        ];
        for (given, expected) in cases {
            assert_eq!(printable(given), expected);
        }
        let long = printable(&"名".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn joiners_stay_where_they_join_something_visible() {
        let persian = "می\u{200C}خواهم";
        let sinhala = "ශ්\u{200D}රී";
        let doctor = "👩\u{200D}⚕\u{FE0F}";
        let heart = "❤\u{FE0F}\u{200D}🔥";
        for name in [sinhala, doctor, heart] {
            assert_eq!(printable(name), name);
        }
        assert_eq!(printable(persian), format!("\u{2068}{persian}\u{2069}"));
        for (given, expected) in [
            ("Ep\u{200D}ic", "Epic"),
            ("\u{200C}Epic\u{200D}", "Epic"),
            ("👩\u{200D}", "👩"),
            ("👩\u{200D}\u{FE0F}", "👩\u{FE0F}"),
            ("👩\u{200D} a", "👩 a"),
            ("👩\u{200D}\u{200D}\u{200C}⚕", "👩\u{200D}⚕"),
            ("é\u{200D}\u{AD}é", "é\u{AD}é"),
        ] {
            assert_eq!(printable(given), expected, "{given:?}");
        }
        let cut = printable(&format!("{}👩\u{200D}⚕", "名".repeat(LONGEST - 2)));
        assert!(cut.ends_with("👩…"), "{cut:?}");
    }

    #[test]
    fn a_name_of_which_nothing_is_visible_is_none() {
        for name in
            ["", " ", "\u{200B}", "\u{200D}\u{200D}", "\u{3164}", "\u{2800} \u{AD}", "\u{FE0F}", "\u{301}"]
        {
            assert_eq!(visible_name(name), None, "{name:?}");
        }
        for name in ["A", "1", "🏥", "名", "-"] {
            assert_eq!(visible_name(name).as_deref(), Some(name));
        }
    }
}
