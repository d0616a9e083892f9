//! What a notice says. Pure: the templates are read once, at start.

use super::{
    message::{self, Mail, Parts, Sender},
    templates::{TemplateError, Templates},
    text::{fill, one_line},
};
use crate::{
    config::{self, Disclosure},
    domain::{EmailAddress, LinkToken, NoticeId, SourceType, Time, printable},
};
use minijinja::{Value, context};
use std::{path::Path, time::Duration};
use url::Url;

/// What a template may name. `sources` is a phrase, empty when nothing may be told; `link` and `unsubscribe` may be empty;
/// `days` and `hours` say how long the link works; `subject` is there in HTML alone.
pub(super) const VARIABLES: &[&str] =
    &["operator", "link", "unsubscribe", "sources", "count", "days", "hours", "lang", "subject"];
/// More sources than this are counted, not named.
const NAMED: usize = 3;
const LONGEST_SUBJECT: usize = 150;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One connection expired.
    Expired,
    /// One connection was disconnected, perhaps on purpose.
    Disconnected,
    /// Several connections lapsed.
    Several,
    /// A reminder, with more to come.
    Reminder,
    /// The last reminder.
    LastReminder,
    /// An operator asks for one connection, which may never have been.
    Invited,
    /// What was written about works again. Has no link: there is nothing to do.
    Recovered,
}

impl Kind {
    pub(super) const ALL: &[Self] = &[
        Self::Expired,
        Self::Disconnected,
        Self::Several,
        Self::Reminder,
        Self::LastReminder,
        Self::Invited,
        Self::Recovered,
    ];

    fn stem(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Disconnected => "disconnected",
            Self::Several => "several",
            Self::Reminder => "reminder",
            Self::LastReminder => "last_reminder",
            Self::Invited => "invited",
            Self::Recovered => "recovered",
        }
    }

    pub(super) fn files(self) -> [String; 3] {
        ["subject", "txt", "html"].map(|end| format!("{}.{end}", self.stem()))
    }
}

/// A connection as a mail may name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The source's name; any text.
    pub name: String,
    /// What kind of source it is.
    pub source_type: Option<SourceType>,
}

/// One notice to write.
#[derive(Clone, Debug)]
pub struct NoticeMail {
    /// The Message-ID is made of it.
    pub id: NoticeId,
    /// Whom it goes to.
    pub to: EmailAddress,
    /// A BCP 47 tag; `notices.locale` when `None` or when there are no templates for it.
    pub locale: Option<String>,
    /// What it is about.
    pub kind: Kind,
    /// What the button opens, under `/r/`; without one there is no button.
    pub link: Option<LinkToken>,
    /// What stops these mails, under `/u/`.
    pub unsubscribe: Option<LinkToken>,
    /// What lapsed.
    pub connections: Vec<Named>,
    /// How long the link works.
    pub ttl: Duration,
    /// The `Date` of the mail.
    pub date: Time,
}

/// Why no renderer can be made: the operator has something to put right.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A template is faulty or missing.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// `email.from` or `email.reply_to` is no mailbox.
    #[error("email.from and email.reply_to take \"Name <address>\" or an address: {0}")]
    Sender(#[from] lettre::address::AddressError),
    /// `links.public_url` can take no path.
    #[error("links.public_url must be an http or https URL")]
    PublicUrl,
}

/// Why one mail could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template failed, which the check at start did not foresee: the operator's to repair.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The member's address cannot be written into a mail. No later attempt can do better.
    #[error("the address on file cannot be used in a mail")]
    Address,
}

/// Writes notices.
pub struct Renderer {
    templates: Templates,
    sender: Sender,
    disclosure: Disclosure,
    public_url: Url,
}

impl Renderer {
    /// Reads the templates and tries each in every language, so that what is wrong shows at start.
    ///
    /// # Errors
    /// When a template, `email.from`, `email.reply_to` or the public URL is unusable.
    pub fn new(
        notices: &config::Notices,
        email: &config::Email,
        public_url: &Url,
    ) -> Result<Self, SetupError> {
        if public_url.cannot_be_a_base() {
            return Err(SetupError::PublicUrl);
        }
        let directory = (!notices.templates.is_empty()).then(|| Path::new(&notices.templates));
        let renderer = Self {
            templates: Templates::load(directory, &notices.locale)?,
            sender: Sender::new(&email.from, &email.reply_to)?,
            disclosure: notices.disclosure,
            public_url: public_url.clone(),
        };
        renderer.try_all()?;
        Ok(renderer)
    }

