//! `[brand]`: what members see of the organization in emails and on pages.

use super::{
    color::{Color, format_contrast},
    values,
};
use crate::domain::Mailbox;
use serde::{Deserialize, Deserializer, de::Error};
use url::{Host, Url};

/// In characters: the name is part of sentences.
const MAX_NAME: usize = 100;
/// In characters: about three lines on a phone.
const MAX_HELP: usize = 200;
const DEFAULT_COLOR: Color = Color::new(0x0b, 0x66, 0x58);

/// The section. [`Brand`] also has a name where the section has none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrandSection {
    #[serde(deserialize_with = "optional_line::<_, MAX_NAME>")]
    name: Option<String>,
    #[serde(deserialize_with = "optional_line::<_, MAX_HELP>")]
    help: Option<String>,
    #[serde(deserialize_with = "readable_color")]
    color: Option<Color>,
    #[serde(deserialize_with = "values::optional_secure_url")]
    privacy_url: Option<Url>,
}

/// The organization, as members know it.
#[derive(Clone, Debug)]
pub struct Brand {
    /// `brand.name`, else the display name of `email.from`, else its domain.
    pub(crate) name: String,
    /// One line about how to get help.
    pub(crate) help: Option<String>,
    /// Text in [`Color::on_color`] is readable on it.
    pub(crate) color: Option<Color>,
    pub(crate) privacy_url: Option<Url>,
}

impl Brand {
    pub(super) fn new(section: &BrandSection, from: &Mailbox) -> Self {
        let BrandSection { name, help, color, privacy_url } = section.clone();
        let name = name.or_else(|| from.name.clone()).unwrap_or_else(|| domain(from));
        Self { name, help, color, privacy_url }
    }

    /// The color of buttons in light mode; [`Color::for_dark`] is that of dark mode.
    pub(crate) fn button_color(&self) -> Color {
        self.color.unwrap_or(DEFAULT_COLOR)
    }
}

/// A domain in another script is in its ASCII form, as in the sender's address.
fn domain(mailbox: &Mailbox) -> String {
    let address = mailbox.address.expose();
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
    Host::parse(domain).map_or_else(|_| domain.to_owned(), |host| host.to_string())
}

fn optional_line<'de, D: Deserializer<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let line = text.trim();
    if line.contains(char::is_control) {
        return Err(D::Error::custom("must be one line; remove line breaks and control characters"));
    }
    if line.chars().count() > MAX {
        return Err(D::Error::custom(format!("must have at most {MAX} characters")));
    }
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

fn readable_color<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Color>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let color: Color = text.parse().map_err(D::Error::custom)?;
    if !color.on_color().is_readable_on(color) {
        return Err(D::Error::custom(format!(
            "the text of a button in this color would be hard to read: the contrast is {} with white and {} with \
             near-black, and must be at least {}:1; choose a darker or a lighter color",
            format_contrast(color.contrast(Color::WHITE)),
            format_contrast(color.contrast(Color::INK)),
            Color::MIN_TEXT_CONTRAST,
        )));
    }
    Ok(Some(color))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(section: &str, from: &str) -> Brand {
        let keys = ["name", "help", "color", "privacy_url"];
        let missing = keys.iter().filter(|key| !section.contains(&format!("{key} =")));
        let rest: String = missing.map(|key| format!("{key} = \"\"\n")).collect();
        let section = toml::from_str(&format!("{section}\n{rest}")).unwrap();
        Brand::new(&section, &from.parse().unwrap())
    }

    #[test]
    fn the_name_is_the_brands_then_the_senders_then_its_domain() {
        for (section, from, name) in [
            ("name = \" Example Health \"", "Notices <a@b.example>", "Example Health"),
            ("name = \"  \"", "Notices <a@b.example>", "Notices"),
            ("", "a@b.example", "b.example"),
            ("", "a@büro.example", "xn--bro-hoa.example"),
        ] {
            assert_eq!(brand(section, from).name, name, "{section}");
        }
    }

    #[test]
    fn every_color_that_is_accepted_has_readable_text() {
        let color = brand("color = \"#0b6e4f\"", "a@b.example").color.unwrap();
        assert_eq!((color.to_string().as_str(), color.on_color()), ("#0b6e4f", Color::WHITE));
        assert_eq!(brand("", "a@b.example").color, None);
        for unreadable in ["#7a7a7a", "#e0563a"] {
            assert!(
                toml::from_str::<BrandSection>(&format!(
                    "name = \"\"\nhelp = \"\"\ncolor = \"{unreadable}\"\nprivacy_url = \"\""
                ))
                .is_err()
            );
        }
    }
}
