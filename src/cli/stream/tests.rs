use std::{collections::HashMap, collections::VecDeque, pin::Pin};

use futures_util::future;
use tokio::time::sleep;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::*;

/// What a scripted stream does next.
#[derive(Debug, Clone)]
enum Step {
    /// Sends a message after a while.
    Says(Duration, StreamProgress),
    /// Ends after a while.
    Ends(Duration, Option<Status>),
    /// Stops: neither message nor end.
    Hangs,
}

/// Streams that go by a script, the last one again and again.
#[derive(Debug)]
struct Script {
    streams: VecDeque<Vec<Step>>,
    open: VecDeque<Step>,
    /// When each stream was opened, after the start.
    opened: Vec<Duration>,
    start: Instant,
    left: usize,
    hangs_at_open: bool,
}

impl Script {
    fn new(streams: impl IntoIterator<Item = Vec<Step>>, left: usize) -> Self {
        Self {
            streams: streams.into_iter().collect(),
            open: VecDeque::new(),
            opened: Vec::new(),
            start: Instant::now(),
            left,
            hangs_at_open: false,
        }
    }

    /// Waits between the end of one stream and the next, if streams take no time.
    fn waits(&self) -> Vec<Duration> {
        self.opened.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl Source for Script {
    type Message = StreamProgress;

    async fn open(&mut self) -> Result<()> {
        self.opened.push(self.start.elapsed());
        if self.hangs_at_open {
            future::pending::<()>().await;
        }
        let steps = match self.streams.len() {
            1 => self.streams[0].clone(),
            _ => self.streams.pop_front().unwrap(),
        };
        self.open = steps.into();
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<StreamProgress>, Status> {
        // A message that was waited for in vain is not lost: the step stays in front.
        let step = self.open.front().cloned();
        let waits: Pin<Box<dyn Future<Output = ()>>> = match step {
            Some(Step::Says(after, _) | Step::Ends(after, _)) => Box::pin(sleep(after)),
            Some(Step::Hangs) | None => Box::pin(future::pending()),
        };
        waits.await;
        match self.open.pop_front() {
            Some(Step::Says(_, taken)) => Ok(Some(taken)),
            Some(Step::Ends(_, Some(status))) => Err(status),
            _ => Ok(None),
        }
    }

    fn handle(&mut self, message: StreamProgress, _: &mut Io<'_>) -> Result<StreamProgress> {
        self.left -= 1;
        Ok(StreamProgress { complete: self.left == 0, ..message })
    }
}

const NOW: Duration = Duration::ZERO;
const SILENCE: Duration = Duration::from_secs(90);

fn says(after: u64, in_step: bool) -> Step {
    Step::Says(Duration::from_secs(after), StreamProgress { in_step, ..StreamProgress::default() })
}

fn broken() -> Step {
    Step::Ends(NOW, Some(Status::internal("broken")))
}

/// Follows a script, and answers how it ended and what was noted.
async fn run(script: &mut Script) -> (Result<()>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = follow(script, Some(SILENCE), &mut Io::new(&mut out, &mut err)).await;
    (ended, String::from_utf8(err).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_nothing_is_given_up_after_three_bookmarks() {
    let mut script = Script::new([vec![says(0, false), Step::Hangs], vec![says(0, false)]], 2);
    let (ended, notes) = run(&mut script).await;
    ended.unwrap();
    assert!(notes.starts_with("stream ended (nothing came for 90s); reconnecting in "), "{notes}");
    let wait = script.waits()[0];
    assert!(wait >= SILENCE && wait <= SILENCE + Duration::from_secs(1), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn opening_counts_as_silence_and_bookmarks_end_it() {
    let mut script = Script::new([vec![says(0, false)]], 1);
    script.hangs_at_open = true;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut io = Io::new(&mut out, &mut err);
    let followed = timeout(SILENCE * 4, follow(&mut script, Some(SILENCE), &mut io)).await;
    assert!(followed.is_err());
    assert!(script.opened.len() >= 3, "{:?}", script.opened);

    let quiet = (0..50).map(|_| says(33, true)).collect();
    let mut script = Script::new([quiet], 50);
    let (ended, notes) = run(&mut script).await;
    ended.unwrap();
    assert_eq!((script.opened.len(), notes.as_str()), (1, ""));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_after_every_message_is_asked_less_and_less_often() {
    for step in [broken(), Step::Ends(NOW, None)] {
        let mut script = Script::new([vec![says(0, false), step]], 60);
        run(&mut script).await.0.unwrap();
        let waits = script.waits();
        let (floor, ceiling) = (backoff::STREAM.floor, backoff::STREAM.ceiling);
        assert!(waits.iter().all(|wait| (floor..=ceiling).contains(wait)), "{waits:?}");
        let mean = |waits: &[Duration]| waits.iter().sum::<Duration>() / waits.len() as u32;
        assert!(mean(&waits[10..]) > Duration::from_secs(8), "{waits:?}");
        assert!(mean(&waits[..2]) < Duration::from_secs(2), "{waits:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_or_a_long_life_ends_the_row_of_failures() {
    let lived = MIN_LIFETIME.as_secs() + 1;
    for good in [vec![says(0, true), broken()], vec![says(lived, false), broken()]] {
        let bad = (0..12).map(|_| vec![broken()]);
        let after = [good.clone(), vec![says(0, false)]];
        let mut script = Script::new(bad.chain(after), 2);
        run(&mut script).await.0.unwrap();
        let wait = *script.waits().last().unwrap();
        let wait =
            wait.saturating_sub(Duration::from_secs(if wait > MIN_LIFETIME { lived } else { 0 }));
        assert!(wait <= backoff::STREAM.floor * 2, "{wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_server_names_is_kept() {
    let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(45)));
    let busy = Status::with_error_details(Code::ResourceExhausted, "busy", details);
    let drain = StreamProgress {
        reconnect_after: Some(Duration::from_secs(7)),
        ..StreamProgress::default()
    };
    let drained = vec![Step::Says(NOW, drain), Step::Ends(NOW, Some(Status::unavailable("")))];
    let streams = [vec![Step::Ends(NOW, Some(busy))], drained, vec![says(0, false)]];
    let mut script = Script::new(streams, 2);
    run(&mut script).await.0.unwrap();
    assert_eq!(script.waits(), [45, 7].map(Duration::from_secs));
}

/// A drain that asks to come back at once is no reason to ask without a pause.
#[tokio::test(start_paused = true)]
async fn a_planned_end_without_a_wait_has_the_shortest_one() {
    let drain = StreamProgress { reconnect_after: Some(NOW), ..StreamProgress::default() };
    let mut script = Script::new([vec![Step::Says(NOW, drain), broken()]], 30);
    run(&mut script).await.0.unwrap();
    let waits = script.waits();
    assert!(waits.iter().all(|wait| *wait >= backoff::STREAM.floor), "{waits:?}");
    assert!(waits[10..].iter().sum::<Duration>() > Duration::from_secs(60), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn terminal_reasons_stop_and_all_else_comes_back() {
    let refused = |code, reason: &str| {
        let details = ErrorDetails::with_error_info(reason, "deskplane", HashMap::new());
        Status::with_error_details(code, "no", details)
    };
    let terminal = [
        (Code::NotFound, "USER_NOT_FOUND"),
        (Code::NotFound, "USER_DELETED"),
        (Code::FailedPrecondition, "APP_NOT_APPLICABLE"),
        (Code::PermissionDenied, "USER_DISABLED"),
        (Code::PermissionDenied, "SCOPE_REVOKED"),
        (Code::Unauthenticated, "TOKEN_EXPIRED"),
        (Code::Aborted, "REPLACED"),
        (Code::InvalidArgument, "FIELD_INVALID"),
        (Code::Unimplemented, ""),
    ];
    for (code, reason) in terminal {
        let mut script = Script::new([vec![Step::Ends(NOW, Some(refused(code, reason)))]], 1);
        let (ended, notes) = run(&mut script).await;
        assert_eq!(ended.unwrap_err().status().unwrap().code(), code);
        assert_eq!((script.opened.len(), notes.as_str()), (1, ""), "{reason}");
    }
    let passing = [
        (Code::Unavailable, "DRAINING"),
        (Code::Unavailable, "MAX_AGE"),
        (Code::Unavailable, "SLOW_CONSUMER"),
        (Code::ResourceExhausted, "TOO_MANY_STREAMS"),
        (Code::ResourceExhausted, "SERVER_BUSY"),
        (Code::Internal, "INTERNAL"),
        (Code::Unknown, ""),
        (Code::Cancelled, ""),
        (Code::DeadlineExceeded, ""),
    ];
    for (code, reason) in passing {
        let end = vec![Step::Ends(NOW, Some(refused(code, reason)))];
        let mut script = Script::new([end, vec![says(0, false)]], 1);
        let (ended, notes) = run(&mut script).await;
        ended.unwrap();
        let why = if reason.is_empty() { "no" } else { reason };
        assert!(notes.starts_with(&format!("stream ended ({why}); ")), "{notes}");
    }
}
