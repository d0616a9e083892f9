//! The checker finds a breach of each rule, and nothing in what is allowed.

use crate::{
    cycles, documents, rooms, size,
    source::{Source, Tree},
    words,
};

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::new(files.iter().map(|(path, text)| Source::new(&format!("src/{path}"), text)).collect())
}

/// A crate with a module for each part that the examples name.
fn with(file: &str, text: &str) -> Tree {
    let house = [
        (
            "lib.rs",
            "mod base; mod cli; mod credentials; mod detect; mod domain; mod gateway; mod notify; mod server; mod store; mod web;",
        ),
        ("base/mod.rs", "pub mod clock; pub mod config;"),
        ("base/clock.rs", "pub fn now() {}"),
        ("base/config/mod.rs", "mod email; mod gateway; pub use email::Email; pub use gateway::Gateway;"),
        ("base/config/email.rs", "pub struct Email;"),
        ("base/config/gateway.rs", "pub struct Gateway;"),
        ("cli/mod.rs", ""),
        ("credentials/mod.rs", "mod keyring; mod token_provider;"),
        ("credentials/keyring.rs", ""),
        ("credentials/token_provider.rs", ""),
        ("detect/mod.rs", "pub mod decide; pub mod sweep; pub use sweep::Sweeper;"),
        ("detect/decide.rs", ""),
        ("detect/sweep.rs", "pub struct Sweeper;"),
        ("domain/mod.rs", "mod ids; pub use ids::MemberId;"),
        ("domain/ids.rs", "pub struct MemberId;"),
        ("gateway/mod.rs", ""),
        ("notify/mod.rs", "pub mod deliver; pub mod plan;"),
        ("notify/deliver.rs", "pub struct Deliverer;"),
        ("notify/plan.rs", ""),
        ("server.rs", ""),
        ("store/mod.rs", "pub struct Store;"),
        ("web/mod.rs", "pub use axum::Router;"),
    ];
    let mut files: Vec<_> = house.into_iter().filter(|(path, _)| *path != file).collect();
    files.push((file, text));
    tree(&files)
}

#[test]
fn a_part_that_knows_what_it_may_not_is_found_however_the_path_is_written() {
    let breaches = [
        ("detect/sweep.rs", "use sqlx::query;", "sqlx stays in store"),
        ("detect/sweep.rs", "use ::sqlx;", "sqlx stays in store"),
        ("detect/sweep.rs", "use {std::fs, ::sqlx};", "sqlx stays in store"),
        ("detect/sweep.rs", "fn f() { tokio::select! { _ = sqlx::query(u) => {} } }", "sqlx stays in store"),
        ("gateway/mod.rs", "fn f(x: axum::Router) {}", "axum stays in web, sim"),
        (
            "domain/mod.rs",
            "use crate::base::config::Email;",
            "domain must not know base (crate::base::config::Email)",
        ),
        (
            "domain/ids.rs",
            "use super::super::base::clock;",
            "domain must not know base (super::super::base::clock)",
        ),
        (
            "notify/plan.rs",
            "use super::super::store::Store;",
            "notify::plan must not know store (super::super::store::Store)",
        ),
        (
            "detect/decide.rs",
            "use crate::{domain::MemberId, notify::plan};",
            "detect::decide must not know notify::plan (crate::notify::plan)",
        ),
        ("store/mod.rs", "use crate::gateway;", "store must not know gateway (crate::gateway)"),
        (
            "gateway/mod.rs",
            "use crate::base::config::Email;",
            "gateway must not know crate::base::config::Email",
        ),
        (
            "credentials/keyring.rs",
            "use crate::store::Store;",
            "credentials::keyring must not know store (crate::store::Store)",
        ),
        (
            "detect/sweep.rs",
            "use crate::{notify::{deliver::{self}}};",
            "detect::sweep must not know notify::deliver (crate::notify::deliver)",
        ),
        ("credentials/token_provider.rs", "use crate::web;", "credentials must not know web (crate::web)"),
        ("web/mod.rs", "use crate::server;", "web must not know server (crate::server)"),
        (
            "web/mod.rs",
            "mod inner { use super::super::detect::sweep; }",
            "web must not know detect::sweep (super::super::detect::sweep)",
        ),
        (
            "web/mod.rs",
            "fn f() { crate::detect::Sweeper }",
            "web must not know detect::sweep (crate::detect::Sweeper)",
        ),
        (
            "web/mod.rs",
            "use crate::detect; fn f() { detect::Sweeper }",
            "web must not know detect::sweep (detect::Sweeper)",
        ),
    ];
    for (file, text, breach) in breaches {
        let found = rooms::breaches(&with(file, text));
        let messages: Vec<_> = found.iter().map(|(_, message)| message.as_str()).collect();
        assert!(messages.contains(&&*format!("src/{file}:1: {breach}")), "{text}: {messages:?}");
    }
}

