//! Why the renderer cannot start, and why it cannot write one email.

use crate::base::templates::TemplateError;

/// Why no renderer can be created: the operator has to correct the configuration or a template.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error("email.from and email.reply_to need an address that SMTP can carry: {0}")]
    Sender(lettre::address::AddressError),
    #[error("links.public_url must be an http or https URL")]
    PublicUrl,
}

/// Why one email cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template failed in a case that the samples at startup do not cover. The operator has to correct it.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No later attempt can succeed.
    #[error("the member's address cannot be used in an email")]
    Address,
}
