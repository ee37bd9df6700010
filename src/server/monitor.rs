//! What probes and collectors of metrics are told, on a listener of their own: `/livez`, `/readyz`
//! and `/metrics`, over HTTP/1.1.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{
    Counter, Gauge, Recorder, counter, describe_counter, describe_gauge, gauge, with_local_recorder,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time,
};

use crate::{
    ledger::Ledger,
    store::{
        Condition,
        durable::{BUCKETS, Meters},
    },
    voice::Voice,
    watch::Hub,
};

/// Connections at a time; further ones wait.
const CONNECTIONS: usize = 32;
/// Time in which the head of a request must be there.
const HEAD: Duration = Duration::from_secs(10);
/// Age at which a connection is cut.
const AGE: Duration = Duration::from_secs(300);
/// Most bytes of the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// How often what histograms gather is folded, so that it does not grow while nobody asks.
const FOLD: Duration = Duration::from_secs(5);
/// Rest after a connection that could not be accepted.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// Answers probes and collectors of metrics from its start on until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
    meters: Meters,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    handle: PrometheusHandle,
    revision: Gauge,
    streams: Gauge,
    voice: VoiceMeters,
    phase: Mutex<Phase>,
}

/// Figures of voice.
#[derive(Debug)]
struct VoiceMeters {
    live_calls: Gauge,
    streams: Gauge,
    /// Applied, repeated, late, of nobody.
    events: [Counter; 4],
    refused: Counter,
}

/// Where a server is in its life.
#[derive(Debug)]
enum Phase {
    Starting,
    Serving(Live),
    Draining(Live),
}

/// What a server at work is asked.
#[derive(Debug, Clone)]
struct Live {
    ledger: Ledger,
    hub: Hub,
    voice: Voice,
    condition: watch::Receiver<Condition>,
}

// === impl Monitor ===

impl Monitor {
    /// Answers on a listener, at first that the server is not ready. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the names and buckets of the metrics do not fit each other.
    pub fn start(listener: TcpListener) -> Result<Self, BuildError> {
        let builder = PrometheusBuilder::new();
        let recorder = BUCKETS.iter().try_fold(builder, |builder, (name, bounds)| {
            builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
        });
        let recorder = recorder?.build_recorder();
        let (revision, streams) = gauges(&recorder);
        let meters = Meters::new(&recorder);
        let phase = Mutex::new(Phase::Starting);
        let voice = VoiceMeters::new(&recorder);
        let shared =
            Arc::new(Shared { handle: recorder.handle(), revision, streams, voice, phase });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        let folded = Arc::clone(&shared);
        tasks.spawn(async move {
            loop {
                time::sleep(FOLD).await;
                folded.handle.run_upkeep();
            }
        });
        Ok(Self { shared, meters, _tasks: tasks })
    }

    /// Where the figures of the store go.
    pub fn meters(&self) -> Meters {
        self.meters.clone()
    }

    /// The server is ready.
    pub(super) fn serving(
        &self,
        ledger: Ledger,
        hub: Hub,
        voice: Voice,
        condition: watch::Receiver<Condition>,
    ) {
        *self.shared.phase() = Phase::Serving(Live { ledger, hub, voice, condition });
    }

    /// The server ends.
    pub(super) fn draining(&self) {
        let mut phase = self.shared.phase();
        if let Phase::Serving(live) = &*phase {
            *phase = Phase::Draining(live.clone());
        }
    }
}

fn gauges(recorder: &dyn Recorder) -> (Gauge, Gauge) {
    with_local_recorder(recorder, || {
        describe_gauge!("deskplane_revision", "Revision of the newest write that is answered for");
        describe_gauge!("deskplane_watch_streams", "Open streams of live updates");
        (gauge!("deskplane_revision"), gauge!("deskplane_watch_streams"))
    })
}

impl VoiceMeters {
    fn new(recorder: &dyn Recorder) -> Self {
        with_local_recorder(recorder, || {
            describe_gauge!("deskplane_voice_calls_live", "Calls that are not over");
            describe_gauge!("deskplane_voice_streams", "Open streams of calls");
            describe_counter!(
                "deskplane_voice_events_total",
                "Verified events of vendors, by outcome"
            );
            describe_counter!(
                "deskplane_voice_webhooks_refused_total",
                "Webhooks that were not believed"
            );
            let event = |outcome| counter!("deskplane_voice_events_total", "outcome" => outcome);
            Self {
                live_calls: gauge!("deskplane_voice_calls_live"),
                streams: gauge!("deskplane_voice_streams"),
                events: ["applied", "repeated", "late", "nobody"].map(event),
                refused: counter!("deskplane_voice_webhooks_refused_total"),
            }
        })
    }

    fn set(&self, voice: &Voice) {
        let now = voice.figures();
        self.live_calls.set(now.live_calls as f64);
        self.streams.set(now.streams as f64);
        let events = [now.applied, now.repeated, now.late, now.unknown];
        self.events.iter().zip(events).for_each(|(counter, count)| counter.absolute(count));
        self.refused.absolute(now.refused);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = stream else {
            time::sleep(AFTER_ERROR).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // Whoever is cut or goes has had its answer, or asks again.
            time::timeout(AGE, talk(stream, &shared)).await.ok();
            drop(place);
        });
    }
}

async fn talk(stream: TcpStream, shared: &Shared) -> hyper::Result<()> {
    let answer = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(shared.answer(request.method(), request.uri().path()))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}

// === impl Shared ===

impl Shared {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let (status, kind, body) = match path {
            _ if !["/livez", "/readyz", "/metrics"].contains(&path) => {
                (StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned())
            }
            _ if *method != Method::GET && *method != Method::HEAD => {
                (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET or HEAD\n".to_owned())
            }
            "/livez" => (StatusCode::OK, "text/plain", "ok\n".to_owned()),
            "/readyz" => self.ready(),
            _ => (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.figures()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn ready(&self) -> (StatusCode, &'static str, String) {
        let (ready, condition) = match &*self.phase() {
            Phase::Starting => (false, None),
            Phase::Serving(live) => (true, Some(live.condition.borrow().clone())),
            Phase::Draining(live) => (false, Some(live.condition.borrow().clone())),
        };
        let body = json!({
            "ready": ready,
            "writable": ready && condition.as_ref().is_some_and(Condition::writable),
            "damaged": condition.and_then(|condition| condition.damaged),
        });
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, "application/json", format!("{body}\n"))
    }

    fn figures(&self) -> String {
        if let Phase::Serving(live) | Phase::Draining(live) = &*self.phase() {
            self.revision.set(live.ledger.catalog().revision as f64);
            self.streams.set(live.hub.streams() as f64);
            self.voice.set(&live.voice);
        }
        self.handle.render()
    }
}
