//! Reason codes that several files set and read.

/// The reason code of a sweep that stops because the gateway asked everyone to wait.
pub(super) const THROTTLED: &str = "gateway_throttled";
/// The reason code of a member about whom alone the gateway asked to wait.
pub(super) const THROTTLED_MEMBER: &str = "throttled";

/// Of outages.
pub(super) const MOST_POLLS_FAILED: &str = "most_polls_failed";
pub(super) const MOST_REFRESHES_REFUSED: &str = "most_refreshes_refused";
pub(super) const MANY_LISTS_EMPTY: &str = "many_lists_empty";

/// The code of a sweep's early end, as it was stored; `unknown` if another version stored it.
pub(super) fn of_early_end(stored: &str) -> &'static str {
    let known = [THROTTLED, MOST_POLLS_FAILED, MOST_REFRESHES_REFUSED, MANY_LISTS_EMPTY];
    known.into_iter().find(|code| *code == stored).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_an_early_end_is_read_back_unless_another_version_stored_it() {
        for code in [THROTTLED, MOST_POLLS_FAILED, MOST_REFRESHES_REFUSED, MANY_LISTS_EMPTY] {
            assert_eq!(of_early_end(code), code);
        }
        assert_eq!(of_early_end("of_another_version"), "unknown");
    }
}
