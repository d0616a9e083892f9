//! An operator's folder: what is taken from it, and what is wrong with it.

use crate::base::config::Disclosure;
use crate::mail::fixtures::with_templates;

/// What is wrong with a directory of these files, without the directory's own path; empty when nothing is.
fn wrong(level: Disclosure, files: &[(&str, &str)]) -> String {
    let (directory, renderer) = with_templates(level, files);
    let root = format!("{}/", directory.path().display());
    renderer.err().map(|error| error.to_string().replace(&root, "")).unwrap_or_default()
}

#[test]
fn a_faulty_template_is_named_with_file_and_line_at_start() {
    let cases = [
        ("en/expired.txt", "fine\n{{ operator", "en/expired.txt:2: "),
        (
            "en/expired.txt",
            "{{ operator }}\n\n{{ patient }}",
            "en/expired.txt:3: unknown variable \"patient\"",
        ),
        ("en/several.html", "a\n{{ operator|shout }}", "en/several.html:2: "),
        ("es/base.txt", "{% include \"nothing.txt\" %}", "es/base.txt:1: template not found"),
        (
            "en/reminder.subject",
            "{% for i in range(9999) %}{% for j in range(999) %}x{% endfor %}{% endfor %}",
            "en/reminder.subject:1: engine ran out of fuel",
        ),
    ];
    for (file, text, expected) in cases {
        let wrong = wrong(Disclosure::Generic, &[(file, text)]);
        assert!(wrong.starts_with(expected), "{file}: {wrong}");
    }
}

#[test]
fn the_variables_that_there_are_are_those_of_the_file() {
    let plain = "operator, link, unsubscribe, sources, count, days, hours, minutes, lang";
    for (file, there_are) in [
        ("en/expired.txt", plain.to_owned()),
        ("en/expired.subject", plain.to_owned()),
        ("en/expired.html", format!("{plain}, subject")),
        ("en/sources.txt", "items, more".to_owned()),
    ] {
        let expected = format!("{file}:1: unknown variable \"patient\"; there are: {there_are}");
        assert_eq!(wrong(Disclosure::Generic, &[(file, "{{ patient }}")]), expected);
    }
    let wrong = wrong(Disclosure::Generic, &[("en/expired.txt", "{{ subject }}")]);
    assert!(wrong.starts_with("en/expired.txt:1: unknown variable \"subject\""), "{wrong}");
}

#[test]
fn a_mail_with_nothing_in_it_or_nowhere_to_press_is_a_fault_of_its_file() {
    let no_link = "{% extends \"base.html\" %}";
    for (file, text, expected) in [
        ("en/expired.subject", " \n ", "en/expired.subject: the subject of \"expired\" is empty"),
        ("en/base.subject", "{% block subject %}{% endblock %}", "en/base.subject: the subject of "),
        ("es/reminder.txt", "&nbsp;", "es/reminder.txt: the text of \"reminder\" has no link"),
        ("es/recovered.txt", "{# nothing #}", "es/recovered.txt: the text of \"recovered\" is empty"),
        (
            "en/recovered.html",
            "<title>Hi</title><p class=x>&nbsp;<!-- Hi --></p>",
            "en/recovered.html: the HTML of \"recovered\" shows nothing",
        ),
        ("en/recovered.html", "<p>Hi</p>", ""),
        ("en/expired.txt", "Go to our site.", "en/expired.txt: the text of \"expired\" has no link"),
        ("en/expired.txt", "{{ link|upper }}", "en/expired.txt: the text of \"expired\" has no link"),
        (
            "en/base.txt",
            "Hello{% block body %}{% endblock %}",
            "en/base.txt: the text of \"expired\" has no link",
        ),
        // In some of the mails alone.
        (
            "en/several.txt",
            "Hello{% if count < 4 %} {{ link }}{% endif %}",
            "en/several.txt: the text of \"several\" has no link",
        ),
        (
            "en/invited.html",
            "<p>Hi<!-- {{ link }} --></p>",
            "en/invited.html: the HTML of \"invited\" has no link",
        ),
        ("en/invited.html", "<a href=\"{{ link }}\">Hi</a>", ""),
        ("layout.html", "<p>Hi {{ operator }}</p>", "layout.html: the HTML of \"expired\" has no link"),
        // The header has it all the same.
        ("en/invited.txt", "Hi {{ link }}", ""),
        ("en/invited.html", no_link, ""),
    ] {
        let wrong = wrong(Disclosure::Generic, &[(file, text)]);
        if expected.is_empty() {
            assert_eq!(wrong, "", "{file}: {text}");
        } else {
            assert!(wrong.starts_with(expected) && wrong.contains("; write "), "{file}: {text}: {wrong}");
        }
    }
    // What another level would leave out is there.
    let guarded = [("en/invited.txt", "{% if sources %}Hi {{ link }}{% endif %}")];
    assert_ne!(wrong(Disclosure::Generic, &guarded), "");
    assert_eq!(wrong(Disclosure::Name, &guarded), "");
}

#[test]
fn a_file_that_nothing_uses_is_named_with_what_it_could_have_been() {
    for (file, advice) in [
        ("en/expird.txt", "did you mean expired.txt?"),
        ("en/Expired.txt", "did you mean expired.txt?"),
        ("en/disconnected.htm", "did you mean disconnected.html?"),
        ("en/source.txt", "did you mean sources.txt?"),
        ("expired.txt", "did you mean en/expired.txt?"),
        ("Layout.html", "did you mean layout.html?"),
        ("en/zzz.txt", "take it away, or include it in another"),
    ] {
        let expected = format!("{file}: nothing uses this file; {advice}");
        assert_eq!(wrong(Disclosure::Generic, &[(file, "Hi {{ link }}")]), expected);
    }
    // Each of them.
    let both = wrong(Disclosure::Generic, &[("en/expird.txt", ""), ("layout.htm", "")]);
    assert!(both.contains("en/expird.txt: ") && both.contains("layout.htm: "), "{both}");
}

#[test]
fn a_file_that_another_includes_and_what_is_no_template_are_left_alone() {
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
    assert_eq!(wrong(Disclosure::Generic, &files), "");
}

#[test]
fn a_language_of_ones_own_is_whole_and_in_one_folder() {
    let wrong = |files: &[(&str, &str)]| wrong(Disclosure::Generic, files);
    let lacks = wrong(&[("pt-BR/expired.txt", "Oi {{ link }}")]);
    assert!(
        lacks.starts_with("pt-BR: lacks base.html, base.subject, base.txt, disconnected.html, "),
        "{lacks}"
    );
    assert!(lacks.contains("sources.txt; a language of your own needs every file of the built-in \"en\""));
    assert!(!lacks.contains("expired.txt,"), "it has that one: {lacks}");
    let twice = wrong(&[("es-MX/expired.txt", "Hola {{ link }}"), ("es_mx/base.txt", "Hola {{ link }}")]);
    assert!(twice.starts_with("es-MX and es_mx are the same language; "), "{twice}");
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_remedy_and_the_cause_once() {
    let directory = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("en")).unwrap();
    let path = directory.path().join("en/expired.txt");
    for (bytes, problem) in [
        (b"caf\xe9".to_vec(), "it is not UTF-8 text; save it as UTF-8"),
        (vec![b'x'; 300 * 1024], "it is too large for a template; put another file there"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = super::Templates::load(Some(directory.path()), "en").err().unwrap();
        let whole = format!("{:#}", anyhow::Error::new(error));
        assert_eq!(whole, format!("cannot read {}: {problem}", path.display()));
    }
}
