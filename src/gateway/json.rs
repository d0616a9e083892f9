//! Parses JSON from the gateway.

use super::fault::Fault;
use serde::Deserialize;

/// Parses JSON. The fault names the path but not the value there, which may be a secret.
pub(super) fn from_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Fault> {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    // To follow the path costs an allocation for each field, so only what cannot be read is read again with it.
    serde_json::from_slice(json).or_else(|_| read_with_path(json))
}

fn read_with_path<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        match error.inner().classify() {
            serde_json::error::Category::Data => {
                Fault::Unreadable(format!("a value is missing, duplicated, or of another type at {path:?}"))
            }
            serde_json::error::Category::Eof => Fault::Unreadable("it is truncated".to_owned()),
            _ => Fault::Unreadable("it is not JSON".to_owned()),
        }
    })?;
    deserializer.end().map_err(|_| Fault::Unreadable("it has text after the JSON".to_owned()))?;
    Ok(value)
}
