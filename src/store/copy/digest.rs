//! What a table holds, as one number.

use super::super::engine::Value;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;

/// The number of rows, and the sum of their SHA-256 digests. The sum depends neither on the order of the rows nor on the
/// types of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableDigest {
    pub rows: u64,
    sum: [u64; 4],
}

impl TableDigest {
    pub(super) fn add(&mut self, row: &[Value]) {
        let mut context = Context::new(&SHA256);
        for value in row {
            encode(value, |bytes| context.update(bytes));
        }
        let digest = context.finish();
        for (sum, bytes) in self.sum.iter_mut().zip(digest.as_ref().chunks_exact(8)) {
            *sum = sum.wrapping_add(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
        self.rows += 1;
    }
}

/// Hexadecimal.
impl fmt::Display for TableDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|part| write!(f, "{part:016x}"))
    }
}

/// A tag and the value. A flag is the integer of SQLite. No two rows have the same encoding.
fn encode(value: &Value, mut write: impl FnMut(&[u8])) {
    let mut bytes_of = |tag: u8, bytes: &[u8]| {
        write(&[tag]);
        write(&(bytes.len() as u64).to_le_bytes());
        write(bytes);
    };
    match value {
        Value::Integer(Some(number)) => bytes_of(1, &number.to_le_bytes()),
        Value::Bool(Some(flag)) => bytes_of(1, &i64::from(*flag).to_le_bytes()),
        Value::Real(Some(number)) => bytes_of(2, &number.to_bits().to_le_bytes()),
        Value::Text(Some(text)) => bytes_of(3, text.as_bytes()),
        Value::Bytes(Some(bytes)) => bytes_of(4, bytes),
        _ => bytes_of(0, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&[Value]]) -> TableDigest {
        let mut digest = TableDigest::default();
        rows.iter().for_each(|row| digest.add(row));
        digest
    }

    #[test]
    fn neither_the_order_nor_the_type_of_a_flag_or_of_null_matters() {
        let (a, b) = ([Value::from("a"), Value::from(1_i64)], [Value::from("b"), Value::Integer(None)]);
        let flags = ([Value::from("a"), Value::from(true)], [Value::from("b"), Value::Bool(None)]);
        assert_eq!(digest(&[&a, &b]), digest(&[&flags.1, &flags.0]));
    }

    #[test]
    fn every_difference_matters() {
        let rows: [&[Value]; 8] = [
            &[Value::from("a"), Value::from("b")],
            &[Value::from("ab"), Value::from("")],
            &[Value::from("ab"), Value::Text(None)],
            &[Value::from(&b"a"[..]), Value::from("b")],
            &[Value::from(1_i64), Value::from(-1_i64)],
            &[Value::from(-1_i64), Value::from(1_i64)],
            &[Value::Real(Some(1.0)), Value::from(-1_i64)],
            &[],
        ];
        let mut digests: Vec<_> = rows.iter().map(|row| digest(&[row]).to_string()).collect();
        digests.push(digest(&[]).to_string());
        digests.push(digest(&[rows[0], rows[0]]).to_string());
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 10);
    }
}
