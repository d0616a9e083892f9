//! The rows of a list, one by one: a row that cannot be read hides itself and no other.

use super::{
    graphql::from_json,
    wire::{self, Connection},
};
use crate::domain::{ConnectionId, Listing};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// What is left of a row that cannot be read.
#[derive(Deserialize)]
struct Hidden {
    #[serde(deserialize_with = "wire::id")]
    id: ConnectionId,
}

/// Reads a list. Two rows with one id say nothing reliable about it: both are hidden.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listing, D::Error> {
    let rows = Vec::<&RawValue>::deserialize(deserializer)?;
    let mut listing = Listing::default();
    let mut times: HashMap<ConnectionId, u32> = HashMap::new();
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
                let Ok(Hidden { id }) = from_json(json) else {
                    listing.hides_unknown = true;
                    continue;
                };
                listing.hidden.push(id.clone());
                id
            }
        };
        *times.entry(id).or_default() += 1;
    }
    let doubled = times.into_iter().filter(|(_, times)| *times > 1).map(|(id, _)| id).collect::<Vec<_>>();
    if !doubled.is_empty() {
        listing.rows.retain(|row| !doubled.contains(&row.id));
        listing.hidden.retain(|id| !doubled.contains(id));
    }
    if unreadable > 0 || !doubled.is_empty() {
        let fault = first_fault.map(tracing::field::display);
        let (rows, doubled) = (rows.len(), doubled.len());
        tracing::warn!(
            rows,
            unreadable,
            doubled,
            fault,
            "a list of connections has rows that cannot be used"
        );
    }
    listing.hidden.extend(doubled);
    Ok(listing)
}
