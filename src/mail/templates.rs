//! The mails' templates: the embedded ones, an operator's over them, and what is found wrong with them at start.

mod blame;
mod error;
mod own;

use super::{notice::Template, render::VARIABLES};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use own::{Overrides, read};
use std::{collections::BTreeMap, path::Path};

pub(super) use blame::{line_holding, line_naming};
pub(crate) use error::TemplateError;
pub(super) use error::place;

macro_rules! embedded {
    ($($language:literal)+) => {
        &[
            ("layout.html", include_str!("templates/layout.html")),
            $(embedded!(@ $language "base.subject"), embedded!(@ $language "base.txt"),
              embedded!(@ $language "base.html"), embedded!(@ $language "sources.txt"),
              embedded!(@ $language "expired.subject"), embedded!(@ $language "expired.txt"),
              embedded!(@ $language "expired.html"), embedded!(@ $language "disconnected.subject"),
              embedded!(@ $language "disconnected.txt"), embedded!(@ $language "disconnected.html"),
              embedded!(@ $language "several.subject"), embedded!(@ $language "several.txt"),
              embedded!(@ $language "several.html"), embedded!(@ $language "reminder.subject"),
              embedded!(@ $language "reminder.txt"), embedded!(@ $language "reminder.html"),
              embedded!(@ $language "last_reminder.subject"), embedded!(@ $language "last_reminder.txt"),
              embedded!(@ $language "last_reminder.html"), embedded!(@ $language "invited.subject"),
              embedded!(@ $language "invited.txt"), embedded!(@ $language "invited.html"),
              embedded!(@ $language "recovered.subject"), embedded!(@ $language "recovered.txt"),
              embedded!(@ $language "recovered.html"),)+
        ]
    };
    (@ $language:literal $file:literal) => {
        (concat!($language, "/", $file), include_str!(concat!("templates/", $language, "/", $file)))
    };
}

static EMBEDDED: &[(&str, &str)] = embedded!("en" "es");
const LAYOUT: &str = "layout.html";
const SOURCES: &str = "sources.txt";
const FALLBACK_LANGUAGE: &str = "en";
/// Far more than a mail needs; stops a template that would never end.
const FUEL: u64 = 100_000;

/// Where a template came from.
#[derive(Clone)]
struct Origin {
    file: String,
    is_override: bool,
}

/// The parsed templates of every language.
pub(super) struct Templates {
    environment: Environment<'static>,
    /// Each template's name, such as `es/expired.txt`, and the file it came from.
    origins: BTreeMap<String, Origin>,
    languages: Vec<String>,
    default: String,
}

impl Templates {
    /// Reads the operator's `directory` over the embedded templates, parses all, and looks for unknown variables.
    /// `default` is the locale for members without one.
    pub(super) fn load(directory: Option<&Path>, default: &str) -> Result<Self, TemplateError> {
        let own = directory.map(read).transpose()?.unwrap_or_default();
        let languages = languages(&own);
        let mut templates = Self {
            environment: environment(),
            origins: BTreeMap::new(),
            languages,
            default: default.to_owned(),
        };
        for tag in templates.languages.clone() {
            let mut missing = Vec::new();
            for file in files(&own, &tag) {
                let Some((origin, source)) = find(&own, &tag, &file) else {
                    missing.push(file);
                    continue;
                };
                let name = format!("{tag}/{file}");
                templates.origins.insert(name.clone(), origin);
                templates.add(name, source, &file)?;
            }
            if !missing.is_empty() {
                let folder = own.folders.get(&tag).cloned().unwrap_or_default();
                return Err(TemplateError::Missing { folder, files: missing });
            }
        }
        Ok(templates)
    }

