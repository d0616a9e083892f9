//! Renders the pages. Pure: the templates are read once, at startup.

use super::accept_language;
use super::page::{Page, PrimaryAction};
use super::samples::{BASE, FORM_KEY, samples};
use super::situation::{Situation, count, is_offered, needs_app, needs_member};
use super::style::Style;
use super::templates::{self, STAND_IN, file_of};
use crate::base::config::{Brand, Notices};
use crate::base::templates::{Rendition, TemplateError, TemplateSet, prose_of_html, urls_of_html};
use crate::domain::{Outcome, Snooze, SourceType, visible_name};
use crate::reconnect::state::{ButtonState, ButtonView};
use chrono::{Datelike, NaiveDate};
use minijinja::{Value, context};
use std::path::Path;
use std::time::Duration;

pub(crate) struct Pages {
    pub(super) templates: TemplateSet,
    brand: Brand,
    app_url: Option<String>,
    style: Style,
    /// The lifetime of links.
    link_ttl: Duration,
    /// What an operator's templates of an older version lack, and members can do without.
    pub(super) warnings: Vec<String>,
}

impl Pages {
    /// With the operator's `directory` of templates, which is not checked yet.
    pub(super) fn load(
        directory: Option<&Path>,
        brand: &Brand,
        notices: &Notices,
        link_ttl: Duration,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            templates: templates::load(directory, notices.locale.as_str())?,
            brand: brand.clone(),
            app_url: notices.app_url.as_ref().map(ToString::to_string),
            style: Style::new(brand),
            link_ttl,
            warnings: Vec::new(),
        })
    }

    /// The source of the `<style>` element, for the content security policy (without quotes).
    pub(crate) fn style_source(&self) -> &str {
        &self.style.csp_source
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The languages with templates, as BCP 47 tags in lower case.
    pub(crate) fn languages(&self) -> &[String] {
        self.templates.languages()
    }

    /// The language that an `Accept-Language` header prefers. `None`: there are no templates for any.
    pub(crate) fn negotiate_language<'a>(&self, accept_language: &'a str) -> Option<&'a str> {
        accept_language::negotiate(accept_language, |tag| self.templates.has(tag))
    }

    /// Renders a page. `base` is the link's path, such as `/r/TOKEN`, with the public URL's path before it. The forms post
    /// to it and to the paths below it; unsubscribing posts to the page's own address. `form_key` is different on each
    /// page.
    pub(crate) fn render(&self, locale: Option<&str>, page: &Page, base: &str, form_key: &str) -> String {
        self.fill(self.templates.language(locale), page, base, form_key).unwrap_or_else(|error| {
            tracing::error!(event = "page_not_rendered", %error, "cannot render a page");
            "<!doctype html><title>Error</title><h1>Please try again later.</h1>".to_owned()
        })
    }

    /// A sample of every state in a language: its name and its HTML.
    pub(crate) fn samples(&self, language: &str) -> Vec<(&'static str, String)> {
        let render = |(name, page)| (name, self.render(Some(language), &page, BASE, FORM_KEY));
        samples().into_iter().map(render).collect()
    }

    /// A sample of every state in every language, for the checks of its words and its links.
    pub(crate) fn renditions(&self) -> Vec<Rendition> {
        let of_language = |language: &String| {
            let rendition = |(name, page): (&str, Page)| {
                let html = self.render(Some(language), &page, BASE, FORM_KEY);
                // Without the name of the organization above the card.
                let main = html.split_once("<div class=\"card\">").map_or(html.as_str(), |(_, main)| main);
                Rendition {
                    name: format!("page {name:?}"),
                    language: language.clone(),
                    own_file: self.templates.own_file(language, &[self.file(language, page.state())]),
                    // That page is the same in all languages, and has little but the name.
                    prose: if name == "root" { String::new() } else { prose_of_html(main) },
                    urls: urls_of_html(&html),
                }
            };
            samples().into_iter().map(rendition).collect::<Vec<_>>()
        };
        self.languages().iter().flat_map(of_language).collect()
    }

    /// The template of a state in a language.
    fn file(&self, language: &str, state: &str) -> String {
        let file = file_of(state);
        if self.templates.has_file(language, &file) { file } else { file_of(STAND_IN) }
    }

    pub(super) fn fill(
        &self,
        language: &str,
        page: &Page,
        base: &str,
        form_key: &str,
    ) -> Result<String, TemplateError> {
        let buttons = page.buttons();
        let resumable: &[ButtonView] = match page {
            Page::Used { resumable, .. } => resumable,
            _ => &[],
        };
        let (situation, more) = match page {
            Page::Ready { more, .. } => (Situation::of(buttons), *more),
            Page::Snoozed { .. } | Page::InTrouble { .. } => (Situation::of(buttons), 0),
            _ => (Situation::NothingWaits, 0),
        };
        let reminder = match page {
            Page::Snoozed { until, .. } => date_value(*until),
            _ => Value::from(()),
        };
        // An email about a source in trouble waits until the trouble is over.
        let is_email_to_come = match page {
            Page::InTrouble { button } => button.outlook.next_email.is_some(),
            _ => false,
        };
        let confirmation = match page {
            Page::ConfirmDirect { connection, token } => {
                context! { connection => connection.as_str(), token }
            }
            _ => Value::from(()),
        };
        let action = match page.primary_action() {
            PrimaryAction::OpenApp if self.app_url.is_none() => PrimaryAction::None,
            action => action,
        };
        let retry_minutes = match page {
            Page::GatewayDown { retry_minutes } => *retry_minutes,
            _ => 0,
        };
        let hours = self.link_ttl.as_secs() / 3600;
        let values = |views: &[ButtonView]| -> Vec<Value> {
            views.iter().map(|view| button_value(view, views.len() == 1)).collect()
        };
        let values = context! {
            lang => language,
            operator => self.brand.name.as_str(),
            help => self.brand.help.as_deref(),
            privacy_url => self.brand.privacy_url.as_ref().map(ToString::to_string),
            app_url => self.app_url.as_deref(),
            style => self.style.sheet.as_str(),
            state => page.state(),
            icon => page.icon(),
            action => action.as_str(),
            situation => situation.as_str(),
            is_alone => situation.names_source(),
            waiting => count(buttons, needs_member) + more,
            can_change_mind => buttons.iter().any(is_offered),
            buttons => values(buttons),
            resumable => values(resumable),
            hours,
            days => hours / 24,
            base, form_key, confirmation, retry_minutes, more, reminder, is_email_to_come,
        };
        self.templates.render(language, &self.file(language, page.state()), values)
    }
}

