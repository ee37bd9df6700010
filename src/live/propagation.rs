//! How long commits take to the streams.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Upper bounds of the buckets, in microseconds; one more is without bound.
const BOUNDS: [u64; 13] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000];

/// A histogram of the times from commits to streams.
#[derive(Debug)]
pub(super) struct Propagation {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What the histogram holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PropagationFigures {
    /// Commits by upper bounds in seconds, each with all that took no longer; the last is without
    /// bound.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of the times, in seconds.
    pub seconds: f64,
}

impl Default for Propagation {
    fn default() -> Self {
        let buckets = array::from_fn(|_| AtomicU64::new(0));
        Self { buckets, micros: AtomicU64::new(0) }
    }
}

impl Propagation {
    /// Adds a commit.
    pub(super) fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn figures(&self) -> PropagationFigures {
        let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let mut sum = 0;
        let buckets = bounds.zip(&self.buckets).map(|(bound, bucket)| {
            sum += bucket.load(Ordering::Relaxed);
            (bound, sum)
        });
        let buckets = buckets.collect();
        PropagationFigures { buckets, seconds: self.micros.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_all_that_took_no_longer() {
        let times = Propagation::default();
        for micros in [0, 50, 51, 2_000_000] {
            times.observe(Duration::from_micros(micros));
        }
        let PropagationFigures { buckets, seconds } = times.figures();
        assert_eq!(buckets[..2], [(50e-6, 2), (100e-6, 3)]);
        assert_eq!(buckets[12..], [(1.0, 3), (f64::INFINITY, 4)]);
        assert!((seconds - 2.000_101).abs() < 1e-9, "{seconds}");
    }
}
