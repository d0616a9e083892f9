//! The files that a set of templates consists of.

pub(crate) struct Catalog {
    /// What the templates make, for messages: `email` or `page`.
    pub(crate) product: &'static str,
    /// Name, such as `es/expired.txt`, and text.
    pub(crate) builtin: Vec<(&'static str, &'static str)>,
    /// The files outside the languages' folders.
    pub(crate) shared: &'static [&'static str],
    /// Folders of the operator's directory that belong to other sets.
    pub(crate) foreign_folders: &'static [&'static str],
    /// The files that each language needs.
    pub(crate) required: Vec<String>,
    /// All files that can be of use.
    pub(crate) known: Vec<String>,
    /// Follows the message about an undefined variable.
    pub(crate) undefined_hint: &'static str,
}

impl Catalog {
    pub(super) fn find(&self, name: &str) -> Option<&'static str> {
        self.builtin.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
    }

    pub(super) fn is_known(&self, file: &str) -> bool {
        self.known.iter().any(|known| known == file)
    }
}
