//! The parsed templates of every language.

use super::{
    catalog::Catalog,
    error::TemplateError,
    languages::{normalize, primary},
    locate::{line_of_variable, mentions, place},
    overrides::Overrides,
};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use std::{collections::BTreeMap, path::Path};

const FALLBACK_LANGUAGE: &str = "en";
/// Far more than an email needs; stops a template that would never end.
const FUEL: u64 = 100_000;

#[derive(Clone)]
pub(super) struct Origin {
    pub(super) file: String,
    pub(super) is_override: bool,
}

pub(crate) struct TemplateSet {
    environment: Environment<'static>,
    /// By name, such as `es/expired.txt`.
    origins: BTreeMap<String, Origin>,
    languages: Vec<String>,
    default: String,
    undefined_hint: &'static str,
}

impl TemplateSet {
    /// Reads and parses the operator's `directory` and the built-in templates, and rejects variables that `variables` does not
    /// return for the file. `default` is the locale for members without one.
    pub(crate) fn load(
        directory: Option<&Path>,
        catalog: &Catalog,
        default: &str,
        variables: impl Fn(&str) -> Vec<&'static str>,
    ) -> Result<Self, TemplateError> {
        let read = directory.map(|directory| Overrides::read(directory, catalog));
        let overrides = read.transpose()?.unwrap_or_default();
        let mut templates = Self {
            environment: environment(),
            origins: BTreeMap::new(),
            languages: languages(catalog, &overrides),
            default: default.to_owned(),
            undefined_hint: catalog.undefined_hint,
        };
        for tag in templates.languages.clone() {
            let mut missing = Vec::new();
            for file in files(catalog, &overrides, &tag) {
                let Some((origin, source)) = find(catalog, &overrides, &tag, &file) else {
                    missing.push(file);
                    continue;
                };
                let name = format!("{tag}/{file}");
                templates.origins.insert(name.clone(), origin);
                templates.add(name, source, &variables(&file))?;
            }
            missing.retain(|file| catalog.required.contains(file));
            if !missing.is_empty() {
                let folder = overrides.folders.get(&tag).cloned().unwrap_or_default();
                return Err(TemplateError::Missing { folder, files: missing, product: catalog.product });
            }
        }
        Ok(templates)
    }

