use super::*;
use crate::mail::{SetupError, samples::with_templates};

/// What a directory of these templates is found to tell, a line each, without the directory's own path.
fn told(level: Disclosure, files: &[(&str, &str)]) -> Vec<String> {
    let (directory, renderer) = with_templates(level, files);
    let root = format!("{}/", directory.path().display());
    match renderer.err() {
        None => Vec::new(),
        Some(SetupError::Leaks(leaks)) => {
            leaks.iter().map(|leak| leak.to_string().replace(&root, "")).collect()
        }
        Some(other) => panic!("{other}"),
    }
}

const LEVELS: [Disclosure; 3] = [Disclosure::Generic, Disclosure::Kind, Disclosure::Name];

#[test]
fn the_built_in_templates_tell_no_more_than_they_may_at_any_level() {
    for level in LEVELS {
        assert_eq!(told(level, &[]), [""; 0], "{level:?}");
    }
}

#[test]
fn each_way_of_telling_too_much_is_named_with_file_place_and_remedy() {
    let cases = [
        // Chosen by what happened, a template tells it by being another one.
        ("en/expired.subject", "Please renew", "en/expired.subject: the subject tells the status"),
        ("en/disconnected.txt", "{{ link }} Was it you?", "en/disconnected.txt: the text tells the status"),
        (
            "es/expired.html",
            "{% extends \"base.html\" %}{% block preheader %}Renovar{% endblock %}",
            "es/expired.html: the HTML tells the status",
        ),
        // Where the mails are the same, or there is but one, words can tell it.
        (
            "en/reminder.txt",
            "Hello,\n\nyour connection has expired.\n{{ link }}",
            "en/reminder.txt:3: the text tells the status (\"expired\")",
        ),
        (
            "en/several.subject",
            "2 are DISCONNECTED",
            "en/several.subject:1: the subject tells the status (\"DISCONNECTED\")",
        ),
        (
            "en/base.html",
            "<html>\n<p class=\"expired\">Hello</p></html>",
            "en/base.html:2: the HTML tells the status (\"expired\")",
        ),
        (
            "layout.html",
            "<html>\n<!-- EXPIRED --></html>",
            "layout.html:2: the HTML tells the status (\"EXPIRED\")",
        ),
        (
            "es/base.subject",
            "Tu conexión ha caducado",
            "es/base.subject:1: the subject tells the status (\"caducado\")",
        ),
        (
            "en/base.txt",
            "Hello,\nabout your pharmacy:\n{{ link }}",
            "en/base.txt:2: the text tells the kind of source (\"your pharmacy\")",
        ),
        // Not told, but said with a hole in the sentence.
        (
            "en/last_reminder.subject",
            "About {{ sources }}",
            "en/last_reminder.subject:1: the subject has a hole",
        ),
        (
            "en/base.txt",
            "Hello,\nyour {{ sources | upper }} needs you\n{{ link }}",
            "en/base.txt:2: the text has a hole",
        ),
    ];
    for (file, text, expected) in cases {
        let told = told(Disclosure::Generic, &[(file, text)]);
        assert!(told.iter().all(|line| line.starts_with(file)), "no other file is at fault: {told:#?}");
        assert!(told.iter().any(|line| line.starts_with(expected)), "{file}: {told:#?}");
        for line in told {
            assert!(line.contains("notices.disclosure = \"generic\""), "{line}");
            assert!(line.contains("; "), "what to do: {line}");
        }
    }
}

#[test]
fn what_the_level_lets_a_template_tell_is_no_leak() {
    let files = [
        ("en/expired.subject", "{{ sources }} EXPIRED"),
        ("en/disconnected.txt", "{{ sources }}, your pharmacy, was disconnected. {{ link }}"),
    ];
    for level in [Disclosure::Kind, Disclosure::Name] {
        assert_eq!(told(level, &files), [""; 0], "{level:?}");
    }
    let guarded = [
        ("en/expired.subject", "{% if sources %}{{ sources }} has expired{% else %}Hello{% endif %}"),
        ("en/disconnected.subject", "{% if sources %}{{ sources }} was cut{% else %}Hello{% endif %}"),
        ("en/base.subject", "About {{ sources or 'a connection' }}"),
        ("en/reminder.txt", "If the link has expired, its page sends another: {{ link }}"),
        ("en/last_reminder.txt", "{% if sources and count == 1 %}{{ sources|upper }}{% endif %} {{ link }}"),
    ];
    for level in LEVELS {
        assert_eq!(told(level, &guarded), [""; 0], "{level:?}");
    }
}

#[test]
fn the_same_leak_is_told_once_for_all_kinds_and_every_leak_is_told() {
    let both =
        [("en/base.txt", "Your connection EXPIRED. {{ link }}"), ("es/reminder.subject", "{{ sources }}")];
    let told = told(Disclosure::Generic, &both);
    assert_eq!(told.iter().filter(|line| line.starts_with("en/base.txt:1")).count(), 1, "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("es/reminder.subject:1")), "{told:#?}");
}

#[test]
fn an_operators_name_and_public_address_are_no_leak() {
    let mut config = crate::mail::samples::config();
    config.email.from = "Expired & Disconnected Ltd <no-reply@expired.test>".to_owned();
    let url = "https://disconnected.expired.test/your/pharmacy".parse().unwrap();
    let renderer = Renderer::unproven(&config.notices, &config.email, &url).unwrap();
    assert_eq!(renderer.leaks().unwrap(), []);
}

/// The pipeline itself: as if a value had reached a mail past the templates.
#[test]
fn a_difference_in_any_place_of_a_mail_is_seen() {
    let renderer = crate::mail::samples::renderer(Disclosure::Generic);
    let mail = |search: &Search<'_>| search.mail("en", Kind::Expired, &named("A", 0, 1)).unwrap();
    for place in ["envelope", "header"] {
        let mut search = Search { renderer: &renderer, leaks: Vec::new() };
        let (one, mut other) = (mail(&search), mail(&search));
        if place == "header" {
            let raw = String::from_utf8(other.bytes).unwrap();
            other.bytes = raw.replacen("\r\nTo: ", "\r\nX-Source: Quillmark\r\nTo: ", 1).into_bytes();
        } else {
            let to = "quillmark@example.org".parse().unwrap();
            other.envelope = lettre::address::Envelope::new(None, vec![to]).unwrap();
        }
        search.compare("en", &[Kind::Expired], &one, &other, Told::Name);
        let lines: Vec<_> = search.leaks.iter().map(Leak::to_string).collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains(&format!("the {place} tells the source's name")), "{lines:#?}");
    }
}
