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

/// The most common character references, replaced with their characters.
pub(super) fn decode(text: &str) -> String {
    const CHARACTERS: [(&str, &str); 9] = [
        ("&#x2f;", "/"),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&rsquo;", "’"),
        ("&quot;", "\""),
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    CHARACTERS.iter().fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

/// The values of all attributes with this name, as they are written.
pub(super) fn attributes<'h>(html: &'h str, name: &str) -> Vec<&'h str> {
    let tags = html.split('<').skip(1).filter_map(|tag| tag.split('>').next());
    tags.flat_map(|tag| {
        let lower = tag.to_ascii_lowercase();
        let starts: Vec<usize> = lower.match_indices(&format!("{name}=")).map(|(at, _)| at).collect();
        let is_whole =
            move |at: &usize| lower[..*at].ends_with(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        starts.into_iter().filter(is_whole).map(|at| value(&tag[at + name.len() + 1..])).collect::<Vec<_>>()
    })
    .collect()
}

/// The value of an attribute that starts here, with or without quotes.
fn value(text: &str) -> &str {
    let end = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].find(quote).map(|at| at + 1),
        _ => text.find(char::is_whitespace),
    };
    text[..end.unwrap_or(text.len())].trim_start_matches(['"', '\''])
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

pub(super) fn remove_comments(html: &str) -> String {
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
