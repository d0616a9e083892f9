use super::page::{Page, ResendOption};
use super::samples::button;
use super::tests::{BASE, FORM_KEY, pages};
use crate::base::fuzzing::{FEW, fuzz};
use crate::domain::Repair;
use crate::reconnect::state::ButtonState;

/// What gives a page its structure.
fn marks(html: &str) -> [usize; 4] {
    ["<", ">", "\"", "'"].map(|mark| html.matches(mark).count())
}

#[test]
fn no_name_or_id_of_a_source_changes_the_structure_of_a_page() {
    let pages = pages();
    let render = |id: &str, name: &str, locale| {
        let buttons =
            [Repair::Oauth, Repair::App].map(|repair| button(id, name, repair, ButtonState::Available));
        let page = Page::Ready { buttons: buttons.into(), more: 0, resend: ResendOption::NotNeeded };
        pages.render(Some(locale), &page, BASE, FORM_KEY)
    };
    let plain = ["en", "es"].map(|locale| marks(&render("x", "x", locale)));
    fuzz("texts", FEW, &["<", "\"", "'", "&", "--", "{{", "\u{202e}", "javascript:"], |input| {
        let text = String::from_utf8_lossy(input);
        for (locale, plain) in ["en", "es"].iter().zip(plain) {
            assert_eq!(marks(&render(&text, &text, locale)), plain);
        }
    });
}
