//! Snapshots of every page in each language.
//!
//! After a deliberate change, `INSTA_UPDATE=always cargo test snapshots` records them again. Review the difference.

use super::samples::samples;
use super::tests::{BASE, FORM_KEY, pages};

/// Without the head, which is the same on every page and contains the style sheet.
fn content(html: &str) -> String {
    let (_, body) = html.split_once("<body>").unwrap();
    let lines = body.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n").replace("&#x2f;", "/")
}

#[test]
fn every_page_is_as_recorded_in_each_language() {
    let pages = pages();
    for language in ["en", "es"] {
        let all = samples().into_iter().map(|(name, page)| {
            format!("== {name}\n{}\n", content(&pages.render(Some(language), &page, BASE, FORM_KEY)))
        });
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(language, all.collect::<Vec<_>>().join("\n"));
        });
    }
}
