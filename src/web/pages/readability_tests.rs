//! Each built-in page is easy to read.

use super::samples::samples;
use super::tests::{BASE, FORM_KEY, pages};
use crate::base::readability::assert_easy_to_read;
use crate::base::templates::html;

/// The headings, sentences, and buttons of a page, one per line.
fn lines(page: &str) -> String {
    let (_, main) = page.split_once("<div class=\"card\">").unwrap();
    let ends = ["</h1>", "</h2>", "</p>", "</button>", "</a>", "</li>"];
    let main = ends.iter().fold(main.to_owned(), |main, end| main.replace(end, "\u{1}"));
    let text = html::visible_text(&main);
    text.split('\u{1}').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_page_is_easy_to_read() {
    let pages = pages();
    for language in ["en", "es"] {
        for (name, page) in samples() {
            if name != "root" {
                let text = lines(&pages.render(Some(language), &page, BASE, FORM_KEY));
                assert_easy_to_read(language, &text);
            }
        }
    }
}
