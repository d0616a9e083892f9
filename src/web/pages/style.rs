//! The style sheet, with the organization's color.

use crate::base::config::{Brand, Color};
use base64::{Engine, engine::general_purpose::STANDARD};

const SHEET: &str = include_str!("style.css");
/// The share of the button's color in its tint, and of the text's color in a button under the pointer, in percent.
const TINT: u8 = 88;
const HOVER: u8 = 15;

pub(super) struct Style {
    pub(super) sheet: String,
    /// Without quotes.
    pub(super) csp_source: String,
}

impl Style {
    pub(super) fn new(brand: &Brand) -> Self {
        let (light, dark) = (brand.button_color(), brand.button_color().for_dark());
        let sheet = format!(
            "{SHEET}:root{{{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n",
            variables(light, Color::WHITE),
            variables(dark, Color::DARK_CARD)
        );
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, sheet.as_bytes());
        Self { csp_source: format!("sha256-{}", STANDARD.encode(digest)), sheet }
    }
}

fn variables(color: Color, card: Color) -> String {
    let text = color.on_color();
    // Away from the color of the text, so that the contrast grows.
    let hover = color.mix(if text == Color::WHITE { Color::INK } else { Color::WHITE }, HOVER);
    format!("--act:{color};--act-on:{hover};--on-act:{text};--tint:{}", color.mix(card, TINT))
}
