//! What every mail says, on record: each kind and language at each level of disclosure.
//!
//! Changed words on purpose? `INSTA_UPDATE=always cargo test snapshots` records them anew; read the difference.

use super::*;
use crate::mail::fixtures::{TOKEN, notice, renderer};

const LEVELS: [Disclosure; 3] = [Disclosure::Generic, Disclosure::Kind, Disclosure::Name];

fn mails(level: Disclosure, language: &str) -> Vec<(Template, Email)> {
    let renderer = renderer(level);
    let write = |kind: Template| {
        let names: &[&str] =
            if kind == Template::Several { &["Epic MyChart", "Basic Insurance"] } else { &["Epic MyChart"] };
        let notice = NoticeEmail { locale: Some(language.to_owned()), ..notice(kind, names) };
        (kind, renderer.render(&notice).unwrap())
    };
    Template::ALL.iter().copied().map(write).collect()
}

/// The HTML without what every mail has: the layout's own lines, and the looks.
fn content(html: &str) -> String {
    let layout: Vec<&str> = include_str!("../templates/layout.html").lines().collect();
    let lines = html.lines().filter(|line| !line.is_empty() && !layout.contains(line));
    lines.map(without_looks).collect::<Vec<_>>().join("\n")
}

fn without_looks(line: &str) -> String {
    let mut out = String::new();
    for (index, piece) in line.split(" style=\"").enumerate() {
        out += if index == 0 { piece } else { piece.split_once('"').map_or("", |(_, rest)| rest) };
    }
    out.replace(&"&#847;&zwnj;&nbsp;".repeat(40), "[filler]")
}

fn record(name: &str, parts: impl IntoIterator<Item = (Template, String)>) {
    let all: Vec<String> = parts
        .into_iter()
        .map(|(kind, text)| format!("== {}\n{}\n", kind.as_str(), text.replace(TOKEN, "[token]").trim_end()))
        .collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, all.join("\n"));
    });
}

#[test]
fn the_text_of_every_mail_is_as_recorded() {
    for language in ["en", "es"] {
        for level in LEVELS {
            let mails = mails(level, language);
            let parts =
                mails.iter().map(|(kind, mail)| (*kind, format!("{}\n\n{}", mail.subject(), mail.text())));
            record(&format!("text-{language}-{}", level.as_str()), parts);
        }
    }
}

#[test]
fn the_html_of_every_mail_is_as_recorded_without_the_shared_layout() {
    for language in ["en", "es"] {
        // Between the two there is only another phrase.
        for level in [Disclosure::Generic, Disclosure::Name] {
            let mails = mails(level, language);
            let parts = mails.iter().map(|(kind, mail)| (*kind, content(mail.html())));
            record(&format!("html-{language}-{}", level.as_str()), parts);
        }
    }
}

#[test]
fn the_headers_are_as_recorded() {
    for language in ["en", "es"] {
        let (kind, mail) = mails(Disclosure::Generic, language).remove(0);
        let head = mail.eml().split("\r\n\r\n").next().unwrap_or_default().replace("\r\n", "\n");
        record(&format!("headers-{language}"), [(kind, head)]);
    }
}

#[test]
fn one_whole_html_part_is_as_recorded() {
    let (kind, mail) = mails(Disclosure::Generic, "en").remove(0);
    record("html-whole", [(kind, mail.html().to_owned())]);
}
