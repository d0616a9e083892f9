//! An operator's own pages.

use super::samples::samples;
use super::tests::{BASE, FORM_KEY, config, pages_of, sample};
use super::*;
use crate::base::templates::{TemplateError, testing::directory_of};
use std::fs;

fn with_files(files: &[(&str, &str)]) -> Result<Pages, TemplateError> {
    let directory = directory_of(files);
    let mut config = config();
    config.notices.templates = Some(directory.path().to_owned());
    pages_of(&config)
}

/// The file at fault, without its directory, and the line.
fn fault(files: &[(&str, &str)]) -> (String, usize) {
    match with_files(files).err().expect("a fault") {
        TemplateError::Faulty { file, line, problem } => {
            let file = file.split_once("/pages/").map_or(file.clone(), |(_, name)| name.to_owned());
            println!("{file}: {problem}");
            (file, line)
        }
        other => panic!("{other}"),
    }
}

const RECOVERED: &str = "{% extends \"layout.html\" %}{% block title %}Hooray{% endblock %}\
                         {% block text %}<p>{{ operator }} gets your records again.</p>{% endblock %}";

#[test]
fn a_page_of_the_operator_replaces_the_built_in_one_in_its_language_only() {
    let pages = with_files(&[("pages/en/recovered.html", RECOVERED), ("en/first.subject", "Hello")]).unwrap();
    let html = pages.render(Some("en"), &Page::Recovered, BASE, FORM_KEY);
    assert!(html.contains("<h1>Hooray</h1>") && html.contains("Acme &amp; Söhne gets"), "{html}");
    assert!(!pages.render(Some("es"), &Page::Recovered, BASE, FORM_KEY).contains("Hooray"));
    assert!(!pages.render(Some("en"), &Page::Removed, BASE, FORM_KEY).contains("Hooray"));
}

#[test]
fn a_language_of_the_operator_is_negotiated_and_needs_every_file() {
    let english = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/pages/templates/en")).unwrap();
    let files: Vec<(String, String)> = english
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                format!("pages/pt-BR/{}", entry.file_name().into_string().unwrap()),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let pages = with_files(&files).unwrap();
    assert_eq!(pages.negotiate_language("de, pt-BR;q=0.9, es;q=0.8"), Some("pt-BR"));
    assert!(pages.render(Some("pt-br"), &Page::Failed, BASE, FORM_KEY).contains("<html lang=\"pt-br\">"));
    let without = |missing: &[&str]| -> Vec<(&str, &str)> {
        let is_missing = |name: &str| missing.iter().any(|missing| name.ends_with(missing));
        files.iter().copied().filter(|(name, _)| !is_missing(name)).collect()
    };
    let error = with_files(&without(&["/expired.html"])).err().unwrap();
    assert!(matches!(&error, TemplateError::Missing { files, .. } if files.len() == 1), "{error}");

    let pages = with_files(&without(&["/snoozed.html", "/in_trouble.html"])).unwrap();
    for name in ["snoozed", "in-trouble"] {
        let html = pages.render(Some("pt-BR"), &sample(name), BASE, FORM_KEY);
        assert!(html.contains(">Reconnect <bdi>Epic MyChart</bdi></h1>"), "{html}");
    }
    assert_eq!(pages.warnings(), [] as [&str; 0]);
}

#[test]
fn pages_without_what_members_can_do_without_cause_a_warning() {
    let layout = include_str!("templates/layout.html");
    let layout: Vec<_> = layout.lines().filter(|line| !line.contains("{{ choice(\"snooze\"")).collect();
    let layout = layout.join("\n");
    let labels = include_str!("templates/en/labels.html");
    let is_new = |line: &&str| {
        ["snooze", "undo", "try_anyway", "in_trouble_note", "off_note", "months", "date(day)"]
            .iter()
            .any(|new| line.contains(&format!(" {new}")))
    };
    let labels: Vec<_> = labels.lines().filter(|line| !is_new(line)).collect();
    let labels = labels.join("\n");
    for (name, text) in [("pages/layout.html", &layout), ("pages/en/labels.html", &labels)] {
        let pages = with_files(&[(name, text)]).unwrap();
        let warning = pages.warnings().first().expect("a warning");
        assert!(warning.contains(name) && warning.contains("/snooze"), "{warning}");
        let html = pages.render(None, &sample("snoozed"), BASE, FORM_KEY);
        assert!(html.contains("remind you on"), "{html}");
    }
    let both = [("pages/layout.html", layout.as_str()), ("pages/en/labels.html", labels.as_str())];
    assert!(!with_files(&both).unwrap().warnings().is_empty());
}

#[test]
fn a_fault_names_the_file_and_where_known_the_line() {
    let layout = include_str!("templates/layout.html");
    let labels = include_str!("templates/en/labels.html").replace("  \"pharmacy\": \"your pharmacy\",\n", "");
    let without_key = layout.replace("{{ key() }}", "");
    let without_resend = layout.replace("{{ base }}/resend\"", "{{ base }}\"");
    let with_script = layout.replace("</main>", "</main><script>1</script>");
    let with_style = layout.replace("{{ style|safe }}", "p { color: red }");
    let expired =
        |text: &str| format!("{{% extends \"layout.html\" %}}\n{{% block title %}}{text}{{% endblock %}}");
    #[rustfmt::skip]
    let rows = [
        ("pages/en/expired.html", expired("{{ nobody }}"), "en/expired.html", 2),
        ("pages/en/expired.html", expired("{{ days|unknown_filter }}"), "en/expired.html", 2),
        ("pages/en/expired.html", "{% if %}".to_owned(), "en/expired.html", 1),
        ("pages/en/expired.html", "<p>No way on.</p>".to_owned(), "en/expired.html", 0),
        ("pages/en/recovered.html", "<p></p>".to_owned(), "en/recovered.html", 0),
        ("pages/en/labels.html", labels, "en/labels.html", 0),
        ("pages/layout.html", without_key, "layout.html", 0),
        ("pages/layout.html", without_resend, "layout.html", 0),
        ("pages/layout.html", with_script, "layout.html", 0),
        ("pages/layout.html", with_style, "layout.html", 0),
    ];
    for (name, text, file, line) in rows {
        assert_eq!(fault(&[(name, &text)]), (file.to_owned(), line), "{name}");
    }
}

#[test]
fn a_file_that_no_page_uses_is_a_fault() {
    for name in ["pages/en/recoverd.html", "pages/recovered.html", "pages/en/expired.htm"] {
        let error = with_files(&[(name, RECOVERED)]).err().unwrap();
        assert!(matches!(error, TemplateError::Unused(_)), "{name}: {error}");
    }
}

#[test]
fn the_built_in_layout_can_be_copied_and_changed() {
    let layout =
        include_str!("templates/layout.html").replace("<div class=\"card\">", "<div class=\"card own\">");
    let pages = with_files(&[("pages/layout.html", &layout)]).unwrap();
    for (name, page) in samples().into_iter().filter(|(name, _)| *name != "root") {
        assert!(pages.render(None, &page, BASE, FORM_KEY).contains("card own"), "{name}");
    }
}
