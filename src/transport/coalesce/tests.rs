use std::{collections::VecDeque, task::Waker};

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A peer that takes what its script says: so many bytes, or none for now.
#[derive(Debug, Default)]
struct Peer {
    script: VecDeque<Option<usize>>,
    received: Vec<u8>,
    calls: usize,
    over: bool,
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!self.over, "a write after the end");
        self.calls += 1;
        // Behind its script it takes all.
        let Some(most) = self.script.pop_front().unwrap_or(Some(usize::MAX)) else {
            return Poll::Pending;
        };
        let part = &buf[..buf.len().min(most)];
        self.received.extend_from_slice(part);
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.over = true;
        Poll::Ready(Ok(()))
    }
}

/// What is done with a [`Coalesce`].
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    WriteVectored(Vec<usize>),
    Flush,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let size = prop_oneof![0..64_usize, 0..20_000_usize, Just(MAX_HELD), Just(3 * MAX_HELD)];
    let step = prop_oneof![
        4 => size.clone().prop_map(Step::Write),
        2 => prop::collection::vec(size, 0..5).prop_map(Step::WriteVectored),
        1 => Just(Step::Flush),
        2 => Just(Step::Drain),
    ];
    prop::collection::vec(step, 0..40)
}

fn script() -> impl Strategy<Value = VecDeque<Option<usize>>> {
    let taken = prop_oneof![Just(None), (1..100_000_usize).prop_map(Some)];
    prop::collection::vec(taken, 0..60).prop_map(VecDeque::from)
}

/// So many bytes that go on counting.
fn bytes(from: usize, count: usize) -> Vec<u8> {
    let (round, from) = ((0..251).collect::<Vec<u8>>(), from % 251);
    round.repeat((from + count).div_ceil(round.len()))[from..from + count].to_vec()
}

proptest! {
    #[test]
    fn the_peer_gets_what_was_written_in_order(steps in steps(), script in script()) {
        let cx = &mut Context::from_waker(Waker::noop());
        let (mut io, pending) = Coalesce::new(Peer { script, ..Peer::default() });
        let mut accepted = 0;
        for step in steps {
            let taken = match step {
                Step::Write(count) => Pin::new(&mut io).poll_write(cx, &bytes(accepted, count)),
                Step::WriteVectored(counts) => {
                    let whole = bytes(accepted, counts.iter().sum());
                    let mut rest = &whole[..];
                    let slices: Vec<_> = counts
                        .iter()
                        .map(|count| {
                            let (part, behind) = rest.split_at(*count);
                            rest = behind;
                            IoSlice::new(part)
                        })
                        .collect();
                    Pin::new(&mut io).poll_write_vectored(cx, &slices)
                }
                Step::Flush => Pin::new(&mut io).poll_flush(cx).map_ok(|()| 0),
                Step::Drain => pending.drain(cx).map_ok(|()| 0),
            };
            match taken {
                Poll::Ready(taken) => accepted += taken.unwrap(),
                Poll::Pending => prop_assert!(pending.len() > 0),
            }
            prop_assert!(pending.len() <= MAX_HELD);
            prop_assert_eq!(pending.with(|peer| peer.received.len()) + pending.len(), accepted);
        }
        while Pin::new(&mut io).poll_shutdown(cx)?.is_pending() {}
        let held = held(&io.0);
        prop_assert_eq!(&held.io.received, &bytes(0, accepted));
        prop_assert!(held.io.over && held.bytes.capacity() == 0);
    }
}

#[test]
fn what_one_poll_writes_goes_out_by_one_call() {
    let cx = &mut Context::from_waker(Waker::noop());
    let (mut io, pending) = Coalesce::new(Peer::default());
    for at in 0..100 {
        let written = Pin::new(&mut io).poll_write(cx, &bytes(at * 300, 300));
        assert!(matches!(written, Poll::Ready(Ok(300))));
        assert!(Pin::new(&mut io).poll_flush(cx).is_ready());
    }
    assert!(pending.drain(cx).is_ready());
    let held = held(&io.0);
    assert_eq!((held.io.calls, held.io.received.len()), (1, 30_000));
}

#[test]
fn a_write_that_found_no_room_is_noted_once() {
    let cx = &mut Context::from_waker(Waker::noop());
    let script = VecDeque::from([None, None]);
    let (mut io, pending) = Coalesce::new(Peer { script, ..Peer::default() });
    let whole = bytes(0, MAX_HELD + 1);
    assert!(matches!(Pin::new(&mut io).poll_write(cx, &whole), Poll::Ready(Ok(MAX_HELD))));
    assert!(!pending.take_refused());
    assert!(Pin::new(&mut io).poll_write(cx, &whole[MAX_HELD..]).is_pending());
    assert!(pending.drain(cx).is_pending());
    assert!(pending.drain(cx).is_ready(), "the peer takes all");
    assert!(pending.take_refused() && !pending.take_refused());
}

#[test]
fn a_peer_that_does_not_read_costs_what_waits_for_it() {
    let cx = &mut Context::from_waker(Waker::noop());
    let script = VecDeque::from([Some(1_000), None]);
    let (mut io, pending) = Coalesce::new(Peer { script, ..Peer::default() });
    let _ = Pin::new(&mut io).poll_write(cx, &bytes(0, 5_000));
    assert!(pending.drain(cx).is_pending());
    assert_eq!((pending.len(), held(&io.0).bytes.capacity()), (4_000, 4_000));
}

#[tokio::test]
async fn reads_pass_through_and_an_end_writes_what_is_held() {
    let (near, mut far) = tokio::io::duplex(64);
    let (mut io, _pending) = Coalesce::new(near);
    far.write_all(b"ping").await.unwrap();
    let mut read = [0; 4];
    io.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"ping");
    io.write_all(b"pong").await.unwrap();
    let (ended, received) = tokio::join!(io.shutdown(), async {
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.map(|_| received)
    });
    ended.unwrap();
    assert_eq!(received.unwrap(), b"pong");
}
