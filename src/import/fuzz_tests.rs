use super::error::ImportError;
use super::*;
use crate::base::fuzzing::{MANY, assert_quotes_no_secret, fuzz};
use crate::domain::Edit;
use serde_json::{Map, Value};
use std::io::Cursor;

const WORDS: [&str; 8] =
    ["member_id", "email", "refresh_token", "subject", "ada", "sep=,", "Europe/Madrid", "\u{202e}"];

/// The member as a line of JSON.
fn written(row: &MemberLine) -> String {
    let edit = &row.edit;
    let mut fields = Map::new();
    let mut put = |name: &str, value: String| fields.insert(name.to_owned(), Value::String(value));
    put("member_id", edit.id.as_str().to_owned());
    if let Some(email) = &edit.email {
        put("email", email.expose().to_owned());
    }
    let texts = [("locale", &edit.locale), ("subject", &edit.subject), ("label", &edit.label)];
    for (name, edit) in texts {
        put_edit(&mut put, name, edit);
    }
    put_edit(&mut put, "time_zone", &edit.time_zone);
    if let Some(token) = &row.refresh_token {
        put("refresh_token", token.expose().to_owned());
    }
    Value::Object(fields).to_string()
}

fn put_edit<T: ToString>(put: &mut impl FnMut(&str, String) -> Option<Value>, name: &str, edit: &Edit<T>) {
    match edit {
        Edit::Keep => {}
        Edit::Clear => drop(put(name, String::new())),
        Edit::Set(value) => drop(put(name, value.to_string())),
    }
}

/// The name of an unknown column is no value.
fn assert_quotes_no_value(error: &ImportError) {
    if !error.message.contains("unknown") {
        assert_quotes_no_secret(&error.to_string());
    }
}

fn parsed(extension: Option<&str>, input: &[u8], ignore_unknown: bool) -> Result<MemberFile, ImportError> {
    MemberFile::read(Box::new(Cursor::new(input.to_vec())), extension, ignore_unknown)
}

#[test]
fn whatever_a_file_contains_each_line_gives_one_member_or_one_error_that_names_it_and_quotes_no_value() {
    fuzz("import", MANY, &WORDS, |input| {
        let lines = input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() as u64 + 1;
        for (extension, ignore_unknown) in [(None, false), (Some("csv"), true), (Some("jsonl"), true)] {
            let mut file = match parsed(extension, input, ignore_unknown) {
                Ok(file) => file,
                Err(error) => {
                    assert_quotes_no_value(&error);
                    continue;
                }
            };
            let mut last = 0;
            for row in file.by_ref() {
                let line = match &row {
                    Ok(row) => row.line,
                    Err(error) => {
                        assert_quotes_no_value(error);
                        error.line
                    }
                };
                assert!(last < line && line <= lines, "line {line} after {last} of {lines}");
                last = line;
                if let Ok(row) = row {
                    let text = written(&row);
                    let mut again = parsed(Some("jsonl"), text.as_bytes(), false).unwrap();
                    let again = again.next().unwrap_or_else(|| panic!("{text}")).unwrap();
                    assert_eq!(again.edit, row.edit);
                    let token =
                        |row: &MemberLine| row.refresh_token.as_ref().map(|token| token.expose().to_owned());
                    assert_eq!(token(&again), token(&row));
                }
            }
            assert!(file.warnings().len() <= 20);
            file.warnings().iter().for_each(|warning| assert_quotes_no_secret(&warning.to_string()));
        }
    });
}
