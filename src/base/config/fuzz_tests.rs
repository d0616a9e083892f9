use super::diagnostic::Location;
use super::*;
use crate::base::fuzzing::{FEW, assert_quotes_no_secret, fuzz};
use std::fs;

const WORDS: [&str; 14] = [
    "[gateway]",
    "[email.smtp]",
    "client_key = ",
    "password = ",
    "\"\"\"",
    "'''",
    "\\",
    "#",
    "= ",
    "true",
    "{ ",
    "[[",
    "s3cret",
    "1979-05-27T07:32:00Z",
];

#[test]
fn each_error_of_a_configuration_has_a_place_in_it_and_quotes_no_value_of_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("reconnectd.toml");
    fuzz("configuration", FEW, &WORDS, |input| {
        fs::write(&file, input).unwrap();
        match Config::load(Some(&file), [] as [(&str, &str); 0]) {
            Ok(loaded) => {
                fs::write(&file, loaded.to_toml()).unwrap();
                let again = Config::load(Some(&file), [] as [(&str, &str); 0]);
                // A masked secret may not be one that can be used.
                if let Ok(again) = again {
                    assert_eq!(again.to_toml(), loaded.to_toml());
                }
            }
            Err(error) => {
                // The names of keys are no secrets.
                let keys = error.diagnostics.iter().flat_map(|diagnostic| diagnostic.key.split('.'));
                let texts = [error.to_string(), error.with_excerpts()];
                for text in texts {
                    let without_keys = keys.clone().filter(|key| !key.is_empty());
                    assert_quotes_no_secret(&without_keys.fold(text, |text, key| text.replace(key, "")));
                }
                let lines = input.iter().filter(|byte| **byte == b'\n').count() + 1;
                for diagnostic in &error.diagnostics {
                    match &diagnostic.location {
                        Location::Line(_, line, column, _) => {
                            assert!((1..=lines).contains(line) && *column > 0)
                        }
                        Location::File(_) | Location::Default => {}
                        Location::Variable(name) => panic!("{name}: there are no variables"),
                    }
                }
            }
        }
    });
}
