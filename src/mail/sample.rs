//! The sample notice of previews, `check --send-test`, tests and benchmarks.

use super::notice::{ConnectionLabel, NoticeEmail, Section, Template, Urgency};
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

/// The members who share an address, and the number of their connections. The last one has no label.
const PEOPLE: [(Option<&str>, usize); 3] = [(Some("Ann"), 1), (Some("Ben"), 2), (None, 1)];

impl NoticeEmail {
    /// A notice about this many made-up connections or, with [`Template::Shared`], for this many members; or as many as the
    /// template requires.
    pub fn sample(template: Template, count: Option<usize>) -> Self {
        let default = match template {
            Template::Shared => PEOPLE.len(),
            Template::Several => 2,
            _ => 1,
        };
        let count = count.filter(|count| template.accepts_count(*count)).unwrap_or(default);
        let sections = if template == Template::Shared {
            let people = PEOPLE.iter().cycle().take(count).enumerate();
            people.map(|(index, (label, count))| section(template, *label, index, *count)).collect()
        } else {
            vec![section(template, None, 0, count)]
        };
        Self {
            id: NoticeId::new("sample"),
            to: "sample.member@example.org".parse().expect("a valid address"),
            locale: None,
            template,
            urgency: if template == Template::Reminder { Urgency::Reminder } else { Urgency::First },
            sections,
            unsubscribe: Some(LinkToken::new(TOKEN)),
            ttl: Duration::from_secs(7 * 24 * 60 * 60),
            date: Time::default(),
        }
    }
}

fn section(template: Template, label: Option<&str>, skipped: usize, count: usize) -> Section {
    let connection = |(name, source_type): &(&str, SourceType)| ConnectionLabel {
        name: (*name).to_owned(),
        source_type: Some(source_type.clone()),
        needs_sign_in: true,
    };
    Section {
        label: label.map(str::to_owned),
        link: template.has_link().then(|| LinkToken::new(TOKEN)),
        connections: SOURCES.iter().cycle().skip(skipped).take(count).map(connection).collect(),
    }
}
