//! Renders notices. Pure: the templates are read once, at startup.

use super::{
    error::{RenderError, SetupError},
    message::{self, Email, Parts, Sender},
    notice::{ConnectionLabel, NoticeEmail, Section, Template, Urgency},
    templates::{self, Edition, Fallback, TemplateWarning},
    text::{one_line, wrap},
    values::{BrandValues, Person, Values},
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
    /// `None` without an operator's directory.
    pub(super) fallback: Option<Fallback>,
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
        let (locale, disclosure) = (notices.locale.as_str(), notices.disclosure);
        Ok(Self {
            templates: templates::load(directory, locale, disclosure)?,
            fallback: directory.map(|_| Fallback::load(locale, disclosure)).transpose()?,
            brand: brand.clone(),
            sender: Sender::new(&email.from, email.reply_to.as_ref()).map_err(SetupError::Sender)?,
            disclosure: notices.disclosure,
            app_url: notices.app_url.clone(),
            public_url: links.public_url.clone(),
            ttl: links.ttl,
        })
    }

    /// `notices.disclosure`.
    pub(crate) fn disclosure(&self) -> &'static str {
        self.disclosure.as_str()
    }

    /// Warnings about the operator's own templates.
    pub(crate) fn warnings(&self) -> Vec<TemplateWarning> {
        let mut warnings = templates::warnings(&self.templates, self.disclosure);
        warnings.extend(self.fallback.iter().flat_map(Fallback::warnings));
        warnings
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

    pub(super) fn help(&self) -> Option<&str> {
        self.brand.help.as_deref()
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
        let edition = self.edition(notice.template, language);
        let unsubscribe = notice.unsubscribe.as_ref().map(|token| self.url("u", token));
        let values = Values {
            operator: self.operator(),
            brand: self.brand_values(),
            unsubscribe: unsubscribe.as_deref().unwrap_or_default(),
            people: self.people(edition, &notice.sections, |token| self.link(token))?,
            is_shared: notice.template == Template::Shared,
            sources: self.sources(edition, &all_connections(&notice.sections))?,
            urgency: if notice.template.has_urgency() { notice.urgency } else { Urgency::First },
            ttl: notice.ttl,
        };
        let Rendered { subject, text, html } = self.render_parts(edition, notice.template, &values)?;
        let parts = Parts {
            id: &notice.id,
            to: &notice.to,
            date: notice.date,
            language: edition.language,
            subject,
            text,
            html,
            unsubscribe,
        };
        message::build(&self.sender, parts)
    }

    /// The templates of an email to a member whose emails are in this language.
    pub(super) fn edition<'a>(&'a self, template: Template, language: &'a str) -> Edition<'a> {
        let fallback = self.fallback.as_ref().filter(|_| template == Template::Shared);
        let fallback = fallback.and_then(|fallback| fallback.edition(language));
        fallback.unwrap_or(Edition { templates: &self.templates, language })
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

    /// What an email says about each member.
    pub(super) fn people(
        &self,
        edition: Edition<'_>,
        sections: &[Section],
        link: impl Fn(&LinkToken) -> String,
    ) -> Result<Vec<Person>, TemplateError> {
        let person = |section: &Section| {
            let connections: Vec<_> = section.connections.iter().collect();
            let is_disclosed = self.disclosure != Disclosure::Generic;
            Ok(Person {
                label: section.label.as_deref().and_then(visible_name),
                link: section.link.as_ref().map(&link).unwrap_or_default(),
                sources: self.sources(edition, &connections)?,
                count: connections.len(),
                sign_in: is_disclosed.then(|| connections.iter().all(|connection| connection.needs_sign_in)),
            })
        };
        sections.iter().map(person).collect()
    }

    /// The connections as a phrase; `None` under `generic`.
    pub(super) fn sources(
        &self,
        edition: Edition<'_>,
        all: &[&ConnectionLabel],
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
        let phrase = edition.templates.render(edition.language, "sources.txt", context! { items, more })?;
        Ok(Some(one_line(&phrase)))
    }

    pub(super) fn render_parts(
        &self,
        edition: Edition<'_>,
        template: Template,
        values: &Values<'_>,
    ) -> Result<Rendered, TemplateError> {
        let Edition { templates, language } = edition;
        let [subject, text, html] = template.files(self.disclosure);
        let subject = templates.render(language, &subject, values.plain(language))?;
        let subject: String = one_line(&subject).chars().take(MAX_SUBJECT_CHARS).collect();
        let text = templates.render(language, &text, values.text(language))?;
        let html = templates.render(language, &html, values.html(language, &subject))?;
        Ok(Rendered { subject, text: wrap(&text), html })
    }
}

pub(super) fn all_connections(sections: &[Section]) -> Vec<&ConnectionLabel> {
    sections.iter().flat_map(|section| &section.connections).collect()
}

pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

#[cfg(test)]
mod brand_tests;
#[cfg(test)]
mod readability_tests;
#[cfg(test)]
mod robustness_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
