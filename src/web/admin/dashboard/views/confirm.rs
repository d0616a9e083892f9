//! A page that says what a change will do, before it is done.

use super::super::error::PageError;
use super::super::render::page;
use super::super::shown::shown;
use super::super::visit::Visit;
use axum::response::Response;
use serde::Serialize;

pub(super) struct Confirmation<'a> {
    pub(super) title: &'a str,
    /// What will happen, a sentence each.
    pub(super) sentences: Vec<String>,
    /// Where the form posts to.
    pub(super) action: &'a str,
    pub(super) fields: Vec<Field<'a>>,
    /// Says how much it concerns. `None`: there is nothing to do.
    pub(super) button: Option<String>,
    /// The view to return to.
    pub(super) back: String,
    /// The path of the view, for the navigation.
    pub(super) view: &'a str,
}

#[derive(Serialize)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// # Errors
/// The token may only read.
pub(super) fn ask(visit: &Visit, about: &Confirmation<'_>) -> Result<Response, PageError> {
    if !visit.access.may_write() {
        return Err(PageError::ReadOnly);
    }
    let Confirmation { title, sentences, action, fields, button, back, view } = about;
    Ok(page(visit, "confirm.html", view, title, shown! { sentences, action, fields, button, back }))
}
