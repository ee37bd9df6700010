//! One connection for events: it reads them, reports those of calls, and runs the next step of each
//! call.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error as Failure, Message as Frame};

use super::{
    call_table::{CallTable, Observed, Outcome, Task},
    client::{Client, Onward, Originate},
    config::Config,
    line::Step,
    message::Message,
    names::{LineId, Side},
    socket::{self, Socket},
};
use crate::{
    BackoffPolicy, CallEvent, Cause, Clock, Effect, Error, ErrorKind, EventStream, Result,
    layers::MAX_VENDOR_WAIT,
};

/// How often a ping is sent.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Silence after which the connection is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// Pauses between the three attempts of a step. No caller waits for it, so no one else retries it.
const STEPS: BackoffPolicy = BackoffPolicy {
    first: Duration::from_millis(500),
    widest: Duration::from_secs(1),
    times: Some(2),
};

/// What all requests and the subscription at one application share.
#[derive(Debug)]
pub(super) struct AriApplication {
    pub(super) config: Config,
    pub(super) client: Client,
    pub(super) clock: Clock,
    calls: Mutex<CallTable>,
}

/// One connection for events.
struct Session {
    application: Arc<AriApplication>,
    socket: Socket,
    work: FuturesUnordered<BoxFuture<'static, (Task, Result<()>)>>,
    ready: VecDeque<CallEvent>,
    /// How it ended, once it has.
    end: Option<Option<Error>>,
    pings: tokio::time::Interval,
    last_frame: Instant,
}

impl AriApplication {
    pub(super) fn new(config: Config, client: Client, clock: Clock) -> Self {
        let calls = Mutex::new(CallTable::new(&config.app));
        Self { config, client, clock, calls }
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, CallTable> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, applies a listing of what is there, and subscribes from then on.
    pub(super) async fn listen(self: &Arc<Self>) -> Result<EventStream> {
        let socket = socket::open(&self.client, &self.config.app).await?;
        let (channels, bridges) = tokio::try_join!(self.client.channels(), self.client.bridges())?;
        self.calls().apply_listing(&channels, &bridges);
        let joined = self.calls().joined();
        for id in joined {
            let held = self.client.is_held(&id.channel(Side::Customer)).await?;
            self.calls().hold(&id, held);
        }
        let outcome = self.calls().conclude_all(&self.observed("listed"));
        Ok(self.run_session(socket, outcome))
    }

    /// Reads a connection, and runs the steps that its events lead to.
    pub(super) fn run_session(self: &Arc<Self>, socket: Socket, outcome: Outcome) -> EventStream {
        let start = Instant::now();
        let mut pings = interval_at(start + PING_EVERY, PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session = Session {
            application: Arc::clone(self),
            socket,
            work: FuturesUnordered::new(),
            ready: VecDeque::new(),
            end: None,
            pings,
            last_frame: start,
        };
        session.apply_outcome(outcome);
        let next = async |mut session: Session| Some((session.next().await?, session));
        stream::unfold(session, next).boxed()
    }

    /// An observation of now, made otherwise than by an event.
    fn observed(&self, how: &str) -> Observed {
        let now = self.clock.now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Observed { key: format!("{how}/{}", since.as_millis()), at: Some(now) }
    }

    /// Runs a step, with retries where repeating it is safe.
    async fn perform_with_retries(&self, task: &Task) -> Result<()> {
        for pause in STEPS.pauses() {
            match self.perform_once(task).await {
                Err(error) if error.temporary() && may_retry(task.step, &error) => {
                    sleep(pause).await
                }
                done => return done,
            }
        }
        self.perform_once(task).await
    }

    async fn perform_once(&self, task: &Task) -> Result<()> {
        let (client, line) = (&self.client, &task.line);
        match task.step {
            Step::Ring(side) => {
                // Making a bridge twice makes one, so this may always be tried again.
                let made = within_limit(client.create_bridge(&line.bridge())).await;
                made.map_err(|error| error.with_effect(Effect::None))?;
                self.ring(task, side).await
            }
            Step::Join => {
                let channels = Side::BOTH.map(|side| line.channel(side));
                if let LineId::Inbound(caller) = line {
                    within_limit(client.answer(caller)).await?;
                }
                within_limit(client.join(&line.bridge(), [&channels[0], &channels[1]])).await
            }
            Step::HangUp(side) => within_limit(client.hang_up(&line.channel(side))).await.map(drop),
            Step::GiveBack => {
                match within_limit(client.proceed(&line.channel(Side::Customer), &Onward::Back))
                    .await
                {
                    Err(error) if has_left(&error) => Ok(()),
                    done => done,
                }
            }
            Step::Clean => within_limit(client.remove_bridge(&line.bridge())).await,
        }
    }

    /// Dials the second party. When the outcome is unknown, what may have been dialled is hung up.
    async fn ring(&self, task: &Task, side: Side) -> Result<()> {
        let details = &task.details;
        let invalid = |error: crate::AddressInvalid| {
            Error::new(ErrorKind::InvalidArgument, error.to_string())
        };
        let shown = Some(details.from.as_str()).filter(|from| !from.is_empty());
        let (endpoint, caller_id) = match side {
            Side::Agent => (self.config.agent(&details.agent)?, shown),
            Side::Customer => {
                let to = details.to.parse().map_err(invalid)?;
                (self.config.outside(&to)?, shown.or(self.config.caller_id.as_deref()))
            }
        };
        let id = task.line.channel(side);
        let channel = Originate {
            id: id.clone(),
            endpoint,
            args: String::new(),
            caller_id,
            timeout_s: self.config.ring_timeout_s,
        };
        match within_limit(self.client.originate(&channel)).await {
            Err(error) if error.effect() == Effect::Unknown => {
                within_limit(self.client.hang_up(&id)).await?;
                Err(error)
            }
            done => done,
        }
    }
}

/// Limits a request: a step has no caller with a deadline.
async fn within_limit<T>(request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::new(ErrorKind::Timeout, "no answer in time"));
    timeout(MAX_VENDOR_WAIT, request).await.unwrap_or_else(late)
}

/// Whether a step that failed so may be tried again.
fn may_retry(step: Step, error: &Error) -> bool {
    error.effect() == Effect::None || !matches!(step, Step::Ring(_))
}

/// Whether Asterisk reports that a channel has left the application.
fn has_left(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict)
}

