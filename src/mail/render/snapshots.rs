//! The wording of every email: each template and language at each level of disclosure.
//!
//! After a change of wording, record it with `INSTA_UPDATE=always cargo test --lib snapshots` and read the difference.

use super::*;
use crate::mail::fixtures::{TOKEN, branded_renderer, notice};

const LEVELS: [Disclosure; 3] = [Disclosure::Generic, Disclosure::Kind, Disclosure::Name];

fn emails(level: Disclosure, language: &str) -> Vec<(Template, Email)> {
    let renderer = branded_renderer(level);
    let render = |template: Template| {
        let names: &[&str] = if template == Template::Several {
            &["Epic MyChart", "Basic Insurance"]
        } else {
            &["Epic MyChart"]
        };
        let notice = NoticeEmail { locale: Some(language.to_owned()), ..notice(template, names) };
        (template, renderer.render(&notice).unwrap())
    };
    Template::ALL.iter().copied().map(render).collect()
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

fn record(name: &str, parts: impl IntoIterator<Item = (Template, String)>) {
    let all: Vec<String> = parts
        .into_iter()
        .map(|(template, text)| {
            format!("== {}\n{}\n", template.as_str(), text.replace(TOKEN, "[token]").trim_end())
        })
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
                .map(|(template, email)| (*template, format!("{}\n\n{}", email.subject(), email.text())));
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
            let parts = emails.iter().map(|(template, email)| (*template, content(email.html())));
            record(&format!("html-{language}-{}", level.as_str()), parts);
        }
    }
}

#[test]
fn the_headers_are_as_recorded() {
    for language in ["en", "es"] {
        let (template, email) = emails(Disclosure::Generic, language).remove(0);
        let head = email.eml().split("\r\n\r\n").next().unwrap_or_default().replace("\r\n", "\n");
        record(&format!("headers-{language}"), [(template, head)]);
    }
}

#[test]
fn one_whole_html_part_is_as_recorded() {
    let (template, email) = emails(Disclosure::Generic, "en").remove(0);
    record("html-whole", [(template, email.html().to_owned())]);
}