    fn add(&mut self, name: String, source: String, known: &[&str]) -> Result<(), TemplateError> {
        self.environment
            .add_template_owned(name.clone(), source.clone())
            .map_err(|error| self.fault(&name, &error))?;
        let template = self.environment.get_template(&name).map_err(|error| self.fault(&name, &error))?;
        let mut unknown: Vec<_> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|variable| {
                !known.contains(&variable.as_str()) && variable != "super" && variable != "self"
            })
            .filter(|variable| self.environment.globals().all(|(function, _)| function != variable))
            .collect();
        unknown.sort();
        let Some(variable) = unknown.first() else { return Ok(()) };
        Err(TemplateError::Faulty {
            file: self.file_of(&name),
            line: line_of_variable(&source, variable),
            problem: format!("unknown variable {variable:?}; the variables are: {}", known.join(", ")),
        })
    }

    /// The language for a locale: the locale itself, its language, the default's, then English.
    pub(crate) fn language(&self, locale: Option<&str>) -> &str {
        locale
            .into_iter()
            .chain([self.default.as_str(), FALLBACK_LANGUAGE])
            .map(normalize)
            .flat_map(|tag| [primary(&tag).to_owned(), tag].into_iter().rev())
            .find_map(|tag| self.languages.iter().find(|language| **language == tag))
            .map_or(FALLBACK_LANGUAGE, String::as_str)
    }

    /// Whether there are templates for the locale or its language.
    pub(crate) fn has(&self, locale: &str) -> bool {
        let tag = normalize(locale);
        self.languages.iter().any(|language| *language == tag || *language == primary(&tag))
    }

    pub(crate) fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Whether the language has `file`.
    pub(crate) fn has_file(&self, language: &str, file: &str) -> bool {
        self.origins.contains_key(&format!("{language}/{file}"))
    }

    /// Whether the language has `file` from the operator.
    pub(crate) fn is_overridden(&self, language: &str, file: &str) -> bool {
        self.origins.get(&format!("{language}/{file}")).is_some_and(|origin| origin.is_override)
    }

    /// Renders `file`, such as `expired.txt`, in a language.
    pub(crate) fn render(&self, language: &str, file: &str, values: Value) -> Result<String, TemplateError> {
        let name = format!("{language}/{file}");
        self.environment
            .get_template(&name)
            .and_then(|template| template.render(values))
            .map_err(|error| self.blame_override(self.fault(&name, &error), language, file))
    }

    /// The file that is probably at fault when an email made of `files` is unusable: an operator's before a built-in one.
    pub(crate) fn locate(&self, language: &str, files: &[String]) -> String {
        let names = self.with_included(language, files);
        let mut origins = names.iter().filter_map(|name| self.origins.get(name));
        let first = origins.clone().next();
        origins
            .find(|origin| origin.is_override)
            .or(first)
            .map_or_else(String::new, |origin| origin.file.clone())
    }

    /// The operator's file of those that `files` are made of.
    pub(crate) fn own_file(&self, language: &str, files: &[String]) -> Option<String> {
        let names = self.with_included(language, files);
        let mut origins = names.iter().filter_map(|name| self.origins.get(name));
        origins.find(|origin| origin.is_override).map(|origin| origin.file.clone())
    }

    /// A built-in template fails only for what an operator's file has left out.
    fn blame_override(&self, fault: TemplateError, language: &str, file: &str) -> TemplateError {
        let is_override =
            |file: &str| self.origins.values().any(|origin| origin.is_override && origin.file == file);
        let located = self.locate(language, &[file.to_owned()]);
        match fault {
            TemplateError::Faulty { file, line, problem } if !is_override(&file) && is_override(&located) => {
                let problem = format!("{}: {problem}", place(&file, line));
                TemplateError::Faulty { file: located, line: 0, problem }
            }
            other => other,
        }
    }

    /// The operator's templates: name, file and text.
    pub(crate) fn overrides(&self) -> impl Iterator<Item = (&str, &str, String)> {
        self.origins.iter().filter(|(_, origin)| origin.is_override).filter_map(|(name, origin)| {
            let template = self.environment.get_template(name).ok()?;
            Some((name.as_str(), origin.file.as_str(), template.source().to_owned()))
        })
    }

    fn with_included(&self, language: &str, files: &[String]) -> Vec<String> {
        let prefix = format!("{language}/");
        let mut names: Vec<String> = files.iter().map(|file| format!("{prefix}{file}")).collect();
        let mut next = 0;
        while let Some(name) = names.get(next).cloned() {
            next += 1;
            let Ok(template) = self.environment.get_template(&name) else { continue };
            let of_language = self.origins.keys().filter_map(|name| name.strip_prefix(&prefix));
            for file in of_language.filter(|file| mentions(template.source(), file)) {
                let name = format!("{prefix}{file}");
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }

    fn file_of(&self, name: &str) -> String {
        self.origins.get(name).map_or_else(|| name.to_owned(), |origin| origin.file.clone())
    }

    /// The innermost cause has the file and line. Its text is masked: a filter's message can quote a value.
    fn fault(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        let mut innermost = error;
        while let Some(cause) = std::error::Error::source(innermost).and_then(|cause| cause.downcast_ref()) {
            innermost = cause;
        }
        let name = innermost.name().unwrap_or(name);
        let line = innermost.line().unwrap_or_default();
        let mut problem = innermost
            .detail()
            .map_or_else(|| innermost.kind().to_string(), |detail| format!("{}: {detail}", innermost.kind()));
        if innermost.kind() == ErrorKind::UndefinedError {
            problem += self.undefined_hint;
        }
        TemplateError::Faulty { file: self.file_of(name), line, problem: crate::domain::mask(&problem) }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // A template can test `sources`, but cannot print it where it does not exist.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
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

/// The built-in languages and the operator's.
fn languages(catalog: &Catalog, overrides: &Overrides) -> Vec<String> {
    let builtin = catalog.builtin.iter().map(|(name, _)| *name);
    let names = builtin.chain(overrides.files.keys().map(String::as_str));
    let mut tags: Vec<String> =
        names.filter_map(|name| name.split_once('/').map(|(tag, _)| tag.to_owned())).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// The files that a language can have, and the operator's other files in its folders.
fn files(catalog: &Catalog, overrides: &Overrides, tag: &str) -> Vec<String> {
    let mut files = catalog.known.clone();
    for folder in [tag, primary(tag)] {
        let prefix = format!("{folder}/");
        files.extend(overrides.files.keys().filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)));
    }
    files.sort();
    files.dedup();
    files
}

/// The file for a language and its origin, in this order: the operator's for the locale, the operator's for its
/// language, the built-in one for the locale, the built-in one for its language.
fn find(catalog: &Catalog, overrides: &Overrides, tag: &str, file: &str) -> Option<(Origin, String)> {
    let mut names = vec![format!("{tag}/{file}"), format!("{}/{file}", primary(tag))];
    if catalog.shared.contains(&file) {
        names.push(file.to_owned());
    }
    if let Some((path, source)) = names.iter().find_map(|name| overrides.files.get(name)) {
        return Some((Origin { file: path.display().to_string(), is_override: true }, source.clone()));
    }
    names.iter().find_map(|name| {
        let source = catalog.find(name)?;
        Some((Origin { file: format!("built-in {name}"), is_override: false }, source.to_owned()))
    })
}
