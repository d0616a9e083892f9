//! A line of JSON.

use super::error::RowError;
use super::row::{self, Fields, MemberLine};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The keys and values of an object, in order. A key can occur twice.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

pub(super) fn fields(line: &str, ignore_unknown: bool) -> Result<Fields, RowError> {
    if !line.trim_start().starts_with('{') {
        return Err("must be a JSON object, such as {\"member_id\": …, \"email\": …}".to_owned().into());
    }
    // The error names the column only: the parser's own message can repeat a value.
    let Entries(entries) =
        serde_json::from_str(line).map_err(|error| format!("invalid JSON (column {})", error.column()))?;
    let is_member = entries.iter().any(|(name, _)| name == row::MEMBER_ID);
    let mut fields = Fields::new();
    for (name, value) in entries {
        let field = match row::field(&name) {
            Ok(field) => field,
            Err(_) if ignore_unknown => continue,
            Err(unknown) => {
                let name = unknown.shown(is_member);
                return Err(format!("unknown field{name}; {}", unknown.hint).into());
            }
        };
        let text = match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            _ => return Err(RowError::field(field, "must be text in double quotes")),
        };
        if fields.insert(field, text).is_some() {
            return Err(RowError::field(field, "is given twice; remove one of them"));
        }
    }
    Ok(fields)
}

/// One member with a known id, which the text need not repeat.
///
/// # Errors
/// A value that cannot be used, or another id.
pub(crate) fn member(id: &str, text: &str) -> Result<MemberLine, RowError> {
    let mut fields = fields(text, false)?;
    let given = fields.insert(row::MEMBER_ID, id.to_owned());
    if given.is_some_and(|given| !given.is_empty() && given != id) {
        return Err(RowError::field(row::MEMBER_ID, "differs from the id in the path"));
    }
    row::check(1, fields)
}
