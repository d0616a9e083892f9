//! A line of JSON.

use super::error::RowError;
use super::row::{self, Fields};
use serde_json::Value;

pub(super) fn fields(line: &str) -> Result<Fields, RowError> {
    // The error names the column only: the parser's own message can repeat a value.
    let value: Value =
        serde_json::from_str(line).map_err(|error| format!("invalid JSON (column {})", error.column()))?;
    let Value::Object(object) = value else {
        return Err("must be a JSON object, such as {\"member_id\": …, \"email\": …}".to_owned().into());
    };
    let mut fields = Fields::new();
    for (name, value) in object {
        let field = row::field(&name).map_err(|hint| format!("unknown field; {hint}"))?;
        match value {
            Value::String(text) => drop(fields.insert(field, text)),
            Value::Null => {}
            _ => return Err(RowError::field(field, "must be text in double quotes")),
        }
    }
    Ok(fields)
}
