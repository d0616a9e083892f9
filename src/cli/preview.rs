//! `notices preview`: the mails as a member would get them, with sample values. Needs no database, keys or network.

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::output::outln;
use crate::cli::args::preview::{Part, Preview};
use crate::domain::{LinkToken, NoticeId, SourceType};
use crate::mail::{ConnectionLabel, Email, NoticeEmail, Renderer, Template};
use anyhow::{Context as _, anyhow};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What the sample's link ends with. No link that is made has this form, so that its page says only that it is unknown.
const SAMPLE: &str = "SAMPLE-leads-nowhere";

/// One mail to show.
struct Sample {
    kind: Template,
    language: String,
    mail: Email,
}

/// `notices preview`.
pub(super) fn preview(context: &Context, wanted: &Preview) -> anyhow::Result<Completion> {
    let (notices, email) = (&context.config.notices, &context.config.email);
    let renderer = Renderer::new_unchecked(notices, email, &context.config.links)
        .map_err(|error| UsageError(error.into()))?;
    let kinds = kinds(wanted)?;
    let languages = languages(&renderer, wanted)?;
    let mut samples = Vec::new();
    for language in &languages {
        for &kind in &kinds {
            let mail = renderer.render(&notice(context, kind, language, wanted.count)?)?;
            samples.push(Sample { kind, language: language.clone(), mail });
        }
    }
    match &wanted.output {
        Some(output) => write(context, wanted, output, &samples)?,
        None => print(context, wanted, &samples)?,
    }
    // Shown all the same: how else would one see what is wrong?
    let leaks = renderer.leaks()?;
    for leak in &leaks {
        eprintln!("reconnectd: {leak}");
    }
    if leaks.is_empty() {
        Ok(Completion::Complete)
    } else {
        Err(anyhow!("the daemon does not start with these templates"))
    }
}

fn kinds(wanted: &Preview) -> anyhow::Result<Vec<Template>> {
    let there_are = || Template::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let kinds = match &wanted.kind {
        None => Template::ALL.to_vec(),
        Some(name) => match Template::ALL.iter().find(|kind| kind.as_str() == name) {
            Some(kind) => vec![*kind],
            None => {
                return Err(usage(format!("no kind of mail is called {name:?}; there are: {}", there_are())));
            }
        },
    };
    match wanted.count {
        Some(count) if wanted.kind.is_some() && !kinds[0].accepts_count(count) => {
            let name = kinds[0].as_str();
            let needs =
                if kinds[0] == Template::Several { "two connections or more" } else { "one connection" };
            Err(usage(format!("a mail of the kind {name:?} is about {needs}")))
        }
        _ => Ok(kinds),
    }
}

/// The language asked for; else, for one kind the default one, and for all kinds all there are.
fn languages(renderer: &Renderer, wanted: &Preview) -> anyhow::Result<Vec<String>> {
    let all = renderer.languages();
    match &wanted.locale {
        None if wanted.kind.is_some() => Ok(vec![renderer.language(None).to_owned()]),
        None => Ok(all.to_vec()),
        Some(locale) => {
            // A member of another locale is written to in the default language, but nobody asks to see that by this name.
            if renderer.has(locale) {
                Ok(vec![renderer.language(Some(locale)).to_owned()])
            } else {
                let there_are = all.join(", ");
                Err(usage(format!(
                    "there are no templates for the locale {locale:?}; there are: {there_are}"
                )))
            }
        }
    }
}

fn usage(words: String) -> anyhow::Error {
    UsageError(anyhow!(words)).into()
}

fn notice(
    context: &Context,
    kind: Template,
    language: &str,
    count: Option<usize>,
) -> anyhow::Result<NoticeEmail> {
    let sources = [
        ("Example Clinic", SourceType::Clinical),
        ("Example Pharmacy", SourceType::Pharmacy),
        ("Example Health Plan", SourceType::Insurance),
        ("Example Laboratory", SourceType::Lab),
        ("Example Practice", SourceType::Practitioner),
    ];
    let usual = if kind == Template::Several { 2 } else { 1 };
    let count = count.filter(|count| kind.accepts_count(*count)).unwrap_or(usual);
    let connections = sources.iter().cycle().take(count).map(|(name, source_type)| ConnectionLabel {
        name: (*name).to_owned(),
        source_type: Some(source_type.clone()),
    });
    Ok(NoticeEmail {
        id: NoticeId::new("sample"),
        to: "sample.member@example.org".parse()?,
        locale: Some(language.to_owned()),
        kind,
        link: (kind != Template::Recovered).then(|| LinkToken::new(SAMPLE)),
        unsubscribe: Some(LinkToken::new(SAMPLE)),
        connections: connections.collect(),
        ttl: context.config.links.ttl,
        date: context.clock.now(),
    })
}

