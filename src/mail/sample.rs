//! The sample notice of previews, `check --send-test`, tests and benchmarks.

use super::notice::{ConnectionLabel, NoticeEmail, Template};
use crate::domain::{LinkToken, NoticeId, SourceType, Time};
use std::time::Duration;

/// The daemon never creates a token of this form, so the page behind it says that the link is unknown.
const TOKEN: &str = "SAMPLE-leads-nowhere";

const SOURCES: [(&str, SourceType); 5] = [
    ("Example Clinic", SourceType::Clinical),
    ("Example Pharmacy", SourceType::Pharmacy),
    ("Example Health Plan", SourceType::Insurance),
    ("Example Laboratory", SourceType::Lab),
    ("Example Practice", SourceType::Practitioner),
];

impl NoticeEmail {
    /// A notice about this many made-up connections, or about as many as the template requires.
    pub fn sample(template: Template, count: Option<usize>) -> Self {
        let default = if template == Template::Several { 2 } else { 1 };
        let count = count.filter(|count| template.accepts_count(*count)).unwrap_or(default);
        let label = |(name, source_type): &(&str, SourceType)| ConnectionLabel {
            name: (*name).to_owned(),
            source_type: Some(source_type.clone()),
            needs_sign_in: true,
        };
        Self {
            id: NoticeId::new("sample"),
            to: "sample.member@example.org".parse().expect("a valid address"),
            locale: None,
            template,
            link: template.has_link().then(|| LinkToken::new(TOKEN)),
            unsubscribe: Some(LinkToken::new(TOKEN)),
            connections: SOURCES.iter().cycle().take(count).map(label).collect(),
            ttl: Duration::from_secs(7 * 24 * 60 * 60),
            date: Time::default(),
        }
    }
}
