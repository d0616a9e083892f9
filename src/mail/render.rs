//! Renders notices. Pure: the templates are read once, at startup.

use super::{
    error::{RenderError, SetupError},
    message::{self, Email, Parts, Sender},
    notice::{ConnectionLabel, NoticeEmail, Template},
    templates::{self, TemplateWarning},
    text::{keep_from_linking, one_line, wrap},
};
use crate::{
    base::{
        config::{self, Brand, Disclosure},
        templates::{TemplateError, TemplateSet},
    },
    domain::{LinkToken, SourceType, visible_name},
};
use minijinja::{Value, context};
use std::time::Duration;
use url::Url;

/// An email counts the sources beyond this number instead of naming them.
const MAX_NAMED_SOURCES: usize = 3;
const MAX_SUBJECT_CHARS: usize = 150;

pub struct Renderer {
    pub(super) templates: TemplateSet,
    sender: Sender,
    brand: Brand,
    pub(super) disclosure: Disclosure,
    public_url: Url,
    app_url: Option<Url>,
    /// The configured lifetime of links, for the samples at startup.
    pub(super) ttl: Duration,
}

impl Renderer {
    /// Parses the templates but renders none; see [`Renderer::new`].
    pub(super) fn new_unchecked(
        brand: &Brand,
        notices: &config::Notices,
        email: &config::Email,
        links: &config::Links,
    ) -> Result<Self, SetupError> {
        if links.public_url.cannot_be_a_base() {
            return Err(SetupError::PublicUrl);
        }
        let directory = notices.templates.as_deref();
        Ok(Self {
            templates: templates::load(directory, notices.locale.as_str(), notices.disclosure)?,
            brand: brand.clone(),
            sender: Sender::new(&email.from, email.reply_to.as_ref()).map_err(SetupError::Sender)?,
            disclosure: notices.disclosure,
            app_url: notices.app_url.clone(),
            public_url: links.public_url.clone(),
            ttl: links.ttl,
        })
    }

    /// Warnings about the operator's own templates.
    pub(crate) fn warnings(&self) -> Vec<TemplateWarning> {
        templates::warnings(&self.templates, self.disclosure)
    }

    /// The languages with templates, as BCP 47 tags in lower case.
    pub fn languages(&self) -> &[String] {
        self.templates.languages()
    }

    /// The language of emails to a member of this locale.
    pub(crate) fn language(&self, locale: Option<&str>) -> &str {
        self.templates.language(locale)
    }

    /// Whether there are templates for this locale or its language.
    pub(crate) fn has(&self, locale: &str) -> bool {
        self.templates.has(locale)
    }

    /// The organization's name in emails.
    pub(crate) fn operator(&self) -> &str {
        &self.brand.name
    }

    pub(super) fn brand_values(&self) -> BrandValues {
        let color = self.brand.button_color();
        let dark_color = color.for_dark();
        let text = |url: &Option<Url>| url.as_ref().map(Url::to_string).unwrap_or_default();
        BrandValues {
            help: self.brand.help.clone().unwrap_or_default(),
            privacy_url: text(&self.brand.privacy_url),
            app_url: text(&self.app_url),
            color: color.to_string(),
            on_color: color.on_color().to_string(),
            dark_color: dark_color.to_string(),
            on_dark_color: dark_color.on_color().to_string(),
        }
    }

    /// # Errors
    /// When an email cannot carry the address, or a template fails.
    pub fn render(&self, notice: &NoticeEmail) -> Result<Email, RenderError> {
        let language = self.templates.language(notice.locale.as_deref());
        let link = notice.link.as_ref().map(|token| self.link(token)).unwrap_or_default();
        let unsubscribe = notice.unsubscribe.as_ref().map(|token| self.url("u", token));
        let values = Values {
            operator: self.operator(),
            brand: self.brand_values(),
            link: &link,
            unsubscribe: unsubscribe.as_deref().unwrap_or_default(),
            sources: self.sources(language, &notice.connections)?,
            count: notice.connections.len(),
            sign_in: (self.disclosure != Disclosure::Generic)
                .then(|| notice.connections.iter().all(|connection| connection.needs_sign_in)),
            last: notice.template == Template::LastReminder,
            ttl: notice.ttl,
        };
        let Rendered { subject, text, html } = self.render_parts(language, notice.template, &values)?;
        let parts = Parts {
            id: &notice.id,
            to: &notice.to,
            date: notice.date,
            language,
            subject,
            text,
            html,
            unsubscribe,
        };
        message::build(&self.sender, parts)
    }

    /// The URL of a link. For the email, or the operator who asked for it; never for a log.
    pub(crate) fn link(&self, token: &LinkToken) -> String {
        self.url("r", token)
    }

