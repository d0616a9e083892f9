//! Reads an operator's folder of templates.

use super::{EMBEDDED, LAYOUT, TemplateError, is_standard, normal, standard};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// A template is a few kilobytes; anything beyond this is the wrong file.
const LARGEST: u64 = 256 * 1024;
/// Names less alike than this (1 is the same) are not suggested for one another.
const ALIKE: f64 = 0.6;

/// What the operator put there.
#[derive(Default)]
pub(super) struct Overrides {
    /// By name, such as `es/expired.txt`: path and text.
    pub(super) files: BTreeMap<String, (PathBuf, String)>,
    /// Each language's folder.
    pub(super) folders: BTreeMap<String, PathBuf>,
}

pub(super) fn read(directory: &Path) -> Result<Overrides, TemplateError> {
    let mut own = Overrides::default();
    let mut unused = Vec::new();
    for path in entries(directory)? {
        let name = file_name(&path);
        if path.is_dir() {
            unused.extend(own.read_language(path)?);
        } else if name == LAYOUT {
            own.files.insert(name, (path.clone(), read_file(&path)?));
        } else if is_meant_as_template(&path) {
            unused.push(path);
        }
    }
    unused.extend(own.unused());
    if unused.is_empty() {
        Ok(own)
    } else {
        Err(TemplateError::Unused(unused.iter().map(|path| nothing_uses(directory, path)).collect()))
    }
}

impl Overrides {
    /// Reads a language's folder; gives the files whose names no template can have.
    fn read_language(&mut self, folder: PathBuf) -> Result<Vec<PathBuf>, TemplateError> {
        let files: Vec<PathBuf> =
            entries(&folder)?.into_iter().filter(|file| is_meant_as_template(file)).collect();
        if files.is_empty() {
            return Ok(files);
        }
        let tag = normal(&file_name(&folder));
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

    /// The files that are no part of a mail, and that no other file names.
    fn unused(&self) -> Vec<PathBuf> {
        let named = |file: &str, by_other_than: &str| {
            let own = self.files.iter().filter(|(name, _)| *name != by_other_than);
            let sources = own.map(|(_, (_, source))| source.as_str());
            sources.chain(EMBEDDED.iter().map(|(_, source)| *source)).any(|source| mentions(source, file))
        };
        let unused = self.files.iter().filter(|(name, _)| {
            let file = name.rsplit('/').next().unwrap_or(name);
            !is_standard(file) && !named(file, name)
        });
        unused.map(|(_, (path, _))| path.clone()).collect()
    }
}

/// Whether a template includes, imports or extends a file.
pub(super) fn mentions(source: &str, file: &str) -> bool {
    ['"', '\''].iter().any(|quote| source.contains(&format!("{quote}{file}{quote}")))
}

fn nothing_uses(directory: &Path, path: &Path) -> String {
    let name = file_name(path).to_lowercase();
    let name = match name.rsplit_once('.') {
        Some((stem, "htm")) => format!("{stem}.html"),
        Some((stem, "text")) => format!("{stem}.txt"),
        _ => name,
    };
    let alike = |other: &String| strsim::normalized_damerau_levenshtein(other, &name);
    let meant = standard().max_by(|one, other| alike(one).total_cmp(&alike(other)));
    let advice = match meant.filter(|meant| alike(meant) >= ALIKE) {
        Some(meant) if path.parent() == Some(directory) && meant != LAYOUT => {
            format!("did you mean en/{meant}?")
        }
        Some(meant) => format!("did you mean {meant}?"),
        None => "take it away, or include it in another".to_owned(),
    };
    format!("{}: nothing uses this file; {advice}", path.display())
}

/// What is in a folder and not hidden, in the order of the names.
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
    if size > LARGEST {
        let problem = "it is too large for a template; put another file there".to_owned();
        return Err(TemplateError::Read { path: path.to_owned(), problem });
    }
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> TemplateError {
    let problem = match error.kind() {
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it as UTF-8".to_owned(),
        _ => format!("{error}; let this user read it"),
    };
    TemplateError::Read { path: path.to_owned(), problem }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn end(path: &Path) -> &str {
    path.extension().and_then(|end| end.to_str()).unwrap_or_default()
}

fn is_template(path: &Path) -> bool {
    matches!(end(path), "subject" | "txt" | "html")
}

/// Files of other kinds are none of our business.
fn is_meant_as_template(path: &Path) -> bool {
    path.is_file() && matches!(end(path).to_lowercase().as_str(), "subject" | "txt" | "text" | "html" | "htm")
}
