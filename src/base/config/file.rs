//! Reads a configuration file and remembers where each setting stands in it.

use super::{
    diagnostic::{Diagnostic, Location},
    schema::{self, Kind},
};
use std::{collections::BTreeMap, ops::Range, path::Path};
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

/// What a file gives.
#[derive(Debug, Default)]
pub(super) struct FileLayer {
    /// The settings that are known and of the right kind.
    pub(super) values: BTreeMap<String, Value>,
    /// Where the settings stand, the wrong ones too.
    pub(super) locations: BTreeMap<String, Location>,
    /// What is wrong with the others.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl FileLayer {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML. Wrong settings are in [`FileLayer::diagnostics`].
    pub(super) fn read(path: &Path) -> Result<Self, Diagnostic> {
        let text = std::fs::read_to_string(path).map_err(|error| Diagnostic {
            location: Location::File(path.to_owned()),
            key: String::new(),
            message: format!("cannot be read: {error}; name another file with --config, or none"),
        })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Diagnostic> {
        let source = Source { path, text };
        // The parser's own display quotes the line, which may hold a secret.
        let refuse = |error: toml::de::Error| Diagnostic {
            location: source.location(error.span().unwrap_or_default()),
            key: String::new(),
            message: format!("not TOML: {}", error.message()),
        };
        let spans = DeTable::parse(text).map_err(refuse)?;
        let table: Table = toml::from_str(text).map_err(refuse)?;
        let mut layer = Self::default();
        layer.walk(&source, "", spans.get_ref(), &table);
        Ok(layer)
    }

    fn walk(&mut self, source: &Source<'_>, section: &str, spans: &DeTable<'_>, table: &Table) {
        for (name, spanned) in spans {
            let key = schema::join(section, name.get_ref());
            let Some(value) = table.get(name.get_ref().as_ref()) else { continue };
            let location = source.location(name.span());
            self.locations.insert(key.clone(), location.clone());
            let wrong = match (Kind::of_key(&key), spanned.get_ref(), value) {
                (None, ..) => schema::unknown(&key),
                (Some(Kind::Section), DeValue::Table(spans), Value::Table(table)) => {
                    self.walk(source, &key, spans, table);
                    continue;
                }
                (Some(Kind::Section), ..) => format!("is a section; write its settings under [{key}]"),
                (Some(kind), _, value) if kind.accepts(value) => {
                    self.values.insert(key, value.clone());
                    continue;
                }
                (Some(kind), _, value) => format!("holds {}; write {kind}", describe(value)),
            };
            self.diagnostics.push(Diagnostic { location, key, message: wrong });
        }
    }
}

/// What a value is, without the value.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list of something else",
        Value::Table(_) => "a section",
    }
}

struct Source<'s> {
    path: &'s Path,
    text: &'s str,
}

impl Source<'_> {
    fn location(&self, span: Range<usize>) -> Location {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Location::Line(self.path.to_owned(), before.matches('\n').count() + 1, column)
    }
}
