//! What a process holds: memory and descriptors, over time.

use std::{
    fmt, fs,
    time::{Duration, Instant},
};

/// The last third of a run may hold this much more than the first: the allocator's and the database's caches fill.
const MARGIN: f64 = 0.15;
const SLACK_KIB: u64 = 16 << 10;
const SLACK_DESCRIPTORS: u64 = 32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) memory_kib: u64,
    pub(super) descriptors: u64,
}

pub(super) struct Samples {
    process: u32,
    begun: Instant,
    taken: Vec<Sample>,
}

impl Samples {
    pub(super) fn of(process: u32) -> Self {
        Self { process, begun: Instant::now(), taken: Vec::new() }
    }

    pub(super) fn take(&mut self) -> Sample {
        let memory_kib = kib(self.process, "VmRSS");
        let descriptors =
            fs::read_dir(format!("/proc/{}/fd", self.process)).expect("the process lives").count();
        let sample = Sample { at: self.begun.elapsed(), memory_kib, descriptors: descriptors as u64 };
        self.taken.push(sample);
        sample
    }

    /// The most memory that the process ever had.
    pub(super) fn peak_kib(&self) -> u64 {
        kib(self.process, "VmHWM")
    }

    /// Fails if the last third of the samples is above the first one.
    pub(super) fn expect_flat(&self) {
        let third = self.taken.len() / 3;
        let (first, last) = (&self.taken[..third], &self.taken[self.taken.len() - third..]);
        let median = |samples: &[Sample], of: fn(&Sample) -> u64| {
            let mut values: Vec<_> = samples.iter().map(of).collect();
            values.sort_unstable();
            values[values.len() / 2]
        };
        for (name, of, slack) in [
            ("memory", (|sample: &Sample| sample.memory_kib) as fn(&Sample) -> u64, SLACK_KIB),
            ("descriptors", |sample| sample.descriptors, SLACK_DESCRIPTORS),
        ] {
            let (before, after) = (median(first, of), median(last, of));
            let limit = before + slack + (before as f64 * MARGIN) as u64;
            assert!(after <= limit, "{name} grew from {before} to {after}:\n{self}");
        }
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8} {:>12} {:>12}", "seconds", "memory KiB", "descriptors")?;
        // At most forty lines.
        for sample in self.taken.iter().step_by(self.taken.len() / 40 + 1) {
            writeln!(f, "{:>8} {:>12} {:>12}", sample.at.as_secs(), sample.memory_kib, sample.descriptors)?;
        }
        Ok(())
    }
}

fn kib(process: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = line.and_then(|line| line.split_whitespace().next()).expect("the field");
    value.parse().expect("a number")
}