#[test]
fn a_part_that_is_in_no_table_is_found() {
    let tree = with("detect/mod.rs", "mod decide; mod sweep; mod other;");
    assert!(rooms::breaches(&tree).is_empty());
    let tree = with("detect/other.rs", "");
    assert_eq!(rooms::breaches(&tree)[0].0, "src/detect/other.rs");
    assert!(rooms::stale(&tree).contains(&"mail".to_owned()), "the table lists a room that does not exist");
}

#[test]
fn what_a_part_may_know_is_no_breach() {
    let allowed = [
        ("store/mod.rs", "use sqlx::query; use crate::{base::clock, domain::*}; mod members;"),
        ("store/mod.rs", "use self::g; fn f() { self::g(); crate::store::h() }"),
        (
            "detect/sweep.rs",
            "//! See sqlx::query.\n/// `crate::deliver`\nconst A: &str = \"axum::Router\"; use crate::{gateway, store, detect::decide};",
        ),
        ("gateway/mod.rs", "#[cfg(test)] mod tests { use axum::Router; use crate::web; }"),
        ("gateway/mod.rs", "#[cfg(test)] use crate::{web::{Gateway}}; fn f() {}"),
        (
            "gateway/mod.rs",
            "fn f() { Error::reqwest::<u8>(); tower::axum::g() } use crate::base::config::Gateway;",
        ),
        ("server.rs", "fn f(router: crate::web::Router) {}"),
        ("server.rs", "use crate::{web, detect::sweep, notify::deliver};"),
    ];
    for (file, text) in allowed {
        assert_eq!(rooms::breaches(&with(file, text)), [], "{text}");
    }
    let after_tests = "#[cfg(test)] mod tests { } use crate::notify::deliver;";
    assert_eq!(rooms::breaches(&with("detect/sweep.rs", after_tests)).len(), 1);
}

fn chain(files: &[(&str, &str)]) -> String {
    cycles::breaches(&tree(files)).first().map(|(_, chain)| chain.clone()).unwrap_or_default()
}

#[test]
fn a_circle_of_files_is_reported_as_a_chain() {
    let files = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod a; mod b;"),
        ("room/a.rs", "use super::b::B;\npub struct A;"),
        ("room/b.rs", "fn f() { crate::room::a::A }\npub struct B;"),
    ];
    let expected =
        "src/room/a.rs -> src/room/b.rs (line 1: super::b::B) -> src/room/a.rs (line 1: crate::room::a::A)";
    assert_eq!(chain(&files), expected);
}

#[test]
fn a_child_that_uses_its_parents_own_item_makes_a_circle() {
    for uses in [
        "use super::Store;",
        "use crate::store::{Other, Store};",
        "fn f() { super::Store::new() }",
        "use super::*;",
    ] {
        let files = [
            ("lib.rs", "mod store;"),
            ("store/mod.rs", "mod links; mod other; pub struct Store; pub use other::Other;"),
            ("store/links.rs", uses),
            ("store/other.rs", "pub struct Other;"),
        ];
        let found = chain(&files);
        assert!(found.starts_with("src/store/links.rs -> src/store/mod.rs (line 1: "), "{uses}: {found:?}");
    }
}

#[test]
fn a_re_export_leads_to_the_file_that_defines_the_name() {
    let facade = "mod a; mod b; pub use a::A as Renamed; pub use b::*;";
    let through_facade = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", facade),
        ("room/a.rs", "use super::B; pub struct A;"),
        ("room/b.rs", "pub struct B;"),
    ];
    assert_eq!(chain(&through_facade), "", "the facade itself is not used");
    let in_a_circle = [
        through_facade[0],
        through_facade[1],
        through_facade[2],
        ("room/b.rs", "pub struct B(super::Renamed);"),
    ];
    assert!(chain(&in_a_circle).starts_with("src/room/a.rs -> src/room/b.rs"));
}

#[test]
fn test_code_makes_no_circle() {
    let files = [
        ("lib.rs", "mod a; #[cfg(test)] mod fixtures;"),
        ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::fixtures::f; }"),
        ("fixtures.rs", "use crate::a::A; mod inner;"),
        ("fixtures/inner.rs", "use super::*;"),
    ];
    assert_eq!(chain(&files), "");
}

