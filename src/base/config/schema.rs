//! The settings that exist. The default file is the list, the defaults, and the documentation.

use std::{collections::BTreeSet, fmt, sync::LazyLock};
use toml::{Table, Value};

/// The commented default file.
pub const DEFAULTS: &str = include_str!("../../../config/reconnectd.toml");

/// Each secret can also be given as `<key>_file`, the path of a file that contains it.
pub(super) const SECRETS: [&str; 11] = [
    "database.url",
    "gateway.client_key",
    "gateway.webhook_secret",
    "gateway.auth.signing_key",
    "gateway.auth.broker_token",
    "bounces.password",
    "webhook.secret",
    "webhook.previous_secret",
    "email.smtp.password",
    "admin.token",
    "telemetry.heartbeat_url",
];

/// The only list whose items are tables.
const TABLES: &str = "admin.tokens";

/// From 0 to 1 (identical). An unknown key suggests a known one that is at least this similar.
const MIN_SIMILARITY: f64 = 0.6;

pub(super) static BUILT_IN: LazyLock<Table> =
    LazyLock::new(|| DEFAULTS.parse().expect("a test parses the embedded file"));

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

pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(String::as_str)
}

pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The type of value that a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    Section,
    Text,
    Integer,
    Number,
    Boolean,
    /// A list of text.
    List,
    /// A list of tables: `admin.tokens` alone.
    Tables,
}

impl ValueType {
    /// `None` for an unknown key.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        if !KEYS.contains(key) {
            return None;
        }
        if key == TABLES {
            return Some(Self::Tables);
        }
        // A `_file` key is not in the default file. Its value is a path.
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

    pub(super) fn accepts(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Number, Value::Integer(_)) => true,
            (Self::List, Value::Array(items)) => items.iter().all(Value::is_str),
            (Self::Tables, Value::Array(items)) => items.iter().all(Value::is_table),
            (_, Value::Datetime(_)) => false,
            _ => Self::of_value(value) == self,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Section => "a section",
            Self::Text => "text in double quotes",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::List => "a list of text, such as [\"a\", \"b\"]",
            Self::Tables => "a list of tables, such as the lines that `reconnectd tokens generate` prints",
        })
    }
}

/// The value at `section.name`.
pub(super) fn get<'t>(table: &'t Table, key: &str) -> Option<&'t Value> {
    let mut names = key.split('.');
    let first = table.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name))
}

/// Writes the value at `section.name`, if the section exists.
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

/// Removes the value at `section.name`.
pub(super) fn remove(table: &mut Table, key: &str) -> Option<Value> {
    match key.split_once('.') {
        None => table.remove(key),
        Some((section, rest)) => remove(table.get_mut(section)?.as_table_mut()?, rest),
    }
}

/// The message for an unknown key.
pub(super) fn unknown(key: &str) -> String {
    match nearest(key) {
        Some(near) => format!("unknown key; did you mean {near}?"),
        None => "unknown key; `reconnectd config print` lists all keys".to_owned(),
    }
}

/// The known key with the same name in another section, else the one with the most similar spelling.
fn nearest(key: &str) -> Option<&'static str> {
    let name = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let misplaced = KEYS.iter().find(|known| name(known) == name(key));
    let misspelled = || {
        let similarity = |known: &&String| strsim::normalized_damerau_levenshtein(known, key);
        KEYS.iter()
            .max_by(|a, b| similarity(a).total_cmp(&similarity(b)))
            .filter(|known| similarity(known) >= MIN_SIMILARITY)
    };
    misplaced.or_else(misspelled).map(String::as_str)
}
