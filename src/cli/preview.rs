//! `notices preview`: every email and page as a member would see it, with sample values. Needs no database, keys or
//! network.

use super::completion::{Completion, UsageError};
use super::context::Context;
use super::output::{errln, outln};
use crate::cli::args::preview::{Part, Preview};
use crate::mail::{Email, EmailKind, NoticeEmail, Renderer, Template};
use crate::web::pages::Pages;
use anyhow::{Context as _, anyhow};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

struct Sample {
    kind: EmailKind,
    language: String,
    email: Email,
}

pub(super) fn preview(context: &Context, wanted: &Preview) -> anyhow::Result<Completion> {
    let config = &context.config;
    let renderer = Renderer::new(&config.brand(), &config.notices, &config.email, &config.links)
        .map_err(|error| UsageError(error.into()))?;
    let pages = Pages::new(&config.brand(), &config.notices, config.links.ttl)
        .map_err(|error| UsageError(error.into()))?;
    let kinds = kinds(wanted)?;
    let languages = languages(&renderer, wanted)?;
    let mut samples = Vec::new();
    for language in &languages {
        for &kind in &kinds {
            let notice = NoticeEmail {
                locale: Some(language.clone()),
                urgency: kind.urgency,
                ttl: context.config.links.ttl,
                date: context.clock.now(),
                ..NoticeEmail::sample(kind.template, wanted.count)
            };
            let email = renderer.render(&notice)?;
            samples.push(Sample { kind, language: language.clone(), email });
        }
    }
    match &wanted.output {
        Some(output) => write(context, wanted, output, &samples, &pages)?,
        None => print(context, wanted, &samples)?,
    }
    for warning in renderer.warnings() {
        errln!("reconnectd: {warning}");
    }
    Ok(Completion::Complete)
}

fn kinds(wanted: &Preview) -> anyhow::Result<Vec<EmailKind>> {
    let Some(name) = &wanted.kind else { return Ok(EmailKind::ALL.to_vec()) };
    let Some(kind) = EmailKind::ALL.iter().find(|kind| kind.name == name) else {
        let names: Vec<_> = EmailKind::ALL.iter().map(|kind| kind.name).collect();
        return Err(usage(format!("unknown kind of email {name:?}; the kinds are: {}", names.join(", "))));
    };
    if wanted.count.is_some_and(|count| !kind.template.accepts_count(count)) {
        let required = match kind.template {
            Template::Shared => "for two people or more",
            Template::Several => "about two connections or more",
            _ => "about one connection",
        };
        return Err(usage(format!("an email of the kind {name:?} is {required}")));
    }
    Ok(vec![*kind])
}

/// The requested language. Without one: the default language for one kind of email, all languages for all kinds.
fn languages(renderer: &Renderer, wanted: &Preview) -> anyhow::Result<Vec<String>> {
    let all = renderer.languages();
    match &wanted.locale {
        None if wanted.kind.is_some() => Ok(vec![renderer.language(None).to_owned()]),
        None => Ok(all.to_vec()),
        Some(locale) => {
            // Members of another locale get the default language, but a preview of it under that name would mislead.
            if renderer.has(locale) {
                Ok(vec![renderer.language(Some(locale)).to_owned()])
            } else {
                let locales = all.join(", ");
                Err(usage(format!("no templates for the locale {locale:?}; the locales are: {locales}")))
            }
        }
    }
}

fn usage(message: String) -> anyhow::Error {
    UsageError(anyhow!(message)).into()
}

fn print(context: &Context, wanted: &Preview, samples: &[Sample]) -> anyhow::Result<()> {
    let part = wanted.part.unwrap_or(Part::Text);
    if part != Part::Text && samples.len() > 1 && !context.json {
        return Err(usage("several emails need a folder for this part; add --output".to_owned()));
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
                outln!("== {} / {}\n", sample.language, sample.kind.name);
            }
        }
        outln!("{}", content(sample, part).trim_end());
    }
    Ok(())
}

