//! Reads the sources and enforces the rules of the house. `exceptions.txt` lists files that still break a rule.

mod cycles;
mod examples;
mod resolve;
mod rooms;
mod scan;
mod size;
mod source;
mod words;

use source::Tree;
use std::{collections::BTreeSet, sync::LazyLock};

/// Each line: a rule and a file.
static EXCEPTIONS: LazyLock<String> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/architecture/exceptions.txt");
    std::fs::read_to_string(path).expect("the list of exceptions can be read")
});

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let tree = Tree::new(source::read("src", &["rs"]));
    assert!(tree.files.len() > 100, "the sources are elsewhere");
    tree
});

/// Fails for breaches in files that are not excepted from the rule, and for exceptions that are not needed.
#[track_caller]
fn assert_none(rule: &str, breaches: &[(String, String)]) {
    let lines = EXCEPTIONS.lines().filter_map(|line| line.split_once(' '));
    let excepted: BTreeSet<_> = lines.filter(|(of, _)| *of == rule).map(|(_, file)| file).collect();
    let new = breaches.iter().filter(|(file, _)| !excepted.contains(&**file));
    let new: BTreeSet<_> = new.map(|(_, breach)| breach.as_str()).collect();
    let broken: BTreeSet<_> = breaches.iter().map(|(file, _)| file.as_str()).collect();
    let unneeded: Vec<_> = excepted.difference(&broken).map(|file| format!("{rule} {file}")).collect();
    let new: Vec<_> = new.into_iter().collect();
    assert!(
        new.is_empty() && unneeded.is_empty(),
        "{} breaches:\n{}\ndelete from exceptions.txt:\n{}",
        new.len(),
        new.join("\n"),
        unneeded.join("\n")
    );
}

#[test]
fn every_part_knows_only_whom_it_may() {
    assert_none("rooms", &rooms::breaches(&TREE));
    assert_eq!(rooms::stale(&TREE), Vec::<String>::new(), "the tables name modules that do not exist");
}

#[test]
fn files_do_not_depend_on_one_another_in_circles() {
    assert_none("cycle", &cycles::breaches(&TREE));
}

#[test]
fn no_file_is_too_long() {
    assert_none("length", &size::long_files(&TREE));
}

#[test]
fn no_room_outweighs_the_others() {
    assert_eq!(size::large_rooms(&TREE), Vec::<String>::new());
}

#[test]
fn comments_and_texts_avoid_phrases_that_make_a_reader_stumble() {
    let extensions = ["rs", "txt", "html", "md", "toml", "service", "yaml", "py", "mjs"];
    let roots = ["src", "tests", "benches", "config", "deploy", "README.md", "ARCHITECTURE.md"];
    let files = roots.iter().flat_map(|root| source::read(root, &extensions));
    // The list of the phrases, and the examples of breaches, contain them.
    let checked = files.filter(|file| !file.path.starts_with("tests/architecture/"));
    let breaches: Vec<_> = checked.flat_map(|file| words::breaches(&file)).collect();
    assert_none("words", &breaches);
}
