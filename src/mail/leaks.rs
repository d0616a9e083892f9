//! Whether mails tell more than `notices.disclosure` lets them. It looks at what comes out, so that an operator's
//! templates are held to the same as the built-in ones.
//!
//! Values above the level never reach a template, but templates are chosen by what happened, and can tell it by their
//! own words. So mails that may not be told apart are written and compared, and searched for words that give it away.

mod leak;

use super::{
    message::Mail,
    notice::{Kind, Named, NoticeMail, RenderError},
    render::{Renderer, Values},
    templates::TemplateError,
    text::one_line,
    words,
};
use crate::{
    config::Disclosure,
    domain::{LinkToken, NoticeId, SourceType},
};
use leak::Told;
use minijinja::{HtmlEscape, Value, value::Object};
use std::{fmt, sync::Arc, time::Duration};

pub use leak::Leak;

/// Looks at every kind in every language.
pub(super) fn find(renderer: &Renderer) -> Result<Vec<Leak>, RenderError> {
    let mut search = Search { renderer, leaks: Vec::new() };
    // Where the name may be told, everything may.
    if renderer.disclosure < Disclosure::Name {
        for language in renderer.languages() {
            search.names_and_types(language)?;
            if renderer.disclosure == Disclosure::Generic {
                search.statuses(language)?;
                search.words(language)?;
                search.gaps(language);
            }
        }
    }
    Ok(search.leaks)
}

struct Search<'a> {
    renderer: &'a Renderer,
    leaks: Vec<Leak>,
}

const TYPES: [SourceType; 5] = [
    SourceType::Pharmacy,
    SourceType::Lab,
    SourceType::Clinical,
    SourceType::Insurance,
    SourceType::Practitioner,
];

impl Search<'_> {
    /// Mails about other sources must be the same mails.
    fn names_and_types(&mut self, language: &str) -> Result<(), RenderError> {
        for &kind in Kind::ALL {
            for count in (1..=4).filter(|count| kind.is_about(*count)) {
                let mail = self.mail(language, kind, &named("Quillmark", 0, count))?;
                let other = self.mail(language, kind, &named("Zephyrine", 0, count))?;
                self.compare(language, &[kind], &mail, &other, Told::Name);
                if self.renderer.disclosure == Disclosure::Generic {
                    let other = self.mail(language, kind, &named("Quillmark", 1, count))?;
                    self.compare(language, &[kind], &mail, &other, Told::SourceType);
                }
            }
        }
        Ok(())
    }

    /// What expired and what was disconnected is written about in the same mail.
    fn statuses(&mut self, language: &str) -> Result<(), RenderError> {
        let connections = named("Quillmark", 0, 1);
        let expired = self.mail(language, Kind::Expired, &connections)?;
        let disconnected = self.mail(language, Kind::Disconnected, &connections)?;
        let kinds = [Kind::Expired, Kind::Disconnected];
        self.compare(language, &kinds, &expired, &disconnected, Told::Status);
        Ok(())
    }

    fn words(&mut self, language: &str) -> Result<(), RenderError> {
        let phrases = self.phrases(language)?;
        for &kind in Kind::ALL {
            let (subject, text, html) = self.write(language, kind, Value::from(""))?;
            for (place, text) in [(SUBJECT, subject), (TEXT, text), (HTML, html)] {
                let text = one_line(&text);
                if let Some(word) = words::status(language, &text, place == HTML) {
                    self.add(language, &[kind], place, Some(&word.clone()), Told::StatusWord(word));
                }
                let lower = text.to_lowercase();
                if let Some(phrase) = phrases.iter().find(|phrase| lower.contains(phrase.as_str())) {
                    let last = phrase.split_whitespace().last();
                    self.add(language, &[kind], place, last, Told::SourceTypeWord(phrase.clone()));
                }
            }
        }
        Ok(())
    }

    /// With an operator and addresses that give nothing away.
    fn write(
        &self,
        language: &str,
        kind: Kind,
        sources: Value,
    ) -> Result<(String, String, String), TemplateError> {
        let values = Values {
            operator: "Sample",
            link: if kind == Kind::Recovered { "" } else { "https://sample.test/r/x" },
            unsubscribe: "https://sample.test/u/x",
            sources,
            count: if kind == Kind::Several { 2 } else { 1 },
            ttl: Duration::from_secs(3600),
        };
        let (subject, text, html) = self.renderer.write(language, kind, &values)?;
        let html = without_subject(&html, &subject);
        Ok((subject, text, html))
    }

    /// How the language calls each kind of source, in lower case; without what it says of any source.
    fn phrases(&self, language: &str) -> Result<Vec<String>, RenderError> {
        let say = |source_type: Option<SourceType>| {
            let named = Named { name: String::new(), source_type };
            self.renderer.sources(language, Disclosure::Kind, &[named]).map(|phrase| phrase.to_lowercase())
        };
        let any = say(None)?;
        let mut phrases = TYPES.map(Some).into_iter().map(say).collect::<Result<Vec<_>, _>>()?;
        phrases.retain(|phrase| !phrase.is_empty() && *phrase != any);
        Ok(phrases)
    }

    /// A sentence that was written for a name or a kind, and has none.
    fn gaps(&mut self, language: &str) {
        for &kind in Kind::ALL {
            // A template that does with it what only a text can bear is left alone.
            let Ok((subject, text, html)) = self.write(language, kind, Value::from_object(Hole)) else {
                continue;
            };
            for (place, written) in [(SUBJECT, subject), (TEXT, text), (HTML, html)] {
                if written.contains(HOLE) {
                    self.add(language, &[kind], place, Some("sources"), Told::Gap);
                }
            }
        }
    }

    fn mail(&self, language: &str, kind: Kind, connections: &[Named]) -> Result<Mail, RenderError> {
        self.renderer.render(&NoticeMail {
            id: NoticeId::new("sample"),
            to: "sample@example.org".parse().map_err(|_| RenderError::Address)?,
            locale: Some(language.to_owned()),
            kind,
            link: (kind != Kind::Recovered).then(|| LinkToken::new("sample")),
            unsubscribe: Some(LinkToken::new("sample")),
            connections: connections.to_vec(),
            ttl: Duration::from_secs(3600),
            date: crate::domain::Time::default(),
        })
    }

    /// Names each place in which two mails differ that must not be told apart.
    fn compare(&mut self, language: &str, kinds: &[Kind], one: &Mail, other: &Mail, told: Told) {
        for ((place, one), (_, other)) in places(one).into_iter().zip(places(other)) {
            if one != other {
                self.add(language, kinds, place, None, told.clone());
            }
        }
    }

    fn add(&mut self, language: &str, kinds: &[Kind], place: &'static str, word: Option<&str>, told: Told) {
        let end = match place {
            TEXT => 1,
            HTML => 2,
            _ => 0,
        };
        let mut files: Vec<String> = kinds.iter().map(|kind| kind.files()[end].clone()).collect();
        files.push(["base.subject", "base.txt", "base.html"][end].to_owned());
        if place == HTML {
            files.push("layout.html".to_owned());
        }
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let (file, line) = self.renderer.templates.blame(language, &files, word);
        let leak = Leak { file, line, place, level: self.renderer.disclosure, told };
        if !self.leaks.contains(&leak) {
            self.leaks.push(leak);
        }
    }
}

