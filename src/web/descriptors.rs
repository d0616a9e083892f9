//! How many connections the process may hold: systemd lets a service open 1,024 files, unless its unit asks for more.

use std::fs;

/// For the database, the gateway, the mail server, and all else.
const FOR_OTHERS: usize = 128;
const LISTENERS: usize = 2;
/// Also where that is more than the process may open.
const MIN: usize = 16;

/// How many connections each listener may hold, at most `max`, so that descriptors are left for all else.
pub(super) fn places(max: usize) -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    places_under(&limits, max)
}

/// Without a limit, `max`.
fn places_under(limits: &str, max: usize) -> usize {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(max, |soft| (soft.saturating_sub(FOR_OTHERS) / LISTENERS).clamp(MIN.min(max), max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_may_open_few_files_serves_fewer_connections() {
        let limits = |soft: &str| {
            format!("Limit   Soft Limit  Hard Limit  Units\nMax open files   {soft}   524288   files\n")
        };
        for (soft, expected) in [("1024", 448), ("64", 16), ("65536", 1024), ("unlimited", 1024)] {
            assert_eq!(places_under(&limits(soft), 1024), expected, "{soft}");
        }
        assert_eq!(places_under("", 1024), 1024, "another system");
        assert_eq!(places_under(&limits("64"), 4), 4);
    }
}
