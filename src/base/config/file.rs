//! Reads a configuration file, and remembers the line of each setting.

use super::{
    diagnostic::{Diagnostic, Location},
    excerpt::Excerpt,
    schema::{self, ValueType},
};
use std::{collections::BTreeMap, ops::Range, path::Path, string::FromUtf8Error};
use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

#[derive(Debug, Default)]
pub(super) struct FileLayer {
    /// The known settings of the right type.
    pub(super) values: BTreeMap<String, Value>,
    /// The locations of all settings, including the rejected ones.
    pub(super) locations: BTreeMap<String, Location>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl FileLayer {
    /// # Errors
    /// The file cannot be read, or is not TOML. Errors about settings are in [`FileLayer::diagnostics`].
    pub(super) fn read(path: &Path) -> Result<Self, Diagnostic> {
        let bytes = std::fs::read(path).map_err(|error| Diagnostic {
            location: Location::File(path.to_owned()),
            key: String::new(),
            message: format!("cannot read the file: {error}; name another one with --config"),
        })?;
        let text = String::from_utf8(bytes).map_err(|error| wrong_encoding(path, &error))?;
        Self::parse(path, text.trim_start_matches('\u{feff}'))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Diagnostic> {
        let source = Source { path, text };
        // Without the parser's own display, which quotes the line: it can contain a secret.
        let invalid = |error: toml::de::Error| Diagnostic {
            location: source.syntax_error(error.span().unwrap_or_default().start),
            key: String::new(),
            message: format!("invalid TOML: {}", error.message()),
        };
        let spans = DeTable::parse(text).map_err(invalid)?;
        let table: Table = toml::from_str(text).map_err(invalid)?;
        let mut layer = Self::default();
        layer.walk(&source, "", spans.get_ref(), &table);
        Ok(layer)
    }

    fn walk(&mut self, source: &Source<'_>, section: &str, spans: &DeTable<'_>, table: &Table) {
        for (name, spanned) in spans {
            let key = schema::join(section, name.get_ref());
            let Some(value) = table.get(name.get_ref().as_ref()) else { continue };
            let location = source.key(name.span());
            self.locations.insert(key.clone(), location.clone());
            let message = match (ValueType::of_key(&key), spanned.get_ref(), value) {
                (None, ..) => schema::unknown(&key),
                (Some(ValueType::Section), DeValue::Table(spans), Value::Table(table)) => {
                    self.walk(source, &key, spans, table);
                    continue;
                }
                (Some(ValueType::Section), ..) => {
                    format!("must be a section; write its settings under [{key}]")
                }
                (Some(expected), _, value) if expected.accepts(value) => {
                    self.values.insert(key, value.clone());
                    continue;
                }
                (Some(expected), _, value) => format!("must be {expected}, not {}", describe(value)),
            };
            self.diagnostics.push(Diagnostic { location, key, message });
        }
    }
}

/// The error does not quote the line: it can contain a secret.
fn wrong_encoding(path: &Path, error: &FromUtf8Error) -> Diagnostic {
    let (bytes, valid) = (error.as_bytes(), error.utf8_error().valid_up_to());
    let (location, message) = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        (Location::File(path.to_owned()), "the file is in UTF-16; save it as UTF-8")
    } else {
        let text = String::from_utf8_lossy(&bytes[..valid]);
        let source = Source { path, text: &text };
        (source.location(text.len(), None), "this character is not UTF-8; save the file as UTF-8")
    };
    Diagnostic { location, key: String::new(), message: message.to_owned() }
}

/// The type of a value, without the value.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date or time",
        Value::Array(_) => "a list of other values",
        Value::Table(_) => "a section",
    }
}

struct Source<'s> {
    path: &'s Path,
    text: &'s str,
}

impl Source<'_> {
    fn key(&self, span: Range<usize>) -> Location {
        let excerpt = Excerpt::of_key(self.text, span.clone());
        self.location(span.start, excerpt)
    }

    fn syntax_error(&self, at: usize) -> Location {
        self.location(at, Excerpt::of_syntax_error(self.text, at))
    }

    fn location(&self, at: usize, excerpt: Option<Excerpt>) -> Location {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Location::Line(self.path.to_owned(), before.matches('\n').count() + 1, column, excerpt.map(Box::new))
    }
}
