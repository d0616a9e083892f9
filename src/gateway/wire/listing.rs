//! The rows of a list, read one by one: an unreadable row hides only itself.

use super::{super::json::from_json, connection::Connection, values};
use crate::domain::{ConnectionId, Listing};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

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
    listing.rows.reserve_exact(rows.len());
    let (mut unreadable, mut first_fault) = (0, None);
    for row in &rows {
        let json = row.get().as_bytes();
        match from_json::<Connection>(json) {
            Ok(row) => listing.rows.push(row.into()),
            Err(fault) => {
                unreadable += 1;
                first_fault.get_or_insert(fault);
                match from_json(json) {
                    Ok(RowId { id }) => listing.hidden.push(id),
                    Err(_) => listing.hides_unknown = true,
                }
            }
        }
    }
    let duplicates = find_duplicates(&listing);
    if !duplicates.is_empty() {
        listing.rows.retain(|row| !duplicates.contains(&row.id));
        listing.hidden.retain(|id| !duplicates.contains(id));
    }
    if unreadable > 0 || !duplicates.is_empty() {
        let fault = first_fault.map(tracing::field::display);
        let (rows, duplicates) = (rows.len(), duplicates.len());
        tracing::warn!(
            event = "list_rows_skipped",
            rows,
            unreadable,
            duplicates,
            fault,
            "skipped unusable rows in a list of connections"
        );
    }
    listing.hidden.extend(duplicates);
    Ok(listing)
}

/// The ids that occur more than once, each once.
fn find_duplicates(listing: &Listing) -> Vec<ConnectionId> {
    let mut ids: Vec<&ConnectionId> = listing.rows.iter().map(|row| &row.id).chain(&listing.hidden).collect();
    ids.sort_unstable();
    let mut duplicates: Vec<ConnectionId> =
        ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    duplicates.dedup();
    duplicates
}
