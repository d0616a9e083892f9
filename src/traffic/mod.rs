//! Counts link views and button presses, bots and people separately.

mod request_counter;
mod request_queue;

pub use request_counter::RequestCounter;
pub(crate) use request_queue::RequestRecorder;
