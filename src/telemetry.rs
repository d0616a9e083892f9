//! placeholder until merged
#![allow(missing_docs)]
pub mod metrics {
    use crate::domain::Status;
    pub fn transition(_: &Status) {}
    pub fn sweep_finished(_: bool, _: std::time::Duration) {}
    pub fn member_polled(_: &str) {}
    pub fn redemption(_: &str) {}
    pub fn notice(_: &str) {}
    pub fn tick_skipped() {}
}
pub async fn heartbeat(_: &crate::config::Telemetry) {}
