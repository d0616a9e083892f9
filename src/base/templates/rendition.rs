//! A sample of an email or a page, for the checks of its words and its links.

use super::html;

pub(crate) struct Rendition {
    /// Such as `email "expired"`.
    pub(crate) name: String,
    pub(crate) language: String,
    /// The operator's file that it is made of; `None`: it is made of built-in templates only.
    pub(crate) own_file: Option<String>,
    /// What a member reads: a sentence or more in each line, without URLs.
    pub(crate) prose: String,
    /// What it links to, loads, or shows.
    pub(crate) urls: Vec<String>,
}

/// The ends of elements that end a line. A `<br` does not.
const LINE_ENDS: [&str; 8] = ["</h1>", "</h2>", "</h3>", "</p>", "</button>", "</a>", "</li>", "</td>"];

/// The headings, sentences, and buttons of an email or a page, one in each line.
pub(crate) fn prose_of_html(html: &str) -> String {
    let text = LINE_ENDS.iter().fold(html.to_owned(), |text, end| text.replace(end, "\u{1}"));
    let text = html::decode(&html::visible_text(&text));
    let lines = text.split('\u{1}').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty() && !is_url(line)).collect::<Vec<_>>().join("\n")
}

/// The paragraphs of the text of an email, one in each line: without URLs, the labels before them, the line of help, and the
/// rule above the footer.
pub(crate) fn prose_of_text(text: &str, help: Option<&str>) -> String {
    let paragraphs = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let is_prose = |part: &String| {
        !part.is_empty()
            && !is_url(part)
            && !part.ends_with(':')
            && part != "--"
            && Some(part.as_str()) != help
    };
    paragraphs.filter(is_prose).collect::<Vec<_>>().join("\n")
}

fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The absolute http and https URLs that the HTML links to, loads, or shows.
pub(crate) fn urls_of_html(html: &str) -> Vec<String> {
    let html = html::remove_comments(html);
    let attributes = ["href", "src", "action", "background", "poster"];
    let values = attributes.iter().flat_map(|name| html::attributes(&html, name));
    let loaded = html.split("url(").skip(1).filter_map(|rest| rest.split(')').next());
    let mut urls: Vec<String> = values
        .chain(loaded)
        .map(|value| html::decode(value.trim_matches(['"', '\'', ' '])))
        .filter(|value| is_url(&value.to_ascii_lowercase()) || value.starts_with("//"))
        .collect();
    urls.extend(urls_of_text(&html::decode(&html::visible_text(&html))));
    urls
}

/// The URLs that a text shows, and what mail programs turn into one.
pub(crate) fn urls_of_text(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '(' | ')'));
    let words = words.map(|word| word.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']));
    words
        .filter(|word| is_url(&word.to_ascii_lowercase()) || word.to_ascii_lowercase().starts_with("www."))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_link_or_load_is_found() {
        let html = r#"<html xmlns="http://www.w3.org/1999/xhtml"><a href="https:&#x2f;&#x2f;a.example/x?a&amp;b">Go</a>
            <a HREF='http://b.example'>Go</a><img src=//c.example/p.png><p style="background:url('https://d.example/i')">
            See https://e.example/y, or www.f.example.</p><a href="mailto:x@g.example">g</a><a href="/r/x">h</a>
            <!-- <a href="https://h.example">h</a> -->"#;
        let expected = [
            "https://a.example/x?a&b",
            "http://b.example",
            "//c.example/p.png",
            "https://d.example/i",
            "https://e.example/y",
            "www.f.example",
        ];
        assert_eq!(urls_of_html(html), expected);
        assert_eq!(urls_of_text("Go to (https://a.example/x). Or not"), ["https://a.example/x"]);
    }

    #[test]
    fn prose_has_a_line_for_each_element_and_no_urls() {
        let html = "<style>p { }</style><h1>One</h1><p>Don&#x27;t\n <b>worry</b>.</p><p>https://a.example</p><a>Go</a>";
        assert_eq!(prose_of_html(html), "One\nDon't worry .\nGo");
        let text = "Hello.\n\nTwo\nlines.\n\nReconnect:\n\nhttps://a.example/x\n\n--\n\nCall us\n\nBye.";
        assert_eq!(prose_of_text(text, Some("Call us")), "Hello.\nTwo lines.\nBye.");
    }
}
