//! What the pages say, in each language.

mod english;
mod spanish;

use super::page::Page;
use crate::domain::Repair;
use crate::reconnect::state::{ButtonState, ButtonView};

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

/// The supported language that an `Accept-Language` header prefers (RFC 9110, 12.5.4).
pub(crate) fn negotiate_language(accept_language: &str) -> Option<&str> {
    let weighed = accept_language.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().filter(|tag| is_spoken(tag))?;
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        (weight > 0.0).then_some((tag, weight))
    });
    // Browsers list equal weights in order of preference: the first one wins.
    weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(tag, _)| tag)
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

fn count(views: &[ButtonView], is_counted: impl Fn(&ButtonView) -> bool) -> usize {
    views.iter().filter(|view| is_counted(view)).count()
}

/// The buttons that the email was about and that nobody has pressed.
fn waiting(views: &[ButtonView]) -> usize {
    count(views, |view| view.state == ButtonState::Available || is_in_app(view))
}

fn is_in_app(view: &ButtonView) -> bool {
    view.repair == Repair::App && view.state.is_pressable()
}

fn can_reconnect(views: &[ButtonView]) -> bool {
    count(views, |view| view.state.is_pressable()) > 0
}

/// The buttons that lead somewhere, to the app included.
fn offered(views: &[ButtonView]) -> usize {
    count(views, |view| view.state.is_pressable() || view.state == ButtonState::ResumeElsewhere)
}

/// Whether all offered buttons lead to the app.
fn in_app(views: &[ButtonView]) -> bool {
    let in_app = count(views, is_in_app);
    in_app > 0 && in_app == offered(views)
}

/// Whether no offered button leads to a sign-in.
fn renews(views: &[ButtonView]) -> bool {
    let is_direct = |view: &ButtonView| view.repair == Repair::Direct && view.state == ButtonState::Available;
    let renews = count(views, is_direct);
    renews > 0 && renews == offered(views)
}

type Text = (&'static str, Vec<String>);

fn text(title: &'static str, lines: &[&str]) -> Text {
    (title, lines.iter().map(|line| (*line).to_owned()).collect())
}
