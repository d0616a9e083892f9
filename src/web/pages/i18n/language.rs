//! The languages of the pages, and how a browser or a member selects one.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web::pages) enum Language {
    English,
    Spanish,
}

impl Language {
    /// Reads the primary subtag of a language tag such as `es-MX`.
    fn parse(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "es" => Some(Self::Spanish),
            _ => None,
        }
    }

    /// The language of the first supported locale, else English.
    pub(in crate::web::pages) fn select(locale: &str, default: &str) -> Self {
        Self::parse(locale).or_else(|| Self::parse(default)).unwrap_or(Self::English)
    }
}

/// The supported language that an `Accept-Language` header prefers (RFC 9110, 12.5.4).
pub(crate) fn negotiate_language(accept_language: &str) -> Option<&str> {
    let weighed = accept_language.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().filter(|tag| Language::parse(tag).is_some())?;
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        (weight > 0.0).then_some((tag, weight))
    });
    // Browsers list equal weights in order of preference: the first one wins.
    weighed.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(tag, _)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_among_the_supported_languages_wins() {
        let rows = [
            ("es", Some("es")),
            ("es-MX,es;q=0.9,en;q=0.8", Some("es-MX")),
            ("de, en;q=0.5, es;q=0.9", Some("es")),
            ("en;q=0.5,es;q=0.5", Some("en")),
            ("es;q=0, en;q=0.1", Some("en")),
            ("de,fr", None),
            ("*", None),
            ("", None),
            ("es;q=x", None),
            (";;,=q,es ; q=1.0", Some("es")),
        ];
        for (header, expected) in rows {
            assert_eq!(negotiate_language(header), expected, "{header:?}");
        }
    }
}