    fn add(&mut self, name: String, source: String, file: &str) -> Result<(), TemplateError> {
        self.environment
            .add_template_owned(name.clone(), source.clone())
            .map_err(|error| self.fault(&name, &error))?;
        let known = match file.rsplit('.').next() {
            _ if file == SOURCES => vec!["items", "more"],
            Some("html") => [VARIABLES, &["subject"]].concat(),
            _ => VARIABLES.to_vec(),
        };
        let template = self.environment.get_template(&name).map_err(|error| self.fault(&name, &error))?;
        let mut unknown: Vec<_> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|variable| !known.contains(&variable.as_str()) && variable != "super")
            .filter(|variable| self.environment.globals().all(|(function, _)| function != variable))
            .collect();
        unknown.sort();
        let Some(variable) = unknown.first() else { return Ok(()) };
        Err(TemplateError::Faulty {
            file: self.origin(&name),
            line: line_naming(&source, variable),
            problem: format!("unknown variable {variable:?}; there are: {}", known.join(", ")),
        })
    }

    /// The language to write in: the locale itself, its language, the default's, then English.
    pub(super) fn language(&self, locale: Option<&str>) -> &str {
        locale
            .into_iter()
            .chain([self.default.as_str(), FALLBACK_LANGUAGE])
            .map(normal)
            .flat_map(|tag| [primary(&tag).to_owned(), tag].into_iter().rev())
            .find_map(|tag| self.languages.iter().find(|language| **language == tag))
            .map_or(FALLBACK_LANGUAGE, String::as_str)
    }

    /// Whether there are templates for the locale, or for its language.
    pub(super) fn has(&self, locale: &str) -> bool {
        let tag = normal(locale);
        self.languages.iter().any(|language| *language == tag || *language == primary(&tag))
    }

    /// Every language there are templates for.
    pub(super) fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Renders `file`, such as `expired.txt`, in a language.
    pub(super) fn render(&self, language: &str, file: &str, values: Value) -> Result<String, TemplateError> {
        let name = format!("{language}/{file}");
        self.environment
            .get_template(&name)
            .and_then(|template| template.render(values))
            .map_err(|error| self.fault(&name, &error))
    }

    fn origin(&self, name: &str) -> String {
        self.origins.get(name).map_or_else(|| name.to_owned(), |origin| origin.file.clone())
    }

    /// The innermost cause tells the file and line. Its text is masked: a filter's complaint may quote a value.
    fn fault(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        let mut innermost = error;
        while let Some(cause) = std::error::Error::source(innermost).and_then(|cause| cause.downcast_ref()) {
            innermost = cause;
        }
        let problem = innermost
            .detail()
            .map_or_else(|| innermost.kind().to_string(), |detail| format!("{}: {detail}", innermost.kind()));
        TemplateError::Faulty {
            file: self.origin(innermost.name().unwrap_or(name)),
            line: innermost.line().unwrap_or_default(),
            problem: crate::domain::mask(&problem),
        }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
    });
    // `{% extends "base.txt" %}` in es/expired.txt means es/base.txt.
    environment.set_path_join_callback(|name, parent| match parent.split_once('/') {
        Some((language, _)) => format!("{language}/{name}").into(),
        None => name.into(),
    });
    environment
}

/// The embedded languages and the operator's.
fn languages(own: &Overrides) -> Vec<String> {
    let names = EMBEDDED.iter().map(|(name, _)| *name).chain(own.files.keys().map(String::as_str));
    let mut tags: Vec<String> =
        names.filter_map(|name| name.split_once('/').map(|(tag, _)| tag.to_owned())).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// What a language must have.
fn standard() -> impl Iterator<Item = String> {
    let shared = ["base.subject", "base.txt", "base.html", SOURCES, LAYOUT].map(str::to_owned);
    shared.into_iter().chain(Template::ALL.iter().flat_map(|kind| kind.files()))
}

fn is_standard(file: &str) -> bool {
    standard().any(|name| name == file)
}

/// What a language must have, and what else the operator put there.
fn files(own: &Overrides, tag: &str) -> Vec<String> {
    let mut files: Vec<String> = standard().collect();
    for place in [tag, primary(tag)] {
        let prefix = format!("{place}/");
        files.extend(own.files.keys().filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)));
    }
    files.sort();
    files.dedup();
    files
}

/// The file for a language, and where it came from: the operator's for the locale, the operator's for its language, the
/// embedded one for the locale, for its language.
fn find(own: &Overrides, tag: &str, file: &str) -> Option<(Origin, String)> {
    let mut places = vec![format!("{tag}/{file}"), format!("{}/{file}", primary(tag))];
    if file == LAYOUT {
        places.push(LAYOUT.to_owned());
    }
    let is_override = places.iter().find_map(|place| own.files.get(place)).map(|(path, source)| {
        (Origin { file: path.display().to_string(), is_override: true }, source.clone())
    });
    is_override.or_else(|| {
        places.iter().find_map(|place| EMBEDDED.iter().find(|(name, _)| name == place)).map(
            |(name, source)| {
                (Origin { file: format!("built-in {name}"), is_override: false }, (*source).to_owned())
            },
        )
    })
}

/// `es_MX` and `ES-mx` are `es-mx`.
fn normal(tag: &str) -> String {
    tag.replace('_', "-").to_ascii_lowercase()
}

fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

#[cfg(test)]
mod tests;
