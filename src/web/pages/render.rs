//! Renders the pages.

use super::page::{Page, PrimaryAction};
use super::words::{self, Say, Words};
use crate::domain::{Outcome, Repair, printable};
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
        let words = Words::of(page, words::language(locale.unwrap_or(&self.locale), &self.locale));
        self.fill(&words, page, base, form_key).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot render a page");
            "<!doctype html><title>Error</title><h1>Please try again later.</h1>".to_owned()
        })
    }

    fn fill(
        &self,
        words: &Words,
        page: &Page,
        base: &str,
        form_key: &str,
    ) -> Result<String, minijinja::Error> {
        let say = &words.say;
        let values = |views: &[ButtonView]| -> Vec<Value> {
            views.iter().map(|view| self.button_value(view, say)).collect()
        };
        let (buttons, resumable) = match page {
            Page::Ready { buttons, .. } | Page::Dismissed { buttons } => (values(buttons), Vec::new()),
            Page::Used { resumable, .. } => (Vec::new(), values(resumable)),
            _ => (Vec::new(), Vec::new()),
        };
        let action = match page.primary_action() {
            PrimaryAction::OpenApp if self.app_url.is_none() => PrimaryAction::None,
            action => action,
        };
        self.environment.get_template("layout.html")?.render(context! {
            lang => words.lang,
            operator => self.operator.as_str(),
            style => STYLE,
            state => page.state(),
            icon => page.icon(),
            action => action.as_str(),
            words => context! { title => words.title, lines => words.lines.clone() },
            say => context! {
                reconnect => say.reconnect, dismiss => say.dismiss, resend => say.resend, retry => say.retry,
                open_app => say.open_app, unsubscribe => say.unsubscribe, resume => say.resume,
                came_back => say.came_back, go_on => say.go_on, stopped => say.stopped, resume_mail => say.resume_mail,
            },
            buttons, resumable, base, form_key,
            app_url => self.app_url.as_deref(),
        })
    }

    fn button_value(&self, view: &ButtonView, say: &Say) -> Value {
        let needs_app = view.repair == Repair::App && view.state.is_pressable();
        let note = match view.state {
            _ if needs_app => say.in_app,
            ButtonState::Available => "",
            ButtonState::Superseded => say.ask_anew,
            ButtonState::ResumeElsewhere => say.came_back,
            ButtonState::Used => say.wait,
            ButtonState::Missing => say.try_later,
            ButtonState::Closed(Outcome::Recovered) => say.works,
            ButtonState::Closed(Outcome::Removed) => say.gone,
            ButtonState::Dismissed | ButtonState::Closed(Outcome::Dismissed) => say.on_purpose,
        };
        context! {
            id => view.connection_id.as_str(),
            name => printable(&view.name),
            state => view.state.as_str(),
            can_dismiss => view.can_dismiss,
            needs_app, note,
        }
    }
}
