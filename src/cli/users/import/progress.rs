//! The bar that a terminal shows while an import runs.

use std::time::{Duration, Instant};

use crate::cli::{Io, Result};

/// How often it is drawn at most.
const EVERY: Duration = Duration::from_millis(200);
/// Characters of the bar.
const WIDTH: u64 = 24;
/// Takes away what the line shows.
const CLEAR: &str = "\r\x1b[K";

/// Draws the bar, where a terminal is looked at.
#[derive(Debug)]
pub(super) struct Progress {
    /// Whether there is a terminal.
    shows: bool,
    /// Bytes of the file, if they are known.
    size: Option<u64>,
    begun: Instant,
    drawn: Option<Instant>,
    visible: bool,
}

// === impl Progress ===

impl Progress {
    pub(super) fn new(shows: bool, size: Option<u64>) -> Self {
        Self { shows, size, begun: Instant::now(), drawn: None, visible: false }
    }

    /// Draws it, unless it was drawn a moment ago.
    pub(super) fn draw(&mut self, io: &mut Io<'_>, rows: u64, bytes: u64) -> Result<()> {
        if !self.shows || self.drawn.is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        self.visible = true;
        let line = line(rows, bytes, self.size, self.begun.elapsed());
        write!(io.err, "{CLEAR}{line}")?;
        Ok(io.err.flush()?)
    }

    /// Takes it away, so that another line can be written.
    pub(super) fn clear(&mut self, io: &mut Io<'_>) -> Result<()> {
        if std::mem::take(&mut self.visible) {
            write!(io.err, "{CLEAR}")?;
        }
        Ok(())
    }
}

/// `[######..................]  25 %, 250000 rows, 12500/s, 1:00 left`.
pub(super) fn line(rows: u64, bytes: u64, size: Option<u64>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (rows as f64 / seconds) as u64;
    let Some(size) = size.filter(|size| *size > 0) else {
        return format!("{rows} rows, {rate}/s");
    };
    let bytes = bytes.min(size);
    let done = (bytes * WIDTH / size) as usize;
    let bar = format!("{}{}", "#".repeat(done), ".".repeat(WIDTH as usize - done));
    let left = match bytes {
        0 => "?".to_owned(),
        _ => {
            let left = (seconds * (size - bytes) as f64 / bytes as f64).ceil() as u64;
            format!("{}:{:02}", left / 60, left % 60)
        }
    };
    let percent = bytes * 100 / size;
    format!("[{bar}] {percent:>3} %, {rows} rows, {rate}/s, {left} left")
}