const SUBJECT: &str = "subject";
const TEXT: &str = "text";
const HTML: &str = "HTML";

/// All that a reader, a mail server or whoever looks over their shoulder gets to see.
fn places(mail: &Mail) -> [(&'static str, String); 5] {
    let raw = String::from_utf8_lossy(&mail.bytes);
    let mut headers = raw.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    if let Some((before, rest)) = headers.split_once("Subject: ") {
        // The subject is a place of its own, where it is not encoded.
        let end = rest.match_indices("\r\n").find(|(at, _)| !rest[at + 2..].starts_with([' ', '\t']));
        headers = format!("{before}{}", end.map_or("", |(at, _)| &rest[at..]));
    }
    [
        ("envelope", format!("{:?}", mail.envelope)),
        ("header", headers),
        (SUBJECT, mail.subject().to_owned()),
        (TEXT, mail.text().to_owned()),
        (HTML, without_subject(mail.html(), mail.subject())),
    ]
}

/// The title of the HTML repeats the subject, which is looked at by itself.
fn without_subject(html: &str, subject: &str) -> String {
    html.replace(&HtmlEscape(subject).to_string(), "")
}

/// Sources of different names and kinds; `shift` gives each another kind.
fn named(name: &str, shift: usize, count: usize) -> Vec<Named> {
    let one = |index: usize| Named {
        name: format!("{name} {index}"),
        source_type: TYPES.get((index + shift) % TYPES.len()).cloned(),
    };
    (0..count).map(one).collect()
}

/// A character that nobody writes (Unicode's private use).
const HOLE: char = '\u{E1F0}';

/// As false as an empty text, but it can be seen where it was written.
#[derive(Debug)]
struct Hole;

impl Object for Hole {
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HOLE}")
    }
}

#[cfg(test)]
mod tests;