fn line(context: &Context, sample: &Sample, part: Option<Part>, files: &[PathBuf]) -> serde_json::Value {
    let email = &sample.email;
    let mut line = json!({
        "kind": sample.kind.name, "locale": sample.language,
        "disclosure": context.config.notices.disclosure.as_str(),
        "subject": email.subject(), "text": email.text(), "html": email.html(),
    });
    if part == Some(Part::Eml) {
        line["eml"] = json!(email.eml());
    }
    if !files.is_empty() {
        line["files"] = json!(files);
    }
    line
}

fn content(sample: &Sample, part: Part) -> String {
    let email = &sample.email;
    match part {
        Part::Text => format!("{}\n\n{}", email.subject(), email.text()),
        Part::Html => email.html().to_owned(),
        Part::Eml => email.eml().into_owned(),
    }
}

/// Writes one part of one email to a file, or the parts of each email to a folder.
fn write(
    context: &Context,
    wanted: &Preview,
    output: &Path,
    samples: &[Sample],
    pages: &Pages,
) -> anyhow::Result<()> {
    let [one] = samples else { return write_all(context, wanted, output, samples, pages) };
    if output.is_dir() || output.as_os_str().to_string_lossy().ends_with('/') {
        return write_all(context, wanted, output, samples, pages);
    }
    let part =
        wanted.part.unwrap_or_else(|| match output.extension().and_then(|extension| extension.to_str()) {
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

/// With the pages, unless one kind or one part is wanted.
fn write_all(
    context: &Context,
    wanted: &Preview,
    folder: &Path,
    samples: &[Sample],
    pages: &Pages,
) -> anyhow::Result<()> {
    let parts = wanted.part.map_or(vec![Part::Text, Part::Html, Part::Eml], |part| vec![part]);
    let mut index = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>Previews</title>\n<h1>Emails</h1>\n<ul>\n",
    );
    for sample in samples {
        let mut links = String::new();
        let mut files = Vec::new();
        for &part in &parts {
            let name = format!("{}/{}.{}", sample.language, sample.kind.name, part.extension());
            let file = folder.join(&name);
            put(&file, &content(sample, part))?;
            links += &format!(" <a href=\"{name}\">{}</a>", part.extension());
            files.push(file);
        }
        index += &format!("<li>{} {}:{links}</li>\n", sample.language, sample.kind.name);
        if context.json {
            outln!("{}", line(context, sample, wanted.part, &files));
        }
    }
    let has_pages = wanted.kind.is_none() && wanted.part.is_none();
    let pages = if has_pages { write_pages(wanted, folder, samples, pages)? } else { Vec::new() };
    index += "</ul>\n<h1>Pages</h1>\n<ul>\n";
    for name in &pages {
        index += &format!("<li><a href=\"{name}\">{name}</a></li>\n");
    }
    let index_file = folder.join("index.html");
    put(&index_file, &(index + "</ul>\n"))?;
    if !context.json {
        let (emails, pages) = (samples.len(), pages.len());
        outln!("{emails} emails and {pages} pages in {}; open {}", folder.display(), index_file.display());
    }
    Ok(())
}

/// Returns the names of the files.
fn write_pages(
    wanted: &Preview,
    folder: &Path,
    samples: &[Sample],
    pages: &Pages,
) -> anyhow::Result<Vec<String>> {
    let mut languages: Vec<&str> = match wanted.locale {
        Some(_) => samples.iter().map(|sample| sample.language.as_str()).collect(),
        None => pages.languages().iter().map(String::as_str).collect(),
    };
    languages.dedup();
    let mut names = Vec::new();
    for language in languages {
        for (name, html) in pages.samples(language) {
            let name = format!("{language}/page-{name}.html");
            put(&folder.join(&name), &html)?;
            names.push(name);
        }
    }
    Ok(names)
}

fn put(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
