//! A digest of a response, so that an unchanged response costs no write.
//!
//! The encoding that is hashed (SHA-256) starts with [`VERSION`]. Then each row follows in the order of its id, and then
//! the hidden ids in their order. A change of the encoding needs a new version, and rewrites each member's rows once.
//!
//! | part | encoding |
//! | --- | --- |
//! | text | its length in bytes (8 bytes, big-endian), then its bytes in UTF-8 |
//! | optional text | `0`, or `1` and the text |
//! | flag | `0` or `1` |
//! | list | its length (8 bytes, big-endian), then its elements |
//! | row | id, name, category, source type, integration type, direct, status, sync status, sync errors |
//! | response | version, list of rows, list of hidden ids, flag for hidden rows without a readable id |

use crate::domain::{Connection, ConnectionId, Listing};
use aws_lc_rs::digest::SHA256;

const VERSION: u8 = 1;

/// The usual size of an encoded row.
const ROW_BYTES: usize = 160;

/// Does not depend on the order of the rows.
pub fn digest(listing: &Listing) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&SHA256, &encode(listing)).as_ref());
    digest
}

fn encode(listing: &Listing) -> Vec<u8> {
    let mut rows: Vec<&Connection> = listing.rows.iter().collect();
    rows.sort_by_key(|row| row.id.as_str());
    let mut hidden: Vec<&str> = listing.hidden.iter().map(ConnectionId::as_str).collect();
    hidden.sort_unstable();
    let mut out = Vec::with_capacity(64 + rows.len() * ROW_BYTES);
    out.push(VERSION);
    put_length(&mut out, rows.len());
    for row in rows {
        put_text(&mut out, row.id.as_str());
        put_text(&mut out, &row.source.name);
        put_optional(&mut out, row.source.category.as_ref().map(|value| value.as_str()));
        put_optional(&mut out, row.source.source_type.as_ref().map(|value| value.as_str()));
        put_optional(&mut out, row.source.integration_type.as_ref().map(|value| value.as_str()));
        out.push(row.source.is_direct.into());
        put_optional(&mut out, row.status.as_ref().map(|value| value.as_str()));
        put_optional(&mut out, row.sync_status.as_ref().map(|value| value.as_str()));
        put_length(&mut out, row.sync_errors.len());
        row.sync_errors.iter().for_each(|code| put_text(&mut out, code));
    }
    put_length(&mut out, hidden.len());
    hidden.into_iter().for_each(|id| put_text(&mut out, id));
    out.push(listing.hides_unknown.into());
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u64).to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend(text.as_bytes());
}

fn put_optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(text.is_some().into());
    text.into_iter().for_each(|text| put_text(out, text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Source;

    fn row(id: &str) -> Connection {
        Connection {
            id: id.into(),
            source: Source {
                name: "Épic".into(),
                category: Some("OAUTH".into()),
                integration_type: Some("PROA".into()),
                ..Source::default()
            },
            status: Some("EXPIRED".into()),
            sync_status: None,
            sync_errors: vec!["E1".into()],
            last_synced: None,
        }
    }

    #[test]
    fn the_encoding_is_fixed() {
        let listing = Listing { rows: vec![row("epic")], hidden: vec!["x".into()], hides_unknown: true };
        let mut expected = b"\x01\0\0\0\0\0\0\0\x01".to_vec();
        expected.extend(b"\0\0\0\0\0\0\0\x04epic");
        expected.extend(b"\0\0\0\0\0\0\0\x05\xc3\x89pic");
        expected.extend(b"\x01\0\0\0\0\0\0\0\x05OAUTH");
        expected.extend(b"\0");
        expected.extend(b"\x01\0\0\0\0\0\0\0\x04PROA");
        expected.extend(b"\0");
        expected.extend(b"\x01\0\0\0\0\0\0\0\x07EXPIRED");
        expected.extend(b"\0");
        expected.extend(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02E1");
        expected.extend(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01x");
        expected.extend(b"\x01");
        assert_eq!(encode(&listing), expected);
        assert_eq!(digest(&listing)[..4], [0xb3, 0x0f, 0xd9, 0xf5]);
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let [a, b] = [row("a"), row("b")];
        let [forward, backward] = [vec![a.clone(), b.clone()], vec![b, a]].map(|rows| digest(&rows.into()));
        assert_eq!(forward, backward);
    }
}
