//! What the pages say, in each language.

mod english;
mod spanish;

use super::{Action, Page, Source};

/// A language the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Spanish,
}

fn spoken(tag: &str) -> Option<Language> {
    match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "en" => Some(Language::English),
        "es" => Some(Language::Spanish),
        _ => None,
    }
}

/// Whether there are words in a language.
pub(super) fn is_spoken(tag: &str) -> bool {
    spoken(tag).is_some()
}

/// The first of the locales that is spoken, else English.
pub(super) fn language(locale: &str, default: &str) -> Language {
    spoken(locale).or_else(|| spoken(default)).unwrap_or(Language::English)
}

/// Short texts that more than one page shows.
pub(super) struct Say {
    pub(super) reconnect: &'static str,
    pub(super) dismiss: &'static str,
    pub(super) resend: &'static str,
    pub(super) retry: &'static str,
    pub(super) open_app: &'static str,
    pub(super) unsubscribe: &'static str,
    pub(super) resume: &'static str,
    pub(super) in_app: &'static str,
    pub(super) wait: &'static str,
    pub(super) ask_anew: &'static str,
    pub(super) stopped: &'static str,
    pub(super) resume_mail: &'static str,
    pub(super) try_later: &'static str,
    pub(super) works: &'static str,
    pub(super) gone: &'static str,
    pub(super) on_purpose: &'static str,
    pub(super) came_back: &'static str,
    pub(super) go_on: &'static str,
}

/// All that one page says.
pub(super) struct Words {
    pub(super) lang: &'static str,
    pub(super) say: Say,
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
}

impl Words {
    pub(super) fn of(page: &Page, language: Language) -> Self {
        let (lang, say, (title, lines)) = match language {
            Language::English => ("en", english::SAY, english::text_of(page)),
            Language::Spanish => ("es", spanish::SAY, spanish::text_of(page)),
        };
        Self { lang, say, title, lines }
    }
}

fn waiting(sources: &[Source]) -> usize {
    let waits = |action: &Action| matches!(action, Action::Reconnect | Action::Renew | Action::App(_));
    sources.iter().filter(|source| waits(&source.action)).count()
}

/// Whether there is something that was meant and can be reconnected all the same.
fn can_reconnect(sources: &[Source]) -> bool {
    sources.iter().any(|source| matches!(source.action, Action::AfterAll | Action::App(_)))
}

/// How many have something to press, or lead to the app.
fn offered(sources: &[Source]) -> usize {
    let goes_on = |source: &&Source| matches!(source.action, Action::GoOn | Action::AfterAll);
    waiting(sources) + sources.iter().filter(goes_on).count()
}

/// Whether no button here leads anywhere but to the app.
fn in_app(sources: &[Source]) -> bool {
    let in_app = sources.iter().filter(|source| matches!(source.action, Action::App(_))).count();
    in_app > 0 && in_app == offered(sources)
}

/// Whether no button here leads to a sign-in.
fn renews(sources: &[Source]) -> bool {
    let renews = sources.iter().filter(|source| source.action == Action::Renew).count();
    renews > 0 && renews == offered(sources)
}

type Text = (&'static str, Vec<String>);

fn text(title: &'static str, lines: &[&str]) -> Text {
    (title, lines.iter().map(|line| (*line).to_owned()).collect())
}
