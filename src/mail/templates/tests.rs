//! An operator's directory: its overrides and its faults.

use super::builtin;
use crate::base::templates::{TemplateError, place};
use crate::{
    base::config::Disclosure,
    mail::{
        NoticeEmail, Renderer, SetupError, Template,
        fixtures::{notice, with_templates},
    },
};

/// `file:line`, or `file` without a line, of the fault in a directory of these files; `None` without a fault.
fn fault(level: Disclosure, files: &[(&str, &str)]) -> Option<String> {
    let (directory, renderer) = with_templates(level, files);
    match renderer.err()? {
        SetupError::Template(TemplateError::Faulty { file, line, .. }) => {
            let file = file.replace(&format!("{}/", directory.path().display()), "");
            Some(place(&file, line))
        }
        other => panic!("{other}"),
    }
}

fn error(files: &[(&str, &str)]) -> TemplateError {
    match with_templates(Disclosure::Generic, files).1.err() {
        Some(SetupError::Template(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn warnings(level: Disclosure, files: &[(&str, &str)]) -> Vec<String> {
    let (directory, renderer) = with_templates(level, files);
    let root = format!("{}/", directory.path().display());
    let place = |warning: &super::TemplateWarning| {
        let text = warning.to_string().replace(&root, "");
        text.split(": ").next().unwrap().to_owned()
    };
    renderer.unwrap().warnings().iter().map(place).collect()
}

#[test]
fn a_faulty_template_is_rejected_with_file_and_line() {
    let cases = [
        ("en/first.txt", "fine\n{{ operator", "en/first.txt:2"),
        ("en/first.txt", "{{ operator }}\n\n{{ patient }}", "en/first.txt:3"),
        ("en/first.txt", "{{ subject }}", "en/first.txt:1"),
        ("en/recovered.html", "a\n{{ operator|shout }}", "en/recovered.html:2"),
        ("es/base.txt", "{% include \"nothing.txt\" %}", "es/base.txt:1"),
        (
            "en/reminder.subject",
            "{% for i in range(9999) %}{% for j in range(999) %}x{% endfor %}{% endfor %}",
            "en/reminder.subject:1",
        ),
        // A file that no email uses at this level must parse, too.
        ("en/expired.txt", "{{ patient }}", "en/expired.txt:1"),
    ];
    for (file, text, expected) in cases {
        assert_eq!(fault(Disclosure::Generic, &[(file, text)]).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn an_unknown_variable_is_rejected_and_the_known_ones_are_listed() {
    for (file, known) in [
        ("en/first.txt", &["operator", "link", "count", "last"][..]),
        ("en/first.html", &["operator", "subject"]),
        ("en/sources.txt", &["items", "more"]),
    ] {
        let message = error(&[(file, "{{ patient }}")]).to_string();
        assert!(known.iter().all(|variable| message.contains(variable)), "{message}");
    }
}

#[test]
fn under_generic_a_template_that_prints_the_sources_is_rejected_with_file_and_line() {
    for (file, text, expected) in [
        ("en/first.subject", "About\n{{ sources }}", "en/first.subject:2"),
        ("en/reminder.txt", "Hello,\n\n{{ sources }} needs you: {{ link }}", "en/reminder.txt:3"),
        ("es/reminder.subject", "¡{{ sources|upper }}!", "es/reminder.subject:1"),
        ("en/base.txt", "Hi\n{{ link }}\nyour {{ sources }}", "en/base.txt:3"),
        // In some cases only.
        ("en/first.subject", "Hi{% if count > 3 %}\n{{ sources }}{% endif %}", "en/first.subject:2"),
        ("en/first.subject", "Hi{% if days > 1 %}{{ sources }}{% endif %}", "en/first.subject:1"),
        ("en/reminder.subject", "Hi{% if last %}{{ sources }}{% endif %}", "en/reminder.subject:1"),
        ("en/first.subject", "Hi{% if not unsubscribe %}{{ sources }}{% endif %}", "en/first.subject:1"),
    ] {
        assert_eq!(fault(Disclosure::Generic, &[(file, text)]).as_deref(), Some(expected), "{text}");
        for level in [Disclosure::Kind, Disclosure::Name] {
            assert_eq!(fault(level, &[(file, text)]), None, "{text}");
        }
    }
    let guarded = [
        ("en/first.subject", "{% if sources %}{{ sources }}{% else %}Hello{% endif %}"),
        ("en/base.subject", "About {{ sources or 'a connection' }}"),
        ("en/reminder.txt", "{% if sources and count == 1 %}{{ sources|upper }}{% endif %} {{ link }}"),
    ];
    assert_eq!(fault(Disclosure::Generic, &guarded), None);
}

#[test]
fn an_email_without_words_or_a_link_is_rejected_with_its_file() {
    for (file, text, is_good) in [
        ("en/first.subject", " \n ", false),
        ("en/base.subject", "", false),
        ("es/reminder.txt", "&nbsp;", false),
        ("es/recovered.txt", "{# nothing #}", false),
        ("en/recovered.html", "<title>Hi</title><p class=x>&nbsp;<!-- Hi --></p>", false),
        ("en/recovered.html", "<p>Hi</p>", true),
        ("en/first.txt", "Go to our site.", false),
        ("en/first.txt", "{{ link|upper }}", false),
        ("en/base.txt", "Hello{% block body %}{% endblock %}", false),
        // In some of the emails only.
        ("en/first.txt", "Hello{% if count < 2 %} {{ link }}{% endif %}", false),
        ("en/invited.html", "<p>Hi<!-- {{ link }} --></p>", false),
        ("en/invited.html", "<a href=\"{{ link }}\">Hi</a>", true),
        ("layout.html", "<p>Hi {{ operator }}</p>", false),
        // The layout has the link.
        ("en/invited.html", "{% extends \"base.html\" %}", true),
        ("en/invited.txt", "Hi {{ link }}", true),
    ] {
        let expected = (!is_good).then_some(file);
        // `first.txt` also holds the email about several connections, of which COUNTS has some.
        assert_eq!(fault(Disclosure::Generic, &[(file, text)]).as_deref(), expected, "{file}: {text}");
    }
    let only_named = [("en/invited.txt", "{% if sources %}Hi {{ link }}{% endif %}")];
    assert!(fault(Disclosure::Generic, &only_named).is_some());
    assert_eq!(fault(Disclosure::Name, &only_named), None);
}

#[test]
fn every_source_that_an_email_may_name_needs_a_phrase() {
    let names = "{% for item in items %}{{ item.name }}{% endfor %}";
    let pharmacies = "{% for item in items if item.kind == 'pharmacy' %}your pharmacy{% endfor %}";
    for (level, text, is_good) in [
        (Disclosure::Generic, names, true),
        (Disclosure::Name, names, true),
        (Disclosure::Kind, names, false),
        (Disclosure::Kind, pharmacies, false),
    ] {
        let expected = (!is_good).then_some("en/sources.txt");
        assert_eq!(fault(level, &[("en/sources.txt", text)]).as_deref(), expected, "{text}");
    }
}

#[test]
fn words_that_may_reveal_the_status_or_the_kind_cause_a_warning_under_generic_only() {
    let files = [
        ("en/first.subject", "Please\nreconnect: your connection EXPIRED"),
        ("es/reminder.txt", "Tu farmacia caducó. {{ link }}"),
        ("layout.html", "Hello {{ link }}\n<!-- DISCONNECTED_BY_SOURCE -->\n{% block body %}{% endblock %}"),
    ];
    let expected = ["en/first.subject:2", "es/reminder.txt:1", "layout.html:2"];
    assert_eq!(warnings(Disclosure::Generic, &files), expected);
    assert_eq!(warnings(Disclosure::Name, &files[1..]), [""; 0]);
    // A copied built-in line, such as the one about an expired link, is known to be harmless.
    let copy = include_str!("en/base.txt");
    assert_eq!(warnings(Disclosure::Generic, &[("en/base.txt", copy)]), [""; 0]);
}

#[test]
fn a_file_that_no_email_uses_at_this_level_causes_a_warning() {
    let files = [("en/expired.txt", "Hi {{ link }}"), ("en/first.txt", "Hi {{ link }}")];
    assert_eq!(warnings(Disclosure::Generic, &files), ["en/expired.txt"]);
    assert_eq!(warnings(Disclosure::Kind, &files), ["en/first.txt"]);
}

#[test]
fn a_file_with_a_wrong_name_is_rejected_with_a_suggestion() {
    for (file, suggestion) in [
        ("en/expird.txt", Some("expired.txt")),
        ("en/Expired.txt", Some("expired.txt")),
        ("en/disconnected.htm", Some("disconnected.html")),
        ("en/source.txt", Some("sources.txt")),
        ("en/last_reminder.txt", Some("reminder.txt")),
        ("expired.txt", Some("en/expired.txt")),
        ("Layout.html", Some("layout.html")),
        ("en/zzz.txt", None),
    ] {
        let TemplateError::Unused(problems) = error(&[(file, "Hi {{ link }}")]) else { panic!("{file}") };
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(problem.contains(&format!("{file}: ")), "{problem}");
        match suggestion {
            Some(suggestion) => assert!(problem.ends_with(&format!(" {suggestion}?")), "{problem}"),
            None => assert!(!problem.contains('?'), "{problem}"),
        }
    }
    let TemplateError::Unused(both) = error(&[("en/expird.txt", ""), ("layout.htm", "")]) else { panic!() };
    assert_eq!(both.len(), 2);
}

#[test]
fn included_files_and_other_kinds_of_files_are_accepted() {
    let files = [
        ("en/base.txt", "Hi {{ link }} {% include \"foot.txt\" %}"),
        ("en/foot.txt", "{% from 'say.txt' import say %}{{ say() }}"),
        ("en/say.txt", "{% macro say() %}Bye{% endmacro %}"),
        ("en/README.md", ""),
        ("en/expired.txt.bak", ""),
        ("en/expired.txt~", ""),
        ("en/.expired.txt", ""),
        (".git/expired.txt", ""),
        ("README.md", ""),
        ("pictures/logo.png", ""),
    ];
    assert_eq!(fault(Disclosure::Generic, &files), None);
}

#[test]
fn a_new_language_needs_every_file_and_one_folder() {
    let TemplateError::Missing { folder, files, .. } = error(&[("pt-BR/first.txt", "Oi {{ link }}")]) else {
        panic!()
    };
    assert!(folder.ends_with("pt-BR"));
    assert!(files.contains(&"base.html".to_owned()) && files.contains(&"first.subject".to_owned()));
    assert!(!files.iter().any(|file| file == "first.txt" || file == "expired.txt" || file == "sources.txt"));
    let twice = [("es-MX/first.txt", "Hola {{ link }}"), ("es_mx/base.txt", "Hola {{ link }}")];
    assert!(matches!(error(&twice), TemplateError::SameLanguage { .. }));
}

/// The subject and the text of the email to two members, and the language of its headers.
fn shared_email(renderer: &Renderer, locale: &str) -> (String, String) {
    let notice = NoticeEmail { locale: Some(locale.to_owned()), ..notice(Template::Shared, &["A", "B"]) };
    let email = renderer.render(&notice).unwrap();
    (email.subject().to_owned(), email.text().to_owned())
}

#[test]
fn a_directory_without_shared_files_gets_the_built_in_email_in_its_own_frame() {
    let base = include_str!("en/base.txt").replace("--", "-- the footer of Acme");
    let (_directory, renderer) = with_templates(Disclosure::Generic, &[("en/base.txt", &base)]);
    let renderer = renderer.unwrap();
    assert_eq!(renderer.warnings(), []);
    let (_, text) = shared_email(&renderer, "en");
    assert!(text.contains("the footer of Acme") && text.contains("Label 1 (one account):"), "{text}");
}

#[test]
fn where_an_operators_frame_shows_no_links_of_members_the_built_in_one_does() {
    let (_directory, renderer) = with_templates(Disclosure::Generic, &[("en/base.txt", "Acme: {{ link }}")]);
    let renderer = renderer.unwrap();
    let (_, text) = shared_email(&renderer, "en");
    assert!(!text.contains("Acme:") && text.contains("Label 1 (one account):"), "{text}");
    let expired = renderer.render(&notice(Template::Expired, &["A"])).unwrap();
    assert!(expired.text().starts_with("Acme:"), "other emails keep it");
    let files = [("en/base.txt", "Acme: {{ link }}")];
    assert_eq!(warnings(Disclosure::Generic, &files), ["en/shared.txt"]);
}

#[test]
fn a_language_without_shared_files_gets_the_email_in_another_language() {
    let names: Vec<String> =
        builtin::used_files(Disclosure::Generic).filter(|file| file != "layout.html").collect();
    let files = |has: fn(&str) -> bool| {
        let names = names.iter().filter(move |file| has(file));
        names
            .map(|file| (format!("fr/{file}"), builtin::find(&format!("en/{file}")).unwrap()))
            .collect::<Vec<_>>()
    };
    let load = |files: &[(String, &str)]| {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        with_templates(Disclosure::Generic, &files)
    };
    let (_directory, renderer) = load(&files(|file| !file.starts_with("shared")));
    let renderer = renderer.unwrap();
    assert_eq!(shared_email(&renderer, "fr"), shared_email(&renderer, "en"));
    assert_eq!(renderer.warnings().len(), 1, "{:?}", renderer.warnings());
    let (_directory, renderer) = load(&files(|file| file != "shared.html"));
    match renderer.err() {
        Some(SetupError::Template(TemplateError::Missing { folder, files, .. })) => {
            assert!(folder.ends_with("fr") && files == ["shared.html"], "{files:?}");
        }
        other => panic!("{other:?}"),
    }
    let (_directory, renderer) = load(&files(|_| true));
    assert_eq!(renderer.unwrap().warnings(), []);
}

#[test]
fn an_operators_email_for_several_members_needs_each_link_and_each_label() {
    let each = "{% for person in people %}{{ person.label or loop.index }}: {{ person.link }} {% endfor %}";
    let links = "{% for person in people %}{{ person.link }} {% endfor %}";
    let first = "{{ people[0].label }}{{ people[1].label }}: {{ people[0].link }}";
    for (file, text, is_good) in [
        ("en/shared.txt", each, true),
        ("en/shared.html", each, true),
        ("en/shared.txt", &each.replace("label", "label|upper"), true),
        ("en/shared.txt", links, false),
        ("es/shared.html", links, false),
        ("en/shared.txt", first, false),
        ("en/shared.html", first, false),
        ("en/shared.txt", "Hi {{ link }}", false),
        ("en/shared.subject", " ", false),
    ] {
        let expected = (!is_good).then_some(file);
        assert_eq!(fault(Disclosure::Generic, &[(file, text)]).as_deref(), expected, "{file}: {text}");
    }
}

#[test]
fn an_email_for_several_members_cannot_reveal_a_source_under_generic_or_a_label_in_its_subject() {
    let sources =
        "{% for person in people %}\n{{ person.label }} {{ person.link }} {{ person.sources }}{% endfor %}";
    let files = [("en/shared.txt", sources)];
    assert_eq!(fault(Disclosure::Generic, &files).as_deref(), Some("en/shared.txt:2"));
    assert_eq!(fault(Disclosure::Name, &files), None);
    let subject = [("en/shared.subject", "Hello {{ people[0].label }}")];
    assert_eq!(fault(Disclosure::Name, &subject).as_deref(), Some("en/shared.subject:1"));
}

#[test]
fn an_unreadable_file_is_named_and_its_cause_appears_once() {
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("en")).unwrap();
    let file = directory.path().join("en/first.txt");
    for bytes in [b"caf\xe9".to_vec(), vec![b'x'; 300 * 1024]] {
        std::fs::write(&file, bytes).unwrap();
        let error = super::load(Some(directory.path()), "en", Disclosure::Generic).err().unwrap();
        let TemplateError::Read { path, problem } = &error else { panic!("{error}") };
        assert_eq!(*path, file);
        let problem = problem.clone();
        let whole = format!("{:#}", anyhow::Error::new(error));
        assert_eq!(whole.matches(&problem).count(), 1, "{whole}");
    }
}

/// The renderer is not `Debug`: it holds templates.
impl std::fmt::Debug for Renderer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Renderer")
    }
}