impl Session {
    /// The next event; none when the connection has ended.
    async fn next(&mut self) -> Option<Result<CallEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(end) = &mut self.end {
                return end.take().map(Err);
            }
            tokio::select! {
                Some((task, done)) = self.work.next() => self.complete_task(&task, done),
                frame = self.socket.next() => self.read(frame),
                _ = self.pings.tick() => self.ping().await,
            }
        }
    }

    fn apply_outcome(&mut self, outcome: Outcome) {
        self.ready.extend(outcome.events);
        for task in outcome.tasks {
            let application = Arc::clone(&self.application);
            let work = async move {
                let done = application.perform_with_retries(&task).await;
                (task, done)
            };
            self.work.push(work.boxed());
        }
    }

    /// A failed cleanup ends the connection: the next one finds the rest in its listing, and retries.
    fn complete_task(&mut self, task: &Task, done: Result<()>) {
        let failed = done.is_err().then_some(Cause::Failed);
        let observed = self.application.observed("step");
        let outcome = self.application.calls().complete_step(task, failed, &observed);
        self.apply_outcome(outcome);
        let clearing = matches!(task.step, Step::HangUp(_) | Step::GiveBack | Step::Clean);
        if let Some(error) = done.err().filter(|_| clearing) {
            self.end = Some(Some(error));
        }
    }

    fn read(&mut self, frame: Option<Result<Frame, Failure>>) {
        self.last_frame = Instant::now();
        match frame {
            Some(Ok(Frame::Text(text))) => self.read_event(text.as_bytes()),
            Some(Ok(Frame::Binary(_))) => self.fail(ErrorKind::Protocol, "an event is no text"),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
            Some(Ok(Frame::Close(_))) | None => self.end = Some(None),
            Some(Err(failure)) => self.end = Some(Some(socket::broken(&failure))),
        }
    }

    fn read_event(&mut self, text: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Message>(text) else {
            return self.fail(ErrorKind::Protocol, "an event is not as documented");
        };
        if message.kind == "ApplicationReplaced" {
            let what = "somebody else listens to the application now";
            return self.fail(ErrorKind::Conflict, what);
        }
        let outcome = self.application.calls().apply_event(&message);
        self.apply_outcome(outcome);
    }

    /// Sends a ping, and gives up a silent connection; pings of the other side are answered by the socket itself.
    async fn ping(&mut self) {
        let sent = timeout(PING_EVERY, self.socket.send(Frame::Ping(Bytes::new()))).await;
        if self.last_frame.elapsed() >= SILENCE || !matches!(sent, Ok(Ok(()))) {
            self.fail(ErrorKind::Unavailable, "the connection for events is silent");
        }
    }

    fn fail(&mut self, kind: ErrorKind, what: &str) {
        self.end = Some(Some(Error::new(kind, what).with_effect(Effect::None)));
    }
}
