//! What a process takes of memory and disk.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

/// Samples, one a second.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Resident bytes of the process.
    memory: Vec<f64>,
    /// Bytes that journal, checkpoints, history and index take of the disk.
    disk: Vec<[u64; 4]>,
}

impl Measured {
    /// Looks once.
    pub(super) fn sample(&mut self, process: u32, folder: &Path) {
        self.memory.push(resident(process));
        let parts = ["journal", "checkpoint", "history", "index"];
        self.disk.push(parts.map(|part| taken(&folder.join(part))));
    }

    /// The most that the folder took.
    pub(super) fn most_disk(&self) -> u64 {
        self.most().iter().sum()
    }

    fn most(&self) -> [u64; 4] {
        self.disk.iter().copied().max_by_key(|parts| parts.iter().sum::<u64>()).unwrap()
    }

    /// What memory grows by in an hour, as a share of its mean: least squares over all samples but
    /// the first third, in which caches fill up.
    pub(super) fn hourly(&self) -> f64 {
        let warm = self.warm();
        let mean = mean(warm);
        let middle = (warm.len() as f64 - 1.0) / 2.0;
        let at = |second: usize| second as f64 - middle;
        let (mut above, mut below) = (0.0, 0.0);
        for (second, memory) in warm.iter().enumerate() {
            above += at(second) * (memory - mean);
            below += at(second) * at(second);
        }
        above / below * 3_600.0 / mean
    }

    /// Bytes by which the mean of the last tenth is above that of the first tenth after the warm-up.
    pub(super) fn growth(&self) -> f64 {
        let warm = self.warm();
        let tenth = warm.len() / 10;
        mean(&warm[warm.len() - tenth..]) - mean(&warm[..tenth])
    }

    /// One line.
    pub(super) fn describe(&self, live: u64, floor: u64) -> String {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        let parts = self.most().map(|part| mib(part as f64));
        format!(
            "memory {:.0} MiB after the warm-up, {:.0} at the end, slope {:+.2} % an hour; disk at \
             most {:.1} MiB (journal {:.1}, checkpoints {:.1}, history {:.1}, index {:.1}), which is {:.2} times the \
             live {:.1} beyond the journal's {:.0}",
            mib(self.warm()[0]),
            mib(*self.memory.last().unwrap()),
            self.hourly() * 100.0,
            mib(self.most_disk() as f64),
            parts[0],
            parts[1],
            parts[2],
            parts[3],
            self.most_disk().saturating_sub(floor) as f64 / live as f64,
            mib(live as f64),
            mib(floor as f64),
        )
    }

    fn warm(&self) -> &[f64] {
        &self.memory[self.memory.len() / 3..]
    }
}

fn mean(all: &[f64]) -> f64 {
    all.iter().sum::<f64>() / all.len() as f64
}

/// Resident bytes of a process; its pages have 4 KiB.
fn resident(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096.0
}

/// Bytes that a folder takes of the disk, reserved ones included.
fn taken(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(file) if file.is_dir() => taken(&entry.path()),
        Ok(file) => file.blocks() * 512,
        // It was removed meanwhile.
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(size).sum()
}
