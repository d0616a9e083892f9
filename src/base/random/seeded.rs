//! Random numbers of one thread that follow from a seed, so that a test can repeat a run. Only tests choose one: without the
//! feature `sim`, nothing can, and `tests/architecture` allows no call in `src`.

use crate::domain::Time;
use std::cell::RefCell;
use std::marker::PhantomData;
use uuid::Uuid;

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

/// While it lives, what this thread draws follows from its seed. On drop, the operating system is the source again.
#[must_use]
pub struct SeededThread {
    /// It belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

/// Lets all random numbers and ids of this thread follow from `seed`. Tasks of a runtime with this one thread draw them, too.
///
/// # Panics
/// The thread has a seed already.
pub fn seeded(seed: u64) -> SeededThread {
    GENERATOR.with_borrow_mut(|generator| {
        assert!(generator.is_none(), "the thread has a seed already");
        *generator = Some(Generator { state: seed, last_id: 0 });
    });
    SeededThread { _not_send: PhantomData }
}

impl Drop for SeededThread {
    fn drop(&mut self) {
        GENERATOR.set(None);
    }
}

/// Returns `false` on a thread without a seed.
pub(super) fn fill(bytes: &mut [u8]) -> bool {
    let draw = |generator: &mut Option<Generator>| generator.as_mut().map(|generator| generator.fill(bytes));
    GENERATOR.with_borrow_mut(draw).is_some()
}

/// `None` on a thread without a seed.
pub(super) fn id(now: Time) -> Option<Uuid> {
    GENERATOR.with_borrow_mut(|generator| generator.as_mut().map(|generator| generator.id(now)))
}

/// SplitMix64: small, and the same on every machine.
struct Generator {
    state: u64,
    /// The bits of the last id that order it.
    last_id: u128,
}

impl Generator {
    /// The random bits of an id that order it after its milliseconds.
    const ORDER_BITS: u32 = 74;

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
    }

    /// Sorts after the last one, also when the clock went back.
    fn id(&mut self, now: Time) -> Uuid {
        let milliseconds = u128::try_from(now.timestamp_millis()).unwrap_or_default();
        // The first bits are zero, so that many ids fit into a millisecond.
        let drawn = u128::from(self.next() >> 1);
        self.last_id = (milliseconds << Self::ORDER_BITS | drawn).max(self.last_id + 1);
        let (time, order) = (self.last_id >> Self::ORDER_BITS, self.last_id & ((1 << Self::ORDER_BITS) - 1));
        // 48 bits of time, the version, 12 bits, the variant, and 62 bits.
        let (high, low) = (order >> 62, order & ((1 << 62) - 1));
        Uuid::from_u128(time << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{bytes, first_id, id, link_token};
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_seed_repeats_all_random_numbers_of_its_thread_and_ends_with_its_value() {
        let draw = |seed: u64| {
            let _seeded = seeded(seed);
            let elsewhere = std::thread::spawn(bytes::<8>).join().expect("a thread");
            let drawn = (bytes::<13>(), link_token().expose().to_owned(), id(Time::UNIX_EPOCH));
            (drawn, elsewhere)
        };
        let ((first, elsewhere), (again, elsewhere_again), (other, _)) = (draw(1), draw(1), draw(2));
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert_ne!(elsewhere, elsewhere_again, "another thread has no seed");
        assert_ne!(bytes::<8>(), bytes::<8>());
        assert_ne!(bytes::<13>(), first.0, "the seed has ended");
    }

    #[test]
    fn seeded_ids_sort_in_their_order_and_are_of_version_7() {
        let _seeded = seeded(7);
        let now = Time::UNIX_EPOCH + TimeDelta::days(20_000);
        let times = [now, now, now, now + TimeDelta::milliseconds(1), now - TimeDelta::hours(1), now];
        let ids = times.map(id);
        assert!(ids.is_sorted() && ids[0] >= first_id(now), "{ids:?}");
        assert!(ids.iter().all(|id| id.as_bytes()[14] == b'7' && b"89ab".contains(&id.as_bytes()[19])));
    }
}
