//! How a browser selects a language.

/// The first language of an `Accept-Language` header, in the order of its weights, that `is_supported` (RFC 9110, 12.5.4).
pub(super) fn negotiate(accept_language: &str, is_supported: impl Fn(&str) -> bool) -> Option<&str> {
    let weighed = accept_language.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().filter(|tag| is_supported(tag))?;
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
        let is_supported = |tag: &str| ["en", "es", "es-MX"].contains(&tag);
        for (header, expected) in rows {
            assert_eq!(negotiate(header, is_supported), expected, "{header:?}");
        }
    }
}
