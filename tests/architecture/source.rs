//! The source files, and the module tree that they form.

use crate::scan::{self, Import, Reference};
use proc_macro2::TokenStream;
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

/// A file of the project.
pub(crate) struct Source {
    /// Relative to the project: `src/store/links.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// `["store", "links"]` for `src/store/links.rs`, nothing for `src/lib.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<_> = inside.split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
            module.pop();
        }
        module
    }
}

/// Reads the file at `path`, or all files below it, that have one of the extensions.
pub(crate) fn read(path: &str, extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    collect(root, &root.join(path), extensions, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(root: &Path, path: &Path, extensions: &[&str], found: &mut Vec<Source>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("the directory can be read") {
            let below = entry.expect("the entry can be read").path();
            if below.file_name().is_none_or(|name| name != "node_modules") {
                collect(root, &below, extensions, found);
            }
        }
    } else if path.extension().is_some_and(|extension| extensions.iter().any(|other| extension == *other)) {
        let text = fs::read_to_string(path).expect("the file can be read");
        let relative = path.strip_prefix(root).expect("the file is in the project");
        found.push(Source::new(&relative.to_string_lossy(), &text));
    }
}

/// A module, in a file of its own or inline.
pub(crate) struct Module {
    pub(crate) path: Vec<String>,
    /// Index of its file in [`Tree::files`].
    pub(crate) file: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: HashMap<String, usize>,
    /// Child modules that are declared here and have their own file.
    pub(crate) declared: Vec<String>,
    pub(crate) items: HashSet<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) references: Vec<Reference>,
}

/// The modules of the crate without test code.
pub(crate) struct Tree {
    pub(crate) files: Vec<Source>,
    pub(crate) modules: Vec<Module>,
    /// Indices of files that hold only test code.
    pub(crate) tests: HashSet<usize>,
}

impl Tree {
    pub(crate) fn new(files: Vec<Source>) -> Self {
        let mut modules = Vec::new();
        let mut test_modules = HashSet::new();
        for (file, source) in files.iter().enumerate() {
            let tokens: TokenStream = source.text.parse().expect("the file is Rust");
            scan::modules(tokens, source.module(), file, &mut modules, &mut test_modules);
        }
        let is_test = |path: &[String]| (1..=path.len()).any(|length| test_modules.contains(&path[..length]));
        let tests = (0..files.len()).filter(|file| is_test(&files[*file].module())).collect();
        modules.retain(|module| !is_test(&module.path));
        link(&mut modules);
        Self { files, modules, tests }
    }
}

fn link(modules: &mut [Module]) {
    let by_path: HashMap<_, _> =
        modules.iter().enumerate().map(|(at, module)| (module.path.clone(), at)).collect();
    for at in 0..modules.len() {
        let Some((name, above)) = modules[at].path.split_last() else { continue };
        let (name, parent) = (name.clone(), by_path.get(above).copied());
        modules[at].parent = parent;
        if let Some(parent) = parent {
            modules[parent].children.insert(name, at);
        }
    }
}
