//! Conditions in SQL about suppressed addresses.

/// SQL condition: the address of the row of `members m` is suppressed.
pub(super) const SUPPRESSED: &str =
    "EXISTS (SELECT 1 FROM suppressions su WHERE su.address_hash = m.address_hash)";

/// SQL condition: the member of the row of `members m` unsubscribed, and the address is suppressed for no other reason.
pub(super) const UNSUBSCRIBED: &str = "(EXISTS (SELECT 1 FROM suppressions su WHERE su.address_hash = m.address_hash
        AND su.reason = 'unsubscribed')
     AND NOT EXISTS (SELECT 1 FROM suppressions su WHERE su.address_hash = m.address_hash AND su.reason <> 'unsubscribed'))";
