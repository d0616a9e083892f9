//! When the content of the configuration has changed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was loaded, and what was seen since. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ContentWatch<C>(Arc<Mutex<Looks<C>>>);

#[derive(Debug)]
struct Looks<C> {
    loaded: C,
    last: C,
}

impl<C: PartialEq + Copy> ContentWatch<C> {
    pub(super) fn new(loaded: C) -> Self {
        Self(Arc::new(Mutex::new(Looks { loaded, last: loaded })))
    }

    /// Whether the content is another one than was loaded. Two looks have to agree: a file may be half written.
    pub(super) fn look(&self, seen: C) -> bool {
        let mut looks = self.lock();
        let is_stable = looks.last == seen;
        looks.last = seen;
        is_stable && looks.loaded != seen
    }

    /// Notes what is being loaded. If that fails, the same content is not loaded again.
    pub(super) fn loading(&self, content: C) {
        let mut looks = self.lock();
        *looks = Looks { loaded: content, last: content };
    }

    fn lock(&self) -> MutexGuard<'_, Looks<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_loaded_when_two_looks_agree_and_once() {
        let watch = ContentWatch::new('a');
        let seen = |looks: &str| looks.chars().map(|look| watch.look(look)).collect::<Vec<_>>();
        assert_eq!(seen("aa"), [false, false], "nothing has changed");
        assert_eq!(seen("bcdd"), [false, false, false, true], "it was being written");
        assert_eq!(seen("d"), [true], "nobody has loaded it yet");
        watch.loading('d');
        assert_eq!(seen("ddd"), [false; 3], "loaded, or found broken");
        assert_eq!(seen("ada"), [false; 3], "it did not last");
        assert_eq!(seen("a"), [true], "back to the first one");
    }
}
