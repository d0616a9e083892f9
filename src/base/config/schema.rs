//! Which settings there are, read from the default file: it is the documentation, the defaults and this list.

use super::DEFAULTS;
use std::{collections::BTreeSet, fmt, sync::LazyLock};
use toml::{Table, Value};

/// The settings that are secret. Each can also be given as `<key>_file`, the path of a file that holds it.
pub(super) const SECRETS: [&str; 5] = [
    "gateway.client_key",
    "gateway.auth.signing_key",
    "gateway.auth.broker_token",
    "email.smtp.password",
    "admin.token",
];

/// Keys less alike than this (1 is the same) are not suggested for one another.
const MIN_SIMILARITY: f64 = 0.6;

/// The built-in values.
pub(super) static BUILT_IN: LazyLock<Table> =
    LazyLock::new(|| DEFAULTS.parse().expect("the embedded file is TOML; a test reads it"));

static KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut keys = BTreeSet::new();
    collect("", &BUILT_IN, &mut keys);
    keys.extend(SECRETS.map(|secret| format!("{secret}_file")));
    keys
});

fn collect(prefix: &str, table: &Table, keys: &mut BTreeSet<String>) {
    for (name, value) in table {
        let key = join(prefix, name);
        if let Value::Table(section) = value {
            collect(&key, section, keys);
        }
        keys.insert(key);
    }
}

/// `section.name`.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// What kind of value a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Section,
    Text,
    Integer,
    Number,
    Boolean,
    /// Of text: there are no other lists.
    List,
}

impl Kind {
    /// What `key` takes; `None` for a key that there is not.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        if !KEYS.contains(key) {
            return None;
        }
        // A `_file` key has no default. A path is text.
        Some(get(&BUILT_IN, key).map_or(Self::Text, Self::of_value))
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Table(_) => Self::Section,
            Value::Integer(_) => Self::Integer,
            Value::Float(_) => Self::Number,
            Value::Boolean(_) => Self::Boolean,
            Value::Array(_) => Self::List,
            Value::String(_) | Value::Datetime(_) => Self::Text,
        }
    }

    /// Whether a value from a file is of this kind.
    pub(super) fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Number, Value::Integer(_)) => true,
            (Self::List, Value::Array(items)) => items.iter().all(Value::is_str),
            (_, Value::Datetime(_)) => false,
            _ => Self::of_value(value) == self,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Section => "a section",
            Self::Text => "text in double quotes",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list of texts, as in [\"a\", \"b\"]",
        })
    }
}

/// The value of `section.name` in nested tables.
pub(super) fn get<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    let mut names = key.split('.');
    let first = table.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// Puts a value at `section.name`, if the section is there.
pub(super) fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            if let Some(Value::Table(section)) = table.get_mut(section) {
                put(section, rest, value);
            }
        }
    }
}

/// What to say of a key that there is not.
pub(super) fn unknown(key: &str) -> String {
    match nearest(key) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => "unknown key; `reconnectd config print` shows all that there are".to_owned(),
    }
}

/// The known key most like `key`: the same name in another section, or the nearest spelling.
fn nearest(key: &str) -> Option<&'static str> {
    let name = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let misplaced = KEYS.iter().find(|known| name(known) == name(key));
    let misspelt = || {
        let likeness = |known: &&String| strsim::normalized_damerau_levenshtein(known, key);
        KEYS.iter()
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
            .filter(|known| likeness(known) >= MIN_SIMILARITY)
    };
    misplaced.or_else(misspelt).map(String::as_str)
}
