//! What a permanent rejection of a recipient says about the address.

/// The address itself is bad: there is no such mailbox or domain, or the mailbox accepts nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadAddress {
    /// By an enhanced status code (RFC 3463, RFC 7505).
    Stated,
    /// By a reply code without an enhanced one. Some servers reject everything with it.
    Implied,
}

/// Unknown mailbox, unknown domain, invalid, moved, no mail for the domain.
const STATED: [&str; 5] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"];
/// The mailbox is disabled. Some servers say so of one that gets too many emails at the moment.
const DISABLED: &str = "5.2.1";

/// Words of rejections that are about the sender, the email, or the moment.
const DOUBTS: [&str; 19] = [
    "authoriz",
    "denied",
    "dkim",
    "dmarc",
    "exceed",
    "full",
    "later",
    "limit",
    "not allowed",
    "permi",
    "policy",
    "prohibit",
    "quota",
    "rate",
    "reputation",
    "space",
    "spf",
    "suspend",
    "temporar",
];

/// `code` and `text` are those of a permanent rejection at RCPT TO. `None` when it may be about something else, such as a
/// policy or a full mailbox.
pub(super) fn bad_address(code: u16, text: &str) -> Option<BadAddress> {
    let text = text.to_ascii_lowercase();
    let first = text.split_whitespace().next().unwrap_or_default();
    if STATED.contains(&first) {
        return Some(BadAddress::Stated);
    }
    if DOUBTS.iter().any(|doubt| text.contains(doubt)) {
        return None;
    }
    if first == DISABLED {
        return Some(BadAddress::Stated);
    }
    (matches!(code, 550 | 553) && !is_enhanced_code(first)).then_some(BadAddress::Implied)
}

fn is_enhanced_code(word: &str) -> bool {
    let parts: Vec<_> = word.split('.').collect();
    let is_number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rejection_of_the_address_itself_says_that_it_is_bad() {
        use BadAddress::*;
        for (code, text, expected, why) in [
            (550, "5.1.1 user unknown", Some(Stated), "no such mailbox"),
            (550, "5.1.1 [address] access denied", Some(Stated), "the code counts, not the words"),
            (554, "5.1.2 bad destination system", Some(Stated), "no such domain"),
            (501, "5.1.3 bad syntax", Some(Stated), "no address"),
            (551, "5.1.6 has moved", Some(Stated), "moved without a new address"),
            (556, "5.1.10 null MX", Some(Stated), "the domain takes no mail"),
            (550, "5.2.1 mailbox disabled", Some(Stated), "closed for good"),
            (550, "5.2.1 The user is receiving mail at a rate that prevents more", None, "for the moment"),
            (552, "5.2.2 mailbox full", None, "it can be emptied"),
            (550, "5.1.0 rejected", None, "the code says nothing"),
            (550, "5.7.1 unknown user", None, "a policy, whatever it says"),
            (550, "5.4.1 access denied", None, "a policy, or the route"),
            (550, "5.5.0 mailbox unavailable", None, "the code says nothing"),
            (550, "no such user here", Some(Implied), "in plain words"),
            (553, "unknown recipient", Some(Implied), "in plain words"),
            (550, "", Some(Implied), "RFC 5321: the mailbox is unavailable"),
            (550, "1.2.3.4 says no", Some(Implied), "four numbers are no enhanced code"),
            (550, "over quota", None, "a full mailbox"),
            (550, "rejected due to policy", None, "a policy"),
            (554, "transaction failed", None, "this code says nothing"),
            (552, "storage", None, "a full mailbox"),
        ] {
            assert_eq!(bad_address(code, text), expected, "{why}: {code} {text}");
        }
    }
}
