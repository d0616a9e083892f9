//! The email for several members who share an address, and how emails speak of the last reminder.

use super::*;
use crate::mail::EmailKind;
use crate::mail::fixtures::{TOKEN, notice, notice_of, renderer};

const LEVELS: [Disclosure; 3] = [Disclosure::Generic, Disclosure::Kind, Disclosure::Name];

/// For one member per label, each with one connection.
fn shared(labels: &[Option<&str>]) -> NoticeEmail {
    let mut notice = notice(Template::Shared, &vec!["Epic MyChart"; labels.len()]);
    for (section, label) in notice.sections.iter_mut().zip(labels) {
        section.label = label.map(str::to_owned);
    }
    notice
}

/// The text, and the HTML without its head.
fn parts(email: &Email) -> [String; 2] {
    let (_, body) = email.html().split_once("<body").unwrap();
    [one_line(email.text()), body.to_owned()]
}

#[test]
fn each_member_has_a_label_and_a_link_of_their_own_at_every_level() {
    for level in LEVELS {
        let email = renderer(level).render(&shared(&[Some("Ann"), Some("Ben"), Some("Ben")])).unwrap();
        for part in parts(&email) {
            let places: Vec<usize> = ["Ann", "-0", "Ben", "-1", "Ben", "-2"]
                .iter()
                .scan(0, |from, word| {
                    let word =
                        if word.starts_with('-') { format!("{TOKEN}{word}") } else { (*word).to_owned() };
                    *from += part[*from..].find(&word)? + word.len();
                    Some(*from)
                })
                .collect();
            assert_eq!(places.len(), 6, "{part}");
            assert_eq!(part.matches("/u/stop-1").count(), 1, "one unsubscribe link for the address: {part}");
        }
    }
}

#[test]
fn a_member_without_a_visible_label_is_numbered_among_the_members_of_the_email() {
    let labels = [Some("Ann"), None, Some(" \u{200B}\u{3164}")];
    for (locale, second, third) in
        [("en", "Person 2 of 3", "Person 3 of 3"), ("es", "Persona 2 de 3", "Persona 3 de 3")]
    {
        let notice = NoticeEmail { locale: Some(locale.to_owned()), ..shared(&labels) };
        for part in parts(&renderer(Disclosure::Generic).render(&notice).unwrap()) {
            assert!(part.contains(second) && part.contains(third), "{part}");
            assert!(!part.contains("1 of 3") && !part.contains("1 de 3"), "{part}");
        }
    }
}

#[test]
fn no_label_appears_in_the_subject_the_headers_or_an_email_to_one_member() {
    for level in LEVELS {
        let renderer = renderer(level);
        for &kind in EmailKind::ALL {
            let mut notice = notice_of(kind, &["A", "B"]);
            notice.sections.iter_mut().for_each(|section| section.label = Some("Zebulon".to_owned()));
            let email = renderer.render(&notice).unwrap();
            let eml = email.eml().into_owned();
            let (head, _) = eml.split_once("\r\n\r\n").unwrap();
            assert!(!head.contains("Zebulon") && !email.subject().contains("Zebulon"), "{head}");
            let is_shown = kind.template == Template::Shared;
            for part in [email.text(), email.html()] {
                assert_eq!(part.contains("Zebulon"), is_shown, "{}: {part}", kind.name);
            }
            assert!(!email.html().split_once("<body").unwrap().0.contains("Zebulon"), "the title");
        }
    }
}

#[test]
fn a_hostile_label_stays_one_short_line_of_text_and_becomes_no_link() {
    let long = "x".repeat(1000);
    for label in [
        "<a href=\"https://evil.example\">Ann</a>",
        "https://evil.example/x",
        "www.evil.example",
        "ann@evil.example",
        "\"><script>alert(1)</script>",
        "Ann\r\n\r\nhttps://evil.example\r\nBcc: evil@evil.example",
        "{{ link }}{% include 'x' %}",
        "\u{202E}nnA",
        &long,
    ] {
        let email = renderer(Disclosure::Name).render(&shared(&[Some(label), Some("Ben")])).unwrap();
        for part in parts(&email) {
            assert!(!part.contains("evil.example"), "{part}");
            assert!(!part.contains('\u{202E}') && !part.contains(&"x".repeat(61)), "{part}");
        }
        assert!(!email.html().contains("<script"), "{}", email.html());
        assert_eq!(email.html().matches("<a ").count(), 3, "two buttons and unsubscribe: {}", email.html());
        assert!(email.text().lines().all(|line| line.chars().count() <= 78), "{}", email.text());
        assert!(!email.eml().contains("\r\nBcc:"));
    }
}

#[test]
fn fifty_members_fit_into_one_email() {
    let label = format!("{} <&> O'Hara", "é".repeat(45));
    let labels: Vec<Option<&str>> = (0..50).map(|index| (index % 5 > 0).then_some(label.as_str())).collect();
    for level in LEVELS {
        let renderer = renderer(level);
        for language in ["en", "es"] {
            let mut notice = NoticeEmail { locale: Some(language.to_owned()), ..shared(&labels) };
            for (index, section) in notice.sections.iter_mut().enumerate() {
                let connection = section.connections[0].clone();
                let name = |other| format!("A source with a long name, number {other} of member {index}");
                section.connections =
                    (0..5).map(|other| ConnectionLabel { name: name(other), ..connection.clone() }).collect();
            }
            let email = renderer.render(&notice).unwrap();
            for index in 0..50 {
                let link = format!("https://acme.test/some/where/r/{TOKEN}-{index}");
                assert_eq!(email.text().lines().filter(|line| *line == link).count(), 1, "{index}");
                assert_eq!(email.html().matches(&format!("href=\"{link}\"")).count(), 1, "{index}");
            }
            assert!(email.html().len() < 102_000, "Gmail clips a longer one: {}", email.html().len());
        }
    }
}

#[test]
fn the_last_reminder_says_so_and_that_the_link_stays_useful_whatever_it_is_about() {
    for level in LEVELS {
        let renderer = renderer(level);
        for (language, words) in [
            ("en", ["last reminder", "don't need to do anything", "link", "email you"]),
            ("es", ["último recordatorio", "no tienes que hacer nada", "enlace", "enviar"]),
        ] {
            for &kind in EmailKind::ALL {
                let notice =
                    NoticeEmail { locale: Some(language.to_owned()), ..notice_of(kind, &["A", "B"]) };
                let email = renderer.render(&notice).unwrap();
                let is_last = kind.urgency == Urgency::LastReminder;
                assert_eq!(email.subject().to_lowercase().contains(words[0]), is_last, "{}", email.subject());
                for part in parts(&email).map(|part| part.replace('’', "'")) {
                    assert_eq!(part.contains(words[0]), is_last, "{}: {part}", kind.name);
                    assert!(!is_last || words.iter().all(|word| part.contains(word)), "{part}");
                }
            }
        }
    }
}

#[test]
fn urgency_changes_no_email_that_is_never_a_reminder() {
    for template in [Template::Expired, Template::Disconnected, Template::Invited, Template::Recovered] {
        let email = |urgency| {
            let notice = NoticeEmail { urgency, ..notice(template, &["A"]) };
            renderer(Disclosure::Name).render(&notice).unwrap().eml().into_owned()
        };
        assert_eq!(email(Urgency::First), email(Urgency::LastReminder));
    }
}
