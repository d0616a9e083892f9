//! Counts link views and button presses, bots and people separately.

mod bot_detection;
mod request;
mod request_counter;
mod request_queue;

pub(crate) use request::RequestSignals;
pub use request_counter::RequestCounter;
pub(crate) use request_queue::RequestRecorder;