    fn url(&self, prefix: &str, token: &LinkToken) -> String {
        let mut url = self.public_url.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([prefix, token.expose()]);
        }
        url.into()
    }

    /// The connections as a phrase; `None` under `generic`.
    pub(super) fn sources(
        &self,
        language: &str,
        all: &[ConnectionLabel],
    ) -> Result<Option<String>, TemplateError> {
        if self.disclosure == Disclosure::Generic {
            return Ok(None);
        }
        // Equal names or kinds appear once, with their count.
        let mut items: Vec<(String, String, usize)> = Vec::new();
        for label in all {
            // Without a name, the phrase is that of the kind.
            let name = visible_name(&label.name).filter(|_| self.disclosure == Disclosure::Name);
            let name = name.unwrap_or_default();
            let kind = label.source_type.as_ref().map_or("", SourceType::as_str).to_ascii_lowercase();
            match items.iter_mut().find(|item| (&item.0, &item.1) == (&name, &kind)) {
                Some(item) => item.2 += 1,
                None => items.push((name, kind, 1)),
            }
        }
        let more = items.len().saturating_sub(MAX_NAMED_SOURCES);
        let item = |(name, kind, count)| context! { name, kind, count };
        let items: Vec<Value> = items.into_iter().take(MAX_NAMED_SOURCES).map(item).collect();
        Ok(Some(one_line(&self.templates.render(language, "sources.txt", context! { items, more })?)))
    }

    pub(super) fn render_parts(
        &self,
        language: &str,
        template: Template,
        values: &Values<'_>,
    ) -> Result<Rendered, TemplateError> {
        let [subject, text, html] = template.files(self.disclosure);
        let subject = self.templates.render(language, &subject, values.plain(language))?;
        let subject: String = one_line(&subject).chars().take(MAX_SUBJECT_CHARS).collect();
        let text = self.templates.render(language, &text, values.text(language))?;
        let html = self.templates.render(language, &html, values.html(language, &subject))?;
        Ok(Rendered { subject, text: wrap(&text), html })
    }
}

pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// The variables that are the same in every email. A value that is not configured is empty.
pub(super) struct BrandValues {
    help: String,
    privacy_url: String,
    app_url: String,
    color: String,
    on_color: String,
    dark_color: String,
    on_dark_color: String,
}

/// The variables of the templates.
pub(super) struct Values<'a> {
    pub(super) operator: &'a str,
    pub(super) brand: BrandValues,
    pub(super) link: &'a str,
    pub(super) unsubscribe: &'a str,
    /// `None`: the variable is undefined, and a template that prints it fails.
    pub(super) sources: Option<String>,
    pub(super) count: usize,
    /// Whether each connection leads to a sign-in. `None`: the variable is undefined.
    pub(super) sign_in: Option<bool>,
    /// Whether no reminder will follow.
    pub(super) last: bool,
    pub(super) ttl: Duration,
}

impl Values<'_> {
    /// For the subject, which email programs do not search for links.
    fn plain(&self, lang: &str) -> Value {
        let Self { operator, link, unsubscribe, count, last, .. } = *self;
        let BrandValues { help, privacy_url, app_url, color, on_color, dark_color, on_dark_color } =
            &self.brand;
        let minutes = self.ttl.as_secs() / 60;
        let (hours, days) = (minutes / 60, minutes / (24 * 60));
        let sources = self.sources.as_ref().map_or(Value::UNDEFINED, |sources| Value::from(sources.as_str()));
        let sign_in = self.sign_in.map_or(Value::UNDEFINED, Value::from);
        context! {
            operator, lang, link, unsubscribe, sources, count, sign_in, last, minutes, hours, days, help, privacy_url, app_url,
            color, on_color, dark_color, on_dark_color,
        }
    }

    fn text(&self, lang: &str) -> Value {
        let sources = self.sources.as_deref().map(keep_from_linking);
        context! { sources => sources.map_or(Value::UNDEFINED, Value::from), ..self.plain(lang) }
    }

    fn html(&self, lang: &str, subject: &str) -> Value {
        let (link, unsubscribe) = (url_value(self.link), url_value(self.unsubscribe));
        let privacy_url = url_value(&self.brand.privacy_url);
        context! { subject, link, unsubscribe, privacy_url, ..self.text(lang) }
    }
}

/// Escaping would turn each `/` of a URL into an entity, which some link checkers cannot read. Nothing else in the URL
/// needs escaping unless the operator's path does.
fn url_value(url: &str) -> Value {
    if url.contains(['&', '\'', '"', '<', '>']) {
        Value::from(url)
    } else {
        Value::from_safe_string(url.to_owned())
    }
}

#[cfg(test)]
mod brand_tests;
#[cfg(test)]
mod readability_tests;
#[cfg(test)]
mod robustness_tests;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
