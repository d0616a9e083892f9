//! Reads JSON. Errors name the field and quote no value.

use super::report::InvalidReport;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, InvalidReport> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| invalid(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| invalid("", &error))?;
    Ok(value)
}

fn invalid(path: &str, error: &serde_json::Error) -> InvalidReport {
    if error.classify() != Category::Data {
        return InvalidReport::NotJson { line: error.line(), column: error.column() };
    }
    let text = error.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (path, missing) {
        ("." | "", Some(field)) => InvalidReport::missing(field),
        (path, Some(field)) => InvalidReport::missing(&format!("{path}.{field}")),
        ("." | "", None) => InvalidReport::WrongType { field: "the report".to_owned() },
        (path, None) => InvalidReport::WrongType { field: path.to_owned() },
    }
}
