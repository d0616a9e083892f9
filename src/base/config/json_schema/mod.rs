//! The JSON Schema (draft 2020-12) of the configuration file. Keys, defaults, and descriptions are those of the default
//! file; what a setting accepts is found by asking the types that read it. So neither has a second list.

mod accepted;
mod comments;
mod formats;

use super::schema::{self, BUILT_IN, DEFAULTS, SECRETS, ValueType, join};
use accepted::{Bounds, is_accepted, rejection};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use toml::Table;

/// Texts up to this length are tried to find the longest that a setting accepts.
const MAX_LENGTH: i64 = 1000;

/// A text that has no form, and is no name.
const UNUSUAL: &str = "☃ ☃";

/// The schema, with the keys of each object in alphabetical order.
pub(crate) fn json_schema() -> Value {
    let descriptions = comments::descriptions(DEFAULTS);
    let mut root = section("", &BUILT_IN, &descriptions);
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "Configuration of reconnectd".into();
    describe(&mut root, &descriptions, "");
    root
}

/// Whether a setting that takes text rejects any text without a form.
#[cfg(test)]
pub(super) fn rejects_text(key: &str) -> bool {
    ValueType::of_key(key) == Some(ValueType::Text)
        && !key.ends_with("_file")
        && !is_accepted(key, "soon".into())
}

fn section(path: &str, table: &Table, descriptions: &BTreeMap<String, String>) -> Value {
    let mut properties = Map::new();
    for (name, value) in table {
        let key = join(path, name);
        let mut property = match value {
            toml::Value::Table(table) => section(&key, table, descriptions),
            default => setting(&key, default),
        };
        describe(&mut property, descriptions, &key);
        if SECRETS.contains(&key.as_str()) {
            property["writeOnly"] = true.into();
            let description =
                format!("The path of a file that contains {key}; only one of the two may be set.");
            properties
                .insert(format!("{name}_file"), json!({ "type": "string", "description": description }));
        }
        properties.insert(name.clone(), property);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn describe(schema: &mut Value, descriptions: &BTreeMap<String, String>, key: &str) {
    if let Some(description) = descriptions.get(key).filter(|description| !description.is_empty()) {
        schema["description"] = description.as_str().into();
    }
}

fn setting(key: &str, default: &toml::Value) -> Value {
    let accepts = |value: toml::Value| is_accepted(key, value);
    let mut setting = match ValueType::of_key(key) {
        Some(ValueType::Boolean) => json!({ "type": "boolean" }),
        Some(ValueType::Integer) => {
            numbers("integer", default.as_integer().unwrap_or_default(), |number| accepts(number.into()))
        }
        // The fractions are shares, whose limits are whole.
        Some(ValueType::Number) => numbers("number", 0, |number| accepts((number as f64).into())),
        Some(ValueType::List) => {
            let items = text(|text| accepts(vec![text].into()), |text| rejection(key, vec![text].into()));
            list(items, accepts(toml::Value::Array(Vec::new())))
        }
        Some(ValueType::Tables) => list(item(key), accepts(toml::Value::Array(Vec::new()))),
        Some(ValueType::Text | ValueType::Section) | None => {
            text(|text| accepts(text.into()), |text| rejection(key, text.into()))
        }
    };
    setting["default"] = json!(default);
    setting
}

fn list(items: Value, accepts_empty: bool) -> Value {
    let mut list = json!({ "type": "array", "items": items });
    if !accepts_empty {
        list["minItems"] = 1.into();
    }
    list
}

fn numbers(json_type: &str, inside: i64, accepts: impl Fn(i64) -> bool) -> Value {
    let Bounds { min, max } = Bounds::around(inside, &accepts);
    let mut schema = json!({ "type": json_type });
    if let Some(max) = max {
        schema["maximum"] = max.into();
    }
    match min {
        // Zero stands for no limit.
        Some(min) if min > 1 && accepts(0) => schema["anyOf"] = json!([{ "const": 0 }, { "minimum": min }]),
        Some(min) => schema["minimum"] = min.into(),
        None => {}
    }
    schema
}

/// `rejection`: the message for a text.
fn text(accepts: impl Fn(&str) -> bool, rejection: impl Fn(&str) -> Option<String>) -> Value {
    if let Some(message) = rejection(UNUSUAL) {
        if let Some(names) = accepted::expected_names(&message) {
            return json!({ "type": "string", "enum": names });
        }
        if let Some(mut schema) = formats::find(&accepts) {
            schema["type"] = "string".into();
            return schema;
        }
    }
    let mut schema = json!({ "type": "string" });
    let is_free = accepts("a");
    if is_free && !accepts("") {
        schema["minLength"] = 1.into();
    }
    let fits = |length: i64| accepts(&"a".repeat(usize::try_from(length).unwrap_or_default()));
    if is_free
        && !fits(MAX_LENGTH)
        && let Some(max) = Bounds::around(1, fits).max
    {
        schema["maxLength"] = max.into();
    }
    schema
}

/// An item of a list of tables. All its fields are text, and needed.
fn item(key: &str) -> Value {
    let rejection_of = |item: Table| rejection(key, vec![item].into());
    let unknown = Table::from_iter([("\u{0}".to_owned(), "".into())]);
    let names = rejection_of(unknown).as_deref().and_then(accepted::expected_names).unwrap_or_default();
    let properties: Map<String, Value> = names
        .iter()
        .map(|name| {
            let with = |text: &str| {
                let mut item = formats::sample_item();
                schema::put(&mut item, name, text.into());
                rejection_of(item)
            };
            (name.clone(), text(|text| with(text).is_none(), with))
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "required": names, "properties": properties })
}