    /// The operator's name, as mails show it: the display name of `email.from`, else its domain.
    pub fn operator(&self) -> &str {
        self.sender.name()
    }

    /// Writes a notice.
    ///
    /// # Errors
    /// When the address does not fit into a mail, or a template fails.
    pub fn render(&self, notice: &NoticeMail) -> Result<Mail, RenderError> {
        let language = self.templates.language(notice.locale.as_deref());
        let link = notice.link.as_ref().map(|token| self.link(token)).unwrap_or_default();
        let unsubscribe = notice.unsubscribe.as_ref().map(|token| self.url("u", token));
        let sources = self.sources(language, self.disclosure, &notice.connections)?;
        let values = Values {
            link: &link,
            unsubscribe: unsubscribe.as_deref().unwrap_or_default(),
            sources: &sources,
            count: notice.connections.len(),
            ttl: notice.ttl,
        };
        let (subject, text, html) = self.write(language, notice.kind, &values)?;
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
    pub fn link(&self, token: &LinkToken) -> String {
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
    fn sources(&self, language: &str, told: Disclosure, all: &[Named]) -> Result<String, TemplateError> {
        if told == Disclosure::Generic {
            return Ok(String::new());
        }
        let mut items: Vec<(String, String)> = Vec::new();
        for named in all {
            let name = if told == Disclosure::Name { printable(&named.name) } else { String::new() };
            let kind = named.source_type.as_ref().map_or("", SourceType::as_str).to_ascii_lowercase();
            if !items.contains(&(name.clone(), kind.clone())) {
                items.push((name, kind));
            }
        }
        let more = items.len().saturating_sub(NAMED);
        let items: Vec<Value> =
            items.into_iter().take(NAMED).map(|(name, kind)| context! { name, kind }).collect();
        Ok(one_line(&self.templates.render(language, "sources.txt", context! { items, more })?))
    }

    fn write(
        &self,
        language: &str,
        kind: Kind,
        values: &Values<'_>,
    ) -> Result<(String, String, String), TemplateError> {
        let [subject, text, html] = kind.files();
        let operator = self.operator();
        let subject = self.templates.render(language, &subject, values.plain(operator, language))?;
        let subject: String = one_line(&subject).chars().take(LONGEST_SUBJECT).collect();
        let text = self.templates.render(language, &text, values.plain(operator, language))?;
        let html = self.templates.render(language, &html, values.html(operator, language, &subject))?;
        Ok((subject, fill(&text), html))
    }

    /// Every template with every kind of value: parsing alone misses unknown filters and missing parts.
    fn try_all(&self) -> Result<(), TemplateError> {
        let sample = |name: &str| Named { name: name.to_owned(), source_type: Some(SourceType::Lab) };
        let connections = [sample("A"), sample("B"), sample("C"), sample("D")];
        for language in self.templates.languages() {
            for told in [Disclosure::Generic, Disclosure::Kind, Disclosure::Name] {
                for (count, unsubscribe, ttl) in [(1, "", 3600), (4, "https://example.org/u/x", 604_800)] {
                    let sources = self.sources(language, told, &connections[..count])?;
                    let ttl = Duration::from_secs(ttl);
                    for kind in Kind::ALL {
                        let link = if *kind == Kind::Recovered { "" } else { "https://example.org/r/x" };
                        let values = Values { link, unsubscribe, sources: &sources, count, ttl };
                        self.write(language, *kind, &values)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the templates are filled with.
struct Values<'a> {
    link: &'a str,
    unsubscribe: &'a str,
    sources: &'a str,
    count: usize,
    ttl: Duration,
}

impl Values<'_> {
    fn plain(&self, operator: &str, lang: &str) -> Value {
        let Self { link, unsubscribe, sources, count, .. } = *self;
        let hours = self.ttl.as_secs() / 3600;
        context! { operator, lang, link, unsubscribe, sources, count, hours, days => hours / 24 }
    }

    fn html(&self, operator: &str, lang: &str, subject: &str) -> Value {
        let (link, unsubscribe) = (url_value(self.link), url_value(self.unsubscribe));
        context! { subject, link, unsubscribe, ..self.plain(operator, lang) }
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

#[cfg(test)]
mod tests;
