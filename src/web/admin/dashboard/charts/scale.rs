//! The vertical scale.

/// The smallest of 1, 2, 5, 10, 20, 50, … that is not below the largest value.
pub(super) fn top(largest: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [1, 2, 5] {
            let top = power.saturating_mul(step);
            if top >= largest {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::top;

    #[test]
    fn the_top_of_the_scale_is_a_round_number() {
        let tops = [0, 1, 2, 3, 7, 11, 49, 50, 501, u64::MAX].map(top);
        assert_eq!(tops, [1, 1, 2, 5, 10, 20, 50, 50, 1000, u64::MAX]);
    }
}
