//! The pages that members see.
//!
//! A page names the source but never the person, runs no script, and loads nothing. A content security policy of
//! `default-src 'none'; style-src '<style_source>'; base-uri 'none'; frame-ancestors 'none'` fits it. Pages and buttons
//! carry their state in `data-state`.

mod accept_language;
mod page;
mod render;
mod samples;
mod situation;
mod style;
mod templates;
mod validate;

pub(crate) use page::Page;
pub(crate) use render::Pages;

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod override_tests;
#[cfg(test)]
mod readability_tests;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod tests;
