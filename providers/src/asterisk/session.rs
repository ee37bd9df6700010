//! One connection for events: it hears, tells, and does what each call needs next.

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
    board::{Board, Learnt, Outcome, Task},
    client::{Client, Onward, Originate},
    config::Config,
    line::Step,
    message::Message,
    names::{LineId, Side},
    socket::{self, Socket},
};
use crate::{
    BackoffPolicy, CallEvent, Cause, Clock, Effect, Error, ErrorKind, EventStream, Result,
    layers::LONGEST,
};

/// How often we ask whether Asterisk is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Silence after which it is not.
const SILENCE: Duration = Duration::from_secs(60);
/// Pauses between the three tries of a step. Nobody outside knows of it, so nobody else would try
/// it again.
const STEPS: BackoffPolicy = BackoffPolicy {
    first: Duration::from_millis(500),
    widest: Duration::from_secs(1),
    times: Some(2),
};

/// What all that is done at one Asterisk shares.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) config: Config,
    pub(super) client: Client,
    pub(super) clock: Clock,
    board: Mutex<Board>,
}

/// One connection for events.
struct Session {
    desk: Arc<Desk>,
    socket: Socket,
    work: FuturesUnordered<BoxFuture<'static, (Task, Result<()>)>>,
    ready: VecDeque<CallEvent>,
    /// How it ended, once it has.
    end: Option<Option<Error>>,
    pings: tokio::time::Interval,
    heard: Instant,
}

impl Desk {
    pub(super) fn new(config: Config, client: Client, clock: Clock) -> Self {
        let board = Mutex::new(Board::new(&config.app));
        Self { config, client, clock, board }
    }

    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, takes up what is there, and listens from then on.
    pub(super) async fn listen(self: &Arc<Self>) -> Result<EventStream> {
        let socket = socket::open(&self.client, &self.config.app).await?;
        let (channels, bridges) = tokio::try_join!(self.client.channels(), self.client.bridges())?;
        self.board().take_up(&channels, &bridges);
        let joined = self.board().joined();
        for id in joined {
            let held = self.client.is_held(&id.channel(Side::Customer)).await?;
            self.board().hold(&id, held);
        }
        let outcome = self.board().catch_up(&self.learnt("listed"));
        Ok(self.attend(socket, outcome))
    }

    /// Listens to a connection, and does what is due.
    pub(super) fn attend(self: &Arc<Self>, socket: Socket, outcome: Outcome) -> EventStream {
        let start = Instant::now();
        let mut pings = interval_at(start + PING_EVERY, PING_EVERY);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session = Session {
            desk: Arc::clone(self),
            socket,
            work: FuturesUnordered::new(),
            ready: VecDeque::new(),
            end: None,
            pings,
            heard: start,
        };
        session.take(outcome);
        let next = async |mut session: Session| Some((session.next().await?, session));
        stream::unfold(session, next).boxed()
    }

    /// What is learnt now, otherwise than by an event.
    fn learnt(&self, how: &str) -> Learnt {
        let now = self.clock.now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Learnt { key: format!("{how}/{}", since.as_millis()), at: Some(now) }
    }

    /// Carries a step out, with some patience where repeating it is harmless.
    async fn perform(&self, task: &Task) -> Result<()> {
        for pause in STEPS.pauses() {
            match self.carry_out(task).await {
                Err(error) if error.temporary() && harmless(task.step, &error) => {
                    sleep(pause).await
                }
                done => return done,
            }
        }
        self.carry_out(task).await
    }

    async fn carry_out(&self, task: &Task) -> Result<()> {
        let (client, line) = (&self.client, &task.line);
        match task.step {
            Step::Ring(side) => {
                // Making a bridge twice makes one, so this may always be tried again.
                let made = in_time(client.create_bridge(&line.bridge())).await;
                made.map_err(|error| error.with_effect(Effect::None))?;
                self.ring(task, side).await
            }
            Step::Join => {
                let channels = Side::BOTH.map(|side| line.channel(side));
                if let LineId::Inbound(caller) = line {
                    in_time(client.answer(caller)).await?;
                }
                in_time(client.join(&line.bridge(), [&channels[0], &channels[1]])).await
            }
            Step::HangUp(side) => in_time(client.hang_up(&line.channel(side))).await.map(drop),
            Step::GiveBack => {
                match in_time(client.proceed(&line.channel(Side::Customer), &Onward::Back)).await {
                    Err(error) if is_away(&error) => Ok(()),
                    done => done,
                }
            }
            Step::Clean => in_time(client.remove_bridge(&line.bridge())).await,
        }
    }

