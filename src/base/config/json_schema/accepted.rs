//! What a setting accepts, by asking the type that reads it.

use crate::base::config::schema::{self, BUILT_IN};
use crate::base::config::settings::Config;
use serde::Deserialize;
use toml::Value;

/// The message for a value of `key`; `None` if the value is accepted.
pub(super) fn rejection(key: &str, value: Value) -> Option<String> {
    let mut settings = BUILT_IN.clone();
    schema::put(&mut settings, key, value);
    Config::deserialize(Value::Table(settings)).err().map(|error| error.message().to_owned())
}

pub(super) fn is_accepted(key: &str, value: Value) -> bool {
    rejection(key, value).is_none()
}

/// The names that a message of serde lists, as in "unknown variant `x`, expected one of `a`, `b`".
pub(super) fn expected_names(message: &str) -> Option<Vec<String>> {
    let is_about_names = message.starts_with("unknown variant ") || message.starts_with("unknown field ");
    let (_, expected) = message.split_once(", expected ").filter(|_| is_about_names)?;
    Some(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// The smallest and the largest number of a range. `None`: there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) min: Option<i64>,
    pub(super) max: Option<i64>,
}

impl Bounds {
    /// The range around `inside`, which must be accepted.
    pub(super) fn around(inside: i64, accepts: impl Fn(i64) -> bool) -> Self {
        Self { min: edge(inside, -1, &accepts), max: edge(inside, 1, &accepts) }
    }
}

/// The last accepted number in a direction.
fn edge(mut inside: i64, direction: i64, accepts: impl Fn(i64) -> bool) -> Option<i64> {
    let mut step = direction;
    let mut outside = loop {
        let next = inside.checked_add(step)?;
        if !accepts(next) {
            break next;
        }
        inside = next;
        step = step.checked_mul(2)?;
    };
    while inside.abs_diff(outside) > 1 {
        let middle = inside.midpoint(outside);
        if accepts(middle) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_range_around_a_number() {
        for (inside, min, max) in
            [(120, 10, 1_000_000), (1, 1, 5), (0, 0, 0), (-7, -9, -7), (1, 1, 4_294_967_295)]
        {
            let accepts = |number: i64| (min..=max).contains(&number) || number == -100;
            assert_eq!(Bounds::around(inside, accepts), Bounds { min: Some(min), max: Some(max) });
        }
        assert_eq!(Bounds::around(7, |_| true), Bounds { min: None, max: None });
    }

    #[test]
    fn only_messages_about_names_list_names() {
        let names = |message| expected_names(message).unwrap_or_default();
        assert_eq!(names("unknown variant `x`, expected one of `a`, `b`, `c`"), ["a", "b", "c"]);
        assert_eq!(names("unknown field `x`, expected `a` or `b`"), ["a", "b"]);
        assert_eq!(names("invalid type: string `x`, expected `a`"), Vec::<String>::new());
    }
}
