//! Frames without end.

use super::{
    siege::Siege,
    sizes,
    wire::{End, Flooded, Wire, begin, frame, head, kind},
};

const RESOLVE: &str = "/deskplane.v1.AgentService/ResolveProfile";

/// So many pieces of a flood, over as many connections as that takes; how the first one ended, and
/// how many there were.
async fn flood(
    siege: &Siege,
    total: usize,
    first: &[u8],
    piece: impl Fn(usize) -> Vec<u8>,
) -> (End, usize) {
    let (mut sent, mut connections, mut ends) = (0, 0, None);
    while sent < total {
        let Ok(mut wire) = Wire::connect(siege.address(), &[]).await else { continue };
        wire.say(first).await.unwrap();
        let Flooded { sent: now, end } = wire.flood(total - sent, &piece).await;
        ends.get_or_insert(end);
        sent += now.max(1);
        connections += 1;
    }
    (ends.unwrap(), connections)
}

/// The stream of a piece.
fn stream(at: usize) -> u32 {
    2 * at as u32 + 1
}

fn reset(at: usize) -> Vec<u8> {
    let mut bytes = begin(stream(at), RESOLVE);
    bytes.extend(frame(kind::RST_STREAM, 0, stream(at), &[0, 0, 0, 8]));
    bytes
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) frames: usize,
    /// Control frames of a connection that are permitted, if not as many as by default.
    pub(super) permitted: Option<&'static str>,
}

pub(super) const SMALL: Size = Size { frames: 5_000, permitted: Some("1000") };
pub(super) const FULL: Size = Size { frames: 100_000, permitted: None };

async fn siege(size: Size) -> Siege {
    let mut settings = vec![("LIMITS__WRITE_STALL_S", "1")];
    settings.extend(size.permitted.map(|most| ("LIMITS__CONTROL_FRAMES", most)));
    Siege::lay(&settings).await
}

pub(super) async fn refused(
    size: Size,
    what: &str,
    first: &[u8],
    piece: impl Fn(usize) -> Vec<u8>,
) {
    let siege = siege(size).await;
    let name = format!("{} {what}", size.frames);
    let (end, connections) = siege.during(&name, flood(&siege, size.frames, first, piece)).await;
    println!("  {end:?} at first, {connections} connections");
    assert_ne!(end, End::Open, "{name}: nothing bounds it");
    siege
        .until("deskplane_connections_closed_total{limit=\"flood\"}", |closed| closed >= 1.0)
        .await;
    siege.lift().await;
}

async fn rapid_resets(size: Size) {
    refused(size, "rapid resets", &[], reset).await;
}

/// Calls that are given up once they are taken up, which HTTP/2 sees nothing wrong in.
async fn resets_of_calls(size: Size) {
    /// As many as may be reset in one go, and fewer.
    const AT_ONCE: usize = 16;
    let siege = siege(size).await;
    let name = format!("{} resets of calls that were taken up", size.frames);
    let connections = siege
        .during(&name, async {
            let (mut at, mut connections) = (0, 0);
            while at < size.frames {
                let mut wire = Wire::connect(siege.address(), &[]).await.unwrap();
                connections += 1;
                loop {
                    let calls = (at..at + AT_ONCE).flat_map(|at| begin(stream(at), RESOLVE));
                    let calls: Vec<_> = calls.collect();
                    let resets = (at..at + AT_ONCE)
                        .flat_map(|at| frame(kind::RST_STREAM, 0, stream(at), &[0, 0, 0, 8]));
                    let resets: Vec<_> = resets.collect();
                    at += AT_ONCE;
                    if !wire.ask(&calls).await || !wire.ask(&resets).await || at >= size.frames {
                        break;
                    }
                }
            }
            connections
        })
        .await;
    println!("  {connections} connections");
    assert!(siege.closed("flood").await >= 1.0, "{name}: nothing bounds it");
    siege.lift().await;
}

async fn empty_data(size: Size) {
    let first = begin(1, RESOLVE);
    refused(size, "empty DATA frames", &first, |_| frame(kind::DATA, 0, 1, &[])).await;
}

async fn continuations(size: Size) {
    let first = frame(kind::HEADERS, 0, 1, &head(RESOLVE));
    let field = b"\0\x01x\x01y";
    refused(size, "CONTINUATION frames", &first, |_| frame(kind::CONTINUATION, 0, 1, field)).await;
}

async fn settings(size: Size) {
    refused(size, "SETTINGS frames", &[], |_| {
        frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])
    })
    .await;
}

async fn pings(size: Size) {
    refused(size, "PING frames", &[], |at| frame(kind::PING, 0, 0, &at.to_be_bytes())).await;
}

async fn window_updates(size: Size) {
    refused(size, "WINDOW_UPDATE frames", &[], |_| frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))
        .await;
}

async fn priorities(size: Size) {
    refused(size, "PRIORITY frames", &[], |at| {
        frame(kind::PRIORITY, 0, stream(at), &[0, 0, 0, 0, 9])
    })
    .await;
}

async fn unknown_frames(size: Size) {
    refused(size, "frames of no kind", &[], |_| frame(kind::UNKNOWN, 0, 0, &[])).await;
}

sizes! {
    rapid_resets: super::SMALL, super::FULL;
    resets_of_calls: super::SMALL, super::FULL;
    empty_data: super::SMALL, super::FULL;
    continuations: super::SMALL, super::FULL;
    settings: super::SMALL, super::FULL;
    pings: super::SMALL, super::FULL;
    window_updates: super::SMALL, super::FULL;
    priorities: super::SMALL, super::FULL;
    unknown_frames: super::SMALL, super::FULL;
}
