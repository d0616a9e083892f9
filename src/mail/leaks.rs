//! Whether mails tell more than `notices.disclosure` lets them. It looks at what comes out, so that an operator's
//! templates are held to the same as the built-in ones.
//!
//! Values above the level never reach a template, but templates are chosen by what happened, and can tell it by their
//! own words. So mails that may not be told apart are written and compared, and searched for words that give it away.

mod hole;
mod leak;

use super::{
    message::Email,
    notice::{ConnectionLabel, NoticeEmail, RenderError, Template},
    render::{Renderer, Written},
    sample_matrix::Case,
    templates::{line_holding, line_naming},
    words,
};
use crate::{
    base::config::Disclosure,
    domain::{LinkToken, NoticeId, SourceType},
};
use hole::Hole;
use leak::{Place, Told};
use minijinja::{HtmlEscape, Value};
use std::collections::HashSet;

pub(crate) use leak::Leak;

/// Looks at every kind in every language.
pub(super) fn find(renderer: &Renderer) -> Result<Vec<Leak>, RenderError> {
    let mut search = Search { renderer, leaks: Vec::new() };
    for language in renderer.languages() {
        // Where the name may be told, everything may.
        if renderer.disclosure < Disclosure::Name {
            search.names_and_types(language)?;
        }
        if renderer.disclosure == Disclosure::Generic {
            search.statuses(language)?;
            search.words_and_holes(language)?;
        } else {
            search.silence(language)?;
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
    /// Mails about other sources must be the same mails. No value of theirs reaches a template, so that one mail of each
    /// kind and count stands for all.
    fn names_and_types(&mut self, language: &str) -> Result<(), RenderError> {
        for &kind in Template::ALL {
            let mut cases = Case::matrix(kind, self.renderer.ttl);
            cases.dedup_by_key(|case| case.count);
            for case in cases {
                let mail = self.mail(language, &case, &named("Quillmark", 0, case.count))?;
                let other = self.mail(language, &case, &named("Zephyrine", 0, case.count))?;
                self.compare(language, &[kind], &mail, &other, Told::Name);
                if self.renderer.disclosure == Disclosure::Generic {
                    let other = self.mail(language, &case, &named("Quillmark", 1, case.count))?;
                    self.compare(language, &[kind], &mail, &other, Told::SourceType);
                }
            }
        }
        Ok(())
    }

    /// What expired and what was disconnected is written about in the same mail.
    fn statuses(&mut self, language: &str) -> Result<(), RenderError> {
        let kinds = [Template::Expired, Template::Disconnected];
        for case in Case::matrix(Template::Expired, self.renderer.ttl) {
            let [expired, disconnected] = kinds
                .map(|kind| self.mail(language, &Case { kind, ..case }, &named("Quillmark", 0, case.count)));
            self.compare(language, &kinds, &expired?, &disconnected?, Told::Status);
        }
        Ok(())
    }

    /// Words for a status, and sentences that were written for a name or a kind and have none.
    fn words_and_holes(&mut self, language: &str) -> Result<(), RenderError> {
        let mut seen = HashSet::new();
        for &kind in Template::ALL {
            for case in Case::matrix(kind, self.renderer.ttl) {
                let written = self.renderer.write(language, kind, &case.values("".into()))?;
                // A template that does with it what only a text can bear is left alone.
                let holed = (case.ttl == self.renderer.ttl && case.unsubscribe)
                    .then(|| case.values(Value::from_object(Hole)))
                    .and_then(|values| self.renderer.write(language, kind, &values).map(texts).ok());
                for (index, (place, text)) in texts(written).into_iter().enumerate() {
                    if holed.as_ref().is_some_and(|holed| hole::is_in(&holed[index].1, &text)) {
                        let line = |source: &str, _| line_naming(source, "sources");
                        self.add(language, &[kind], place, Told::Gap, line);
                    }
                    if !seen.insert((kind, place, text.clone())) {
                        continue;
                    }
                    let html = place == Place::Html;
                    let word = if html { words::status_in_html(&text) } else { words::status(&text) };
                    if let Some(word) = word {
                        let line =
                            |source: &str, html| line_holding(source, html, std::slice::from_ref(&word));
                        self.add(language, &[kind], place, Told::StatusWord(word.clone()), line);
                    }
                }
            }
        }
        Ok(())
    }

    /// Sources that may be told of, and for which there is no phrase.
    fn silence(&mut self, language: &str) -> Result<(), RenderError> {
        let level = self.renderer.disclosure;
        let mut kinds = Vec::new();
        for source_type in TYPES.into_iter().map(Some).chain([None]) {
            let kind = source_type.as_ref().map_or("unknown", SourceType::as_str).to_ascii_lowercase();
            let named = ConnectionLabel { name: "Quillmark".to_owned(), source_type };
            if words::is_blank(&self.renderer.sources(language, level, &[named])?) {
                kinds.push(kind);
            }
        }
        if !kinds.is_empty() {
            let (file, line) = self.renderer.templates.blame(language, &["sources.txt".to_owned()], |_, _| 0);
            let told = Told::Silence(kinds.join(", "));
            self.leaks.push(Leak { file, line, place: Place::Text, level, told });
        }
        Ok(())
    }

    fn mail(
        &self,
        language: &str,
        case: &Case,
        connections: &[ConnectionLabel],
    ) -> Result<Email, RenderError> {
        self.renderer.render(&NoticeEmail {
            id: NoticeId::new("sample"),
            to: "sample@example.org".parse().map_err(|_| RenderError::Address)?,
            locale: Some(language.to_owned()),
            kind: case.kind,
            link: (case.kind != Template::Recovered).then(|| LinkToken::new("sample")),
            unsubscribe: case.unsubscribe.then(|| LinkToken::new("sample")),
            connections: connections.to_vec(),
            ttl: case.ttl,
            date: crate::domain::Time::default(),
        })
    }

    /// Names each place in which two mails differ that must not be told apart.
    fn compare(&mut self, language: &str, kinds: &[Template], one: &Email, other: &Email, told: Told) {
        for ((place, one), (_, other)) in places(one).into_iter().zip(places(other)) {
            if one != other {
                let (one, other) = (differing(&one, &other), differing(&other, &one));
                let line = |source: &str, html| match line_holding(source, html, &one) {
                    0 => line_holding(source, html, &other),
                    line => line,
                };
                self.add(language, kinds, place, told.clone(), line);
            }
        }
    }

    fn add(
        &mut self,
        language: &str,
        kinds: &[Template],
        place: Place,
        told: Told,
        line_of: impl Fn(&str, bool) -> usize,
    ) {
        let mut files: Vec<String> =
            kinds.iter().flat_map(|kind| kind.source_files()[place.part()].clone()).collect();
        // What is its own before what is shared.
        files.sort_by_key(|file| !kinds.iter().any(|kind| kind.files().contains(file)));
        files.dedup();
        let (file, line) = self.renderer.templates.blame(language, &files, line_of);
        let leak = Leak { file, line, place, level: self.renderer.disclosure, told };
        if !self.leaks.contains(&leak) {
            self.leaks.push(leak);
        }
    }
}

/// The first words of `text` that are not those of `other`.
fn differing(text: &str, other: &str) -> Vec<String> {
    let same = words::of(text).zip(words::of(other)).take_while(|(one, other)| one == other).count();
    words::of(text).skip(same).take(12).map(str::to_owned).collect()
}

fn texts(written: Written) -> [(Place, String); 3] {
    let Written { subject, text, html } = written;
    let html = without_subject(&html, &subject);
    [(Place::Subject, subject), (Place::Text, text), (Place::Html, html)]
}

/// All that a reader, a mail server or whoever looks over their shoulder gets to see.
fn places(mail: &Email) -> [(Place, String); 5] {
    let raw = String::from_utf8_lossy(&mail.bytes);
    let mut headers = raw.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    if let Some((before, rest)) = headers.split_once("Subject: ") {
        // The subject is a place of its own, where it is not encoded.
        let end = rest.match_indices("\r\n").find(|(at, _)| !rest[at + 2..].starts_with([' ', '\t']));
        headers = format!("{before}{}", end.map_or("", |(at, _)| &rest[at..]));
    }
    [
        (Place::Envelope, format!("{:?}", mail.envelope)),
        (Place::Header, headers),
        (Place::Subject, mail.subject().to_owned()),
        (Place::Text, mail.text().to_owned()),
        (Place::Html, without_subject(mail.html(), mail.subject())),
    ]
}

/// The title of the HTML repeats the subject, which is looked at by itself.
fn without_subject(html: &str, subject: &str) -> String {
    html.replace(&HtmlEscape(subject).to_string(), "")
}

/// Sources of different names and kinds; `shift` gives each another kind.
fn named(name: &str, shift: usize, count: usize) -> Vec<ConnectionLabel> {
    let one = |index: usize| ConnectionLabel {
        name: format!("{name} {index}"),
        source_type: TYPES.get((index + shift) % TYPES.len()).cloned(),
    };
    (0..count).map(one).collect()
}

#[cfg(test)]
mod tests;
