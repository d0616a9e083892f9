//! Pieces of SVG.

use std::fmt::Write;

/// A bar in a row of a table: the share of the width, from 0 to 1.
pub(in super::super) fn share_bar(share: f64) -> String {
    let width = percent(share.clamp(0.0, 1.0));
    format!(
        "<svg class=\"share\" width=\"100%\" height=\"10\" aria-hidden=\"true\"><rect class=\"track\" width=\"100%\" \
         height=\"10\" rx=\"3\"/><rect class=\"s1\" width=\"{width}\" height=\"10\" rx=\"3\"/></svg>"
    )
}

/// A position for SVG.
pub(super) fn percent(share: f64) -> String {
    let mut text = format!("{:.2}", share * 100.0);
    while text.contains('.') && text.ends_with(['0', '.']) {
        text.pop();
    }
    text.push('%');
    text
}

/// Text for SVG.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writing to a `String` cannot fail.
pub(super) fn add(svg: &mut String, element: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(element);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_drawn_within_its_track() {
        for (share, width) in [(0.0, "0%"), (0.125, "12.5%"), (0.3333, "33.33%"), (7.0, "100%"), (-1.0, "0%")]
        {
            assert!(share_bar(share).contains(&format!("class=\"s1\" width=\"{width}\"")), "{share}");
        }
    }

    #[test]
    fn foreign_text_is_escaped() {
        assert_eq!(escape("<a href=\"x\">&\n"), "&lt;a href=&quot;x&quot;&gt;&amp; ");
    }
}
