//! Who may know whom: reads the paths in `src` and holds the rules of the house. Tests are exempt.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Libraries that stay in their rooms.
const LIBRARIES: [(&str, &[&str]); 5] = [
    ("sqlx", &["store"]),
    ("reqwest", &["gateway", "base", "sim"]),
    ("lettre", &["mail", "sim"]),
    ("axum", &["web", "sim"]),
    ("async_graphql", &["sim"]),
];

/// Rooms whose parts differ in what they may know.
const DIVIDED: [&str; 6] = ["base", "credentials", "detect", "notify", "reconnect", "traffic"];
const PURE: [&str; 4] = ["detect::decide", "notify::plan", "reconnect::state", "traffic::bot_detection"];
const EDGES: [&str; 4] = ["gateway", "store", "mail", "credentials::keyring"];
const ACTORS: [&str; 6] =
    ["detect::sweep", "detect::recheck", "notify::planner", "notify::deliver", "traffic::recorder", "web"];
const ABOVE: [&str; 2] = ["server", "cli"];

/// Whether a module may use another. Both are rooms, or parts of the divided rooms.
fn may_know(part: &str, other: &str) -> bool {
    let is_above = ABOVE.contains(&other) || other == "sim";
    match part {
        _ if part == other => true,
        "domain" | "base::backoff" => false,
        "base::config" | "base::clock" | "base::random" => other == "domain",
        "base::telemetry" => ["domain", "base::config"].contains(&other),
        _ if PURE.contains(&part) => other == "domain",
        _ if EDGES.contains(&part) || part == "sim" => other == "domain" || other.starts_with("base::"),
        _ if ACTORS.contains(&part) => !ACTORS.contains(&other) && !is_above,
        "main" | "lib" => true,
        // The facade of a divided room declares its parts and uses nothing.
        _ if DIVIDED.contains(&part) => false,
        _ if ABOVE.contains(&part) => true,
        _service => !ACTORS.contains(&other) && !is_above,
    }
}

/// A source file of the crate.
struct Source {
    /// Its module path: `["store", "members"]` for `store/members.rs`.
    module: Vec<String>,
    text: String,
}

impl Source {
    fn new(file: &Path, text: &str) -> Self {
        let mut module: Vec<_> =
            file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.len() > 1 && module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        Self { module, text: text.to_owned() }
    }

    fn room(&self) -> &str {
        &self.module[0]
    }

    fn part(&self) -> String {
        match &self.module[..] {
            [room, part, ..] if DIVIDED.contains(&&**room) => format!("{room}::{part}"),
            _ => self.room().to_owned(),
        }
    }

    /// What it breaks, a sentence each.
    fn breaches(&self) -> Vec<String> {
        let tokens: TokenStream = self.text.parse().expect("the source is Rust");
        let mut known = Known::default();
        known.read(tokens, if self.module == ["lib"] { 0 } else { self.module.len() });
        let name = self.module.join("/");
        let libraries = LIBRARIES.iter().filter_map(|(library, rooms)| {
            let breach = known.names.contains(*library) && !rooms.contains(&self.room());
            breach.then(|| format!("{name} uses {library}, which stays in {}", rooms.join(", ")))
        });
        let part = self.part();
        let rooms = known.rooms.iter().filter(|other| !may_know(&part, other));
        libraries.chain(rooms.map(|other| format!("{name} knows {other}"))).collect()
    }
}

/// The first names of the paths in a file.
#[derive(Default)]
struct Known {
    /// After `crate::`, or as many `super::` as lead to the root.
    rooms: BTreeSet<String>,
    /// Of all the other paths.
    names: BTreeSet<String>,
}

impl Known {
    /// Walks the tokens of a module that is `depth` below the root, into macros' arguments too.
    fn read(&mut self, tokens: TokenStream, depth: usize) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            if is_test_attribute(rest) {
                at += 2 + item_length(&rest[2..]);
                continue;
            }
            if let [TokenTree::Ident(keyword), TokenTree::Ident(_), TokenTree::Group(body), ..] = rest
                && keyword == "mod"
            {
                self.read(body.stream(), depth + 1);
                at += 3;
                continue;
            }
            match &rest[0] {
                TokenTree::Group(group) => self.read(group.stream(), depth),
                // A path that goes on from an earlier name was read with it.
                TokenTree::Ident(_) if !goes_on(&tokens[..at]) => self.path(rest, depth),
                _ => {}
            }
            at += 1;
        }
    }

    fn path(&mut self, tokens: &[TokenTree], depth: usize) {
        let mut ups = 0;
        let mut rest = tokens;
        while let [TokenTree::Ident(name), a, b, after @ ..] = rest
            && is_separator(&[a.clone(), b.clone()])
            && (name == "super" || name == "self" || name == "crate")
        {
            if name == "super" {
                ups += 1;
            } else if name == "crate" {
                ups = depth;
            }
            rest = after;
        }
        if rest.len() == tokens.len() {
            self.names.insert(rest[0].to_string());
        } else if ups == depth {
            self.rooms.extend(parts(rest));
        }
    }
}

/// The rooms, or the parts of divided rooms, that a path from the root names.
fn parts(tokens: &[TokenTree]) -> Vec<String> {
    match tokens {
        [TokenTree::Ident(room), a, b, rest @ ..]
            if DIVIDED.contains(&&*room.to_string()) && is_separator(&[a.clone(), b.clone()]) =>
        {
            first_names(rest).into_iter().map(|part| format!("{room}::{part}")).collect()
        }
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            let is_comma =
                |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',');
            inner.split(is_comma).flat_map(parts).collect()
        }
        _ => first_names(tokens),
    }
}

