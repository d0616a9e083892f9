//! Request counters, so that a test can tell what a client did.

use super::{ids::MemberNo, operations::Operation};
use std::collections::HashMap;

type Counts = [u32; Operation::ALL.len()];

/// Counts by operation: in total, and by member.
#[derive(Debug, Default)]
pub(super) struct Requests {
    all: Counts,
    by_member: HashMap<MemberNo, Counts>,
}

impl Requests {
    pub(super) fn count(&mut self, operations: &[Operation], member: Option<MemberNo>) {
        let mut own = member.map(|member| self.by_member.entry(member).or_default());
        for operation in operations {
            self.all[*operation as usize] += 1;
            if let Some(counts) = &mut own {
                counts[*operation as usize] += 1;
            }
        }
    }

    pub(super) fn of(&self, operation: Operation, member: Option<MemberNo>) -> u32 {
        let counts = match member {
            None => Some(&self.all),
            Some(member) => self.by_member.get(&member),
        };
        counts.map_or(0, |counts| counts[operation as usize])
    }
}
