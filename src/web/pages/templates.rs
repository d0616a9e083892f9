//! The templates of the pages: the built-in ones and an operator's overrides.

use super::page::STATES;
use crate::base::templates::{Catalog, TemplateError, TemplateSet};
use std::path::Path;

macro_rules! language {
    ($language:literal) => {
        language!($language: "bad_request" "busy" "confirm" "dismissed" "email_on_its_way" "expired" "failed"
            "gateway_down" "in_trouble" "labels" "link_not_found" "missing" "needs_app" "ready" "recovered" "removed"
            "repair_unavailable" "replaced" "resend_requested" "resend_unavailable" "resubscribed" "sign_in_failed"
            "signed_in" "snoozed" "too_many_requests" "unsubscribe" "unsubscribed" "used")
    };
    ($language:literal: $($file:literal)+) => {
        &[$((
            concat!($language, "/", $file, ".html"),
            include_str!(concat!("templates/", $language, "/", $file, ".html")),
        )),+]
    };
}

static LANGUAGES: [&[(&str, &str)]; 2] = [language!("en"), language!("es")];
static SHARED: [(&str, &str); 3] = [
    ("date.html", include_str!("templates/date.html")),
    ("layout.html", include_str!("templates/layout.html")),
    ("root.html", include_str!("templates/root.html")),
];

/// The texts of the buttons and of the connections. All pages share them.
const LABELS: &str = "labels.html";
/// The states of pages that an operator's language can lack: the page of [`STAND_IN`] takes their place.
const OPTIONAL: [&str; 2] = ["snoozed", "in_trouble"];
pub(super) const STAND_IN: &str = "ready";
/// Writes a day. Not for operators: the words are in their labels.
const DATE: &str = "date.html";
/// In the operator's directory of templates.
const FOLDER: &str = "pages";

const VARIABLES: &[&str] = &[
    "action",
    "app_url",
    "base",
    "buttons",
    "can_change_mind",
    "confirmation",
    "days",
    "form_key",
    "help",
    "hours",
    "icon",
    "is_alone",
    "is_email_to_come",
    "lang",
    "more",
    "operator",
    "privacy_url",
    "reminder",
    "resumable",
    "retry_minutes",
    "situation",
    "state",
    "style",
    "waiting",
];

/// Reads and parses the folder `pages` of the operator's `directory`, if there is one, and the built-in templates. `default`
/// is the locale for members without one.
pub(super) fn load(directory: Option<&Path>, default: &str) -> Result<TemplateSet, TemplateError> {
    let folder = directory.map(|directory| directory.join(FOLDER)).filter(|folder| folder.exists());
    TemplateSet::load(folder.as_deref(), &catalog(), default, |_| VARIABLES.to_vec())
}

fn catalog() -> Catalog {
    let states = STATES.iter().map(|state| file_of(state));
    let files: Vec<String> =
        states.chain([LABELS.to_owned(), "layout.html".to_owned(), DATE.to_owned()]).collect();
    Catalog {
        product: "page",
        builtin: LANGUAGES.iter().flat_map(|files| files.iter().copied()).chain(SHARED).collect(),
        shared: &[DATE, "layout.html", "root.html"],
        foreign_folders: &[],
        required: files.iter().filter(|file| !is_optional(file)).cloned().collect(),
        known: files,
        undefined_hint: "",
    }
}

fn is_optional(file: &str) -> bool {
    OPTIONAL.iter().any(|state| file_of(state) == file)
}

/// The template of a state.
pub(super) fn file_of(state: &str) -> String {
    format!("{state}.html")
}
