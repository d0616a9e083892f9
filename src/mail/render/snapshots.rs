//! The wording of every email: each template and language at each level of disclosure.
//!
//! After a change of wording, record it with `INSTA_UPDATE=always cargo test --lib snapshots` and read the difference.

use super::*;
use crate::mail::EmailKind;
use crate::mail::fixtures::{TOKEN, branded_renderer, notice_of};

const LEVELS: [Disclosure; 3] = [Disclosure::Generic, Disclosure::Kind, Disclosure::Name];

fn emails(level: Disclosure, language: &str) -> Vec<(EmailKind, Email)> {
    let renderer = branded_renderer(level);
    let render = |kind: EmailKind| {
        let names: &[&str] = match kind.template {
            Template::Several => &["Epic MyChart", "Basic Insurance"],
            Template::Shared => &["Epic MyChart", "Basic Insurance", "Quest"],
            _ => &["Epic MyChart"],
        };
        let mut notice = NoticeEmail { locale: Some(language.to_owned()), ..notice_of(kind, names) };
        if let [_, second, third] = &mut notice.sections[..] {
            second.connections.extend(third.connections.clone());
            third.label = None;
        }
        (kind, renderer.render(&notice).unwrap())
    };
    EmailKind::ALL.iter().copied().map(render).collect()
}

/// The HTML without the lines of the shared layout and without styles.
fn content(html: &str) -> String {
    let layout: Vec<&str> = include_str!("../templates/layout.html").lines().collect();
    let lines = html.lines().filter(|line| !line.is_empty() && !layout.contains(line));
    lines.map(without_styles).collect::<Vec<_>>().join("\n")
}

fn without_styles(line: &str) -> String {
    let mut out = String::new();
    for (index, piece) in line.split(" style=\"").enumerate() {
        out += if index == 0 { piece } else { piece.split_once('"').map_or("", |(_, rest)| rest) };
    }
    out.replace(&"&#847;&zwnj;&nbsp;".repeat(40), "[filler]")
}

fn record(name: &str, parts: impl IntoIterator<Item = (EmailKind, String)>) {
    let all: Vec<String> = parts
        .into_iter()
        .map(|(kind, text)| format!("== {}\n{}\n", kind.name, text.replace(TOKEN, "[token]").trim_end()))
        .collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, all.join("\n"));
    });
}

#[test]
fn the_text_of_every_email_is_as_recorded() {
    for language in ["en", "es"] {
        for level in LEVELS {
            let emails = emails(level, language);
            let parts = emails
                .iter()
                .map(|(kind, email)| (*kind, format!("{}\n\n{}", email.subject(), email.text())));
            record(&format!("text-{language}-{}", level.as_str()), parts);
        }
    }
}

#[test]
fn the_html_of_every_email_is_as_recorded_without_the_shared_layout() {
    for language in ["en", "es"] {
        // `kind` differs from `name` only in the phrase.
        for level in [Disclosure::Generic, Disclosure::Name] {
            let emails = emails(level, language);
            let parts = emails.iter().map(|(kind, email)| (*kind, content(email.html())));
            record(&format!("html-{language}-{}", level.as_str()), parts);
        }
    }
}

#[test]
fn the_headers_are_as_recorded() {
    for language in ["en", "es"] {
        let (kind, email) = emails(Disclosure::Generic, language).remove(0);
        let head = email.eml().split("\r\n\r\n").next().unwrap_or_default().replace("\r\n", "\n");
        record(&format!("headers-{language}"), [(kind, head)]);
    }
}

#[test]
fn one_whole_html_part_is_as_recorded() {
    let (kind, email) = emails(Disclosure::Generic, "en").remove(0);
    record("html-whole", [(kind, email.html().to_owned())]);
}
