//! A value that is empty, but leaves a mark where it was written.

use crate::mail::text::one_line;
use minijinja::value::Object;
use std::{fmt, sync::Arc};

/// A character that nobody writes (Unicode's private use).
const MARK: char = '\u{E1F0}';

/// As false as an empty text, but it can be seen where it was written.
#[derive(Debug)]
pub(super) struct Hole;

impl Object for Hole {
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}")
    }
}

/// Whether the mark stands in what was written with a [`Hole`], and nothing stands there in a real mail. A template that
/// compares the value with an empty text writes another sentence for it.
pub(super) fn is_in(holed: &str, real: &str) -> bool {
    holed.contains(MARK) && one_line(&holed.replace(MARK, "")) == one_line(real)
}
