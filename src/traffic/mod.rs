//! Counts link views and button presses, bots and people separately, and watches whether people press as usual.

mod path_watch;
mod press_band;
mod request_counter;
mod request_queue;

pub use path_watch::{PathAlarm, PathKind, PathWatch};
pub use press_band::Presses;
pub use request_counter::RequestCounter;
pub(crate) use request_queue::RequestRecorder;