#[test]
fn long_files_and_large_rooms_are_found() {
    let (long, short) = ("\n".repeat(401), "\n".repeat(400));
    let tree = tree(&[("lib.rs", "mod a; mod b;"), ("a.rs", &long), ("b.rs", &short)]);
    assert_eq!(size::long_files(&tree), [("src/a.rs".to_owned(), "src/a.rs has 401 lines".to_owned())]);
    assert_eq!(size::large_rooms(&tree), ["a has 401 of 801 lines", "b has 400 of 801 lines"]);
}

#[test]
fn tests_and_the_simulator_do_not_count_towards_a_rooms_share() {
    let lines = "\n".repeat(20);
    let tests = format!(
        "{lines}#[cfg(test)]\nmod tests {{\n{}}}\n#[cfg(test)]\nmod more;\n",
        "    f();\n".repeat(90)
    );
    let (sim, more) = ("\n".repeat(300), "\n".repeat(90));
    let rooms = ["b", "c", "d", "e", "f"].map(|room| (format!("{room}.rs"), lines.as_str()));
    let mut files = vec![("lib.rs", ""), ("a/mod.rs", &*tests), ("a/more.rs", &*more), ("sim.rs", &*sim)];
    files.extend(rooms.iter().map(|(path, text)| (path.as_str(), *text)));
    assert_eq!(size::large_rooms(&tree(&files)), Vec::<String>::new());
}

#[test]
fn a_phrase_is_found_in_comments_and_strings_but_not_in_code() {
    let found = |path: &str, text: &str| {
        words::breaches(&Source::new(path, text)).into_iter().map(|(_, breach)| breach).collect::<Vec<_>>()
    };
    assert_eq!(
        found("src/a.rs", "fn f() {}\n/// Whoever presses."),
        ["src/a.rs:2: \"Whoever\"", "src/a.rs:2: \"whoever\""]
    );
    assert_eq!(found("src/a.rs", "let a = '\"'; // Sends mails.\nlet b = \"in vain\";").len(), 2);
    assert_eq!(
        found("src/a.rs", "let mails = mails(r\"a\", \"\\\"\", 'x', '\"');\nlet besides = 1;"),
        Vec::<String>::new()
    );
    assert_eq!(found("src/a.rs", "let a = r#\"a \" likewise\"#;").len(), 1);
    assert_eq!(found("README.md", "Emails. Besides, more.\n").len(), 1);
    assert_eq!(found("README.md", "As the gateway has it, {mails}.").len(), 1);
    assert_eq!(
        found("README.md", "No member has it: `/control/mails`, mails.html, {{ mails }}."),
        Vec::<String>::new()
    );
    assert_eq!(found("README.md", "The WHO. Emails, email."), Vec::<String>::new());
}

#[test]
fn a_reference_to_nothing_and_a_threat_without_a_proof_are_found() {
    let document = |text: &str| Source::new("SECURITY.md", text);
    let missing = |text: &str| documents::breaches(&document(text)).len();
    assert_eq!(
        missing("See `tests/architecture/examples.rs::chain`, `src/lib.rs`, and [this](README.md)."),
        0
    );
    assert_eq!(
        missing("Run `src/<locale>.html`, `reconnectd check`, [that](https://example.org), [up](#top)."),
        0
    );
    assert_eq!(missing("`tests/architecture/examples.rs::nothing` `src/nothing.rs` [this](nothing.md)"), 3);

    let table =
        "| threat | proof |\n| --- | --- |\n| one | `tests/run` |\n| two | hope |\n\n| a | b |\n| c | d |";
    assert_eq!(
        documents::unproven(&document(table)),
        [("SECURITY.md".into(), "SECURITY.md:4: no proof".into())]
    );
}

#[test]
fn a_setting_that_does_not_exist_is_found() {
    let defaults = "[links]\nlisten = 1\n[email.smtp]\npassword = 1".parse().unwrap();
    let unknown = |text: &str| documents::unknown_settings(&Source::new("README.md", text), &defaults).len();
    assert_eq!(
        unknown("`links.listen`, `email.smtp`, `email.smtp.password_file`, `tests.toml`, `links.rs`, `a.b`"),
        0
    );
    assert_eq!(unknown("`links.port`, `email.password`, `email.smtp.host_file`"), 3);
}
