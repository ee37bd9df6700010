//! The scrubber: whether what was written can still be read, and, while it rests, how much room is
//! left.
//!
//! Verification reads every checkpoint, history file and segment again, the one that is being written up to
//! its last durable group, with the readers that a start uses. It reads little at a time and rests
//! between. What it finds is noted, logged and repaired; see `repair.rs`.

use std::{
    cell::Cell,
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    CURE,
    appender::Appender,
    archive::Archive,
    checkpoint,
    checkpoints::Checkpoints,
    context::Context,
    damaged, files,
    history::{self, Span},
    pending::Damage,
    queue::Queue,
    segment::{self, Segment},
};
use crate::store::{Error, Result, Revision, io::File};

/// How often the free space is looked at.
const SPACE_INTERVAL: Duration = Duration::from_secs(10);
/// Time after a start in which nothing is verified.
const SCRUB_DELAY: Duration = Duration::from_secs(60);
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;
/// Rest after each of them: at most 16 MiB are read a second.
const PAUSE: Duration = Duration::from_micros(62_500);

/// Reads files again.
#[derive(Debug)]
pub(super) struct Scrubber {
    context: Arc<Context>,
    queue: Arc<Queue>,
    appender: Arc<Appender>,
    archive: Arc<Archive>,
    checkpoints: Arc<Checkpoints>,
}

/// How a reader in the background is paced.
pub(super) trait Pace: fmt::Debug + Sync {
    /// Rests so long; false when the work is to end.
    fn rest(&self, time: Duration) -> bool;
}

/// Rests while it looks at the free space from time to time.
#[derive(Debug)]
struct Checking<'a> {
    scrubber: &'a Scrubber,
    next: Mutex<Instant>,
}

/// Reads on at once.
#[derive(Debug)]
pub(super) struct Unpaced;

/// A file that can be verified.
#[derive(Debug, Clone, Copy)]
enum Part {
    Checkpoint(Revision),
    /// The segment after a revision.
    Segment(Revision),
    History(Span),
}

/// What a part should be.
struct Expected {
    path: PathBuf,
    /// How much of it is durable, if that is not all.
    end: Option<u64>,
    /// Its last revision.
    last: Revision,
}

/// How a part is.
enum State {
    Sound,
    Damaged(Damage, String),
    /// It is not needed any more.
    Passed,
    /// It cannot be opened now.
    Unread,
    /// The work is to end.
    Ended,
}

/// The durable part of a file, read in pieces.
#[derive(Debug)]
struct Paced<'a> {
    file: Box<dyn File>,
    len: u64,
    context: &'a Context,
    rest: &'a dyn Pace,
    /// Where it could not be read.
    unread: Cell<Option<u64>>,
    ended: Cell<bool>,
}

// === impl Checking ===

impl Pace for Checking<'_> {
    fn rest(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            if now >= *next {
                self.scrubber.check_space();
                *next = now + SPACE_INTERVAL;
            }
            let wait = end.min(*next).saturating_duration_since(now);
            if !self.scrubber.context.stop.wait(wait) || self.scrubber.context.failed() {
                return false;
            }
            if Instant::now() >= end {
                return true;
            }
        }
    }
}

impl Pace for Unpaced {
    fn rest(&self, _: Duration) -> bool {
        true
    }
}

// === impl Scrubber ===

impl Scrubber {
    pub(super) fn new(
        context: Arc<Context>,
        queue: Arc<Queue>,
        appender: Arc<Appender>,
        archive: Arc<Archive>,
        checkpoints: Arc<Checkpoints>,
    ) -> Self {
        Self { context, queue, appender, archive, checkpoints }
    }

    /// Looks after the store until it is told to stop; verifies everything once in each period.
    pub(super) fn run(&self, period: Option<Duration>) {
        let rest = Checking { scrubber: self, next: Mutex::new(Instant::now()) };
        let mut go_on = rest.rest(SCRUB_DELAY);
        while go_on {
            go_on = match period {
                Some(period) => self.verify(period, &rest).is_some(),
                None => rest.rest(SPACE_INTERVAL),
            };
        }
    }

    /// Sees whether writes can be taken, and how much the journal takes up.
    pub(super) fn check_space(&self) {
        self.appender.look_for_room();
        let io = &*self.context.layout.io;
        let len = |path: &PathBuf| io.open(path).and_then(|file| file.len());
        let segments = files::list(io, &self.context.layout.journal(), segment::ENDING);
        // Without a handle there is no figure, and the last one stays.
        if let Ok(lengths) =
            segments.and_then(|all| all.iter().map(len).collect::<io::Result<Vec<_>>>())
        {
            self.context.meters.journal_bytes.set(lengths.iter().sum::<u64>() as f64);
        }
    }

