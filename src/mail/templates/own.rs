//! Reads an operator's folder of templates.

use super::{LAYOUT, TemplateError, normal};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// A template is a few kilobytes; anything beyond this is the wrong file.
const LARGEST: u64 = 256 * 1024;

/// The operator's files by name, such as `es/expired.txt`, with path and text.
pub(super) type Own = BTreeMap<String, (PathBuf, String)>;

pub(super) fn read(directory: &Path) -> Result<Own, TemplateError> {
    let mut own = Own::new();
    for path in entries(directory)? {
        let name = file_name(&path);
        if path.is_dir() && !name.starts_with('.') {
            for file in entries(&path)?.into_iter().filter(|file| is_template(file)) {
                let text = read_file(&file)?;
                own.insert(format!("{}/{}", normal(&name), file_name(&file)), (file, text));
            }
        } else if name == LAYOUT {
            own.insert(name, (path.clone(), read_file(&path)?));
        }
    }
    Ok(own)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let failed = |source| TemplateError::Read { path: directory.to_owned(), source };
    fs::read_dir(directory).map_err(failed)?.map(|entry| entry.map(|e| e.path()).map_err(failed)).collect()
}

fn read_file(path: &Path) -> Result<String, TemplateError> {
    let failed = |source| TemplateError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > LARGEST {
        return Err(failed(io::Error::other("too large for a template")));
    }
    fs::read_to_string(path).map_err(failed)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_template(path: &Path) -> bool {
    !file_name(path).starts_with('.')
        && path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| matches!(end, "subject" | "txt" | "html"))
}
