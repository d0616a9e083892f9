//! The visible text and the links of HTML, for the check that an email or a page is usable.

/// Elements whose content is not shown.
const HIDDEN: [&str; 3] = ["style", "script", "title"];
/// Character references that show nothing.
const BLANK: [&str; 5] = ["&nbsp;", "&zwnj;", "&zwj;", "&shy;", "&#847;"];

/// Without markup, comments and hidden elements.
pub(crate) fn visible_text(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text += before;
        text.push(' ');
        rest = after_markup(tag);
    }
    text += rest;
    BLANK.iter().fold(text, |text, blank| text.replace(blank, " "))
}

/// Whether the HTML shows `url` or links to it.
pub(crate) fn leads_to(html: &str, url: &str) -> bool {
    let links = ["href=\"", "href='", "href="].map(|start| format!("{start}{url}"));
    let without_comments = remove_comments(html);
    links.iter().any(|link| without_comments.contains(link)) || visible_text(html).contains(url)
}

/// The rest after the tag, comment or hidden element that begins here (without its `<`).
fn after_markup(tag: &str) -> &str {
    if let Some(comment) = tag.strip_prefix("!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    let rest = tag.split_once('>').map_or("", |(_, rest)| rest);
    let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    if HIDDEN.contains(&name.as_str()) {
        let close = format!("</{name}");
        let end = rest.to_ascii_lowercase().find(&close).map_or(rest.len(), |at| at + close.len());
        return rest[end..].split_once('>').map_or("", |(_, rest)| rest);
    }
    rest
}

fn remove_comments(html: &str) -> String {
    let mut pieces = html.split("<!--");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once("-->").map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_text_has_no_markup_comments_or_hidden_elements() {
        for (html, expected) in [
            ("Hello", "Hello"),
            ("<p>One</p><p class=x>two", "One two"),
            ("a<!-- no <b>bold</b> -->b", "a b"),
            ("<style>.a > b { }</style>x<TITLE>y</title>", "x"),
            ("&nbsp;&#847;", ""),
            ("an end <", "an end"),
            ("a <!-- comment", "a"),
        ] {
            let words: Vec<_> = visible_text(html).split_whitespace().map(str::to_owned).collect();
            assert_eq!(words.join(" "), expected, "{html}");
        }
    }

    #[test]
    fn a_url_counts_when_it_is_shown_or_linked() {
        let url = "https://sample.test/r/x";
        for (html, expected) in [
            ("<a href=\"https://sample.test/r/x\">go</a>", true),
            ("<p>https://sample.test/r/x</p>", true),
            ("<!-- https://sample.test/r/x -->", false),
            ("<!-- <a href=\"https://sample.test/r/x\">go</a> -->", false),
            ("<p title=\"https://sample.test/r/x\">go</p>", false),
        ] {
            assert_eq!(leads_to(html, url), expected, "{html}");
        }
    }
}
