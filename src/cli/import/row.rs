//! What a row must hold to be a member.

use super::ImportRow;
use crate::domain::{EmailAddress, Locale, Member, MemberId, RefreshToken};
use std::collections::BTreeMap;

/// The fields that a row must have.
pub(super) const REQUIRED: [&str; 2] = ["member_id", "email"];

const FIELDS: [&str; 6] = ["member_id", "email", "locale", "time_zone", "subject", "refresh_token"];

/// The longest id, in bytes.
const LONGEST_ID: usize = 200;

/// A row's values by name.
pub(super) type Fields = BTreeMap<&'static str, String>;

/// What is wrong with a row.
pub(super) struct Wrong {
    pub(super) field: Option<&'static str>,
    pub(super) what: String,
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self { field: None, what }
    }
}

fn wrong(field: &'static str, what: &str) -> Wrong {
    Wrong { field: Some(field), what: what.to_owned() }
}

/// The field that is called `name`, else a hint. The hint does not repeat the name: in a file without a
/// header it is somebody's address.
pub(super) fn field(name: &str) -> Result<&'static str, String> {
    let name = name.trim();
    if let Some(field) = FIELDS.into_iter().find(|field| *field == name) {
        return Ok(field);
    }
    let name = name.to_lowercase().replace([' ', '-'], "_");
    let near = FIELDS.into_iter().find(|field| strsim::damerau_levenshtein(field, &name) <= 2);
    Err(match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are {}", FIELDS.join(", ")),
    })
}

/// Reads a row's values.
pub(super) fn check(mut fields: Fields) -> Result<ImportRow, Wrong> {
    if let Some(field) =
        fields.iter().find_map(|(field, text)| text.contains(char::is_control).then_some(*field))
    {
        return Err(wrong(field, "holds a control character; take it out"));
    }
    fields.retain(|_, text| !text.trim().is_empty());
    for field in ["member_id", "subject", "refresh_token"] {
        if fields.get(field).is_some_and(|text| text.trim() != text) {
            return Err(wrong(field, "begins or ends with a space; take it out"));
        }
    }
    for field in ["member_id", "subject"] {
        if fields.get(field).is_some_and(|text| text.len() > LONGEST_ID) {
            return Err(wrong(field, &format!("longer than {LONGEST_ID} bytes")));
        }
    }
    let id = required(&mut fields, "member_id")?;
    let email = required(&mut fields, "email")?
        .parse::<EmailAddress>()
        .map_err(|error| wrong("email", &error.to_string()))?;
    let locale = fields
        .remove("locale")
        .map(|text| text.trim().parse::<Locale>())
        .transpose()
        .map_err(|error| wrong("locale", &error.to_string()))?
        .map(|locale| locale.to_string());
    let time_zone = fields
        .remove("time_zone")
        .map(|text| text.trim().parse())
        .transpose()
        .map_err(|_| wrong("time_zone", "not known; write an IANA name such as Europe/Madrid"))?;
    let subject = fields.remove("subject").unwrap_or_else(|| id.clone());
    let refresh_token = fields.remove("refresh_token").map(RefreshToken::new);
    let member = Member { id: MemberId::new(id), email, locale, time_zone, subject, paused: false };
    Ok(ImportRow { member, refresh_token })
}

fn required(fields: &mut Fields, field: &'static str) -> Result<String, Wrong> {
    fields.remove(field).ok_or_else(|| wrong(field, "missing or empty"))
}