    /// Calls the second party. When nobody knows whether it was called, it must not be.
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
        match in_time(self.client.originate(&channel)).await {
            Err(error) if error.effect() == Effect::Unknown => {
                in_time(self.client.hang_up(&id)).await?;
                Err(error)
            }
            done => done,
        }
    }
}

/// Nobody outside waits for a step, so nobody else would end it.
async fn in_time<T>(request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::new(ErrorKind::Timeout, "no answer in time"));
    timeout(LONGEST, request).await.unwrap_or_else(late)
}

/// Whether a step that failed so may be tried again.
fn harmless(step: Step, error: &Error) -> bool {
    error.effect() == Effect::None || !matches!(step, Step::Ring(_))
}

/// Whether Asterisk says that a channel is not in our hands any more.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict)
}

impl Session {
    /// The next thing to tell; none when the connection is over.
    async fn next(&mut self) -> Option<Result<CallEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(end) = &mut self.end {
                return end.take().map(Err);
            }
            tokio::select! {
                Some((task, done)) = self.work.next() => self.settle(&task, done),
                frame = self.socket.next() => self.read(frame),
                _ = self.pings.tick() => self.ping().await,
            }
        }
    }

    fn take(&mut self, outcome: Outcome) {
        self.ready.extend(outcome.events);
        for task in outcome.tasks {
            let desk = Arc::clone(&self.desk);
            let work = async move {
                let done = desk.perform(&task).await;
                (task, done)
            };
            self.work.push(work.boxed());
        }
    }

    /// What cannot be cleared up now ends the connection: the next one finds it and tries again.
    fn settle(&mut self, task: &Task, done: Result<()>) {
        let failed = done.is_err().then_some(Cause::Failed);
        let learnt = self.desk.learnt("step");
        let outcome = self.desk.board().settle(task, failed, &learnt);
        self.take(outcome);
        let clearing = matches!(task.step, Step::HangUp(_) | Step::GiveBack | Step::Clean);
        if let Some(error) = done.err().filter(|_| clearing) {
            self.end = Some(Some(error));
        }
    }

    fn read(&mut self, frame: Option<Result<Frame, Failure>>) {
        self.heard = Instant::now();
        match frame {
            Some(Ok(Frame::Text(text))) => self.hear(text.as_bytes()),
            Some(Ok(Frame::Binary(_))) => self.fail(ErrorKind::Protocol, "an event is no text"),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
            Some(Ok(Frame::Close(_))) | None => self.end = Some(None),
            Some(Err(failure)) => self.end = Some(Some(socket::broken(&failure))),
        }
    }

    fn hear(&mut self, text: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Message>(text) else {
            return self.fail(ErrorKind::Protocol, "an event is not as documented");
        };
        if message.kind == "ApplicationReplaced" {
            let what = "somebody else listens to the application now";
            return self.fail(ErrorKind::Conflict, what);
        }
        let outcome = self.desk.board().hear(&message);
        self.take(outcome);
    }

    /// Asks for a sign of life; pings of the other side are answered by the socket itself.
    async fn ping(&mut self) {
        let sent = timeout(PING_EVERY, self.socket.send(Frame::Ping(Bytes::new()))).await;
        if self.heard.elapsed() >= SILENCE || !matches!(sent, Ok(Ok(()))) {
            self.fail(ErrorKind::Unavailable, "the connection for events is silent");
        }
    }

    fn fail(&mut self, kind: ErrorKind, what: &str) {
        self.end = Some(Some(Error::new(kind, what).with_effect(Effect::None)));
    }
}
