//! What members see of the organization, and how readable its buttons are.

use super::checklist::Checklist;
use crate::base::config::{Brand, Color, format_contrast};
use std::io;

pub(super) fn check(brand: &Brand, checklist: &Checklist) -> io::Result<()> {
    let Brand { name, help, privacy_url, .. } = brand;
    let help = help.as_ref().map_or_else(|| "no help line".to_owned(), |help| format!("help {help:?}"));
    let privacy =
        privacy_url.as_ref().map_or_else(|| "no privacy link".to_owned(), |url| format!("privacy {url}"));
    let color = brand.button_color();
    let (light, dark) = (describe(color), describe(color.for_dark()));
    checklist.ok("brand", &format!("{name:?}; {help}; {privacy}; buttons: {light}; in dark mode: {dark}"))
}

/// The configuration rejects a color whose contrast is too low.
fn describe(color: Color) -> String {
    let text = color.on_color();
    let name = if text == Color::WHITE { "white" } else { "near-black" };
    format!("{name} text on {color}, contrast {}", format_contrast(color.contrast(text)))
}
