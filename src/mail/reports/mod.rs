//! Reports of mail providers: which addresses bounced, and whose owners complained (pure).

mod address;
#[cfg(test)]
mod fuzz_tests;
mod json;
mod postmark;
mod relay;
mod report;
mod ses;
mod sns;
#[cfg(test)]
mod tests;

pub(crate) use postmark::read_postmark;
pub(crate) use relay::read_relay;
pub(crate) use report::{InvalidReport, Report};
pub(crate) use sns::{SnsContent, SnsMessage};