    /// Reads every file once, spread over a period; what is damaged. None when it was told to end.
    pub(super) fn verify(&self, period: Duration, rest: &dyn Pace) -> Option<Vec<String>> {
        let kept = self.checkpoints.kept().clone();
        let mut parts: Vec<_> = kept.into_iter().map(Part::Checkpoint).collect();
        parts.extend(self.archive.spans().iter().copied().map(Part::History));
        parts.extend(self.appender.segments()?.into_iter().map(Part::Segment));
        // A file that is to be made superfluous is not among them any more, and may be there still.
        let mut whole = self.queue.is_calm();
        // Each has its turn, also when the server is started so often that no pass comes to its end.
        fastrand::shuffle(&mut parts);
        let share = period / u32::try_from(parts.len().max(1)).unwrap_or(u32::MAX);
        let mut found = Vec::new();
        for part in &parts {
            match self.examine(*part, rest) {
                State::Sound | State::Passed => {}
                State::Unread => whole = false,
                State::Damaged(damage, what) => {
                    tracing::error!(
                        what,
                        "a file of the store is damaged. Nothing is served from it, and another one \
                         is to take its place; see to the disk, and make a backup"
                    );
                    self.context.note(|condition| {
                        condition.damaged = Some(what.clone());
                        true
                    });
                    self.queue.repair(damage);
                    found.push(what);
                }
                State::Ended => return None,
            }
            if !rest.rest(share) {
                return None;
            }
        }
        if found.is_empty() && whole {
            self.context.note(|condition| condition.damaged.take().is_some());
        }
        // A store without a file yet waits for the next pass.
        (!parts.is_empty() || rest.rest(period)).then_some(found)
    }

    /// Reads one file.
    fn examine(&self, part: Part, rest: &dyn Pace) -> State {
        let Some(expected) = self.expected(part) else {
            return State::Passed;
        };
        let path = &expected.path;
        let opened = self.context.layout.io.open(path).and_then(|file| Ok((file.len()?, file)));
        let (len, file) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It may have been removed as superfluous a moment ago.
                return match self.expected(part) {
                    Some(_) => part.damaged(damaged(path, 0, "the file is gone")),
                    None => State::Passed,
                };
            }
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "a file of the store could not be verified");
                return State::Unread;
            }
        };
        let len = expected.end.map_or(len, |end| end.min(len));
        let (unread, ended) = (Cell::new(None), Cell::new(false));
        let paced = Paced { file, len, context: &self.context, rest, unread, ended };
        let read = self.read(part, &expected, &paced);
        match (read, paced.unread.get()) {
            _ if paced.ended.get() => State::Ended,
            (Ok(()), _) => State::Sound,
            (Err(error), Some(at)) => {
                let what = format!("it cannot be read: {error}");
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                part.damaged(damaged(path, at, &what))
            }
            (Err(error), None) => part.damaged(error),
        }
    }

    fn read(&self, part: Part, expected: &Expected, file: &dyn File) -> Result<()> {
        let path = &expected.path;
        match part {
            Part::Checkpoint(_) => {
                return checkpoint::check(file, path, self.context.ids, |_| Ok(()));
            }
            Part::History(_) => {
                return history::read_file(file, path, self.context.ids, |_| Ok(())).map(drop);
            }
            Part::Segment(_) => {}
        }
        let (segment, error) = Segment::judge(path, files::content(file)?, self.context.ids)?;
        // What a sound beginning holds is looked at first: its place is the first damage.
        for group in &segment.groups {
            segment.records(group)?;
        }
        let bad = |what: &str| Err(damaged(path, segment.end, what));
        match error {
            Some(error) => Err(error),
            None if segment.torn => bad("a bad frame behind the last group"),
            None if segment.last() != expected.last => bad(&format!(
                "it ends at revision {}, but its last one is {}",
                segment.last(),
                expected.last
            )),
            None => Ok(()),
        }
    }

    /// What a part should be; none when it is not needed any more.
    fn expected(&self, part: Part) -> Option<Expected> {
        match part {
            Part::Checkpoint(at) => {
                let kept = self.checkpoints.kept().contains(&at);
                let path = checkpoint::path(&self.context.layout.checkpoints(), at);
                kept.then_some(Expected { path, end: None, last: at })
            }
            Part::History(span) => {
                let kept = self.archive.spans().contains(&span);
                let path = history::path(&self.context.layout.history(), span);
                kept.then_some(Expected { path, end: None, last: span.last })
            }
            Part::Segment(after) => {
                let (end, last) = self.appender.extent(after)?;
                let path = segment::path(&self.context.layout.journal(), after);
                Some(Expected { path, end, last })
            }
        }
    }
}

// === impl Part ===

impl Part {
    fn damaged(self, error: Error) -> State {
        let what = match error {
            Error::Damaged(what) => what.strip_suffix(CURE).unwrap_or(&what).to_owned(),
            other => other.to_string(),
        };
        let damage = match self {
            Self::Checkpoint(at) => Damage::Checkpoint(at),
            Self::Segment(after) => Damage::Segment(after),
            Self::History(span) => Damage::History(span),
        };
        State::Damaged(damage, what)
    }
}

// === impl Paced ===

impl File for Paced<'_> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let starts = (offset..).step_by(PIECE);
        for (at, piece) in starts.zip(buffer.chunks_mut(PIECE)) {
            if let Err(error) = self.file.read_at(at, piece) {
                self.unread.set(Some(at));
                return Err(error);
            }
            self.context.meters.verified_bytes.increment(piece.len() as u64);
            if !self.rest.rest(PAUSE.mul_f64(piece.len() as f64 / PIECE as f64)) {
                self.ended.set(true);
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(())
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn reserve(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
