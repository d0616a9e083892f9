//! Masks text from outside: a mail server's rejection names the recipient, and a gateway's error may quote a token.

/// The longest text from outside that is kept, in characters.
const LONGEST: usize = 300;

/// A longer word that looks random is masked as a token.
const TOKEN_LENGTH: usize = 24;

/// Masks email addresses, URLs, and tokens, and shortens the text to one line of at most 300 characters. Every text from
/// outside must pass through it before it reaches an error, a log, or the database.
pub(crate) fn mask(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(mask_word(word));
        if out.chars().count() > LONGEST {
            out = out.chars().take(LONGEST).collect();
            out.push('…');
            break;
        }
    }
    out
}

fn mask_word(word: &str) -> &str {
    if word.contains("://") {
        "[url]"
    } else if word.contains('@') {
        "[address]"
    } else if word.split(|c: char| !is_token_character(c)).any(looks_random) {
        "[secret]"
    } else {
        word
    }
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=')
}

fn looks_random(word: &str) -> bool {
    let digits = word.chars().any(|c| c.is_ascii_digit());
    let mixed = word.chars().any(|c| c.is_ascii_uppercase()) && word.chars().any(|c| c.is_ascii_lowercase());
    word.starts_with("eyJ") || (word.len() >= TOKEN_LENGTH && (digits || mixed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_urls_and_tokens_are_taken_out_and_the_rest_is_kept() {
        let cases = [
            ("550 5.1.1 <alice@example.org>: user unknown", "550 5.1.1 [address] user unknown"),
            ("go to https://idp.example/auth?state=abc now", "go to [url] now"),
            ("token eyJhbGciOi.x.y expired", "token [secret] expired"),
            ("refresh_token=3f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c", "[secret]"),
            ("key MyVeryLongSecretKeyWords24 used", "key [secret] used"),
            ("key AbcdefghijklmnopqrstuvwX used", "key [secret] used"),
            ("key AbcdefghijklmnopqrstuvX used", "key AbcdefghijklmnopqrstuvX used"),
            ("key ab/cd+ef=gh~ij_kl-mn.op0qr used", "key [secret] used"),
            ("a-very-long-word-in-lower-case", "a-very-long-word-in-lower-case"),
            ("A-VERY-LONG-WORD-IN-UPPER-CASE", "A-VERY-LONG-WORD-IN-UPPER-CASE"),
            ("one,2,three,four,five,six,seven", "one,2,three,four,five,six,seven"),
            ("connection refused", "connection refused"),
            ("two\r\nlines", "two lines"),
        ];
        for (given, expected) in cases {
            assert_eq!(mask(given), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert!(mask(&"word ".repeat(1000)).chars().count() <= LONGEST + 1);
        let (full, longer) = ("x".repeat(LONGEST), "x".repeat(LONGEST + 1));
        assert_eq!(mask(&full), full);
        assert_eq!(mask(&longer), format!("{full}…"));
    }
}