fn date_value(date: NaiveDate) -> Value {
    context! { iso => date.to_string(), month => date.month(), day => date.day() }
}

fn button_value(view: &ButtonView, is_alone: bool) -> Value {
    let needs_app = needs_app(view);
    let note = match view.state {
        // The page's own text says it.
        _ if needs_app && is_alone => "",
        _ if needs_app => "needs_app",
        ButtonState::Available => "",
        state => state.as_str(),
    };
    let action = match view.state {
        _ if needs_app => "open_app",
        ButtonState::Available | ButtonState::Dismissed => "reconnect",
        ButtonState::ResumeElsewhere => "resume",
        _ => "",
    };
    context! {
        id => view.connection_id.as_str(),
        name => visible_name(&view.name),
        kind => kind(view.source_type.as_ref()),
        state => view.state.as_str(),
        is_secondary => view.state == ButtonState::Dismissed,
        can_dismiss => view.can_dismiss,
        can_snooze => view.outlook.snooze == Snooze::Offered,
        can_undo => view.can_undo(),
        in_trouble => view.outlook.in_trouble,
        reminder => view.outlook.next_email.filter(|_| view.is_snoozed()).map(date_value),
        is_off => !view.dismissed_by_member && is_dismissed(view.state),
        note, action,
    }
}

fn is_dismissed(state: ButtonState) -> bool {
    matches!(state, ButtonState::Dismissed | ButtonState::Closed(Outcome::Dismissed))
}

/// The code of a source's kind, for a source without a visible name.
fn kind(source_type: Option<&SourceType>) -> &'static str {
    match source_type {
        Some(SourceType::Clinical) => "clinical",
        Some(SourceType::Insurance) => "insurance",
        Some(SourceType::Lab) => "lab",
        Some(SourceType::Pharmacy) => "pharmacy",
        Some(SourceType::Practitioner) => "practitioner",
        _ => "unknown",
    }
}
