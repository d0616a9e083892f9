//! Every built-in email is easy to read, and says nothing twice.

use super::*;
use crate::base::readability::assert_easy_to_read;
use crate::base::templates::prose_of_text;
use crate::mail::EmailKind;
use crate::mail::fixtures::{HELP, branded_renderer, connections, notice_of};
use std::collections::BTreeSet;

const HOUR: Duration = Duration::from_secs(3600);

fn prose(email: &Email) -> String {
    prose_of_text(email.text(), Some(HELP))
}

/// Every variant of every email in a language.
fn emails(language: &str) -> Vec<Email> {
    let mut emails = Vec::new();
    for level in [Disclosure::Generic, Disclosure::Kind, Disclosure::Name] {
        let renderer = branded_renderer(level);
        for &kind in EmailKind::ALL {
            for names in
                [&["Epic MyChart"][..], &["Epic MyChart", "Quest"], &["Epic", "Quest", "Aetna", "CVS"]]
            {
                for (ttl, needs_sign_in) in [(HOUR, true), (168 * HOUR, true), (HOUR, false)] {
                    if kind.template.accepts_count(names.len()) {
                        let locale = Some(language.to_owned());
                        let mut notice = NoticeEmail { locale, ttl, ..notice_of(kind, names) };
                        connections(&mut notice).for_each(|label| label.needs_sign_in = needs_sign_in);
                        emails.push(renderer.render(&notice).unwrap());
                    }
                }
            }
        }
    }
    emails
}

#[test]
fn every_email_is_easy_to_read() {
    for language in ["en", "es"] {
        for email in emails(language) {
            assert_easy_to_read(language, &format!("{}\n{}", email.subject(), prose(&email)));
        }
    }
}

#[test]
fn no_email_says_anything_twice() {
    for language in ["en", "es"] {
        for email in emails(language) {
            let prose = prose(&email);
            let sentences: Vec<_> =
                prose.split(['.', '?', '\n']).map(str::trim).filter(|s| !s.is_empty()).collect();
            let distinct: BTreeSet<_> = sentences.iter().map(|sentence| sentence.to_lowercase()).collect();
            assert_eq!(sentences.len(), distinct.len(), "{prose}");
        }
    }
}

#[test]
fn text_and_html_say_the_same() {
    for language in ["en", "es"] {
        for email in emails(language) {
            let html =
                crate::base::templates::html::visible_text(email.html().split_once("</div>").unwrap().1);
            let html = one_line(&html).replace('’', "'");
            for sentence in prose(&email).split(['.', '?', '\n']).map(str::trim) {
                assert!(html.contains(sentence), "{sentence:?}: {html}");
            }
        }
    }
}
