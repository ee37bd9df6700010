use proptest::{collection::vec, prelude::*};
use tokio::time::advance;

use super::*;

const HEAD_TIME: Duration = Duration::from_secs(3);
const PING: u8 = 6;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags, 0, 0, 0, 1]);
    bytes.extend(payload);
    bytes
}

/// A connection that may have so many control frames, behind its preface.
fn begun(most: u32) -> Frames {
    let mut frames = Frames::new(most, HEAD_TIME);
    frames.read(PREFACE).unwrap();
    frames
}

#[tokio::test(start_paused = true)]
async fn control_frames_are_counted_wherever_they_are_cut() {
    let mut sent = frame(DATA, 0, &[0; 300]);
    sent.extend(frame(PING, 0, &[0; 8]));
    sent.extend(frame(DATA, 0, &[]));
    sent.extend(frame(DATA, END_STREAM, &[]));
    sent.extend(frame(HEADERS, END_HEADERS, &[6; 20]));
    sent.extend(frame(0xbe, 0, &[PING; 40]));
    for pieces in [1, 2, 7, 9, sent.len()] {
        let mut frames = begun(3);
        for piece in sent.chunks(pieces) {
            frames.read(piece).unwrap();
        }
        assert_eq!(frames.control, 3, "in pieces of {pieces}");
        let more = frames.read(&frame(PING, 0, &[0; 8]));
        assert_eq!(more, Err(Passed::ControlFrames), "in pieces of {pieces}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_may_say_as_much_as_it_likes() {
    let (mut frames, ping) = (begun(2), frame(PING, 0, &[0; 8]));
    for _ in 0..100 {
        frames.read(&ping).unwrap();
        advance(INTERVAL / 2).await;
    }
    for _ in 0..3 {
        frames.read(&ping).unwrap();
    }
    assert_eq!(frames.read(&ping.repeat(3)), Err(Passed::ControlFrames));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_earns_control_frames() {
    let (mut frames, ping) = (begun(1), frame(PING, 0, &[0; 8]));
    for _ in 0..10_000 {
        frames.sent += 100;
        frames.read(&ping.repeat(2)).unwrap();
    }
    // The answers to a flood do not pay for it.
    let mut frames = begun(100);
    let flood = (0..1_000).try_for_each(|_| {
        frames.sent += 17;
        frames.read(&ping)
    });
    assert_eq!(flood, Err(Passed::ControlFrames));
}

#[tokio::test(start_paused = true)]
async fn headers_must_come_to_their_end() {
    for (what, first, drip, last) in [
        (
            "a frame of a byte a second",
            &frame(HEADERS, END_HEADERS, &[0; 90])[..20],
            &[0][..],
            true,
        ),
        (
            "frames that others follow",
            &frame(HEADERS, 0, &[0; 9]),
            &frame(CONTINUATION, 0, &[]),
            true,
        ),
        (
            "headers that have ended",
            &frame(HEADERS, END_HEADERS, &[0; 9]),
            &frame(DATA, 0, &[0]),
            false,
        ),
    ] {
        let mut frames = begun(1_000);
        frames.read(first).unwrap();
        let mut ended = Ok(());
        for _ in 0..4 {
            advance(Duration::from_secs(1)).await;
            ended = ended.and(frames.read(drip));
        }
        assert_eq!(ended, if last { Err(Passed::Head) } else { Ok(()) }, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_not_looked_at() {
    for start in [&b"GET / HTTP/1.1\r\n"[..], b"PRI * HTTP/1.1\r\n", b"\x16\x03\x01"] {
        let mut frames = Frames::new(1, HEAD_TIME);
        for byte in start {
            frames.read(&[*byte]).unwrap();
        }
        frames.read(&frame(PING, 0, &[0; 8]).repeat(100)).unwrap();
    }
}

/// How the reading of bytes ends that come in pieces, and how many control frames it counted.
fn outcome<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Result<(), Passed>, u64) {
    let mut frames = begun(10);
    let ended = pieces.into_iter().try_for_each(|piece| frames.read(piece));
    (ended, frames.control)
}

proptest! {
    #[test]
    fn it_makes_no_difference_how_frames_are_cut(
        frames in vec((0_u8..12, any::<u8>(), vec(any::<u8>(), 0..40)), 0..30),
        noise in vec(any::<u8>(), 0..40),
        piece in 1_usize..30,
    ) {
        let frames = frames.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, payload));
        let bytes: Vec<_> = frames.chain(noise).collect();
        prop_assert_eq!(outcome(bytes.chunks(piece)), outcome([&bytes[..]].into_iter()));
    }
}