fn print(context: &Context, wanted: &Preview, samples: &[Sample]) -> anyhow::Result<()> {
    let part = wanted.part.unwrap_or(Part::Text);
    if part != Part::Text && samples.len() > 1 && !context.json {
        return Err(usage("several mails of this part go to a folder; name it with --output".to_owned()));
    }
    for (index, sample) in samples.iter().enumerate() {
        if context.json {
            outln!("{}", line(context, sample, wanted.part, &[]));
            continue;
        }
        if part == Part::Text {
            if index > 0 {
                outln!();
            }
            if samples.len() > 1 {
                outln!("== {} / {}\n", sample.language, sample.kind.as_str());
            }
        }
        outln!("{}", content(sample, part).trim_end());
    }
    Ok(())
}

fn line(context: &Context, sample: &Sample, part: Option<Part>, files: &[PathBuf]) -> serde_json::Value {
    let mail = &sample.mail;
    let mut line = json!({
        "kind": sample.kind.as_str(), "locale": sample.language,
        "disclosure": context.config.notices.disclosure.as_str(),
        "subject": mail.subject(), "text": mail.text(), "html": mail.html(),
    });
    if part == Some(Part::Eml) {
        line["eml"] = json!(mail.eml());
    }
    if !files.is_empty() {
        line["files"] = json!(files);
    }
    line
}

fn content(sample: &Sample, part: Part) -> String {
    let mail = &sample.mail;
    match part {
        Part::Text => format!("{}\n\n{}", mail.subject(), mail.text()),
        Part::Html => mail.html().to_owned(),
        Part::Eml => mail.eml().into_owned(),
    }
}

/// One mail's part into a file, or each mail's into a folder.
fn write(context: &Context, wanted: &Preview, output: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    let [one] = samples else { return write_all(context, wanted, output, samples) };
    if output.is_dir() || output.as_os_str().to_string_lossy().ends_with('/') {
        return write_all(context, wanted, output, samples);
    }
    let part = wanted.part.unwrap_or_else(|| match output.extension().and_then(|end| end.to_str()) {
        Some("html") => Part::Html,
        Some("eml") => Part::Eml,
        _ => Part::Text,
    });
    put(output, &content(one, part))?;
    if context.json {
        outln!("{}", line(context, one, wanted.part, &[output.to_owned()]));
    } else {
        outln!("{}", output.display());
    }
    Ok(())
}

fn write_all(context: &Context, wanted: &Preview, folder: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    let parts = wanted.part.map_or(vec![Part::Text, Part::Html, Part::Eml], |part| vec![part]);
    let mut index =
        String::from("<!doctype html><meta charset=\"utf-8\"><title>Mails</title>\n<h1>Mails</h1>\n<ul>\n");
    for sample in samples {
        let mut links = String::new();
        let mut files = Vec::new();
        for &part in &parts {
            let name = format!("{}/{}.{}", sample.language, sample.kind.as_str(), part.end());
            let file = folder.join(&name);
            put(&file, &content(sample, part))?;
            links += &format!(" <a href=\"{name}\">{}</a>", part.end());
            files.push(file);
        }
        index += &format!("<li>{} {}:{links}</li>\n", sample.language, sample.kind.as_str());
        if context.json {
            outln!("{}", line(context, sample, wanted.part, &files));
        }
    }
    let index_file = folder.join("index.html");
    put(&index_file, &(index + "</ul>\n"))?;
    if !context.json {
        outln!(
            "{} mails in {}; look through them from {}",
            samples.len(),
            folder.display(),
            index_file.display()
        );
    }
    Ok(())
}

fn put(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
