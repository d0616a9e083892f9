//! The rows of a list, read one by one: an unreadable row hides only itself.

use super::{super::json::from_json, connection::Connection, values};
use crate::domain::{ConnectionId, Listing};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// The part of an unreadable row that identifies it.
#[derive(Deserialize)]
struct RowId {
    #[serde(deserialize_with = "values::id")]
    id: ConnectionId,
}

/// Reads a list. When two rows have the same id, neither is reliable, so both are hidden.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listing, D::Error> {
    let rows = Vec::<&RawValue>::deserialize(deserializer)?;
    let mut listing = Listing::default();
    let mut occurrences: HashMap<ConnectionId, u32> = HashMap::new();
    let (mut unreadable, mut first_fault) = (0, None);
    for row in &rows {
        let json = row.get().as_bytes();
        let id = match from_json::<Connection>(json) {
            Ok(row) => {
                let row = crate::domain::Connection::from(row);
                let id = row.id.clone();
                listing.rows.push(row);
                id
            }
            Err(fault) => {
                unreadable += 1;
                first_fault.get_or_insert(fault);
                let Ok(RowId { id }) = from_json(json) else {
                    listing.hides_unknown = true;
                    continue;
                };
                listing.hidden.push(id.clone());
                id
            }
        };
        *occurrences.entry(id).or_default() += 1;
    }
    let duplicates =
        occurrences.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id).collect::<Vec<_>>();
    if !duplicates.is_empty() {
        listing.rows.retain(|row| !duplicates.contains(&row.id));
        listing.hidden.retain(|id| !duplicates.contains(id));
    }
    if unreadable > 0 || !duplicates.is_empty() {
        let fault = first_fault.map(tracing::field::display);
        let (rows, duplicates) = (rows.len(), duplicates.len());
        tracing::warn!(rows, unreadable, duplicates, fault, "skipped unusable rows in a list of connections");
    }
    listing.hidden.extend(duplicates);
    Ok(listing)
}
