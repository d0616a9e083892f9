//! Results that arrive in any order, given out in the order of their questions.

use std::collections::VecDeque;

/// Holds early results back until those before them have arrived.
#[derive(Debug)]
pub(super) struct InOrder<T> {
    next: u64,
    /// The results from `next` on; `None`: not arrived.
    early: VecDeque<Option<T>>,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { next: 0, early: VecDeque::new() }
    }
}

impl<T> InOrder<T> {
    /// Takes the result of the question with this number, counted from 0. Each number comes once.
    pub(super) fn put(&mut self, number: u64, result: T) {
        let place = (number - self.next) as usize;
        if place >= self.early.len() {
            self.early.resize_with(place + 1, || None);
        }
        self.early[place] = Some(result);
    }

    /// The next result in order, once it has arrived.
    pub(super) fn take(&mut self) -> Option<T> {
        let result = self.early.front_mut()?.take()?;
        self.early.pop_front();
        self.next += 1;
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_out_in_the_order_of_their_questions() {
        let mut results = InOrder::default();
        let mut given = Vec::new();
        for number in [2, 1, 4, 0, 3, 5] {
            results.put(number, number);
            given.push(std::iter::from_fn(|| results.take()).collect::<Vec<_>>());
        }
        assert_eq!(given, [vec![], vec![], vec![], vec![0, 1, 2], vec![3, 4], vec![5]]);
    }
}
