//! Addresses of pages: what a view shows is in its query, so that it can be sent to a colleague.

use url::form_urlencoded::Serializer;

/// The query of an address, without the parameters that are empty.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// A parameter that was given. An empty one counts as left out.
pub(super) fn given(value: &str) -> Option<&str> {
    Some(value).filter(|value| !value.is_empty())
}
