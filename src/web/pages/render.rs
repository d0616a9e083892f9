//! Renders the pages.

use super::i18n::{Language, Notes, PageText, needs_app};
use super::page::{Page, PrimaryAction};
use crate::domain::{Outcome, printable};
use crate::reconnect::state::{ButtonState, ButtonView};
use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, UndefinedBehavior, Value, context};
use url::Url;

const STYLE: &str = include_str!("style.css");
const LAYOUT: &str = include_str!("layout.html");

pub(crate) struct Pages {
    environment: Environment<'static>,
    operator: String,
    /// For members without a locale.
    locale: String,
    app_url: Option<String>,
    style_hash: String,
}

impl Pages {
    /// # Errors
    /// The built-in layout does not parse. The tests rule this out.
    pub(crate) fn new(
        operator: impl Into<String>,
        locale: impl Into<String>,
        app_url: Option<&Url>,
    ) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template("layout.html", LAYOUT)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
        let style_hash = format!("sha256-{}", STANDARD.encode(digest));
        let app_url = app_url.map(Url::to_string);
        Ok(Self { environment, operator: operator.into(), locale: locale.into(), app_url, style_hash })
    }

    /// The source of the `<style>` element, for the content security policy (without quotes).
    pub(crate) fn style_hash(&self) -> &str {
        &self.style_hash
    }

    /// Renders a page. `base` is the link's path, such as `/r/TOKEN`, with the public URL's path before it. The forms post
    /// to it and to the paths below it; unsubscribing posts to the page's own address. `form_key` is different on each
    /// page.
    pub(crate) fn render(&self, locale: Option<&str>, page: &Page, base: &str, form_key: &str) -> String {
        let language = Language::select(locale.unwrap_or(&self.locale), &self.locale);
        self.fill(&PageText::new(page, language), page, base, form_key).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot render a page");
            "<!doctype html><title>Error</title><h1>Please try again later.</h1>".to_owned()
        })
    }

    fn fill(
        &self,
        page_text: &PageText,
        page: &Page,
        base: &str,
        form_key: &str,
    ) -> Result<String, minijinja::Error> {
        let PageText { lang, strings, text } = page_text;
        let values = |views: &[ButtonView]| -> Vec<Value> {
            views.iter().map(|view| button_value(view, &strings.notes, views.len() == 1)).collect()
        };
        let (buttons, resumable) = match page {
            Page::Ready { buttons, .. } | Page::Dismissed { buttons } => (values(buttons), Vec::new()),
            Page::Used { resumable, .. } => (Vec::new(), values(resumable)),
            _ => (Vec::new(), Vec::new()),
        };
        let confirmation = match page {
            Page::ConfirmDirect { connection, token } => {
                context! { connection => connection.as_str(), token }
            }
            _ => Value::UNDEFINED,
        };
        let action = match page.primary_action() {
            PrimaryAction::OpenApp if self.app_url.is_none() => PrimaryAction::None,
            action => action,
        };
        self.environment.get_template("layout.html")?.render(context! {
            lang => *lang,
            operator => self.operator.as_str(),
            style => STYLE,
            state => page.state(),
            icon => page.icon(),
            action => action.as_str(),
            title => text.title,
            heading => text.heading.as_deref().unwrap_or(text.title),
            names_source => text.heading.is_some(),
            lines => &text.lines,
            strings => context! {
                reconnect => strings.reconnect, resume => strings.resume, dismiss => strings.dismiss,
                resend => strings.resend, retry => strings.retry, open_app => strings.open_app,
                unsubscribe => strings.unsubscribe, resubscribe => strings.resubscribe,
                resubscribe_and_resend => strings.resubscribe_and_resend,
                confirm => strings.confirm, keep_off => strings.keep_off,
                resume_note => strings.notes.resume, unsubscribed_note => strings.notes.unsubscribed,
            },
            buttons, resumable, base, form_key, confirmation,
            app_url => self.app_url.as_deref(),
        })
    }
}

fn button_value(view: &ButtonView, notes: &Notes, is_alone: bool) -> Value {
    let needs_app = needs_app(view);
    let note = match view.state {
        // The page's own text says it.
        _ if needs_app && is_alone => "",
        _ if needs_app => notes.needs_app,
        ButtonState::Available => "",
        ButtonState::Superseded => notes.superseded,
        ButtonState::ResumeElsewhere => notes.resume,
        ButtonState::Used => notes.used,
        ButtonState::Missing => notes.missing,
        ButtonState::Closed(Outcome::Recovered) => notes.recovered,
        ButtonState::Closed(Outcome::Removed) => notes.removed,
        ButtonState::Dismissed | ButtonState::Closed(Outcome::Dismissed) => notes.dismissed,
    };
    context! {
        id => view.connection_id.as_str(),
        name => printable(&view.name),
        state => view.state.as_str(),
        can_dismiss => view.can_dismiss,
        needs_app, note,
    }
}
