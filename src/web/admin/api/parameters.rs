//! The values of query parameters.

use super::failure::bad_request;
use crate::web::problem::Problem;
use std::str::FromStr;

/// An id to filter by.
pub(super) fn id<T: for<'a> From<&'a str>>(name: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    match text {
        Some(text) if text.is_empty() || text.contains('\0') => {
            Err(bad_request(format!("{name} must be an id, without NUL characters")))
        }
        text => Ok(text.map(T::from)),
    }
}

/// One of the words of an enum.
pub(super) fn word<T: FromStr>(name: &str, text: Option<&str>, words: &str) -> Result<Option<T>, Problem> {
    text.map(str::parse).transpose().map_err(|_| bad_request(format!("{name} must be {words}")))
}

pub(super) fn flag(name: &str, text: Option<&str>) -> Result<bool, Problem> {
    Ok(word(name, text, "true or false")?.unwrap_or(false))
}
