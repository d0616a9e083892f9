//! The variables of the templates.

use super::{notice::Urgency, text::keep_from_linking};
use minijinja::{Value, context};
use std::time::Duration;

/// The variables that are the same in every email. A value that is not configured is empty.
pub(super) struct BrandValues {
    pub(super) help: String,
    pub(super) privacy_url: String,
    pub(super) app_url: String,
    pub(super) color: String,
    pub(super) on_color: String,
    pub(super) dark_color: String,
    pub(super) on_dark_color: String,
}

/// What an email says about one member.
pub(super) struct Person {
    /// `None` if nothing of it is visible.
    pub(super) label: Option<String>,
    /// Empty: no button.
    pub(super) link: String,
    /// `None`: the variable is undefined.
    pub(super) sources: Option<String>,
    pub(super) count: usize,
    /// Whether each connection leads to a sign-in. `None`: the variable is undefined.
    pub(super) sign_in: Option<bool>,
}

pub(super) struct Values<'a> {
    pub(super) operator: &'a str,
    pub(super) brand: BrandValues,
    pub(super) unsubscribe: &'a str,
    pub(super) people: Vec<Person>,
    /// Whether the email may name the people. Then each of them has a link, and the email itself has none.
    pub(super) is_shared: bool,
    /// All connections. `None`: the variable is undefined, and a template that prints it fails.
    pub(super) sources: Option<String>,
    pub(super) urgency: Urgency,
    pub(super) ttl: Duration,
}

impl Values<'_> {
    /// For the subject: email programs do not search it for links, and it names nobody.
    pub(super) fn plain(&self, lang: &str) -> Value {
        let Self { operator, unsubscribe, .. } = *self;
        let BrandValues { help, privacy_url, app_url, color, on_color, dark_color, on_dark_color } =
            &self.brand;
        let link = self.link();
        let people_count = self.people.len();
        let count: usize = self.people.iter().map(|person| person.count).sum();
        let minutes = self.ttl.as_secs() / 60;
        let (hours, days) = (minutes / 60, minutes / (24 * 60));
        let (reminder, last) = (self.urgency != Urgency::First, self.urgency == Urgency::LastReminder);
        let sources = optional(self.sources.as_deref());
        let sign_in: Option<Vec<bool>> = self.people.iter().map(|person| person.sign_in).collect();
        let sign_in = optional(sign_in.map(|each| each.into_iter().all(|sign_in| sign_in)));
        context! {
            operator, lang, link, unsubscribe, sources, count, people_count, sign_in, reminder, last, minutes, hours, days,
            help, privacy_url, app_url, color, on_color, dark_color, on_dark_color,
        }
    }

    pub(super) fn text(&self, lang: &str) -> Value {
        let sources = optional(self.sources.as_deref().map(keep_from_linking));
        context! { sources, people => self.named_people(|url| Value::from(url)), ..self.plain(lang) }
    }

    pub(super) fn html(&self, lang: &str, subject: &str) -> Value {
        let (link, unsubscribe) = (url_value(self.link()), url_value(self.unsubscribe));
        let privacy_url = url_value(&self.brand.privacy_url);
        let people = self.named_people(url_value);
        context! { subject, link, unsubscribe, privacy_url, people, ..self.text(lang) }
    }

    fn link(&self) -> &str {
        self.people.first().filter(|_| !self.is_shared).map_or("", |person| &person.link)
    }

    fn named_people(&self, url: impl Fn(&str) -> Value) -> Vec<Value> {
        let people = self.people.iter().filter(|_| self.is_shared);
        people
            .map(|person| {
                context! {
                    label => person.label.as_deref().map(keep_from_linking).unwrap_or_default(),
                    link => url(&person.link),
                    sources => optional(person.sources.as_deref().map(keep_from_linking)),
                    count => person.count,
                    sign_in => optional(person.sign_in),
                }
            })
            .collect()
    }
}

fn optional(value: Option<impl Into<Value>>) -> Value {
    value.map_or(Value::UNDEFINED, Into::into)
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
