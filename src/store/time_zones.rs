//! `members.time_zone`.

use super::engine::Row;
use super::error::Result;
use chrono_tz::Tz;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The zone in a row that also has the column `member_id`. `None` also for a name that this version does not know, such as
/// one that another version stored; `notices.time_zone` applies then.
pub(super) fn read(row: &Row) -> Result<Option<Tz>> {
    let Some(name) = row.optional_text_of("time_zone")? else { return Ok(None) };
    let zone = name.parse().ok();
    if zone.is_none() {
        warn_once(name, row.text_of("member_id")?);
    }
    Ok(zone)
}

/// Warns once per process of each unknown name.
fn warn_once(name: &str, member: &str) {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned()) {
        tracing::warn!(
            event = "unknown_time_zone",
            zone = name,
            first_member = member,
            "this version does not know the time zone of a member; notices.time_zone applies"
        );
    }
}
