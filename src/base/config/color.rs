//! A color, and how readable text on it is (WCAG 2.2).

use std::{fmt, str::FromStr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"#rrggbb\" with hexadecimal digits, such as \"#0b6e4f\", or \"\" for the built-in color")]
pub(crate) struct InvalidColor;

impl Color {
    pub(crate) const WHITE: Self = Self::new(0xff, 0xff, 0xff);
    /// The near-black of emails and pages.
    pub(crate) const INK: Self = Self::new(0x14, 0x20, 0x2b);
    /// The card of emails and pages in dark mode.
    pub(crate) const DARK_CARD: Self = Self::new(0x1a, 0x21, 0x29);
    /// Success criterion 1.4.3, level AA, for text of normal size.
    pub(crate) const MIN_TEXT_CONTRAST: f64 = 4.5;

    pub(crate) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// The color of text on this color: white or [`Color::INK`], whichever contrasts better.
    pub(crate) fn on_color(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::INK) { Self::WHITE } else { Self::INK }
    }

    /// From 1 to 21.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(other) / one.min(other)
    }

    pub(crate) fn is_readable_on(self, background: Self) -> bool {
        self.contrast(background) >= Self::MIN_TEXT_CONTRAST
    }

    /// This color, made lighter only as far as it takes to be readable on [`Color::DARK_CARD`], also as text,
    /// and to carry readable text itself.
    pub(crate) fn for_dark(self) -> Self {
        let fits =
            |color: &Self| color.is_readable_on(Self::DARK_CARD) && color.is_readable_on(color.on_color());
        (0..=100).map(|percent| self.mix(Self::WHITE, percent)).find(fits).unwrap_or(Self::WHITE)
    }

    /// This color with `percent` of another, from 0 (this one) to 100 (the other).
    pub(crate) fn mix(self, other: Self, percent: u8) -> Self {
        let share = u32::from(percent.min(100));
        let channel = |from: u8, to: u8| {
            let mixed = (u32::from(from) * (100 - share) + u32::from(to) * share + 50) / 100;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Self::new(
            channel(self.red, other.red),
            channel(self.green, other.green),
            channel(self.blue, other.blue),
        )
    }

    /// Relative luminance: 0 for black, 1 for white.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }
}

/// A contrast as people read it. Rounds down, so that a contrast that is too low never looks sufficient.
pub(crate) fn format_contrast(contrast: f64) -> String {
    format!("{:.2}:1", (contrast * 100.0).floor() / 100.0)
}

impl FromStr for Color {
    type Err = InvalidColor;

    fn from_str(text: &str) -> Result<Self, InvalidColor> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(InvalidColor)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidColor);
        }
        let channel = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| InvalidColor);
        Ok(Self::new(channel(0)?, channel(2)?, channel(4)?))
    }
}

/// `#rrggbb`, as CSS reads it.
impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn color(text: &str) -> Color {
        text.parse().unwrap()
    }

    #[test]
    fn only_six_hexadecimal_digits_are_a_color() {
        assert_eq!(color("#0B6e4f").to_string(), "#0b6e4f");
        for text in ["", "0b6e4f", "#0b6e4", "#0b6e4f0", "#0b6e4g", "#+b6e4f", "green", "#ééé", "rgb(0,0,0)"]
        {
            assert_eq!(text.parse::<Color>(), Err(InvalidColor), "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        for (one, other, expected) in [
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            ("#777777", "#ffffff", 4.48),
            ("#767676", "#ffffff", 4.54),
            ("#ff0000", "#ffffff", 4.00),
            ("#00ff00", "#ffffff", 1.37),
            ("#0000ff", "#ffffff", 8.59),
            ("#ffff00", "#000000", 19.56),
        ] {
            let contrast = color(one).contrast(color(other));
            assert!((contrast - expected).abs() < 0.005, "{one} {other}: {contrast}");
            assert!((color(other).contrast(color(one)) - contrast).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn text_is_white_on_dark_colors_and_ink_on_light_ones() {
        for (background, text) in [
            ("#0b6658", Color::WHITE),
            ("#000000", Color::WHITE),
            ("#767676", Color::WHITE),
            ("#8a8a8a", Color::INK),
            ("#ffd400", Color::INK),
            ("#ffffff", Color::INK),
        ] {
            assert_eq!(color(background).on_color(), text, "{background}");
        }
    }

    #[test]
    fn a_color_is_lightened_only_when_it_is_too_dark_for_a_dark_card() {
        assert_eq!(color("#ffd400").for_dark(), color("#ffd400"));
        for dark in ["#000000", "#0b6e4f", "#0000ff", "#7a0019"] {
            let lighter = color(dark).for_dark();
            assert!(lighter.is_readable_on(Color::DARK_CARD) && lighter != color(dark), "{dark}: {lighter}");
            assert!(
                lighter.contrast(Color::DARK_CARD) < 5.0,
                "{dark}: {lighter} is lighter than it needs to be"
            );
        }
    }

    #[test]
    fn a_contrast_is_rounded_down() {
        assert_eq!([4.4999, 4.5, 21.0].map(format_contrast), ["4.49:1", "4.50:1", "21.00:1"]);
    }

    #[test]
    fn a_mix_lies_between_both_colors() {
        let (black, white) = (color("#000000"), Color::WHITE);
        assert_eq!(
            [0, 50, 100, 200].map(|share| black.mix(white, share).to_string()),
            ["#000000", "#808080", "#ffffff", "#ffffff"]
        );
    }

    proptest! {
        #[test]
        fn every_color_has_a_readable_variant_for_dark_cards(red: u8, green: u8, blue: u8) {
            let variant = Color::new(red, green, blue).for_dark();
            prop_assert!(variant.is_readable_on(Color::DARK_CARD) && variant.on_color().is_readable_on(variant));
            prop_assert_eq!(variant.to_string().parse::<Color>(), Ok(variant));
        }
    }
}
