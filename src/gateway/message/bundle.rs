//! A message of b.well: a FHIR R4 `Bundle` of type `message`. Its first entry is a `MessageHeader`; each `Person` after it has
//! the operator's own id of a user.

use crate::domain::mask;
use serde_json::Value;
use std::collections::BTreeSet;

/// Of the identifier that is the operator's own id of the user.
const OWN_ID: &str = "urn:client:identifier";

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum GatewayMessage {
    /// The accounts of these users were deleted: the operator's own ids, which are the subjects of members.
    UserDeleted(BTreeSet<String>),
    /// Nothing for the daemon. The code is masked.
    Other { code: String },
}

/// Quotes nothing of the message, which names people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMessage {
    #[error("not valid JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("{field} is missing, or is not what it must be")]
    Invalid { field: String },
}

type Result<T, E = InvalidMessage> = std::result::Result<T, E>;

impl GatewayMessage {
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let bundle: Value = serde_json::from_slice(body)
            .map_err(|error| InvalidMessage::NotJson { line: error.line(), column: error.column() })?;
        if bundle["resourceType"] != "Bundle" {
            return Err(invalid("resourceType"));
        }
        if bundle["type"] != "message" {
            return Err(invalid("type"));
        }
        let entries = bundle["entry"].as_array().ok_or_else(|| invalid("entry"))?;
        let header = entries.first().map_or(&Value::Null, |entry| &entry["resource"]);
        if header["resourceType"] != "MessageHeader" {
            return Err(invalid("entry[0].resource.resourceType"));
        }
        let code = header["eventCoding"]["code"].as_str();
        let code = code.ok_or_else(|| invalid("entry[0].resource.eventCoding.code"))?;
        match normalize(code).as_str() {
            "userdeletecompleted" => Ok(Self::UserDeleted(own_ids(entries)?)),
            _ => Ok(Self::Other { code: mask(code) }),
        }
    }
}

/// # Errors
/// There is no `Person`, or one has no id.
fn own_ids(entries: &[Value]) -> Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let people =
        entries.iter().enumerate().filter(|(_, entry)| entry["resource"]["resourceType"] == "Person");
    for (number, person) in people {
        let field = || invalid(&format!("entry[{number}].resource.identifier"));
        let identifiers = person["resource"]["identifier"].as_array().ok_or_else(field)?;
        let own = identifiers.iter().filter(|identifier| identifier["system"] == OWN_ID);
        let own: Vec<_> = own
            .map(|identifier| identifier["value"].as_str().filter(|id| is_possible(id)).ok_or_else(field))
            .collect::<Result<_>>()?;
        if own.is_empty() {
            return Err(field());
        }
        ids.extend(own.into_iter().map(str::to_owned));
    }
    if ids.is_empty() { Err(invalid("a Person")) } else { Ok(ids) }
}

/// PostgreSQL would read an id with NUL as another one.
fn is_possible(id: &str) -> bool {
    !id.is_empty() && !id.contains('\0')
}

fn invalid(field: &str) -> InvalidMessage {
    InvalidMessage::Invalid { field: field.to_owned() }
}

/// Codes differ in letter case and in what separates their words.
fn normalize(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn person(id: &str) -> Value {
        let identifier = json!([{ "system": "urn:other", "value": "x" }, { "system": OWN_ID, "value": id }]);
        json!({ "resource": { "resourceType": "Person", "identifier": identifier } })
    }

    fn message(code: &str, people: &[Value]) -> Value {
        let header = json!({ "resource": {
            "resourceType": "MessageHeader", "eventCoding": { "code": code }, "focus": [{ "reference": "Person/1" }] } });
        let entries: Vec<_> = std::iter::once(header).chain(people.iter().cloned()).collect();
        json!({ "resourceType": "Bundle", "type": "message", "entry": entries })
    }

    fn read(message: &Value) -> Result<GatewayMessage> {
        GatewayMessage::read(message.to_string().as_bytes())
    }

    #[test]
    fn a_deletion_names_each_user_by_the_operators_own_id() {
        for code in ["User-Delete-Completed", "user_delete_completed", " USER-DELETE_COMPLETED"] {
            let people =
                [person("u-2"), json!({ "resource": { "resourceType": "Organization" } }), person("u-1")];
            let expected = BTreeSet::from(["u-1".to_owned(), "u-2".to_owned()]);
            assert_eq!(read(&message(code, &people)), Ok(GatewayMessage::UserDeleted(expected)), "{code}");
        }
    }

    #[test]
    fn other_events_are_nothing_for_the_daemon_and_their_code_is_masked() {
        for (code, shown) in
            [("Data-Export-Completed", "Data-Export-Completed"), ("a@example.org", "[address]")]
        {
            let expected = GatewayMessage::Other { code: shown.to_owned() };
            assert_eq!(read(&message(code, &[])), Ok(expected));
        }
    }

    #[test]
    fn a_message_that_is_not_one_is_refused_with_the_field_that_is_wrong() {
        let delete = |people: &[Value]| message("User-Delete-Completed", people);
        let with = |field: &str, value: Value| {
            let mut message = delete(&[person("u-1")]);
            *message.pointer_mut(field).unwrap() = value;
            message
        };
        for (message, field) in [
            (json!([]), "resourceType"),
            (with("/resourceType", json!("Person")), "resourceType"),
            (with("/type", json!("batch")), "type"),
            (with("/entry", json!({})), "entry"),
            (with("/entry", json!([])), "entry[0].resource.resourceType"),
            (with("/entry/0/resource", person("u-1")["resource"].clone()), "entry[0].resource.resourceType"),
            (with("/entry/0/resource/eventCoding", json!({})), "entry[0].resource.eventCoding.code"),
            (with("/entry/1/resource/identifier", json!([])), "entry[1].resource.identifier"),
            (with("/entry/1/resource/identifier/1/value", json!(17)), "entry[1].resource.identifier"),
            (with("/entry/1/resource/identifier/1/value", json!("")), "entry[1].resource.identifier"),
            (with("/entry/1/resource/identifier/1/value", json!("u\0-1")), "entry[1].resource.identifier"),
            (
                delete(&[person("u-1"), json!({ "resource": { "resourceType": "Person" } })]),
                "entry[2].resource.identifier",
            ),
            (delete(&[]), "a Person"),
        ] {
            assert_eq!(read(&message), Err(invalid(field)), "{message}");
        }
        for (body, line, column) in [("", 1, 0), ("{\"a\":\n}", 2, 1)] {
            let expected = InvalidMessage::NotJson { line, column };
            assert_eq!(GatewayMessage::read(body.as_bytes()), Err(expected), "{body}");
        }
    }
}
