//! What a notice says. Pure: the templates are read once, at start.

use super::{
    Leak, leaks,
    message::{self, Email, Parts, Sender},
    notice::{ConnectionLabel, NoticeEmail, RenderError, SetupError, Template},
    templates::{TemplateError, Templates},
    text::{fill, one_line},
};
use crate::{
    base::config::{self, Disclosure},
    domain::{LinkToken, SourceType, printable},
};
use minijinja::{Value, context};
use std::time::Duration;
use url::Url;

/// What a template may name; HTML has `subject` besides. `sources` is a phrase, empty when nothing may be told; `link` and
/// `unsubscribe` may be empty; `days`, `hours` and `minutes` each say how long the link works.
pub(super) const VARIABLES: &[&str] =
    &["operator", "link", "unsubscribe", "sources", "count", "days", "hours", "minutes", "lang"];
/// More sources than this are counted, not named.
const NAMED: usize = 3;
const MAX_SUBJECT_CHARS: usize = 150;

/// Writes notices.
pub struct Renderer {
    pub(super) templates: Templates,
    sender: Sender,
    pub(super) disclosure: Disclosure,
    public_url: Url,
    /// How long links work: what the trial mails say.
    pub(super) ttl: Duration,
}

impl Renderer {
    /// Reads the templates, tries each in every language, and sees that none tells more than `notices.disclosure` lets
    /// it: what is wrong shows at start, not in a member's mail.
    ///
    /// # Errors
    /// When a template, `email.from`, `email.reply_to` or the public URL is unusable, or a mail would tell too much.
    pub fn new(
        notices: &config::Notices,
        email: &config::Email,
        links: &config::Links,
    ) -> Result<Self, SetupError> {
        let renderer = Self::new_unchecked(notices, email, links)?;
        let leaks = renderer.leaks()?;
        if leaks.is_empty() { Ok(renderer) } else { Err(SetupError::Leaks(leaks)) }
    }

    /// As [`Renderer::new`], but takes templates that tell too much: to show them, or to name each of their leaks.
    ///
    /// # Errors
    /// When a template, `email.from`, `email.reply_to` or the public URL is unusable.
    pub(crate) fn new_unchecked(
        notices: &config::Notices,
        email: &config::Email,
        links: &config::Links,
    ) -> Result<Self, SetupError> {
        if links.public_url.cannot_be_a_base() {
            return Err(SetupError::PublicUrl);
        }
        let directory = notices.templates.as_deref();
        let renderer = Self {
            templates: Templates::load(directory, notices.locale.as_str())?,
            sender: Sender::new(&email.from, &email.reply_to)?,
            disclosure: notices.disclosure,
            public_url: links.public_url.clone(),
            ttl: links.ttl,
        };
        renderer.try_all()?;
        Ok(renderer)
    }

    /// What the mails tell beyond `notices.disclosure`, in every language and of every kind.
    ///
    /// # Errors
    /// When a mail with sample values cannot be written.
    pub(crate) fn leaks(&self) -> Result<Vec<Leak>, SetupError> {
        leaks::find(self).map_err(SetupError::Sample)
    }

    /// The languages that there are templates for, as BCP 47 tags in lower case.
    pub fn languages(&self) -> &[String] {
        self.templates.languages()
    }

    /// The language that a member of this locale is written to in.
    pub(crate) fn language(&self, locale: Option<&str>) -> &str {
        self.templates.language(locale)
    }

    /// Whether there are templates for this locale, or for its language.
    pub(crate) fn has(&self, locale: &str) -> bool {
        self.templates.has(locale)
    }

    /// The operator's name, as mails show it: the display name of `email.from`, else its domain.
    pub(crate) fn operator(&self) -> &str {
        self.sender.name()
    }

