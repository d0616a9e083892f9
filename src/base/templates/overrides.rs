//! Reads an operator's directory of templates.

use super::{catalog::Catalog, error::TemplateError, languages::normalize, locate::mentions};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// A template has a few kilobytes; a larger file is the wrong one.
const MAX_BYTES: u64 = 256 * 1024;
/// Names that are less similar (1: equal) are not suggested.
const MIN_SIMILARITY: f64 = 0.6;

#[derive(Default)]
pub(super) struct Overrides {
    /// By name, such as `es/expired.txt`: path and text.
    pub(super) files: BTreeMap<String, (PathBuf, String)>,
    /// By language.
    pub(super) folders: BTreeMap<String, PathBuf>,
}

impl Overrides {
    pub(super) fn read(directory: &Path, catalog: &Catalog) -> Result<Self, TemplateError> {
        let mut overrides = Self::default();
        let mut unused = Vec::new();
        for path in entries(directory)? {
            let name = file_name(&path);
            if path.is_dir() && catalog.foreign_folders.contains(&name.as_str()) {
                continue;
            } else if path.is_dir() {
                unused.extend(overrides.read_language(path)?);
            } else if catalog.shared.contains(&name.as_str()) {
                overrides.files.insert(name, (path.clone(), read_file(&path)?));
            } else if looks_like_template(&path) {
                unused.push(path);
            }
        }
        unused.extend(overrides.unmentioned(catalog));
        if unused.is_empty() {
            Ok(overrides)
        } else {
            Err(TemplateError::Unused(
                unused.iter().map(|path| describe_unused(directory, path, catalog)).collect(),
            ))
        }
    }

    /// Reads the folder of a language. Returns the files with an extension that no template has.
    fn read_language(&mut self, folder: PathBuf) -> Result<Vec<PathBuf>, TemplateError> {
        let files: Vec<PathBuf> =
            entries(&folder)?.into_iter().filter(|file| looks_like_template(file)).collect();
        if files.is_empty() {
            return Ok(files);
        }
        let tag = normalize(&file_name(&folder));
        let (templates, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_template(file));
        for file in templates {
            let text = read_file(&file)?;
            self.files.insert(format!("{tag}/{}", file_name(&file)), (file, text));
        }
        match self.folders.insert(tag, folder.clone()) {
            Some(one) => Err(TemplateError::SameLanguage { one, other: folder }),
            None => Ok(others),
        }
    }

    /// The files that are not part of the product and that no other file includes.
    fn unmentioned(&self, catalog: &Catalog) -> Vec<PathBuf> {
        let is_mentioned = |file: &str, by_other_than: &str| {
            let own = self.files.iter().filter(|(name, _)| *name != by_other_than);
            let sources = own.map(|(_, (_, source))| source.as_str());
            sources
                .chain(catalog.builtin.iter().map(|(_, source)| *source))
                .any(|source| mentions(source, file))
        };
        let unmentioned = self.files.iter().filter(|(name, _)| {
            let file = name.rsplit('/').next().unwrap_or(name);
            !catalog.is_known(file) && !is_mentioned(file, name)
        });
        unmentioned.map(|(_, (path, _))| path.clone()).collect()
    }
}

fn describe_unused(directory: &Path, path: &Path, catalog: &Catalog) -> String {
    let name = file_name(path).to_lowercase();
    let name = match name.rsplit_once('.') {
        Some((stem, "htm")) => format!("{stem}.html"),
        Some((stem, "text")) => format!("{stem}.txt"),
        _ => name,
    };
    let similarity = |other: &str| strsim::normalized_damerau_levenshtein(other, &name);
    let known = catalog.known.iter().map(String::as_str);
    let closest = known.max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    let hint = match closest.filter(|closest| similarity(closest) >= MIN_SIMILARITY) {
        Some(closest) if path.parent() == Some(directory) && !catalog.shared.contains(&closest) => {
            format!("did you mean en/{closest}?")
        }
        Some(closest) => format!("did you mean {closest}?"),
        None => "remove it, or include it in another".to_owned(),
    };
    format!("{}: no {} uses this file; {hint}", path.display(), catalog.product)
}

/// The visible entries of a folder, sorted by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let all = fs::read_dir(directory).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut all = all.map_err(|error| unreadable(directory, &error))?;
    all.retain(|path| !file_name(path).starts_with('.'));
    all.sort();
    Ok(all)
}

fn read_file(path: &Path) -> Result<String, TemplateError> {
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if size > MAX_BYTES {
        let problem = "too large for a template; replace the file".to_owned();
        return Err(TemplateError::Read { path: path.to_owned(), problem });
    }
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> TemplateError {
    let problem = match error.kind() {
        io::ErrorKind::InvalidData => "not UTF-8 text; save it as UTF-8".to_owned(),
        _ => format!("{error}; give this user permission to read it"),
    };
    TemplateError::Read { path: path.to_owned(), problem }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

fn is_template(path: &Path) -> bool {
    matches!(extension(path), "subject" | "txt" | "html")
}

/// Files with other extensions are ignored.
fn looks_like_template(path: &Path) -> bool {
    let extension = extension(path).to_lowercase();
    path.is_file() && matches!(extension.as_str(), "subject" | "txt" | "text" | "html" | "htm")
}
