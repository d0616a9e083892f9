//! The embedded templates, and the files that a language needs.

use crate::base::config::Disclosure;
use crate::base::templates::{Catalog, TemplateError, TemplateSet};
use crate::mail::notice::Template;
use std::path::Path;

macro_rules! language {
    ($language:literal) => {
        language!($language: "base.subject" "base.txt" "base.html" "sources.txt"
            "first.subject" "first.txt" "first.html"
            "expired.subject" "expired.txt" "expired.html"
            "disconnected.subject" "disconnected.txt" "disconnected.html"
            "several.subject" "several.txt" "several.html"
            "shared.subject" "shared.txt" "shared.html"
            "reminder.subject" "reminder.txt" "reminder.html"
            "invited.subject" "invited.txt" "invited.html"
            "recovered.subject" "recovered.txt" "recovered.html")
    };
    ($language:literal: $($file:literal)+) => {
        &[$((concat!($language, "/", $file), include_str!(concat!($language, "/", $file)))),+]
    };
}

static LANGUAGES: [&[(&str, &str)]; 2] = [language!("en"), language!("es")];
static SHARED: (&str, &str) = (LAYOUT, include_str!("layout.html"));

/// The one file that all languages share.
const LAYOUT: &str = "layout.html";
/// Turns the connections into a phrase; its variables differ from those of the emails.
const SOURCES: &str = "sources.txt";

/// The variables of an email. HTML also has `subject`, and text and HTML have `people`, the members who share the address:
/// each with `label` (empty if there is none), `link`, `sources`, `count` and `sign_in`. Without such members, it is empty;
/// with them, `link` is empty. `sources` is undefined under `generic`. `link`, `unsubscribe`, `help`, `privacy_url` and
/// `app_url` may be empty. `days`, `hours` and `minutes` each express the whole lifetime of the link. `sign_in`, which is
/// undefined under `generic`, too: each connection leads to a sign-in. `reminder`: there was an email about each connection
/// before; `last`: no other will follow. The colors are those of the button and of the text on it, in light and in dark mode.
const VARIABLES: &[&str] = &[
    "operator",
    "link",
    "unsubscribe",
    "sources",
    "count",
    "people_count",
    "sign_in",
    "reminder",
    "last",
    "days",
    "hours",
    "minutes",
    "lang",
    "help",
    "privacy_url",
    "app_url",
    "color",
    "on_color",
    "dark_color",
    "on_dark_color",
];

/// The pages' templates are in the same directory.
const FOREIGN_FOLDERS: &[&str] = &["pages"];

/// Reads and parses the operator's `directory` and the built-in templates. `default` is the locale for members without one.
pub(in crate::mail) fn load(
    directory: Option<&Path>,
    default: &str,
    disclosure: Disclosure,
) -> Result<TemplateSet, TemplateError> {
    let templates =
        TemplateSet::load(directory, &catalog(disclosure), default, |file| match file.rsplit('.').next() {
            _ if file == SOURCES => vec!["items", "more"],
            Some("html") => [VARIABLES, &["people", "subject"]].concat(),
            Some("txt") => [VARIABLES, &["people"]].concat(),
            _ => VARIABLES.to_vec(),
        })?;
    for language in templates.languages() {
        let is_missing = |file: &String| !templates.has_file(language, file);
        let missing: Vec<String> =
            Template::Shared.files(disclosure).into_iter().filter(is_missing).collect();
        if (1..3).contains(&missing.len()) {
            let folder = directory.map(|directory| directory.join(language)).unwrap_or_default();
            return Err(TemplateError::Missing { folder, files: missing, product: PRODUCT });
        }
    }
    Ok(templates)
}

const PRODUCT: &str = "email";

fn catalog(disclosure: Disclosure) -> Catalog {
    // A language without these uses the built-in ones; see `Fallback`.
    let optional = Template::Shared.files(disclosure);
    Catalog {
        product: PRODUCT,
        builtin: all().collect(),
        shared: &[LAYOUT],
        foreign_folders: FOREIGN_FOLDERS,
        required: used_files(disclosure).filter(|file| !optional.contains(file)).collect(),
        known: known_files().collect(),
        undefined_hint: if disclosure == Disclosure::Generic {
            "; under notices.disclosure = \"generic\" there is no {{ sources }}: put its sentence into {% if sources %}, \
             and another after {% else %}"
        } else {
            ""
        },
    }
}

/// Name, such as `es/expired.txt`, and text.
fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    LANGUAGES.iter().flat_map(|files| files.iter().copied()).chain([SHARED])
}

pub(super) fn find(name: &str) -> Option<&'static str> {
    all().find(|(other, _)| *other == name).map(|(_, text)| text)
}

/// The files that emails are made of at this level.
pub(super) fn used_files(disclosure: Disclosure) -> impl Iterator<Item = String> {
    let shared = ["base.subject", "base.txt", "base.html", LAYOUT].map(str::to_owned);
    let phrase = (disclosure != Disclosure::Generic).then(|| SOURCES.to_owned());
    let own = Template::ALL.iter().flat_map(move |template| template.files(disclosure));
    shared.into_iter().chain(phrase).chain(own)
}

/// The files that emails are made of at any level.
fn known_files() -> impl Iterator<Item = String> {
    used_files(Disclosure::Generic).chain(used_files(Disclosure::Name))
}

pub(super) fn is_known(file: &str) -> bool {
    known_files().any(|known| known == file)
}