    /// Writes a notice.
    ///
    /// # Errors
    /// When the address does not fit into a mail, or a template fails.
    pub fn render(&self, notice: &NoticeEmail) -> Result<Email, RenderError> {
        let language = self.templates.language(notice.locale.as_deref());
        let link = notice.link.as_ref().map(|token| self.link(token)).unwrap_or_default();
        let unsubscribe = notice.unsubscribe.as_ref().map(|token| self.url("u", token));
        let sources = self.sources(language, self.disclosure, &notice.connections)?;
        let values = Values {
            operator: self.operator(),
            link: &link,
            unsubscribe: unsubscribe.as_deref().unwrap_or_default(),
            sources: sources.into(),
            count: notice.connections.len(),
            ttl: notice.ttl,
        };
        let Written { subject, text, html } = self.write(language, notice.kind, &values)?;
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

    /// Where a link's token leads. For the mail, or the operator who asked for it; never for a log.
    pub(crate) fn link(&self, token: &LinkToken) -> String {
        self.url("r", token)
    }

    fn url(&self, place: &str, token: &LinkToken) -> String {
        let mut url = self.public_url.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([place, token.expose()]);
        }
        url.into()
    }

    /// The connections as a phrase, as far as they may be named.
    pub(super) fn sources(
        &self,
        language: &str,
        told: Disclosure,
        all: &[ConnectionLabel],
    ) -> Result<String, TemplateError> {
        if told == Disclosure::Generic {
            return Ok(String::new());
        }
        // Each way of naming is said once, of one connection or of several.
        let mut items: Vec<(String, String, usize)> = Vec::new();
        for named in all {
            let name = if told == Disclosure::Name { printable(&named.name) } else { String::new() };
            let kind = named.source_type.as_ref().map_or("", SourceType::as_str).to_ascii_lowercase();
            match items.iter_mut().find(|item| (&item.0, &item.1) == (&name, &kind)) {
                Some(item) => item.2 += 1,
                None => items.push((name, kind, 1)),
            }
        }
        let more = items.len().saturating_sub(NAMED);
        let item = |(name, kind, count)| context! { name, kind, count };
        let items: Vec<Value> = items.into_iter().take(NAMED).map(item).collect();
        Ok(one_line(&self.templates.render(language, "sources.txt", context! { items, more })?))
    }

    /// Subject, text and HTML.
    pub(super) fn write(
        &self,
        language: &str,
        kind: Template,
        values: &Values<'_>,
    ) -> Result<Written, TemplateError> {
        let [subject, text, html] = kind.files();
        let subject = self.templates.render(language, &subject, values.plain(language))?;
        let subject: String = one_line(&subject).chars().take(MAX_SUBJECT_CHARS).collect();
        let text = self.templates.render(language, &text, values.plain(language))?;
        let html = self.templates.render(language, &html, values.html(language, &subject))?;
        Ok(Written { subject, text: fill(&text), html })
    }
}

/// What a mail says.
#[derive(PartialEq, Eq)]
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What the templates are filled with.
pub(super) struct Values<'a> {
    pub(super) operator: &'a str,
    pub(super) link: &'a str,
    pub(super) unsubscribe: &'a str,
    pub(super) sources: Value,
    pub(super) count: usize,
    pub(super) ttl: Duration,
}

impl Values<'_> {
    fn plain(&self, lang: &str) -> Value {
        let Self { operator, link, unsubscribe, ref sources, count, .. } = *self;
        let minutes = self.ttl.as_secs() / 60;
        let (hours, days) = (minutes / 60, minutes / (24 * 60));
        context! { operator, lang, link, unsubscribe, sources, count, minutes, hours, days }
    }

    fn html(&self, lang: &str, subject: &str) -> Value {
        let (link, unsubscribe) = (url_value(self.link), url_value(self.unsubscribe));
        context! { subject, link, unsubscribe, ..self.plain(lang) }
    }
}

/// Escaping would write each `/` of a URL as an entity, which link checkers stumble over. A URL of ours has nothing else
/// to escape, unless the operator's path does.
fn url_value(url: &str) -> Value {
    if url.contains(['&', '\'', '"', '<', '>']) {
        Value::from(url)
    } else {
        Value::from_safe_string(url.to_owned())
    }
}

mod trial;

#[cfg(test)]
mod robustness_tests;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