/// The names that a path may go on with: one, or those in braces.
fn first_names(tokens: &[TokenTree]) -> Vec<String> {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => vec![name.to_string()],
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner: Vec<_> = group.stream().into_iter().collect();
            inner
                .split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ','))
                .flat_map(first_names)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether what comes next goes on from an earlier name, as in `a::` and `<T>::`, not in `use ::`.
fn goes_on(before: &[TokenTree]) -> bool {
    let [.., name, a, b] = before else { return false };
    let earlier = match name {
        TokenTree::Ident(name) => name != "use",
        TokenTree::Punct(punct) => punct.as_char() == '>',
        _ => false,
    };
    earlier && is_separator(&[a.clone(), b.clone()])
}

fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(a), TokenTree::Punct(b)] if a.as_char() == ':' && b.as_char() == ':')
}

/// `#[cfg(test)]`
fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(hash), TokenTree::Group(attribute), ..]
        if hash.as_char() == '#' && attribute.stream().to_string().replace(' ', "") == "cfg(test)")
}

/// How many tokens the item takes that starts here: up to its body or its semicolon.
fn item_length(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    // The braces of `use a::{b, c};` do not end it.
    let is_use = matches!(tokens.first(), Some(TokenTree::Ident(keyword)) if keyword == "use");
    let ends_use = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';');
    let end = tokens.iter().position(|token| if is_use { ends_use(token) } else { ends(token) });
    end.map_or(tokens.len(), |end| end + 1)
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the directory can be read") {
        let path = entry.expect("the entry can be read").path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_test {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
}

#[test]
fn every_room_knows_only_whom_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 10, "the sources are elsewhere");
    let breaches: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).expect("the file can be read");
            Source::new(file.strip_prefix(&root).expect("the file is in src"), &text).breaches()
        })
        .collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn a_breach_is_seen_however_it_is_written() {
    let breaches = [
        ("detect/sweep.rs", "use sqlx::query;", "detect/sweep uses sqlx, which stays in store"),
        ("detect/sweep.rs", "use ::sqlx;", "detect/sweep uses sqlx, which stays in store"),
        ("detect/sweep.rs", "use {std::fs, ::sqlx};", "detect/sweep uses sqlx, which stays in store"),
        (
            "server.rs",
            "fn f() { tokio::select! { _ = reqwest::get(u) => {} } }",
            "server uses reqwest, which stays in gateway, base, sim",
        ),
        ("gateway/http.rs", "fn f(x: axum::Router) {}", "gateway/http uses axum, which stays in web, sim"),
        ("domain/mod.rs", "use crate::base::config::Config;", "domain knows base::config"),
        ("domain/ids.rs", "use super::super::base::clock;", "domain/ids knows base::clock"),
        ("notify/plan.rs", "use super::super::store::Store;", "notify/plan knows store"),
        ("detect/decide.rs", "use crate::{domain::Time, notify::plan};", "detect/decide knows notify::plan"),
        ("base/backoff.rs", "fn f() { crate::base::clock::now() }", "base/backoff knows base::clock"),
        ("store/mod.rs", "use crate::gateway;", "store knows gateway"),
        ("credentials/keyring.rs", "use crate::store::Store;", "credentials/keyring knows store"),
        (
            "detect/sweep.rs",
            "use crate::{notify::{deliver::{self, One}}};",
            "detect/sweep knows notify::deliver",
        ),
        ("web/mod.rs", "mod inner { use super::super::detect::sweep; }", "web knows detect::sweep"),
        ("credentials/token_provider.rs", "use crate::web;", "credentials/token_provider knows web"),
        ("web/mod.rs", "use crate::server;", "web knows server"),
    ];
    for (file, text, breach) in breaches {
        assert_eq!(Source::new(Path::new(file), text).breaches(), [breach], "{text}");
    }
}

#[test]
fn what_is_allowed_is_no_breach() {
    let allowed = [
        (
            "store/mod.rs",
            "use sqlx::query; use crate::{base::{clock::Clock, config}, domain::*}; mod members;",
        ),
        ("store/members.rs", "use super::Store; fn f() { self::g(); crate::store::h() }"),
        (
            "detect/sweep.rs",
            "//! See sqlx::query.\n/// `crate::deliver`\nconst A: &str = \"axum::Router\"; use crate::{gateway, store, detect::decide};",
        ),
        ("gateway/mod.rs", "#[cfg(test)] mod tests { use axum::Router; use crate::sim; }"),
        ("gateway/mod.rs", "#[cfg(test)] use crate::{sim::{Gateway}}; fn f() {}"),
        ("gateway/mod.rs", "fn f() { Error::reqwest::<u8>(); tower::axum::g() }"),
        ("server.rs", "use crate::{web, detect::sweep, notify::deliver};"),
        ("lib.rs", "pub mod web; pub use domain::Time;"),
    ];
    for (file, text) in allowed {
        assert_eq!(Source::new(Path::new(file), text).breaches(), Vec::<String>::new(), "{text}");
    }
    let after_tests = "#[cfg(test)] mod tests { } use crate::notify::deliver;";
    let breaches = Source::new(Path::new("detect/sweep.rs"), after_tests).breaches();
    assert_eq!(breaches, ["detect/sweep knows notify::deliver"]);
}
