//! Shared test data of the mail room.

use super::{ConnectionLabel, EmailKind, NoticeEmail, Renderer, Section, SetupError, Template};
use crate::{
    base::config::{Brand, Config, DEFAULTS, Disclosure},
    base::templates::testing::directory_of,
    domain::{LinkToken, NoticeId, SourceType},
};
use tempfile::TempDir;

pub(super) const HELP: &str = "Questions? Call 555-0100.";
pub(super) const TOKEN: &str = "tok-9f8e7d6c5b4a";

pub(super) fn config() -> Config {
    let mut config: Config = toml::from_str(DEFAULTS).unwrap();
    config.email.from = "Acme, Ünlimited <no-reply@acme.test>".parse().unwrap();
    config.email.reply_to = Some("help@acme.test".parse().unwrap());
    config
}

pub(super) fn renderer(disclosure: Disclosure) -> Renderer {
    let mut config = config();
    config.notices.disclosure = disclosure;
    config.links.public_url = "https://acme.test/some/where/".parse().unwrap();
    Renderer::new(&config.brand(), &config.notices, &config.email, &config.links).unwrap()
}

/// A renderer with every setting that adds something to an email.
pub(super) fn branded_renderer(disclosure: Disclosure) -> Renderer {
    let mut config = config();
    config.notices.disclosure = disclosure;
    config.notices.app_url = Some("https://app.acme.test/connections".parse().unwrap());
    config.links.public_url = "https://acme.test".parse().unwrap();
    let brand = Brand {
        name: "Example Health".to_owned(),
        help: Some(HELP.to_owned()),
        color: Some("#ffd400".parse().unwrap()),
        privacy_url: Some("https://acme.test/privacy".parse().unwrap()),
    };
    Renderer::new(&brand, &config.notices, &config.email, &config.links).unwrap()
}

/// About these sources or, with [`Template::Shared`], for a member with each source, and for two members at least.
pub(super) fn notice(template: Template, names: &[&str]) -> NoticeEmail {
    let connection = |name: &&str| ConnectionLabel {
        name: (*name).to_owned(),
        source_type: Some(SourceType::Pharmacy),
        needs_sign_in: true,
    };
    let sections = if template == Template::Shared {
        let names = names.iter().cycle().take(names.len().max(2)).enumerate();
        let section = |(index, name)| Section {
            label: Some(format!("Label {index}")),
            link: Some(LinkToken::new(format!("{TOKEN}-{index}"))),
            connections: vec![connection(name)],
        };
        names.map(section).collect()
    } else {
        let link = template.has_link().then(|| LinkToken::new(TOKEN));
        vec![Section { label: None, link, connections: names.iter().map(connection).collect() }]
    };
    NoticeEmail {
        id: NoticeId::new("0190c1f2-7d7b"),
        to: "alice@example.org".parse().unwrap(),
        sections,
        unsubscribe: Some(LinkToken::new("stop-1")),
        date: "2026-11-23T12:00:00Z".parse().unwrap(),
        ..NoticeEmail::sample(template, None)
    }
}

pub(super) fn notice_of(kind: EmailKind, names: &[&str]) -> NoticeEmail {
    NoticeEmail { urgency: kind.urgency, ..notice(kind.template, names) }
}

pub(super) fn connections(notice: &mut NoticeEmail) -> impl Iterator<Item = &mut ConnectionLabel> {
    notice.sections.iter_mut().flat_map(|section| &mut section.connections)
}

/// A renderer with an operator's directory of these files.
pub(super) fn with_templates(
    disclosure: Disclosure,
    files: &[(&str, &str)],
) -> (TempDir, Result<Renderer, SetupError>) {
    let directory = directory_of(files);
    let mut config = config();
    config.notices.templates = Some(directory.path().to_owned());
    config.notices.disclosure = disclosure;
    let renderer = Renderer::new(&config.brand(), &config.notices, &config.email, &config.links);
    (directory, renderer)
}
