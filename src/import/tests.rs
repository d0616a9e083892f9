use super::error::ImportError;
use super::*;
use crate::domain::Edit;
use std::io::{self, Read, Write};
use std::path::Path;

fn import(extension: &str, content: impl AsRef<[u8]>) -> Result<MemberFile, ImportError> {
    MemberFile::read(Box::new(io::Cursor::new(content.as_ref().to_vec())), Some(extension), false)
}

/// The id or the error of each row.
fn outcomes(extension: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    match import(extension, content) {
        Ok(rows) => rows
            .map(|row| row.map_or_else(|error| error.to_string(), |row| row.edit.id.as_str().to_owned()))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

fn only(rows: MemberFile) -> MemberLine {
    let mut rows: Vec<_> = rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn both_formats_describe_the_same_member() {
    let json = r#"{"member_id":"alice","email":"alice@example.org","locale":"es-MX","time_zone":"America/Mexico_City",
                   "subject":"s-1","refresh_token":"rt,1"}"#
        .replace('\n', "");
    let csv = "email,member_id,refresh_token,subject,time_zone,locale\n\
               alice@example.org,alice,\"rt,1\",s-1,America/Mexico_City,es-MX\n";
    let (json, csv) = (only(import("jsonl", json).unwrap()), only(import("csv", csv).unwrap()));
    assert_eq!(json.edit, csv.edit);
    assert_eq!(csv.edit.email.as_ref().unwrap().expose(), "alice@example.org");
    assert_eq!(csv.edit.locale, Edit::Set("es-MX".to_owned()));
    assert_eq!(csv.edit.time_zone, Edit::Set(chrono_tz::America::Mexico_City));
    assert_eq!(csv.edit.subject, Edit::Set("s-1".to_owned()));
    for row in [json, csv] {
        assert_eq!(row.refresh_token.unwrap().expose(), "rt,1");
    }
}

#[test]
fn an_absent_field_keeps_its_value_and_an_empty_one_clears_it() {
    for (extension, content, expected) in [
        ("csv", "member_id,email\nalice,a@b.example", Edit::Keep),
        ("csv", "member_id,email,locale,subject,label,refresh_token\nalice,a@b.example,,, ,", Edit::Clear),
        ("json", r#"{"member_id":"alice","email":"a@b.example"}"#, Edit::Keep),
        ("json", r#"{"member_id":"alice","locale":null,"subject":"","label":null}"#, Edit::Clear),
    ] {
        let MemberLine { edit, refresh_token, .. } = only(import(extension, content).unwrap());
        assert_eq!(edit.email.is_some(), content.contains("email"), "{content}");
        assert_eq!((&edit.locale, &edit.subject, &edit.label), (&expected, &expected, &expected));
        assert_eq!(edit.time_zone, Edit::Keep);
        assert!(refresh_token.is_none());
    }
}

#[test]
fn line_feeds_carriage_returns_and_both_end_lines() {
    for end in ["\n", "\r", "\r\n"] {
        let content = ["member_id,email", "a,a@b.example", "", "b,nobody", "c,c@b.example"].join(end);
        let outcomes = outcomes("csv", content);
        assert_eq!((outcomes[0].as_str(), outcomes[2].as_str(), outcomes.len()), ("a", "c", 3), "{end:?}");
        assert!(outcomes[1].starts_with("line 4: email: "), "{outcomes:?}");
    }
}

#[test]
fn harmless_leftovers_of_a_spreadsheet_are_skipped() {
    for content in [
        "sep=,\nmember_id,email\na,a@b.example\n",
        "\u{feff}\"sep=,\"\nmember_id,email\na,a@b.example\n",
        "member_id,email,,\na,a@b.example,,\n,,,\n",
        "member_id,email,,\na,a@b.example\n",
        "member_id,email\na,a@b.example,, \n,\n",
        "member_id,email,,locale\na,a@b.example,,\n",
    ] {
        assert_eq!(outcomes("csv", content), ["a"], "{content:?}");
    }
}

#[test]
fn a_file_of_another_kind_is_recognized() {
    let utf16: Vec<u8> = "member_id,email".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = [&[0xff, 0xfe], &utf16[..]].concat();
    let starts: [&[u8]; 7] = [
        &utf16,
        &with_mark,
        b"PK\x03\x04...",
        b"\xd0\xcf\x11\xe0...",
        b"\x1f\x8b\x08...",
        b"\x28\xb5\x2f\xfd...",
        b"BZh9...",
    ];
    for start in starts {
        let error = import("csv", start).err().expect("it is no CSV");
        assert_eq!((error.line, error.field), (0, None), "{error}");
    }
    assert!(outcomes("csv", "a").len() == 1 && outcomes("csv", "").is_empty());
}

#[test]
fn unknown_columns_and_fields_are_ignored_on_request() {
    let csv = "member_id,phone,email\na,555-0100,a@b.example\n";
    let json = r#"{"member_id":"a","phone":{"home":5},"email":"a@b.example"}"#;
    for (extension, content) in [("csv", csv), ("json", json)] {
        assert!(first_error(extension, content).field.is_none());
        let rows = MemberFile::read(Box::new(content.as_bytes()), Some(extension), true).unwrap();
        assert_eq!(only(rows).edit.id.as_str(), "a");
    }
}

#[test]
fn a_value_that_is_probably_wrong_is_imported_with_a_warning() {
    let content = "member_id,email,subject\n1.23457E+11,a@b.example,s\nm\u{a0}2,a@b.example,s\nBo,a@b.example,s\n\
                   bo,c@b.example,s\nx,d@b.example,1E+20\nX,e@b.example,s\n";
    let mut rows = import("csv", content).unwrap();
    assert!(rows.by_ref().all(|row| row.is_ok()));
    let warnings: Vec<_> = rows.warnings().iter().map(|warning| (warning.line, warning.field)).collect();
    let id = Some("member_id");
    assert_eq!(warnings, [(2, id), (3, id), (5, id), (6, Some("subject")), (7, id)]);
    assert!(rows.warnings()[2].message.contains("line 4"));
}

#[test]
fn without_a_known_extension_the_first_character_selects_the_format() {
    let read = |content: &'static str| MemberFile::read(Box::new(content.as_bytes()), None, false).unwrap();
    only(read("\n  {\"member_id\":\"alice\",\"email\":\"a@b.example\"}\n"));
    only(read("member_id,email\nalice,a@b.example\n"));
}

#[test]
fn a_byte_order_mark_crlf_and_blank_lines_are_ignored() {
    assert_eq!(outcomes("csv", "\u{feff}member_id,email\r\n\r\na,a@b.example\r\nb,b@b.example"), ["a", "b"]);
    assert_eq!(outcomes("jsonl", "\u{feff}{\"member_id\":\"a\",\"email\":\"a@b.example\"}\r\n"), ["a"]);
    assert!(outcomes("csv", "").is_empty());
}

#[test]
fn rows_after_an_invalid_one_are_read() {
    let content = "member_id,email\na,a@b.example\n\nb,nobody\nc,c@b.example\n";
    let outcomes = outcomes("csv", content);
    assert_eq!((outcomes[0].as_str(), outcomes[2].as_str(), outcomes.len()), ("a", "c", 3));
    assert!(outcomes[1].starts_with("line 4: email: "), "{outcomes:?}");
}

/// A file, and the line and field of its first error.
type Case = (&'static str, u64, Option<&'static str>);

const INVALID_CSV: &[Case] = &[
    ("member_id,emial\n", 1, None),
    ("member_id,email,phone\n", 1, None),
    ("alice,alice@example.org\n", 1, None),
    ("Member ID,email\n", 1, None),
    ("member_id,email,email\n", 1, None),
    ("member_id;email\n", 1, None),
    ("member_id,email\na\n", 2, None),
    ("member_id,email\na,\"a@b.example\n", 2, None),
    ("member_id,email\n,a@b.example\n", 2, Some("member_id")),
    ("member_id,email\na,\n", 2, Some("email")),
    ("member_id,email\n a,a@b.example\n", 2, Some("member_id")),
    ("member_id,email\na\u{7},a@b.example\n", 2, Some("member_id")),
    ("member_id,email,locale\na,a@b.example,en_GB\n", 2, Some("locale")),
    ("member_id,email,time_zone\na,a@b.example,Mars\n", 2, Some("time_zone")),
    ("sep=;\nmember_id;email\n", 1, None),
    ("email,locale\n", 1, None),
    ("member_id,email,\na,a@b.example,x\n", 2, None),
    ("member_id,email\na\u{202e}b,a@b.example\n", 2, Some("member_id")),
    ("member_id,email\n#REF!,a@b.example\n", 2, Some("member_id")),
];

const INVALID_JSON: &[Case] = &[
    (r#"{"member_id":"a","#, 1, None),
    (r#""a@b.example""#, 1, None),
    (r#"{"member_id":"a","e-mail":"a@b.example"}"#, 1, None),
    (r#"{"member_id":5,"email":"a@b.example"}"#, 1, Some("member_id")),
    (r#"{"email":"a@b.example"}"#, 1, Some("member_id")),
    (r#"{"member_id":"a","email":"","locale":"en"}"#, 1, Some("email")),
    (r#"{"member_id":"a","email":"a@b.example","member_id":"b"}"#, 1, Some("member_id")),
    (r#"{"member_id":"a\nb","email":"a@b.example"}"#, 1, Some("member_id")),
    (r#"[{"member_id":"a"}]"#, 1, None),
];

fn first_error(extension: &str, content: &str) -> ImportError {
    match import(extension, content) {
        Err(error) => error,
        Ok(rows) => rows.filter_map(Result::err).next().expect("the file has an error"),
    }
}

#[test]
fn an_error_is_reported_with_its_line_and_field() {
    for (extension, cases) in [("csv", INVALID_CSV), ("jsonl", INVALID_JSON)] {
        for (content, line, field) in cases {
            let error = first_error(extension, content);
            assert_eq!((error.line, error.field), (*line, *field), "{content:?}: {error}");
        }
    }
}

#[test]
fn every_message_is_as_recorded() {
    let cases =
        INVALID_CSV.iter().map(|case| ("csv", case)).chain(INVALID_JSON.iter().map(|case| ("jsonl", case)));
    let messages = cases.map(|(extension, (content, ..))| {
        format!("{}\n  {}\n", content.trim_end().escape_debug(), first_error(extension, content))
    });
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("messages", messages.collect::<Vec<_>>().join("\n"));
    });
}

#[test]
fn a_second_row_of_a_member_is_an_error() {
    let content = "member_id,email\na,a@b.example\nb,b@b.example\na,c@b.example\n";
    let outcomes = outcomes("csv", content);
    assert_eq!((outcomes[0].as_str(), outcomes[1].as_str(), outcomes.len()), ("a", "b", 3));
    assert!(outcomes[2].starts_with("line 4: member_id: ") && outcomes[2].contains("line 2"), "{outcomes:?}");
}

#[test]
fn an_id_has_at_most_255_bytes() {
    let row = |length: usize| format!("member_id,email\n{},a@b.example\n", "é".repeat(length / 2));
    assert_eq!(outcomes("csv", row(254))[0].len(), 254);
    let error = first_error("csv", &row(256));
    assert_eq!((error.line, error.field), (2, Some("member_id")));
}

#[test]
fn a_line_that_is_too_long_or_not_utf8_is_skipped() {
    let long = format!("member_id,email\na,{}\nb,b@b.example\n", "x".repeat(300_000));
    for content in [long.as_bytes(), b"member_id,email\na\xff,a@b\nb,b@b.example\n"] {
        let outcomes = outcomes("csv", content);
        assert!(outcomes[0].starts_with("line 2: ") && outcomes[1..] == ["b"], "{outcomes:?}");
    }
}

#[test]
fn no_message_repeats_an_address_or_a_token() {
    let secret = "sesame@example.org";
    let contents = [
        ("csv", format!("{secret},{secret}\n")),
        ("csv", format!("member_id,email\na,<{secret}>\n")),
        ("csv", format!("member_id,email,refresh_token\na,a@b.example, {secret}\n")),
        ("csv", format!("member_id,email,time_zone\na,a@b.example,{secret}\n")),
        ("csv", format!("member_id,{secret}\n")),
        ("csv", "member_id,sesame-0123456789-0123456789-0123456789\n".to_owned()),
        ("csv", "sesame,email\n".to_owned()),
        ("json", format!("{{\"{secret}\":\"a\"}}")),
        ("json", format!("{{\"member_id\":\"a\",\"{secret}\":\"a\"}}")),
        ("json", format!("{{\"email\":\"{secret}")),
        ("json", format!("{{\"member_id\":{{\"x\":\"{secret}\"}}}}")),
        ("json", format!("\"{secret}\"")),
    ];
    for (extension, content) in contents {
        let outcomes = outcomes(extension, &content);
        assert!(outcomes[0].starts_with("line ") && !outcomes[0].contains("sesame"), "{outcomes:?}");
    }
}

#[test]
fn a_file_is_streamed() {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    writeln!(file, "member_id,email").unwrap();
    for number in 0..10_000 {
        writeln!(file, "m{number},m{number}@b.example").unwrap();
    }
    let mut rows = MemberFile::open(file.path(), false).unwrap();
    assert!(rows.next().unwrap().is_ok());
    assert_eq!(rows.bytes_read(), "member_id,email\nm0,m0@b.example\n".len() as u64);
    assert_eq!(rows.by_ref().filter(Result::is_ok).count(), 9_999);
    assert_eq!(rows.bytes_read(), file.as_file().metadata().unwrap().len());
}

#[test]
fn a_read_error_ends_the_rows() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let reader = b"member_id,email\na,a@b.example\n".chain(Failing);
    let mut rows = MemberFile::read(Box::new(reader), Some("csv"), false).unwrap();
    assert!(rows.next().unwrap().is_ok());
    let error = rows.next().unwrap().unwrap_err();
    assert_eq!((error.line, error.field), (3, None));
    assert!(rows.next().is_none());
}

#[test]
fn a_missing_file_is_an_error_of_the_file() {
    let error = MemberFile::open(Path::new("/no/such/members.csv"), false).err().unwrap().to_string();
    assert!(error.starts_with("cannot read: "), "{error}");
}
