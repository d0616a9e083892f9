//! Language tags.

/// `es_MX` and `ES-mx` are `es-mx`.
pub(super) fn normalize(tag: &str) -> String {
    tag.replace('_', "-").to_ascii_lowercase()
}

/// The language of a tag, without its region.
pub(super) fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}
