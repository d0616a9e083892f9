//! Which loops of the former configuration have not ended yet.

use std::collections::HashMap;
use tokio_util::task::TaskTracker;

/// The loops of the configuration in force, and those that finish what they have in hand. By name.
#[derive(Default)]
pub(super) struct Succession {
    current: HashMap<&'static str, TaskTracker>,
    former: HashMap<&'static str, TaskTracker>,
}

impl Succession {
    /// From now on, loops of another configuration start.
    pub(super) fn advance(&mut self) {
        for (name, loops) in self.current.drain() {
            loops.close();
            self.former.insert(name, loops);
        }
    }

    /// Those that a new loop of this name waits for, and those that it belongs to.
    pub(super) fn place(&mut self, name: &'static str) -> (Option<TaskTracker>, TaskTracker) {
        (self.former.get(name).cloned(), self.current.entry(name).or_default().clone())
    }
}
