//! The fields of a row, and the member that they describe.

use super::error::RowError;
use crate::domain::{EmailAddress, Locale, Member, MemberId, RefreshToken};
use std::collections::BTreeMap;

/// One member to enroll or update.
#[derive(Debug)]
pub(in crate::cli) struct ImportRow {
    pub(in crate::cli) member: Member,
    /// `None` keeps the stored credential.
    pub(in crate::cli) refresh_token: Option<RefreshToken>,
}

pub(super) const REQUIRED: [&str; 2] = ["member_id", "email"];

const FIELDS: [&str; 6] = ["member_id", "email", "locale", "time_zone", "subject", "refresh_token"];

/// In bytes.
const MAX_ID: usize = 200;

/// The values of a row by field.
pub(super) type Fields = BTreeMap<&'static str, String>;

/// The field with this name, else a hint. The hint does not repeat the name: in a file without a header, it is an
/// address.
pub(super) fn field(name: &str) -> Result<&'static str, String> {
    let name = name.trim();
    if let Some(field) = FIELDS.into_iter().find(|field| *field == name) {
        return Ok(field);
    }
    let name = name.to_lowercase().replace([' ', '-'], "_");
    let near = FIELDS.into_iter().find(|field| strsim::damerau_levenshtein(field, &name) <= 2);
    Err(match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the fields are {}", FIELDS.join(", ")),
    })
}

pub(super) fn check(mut fields: Fields) -> Result<ImportRow, RowError> {
    if let Some(field) =
        fields.iter().find_map(|(field, text)| text.contains(char::is_control).then_some(*field))
    {
        return Err(RowError::field(field, "must not contain a control character"));
    }
    fields.retain(|_, text| !text.trim().is_empty());
    for field in ["member_id", "subject", "refresh_token"] {
        if fields.get(field).is_some_and(|text| text.trim() != text) {
            return Err(RowError::field(field, "must not start or end with a space"));
        }
    }
    for field in ["member_id", "subject"] {
        if fields.get(field).is_some_and(|text| text.len() > MAX_ID) {
            return Err(RowError::field(field, format!("must be at most {MAX_ID} bytes")));
        }
    }
    let id = required(&mut fields, "member_id")?;
    let email = required(&mut fields, "email")?
        .parse::<EmailAddress>()
        .map_err(|error| RowError::field("email", error.to_string()))?;
    let locale = fields
        .remove("locale")
        .map(|text| text.trim().parse::<Locale>())
        .transpose()
        .map_err(|error| RowError::field("locale", error.to_string()))?
        .map(|locale| locale.to_string());
    let time_zone = fields.remove("time_zone").map(|text| text.trim().parse()).transpose().map_err(|_| {
        RowError::field("time_zone", "unknown time zone; write an IANA name such as Europe/Madrid")
    })?;
    let subject = fields.remove("subject").unwrap_or_else(|| id.clone());
    let refresh_token = fields.remove("refresh_token").map(RefreshToken::new);
    let member = Member { id: MemberId::new(id), email, locale, time_zone, subject, paused: false };
    Ok(ImportRow { member, refresh_token })
}

fn required(fields: &mut Fields, field: &'static str) -> Result<String, RowError> {
    fields.remove(field).ok_or_else(|| RowError::field(field, "missing or empty"))
}
