//! The fields of a row, and the member that they describe.

use super::error::RowError;
use crate::domain::{Edit, EmailAddress, Locale, MemberEdit, MemberId, RefreshToken};
use std::collections::BTreeMap;

/// One member to enroll or update.
#[derive(Debug)]
pub(in crate::cli) struct MemberRow {
    /// From 1.
    pub(in crate::cli) line: u64,
    pub(in crate::cli) edit: MemberEdit,
    /// `None` keeps the stored credential.
    pub(in crate::cli) refresh_token: Option<RefreshToken>,
}

pub(super) const MEMBER_ID: &str = "member_id";

const FIELDS: [&str; 7] = [MEMBER_ID, "email", "locale", "time_zone", "subject", "label", "refresh_token"];

/// Of a member id, a subject, and a label. In bytes.
const MAX_TEXT: usize = 255;

/// What spreadsheets write for a formula that failed.
const SPREADSHEET_ERRORS: [&str; 7] = ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"];

/// The values of a row by field. A field that the row does not mention is absent.
pub(in crate::cli) type Fields = BTreeMap<&'static str, String>;

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

/// # Errors
/// A value that cannot be used, by field.
pub(in crate::cli) fn check(line: u64, mut fields: Fields) -> Result<MemberRow, RowError> {
    for (field, text) in &fields {
        check_text(field, text)?;
    }
    let id = fields.remove(MEMBER_ID).filter(|text| !text.trim().is_empty());
    let id = id.ok_or_else(|| RowError::field(MEMBER_ID, "missing or empty"))?;
    let email = match fields.remove("email") {
        None => None,
        Some(text) if text.trim().is_empty() => {
            let message = "empty; write an address, or leave out the field to keep the stored one";
            return Err(RowError::field("email", message));
        }
        Some(text) => {
            Some(text.parse::<EmailAddress>().map_err(|error| RowError::field("email", error.to_string()))?)
        }
    };
    let locale = edit(fields.remove("locale"), |text| {
        let locale = text.trim().parse::<Locale>();
        Ok(locale.map_err(|error| RowError::field("locale", error.to_string()))?.to_string())
    })?;
    let time_zone = edit(fields.remove("time_zone"), |text| {
        text.trim().parse().map_err(|_| {
            RowError::field("time_zone", "unknown time zone; write an IANA name such as Europe/Madrid")
        })
    })?;
    let subject = edit(fields.remove("subject"), Ok)?;
    let label = edit(fields.remove("label"), |text| Ok(text.trim().to_owned()))?;
    let refresh_token =
        fields.remove("refresh_token").filter(|text| !text.trim().is_empty()).map(RefreshToken::new);
    let edit = MemberEdit { id: MemberId::new(id), email, locale, time_zone, subject, label };
    Ok(MemberRow { line, edit, refresh_token })
}

fn edit<T>(
    text: Option<String>,
    parse: impl FnOnce(String) -> Result<T, RowError>,
) -> Result<Edit<T>, RowError> {
    match text {
        None => Ok(Edit::Keep),
        Some(text) if text.trim().is_empty() => Ok(Edit::Clear),
        Some(text) => parse(text).map(Edit::Set),
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), RowError> {
    let error = |message: String| Err(RowError::field(field, message));
    if text.contains(char::is_control) {
        return error("must not contain a control character".to_owned());
    }
    if matches!(field, MEMBER_ID | "subject" | "label") && text.len() > MAX_TEXT {
        return error(format!("must be at most {MAX_TEXT} bytes"));
    }
    if !matches!(field, MEMBER_ID | "subject" | "refresh_token") || text.trim().is_empty() {
        return Ok(());
    }
    if let Some(c) = text.chars().find(|&c| is_invisible(c)) {
        let code = u32::from(c);
        return error(format!("must not contain the invisible character U+{code:04X}"));
    }
    if text.trim() != text {
        return error("must not start or end with a space".to_owned());
    }
    if is_shortened_number(text) {
        return error("a spreadsheet shortened this number; format the column as text".to_owned());
    }
    if text.starts_with('=') || SPREADSHEET_ERRORS.contains(&text) {
        return error("is a spreadsheet formula or its error; export the values".to_owned());
    }
    Ok(())
}

/// Spaces that look like others, characters of no width, line separators, and marks that reorder text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{1680}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
        | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

/// Such as `1.23457E+11`.
fn is_shortened_number(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once("E+") else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && digits(exponent)
}
