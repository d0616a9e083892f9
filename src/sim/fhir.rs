//! FHIR types that several operations return.

use async_graphql::{Object, SimpleObject};

/// Clients spread fragments on this type and on [`Coding`], so both have FHIR's names.
pub(super) struct CodeableConcept {
    coding: Vec<Coding>,
}

impl CodeableConcept {
    pub(super) fn new(codes: &[String]) -> Self {
        Self { coding: codes.iter().map(|code| Coding { code: code.clone() }).collect() }
    }
}

#[Object]
impl CodeableConcept {
    async fn id(&self) -> Option<String> {
        None
    }
    async fn text(&self) -> Option<&str> {
        self.coding.first().map(|coding| coding.code.as_str())
    }
    async fn coding(&self) -> &[Coding] {
        &self.coding
    }
    async fn extension(&self) -> Option<Vec<Extension>> {
        None
    }
}

pub(super) struct Coding {
    code: String,
}

#[Object]
impl Coding {
    async fn id(&self) -> Option<String> {
        None
    }
    async fn system(&self) -> Option<String> {
        None
    }
    async fn version(&self) -> Option<String> {
        None
    }
    async fn code(&self) -> &str {
        &self.code
    }
    async fn display(&self) -> Option<&str> {
        Some(&self.code)
    }
    async fn user_selected(&self) -> Option<bool> {
        None
    }
    async fn extension(&self) -> Option<Vec<Extension>> {
        None
    }
}

#[derive(SimpleObject)]
pub(super) struct Extension {
    pub(super) id: Option<String>,
    pub(super) url: String,
    pub(super) value_string: Option<String>,
}
