//! The fields of a row, and the member that they describe.

use super::error::RowError;
use crate::domain::{Edit, EmailAddress, Locale, MemberEdit, MemberId, RefreshToken};
use std::collections::BTreeMap;

/// One member to enroll or update.
#[derive(Debug)]
pub(crate) struct MemberLine {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) edit: MemberEdit,
    /// `None` keeps the stored credential.
    pub(crate) refresh_token: Option<RefreshToken>,
    /// A value that a spreadsheet has probably changed.
    pub(super) suspicion: Option<RowError>,
}

pub(super) const MEMBER_ID: &str = "member_id";

const FIELDS: [&str; 7] = [MEMBER_ID, "email", "locale", "time_zone", "subject", "label", "refresh_token"];

/// Of a member id, a subject, and a label. In bytes.
const MAX_TEXT: usize = 255;

/// The longest name of an unknown field that an error repeats, in bytes.
const MAX_NAME: usize = 30;

/// What spreadsheets write for a formula that failed.
const SPREADSHEET_ERRORS: [&str; 7] = ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"];

/// The values of a row by field. A field that the row does not mention is absent.
pub(crate) type Fields = BTreeMap<&'static str, String>;

/// The field with this name, else what to say about it.
pub(super) fn field(name: &str) -> Result<&'static str, UnknownField> {
    let name = name.trim();
    if let Some(field) = FIELDS.into_iter().find(|field| *field == name) {
        return Ok(field);
    }
    let folded = name.to_lowercase().replace([' ', '-'], "_");
    let near = FIELDS.into_iter().find(|field| strsim::damerau_levenshtein(field, &folded) <= 2);
    let hint = match near {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the fields are {}", FIELDS.join(", ")),
    };
    Err(UnknownField { name: name.to_owned(), hint })
}

pub(super) struct UnknownField {
    name: String,
    pub(super) hint: String,
}

impl UnknownField {
    /// The name in quotes, after a space. Empty if it is probably a value: in a file without a header, it is an address
    /// or a token.
    pub(super) fn shown(&self, is_among_known_fields: bool) -> String {
        let is_name = self.name.len() <= MAX_NAME
            && self.name.starts_with(|c: char| c.is_ascii_alphabetic())
            && self.name.chars().all(|c| c.is_ascii_alphanumeric() || " _.-".contains(c));
        if is_name && is_among_known_fields { format!(" {:?}", self.name) } else { String::new() }
    }
}

/// # Errors
/// A value that cannot be used, by field.
pub(crate) fn check(line: u64, mut fields: Fields) -> Result<MemberLine, RowError> {
    for (field, text) in &fields {
        check_text(field, text)?;
    }
    let suspicion = fields.iter().find_map(|(field, text)| suspicion(field, text));
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
    Ok(MemberLine { line, edit, refresh_token, suspicion })
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
    if !is_identity(field) || text.trim().is_empty() {
        return Ok(());
    }
    if let Some(c) = text.chars().find(|&c| is_line_break(c) || reorders_text(c)) {
        let code = u32::from(c);
        return error(format!("must not contain the invisible character U+{code:04X}"));
    }
    if text.trim() != text {
        return error("must not start or end with a space".to_owned());
    }
    if text.starts_with('=') || SPREADSHEET_ERRORS.contains(&text) {
        return error("is a spreadsheet formula or its error; export the values".to_owned());
    }
    Ok(())
}

/// What a spreadsheet or a copy has probably changed, although the value can be used.
fn suspicion(field: &'static str, text: &str) -> Option<RowError> {
    if !is_identity(field) {
        return None;
    }
    if is_shortened_number(text) {
        let message = "a spreadsheet has probably shortened this number; format the column as text";
        return Some(RowError::field(field, message));
    }
    let invisible = text.chars().find(|&c| is_invisible(c))?;
    let message =
        format!("contains the invisible character U+{:04X}; is it a copying error?", u32::from(invisible));
    Some(RowError::field(field, message))
}

/// Whether the value is compared with those of other systems.
fn is_identity(field: &str) -> bool {
    matches!(field, MEMBER_ID | "subject" | "refresh_token")
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

fn reorders_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Spaces that look like others, and characters of no width.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{61c}' | '\u{1680}' | '\u{2000}'..='\u{200f}' | '\u{202f}'
        | '\u{205f}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
}

/// Such as `1.23457E+11`.
fn is_shortened_number(text: &str) -> bool {
    let Some((number, exponent)) = text.split_once("E+") else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && digits(exponent)
}
