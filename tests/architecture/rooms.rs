//! Who may know whom: the rooms, their parts, and the libraries that stay in their rooms.

use crate::{resolve::Target, source::Tree};
use std::collections::BTreeSet;

/// Rooms, and the parts of rooms whose parts differ in what they may know. The longest match counts.
const PARTS: [(&str, Kind); 30] = [
    ("domain", Kind::Domain),
    ("base", Kind::Base),
    ("detect", Kind::Facade),
    ("detect::decide", Kind::Pure),
    ("detect::digest", Kind::Pure),
    ("detect::poll", Kind::Service),
    ("detect::sweep", Kind::Actor),
    ("detect::recheck", Kind::Actor),
    ("detect::brake", Kind::Service),
    ("detect::responses", Kind::Service),
    ("notify", Kind::Facade),
    ("notify::plan", Kind::Pure),
    ("notify::planner", Kind::Actor),
    ("notify::deliver", Kind::Actor),
    ("notify::events", Kind::Actor),
    ("explain", Kind::Service),
    ("explain::sentences", Kind::Pure),
    ("reconnect", Kind::Service),
    ("reconnect::state", Kind::Pure),
    ("traffic", Kind::Service),
    ("import", Kind::Service),
    ("rows", Kind::Service),
    ("credentials", Kind::Service),
    ("credentials::keyring", Kind::Edge),
    ("gateway", Kind::Edge),
    ("store", Kind::Edge),
    ("mail", Kind::Edge),
    ("webhook", Kind::Edge),
    ("web", Kind::Actor),
    ("sim", Kind::Simulator),
];
const ABOVE_ALL: [&str; 2] = ["server", "cli"];

/// Libraries, and the parts that may use them.
const LIBRARIES: [(&str, &[&str]); 7] = [
    ("sqlx", &["store"]),
    ("reqwest", &["gateway", "webhook", "base::sns_subscription", "base::telemetry", "sim"]),
    ("lettre", &["mail"]),
    ("hickory_resolver", &["mail"]),
    ("psl", &["base::registrable_domain"]),
    ("axum", &["web", "sim"]),
    ("async_graphql", &["sim"]),
];

/// The files in `base/config` that edges may use. Other edges use none of the sections.
const SECTIONS: [&str; 11] = [
    "admin",
    "bounces",
    "brand",
    "email",
    "gateway",
    "links",
    "notices",
    "storage",
    "sweep",
    "telemetry",
    "webhook",
];
const OWN_SECTIONS: [(&str, &[&str]); 5] = [
    ("gateway", &["gateway"]),
    ("store", &["storage"]),
    ("webhook", &["webhook"]),
    ("credentials::keyring", &["storage"]),
    // The renderer needs the organization's name, the disclosure level, and the address of the links.
    ("mail", &["brand", "email", "notices", "links"]),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Domain,
    Base,
    Pure,
    Edge,
    Service,
    Actor,
    Simulator,
    /// The `mod.rs` of a room whose parts are listed.
    Facade,
    /// `server`, `cli`, and the crate's root.
    Above,
}

/// The part of a module, and its kind. `None` if the table does not list it.
fn part(module: &[String]) -> Option<(String, Kind)> {
    let Some(room) = module.first() else { return Some(("the root".into(), Kind::Above)) };
    if ABOVE_ALL.contains(&&**room) || room == "main" {
        return Some((room.clone(), Kind::Above));
    }
    let name = module.join("::");
    let covers = |part: &str| name == part || name.starts_with(&format!("{part}::"));
    let found = PARTS.iter().filter(|(part, _)| covers(part)).max_by_key(|(part, _)| part.len())?;
    (found.1 != Kind::Facade || module.len() == 1).then(|| (found.0.to_owned(), found.1))
}

fn may_know((part, kind): &(String, Kind), (other, other_kind): &(String, Kind)) -> bool {
    if part == other {
        return true;
    }
    let room = |part: &str| part.split("::").next().map(str::to_owned);
    match kind {
        Kind::Domain => false,
        Kind::Base | Kind::Pure => *other_kind == Kind::Domain,
        Kind::Edge | Kind::Simulator => [Kind::Domain, Kind::Base].contains(other_kind),
        Kind::Service => ![Kind::Actor, Kind::Simulator, Kind::Above].contains(other_kind),
        Kind::Actor => ![Kind::Actor, Kind::Simulator, Kind::Above].contains(other_kind),
        Kind::Facade => room(part) == room(other),
        Kind::Above => true,
    }
}

/// The files that know what they may not, with the reason.
pub(crate) fn breaches(tree: &Tree) -> Vec<(String, String)> {
    let mut found = BTreeSet::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let file = &tree.files[module.file].path;
        let mut report = |line: usize, what: String| {
            found.insert((file.clone(), format!("{file}:{line}: {what}")));
        };
        let Some(own) = part(&module.path) else {
            report(1, "this part is not in the table of tests/architecture/rooms.rs".into());
            continue;
        };
        for reference in &module.references {
            for target in tree.resolve(at, &reference.path) {
                let path = reference.path.join("::");
                match target {
                    // A library's type that another room re-exports is that room's.
                    Target::External(library) if library != reference.path[0] => {}
                    Target::External(library) => {
                        if let Some(rooms) = forbidden(&module.path, &library) {
                            report(reference.line, format!("{library} stays in {}", rooms.join(", ")));
                        }
                    }
                    Target::Item(to) | Target::Module(to) => {
                        let to = &tree.modules[to].path;
                        if let Some(other) = part(to)
                            && !may_know(&own, &other)
                        {
                            report(reference.line, format!("{} must not know {} ({path})", own.0, other.0));
                        }
                        if own.1 == Kind::Edge && !is_own_section(&own.0, to) {
                            report(reference.line, format!("{} must not know {path}", own.0));
                        }
                    }
                }
            }
        }
    }
    found.into_iter().collect()
}

fn forbidden(module: &[String], library: &str) -> Option<&'static [&'static str]> {
    let (_, parts) = LIBRARIES.iter().find(|(name, _)| *name == library)?;
    let module = module.join("::");
    let is_allowed = parts.iter().any(|part| module == *part || module.starts_with(&format!("{part}::")));
    (!is_allowed).then_some(*parts)
}

/// Whether an edge may use the module, as far as it is a section of the configuration.
fn is_own_section(edge: &str, module: &[String]) -> bool {
    let [base, config, section, ..] = module else { return true };
    if base != "base" || config != "config" || !SECTIONS.contains(&&**section) {
        return true;
    }
    OWN_SECTIONS.iter().any(|(name, own)| *name == edge && own.contains(&&**section))
}

/// Entries of the tables above that name no module.
pub(crate) fn stale(tree: &Tree) -> Vec<String> {
    let exists = |name: &str| tree.modules.iter().any(|module| module.path.join("::") == name);
    let parts = PARTS.iter().map(|(part, _)| (*part).to_owned());
    let sections = SECTIONS.iter().map(|section| format!("base::config::{section}"));
    parts.chain(sections).filter(|name| !exists(name)).collect()
}
