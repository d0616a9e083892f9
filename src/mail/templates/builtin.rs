//! The embedded templates, and the files that a language needs.

use crate::{base::config::Disclosure, mail::notice::Template};

macro_rules! language {
    ($language:literal) => {
        language!($language: "base.subject" "base.txt" "base.html" "sources.txt"
            "first.subject" "first.txt" "first.html"
            "expired.subject" "expired.txt" "expired.html"
            "disconnected.subject" "disconnected.txt" "disconnected.html"
            "several.subject" "several.txt" "several.html"
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
pub(super) const LAYOUT: &str = "layout.html";
/// Turns the connections into a phrase; its variables differ from those of the emails.
pub(super) const SOURCES: &str = "sources.txt";

/// Name, such as `es/expired.txt`, and text.
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
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
pub(super) fn known_files() -> impl Iterator<Item = String> {
    used_files(Disclosure::Generic).chain(used_files(Disclosure::Name))
}

pub(super) fn is_known(file: &str) -> bool {
    known_files().any(|known| known == file)
}
