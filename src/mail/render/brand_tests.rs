//! What an email shows of the organization, and how it names sources.

use super::*;
use crate::mail::fixtures::{HELP, branded_renderer, notice, renderer};

const NO_NAMES: [&str; 4] = ["", " ", "\u{200B}\u{200D}", "\u{3164}"];

/// The text, and the HTML without its head, which email programs do not show.
fn parts(email: &Email) -> [String; 2] {
    let (_, body) = email.html().split_once("<body").unwrap();
    [one_line(email.text()), body.to_owned()]
}

#[test]
fn help_privacy_and_the_app_are_in_both_parts_when_they_are_configured() {
    for locale in ["en", "es"] {
        let notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice(Template::Expired, &["A"]) };
        let app =
            if locale == "en" { "open the Example Health app" } else { "abrir la app de Example Health" };
        let words = [HELP, "https://acme.test/privacy", app];
        for part in parts(&branded_renderer(Disclosure::Name).render(&notice).unwrap()) {
            assert!(words.iter().all(|word| part.contains(word)), "{part}");
        }
        for part in parts(&renderer(Disclosure::Name).render(&notice).unwrap()) {
            assert!(
                ["555-0100", "rivac", "Connections", "Conexiones"].iter().all(|word| !part.contains(word)),
                "{part}"
            );
        }
    }
}

#[test]
fn the_button_has_the_color_of_the_brand_inline_and_a_readable_one_in_dark_mode() {
    let button = |renderer: &Renderer| {
        let email = renderer.render(&notice(Template::Expired, &["A"])).unwrap();
        let html = email.html().to_owned();
        let dark = html.split("prefers-color-scheme: dark").nth(1).unwrap();
        let dark = dark.lines().find(|line| line.contains(".act")).unwrap().trim().to_owned();
        let link = html.lines().find(|line| line.starts_with("<a class=\"act\"")).unwrap().to_owned();
        (link, dark)
    };
    let (link, dark) = button(&branded_renderer(Disclosure::Generic));
    assert!(link.contains("background-color:#ffd400") && link.contains("color:#14202b;"), "{link}");
    assert!(dark.contains("background-color: #ffd400") && dark.contains(" color: #14202b"), "{dark}");
    let (link, dark) = button(&renderer(Disclosure::Generic));
    assert!(link.contains("background-color:#0b6658") && link.contains("color:#ffffff;"), "{link}");
    assert!(dark.contains("background-color: #529288") && dark.contains(" color: #14202b"), "{dark}");
}

#[test]
fn no_name_becomes_a_link() {
    let renderer = renderer(Disclosure::Name);
    for name in ["https://evil.example", "www.evil.example", "evil.example", "help@evil.example"] {
        let email = renderer.render(&notice(Template::Expired, &[name])).unwrap();
        assert!(email.subject().contains(name), "nothing looks for links in a subject");
        for part in parts(&email) {
            assert!(!part.contains(name) && !part.contains("evil.example"), "{part}");
            assert!(
                part.replace('\u{2060}', "").replace("&#x2f;", "/").contains(name),
                "it looks the same: {part}"
            );
        }
    }
}

#[test]
fn a_source_without_a_visible_name_is_named_by_its_kind() {
    let named = renderer(Disclosure::Name);
    let kind = renderer(Disclosure::Kind).render(&notice(Template::Expired, &["A"])).unwrap();
    for name in NO_NAMES {
        let email = named.render(&notice(Template::Expired, &[name])).unwrap();
        assert_eq!((email.subject(), email.text()), (kind.subject(), kind.text()), "{name:?}");
    }
}

#[test]
fn names_keep_their_joiners() {
    let renderer = renderer(Disclosure::Name);
    for name in ["👩\u{200D}⚕\u{FE0F} Clinic", "ශ්\u{200D}රී Clinic"] {
        let email = renderer.render(&notice(Template::Expired, &[name])).unwrap();
        assert!(email.subject().contains(name) && parts(&email).iter().all(|part| part.contains(name)));
    }
}
