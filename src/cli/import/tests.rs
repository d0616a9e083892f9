use super::*;
use std::io::Write;

fn import(extension: &str, content: impl AsRef<[u8]>) -> Result<Import, ImportError> {
    Import::read(Box::new(io::Cursor::new(content.as_ref().to_vec())), Some(extension))
}

/// Each row's id, or what is wrong with it.
fn outcomes(extension: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    match import(extension, content) {
        Ok(rows) => rows
            .map(|row| row.map_or_else(|error| error.to_string(), |row| row.member.id.as_str().to_owned()))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

fn only(rows: Import) -> ImportRow {
    let mut rows: Vec<_> = rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

#[test]
fn both_formats_give_the_same_member() {
    let json = r#"{"member_id":"alice","email":"alice@example.org","locale":"es-MX","time_zone":"America/Mexico_City",
                   "subject":"s-1","refresh_token":"rt,1"}"#
        .replace('\n', "");
    let csv = "email,member_id,refresh_token,subject,time_zone,locale\n\
               alice@example.org,alice,\"rt,1\",s-1,America/Mexico_City,es-MX\n";
    let (json, csv) = (only(import("jsonl", json).unwrap()), only(import("csv", csv).unwrap()));
    assert_eq!(json.member, csv.member);
    assert_eq!(csv.member.email.expose(), "alice@example.org");
    assert_eq!(csv.member.locale.as_deref(), Some("es-MX"));
    assert_eq!(csv.member.time_zone, Some(chrono_tz::America::Mexico_City));
    assert_eq!(csv.member.subject, "s-1");
    for row in [json, csv] {
        assert_eq!(row.refresh_token.unwrap().expose(), "rt,1");
    }
}

#[test]
fn what_is_optional_may_be_left_out_or_empty() {
    for (extension, content) in [
        ("csv", "member_id,email\nalice,a@b.example"),
        ("csv", "member_id,email,locale,subject,refresh_token\nalice,a@b.example,,,"),
        ("json", r#"{"member_id":"alice","email":"a@b.example"}"#),
        ("json", r#"{"member_id":"alice","email":"a@b.example","locale":null,"subject":""}"#),
    ] {
        let row = only(import(extension, content).unwrap());
        assert_eq!((row.member.locale, row.member.time_zone), (None, None));
        assert_eq!(row.member.subject, "alice");
        assert!(row.refresh_token.is_none() && !row.member.paused);
    }
}

#[test]
fn without_a_telling_extension_the_first_character_tells_the_format() {
    let read = |content: &'static str| Import::read(Box::new(content.as_bytes()), None).unwrap();
    only(read("\n  {\"member_id\":\"alice\",\"email\":\"a@b.example\"}\n"));
    only(read("member_id,email\nalice,a@b.example\n"));
}

#[test]
fn a_byte_order_mark_crlf_and_blank_lines_do_no_harm() {
    assert_eq!(outcomes("csv", "\u{feff}member_id,email\r\n\r\na,a@b.example\r\nb,b@b.example"), ["a", "b"]);
    assert_eq!(outcomes("jsonl", "\u{feff}{\"member_id\":\"a\",\"email\":\"a@b.example\"}\r\n"), ["a"]);
    assert!(outcomes("csv", "").is_empty());
}

#[test]
fn a_bad_row_is_named_by_its_line_and_the_next_ones_follow() {
    let content = "member_id,email\na,a@b.example\n\nb,nobody\nc,c@b.example\n";
    let outcomes = outcomes("csv", content);
    assert_eq!((outcomes[0].as_str(), outcomes[2].as_str(), outcomes.len()), ("a", "c", 3));
    assert!(outcomes[1].starts_with("line 4: email: not an e-mail address"), "{outcomes:?}");
}

#[test]
fn each_bad_csv_file_or_row_is_told_what_is_wrong() {
    let cases = [
        ("member_id,emial\n", "line 1: column 2 is unknown; did you mean email?"),
        ("member_id,email,phone\n", "line 1: column 3 is unknown; there are member_id, email, locale,"),
        ("alice,alice@example.org\n", "line 1: column 1 is unknown; there are member_id,"),
        ("Member ID,email\n", "line 1: column 1 is unknown; did you mean member_id?"),
        ("member_id,locale\n", "line 1: there is no column email; the first line names the columns"),
        ("member_id,email,email\n", "line 1: column 3 is email again; keep one of them"),
        ("member_id;email\n", "line 1: one column only; separate the columns by commas"),
        ("member_id,email\na\n", "line 2: 1 values for 2 columns; put a value that holds a comma in quotes"),
        ("member_id,email\na,\"a@b.example\n", "line 2: a quote is left open; close it on the same line"),
        ("member_id,email\n,a@b.example\n", "line 2: member_id: missing or empty"),
        ("member_id,email\na,\n", "line 2: email: missing or empty"),
        ("member_id,email\n a,a@b.example\n", "line 2: member_id: begins or ends with a space; take it out"),
        (
            "member_id,email\na\u{7},a@b.example\n",
            "line 2: member_id: holds a control character; take it out",
        ),
        ("member_id,email,locale\na,a@b.example,en_GB\n", "line 2: locale: not a language tag; write one"),
        (
            "member_id,email,time_zone\na,a@b.example,Mars\n",
            "line 2: time_zone: not known; write an IANA name",
        ),
    ];
    for (content, message) in cases {
        let outcomes = outcomes("csv", content);
        assert!(outcomes[0].starts_with(message), "{content:?}\n got  {}\n want {message}", outcomes[0]);
    }
}

#[test]
fn each_bad_json_row_is_told_what_is_wrong() {
    let cases = [
        (r#"{"member_id":"a","#, "line 1: not JSON (column 17)"),
        (r#""a@b.example""#, "line 1: not a JSON object; write {"),
        (r#"{"member_id":"a","e-mail":"a@b.example"}"#, "line 1: a field is unknown; did you mean email?"),
        (r#"{"member_id":5,"email":"a@b.example"}"#, "line 1: member_id: not text; write it in quotes"),
        (r#"{"member_id":"a"}"#, "line 1: email: missing or empty"),
        (r#"{"member_id":"a\nb","email":"a@b.example"}"#, "line 1: member_id: holds a control character"),
        (r#"[{"member_id":"a"}]"#, "line 1: a JSON array; write one JSON object a line"),
    ];
    for (content, message) in cases {
        let outcomes = outcomes("jsonl", content);
        assert!(outcomes[0].starts_with(message), "{content}\n got  {}\n want {message}", outcomes[0]);
    }
}

#[test]
fn a_member_is_named_once() {
    let content = "member_id,email\na,a@b.example\nb,b@b.example\na,c@b.example\n";
    assert_eq!(
        outcomes("csv", content),
        ["a", "b", "line 4: member_id: was on line 2 already; keep one of them"]
    );
}

#[test]
fn ids_may_be_200_bytes_long_and_no_more() {
    let row = |length: usize| format!("member_id,email\n{},a@b.example\n", "é".repeat(length / 2));
    assert_eq!(outcomes("csv", row(200))[0].len(), 200);
    assert_eq!(outcomes("csv", row(202)), ["line 2: member_id: longer than 200 bytes"]);
}

#[test]
fn a_line_that_is_too_long_or_not_utf8_is_skipped() {
    let long = format!("member_id,email\na,{}\nb,b@b.example\n", "x".repeat(300_000));
    assert_eq!(outcomes("csv", long), ["line 2: longer than 65536 bytes", "b"]);
    assert_eq!(outcomes("csv", b"member_id,email\na\xff,a@b\nb,b@b.example\n"), ["line 2: not UTF-8", "b"]);
}

#[test]
fn no_message_repeats_an_address_or_a_token() {
    let secret = "sesame@example.org";
    let contents = [
        ("csv", format!("{secret},{secret}\n")),
        ("csv", format!("member_id,email\na,<{secret}>\n")),
        ("csv", format!("member_id,email,refresh_token\na,a@b.example, {secret}\n")),
        ("csv", format!("member_id,email,time_zone\na,a@b.example,{secret}\n")),
        ("json", format!("{{\"{secret}\":\"a\"}}")),
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
fn a_file_is_read_as_its_rows_are_asked_for() {
    let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    writeln!(file, "member_id,email").unwrap();
    for number in 0..10_000 {
        writeln!(file, "m{number},m{number}@b.example").unwrap();
    }
    let mut rows = Import::open(file.path()).unwrap();
    assert!(rows.next().unwrap().is_ok());
    assert_eq!(rows.bytes_read(), "member_id,email\nm0,m0@b.example\n".len() as u64);
    assert_eq!(rows.by_ref().filter(Result::is_ok).count(), 9_999);
    assert_eq!(rows.bytes_read(), file.as_file().metadata().unwrap().len());
}

#[test]
fn a_read_error_ends_the_rows() {
    /// Gives a header and a row, then fails for ever.
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the disk is gone"));
            }
            b"member_id,email\na,a@b.example\n".as_slice().read(buffer)
        }
    }
    let mut rows = Import::read(Box::new(Failing(false)), Some("csv")).unwrap();
    assert!(rows.next().unwrap().is_ok());
    let error = rows.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 3: cannot be read: the disk is gone");
    assert!(rows.next().is_none());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Import::open(Path::new("/no/such/members.csv")).err().unwrap().to_string();
    assert!(error.starts_with("cannot read /no/such/members.csv: "), "{error}");
}
