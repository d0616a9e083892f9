//! Reads the sources and enforces the rules of the house.

mod cycles;
mod documents;
mod examples;
mod log_events;
mod resolve;
mod rooms;
mod scan;
mod size;
mod source;
mod words;

use source::Tree;
use std::{collections::BTreeSet, sync::LazyLock};

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let tree = Tree::new(source::read("src", &["rs"]));
    assert!(tree.files.len() > 100, "the sources are elsewhere");
    tree
});

#[track_caller]
fn assert_none(breaches: &[(String, String)]) {
    let lines: BTreeSet<_> = breaches.iter().map(|(_, breach)| breach.as_str()).collect();
    let lines: Vec<_> = lines.into_iter().collect();
    assert!(lines.is_empty(), "{} breaches:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn every_part_knows_only_whom_it_may() {
    assert_none(&rooms::breaches(&TREE));
    assert_eq!(rooms::stale(&TREE), Vec::<String>::new(), "the tables name modules that do not exist");
}

#[test]
fn files_do_not_depend_on_one_another_in_circles() {
    assert_none(&cycles::breaches(&TREE));
}

#[test]
fn no_file_is_too_long() {
    assert_none(&size::long_files(&TREE));
}

#[test]
fn no_room_outweighs_the_others() {
    assert_eq!(size::large_rooms(&TREE), Vec::<String>::new());
}

#[test]
fn comments_and_texts_avoid_phrases_that_make_a_reader_stumble() {
    let extensions = ["rs", "txt", "html", "md", "toml", "service", "yaml", "conf", "py", "mjs"];
    let roots = ["src", "tests", "benches", "config", "deploy"];
    let files = roots.iter().chain(&DOCUMENTS).flat_map(|root| source::read(root, &extensions));
    // The list of the phrases, and the examples of breaches, contain them.
    let checked = files.filter(|file| !file.path.starts_with("tests/architecture/"));
    let breaches: Vec<_> = checked.flat_map(|file| words::breaches(&file)).collect();
    assert_none(&breaches);
}

const DOCUMENTS: [&str; 5] =
    ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// Those at the top, and the guide.
fn documents() -> Vec<source::Source> {
    DOCUMENTS.iter().chain(&["deploy"]).flat_map(|path| source::read(path, &["md"])).collect()
}

#[test]
fn the_documents_name_files_and_tests_that_exist() {
    assert_none(&documents().iter().flat_map(documents::breaches).collect::<Vec<_>>());
    assert_none(&documents().iter().flat_map(documents::unproven).collect::<Vec<_>>());
}

#[test]
fn the_documents_name_settings_that_exist() {
    let [defaults] = &source::read("config/reconnectd.toml", &["toml"])[..] else { panic!("one file") };
    let defaults = defaults.text.parse().expect("the defaults are TOML");
    let breaches = documents()
        .iter()
        .flat_map(|document| documents::unknown_settings(document, &defaults))
        .collect::<Vec<_>>();
    assert_none(&breaches);
}

#[test]
fn every_log_line_has_an_event_and_the_readme_lists_them_all() {
    let sources = source::read("src", &["rs"]);
    let shipped: Vec<_> = sources.iter().filter(|file| !file.path.starts_with("src/sim/")).collect();
    assert_none(&shipped.iter().flat_map(|file| log_events::lines_without(file)).collect::<Vec<_>>());
    let logged: BTreeSet<_> = shipped.iter().flat_map(|file| log_events::names(file)).collect();
    let readme = source::read("README.md", &["md"]).remove(0);
    let documented = log_events::documented(&readme);
    let differences: Vec<_> = logged.symmetric_difference(&documented).collect();
    assert!(differences.is_empty(), "only in the code, or only in the README: {differences:?}");
}

#[test]
fn only_tests_choose_a_seed() {
    let outside = TREE.files.iter().filter(|file| !file.path.starts_with("src/base/random"));
    let breaches: Vec<_> = outside
        .filter(|file| file.text.contains("seeded("))
        .map(|file| (file.path.clone(), format!("{} chooses a seed", file.path)))
        .collect();
    assert_none(&breaches);
}
