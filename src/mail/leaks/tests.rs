use super::*;
use crate::mail::{SetupError, fixtures::with_templates};

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
fn each_way_of_telling_too_much_is_named_with_file_line_place_and_remedy() {
    let cases = [
        // Chosen by what happened, a template tells it by being another one.
        ("en/expired.subject", "Please\nrenew", "en/expired.subject:1: the subject tells the status, which"),
        (
            "en/disconnected.txt",
            "{{ link }}\nWas it you?",
            "en/disconnected.txt:2: the text tells the status, which",
        ),
        (
            "es/expired.html",
            "{% extends \"base.html\" %}\n{% block preheader %}Renovar{% endblock %}",
            "es/expired.html:2: the HTML tells the status, which",
        ),
        // The same words first; the line is that of the difference.
        (
            "en/expired.txt",
            "{% extends \"base.txt\" %}\n{% block footer %}You get this mail, as you set it up.\n{% endblock %}",
            "en/expired.txt:2: the text tells the status, which",
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
            "{{ link }}\n<p class=\"connection_expired\">Hello</p>",
            "en/base.html:2: the HTML tells the status (\"expired\")",
        ),
        (
            "layout.html",
            "Hello {{ link }}\n<!-- EXPIRED_BY_SOURCE -->",
            "layout.html:2: the HTML tells the status (\"EXPIRED\")",
        ),
        (
            "en/base.html",
            "{{ link }}\nHas ex<b>pi</b>red",
            "en/base.html:2: the HTML tells the status (\"expired\")",
        ),
        (
            "es/base.subject",
            "Tu conexión ha caducado",
            "es/base.subject:1: the subject tells the status (\"caducado\")",
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
fn what_only_some_mails_say_is_found() {
    let expired = "en/expired.subject:1: the subject tells the status (\"EXPIRED\")";
    let cases = [
        ("en/expired.subject", "Hello {% if days > 1 %}EXPIRED{% endif %}", expired),
        ("en/expired.subject", "Hello {% if hours > 1 %}EXPIRED{% endif %}", expired),
        ("en/expired.subject", "Hello {% if minutes < 60 %}EXPIRED{% endif %}", expired),
        ("en/expired.subject", "Hello {% if minutes == 60 %}EXPIRED{% endif %}", expired),
        ("en/expired.subject", "Hello {% if not unsubscribe %}EXPIRED{% endif %}", expired),
        (
            "en/expired.txt",
            "{% extends \"base.txt\" %}{% block body %}{% if days > 1 %}Renew{% else %}{{ super() }}{% endif %}{% endblock %}",
            "en/expired.txt:1: the text tells the status, which",
        ),
        (
            "en/several.subject",
            "Hello {% if count > 3 %}EXPIRED{% endif %}",
            "en/several.subject:1: the subject tells the status (\"EXPIRED\")",
        ),
        (
            "en/recovered.subject",
            "Hello {% if count > 1 %}disconnected{% endif %}",
            "en/recovered.subject:1: the subject tells the status (\"disconnected\")",
        ),
        (
            "en/reminder.subject",
            "Hello {% if days > 1 %}{{ sources }}!{% endif %}",
            "en/reminder.subject:1: the subject has a hole",
        ),
    ];
    for (file, text, expected) in cases {
        let told = told(Disclosure::Generic, &[(file, text)]);
        assert!(told.iter().any(|line| line.starts_with(expected)), "{text}: {told:#?}");
    }
}

/// Links work for what is configured, whatever else is tried.
#[test]
fn what_is_said_with_the_configured_ttl_alone_is_found() {
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("en")).unwrap();
    std::fs::write(
        directory.path().join("en/reminder.subject"),
        "Hello{% if days == 30 %}, EXPIRED{% endif %}",
    )
    .unwrap();
    let mut config = crate::mail::fixtures::config();
    config.notices.templates = Some(directory.path().to_owned());
    for (days, found) in [(29, false), (30, true)] {
        config.links.ttl = std::time::Duration::from_secs(days * 86_400);
        let renderer = Renderer::new_unchecked(&config.notices, &config.email, &config.links).unwrap();
        let leaks = renderer.leaks().unwrap();
        assert_eq!(!leaks.is_empty(), found, "{days}: {leaks:?}");
    }
}

#[test]
fn a_leak_in_a_file_that_a_template_includes_is_named_with_that_file() {
    for include in ["{% include \"foot.txt\" %}", "{% from 'foot.txt' import foot %}{{ foot() }}"] {
        let foot = "Bye,\n\n{% macro foot() %}\nyour connection_expired{% endmacro %}{{ foot() }}";
        let base = format!("Hello,\n{{{{ link }}}}\n{include}");
        let told = told(Disclosure::Generic, &[("en/base.txt", &base), ("en/foot.txt", foot)]);
        let expected = "en/foot.txt:4: the text tells the status (\"expired\")";
        assert!(told.iter().any(|line| line.starts_with(expected)), "{told:#?}");
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
        (
            "es/reminder.txt",
            "{% if sources != \"\" %}Sobre {{ sources }}.{% else %}Hola.{% endif %} {{ link }}",
        ),
        ("es/reminder.subject", "{% if sources|trim %}Sobre {{ sources }}{% else %}Hola{% endif %}"),
        // That a mail is from a pharmacy's friend tells of no source: every mail says the same.
        ("en/several.txt", "Ask your care provider, or your pharmacy. {{ link }}"),
    ];
    for level in LEVELS {
        assert_eq!(told(level, &guarded), [""; 0], "{level:?}");
    }
}

#[test]
fn the_same_leak_is_told_once_for_all_kinds_and_every_leak_is_told() {
    let both =
        [("en/base.txt", "Your connection EXPIRED. {{ link }}"), ("es/reminder.subject", "¡{{ sources }}!")];
    let told = told(Disclosure::Generic, &both);
    assert_eq!(told.iter().filter(|line| line.starts_with("en/base.txt:1")).count(), 1, "{told:#?}");
    assert!(told.iter().any(|line| line.starts_with("es/reminder.subject:1")), "{told:#?}");
}

#[test]
fn a_source_that_may_be_told_of_has_a_phrase() {
    let names = "{% for item in items %}{{ item.name }}{% endfor %}";
    let pharmacies = "{% for item in items if item.kind == 'pharmacy' %}your pharmacy{% endfor %}";
    for (level, text, kinds) in [
        (Disclosure::Generic, names, ""),
        (Disclosure::Name, names, ""),
        (Disclosure::Kind, names, "pharmacy, lab, clinical, insurance, practitioner, unknown"),
        (Disclosure::Kind, pharmacies, "lab, clinical, insurance, practitioner, unknown"),
    ] {
        let told = told(level, &[("en/sources.txt", text)]).join("\n");
        let expected = format!("en/sources.txt: writes nothing for some sources (of the kinds: {kinds}), ");
        assert!(told.starts_with(&expected) || told.is_empty() && kinds.is_empty(), "{told}");
    }
}

#[test]
fn an_operators_name_and_public_address_are_no_leak() {
    let mut config = crate::mail::fixtures::config();
    config.email.from = "Expired & Disconnected Ltd <no-reply@expired.test>".to_owned();
    config.links.public_url = "https://disconnected.expired.test/your/pharmacy".parse().unwrap();
    let renderer = Renderer::new_unchecked(&config.notices, &config.email, &config.links).unwrap();
    assert_eq!(renderer.leaks().unwrap(), []);
}

/// The pipeline itself: as if a value had reached a mail past the templates.
#[test]
fn a_difference_in_any_place_of_a_mail_is_seen() {
    let renderer = crate::mail::fixtures::renderer(Disclosure::Generic);
    let case = Case::matrix(Template::Expired, renderer.ttl)[0];
    let mail = |search: &Search<'_>| search.mail("en", &case, &named("A", 0, 1)).unwrap();
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
        search.compare("en", &[Template::Expired], &one, &other, Told::Name);
        let lines: Vec<_> = search.leaks.iter().map(Leak::to_string).collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].contains(&format!("the {place} tells the source's name")), "{lines:#?}");
    }
}
