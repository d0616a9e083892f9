//! Language tags.

use std::fmt;
use std::str::FromStr;

/// A BCP 47 tag: a language, and optionally a script, region, and variants, such as `es` or `zh-Hant-TW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale(String);

/// The text is not a language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a language tag; write one such as \"en\" or \"es-MX\"")]
pub struct InvalidLocale;

impl Locale {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Locale {
    type Err = InvalidLocale;

    fn from_str(text: &str) -> Result<Self, InvalidLocale> {
        let mut subtags = text.split('-');
        let language = subtags.next().unwrap_or_default();
        let is_valid = (2..=3).contains(&language.len())
            && language.chars().all(|c| c.is_ascii_alphabetic())
            && subtags
                .all(|tag| (2..=8).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_alphanumeric()));
        if is_valid { Ok(Self(text.to_owned())) } else { Err(InvalidLocale) }
    }
}

#[cfg(test)]
mod tests {
    use super::Locale;

    #[test]
    fn a_locale_is_a_language_tag() {
        for tag in ["en", "es-MX", "zh-Hant-TW", "fil", "es-419"] {
            assert_eq!(tag.parse::<Locale>().unwrap().as_str(), tag);
        }
        for text in ["", "e", "english", "en_GB", "en-", "-en", "en-x\n", "../en"] {
            assert!(text.parse::<Locale>().is_err(), "{text}");
        }
    }
}
