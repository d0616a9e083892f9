//! An operator's directory of templates, for tests.

use std::fs;
use tempfile::TempDir;

/// A directory with these files: name, such as `es/expired.txt`, and text.
pub(crate) fn directory_of(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}
